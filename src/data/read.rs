//! Reading tables, whatever their format, packing and encoding.

mod csv_file;
mod delimiter;
mod json_lines;
mod numpy;
#[cfg(feature = "parquet")]
mod parquet_file;
mod text;
mod typed;

use std::io::Cursor;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::source::Source;
use super::table::Table;
use crate::{Error, Result};
use csv_file::CsvFile;
use json_lines::JsonLines;
use text::Text;

/// How a file holds a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text with a row on each line, its fields separated by commas, semicolons, tabs or bars.
    ///
    /// Fields may be quoted by `"`, and then hold delimiters, line ends and, doubled, quotes. Spaces around a field do
    /// not belong to it. Blank lines are skipped. A column of which every field is a number or missing is one of
    /// numbers.
    Csv,
    /// The same with tabs, unless another delimiter is given.
    Tsv,
    /// Apache Parquet, with any of its encodings and with all of its compressions but LZO.
    ///
    /// Numbers, decimals among them, are numbers; fractions of 16 and 32 bits become the number that their shortest
    /// decimal form says, as they would through a text file. Integers of 2^53 and more become text, with all their digits.
    /// Booleans become the texts `true` and `false`; dates, times and timestamps text as in ISO 8601, such as
    /// `2024-01-31` and `2024-01-31T12:30:00Z`. Needs the crate's feature `parquet`.
    Parquet,
    /// Text with a JSON object on each line, whose keys name the columns.
    ///
    /// The columns are all keys in the order in which they first appear; a key that a line does not have, and `null`,
    /// are missing values. A column with a string in it is one of text, even where the string looks like a number;
    /// `true` and `false` become text.
    #[serde(rename = "jsonl")]
    JsonLines,
    /// An array of NumPy's with one dimension, or with two: rows and columns. The columns are named `c1`, `c2`, …
    ///
    /// Numbers of any type, in any order of bytes and of rows and columns; booleans become 0 and 1. Fractions of
    /// 16 and 32 bits become the number that their shortest decimal form says, and integers of 2^53 and more text, as in
    /// [`Format::Parquet`]. Texts of NumPy's types `U` and `S` become text.
    Npy,
    /// Several arrays of NumPy's, stored or deflated, with as many rows each.
    ///
    /// An array of one dimension is a column with the array's name; the columns of `x` with two dimensions are named
    /// `x_1`, `x_2`, … Types are those of [`Format::Npy`].
    Npz,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 6] =
        [Format::Csv, Format::Tsv, Format::Parquet, Format::JsonLines, Format::Npy, Format::Npz];

    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Parquet => "parquet",
            Format::JsonLines => "jsonl",
            Format::Npy => "npy",
            Format::Npz => "npz",
        }
    }

    /// The format that the name of a file tells, with or without `.gz` or `.zst` behind it.
    fn of_name(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Format::Csv),
            "tsv" | "tab" => Some(Format::Tsv),
            "parquet" | "pq" => Some(Format::Parquet),
            "jsonl" | "ndjson" | "json" => Some(Format::JsonLines),
            "npy" => Some(Format::Npy),
            "npz" => Some(Format::Npz),
            _ => None,
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| Error::Setting {
            name: "format".into(),
            found: format!("`{name}`"),
            expected: Format::ALL.map(Format::name).join(", "),
        })
    }
}

