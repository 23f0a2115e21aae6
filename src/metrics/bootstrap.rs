//! Intervals: how far the measures would move with other rows.

use super::classes::LARGEST_KEPT;
use super::{Metrics, Prepared, Truth, row_weights};
use crate::Result;
use crate::data::Matrix;
use crate::random::{Key, Purpose, Threefry};

/// How intervals are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// Draws of as many rows as there are, with repetition. Default 1,000. Large data get fewer, but no fewer than
    /// 100: as many as keep draws times rows times columns of the answers below 4 · 10^7, about half a second.
    pub n_resamples: usize,
    /// Default 0.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Bootstrap { n_resamples: 1000, seed: 0 }
    }
}

/// Draws times rows times columns beyond which there are fewer draws.
const MOST_WORK: usize = 40_000_000;

/// The fewest draws whose percentiles mean something.
const FEWEST: usize = 100;

/// The part of the draws that lies below an interval, and above it.
const TAIL: f64 = 0.025;

/// Measures as [`measure`](super::measure) does, with a 95 % interval for each value: the percentiles 2.5 and 97.5 of
/// the measure over draws of the rows (Efron, 1979).
///
/// A value has no interval where it is not defined in at least half of the draws, where there is a single row, and
/// where rows times columns are above 4 million and it is an area under a curve, for which every draw takes all
/// columns in order.
///
/// # Errors
///
/// As for [`measure`](super::measure).
pub fn measure_with_intervals(
    answers: &Matrix,
    truth: &Truth,
    weights: Option<&[f32]>,
    bootstrap: Bootstrap,
) -> Result<Metrics> {
    let rows = truth.rows();
    let weights = row_weights(rows, weights)?;
    let prepared = Prepared::new(answers, truth)?;
    let mut metrics = prepared.metrics(truth, &weights);
    if rows < 2 {
        return Ok(metrics);
    }
    let size = rows * prepared.columns();
    let n_resamples = bootstrap.n_resamples.min((MOST_WORK / size).max(FEWEST));
    let areas = size <= LARGEST_KEPT;
    let mut drawn: Vec<Vec<f64>> = vec![Vec::with_capacity(n_resamples); metrics.scores.len()];
    let mut drawn_weights = vec![0.0; rows];
    for resample in 0..n_resamples {
        let mut rng = Threefry::new(Key::new(bootstrap.seed), Purpose::Bootstrap, resample as u64);
        // A row that is drawn twice weighs double.
        drawn_weights.fill(0.0);
        for _ in 0..rows {
            let row = rng.below(rows as u32) as usize;
            drawn_weights[row] += weights[row];
        }
        for (values, (_, value)) in drawn.iter_mut().zip(prepared.values(&drawn_weights, areas)) {
            if value.is_finite() {
                values.push(value);
            }
        }
    }
    for (score, values) in metrics.scores.iter_mut().zip(&mut drawn) {
        let is_told = !score.value.is_nan() && !values.is_empty() && values.len() * 2 >= n_resamples;
        score.interval = is_told.then(|| {
            values.sort_unstable_by(f64::total_cmp);
            [quantile(values, TAIL), quantile(values, 1.0 - TAIL)]
        });
    }
    Ok(metrics)
}

/// The quantile of sorted values, by a straight line between the two next to it, as NumPy takes it.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let position = part * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    below + (above - below) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (part, expected) in [(0.0, 1.0), (0.5, 3.0), (0.25, 1.75), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&sorted, part) - expected).abs() < 1e-12, "{part}: {}", quantile(&sorted, part));
        }
    }
}
