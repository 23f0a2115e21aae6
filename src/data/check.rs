//! What is doubtful about a table, told before training on it.
//!
//! ```
//! use nngpu::data::check::{FindingKind, check};
//! use nngpu::data::{Column, Schema, SchemaOptions, Table, Values};
//!
//! let numbers = |name: &str, numbers: Vec<f64>| Column::new(name, Values::Numbers(numbers));
//! let price: Vec<f64> = (0..60_i32).map(|row| f64::from(row * row % 61)).collect();
//! let with_tax = price.iter().map(|price| price * 1.2).collect();
//! let rooms = (0..60).map(|row| f64::from(row % 7)).collect();
//! let columns = vec![numbers("rooms", rooms), numbers("with tax", with_tax), numbers("price", price)];
//! let table = Table::new("houses.csv".as_ref(), columns, None);
//!
//! let options = SchemaOptions { targets: vec!["price".into()], ..SchemaOptions::default() };
//! let findings = check(&table, &Schema::infer(&table, &options)?, None);
//! assert_eq!((findings[0].kind, &findings[0].columns[..]), (FindingKind::TargetKnown, &["with tax".to_string()][..]));
//! # Ok::<(), nngpu::Error>(())
//! ```

mod columns;
mod rows;
mod targets;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::codes::Codes;
use super::date::DateFormat;
use super::schema::used_levels;
use super::table::number;
use super::{Column, ColumnSchema, ColumnType, Levels, Parts, Role, Schema, Table, Values};
use crate::error::Place;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing need be done.
    Note,
    /// The model may be worse than it could be, or its results look better than they are.
    Warning,
    /// There is nothing that could be learned.
    Error,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The target is missing: such rows are not learned from.
    TargetMissing,
    /// All rows have one target.
    TargetConstant,
    /// A column holds the target, or one that each value of it decides.
    TargetKnown,
    /// There are fewer than 50 rows with a target.
    FewRows,
    /// A class has fewer than 3 rows, one each for training, validating and testing.
    RareClass,
    /// A part of the split has no row of a class.
    ClassMissing,
    /// One class has more than nine rows of ten.
    Imbalance,
    /// Rows to validate or to test on have the features of rows to train on.
    SharedRows,
    /// Rows with the same features and target as an earlier row.
    DuplicateRows,
    /// Rows with the same features and different targets.
    ConflictingRows,
    /// A column without a value in any row.
    AllMissing,
    /// A column without a value in more than half of the rows.
    ManyMissing,
    /// A column with one value.
    Constant,
    /// Columns that tell the same.
    DuplicateColumns,
    /// A column of values that are all different, which is left out.
    Id,
    /// A column whose name says that it is an id, and whose values repeat: splits should keep its rows together.
    PossibleGroup,
    /// Text that is left out.
    Text,
    /// Numbers that cannot be read as such.
    NumbersAsText,
    /// Fields that are no dates in a column of dates.
    NotDates,
    /// Dates of which nothing tells whether the day or the month stands first.
    AmbiguousDates,
    /// Names that differ in case or in spaces only.
    Spelling,
    /// Numbers that are infinite, or too large for 32 bits.
    Infinite,
    /// Numbers very far from most others of their column.
    Outliers,
    /// Numbers over very many powers of ten.
    Scale,
}

/// One thing that is doubtful.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is.
    pub kind: FindingKind,
    /// The columns concerned; none for a finding about whole rows.
    pub columns: Vec<String>,
    /// The first rows concerned, 5 at most; none for a finding about whole columns.
    pub places: Vec<Place>,
    /// Number of rows concerned; 0 for a finding about whole columns.
    pub n_places: usize,
    /// What was found, in a sentence without a stop.
    pub message: String,
    /// What to do, likewise.
    pub advice: String,
}

/// So many rows are named.
const MOST_PLACES: usize = 5;

/// Fewer rows than this prove nothing about columns that look alike.
const FEWEST_ROWS: usize = 20;

/// Looks at all of `table` for what spoils a model, or makes its results look better than they are; `split` is the one
/// to train with, if rows are already split. The gravest findings come first.
///
/// The limits of each finding are at its [`FindingKind`] and in its message. Takes about a second for 300,000 rows of
/// 20 columns.
///
/// # Panics
///
/// `schema` is that of another table; `split` has a row that the table has not.
pub fn check(table: &Table, schema: &Schema, split: Option<&Parts>) -> Vec<Finding> {
    let looked = Looked::new(table, schema);
    let mut findings = Vec::new();
    targets::check(&looked, split, &mut findings);
    rows::check(&looked, split, &mut findings);
    columns::check(&looked, &mut findings);
    // Stable: kinds and columns keep their order.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// A table, and what every check needs of it.
struct Looked<'a> {
    table: &'a Table,
    columns: Vec<Seen<'a>>,
    /// For each row whether it has all its targets.
    has_target: Vec<bool>,
}

