//! What is to be predicted: numbers or classes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Matrix;
use crate::{Error, Result};

/// What a network is trained for. Serialised as its [`Display`](fmt::Display) form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// To predict a number, or several.
    Regression,
    /// To predict one of some classes.
    Classification,
    /// To predict which of some labels apply, none or several.
    MultiLabel,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::Regression => "regression",
            Task::Classification => "classification",
            Task::MultiLabel => "multilabel",
        })
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Task> {
        let tasks = [Task::Regression, Task::Classification, Task::MultiLabel];
        tasks.into_iter().find(|task| task.to_string() == name).ok_or_else(|| Error::Setting {
            name: "task".into(),
            found: format!("`{name}`"),
            expected: "regression, classification or multilabel".into(),
        })
    }
}

/// What is to be predicted for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Numbers, `[rows, targets]`, for [`Task::Regression`]; for [`Task::MultiLabel`] 1 for each label that applies,
    /// else 0.
    Values(Matrix),
    /// Classes, for [`Task::Classification`].
    Classes(Classes),
}

impl Targets {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Targets::Values(values) => values.rows(),
            Targets::Classes(classes) => classes.indices.len(),
        }
    }

    /// Columns that hold them: one for each number of a row, or one for the index of its class.
    pub fn columns(&self) -> usize {
        match self {
            Targets::Values(values) => values.columns(),
            Targets::Classes(_) => 1,
        }
    }

    /// The rows at `row_indices`, in that order.
    ///
    /// # Panics
    ///
    /// An index is not below [`rows`](Self::rows).
    pub fn select_rows(&self, row_indices: &[u32]) -> Self {
        match self {
            Targets::Values(values) => Targets::Values(values.select_rows(row_indices)),
            Targets::Classes(classes) => {
                let indices = row_indices.iter().map(|&row| classes.indices[row as usize]).collect();
                Targets::Classes(Classes { indices, names: classes.names.clone() })
            }
        }
    }

    /// The task that these targets are for. Labels are numbers here; that they are labels, their
    /// [`TargetEncoding`](super::TargetEncoding) knows.
    pub fn task(&self) -> Task {
        match self {
            Targets::Values(_) => Task::Regression,
            Targets::Classes(_) => Task::Classification,
        }
    }
}

/// The class of each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    /// For each row the position of its class in `names`, `[rows]`.
    pub indices: Vec<u32>,
    /// The classes: numbers by their size, other names by their characters.
    pub names: Vec<String>,
}
