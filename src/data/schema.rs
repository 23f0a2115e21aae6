//! What the columns of a table are, and what each is used for.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::codes::Codes;
use super::date::DateFormat;
use super::splitter::times;
use super::table::number;
use super::{Column, Levels, Table, Values};
use crate::{Error, Result};

/// What the values of a column are. Serialised as its [`Display`](fmt::Display) form.
///
/// [`Schema::infer`] tells by which rules a type is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Numbers that are more and less.
    Number,
    /// Two values that are no and yes.
    Boolean,
    /// Names, or numbers that stand for names.
    Category,
    /// Days, perhaps with a time of day.
    Date,
    /// A different value in each row, which says nothing of rows not seen.
    Id,
    /// One value, or none, in all rows.
    Constant,
    /// Free text, of which a network of numbers learns nothing.
    Text,
}

/// What a column is used for. Serialised as its [`Display`](fmt::Display) form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// To learn from.
    Feature,
    /// To predict.
    Target,
    /// How much a row counts.
    Weight,
    /// Rows of one value stay on one side of every split.
    Group,
    /// Later rows are set aside.
    Time,
    /// Nothing.
    Ignored,
}

/// A column, its type and its use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnSchema {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: ColumnType,
    /// What it is used for.
    pub role: Role,
    /// Rows in which the value is missing.
    pub n_missing: usize,
    /// Different values, without the missing one.
    pub n_distinct: usize,
    /// Whether the type was given, and not found by looking.
    pub is_given: bool,
    /// How its days are written, for a column of [`ColumnType::Date`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<DateFormat>,
    /// Why a column is ignored, and whatever else a person should know, in a few words.
    pub note: Option<String>,
}

/// What the columns of a table are, in the order of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// One for each column.
    pub columns: Vec<ColumnSchema>,
}

/// What is known of columns before looking at them. By default nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchemaOptions {
    /// Names of the columns to predict.
    pub targets: Vec<String>,
    /// Names of columns to leave out.
    pub ignore: Vec<String>,
    /// Types by the names of columns; the others are found by looking.
    pub types: BTreeMap<String, ColumnType>,
    /// The column that tells how much a row counts: finite numbers of 0 and above.
    pub weight: Option<String>,
    /// The column whose values keep rows together in splits, such as patients. No feature.
    pub group: Option<String>,
    /// The column of numbers or dates that puts rows in their order in time. No feature.
    pub time: Option<String>,
    /// The column that names rows. No feature.
    pub id: Option<String>,
}

/// How the note of a column begins that is left out for what is in it, or for its given type.
pub(super) const LEFT_OUT: &str = "left out: ";

/// In fewer rows than this, values that are all different may be so by chance, and are no ids.
const FEWEST_ROWS: usize = 20;

/// The part of the fields that must be numbers for a column of text to be one of numbers with mistakes.
const LEAST_NUMBERS: f64 = 0.95;

/// So many different numbers are more than the names of a few classes.
const FEWEST_NUMBERS: usize = 20;

/// Free text is longer than this on average, in characters, and has as many words or more.
const LONG_TEXT: (usize, usize) = (30, 4);

/// Words in the name of a column that say that its integers are ids.
const ID_WORDS: [&str; 10] = ["id", "ids", "index", "idx", "key", "uuid", "guid", "rowid", "rownum", "unnamed"];

/// Integers that may be years; `(1500..=2200).len()` rows of them at most rise by one.
const YEARS: std::ops::RangeInclusive<f64> = 1500.0..=2200.0;

/// The words for no and yes, in any case.
const BOOLEANS: [[&str; 2]; 6] = [["false", "true"], ["no", "yes"], ["f", "t"], ["n", "y"], ["off", "on"], ["0", "1"]];

