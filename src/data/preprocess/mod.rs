//! The columns of a table as inputs of a network: what is fitted on the rows to learn from, and stays with the model.

mod category;
mod date;
mod number;
mod options;
mod rows;

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use self::category::{BooleanEncoder, EmbeddingEncoder, KnownLevels, OneHotEncoder};
pub(super) use self::category::{Code, Lookup, boolean_codes, count, is_word, no_and_yes};
pub use self::date::{DateEncoder, EncodedPart};
use self::number::numbers_or_missing;
pub use self::number::{NumberEncoder, Scaling};
pub(super) use self::number::{Summary, numbers};
pub use self::options::{Clip, DatePart, Fill, PreprocessingOptions, Scale};
use self::rows::Rows;
use super::table::{Refused, nearest};
use super::{Column, ColumnSchema, ColumnType, Matrix, Role, Schema, Standardiser, Table, Values};
use crate::error::Place;
use crate::{Error, Result};

/// How each column of a table becomes inputs of a network.
///
/// It is fitted on the rows to learn from, and takes rows of any table that has the columns, in any order and typed in
/// any way: what was a number may be text that says it, as a part of a file may have it. Serialised, it is the list of
/// the columns with their encoders; reading it back checks it.
///
/// ```
/// use nngpu::data::{Preprocessing, Schema, SchemaOptions, Table};
///
/// let table = Table::read_csv("examples/data/iris.csv")?;
/// let schema = Schema::infer(&table, &SchemaOptions { targets: vec!["species".into()], ..Default::default() })?;
/// let rows: Vec<u32> = (0..100).collect();
/// let preprocessing = Preprocessing::fit(&table, &schema, &rows, &Default::default())?;
///
/// assert_eq!(preprocessing.input_names()[0], "sepal length (cm)");
/// assert_eq!(preprocessing.apply(&table)?.columns(), 4);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Preprocessing {
    /// In the order of the inputs; columns for embeddings are the last.
    columns: Vec<EncodedColumn>,
}

/// A column and what makes inputs of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodedColumn {
    /// Its name.
    pub name: String,
    /// What makes inputs of it.
    pub encoder: Encoder,
}

/// What makes inputs of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoder {
    /// A number on a scale.
    Number(NumberEncoder),
    /// No and yes as 0 and 1.
    Boolean(BooleanEncoder),
    /// An input for each level.
    OneHot(OneHotEncoder),
    /// The number of the level, for an embedding.
    Embedding(EmbeddingEncoder),
    /// The parts of a date.
    Date(DateEncoder),
}

/// An input that is the number of a level, to begin a network with a [`Layer::Embedding`](crate::nn::Layer::Embedding).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedInput {
    /// The column of the matrix, counted from 0, when its layer is applied.
    pub column: u32,
    /// How many numbers there are, with 0 for levels that are not known.
    pub levels: u32,
    /// Columns of the vector.
    pub size: u32,
}

/// What became of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The inputs, `[rows, inputs]`.
    pub matrix: Matrix,
    /// Columns that the table does not have, whose values were taken as missing.
    pub absent: Vec<String>,
    /// Columns with values that nothing was learned of.
    pub unknown: Vec<UnknownValues>,
}

/// Values of a column that nothing was learned of: levels that are not known, or texts that are no dates or no numbers.
/// Levels that were joined as rare are no longer told from those never seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValues {
    /// The name of the column.
    pub column: String,
    /// In how many rows.
    pub n_rows: usize,
    /// The first of them.
    pub first: String,
    /// Where it stands.
    pub place: Place,
}

/// A column in words, for a table of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnDescription {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: &'static str,
    /// What becomes of it.
    pub encoder: String,
    /// How many inputs it makes.
    pub n_inputs: usize,
    /// What was found in the rows that it was fitted on.
    pub statistics: String,
}

