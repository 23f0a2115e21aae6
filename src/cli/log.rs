//! What a run tells while it goes: lines for people, or JSON for programs.

use std::path::Path;
use std::str::FromStr;

use nngpu::Error;
use nngpu::data::TargetEncoding;
use nngpu::data::check::Severity;
use nngpu::model::Input;
use nngpu::tabular::{Held, Outcome, Prepared};
use nngpu::train::{FittedMembers, MembersEpoch};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::summary;

/// How a run tells what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogStyle {
    /// Lines, tables and a bar for people.
    #[default]
    Human,
    /// A JSON object on each line.
    Jsonl,
    /// Nothing but warnings and errors.
    Quiet,
}

impl FromStr for LogStyle {
    type Err = Error;

    fn from_str(name: &str) -> Result<LogStyle, Error> {
        match name {
            "human" => Ok(LogStyle::Human),
            "jsonl" => Ok(LogStyle::Jsonl),
            "quiet" => Ok(LogStyle::Quiet),
            _ => Err(Error::Setting {
                name: "log".into(),
                found: format!("`{name}`"),
                expected: "human, jsonl or quiet".into(),
            }),
        }
    }
}

/// The version of the JSON lines; a change that programs cannot read raises it.
const VERSION: u32 = 1;

/// Tells what happens on standard error.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    style: LogStyle,
}

impl Log {
    pub fn new(style: LogStyle) -> Log {
        Log { style }
    }

    /// Whether people are told.
    pub fn is_human(self) -> bool {
        self.style == LogStyle::Human
    }

    /// A line for people.
    pub fn say(self, line: &str) {
        if self.is_human() {
            tell!("{line}");
        }
    }

    /// A warning, which only programs get in another form.
    pub fn warn(self, text: &str) {
        match self.style {
            LogStyle::Jsonl => self.event("warning", json!({ "message": text })),
            _ => tell!("warning: {text}"),
        }
    }

    /// An event for programs.
    pub fn event(self, name: &str, fields: Value) {
        if self.style != LogStyle::Jsonl {
            return;
        }
        let mut line = json!({ "version": VERSION, "event": name });
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        tell!("{line}");
    }

    /// What was decided about the data and the training.
    pub fn prepared(self, path: &Path, prepared: &Prepared) {
        self.event(
            "prepared",
            json!({
                "data": path,
                "rows": prepared.data.rows(),
                "schema": prepared.schema,
                "task": prepared.task,
                "findings": prepared.findings,
                "network": prepared.network.to_string(),
                "members": prepared.members.len(),
            }),
        );
        if self.is_human() {
            tell!("{}", describe(path, prepared));
        }
        for finding in prepared.findings.iter().filter(|finding| finding.severity != Severity::Note) {
            match self.style {
                LogStyle::Jsonl => self.warn(&summary::finding(finding)),
                _ => tell!("warning: {}\n  → {}", summary::doubt(finding), finding.advice),
            }
        }
    }

    /// Where it is computed, and why there.
    pub fn device(self, description: &str, reason: &str) {
        self.event("device", json!({ "device": description, "reason": reason }));
        self.say(&format!("device: {description} ({reason})"));
    }

    /// The epoch that was done.
    pub fn epoch(self, epoch: &MembersEpoch) {
        if self.style == LogStyle::Jsonl {
            self.event("epoch", serde_json::to_value(epoch).unwrap_or(Value::Null));
        }
    }

    /// How the training went, and where it is no better than what is simpler.
    pub fn outcome(self, fitted: &FittedMembers, outcome: &Outcome) {
        self.event(
            "done",
            json!({ "ended": fitted.ended, "best_epochs": fitted.best_epochs, "metrics": summary::metrics_json(outcome) }),
        );
        if let Some(warning) = summary::warning(outcome) {
            self.warn(&warning);
        }
    }
}

/// The data, the columns, the split, the network and its training in a few lines.
fn describe(path: &Path, prepared: &Prepared) -> String {
    let mut lines = Vec::new();
    let parts = &prepared.parts;
    let kind = match &prepared.input {
        Input::Table(_) => "rows",
        Input::Images => "images",
    };
    lines.push(format!("data: {}, {} {kind}", path.display(), prepared.data.rows()));
    if let Some(schema) = &prepared.schema {
        lines.push(format!("\n{}\n", summary::columns(schema)));
    }
    let target = target(&prepared.output);
    match &prepared.task {
        Some(task) => {
            let doubt = task.doubt.as_ref().map_or(String::new(), |doubt| format!("; {doubt}"));
            lines.push(format!("task: {target} ({}{doubt})", task.reason));
        }
        None => lines.push(format!("task: {target}")),
    }
    let held = match prepared.recipe.held {
        Held::Folds(folds) => format!("each network stops by one of {folds} folds of them"),
        Held::Part(0.0) => "none to stop by".into(),
        _ => format!("{} to stop by", parts.validation.len()),
    };
    let test = if parts.test.is_empty() { String::new() } else { format!(", {} to test with", parts.test.len()) };
    lines.push(format!("{kind}: {} to learn from, {held}{test}", parts.train.len()));
    let members = prepared.members.len();
    let count = if members == 1 { String::new() } else { format!("{members} networks of ") };
    lines.push(format!("network: {count}{}, {} parameters", prepared.network, prepared.network.n_parameters()));
    let settings = &prepared.recipe.settings;
    lines.push(format!(
        "training: {}, {} ({}), batches of {}, at most {} {}",
        prepared.recipe.loss,
        settings.optimizer,
        prepared.recipe.schedule,
        settings.batch_size,
        settings.epochs,
        if settings.epochs == 1 { "epoch" } else { "epochs" },
    ));
    let notes = prepared.findings.iter().filter(|finding| finding.severity == Severity::Note).count();
    if notes > 0 {
        let things = if notes == 1 { "1 thing is" } else { &format!("{notes} things are") };
        lines.push(format!("{things} worth knowing about the data: `nngpu check` tells"));
    }
    lines.join("\n")
}

/// What is predicted, in words.
pub fn target(output: &TargetEncoding) -> String {
    let names: Vec<String> = output.names().into_iter().map(|name| format!("`{name}`")).collect();
    let names = names.join(", ");
    match output {
        TargetEncoding::Classes(target) => format!("classification of {names} in {} classes", target.classes.len()),
        other => format!("{} of {names}", other.task()),
    }
}
