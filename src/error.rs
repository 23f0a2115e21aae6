//! What can go wrong, said so that the reader knows what to do next.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::digits::six_digits;
use serde::{Deserialize, Serialize};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause beneath an error, kept as its `source`.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Every failure of this crate.
///
/// A message says what was found, what was expected, where, and what to do next. The cause, where
/// there is one, is the [`source`](std::error::Error::source) and not part of the message. Lines and
/// columns are counted from 1; a line is one of the file's own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // Choosing and opening a device.
    /// No adapter matches what was asked for.
    #[error(
        "no GPU adapter matches `{wanted}`; found {}; `nngpu devices` lists them, and `--device cpu` works without one",
        adapters(found)
    )]
    NoAdapter {
        /// The words that were to select a device.
        wanted: String,
        /// The adapters there are, each as `index: name (backend)`.
        found: Vec<String>,
    },
    /// The adapter refused to give a device.
    #[error("adapter `{adapter}` could not be opened; try another of `nngpu devices`, or `--device cpu`")]
    OpenDevice {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        source: Cause,
    },
    /// A number of threads that cannot be used.
    #[error("found {found} threads, expected at least 1")]
    Threads {
        /// The number asked for.
        found: usize,
    },
    /// The device stopped working: a driver reset, a removed card, a sleeping machine.
    #[error("the device `{adapter}` was lost ({reason}); start again from the last saved model, or use `--device cpu`")]
    DeviceLost {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// The driver or wgpu refused an operation.
    #[error("the device `{adapter}` refused to {doing}: {message}")]
    Driver {
        /// The adapter's name.
        adapter: String,
        /// What was being done.
        doing: String,
        /// What the driver said.
        message: String,
    },
    /// A buffer is larger than the adapter can bind.
    #[error(
        "buffer `{label}` needs {bytes} bytes, but `{adapter}` allows {limit} ({limit_name}); use a smaller batch or network, or another device"
    )]
    BufferTooLarge {
        /// The buffer's name.
        label: String,
        /// Its size.
        bytes: u64,
        /// The largest size that is allowed.
        limit: u64,
        /// The limit's name in WebGPU.
        limit_name: &'static str,
        /// The adapter's name.
        adapter: String,
    },
    /// The machine has too little memory for a buffer.
    #[error("buffer `{label}` of {length} elements does not fit in memory; use a smaller batch or network")]
    OutOfMemory {
        /// The buffer's name.
        label: String,
        /// Its length in elements of 4 bytes.
        length: usize,
    },
    /// A buffer or a program belongs to another device.
    #[error("`{label}` belongs to another device; allocate it on the device that uses it")]
    ForeignDevice {
        /// What was given.
        label: String,
    },
    /// The data for a buffer do not fit in it.
    #[error("buffer `{label}` holds {length} elements; found elements {start} to {end}")]
    OutOfRange {
        /// The buffer's name.
        label: String,
        /// Its length in elements.
        length: usize,
        /// First element of the range.
        start: usize,
        /// One past the last element of the range.
        end: usize,
    },

    /// A kernel needs more than one of the adapter's limits allows.
    #[error("{what} needs {needed} {unit}, but `{adapter}` allows {limit} ({limit_name}); {advice}")]
    OverLimit {
        /// The kernel.
        what: String,
        /// How many it needs.
        needed: u64,
        /// Of what.
        unit: &'static str,
        /// How many there may be.
        limit: u64,
        /// The limit, as WebGPU names it.
        limit_name: &'static str,
        /// The adapter's name.
        adapter: String,
        /// What to try.
        advice: &'static str,
    },

    /// An examination found wrong results.
    #[error(
        "{} found in {}; use another device, or `--device cpu`, and report what `nngpu doctor --all --json` prints",
        count(*n_wrong, "fault"), list(devices)
    )]
    Diagnosis {
        /// How many forms of kernels, or trainings, or devices that could not be opened.
        n_wrong: usize,
        /// The devices.
        devices: Vec<String>,
    },
    /// A GPU that is to train computes wrongly.
    #[error(
        "`{adapter}` computes {} wrongly ({failure}); train with `--device cpu`, or all the same with `--skip-check`, and report what `nngpu doctor --all --json` prints",
        list(kernels)
    )]
    WrongKernels {
        /// The adapter.
        adapter: String,
        /// The kernels; `training` is a short training.
        kernels: Vec<String>,
        /// The first failure.
        failure: String,
    },

    // Recording a plan.
    /// Arrays whose shapes do not go together.
    #[error("{operation}: found {found}, expected {expected}")]
    Shape {
        /// What was being recorded.
        operation: String,
        /// The shapes that were given.
        found: String,
        /// The shapes that would do.
        expected: String,
    },
    /// A number outside its range.
    #[error("{name}: found {found}, expected {expected}")]
    Setting {
        /// The setting's name.
        name: String,
        /// What was given.
        found: String,
        /// What would do.
        expected: String,
    },

    // Files.
    /// There is no file of this name.
    #[error("{}: no such file; check the name and the directory", path.display())]
    NoSuchFile {
        /// The name.
        path: PathBuf,
    },
    /// The name is that of a directory.
    #[error("{}: found a directory, expected a file; name a file in it", path.display())]
    IsDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The system refuses to open or to read the file.
    #[error(
        "{}: the file cannot be read; check {}", path.display(),
        match source.kind() { io::ErrorKind::PermissionDenied => "its permissions", _ => "the name and the disk" }
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file begins as gzip, and goes on as something else or not at all.
    #[error("{}: the gzip data is damaged or cut short; copy or download the file again", path.display())]
    DamagedGzip {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: io::Error,
    },

    // CSV files.
    /// A CSV file has no line, or blank lines only.
    #[error("{}: the file is empty; expected a line of column names and a row below it", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// A CSV file ends after its header.
    #[error(
        "{}: found a header of {} and no row below it; expected at least one row",
        path.display(), count(*columns, "column")
    )]
    NoRows {
        /// The file.
        path: PathBuf,
        /// Number of columns in the header.
        columns: usize,
    },
    /// A row has more or fewer fields than the header.
    #[error(
        "{}, line {line}: found {}, expected {expected}{}",
        path.display(), count(*found, "field"), open_quote_hint(*line, *last_line)
    )]
    RaggedRow {
        /// The file.
        path: PathBuf,
        /// The line on which the row begins.
        line: usize,
        /// The line on which the row ends: another one where a quoted field holds line ends.
        last_line: usize,
        /// Number of fields in the row.
        found: usize,
        /// Number of fields in the header.
        expected: usize,
    },
    /// Two columns have one name.
    #[error(
        "{}, line {line}: found the column name {} twice, in columns {first} and {second}; rename one{}",
        path.display(), quoted(name), headerless_hint(&[name])
    )]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The line of the header.
        line: usize,
        /// The name.
        name: String,
        /// Where it stands first.
        first: usize,
        /// Where it stands again.
        second: usize,
    },
    /// The header is one name that holds other delimiters than the one that was given.
    #[error(
        "{}, line {line}: found one column, {}, with {} in its name; is that what separates the fields? then give it as the delimiter",
        path.display(), quoted(name), match delimiter { '\t' => "tabs", ';' => "semicolons", '|' => "bars", _ => "commas" }
    )]
    OtherDelimiter {
        /// The file.
        path: PathBuf,
        /// The line of the header.
        line: usize,
        /// The whole header.
        name: String,
        /// The delimiter that it holds.
        delimiter: char,
    },
    /// A text file holds zero bytes, or bytes that are no text in its encoding.
    #[error(
        "{}, line {line}: found bytes that are not text in {encoding}; save the file in UTF-8, or name its encoding, such as `windows-1252` or `utf-16le`",
        path.display()
    )]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line of the first such byte.
        line: usize,
        /// The encoding.
        encoding: String,
    },

    // Reading tables.
    /// The file begins as zstd, and goes on as something else or not at all.
    #[error(
        "{}: the zstd data is damaged, cut short, or packed with a dictionary or a window above 128 MiB; copy or download the file again, or unpack it with `zstd -d --long=31`",
        path.display()
    )]
    DamagedZstd {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: io::Error,
    },
    /// No encoding has this name.
    #[error(
        "no encoding is named {}; expected one of the web's names, such as `utf-8`, `windows-1252`, `latin1`, `utf-16le` or `shift_jis`",
        quoted(name)
    )]
    UnknownEncoding {
        /// The name.
        name: String,
    },
    /// A file is of a kind that holds no table, or none that is read.
    #[error("{}: found {found}, expected a table (CSV, TSV, JSON lines, Parquet, npy or npz); {advice}", path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What to do with it.
        advice: &'static str,
    },
    /// A column holds numbers with decimal commas.
    #[error(
        "{}, {place}, column {}: found {}; are these numbers with a decimal comma? then say so with `decimal_comma = true`, or else with `false` that the column is text",
        path.display(), quoted(column), quoted(found)
    )]
    DecimalComma {
        /// The file.
        path: PathBuf,
        /// Where the first such row stands.
        place: Place,
        /// The name of the column.
        column: String,
        /// The field.
        found: String,
    },
    /// A line of a JSON lines file is no flat object.
    #[error("{}, line {line}: {problem}", path.display())]
    JsonLine {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What was found, what was expected, and what to do.
        problem: String,
        /// What the parser says.
        source: Option<Cause>,
    },
    /// A binary file of a table is damaged, or holds something else than a table.
    #[error("{}: {problem}", path.display())]
    BinaryTable {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, and what to do.
        problem: String,
        /// What the decoder says.
        source: Option<Cause>,
    },
    /// A column of a binary file holds what no column of a table can.
    #[error("{}, column {}: found {found}, expected {expected}", path.display(), quoted(column))]
    BinaryColumn {
        /// The file.
        path: PathBuf,
        /// The name of the column.
        column: String,
        /// What it holds.
        found: String,
        /// What it may hold, and what to do.
        expected: &'static str,
    },

    // Columns of a table.
    /// No column has the name that was asked for.
    #[error(
        "{}: no column is named {}; {}the columns are {}{}",
        path.display(), quoted(name),
        nearest.as_ref().map(|nearest| format!("did you mean {}? ", quoted(nearest))).unwrap_or_default(),
        list(columns), headerless_hint(columns)
    )]
    UnknownColumn {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The most similar name, if one is similar enough.
        nearest: Option<String>,
        /// The names that there are.
        columns: Vec<String>,
    },
    /// Every column is the target or ignored.
    #[error("{}: no column is left to learn from; expected at least one beside the target that is not ignored", path.display())]
    NoFeatures {
        /// The file.
        path: PathBuf,
    },
    /// A feature column holds a field that is no number.
    #[error(
        "{}, {place}, column {}: found {}, expected a number; {}leave the column out with `--ignore {}`{}",
        path.display(), quoted(column), found_field(found),
        if found.is_empty() { "fill it in, or " } else { "" }, shell_word(column), others_hint(others)
    )]
    TextInFeature {
        /// The file.
        path: PathBuf,
        /// Where the row stands.
        place: Place,
        /// The name of the column.
        column: String,
        /// The field.
        found: String,
        /// The other feature columns refused for the same reason.
        others: Vec<String>,
    },
    /// The target column of a regression holds a field that is no number.
    #[error(
        "{}, {place}, column {}: found {}, expected a number; {}",
        path.display(), quoted(column), found_field(found), target_hint(found)
    )]
    TextInTarget {
        /// The file.
        path: PathBuf,
        /// Where the row stands.
        place: Place,
        /// The name of the column.
        column: String,
        /// The field.
        found: String,
    },
    /// A column that is asked for as numbers holds a field that is none.
    #[error(
        "{}, {place}, column {}: found {}, expected a number; correct the field or delete the row",
        path.display(), quoted(column), found_field(found)
    )]
    TextInColumn {
        /// The file.
        path: PathBuf,
        /// Where the row stands.
        place: Place,
        /// The name of the column.
        column: String,
        /// The field.
        found: String,
    },

    // Preprocessing.
    /// Columns that a model learned from are not there.
    #[error(
        "{}: no column is named {}; {}the columns are {}{}; with `--allow-missing-columns` a column that is not there is missing in every row",
        path.display(), list(absent),
        nearest.as_ref().map(|nearest| format!("did you mean {}? ", quoted(nearest))).unwrap_or_default(),
        list(columns), headerless_hint(columns)
    )]
    AbsentColumns {
        /// The file.
        path: PathBuf,
        /// The names that were looked for.
        absent: Vec<String>,
        /// The name most similar to the first of them that has one.
        nearest: Option<String>,
        /// The names that there are.
        columns: Vec<String>,
    },

    // Targets.
    /// A field of a class column is empty or, among numbers, not finite.
    #[error(
        "{}, {place}, column {}: found {}, expected the name of a class; fill it in or delete the row",
        path.display(), quoted(column), found_field(found)
    )]
    MissingClass {
        /// The file.
        path: PathBuf,
        /// Where the row stands.
        place: Place,
        /// The name of the column.
        column: String,
        /// The field.
        found: String,
    },
    /// All rows are of one class.
    #[error(
        "{}{}: found one class only, {}; expected two or more",
        path.display(),
        column.as_ref().map(|column| format!(", column {}", quoted(column))).unwrap_or_default(),
        quoted(class)
    )]
    OneClass {
        /// The file.
        path: PathBuf,
        /// The name of the column; none in a file of labels.
        column: Option<String>,
        /// The class.
        class: String,
    },
    /// A class column has hardly a class twice.
    #[error(
        "{}, column {}: found {classes} different classes in {}, expected few; check the column, or predict its numbers with `--task regression`",
        path.display(), quoted(column), count(*rows, "row")
    )]
    TooManyClasses {
        /// The file.
        path: PathBuf,
        /// The name of the column.
        column: String,
        /// Number of different classes.
        classes: usize,
        /// Number of rows.
        rows: usize,
    },
    /// A label names a class that the training labels do not have.
    #[error(
        "{}: found label {found} (number {position} of the file), expected 0 to {} as in the training labels",
        path.display(), classes.saturating_sub(1)
    )]
    UnknownLabel {
        /// The file.
        path: PathBuf,
        /// Where the label stands.
        position: usize,
        /// The label.
        found: u32,
        /// Number of classes.
        classes: usize,
    },

    // IDX files.
    /// A file is not in the IDX format.
    #[error(
        "{}: the first bytes are {}, expected 00 00 as in an IDX file; is it a CSV file? then leave out `--labels`",
        path.display(), hex(first_bytes)
    )]
    NotIdx {
        /// The file.
        path: PathBuf,
        /// Its first bytes, at most four.
        first_bytes: Vec<u8>,
    },
    /// An IDX file holds something else than bytes.
    #[error(
        "{}: found an IDX file with elements of type 0x{found:02x}, expected 0x08 (unsigned bytes); convert the file",
        path.display()
    )]
    IdxElement {
        /// The file.
        path: PathBuf,
        /// The code of the type.
        found: u8,
    },
    /// An IDX file has other dimensions than images, or labels, have.
    #[error(
        "{}: found an IDX file of {}, expected {}",
        path.display(), count(usize::from(*found), "dimension"),
        match expected {
            3 => "3 (images, rows, columns); are the images and the labels exchanged?",
            _ => "1 (labels); are the images and the labels exchanged?",
        }
    )]
    IdxRank {
        /// The file.
        path: PathBuf,
        /// Number of dimensions.
        found: u8,
        /// Number of dimensions that was expected: 3 for images, 1 for labels.
        expected: u8,
    },
    /// An IDX file announces no element, or more than a memory can hold.
    #[error(
        "{}: found an IDX file of {} elements, expected at least one and fewer than memory can hold; copy or download the file again",
        path.display(), product(dimensions)
    )]
    IdxSize {
        /// The file.
        path: PathBuf,
        /// Its dimensions.
        dimensions: Vec<u32>,
    },
    /// An IDX file ends early.
    #[error("{}: found {found} bytes of IDX data, expected {expected}; the file is cut short, copy or download it again", path.display())]
    IdxTruncated {
        /// The file.
        path: PathBuf,
        /// Bytes in the file, decompressed.
        found: usize,
        /// Bytes that its header announces, or of the header itself.
        expected: usize,
    },
    /// An IDX file goes on after its last element.
    #[error("{}: found more bytes of IDX data than the {expected} that the header announces; copy or download the file again", path.display())]
    IdxTrailing {
        /// The file.
        path: PathBuf,
        /// Bytes that the header announces, decompressed, itself included.
        expected: usize,
    },
    /// A file of labels does not belong to a file of images.
    #[error(
        "{}: found {} for the {} of {}; give the labels of these images",
        labels_path.display(), count(*labels, "label"), count(*images, "image"), images_path.display()
    )]
    LabelCount {
        /// The file of labels.
        labels_path: PathBuf,
        /// Number of labels.
        labels: usize,
        /// The file of images.
        images_path: PathBuf,
        /// Number of images.
        images: usize,
    },

    // Matrices.
    /// A matrix was given too many or too few values.
    #[error(
        "found {}, expected {} for a matrix of {} and {}",
        count(*found, "value"), *rows as u128 * *columns as u128, count(*rows, "row"), count(*columns, "column")
    )]
    MatrixShape {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// Number of values.
        found: usize,
    },
    /// A standardiser has not one mean and one scale per column.
    #[error(
        "found {} and {} to standardise columns with, expected one of each per column",
        count(*means, "mean"), count(*scales, "scale")
    )]
    StandardiserLength {
        /// Number of means.
        means: usize,
        /// Number of scales.
        scales: usize,
    },
    /// A standardiser has a mean or a scale that no column has.
    #[error(
        "column {column}: found mean {mean} and scale {scale} to standardise with, expected a finite mean and a finite scale above 0"
    )]
    StandardiserValue {
        /// Where the column stands.
        column: usize,
        /// Its mean.
        mean: f32,
        /// Its scale.
        scale: f32,
    },
    /// The part of the rows to validate on is none or all of them, or no part at all.
    #[error("found {fraction} as the part of the rows to validate on, expected a number between 0 and 1, such as 0.2")]
    ValidationFraction {
        /// The part.
        fraction: f64,
    },
    /// There are too few rows to train on some and to validate on others.
    #[error(
        "found {}, too few to set {fraction} of them aside for validation; expected one or more rows to train on and to validate on",
        count(*rows, "row")
    )]
    TooFewRows {
        /// Number of rows.
        rows: usize,
        /// The part to set aside.
        fraction: f64,
    },

    // What columns are, and how rows are split.
    /// A column is asked to be two things.
    #[error(
        "{}, column {}: is to be {first} and {second} at once; give it one use",
        path.display(), quoted(column)
    )]
    ColumnUses {
        /// The file.
        path: PathBuf,
        /// The name of the column.
        column: String,
        /// One use.
        first: &'static str,
        /// The other use.
        second: &'static str,
    },
    /// A column is not of the type that is given for it.
    #[error(
        "{}, {place}, column {}: found {}, expected {expected}, since the type `{given}` is given; correct the field or give another type",
        path.display(), quoted(column), found_value(found)
    )]
    GivenType {
        /// The file.
        path: PathBuf,
        /// Where the first row stands that does not fit.
        place: Place,
        /// The name of the column.
        column: String,
        /// The type.
        given: &'static str,
        /// The field; empty where all are missing.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// Every column is the target, or left out for what stands in it.
    #[error(
        "{}: no column is left to learn from: {}; give the type of one of them, such as `category`, or another file",
        path.display(), left_out.join(", ")
    )]
    NothingToLearn {
        /// The file.
        path: PathBuf,
        /// The columns, and why each is left out.
        left_out: Vec<String>,
    },
    /// A weight is no number from 0 upwards.
    #[error(
        "{}, {place}, column {}: found {}, expected a weight: a finite number of 0 or above; correct the field or delete the row",
        path.display(), quoted(column), found_value(found)
    )]
    UnusableWeight {
        /// The file.
        path: PathBuf,
        /// Where the row stands.
        place: Place,
        /// The name of the column.
        column: String,
        /// The field; empty where it is missing.
        found: String,
    },
    /// A field by which rows are to be put in the order of time is neither a number nor a date.
    #[error(
        "{}, {place}, column {}: found {}, expected a finite number or a date such as 2024-01-31 in every row, to put the rows in the order of time; correct the field or delete the row",
        path.display(), quoted(column), found_value(found)
    )]
    UnusableTime {
        /// The file.
        path: PathBuf,
        /// Where the row stands.
        place: Place,
        /// The name of the column.
        column: String,
        /// The field; empty where it is missing.
        found: String,
    },
    /// The parts of the rows to set aside leave nothing to train on, or are no parts.
    #[error(
        "found {validation} and {test} as the parts of the rows to validate and to test on, expected numbers of 0 or above that together are below 1, such as 0.15 and 0.15"
    )]
    Fractions {
        /// The part to validate on.
        validation: f64,
        /// The part to test on.
        test: f64,
    },
    /// There are too few rows for a row in each part, or in each part one of each class.
    #[error(
        "found {} to validate on and {} to test on out of {}, expected at least {needed} in each part that is asked for and in the rest; ask for other parts, or bring more rows",
        count(*validation, "row"), count(*test, "row"), count(*rows, "row")
    )]
    SmallPart {
        /// Number of rows.
        rows: usize,
        /// Rows to validate on.
        validation: usize,
        /// Rows to test on.
        test: usize,
        /// Rows that each part needs.
        needed: usize,
    },
    /// A class has too few rows for each part of a split to have one.
    #[error(
        "found the class {} in {}, expected at least {needed}, one for each part of the split; join it with another class, delete its rows, or split with `random`",
        quoted(class), count(*rows, "row")
    )]
    RareClass {
        /// The class.
        class: String,
        /// Its rows.
        rows: usize,
        /// Number of parts.
        needed: usize,
    },
    /// A column has too few different values for each part of a split to have its own.
    #[error(
        "{}, column {}: found {} that differ, expected at least {needed}, one for each part of the split; ask for fewer parts, or split by another column or with `random`",
        path.display(), quoted(column), count(*found, "value")
    )]
    FewValues {
        /// The file.
        path: PathBuf,
        /// The name of the column.
        column: String,
        /// Number of values.
        found: usize,
        /// Number of parts.
        needed: usize,
    },
    /// A number of folds that rows cannot be cut into.
    #[error("found {folds} folds for {}, expected from 2 folds to as many as there are rows", count(*rows, "row"))]
    Folds {
        /// The folds.
        folds: usize,
        /// Number of rows.
        rows: usize,
    },

    // Model files.
    /// A file cannot be written.
    #[error("{}: cannot be written", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is no model stands where one is to be written.
    #[error("{}: exists and is no model file, so it is not replaced; give another name with `--output`", path.display())]
    OutputTaken {
        /// The file.
        path: PathBuf,
    },
    /// A file that is read stands where one is to be written.
    #[error("{}: is read by this command, so it is not replaced; give another name with `--output`", path.display())]
    OutputIsInput {
        /// The file.
        path: PathBuf,
    },
    /// A class that the model did not learn.
    #[error(
        "{}, column {}: found the class {}, expected one of those to learn from: {}",
        path.display(), quoted(column), quoted(class), list(classes)
    )]
    UnknownClass {
        /// The file.
        path: PathBuf,
        /// The name of the column.
        column: String,
        /// The class.
        class: String,
        /// The classes that are known.
        classes: Vec<String>,
    },
    /// A model file is not one of ours, or is damaged.
    #[error("{}: {problem}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },

    // Settings.
    /// A file of settings is none, or holds one that there is not.
    #[error("{}: {problem}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },

    // Training.
    /// The loss or a weight stopped being a number.
    #[error(
        "{what}{} became {value} at step {step} (epoch {epoch}){}{}; {advice}",
        trace.member.map(|member| format!(" of member {}", member + 1)).unwrap_or_default(),
        over_rows(&trace.rows), trace.good.as_ref().map(|good| format!("; {good}")).unwrap_or_default()
    )]
    NotFinite {
        /// The first tensor, in order of computation, that holds such a value.
        what: String,
        /// The value: `NaN`, `inf` or `-inf`.
        value: String,
        /// The step of the whole run, counted from 1.
        step: u64,
        /// The epoch, counted from 1.
        epoch: u64,
        /// Where it was, and how it stood before.
        trace: Box<Trace>,
        /// What to try.
        advice: String,
    },

    // Checkpoints.
    /// A checkpoint that cannot be gone on from.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, and what to do.
        problem: String,
    },
}

