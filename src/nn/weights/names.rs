//! The names of parameters in files and in networks.

use std::collections::{HashMap, HashSet};

use crate::nn::ParameterSpec;
use crate::{Error, Result};

/// How the names of parameters in a file relate to those of the network, `layers.0.weight` and so on.
///
/// A name is that of a module and, after the last dot, that of the parameter within it. A residual layer
/// holds modules: `layers.2.layers.0.weight`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// The network's own names where all of them are there; else the order of [`Names::Sequential`].
    /// Written are the network's own. The default.
    #[default]
    Auto,
    /// The network's own names, which are also those of MLX's tutorials: `layers.1.weight` belongs to
    /// the second layer with parameters.
    Own,
    /// The order of the modules' numbers: `0.weight`, `2.weight`, as PyTorch's `nn.Sequential` counts
    /// activations too, or `layers.0.weight`, `layers.2.weight`, as MLX's does. The module with the
    /// lowest number is the network's first one with parameters, and so on, those of a residual layer
    /// among them. Names may have words before and between numbers, if all have the same. For reading only.
    Sequential,
    /// The numbers of the layers that have parameters, in order: `[0, 2]` stands for `0.weight` and
    /// `2.weight`, which PyTorch's `nn.Sequential` loads into its modules 0 and 2; `layers.0.weight` and
    /// `layers.2.weight` are read too.
    Positions(Vec<usize>),
    /// Pairs of a name in the file and its name in the network, either of a parameter or of a module:
    /// `("fc1", "layers.0")` for `fc1.weight` and `fc1.bias`. The longest that fits counts. A name
    /// without a pair is the same on both sides.
    Custom(Vec<(String, String)>),
}

/// Which name in a file is which parameter of a network.
pub(super) struct Mapping {
    /// For each parameter its position in the file.
    pub positions: Vec<Option<usize>>,
    /// The names in the file that are no parameter.
    extra: Vec<String>,
    /// Those that would be a parameter that another one is already.
    doubled: Vec<String>,
    /// Whether a mapping would have been needed and none was asked for.
    is_foreign: bool,
}

impl Names {
    /// The names in the file of all parameters.
    ///
    /// # Errors
    ///
    /// Names that tell no positions, or positions of other layers; two parameters of one name.
    pub(super) fn in_file(&self, specs: &[ParameterSpec]) -> Result<Vec<String>> {
        let setting = |found: String, expected: &str| Error::Setting {
            name: "names of weights".into(),
            found,
            expected: expected.into(),
        };
        let names: Vec<String> = match self {
            Names::Auto | Names::Own => specs.iter().map(|spec| spec.name.clone()).collect(),
            Names::Sequential => {
                let expected = "the positions of the layers, such as 0 and 2";
                return Err(setting("an order without positions".into(), expected));
            }
            Names::Positions(positions) => {
                check_positions(positions, specs).map_err(|expected| setting(format!("{positions:?}"), &expected))?;
                let name = |spec: &ParameterSpec| {
                    let (layer, rest) = outermost(&spec.name).expect("names of networks have numbers");
                    format!("{}.{rest}", positions[layer])
                };
                specs.iter().map(name).collect()
            }
            Names::Custom(pairs) => {
                let from_network: Vec<(&str, &str)> = pairs.iter().map(|(file, own)| (&**own, &**file)).collect();
                specs.iter().map(|spec| renamed(&spec.name, &from_network)).collect()
            }
        };
        let mut sorted = names.clone();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(setting(format!("two parameters called `{}`", pair[0]), "a name of its own for each")),
            None => Ok(names),
        }
    }

    /// Finds the parameters among the names of a file.
    ///
    /// # Errors
    ///
    /// Names that have no order, positions of other layers.
    pub(super) fn mapping(&self, found: &[&str], specs: &[ParameterSpec]) -> Result<Mapping, String> {
        match self {
            Names::Own => Ok(Mapping::new(found, found.iter().map(|name| name.to_string()), specs)),
            Names::Sequential => match ordered(found) {
                Some(modules) => Ok(by_order(found, &modules, specs)),
                None => {
                    Err(format!("found the names {}, expected modules with numbers, such as `0.weight`", list(found)))
                }
            },
            Names::Positions(positions) => {
                check_positions(positions, specs).map_err(|expected| {
                    format!("found the positions {positions:?} for its layers, expected {expected}")
                })?;
                let own = |name: &&str| {
                    let (number, rest) = outermost(name)?;
                    let layer = positions.iter().position(|position| *position == number)?;
                    Some(format!("layers.{layer}.{rest}"))
                };
                // What belongs to no layer has no name that a parameter could have.
                Ok(Mapping::new(found, found.iter().map(|name| own(name).unwrap_or_default()), specs))
            }
            Names::Custom(pairs) => {
                let to_network: Vec<(&str, &str)> = pairs.iter().map(|(file, own)| (&**file, &**own)).collect();
                Ok(Mapping::new(found, found.iter().map(|name| renamed(name, &to_network)), specs))
            }
            Names::Auto => {
                let own = Names::Own.mapping(found, specs)?;
                if own.is_complete() {
                    return Ok(own);
                }
                // Where some names are right, those that are not speak for themselves.
                let is_foreign = own.positions.iter().all(Option::is_none);
                if let Some(ordered) = ordered(found).map(|modules| by_order(found, &modules, specs))
                    && (ordered.is_complete() || is_foreign)
                {
                    return Ok(ordered);
                }
                Ok(Mapping { is_foreign, ..own })
            }
        }
    }
}