impl Schema {
    /// What each column of `table` is, found by looking at all of its rows, and what it is used for.
    ///
    /// The type of a column is the first of these that fits, unless `options` give one:
    ///
    /// 1. constant: no value, or one value and no row where it is missing. One value that is missing in other rows is
    ///    a category, since that it is missing may tell something.
    /// 2. boolean: the numbers 0 and 1, or two of the words that [`boolean`] knows, in any case: `yes` and `no`,
    ///    `true` and `false`, `t` and `f`, `y` and `n`, `on` and `off`.
    /// 3. Of numbers:
    ///    - id, if all are different integers, in 20 rows or more, that rise by one from row to row and are not years
    ///      (1500 to 2200), or whose name has a word such as `id`, `index`, `key` or `Unnamed`;
    ///    - number. Integers with few values are numbers too: what is more and less is lost in categories. Give
    ///      the type `category` where they are codes.
    /// 4. Of text:
    ///    - date, if [`DateFormat::find`] knows 95 % of the different texts;
    ///    - number, if 95 % of the fields are, with 20 different numbers or more; the other fields count as missing;
    ///    - id, if all are different in 20 rows or more, and not as long as free text;
    ///    - text, if there is more than one text for two rows, in 20 rows or more, since what is seen once cannot
    ///      be learned; or if there are more than 20 texts, more than one for ten rows, and they have more than 30
    ///      characters and 4 words or more on average;
    ///    - category. Many thousands of texts that occur again and again are a category too.
    ///
    /// A column to predict, to group by or to order by is never an id or free text. Ids, constants and free text are
    /// left out of the features, with a note that tells so. If that would leave no feature, integers that looked like
    /// ids are features after all: a table of `x` from 1 to 100 and `y` is one of a function.
    ///
    /// # Errors
    ///
    /// `options` name a column that there is not, or one column for two uses; a given type does not fit, with the first
    /// field that does not; a weight is no finite number of 0 or above; a field of the column of time is neither a
    /// number nor a date; no column is left to learn from.
    ///
    /// ```
    /// use nngpu::data::{ColumnType, Role, Schema, SchemaOptions, Table};
    ///
    /// let table = Table::read_csv("examples/data/iris.csv")?;
    /// let options = SchemaOptions { targets: vec!["species".into()], ..SchemaOptions::default() };
    /// let schema = Schema::infer(&table, &options)?;
    ///
    /// let species = schema.column("species").expect("a column of the table");
    /// assert_eq!((species.kind, species.role, species.n_distinct), (ColumnType::Category, Role::Target, 3));
    /// assert!(schema.features().all(|column| column.kind == ColumnType::Number));
    /// # Ok::<(), nngpu::Error>(())
    /// ```
    pub fn infer(table: &Table, options: &SchemaOptions) -> Result<Schema> {
        let roles = options.roles(table)?;
        let mut columns = Vec::with_capacity(roles.len());
        for (column, (role, is_left_out)) in table.columns().iter().zip(roles) {
            columns.push(column_schema(table, column, role, is_left_out, options)?);
        }
        let mut schema = Schema { columns };
        if schema.features().next().is_none() {
            schema.take_ids(table)?;
        }
        if let Some(weight) = &options.weight {
            check_weights(table, weight)?;
        }
        if let Some(time) = &options.time {
            times(table, time)?;
        }
        Ok(schema)
    }

    /// The column named `name`.
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that are used for `role`, in the order of the table.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &ColumnSchema> {
        self.columns.iter().filter(move |column| column.role == role)
    }

    /// The columns to learn from, in the order of the table.
    pub fn features(&self) -> impl Iterator<Item = &ColumnSchema> {
        self.with_role(Role::Feature)
    }

    /// The columns to predict, in the order of the table.
    pub fn targets(&self) -> impl Iterator<Item = &ColumnSchema> {
        self.with_role(Role::Target)
    }

    /// Learns from numbers that look like ids, for want of others.
    fn take_ids(&mut self, table: &Table) -> Result<()> {
        for (column, of) in self.columns.iter_mut().zip(table.columns()) {
            let is_found = column.kind == ColumnType::Id && !column.is_given && column.role == Role::Ignored;
            if is_found && matches!(of.values(), Values::Numbers(_)) {
                column.kind = ColumnType::Number;
                column.role = Role::Feature;
                column.note = Some("looks like an id, but there is no other column to learn from".into());
            }
        }
        if self.features().next().is_some() {
            return Ok(());
        }
        let left_out: Vec<String> = self
            .with_role(Role::Ignored)
            .map(|column| match &column.note {
                Some(note) => format!("`{}` is {note}", column.name),
                None => format!("`{}` is {}", column.name, column.kind),
            })
            .collect();
        let path = table.path().to_owned();
        match left_out.is_empty() {
            true => Err(Error::NoFeatures { path }),
            false => Err(Error::NothingToLearn { path, left_out }),
        }
    }
}

