//! What the simplest predictors reach, so that a network can be compared with them.

mod descent;
mod linear;

use super::{Truth, row_weights};
use crate::data::Matrix;
use crate::{Error, Result};

use linear::Scaled;

/// A predictor that is constant or linear in the features.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// One for each output, of which two classes have one.
    intercepts: Vec<f64>,
    /// `[outputs, columns]`; without columns it is constant.
    slopes: Vec<f64>,
    kind: Kind,
    /// Columns of the answers.
    n_answers: usize,
}

/// What becomes of `intercept + slopes · features`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Numbers,
    /// By the softmax, or with a single output by the logistic function.
    Classes,
    Labels,
}

/// Rows times columns times outputs that a linear predictor learns from at most: more rows than that make a line little
/// better.
const MOST_WORK: usize = 4_000_000;

/// The penalty on slopes beside the sum of the rows' losses, scikit-learn's default for `Ridge` and
/// `LogisticRegression`.
const PENALTY: f64 = 1.0;

impl Baseline {
    /// Answers the mean of each target, the share of each class, or the share of each label.
    ///
    /// # Errors
    ///
    /// No rows; weights or a truth that [`measure`](super::measure) would refuse.
    pub fn constant(truth: &Truth, weights: Option<&[f32]>) -> Result<Baseline> {
        let weights = row_weights(truth.rows(), weights)?;
        let outputs = Outputs::new(truth)?;
        let total: f64 = weights.iter().sum();
        let share =
            |output: usize| (0..truth.rows()).map(|row| weights[row] * outputs.at(row, output)).sum::<f64>() / total;
        let shares: Vec<f64> = (0..outputs.n).map(share).collect();
        let intercepts = match outputs.kind {
            Kind::Numbers => shares,
            // Logarithms of 0 are infinite, and their exponentials 0 again.
            Kind::Classes if outputs.n > 1 => shares.iter().map(|share| share.ln()).collect(),
            Kind::Classes | Kind::Labels => shares.iter().map(|share| (share / (1.0 - share)).ln()).collect(),
        };
        Ok(Baseline { intercepts, slopes: Vec::new(), kind: outputs.kind, n_answers: truth.names().len() })
    }

    /// Learns a linear predictor from `features`, `[rows, columns]`, which are prepared as for a network, names as
    /// columns of 0 and 1: ridge regression for numbers, logistic regression for labels and two classes, multinomial
    /// logistic regression for more.
    ///
    /// The squares of the slopes, of columns brought to variance 1, are added to the summed losses (half of either), as
    /// scikit-learn's `Ridge` and `LogisticRegression` do by default behind a `StandardScaler`; columns of 0 and 1 keep
    /// their scale. Takes a second or less: of large data it looks at as many rows, drawn by a fixed seed, as keep rows
    /// times columns times outputs below 4 million, but at 1,000 at least, and it takes at most 100 steps (200 for numbers).
    ///
    /// # Errors
    ///
    /// No rows; another number of rows of features; a feature that is not finite; weights or a truth that
    /// [`measure`](super::measure) would refuse.
    pub fn linear(features: &Matrix, truth: &Truth, weights: Option<&[f32]>) -> Result<Baseline> {
        let all_weights = row_weights(truth.rows(), weights)?;
        let outputs = Outputs::new(truth)?;
        if features.rows() != truth.rows() {
            return Err(Error::Shape {
                operation: "features of a linear predictor".into(),
                found: format!("{} rows", features.rows()),
                expected: format!("one for each of {} rows of the truth", truth.rows()),
            });
        }
        if let Some(index) = features.values().iter().position(|value| !value.is_finite()) {
            return Err(Error::Setting {
                name: format!("feature {} of row {}", index % features.columns() + 1, index / features.columns() + 1),
                found: features.values()[index].to_string(),
                expected: "a finite number".into(),
            });
        }
        let most_rows = (MOST_WORK / (features.columns() * outputs.n).max(1)).max(1000);
        let scaled = Scaled::new(features, &all_weights, most_rows);
        let targets = scaled.targets(&outputs);
        let solution = match outputs.kind {
            Kind::Numbers => linear::ridge(&scaled, &targets, outputs.n),
            Kind::Classes if outputs.n > 1 => linear::softmax(&scaled, &targets, outputs.n),
            Kind::Classes | Kind::Labels => linear::logistic(&scaled, &targets, outputs.n),
        };
        let (intercepts, slopes) = scaled.unscaled(&solution, outputs.n);
        Ok(Baseline { intercepts, slopes, kind: outputs.kind, n_answers: truth.names().len() })
    }

    /// The answers for `features`, `[rows, columns]`: numbers, or probabilities of classes or labels.
    ///
    /// # Errors
    ///
    /// Another number of columns than it has learned from.
    pub fn predict(&self, features: &Matrix) -> Result<Matrix> {
        let (n, columns) = (self.intercepts.len(), self.slopes.len() / self.intercepts.len());
        if columns != 0 && columns != features.columns() {
            return Err(Error::Shape {
                operation: "features of a linear predictor".into(),
                found: format!("{} columns", features.columns()),
                expected: format!("{columns}, as it has learned from"),
            });
        }
        let mut values = Vec::with_capacity(features.rows() * self.n_answers);
        let mut z = vec![0.0; n];
        for row in 0..features.rows() {
            for (k, z) in z.iter_mut().enumerate() {
                let products = self.slopes[k * columns..][..columns].iter().zip(features.row(row));
                *z = self.intercepts[k] + products.map(|(slope, x)| slope * f64::from(*x)).sum::<f64>();
            }
            match self.kind {
                Kind::Numbers => values.extend(z.iter().map(|z| *z as f32)),
                Kind::Labels => values.extend(z.iter().map(|z| linear::sigmoid(*z) as f32)),
                Kind::Classes if n == 1 => {
                    values.extend([linear::sigmoid(-z[0]), linear::sigmoid(z[0])].map(|p| p as f32));
                }
                Kind::Classes => {
                    linear::softmax_in_place(&mut z);
                    values.extend(z.iter().map(|p| *p as f32));
                }
            }
        }
        Matrix::new(features.rows(), self.n_answers, values)
    }
}

/// The truth as columns of numbers: the numbers, 1 at the row's class, or 1 where a label applies.
struct Outputs<'a> {
    truth: &'a Truth<'a>,
    kind: Kind,
    n: usize,
}

impl<'a> Outputs<'a> {
    fn new(truth: &'a Truth<'a>) -> Result<Outputs<'a>> {
        let names = truth.names().len();
        let (kind, n) = match truth {
            Truth::Numbers { .. } => (Kind::Numbers, names),
            // One logit tells two classes apart.
            Truth::Classes { .. } => (Kind::Classes, if names == 2 { 1 } else { names }),
            Truth::Labels { .. } => (Kind::Labels, names),
        };
        // It is refused as answers to it would be.
        let answers = Matrix::new(truth.rows(), names, vec![0.0; truth.rows() * names])?;
        super::Prepared::new(&answers, truth)?;
        Ok(Outputs { truth, kind, n })
    }

    fn at(&self, row: usize, output: usize) -> f64 {
        match self.truth {
            Truth::Numbers { values, .. } | Truth::Labels { values, .. } => f64::from(values.row(row)[output]),
            Truth::Classes { indices, .. } => {
                let class = if self.n == 1 { 1 } else { output };
                f64::from(u8::from(indices[row] as usize == class))
            }
        }
    }
}