impl Mapping {
    /// `own` are the names in the network of the names `found` in the file.
    fn new(found: &[&str], own: impl Iterator<Item = String>, specs: &[ParameterSpec]) -> Mapping {
        let (mut extra, mut doubled) = (Vec::new(), Vec::new());
        let mut positions = vec![None; specs.len()];
        // By a map: many members have many names, and a file may have any number.
        let known: HashMap<&str, usize> = specs.iter().enumerate().map(|(index, spec)| (&*spec.name, index)).collect();
        for (position, own) in own.enumerate() {
            let name = || found[position].to_string();
            match known.get(own.as_str()).copied() {
                None => extra.push(name()),
                Some(index) if positions[index].is_some() => doubled.push(name()),
                Some(index) => positions[index] = Some(position),
            }
        }
        Mapping { positions, extra, doubled, is_foreign: false }
    }

    /// Whether each name is a parameter and each parameter has a name.
    fn is_complete(&self) -> bool {
        self.extra.is_empty() && self.doubled.is_empty() && self.positions.iter().all(Option::is_some)
    }

    /// What is missing and what is too much; nothing if each name is a parameter.
    pub fn problems(&self, specs: &[ParameterSpec]) -> Vec<String> {
        let mut problems = Vec::new();
        if self.is_complete() {
            return problems;
        }
        let missing = specs.iter().zip(&self.positions).filter(|(_, position)| position.is_none());
        let missing: Vec<&str> = missing.map(|(spec, _)| spec.name.as_str()).collect();
        let extra: Vec<&str> = self.extra.iter().map(String::as_str).collect();
        problems.push(format!("missing parameters: {}; unknown ones: {}", list(&missing), list(&extra)));
        if !self.doubled.is_empty() {
            let doubled: Vec<&str> = self.doubled.iter().map(String::as_str).collect();
            problems.push(format!("found a second name for one parameter: {}", list(&doubled)));
        }
        if self.is_foreign {
            problems.push(
                "the names have no numbers that tell their order; give pairs of names that belong together".into(),
            );
        }
        problems
    }
}

/// Whether a name is of no parameter, but of PyTorch's count of the batches that trained a normalisation.
pub(super) fn is_ignored(name: &str) -> bool {
    split(name).1 == "num_batches_tracked"
}

