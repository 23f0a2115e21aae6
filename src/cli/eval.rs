//! `nngpu eval`.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::PathBuf;

use nngpu::Error;
use nngpu::data::{Classes, Matrix, Table, TargetEncoding, Targets, idx};
use nngpu::metrics::{Bootstrap, Condition, Measure, Metrics, Slice, Truth, confusion, measure_with_intervals, slices};
use nngpu::model::{Input, Model};
use nngpu::tabular::{in_units, names, truth_of};
use serde_json::{Value, json};

use super::rows::{Oddities, images_expected, open};
use super::run::Reading;
use super::summary::{score, short, table};
use super::{DeviceOption, Ending, Failure};

/// Measure a trained model on rows whose answers are known
///
/// The data have the columns that the model learned from and those that it predicts; rows without a target are left
/// out. Each measure has a 95 % interval: how far it would move with other rows.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nngpu eval model.safetensors measured-flowers.csv
  nngpu eval model.safetensors patients.csv --by sex --by age
  nngpu eval model.safetensors houses.parquet --fail-under r2=0.8 --fail-under rmse=30000
  nngpu eval model.safetensors images.gz --labels labels.gz --json | jq .metrics

Exit codes: 0, 1 for data that cannot be measured, 5 where `--fail-under` is not reached.")]
pub struct Eval {
    /// Model file that `nngpu train` wrote
    model: PathBuf,

    /// Table with the target columns (- for standard input), or IDX file of images
    data: PathBuf,

    /// IDX file with the labels of the images
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Column whose values part the rows: the measures of each part; may be given several times
    #[arg(long, value_name = "COLUMN")]
    by: Vec<String>,

    /// Column that tells how much each row counts
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,

    /// What a measure must reach, such as accuracy=0.9, or rmse=3 at most where less is better; may be given several
    /// times
    #[arg(long, value_name = "MEASURE=BOUND")]
    fail_under: Vec<Condition>,

    /// Take columns that the data do not have as missing in every row, and warn
    #[arg(long)]
    allow_missing_columns: bool,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    device: DeviceOption,
}

/// The version of the JSON; a change that programs cannot read raises it.
const VERSION: u32 = 1;

/// Classes up to which the confusion matrix is shown whole.
const MOST_CLASSES: usize = 20;

/// Confusions that are shown of more classes.
const MOST_CONFUSIONS: usize = 20;

/// Measures beside each slice, class, label or target.
const MOST_MEASURES: usize = 4;

/// What is measured.
struct Rows {
    inputs: Matrix,
    truth: Targets,
    /// None of images.
    table: Option<Table>,
    weights: Option<Vec<f32>>,
    left_out: usize,
}

/// What was found.
struct Measured {
    metrics: Metrics,
    confusion: Option<Vec<Vec<u64>>>,
    slices: Vec<(String, Vec<Slice>)>,
    left_out: usize,
    /// Each with whether it holds.
    conditions: Vec<(Condition, bool)>,
}

impl Eval {
    pub fn run(self) -> Result<Ending, Failure> {
        let model = Model::load(&self.model)?;
        let rows = match &model.input {
            Input::Images => self.read_images(&model)?,
            Input::Table(_) => self.read_table(&model)?,
        };
        let device = open(&self.device, &model, rows.inputs.rows())?;
        let answers = in_units(&model.output, &model.answers(&device, &rows.inputs)?)?;
        let measured = self.measure(&model, &rows, &answers)?;
        let mut out = io::stdout().lock();
        if self.json {
            let text = serde_json::to_string_pretty(&self.told(&model, &measured)).map_err(io::Error::from)?;
            writeln!(out, "{text}")?;
        } else {
            write!(out, "{}", text(&model, &measured))?;
        }
        out.flush()?;
        let mut ending = Ending::Done;
        for (condition, _) in measured.conditions.iter().filter(|(_, holds)| !holds) {
            let found = measured.metrics.get(condition.measure).map_or(f64::NAN, |score| score.value);
            tell!("error: {} is {}, expected {condition}", condition.measure, short(found));
            ending = Ending::Unmet;
        }
        Ok(ending)
    }