/// A column, and its values numbered.
struct Seen<'a> {
    column: &'a Column,
    schema: &'a ColumnSchema,
    codes: Codes,
    /// For columns of numbers and dates the value of each row; NaN where there is none.
    numbers: Option<Cow<'a, [f64]>>,
}

impl<'a> Looked<'a> {
    fn new(table: &'a Table, schema: &'a Schema) -> Self {
        let (names, known) = (table.names(), schema.columns.iter().map(|column| &column.name));
        assert!(known.eq(&names), "a schema of the columns {names:?}");
        let columns: Vec<Seen<'a>> =
            table.columns().iter().zip(&schema.columns).map(|(column, schema)| Seen::new(column, schema)).collect();
        let mut has_target = vec![true; table.n_rows()];
        for target in columns.iter().filter(|seen| seen.schema.role == Role::Target) {
            for (row, has_target) in has_target.iter_mut().enumerate() {
                *has_target &= match &target.numbers {
                    Some(numbers) => !numbers[row].is_nan(),
                    None => target.codes.codes[row] != Levels::MISSING,
                };
            }
        }
        Looked { table, columns, has_target }
    }

    fn features(&self) -> impl Iterator<Item = &Seen<'a>> {
        self.with_role(Role::Feature)
    }

    fn with_role(&self, role: Role) -> impl Iterator<Item = &Seen<'a>> {
        self.columns.iter().filter(move |seen| seen.schema.role == role)
    }

    fn n_rows(&self) -> usize {
        self.table.n_rows()
    }

    /// Tells of whole columns.
    fn of_columns(
        &self,
        severity: Severity,
        kind: FindingKind,
        columns: &[&Seen],
        message: String,
        advice: &str,
    ) -> Finding {
        let columns = columns.iter().map(|seen| seen.column.name().to_owned()).collect();
        Finding { severity, kind, columns, places: vec![], n_places: 0, message, advice: advice.to_owned() }
    }

    /// The same finding with the `rows` that it is about.
    fn at(&self, rows: impl IntoIterator<Item = usize>, mut finding: Finding) -> Finding {
        for row in rows {
            finding.n_places += 1;
            if finding.places.len() < MOST_PLACES {
                finding.places.push(self.table.place(row));
            }
        }
        finding
    }
}

impl<'a> Seen<'a> {
    fn new(column: &'a Column, schema: &'a ColumnSchema) -> Self {
        let codes = Codes::of(column.values());
        let numbers = numbers_of(column, schema, &codes);
        Seen { column, schema, codes, numbers }
    }

    /// The different texts, in the order of the codes; none for a column of numbers.
    fn texts(&self) -> Vec<&'a str> {
        match self.column.values() {
            Values::Numbers(_) => vec![],
            Values::Text(levels) => used_levels(levels, &self.codes),
        }
    }

    /// The name of a value.
    fn value(&self, code: u32) -> String {
        self.column.text(self.codes.first_rows[code as usize] as usize).expect("a value").into_owned()
    }

    /// The rows whose value has a code for which `is` holds.
    fn rows_where(&self, is: impl Fn(u32) -> bool) -> impl Iterator<Item = usize> {
        let codes = self.codes.codes.iter().enumerate();
        codes.filter(move |&(_, &code)| code != Levels::MISSING && is(code)).map(|(row, _)| row)
    }
}

/// Whether two columns hold the same numbers, missing ones in the same rows.
fn same_numbers(a: &Seen, b: &Seen) -> bool {
    let (Some(a), Some(b)) = (&a.numbers, &b.numbers) else { return false };
    a.iter().zip(b.iter()).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

fn numbers_of<'a>(column: &'a Column, schema: &ColumnSchema, codes: &Codes) -> Option<Cow<'a, [f64]>> {
    if !matches!(schema.kind, ColumnType::Number | ColumnType::Boolean | ColumnType::Date) {
        return None;
    }
    let of_levels = |value: &dyn Fn(&str) -> Option<f64>, texts: Vec<&str>| {
        let of_level: Vec<f64> = texts.iter().map(|text| value(text).unwrap_or(f64::NAN)).collect();
        Cow::Owned(codes.codes.iter().map(|&code| of_level.get(code as usize).copied().unwrap_or(f64::NAN)).collect())
    };
    match (column.values(), schema.kind, &schema.date) {
        (Values::Numbers(numbers), ColumnType::Number | ColumnType::Boolean, _) => Some(Cow::Borrowed(numbers)),
        (Values::Text(levels), ColumnType::Number, _) => {
            Some(of_levels(&|text| number(text.trim()), used_levels(levels, codes)))
        }
        (Values::Text(levels), ColumnType::Date, Some(format)) => {
            let seconds = |text: &str| DateFormat::parse(format, text).map(|moment| moment.seconds);
            Some(of_levels(&seconds, used_levels(levels, codes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
