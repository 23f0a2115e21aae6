//! `nngpu check`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches};
use comfy_table::presets;
use nngpu::Error;
use nngpu::data::check::{Finding, Severity, check};
use nngpu::data::{Column, ColumnSchema, ColumnType, Role, Schema, Table, Values, number};
use nngpu::file::{check_writable, replace_file};
use nngpu::tabular::Options;
use serde::Serialize;
use serde_json::json;

use super::config::settings_of;
use super::effective::toml_of;
use super::run::Reading;
use super::summary::{align_right, doubt, short, table, unless_zero};
use super::{Ending, Failure};

/// Look at a table before training on it: what its columns are, and what is doubtful about it
///
/// Tells of each column its type, its use and its values, and what spoils a model or makes its results look better than
/// they are. Without a target all columns are taken as features. The exit code is 5 where nothing can be learned.
#[derive(Debug, Args)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  nngpu check houses.csv --target price
  nngpu check houses.csv --target price --write-config run.toml
  nngpu train --config run.toml"
)]
pub struct Check {
    /// Table to look at (CSV, TSV, Parquet, JSON lines, npy or npz, plain or compressed, - for standard input)
    data: PathBuf,

    #[command(flatten)]
    columns: Columns,

    #[command(flatten)]
    reading: Reading,

    /// File of settings to write, in TOML, with the types that were found, to be corrected and given to `nngpu train
    /// --config`; one that exists is not replaced
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    write_config: Option<PathBuf>,

