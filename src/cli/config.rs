//! Settings from a file, under those of the command line.

use std::path::Path;

use clap::{Arg, ArgAction, Args, Command};
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
/// A number that is not finite; a file that cannot be read or is no TOML, a key that no option has, keys that exclude
/// each other, a value that its option does not take.
pub fn merged<T: Args + Serialize + DeserializeOwned>(given: &T, path: Option<&Path>) -> Result<T, Error> {
    let own = settings_of(given);
    // JSON has no NaN and no infinity: they become nothing, and nothing else does.
    if let Some((name, _)) = own.iter().find(|(_, value)| value.is_null()) {
        let (found, expected) = ("no finite number".into(), "a finite one".into());
        return Err(Error::Setting { name: name.clone(), found, expected });
    }
    let Some(path) = path else { return from_settings(own, None) };
    let command = command::<T>();
    let mut settings = read(&command, path)?;
    // What is given goes before what it excludes, too: `--hidden 8` before `layers` of the file.
    settings.retain(|name, _| own.keys().all(|own| !exclude(&command, name, own)));
    settings.extend(own);
    from_settings(settings, Some(path))
}

/// What is set in `given`.
pub fn settings_of(given: &impl Serialize) -> Settings {
    // As text, in which a number of 32 bits has its own few digits: 0.003, and not 0.003000000026.
    let text = serde_json::to_string(given).expect("settings are written as text");
    serde_json::from_str(&text).expect("settings are a map")
}

/// The options that `settings` stand for; `path` is the file to blame for wrong ones.
pub fn from_settings<T: DeserializeOwned>(settings: Settings, path: Option<&Path>) -> Result<T, Error> {
    serde_json::from_value(Value::Object(settings.clone())).map_err(|error| {
        // The whole does not tell which of them is wrong; each alone does.
        let wrong = settings.into_iter().find_map(|(name, value)| {
            let alone = Map::from_iter([(name.clone(), value)]);
            let error = serde_json::from_value::<T>(Value::Object(alone)).err()?;
            Some(problem(&name, &error.to_string()))
        });
        refuse(path, wrong.unwrap_or_else(|| error.to_string()))
    })
}

/// What is wrong with the setting of a name, in a user's words.
fn problem(name: &str, error: &str) -> String {
    const WORDS: [(&str, &str); 9] = [
        ("invalid type: ", "found "),
        ("invalid value: ", "found "),
        ("floating point", "the number"),
        ("expected usize", "expected a whole number of at least 0"),
        ("expected u64", "expected a whole number of at least 0"),
        ("expected f32", "expected a number"),
        ("expected f64", "expected a number"),
        ("a sequence", "a list"),
        ("sequence", "a list"),
    ];
    let error = WORDS.iter().fold(error.to_owned(), |error, (from, to)| error.replace(from, to));
    if error.starts_with(name) { error } else { format!("{name}: {error}") }
}

/// The command of these options alone.
pub fn command<T: Args>() -> Command {
    T::augment_args(Command::new("nngpu"))
}

/// The name of an option in a file.
pub fn name(option: &Arg) -> String {
    option.get_long().map_or_else(|| option.get_id().to_string(), str::to_owned)
}

/// Whether an option takes several values.
pub fn takes_several(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Append)
}

/// Whether an option takes any text, such as a part or a file.
pub fn takes_text(option: &Arg) -> bool {
    let text = clap::builder::ValueParser::string();
    option.get_action().takes_values() && option.get_value_parser().type_id() == text.type_id()
}

/// Whether two settings exclude each other.
fn exclude(command: &Command, a: &str, b: &str) -> bool {
    let option = |of: &str| command.get_arguments().find(|option| name(option) == of);
    let (Some(a), Some(b)) = (option(a), option(b)) else { return false };
    let excludes =
        |a: &Arg, b: &Arg| command.get_arg_conflicts_with(a).iter().any(|other| other.get_id() == b.get_id());
    excludes(a, b) || excludes(b, a)
}

/// The settings of a file, each of a known name, in the form that its option takes: a list where it takes several
/// values, a text where a number is one of the texts that it takes.
fn read(command: &Command, path: &Path) -> Result<Settings, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::unreadable(path, source))?;
    let given: Settings = toml::from_str(&text).map_err(|error| refuse(Some(path), error.to_string()))?;
    let mut settings = Settings::new();
    for (key, value) in given {
        let Some(option) = command.get_arguments().find(|option| name(option) == key) else {
            let known: Vec<String> = command.get_arguments().map(name).collect();
            let hint = nearest(&key, &known);
            let hint = hint.map_or(String::new(), |hint| format!("; did you mean `{hint}`?"));
            return Err(refuse(Some(path), format!("found the key `{key}`, expected the name of an option{hint}")));
        };
        if let Some(other) = settings.keys().find(|other| exclude(command, &key, other)) {
            let problem = format!("found `{other}` and `{key}`, expected one of the two");
            return Err(refuse(Some(path), problem));
        }
        let value = match value {
            Value::Number(number) if takes_text(option) => Value::String(number.to_string()),
            value => value,
        };
        let value = if takes_several(option) && !value.is_array() { Value::Array(vec![value]) } else { value };
        settings.insert(key, value);
    }
    Ok(settings)
}

fn refuse(path: Option<&Path>, problem: String) -> Error {
    match path {
        Some(path) => Error::ConfigFile { path: path.into(), problem },
        None => Error::Setting { name: "settings".into(), found: problem, expected: "values of their kinds".into() },
    }
}
