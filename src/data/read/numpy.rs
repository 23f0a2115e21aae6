//! How NumPy's arrays become a table.

use std::collections::HashSet;
use std::path::Path;

use super::super::source::Source;
use super::super::table::{Column, Table, is_missing};
use super::ReadOptions;
use super::typed::{self, TextBuilder};
pub(super) use crate::numpy::MAGIC;
use crate::numpy::{Header, members, read_header};
use crate::{Error, Result};

/// The most columns of an array: each takes memory of its own, and a matrix of pixels has far fewer.
const MOST_COLUMNS: usize = 1 << 20;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// Text of 32-bit characters, filled up with zeros.
    Wide,
    /// Text of bytes, filled up with zeros.
    Bytes,
}

/// An array of one or two dimensions, and its bytes.
struct Array<'a> {
    element: Element,
    /// Bytes of one element.
    size: usize,
    is_big_endian: bool,
    rows: usize,
    /// None where the array has one dimension.
    columns: Option<usize>,
    is_column_major: bool,
    bytes: &'a [u8],
}

/// Reads an npy file; its columns are named `c1`, `c2`, …
pub(super) fn read_npy(mut source: Source, options: &ReadOptions) -> Result<Table> {
    let bytes = source.read_to_end()?;
    let path = source.path();
    let refused = |problem: String| refused(path, problem);
    let header = read_header(&bytes[..]).map_err(|problem| refused(format!("the array {problem}")))?;
    let mut array = Array::of(&header).map_err(|problem| refused(format!("the array {problem}")))?;
    array.bytes = &bytes[header.size..];
    if array.bytes.len() != array.n_bytes() {
        return Err(refused(format!(
            "found {} bytes of numbers, expected {}; the file is cut short or damaged, copy or save it again",
            array.bytes.len(),
            array.n_bytes()
        )));
    }
    let columns = array.columns(path, |column| format!("c{column}"), options)?;
    Ok(Table::new(path, columns, None))
}

/// Reads an npz file; its columns are named like its arrays.
pub(super) fn read_npz(mut source: Source, options: &ReadOptions) -> Result<Table> {
    let bytes = source.read_to_end()?;
    let path = source.path();
    let refused = |problem: String| refused(path, problem);
    let mut first: Option<(String, usize)> = None;
    let mut columns = Vec::new();
    for (file, mut member) in members(&bytes, "save the table as Parquet").map_err(refused)? {
        let Some(name) = file.strip_suffix(".npy") else {
            let problem =
                format!("found `{}` in the zip file, expected arrays alone, called *.npy", file.escape_debug());
            return Err(refused(problem));
        };
        let damaged = |problem: String| refused(format!("`{}` {problem}", name.escape_debug()));
        let header = member.read_header().map_err(damaged)?;
        let mut array = Array::of(&header).map_err(damaged)?;
        let (first_name, n_rows) = first.get_or_insert_with(|| (name.to_owned(), array.rows));
        if array.rows != *n_rows {
            return Err(damaged(format!(
                "has {} rows, and `{}` has {n_rows}; expected as many in all arrays of a table",
                array.rows,
                first_name.escape_debug()
            )));
        }
        let bytes = member.read(array.n_bytes()).map_err(damaged)?;
        array.bytes = &bytes;
        let is_matrix = array.columns.is_some();
        columns.extend(array.columns(
            path,
            |column| if is_matrix { format!("{name}_{column}") } else { name.to_owned() },
            options,
        )?);
    }
    let mut names = HashSet::new();
    if let Some(column) = columns.iter().find(|column| !names.insert(column.name())) {
        let name = column.name().escape_debug();
        return Err(refused(format!("found the column `{name}` twice, expected each name once; rename an array")));
    }
    if columns.is_empty() {
        return Err(refused("found no array, expected at least one; save the arrays again".into()));
    }
    Ok(Table::new(path, columns, None))
}

fn refused(path: &Path, problem: String) -> Error {
    Error::BinaryTable { path: path.to_owned(), problem, source: None }
}

