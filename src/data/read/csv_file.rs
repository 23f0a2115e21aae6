//! How the text of a CSV file becomes a table.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::super::table::{ColumnBuilder, Table, Values};
use super::text::{self, Text, count_line_ends};
use super::{ReadOptions, delimiter};
use crate::{Error, Result};

/// The text that is looked at for the delimiter.
const HEAD: usize = 64 << 10;

/// The rows of a CSV file, as tables of so many rows as are asked for.
pub(super) struct CsvFile {
    rows: Rows,
    names: Vec<String>,
    delimiter: u8,
    /// A row that was read to see how many columns there are.
    is_row_waiting: bool,
    /// Whether a row was given.
    has_rows: bool,
}

impl CsvFile {
    /// Reads the header. Fields are separated by `delimiter`, or by what is found by looking, or by `otherwise`.
    ///
    /// # Errors
    ///
    /// A setting of `options` is out of range; the text cannot be read, is empty, or names two columns alike.
    pub(super) fn new(mut text: Text, options: &ReadOptions, delimiter: Option<u8>, otherwise: u8) -> Result<Self> {
        let is_given = delimiter.is_some();
        let delimiter = match delimiter {
            Some(delimiter) => checked_delimiter(delimiter)?,
            None => {
                let head = text.peek(HEAD);
                delimiter::find(head, head.len() < HEAD, otherwise)
            }
        };
        let mut rows = Rows::new(text, delimiter);
        if !rows.advance()? {
            return Err(Error::EmptyFile { path: rows.path().to_owned() });
        }
        let has_header = options.has_header.unwrap_or(true);
        let name = |(position, field): (usize, &str)| match field {
            _ if !has_header => format!("c{position}"),
            "" => format!("unnamed_{position}"),
            name => name.to_owned(),
        };
        let names: Vec<String> = (1..).zip(rows.fields()).map(name).collect();
        check_names(&names, &rows)?;
        // Where the delimiter was looked for, the character does not separate anything.
        if let ([name], true, true) = (&names[..], has_header, is_given)
            && let Some(other) = name.chars().find(|c| [',', ';', '\t', '|'].contains(c))
        {
            let (path, line) = (rows.path().to_owned(), rows.line);
            return Err(Error::OtherDelimiter { path, line, name: name.clone(), delimiter: other });
        }
        Ok(Self { rows, names, delimiter, is_row_waiting: !has_header, has_rows: false })
    }

    /// The next rows, `n_rows` at most; nothing after the last.
    ///
    /// # Errors
    ///
    /// The text cannot be read; a row has more or fewer fields than the header; there was never a row; a column holds
    /// decimal commas, and the options do not say what they are.
    pub(super) fn next_table(&mut self, options: &ReadOptions, n_rows: usize) -> Result<Option<Table>> {
        let builder = |name: &String| {
            let builder = ColumnBuilder::new(name).with_decimal_comma(options.decimal_comma == Some(true));
            builder.keeping_written(options.verbatim.contains(name))
        };
        let mut builders: Vec<ColumnBuilder> = self.names.iter().map(builder).collect();
        let mut lines = Vec::new();
        while lines.len() < n_rows && (std::mem::take(&mut self.is_row_waiting) || self.rows.advance()?) {
            let rows = &self.rows;
            if rows.record.len() != builders.len() {
                return Err(Error::RaggedRow {
                    path: rows.path().to_owned(),
                    line: rows.line,
                    last_line: rows.last_line(),
                    found: rows.record.len(),
                    expected: builders.len(),
                });
            }
            for (builder, field) in builders.iter_mut().zip(rows.fields()) {
                builder.push_written(if options.is_extra_missing(field) { "" } else { field }, field);
            }
            lines.push(u32::try_from(rows.line).unwrap_or(u32::MAX));
        }
        if lines.is_empty() {
            let path = self.rows.path().to_owned();
            return if self.has_rows { Ok(None) } else { Err(Error::NoRows { path, columns: builders.len() }) };
        }
        self.has_rows = true;
        // Each column's text is dropped as soon as its values are found.
        let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
        let table = Table::new(self.rows.path(), columns, Some(lines));
        if options.decimal_comma.is_none() && self.delimiter != b',' {
            check_commas(&table)?;
        }
        Ok(Some(table))
    }
}

