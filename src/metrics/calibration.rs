//! Whether what is said with some probability is right as often.

use serde::{Deserialize, Serialize};

use super::classes::{both_classes, largest};
use super::{Prepared, Truth};
use crate::data::Matrix;
use crate::{Error, Result};

/// The bins of [`calibration`] and of the calibration error.
pub(super) const N_BINS: usize = 15;

/// Rows whose answers are about as sure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Rows in the bin.
    pub n_rows: usize,
    /// The mean probability of the class that was answered.
    pub confidence: f64,
    /// The part of the rows that are of that class.
    pub accuracy: f64,
}

/// In 15 equal bins of the largest probability, how sure the answers are and how often they are right; bins
/// without rows are left out.
///
/// # Errors
///
/// A truth that is not of classes, and as for [`measure`](super::measure).
pub fn calibration(answers: &Matrix, truth: &Truth) -> Result<Vec<CalibrationBin>> {
    Prepared::new(answers, truth)?;
    let Truth::Classes { indices, names } = truth else { return Err(not_classes("calibration")) };
    let mut bins = [(0usize, 0.0, 0usize); N_BINS];
    for (p, &class) in both_classes(answers, names.len()).chunks(names.len()).zip(*indices) {
        let answer = largest(p);
        let confidence = f64::from(p[answer as usize]);
        let (n_rows, sum, hits) = &mut bins[bin(confidence)];
        *n_rows += 1;
        *sum += confidence;
        *hits += usize::from(answer == class);
    }
    let filled = bins.into_iter().filter(|(n_rows, ..)| *n_rows > 0);
    Ok(filled
        .map(|(n_rows, sum, hits)| CalibrationBin {
            n_rows,
            confidence: sum / n_rows as f64,
            accuracy: hits as f64 / n_rows as f64,
        })
        .collect())
}

/// The bin of a probability: `(i / 15, (i + 1) / 15]`, and 0 with the first.
pub(super) fn bin(confidence: f64) -> usize {
    ((confidence * N_BINS as f64).ceil() as usize).clamp(1, N_BINS) - 1
}

/// `weight · |accuracy - confidence|` of a bin's sums `[weight, right, confidence]`.
pub(super) fn gap([_, right, confidence]: &[f64; 3]) -> f64 {
    (right - confidence).abs()
}

pub(super) fn not_classes(operation: &str) -> Error {
    Error::Shape {
        operation: operation.into(),
        found: "a truth that is not of classes".into(),
        expected: "one class for each row".into(),
    }
}