    fn read_images(&self, model: &Model) -> Result<Rows, Error> {
        let refuse = |name: &str, found: &str, expected: &str| {
            Err(Error::Setting { name: name.into(), found: found.into(), expected: expected.into() })
        };
        if !self.by.is_empty() || self.weight.is_some() {
            return refuse("by", "columns of images", "none, since images have no columns");
        }
        let Some(labels) = &self.labels else {
            return refuse("labels", "none", "the labels of the images as `--labels FILE`");
        };
        let (inputs, indices) = idx::read_labelled_images(&self.data, labels)?;
        let truth = Targets::Classes(Classes::from_labels(labels, indices, Some(model.output.n_outputs()))?);
        Ok(Rows { inputs, truth, table: None, weights: None, left_out: 0 })
    }

    fn read_table(&self, model: &Model) -> Result<Rows, Error> {
        if self.labels.is_some() {
            return Err(Error::Setting {
                name: "labels".into(),
                found: "labels of images".into(),
                expected: "a table that has the target columns, since the model learned from a table".into(),
            });
        }
        let whole = Table::read(&self.data, &self.reading.options()?)?;
        let targets: Vec<String> = model.output.names().into_iter().map(str::to_owned).collect();
        let missing = TargetEncoding::missing_rows(&whole, &targets)?;
        let left_out = missing.len();
        if left_out == whole.n_rows() {
            return Err(Error::Setting {
                name: format!("{}, column `{}`", whole.path().display(), targets[0]),
                found: "no row with a value".into(),
                expected: "rows whose answers are known; `nngpu predict` takes others".into(),
            });
        }
        // These are looked for before anything is computed.
        for name in &self.by {
            whole.column(name)?;
        }
        let table = match left_out {
            0 => Cow::Borrowed(&whole),
            _ => {
                let mut missing = missing.into_iter().peekable();
                let is_kept = |row: &u32| missing.next_if_eq(row).is_none();
                let kept: Vec<u32> = (0..whole.n_rows() as u32).filter(is_kept).collect();
                Cow::Owned(whole.select_rows(&kept))
            }
        };
        let truth = match &model.output {
            // As they are, whatever the model takes the logarithm of.
            TargetEncoding::Numbers(_) => Targets::Values(table.matrix(&targets)?),
            output => output.encode(&table)?,
        };
        let weights = match &self.weight {
            Some(column) => Some(table.matrix(std::slice::from_ref(column))?.into_values()),
            None => None,
        };
        let mut oddities = Oddities::default();
        let inputs = oddities.inputs(model, &table, self.allow_missing_columns);
        oddities.tell();
        Ok(Rows { inputs: inputs?, truth, table: Some(table.into_owned()), weights, left_out })
    }

    fn measure(&self, model: &Model, rows: &Rows, answers: &Matrix) -> Result<Measured, Error> {
        let names = names(&model.output);
        let truth = truth_of(&model.output, &rows.truth, &names);
        let weights = rows.weights.as_deref();
        let metrics = measure_with_intervals(answers, &truth, weights, Bootstrap::default())?;
        let conditions = self.fail_under.iter().map(|condition| Ok((*condition, condition.holds(&metrics)?)));
        let conditions = conditions.collect::<Result<_, Error>>()?;
        let by = |name: &String| {
            let table = rows.table.as_ref().ok_or_else(|| images_expected("columns"))?;
            Ok((name.clone(), slices(answers, &truth, weights, table.column(name)?)?))
        };
        Ok(Measured {
            confusion: matches!(truth, Truth::Classes { .. }).then(|| confusion(answers, &truth)).transpose()?,
            slices: self.by.iter().map(by).collect::<Result<_, Error>>()?,
            left_out: rows.left_out,
            metrics,
            conditions,
        })
    }

    /// Everything for programs.
    fn told(&self, model: &Model, measured: &Measured) -> Value {
        let slice = |slice: &Slice| json!({ "level": slice.level, "metrics": slice.metrics });
        let by = |(column, slices): &(String, Vec<Slice>)| json!({ "column": column, "slices": slices.iter().map(slice).collect::<Vec<_>>() });
        let condition = |(condition, holds): &(Condition, bool)| json!({ "measure": condition.measure, "bound": condition.bound, "holds": holds });
        let confusion = measured.confusion.as_ref().map(|counts| {
            // Rows of the matrix are the true classes.
            json!({ "classes": names(&model.output), "counts": counts })
        });
        json!({
            "version": VERSION,
            "model": self.model,
            "data": self.data,
            "task": model.output.task(),
            "left_out": measured.left_out,
            "metrics": measured.metrics,
            "confusion": confusion,
            "by": measured.slices.iter().map(by).collect::<Vec<_>>(),
            "conditions": measured.conditions.iter().map(condition).collect::<Vec<_>>(),
        })
    }
}

