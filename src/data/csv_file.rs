//! How the text of a CSV file becomes a table.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::source::Source;
use super::table::{ColumnBuilder, Table};
use crate::{Error, Result};

const BYTE_ORDER_MARK: char = '\u{feff}';
/// How an IDX file of bytes begins.
const IDX_MAGIC: [u8; 3] = [0, 0, 8];

impl Table {
    /// Reads the CSV file at `path`, plain or gzipped, of which the first line names the columns.
    ///
    /// Fields are separated by commas and may be quoted; spaces around a field do not belong to
    /// it. Blank lines are skipped. A column of which every field is a number or missing is one of numbers.
    ///
    /// ```
    /// use nngpu::data::{Table, Values};
    ///
    /// let table = Table::read_csv("examples/data/iris.csv")?;
    /// assert_eq!(table.n_rows(), 150);
    /// assert_eq!(table.names()[4], "species");
    /// assert!(matches!(table.columns()[4].values(), Values::Text(_)));
    /// assert_eq!(table.field(149, 4).as_deref(), Some("virginica"));
    /// # Ok::<(), nngpu::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The file does not exist, is a directory, cannot be read, or is damaged gzip; it is empty,
    /// has no row, is not UTF-8, or has a row with more or fewer fields than the header; a column
    /// has no name, or that of another; the fields are separated by semicolons or tabs.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Self> {
        read(Source::open(path.as_ref())?)
    }
}

/// Reads the whole of `source`; [`Table::read_csv`] tells what it takes and refuses.
pub(super) fn read(mut source: Source) -> Result<Table> {
    let bytes = source.read_to_end()?;
    let path = source.path();
    let text = text_of(&bytes).map_err(|at| Error::NotText {
        path: path.to_owned(),
        line: 1 + count_line_ends(&bytes[..at]),
        is_idx: bytes.starts_with(&IDX_MAGIC),
    })?;
    let mut rows = Rows::new(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));

    if !rows.advance() {
        return Err(Error::EmptyFile { path: path.to_owned() });
    }
    let names: Vec<String> = rows.fields().map(str::to_owned).collect();
    check_names(&names, &rows, &source)?;

    let columns = names.len();
    let mut builders: Vec<ColumnBuilder> = names.into_iter().map(ColumnBuilder::new).collect();
    let mut lines = Vec::new();
    while rows.advance() {
        if rows.record.len() != columns {
            return Err(Error::RaggedRow {
                path: path.to_owned(),
                line: rows.line,
                last_line: rows.last_line(),
                found: rows.record.len(),
                expected: columns,
            });
        }
        builders.iter_mut().zip(rows.fields()).for_each(|(builder, field)| builder.push(field));
        lines.push(u32::try_from(rows.line).unwrap_or(u32::MAX));
    }
    if lines.is_empty() {
        return Err(Error::NoRows { path: path.to_owned(), columns });
    }
    // Each column's text is dropped as soon as its values are found.
    let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
    Ok(Table::new(path, columns, Some(lines)))
}

/// `bytes` as text, or where they first are none.
fn text_of(bytes: &[u8]) -> std::result::Result<&str, usize> {
    let text = str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    // A zero byte is UTF-8, but stands in no text: the file is binary, or in UTF-16.
    match bytes.iter().position(|&byte| byte == 0) {
        Some(zero) => Err(text.map_or_else(|invalid| invalid.min(zero), |_| zero)),
        None => text,
    }
}

fn check_names(names: &[String], header: &Rows, source: &Source) -> Result<()> {
    let (path, line) = (source.path().to_owned(), header.line);
    if let [name] = names
        && let Some(delimiter) = name.chars().find(|c| [';', '\t'].contains(c))
    {
        return Err(Error::OtherDelimiter { path, line, name: name.clone(), delimiter });
    }
    let mut positions = std::collections::HashMap::new();
    for (position, name) in (1..).zip(names) {
        if name.is_empty() {
            return Err(Error::UnnamedColumn { path, line, column: position });
        }
        if let Some(first) = positions.insert(name, position) {
            return Err(Error::DuplicateColumn { path, line, name: name.clone(), first, second: position });
        }
    }
    Ok(())
}