impl Preprocessing {
    /// Fits the features of `schema` on the `rows` of `table`; no other row has an influence.
    ///
    /// # Errors
    ///
    /// No rows, no features or features without any value; a column of the schema that the table does not have; in a
    /// column that was said to hold numbers a text; a number that is not finite; a boolean column with three or more values; a date in
    /// no form that is known; a feature that is an identifier, constant or free text; a setting outside its range.
    pub fn fit(table: &Table, schema: &Schema, rows: &[u32], options: &PreprocessingOptions) -> Result<Preprocessing> {
        options.check()?;
        if rows.is_empty() {
            let (found, expected) = ("no rows".into(), "at least one to learn from".into());
            return Err(Error::Shape { operation: "preprocessing".into(), found, expected });
        }
        let features = schema.columns.iter().filter(|column| column.role == Role::Feature);
        let fit = |feature: &ColumnSchema| {
            let column = table.column(&feature.name)?;
            let encoder = Encoder::fit(table, column, feature, rows, options)?;
            Ok(EncodedColumn { name: feature.name.clone(), encoder })
        };
        let mut columns = features.map(fit).collect::<Result<Vec<_>>>()?;
        // The sort keeps the order of all others.
        columns.sort_by_key(|column| matches!(column.encoder, Encoder::Embedding(_)));
        let preprocessing = Preprocessing { columns };
        if preprocessing.n_inputs() == 0 {
            return Err(Error::NoFeatures { path: table.path().to_owned() });
        }
        Ok(preprocessing)
    }

    /// Columns of numbers that are standardised, and may not be missing.
    ///
    /// # Errors
    ///
    /// Another number of columns than the standardiser has; two columns of one name.
    pub fn standardised(columns: Vec<String>, standardiser: &Standardiser) -> Result<Preprocessing> {
        let (n_columns, n_scales) = (columns.len(), standardiser.mean().len());
        if n_columns != n_scales {
            return Err(Error::Shape {
                operation: "preprocessing".into(),
                found: format!("{n_columns} columns and {n_scales} means and scales"),
                expected: "one of each for each column".into(),
            });
        }
        let scales = standardiser.mean().iter().zip(standardiser.scale());
        let encode = |(name, (&mean, &scale)): (String, (&f32, &f32))| {
            let encoder = Encoder::Number(NumberEncoder::standard(f64::from(mean), f64::from(scale)));
            EncodedColumn { name, encoder }
        };
        Preprocessing::try_from(Unchecked { columns: columns.into_iter().zip(scales).map(encode).collect() })
            .map_err(|problem| Error::Setting { name: "columns".into(), found: problem, expected: "others".into() })
    }

    /// The columns with their encoders, in the order of their inputs.
    pub fn columns(&self) -> &[EncodedColumn] {
        &self.columns
    }

    /// The number of inputs: columns of the matrix that [`apply`](Self::apply) gives.
    pub fn n_inputs(&self) -> usize {
        self.columns.iter().map(|column| column.encoder.n_inputs()).sum()
    }

    /// The names of the inputs: `age`, `age missing`, `sex = male`.
    pub fn input_names(&self) -> Vec<String> {
        self.columns.iter().flat_map(|column| column.encoder.input_names(&column.name)).collect()
    }

    /// Each column with the range of its inputs.
    pub fn spans(&self) -> Vec<(&str, Range<usize>)> {
        let mut end = 0;
        let span = |column: &EncodedColumn| {
            let start = end;
            end += column.encoder.n_inputs();
            (start, end)
        };
        let spans: Vec<_> = self.columns.iter().map(span).collect();
        self.columns.iter().zip(spans).map(|(column, (start, end))| (column.name.as_str(), start..end)).collect()
    }

    /// The inputs that are numbers of levels, in the order in which their embeddings are to be applied: the last one
    /// first, so that none moves another before its turn.
    pub fn embeddings(&self) -> Vec<EmbeddedInput> {
        let inputs = self.columns.iter().zip(self.spans()).rev();
        let embedded = |(column, (_, span)): (&EncodedColumn, (&str, Range<usize>))| match &column.encoder {
            Encoder::Embedding(encoder) => {
                Some(EmbeddedInput { column: span.start as u32, levels: encoder.n_codes(), size: encoder.size })
            }
            _ => None,
        };
        inputs.filter_map(embedded).collect()
    }