/// The module and the parameter of a name.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// The different modules of names, in the order of their first.
fn modules<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known = HashSet::new();
    names.map(|name| split(name).0).filter(|module| known.insert(*module)).collect()
}

/// The number of the outermost layer and what follows it, with or without `layers.` in front.
fn outermost(name: &str) -> Option<(usize, &str)> {
    let (digits, rest) = name.strip_prefix("layers.").unwrap_or(name).split_once('.')?;
    Some((number(digits)?, rest))
}

/// A number without a sign or zeros in front, so that no two parts of names have one number.
fn number(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|number: &usize| number.to_string() == digits)
}

/// The modules of names by their numbers; none where two of them first differ in something else.
fn ordered<'a>(names: &[&'a str]) -> Option<Vec<&'a str>> {
    fn parts(module: &str) -> impl Iterator<Item = (Option<usize>, &str)> {
        module.split('.').map(|part| (number(part), part))
    }
    let mut modules: Vec<&str> = modules(names.iter().copied());
    modules.sort_by(|a, b| parts(a).cmp(parts(b)));
    // The first difference of any two is that of some neighbours between them.
    let is_told = |pair: &[&str]| {
        let difference = parts(pair[0]).zip(parts(pair[1])).find(|(a, b)| a != b);
        difference.is_none_or(|((a, _), (b, _))| a.is_some() && b.is_some())
    };
    let has_number = |module: &&str| parts(module).any(|(number, _)| number.is_some());
    (modules.iter().all(has_number) && modules.windows(2).all(is_told)).then_some(modules)
}

/// The mapping in which the first of `modules` is the network's first module, and so on.
fn by_order(found: &[&str], found_modules: &[&str], specs: &[ParameterSpec]) -> Mapping {
    let layers = modules(specs.iter().map(|spec| spec.name.as_str()));
    let pairs: HashMap<&str, &str> = found_modules.iter().copied().zip(layers).collect();
    let own = |name: &&str| {
        let (module, parameter) = split(name);
        Some(format!("{}.{parameter}", pairs.get(module)?))
    };
    Mapping::new(found, found.iter().map(|name| own(name).unwrap_or_default()), specs)
}

/// Tells what was expected, if not these positions.
fn check_positions(positions: &[usize], specs: &[ParameterSpec]) -> Result<(), String> {
    let layers = specs.iter().filter_map(|spec| outermost(&spec.name));
    let n_layers = layers.map(|(layer, _)| layer + 1).max().unwrap_or(0);
    let is_right = positions.len() == n_layers && positions.windows(2).all(|pair| pair[0] < pair[1]);
    if is_right { Ok(()) } else { Err(format!("{n_layers} of them, in order")) }
}

/// The name after the longest pair that fits: the whole name, or its first modules.
fn renamed(name: &str, pairs: &[(&str, &str)]) -> String {
    let rest = |from: &str| match name.strip_prefix(from) {
        Some(rest) if from.is_empty() || rest.is_empty() || rest.starts_with('.') => Some(rest.to_string()),
        _ => None,
    };
    let fitting = pairs.iter().filter_map(|(from, to)| Some((from.len(), to, rest(from)?)));
    match fitting.max_by_key(|(length, ..)| *length) {
        // From no module, or to none: the dot comes or goes.
        Some((0, to, rest)) if !to.is_empty() => format!("{to}.{rest}"),
        Some((_, &"", rest)) => rest.trim_start_matches('.').to_string(),
        Some((_, to, rest)) => format!("{to}{rest}"),
        None => name.to_string(),
    }
}

/// Names with commas between, the first ten where there are more.
fn list(names: &[&str]) -> String {
    const LONGEST: usize = 10;
    if names.is_empty() {
        return "none".into();
    }
    let shown = names[..names.len().min(LONGEST)].join(", ");
    match names.len().saturating_sub(LONGEST) {
        0 => shown,
        left => format!("{shown} and {left} more"),
    }
}