impl SchemaOptions {
    /// For each column its use, and whether it was asked to be left out.
    fn roles(&self, table: &Table) -> Result<Vec<(Role, bool)>> {
        let mut roles = vec![(Role::Feature, false); table.columns().len()];
        let asked = (self.targets.iter().map(|name| (name, Role::Target)))
            .chain(self.weight.iter().map(|name| (name, Role::Weight)))
            .chain(self.group.iter().map(|name| (name, Role::Group)))
            .chain(self.time.iter().map(|name| (name, Role::Time)))
            .chain(self.ignore.iter().chain(&self.id).map(|name| (name, Role::Ignored)));
        for (name, role) in asked {
            let slot = &mut roles[table.column_index(name)?];
            if slot.0 != Role::Feature && slot.0 != role {
                let (path, column) = (table.path().to_owned(), name.clone());
                return Err(Error::ColumnUses { path, column, first: slot.0.words(), second: role.words() });
            }
            *slot = (role, role == Role::Ignored);
        }
        self.types.keys().try_for_each(|name| table.column_index(name).map(|_| ()))?;
        Ok(roles)
    }
}

/// What is found in a column.
struct Found {
    kind: ColumnType,
    date: Option<DateFormat>,
    note: Option<String>,
}

impl Found {
    fn new(kind: ColumnType) -> Found {
        Found { kind, date: None, note: None }
    }

    fn noted(kind: ColumnType, note: impl Into<String>) -> Found {
        Found { kind, date: None, note: Some(note.into()) }
    }
}

fn column_schema(
    table: &Table,
    column: &Column,
    role: Role,
    is_left_out: bool,
    options: &SchemaOptions,
) -> Result<ColumnSchema> {
    let name = column.name();
    let codes = Codes::of(column.values());
    let given = options.types.get(name).copied();
    let mut found = match (given, options.id.as_deref() == Some(name)) {
        (Some(kind), _) => given_type(table, column, &codes, kind)?,
        (None, true) => Found::new(ColumnType::Id),
        // What has a use is looked at as names and numbers, however many there are.
        (None, false) => find_type(column, &codes, !matches!(role, Role::Feature | Role::Ignored)),
    };
    let is_nothing_to_learn = matches!(found.kind, ColumnType::Id | ColumnType::Constant | ColumnType::Text);
    let mut role = role;
    if is_left_out {
        found.note = Some("left out, as was asked".into());
    } else if role == Role::Feature && is_nothing_to_learn {
        role = Role::Ignored;
        let reason = found.note.unwrap_or_else(|| "its given type says so".into());
        found.note = Some(format!("{LEFT_OUT}{reason}"));
    }
    Ok(ColumnSchema {
        name: name.to_owned(),
        kind: found.kind,
        role,
        n_missing: codes.codes.len() - codes.n_present(),
        n_distinct: codes.n_distinct(),
        is_given: given.is_some(),
        date: found.date,
        note: found.note,
    })
}

/// The type by looking; `is_used` columns are no ids and no free text.
fn find_type(column: &Column, codes: &Codes, is_used: bool) -> Found {
    let (n_distinct, n_present) = (codes.n_distinct(), codes.n_present());
    match n_distinct {
        0 => return Found::noted(ColumnType::Constant, "missing in all rows"),
        1 if n_present == codes.codes.len() => return Found::noted(ColumnType::Constant, "one value in all rows"),
        1 => return Found::noted(ColumnType::Category, "one value, or missing"),
        _ => {}
    }
    match column.values() {
        Values::Numbers(numbers) => find_number_type(column.name(), numbers, codes, is_used),
        Values::Text(levels) => find_text_type(levels, codes, is_used),
    }
}

fn find_number_type(name: &str, numbers: &[f64], codes: &Codes, is_used: bool) -> Found {
    let is_boolean = codes.n_distinct() == 2
        && codes.first_rows.iter().all(|&row| numbers[row as usize] == 0.0 || numbers[row as usize] == 1.0);
    if is_boolean {
        return Found::new(ColumnType::Boolean);
    }
    let is_integer = |number: &f64| number.is_nan() || number.fract() == 0.0;
    let is_maybe_id = !is_used
        && codes.n_present() >= FEWEST_ROWS
        && codes.n_distinct() == codes.n_present()
        && numbers.iter().all(is_integer);
    if is_maybe_id && says_id(name) {
        return Found::noted(ColumnType::Id, "an id: different integers, and its name says so");
    }
    // A missing value is NaN, which is no step of one.
    let rises_by_one = numbers.windows(2).all(|pair| pair[1] - pair[0] == 1.0);
    if is_maybe_id && rises_by_one && !numbers.iter().all(|number| YEARS.contains(number)) {
        return Found::noted(ColumnType::Id, "an id: integers that rise by one from row to row");
    }
    Found::new(ColumnType::Number)
}

/// Whether a word of a column's name says that its values are ids: `user_id`, `PassengerId`, `Unnamed: 0`.
pub(super) fn says_id(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("a word").extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
    }
    words.iter().any(|word| ID_WORDS.contains(&word.as_str()))
}

