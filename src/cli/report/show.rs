//! What the page says with words, tables and bars.

use nngpu::data::{ColumnType, Role};
use nngpu::metrics::{Measure, Metrics, Score};

use super::{Confusion, ReportData, grouped, short};

/// The sentence below the title.
pub struct Lead {
    pub measure: String,
    pub value: String,
    pub rest: String,
}

pub fn lead(data: &ReportData) -> Option<Lead> {
    let part = data.parts.last()?;
    let score = part.network.scores.first()?;
    let between = interval(score).map(|interval| format!(" (95 % interval {interval})"));
    let fate = match part.name.as_str() {
        "training" => "the rows that it learned from; no rows were set aside to judge it by",
        "validation" => "rows that it did not learn from, but that decided when to stop",
        _ => "rows that took no part in its training",
    };
    let rows = count(part.network.n_rows, "row");
    let rest = format!("{} on {rows} of {} data: {fate}.", between.unwrap_or_default(), part.name);
    Some(Lead { measure: capital(score.measure.title()), value: text(score.measure, score.value), rest })
}

/// Why the network is not worth its trouble, if so.
pub fn warning(data: &ReportData) -> Option<String> {
    let part = data.parts.last()?;
    let score = part.network.scores.first()?;
    let measure = score.measure;
    let of = |(name, metrics): &(String, Metrics)| Some((name.clone(), metrics.get(measure)?.value));
    let others: Vec<(String, f64)> =
        part.baselines.iter().filter_map(of).filter(|(_, value)| !value.is_nan()).collect();
    let (name, best) =
        others.into_iter().reduce(|best, other| if measure.is_better(other.1, best.1) { other } else { best })?;
    let what = format!("{} {} against {}", measure.title(), text(measure, score.value), text(measure, best));
    if !measure.is_better(score.value, best) {
        return Some(format!(
            "The network is no better than the {name} predictor on the {} rows: {what}. Use the simpler one, or look \
             at the data: perhaps the columns do not tell the target, or there are too few rows.",
            part.name
        ));
    }
    let [low, high] = score.interval?;
    (low <= best && best <= high).then(|| {
        format!(
            "The network's lead over the {name} predictor may be chance: {what} on the {} rows, with a 95 % interval of \
             {} to {}.",
            part.name,
            text(measure, low),
            text(measure, high)
        )
    })
}

/// A measure in large figures.
pub struct Tile {
    pub title: String,
    pub value: String,
    pub note: String,
    pub is_main: bool,
}

pub fn tiles(data: &ReportData) -> Vec<Tile> {
    let Some(part) = data.parts.last() else { return Vec::new() };
    let defined = part.network.scores.iter().filter(|score| !score.value.is_nan());
    let tile = |(i, score): (usize, &Score)| Tile {
        title: capital(score.measure.title()),
        value: text(score.measure, score.value),
        note: interval(score).unwrap_or_default(),
        is_main: i == 0,
    };
    defined.take(4).enumerate().map(tile).collect()
}

/// The first measure of the network beside that of the baselines, on one scale.
pub struct Comparison {
    pub title: String,
    pub rows: Vec<ComparisonRow>,
}

/// One predictor; positions are parts of the scale in percent.
pub struct ComparisonRow {
    pub name: String,
    pub value: String,
    pub position: String,
    pub whisker: Option<[String; 2]>,
    pub is_network: bool,
}

pub fn comparison(data: &ReportData) -> Option<Comparison> {
    let part = data.parts.last().filter(|part| !part.baselines.is_empty())?;
    let score = part.network.scores.first()?;
    let measure = score.measure;
    let mut all: Vec<(String, Score)> = vec![("network".into(), *score)];
    all.extend(part.baselines.iter().filter_map(|(name, metrics)| Some((name.clone(), *metrics.get(measure)?))));
    all.retain(|(_, score)| score.value.is_finite());
    let ends = all.iter().flat_map(|(_, score)| [score.value].into_iter().chain(score.interval.into_iter().flatten()));
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    // Dots stay within the scale, and alike values in its middle.
    let span = if high > low { high - low } else { 1.0 };
    let percent = |value: f64| 4.0 + 92.0 * if high > low { (value - low) / span } else { 0.5 };
    let row = |(i, (name, score)): (usize, &(String, Score))| ComparisonRow {
        name: capital(name),
        value: text(measure, score.value),
        position: format!("{:.2}", percent(score.value)),
        whisker: score
            .interval
            .filter(|_| i == 0)
            .map(|[low, high]| [format!("{:.2}", percent(low)), format!("{:.2}", percent(high) - percent(low))]),
        is_network: i == 0 && name == "network",
    };
    let direction = if measure.larger_is_better() { "further right is better" } else { "further left is better" };
    let title = format!("{} on the {} rows; {direction}", capital(measure.title()), part.name);
    (all.len() > 1).then(|| Comparison { title, rows: all.iter().enumerate().map(row).collect() })
}