    /// Print the results as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// The options of a training that tell what columns are, word for word.
#[derive(Clone, Debug)]
struct Columns(Options);

/// Their names in the command.
const COLUMNS: [&str; 6] = ["target", "ignore", "types", "weight", "group", "time"];

impl Args for Columns {
    fn augment_args(command: Command) -> Command {
        let all = Options::augment_args(Command::new("train"));
        let own = all.get_arguments().filter(|argument| COLUMNS.contains(&argument.get_id().as_str()));
        command.args(own)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Columns {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Columns, clap::Error> {
        fn all<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Vec<T> {
            matches.get_many(name).map_or(Vec::new(), |values| values.cloned().collect())
        }
        let one = |name| matches.get_one::<String>(name).cloned();
        let [target, ignore, types, weight, group, time] = COLUMNS;
        Ok(Columns(Options {
            target: all(matches, target),
            ignore: all(matches, ignore),
            types: all(matches, types),
            weight: one(weight),
            group: one(group),
            time: one(time),
            ..Options::default()
        }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Columns::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What is in a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Numbers { min: f64, mean: f64, max: f64 },
    Dates { first: String, last: String },
    Frequent(Vec<Level>),
    Nothing,
}

/// A value, and in how many rows it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Level {
    value: String,
    rows: usize,
}

/// So many of the most frequent values are told.
const MOST_LEVELS: usize = 3;

/// The version of the JSON; a change that programs cannot read raises it.
const VERSION: u32 = 1;

impl Check {
    pub fn run(self) -> Result<Ending, Failure> {
        if let Some(path) = &self.write_config {
            check_new(path)?;
        }
        let data = Table::read(&self.data, &self.reading.options()?)?;
        let schema = Schema::infer(&data, &self.columns.0.schema())?;
        let findings = check(&data, &schema, None);
        let contents: Vec<Content> =
            data.columns().iter().zip(&schema.columns).map(|(column, schema)| content(column, schema)).collect();
        if let Some(path) = &self.write_config {
            let failed = |source| Error::WriteFile { path: path.clone(), source };
            replace_file(path, self.config(&schema, &contents).as_bytes()).map_err(failed)?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            let columns: Vec<_> = schema
                .columns
                .iter()
                .zip(&contents)
                .map(|(column, content)| {
                    let mut column = settings_of(column);
                    column.insert("values".into(), json!(content));
                    column
                })
                .collect();
            let report = json!({
                "version": VERSION,
                "data": self.data,
                "rows": data.n_rows(),
                "columns": columns,
                "findings": findings,
            });
            writeln!(out, "{report:#}")?;
        } else {
            let (rows, columns) = (data.n_rows(), schema.columns.len());
            let shown = show(&schema, &contents);
            writeln!(out, "{}: {rows} rows of {columns} columns\n\n{shown}\n", self.data.display())?;
            write!(out, "{}", show_findings(&findings))?;
            if let Some(path) = &self.write_config {
                writeln!(out, "settings written to {}", path.display())?;
            }
        }
        out.flush()?;
        let is_fit = findings.iter().all(|finding| finding.severity != Severity::Error);
        Ok(if is_fit { Ending::Done } else { Ending::Unmet })
    }

    /// Settings for a training on this table, with each type on a line of its own.
    fn config(&self, schema: &Schema, contents: &[Content]) -> String {
        let mut settings = settings_of(&self.columns.0);
        settings.remove("type");
        settings.extend(settings_of(&self.reading));
        let mut text = format!("# nngpu train --config FILE\n\ndata = {}\n", toml_of(&json!(self.data)));
        if settings.get("target").is_none() {
            text += "# target = \"COLUMN\"\n";
        }
        text.extend(settings.iter().map(|(name, value)| format!("{name} = {}\n", toml_of(value))));
        text += "\n# What each column is: number, boolean, category, date, id, constant or text.\n\
                 # Ids, constants and text are left out.\ntype = [\n";
        for (column, content) in schema.columns.iter().zip(contents) {
            // What becomes of these does not go by their types.
            if matches!(column.role, Role::Target | Role::Weight | Role::Group | Role::Time) {
                continue;
            }
            let value = toml_of(&json!(format!("{}={}", column.name, column.kind)));
            let remark = [column.note.clone().unwrap_or_default(), content.to_string()];
            let remark: Vec<String> = remark.into_iter().filter(|text| !text.is_empty()).collect();
            // A comment ends with its line.
            let remark = remark.join("; ").replace(|c: char| c.is_control(), " ");
            text += &format!("  {value}, # {remark}\n");
        }
        text + "]\n"
    }
}

/// Settings may have been written by hand: they are not replaced.
fn check_new(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::WriteFile { path: path.into(), source };
    if path.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "it exists; give another name, or remove it")));
    }
    check_writable(path).map_err(failed)
}

fn content(column: &Column, schema: &ColumnSchema) -> Content {
    match (column.values(), schema.kind, &schema.date) {
        (Values::Numbers(numbers), ColumnType::Number, _) => of_numbers(numbers.iter().copied()),
        (Values::Text(levels), ColumnType::Number, _) => {
            of_numbers((0..column.n_rows()).filter_map(|row| number(levels.get(row)?.trim())))
        }
        (Values::Text(levels), ColumnType::Date, Some(format)) => {
            let used = (0..column.n_rows()).filter_map(|row| levels.get(row));
            let moments = used.filter_map(|text| format.parse(text).map(|moment| (moment.seconds, text)));
            let (mut first, mut last) = (None, None);
            for (seconds, text) in moments {
                if first.is_none_or(|(least, _)| seconds < least) {
                    first = Some((seconds, text));
                }
                if last.is_none_or(|(most, _)| seconds > most) {
                    last = Some((seconds, text));
                }
            }
            match (first, last) {
                (Some((_, first)), Some((_, last))) => Content::Dates { first: first.into(), last: last.into() },
                _ => Content::Nothing,
            }
        }
        _ => frequent(column),
    }
}

fn of_numbers(numbers: impl Iterator<Item = f64>) -> Content {
    let (mut min, mut max, mut sum, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0);
    for number in numbers.filter(|number| !number.is_nan()) {
        (min, max, sum, count) = (min.min(number), max.max(number), sum + number, count + 1);
    }
    if count == 0 { Content::Nothing } else { Content::Numbers { min, mean: sum / f64::from(count), max } }
}

/// The most frequent values that are more than one row's; those that stand first in the table where some are equally
/// frequent.
fn frequent(column: &Column) -> Content {
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    for row in 0..column.n_rows() {
        if let Some(text) = column.text(row) {
            match counts.get_mut(text.as_ref()) {
                Some((n_rows, _)) => *n_rows += 1,
                None => drop(counts.insert(text.into_owned(), (1, row))),
            }
        }
    }
    let is_one = counts.len() == 1;
    let mut levels: Vec<(String, (usize, usize))> =
        counts.into_iter().filter(|(_, (n_rows, _))| *n_rows > 1 || is_one).collect();
    levels.sort_by_key(|(_, (n_rows, first))| (std::cmp::Reverse(*n_rows), *first));
    levels.truncate(MOST_LEVELS);
    match levels.is_empty() {
        true => Content::Nothing,
        false => Content::Frequent(levels.into_iter().map(|(value, (rows, _))| Level { value, rows }).collect()),
    }
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Numbers { min, mean, max } => {
                write!(f, "{} to {}, mean {}", plain(*min), plain(*max), plain(*mean))
            }
            Content::Dates { first, last } => write!(f, "{first} to {last}"),
            Content::Frequent(levels) => {
                let levels: Vec<String> =
                    levels.iter().map(|level| format!("{} ({})", shortened(&level.value), level.rows)).collect();
                f.write_str(&levels.join(", "))
            }
            Content::Nothing => Ok(()),
        }
    }
}

