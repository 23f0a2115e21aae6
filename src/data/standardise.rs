//! Columns brought to one scale.

use serde::{Deserialize, Serialize};

use super::Matrix;
use crate::{Error, Result};

/// Mean and scale of each column, which bring columns to mean 0 and standard deviation 1.
///
/// For a column `x` of `n` rows:
///
/// ```text
/// mean  = sum(x) / n
/// scale = sqrt(sum((x - mean)^2) / n), the population standard deviation; 1 if x is constant
/// apply:  y = (x - mean) / scale
/// undo:   x = y * scale + mean
/// ```
///
/// Fit it on the rows to train on, and apply it to all others as it is. Serialised, it is
/// `{"mean": [...], "scale": [...]}`; reading it back checks it like [`Standardiser::new`].
///
/// ```
/// use nngpu::data::{Matrix, Standardiser};
///
/// let mut matrix = Matrix::new(2, 2, vec![1.0, 7.0, 5.0, 7.0])?;
/// let standardiser = Standardiser::fit(&matrix);
/// assert_eq!((standardiser.mean(), standardiser.scale()), (&[3.0, 7.0][..], &[2.0, 1.0][..]));
/// standardiser.apply(&mut matrix);
/// assert_eq!(matrix.values(), [-1.0, 0.0, 1.0, 0.0]);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Standardiser {
    mean: Vec<f32>,
    scale: Vec<f32>,
}

impl Standardiser {
    /// A standardiser of known `mean` and `scale`, one of each per column.
    ///
    /// # Errors
    ///
    /// The two differ in length; a mean is not finite; a scale is not finite or not above 0.
    pub fn new(mean: Vec<f32>, scale: Vec<f32>) -> Result<Self> {
        if mean.len() != scale.len() {
            return Err(Error::StandardiserLength { means: mean.len(), scales: scale.len() });
        }
        for (column, (&mean, &scale)) in mean.iter().zip(&scale).enumerate() {
            if !(mean.is_finite() && scale.is_finite() && scale > 0.0) {
                return Err(Error::StandardiserValue { column: column + 1, mean, scale });
            }
        }
        Ok(Self { mean, scale })
    }

    /// Mean and scale of the columns of `matrix`, `[rows, columns]`, summed in 64 bits.
    ///
    /// Without rows, means are 0 and scales 1. A column that holds NaN or an infinity has no
    /// scale: it gets mean 0 and scale 1, so that the others are not hurt.
    pub fn fit(matrix: &Matrix) -> Self {
        let columns = matrix.columns();
        let rows = matrix.rows().max(1) as f64;
        let mut mean = vec![0.0; columns];
        for row_index in 0..matrix.rows() {
            for (mean, &x) in mean.iter_mut().zip(matrix.row(row_index)) {
                *mean += f64::from(x);
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= rows);
        // A second pass over the differences: the shorter mean(x^2) - mean^2 cancels where the mean
        // is large beside the scale.
        let mut squares = vec![0.0; columns];
        for row_index in 0..matrix.rows() {
            for (column, &x) in matrix.row(row_index).iter().enumerate() {
                squares[column] += (f64::from(x) - mean[column]).powi(2);
            }
        }
        let mut fitted = Self { mean: Vec::with_capacity(columns), scale: Vec::with_capacity(columns) };
        for column in 0..columns {
            let (mean, scale) = (mean[column] as f32, (squares[column] / rows).sqrt() as f32);
            let (mean, scale) = match mean.is_finite() && scale.is_finite() {
                true => (mean, if scale == 0.0 { 1.0 } else { scale }),
                false => (0.0, 1.0),
            };
            fitted.mean.push(mean);
            fitted.scale.push(scale);
        }
        fitted
    }

    /// Mean of each column.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Scale of each column, above 0.
    pub fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// Standardises the columns of `matrix`, `[any, columns]`, in place.
    ///
    /// # Panics
    ///
    /// `matrix` has another number of columns than the standardiser.
    pub fn apply(&self, matrix: &mut Matrix) {
        // In 64 bits: the difference of two large numbers may overflow in 32.
        self.map(matrix, |x, mean, scale| (x - mean) / scale);
    }

    /// Brings standardised columns of `matrix`, `[any, columns]`, back to their own units, in place.
    ///
    /// # Panics
    ///
    /// `matrix` has another number of columns than the standardiser.
    pub fn undo(&self, matrix: &mut Matrix) {
        self.map(matrix, |y, mean, scale| y * scale + mean);
    }

    fn map(&self, matrix: &mut Matrix, formula: impl Fn(f64, f64, f64) -> f64) {
        let columns = self.mean.len();
        assert_eq!(matrix.columns(), columns, "columns of the matrix to standardise");
        for (index, value) in matrix.values_mut().iter_mut().enumerate() {
            let (mean, scale) = (self.mean[index % columns], self.scale[index % columns]);
            *value = formula(f64::from(*value), f64::from(mean), f64::from(scale)) as f32;
        }
    }
}

/// What a file holds, before it is checked.
#[derive(Deserialize)]
struct Unchecked {
    mean: Vec<f32>,
    scale: Vec<f32>,
}

impl TryFrom<Unchecked> for Standardiser {
    type Error = Error;

    fn try_from(unchecked: Unchecked) -> Result<Self> {
        Self::new(unchecked.mean, unchecked.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f32]) -> Matrix {
        Matrix::new(values.len(), 1, values.to_vec()).unwrap()
    }