/// How a table is read. By default everything is found by looking at the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// How the file holds the table. By default what its first bytes tell, else what its name tells, else CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What separates the fields of CSV, one character of ASCII, written as that character.
    ///
    /// By default that one of comma, tab, semicolon and bar which gives the same number of fields, two or more, in the
    /// first rows; a comma where none does, or a tab where the file's name says so. In TSV by default a tab.
    #[serde(skip_serializing_if = "Option::is_none", with = "character")]
    pub delimiter: Option<u8>,
    /// Whether the first row of CSV names the columns; by default it does. Without names they are `c1`, `c2`, …
    ///
    /// A column whose name is empty, as pandas writes its index, is called `unnamed_` and its position, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_header: Option<bool>,
    /// The encoding of CSV and JSON lines, by its name on the web: `windows-1252`, `latin1`, `utf-16le`, `shift_jis`, …
    /// By default UTF-8. A byte order mark of UTF-8 or UTF-16 counts before both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// What else stands for a missing value, beside an empty field and [`MISSING`](super::MISSING), such as `-999`.
    ///
    /// In formats whose numbers are not text, the numbers among them are compared as numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Whether the numbers of CSV have a decimal comma, as in `1,5`; then those with a point are text.
    ///
    /// By default they have not, and a column of such numbers between other delimiters than commas is refused. With
    /// `false` it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal_comma: Option<bool>,
    /// Columns of CSV whose fields are kept as they are written, beside their values: [`Column::written`]. Each field
    /// takes its text.
    ///
    /// [`Column::written`]: super::Column::written
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verbatim: Vec<String>,
}

/// A delimiter as text of one character.
mod character {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(delimiter: &Option<u8>, serializer: S) -> Result<S::Ok, S::Error> {
        delimiter.map(char::from).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
        let character = Option::<char>::deserialize(deserializer)?;
        let byte = |character: char| u8::try_from(character).ok().filter(u8::is_ascii);
        let delimiter = character.map(|character| {
            byte(character)
                .ok_or_else(|| D::Error::custom(format!("found `{character}`, expected a character of ASCII")))
        });
        delimiter.transpose()
    }
}

impl ReadOptions {
    /// Whether a person named `field` as a missing value.
    fn is_extra_missing(&self, field: &str) -> bool {
        self.missing.iter().any(|missing| missing == field)
    }

    /// The numbers that a person named as missing values.
    fn missing_numbers(&self) -> Vec<f64> {
        self.missing.iter().filter_map(|missing| super::table::number(missing)).collect()
    }
}

impl Table {
    /// Reads the table in the file at `path`, plain or packed by gzip or zstd; `-` is standard input.
    ///
    /// Takes memory for the table, and beside it for the text of CSV and JSON lines without what separates its fields,
    /// 4 bytes for each field, and the whole file of NumPy's arrays.
    ///
    /// ```
    /// use nngpu::data::{ReadOptions, Table};
    ///
    /// let options = ReadOptions { missing: vec!["0.2".into()], ..ReadOptions::default() };
    /// let table = Table::read("examples/data/iris.csv", &options)?;
    /// assert_eq!(table.n_rows(), 150);
    /// assert_eq!(table.column("petal width (cm)")?.n_missing(), 29);
    /// # Ok::<(), nngpu::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The file does not exist, is a directory, cannot be read, or is damaged; it is of another kind; it is empty or has
    /// no row. A text file is not in its encoding. A row of CSV has more or fewer fields than the header, two columns
    /// have one name, or numbers seem to have decimal commas. A line of JSON lines is no object, or holds an array or
    /// an object. A column of Parquet is nested or holds bytes. Arrays have three dimensions or more, other numbers of
    /// rows, or hold Python's objects or complex numbers. A setting of `options` is out of range.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Table> {
        read(Source::open(path.as_ref())?, options)
    }

    /// Reads the table that `bytes` are, as [`Table::read`] does from a file; `name` is their name in errors.
    ///
    /// ```
    /// use nngpu::data::{ReadOptions, Table};
    ///
    /// let table = Table::from_bytes("here", "a;b\n1;x\n".into(), &ReadOptions::default())?;
    /// assert_eq!(table.names(), ["a", "b"]);
    /// # Ok::<(), nngpu::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Table::read`].
    pub fn from_bytes(name: impl AsRef<Path>, bytes: Vec<u8>, options: &ReadOptions) -> Result<Table> {
        read(Source::new(name.as_ref(), Cursor::new(bytes))?, options)
    }

    /// Reads the file at `path` as [`Table::read`] does with default options.
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
    /// As for [`Table::read`].
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Table> {
        Table::read(path, &ReadOptions::default())
    }
}

