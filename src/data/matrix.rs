//! A matrix in ordinary memory, the form in which data leaves this module.

use crate::{Error, Result};

/// A matrix of 32-bit numbers in ordinary memory, `[rows, columns]`, row-major.
///
/// ```
/// use nngpu::data::Matrix;
///
/// let matrix = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(matrix.row(1), [4.0, 5.0, 6.0]);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// A matrix of `values`, `[rows, columns]`, row-major.
    ///
    /// # Errors
    ///
    /// The number of values is not `rows * columns`.
    pub fn new(rows: usize, columns: usize, values: Vec<f32>) -> Result<Self> {
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(Error::MatrixShape { rows, columns, found: values.len() });
        }
        Ok(Self { rows, columns, values })
    }

    /// The same rows with one more column, at the end.
    ///
    /// # Panics
    ///
    /// Another number of values than rows.
    pub(crate) fn with_column(&self, column: &[f32]) -> Matrix {
        assert_eq!(column.len(), self.rows, "values of a column");
        let rows = (0..self.rows).zip(column);
        let values = rows.flat_map(|(row, last)| self.row(row).iter().copied().chain([*last])).collect();
        Matrix { columns: self.columns + 1, values, ..*self }
    }

    /// Adds the rows of `other` at the end.
    ///
    /// # Errors
    ///
    /// Another number of columns.
    pub fn extend_rows(&mut self, other: &Matrix) -> Result<()> {
        if other.columns != self.columns {
            return Err(Error::Shape {
                operation: "rows of another matrix".into(),
                found: format!("{} columns", other.columns),
                expected: self.columns.to_string(),
            });
        }
        self.values.extend_from_slice(&other.values);
        self.rows += other.rows;
        Ok(())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, row after row, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// All values, row after row, without a copy.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The row at `row_index`, `[columns]`.
    ///
    /// # Panics
    ///
    /// `row_index` is not below [`rows`](Self::rows).
    pub fn row(&self, row_index: usize) -> &[f32] {
        assert!(row_index < self.rows, "row {row_index} of a matrix of {} rows", self.rows);
        &self.values[row_index * self.columns..][..self.columns]
    }

    /// The rows at `row_indices`, in that order, `[row_indices.len(), columns]`.
    ///
    /// # Panics
    ///
    /// An index is not below [`rows`](Self::rows).
    pub fn select_rows(&self, row_indices: &[u32]) -> Self {
        let mut values = Vec::with_capacity(row_indices.len() * self.columns);
        for &row_index in row_indices {
            values.extend_from_slice(self.row(row_index as usize));
        }
        Self { rows: row_indices.len(), columns: self.columns, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_by_two() -> Matrix {
        Matrix::new(3, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap()
    }

    #[test]
    fn row_is_a_slice_of_the_values() {
        assert_eq!(three_by_two().row(0), [1.0, 2.0]);
        assert_eq!(three_by_two().row(2), [5.0, 6.0]);
    }

    #[test]
    fn rows_are_selected_in_the_order_of_the_indices() {
        let selected = three_by_two().select_rows(&[2, 0, 2, 1]);
        assert_eq!((selected.rows(), selected.columns()), (4, 2));
        assert_eq!(selected.values(), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0, 3.0, 4.0]);
    }

    #[test]
    fn wrong_number_of_values_is_refused() {
        let error = Matrix::new(2, 3, vec![0.0; 5]).unwrap_err();
        assert_eq!(error.to_string(), "found 5 values, expected 6 for a matrix of 2 rows and 3 columns");
    }

    #[test]
    fn overflowing_shape_is_refused() {
        // The product is 0 when it wraps around.
        let error = Matrix::new(usize::MAX / 2 + 1, 2, vec![]).unwrap_err();
        let expected = format!("found no values, expected {} for", usize::MAX as u128 + 1);
        assert!(error.to_string().starts_with(&expected), "{error}");
    }

    #[test]
    fn matrix_without_columns_has_empty_rows() {
        let matrix = Matrix::new(2, 0, vec![]).unwrap();
        assert!(matrix.row(1).is_empty());
        assert_eq!(matrix.select_rows(&[1, 0, 1]).rows(), 3);
    }

    #[test]
    #[should_panic(expected = "row 3 of a matrix of 3 rows")]
    fn row_after_the_last_panics() {
        three_by_two().row(3);
    }
}
