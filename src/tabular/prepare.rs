//! From a table as it was read to numbers that a network learns from, and everything that is decided on the way.

use std::borrow::Cow;

use super::recipe::{Facts, Held, Recipe};
use super::{Options, is_file};
use crate::data::check::{Finding, check};
use crate::data::{
    ClassTarget, Classes, Dataset, Matrix, Parts, Preprocessing, Role, Schema, Splitter, Table, TargetEncoding,
    Targets, TaskChoice,
};
use crate::model::{Input, embedding_layers};
use crate::nn::Network;
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

/// Images with their labels, and those of others to measure with.
#[derive(Clone, Debug)]
pub struct Images {
    /// To learn from, `[images, pixels]` from 0 to 1; parts of them may be set aside.
    pub images: Matrix,
    /// What each shows.
    pub labels: Classes,
    /// To measure with.
    pub test: Option<(Matrix, Classes)>,
}

/// A training that only has to be run.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What the columns are; none for images.
    pub schema: Option<Schema>,
    /// Why the task is what it is; none for images.
    pub task: Option<TaskChoice>,
    /// What is odd about the data, the gravest first.
    pub findings: Vec<Finding>,
    /// What makes inputs of rows.
    pub input: Input,
    /// What makes answers of outputs.
    pub output: TargetEncoding,
    /// All rows, as the network sees them: of the table, then of the other tables.
    pub data: Dataset,
    /// The rows of `data` by their use. Where each member stops by rows of its own, those are rows to train on here.
    pub parts: Parts,
    /// For each row of `data` its row in the table that it comes from, where rows were left out.
    pub origin: Vec<u32>,
    /// Which rows each network learns from, and which it is stopped by.
    pub members: Vec<Member>,
    /// Every number of the training.
    pub recipe: Recipe,
    /// The shape of each member.
    pub network: Network,
}

/// Rows split by their use, and what each member holds of them.
struct Rows {
    parts: Parts,
    /// Rows to learn from and rows to stop by, for each member.
    held: Vec<(Vec<u32>, Vec<u32>)>,
}

impl Prepared {
    /// Decides everything that `options` leave open, by looking at the data.
    ///
    /// Everything is fitted on the rows to train on alone. Where each member stops by a fold of its own, those are all
    /// rows but the ones to test with.
    ///
    /// # Errors
    ///
    /// Columns that are not there, a target that nothing can be learned of, no features, too few rows, settings
    /// outside their ranges or that do not go together.
    pub fn new(tables: &Tables, options: &Options) -> Result<Prepared> {
        let targets = &options.target;
        let schema = Schema::infer(&tables.table, &options.schema())?;
        let task = match options.task {
            Some(task) => TaskChoice { task, reason: "as asked for".into(), doubt: None },
            None => TaskChoice::find(&tables.table, Some(&schema), targets)?,
        };
        let (table, mut origin) = without_missing(&tables.table, targets)?;
        let all: Vec<u32> = (0..table.n_rows() as u32).collect();
        let raw = TargetEncoding::fit(&table, targets, task.task, &all, &options.targets()?)?;
        let splitting = Splitting { table: &table, targets: &raw.encode(&table)?, options };

        let facts = Facts {
            rows: table.n_rows(),
            outputs: raw.n_outputs(),
            loss: raw.loss(),
            has_validation: tables.validation.is_some(),
        };
        let recipe = Recipe::new(&facts, options)?;
        let mut rows = splitting.rows(&recipe, tables.test.is_some())?;

        let fitted = &rows.parts.train;
        let input = Preprocessing::fit(&table, &schema, fitted, &options.preprocessing(&schema, fitted.len())?)?;
        let output = TargetEncoding::fit(&table, targets, task.task, fitted, &options.targets()?)?;
        let encode = |table: &Table| -> Result<Dataset> {
            let data = Dataset::new(input.apply(table)?, output.encode(table)?)?;
            match weights(table, &schema)? {
                Some(weights) => data.with_weights(weights),
                None => Ok(data),
            }
        };
        let mut data = encode(&table)?;
        for (other, is_test) in [(&tables.validation, false), (&tables.test, true)] {
            let Some(other) = other else { continue };
            let (other, rows_of_other) = without_missing(other, targets)?;
            let first = data.rows() as u32;
            data = data.with_rows_of(&encode(&other)?)?;
            let added: Vec<u32> = (first..data.rows() as u32).collect();
            origin.extend(rows_of_other);
            if is_test {
                rows.parts.test = added;
            } else {
                rows.held.iter_mut().for_each(|(_, validation)| validation.clone_from(&added));
                rows.parts.validation = added;
            }
        }
        let findings = check(&tables.table, &schema, None);
        let first = embedding_layers(&input);
        let network = recipe.network(input.n_inputs(), &first, output.n_outputs())?;
        let (members, parts) = (members(&recipe, rows.held), rows.parts);
        let mut recipe = recipe;
        recipe.balance(&data, &parts.train);
        let (schema, task, input) = (Some(schema), Some(task), Input::Table(input));
        Ok(Prepared { schema, task, findings, input, output, data, parts, origin, members, recipe, network })
    }