/// Reads the table in the file at `path` in parts of `n_rows` rows, the last of which may have fewer.
///
/// CSV and JSON lines are read as they come, so that a part is there before the file ends and takes memory for itself
/// alone; other formats give one part. The columns of each part have the types of that part: a column may be numbers
/// in one and text in another. A part of JSON lines has the columns of all keys up to its end. After an error there are
/// no further parts.
///
/// ```
/// use nngpu::data::{ReadOptions, read_chunks};
///
/// let chunks = read_chunks("examples/data/iris.csv", &ReadOptions::default(), 100)?;
/// let n_rows = chunks.map(|chunk| Ok(chunk?.n_rows())).collect::<nngpu::Result<Vec<_>>>()?;
/// assert_eq!(n_rows, [100, 50]);
/// # Ok::<(), nngpu::Error>(())
/// ```
///
/// # Errors
///
/// As for [`Table::read`], here or from a part.
///
/// # Panics
///
/// `n_rows` is 0.
pub fn read_chunks(path: impl AsRef<Path>, options: &ReadOptions, n_rows: usize) -> Result<Chunks> {
    chunks(Source::open(path.as_ref())?, options, n_rows)
}

/// The parts of a table, given by [`read_chunks`].
pub struct Chunks {
    rest: Rest,
    options: ReadOptions,
    n_rows: usize,
}

/// What is left of a table.
enum Rest {
    Csv(Box<CsvFile>),
    JsonLines(Box<JsonLines>),
    Whole(Box<Table>),
    Nothing,
}

impl Iterator for Chunks {
    type Item = Result<Table>;

    fn next(&mut self) -> Option<Result<Table>> {
        let next = match &mut self.rest {
            Rest::Csv(file) => file.next_table(&self.options, self.n_rows),
            Rest::JsonLines(file) => file.next_table(&self.options, self.n_rows),
            Rest::Whole(_) | Rest::Nothing => match std::mem::replace(&mut self.rest, Rest::Nothing) {
                Rest::Whole(table) => Ok(Some(*table)),
                _ => Ok(None),
            },
        };
        if !matches!(next, Ok(Some(_))) {
            self.rest = Rest::Nothing;
        }
        next.transpose()
    }
}

/// Reads the whole of `source`; [`Table::read`] tells what it takes and refuses.
pub(super) fn read(source: Source, options: &ReadOptions) -> Result<Table> {
    let mut chunks = chunks(source, options, usize::MAX)?;
    chunks.next().expect("a table has a row, or there is an error")
}

fn chunks(mut source: Source, options: &ReadOptions, n_rows: usize) -> Result<Chunks> {
    assert!(n_rows > 0, "parts of no rows");
    let named = Format::of_name(source.path());
    let format = match options.format {
        Some(format) => Some(format),
        None => binary_format(&mut source)?,
    };
    let rest = match format {
        Some(Format::Parquet) => Rest::Whole(Box::new(parquet(source, options)?)),
        Some(Format::Npy) => Rest::Whole(Box::new(numpy::read_npy(source, options)?)),
        Some(Format::Npz) => Rest::Whole(Box::new(numpy::read_npz(source, options)?)),
        Some(Format::JsonLines) => json_lines(Text::new(source, options.encoding.as_deref())?),
        Some(format @ (Format::Csv | Format::Tsv)) => {
            let text = Text::new(source, options.encoding.as_deref())?;
            let delimiter = options.delimiter.or((format == Format::Tsv).then_some(b'\t'));
            csv(text, options, delimiter, b',')?
        }
        None => {
            let mut text = Text::new(source, options.encoding.as_deref())?;
            match text_format(&mut text, named)? {
                Format::JsonLines => json_lines(text),
                Format::Tsv => csv(text, options, options.delimiter, b'\t')?,
                _ => csv(text, options, options.delimiter, b',')?,
            }
        }
    };
    Ok(Chunks { rest, options: options.clone(), n_rows })
}

fn csv(text: Text, options: &ReadOptions, delimiter: Option<u8>, otherwise: u8) -> Result<Rest> {
    Ok(Rest::Csv(Box::new(CsvFile::new(text, options, delimiter, otherwise)?)))
}

fn json_lines(text: Text) -> Rest {
    Rest::JsonLines(Box::new(JsonLines::new(text)))
}