    /// The inputs of each row of a table, `[rows, inputs]`; its columns may stand in any order, and others are ignored.
    ///
    /// # Errors
    ///
    /// A column that is not there; in a column of numbers a text, a number that is not finite or, where nothing stands
    /// for it, a missing value.
    pub fn apply(&self, table: &Table) -> Result<Matrix> {
        Ok(self.apply_noting(table, false)?.matrix)
    }

    /// The inputs of each row of a table as [`apply`](Self::apply) gives them, and what was found that was not
    /// learned of. With `allows_absent`, columns that are not there are missing in every row.
    ///
    /// # Errors
    ///
    /// As for [`apply`](Self::apply).
    pub fn apply_noting(&self, table: &Table, allows_absent: bool) -> Result<Applied> {
        let find = |column: &EncodedColumn| table.columns().iter().find(|other| other.name() == column.name);
        let found: Vec<Option<&Column>> = self.columns.iter().map(find).collect();
        let is_absent = self.columns.iter().zip(&found).filter(|(_, found)| found.is_none());
        let absent: Vec<String> = is_absent.map(|(column, _)| column.name.clone()).collect();
        if !absent.is_empty() && !allows_absent {
            let columns = table.names();
            let nearest = absent.iter().find_map(|name| nearest(name, &columns)).cloned();
            return Err(Error::AbsentColumns { path: table.path().to_owned(), absent, nearest, columns });
        }
        let (n_rows, width) = (table.n_rows(), self.n_inputs());
        let mut values = vec![0.0; n_rows * width];
        let mut unknown = Vec::new();
        let mut start = 0;
        for (EncodedColumn { name, encoder }, column) in self.columns.iter().zip(found) {
            let n = encoder.n_inputs();
            let mut rows = Rows::new(&mut values, width, start, n);
            start += n;
            let unknown_rows = match column {
                Some(column) => encoder.write(column.values(), &mut rows, true).map_err(|row| {
                    let column_index = table.column_index(name).expect("it was found");
                    Error::TextInColumn {
                        path: table.path().to_owned(),
                        place: table.place(row),
                        column: name.clone(),
                        found: table.found(Refused { row, column: column_index }),
                    }
                })?,
                None => {
                    let missing = Values::Numbers(vec![f64::NAN; n_rows]);
                    encoder.write(&missing, &mut rows, false).expect("nothing is refused")
                }
            };
            if let (Some(column), Some((n_rows, first))) = (column, unknown_rows) {
                unknown.push(UnknownValues {
                    column: name.clone(),
                    n_rows,
                    first: column.text(first).unwrap_or_default().into_owned(),
                    place: table.place(first),
                });
            }
        }
        Ok(Applied { matrix: Matrix::new(n_rows, width, values)?, absent, unknown })
    }

    /// Each column in words.
    pub fn describe(&self) -> Vec<ColumnDescription> {
        self.columns.iter().map(EncodedColumn::describe).collect()
    }
}

impl PreprocessingOptions {
    /// Checks the ranges of the settings.
    ///
    /// # Errors
    ///
    /// A setting outside its range.
    pub fn check(&self) -> Result<()> {
        let expect = |name: &str, holds: bool, found: String, expected: &str| match holds {
            true => Ok(()),
            false => Err(Error::Setting { name: name.into(), found, expected: expected.into() }),
        };
        expect("limit of scaled numbers", self.clip.is_valid(), format!("{:?}", self.clip), "a number above 0")?;
        let is_size = self.embedding_size.is_none_or(|size| (1..=MAX_EMBEDDING).contains(&size));
        expect("columns of an embedding", is_size, format!("{:?}", self.embedding_size), "a number from 1 to 65536")?;
        let is_few = (1..=MAX_LEVELS).contains(&self.max_levels);
        expect("levels of a column", is_few, self.max_levels.to_string(), "a number from 1 to 1,000,000")?;
        let is_few = self.bins <= MAX_BINS;
        expect("bins of a column", is_few, self.bins.to_string(), "a number from 0 to 10,000")
    }
}