    /// An error of the training with rows as the table counts them.
    pub fn place(&self, error: Error) -> Error {
        match error {
            Error::NotFinite { what, value, step, epoch, member, layer, rows, good, advice } => {
                let rows = rows.into_iter().map(|row| self.origin[row as usize]).collect();
                Error::NotFinite { what, value, step, epoch, member, layer, rows, good, advice }
            }
            other => other,
        }
    }

    /// The same for images: their pixels are the inputs.
    ///
    /// # Errors
    ///
    /// Fewer labels than two, too few images, settings outside their ranges or that do not go together.
    pub fn images(given: Images, options: &Options) -> Result<Prepared> {
        let classes = given.labels.names.clone();
        let output = TargetEncoding::Classes(ClassTarget { name: "label".into(), classes });
        let targets = Targets::Classes(given.labels);
        let (n_rows, n_inputs) = (given.images.rows(), given.images.columns());
        let facts = Facts { rows: n_rows, outputs: output.n_outputs(), loss: output.loss(), has_validation: false };
        let recipe = Recipe::new(&facts, options)?;
        let splitter = Splitter::stratified(&targets);
        let has_test = given.test.is_some();
        let mut rows = rows_by(&recipe, options, has_test, &splitter, &|rows| {
            Ok(Splitter::stratified(&targets.select_rows(rows)))
        })?;
        let mut data = Dataset::new(given.images, targets)?;
        if let Some((images, labels)) = given.test {
            let first = data.rows() as u32;
            data = data.with_rows_of(&Dataset::new(images, Targets::Classes(labels))?)?;
            rows.parts.test = (first..data.rows() as u32).collect();
        }
        let network = recipe.network(n_inputs, &[], output.n_outputs())?;
        let origin = (0..n_rows as u32).chain(0..(data.rows() - n_rows) as u32).collect();
        let (members, parts) = (members(&recipe, rows.held), rows.parts);
        let mut recipe = recipe;
        recipe.balance(&data, &parts.train);
        let (findings, input) = (Vec::new(), Input::Images);
        Ok(Prepared {
            schema: None,
            task: None,
            findings,
            input,
            output,
            data,
            parts,
            origin,
            members,
            recipe,
            network,
        })
    }
}

/// The rows of a table that have a target, and which they are.
fn without_missing<'a>(table: &'a Table, targets: &[String]) -> Result<(Cow<'a, Table>, Vec<u32>)> {
    let missing = TargetEncoding::missing_rows(table, targets)?;
    let mut is_kept = vec![true; table.n_rows()];
    missing.iter().for_each(|row| is_kept[*row as usize] = false);
    let kept: Vec<u32> = (0..table.n_rows() as u32).filter(|row| is_kept[*row as usize]).collect();
    Ok(if missing.is_empty() { (Cow::Borrowed(table), kept) } else { (Cow::Owned(table.select_rows(&kept)), kept) })
}

