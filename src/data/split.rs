//! Rows set aside for validation.

use crate::{Error, Result};

/// Rows to train on and rows to validate on; together each row once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Rows to train on, never empty.
    pub train: Vec<u32>,
    /// Rows set aside, never empty.
    pub validation: Vec<u32>,
}

impl Split {
    /// Sets `fraction` of the rows aside: the first entries of `permutation`, rounded to whole rows.
    ///
    /// `permutation` holds each row index once, in the seeded order of the caller; the same
    /// permutation gives the same split.
    ///
    /// ```
    /// use nngpu::data::Split;
    ///
    /// let split = Split::new(0.4, &[3, 1, 0, 4, 2])?;
    /// assert_eq!(split.validation, [3, 1]);
    /// assert_eq!(split.train, [0, 4, 2]);
    /// # Ok::<(), nngpu::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `fraction` is not between 0 and 1 (both excluded); one side would have no row.
    pub fn new(fraction: f64, permutation: &[u32]) -> Result<Self> {
        if !(0.0 < fraction && fraction < 1.0) {
            return Err(Error::ValidationFraction { fraction });
        }
        let rows = permutation.len();
        let n_validation = (rows as f64 * fraction).round() as usize;
        if n_validation == 0 || n_validation == rows {
            return Err(Error::TooFewRows { rows, fraction });
        }
        let (validation, train) = permutation.split_at(n_validation);
        Ok(Self { train: train.to_vec(), validation: validation.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_on_one_side_once() {
        for rows in 2..40 {
            let permutation: Vec<u32> = (0..rows).rev().collect();
            let split = Split::new(0.3, &permutation).unwrap();
            let mut all = [split.train, split.validation].concat();
            all.sort_unstable();
            assert_eq!(all, (0..rows).collect::<Vec<_>>());
        }
    }

    #[test]
    fn fraction_is_rounded_to_whole_rows() {
        let permutation: Vec<u32> = (0..150).collect();
        for (fraction, n_validation) in [(0.2, 30), (0.07, 11), (0.01, 2), (0.99, 149)] {
            assert_eq!(Split::new(fraction, &permutation).unwrap().validation.len(), n_validation);
        }
    }

    #[test]
    fn side_without_rows_is_refused() {
        for (rows, fraction, message) in [
            (
                0,
                0.5,
                "found no rows, too few to set 0.5 of them aside for validation; expected one or more rows to train on and to validate on",
            ),
            (
                1,
                0.5,
                "found 1 row, too few to set 0.5 of them aside for validation; expected one or more rows to train on and to validate on",
            ),
            (
                2,
                0.2,
                "found 2 rows, too few to set 0.2 of them aside for validation; expected one or more rows to train on and to validate on",
            ),
            (
                3,
                0.9,
                "found 3 rows, too few to set 0.9 of them aside for validation; expected one or more rows to train on and to validate on",
            ),
        ] {
            let permutation: Vec<u32> = (0..rows).collect();
            assert_eq!(Split::new(fraction, &permutation).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn fraction_outside_0_to_1_is_refused() {
        for fraction in [f64::NAN, f64::INFINITY, -0.1, 0.0, 1.0, 20.0] {
            assert_eq!(
                Split::new(fraction, &[0, 1, 2]).unwrap_err().to_string(),
                format!(
                    "found {fraction} as the part of the rows to validate on, expected a number between 0 and 1, such as 0.2"
                )
            );
        }
    }
}