/// Four digits, and fewer where the last are 0.
fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e7 {
        return value.to_string();
    }
    let text = short(value);
    if text.contains('e') { text } else { text.trim_end_matches('0').to_owned() }
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 20;
    match text.chars().nth(LONGEST) {
        Some(_) => text.chars().take(LONGEST - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// All columns.
fn show(schema: &Schema, contents: &[Content]) -> String {
    let mut table = table();
    let has_notes = schema.columns.iter().any(|column| column.note.is_some());
    let head = ["column", "type", "use", "missing", "different", "values"];
    table.set_header(head.into_iter().chain(has_notes.then_some("note")));
    for (column, content) in schema.columns.iter().zip(contents) {
        let note = column.note.clone().unwrap_or_default();
        let fields = [
            column.name.clone(),
            column.kind.to_string(),
            column.role.to_string(),
            unless_zero(column.n_missing),
            column.n_distinct.to_string(),
            content.to_string(),
        ];
        table.add_row(fields.into_iter().chain(has_notes.then_some(note)));
    }
    align_right(&mut table, &[3, 4]);
    table.trim_fmt()
}

/// The gravest first, with what to do about each.
fn show_findings(findings: &[Finding]) -> String {
    let mut table = table();
    table.load_preset(presets::NOTHING);
    for finding in findings {
        table.add_row([word(finding.severity).to_string(), format!("{}\n→ {}", doubt(finding), finding.advice)]);
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| match count(severity) {
        1 => format!("1 {}", word(severity)),
        n => format!("{n} {}s", word(severity)),
    });
    match findings.is_empty() {
        true => "nothing doubtful was found\n".into(),
        false => format!("{}\n\n{}\n", table.trim_fmt(), counts.join(", ")),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_told() {
        let column = |values| Column::new("a", values);
        let of = |values, kind| {
            let schema = ColumnSchema {
                name: "a".into(),
                kind,
                role: Role::Feature,
                n_missing: 0,
                n_distinct: 0,
                is_given: false,
                date: None,
                note: None,
            };
            content(&column(values), &schema).to_string()
        };
        let numbers = vec![2.0, f64::NAN, -1.0, 3.5];
        assert_eq!(of(Values::Numbers(numbers.clone()), ColumnType::Number), "-1 to 3.5, mean 1.5");
        assert_eq!(of(Values::Numbers(vec![f64::NAN]), ColumnType::Number), "");
        // 1 stands before 7, and 2 is of one row alone.
        let codes = vec![1.0, 7.0, 7.0, 1.0, 2.0];
        assert_eq!(of(Values::Numbers(codes), ColumnType::Category), "1 (2), 7 (2)");
        assert_eq!(of(Values::Numbers(numbers), ColumnType::Id), "");
    }
}