    fn check_fit(values: &[f32], mean: f32, scale: f32) {
        let fitted = Standardiser::fit(&column(values));
        assert_eq!((fitted.mean(), fitted.scale()), (&[mean][..], &[scale][..]), "{values:?}");
    }

    #[test]
    fn scale_is_the_population_standard_deviation() {
        // By hand: mean 40 / 8 = 5; squares 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32; sqrt(32 / 8) = 2.
        check_fit(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], 5.0, 2.0);
    }

    #[test]
    fn large_mean_does_not_cancel() {
        check_fit(&[16_777_214.0, 16_777_216.0], 16_777_215.0, 1.0);
        // The mean is 16777215 1/3, which 32 bits cannot hold; the variance is 8/9.
        check_fit(&[16_777_214.0, 16_777_216.0, 16_777_216.0], 16_777_215.0, (8.0_f32 / 9.0).sqrt());
    }

    #[test]
    fn constant_column_gets_scale_1() {
        check_fit(&[0.1; 7], 0.1, 1.0);
        check_fit(&[-3.0], -3.0, 1.0);
        check_fit(&[f32::MAX; 5], f32::MAX, 1.0);
    }

    #[test]
    fn scale_too_small_for_32_bits_is_1() {
        check_fit(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, f32::from_bits(1)], 0.0, 1.0);
    }

    #[test]
    fn column_with_nan_is_left_as_it_is() {
        let matrix = Matrix::new(2, 2, vec![f32::NAN, 1.0, 2.0, 3.0]).unwrap();
        let fitted = Standardiser::fit(&matrix);
        assert_eq!((fitted.mean(), fitted.scale()), (&[0.0, 2.0][..], &[1.0, 1.0][..]));
    }

    #[test]
    fn matrix_without_rows_is_left_as_it_is() {
        check_fit(&[], 0.0, 1.0);
        let mut empty = Matrix::new(3, 0, vec![]).unwrap();
        Standardiser::fit(&empty).apply(&mut empty);
    }

    #[test]
    fn apply_gives_mean_0_and_scale_1() {
        let mut matrix = Matrix::new(5, 2, vec![1.0, 9e5, 2.0, 7e5, 4.0, 8e5, 8.0, 1e5, 16.0, 3e5]).unwrap();
        Standardiser::fit(&matrix).apply(&mut matrix);
        let again = Standardiser::fit(&matrix);
        for column in 0..2 {
            assert!(again.mean()[column].abs() < 1e-6, "{again:?}");
            assert!((again.scale()[column] - 1.0).abs() < 1e-6, "{again:?}");
        }
    }

    #[test]
    fn undo_is_the_inverse_of_apply() {
        let values = [1.5, -2.0, 300.0, 0.25, 1e-3];
        let mut matrix = column(&values);
        let standardiser = Standardiser::fit(&matrix);
        standardiser.apply(&mut matrix);
        assert!((matrix.values()[2] - 2.0).abs() < 0.01, "{matrix:?}");
        standardiser.undo(&mut matrix);
        for (&found, expected) in matrix.values().iter().zip(values) {
            // Two roundings at the size of the mean, 60.
            assert!((found - expected).abs() < 60.0 * 2.0 * f32::EPSILON, "{found} {expected}");
        }
    }

    #[test]
    fn largest_numbers_do_not_overflow() {
        let mut matrix = column(&[f32::MAX, -f32::MAX]);
        Standardiser::fit(&matrix).apply(&mut matrix);
        assert_eq!(matrix.values(), [1.0, -1.0]);
    }

    #[test]
    fn serialised_form_is_read_back() {
        let standardiser = Standardiser::new(vec![1.5, 0.0], vec![0.5, 1.0]).unwrap();
        let json = serde_json::to_string(&standardiser).unwrap();
        assert_eq!(json, r#"{"mean":[1.5,0.0],"scale":[0.5,1.0]}"#);
        assert_eq!(serde_json::from_str::<Standardiser>(&json).unwrap(), standardiser);
    }

    #[test]
    fn spoiled_serialised_form_is_refused() {
        for (json, message) in [
            (
                r#"{"mean":[1],"scale":[1,2]}"#,
                "found 1 mean and 2 scales to standardise columns with, expected one of each per column",
            ),
            (
                r#"{"mean":[1,2],"scale":[1,0]}"#,
                "column 2: found mean 2 and scale 0 to standardise with, expected a finite mean and a finite scale above 0",
            ),
            (
                r#"{"mean":[1],"scale":[-1]}"#,
                "column 1: found mean 1 and scale -1 to standardise with, expected a finite mean and a finite scale above 0",
            ),
        ] {
            let error = serde_json::from_str::<Standardiser>(json).unwrap_err().to_string();
            assert_eq!(error, message);
        }
        assert!(Standardiser::new(vec![f32::NAN], vec![1.0]).is_err());
        assert!(Standardiser::new(vec![0.0], vec![f32::NAN]).is_err());
        assert!(Standardiser::new(vec![0.0], vec![f32::INFINITY]).is_err());
    }

    #[test]
    #[should_panic(expected = "columns of the matrix to standardise")]
    fn other_number_of_columns_panics() {
        Standardiser::fit(&column(&[1.0, 2.0])).apply(&mut Matrix::new(1, 2, vec![0.0; 2]).unwrap());
    }
}
