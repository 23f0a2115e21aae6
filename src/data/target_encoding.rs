//! The target columns of a table as what a network learns, and its answers in their words again.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::preprocess::{Code, Lookup, Summary, boolean_codes, count, is_word, no_and_yes, numbers};
use super::table::{Refused, number_text};
use super::{Classes, Column, ColumnType, Matrix, Schema, Table, Targets, Task, Values};
use crate::kernels::loss::Loss;
use crate::{Error, Result};

/// What is predicted: how the target columns are told to a network, and how its answers are read.
///
/// ```
/// use nngpu::data::{Matrix, Table, TargetEncoding, TargetOptions, Task};
///
/// let table = Table::read_csv("examples/data/iris.csv")?;
/// let rows: Vec<u32> = (0..150).collect();
/// let names = ["species".to_string()];
/// let encoding = TargetEncoding::fit(&table, &names, Task::Classification, &rows, &TargetOptions::default())?;
///
/// assert_eq!(encoding.n_outputs(), 3);
/// assert_eq!(encoding.encode(&table)?.rows(), 150);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", rename_all = "lowercase")]
pub enum TargetEncoding {
    /// Numbers, one or more.
    Numbers(Vec<NumberTarget>),
    /// One of some classes.
    Classes(ClassTarget),
    /// Which of some labels apply.
    Labels(Vec<LabelTarget>),
}

/// A number to predict: `(transform(y) - mean) / scale` is what a network learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberTarget {
    /// What the number is.
    pub name: String,
    /// What the number goes through first.
    pub transform: Transform,
    /// What becomes 0.
    pub mean: f64,
    /// The distance from it that becomes 1; above 0.
    pub scale: f64,
    /// By what a logarithm's answer is multiplied to be the mean and not the median: [`TargetEncoding::fit_smearing`].
    pub smearing: f64,
    /// The least and the largest answer, in units and before smearing.
    pub limits: Option<[f64; 2]>,
}

/// What a number goes through before it is standardised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// Nothing.
    Linear,
    /// The logarithm, of numbers above 0.
    Log,
    /// The logarithm of the number and 1, of numbers from 0 on.
    Log1p,
}

/// A class to predict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassTarget {
    /// What the class is of.
    pub name: String,
    /// The classes in the order of the network's outputs: numbers by their size, before other names by their
    /// characters.
    pub classes: Vec<String>,
}

/// A label that applies or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelTarget {
    /// The label.
    pub name: String,
    /// What the column says where it does not apply.
    pub no: String,
    /// What the column says where it applies.
    pub yes: String,
}

/// How targets are encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetOptions {
    /// What numbers go through first. Without one it is found for each target: a logarithm where 20 or more rows are
    /// given, no number is negative, the largest is 20 times the smallest or more (counted from 1 where some are 0),
    /// the skewness is above 1, and the logarithm brings it to half or less; [`Transform::Log`] where all are above 0,
    /// else [`Transform::Log1p`]. Default none.
    pub transform: Option<Transform>,
    /// Whether numbers are brought to mean 0 and standard deviation 1. A loss whose answers are exponentials, such as
    /// [`Loss::Poisson`], takes numbers as they are: it needs `false` and [`Transform::Linear`]. Default `true`.
    pub standardise: bool,
}

impl Default for TargetOptions {
    fn default() -> Self {
        TargetOptions { transform: None, standardise: true }
    }
}

/// A task that was found by looking at the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskChoice {
    /// The task.
    pub task: Task,
    /// Why, in a few words: `column quality holds 7 different whole numbers`.
    pub reason: String,
    /// What else it could be and how to say so, where there is a doubt.
    pub doubt: Option<String>,
}

/// What a model says of some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The answers.
    pub answers: Answers,
    /// The population standard deviation, over the members of a model, of each number or probability, laid out like
    /// those; nothing for a model of one.
    pub spread: Option<Vec<f64>>,
}

/// The answers of a model, row after row.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// Numbers in the units of the targets.
    Numbers {
        /// What each column is.
        names: Vec<String>,
        /// `[rows, names]`.
        values: Vec<f64>,
    },
    /// The probability of each class.
    Classes {
        /// What the class is of.
        name: String,
        /// What each column is.
        classes: Vec<String>,
        /// `[rows, classes]`.
        probabilities: Matrix,
    },
    /// The probability that each label applies.
    Labels {
        /// What each column is.
        names: Vec<String>,
        /// `[rows, names]`.
        probabilities: Matrix,
    },
}

