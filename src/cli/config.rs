//! Settings from a file, under those of the command line.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{ArgAction, Args, Command};
use nngpu::Error;
use nngpu::names::nearest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Settings by their names, as a file or the command line gives them.
pub type Settings = Map<String, Value>;

/// What is set in `given`, above what is set in the file at `path`.
///
/// The keys of the file are the long names of the options, and those of the arguments.
///
/// # Errors
///
/// A file that cannot be read or is no TOML, a key that no option has, a value that its option does not take.
pub fn merged<T: Args + Serialize + DeserializeOwned>(given: &T, path: Option<&Path>) -> Result<T, Error> {
    let mut settings = path.map(read::<T>).transpose()?.unwrap_or_default();
    settings.extend(settings_of(given));
    from_settings(settings, path)
}

/// What is set in `given`.
pub fn settings_of(given: &impl Serialize) -> Settings {
    match serde_json::to_value(given) {
        Ok(Value::Object(settings)) => settings,
        other => unreachable!("settings are written as a map: {other:?}"),
    }
}

/// The options that `settings` stand for; `path` is the file to blame for wrong ones.
pub fn from_settings<T: DeserializeOwned>(settings: Settings, path: Option<&Path>) -> Result<T, Error> {
    serde_json::from_value(Value::Object(settings)).map_err(|error| refuse(path, error.to_string()))
}

/// The settings of a file, each of a known name; single values of options that take several are lists.
fn read<T: Args>(path: &Path) -> Result<Settings, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::unreadable(path, source))?;
    let settings: Settings = toml::from_str(&text).map_err(|error| refuse(Some(path), error.to_string()))?;
    let takes_several = names::<T>();
    let settings = settings.into_iter().map(|(name, value)| match takes_several.get(&name) {
        Some(true) if !value.is_array() => Ok((name, Value::Array(vec![value]))),
        Some(_) => Ok((name, value)),
        None => {
            let known: Vec<String> = takes_several.keys().cloned().collect();
            let hint = nearest(&name, &known);
            let hint = hint.map_or(String::new(), |hint| format!("; did you mean `{hint}`?"));
            Err(refuse(Some(path), format!("found the key `{name}`, expected the name of an option{hint}")))
        }
    });
    settings.collect()
}

/// The names of all options, each with whether it takes several values.
fn names<T: Args>() -> BTreeMap<String, bool> {
    let command = T::augment_args(Command::new("nngpu"));
    let names = command.get_arguments().map(|argument| {
        let name = argument.get_long().map_or_else(|| argument.get_id().to_string(), str::to_owned);
        (name, matches!(argument.get_action(), ArgAction::Append))
    });
    names.collect()
}

fn refuse(path: Option<&Path>, problem: String) -> Error {
    match path {
        Some(path) => Error::ConfigFile { path: path.into(), problem },
        None => Error::Setting { name: "settings".into(), found: problem, expected: "values of their kinds".into() },
    }
}
