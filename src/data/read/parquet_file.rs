//! How a Parquet file becomes a table: column by column, so that little is held beside it.

use std::any::Any;
use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Once;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96,
    Int96Type,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::super::source::Source;
use super::super::table::{Column, ColumnBuilder, Table, is_missing};
use super::ReadOptions;
use super::typed::{self, TextBuilder};
use crate::{Error, Result};

/// Rows that are decoded at once.
const BATCH: usize = 8192;

/// The most values that a file may announce for each of its bytes.
///
/// A run of equal values takes a few bytes, however long it is; without a bound a few bytes could ask for all memory.
const MOST_VALUES_PER_BYTE: u64 = 1 << 16;

/// Reads a Parquet file; [`Table::read`] tells what is refused.
pub(super) fn read(mut source: Source, options: &ReadOptions) -> Result<Table> {
    let path = source.path().to_owned();
    // The footer stands at the end, so that what cannot be read at any place is read whole.
    if source.is_plain_file() {
        let file = File::open(&path).map_err(|error| Error::unreadable(&path, error))?;
        let n_bytes = file.metadata().map_err(|error| Error::unreadable(&path, error))?.len();
        return catch(&path, || read_table(file, n_bytes, &path, options));
    }
    let bytes = Bytes::from(source.read_to_end()?);
    let n_bytes = bytes.len() as u64;
    catch(&path, || read_table(bytes, n_bytes, &path, options))
}

/// Runs `reading`, and makes an error of a panic in it.
///
/// The parquet crate panics on some damaged files, and no check from outside can tell which. What it leaves behind is
/// dropped here, so that nothing is seen in a broken state. Its messages are for its authors; nobody else sees them.
fn catch<T>(path: &Path, reading: impl FnOnce() -> Result<T>) -> Result<T> {
    thread_local! {
        static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static QUIET_HOOK: Once = Once::new();
    // The hook belongs to the whole program: it is replaced once, and says what it said before but on this thread now.
    QUIET_HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                before(panic);
            }
        }));
    });
    let was_quiet = IS_QUIET.replace(true);
    let caught = panic::catch_unwind(AssertUnwindSafe(reading));
    IS_QUIET.set(was_quiet);
    caught.unwrap_or_else(|panic| Err(damaged(path, ParquetError::General(message(&*panic)))))
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "the decoder panicked".to_owned())
}

fn damaged(path: &Path, error: ParquetError) -> Error {
    let problem = match error {
        ParquetError::NYI(_) => "the Parquet file uses what is not read here; save it again with another program",
        _ => "the Parquet data is damaged or cut short; copy or download the file again",
    };
    Error::BinaryTable { path: path.to_owned(), problem: problem.to_owned(), source: Some(error.into()) }
}

fn read_table<R: ChunkReader + 'static>(reader: R, n_bytes: u64, path: &Path, options: &ReadOptions) -> Result<Table> {
    let refused = |problem: String| Error::BinaryTable { path: path.to_owned(), problem, source: None };
    let reader = SerializedFileReader::new(reader).map_err(|error| damaged(path, error))?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema_descr();

    let (mut names, mut columns) = (HashSet::new(), Vec::new());
    for (position, descriptor) in schema.columns().iter().enumerate() {
        let name = name(descriptor, position);
        if is_nested(descriptor) {
            return Err(Error::BinaryColumn {
                path: path.to_owned(),
                column: name,
                found: "nested values".into(),
                expected: "one value in each row; leave the column out when writing the file, or write its parts as columns",
            });
        }
        if !names.insert(name.clone()) {
            return Err(refused(format!(
                "found the column name `{}` twice, expected each name once; rename one",
                name.escape_debug()
            )));
        }
        let kind = Kind::of(descriptor).map_err(|found| Error::BinaryColumn {
            path: path.to_owned(),
            column: name.clone(),
            found,
            expected: "numbers, booleans, text, dates or times; leave the column out when writing the file",
        })?;
        columns.push((name, kind));
    }
    if columns.is_empty() {
        return Err(refused("found no column, expected at least one".into()));
    }

    let n_rows = metadata.row_groups().iter().try_fold(0u64, |sum, group| {
        sum.checked_add(u64::try_from(group.num_rows()).ok()?).filter(|sum| *sum < u64::from(u32::MAX))
    });
    let n_rows = match n_rows.filter(|n_rows| is_believable(*n_rows, columns.len(), n_bytes)) {
        Some(0) => return Err(Error::NoRows { path: path.to_owned(), columns: columns.len() }),
        Some(n_rows) => n_rows as usize,
        None => return Err(refused("announces more rows than it can hold; copy or download the file again".into())),
    };

    let missing = options.missing_numbers();
    let columns = columns.iter().enumerate().map(|(position, (name, kind))| {
        let column = ColumnReader { reader: &reader, path, position, name, options, missing: &missing };
        let column = column.read(kind)?;
        match column.n_rows() == n_rows {
            true => Ok(column),
            false => Err(damaged(path, ParquetError::General(format!("{} rows of {n_rows}", column.n_rows())))),
        }
    });
    Ok(Table::new(path, columns.collect::<Result<_>>()?, None))
}

