//! What the columns of a table are, and what each is used for.

use serde::{Deserialize, Serialize};

/// What the values of a column are.
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

/// What a column is used for.
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
    /// Why a column is ignored, and whatever else a person should know, in a few words.
    pub note: Option<String>,
}

/// What the columns of a table are, in the order of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// One for each column.
    pub columns: Vec<ColumnSchema>,
}