/// Numbers of more different values are no names of classes.
const MOST_CLASSES: usize = 20;

/// Fewer rows tell no skewness.
const LEAST_ROWS: usize = 20;

impl TaskChoice {
    /// The task that the columns `targets` are for. A type that `schema` says was given for a target decides.
    ///
    /// One column is classification where it holds text or two different values; where it holds whole numbers that
    /// follow each other from 0 or 1 on, at most 20 of them and each in two rows or more, unless five or more of
    /// them look like an amount: their counts rise to one peak and fall from it, and the smallest is below a tenth
    /// of the largest. So the digits 0 to 9 are classes, while a quality from 3 to 9, grades around a middle and
    /// prices are numbers. Otherwise it is regression. Several columns are labels where each says yes or no, and
    /// regression where each holds numbers.
    ///
    /// # Errors
    ///
    /// No targets, a column twice or one that is not there; a target without a value; several targets that are neither
    /// all numbers nor all yes and no.
    pub fn find(table: &Table, schema: Option<&Schema>, targets: &[String]) -> Result<TaskChoice> {
        let columns = target_columns(table, targets)?;
        for column in &columns {
            if column.n_missing() == column.n_rows() {
                return Err(Error::Setting {
                    name: format!("{}, column `{}`", table.path().display(), column.name()),
                    found: "no value at all".into(),
                    expected: "something to predict".into(),
                });
            }
        }
        let given = |name: &str| {
            let column = schema?.columns.iter().find(|column| column.name == name)?;
            column.is_given.then_some(column.kind)
        };
        match &columns[..] {
            [column] => Ok(match given(column.name()) {
                Some(ColumnType::Category | ColumnType::Boolean) => {
                    sure(Task::Classification, format!("column `{}` was said to hold classes", column.name()))
                }
                Some(ColumnType::Number) => {
                    sure(Task::Regression, format!("column `{}` was said to hold numbers", column.name()))
                }
                _ => one_column(column),
            }),
            columns => {
                let n = columns.len();
                if columns.iter().all(|column| is_yes_or_no(column)) {
                    return Ok(sure(Task::MultiLabel, format!("each of {n} columns says yes or no")));
                }
                match columns.iter().find(|column| numbers(column.values()).is_err()) {
                    None => Ok(sure(Task::Regression, format!("{n} columns hold numbers"))),
                    Some(column) => Err(Error::Setting {
                        name: "targets".into(),
                        found: format!("{n} columns, of which `{}` holds text", column.name()),
                        expected: "one column of classes, or several that all hold numbers or all say yes or no".into(),
                    }),
                }
            }
        }
    }
}

fn sure(task: Task, reason: String) -> TaskChoice {
    TaskChoice { task, reason, doubt: None }
}

fn one_column(column: &Column) -> TaskChoice {
    let name = column.name();
    let Values::Numbers(values) = column.values() else {
        let n = count(column.values()).0.len();
        return sure(Task::Classification, format!("column `{name}` holds text, {n} different"));
    };
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let runs: Vec<&[f64]> = sorted.chunk_by(|a, b| a == b).collect();
    let is_whole = runs.iter().all(|run| run[0].fract() == 0.0);
    let n = runs.len();
    if n == 2 {
        return sure(Task::Classification, format!("column `{name}` holds two different values"));
    }
    if !is_whole {
        return sure(Task::Regression, format!("column `{name}` holds numbers with fractions"));
    }
    let counts: Vec<usize> = runs.iter().map(|run| run.len()).collect();
    let numbers = format!("column `{name}` holds {n} different whole numbers");
    if !(2..=MOST_CLASSES).contains(&n) || counts.iter().any(|&count| count < 2) {
        return sure(Task::Regression, numbers);
    }
    let follow = runs.windows(2).all(|pair| pair[1][0] - pair[0][0] == 1.0) && [0.0, 1.0].contains(&runs[0][0]);
    let doubt = |task: Task, what: &str| Some(format!("if they are {what}, say `--task {task}`"));
    if follow && !is_amount(&counts) {
        let doubt = doubt(Task::Regression, "amounts and not names of classes");
        TaskChoice { task: Task::Classification, reason: format!("{numbers}, from {} on", runs[0][0]), doubt }
    } else {
        let doubt = doubt(Task::Classification, "names of classes and not amounts");
        TaskChoice { task: Task::Regression, reason: numbers, doubt }
    }
}