/// Where a training went wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Which of several members, counted from 0; none where there is one alone.
    pub member: Option<usize>,
    /// The layer, such as `layers.2`; none for what belongs to none, such as a loss.
    pub layer: Option<String>,
    /// The rows of the step's batch in the data, counted from 0; for a feature or a target its row alone.
    pub rows: Vec<u32>,
    /// How it stood before that step; none where it was wrong already.
    pub good: Option<LastGood>,
}

/// How a training stood before the step that went wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastGood {
    /// The mean loss over the batch of the step before; none before the first one.
    pub loss: Option<f32>,
    /// The Euclidean norm of that step's gradients, as the optimizer took them; none where an epoch began after it.
    pub gradients: Option<f64>,
    /// The Euclidean norm of the weights after it.
    pub weights: f64,
}

impl fmt::Display for LastGood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |value: f64| six_digits(value as f32);
        match self.loss {
            Some(loss) => write!(f, "the step before had loss {}", six_digits(loss))?,
            None => write!(f, "it began")?,
        }
        if let Some(gradients) = self.gradients {
            write!(f, ", gradients of norm {}", digits(gradients))?;
        }
        let joint = if self.loss.is_some() { " and" } else { " with" };
        write!(f, "{joint} weights of norm {}", digits(self.weights))
    }
}