/// The delimiter that a person gave.
fn checked_delimiter(delimiter: u8) -> Result<u8> {
    let is_delimiter = delimiter.is_ascii() && ![b'"', b'\r', b'\n', 0].contains(&delimiter);
    is_delimiter.then_some(delimiter).ok_or_else(|| Error::Setting {
        name: "delimiter".into(),
        found: format!("`{}`", char::from(delimiter).escape_debug()),
        expected: "one character of ASCII, no quote and no line end".into(),
    })
}

fn check_names(names: &[String], header: &Rows) -> Result<()> {
    let mut positions = HashMap::new();
    for (position, name) in (1..).zip(names) {
        if let Some(first) = positions.insert(name, position) {
            let (path, line) = (header.path().to_owned(), header.line);
            return Err(Error::DuplicateColumn { path, line, name: name.clone(), first, second: position });
        }
    }
    Ok(())
}

/// Refuses a column of text that is numbers with decimal commas: it would be taken for names.
fn check_commas(table: &Table) -> Result<()> {
    for column in table.columns() {
        if let Values::Text(levels) = column.values()
            && let Some(code) = decimal_comma(levels.names())
        {
            let row = levels.codes().iter().position(|&found| found == code).expect("a level of some row");
            return Err(Error::DecimalComma {
                path: table.path().to_owned(),
                place: table.place(row),
                column: column.name().to_owned(),
                found: levels.names()[code as usize].clone(),
            });
        }
    }
    Ok(())
}

/// Which of the texts has a decimal comma, if they are numbers throughout, with commas or whole.
fn decimal_comma(texts: &[String]) -> Option<u32> {
    let mut first = None;
    for (code, text) in (0..).zip(texts) {
        let (whole, rest) = text.split_once(',').unwrap_or((text, "0"));
        let whole = whole.strip_prefix(['-', '+']).unwrap_or(whole);
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_digits(whole) && is_digits(rest)) {
            return None;
        }
        if first.is_none() && text.contains(',') {
            first = Some(code);
        }
    }
    first
}

/// The rows of a text with the lines on which they begin.
///
/// The csv crate's own line numbers are not used: it takes a blank line before a row, and the
/// second half of a `\r\n`, for part of the row.
struct Rows {
    reader: csv::Reader<Kept>,
    record: StringRecord,
    /// Where the row begins in the text.
    start: u64,
    /// The line on which the row begins, from 1.
    line: usize,
}

/// A text, of which the last bytes that were read are kept for counting lines in them.
struct Kept {
    text: Text,
    bytes: Vec<u8>,
    /// Where the kept bytes begin in the text.
    start: u64,
}

impl Read for Kept {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.text.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..n_bytes]);
        Ok(n_bytes)
    }
}

impl Kept {
    fn from(&self, start: u64) -> &[u8] {
        &self.bytes[(start - self.start) as usize..]
    }

    /// Keeps what begins at `start`, and perhaps some more.
    fn keep_from(&mut self, start: u64) {
        let n_dropped = (start - self.start) as usize;
        // Moving the rest costs time, so that it is done when it pays.
        if n_dropped > self.bytes.len() / 2 {
            self.bytes.drain(..n_dropped);
            self.start = start;
        }
    }
}

impl Rows {
    fn new(text: Text, delimiter: u8) -> Self {
        let kept = Kept { text, bytes: Vec::new(), start: 0 };
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(delimiter);
        Self { reader: builder.from_reader(kept), record: StringRecord::new(), start: 0, line: 1 }
    }

    fn path(&self) -> &Path {
        self.reader.get_ref().text.path()
    }