const MAX_EMBEDDING: u32 = 1 << 16;
const MAX_LEVELS: usize = 1_000_000;
const MAX_BINS: usize = 10_000;

impl EncodedColumn {
    fn describe(&self) -> ColumnDescription {
        let (kind, encoder, statistics) = match &self.encoder {
            Encoder::Number(encoder) => ("number", encoder.describe(), encoder.statistics()),
            Encoder::Boolean(encoder) => ("boolean", encoder.describe(), encoder.statistics()),
            Encoder::OneHot(encoder) => ("category", encoder.describe(), encoder.statistics()),
            Encoder::Embedding(encoder) => ("category", encoder.describe(), encoder.statistics()),
            Encoder::Date(encoder) => ("date", encoder.describe(), encoder.statistics()),
        };
        let n_inputs = self.encoder.n_inputs();
        ColumnDescription { name: self.name.clone(), kind, encoder, n_inputs, statistics }
    }
}

impl Encoder {
    fn fit(
        table: &Table,
        column: &Column,
        feature: &ColumnSchema,
        rows: &[u32],
        options: &PreprocessingOptions,
    ) -> Result<Encoder> {
        let selected = column.select_rows(rows);
        let values = selected.values();
        let refuse = |found: String, expected: &str| {
            let name = format!("{}, column `{}`", table.path().display(), column.name());
            Err(Error::Setting { name, found, expected: expected.into() })
        };
        match feature.kind {
            ColumnType::Number => {
                let refused = |row: usize| Error::TextInFeature {
                    path: table.path().to_owned(),
                    place: table.place(rows[row] as usize),
                    column: column.name().to_owned(),
                    found: selected.text(row).unwrap_or_default().into_owned(),
                    others: Vec::new(),
                };
                // Text among numbers was seen and told when the type was found; a type that was given is a promise.
                let takes_text = !feature.is_given && matches!(values, Values::Text(_));
                let numbers =
                    if takes_text { numbers_or_missing(values).0 } else { numbers(values).map_err(refused)? };
                match numbers.iter().position(|number| number.is_infinite()) {
                    Some(row) => Err(refused(row)),
                    None => {
                        let encoder = NumberEncoder::fit(numbers.iter().copied(), options);
                        Ok(Encoder::Number(NumberEncoder { takes_text, ..encoder }))
                    }
                }
            }
            ColumnType::Boolean => match BooleanEncoder::fit(values) {
                Some(encoder) => Ok(Encoder::Boolean(encoder)),
                None => refuse(
                    format!("{} different values", count(values).0.len()),
                    "no more than two in a boolean column; call it a category",
                ),
            },
            ColumnType::Category => {
                let levels = KnownLevels::fit(values, options);
                Ok(match levels.names.len() <= options.one_hot_up_to {
                    true => Encoder::OneHot(OneHotEncoder { levels }),
                    false => Encoder::Embedding(EmbeddingEncoder::new(levels, options.embedding_size)),
                })
            }
            ColumnType::Date => match DateEncoder::fit(values, feature.date.as_ref(), &options.date_parts) {
                Some(encoder) => Ok(Encoder::Date(encoder)),
                None => {
                    let first = (0..rows.len()).find_map(|row| selected.text(row));
                    let found = first.map_or("no value".into(), |first| format!("`{first}` as a date"));
                    refuse(found, "dates such as 2024-01-31 in 95 of 100 values; call it a category, or ignore it")
                }
            },
            ColumnType::Id => refuse("identifiers as a feature".into(), "another type for it, or that it be ignored"),
            ColumnType::Constant => {
                refuse("one value as a feature".into(), "another type for it, or that it be ignored")
            }
            ColumnType::Text => refuse("free text as a feature".into(), "another type for it, or that it be ignored"),
        }
    }

