//! How lines of JSON become a table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, BufReader};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::table::{ColumnBuilder, Table};
use super::ReadOptions;
use super::text::{self, Text};
use crate::{Error, Result};

/// The most columns: a table takes memory for each key in each row, be it there or not.
const MOST_COLUMNS: usize = 16_384;

/// The lines of a file, as tables of so many rows as are asked for.
pub(super) struct JsonLines {
    text: BufReader<Text>,
    /// All keys up to here, in the order of their first lines, and where they stand.
    names: Vec<String>,
    positions: HashMap<String, usize>,
    /// The number of the last line that was read.
    line: usize,
    has_rows: bool,
}

impl JsonLines {
    pub(super) fn new(text: Text) -> Self {
        Self { text: BufReader::new(text), names: Vec::new(), positions: HashMap::new(), line: 0, has_rows: false }
    }

    /// The next rows, `n_rows` at most; nothing after the last.
    ///
    /// # Errors
    ///
    /// The text cannot be read; a line is no object of plain values; there was never a row.
    pub(super) fn next_table(&mut self, options: &ReadOptions, n_rows: usize) -> Result<Option<Table>> {
        let mut builders: Vec<ColumnBuilder> = self.names.iter().map(ColumnBuilder::new).collect();
        let mut lines = Vec::new();
        let mut line = Vec::new();
        while lines.len() < n_rows && self.read_line(&mut line)? {
            let row = std::str::from_utf8(&line).expect("a text of UTF-8");
            if row.trim().is_empty() {
                continue;
            }
            self.push(row, lines.len(), options, &mut builders)?;
            lines.push(u32::try_from(self.line).unwrap_or(u32::MAX));
        }
        let path = self.text.get_ref().path();
        if lines.is_empty() {
            return if self.has_rows { Ok(None) } else { Err(Error::EmptyFile { path: path.to_owned() }) };
        }
        self.has_rows = true;
        if builders.is_empty() {
            let problem = "found objects without keys, expected at least one key, to name a column".into();
            return Err(Error::JsonLine { path: path.to_owned(), line: lines[0] as usize, problem, source: None });
        }
        let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
        Ok(Some(Table::new(path, columns, Some(lines))))
    }

    /// Reads a line without its end; false after the last.
    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        self.line += 1;
        Ok(self.text.read_until(b'\n', line).map_err(text::unwrap)? > 0)
    }

    /// Adds the object in `text` to the columns, of which each has `n_rows` rows.
    fn push(
        &mut self,
        text: &str,
        n_rows: usize,
        options: &ReadOptions,
        builders: &mut Vec<ColumnBuilder>,
    ) -> Result<()> {
        let object: Object = serde_json::from_str(text).map_err(|error| self.not_an_object(text, error))?;
        for (key, value) in object.0 {
            let key = if key.is_empty() { Cow::Borrowed("unnamed") } else { key };
            let position = match self.positions.get(&*key) {
                Some(&position) => position,
                None => self.add_column(&key, n_rows, builders)?,
            };
            let builder = &mut builders[position];
            if builder.n_rows() > n_rows {
                let problem = format!("found the key `{}` twice, expected each key once", key.escape_debug());
                return Err(self.refused(problem, None));
            }
            let value = value.get();
            match value.as_bytes()[0] {
                b'"' => {
                    let value: String = serde_json::from_str(value).map_err(|error| self.not_an_object(text, error))?;
                    let value = value.trim();
                    builder.push_name(if options.is_extra_missing(value) { "" } else { value });
                }
                b'n' => builder.push(""),
                b'{' | b'[' => {
                    let (kind, key) =
                        (if value.starts_with('{') { "an object" } else { "an array" }, key.escape_debug());
                    let problem = format!(
                        "found {kind} as the value of `{key}`, expected a number, a string, true, false or null; \
                        write each of its values under a key of its own, or leave the key out"
                    );
                    return Err(self.refused(problem, None));
                }
                b't' | b'f' => builder.push_name(if options.is_extra_missing(value) { "" } else { value }),
                _ => builder.push(if options.is_extra_missing(value) { "" } else { value }),
            }
        }
        // A key that the line does not have.
        builders.iter_mut().filter(|builder| builder.n_rows() == n_rows).for_each(|builder| builder.push(""));
        Ok(())
    }

    /// Adds a column, missing in the rows before.
    fn add_column(&mut self, name: &str, n_rows: usize, builders: &mut Vec<ColumnBuilder>) -> Result<usize> {
        let position = self.names.len();
        if position == MOST_COLUMNS {
            let problem = format!(
                "found more than {MOST_COLUMNS} different keys, expected names of columns, which are few; \
                write what differs from line to line as a value"
            );
            return Err(self.refused(problem, None));
        }
        let mut builder = ColumnBuilder::new(name);
        (0..n_rows).for_each(|_| builder.push(""));
        builders.push(builder);
        self.names.push(name.to_owned());
        self.positions.insert(name.to_owned(), position);
        Ok(position)
    }

    fn not_an_object(&self, text: &str, error: serde_json::Error) -> Error {
        let found = match text.trim_start().as_bytes() {
            _ if error.is_eof() => "an object that is cut short, or goes on in the next line",
            [b'{', ..] => "an object that is no JSON",
            [b'[', ..] => "an array",
            _ => "something else",
        };
        let column = error.column();
        let problem =
            format!("found {found} (at character {column}), expected a JSON object such as {{\"a\": 1}} on each line");
        self.refused(problem, Some(error.into()))
    }

    fn refused(&self, problem: String, source: Option<crate::error::Cause>) -> Error {
        Error::JsonLine { path: self.text.get_ref().path().to_owned(), line: self.line, problem, source }
    }
}

/// The keys of an object with their values as they are written.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Object<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    pairs.push((key, map.next_value()?));
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A key, borrowed where it is written without escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> std::result::Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> std::result::Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
