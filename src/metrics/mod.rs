//! How good answers are: measures, intervals, what the simplest predictors reach, what each column contributes.
//!
//! Everything here is plain arithmetic in f64 on the host, and needs no device and no file. The same answers give the
//! same numbers on every machine, except for the last digits of sums and logarithms.
//!
//! ```
//! use nngpu::data::Matrix;
//! use nngpu::metrics::{Measure, Truth, measure};
//!
//! // Three rows with the probabilities of two classes.
//! let answers = Matrix::new(3, 2, vec![0.9, 0.1, 0.4, 0.6, 0.7, 0.3])?;
//! let truth = Truth::Classes { indices: &[0, 1, 1], names: &["no".into(), "yes".into()] };
//! let metrics = measure(&answers, &truth, None)?;
//!
//! assert_eq!(metrics.main().measure, Measure::Accuracy);
//! assert!((metrics.main().value - 2.0 / 3.0).abs() < 1e-12);
//! # Ok::<(), nngpu::Error>(())
//! ```

mod measure;

mod bootstrap;
mod calibration;
mod classes;
mod labels;
mod numbers;
mod ranking;

#[cfg(feature = "data")]
mod condition;
#[cfg(feature = "data")]
mod slice;

pub mod baseline;
mod importance;

use serde::{Deserialize, Serialize};

pub use bootstrap::{Bootstrap, measure_with_intervals};
pub use calibration::{CalibrationBin, calibration};
pub use classes::confusion;
#[cfg(feature = "data")]
pub use condition::Condition;
pub use importance::{Importance, PermutationOptions, permutation_importance, permuted_columns};
pub use labels::is_answered;
pub use measure::Measure;
#[cfg(feature = "data")]
pub use slice::{Slice, slices};

use crate::data::{Matrix, Targets};
use crate::{Error, Result};

/// What is true of each row, and what the columns of the answers are called.
#[derive(Clone, Copy, Debug)]
pub enum Truth<'a> {
    /// Numbers; answers are numbers in the same units, `[rows, names.len()]`.
    Numbers {
        /// `[rows, names.len()]`.
        values: &'a Matrix,
        /// A name for each target.
        names: &'a [String],
    },
    /// One class each; answers are probabilities, `[rows, names.len()]`, or with two classes the probability of the
    /// second, `[rows, 1]`.
    Classes {
        /// For each row the index of its class in `names`.
        indices: &'a [u32],
        /// The classes, two or more.
        names: &'a [String],
    },
    /// Any number of labels each; answers are the probability of each, `[rows, names.len()]`.
    Labels {
        /// 1 where a label applies and 0 where it does not, `[rows, names.len()]`.
        values: &'a Matrix,
        /// The labels.
        names: &'a [String],
    },
}

impl<'a> Truth<'a> {
    /// Targets as a truth: numbers named `names`, or classes, which have names of their own.
    pub fn of(targets: &'a Targets, names: &'a [String]) -> Truth<'a> {
        match targets {
            Targets::Values(values) => Truth::Numbers { values, names },
            Targets::Classes(classes) => Truth::Classes { indices: &classes.indices, names: &classes.names },
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Truth::Numbers { values, .. } | Truth::Labels { values, .. } => values.rows(),
            Truth::Classes { indices, .. } => indices.len(),
        }
    }

    /// The targets, classes or labels.
    pub fn names(&self) -> &'a [String] {
        match self {
            Truth::Numbers { names, .. } | Truth::Classes { names, .. } | Truth::Labels { names, .. } => names,
        }
    }
}

/// How good some answers are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Rows that were measured.
    pub n_rows: usize,
    /// The measures, the main one first, in an order that depends on the kind of truth alone.
    pub scores: Vec<Score>,
    /// The same by target where there are several, by class, or by label.
    pub parts: Vec<Part>,
}

/// The value of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Which measure.
    pub measure: Measure,
    /// Its value; NaN where it is not defined, which a file tells by `null`.
    #[serde(with = "undefined_as_null")]
    pub value: f64,
    /// Where the value lies in 95 of 100 draws of the rows, if that was asked for and the value is defined in most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// How good the answers are for one target, class or label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Rows that are of the class, or to which the label applies; all rows for a target.
    pub n_rows: usize,
    /// Its measures, in a fixed order, without intervals.
    pub scores: Vec<Score>,
}

impl Metrics {
    /// The measure that comes first: R², accuracy, or subset accuracy.
    ///
    /// # Panics
    ///
    /// There is none: the metrics were made by hand.
    pub fn main(&self) -> &Score {
        self.scores.first().expect("metrics have a main measure")
    }

    /// The score by a measure, if it is among them.
    pub fn get(&self, measure: Measure) -> Option<&Score> {
        self.scores.iter().find(|score| score.measure == measure)
    }
}

/// Measures `answers`, `[rows, columns]`, against `truth`; the shapes are told at [`Truth`].
///
/// `weights` say how much each row counts. Costs a sort of the rows for each class or label, or target.
///
/// # Errors
///
/// No rows; shapes that do not fit; an answer or a weight that is not finite, a probability outside `[0, 1]`, a weight
/// below 0 or none above; a class without a name, or fewer than two classes; a label that is neither 0 nor 1.
pub fn measure(answers: &Matrix, truth: &Truth, weights: Option<&[f32]>) -> Result<Metrics> {
    let weights = row_weights(truth.rows(), weights)?;
    let prepared = Prepared::new(answers, truth)?;
    Ok(prepared.metrics(truth, &weights))
}