/// The different texts of a column that occur in it, in the order of the codes.
pub(super) fn used_levels<'a>(levels: &'a Levels, codes: &Codes) -> Vec<&'a str> {
    codes.first_rows.iter().map(|&row| levels.get(row as usize).expect("a value")).collect()
}

fn find_text_type(levels: &Levels, codes: &Codes, is_used: bool) -> Found {
    let texts = used_levels(levels, codes);
    let (n_distinct, n_present) = (codes.n_distinct(), codes.n_present());
    if is_boolean_pair(&texts) {
        return Found::new(ColumnType::Boolean);
    }
    if let Some(format) = DateFormat::find(&texts) {
        return dates(format, &texts, codes);
    }
    if let Some(found) = find_numbers_in_text(&texts, codes) {
        return found;
    }
    if is_used {
        return Found::new(ColumnType::Category);
    }
    let is_all_different = n_present >= FEWEST_ROWS && n_distinct == n_present;
    let is_long = {
        let (least_characters, least_words) = LONG_TEXT;
        let n_characters: usize = texts.iter().map(|text| text.chars().count()).sum();
        let n_words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
        n_characters > least_characters * n_distinct && n_words >= least_words * n_distinct
    };
    if is_all_different && !is_long {
        return Found::noted(ColumnType::Id, "an id: a different text in each row");
    }
    if n_present >= FEWEST_ROWS && 2 * n_distinct > n_present {
        return Found::noted(ColumnType::Text, format!("{n_distinct} different texts in {n_present} rows"));
    }
    if is_long && n_distinct > FEWEST_ROWS && 10 * n_distinct > n_present {
        return Found::noted(ColumnType::Text, format!("free text: {n_distinct} long texts in {n_present} rows"));
    }
    Found::new(ColumnType::Category)
}

/// Whether the texts, in any case, are the two words of a pair.
fn is_boolean_pair(texts: &[&str]) -> bool {
    // Two words in upper case, in lower case and in others: more texts than a few are looked at in vain.
    let position = |text: &str, pair: &[&str; 2]| pair.iter().position(|word| word.eq_ignore_ascii_case(text));
    texts.len() <= 16
        && BOOLEANS.iter().any(|pair| {
            let positions: Vec<_> = texts.iter().map(|text| position(text, pair)).collect();
            positions.contains(&Some(0)) && positions.contains(&Some(1)) && !positions.contains(&None)
        })
}

/// What a word that stands for no or yes says, in any case: `false`, `no`, `f`, `n`, `off`, `0` and `true`, `yes`, `t`,
/// `y`, `on`, `1`. Nothing for other texts.
pub fn boolean(text: &str) -> Option<bool> {
    let is = |index: usize| BOOLEANS.iter().any(|pair| pair[index].eq_ignore_ascii_case(text));
    match (is(0), is(1)) {
        (true, _) => Some(false),
        (_, true) => Some(true),
        _ => None,
    }
}

fn dates(format: DateFormat, texts: &[&str], codes: &Codes) -> Found {
    let mut notes = Vec::new();
    if format.other(texts).is_some() {
        notes.push(format!("day and month may be exchanged; read as {}", format.day()));
    }
    let n_other = n_rows_where(texts, codes, |text| format.parse(text).is_none());
    if n_other > 0 {
        notes.push(format!("{} no dates, taken as missing", fields_are(n_other)));
    }
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Found { kind: ColumnType::Date, date: Some(format), note }
}

fn find_numbers_in_text(texts: &[&str], codes: &Codes) -> Option<Found> {
    let n_other = n_rows_where(texts, codes, |text| number(text.trim()).is_none());
    let is_enough = (codes.n_present() - n_other) as f64 >= LEAST_NUMBERS * codes.n_present() as f64;
    let is_number = |text: &&&str| number(text.trim()).is_some();
    // Few numbers among many names are looked for once only.
    let is_varied = is_enough && texts.iter().filter(is_number).take(FEWEST_NUMBERS).count() == FEWEST_NUMBERS;
    is_varied.then(|| numbers_in_text(n_other))
}

fn numbers_in_text(n_other: usize) -> Found {
    match n_other {
        0 => Found::new(ColumnType::Number),
        _ => Found::noted(ColumnType::Number, format!("{} no numbers, taken as missing", fields_are(n_other))),
    }
}

fn fields_are(n: usize) -> String {
    if n == 1 { "1 field is".to_owned() } else { format!("{n} fields are") }
}

fn n_rows_where(texts: &[&str], codes: &Codes, is: impl Fn(&str) -> bool) -> usize {
    texts.iter().zip(&codes.counts).filter(|(text, _)| is(text)).map(|(_, &count)| count as usize).sum()
}

