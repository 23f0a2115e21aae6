//! Measures of numbers.

use super::{Measure, mean_of_defined};
use crate::data::Matrix;
use crate::{Error, Result};

/// Answers and truth by target.
pub(super) struct Numbers {
    targets: Vec<Target>,
}

struct Target {
    truth: Vec<f64>,
    errors: Vec<f64>,
    /// The rows by the size of their errors, for the median.
    order: Vec<u32>,
    /// Whether the truth is all above 0 or all below.
    has_one_sign: bool,
}

impl Numbers {
    pub fn new(answers: &Matrix, truth: &Matrix) -> Result<Numbers> {
        if let Some(index) = truth.values().iter().position(|value| !value.is_finite()) {
            return Err(Error::Setting {
                name: format!("truth of row {}", index / truth.columns() + 1),
                found: truth.values()[index].to_string(),
                expected: "a finite number".into(),
            });
        }
        let column = |matrix: &Matrix, column: usize| -> Vec<f64> {
            matrix.values().iter().skip(column).step_by(matrix.columns()).map(|&value| f64::from(value)).collect()
        };
        let target = |index: usize| {
            let truth = column(truth, index);
            let errors: Vec<f64> = column(answers, index).iter().zip(&truth).map(|(p, t)| p - t).collect();
            let mut order: Vec<u32> = (0..truth.len() as u32).collect();
            order.sort_by(|&a, &b| errors[a as usize].abs().total_cmp(&errors[b as usize].abs()));
            let has_one_sign = truth.iter().all(|t| *t > 0.0) || truth.iter().all(|t| *t < 0.0);
            Target { truth, errors, order, has_one_sign }
        };
        Ok(Numbers { targets: (0..truth.columns()).map(target).collect() })
    }

    pub fn columns(&self) -> usize {
        self.targets.len()
    }

    /// The mean over the targets of each measure.
    pub fn values(&self, weights: &[f64]) -> Vec<(Measure, f64)> {
        let targets: Vec<_> = self.targets.iter().map(|target| target.values(weights)).collect();
        let mean = |i: usize| (targets[0][i].0, mean_of_defined(targets.iter().map(|values| values[i].1)));
        (0..targets[0].len()).map(mean).collect()
    }

    pub fn parts(&self, weights: &[f64]) -> Vec<(usize, Vec<(Measure, f64)>)> {
        // A single target is the whole.
        let targets = if self.targets.len() > 1 { &self.targets[..] } else { &[] };
        targets.iter().map(|target| (target.truth.len(), target.values(weights).to_vec())).collect()
    }
}

impl Target {
    fn values(&self, weights: &[f64]) -> [(Measure, f64); 5] {
        let total: f64 = weights.iter().sum();
        let mean_truth = dot(weights, &self.truth) / total;
        let (mut squares, mut absolute, mut relative, mut spread) = (0.0, 0.0, 0.0, 0.0);
        for ((w, e), t) in weights.iter().zip(&self.errors).zip(&self.truth) {
            squares += w * e * e;
            absolute += w * e.abs();
            relative += w * e.abs() / t.abs();
            spread += w * (t - mean_truth) * (t - mean_truth);
        }
        // What rounding leaves of a truth that does not vary is no variance.
        let rounding = f64::EPSILON * mean_truth * mean_truth * total * 64.0;
        let r2 = if spread > rounding { 1.0 - squares / spread } else { f64::NAN };
        [
            (Measure::R2, r2),
            (Measure::Rmse, (squares / total).sqrt()),
            (Measure::Mae, absolute / total),
            (Measure::MedianAbsoluteError, self.median(weights, total)),
            (Measure::Mape, if self.has_one_sign { relative / total } else { f64::NAN }),
        ]
    }

    /// The error below and above which half of the weight lies; the mean of two where it lies between them.
    fn median(&self, weights: &[f64], total: f64) -> f64 {
        let mut below = 0.0;
        let mut rows = self.order.iter().map(|&row| row as usize).filter(|&row| weights[row] > 0.0);
        while let Some(row) = rows.next() {
            below += weights[row];
            if below == total / 2.0 {
                let next = rows.next().unwrap_or(row);
                return (self.errors[row].abs() + self.errors[next].abs()) / 2.0;
            }
            if below > total / 2.0 {
                return self.errors[row].abs();
            }
        }
        f64::NAN
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