/// Whether a file of so many bytes may hold so many values.
pub(super) fn is_believable(n_rows: u64, n_columns: usize, n_bytes: u64) -> bool {
    n_rows.saturating_mul(n_columns as u64) / MOST_VALUES_PER_BYTE <= n_bytes
}

fn name(descriptor: &ColumnDescriptor, position: usize) -> String {
    match descriptor.path().parts() {
        [name, ..] if !name.is_empty() => name.clone(),
        _ => format!("unnamed_{}", position + 1),
    }
}

/// Whether a row holds a list, a map or a structure, and not one value.
fn is_nested(descriptor: &ColumnDescriptor) -> bool {
    descriptor.path().parts().len() != 1 || descriptor.max_rep_level() != 0 || descriptor.max_def_level() > 1
}

/// What the values of a column stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Boolean,
    Signed,
    Unsigned,
    F16,
    F32,
    F64,
    /// With so many digits behind the point.
    Decimal(u32),
    Date,
    Time(TimeUnit),
    /// And whether it is that of UTC.
    Timestamp(TimeUnit, bool),
    /// The old form of timestamps: nanoseconds of a Julian day.
    OldTimestamp,
    Text,
    Uuid,
    /// Nothing but missing values.
    Missing,
}

impl Kind {
    /// # Errors
    ///
    /// What the column holds, where no column of a table can.
    fn of(descriptor: &ColumnDescriptor) -> std::result::Result<Kind, String> {
        use PhysicalType::{BOOLEAN, BYTE_ARRAY, DOUBLE, FIXED_LEN_BYTE_ARRAY, FLOAT, INT32, INT64, INT96};
        let physical = descriptor.physical_type();
        let decimal = || u32::try_from(descriptor.type_scale()).ok().filter(|scale| *scale <= 76).map(Kind::Decimal);
        let by_logical = match (physical, descriptor.logical_type_ref(), descriptor.converted_type()) {
            (INT32 | INT64, Some(LogicalType::Integer(integer)), _) => {
                Some(if integer.is_signed { Kind::Signed } else { Kind::Unsigned })
            }
            (INT32 | INT64 | BYTE_ARRAY | FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Decimal(_)), _) => decimal(),
            (INT32, Some(LogicalType::Date), _) => Some(Kind::Date),
            (INT32 | INT64, Some(LogicalType::Time(time)), _) => Some(Kind::Time(time.unit)),
            (INT64, Some(LogicalType::Timestamp(time)), _) => {
                Some(Kind::Timestamp(time.unit, time.is_adjusted_to_u_t_c))
            }
            (BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json), _) => Some(Kind::Text),
            (FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid), _) if descriptor.type_length() == 16 => Some(Kind::Uuid),
            (FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16), _) if descriptor.type_length() == 2 => Some(Kind::F16),
            (_, Some(LogicalType::Unknown), _) => Some(Kind::Missing),
            (_, Some(logical), _) => return Err(format!("values of type {logical:?}")),
            // Files of older programs have these alone.
            (INT32 | INT64, None, ConvertedType::UINT_8 | ConvertedType::UINT_16) => Some(Kind::Unsigned),
            (INT32 | INT64, None, ConvertedType::UINT_32 | ConvertedType::UINT_64) => Some(Kind::Unsigned),
            (_, None, ConvertedType::DECIMAL) => decimal(),
            (INT32, None, ConvertedType::DATE) => Some(Kind::Date),
            (INT32, None, ConvertedType::TIME_MILLIS) => Some(Kind::Time(TimeUnit::MILLIS)),
            (INT64, None, ConvertedType::TIME_MICROS) => Some(Kind::Time(TimeUnit::MICROS)),
            (INT64, None, ConvertedType::TIMESTAMP_MILLIS) => Some(Kind::Timestamp(TimeUnit::MILLIS, true)),
            (INT64, None, ConvertedType::TIMESTAMP_MICROS) => Some(Kind::Timestamp(TimeUnit::MICROS, true)),
            (FIXED_LEN_BYTE_ARRAY, None, ConvertedType::INTERVAL) => return Err("intervals of time".into()),
            (_, None, ConvertedType::BSON) => return Err("BSON".into()),
            (BOOLEAN, None, _) => Some(Kind::Boolean),
            (INT32 | INT64, None, _) => Some(Kind::Signed),
            (INT96, None, _) => Some(Kind::OldTimestamp),
            (FLOAT, None, _) => Some(Kind::F32),
            (DOUBLE, None, _) => Some(Kind::F64),
            // Programs that know no text write it so; other bytes are refused where they stand.
            (BYTE_ARRAY | FIXED_LEN_BYTE_ARRAY, None, _) => Some(Kind::Text),
        };
        by_logical.ok_or_else(|| "decimals of a scale that there is not".to_owned())
    }
}