    /// Goes to the next row; false after the last.
    fn advance(&mut self) -> Result<bool> {
        let is_row = self.reader.read_record(&mut self.record);
        let is_row = is_row.map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => text::unwrap(error),
            kind => unreachable!("text in UTF-8, rows of any length: {kind:?}"),
        })?;
        if !is_row {
            return Ok(false);
        }
        let before = self.record.position().map_or(0, |position| position.byte());
        let kept = self.reader.get_mut();
        let start = before + count_leading_line_ends(kept.from(before)) as u64;
        let passed = &kept.from(self.start)[..(start - self.start) as usize];
        self.line += count_line_ends(passed);
        kept.keep_from(start);
        self.start = start;
        Ok(true)
    }

    /// The fields of the row, without spaces around them.
    fn fields(&self) -> impl Iterator<Item = &str> {
        self.record.iter().map(str::trim)
    }

    /// The line on which the row ends.
    fn last_line(&self) -> usize {
        let end = self.reader.position().byte() - self.start;
        let row = &self.reader.get_ref().from(self.start)[..end as usize];
        let n_trailing = row.iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
        self.line + count_line_ends(&row[..row.len() - n_trailing])
    }
}

/// Number of bytes at the beginning of `bytes` that end lines.
fn count_leading_line_ends(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::super::super::source::tests::gzip;
    use super::*;
    use crate::error::Place;

    fn read_with(bytes: &[u8], options: &ReadOptions) -> Result<Table> {
        Table::from_bytes("t.csv", bytes.to_vec(), options)
    }

    fn read_bytes(bytes: &[u8]) -> Result<Table> {
        read_with(bytes, &ReadOptions::default())
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
    fn unnamed_columns_are_named_by_their_position() {
        for text in [",a\n0,1\n", "\"\",a\n0,1\n", "  ,a\n0,1\n"] {
            check(text, &["unnamed_1", "a"], &[(2, &["0", "1"])]);
        }
        check("a,,b,\n1,2,3,\n", &["a", "unnamed_2", "b", "unnamed_4"], &[(2, &["1", "2", "3", ""])]);
        check_error(
            ",unnamed_1\n1,2\n",
            "t.csv, line 1: found the column name `unnamed_1` twice, in columns 1 and 2; rename one",
        );
    }

    #[test]
    fn other_delimiters_are_found() {
        check("a;b\n1;x,y\n", &["a", "b"], &[(2, &["1", "x,y"])]);
        check("a\tb\n1\t2\n", &["a", "b"], &[(2, &["1", "2"])]);
        check("a|b\n\n\"1|\n2\"|3\n4|5", &["a", "b"], &[(3, &["1|\n2", "3"]), (5, &["4", "5"])]);
        // One column, whose name looks like two.
        check("\"a;b\"\n1\n", &["a;b"], &[(2, &["1"])]);
    }

    #[test]
    fn delimiter_that_is_given_is_kept_to() {
        let read = |text: &str, delimiter| {
            let options = ReadOptions { delimiter: Some(delimiter), ..ReadOptions::default() };
            read_with(text.as_bytes(), &options).map(|table| table.names()).map_err(|error| error.to_string())
        };
        assert_eq!(read("a:b;c\n1:2;3\n", b':').unwrap(), ["a", "b;c"]);
        for (text, delimiter, name, found) in [
            ("a;b\n1;2\n", b',', "a;b", "semicolons"),
            ("a\tb\n1\t2\n", b',', "a\\tb", "tabs"),
            ("a,b\n1,2\n", b'\t', "a,b", "commas"),
            ("a|b\n1|2\n", b',', "a|b", "bars"),
        ] {
            assert_eq!(
                read(text, delimiter).unwrap_err(),
                format!(
                    "t.csv, line 1: found one column, `{name}`, with {found} in its name; is that what separates the fields? then give it as the delimiter"
                )
            );
        }
        for (delimiter, found) in [(b'"', "`\\\"`"), (b'\n', "`\\n`"), (0xe9, "`é`")] {
            let message =
                format!("delimiter: found {found}, expected one character of ASCII, no quote and no line end");
            assert_eq!(read("a\n1\n", delimiter).unwrap_err(), message);
        }
    }

    #[test]
    fn rows_without_a_header_have_numbered_columns() {
        let options = ReadOptions { has_header: Some(false), ..ReadOptions::default() };
        let table = read_with(b"\n1,x\n2,y\n", &options).unwrap();
        assert_eq!(
            (table.names(), table.n_rows(), table.place(0)),
            (vec!["c1".into(), "c2".into()], 2, Place::Line(2))
        );
        assert_eq!(table.field(0, 1).as_deref(), Some("x"));
        // Names that would be refused in a header.
        assert_eq!(read_with(b"1,1,\n2,3,4\n", &options).unwrap().n_rows(), 2);
        let error = read_with(b"1,1\n2,3,4\n", &options).unwrap_err();
        assert_eq!(error.to_string(), "t.csv, line 2: found 3 fields, expected 2");
    }

    #[test]
    fn other_texts_are_missing_where_they_are_named() {
        let options = ReadOptions { missing: vec!["-999".into(), "unknown".into()], ..ReadOptions::default() };
        let table = read_with(b"a,b\n1,x\n -999 ,unknown\n-999.0,NA\n", &options).unwrap();
        let Values::Numbers(numbers) = table.columns()[0].values() else { panic!("numbers") };
        assert!(numbers[0] == 1.0 && numbers[1].is_nan() && numbers[2] == -999.0, "{numbers:?}");
        assert_eq!([0, 1, 2].map(|row| table.columns()[1].is_missing(row)), [false, true, true]);
    }

    #[test]
    fn decimal_commas_are_told_from_text() {
        let text = "n;a;b\n1;1,5;x\n2;-2;y,z\n3;;1,5\n";
        let message = "t.csv, line 2, column `a`: found `1,5`; are these numbers with a decimal comma? then say so with `decimal_comma = true`, or else with `false` that the column is text";
        check_error(text, message);
        check_error("n;a\n1;2\n2;\n3;+2,25\n", &message.replace("line 2", "line 4").replace("1,5", "+2,25"));
        // Between commas they are quoted, which people do to text.
        check("a,b\n1,\"1,5\"\n", &["a", "b"], &[(2, &["1", "1,5"])]);

        let read = |is_comma| {
            let options = ReadOptions { decimal_comma: Some(is_comma), ..ReadOptions::default() };
            read_with(text.as_bytes(), &options).unwrap()
        };
        let Values::Numbers(numbers) = read(true).columns()[1].values().clone() else { panic!("numbers") };
        assert!(numbers[..2] == [1.5, -2.0] && numbers[2].is_nan(), "{numbers:?}");
        assert_eq!(read(true).field(2, 2).as_deref(), Some("1,5"));
        assert_eq!(read(false).field(0, 1).as_deref(), Some("1,5"));
        // A point is no decimal comma: it may separate thousands.
        let options = ReadOptions { decimal_comma: Some(true), ..ReadOptions::default() };
        let points = read_with(b"a;b\n1.234;1,5\n", &options).unwrap();
        assert!(matches!(points.columns()[0].values(), Values::Text(_)));
    }

    #[test]
    fn lines_are_right_beyond_what_is_read_at_once() {
        let mut text = String::from("a,b\r\n");
        for row in 0..40_000 {
            text += &format!("{row},\"x\r\ny\"\r\n");
        }
        let table = read_bytes(text.as_bytes()).unwrap();
        assert_eq!((table.n_rows(), table.place(39_999)), (40_000, Place::Line(80_000)));
        check_error(&(text.clone() + "1\r\n"), "t.csv, line 80002: found 1 field, expected 2");
        let message = "t.csv, line 80002: found bytes that are not text in UTF-8; save the file in UTF-8, or name its encoding, such as `windows-1252` or `utf-16le`";
        assert_eq!(read_bytes(&[text.as_bytes(), b"1,\xff"].concat()).unwrap_err().to_string(), message);
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_with_their_line() {
        for (bytes, line) in [
            (&b"a\0,\0b\0"[..], 1),
            (b"a,b\n1,2\n1,\xe9t\xe9\n", 3),
            (b"a,b\r\n\r\n1,\xe9\r\n", 3),
            (b"a,b\n1,\"\n\n\xc3", 4),
            (b"a,b\n1,\0\n\xe9", 2),
            (b"a,b\n1,\xe9\n\0", 2),
            (b"a\n1\n\0", 3),
        ] {
            assert_eq!(
                read_bytes(bytes).unwrap_err().to_string(),
                format!(
                    "t.csv, line {line}: found bytes that are not text in UTF-8; save the file in UTF-8, or name its encoding, such as `windows-1252` or `utf-16le`"
                )
            );
        }
    }
}
