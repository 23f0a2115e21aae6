//! The tables that commands print.

use std::path::Path;

use comfy_table::{Cell, ContentArrangement, Table, presets};
use console::Term;
use nngpu::data::Schema;
use nngpu::data::check::Finding;
use nngpu::metrics::{Measure, Metrics, Score};
use nngpu::tabular::{Outcome, Part, TRAINING};
use serde_json::{Value, json};

/// An empty table in the command's style, as wide as the terminal behind standard output.
pub fn table() -> Table {
    table_on(&Term::stdout())
}

/// An empty table for a terminal. Where there is none, each row is a line, which `grep` finds whole, unless the
/// environment tells a width.
fn table_on(term: &Term) -> Table {
    let width = term.size_checked().filter(|_| term.is_term()).map(|(_, width)| width);
    let width = width.or_else(|| std::env::var("COLUMNS").ok()?.parse().ok());
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.force_no_tty();
    if let Some(width) = width {
        table.set_width(width);
    }
    table
}

/// Columns of a table that are shown; a table of pixels has hundreds.
const MOST_COLUMNS: usize = 30;

/// What the columns are, for standard error.
pub fn columns(schema: &Schema) -> String {
    let mut table = table_on(&Term::stderr());
    table.set_header(["column", "type", "use", "missing", "different", ""]);
    for column in schema.columns.iter().take(MOST_COLUMNS) {
        table.add_row([
            column.name.clone(),
            column.kind.to_string(),
            column.role.to_string(),
            column.n_missing.to_string(),
            column.n_distinct.to_string(),
            column.note.clone().unwrap_or_default(),
        ]);
    }
    match schema.columns.len().saturating_sub(MOST_COLUMNS) {
        0 => table.to_string(),
        left => format!("{table}\n{left} more columns; `nngpu check` shows them all"),
    }
}

/// What is doubtful, where, and what to do.
pub fn finding(finding: &Finding) -> String {
    let columns: Vec<String> = finding.columns.iter().map(|name| format!("`{name}`")).collect();
    let places: Vec<String> = finding.places.iter().map(ToString::to_string).collect();
    let more = finding.n_places > finding.places.len();
    let places = match &places[..] {
        [] => String::new(),
        places => format!(" ({}{})", places.join(", "), if more { ", …" } else { "" }),
    };
    let columns = if columns.is_empty() { String::new() } else { format!("{}: ", columns.join(", ")) };
    format!("{columns}{}{places}; {}", finding.message, finding.advice)
}

/// Measures of a table, beside the rest that `--json` and the report have.
const MOST_MEASURES: usize = 4;

/// How each part of the rows is predicted, by the networks and by what is simpler.
pub fn metrics(outcome: &Outcome) -> String {
    let mut table = table();
    let Some(first) = outcome.parts.first() else { return String::new() };
    let measures: Vec<Measure> = first.metrics.scores.iter().take(MOST_MEASURES).map(|score| score.measure).collect();
    table.set_header(["data", "rows", "predictor"].map(String::from).into_iter().chain(measures.iter().map(heading)));
    for part in &outcome.parts {
        for (predictor, metrics) in predictors(part) {
            let (name, rows) = match predictor {
                NETWORK => (part.name.to_string(), part.rows.len().to_string()),
                _ => (String::new(), String::new()),
            };
            let scores = measures.iter().map(|measure| metrics.get(*measure).map_or(String::new(), score));
            table.add_row([name, rows, predictor.to_string()].into_iter().chain(scores).map(Cell::new));
        }
    }
    table.to_string()
}

fn heading(measure: &Measure) -> String {
    measure.to_string()
}

const NETWORK: &str = "network";

/// The predictors of a part with their metrics; of training rows the network alone.
fn predictors(part: &Part) -> Vec<(&'static str, &Metrics)> {
    let [constant, linear] = &part.baselines;
    let all = vec![(NETWORK, &part.metrics), ("linear", linear), ("constant", constant)];
    if part.name == TRAINING { all[..1].to_vec() } else { all }
}

/// A value with its interval.
pub fn score(score: &Score) -> String {
    match score.interval {
        Some([low, high]) => format!("{} ({} to {})", short(score.value), short(low), short(high)),
        None => short(score.value),
    }
}

/// Four digits.
pub fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value.is_nan() => "-".into(),
        _ if value == 0.0 => "0".into(),
        _ if (0.001..10.0).contains(&size) => format!("{value:.4}"),
        _ if (10.0..1000.0).contains(&size) => format!("{value:.2}"),
        _ if (1000.0..1e7).contains(&size) => format!("{value:.0}"),
        _ => format!("{value:.3e}"),
    }
}

/// Where something simpler is as good, by the main measure of the last part.
pub fn warning(outcome: &Outcome) -> Option<String> {
    let part = outcome.parts.last().filter(|part| part.name != TRAINING)?;
    let own = part.metrics.main();
    let better = |metrics: &&Metrics| {
        let other = metrics.main();
        // Not defined is not better either.
        !own.measure.is_better(own.value, other.value)
    };
    let [constant, linear] = &part.baselines;
    let (name, metrics) = [("the mean, or the most frequent class", constant), ("a linear model", linear)]
        .into_iter()
        .find(|(_, metrics)| better(metrics))?;
    let other = metrics.main();
    if name == "a linear model" && other.value == own.value {
        return None;
    }
    Some(format!(
        "on the {} rows the network reaches {} {}, and {name} {}; the simpler one is the better choice here",
        part.name,
        own.measure,
        short(own.value),
        short(other.value),
    ))
}

/// The metrics of all parts for programs.
pub fn metrics_json(outcome: &Outcome) -> Value {
    let part = |part: &Part| {
        let [constant, linear] = &part.baselines;
        json!({
            "part": part.name,
            "network": part.metrics,
            "linear": linear,
            "constant": constant,
        })
    };
    outcome.parts.iter().map(part).collect()
}

/// The version of the JSON; a change that programs cannot read raises it.
const VERSION: u32 = 1;

/// What a training came to, for programs.
pub fn json(outcome: &Outcome, model: &Path) -> Value {
    json!({ "version": VERSION, "model": model, "metrics": metrics_json(outcome) })
}