/// Whether the counts of neighbouring numbers look as those of amounts often do, and those of names seldom: rising to
/// one peak, falling from it, with little at an end.
fn is_amount(counts: &[usize]) -> bool {
    let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let peak = counts.iter().position(|count| *count == most).unwrap_or(0);
    let has_one_peak = counts[..peak].is_sorted() && counts[peak..].is_sorted_by(|a, b| a >= b);
    counts.len() >= 5 && has_one_peak && least * 10 < most
}

/// Whether a column's values are words for yes and no.
fn is_yes_or_no(column: &Column) -> bool {
    let (counted, _) = count(column.values());
    counted.len() <= 2 && counted.iter().all(|(name, _)| is_word(name, 0) || is_word(name, 1))
}

/// The columns named `targets`.
fn target_columns<'a>(table: &'a Table, targets: &[String]) -> Result<Vec<&'a Column>> {
    let mut names = HashSet::new();
    let (found, expected) = match targets.iter().find(|name| !names.insert(name.as_str())) {
        Some(name) => (format!("`{name}` twice"), "different columns".into()),
        None if targets.is_empty() => ("none".into(), "the name of a column".into()),
        None => return targets.iter().map(|name| table.column(name)).collect(),
    };
    Err(Error::Setting { name: "targets".into(), found, expected })
}

impl TargetEncoding {
    /// Fits what is told of the columns `targets` on the `rows` of `table`, in none of which they may be missing.
    ///
    /// Of numbers no other row has an influence. Names of classes are those of the whole table: a class that only
    /// rows to measure on have would otherwise stop the measurement.
    ///
    /// # Errors
    ///
    /// No targets, a column twice or one that is not there; classes of several columns. For regression: a field that
    /// is no finite number, or to which a logarithm that was asked for cannot be taken. For classification: a missing
    /// class, one class only, or three or more classes whose number is over half that of the rows. For labels: a
    /// column with more than two values.
    pub fn fit(
        table: &Table,
        targets: &[String],
        task: Task,
        rows: &[u32],
        options: &TargetOptions,
    ) -> Result<TargetEncoding> {
        let columns = target_columns(table, targets)?;
        if rows.is_empty() {
            let (found, expected) = ("no rows".into(), "at least one to learn from".into());
            return Err(Error::Shape { operation: "targets".into(), found, expected });
        }
        match (task, &columns[..]) {
            (Task::Regression, columns) => {
                let fit = |column: &&Column| NumberTarget::fit(table, column, rows, options);
                columns.iter().map(fit).collect::<Result<_>>().map(TargetEncoding::Numbers)
            }
            (Task::Classification, [column]) => ClassTarget::fit(table, column).map(TargetEncoding::Classes),
            (Task::Classification, columns) => Err(Error::Setting {
                name: "targets".into(),
                found: format!("{} columns of classes", columns.len()),
                expected: "one; or yes and no in each, for `--task multilabel`".into(),
            }),
            (Task::MultiLabel, columns) => {
                let fit = |column: &&Column| LabelTarget::fit(table, column);
                columns.iter().map(fit).collect::<Result<_>>().map(TargetEncoding::Labels)
            }
        }
    }

    /// Rows of `table` in which one of the columns `targets` is missing, in their order.
    ///
    /// # Errors
    ///
    /// No targets, a column twice or one that is not there.
    pub fn missing_rows(table: &Table, targets: &[String]) -> Result<Vec<u32>> {
        let columns = target_columns(table, targets)?;
        let is_missing = |row: &u32| columns.iter().any(|column| column.is_missing(*row as usize));
        Ok((0..table.n_rows() as u32).filter(is_missing).collect())
    }

    /// The task that it is for.
    pub fn task(&self) -> Task {
        match self {
            TargetEncoding::Numbers(_) => Task::Regression,
            TargetEncoding::Classes(_) => Task::Classification,
            TargetEncoding::Labels(_) => Task::MultiLabel,
        }
    }

