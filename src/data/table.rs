//! A table in memory, and how columns are taken out of it.

use std::path::{Path, PathBuf};

use super::Matrix;
use crate::{Error, Result};

/// A table of text with named columns, as it stands in a CSV file.
///
/// Takes the memory of its text and 8 bytes for each field.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    names: Vec<String>,
    kinds: Vec<ColumnKind>,
    /// The fields, row after row, without anything between them.
    text: String,
    /// Where each field ends in `text`, row-major.
    ends: Vec<usize>,
    /// The line of the file on which each row begins.
    lines: Vec<usize>,
}

/// What the fields of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnKind {
    /// Every field is a finite number.
    Numbers,
    /// Numbers, of which some are missing: a field is empty, `NA` or the like, NaN or an infinity.
    Incomplete,
    /// Some field is text.
    Text,
}

/// How other programs write a missing number.
const MISSING: [&str; 7] = ["NA", "N/A", "n/a", "na", "null", "NULL", "None"];

impl ColumnKind {
    /// The kind of a column of which `field` is the only field.
    fn of(field: &str) -> Self {
        match field.parse::<f64>() {
            Ok(number) if number.is_finite() => ColumnKind::Numbers,
            Err(_) if !field.is_empty() && !MISSING.contains(&field) => ColumnKind::Text,
            _ => ColumnKind::Incomplete,
        }
    }
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
    /// A table without rows.
    pub(super) fn new(path: &Path, names: Vec<String>) -> Self {
        let kinds = vec![ColumnKind::Numbers; names.len()];
        Self { path: path.to_owned(), names, kinds, text: String::new(), ends: vec![], lines: vec![] }
    }

    /// Adds a row, which begins on `line` and has a field for each name.
    pub(super) fn push_row<'a>(&mut self, line: usize, fields: impl Iterator<Item = &'a str>) {
        for (kind, field) in self.kinds.iter_mut().zip(fields) {
            if *kind < ColumnKind::Text {
                *kind = ColumnKind::of(field).max(*kind);
            }
            self.text.push_str(field);
            self.ends.push(self.text.len());
        }
        self.lines.push(line);
        assert_eq!(self.ends.len(), self.lines.len() * self.names.len(), "fields up to line {line}");
    }

    /// The file that the table comes from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the columns, all different.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The kinds of the columns.
    pub fn kinds(&self) -> &[ColumnKind] {
        &self.kinds
    }

    /// Number of rows, at least 1.
    pub fn n_rows(&self) -> usize {
        self.lines.len()
    }

    /// The line of the file on which the row at `row_index` begins, counted from 1.
    ///
    /// # Panics
    ///
    /// There is no such row.
    pub fn line(&self, row_index: usize) -> usize {
        self.lines[row_index]
    }

    /// The text of a field.
    ///
    /// # Panics
    ///
    /// There is no such row or column.
    pub fn field(&self, row_index: usize, column_index: usize) -> &str {
        let columns = self.names.len();
        assert!(column_index < columns, "column {column_index} of a table of {columns} columns");
        let index = row_index * columns + column_index;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    /// Where the column named `name` stands.
    ///
    /// # Errors
    ///
    /// There is none; the error has the most similar name.
    pub fn column_index(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|other| other == name).ok_or_else(|| Error::UnknownColumn {
            path: self.path.clone(),
            name: name.to_owned(),
            nearest: nearest(name, &self.names).cloned(),
            columns: self.names.clone(),
        })
    }

    /// The columns to learn from: all but `target` and those named in `ignore`.
    ///
    /// # Errors
    ///
    /// `target` or a name in `ignore` is not that of a column; no column is left; a field in one of
    /// them is no finite number, or too large for 32 bits.
    pub fn features(&self, target: Option<&str>, ignore: &[String]) -> Result<Features> {
        let mut is_feature = vec![true; self.names.len()];
        for name in target.into_iter().chain(ignore.iter().map(String::as_str)) {
            is_feature[self.column_index(name)?] = false;
        }
        let columns: Vec<usize> = (0..self.names.len()).filter(|&column| is_feature[column]).collect();
        if columns.is_empty() {
            return Err(Error::NoFeatures { path: self.path.clone() });
        }
        let values = self.values(&columns).map_err(|refused| Error::TextInFeature {
            others: self.columns_like(refused.column, &columns),
            path: self.path.clone(),
            line: self.lines[refused.row],
            column: self.names[refused.column].clone(),
            found: self.field(refused.row, refused.column).to_owned(),
        })?;
        Ok(Features { names: columns.iter().map(|&column| self.names[column].clone()).collect(), values })
    }

    /// The columns named `names`, in that order, `[rows, names.len()]`.
    ///
    /// # Errors
    ///
    /// A name is not that of a column; a field is no finite number, or too large for 32 bits.
    pub fn matrix(&self, names: &[String]) -> Result<Matrix> {
        let columns = names.iter().map(|name| self.column_index(name)).collect::<Result<Vec<_>>>()?;
        self.values(&columns).map_err(|refused| self.text_in_column(refused))
    }

    /// The column named `name` as numbers, `[rows]`.
    ///
    /// # Errors
    ///
    /// There is no such column; a field of it is no finite number.
    pub fn number_column(&self, name: &str) -> Result<Vec<f64>> {
        let column = self.column_index(name)?;
        (0..self.n_rows())
            .map(|row| number(self.field(row, column)).ok_or_else(|| self.text_in_column(Refused { row, column })))
            .collect()
    }

    /// The `columns` as a matrix, or the first field, in the order of the file, that fits into none.
    pub(super) fn values(&self, columns: &[usize]) -> std::result::Result<Matrix, Refused> {
        let mut values = Vec::with_capacity(self.n_rows() * columns.len());
        for row in 0..self.n_rows() {
            for &column in columns {
                match number(self.field(row, column)).map(|number| number as f32) {
                    Some(value) if value.is_finite() => values.push(value),
                    _ => return Err(Refused { row, column }),
                }
            }
        }
        Ok(Matrix::new(self.n_rows(), columns.len(), values).expect("a value for each row and column"))
    }

    /// The names of those of `columns` that are refused for the same reason as `refused`.
    fn columns_like(&self, refused: usize, columns: &[usize]) -> Vec<String> {
        let kind = self.kinds[refused];
        columns
            .iter()
            .filter(|&&column| column != refused && kind != ColumnKind::Numbers && self.kinds[column] == kind)
            .map(|&column| self.names[column].clone())
            .collect()
    }

    fn text_in_column(&self, Refused { row, column }: Refused) -> Error {
        Error::TextInColumn {
            path: self.path.clone(),
            line: self.lines[row],
            column: self.names[column].clone(),
            found: self.field(row, column).to_owned(),
        }
    }
}

/// Where a field stands that is no number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) row: usize,
    pub(super) column: usize,
}

/// The finite number that `field` is, if it is one.
pub(super) fn number(field: &str) -> Option<f64> {
    field.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The name most similar to `name`, if about two thirds of its letters are right, in any case.
fn nearest<'a>(name: &str, names: &'a [String]) -> Option<&'a String> {
    // Longer names are no slips of the hand, and comparing them takes time with the square.
    const LONGEST: usize = 200;
    names
        .iter()
        .filter_map(|other| {
            let longer = name.chars().count().max(other.chars().count());
            if longer > LONGEST {
                return None;
            }
            let distance = strsim::osa_distance(&name.to_lowercase(), &other.to_lowercase());
            let is_near = distance <= (longer / 3).max(1) && distance < longer;
            is_near.then_some((distance, other))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests;
