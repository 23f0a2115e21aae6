//! Linear predictors, learned in f64.

use super::descent::minimise;
use super::{Outputs, PENALTY};
use crate::data::Matrix;
use crate::random::{Key, Purpose, Threefry};

/// Rows of features, each column centred and, unless it is of 0 and 1 alone, brought to variance 1.
pub(super) struct Scaled {
    /// The rows that were drawn, in the features.
    drawn: Vec<u32>,
    /// `[drawn.len(), columns]`.
    x: Vec<f64>,
    /// Of each drawn row; their mean is 1.
    weights: Vec<f64>,
    means: Vec<f64>,
    /// By which centred columns were multiplied; 0 for a column that does not vary.
    factors: Vec<f64>,
}

impl Scaled {
    pub fn new(features: &Matrix, weights: &[f64], most_rows: usize) -> Scaled {
        // Rows that count for nothing are not drawn.
        let mut drawn: Vec<u32> = (0..features.rows() as u32).filter(|&row| weights[row as usize] > 0.0).collect();
        if drawn.len() > most_rows {
            // Another stream than those of intervals.
            let mut order = Threefry::new(Key::new(0), Purpose::Bootstrap, u64::MAX).permutation(drawn.len() as u32);
            order.truncate(most_rows);
            order.sort_unstable();
            drawn = order.into_iter().map(|position| drawn[position as usize]).collect();
        }
        let weights: Vec<f64> = drawn.iter().map(|&row| weights[row as usize]).collect();
        let total: f64 = weights.iter().sum();

        let columns = features.columns();
        let mut means = vec![0.0; columns];
        for (&row, w) in drawn.iter().zip(&weights) {
            means.iter_mut().zip(features.row(row as usize)).for_each(|(mean, x)| *mean += w * f64::from(*x) / total);
        }
        let mut variances = vec![0.0; columns];
        let mut is_indicator = vec![true; columns];
        let mut x = Vec::with_capacity(drawn.len() * columns);
        for (&row, w) in drawn.iter().zip(&weights) {
            for (column, &value) in features.row(row as usize).iter().enumerate() {
                let centred = f64::from(value) - means[column];
                variances[column] += w * centred * centred / total;
                is_indicator[column] &= value == 0.0 || value == 1.0;
                x.push(centred);
            }
        }
        let factor = |column: usize| {
            let (mean, variance) = (means[column], variances[column]);
            // What rounding leaves of a column that does not vary is no variance.
            let varies = variance > 1e-20 * (1.0 + mean * mean);
            if !varies {
                0.0
            } else if is_indicator[column] {
                1.0
            } else {
                1.0 / variance.sqrt()
            }
        };
        let factors: Vec<f64> = (0..columns).map(factor).collect();
        x.chunks_mut(columns.max(1)).for_each(|row| row.iter_mut().zip(&factors).for_each(|(x, f)| *x *= f));
        // Two rows of weight 3 are not six rows: only how the weights differ is meant.
        let mean_weight = total / weights.len() as f64;
        Scaled { drawn, x, weights: weights.iter().map(|w| w / mean_weight).collect(), means, factors }
    }

    pub fn rows(&self) -> usize {
        self.drawn.len()
    }

    pub fn columns(&self) -> usize {
        self.means.len()
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.x[row * self.columns()..][..self.columns()]
    }

    /// The outputs of the drawn rows, `[rows, n]`.
    pub fn targets(&self, outputs: &Outputs) -> Vec<f64> {
        let row = |&row: &u32| (0..outputs.n).map(move |output| outputs.at(row as usize, output));
        self.drawn.iter().flat_map(row).collect()
    }

    /// Intercepts and slopes for features as they were, from parameters `[n, 1 + columns]` for scaled ones.
    pub fn unscaled(&self, parameters: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut intercepts, mut slopes) = (Vec::with_capacity(n), Vec::with_capacity(n * self.columns()));
        for output in parameters.chunks(1 + self.columns()) {
            let start = slopes.len();
            slopes.extend(output[1..].iter().zip(&self.factors).map(|(slope, factor)| slope * factor));
            intercepts.push(output[0] - dot(&slopes[start..], &self.means));
        }
        (intercepts, slopes)
    }
}

/// The most steps of conjugate gradients, each of which passes the rows once.
const MOST_RIDGE_STEPS: usize = 200;

/// The most steps of a descent: as many as scikit-learn's `LogisticRegression` takes by default.
const MOST_STEPS: usize = 100;