    /// The names of the target columns.
    pub fn names(&self) -> Vec<&str> {
        match self {
            TargetEncoding::Numbers(targets) => targets.iter().map(|target| target.name.as_str()).collect(),
            TargetEncoding::Classes(target) => vec![&target.name],
            TargetEncoding::Labels(labels) => labels.iter().map(|label| label.name.as_str()).collect(),
        }
    }

    /// How many answers there are for a row: numbers, classes or labels.
    pub fn n_outputs(&self) -> usize {
        match self {
            TargetEncoding::Numbers(targets) => targets.len(),
            TargetEncoding::Classes(target) => target.classes.len(),
            TargetEncoding::Labels(labels) => labels.len(),
        }
    }

    /// The loss for it: mean squared error for numbers, cross-entropy for classes, binary cross-entropy for labels.
    pub fn loss(&self) -> Loss {
        match self {
            TargetEncoding::Numbers(_) => Loss::Mse,
            TargetEncoding::Classes(_) => Loss::CrossEntropy,
            TargetEncoding::Labels(_) => Loss::BinaryCrossEntropy,
        }
    }

    /// The targets of all rows of a table. Labels are numbers, 0 and 1.
    ///
    /// # Errors
    ///
    /// A column that is not there; a value that is missing, no finite number or outside of what a logarithm takes, a
    /// class or a word for yes or no that is not known.
    pub fn encode(&self, table: &Table) -> Result<Targets> {
        let rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        self.encode_rows(table, &rows)
    }

    /// The targets of some rows of a table, in their order; in others they may be missing.
    ///
    /// # Errors
    ///
    /// As for [`encode`](Self::encode).
    pub fn encode_rows(&self, table: &Table, rows: &[u32]) -> Result<Targets> {
        let columns = self.names().into_iter().map(|name| table.column(name)).collect::<Result<Vec<_>>>()?;
        let n = columns.len();
        let mut values = vec![0.0; rows.len() * n];
        let mut put = |index: usize, column: Vec<f32>| {
            values.iter_mut().skip(index).step_by(n).zip(column).for_each(|(to, value)| *to = value);
        };
        match self {
            TargetEncoding::Classes(target) => return target.encode(table, columns[0], rows).map(Targets::Classes),
            TargetEncoding::Numbers(targets) => {
                for (index, (target, column)) in targets.iter().zip(&columns).enumerate() {
                    put(index, target.encode(table, column, rows)?);
                }
            }
            TargetEncoding::Labels(labels) => {
                for (index, (label, column)) in labels.iter().zip(&columns).enumerate() {
                    put(index, label.encode(table, column, rows)?);
                }
            }
        }
        Matrix::new(rows.len(), n, values).map(Targets::Values)
    }

    /// What the answers of a network say, `[rows, outputs]` through [`Loss::link`].
    ///
    /// # Errors
    ///
    /// Another number of columns than answers.
    pub fn decode(&self, answers: &Matrix) -> Result<Answers> {
        let n = self.n_outputs();
        if answers.columns() != n {
            return Err(Error::Shape {
                operation: "answers".into(),
                found: format!("{} columns", answers.columns()),
                expected: format!("{n}, one for each answer"),
            });
        }
        Ok(match self {
            TargetEncoding::Numbers(targets) => {
                let decode = |(&answer, target): (&f32, &NumberTarget)| target.decode(f64::from(answer));
                let values = answers.values().iter().zip(targets.iter().cycle()).map(decode).collect();
                Answers::Numbers { names: self.owned_names(), values }
            }
            TargetEncoding::Classes(ClassTarget { name, classes }) => {
                Answers::Classes { name: name.clone(), classes: classes.clone(), probabilities: answers.clone() }
            }
            TargetEncoding::Labels(_) => Answers::Labels { names: self.owned_names(), probabilities: answers.clone() },
        })
    }

    fn owned_names(&self) -> Vec<String> {
        self.names().into_iter().map(str::to_owned).collect()
    }