fn text(model: &Model, measured: &Measured) -> String {
    let mut text = format!("{} rows", measured.metrics.n_rows);
    if measured.left_out > 0 {
        text += &format!("; {} more have no target, and are left out", measured.left_out);
    }
    let mut all = table();
    all.set_header(["measure", "value (95 % interval)", "better"]);
    for found in &measured.metrics.scores {
        let better = if found.measure.larger_is_better() { "more" } else { "less" };
        all.add_row([title(found.measure), score(found), better.into()]);
    }
    text += &format!("\n{all}\n");
    let parts = &measured.metrics.parts;
    if parts.len() > 1 {
        let what = match &model.output {
            TargetEncoding::Numbers(_) => "target",
            TargetEncoding::Classes(_) => "class",
            TargetEncoding::Labels(_) => "label",
        };
        let rows = parts.iter().map(|part| (part.name.clone(), part.n_rows, &part.scores[..]));
        text += &format!("\n{}\n", levels(what, &rows.collect::<Vec<_>>()));
    }
    if let Some(counts) = &measured.confusion {
        text += &format!("\n{}\n", confusions(&names(&model.output), counts));
    }
    for (column, slices) in &measured.slices {
        let level = |slice: &Slice| if slice.level.is_empty() { "(missing)".into() } else { slice.level.clone() };
        let rows = slices.iter().map(|slice| (level(slice), slice.metrics.n_rows, &slice.metrics.scores[..]));
        text += &format!("\n{}\n", levels(column, &rows.collect::<Vec<_>>()));
    }
    text
}

/// The name that people read, and the one that `--fail-under` takes where it is another.
fn title(measure: Measure) -> String {
    let (title, name) = (measure.title(), measure.name());
    if title.to_lowercase() == name { title.into() } else { format!("{title} [{name}]") }
}

/// Some measures of parts of the rows.
fn levels(what: &str, rows: &[(String, usize, &[nngpu::metrics::Score])]) -> String {
    let mut table = table();
    let measures = rows.first().map_or(&[][..], |(_, _, scores)| scores).iter().take(MOST_MEASURES);
    let heading = [what.to_owned(), "rows".into()].into_iter();
    table.set_header(heading.chain(measures.map(|found| found.measure.title().to_owned())));
    for (name, n_rows, scores) in rows {
        let scores = scores.iter().take(MOST_MEASURES).map(|found| short(found.value));
        table.add_row([name.clone(), n_rows.to_string()].into_iter().chain(scores));
    }
    table.to_string()
}

/// How often rows of each class were answered by each; of many classes what was confused most often.
fn confusions(names: &[String], counts: &[Vec<u64>]) -> String {
    let mut table = table();
    if names.len() <= MOST_CLASSES {
        table.set_header(["true ╲ answered".to_owned()].into_iter().chain(names.iter().cloned()));
        for (name, counts) in names.iter().zip(counts) {
            let counts = counts.iter().map(|count| if *count == 0 { "·".into() } else { count.to_string() });
            table.add_row([name.clone()].into_iter().chain(counts));
        }
        return table.to_string();
    }
    let pairs = counts.iter().enumerate().flat_map(|(truth, row)| {
        row.iter().enumerate().filter(move |(answer, _)| *answer != truth).map(move |(answer, n)| (truth, answer, *n))
    });
    let mut pairs: Vec<(usize, usize, u64)> = pairs.filter(|(.., count)| *count > 0).collect();
    pairs.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
    table.set_header(["true", "answered", "rows"]);
    for (truth, answer, count) in pairs.iter().take(MOST_CONFUSIONS) {
        table.add_row([names[*truth].clone(), names[*answer].clone(), count.to_string()]);
    }
    match pairs.len().saturating_sub(MOST_CONFUSIONS) {
        0 => table.to_string(),
        left => format!("{table}\n{left} more confusions; `--json` has the whole matrix"),
    }
}