fn over_rows(rows: &[u32]) -> String {
    const LONGEST: usize = 5;
    let shown: Vec<String> = rows.iter().take(LONGEST).map(|row| (row + 1).to_string()).collect();
    match rows.len() {
        0 => String::new(),
        1 => format!(", in row {} of the data", shown[0]),
        n if n <= LONGEST => format!(", in rows {} of the data", shown.join(", ")),
        n => format!(", in rows {} and {} more of the data", shown.join(", "), n - LONGEST),
    }
}

/// Where a row stands in its file; both are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The line on which it begins.
    Line(usize),
    /// Its number, in a file without lines.
    Row(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Row(row) => write!(f, "row {row}"),
        }
    }
}

impl Error {
    /// Why a file could not be opened or read.
    pub fn unreadable(path: &Path, source: io::Error) -> Error {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Error::NoSuchFile { path },
            io::ErrorKind::IsADirectory => Error::IsDirectory { path },
            _ => Error::Unreadable { path, source },
        }
    }
}

fn adapters(found: &[String]) -> String {
    if found.is_empty() { "none".into() } else { found.join(", ") }
}

/// `1 row`, `2 rows`, `no rows`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    match n {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{n} {noun}s"),
    }
}

/// `text` between backticks on one line, shortened when it is long.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown = String::new();
    for c in text.chars().take(LONGEST) {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// The names in `names` between backticks, the first ten where there are more.
pub(crate) fn list(names: &[String]) -> String {
    const LONGEST: usize = 10;
    let shown: Vec<_> = names.iter().take(LONGEST).map(|name| quoted(name)).collect();
    match names.len().saturating_sub(LONGEST) {
        0 => shown.join(", "),
        left => format!("{} and {left} more", shown.join(", ")),
    }
}

/// What a field that was refused as a number is.
fn found_field(field: &str) -> String {
    match field.parse::<f64>() {
        _ if field.is_empty() => "a missing value".to_owned(),
        Ok(number) if number.is_finite() => {
            format!("{}, which is beyond the range of 32-bit numbers (3.4e38)", quoted(field))
        }
        Ok(_) => format!("{}, which is not a finite number", quoted(field)),
        Err(_) => format!("the text {}", quoted(field)),
    }
}

/// A field that was refused, whatever it should have been.
fn found_value(field: &str) -> String {
    if field.is_empty() { "a missing value".to_owned() } else { quoted(field) }
}

fn target_hint(field: &str) -> &'static str {
    match field.parse::<f64>() {
        Err(_) if !field.is_empty() => "correct it, or take the column as classes with `--task classification`",
        _ => "correct the field or delete the row",
    }
}

fn others_hint(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!(" (likewise {})", list(others)),
    }
}

fn headerless_hint(names: &[impl AsRef<str>]) -> &'static str {
    match names.iter().all(|name| name.as_ref().parse::<f64>().is_ok()) {
        true => "; does the file begin without a line of column names?",
        false => "",
    }
}

fn open_quote_hint(line: usize, last_line: usize) -> String {
    match line == last_line {
        true => String::new(),
        false => format!("; the row goes on to line {last_line}, is a quote left open?"),
    }
}

/// `text` as one word of a command line.
fn shell_word(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-.:/%+".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

fn product(dimensions: &[u32]) -> String {
    let dimensions: Vec<_> = dimensions.iter().map(u32::to_string).collect();
    dimensions.join(" x ")
}