/// How much each row counts, where a column says so.
fn weights(table: &Table, schema: &Schema) -> Result<Option<Vec<f32>>> {
    let Some(column) = schema.columns.iter().find(|column| column.role == Role::Weight) else { return Ok(None) };
    Ok(Some(table.matrix(std::slice::from_ref(&column.name))?.into_values()))
}

/// A member for each of `recipe.members`: all over the rows that are held, over and over.
fn members(recipe: &Recipe, held: Vec<(Vec<u32>, Vec<u32>)>) -> Vec<Member> {
    let seed = recipe.settings.seed;
    let member = |(index, (train, validation)): (usize, (Vec<u32>, Vec<u32>))| {
        let mut drawn = Threefry::new(Key::new(seed), Purpose::Weights, index as u64);
        // A first network has the seed itself, and so the first weights that are known of it.
        let seed = if index == 0 { seed } else { drawn.below(u32::MAX).into() };
        Member { seed, train, validation }
    };
    held.into_iter().enumerate().map(member).collect()
}

/// Splits the rows of a table by the rule that the options have.
struct Splitting<'a> {
    table: &'a Table,
    targets: &'a Targets,
    options: &'a Options,
}

impl Splitting<'_> {
    fn rows(&self, recipe: &Recipe, has_test: bool) -> Result<Rows> {
        let rule = self.options.split_rule();
        let (table, targets) = (self.table, self.targets);
        let splitter = Splitter::new(&rule, table, targets)?;
        rows_by(recipe, self.options, has_test, &splitter, &|rows| {
            Splitter::new(&rule, &table.select_rows(rows), &targets.select_rows(rows))
        })
    }
}

/// Sets rows aside to test with, and then rows to stop by. `splitter_of` splits some of the rows alone.
fn rows_by(
    recipe: &Recipe,
    options: &Options,
    has_test: bool,
    splitter: &Splitter,
    splitter_of: &dyn Fn(&[u32]) -> Result<Splitter>,
) -> Result<Rows> {
    let seed = recipe.settings.seed;
    let test = match &options.test {
        Some(text) if !has_test && !is_file(text) => part_of(text)?,
        _ => 0.0,
    };
    // A class too rare for each part to have some of it is no reason to refuse: then any rows are set aside.
    let otherwise = Splitter::random(splitter.n_rows());
    let parts = |validation: f64| match splitter.parts(validation, test, seed) {
        Err(_) if options.group.is_none() && options.time.is_none() => otherwise.parts(validation, test, seed),
        parts => parts,
    };
    match recipe.held {
        Held::Given => {
            let parts = parts(0.0)?;
            let held = vec![(parts.train.clone(), Vec::new()); recipe.members];
            Ok(Rows { parts, held })
        }
        Held::Part(part) => {
            let parts = parts(part)?;
            let held = vec![(parts.train.clone(), parts.validation.clone()); recipe.members];
            Ok(Rows { parts, held })
        }
        Held::Folds(folds) => {
            let parts = parts(0.0)?;
            let rows = &parts.train;
            let splitter = splitter_of(rows)?;
            let mut held = Vec::new();
            // Members beyond the folds hold those of another draw.
            for draw in 0..recipe.members.div_ceil(folds) as u64 {
                let seed = seed.wrapping_add(draw);
                let found = match splitter.folds(folds, seed) {
                    Err(_) if options.group.is_none() && options.time.is_none() => {
                        Splitter::random(rows.len()).folds(folds, seed)
                    }
                    found => found,
                };
                let of_table = |own: &[u32]| own.iter().map(|row| rows[*row as usize]).collect::<Vec<u32>>();
                held.extend(found?.iter().map(|fold| (of_table(&fold.train), of_table(&fold.validation))));
            }
            held.truncate(recipe.members);
            Ok(Rows { parts, held })
        }
    }
}

fn part_of(text: &str) -> Result<f64> {
    text.parse().ok().filter(|part| (0.0..1.0).contains(part)).ok_or_else(|| Error::Setting {
        name: "test".into(),
        found: format!("`{text}`"),
        expected: "a part from 0 to below 1, or a file".into(),
    })
}