/// Reads one column of a file.
struct ColumnReader<'a, R: ChunkReader> {
    reader: &'a SerializedFileReader<R>,
    path: &'a Path,
    position: usize,
    name: &'a str,
    options: &'a ReadOptions,
    /// The numbers that stand for a missing value.
    missing: &'a [f64],
}

impl<R: ChunkReader + 'static> ColumnReader<'_, R> {
    fn read(&self, kind: &Kind) -> Result<Column> {
        let physical = self.reader.metadata().file_metadata().schema_descr().column(self.position).physical_type();
        match (physical, *kind) {
            (_, Kind::Missing) => {
                let n_rows = self.reader.metadata().row_groups().iter().map(|group| group.num_rows() as usize).sum();
                Ok(typed::numbers(self.name, vec![f64::NAN; n_rows], &[]))
            }
            (PhysicalType::BOOLEAN, _) => self.texts::<BoolType>(|&value| Some(value.to_string())),
            (PhysicalType::FLOAT, _) => self.numbers::<FloatType>(|&value| Ok(typed::of_f32(value))),
            (PhysicalType::DOUBLE, _) => self.numbers::<DoubleType>(|&value| Ok(value)),
            (PhysicalType::INT96, _) => self.texts::<Int96Type>(old_timestamp),
            (PhysicalType::INT32, Kind::Unsigned) => self.integers::<Int32Type>(|&value| i128::from(value as u32)),
            (PhysicalType::INT64, Kind::Unsigned) => self.integers::<Int64Type>(|&value| i128::from(value as u64)),
            (PhysicalType::INT32, Kind::Decimal(scale)) => {
                self.decimals::<Int32Type>(scale, |&value| Some(value.into()))
            }
            (PhysicalType::INT64, Kind::Decimal(scale)) => {
                self.decimals::<Int64Type>(scale, |&value| Some(value.into()))
            }
            (PhysicalType::INT32, Kind::Date) => self.texts::<Int32Type>(|&days| date(days)),
            (PhysicalType::INT32, Kind::Time(unit)) => self.texts::<Int32Type>(|&value| time(value.into(), unit)),
            (PhysicalType::INT64, Kind::Time(unit)) => self.texts::<Int64Type>(|&value| time(value, unit)),
            (PhysicalType::INT64, Kind::Timestamp(unit, is_utc)) => {
                self.texts::<Int64Type>(|&value| timestamp(value, unit, is_utc))
            }
            (PhysicalType::INT32, _) => self.integers::<Int32Type>(|&value| i128::from(value)),
            (PhysicalType::INT64, _) => self.integers::<Int64Type>(|&value| i128::from(value)),
            (PhysicalType::BYTE_ARRAY, Kind::Decimal(scale)) => {
                self.decimals::<ByteArrayType>(scale, |value| big_endian(value.data()))
            }
            (PhysicalType::FIXED_LEN_BYTE_ARRAY, Kind::Decimal(scale)) => {
                self.decimals::<FixedLenByteArrayType>(scale, |value| big_endian(value.data()))
            }
            (PhysicalType::FIXED_LEN_BYTE_ARRAY, Kind::F16) => self.numbers::<FixedLenByteArrayType>(|value| {
                let bytes = value.data().try_into().map_err(|_| "a number of other than 16 bits")?;
                Ok(typed::of_f16(u16::from_le_bytes(bytes)))
            }),
            (PhysicalType::FIXED_LEN_BYTE_ARRAY, Kind::Uuid) => {
                self.texts::<FixedLenByteArrayType>(|value| uuid(value.data()))
            }
            (PhysicalType::BYTE_ARRAY, _) => self.texts::<ByteArrayType>(|value| text(value.data())),
            (PhysicalType::FIXED_LEN_BYTE_ARRAY, _) => self.texts::<FixedLenByteArrayType>(|value| text(value.data())),
        }
    }