    /// What the answers of several networks say together: those of their mean, and how far they lie apart.
    ///
    /// # Errors
    ///
    /// No answers, answers of different shapes, another number of columns than answers.
    pub fn decode_members(&self, members: &[Matrix]) -> Result<Predictions> {
        let Some(first) = members.first() else {
            let (found, expected) = ("no members".into(), "one or more".into());
            return Err(Error::Shape { operation: "answers".into(), found, expected });
        };
        if let Some(other) = members.iter().find(|m| (m.rows(), m.columns()) != (first.rows(), first.columns())) {
            return Err(Error::Shape {
                operation: "answers of members".into(),
                found: format!("[{}, {}] and [{}, {}]", first.rows(), first.columns(), other.rows(), other.columns()),
                expected: "one shape".into(),
            });
        }
        if let [only] = members {
            return Ok(Predictions { answers: self.decode(only)?, spread: None });
        }
        let n = members.len() as f64;
        let mean = |i: usize| (members.iter().map(|member| f64::from(member.values()[i])).sum::<f64>() / n) as f32;
        let means = (0..first.values().len()).map(mean).collect();
        let answers = self.decode(&Matrix::new(first.rows(), first.columns(), means)?)?;
        let of_each = members.iter().map(|member| self.decode(member)).collect::<Result<Vec<_>>>()?;
        let deviation = |i: usize| {
            let values: Vec<f64> = of_each.iter().map(|answers| answers.value(i)).collect();
            let mean = values.iter().sum::<f64>() / n;
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
        };
        let spread = Some((0..first.values().len()).map(deviation).collect());
        Ok(Predictions { answers, spread })
    }

    /// Fits by what an answer through a logarithm is multiplied so that it is the mean and not the median: the sum of
    /// the targets over that of the answers, in units, of rows that were not learned from; kept from 0.8 to 1.25, since
    /// a few rows can make it anything. It is the "smearing estimate" of Duan (1983) with weights by size: large
    /// answers count for what they are. `answers` and `targets` are those of the same rows, `[rows, targets]`, as the
    /// network has them. Without a logarithm nothing changes.
    ///
    /// # Panics
    ///
    /// The two have other shapes than `[rows, targets]`.
    pub fn fit_smearing(&mut self, answers: &Matrix, targets: &Matrix) {
        let TargetEncoding::Numbers(numbers) = self else { return };
        let n = numbers.len();
        assert_eq!((answers.columns(), targets.columns()), (n, n), "columns of answers and targets");
        assert_eq!(answers.rows(), targets.rows(), "rows of answers and targets");
        for (index, number) in numbers.iter_mut().enumerate() {
            if number.transform == Transform::Linear || answers.rows() == 0 {
                continue;
            }
            let column = |matrix: &Matrix, row: usize| f64::from(matrix.row(row)[index]);
            let in_units = |transformed: f64| match number.transform {
                Transform::Log1p => transformed.exp_m1(),
                _ => transformed.exp(),
            };
            let target = |row: usize| in_units(column(targets, row) * number.scale + number.mean);
            let answer = |row: usize| in_units(number.limited(column(answers, row)));
            let sum = |of: &dyn Fn(usize) -> f64| (0..answers.rows()).map(of).sum::<f64>();
            let factor = sum(&target) / sum(&answer);
            number.smearing = if factor.is_finite() { factor.clamp(0.8, 1.25) } else { 1.0 };
        }
    }

    fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        if let Some(name) = self.names().into_iter().find(|name| !names.insert(*name)) {
            return Err(format!("found two targets named `{name}`, expected different names"));
        }
        match self {
            TargetEncoding::Numbers(targets) if targets.is_empty() => Err("found no target, expected one".into()),
            TargetEncoding::Numbers(targets) => targets.iter().try_for_each(NumberTarget::check),
            TargetEncoding::Classes(target) => target.check(),
            TargetEncoding::Labels(labels) if labels.is_empty() => Err("found no label, expected one".into()),
            TargetEncoding::Labels(labels) => match labels.iter().find(|label| label.no == label.yes) {
                Some(label) => Err(format!("label `{}`: found one name for yes and no, expected two", label.name)),
                None => Ok(()),
            },
        }
    }
}

impl NumberTarget {
    /// A number that is standardised, and no more.
    pub fn standardised(name: impl Into<String>, mean: f64, scale: f64) -> NumberTarget {
        NumberTarget { name: name.into(), transform: Transform::Linear, mean, scale, smearing: 1.0, limits: None }
    }