#[cfg(feature = "parquet")]
fn parquet(source: Source, options: &ReadOptions) -> Result<Table> {
    parquet_file::read(source, options)
}

#[cfg(not(feature = "parquet"))]
fn parquet(source: Source, _: &ReadOptions) -> Result<Table> {
    Err(Error::OtherKind {
        path: source.path().to_owned(),
        found: "a Parquet file",
        advice: "this program is built without the feature `parquet`",
    })
}

/// Files that are no tables, or none that are read, by their first bytes.
const OTHERS: &[(&[u8], &str, &str)] = &[
    (b"ARROW1", "an Arrow or Feather file", "save it as Parquet"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "save the table as Parquet or CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"SQLite format 3\0", "an SQLite database", "write the table as CSV, with `.mode csv` of its shell"),
    (b"ORC", "an ORC file", "save it as Parquet"),
    (b"Obj\x01", "an Avro file", "save it as Parquet"),
    (b"\xfd7zXZ\0", "a file packed by xz", "unpack it with `xz -d`"),
    (b"BZh", "a file packed by bzip2", "unpack it with `bzip2 -d`"),
    (b"%PDF-", "a PDF document", "take the table out of it first"),
    (b"\x80\x04\x95", "a pickle of Python's", "save the table as Parquet or CSV"),
    (b"\x80\x05\x95", "a pickle of Python's", "save the table as Parquet or CSV"),
];

/// The format that the first bytes tell, if it is no text.
fn binary_format(source: &mut Source) -> Result<Option<Format>> {
    // As far as the name of the first file in a zip file.
    let head = source.peek(64)?;
    let other = |found, advice| Err(Error::OtherKind { path: source.path().to_owned(), found, advice });
    if head.starts_with(b"PAR1") || head.starts_with(b"PARE") {
        return Ok(Some(Format::Parquet));
    }
    if head.starts_with(numpy::MAGIC) {
        return Ok(Some(Format::Npy));
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        // Workbooks are zip files too; these are the files that they begin with.
        let is_workbook = ["[Content_Types]", "xl/", "_rels/", "docProps/", "mimetype"];
        if is_workbook.iter().any(|name| head.get(30..).is_some_and(|rest| rest.starts_with(name.as_bytes()))) {
            return other("a workbook or document", "save the sheet as CSV");
        }
        return Ok(Some(Format::Npz));
    }
    // Two zeros, the type of the elements, the number of dimensions.
    if let [0, 0, 8 | 9 | 11..=14, 1..=4, ..] = head[..] {
        return other("an IDX file of images or labels", "give the images as the data and the labels with `--labels`");
    }
    // `ORC` and the like are also the beginnings of words; what holds a zero byte, or no text, is no CSV file.
    let is_text = std::str::from_utf8(&head).map_or_else(|error| error.error_len().is_none(), |_| true);
    match OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        Some(&(_, found, advice)) if !is_text || head.contains(&0) || !head.is_ascii() => other(found, advice),
        _ => Ok(None),
    }
}

/// The format of a text whose file has a name of format `named`.
fn text_format(text: &mut Text, named: Option<Format>) -> Result<Format> {
    let path = text.path().to_owned();
    let head = text.peek(1);
    let mut start = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    let is_named_csv = matches!(named, Some(Format::Csv | Format::Tsv));
    match (start.next(), start.next()) {
        (Some(b'{'), Some(b'"' | b'}')) => Ok(Format::JsonLines),
        (Some(b'{'), _) if !is_named_csv => Ok(Format::JsonLines),
        (Some(b'['), Some(b'{')) => Err(Error::OtherKind {
            path,
            found: "a JSON array",
            advice: "write each of its objects on a line of its own, as `jq -c '.[]'` does",
        }),
        // What is no Parquet file by its first bytes is none.
        _ => Ok(match named {
            Some(Format::Tsv) => Format::Tsv,
            Some(Format::JsonLines) => Format::JsonLines,
            _ => Format::Csv,
        }),
    }
}

#[cfg(test)]
mod tests;