    /// Gives each value of the column to `take`, or nothing where it is missing; [`Break`](Stop::Enough) ends it.
    fn each<T: DataType>(&self, mut take: impl FnMut(Option<&T::T>) -> std::result::Result<(), Stop>) -> Result<bool> {
        let mut row = 0;
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        for group in 0..self.reader.num_row_groups() {
            let damaged = |error| damaged(self.path, error);
            let group = self.reader.get_row_group(group).map_err(damaged)?;
            let reader = group.get_column_reader(self.position).map_err(damaged)?;
            let is_optional = group.metadata().column(self.position).column_descr().max_def_level() > 0;
            let mut reader = get_typed_column_reader::<T>(reader);
            let mut n_left = group.metadata().num_rows() as usize;
            while n_left > 0 {
                values.clear();
                levels.clear();
                let read = reader.read_records(BATCH.min(n_left), Some(&mut levels), None, &mut values);
                let (n_rows, ..) = read.map_err(damaged)?;
                if n_rows == 0 {
                    return Err(damaged(ParquetError::EOF(format!("{n_left} more rows"))));
                }
                let mut present = values.iter();
                // Without levels every value is there.
                let levels = levels.iter().copied().chain(std::iter::repeat(1));
                for level in levels.take(n_rows) {
                    let value = match is_optional && level == 0 {
                        true => None,
                        false => Some(present.next().ok_or_else(|| damaged(ParquetError::EOF("a value".into())))?),
                    };
                    match take(value) {
                        Ok(()) => row += 1,
                        Err(Stop::Enough) => return Ok(false),
                        Err(Stop::Refused(found)) => {
                            return Err(Error::BinaryColumn {
                                path: PathBuf::from(self.path),
                                column: self.name.to_owned(),
                                found: format!("{found} in row {}", row + 1),
                                expected: "values of the column's type; leave the column out when writing the file",
                            });
                        }
                    }
                }
                n_left -= n_rows;
            }
        }
        Ok(true)
    }

    fn numbers<T: DataType>(&self, number: impl Fn(&T::T) -> std::result::Result<f64, &'static str>) -> Result<Column> {
        let mut numbers = Vec::new();
        self.each::<T>(|value| {
            numbers.push(value.map_or(Ok(f64::NAN), &number).map_err(Stop::Refused)?);
            Ok(())
        })?;
        Ok(typed::numbers(self.name, numbers, self.missing))
    }

    /// Numbers, or text where the digits would not all be kept.
    fn integers<T: DataType>(&self, integer: impl Fn(&T::T) -> i128) -> Result<Column> {
        let mut numbers = Vec::new();
        let are_exact = self.each::<T>(|value| {
            let integer = value.map(&integer);
            if !typed::is_exact(integer) {
                return Err(Stop::Enough);
            }
            numbers.push(integer.map_or(f64::NAN, |integer| integer as f64));
            Ok(())
        })?;
        if are_exact {
            Ok(typed::numbers(self.name, numbers, self.missing))
        } else {
            self.texts::<T>(|value| Some(integer(value).to_string()))
        }
    }