/// A type that is given, or the first field that does not fit it.
fn given_type(table: &Table, column: &Column, codes: &Codes, kind: ColumnType) -> Result<Found> {
    let text_of = |row: u32| column.text(row as usize).expect("a value");
    let refused = |row: Option<u32>, expected| Error::GivenType {
        path: table.path().to_owned(),
        place: table.place(row.unwrap_or(0) as usize),
        column: column.name().to_owned(),
        given: kind.name(),
        found: row.map(|row| text_of(row).into_owned()).unwrap_or_default(),
        expected,
    };
    let is_number = |row: &&u32| number(text_of(**row).trim()).is_some();
    match kind {
        ColumnType::Number => match column.values() {
            Values::Numbers(_) => Ok(Found::new(kind)),
            Values::Text(levels) => {
                let n_other = n_rows_where(&used_levels(levels, codes), codes, |text| number(text.trim()).is_none());
                match codes.first_rows.iter().any(|row| is_number(&row)) {
                    true => Ok(numbers_in_text(n_other)),
                    false => Err(refused(codes.first_rows.first().copied(), "numbers in some rows at least")),
                }
            }
        },
        ColumnType::Boolean => match codes.first_rows.iter().find(|row| boolean(&text_of(**row)).is_none()) {
            Some(&row) => Err(refused(Some(row), "0 and 1, or words such as no and yes")),
            None => Ok(Found::new(kind)),
        },
        ColumnType::Date => {
            let texts: Vec<_> = codes.first_rows.iter().map(|&row| text_of(row)).collect();
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            let none = |row: &&u32| DateFormat::find(&[text_of(**row)]).is_none();
            match DateFormat::find(&texts).filter(|_| !texts.is_empty()) {
                Some(format) => Ok(dates(format, &texts, codes)),
                // Where each alone is a date, they are so in several forms: the last one differs from the first.
                None => Err(refused(
                    codes.first_rows.iter().find(none).or(codes.first_rows.last()).copied(),
                    "dates in one form, such as 2024-01-31",
                )),
            }
        }
        ColumnType::Category | ColumnType::Id | ColumnType::Constant | ColumnType::Text => Ok(Found::new(kind)),
    }
}

fn check_weights(table: &Table, name: &str) -> Result<()> {
    let column = table.column(name)?;
    let weight = |row: usize| match column.values() {
        Values::Numbers(numbers) => Some(numbers[row]),
        Values::Text(levels) => levels.get(row).and_then(|text| number(text.trim())),
    };
    let is_weight = |row: &usize| weight(*row).is_some_and(|weight| weight.is_finite() && weight >= 0.0);
    match (0..table.n_rows()).find(|row| !is_weight(row)) {
        None => Ok(()),
        Some(row) => Err(Error::UnusableWeight {
            path: table.path().to_owned(),
            place: table.place(row),
            column: name.to_owned(),
            found: column.text(row).unwrap_or_default().into_owned(),
        }),
    }
}

impl ColumnType {
    /// All of them.
    pub const ALL: [ColumnType; 7] = [
        ColumnType::Number,
        ColumnType::Boolean,
        ColumnType::Category,
        ColumnType::Date,
        ColumnType::Id,
        ColumnType::Constant,
        ColumnType::Text,
    ];

    fn name(self) -> &'static str {
        match self {
            ColumnType::Number => "number",
            ColumnType::Boolean => "boolean",
            ColumnType::Category => "category",
            ColumnType::Date => "date",
            ColumnType::Id => "id",
            ColumnType::Constant => "constant",
            ColumnType::Text => "text",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ColumnType {
    type Err = Error;

    fn from_str(text: &str) -> Result<ColumnType> {
        let found = ColumnType::ALL.into_iter().find(|kind| kind.to_string().eq_ignore_ascii_case(text));
        found.ok_or_else(|| Error::Setting {
            name: "the type of a column".into(),
            found: format!("`{text}`"),
            expected: format!("one of {}", ColumnType::ALL.map(|kind| kind.to_string()).join(", ")),
        })
    }
}

impl Role {
    fn words(self) -> &'static str {
        match self {
            Role::Feature => "a feature",
            Role::Target => "the target",
            Role::Weight => "the weight of rows",
            Role::Group => "the group of rows",
            Role::Time => "the time of rows",
            Role::Ignored => "left out",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Feature => "feature",
            Role::Target => "target",
            Role::Weight => "weight",
            Role::Group => "group",
            Role::Time => "time",
            Role::Ignored => "ignored",
        })
    }
}

#[cfg(test)]
mod tests;