    fn fit(table: &Table, column: &Column, rows: &[u32], options: &TargetOptions) -> Result<NumberTarget> {
        let known = target_numbers(table, column, rows)?;
        let transform = options
            .transform
            .unwrap_or_else(|| if options.standardise { fitting_transform(&known) } else { Transform::Linear });
        let transformed: Vec<f64> = known.iter().map(|number| transform.apply(*number)).collect();
        if let Some(row) = transformed.iter().position(|number| !number.is_finite()) {
            return Err(no_logarithm(table, column, rows[row], transform));
        }
        let range = Summary::new(known);
        let span = range.largest / 2.0 - range.smallest / 2.0;
        let (low, high) = match transform {
            // Beyond what was seen a straight line is a guess; so far it may be a good one.
            Transform::Linear => (range.smallest - span, range.largest + span),
            // A guess beyond it would grow exponentially.
            Transform::Log | Transform::Log1p => (range.smallest, range.largest),
        };
        let summary = Summary::new(transformed);
        let has_scale = options.standardise && summary.deviation > 0.0 && summary.deviation.is_finite();
        Ok(NumberTarget {
            name: column.name().to_owned(),
            transform,
            mean: if options.standardise { summary.mean } else { 0.0 },
            scale: if has_scale { summary.deviation } else { 1.0 },
            smearing: 1.0,
            limits: Some([low.max(f64::MIN), high.min(f64::MAX)]),
        })
    }

    fn encode(&self, table: &Table, column: &Column, rows: &[u32]) -> Result<Vec<f32>> {
        let known = target_numbers(table, column, rows)?;
        let encode = |(&row, &number): (&u32, &f64)| {
            let transformed = self.transform.apply(number);
            if !transformed.is_finite() {
                return Err(no_logarithm(table, column, row, self.transform));
            }
            let value = ((transformed - self.mean) / self.scale) as f32;
            if value.is_finite() { Ok(value) } else { Err(no_number(table, column, row)) }
        };
        rows.iter().zip(&known).map(encode).collect()
    }

    /// The number, in its units, that a network's answer says.
    pub fn decode(&self, answer: f64) -> f64 {
        let transformed = self.limited(answer);
        let number = match self.transform {
            Transform::Linear => transformed,
            Transform::Log => transformed.exp() * self.smearing,
            Transform::Log1p => transformed.exp_m1() * self.smearing,
        };
        self.limits.map_or(number, |[low, _]| number.max(low))
    }

    /// The transformed number that a network's answer says, within the limits.
    fn limited(&self, answer: f64) -> f64 {
        let transformed = answer * self.scale + self.mean;
        let [low, high] = self
            .limits
            .map_or([f64::NEG_INFINITY, f64::INFINITY], |limits| limits.map(|limit| self.transform.apply(limit)));
        transformed.max(low).min(high)
    }

    /// A number in its units, with as many digits as a network's answer of 32 bits can tell.
    pub fn text(&self, number: f64) -> String {
        // A part in 2^24 of the scale; of a logarithm, of the number itself.
        let step =
            0.5f64.powi(24) * if self.transform == Transform::Linear { self.scale } else { number.abs() * self.scale };
        let decimals = -step.log10().floor();
        if !(0.0..=17.0).contains(&decimals) || number.abs() >= 1e16 {
            return number_text(number);
        }
        let rounded = format!("{number:.*}", decimals as usize);
        number_text(rounded.parse().unwrap_or(number))
    }

    fn check(&self) -> Result<(), String> {
        let is_right = self.mean.is_finite()
            && self.scale.is_finite()
            && self.scale > 0.0
            && self.smearing.is_finite()
            && self.smearing > 0.0
            && self.limits.is_none_or(|[low, high]| low.is_finite() && high.is_finite() && low <= high);
        let takes = |limits: [f64; 2]| limits.iter().all(|limit| self.transform.apply(*limit).is_finite());
        if is_right && self.limits.is_none_or(takes) {
            return Ok(());
        }
        Err(format!(
            "target `{}`: found mean {}, scale {}, smearing {} and limits {:?}, expected finite numbers, scale and smearing above 0, and limits in order",
            self.name, self.mean, self.scale, self.smearing, self.limits
        ))
    }
}