    fn decimals<T: DataType>(&self, scale: u32, digits: impl Fn(&T::T) -> Option<i128>) -> Result<Column> {
        let mut builder = ColumnBuilder::new(self.name);
        self.each::<T>(|value| {
            let text = match value {
                Some(value) => decimal(digits(value).ok_or(Stop::Refused("a decimal of more than 128 bits"))?, scale),
                None => String::new(),
            };
            builder.push(if self.options.is_extra_missing(&text) { "" } else { &text });
            Ok(())
        })?;
        Ok(builder.finish())
    }

    /// Text, of which what stands for a missing value is missing.
    fn texts<T: DataType>(&self, text: impl Fn(&T::T) -> Option<String>) -> Result<Column> {
        let mut texts = TextBuilder::default();
        self.each::<T>(|value| {
            let Some(value) = value else {
                texts.push_missing();
                return Ok(());
            };
            let text = text(value).ok_or(Stop::Refused("a value that is no text, or out of range,"))?;
            let text = text.trim();
            if is_missing(text) || self.options.is_extra_missing(text) {
                texts.push_missing()
            } else {
                texts.push(text)
            }
            Ok(())
        })?;
        Ok(texts.finish(self.name))
    }
}

/// Why the values of a column are not read to the end.
enum Stop {
    /// Enough is known.
    Enough,
    /// A value is none of the column's type, in a few words.
    Refused(&'static str),
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// The integer whose two's complement `bytes` are.
pub(super) fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first().is_some_and(|byte| *byte > 0x7f) { 0xff } else { 0 };
    let (above, low) = bytes.split_at(bytes.len().saturating_sub(16));
    let is_extended =
        above.iter().all(|&byte| byte == sign) && low.first().is_none_or(|byte| above.is_empty() || byte ^ sign < 0x80);
    let mut whole = [sign; 16];
    whole[16 - low.len()..].copy_from_slice(low);
    is_extended.then(|| i128::from_be_bytes(whole))
}

/// `digits` with a point before the last `scale` of them.
pub(super) fn decimal(digits: i128, scale: u32) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let text = format!("{:0width$}", digits.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = text.split_at(text.len() - scale as usize);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The day so many days after 1970-01-01.
fn date(days: i32) -> Option<String> {
    NaiveDate::default().checked_add_signed(TimeDelta::days(days.into())).map(|date| format!("{date:?}"))
}

fn nanoseconds_in(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    }
}

fn time(count: i64, unit: TimeUnit) -> Option<String> {
    let per_second = 1_000_000_000 / nanoseconds_in(unit);
    let seconds = u32::try_from(count.div_euclid(per_second)).ok()?;
    let nanoseconds = count.rem_euclid(per_second) * nanoseconds_in(unit);
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanoseconds as u32).map(|time| format!("{time:?}"))
}

/// The moment so many units after 1970-01-01T00:00:00.
fn timestamp(count: i64, unit: TimeUnit, is_utc: bool) -> Option<String> {
    let per_second = 1_000_000_000 / nanoseconds_in(unit);
    let nanoseconds = count.rem_euclid(per_second) * nanoseconds_in(unit);
    let moment = DateTime::from_timestamp(count.div_euclid(per_second), nanoseconds as u32)?.naive_utc();
    Some(format!("{moment:?}{}", if is_utc { "Z" } else { "" }))
}

/// Eight bytes of nanoseconds, four of the Julian day; that of 1970-01-01 is 2,440,588. The zone is unknown.
fn old_timestamp(value: &Int96) -> Option<String> {
    let [low, high, day] = *value.data() else { return None };
    let nanoseconds = i64::try_from(u64::from(high) << 32 | u64::from(low)).ok()?;
    let seconds = (i64::from(day) - 2_440_588) * 86_400 + nanoseconds / 1_000_000_000;
    let moment = DateTime::from_timestamp(seconds, (nanoseconds % 1_000_000_000) as u32)?.naive_utc();
    Some(format!("{moment:?}"))
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let parts = [bytes.get(..4)?, bytes.get(4..6)?, bytes.get(6..8)?, bytes.get(8..10)?, bytes.get(10..)?];
    Some(parts.map(hex).join("-"))
}
