//! What a measure must reach.

use std::fmt;
use std::str::FromStr;

use super::{Measure, Metrics};
use crate::digits::six_digits;
use crate::names::nearest;
use crate::{Error, Result};

/// What a measure must reach: `accuracy=0.9` is an accuracy of at least 0.9, `rmse=3` an RMSE of at most 3, since
/// there less is better.
///
/// ```
/// use nngpu::metrics::{Condition, Measure};
///
/// let condition: Condition = "rmse=3".parse()?;
/// assert_eq!((condition.measure, condition.bound), (Measure::Rmse, 3.0));
/// assert_eq!(condition.to_string(), "rmse at most 3");
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// What is measured.
    pub measure: Measure,
    /// What is reached at the least, or at the most where less is better.
    pub bound: f64,
}

/// Other names that people know a measure by.
const ALIASES: [(&str, Measure); 10] = [
    ("acc", Measure::Accuracy),
    ("auc", Measure::Auroc),
    ("roc_auc", Measure::Auroc),
    ("average_precision", Measure::Auprc),
    ("f1", Measure::MacroF1),
    ("logloss", Measure::LogLoss),
    ("ece", Measure::CalibrationError),
    ("r²", Measure::R2),
    ("medae", Measure::MedianAbsoluteError),
    ("hamming", Measure::HammingLoss),
];

/// Those of a class or label alone, which a condition on all rows cannot name.
const OF_PARTS: [Measure; 3] = [Measure::Precision, Measure::Recall, Measure::F1];

impl Condition {
    /// Whether the metrics reach the bound; a measure that is not defined does not.
    ///
    /// # Errors
    ///
    /// The measure is not among the metrics: it is one of another task.
    pub fn holds(&self, metrics: &Metrics) -> Result<bool> {
        let score = metrics.get(self.measure).ok_or_else(|| {
            let names: Vec<&str> = metrics.scores.iter().map(|score| score.measure.name()).collect();
            Error::Setting {
                name: "condition".into(),
                found: format!("`{}`, which is not measured for this task", self.measure),
                expected: format!("one of {}", names.join(", ")),
            }
        })?;
        let holds = if self.measure.larger_is_better() { score.value >= self.bound } else { score.value <= self.bound };
        Ok(holds)
    }
}

impl FromStr for Condition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Condition> {
        let refused = |found: String, expected: String| Error::Setting { name: "condition".into(), found, expected };
        let example = "a measure and its bound, such as accuracy=0.9 or rmse=3";
        let Some((name, bound)) = text.split_once('=') else {
            return Err(refused(format!("`{text}`"), example.into()));
        };
        let wanted = name.trim().to_lowercase().replace(['-', ' '], "_");
        let alias = ALIASES.iter().find(|(alias, _)| *alias == wanted).map(|(_, measure)| *measure);
        let measures = Measure::ALL.into_iter().filter(|measure| !OF_PARTS.contains(measure));
        let names: Vec<String> = measures.clone().map(|measure| measure.name().to_owned()).collect();
        let Some(measure) = alias.or_else(|| measures.clone().find(|measure| measure.name() == wanted)) else {
            let hint = nearest(&wanted, &names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Err(refused(format!("`{}`", name.trim()), format!("one of {}{hint}", names.join(", "))));
        };
        match bound.trim().parse::<f64>() {
            Ok(bound) if bound.is_finite() => Ok(Condition { measure, bound }),
            _ => Err(refused(format!("`{}` as the bound of {measure}", bound.trim()), example.into())),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.measure.larger_is_better() { "least" } else { "most" };
        write!(f, "{} at {side} {}", self.measure, six_digits(self.bound as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Score;
    use super::*;

    #[test]
    fn bound_is_from_above_where_less_is_better() {
        let metrics = |measure, value| Metrics {
            n_rows: 1,
            scores: vec![Score { measure, value, interval: None }],
            parts: Vec::new(),
        };
        let check = |text: &str, value, expected| {
            let condition: Condition = text.parse().unwrap();
            let holds = condition.holds(&metrics(condition.measure, value)).unwrap();
            assert_eq!(holds, expected, "{condition} of {value}");
        };
        check("accuracy=0.9", 0.9, true);
        check("accuracy=0.9", 0.89, false);
        check("rmse = 3", 3.0, true);
        check("RMSE=3", 3.1, false);
        check("log-loss=1", 0.5, true);
        check("auc=0.5", f64::NAN, false);
        check("ece=0.5", f64::NAN, false);
    }

    #[test]
    fn unknown_measures_and_bounds_are_refused() {
        let message = |text: &str| text.parse::<Condition>().unwrap_err().to_string();
        assert!(message("acuracy=0.9").starts_with("condition: found `acuracy`, expected one of r2, rmse,"));
        assert!(message("acuracy=0.9").ends_with("; did you mean `accuracy`?"), "{}", message("acuracy=0.9"));
        assert!(message("fun=0.9").ends_with("hamming_loss, micro_f1"), "{}", message("fun=0.9"));
        let example = "expected a measure and its bound, such as accuracy=0.9 or rmse=3";
        assert_eq!(message("accuracy"), format!("condition: found `accuracy`, {example}"));
        assert_eq!(message("rmse=low"), format!("condition: found `low` as the bound of rmse, {example}"));
        assert_eq!(message("rmse=nan"), format!("condition: found `nan` as the bound of rmse, {example}"));
    }

    #[test]
    fn measure_of_another_task_is_refused_with_those_there_are() {
        let scores = vec![Score { measure: Measure::R2, value: 0.5, interval: None }];
        let metrics = Metrics { n_rows: 1, scores, parts: Vec::new() };
        let error = "accuracy=0.9".parse::<Condition>().unwrap().holds(&metrics).unwrap_err();
        assert_eq!(
            error.to_string(),
            "condition: found `accuracy`, which is not measured for this task, expected one of r2"
        );
    }
}