/// Ridge regression: the least `sum w (y - x · b)² + PENALTY |b|²` for each of `n` columns of `targets`. The normal
/// equations `(X' W X + PENALTY) b = X' W y` are solved by conjugate gradients (Hestenes and Stiefel, 1952), which take
/// as many steps as there are columns at most, few where columns are scaled, and never hold a matrix of columns by
/// columns.
///
/// Gives `[n, 1 + columns]`, the intercept first.
pub(super) fn ridge(scaled: &Scaled, targets: &[f64], n: usize) -> Vec<f64> {
    let (rows, columns) = (scaled.rows(), scaled.columns());
    let mut parameters = Vec::with_capacity(n * (1 + columns));
    for output in 0..n {
        let y = |row: usize| targets[row * n + output];
        let mean = (0..rows).map(|row| scaled.weights[row] * y(row)).sum::<f64>() / rows as f64;
        // Columns have mean 0, so that the intercept is the mean and the slopes do not depend on it.
        let mut residual = vec![0.0; columns];
        for row in 0..rows {
            add(&mut residual, scaled.weights[row] * (y(row) - mean), scaled.row(row));
        }
        let mut slopes = vec![0.0; columns];
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        let enough = square * 1e-20;
        for _ in 0..MOST_RIDGE_STEPS {
            let goes_on = square > enough;
            if !goes_on {
                break;
            }
            let mut image: Vec<f64> = direction.iter().map(|d| PENALTY * d).collect();
            for row in 0..rows {
                let x = scaled.row(row);
                add(&mut image, scaled.weights[row] * dot(x, &direction), x);
            }
            let step = square / dot(&direction, &image);
            add(&mut slopes, step, &direction);
            add(&mut residual, -step, &image);
            let next = dot(&residual, &residual);
            direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + next / square * *d);
            square = next;
        }
        parameters.push(mean);
        parameters.extend(slopes);
    }
    parameters
}

/// Logistic regression for each of `n` columns of `targets`: the least
/// `sum w (log(1 + exp z) - y z) + PENALTY |b|² / 2`. Gives `[n, 1 + columns]`, the intercept first.
pub(super) fn logistic(scaled: &Scaled, targets: &[f64], n: usize) -> Vec<f64> {
    let one = |output: usize| {
        let y = |row: usize| targets[row * n + output];
        minimise_rows(scaled, 1, |row, z| {
            // log(1 + exp z) of a large z is z.
            let value = z[0].max(0.0) + (-z[0].abs()).exp().ln_1p() - y(row) * z[0];
            z[0] = sigmoid(z[0]) - y(row);
            value
        })
    };
    (0..n).flat_map(one).collect()
}

/// Multinomial logistic regression: the least `sum w (log(sum exp z) - sum y z) + PENALTY |b|² / 2`. Gives
/// `[n, 1 + columns]`, the intercept first.
pub(super) fn softmax(scaled: &Scaled, targets: &[f64], n: usize) -> Vec<f64> {
    minimise_rows(scaled, n, |row, z| {
        let y = &targets[row * n..][..n];
        let own = dot(z, y);
        let value = softmax_in_place(z) - own;
        z.iter_mut().zip(y).for_each(|(p, y)| *p -= y);
        value
    })
}

/// The parameters `[n, 1 + columns]` with the least mean loss and penalty, where `loss` gives that of a row from its
/// `n` linear terms and replaces them by its slopes.
fn minimise_rows(scaled: &Scaled, n: usize, mut loss: impl FnMut(usize, &mut [f64]) -> f64) -> Vec<f64> {
    let (rows, width) = (scaled.rows(), 1 + scaled.columns());
    let mut z = vec![0.0; n];
    minimise(vec![0.0; n * width], MOST_STEPS, |parameters, slope| {
        slope.fill(0.0);
        let mut value = 0.0;
        for row in 0..rows {
            let (x, w) = (scaled.row(row), scaled.weights[row] / rows as f64);
            for (z, output) in z.iter_mut().zip(parameters.chunks(width)) {
                *z = output[0] + dot(x, &output[1..]);
            }
            value += w * loss(row, &mut z);
            for (z, output) in z.iter().zip(slope.chunks_mut(width)) {
                output[0] += w * z;
                add(&mut output[1..], w * z, x);
            }
        }
        let penalty = PENALTY / rows as f64;
        for (output, slope) in parameters.chunks(width).zip(slope.chunks_mut(width)) {
            value += penalty / 2.0 * dot(&output[1..], &output[1..]);
            add(&mut slope[1..], penalty, &output[1..]);
        }
        value
    })
}

/// Replaces numbers by their softmax and gives the logarithm of the sum of their exponentials.
pub(super) fn softmax_in_place(z: &mut [f64]) -> f64 {
    // Subtract the largest first: exp overflows above 709, and the result depends only on differences.
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for z in z.iter_mut() {
        *z = (*z - largest).exp();
        sum += *z;
    }
    z.iter_mut().for_each(|z| *z /= sum);
    largest + sum.ln()
}

/// `1 / (1 + exp(-z))`.
pub(super) fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Four sums side by side, which a processor adds at once.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_fours, b_fours) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a_fours.remainder().iter().zip(b_fours.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 4];
    for (a, b) in a_fours.zip(b_fours) {
        (0..4).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums[0] + sums[1] + (sums[2] + sums[3]) + rest
}

/// Adds `factor · x` to `y`.
pub(super) fn add(y: &mut [f64], factor: f64, x: &[f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}