/// The table of measures: the network on each part, and the baselines on the last.
pub struct MeasureTable {
    /// The parts, the last first.
    pub parts: Vec<String>,
    pub baselines: Vec<String>,
    pub judged: String,
    pub rows: Vec<MeasureRow>,
}

/// A measure of every column.
pub struct MeasureRow {
    pub title: String,
    pub arrow: &'static str,
    pub direction: &'static str,
    pub cells: Vec<Cell>,
}

/// A value with what stands below it.
pub struct Cell {
    pub value: String,
    pub note: String,
    pub is_best: bool,
}

pub fn measures(data: &ReportData) -> Option<MeasureTable> {
    let last = data.parts.last()?;
    let networks = || data.parts.iter().rev().map(|part| &part.network);
    let baselines = || last.baselines.iter().map(|(_, metrics)| metrics);
    let row = |measure: Measure| {
        let is_rising = measure.larger_is_better();
        let of = |metrics: &Metrics| metrics.get(measure).map_or(f64::NAN, |score| score.value);
        let rivals = std::iter::once(of(&last.network)).chain(baselines().map(of)).filter(|value| !value.is_nan());
        let best = rivals.reduce(|best, value| if measure.is_better(value, best) { value } else { best });
        let cell = |(i, metrics): (usize, &Metrics)| {
            // Parts of other rows are no rivals.
            let is_rival = !last.baselines.is_empty() && (i == 0 || i >= data.parts.len());
            let score = metrics.get(measure);
            Cell {
                value: score.map_or(String::new(), |score| text(measure, score.value)),
                note: score.and_then(interval).unwrap_or_default(),
                is_best: is_rival && score.is_some_and(|score| Some(score.value) == best),
            }
        };
        MeasureRow {
            title: capital(measure.title()),
            arrow: if is_rising { "↑" } else { "↓" },
            direction: if is_rising { "more is better" } else { "less is better" },
            cells: networks().chain(baselines()).enumerate().map(cell).collect(),
        }
    };
    let is_told = |measure: &Measure| {
        let mut all = networks().chain(baselines()).filter_map(|metrics| metrics.get(*measure));
        all.any(|score| !score.value.is_nan())
    };
    let measures = last.network.scores.iter().map(|score| score.measure);
    Some(MeasureTable {
        parts: data.parts.iter().rev().map(|part| part.name.clone()).collect(),
        baselines: last.baselines.iter().map(|(name, _)| name.clone()).collect(),
        judged: last.name.clone(),
        rows: measures.filter(is_told).map(row).collect(),
    })
}

/// The measures by target, class or label.
pub struct PartTable {
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<(String, String, Vec<String>)>,
    pub n_left_out: usize,
}

/// Classes or labels that have a row each.
const MOST_PARTS: usize = 50;

pub fn part_table(data: &ReportData) -> Option<PartTable> {
    let part = data.parts.last().filter(|part| !part.network.parts.is_empty())?;
    let parts = &part.network.parts;
    // With several members the first of each is enough to know their columns.
    let head = parts[0].scores.iter().map(|score| capital(score.measure.title())).collect();
    let row = |part: &nngpu::metrics::Part| {
        let values = part.scores.iter().map(|score| text(score.measure, score.value)).collect();
        (part.name.clone(), grouped(part.n_rows as i64), values)
    };
    let what = match parts[0].scores[0].measure {
        Measure::Precision if data.confusion.is_some() => "class",
        Measure::Precision => "label",
        _ => "target",
    };
    Some(PartTable {
        caption: format!("By {what}, on the {} rows", part.name),
        head,
        rows: parts.iter().take(MOST_PARTS).map(row).collect(),
        n_left_out: parts.len().saturating_sub(MOST_PARTS),
    })
}

/// What the pictures of training do not tell.
pub fn training_note(data: &ReportData) -> Option<String> {
    match &data.runs[..] {
        [] => None,
        [run] => {
            let epochs = count(run.epochs.len(), "epoch");
            Some(match run.best_epoch {
                Some(best) => format!("Trained for {epochs}; the weights of epoch {best} were kept (dashed line)."),
                None => format!("Trained for {epochs}; the last weights were kept."),
            })
        }
        runs => {
            let kept: Vec<String> =
                runs.iter().map(|run| run.best_epoch.unwrap_or(run.epochs.len()).to_string()).collect();
            Some(format!(
                "{} networks were trained side by side; their answers are averaged. Thick lines are means, thin lines \
                 the members. The weights of epochs {} were kept.",
                runs.len(),
                join(&kept)
            ))
        }
    }
}

/// Rows by class and answer: a matrix of few classes, the most frequent errors of many.
pub enum Confusions {
    Matrix { names: Vec<String>, rows: Vec<(String, Vec<Count>)> },
    Pairs { rows: Vec<(String, String, String, String)>, n_classes: usize },
}

/// A cell of the matrix, and its part of the row.
pub struct Count {
    pub text: String,
    pub part: String,
    pub look: &'static str,
}

