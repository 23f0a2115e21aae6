//! The tables that commands print.

use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
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
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    // A line below the head, and no other.
    for part in [TableComponent::HeaderLines, TableComponent::MiddleHeaderIntersections] {
        table.set_style(part, '─');
    }
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
    let shown = &schema.columns[..schema.columns.len().min(MOST_COLUMNS)];
    let has_notes = shown.iter().any(|column| column.note.is_some());
    table.set_header(["column", "type", "use", "missing", "different"].into_iter().chain(has_notes.then_some("note")));
    for column in shown {
        let note = column.note.clone().unwrap_or_default();
        let fields = [
            column.name.clone(),
            column.kind.to_string(),
            column.role.to_string(),
            unless_zero(column.n_missing),
            column.n_distinct.to_string(),
        ];
        table.add_row(fields.into_iter().chain(has_notes.then_some(note)));
    }
    align_right(&mut table, &[3, 4]);
    match schema.columns.len() - shown.len() {
        0 => table.trim_fmt(),
        left => format!("{}\n {left} more columns; `nngpu check` shows them all", table.trim_fmt()),
    }
}

/// Columns of numbers.
pub fn align_right(table: &mut Table, columns: &[usize]) {
    for index in columns {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// A number that is worth a look.
pub fn unless_zero(n: usize) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

/// What is doubtful, where, and what to do.
pub fn finding(finding: &Finding) -> String {
    format!("{}; {}", doubt(finding), finding.advice)
}

/// What is doubtful, and where.
pub fn doubt(finding: &Finding) -> String {
    let columns: Vec<String> = finding.columns.iter().map(|name| format!("`{name}`")).collect();
    let places: Vec<String> = finding.places.iter().map(ToString::to_string).collect();
    let places = match (&places[..], finding.n_places - places.len()) {
        ([], _) => String::new(),
        (places, 0) => format!(" ({})", places.join(", ")),
        (places, left) => format!(" ({} and {left} more)", places.join(", ")),
    };
    // The message may name them itself.
    let is_named = columns.iter().all(|name| finding.message.contains(name));
    let columns = if is_named { String::new() } else { format!("{}: ", columns.join(", ")) };
    format!("{columns}{}{places}", finding.message)
}

/// The measures of the table, as far as the task has them, of which the first few are shown; `--json` and the report
/// have all.
const MEASURES: [Measure; 10] = [
    Measure::R2,
    Measure::Rmse,
    Measure::Mae,
    Measure::Accuracy,
    Measure::BalancedAccuracy,
    Measure::Auroc,
    Measure::LogLoss,
    Measure::SubsetAccuracy,
    Measure::HammingLoss,
    Measure::MicroF1,
];
const MOST_MEASURES: usize = 4;

/// How each part of the rows is predicted, by the networks and by what is simpler; first those that nothing was
/// learned from.
pub fn metrics(outcome: &Outcome) -> String {
    let mut table = table();
    table.set_header(["", "network", "95 % interval", "linear", "constant"]);
    align_right(&mut table, &[1, 3, 4]);
    for part in outcome.parts.iter().rev() {
        let rows = part.rows.len();
        table.add_row([format!("{}, {rows} {}", part.name, if rows == 1 { "row" } else { "rows" })]);
        let shown =
            part.metrics.scores.iter().filter(|score| MEASURES.contains(&score.measure) && !score.value.is_nan());
        // What was learned by heart tells little.
        let most = if part.name == TRAINING { 1 } else { MOST_MEASURES };
        for score in shown.take(most) {
            let [constant, linear] = part
                .baselines
                .each_ref()
                .map(|metrics| metrics.get(score.measure).map_or(f64::NAN, |score| score.value));
            let interval =
                score.interval.map_or(String::new(), |[low, high]| format!("{} to {}", short(low), short(high)));
            let fields = [format!("  {}", score.measure.title()), short(score.value), interval];
            let simpler = if part.name == TRAINING { [f64::NAN; 2] } else { [linear, constant] };
            let simpler = simpler.map(|value| if value.is_nan() { String::new() } else { short(value) });
            table.add_row(fields.into_iter().chain(simpler));
        }
    }
    table.trim_fmt()
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
        own.measure.title(),
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