/// The rows of a text with the lines on which they begin.
///
/// The csv crate's own line numbers are not used: it takes a blank line before a row, and the
/// second half of a `\r\n`, for part of the row.
struct Rows<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
    record: StringRecord,
    /// Where the row begins in `text`.
    start: usize,
    /// The line on which the row begins, from 1.
    line: usize,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str) -> Self {
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        Self { text, reader, record: StringRecord::new(), start: 0, line: 1 }
    }

    /// Goes to the next row; false after the last.
    fn advance(&mut self) -> bool {
        let is_row = self.reader.read_record(&mut self.record);
        if !is_row.expect("text in UTF-8 in memory, rows of any length") {
            return false;
        }
        let before = self.record.position().map_or(0, |position| position.byte() as usize);
        let start = before + count_leading_line_ends(&self.text.as_bytes()[before..]);
        self.line += count_line_ends(&self.text.as_bytes()[self.start..start]);
        self.start = start;
        true
    }

    /// The fields of the row, without spaces around them.
    fn fields(&self) -> impl Iterator<Item = &str> {
        self.record.iter().map(str::trim)
    }

    /// The line on which the row ends.
    fn last_line(&self) -> usize {
        let end = self.reader.position().byte() as usize;
        let row = self.text[self.start..end].trim_end_matches(['\r', '\n']);
        self.line + count_line_ends(row.as_bytes())
    }
}

/// Number of bytes at the beginning of `bytes` that end lines.
fn count_leading_line_ends(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count()
}