/// Classes up to which the matrix fits on a page.
const LARGEST_MATRIX: usize = 16;

/// Errors that are told of more classes.
const MOST_PAIRS: usize = 15;

pub fn confusions(confusion: &Confusion) -> Confusions {
    let names = &confusion.names;
    if names.len() > LARGEST_MATRIX {
        let mut pairs: Vec<(u64, usize, usize)> = Vec::new();
        for (class, row) in confusion.counts.iter().enumerate() {
            pairs.extend(
                row.iter()
                    .enumerate()
                    .filter(|(answer, n)| *answer != class && **n > 0)
                    .map(|(answer, n)| (*n, class, answer)),
            );
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
        let row = |&(n, class, answer): &(u64, usize, usize)| {
            let all: u64 = confusion.counts[class].iter().sum();
            let part = format!("{:.1} %", 100.0 * n as f64 / all as f64);
            (names[class].clone(), names[answer].clone(), grouped(n as i64), part)
        };
        return Confusions::Pairs { rows: pairs.iter().take(MOST_PAIRS).map(row).collect(), n_classes: names.len() };
    }
    let row = |(name, counts): (&String, &Vec<u64>)| {
        let all = counts.iter().sum::<u64>().max(1) as f64;
        let count = |n: &u64| {
            let part = *n as f64 / all;
            Count {
                text: grouped(*n as i64),
                part: format!("{part:.3}"),
                look: if *n == 0 {
                    "none"
                } else if part > 0.5 {
                    "dark"
                } else {
                    ""
                },
            }
        };
        (name.clone(), counts.iter().map(count).collect())
    };
    Confusions::Matrix { names: names.clone(), rows: names.iter().zip(&confusion.counts).map(row).collect() }
}

/// A column's contribution, and the length of its bar in percent.
pub struct Bar {
    pub name: String,
    pub value: String,
    pub spread: String,
    pub width: String,
    pub is_above: bool,
}

/// Columns that are told.
const MOST_BARS: usize = 30;

pub fn importance(data: &ReportData) -> Vec<Bar> {
    let mut sorted: Vec<_> = data.importance.iter().filter(|column| column.drop.is_finite()).collect();
    sorted.sort_by(|a, b| b.drop.total_cmp(&a.drop));
    let most = sorted.first().map_or(0.0, |column| column.drop);
    let bar = |column: &&nngpu::metrics::Importance| Bar {
        name: column.column.clone(),
        value: short(column.drop),
        spread: short(column.spread),
        width: format!("{:.1}", if most > 0.0 { (100.0 * column.drop / most).max(0.0) } else { 0.0 }),
        // Twice the spread of chance above nothing.
        is_above: column.drop > 2.0 * column.spread && column.drop > 0.0,
    };
    sorted.iter().take(MOST_BARS).map(bar).collect()
}

/// The table of columns.
pub struct Findings {
    pub columns: Vec<ColumnRow>,
    pub n_left_out: usize,
}

/// A column of the data.
pub struct ColumnRow {
    pub name: String,
    pub kind: &'static str,
    pub role: &'static str,
    pub missing: String,
    pub distinct: String,
    pub note: String,
}

/// Columns that have a row each.
const MOST_COLUMNS: usize = 200;

pub fn findings(data: &ReportData) -> Findings {
    let row = |column: &nngpu::data::ColumnSchema| ColumnRow {
        name: column.name.clone(),
        kind: match column.kind {
            ColumnType::Number => "number",
            ColumnType::Boolean => "yes or no",
            ColumnType::Category => "category",
            ColumnType::Date => "date",
            ColumnType::Id => "id",
            ColumnType::Constant => "constant",
            ColumnType::Text => "text",
        },
        role: match column.role {
            Role::Feature => "feature",
            Role::Target => "target",
            Role::Weight => "weight",
            Role::Group => "group",
            Role::Time => "time",
            Role::Ignored => "ignored",
        },
        missing: if column.n_missing == 0 { "–".into() } else { grouped(column.n_missing as i64) },
        distinct: grouped(column.n_distinct as i64),
        note: column.note.clone().unwrap_or_default(),
    };
    Findings {
        columns: data.columns.iter().take(MOST_COLUMNS).map(row).collect(),
        n_left_out: data.columns.len().saturating_sub(MOST_COLUMNS),
    }
}

/// A value of a measure: in units of its own with a few digits, without them with three decimals.
fn text(measure: Measure, value: f64) -> String {
    let has_unit = matches!(measure, Measure::Rmse | Measure::Mae | Measure::MedianAbsoluteError);
    // What rounding leaves of 0 is no news.
    if !has_unit && value.abs() < 0.0005 { "0.000".into() } else { short(value) }
}

fn interval(score: &Score) -> Option<String> {
    score.interval.map(|[low, high]| format!("{} to {}", text(score.measure, low), text(score.measure, high)))
}

/// The text with a capital at its beginning.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn count(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n as i64), if n == 1 { "" } else { "s" })
}

/// `1, 2 and 3`.
fn join(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}
