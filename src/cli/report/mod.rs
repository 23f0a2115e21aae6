//! The report of a training: one page of HTML that needs nothing beside it.

mod plot;
mod show;

#[cfg(test)]
mod tests;

use std::path::Path;

use askama::Template;
use nngpu::data::ColumnSchema;
use nngpu::error::{Error, Result};
use nngpu::file::replace_file;
use nngpu::metrics::{CalibrationBin, Importance, Measure, Metrics};
use serde::{Deserialize, Serialize};

use super::history::Run;
use plot::{Line, Look};
use show::{Bar, Comparison, Confusions, Findings, MeasureTable, PartTable, Tile};

/// Everything that the report tells. What is empty is left out of the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReportData {
    /// What is predicted, and out of what: `price from houses.csv`.
    pub title: String,
    /// `regression`, `binary classification` and so on.
    pub task: String,
    /// Where the measures come from, each with what the simplest predictors reach on the same rows; the last is the one
    /// to judge by. Usually training, validation and test.
    pub parts: Vec<Part>,
    /// One for each member.
    pub runs: Vec<Run>,
    /// What [`Run`] gives as its metric.
    pub metric: Option<Measure>,
    /// For classes: rows of the last part by their class and their answer.
    pub confusion: Option<Confusion>,
    /// For numbers: true and predicted values of the last part, one entry for each target. At most 1,000 points are
    /// drawn of each, at even steps.
    pub points: Vec<Points>,
    /// For classes: how sure answers of the last part are, and how often right.
    pub calibration: Vec<CalibrationBin>,
    /// What each column contributes to the first measure.
    pub importance: Vec<Importance>,
    /// The columns of the table.
    pub columns: Vec<ColumnSchema>,
    /// Where the rows come from and how many there are: `file`, `rows`, `split` and what else is to be told.
    pub data: Vec<Entry>,
    /// What was found in the data that a person should know.
    pub findings: Vec<String>,
    /// The network as text.
    pub network: String,
    /// What was chosen, given or found.
    pub settings: Vec<Entry>,
    /// What it takes to do the same again: device, seed, versions, hashes.
    pub provenance: Vec<Entry>,
}

/// A name with what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its value as people read it.
    pub value: String,
}

impl Entry {
    /// Whether it is a long run of letters and figures, which no one reads but the machine.
    fn is_hash(&self) -> bool {
        self.value.len() >= 32 && self.value.chars().all(|letter| letter.is_ascii_alphanumeric())
    }
}

/// Rows that were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// `training`, `validation`, `test`.
    pub name: String,
    /// What the network reaches.
    pub network: Metrics,
    /// What other predictors reach, by their names.
    pub baselines: Vec<(String, Metrics)>,
}

/// Rows by class and answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The classes.
    pub names: Vec<String>,
    /// For each class the rows of it that each class was the answer for.
    pub counts: Vec<Vec<u64>>,
}

/// Predictions beside what is true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Points {
    /// The target.
    pub name: String,
    /// Pairs of a true value and a predicted one.
    pub values: Vec<[f64; 2]>,
}

/// Points of one target that are drawn at most: a page of some hundred kilobytes.
const MOST_POINTS: usize = 1000;

/// Writes the report as one page of HTML: no script, nothing fetched, whatever stands in the data.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_report(path: &Path, data: &ReportData) -> Result<()> {
    replace_file(path, render(data).as_bytes())
        .map_err(|error| Error::WriteFile { path: path.to_owned(), source: error })
}

/// The page as text.
pub fn render(data: &ReportData) -> String {
    // A template over text in memory has no reason to fail.
    Page::new(data).render().expect("a page in memory")
}

/// What the template asks for; every value is escaped there unless it is a picture.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    data: &'a ReportData,
    version: &'static str,
    lead: Option<show::Lead>,
    warning: Option<String>,
    tiles: Vec<Tile>,
    comparison: Option<Comparison>,
    measures: Option<MeasureTable>,
    part_table: Option<PartTable>,
    curves: Vec<Curve>,
    training_note: Option<String>,
    confusions: Option<Confusions>,
    scatters: Vec<(String, String)>,
    calibration: Option<String>,
    importance: Vec<Bar>,
    findings: Findings,
}

/// A picture of training.
struct Curve {
    title: String,
    note: &'static str,
    has_both: bool,
    svg: String,
}

