//! From a table as it was read to numbers that a network learns from, and everything that is decided on the way.

use std::borrow::Cow;
use std::collections::HashSet;

use super::recipe::{Facts, Held, Recipe};
use super::{Options, is_file};
use crate::data::check::{Finding, check};
use crate::data::{
    ClassTarget, Classes, Dataset, Matrix, Parts, Preprocessing, Role, Schema, Split, Splitter, Table, TargetEncoding,
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
        let found = Found::new(&tables.table, options)?;
        let all: Vec<u32> = (0..found.table.n_rows() as u32).collect();
        let has_test = tables.test.is_some();
        let n_rows = rows_beside_test(all.len(), options, has_test)?;
        let recipe = found.recipe(&all, n_rows, tables.validation.is_some(), options)?;
        let rows = found.rows(&recipe, has_test, options)?;
        found.prepare(recipe, rows, &[(&tables.validation, false), (&tables.test, true)], options)
    }

    /// A training for each of `n_folds` folds of the table, each of which is the test of one and is not seen by it:
    /// everything is decided and fitted anew on the other rows.
    ///
    /// # Errors
    ///
    /// As for [`Prepared::new`]; fewer than two folds, more folds than rows or groups.
    pub fn folds(table: &Table, n_folds: usize, options: &Options) -> Result<Vec<Prepared>> {
        let found = Found::new(table, options)?;
        let seed = options.seed.unwrap_or(0);
        let folds = found.splitter(None, options)?.folds(n_folds, seed).or_else(|error| {
            // As where a part is set aside, a rare class is no reason to refuse.
            if options.group.is_some() || options.time.is_some() || found.table.n_rows() < n_folds || n_folds < 2 {
                return Err(error);
            }
            Splitter::random(found.table.n_rows()).folds(n_folds, seed)
        })?;
        let fold = |fold: &Split| -> Result<Prepared> {
            let recipe = found.recipe(&fold.train, fold.train.len(), false, options)?;
            let own = Options { test: None, ..options.clone() };
            let splitter = found.splitter(Some(&fold.train), options)?;
            let rows = rows_by(&recipe, &own, true, &splitter, &|rows| {
                let rows: Vec<u32> = rows.iter().map(|row| fold.train[*row as usize]).collect();
                found.splitter(Some(&rows), options)
            })?;
            let mut rows = rows.of(&fold.train);
            rows.parts.test.clone_from(&fold.validation);
            found.prepare(recipe, rows, &[], options)
        };
        folds.iter().map(fold).collect()
    }

    /// Steps of an epoch.
    pub fn n_batches(&self) -> usize {
        let longest = self.members.iter().map(|member| member.train.len()).max().unwrap_or(0);
        longest.div_ceil(self.recipe.settings.batch_size)
    }

    /// An error of the training with rows as the table counts them.
    pub fn place(&self, error: Error) -> Error {
        match error {
            Error::NotFinite { what, value, step, epoch, mut trace, advice } => {
                trace.rows.iter_mut().for_each(|row| *row = self.origin[*row as usize]);
                Error::NotFinite { what, value, step, epoch, trace, advice }
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
        let (outputs, loss) = (output.n_outputs(), output.loss());
        let (groups, has_validation) = (None, false);
        let rows = rows_beside_test(n_rows, options, given.test.is_some())?;
        let facts = Facts {
            rows,
            all_rows: n_rows,
            columns: n_inputs,
            are_pixels: true,
            outputs,
            loss,
            groups,
            has_validation,
        };
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

/// What is found of a table before its rows are split.
struct Found<'a> {
    /// As it was read.
    whole: &'a Table,
    /// The rows that have a target, and which they are.
    table: Cow<'a, Table>,
    origin: Vec<u32>,
    schema: Schema,
    task: TaskChoice,
    /// Fitted on all rows, to split them by; and the targets by it.
    encoding: TargetEncoding,
    targets: Targets,
}

impl<'a> Found<'a> {
    fn new(whole: &'a Table, options: &Options) -> Result<Found<'a>> {
        let schema = Schema::infer(whole, &options.schema())?;
        let task = match options.task {
            Some(task) => TaskChoice { task, reason: "as asked for".into(), doubt: None },
            None => TaskChoice::find(whole, Some(&schema), &options.target)?,
        };
        let (table, origin) = without_missing(whole, &options.target)?;
        let all: Vec<u32> = (0..table.n_rows() as u32).collect();
        let encoding = TargetEncoding::fit(&table, &options.target, task.task, &all, &options.targets()?)?;
        let targets = encoding.encode(&table)?;
        Ok(Found { whole, table, origin, schema, task, encoding, targets })
    }

    /// What suits a training on `n_rows` of some rows.
    fn recipe(&self, rows: &[u32], n_rows: usize, has_validation: bool, options: &Options) -> Result<Recipe> {
        let (outputs, loss) = (self.encoding.n_outputs(), self.encoding.loss());
        let groups = options.group.as_ref().map(|name| -> Result<usize> {
            let column = self.table.column(name)?;
            let groups: HashSet<_> = rows.iter().map(|row| column.text(*row as usize)).collect();
            Ok(groups.len())
        });
        let (groups, rows, all_rows) = (groups.transpose()?, n_rows, rows.len());
        let columns = self.schema.columns.iter().filter(|column| column.role == Role::Feature).count();
        let facts = Facts { rows, all_rows, columns, are_pixels: false, outputs, loss, groups, has_validation };
        Recipe::new(&facts, options)
    }

    /// Splits all rows, or some of them.
    fn splitter(&self, rows: Option<&[u32]>, options: &Options) -> Result<Splitter> {
        let rule = options.split_rule();
        match rows {
            None => Splitter::new(&rule, &self.table, &self.targets),
            Some(rows) => Splitter::new(&rule, &self.table.select_rows(rows), &self.targets.select_rows(rows)),
        }
    }

    fn rows(&self, recipe: &Recipe, has_test: bool, options: &Options) -> Result<Rows> {
        let splitter = self.splitter(None, options)?;
        rows_by(recipe, options, has_test, &splitter, &|rows| self.splitter(Some(rows), options))
    }

    /// Fits everything on the rows to train on. `others` are tables of further rows, each with whether they are to
    /// test with.
    fn prepare(
        &self,
        mut recipe: Recipe,
        mut rows: Rows,
        others: &[(&Option<Table>, bool)],
        options: &Options,
    ) -> Result<Prepared> {
        let (table, fitted) = (&self.table, &rows.parts.train);
        let input =
            Preprocessing::fit(table, &self.schema, fitted, &options.preprocessing(&self.schema, fitted.len())?)?;
        let task = self.task.task;
        let output = TargetEncoding::fit(table, &options.target, task, fitted, &options.targets()?)?;
        let encode = |table: &Table| -> Result<Dataset> {
            let data = Dataset::new(input.apply(table)?, output.encode(table)?)?;
            match weights(table, &self.schema)? {
                Some(weights) => data.with_weights(weights),
                None => Ok(data),
            }
        };
        let split = rows.parts_of(&self.origin);
        let (mut data, mut origin) = (encode(table)?, self.origin.clone());
        for (other, is_test) in others {
            let Some(other) = other else { continue };
            let (other, rows_of_other) = without_missing(other, &options.target)?;
            let first = data.rows() as u32;
            data = data.with_rows_of(&encode(&other)?)?;
            let added: Vec<u32> = (first..data.rows() as u32).collect();
            origin.extend(rows_of_other);
            if *is_test {
                rows.parts.test = added;
            } else {
                rows.held.iter_mut().for_each(|(_, validation)| validation.clone_from(&added));
                rows.parts.validation = added;
            }
        }
        let network = recipe.network(input.n_inputs(), &embedding_layers(&input), output.n_outputs())?;
        recipe.balance(&data, &rows.parts.train);
        Ok(Prepared {
            schema: Some(self.schema.clone()),
            task: Some(self.task.clone()),
            findings: check(self.whole, &self.schema, Some(&split)),
            input: Input::Table(input),
            output,
            data,
            members: members(&recipe, rows.held),
            parts: rows.parts,
            origin,
            recipe,
            network,
        })
    }
}

impl Rows {
    /// The same rows as `whole` numbers them.
    fn of(&self, whole: &[u32]) -> Rows {
        let held = self.held.iter().map(|(train, validation)| (numbered(train, whole), numbered(validation, whole)));
        Rows { parts: self.parts_of(whole), held: held.collect() }
    }

    /// The parts as `whole` numbers their rows.
    fn parts_of(&self, whole: &[u32]) -> Parts {
        let Parts { train, validation, test } = &self.parts;
        Parts { train: numbered(train, whole), validation: numbered(validation, whole), test: numbered(test, whole) }
    }
}

fn numbered(rows: &[u32], whole: &[u32]) -> Vec<u32> {
    rows.iter().map(|row| whole[*row as usize]).collect()
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

/// Sets rows aside to test with, and then rows to stop by. `splitter_of` splits some of the rows alone.
fn rows_by(
    recipe: &Recipe,
    options: &Options,
    has_test: bool,
    splitter: &Splitter,
    splitter_of: &dyn Fn(&[u32]) -> Result<Splitter>,
) -> Result<Rows> {
    let seed = recipe.settings.seed;
    let test = test_part(options, has_test)?;
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

/// The part of the rows to test with, where these come in no file of their own.
fn test_part(options: &Options, has_test: bool) -> Result<f64> {
    let Some(text) = options.test.as_ref().filter(|text| !has_test && !is_file(text)) else { return Ok(0.0) };
    text.parse().ok().filter(|part| (0.0..1.0).contains(part)).ok_or_else(|| Error::Setting {
        name: "test".into(),
        found: format!("`{text}`"),
        expected: "a part from 0 to below 1, or a file".into(),
    })
}

/// How many of so many rows are not to test with.
fn rows_beside_test(rows: usize, options: &Options, has_test: bool) -> Result<usize> {
    Ok(rows - (rows as f64 * test_part(options, has_test)?).round() as usize)
}
