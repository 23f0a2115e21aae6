//! A table in memory, and how columns are taken out of it.

mod column;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub use column::{Column, ColumnBuilder, Levels, MISSING, Values, is_missing, number, number_text};

use super::Matrix;
use crate::error::Place;
pub(super) use crate::names::nearest;
use crate::{Error, Result};

/// A table with named columns, each of numbers or of text.
///
/// Takes 8 bytes for each number, 4 for each text and each different text of a column once, and 4 bytes for each row
/// of a text file.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    columns: Vec<Column>,
    n_rows: usize,
    /// The line of the file on which each row begins, where the file has lines.
    lines: Option<Vec<u32>>,
}

/// The columns to learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// Their names, in the order of the table.
    pub names: Vec<String>,
    /// Their values, `[rows, names.len()]`.
    pub values: Matrix,
}

impl Table {
    /// A table of `columns`, read from the file at `path`; `lines` are those on which its rows begin, if it has lines.
    ///
    /// # Panics
    ///
    /// The columns, or the lines, are not of one length; there is no column.
    pub fn new(path: &Path, columns: Vec<Column>, lines: Option<Vec<u32>>) -> Table {
        let n_rows = columns.first().expect("a table has columns").n_rows();
        for column in &columns {
            assert_eq!(column.n_rows(), n_rows, "rows of column `{}`", column.name());
        }
        assert!(lines.as_ref().is_none_or(|lines| lines.len() == n_rows), "a line for each of {n_rows} rows");
        Table { path: path.to_owned(), columns, n_rows, lines }
    }

    /// The file that the table comes from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The columns, whose names are all different.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The names of the columns.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name().to_owned()).collect()
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Where the row at `row_index` stands in the file.
    ///
    /// # Panics
    ///
    /// There is no such row.
    pub fn place(&self, row_index: usize) -> Place {
        assert!(row_index < self.n_rows, "row {row_index} of a table of {} rows", self.n_rows);
        match &self.lines {
            Some(lines) => Place::Line(lines[row_index] as usize),
            None => Place::Row(row_index + 1),
        }
    }

    /// The text of a field; nothing where it is missing.
    ///
    /// # Panics
    ///
    /// There is no such row or column.
    pub fn field(&self, row_index: usize, column_index: usize) -> Option<Cow<'_, str>> {
        self.columns[column_index].text(row_index)
    }

    /// The column named `name`.
    ///
    /// # Errors
    ///
    /// There is none; the error has the most similar name.
    pub fn column(&self, name: &str) -> Result<&Column> {
        Ok(&self.columns[self.column_index(name)?])
    }

    /// The rows at `row_indices`, in that order.
    ///
    /// # Panics
    ///
    /// There is no such row.
    pub fn select_rows(&self, row_indices: &[u32]) -> Table {
        let select = |lines: &Vec<u32>| row_indices.iter().map(|&row| lines[row as usize]).collect();
        Table {
            path: self.path.clone(),
            columns: self.columns.iter().map(|column| column.select_rows(row_indices)).collect(),
            n_rows: row_indices.len(),
            lines: self.lines.as_ref().map(select),
        }
    }

    /// Where the column named `name` stands.
    ///
    /// # Errors
    ///
    /// There is none; the error has the most similar name.
    pub fn column_index(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|column| column.name() == name).ok_or_else(|| {
            let columns = self.names();
            let nearest = nearest(name, &columns).cloned();
            Error::UnknownColumn { path: self.path.clone(), name: name.to_owned(), nearest, columns }
        })
    }

    /// The columns to learn from: all but `target` and those named in `ignore`.
    ///
    /// # Errors
    ///
    /// `target` or a name in `ignore` is not that of a column; no column is left; a field in one of
    /// them is no finite number, or too large for 32 bits.
    pub fn features(&self, target: Option<&str>, ignore: &[String]) -> Result<Features> {
        let mut is_feature = vec![true; self.columns.len()];
        for name in target.into_iter().chain(ignore.iter().map(String::as_str)) {
            is_feature[self.column_index(name)?] = false;
        }
        let columns: Vec<usize> = (0..self.columns.len()).filter(|&column| is_feature[column]).collect();
        if columns.is_empty() {
            return Err(Error::NoFeatures { path: self.path.clone() });
        }
        let values = self.values(&columns).map_err(|refused| Error::TextInFeature {
            others: self.columns_like(refused.column, &columns),
            path: self.path.clone(),
            place: self.place(refused.row),
            column: self.columns[refused.column].name().to_owned(),
            found: self.found(refused),
        })?;
        Ok(Features { names: columns.iter().map(|&column| self.columns[column].name().to_owned()).collect(), values })
    }

    /// The columns named `names`, in that order, `[rows, names.len()]`.
    ///
    /// # Errors
    ///
    /// A name is not that of a column; a field is no finite number, or too large for 32 bits.
    pub fn matrix(&self, names: &[String]) -> Result<Matrix> {
        let columns = names.iter().map(|name| self.column_index(name)).collect::<Result<Vec<_>>>()?;
        self.values(&columns).map_err(|refused| Error::TextInColumn {
            path: self.path.clone(),
            place: self.place(refused.row),
            column: self.columns[refused.column].name().to_owned(),
            found: self.found(refused),
        })
    }

    /// The `columns` as a matrix, or the first field, row by row, that fits into none.
    pub(super) fn values(&self, columns: &[usize]) -> std::result::Result<Matrix, Refused> {
        let value = |row: usize, column: usize| match self.columns[column].values() {
            Values::Numbers(numbers) => numbers[row] as f32,
            // For the error to name the first field that is no number.
            Values::Text(levels) => levels.get(row).and_then(number).map_or(f32::NAN, |number| number as f32),
        };
        let mut values = Vec::with_capacity(self.n_rows * columns.len());
        for row in 0..self.n_rows {
            for &column in columns {
                let value = value(row, column);
                if !value.is_finite() {
                    return Err(Refused { row, column });
                }
                values.push(value);
            }
        }
        Ok(Matrix::new(self.n_rows, columns.len(), values).expect("a value for each row and column"))
    }

    /// The names of those of `columns` that are refused for the same reason as `refused`.
    fn columns_like(&self, refused: usize, columns: &[usize]) -> Vec<String> {
        /// Text, missing numbers, or neither.
        fn reason(column: &Column) -> u8 {
            match column.values() {
                Values::Text(_) => 0,
                Values::Numbers(numbers) => 2 - u8::from(numbers.iter().any(|number| !number.is_finite())),
            }
        }
        let kind = reason(&self.columns[refused]);
        let is_like = |column: usize| column != refused && kind < 2 && reason(&self.columns[column]) == kind;
        let names = columns.iter().filter(|&&column| is_like(column));
        names.map(|&column| self.columns[column].name().to_owned()).collect()
    }

    /// The text of a field for an error: empty where it is missing.
    pub(super) fn found(&self, Refused { row, column }: Refused) -> String {
        self.field(row, column).unwrap_or_default().into_owned()
    }
}

/// Where a field stands that is no number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) row: usize,
    pub(super) column: usize,
}

#[cfg(test)]
mod tests;
