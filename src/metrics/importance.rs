//! What each column contributes: how much worse the answers are when its values are dealt out among the rows.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Measure;
use crate::Result;
use crate::data::Matrix;
use crate::random::{Key, Purpose, Threefry};

/// How columns are examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermutationOptions {
    /// How often each column's values are dealt out. Default 5.
    pub n_repeats: usize,
    /// The most rows that are looked at, drawn from all. Default 2,000: the answers are computed for so many rows
    /// times columns times repeats.
    pub max_rows: usize,
    /// Default 0.
    pub seed: u64,
}

impl Default for PermutationOptions {
    fn default() -> Self {
        PermutationOptions { n_repeats: 5, max_rows: 2000, seed: 0 }
    }
}

impl PermutationOptions {
    /// The rows to look at out of `n_rows`, in rising order: all, or [`max_rows`](Self::max_rows) drawn by the seed.
    pub fn rows(&self, n_rows: u32) -> Vec<u32> {
        if n_rows as usize <= self.max_rows {
            return (0..n_rows).collect();
        }
        let mut rows = Threefry::new(Key::new(self.seed), Purpose::Importance, 0).permutation(n_rows);
        rows.truncate(self.max_rows);
        rows.sort_unstable();
        rows
    }
}

/// What a column contributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// Its name.
    pub column: String,
    /// By how much the measure was worse, the mean over the repeats; near 0, and perhaps below, for a column that
    /// contributes nothing. NaN where the measure is not defined.
    #[serde(with = "super::undefined_as_null")]
    pub drop: f64,
    /// The standard deviation of the drops (of the repeats, not of their mean); 0 for a single repeat.
    #[serde(with = "super::undefined_as_null")]
    pub spread: f64,
}

/// How much worse `measure` becomes for each of `columns` when its values are dealt out among `n_rows` rows (Breiman,
/// 2001), in the order of `columns`.
///
/// `score` gives the measure of the answers when row `i` takes its values of a column from row `order[i]`; it is asked
/// first, once, with no column. It computes the answers for `n_rows` rows `1 + columns · repeats` times. Columns that
/// say the same stand in for each other, so that each of them seems to contribute little.
///
/// # Errors
///
/// What `score` reports.
pub fn permutation_importance(
    measure: Measure,
    n_rows: u32,
    columns: &[String],
    options: PermutationOptions,
    mut score: impl FnMut(Option<(usize, &[u32])>) -> Result<f64>,
) -> Result<Vec<Importance>> {
    let whole = score(None)?;
    let n_repeats = options.n_repeats.max(1);
    let mut all = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let mut drops = Vec::with_capacity(n_repeats);
        for repeat in 0..n_repeats {
            // Stream 0 draws the rows. A column's orders do not depend on the columns beside it.
            let stream = 1 + (index * n_repeats + repeat) as u64;
            let order = Threefry::new(Key::new(options.seed), Purpose::Importance, stream).permutation(n_rows);
            let value = score(Some((index, &order)))?;
            drops.push(if measure.larger_is_better() { whole - value } else { value - whole });
        }
        let mean = drops.iter().sum::<f64>() / n_repeats as f64;
        let squares: f64 = drops.iter().map(|drop| (drop - mean) * (drop - mean)).sum();
        let spread = if n_repeats > 1 { (squares / (n_repeats - 1) as f64).sqrt() } else { 0.0 };
        all.push(Importance { column: column.clone(), drop: mean, spread });
    }
    Ok(all)
}

/// The same matrix, with the values of `columns` in row `i` taken from row `order[i]`: a column of the table may have
/// become several of the matrix, which stay together.
///
/// # Panics
///
/// There is no such column or row, or `order` has another length than rows.
pub fn permuted_columns(features: &Matrix, columns: Range<usize>, order: &[u32]) -> Matrix {
    assert_eq!(order.len(), features.rows(), "rows to be put into another order");
    let mut permuted = features.clone();
    let width = features.columns();
    for (row, &from) in permuted.values_mut().chunks_mut(width.max(1)).zip(order) {
        row[columns.clone()].copy_from_slice(&features.row(from as usize)[columns.clone()]);
    }
    permuted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A truth of `3 x + y`, known exactly, out of three columns of which the last is noise.
    fn importance(options: PermutationOptions) -> Vec<Importance> {
        let rows = 64u32;
        let values = (0..rows).flat_map(|i| [i % 8, i / 8, i % 5].map(|value| value as f32)).collect();
        let features = Matrix::new(rows as usize, 3, values).unwrap();
        let answers = |features: &Matrix| -> Vec<f32> {
            (0..rows as usize).map(|row| 3.0 * features.row(row)[0] + features.row(row)[1]).collect()
        };
        let truth = answers(&features);
        let names = ["x", "y", "noise"].map(String::from);
        permutation_importance(Measure::Rmse, rows, &names, options, |permuted| {
            let features = match permuted {
                Some((column, order)) => permuted_columns(&features, column..column + 1, order),
                None => features.clone(),
            };
            let squares = answers(&features).iter().zip(&truth).map(|(p, t)| f64::from((p - t) * (p - t))).sum::<f64>();
            Ok((squares / f64::from(rows)).sqrt())
        })
        .unwrap()
    }

    #[test]
    fn column_that_matters_more_drops_more_and_noise_drops_nothing() {
        let [x, y, noise] = &importance(PermutationOptions::default())[..] else { panic!("three columns") };
        // The variance of 0..8 is 5.25; a permuted value differs by twice that on average.
        let expected = 10.5f64.sqrt();
        assert!((x.drop - 3.0 * expected).abs() <= 1.2, "{x:?}");
        assert!((y.drop - expected).abs() <= 0.4, "{y:?}");
        assert!(x.spread > 0.0 && x.spread < x.drop / 4.0, "{x:?}");
        assert_eq!((noise.drop, noise.spread), (0.0, 0.0));
    }

    #[test]
    fn seed_decides_the_orders() {
        let with = |seed| importance(PermutationOptions { seed, ..PermutationOptions::default() });
        assert_eq!(with(7), with(7));
        assert_ne!(with(7), with(8));
    }

    #[test]
    fn rows_are_drawn_only_where_there_are_more() {
        let options = PermutationOptions { max_rows: 3, ..PermutationOptions::default() };
        assert_eq!(options.rows(3), [0, 1, 2]);
        let drawn = options.rows(11);
        assert!(drawn.len() == 3 && drawn.is_sorted_by(|a, b| a < b) && drawn[2] < 11, "{drawn:?}");
    }

    #[test]
    fn columns_of_one_range_move_together() {
        let features = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(permuted_columns(&features, 1..3, &[1, 0]).values(), [1.0, 5.0, 6.0, 4.0, 2.0, 3.0]);
    }
}