impl Array<'static> {
    /// The array that a header announces, without its bytes.
    ///
    /// # Errors
    ///
    /// It is no table; the reason follows its name.
    fn of(header: &Header) -> std::result::Result<Self, String> {
        let (order, kind) = match header.element.chars().next() {
            Some(order @ ('<' | '>' | '|' | '=')) => (order, &header.element[1..]),
            _ => ('|', &header.element[..]),
        };
        let (kind, size) = kind.split_at(kind.chars().next().map_or(0, char::len_utf8));
        let size: Option<usize> = size.parse().ok().filter(|size| *size > 0);
        let (element, size) = match (kind, size) {
            ("b", Some(1)) => (Element::Bool, 1),
            ("i", Some(size @ (1 | 2 | 4 | 8))) => (Element::Signed, size),
            ("u", Some(size @ (1 | 2 | 4 | 8))) => (Element::Unsigned, size),
            ("f", Some(size @ (2 | 4 | 8))) => (Element::Float, size),
            // More characters than any text has would overflow below.
            ("U", Some(n_characters @ ..=0xfff_ffff)) => (Element::Wide, 4 * n_characters),
            ("S", Some(size)) => (Element::Bytes, size),
            _ => {
                let advice = match kind {
                    "O" => "; convert the objects, with `astype(float)` or `astype(str)`",
                    "M" | "m" => "; convert the times, with `astype(str)`",
                    _ => "",
                };
                let found = header.element.escape_debug();
                return Err(format!("holds elements of type `{found}`, expected numbers, booleans or text{advice}"));
            }
        };
        let (rows, columns) = match header.shape[..] {
            [rows] => (rows, None),
            [rows, columns] => (rows, Some(columns)),
            _ => {
                return Err(format!(
                    "has {} dimensions, expected one (a column) or two (rows and columns)",
                    header.shape.len()
                ));
            }
        };
        let n_columns = columns.unwrap_or(1);
        if rows == 0 || n_columns == 0 {
            return Err(format!("has {rows} rows and {n_columns} columns, expected at least one of each"));
        }
        if rows >= u32::MAX as usize || n_columns > MOST_COLUMNS {
            return Err(format!("has {rows} rows and {n_columns} columns, which is more than a table may have"));
        }
        if rows.checked_mul(n_columns).and_then(|elements| elements.checked_mul(size)).is_none() {
            return Err("is larger than any memory; save it again".into());
        }
        let is_column_major = header.is_column_major;
        Ok(Array { element, size, is_big_endian: order == '>', rows, columns, is_column_major, bytes: &[] })
    }
}

impl Array<'_> {
    fn n_bytes(&self) -> usize {
        self.rows * self.columns.unwrap_or(1) * self.size
    }

    /// The columns, named by their positions from 1.
    fn columns(&self, path: &Path, name: impl Fn(usize) -> String, options: &ReadOptions) -> Result<Vec<Column>> {
        let missing = options.missing_numbers();
        (0..self.columns.unwrap_or(1))
            .map(|column| self.column(path, column, name(column + 1), &missing, options))
            .collect()
    }

    fn column(
        &self,
        path: &Path,
        column: usize,
        name: String,
        missing: &[f64],
        options: &ReadOptions,
    ) -> Result<Column> {
        let n_columns = self.columns.unwrap_or(1);
        let (start, step) = if self.is_column_major { (column * self.rows, 1) } else { (column, n_columns) };
        let elements = (0..self.rows).map(move |row| &self.bytes[(start + row * step) * self.size..][..self.size]);
        let bits = elements.clone().map(|bytes| self.bits(bytes));
        Ok(match self.element {
            Element::Bool => typed::numbers(&name, bits.map(|bits| f64::from(u8::from(bits != 0))).collect(), missing),
            Element::Unsigned => typed::integers(&name, bits.map(|bits| Some(i128::from(bits))), missing),
            Element::Signed => {
                // The highest bit of the element moves to that of 64 bits, and back with its copies.
                let shift = 64 - 8 * self.size;
                typed::integers(&name, bits.map(|bits| Some(i128::from((bits << shift) as i64 >> shift))), missing)
            }
            Element::Float => {
                let number = |bits: u64| match self.size {
                    2 => typed::of_f16(bits as u16),
                    4 => typed::of_f32(f32::from_bits(bits as u32)),
                    _ => f64::from_bits(bits),
                };
                typed::numbers(&name, bits.map(number).collect(), missing)
            }
            Element::Wide | Element::Bytes => {
                let mut texts = TextBuilder::default();
                for (row, bytes) in elements.enumerate() {
                    let text = self.text(bytes).ok_or_else(|| Error::BinaryColumn {
                        path: path.to_owned(),
                        column: name.clone(),
                        found: format!("bytes that are no text in row {}", row + 1),
                        expected: "text in UTF-8 or UTF-32",
                    })?;
                    let text = text.trim();
                    if is_missing(text) || options.is_extra_missing(text) {
                        texts.push_missing()
                    } else {
                        texts.push(text)
                    }
                }
                texts.finish(&name)
            }
        })
    }

    /// An element of up to eight bytes as an integer without a sign.
    fn bits(&self, bytes: &[u8]) -> u64 {
        let join = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if self.is_big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }

    /// A text without the zeros at its end.
    fn text(&self, bytes: &[u8]) -> Option<String> {
        let text: String = match self.element {
            Element::Bytes => std::str::from_utf8(bytes).ok()?.to_owned(),
            _ => bytes.chunks_exact(4).map(|bytes| char::from_u32(self.bits(bytes) as u32)).collect::<Option<_>>()?,
        };
        Some(text.trim_end_matches('\0').to_owned())
    }
}