impl<'a> Page<'a> {
    fn new(data: &'a ReportData) -> Page<'a> {
        Page {
            data,
            version: env!("CARGO_PKG_VERSION"),
            lead: show::lead(data),
            warning: show::warning(data),
            tiles: show::tiles(data),
            comparison: show::comparison(data),
            measures: show::measures(data),
            part_table: show::part_table(data),
            curves: curves(data),
            training_note: show::training_note(data),
            confusions: data.confusion.as_ref().map(show::confusions),
            scatters: data.points.iter().enumerate().map(scatter).collect(),
            calibration: calibration(data),
            importance: show::importance(data),
            findings: show::findings(data),
        }
    }
}

/// The loss over the epochs and, where it was told, the metric.
fn curves(data: &ReportData) -> Vec<Curve> {
    let mean = super::history::mean(&data.runs);
    let line = |epochs: &[super::history::EpochValues], of: Of, look: Look| Line {
        points: (1..).zip(epochs).filter_map(|(i, values)| Some([f64::from(i), of(values)?])).collect(),
        look,
    };
    let lines = |of: Of, look: Look, look_of_member: Look| {
        let several = data.runs.len() > 1;
        let members = data.runs.iter().filter(|_| several).map(|run| line(&run.epochs, of, look_of_member));
        let mut lines: Vec<Line> = members.collect();
        lines.push(line(&mean, of, look));
        lines.retain(|line| !line.points.is_empty());
        lines
    };
    if mean.is_empty() {
        return Vec::new();
    }
    // The epoch that was kept is one line for one run alone.
    let mark = match &data.runs[..] {
        [run] => run.best_epoch.map(|epoch| epoch as f64),
        _ => None,
    };
    let mut losses = lines(|values| Some(values.loss), Look::First, Look::FirstMember);
    let of_validation = lines(|values| values.validation_loss, Look::Second, Look::SecondMember);
    let has_both = !of_validation.is_empty();
    losses.extend(of_validation);
    let title = match mean.len() {
        1 => "Loss in 1 epoch".to_owned(),
        n => format!("Loss over {n} epochs"),
    };
    let mut curves =
        vec![Curve { svg: plot::over_epochs(&title, "loss", &losses, mark), title: "Loss".into(), note: "", has_both }];
    let metrics = lines(|values| values.metric, Look::Second, Look::SecondMember);
    if let Some(measure) = data.metric.filter(|_| !metrics.is_empty()) {
        let title = format!("{} on the validation rows by epoch", show::capital(measure.title()));
        curves.push(Curve {
            svg: plot::over_epochs(&title, "metric", &metrics, mark),
            title: show::capital(measure.title()),
            note: "on the validation rows",
            has_both: false,
        });
    }
    curves
}

type Of = fn(&super::history::EpochValues) -> Option<f64>;

fn scatter((index, points): (usize, &Points)) -> (String, String) {
    let step = points.values.len().div_ceil(MOST_POINTS).max(1);
    let drawn: Vec<[f64; 2]> = points.values.iter().copied().step_by(step).collect();
    let title = format!("Predicted against true {}, {} rows", points.name, drawn.len());
    (points.name.clone(), plot::predicted_against_true(&title, &format!("scatter-{index}"), &points.name, &drawn))
}

fn calibration(data: &ReportData) -> Option<String> {
    let title = "How often answers are right, by their probability";
    (!data.calibration.is_empty()).then(|| plot::calibration(title, "calibration", &data.calibration))
}

/// A number as a table has it: about four digits, and a dash where there is none.
fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return if value.is_nan() { "–".into() } else { value.to_string() };
    }
    let text = match size {
        0.0 => "0".to_owned(),
        _ if size < 0.000_95 => format!("{value:.2e}"),
        _ if size < 9.9995 => format!("{value:.3}"),
        _ if size < 99.995 => format!("{value:.2}"),
        _ if size < 999.95 => format!("{value:.1}"),
        _ if size < 1e7 => grouped(value.round() as i64),
        _ => format!("{value:.3e}"),
    };
    // A true minus is as wide as a digit.
    text.replace('-', "−")
}

/// A whole number in groups of three digits, parted by a space that does not break.
fn grouped(number: i64) -> String {
    let digits = number.abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
