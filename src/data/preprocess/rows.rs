//! The part of a matrix that one column fills.

/// Some neighbouring columns of a row-major matrix.
pub(super) struct Rows<'a> {
    values: &'a mut [f32],
    /// Columns of the whole matrix.
    width: usize,
    start: usize,
    n: usize,
}

impl<'a> Rows<'a> {
    /// `n` columns from `start` of a matrix of `width` columns.
    pub fn new(values: &'a mut [f32], width: usize, start: usize, n: usize) -> Rows<'a> {
        assert!(start + n <= width, "{n} columns from {start} of {width}");
        Rows { values, width, start, n }
    }

    /// The columns in one row.
    pub fn row(&mut self, row_index: usize) -> &mut [f32] {
        &mut self.values[row_index * self.width + self.start..][..self.n]
    }
}
