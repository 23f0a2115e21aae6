//! `nngpu config`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use nngpu::Error;
use nngpu::model::Model;
use nngpu::tabular::Prepared;
use serde_json::{Value, json};

use super::config::{self, command, merged, settings_of, takes_several, takes_text};
use super::run::Training;
use super::train::{Outputs, Settings};
use super::{Ending, Failure};

/// Show every setting of a training, as a file that `train --config` takes
///
/// Takes what `nngpu train` takes, and tells what it would do: the settings that are given, and those that follow from
/// the data, each below its help. With the file that is printed, a training stays the same when defaults change.
#[derive(Debug, Args)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  nngpu config flowers.csv --target species > run.toml
  nngpu train --config run.toml --epochs 50
  nngpu config --model model.safetensors
  nngpu config --schema > run.schema.json"
)]
pub struct Config {
    #[command(flatten)]
    given: Settings,

    /// File of settings in TOML, whose keys are the names of the options; those given here go before
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    config: Option<PathBuf>,

    /// Model file whose settings to show
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "target", "labels", "config", "schema"])]
    model: Option<PathBuf>,

    /// Print the JSON schema of the file, by which editors check and complete it
    #[arg(long)]
    schema: bool,
}

/// The version of the JSON; a change that programs cannot read raises it.
const VERSION: u32 = 1;

impl Config {
    pub fn run(mut self) -> Result<Ending, Failure> {
        // Here it tells how to print, and is no setting to print.
        let is_json = std::mem::take(&mut self.given.outputs.json);
        let mut out = io::stdout().lock();
        if self.schema {
            writeln!(out, "{:#}", schema())?;
            return Ok(Ending::Done);
        }
        let (settings, from) = match &self.model {
            Some(path) => (of_model(path)?, format!("# The settings of {}.", path.display())),
            None => {
                let settings: Settings = merged(&self.given, self.config.as_deref())?;
                (settings_of(&settings.effective()?), "# Every setting of a training: nngpu train --config FILE".into())
            }
        };
        match is_json {
            true => writeln!(out, "{:#}", json!({ "version": VERSION, "settings": settings }))?,
            false => write!(out, "{from}\n{}", text(&settings))?,
        }
        if self.model.is_none() && !settings.contains_key("data") {
            tell!("note: name a table to see the settings that follow from it");
        }
        Ok(Ending::Done)
    }
}

impl Settings {
    /// With everything that was left open, as far as there are data to decide it by.
    fn effective(&self) -> Result<Settings, Error> {
        let training = match &self.training.data {
            Some(_) => self.training.effective(&self.training.prepare(self.training.read()?)?)?,
            None => self.training.clone(),
        };
        // The checkpoint goes by the name of the model, which may be another one the next time.
        let outputs = Outputs {
            output: Some(self.outputs.model()),
            log: Some(self.outputs.log.unwrap_or_default()),
            ..self.outputs.clone()
        };
        Ok(Settings { training, outputs })
    }
}

impl Training {
    /// With everything that was left open, as it was decided.
    pub fn effective(&self, prepared: &Prepared) -> Result<Training, Error> {
        Ok(Training {
            options: prepared.options(&self.options)?,
            device: Some(self.device.clone().unwrap_or_else(|| "auto".into())),
            ..self.clone()
        })
    }
}

/// The settings that a model file remembers.
fn of_model(path: &Path) -> Result<config::Settings, Error> {
    match Model::load(path)?.provenance.options {
        Value::Object(settings) => Ok(settings),
        _ => Err(Error::ModelFile {
            path: path.into(),
            problem:
                "found no settings, expected those that `nngpu train` remembers; it is of an older version, or of \
                      another program"
                    .into(),
        }),
    }
}

/// Columns of a file of settings.
const WIDTH: usize = 80;

/// Settings as TOML, in the order of the help, each below its own.
pub fn text(settings: &config::Settings) -> String {
    let command = command::<Settings>();
    let mut settings = settings.clone();
    let mut sections: Vec<(&str, String)> = Vec::new();
    let mut unset = Vec::new();
    for option in command.get_arguments() {
        let name = config::name(option);
        let Some(value) = settings.remove(&name) else {
            // Nobody wants a file of settings that does nothing.
            if name != "dry-run" {
                unset.push(name);
            }
            continue;
        };
        let heading = option.get_help_heading().unwrap_or("Data");
        let index = sections.iter().position(|(known, _)| *known == heading).unwrap_or_else(|| {
            sections.push((heading, String::new()));
            sections.len() - 1
        });
        let help = option.get_help().map_or(String::new(), ToString::to_string);
        let lines: String = wrapped(&help, WIDTH - 2).iter().map(|line| format!("# {line}\n")).collect();
        sections[index].1 += &format!("\n{lines}{name} = {}\n", toml_of(&value));
    }
    let mut text = String::new();
    for (heading, lines) in sections {
        text += &format!("\n# --- {heading} {}\n{lines}", "-".repeat(WIDTH - 7 - heading.len()));
    }
    // Those of another version, which has other options.
    text.extend(settings.iter().map(|(name, value)| format!("\n{name} = {}\n", toml_of(value))));
    if !unset.is_empty() {
        let left = format!("Not set: {}. `nngpu train --help` tells what they do.", unset.join(", "));
        text.push('\n');
        text.extend(wrapped(&left, WIDTH - 2).iter().map(|line| format!("# {line}\n")));
    }
    text
}

/// A value as TOML has it; long lists have a line for each of theirs.
pub fn toml_of(value: &Value) -> String {
    let text = toml::Value::try_from(value).map_or_else(|_| value.to_string(), |value| value.to_string());
    match value {
        Value::Array(values) if text.len() > WIDTH / 2 && values.len() > 1 => {
            let lines: String = values.iter().map(|value| format!("  {},\n", toml_of(value))).collect();
            format!("[\n{lines}]")
        }
        _ => text,
    }
}

/// Lines of at most `width` characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What a file of settings may hold, for editors.
fn schema() -> Value {
    let mut schema = schemars::schema_for!(Settings).to_value();
    schema["title"] = "Settings of nngpu train".into();
    schema["additionalProperties"] = false.into();
    for option in command::<Settings>().get_arguments() {
        let property = &mut schema["properties"][config::name(option)];
        if !property.is_object() {
            continue;
        }
        // As the help tells it, on one line.
        if let Some(help) = option.get_help() {
            property["description"] = help.to_string().into();
        }
        // One value may stand without its list, and a number where a text is taken.
        if takes_several(option) {
            let list = property.take();
            *property = json!({ "description": list["description"], "anyOf": [{ "type": "string" }, list] });
        } else if takes_text(option)
            && let Some(types) = property["type"].as_array_mut()
        {
            types.push("number".into());
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-word-too-long b", 4), ["a-word-too-long", "b"]);
        assert!(wrapped("", 4).is_empty());
    }

    #[test]
    fn every_setting_has_a_schema() {
        let schema = schema();
        for option in command::<Settings>().get_arguments() {
            let name = config::name(option);
            let property = &schema["properties"][&name];
            assert!(property["description"].as_str().is_some_and(|text| !text.contains('\n')), "{name}: {property}");
        }
        assert_eq!(schema["type"], "object");
        assert!(schema.get("allOf").is_none(), "{schema:#}");
    }
}