impl Transform {
    fn apply(self, number: f64) -> f64 {
        match self {
            Transform::Linear => number,
            Transform::Log => number.ln(),
            Transform::Log1p => number.ln_1p(),
        }
    }
}

/// The transform that [`TargetOptions::transform`] tells of.
fn fitting_transform(known: &[f64]) -> Transform {
    let smallest = known.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (transform, ratio) = match smallest {
        low if low > 0.0 => (Transform::Log, largest / low),
        low if low >= 0.0 => (Transform::Log1p, 1.0 + largest),
        _ => return Transform::Linear,
    };
    let before = skewness(known);
    if known.len() < LEAST_ROWS || !(ratio >= 20.0 && before > 1.0) {
        return Transform::Linear;
    }
    let transformed: Vec<f64> = known.iter().map(|number| transform.apply(*number)).collect();
    if skewness(&transformed).abs() <= before / 2.0 { transform } else { Transform::Linear }
}

/// The third standardised moment; 0 where the numbers do not vary.
fn skewness(numbers: &[f64]) -> f64 {
    let Summary { mean, deviation, .. } = Summary::new(numbers.to_vec());
    if deviation <= 0.0 {
        return 0.0;
    }
    numbers.iter().map(|number| ((number - mean) / deviation).powi(3)).sum::<f64>() / numbers.len() as f64
}

/// The finite numbers of some rows.
fn target_numbers(table: &Table, column: &Column, rows: &[u32]) -> Result<Vec<f64>> {
    let selected = column.select_rows(rows);
    let numbers = numbers(selected.values()).map_err(|row| no_number(table, column, rows[row]))?;
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(row) => Err(no_number(table, column, rows[row])),
        None => Ok(numbers.into_owned()),
    }
}

fn no_number(table: &Table, column: &Column, row: u32) -> Error {
    Error::TextInTarget {
        path: table.path().to_owned(),
        place: table.place(row as usize),
        column: column.name().to_owned(),
        found: column.text(row as usize).unwrap_or_default().into_owned(),
    }
}

fn no_logarithm(table: &Table, column: &Column, row: u32, transform: Transform) -> Error {
    Error::Setting {
        name: format!("{}, {}, column `{}`", table.path().display(), table.place(row as usize), column.name()),
        found: column.text(row as usize).unwrap_or_default().into_owned(),
        expected: match transform {
            Transform::Log => "a number above 0, whose logarithm is learned".into(),
            _ => "a number from 0 on, whose logarithm is learned".into(),
        },
    }
}

impl ClassTarget {
    fn fit(table: &Table, column: &Column) -> Result<ClassTarget> {
        let (path, name) = (|| table.path().to_owned(), || column.name().to_owned());
        let (counted, n_missing) = count(column.values());
        if let Some(row) = infinite(column) {
            return Err(missing_class(table, column, row));
        }
        let (n_classes, rows) = (counted.len(), column.n_rows() - n_missing);
        let classes: Vec<String> = counted.into_iter().map(|(class, _)| class).collect();
        match &classes[..] {
            [] => Err(missing_class(table, column, 0)),
            [class] => Err(Error::OneClass { path: path(), column: Some(name()), class: class.clone() }),
            _ if n_classes > 2 && n_classes > rows / 2 => {
                Err(Error::TooManyClasses { path: path(), column: name(), classes: n_classes, rows })
            }
            _ => Ok(ClassTarget { name: name(), classes }),
        }
    }

    fn encode(&self, table: &Table, column: &Column, rows: &[u32]) -> Result<Classes> {
        let codes = Lookup::new(&self.classes).codes(column.values());
        let index = |&row: &u32| match codes[row as usize] {
            Code::Known(class) => Ok(class),
            Code::Missing => Err(missing_class(table, column, row as usize)),
            Code::Unknown => Err(unknown_class(table, column, row as usize, self.classes.clone())),
        };
        let indices = rows.iter().map(index).collect::<Result<_>>()?;
        Ok(Classes { indices, names: self.classes.clone() })
    }

    fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        match self.classes.iter().find(|class| !names.insert(class.as_str())) {
            Some(class) => Err(format!("found the class `{class}` twice, expected different names")),
            None if self.classes.is_empty() => Err("found no class, expected one".into()),
            None => Ok(()),
        }
    }
}