/// Number of line ends in `bytes`; `\n`, `\r\n` and `\r` are one each.
fn count_line_ends(bytes: &[u8]) -> usize {
    let mut n_ends = 0;
    let mut previous = 0;
    for &byte in bytes {
        n_ends += usize::from(byte == b'\r' || byte == b'\n' && previous != b'\r');
        previous = byte;
    }
    n_ends
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use super::super::source::tests::gzip;
    use super::*;
    use crate::error::Place;

    fn read_bytes(bytes: &[u8]) -> Result<Table> {
        read(Source::new(Path::new("t.csv"), Cursor::new(bytes.to_vec()))?)
    }

    fn check(text: &str, names: &[&str], rows: &[(usize, &[&str])]) {
        let table = read_bytes(text.as_bytes()).unwrap();
        assert_eq!(table.names(), names, "{text:?}");
        assert_eq!(table.n_rows(), rows.len(), "{text:?}");
        for (row_index, &(line, fields)) in rows.iter().enumerate() {
            let found: Vec<_> =
                (0..names.len()).map(|column| table.field(row_index, column).unwrap_or_default()).collect();
            assert_eq!(table.place(row_index), Place::Line(line), "{text:?}");
            assert_eq!(found, fields, "{text:?}");
        }
    }

    fn check_error(text: &str, message: &str) {
        assert_eq!(read_bytes(text.as_bytes()).unwrap_err().to_string(), message, "{text:?}");
    }

    #[test]
    fn rows_have_their_fields_and_lines() {
        check("a,b\n1,x\n2,y\n", &["a", "b"], &[(2, &["1", "x"]), (3, &["2", "y"])]);
    }

    #[test]
    fn every_line_end_is_taken() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "1,x", "2,y", "3,z"].join(end);
            let rows: [(usize, &[&str]); 3] = [(2, &["1", "x"]), (3, &["2", "y"]), (4, &["3", "z"])];
            check(&text, &["a", "b"], &rows);
            check(&(text + end), &["a", "b"], &rows);
        }
    }

    #[test]
    fn blank_lines_are_skipped_and_counted() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["", "a", "", "1", "", "", "2", "", ""].join(end);
            check(&text, &["a"], &[(4, &["1"]), (7, &["2"])]);
        }
    }

    #[test]
    fn line_ends_in_quoted_fields_are_counted() {
        for end in ["\n", "\r\n", "\r"] {
            let (two, blank) = (format!("x{end}y"), format!("p{end}{end}q"));
            let text = ["a,b", "\"", &two, "\",1", "", &format!("\"{blank}\",2"), "z,3"].join(end);
            check(&text, &["a", "b"], &[(2, &[&two, "1"]), (7, &[&blank, "2"]), (10, &["z", "3"])]);
        }
    }

    #[test]
    fn quotes_keep_commas_and_quotes() {
        check("\"a,b\",c\n\"say \"\"no\"\"\",1\n", &["a,b", "c"], &[(2, &["say \"no\"", "1"])]);
    }

    #[test]
    fn spaces_around_fields_are_dropped() {
        check(" a ,\tb\n 1.5, yes sir \n", &["a", "b"], &[(2, &["1.5", "yes sir"])]);
    }

    #[test]
    fn byte_order_mark_is_dropped() {
        check("\u{feff}a,b\n1,2\n", &["a", "b"], &[(2, &["1", "2"])]);
        check("\u{feff}\"a\",b\n\n1,2", &["a", "b"], &[(3, &["1", "2"])]);
    }

    #[test]
    fn line_numbers_are_right_behind_a_byte_order_mark() {
        check("\u{feff}\r\na\r\n1\r\n", &["a"], &[(3, &["1"])]);
        check_error(
            "\u{feff}\n\na,a\n",
            "t.csv, line 3: found the column name `a` twice, in columns 1 and 2; rename one",
        );
    }

    #[test]
    fn gzip_is_read_like_plain_text() {
        let table = read_bytes(&gzip("\u{feff}a,b\r\n1,ü\r\n".as_bytes())).unwrap();
        assert_eq!((table.names()[0].as_str(), table.field(0, 1).as_deref()), ("a", Some("ü")));
    }

    #[test]
    fn empty_file_is_refused() {
        for text in ["", "\n", "\r\n\r\n", "\u{feff}", "\u{feff}\n"] {
            check_error(text, "t.csv: the file is empty; expected a line of column names and a row below it");
        }
    }

    #[test]
    fn header_only_is_refused() {
        for text in ["a,b,c", "a,b,c\n", "a,b,c\r\n\r\n"] {
            check_error(text, "t.csv: found a header of 3 columns and no row below it; expected at least one row");
        }
    }

    #[test]
    fn ragged_row_is_refused_with_its_line() {
        check_error("a,b,c\n1,2,3\n\n1,2\n1,2,3\n", "t.csv, line 4: found 2 fields, expected 3");
        check_error("a,b\r\n1,2\r\n1,2,3\r\n", "t.csv, line 3: found 3 fields, expected 2");
        check_error("a,b\n1", "t.csv, line 2: found 1 field, expected 2");
        check_error("a,b\n\"x\ny\",2\n1,2,\n", "t.csv, line 4: found 3 fields, expected 2");
        check_error("a,b\n1,2\n  \n", "t.csv, line 3: found 1 field, expected 2");
    }

    #[test]
    fn open_quote_is_suspected_in_a_ragged_row_of_many_lines() {
        for end in ["\n", "\r\n", "\r"] {
            check_error(
                &["a,b", "1,2", "\"3,4", "5,6", "7,8", ""].join(end),
                "t.csv, line 3: found 1 field, expected 2; the row goes on to line 5, is a quote left open?",
            );
        }
    }

    #[test]
    fn duplicate_column_name_is_refused() {
        check_error(
            "a,b,c, b\n1,2,3,4\n",
            "t.csv, line 1: found the column name `b` twice, in columns 2 and 4; rename one",
        );
        check_error(
            "\n1.5,2.5,1.5\n1,2,3\n",
            "t.csv, line 2: found the column name `1.5` twice, in columns 1 and 3; rename one; does the file begin without a line of column names?",
        );
    }

    #[test]
    fn unnamed_column_is_refused() {
        for text in [",a\n0,1\n", "\"\",a\n0,1\n", "  ,a\n"] {
            check_error(
                text,
                "t.csv, line 1: column 1 has no name; name it, or write the file without it (with `index=False` if pandas wrote it)",
            );
        }
    }

    #[test]
    fn other_delimiters_are_refused() {
        check_error(
            "a;b\n1;2\n",
            "t.csv, line 1: found one column, `a;b`, with semicolons in its name; separate the fields by commas",
        );
        check_error(
            "a\tb\n1\t2\n",
            "t.csv, line 1: found one column, `a\\tb`, with tabs in its name; separate the fields by commas",
        );
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_with_their_line() {
        for (bytes, line, hint) in [
            (&b"\xff\xfea\0,\0b\0"[..], 1, "save the file as CSV in UTF-8"),
            (b"a,b\n1,2\n1,\xe9t\xe9\n", 3, "save the file as CSV in UTF-8"),
            (b"a,b\r\n\r\n1,\xe9\r\n", 3, "save the file as CSV in UTF-8"),
            (b"a,b\n1,\"\n\n\xc3", 4, "save the file as CSV in UTF-8"),
            (b"a,b\n1,\0\n\xe9", 2, "save the file as CSV in UTF-8"),
            (b"a,b\n1,\xe9\n\0", 2, "save the file as CSV in UTF-8"),
            (b"a\n1\n\0", 3, "save the file as CSV in UTF-8"),
            (b"\0\0\x08\x01\0\0\0\x01\x05", 1, "is it an IDX file of images? then give `--labels` too"),
        ] {
            assert_eq!(
                read_bytes(bytes).unwrap_err().to_string(),
                format!("t.csv, line {line}: found bytes that are not text in UTF-8; {hint}")
            );
        }
    }
}
