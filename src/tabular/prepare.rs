//! From a table as it was read to numbers that a network learns from, and everything that is decided on the way.

use super::{Facts, Held, Options, Recipe};
use crate::data::check::{Finding, check};
use crate::data::{
    ColumnType, Dataset, Parts, Preprocessing, PreprocessingOptions, Role, Schema, SchemaOptions, SplitRule, Splitter,
    Table, TargetEncoding, Targets,
};
use crate::model::{Input, Output};
use crate::nn::{Layer, Network};
use crate::random::{Key, Purpose, Threefry};
use crate::train::Member;
use crate::{Error, Result};

/// The tables of a training: one to learn from, and rows of others to stop by and to measure with, where they come in
/// files of their own.
#[derive(Clone, Debug)]
pub struct Tables {
    /// To learn from; parts of it may be set aside.
    pub table: Table,
    /// To stop by.
    pub validation: Option<Table>,
    /// To measure with.
    pub test: Option<Table>,
}

/// A training that only has to be run.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What the columns are; none for images.
    pub schema: Option<Schema>,
    /// What is odd about the data.
    pub findings: Vec<Finding>,
    /// What makes inputs of rows.
    pub input: Input,
    /// What makes answers of outputs.
    pub output: Output,
    /// All rows, as the network sees them: of the table, then of the other tables.
    pub data: Dataset,
    /// The rows of `data` by their use. Where members hold different rows, those are rows to train on here.
    pub parts: Parts,
    /// For each row of `data` its row in the table that it comes from.
    pub origin: Vec<u32>,
    /// Which rows each network learns from, and which it is stopped by.
    pub members: Vec<Member>,
    /// Every number of the training.
    pub recipe: Recipe,
    /// The shape of each member.
    pub network: Network,
}

impl Prepared {
    /// Decides everything that `options` leave open, by looking at the data.
    ///
    /// # Errors
    ///
    /// Columns that are not there, a target that nothing can be learned of, no features, too few rows, settings
    /// outside their ranges or that do not go together.
    pub fn new(tables: &Tables, options: &Options) -> Result<Prepared> {
        todo!()
    }
}