impl LabelTarget {
    fn fit(table: &Table, column: &Column) -> Result<LabelTarget> {
        if let Some(row) = infinite(column) {
            return Err(missing_class(table, column, row));
        }
        let (counted, _) = count(column.values());
        let names: Vec<&str> = counted.iter().map(|(name, _)| name.as_str()).collect();
        match no_and_yes(&names) {
            Some([no, yes]) => Ok(LabelTarget { name: column.name().to_owned(), no, yes }),
            None => Err(Error::Setting {
                name: format!("{}, column `{}`", table.path().display(), column.name()),
                found: format!("{} different values", names.len()),
                expected: "two, for a label that applies or not".into(),
            }),
        }
    }

    fn encode(&self, table: &Table, column: &Column, rows: &[u32]) -> Result<Vec<f32>> {
        let codes = boolean_codes(&self.no, &self.yes, column.values());
        let value = |&row: &u32| match codes[row as usize] {
            Code::Known(yes) => Ok(yes as f32),
            Code::Missing => Err(missing_class(table, column, row as usize)),
            Code::Unknown => Err(unknown_class(table, column, row as usize, vec![self.no.clone(), self.yes.clone()])),
        };
        rows.iter().map(value).collect()
    }
}

/// The first row whose number is infinite, which names no class.
fn infinite(column: &Column) -> Option<usize> {
    match column.values() {
        Values::Numbers(numbers) => numbers.iter().position(|number| number.is_infinite()),
        Values::Text(_) => None,
    }
}

fn missing_class(table: &Table, column: &Column, row: usize) -> Error {
    let column_index = table.column_index(column.name()).expect("a column of the table");
    Error::MissingClass {
        path: table.path().to_owned(),
        place: table.place(row),
        column: column.name().to_owned(),
        found: table.found(Refused { row, column: column_index }),
    }
}

fn unknown_class(table: &Table, column: &Column, row: usize, classes: Vec<String>) -> Error {
    Error::UnknownClass {
        path: table.path().to_owned(),
        column: column.name().to_owned(),
        class: column.text(row).unwrap_or_default().into_owned(),
        classes,
    }
}

impl Answers {
    /// The numbers or probabilities, `[rows, columns]`, one after the other.
    fn value(&self, index: usize) -> f64 {
        match self {
            Answers::Numbers { values, .. } => values[index],
            Answers::Classes { probabilities, .. } | Answers::Labels { probabilities, .. } => {
                f64::from(probabilities.values()[index])
            }
        }
    }

    /// What each column is.
    pub fn names(&self) -> &[String] {
        match self {
            Answers::Numbers { names, .. } | Answers::Labels { names, .. } => names,
            Answers::Classes { classes, .. } => classes,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Answers::Numbers { names, values } => values.len() / names.len(),
            Answers::Classes { probabilities, .. } | Answers::Labels { probabilities, .. } => probabilities.rows(),
        }
    }

    /// The most probable class of each row and its probability; of equal ones the first, as accuracy counts. Nothing
    /// where the answers are no classes.
    pub fn best_classes(&self) -> Option<Vec<(&str, f32)>> {
        let Answers::Classes { classes, probabilities, .. } = self else { return None };
        let best = |row: usize| {
            let row = probabilities.row(row);
            let best = (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best });
            (classes[best].as_str(), row[best])
        };
        Some((0..probabilities.rows()).map(best).collect())
    }
}

/// What a file holds, before it is checked.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unchecked {
    Numbers(Vec<NumberTarget>),
    Classes(ClassTarget),
    Labels(Vec<LabelTarget>),
}

impl TryFrom<Unchecked> for TargetEncoding {
    type Error = String;

    fn try_from(unchecked: Unchecked) -> Result<TargetEncoding, String> {
        let encoding = match unchecked {
            Unchecked::Numbers(targets) => TargetEncoding::Numbers(targets),
            Unchecked::Classes(target) => TargetEncoding::Classes(target),
            Unchecked::Labels(labels) => TargetEncoding::Labels(labels),
        };
        encoding.check()?;
        Ok(encoding)
    }
}

#[cfg(test)]
mod tests;
