//! The measures by name: formula, range, direction.

use serde::{Deserialize, Serialize};

/// One way of saying how good answers are.
///
/// `t` is the truth, `p` the answer, `w` the weight of a row (1 where none are given) and every mean is weighted.
/// The definitions are scikit-learn's (`sklearn.metrics`, with `sample_weight`) except where a difference is told.
/// A value that is not defined is NaN, and so is every mean over nothing; a mean over targets, classes or labels
/// leaves those out for which it is not defined.
///
/// As text and in files it has the name that [`name`](Self::name) gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    // Of numbers.
    /// The part of the variance that is explained, at most 1; 0 is as good as the mean:
    /// `1 - sum w (p - t)² / sum w (t - mean t)²`. NaN where the truth does not vary (scikit-learn gives 0 or 1).
    R2,
    /// The square root of `mean (p - t)²`, in units of the target; 0 or more, less is better.
    Rmse,
    /// `mean |p - t|`, in units of the target; 0 or more, less is better.
    Mae,
    /// The median of `|p - t|`: half of the weight lies on each side. In units of the target; 0 or more, less is
    /// better, and a few wild answers do not move it.
    MedianAbsoluteError,
    /// `mean |p - t| / |t|` as a fraction; 0 or more, less is better. It says something of quantities that are all above
    /// 0 or all below; for any other truth it is NaN.
    Mape,

    // Of classes.
    /// The part of the rows whose class has the largest probability, the first of equal ones; in `[0, 1]`.
    Accuracy,
    /// The mean recall of the classes that are in the truth, in `[0, 1]`: every class counts alike.
    BalancedAccuracy,
    /// `mean -log p[t]`, in nats; 0 or more, less is better. For labels, the mean over rows and labels of
    /// `-(t log p + (1 - t) log(1 - p))`. Probabilities below 2^-23 count as 2^-23, so that a single answer that is
    /// sure and wrong costs 15.9 and not infinity.
    LogLoss,
    /// The mean of [`F1`](Self::F1) over the classes (or labels) that are in the truth or in the answers, in `[0, 1]`.
    MacroF1,
    /// The mean of [`F1`](Self::F1) over the classes by the number of their rows, in `[0, 1]`.
    WeightedF1,
    /// Matthews' correlation of truth and answer, in `[-1, 1]`, for any number of classes (Gorodkin, 2004). 0 where all
    /// rows, or all answers, are of one class.
    Mcc,
    /// The area under the curve of true against false positives, in `[0, 1]`: the chance that a row of the class has
    /// a larger probability than another row, equal ones counting half. With two classes that of the second;
    /// with more, and for labels, the mean over all, each against the rest. NaN where only one class is there.
    Auroc,
    /// The area under the curve of precision against recall as average precision, `sum (R[n] - R[n - 1]) P[n]`, in
    /// `[0, 1]`. Classes as for [`Auroc`](Self::Auroc). NaN where no row is of the class.
    Auprc,
    /// The mean squared error of the probabilities (Brier, 1950); less is better. With two classes that of the second,
    /// in `[0, 1]`; with more the sum over the classes, in `[0, 2]`.
    Brier,
    /// The expected calibration error, in `[0, 1]`, less is better: in 15 equal bins of the largest probability, the
    /// mean of `|accuracy - mean probability|` by the rows of the bin (Guo et al., 2017).
    CalibrationError,
    /// The part of the rows whose class is among the three of largest probability, in `[0, 1]`; given for more than
    /// three classes.
    #[serde(rename = "top_3_accuracy")]
    Top3Accuracy,
    /// The same among five, for more than five classes.
    #[serde(rename = "top_5_accuracy")]
    Top5Accuracy,

    // Of labels, each of which applies or not; an answer applies from a probability of 0.5 on.
    /// The part of the rows all of whose labels are right, in `[0, 1]`.
    SubsetAccuracy,
    /// The part of the labels that are wrong, in `[0, 1]`; less is better.
    HammingLoss,
    /// [`F1`](Self::F1) of all labels' positives counted together, in `[0, 1]`.
    MicroF1,

    // Of one class or label.
    /// The part of the rows given to a class that belong to it, in `[0, 1]`; 0 where none was given to it.
    Precision,
    /// The part of a class's rows that were given to it, in `[0, 1]`; NaN where it has none (scikit-learn gives 0).
    Recall,
    /// `2 TP / (2 TP + FP + FN)`, the harmonic mean of precision and recall, in `[0, 1]`; NaN where the class is
    /// neither in the truth nor in the answers (scikit-learn gives 0).
    F1,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Measure; 23] = [
        Measure::R2,
        Measure::Rmse,
        Measure::Mae,
        Measure::MedianAbsoluteError,
        Measure::Mape,
        Measure::Accuracy,
        Measure::BalancedAccuracy,
        Measure::LogLoss,
        Measure::MacroF1,
        Measure::WeightedF1,
        Measure::Mcc,
        Measure::Auroc,
        Measure::Auprc,
        Measure::Brier,
        Measure::CalibrationError,
        Measure::Top3Accuracy,
        Measure::Top5Accuracy,
        Measure::SubsetAccuracy,
        Measure::HammingLoss,
        Measure::MicroF1,
        Measure::Precision,
        Measure::Recall,
        Measure::F1,
    ];

    /// What users type and files hold.
    pub const fn name(self) -> &'static str {
        match self {
            Measure::R2 => "r2",
            Measure::Rmse => "rmse",
            Measure::Mae => "mae",
            Measure::MedianAbsoluteError => "median_absolute_error",
            Measure::Mape => "mape",
            Measure::Accuracy => "accuracy",
            Measure::BalancedAccuracy => "balanced_accuracy",
            Measure::LogLoss => "log_loss",
            Measure::MacroF1 => "macro_f1",
            Measure::WeightedF1 => "weighted_f1",
            Measure::Mcc => "mcc",
            Measure::Auroc => "auroc",
            Measure::Auprc => "auprc",
            Measure::Brier => "brier",
            Measure::CalibrationError => "calibration_error",
            Measure::Top3Accuracy => "top_3_accuracy",
            Measure::Top5Accuracy => "top_5_accuracy",
            Measure::SubsetAccuracy => "subset_accuracy",
            Measure::HammingLoss => "hamming_loss",
            Measure::MicroF1 => "micro_f1",
            Measure::Precision => "precision",
            Measure::Recall => "recall",
            Measure::F1 => "f1",
        }
    }

    /// What people read, at the head of a column.
    pub const fn title(self) -> &'static str {
        match self {
            Measure::R2 => "R²",
            Measure::Rmse => "RMSE",
            Measure::Mae => "mean absolute error",
            Measure::MedianAbsoluteError => "median absolute error",
            Measure::Mape => "mean relative error",
            Measure::BalancedAccuracy => "balanced accuracy",
            Measure::LogLoss => "log-loss",
            Measure::MacroF1 => "macro F1",
            Measure::WeightedF1 => "weighted F1",
            Measure::Mcc => "Matthews' correlation",
            Measure::Auroc => "AUROC",
            Measure::Auprc => "AUPRC",
            Measure::Brier => "Brier score",
            Measure::CalibrationError => "calibration error",
            Measure::Top3Accuracy => "top-3 accuracy",
            Measure::Top5Accuracy => "top-5 accuracy",
            Measure::SubsetAccuracy => "subset accuracy",
            Measure::HammingLoss => "Hamming loss",
            Measure::MicroF1 => "micro F1",
            Measure::F1 => "F1",
            _ => self.name(),
        }
    }

    /// Whether more of it is better.
    pub const fn larger_is_better(self) -> bool {
        !matches!(
            self,
            Measure::Rmse
                | Measure::Mae
                | Measure::MedianAbsoluteError
                | Measure::Mape
                | Measure::LogLoss
                | Measure::Brier
                | Measure::CalibrationError
                | Measure::HammingLoss
        )
    }

    /// Whether `value` is better than `other`; a NaN is better than nothing, and nothing than it.
    pub fn is_better(self, value: f64, other: f64) -> bool {
        if self.larger_is_better() { value > other } else { value < other }
    }

    /// The least and the largest value there can be.
    pub const fn range(self) -> [f64; 2] {
        match self {
            Measure::R2 => [f64::NEG_INFINITY, 1.0],
            Measure::Rmse | Measure::Mae | Measure::MedianAbsoluteError | Measure::Mape | Measure::LogLoss => {
                [0.0, f64::INFINITY]
            }
            Measure::Mcc => [-1.0, 1.0],
            Measure::Brier => [0.0, 2.0],
            _ => [0.0, 1.0],
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_files_are_those_that_users_type() {
        for (i, measure) in Measure::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_value(measure).unwrap(), measure.name());
            assert!(Measure::ALL[..i].iter().all(|other| other.name() != measure.name()), "{measure} twice");
        }
    }

    #[test]
    fn nan_is_better_than_nothing_and_nothing_is_better_than_it() {
        for measure in Measure::ALL {
            assert!(!measure.is_better(f64::NAN, 0.0) && !measure.is_better(0.0, f64::NAN));
            assert_eq!(measure.is_better(1.0, 0.5), measure.larger_is_better(), "{measure}");
        }
    }
}