/// What all weightings of the same rows share.
enum Prepared {
    Numbers(numbers::Numbers),
    Classes(classes::Probabilities),
    Labels(labels::Labels),
}

impl Prepared {
    fn new(answers: &Matrix, truth: &Truth) -> Result<Prepared> {
        let (rows, columns) = (truth.rows(), truth.names().len());
        let is_single = matches!(truth, Truth::Classes { .. }) && columns == 2 && answers.columns() == 1;
        let fits = rows > 0 && answers.rows() == rows && (answers.columns() == columns || is_single);
        let is_truth = match truth {
            Truth::Numbers { values, .. } | Truth::Labels { values, .. } => values.columns() == columns && columns > 0,
            Truth::Classes { .. } => columns > 1,
        };
        if !fits || !is_truth {
            return Err(Error::Shape {
                operation: "answers to be measured".into(),
                found: format!("{} rows of {} for {rows} rows of the truth", answers.rows(), answers.columns()),
                expected: match truth {
                    Truth::Classes { .. } => {
                        format!("as many rows, and a column for each of two or more classes, here {columns}")
                    }
                    _ => format!("as many rows, one or more, and a column for each of {columns} targets in both"),
                },
            });
        }
        let is_probability = !matches!(truth, Truth::Numbers { .. });
        let is_answer = |value: &f32| value.is_finite() && (!is_probability || (0.0..=1.0).contains(value));
        if let Some(index) = answers.values().iter().position(|value| !is_answer(value)) {
            return Err(Error::Setting {
                name: format!("answer {} of row {}", index % answers.columns() + 1, index / answers.columns() + 1),
                found: answers.values()[index].to_string(),
                expected: if is_probability { "a probability from 0 to 1" } else { "a finite number" }.into(),
            });
        }
        Ok(match truth {
            Truth::Numbers { values, .. } => Prepared::Numbers(numbers::Numbers::new(answers, values)?),
            Truth::Classes { indices, .. } => {
                Prepared::Classes(classes::Probabilities::new(answers, indices, columns)?)
            }
            Truth::Labels { values, .. } => Prepared::Labels(labels::Labels::new(answers, values)?),
        })
    }

    /// The values of all measures for one weighting of the rows. Without `areas` those that need sorted rows are NaN.
    fn values(&self, weights: &[f64], areas: bool) -> Vec<(Measure, f64)> {
        match self {
            Prepared::Numbers(numbers) => numbers.values(weights),
            Prepared::Classes(probabilities) => probabilities.values(weights, areas),
            Prepared::Labels(labels) => labels.values(weights, areas),
        }
    }

    fn metrics(&self, truth: &Truth, weights: &[f64]) -> Metrics {
        let parts = match self {
            Prepared::Numbers(numbers) => numbers.parts(weights),
            Prepared::Classes(probabilities) => probabilities.parts(weights),
            Prepared::Labels(labels) => labels.parts(weights),
        };
        let part = |(name, (n_rows, values)): (&String, (usize, Vec<_>))| Part {
            name: name.clone(),
            n_rows,
            scores: scores(values),
        };
        Metrics {
            n_rows: truth.rows(),
            scores: scores(self.values(weights, true)),
            parts: truth.names().iter().zip(parts).map(part).collect(),
        }
    }

    /// Columns that have an order of their own: what one weighting costs, in units of the rows.
    fn columns(&self) -> usize {
        match self {
            Prepared::Numbers(numbers) => numbers.columns(),
            Prepared::Classes(probabilities) => probabilities.columns(),
            Prepared::Labels(labels) => labels.columns(),
        }
    }
}

fn scores(values: Vec<(Measure, f64)>) -> Vec<Score> {
    values.into_iter().map(|(measure, value)| Score { measure, value, interval: None }).collect()
}

/// The weights of the rows, 1 each where none are given.
fn row_weights(rows: usize, weights: Option<&[f32]>) -> Result<Vec<f64>> {
    let Some(weights) = weights else { return Ok(vec![1.0; rows]) };
    if weights.len() != rows {
        return Err(Error::Shape {
            operation: "weights of rows".into(),
            found: format!("{} weights", weights.len()),
            expected: format!("one for each of {rows} rows"),
        });
    }
    if let Some(row) = weights.iter().position(|weight| !(*weight >= 0.0 && weight.is_finite())) {
        return Err(Error::Setting {
            name: format!("weight of row {}", row + 1),
            found: weights[row].to_string(),
            expected: "a number of at least 0".into(),
        });
    }
    if weights.iter().all(|weight| *weight == 0.0) {
        return Err(Error::Setting {
            name: "weights of rows".into(),
            found: "0 for each".into(),
            expected: "at least one above 0".into(),
        });
    }
    Ok(weights.iter().map(|&weight| f64::from(weight)).collect())
}

/// The mean of those values that are defined; NaN if none is.
fn mean_of_defined(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0);
    for value in values.into_iter().filter(|value| !value.is_nan()) {
        sum += value;
        n += 1;
    }
    sum / f64::from(n)
}

/// JSON has no NaN.
mod undefined_as_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests;