    /// The number of inputs.
    pub fn n_inputs(&self) -> usize {
        match self {
            Encoder::Number(encoder) => encoder.n_inputs(),
            Encoder::Boolean(encoder) => encoder.n_inputs(),
            Encoder::OneHot(encoder) => encoder.n_inputs(),
            Encoder::Embedding(_) => 1,
            Encoder::Date(encoder) => encoder.n_inputs(),
        }
    }

    fn input_names(&self, column: &str) -> Vec<String> {
        match self {
            Encoder::Number(encoder) => encoder.input_names(column),
            Encoder::Boolean(encoder) => encoder.input_names(column),
            Encoder::OneHot(encoder) => encoder.input_names(column),
            Encoder::Embedding(_) => vec![column.to_owned()],
            Encoder::Date(encoder) => encoder.input_names(column),
        }
    }

    /// Writes the inputs of each row, which are 0 before. Gives the number and the first of the rows of which nothing
    /// was learned; or the first row that is refused, unless none `is_checked`.
    fn write(&self, values: &Values, rows: &mut Rows<'_>, is_checked: bool) -> Result<Option<(usize, usize)>, usize> {
        let unknown = |is_unknown: &mut dyn Iterator<Item = bool>| {
            let mut found = is_unknown.enumerate().filter(|(_, is_unknown)| *is_unknown).map(|(row, _)| row);
            let first = found.next()?;
            Some((1 + found.count(), first))
        };
        let codes = match self {
            Encoder::Number(encoder) => {
                let (numbers, others) = match encoder.takes_text {
                    true => numbers_or_missing(values),
                    false => (numbers(values)?, Vec::new()),
                };
                if let Some(row) = encoder.first_refused(&numbers).filter(|_| is_checked) {
                    return Err(row);
                }
                encoder.write(&numbers, rows);
                return Ok(others.first().map(|first| (others.len(), *first)));
            }
            Encoder::Date(encoder) => {
                let moments = encoder.moments(values);
                encoder.write(&moments, rows);
                let is_missing = |row: usize| match values {
                    Values::Numbers(numbers) => numbers[row].is_nan(),
                    Values::Text(levels) => levels.get(row).is_none(),
                };
                let mut is_unknown = moments.iter().enumerate().map(|(row, date)| date.is_none() && !is_missing(row));
                return Ok(unknown(&mut is_unknown));
            }
            Encoder::Boolean(encoder) => {
                let codes = encoder.codes(values);
                encoder.write(&codes, rows);
                codes
            }
            Encoder::OneHot(encoder) => {
                let codes = encoder.codes(values);
                encoder.write(&codes, rows);
                codes
            }
            Encoder::Embedding(encoder) => {
                let codes = encoder.codes(values);
                encoder.write(&codes, rows);
                codes
            }
        };
        Ok(unknown(&mut codes.iter().map(|code| *code == Code::Unknown)))
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Encoder::Number(encoder) => encoder.check(),
            Encoder::Boolean(encoder) => encoder.check(),
            Encoder::OneHot(encoder) => encoder.check(),
            Encoder::Embedding(encoder) => encoder.check(),
            Encoder::Date(encoder) => encoder.check(),
        }
    }
}

/// What a file holds, before it is checked.
#[derive(Deserialize)]
struct Unchecked {
    columns: Vec<EncodedColumn>,
}

impl TryFrom<Unchecked> for Preprocessing {
    type Error = String;

    fn try_from(unchecked: Unchecked) -> Result<Preprocessing, String> {
        let columns = unchecked.columns;
        let mut names = HashSet::new();
        for EncodedColumn { name, encoder } in &columns {
            if !names.insert(name) {
                return Err(format!("found two columns named `{name}`, expected different names"));
            }
            encoder.check().map_err(|expected| format!("column `{name}`: expected {expected}"))?;
        }
        let is_embedded = |column: &EncodedColumn| matches!(column.encoder, Encoder::Embedding(_));
        if !columns.is_sorted_by_key(is_embedded) {
            return Err("found an embedded column before others, expected those to be the last".into());
        }
        Ok(Preprocessing { columns })
    }
}

#[cfg(test)]
mod tests;
