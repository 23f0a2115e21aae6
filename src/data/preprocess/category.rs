//! Columns of names as inputs of a network.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::options::PreprocessingOptions;
use super::rows::Rows;
use crate::data::table::{number, number_text};
use crate::data::{Levels, Values};

/// The levels of a column that are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownLevels {
    /// Their names: numbers by their size, others by their characters, numbers first.
    pub names: Vec<String>,
    /// In how many of the rows that it was fitted on each occurred.
    pub counts: Vec<usize>,
    /// In how many rows levels occurred that are joined.
    pub n_rare: usize,
    /// In how many rows the value was missing.
    pub n_missing: usize,
}

/// An input for each level: 1 where the row has it, else 0.
///
/// After the levels comes an input for all those that were joined, if there were any; it also stands for levels that
/// are not known, as in scikit-learn's `OneHotEncoder(handle_unknown="infrequent_if_exist")`. Where there were none,
/// all inputs of a level that is not known are 0. The last input tells that the value was missing, if it ever was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneHotEncoder {
    /// The levels.
    pub levels: KnownLevels,
}

/// One input, the number of the level, for a [`Layer::Embedding`](crate::nn::Layer::Embedding): 1 for the first, and 0
/// for those that were joined, are not known or are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddingEncoder {
    /// The levels from code 1 on.
    pub levels: KnownLevels,
    /// Columns of the vector that the network learns for each.
    pub size: u32,
}

/// No and yes as 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BooleanEncoder {
    /// What no is called.
    pub no: String,
    /// What yes is called.
    pub yes: String,
    /// What stands for a value that is missing or neither of the two: the part of yes.
    pub fill: f64,
    /// Whether a second input tells that the value was missing.
    pub has_indicator: bool,
    /// In how many of the rows that it was fitted on the value was missing.
    pub n_missing: usize,
}

/// Words for no and yes, in lower case.
const WORDS: [[&str; 2]; 7] =
    [["0", "1"], ["false", "true"], ["no", "yes"], ["f", "t"], ["n", "y"], ["off", "on"], ["-1", "1"]];

/// What the value of a row is to an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The level of this index.
    Known(u32),
    Unknown,
    Missing,
}

impl KnownLevels {
    /// Counts the levels of a column.
    pub(super) fn fit(values: &Values, options: &PreprocessingOptions) -> KnownLevels {
        let (mut kept, n_missing) = count(values);
        let n_all: usize = kept.iter().map(|(_, count)| count).sum();
        kept.retain(|(_, count)| *count >= options.rare_below);
        if kept.len() > options.max_levels {
            // Of equally many rows, those first in the order of names.
            kept.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            kept.truncate(options.max_levels);
            kept.sort_by(|(a, _), (b, _)| in_order(a, b));
        }
        let (names, counts): (Vec<String>, Vec<usize>) = kept.into_iter().unzip();
        KnownLevels { n_rare: n_all - counts.iter().sum::<usize>(), names, counts, n_missing }
    }

    /// The code of each row.
    fn codes(&self, values: &Values) -> Vec<Code> {
        Lookup::new(&self.names).codes(values)
    }

    fn check(&self) -> Result<(), String> {
        let mut names: Vec<&String> = self.names.iter().collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("different levels, not `{}` twice", pair[0])),
            None if self.counts.len() != self.names.len() => Err("as many counts as levels".into()),
            None => Ok(()),
        }
    }

    fn statistics(&self) -> String {
        let mut parts = Vec::new();
        let mut by_count: Vec<_> = self.names.iter().zip(&self.counts).collect();
        by_count.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        parts.extend(by_count.iter().take(5).map(|(name, count)| format!("{name}: {count}")));
        if by_count.len() > 5 {
            parts.push("…".into());
        }
        parts.extend((self.n_rare > 0).then(|| format!("(rare): {}", self.n_rare)));
        parts.extend((self.n_missing > 0).then(|| format!("{} missing", self.n_missing)));
        parts.join(", ")
    }
}

/// The different values of a column, in the order of their names, with the number of their rows; and how many are
/// missing.
pub(crate) fn count(values: &Values) -> (Vec<(String, usize)>, usize) {
    let mut n_missing = 0;
    let mut counted: Vec<(String, usize)> = match values {
        Values::Text(levels) => {
            let mut counts = vec![0usize; levels.names().len()];
            for &code in levels.codes() {
                match code {
                    Levels::MISSING => n_missing += 1,
                    code => counts[code as usize] += 1,
                }
            }
            let named = levels.names().iter().zip(counts).filter(|(_, count)| *count > 0);
            named.map(|(name, count)| (name.clone(), count)).collect()
        }
        Values::Numbers(numbers) => {
            let mut counts: HashMap<u64, usize> = HashMap::new();
            for &number in numbers {
                match number {
                    number if number.is_nan() => n_missing += 1,
                    // Adding 0 makes the two zeros one.
                    number => *counts.entry((number + 0.0).to_bits()).or_default() += 1,
                }
            }
            counts.into_iter().map(|(bits, count)| (number_text(f64::from_bits(bits)), count)).collect()
        }
    };
    counted.sort_unstable_by(|(a, _), (b, _)| in_order(a, b));
    (counted, n_missing)
}

/// Numbers by their size, before other names by their characters.
fn in_order(a: &str, b: &str) -> std::cmp::Ordering {
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
        (x, y) => y.is_some().cmp(&x.is_some()).then_with(|| a.cmp(b)),
    }
}

/// Finds names among known ones, also where the same number is written otherwise.
pub(crate) struct Lookup<'a> {
    by_name: HashMap<&'a str, u32>,
    by_number: HashMap<u64, u32>,
}

impl<'a> Lookup<'a> {
    pub fn new(names: &'a [String]) -> Lookup<'a> {
        let mut by_number = HashMap::new();
        for (index, name) in (0..).zip(names) {
            if let Some(number) = number(name) {
                by_number.entry((number + 0.0).to_bits()).or_insert(index);
            }
        }
        Lookup { by_name: (0..).zip(names).map(|(index, name)| (name.as_str(), index)).collect(), by_number }
    }

    fn number(&self, number: f64) -> Option<u32> {
        self.by_number.get(&(number + 0.0).to_bits()).copied()
    }

    pub fn name(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied().or_else(|| self.number(number(name)?))
    }

    /// The code of each row.
    pub fn codes(&self, values: &Values) -> Vec<Code> {
        let code = |found: Option<u32>| found.map_or(Code::Unknown, Code::Known);
        match values {
            Values::Numbers(numbers) => {
                let of = |x: &f64| if x.is_nan() { Code::Missing } else { code(self.number(*x)) };
                numbers.iter().map(of).collect()
            }
            Values::Text(levels) => {
                let of_level: Vec<Code> = levels.names().iter().map(|name| code(self.name(name))).collect();
                let of = |code: &u32| of_level.get(*code as usize).copied().unwrap_or(Code::Missing);
                levels.codes().iter().map(of).collect()
            }
        }
    }
}

impl OneHotEncoder {
    pub(super) fn n_inputs(&self) -> usize {
        self.levels.names.len() + usize::from(self.levels.n_rare > 0) + usize::from(self.levels.n_missing > 0)
    }

    pub(super) fn input_names(&self, column: &str) -> Vec<String> {
        let KnownLevels { names, n_rare, n_missing, .. } = &self.levels;
        let levels = names.iter().map(|level| format!("{column} = {level}"));
        let rare = (*n_rare > 0).then(|| format!("{column} = (rare)"));
        levels.chain(rare).chain((*n_missing > 0).then(|| format!("{column} missing"))).collect()
    }

    pub(super) fn codes(&self, values: &Values) -> Vec<Code> {
        self.levels.codes(values)
    }

    pub(super) fn write(&self, codes: &[Code], rows: &mut Rows<'_>) {
        let n = self.levels.names.len();
        let (has_rare, has_missing) = (self.levels.n_rare > 0, self.levels.n_missing > 0);
        for (row, code) in codes.iter().enumerate() {
            let hot = match code {
                Code::Known(level) => Some(*level as usize),
                Code::Unknown => has_rare.then_some(n),
                Code::Missing => has_missing.then_some(n + usize::from(has_rare)),
            };
            if let Some(hot) = hot {
                rows.row(row)[hot] = 1.0;
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.levels.check()
    }

    pub(super) fn describe(&self) -> String {
        format!("an input for each of {} levels", self.levels.names.len())
    }

    pub(super) fn statistics(&self) -> String {
        self.levels.statistics()
    }
}

impl EmbeddingEncoder {
    pub(super) fn new(levels: KnownLevels, size: Option<u32>) -> EmbeddingEncoder {
        let rule = (1.6 * (levels.names.len() as f64 + 1.0).powf(0.56)).round().clamp(1.0, 50.0);
        EmbeddingEncoder { levels, size: size.unwrap_or(rule as u32) }
    }

    /// Codes there are: that of unknown levels, and one for each level.
    pub(super) fn n_codes(&self) -> u32 {
        self.levels.names.len() as u32 + 1
    }

    pub(super) fn codes(&self, values: &Values) -> Vec<Code> {
        self.levels.codes(values)
    }

    pub(super) fn write(&self, codes: &[Code], rows: &mut Rows<'_>) {
        for (row, code) in codes.iter().enumerate() {
            rows.row(row)[0] = match code {
                Code::Known(level) => (level + 1) as f32,
                Code::Unknown | Code::Missing => 0.0,
            };
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        // Beyond, numbers of 32 bits do not tell all codes apart.
        const MOST: usize = 1 << 24;
        match (self.levels.names.len() < MOST, self.size > 0) {
            (true, true) => self.levels.check(),
            (false, _) => Err("fewer than 2^24 levels".into()),
            (true, false) => Err("an embedding of one column or more".into()),
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("{} levels, embedded in {} columns", self.levels.names.len(), self.size)
    }

    pub(super) fn statistics(&self) -> String {
        self.levels.statistics()
    }
}

impl BooleanEncoder {
    /// Fits on the different values of a column; nothing where there are more than two.
    pub(super) fn fit(values: &Values) -> Option<BooleanEncoder> {
        let (counted, n_missing) = count(values);
        let [no, yes] = no_and_yes(&counted.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())?;
        let count = |name: &str| counted.iter().find(|(other, _)| other == name).map_or(0, |(_, count)| *count);
        let (n_no, n_yes) = (count(&no), count(&yes));
        let fill = if n_no + n_yes == 0 { 0.5 } else { n_yes as f64 / (n_no + n_yes) as f64 };
        Some(BooleanEncoder { no, yes, fill, has_indicator: n_missing > 0, n_missing })
    }

    pub(super) fn n_inputs(&self) -> usize {
        1 + usize::from(self.has_indicator)
    }

    pub(super) fn input_names(&self, column: &str) -> Vec<String> {
        let mut names = vec![column.to_owned()];
        names.extend(self.has_indicator.then(|| format!("{column} missing")));
        names
    }

    pub(super) fn codes(&self, values: &Values) -> Vec<Code> {
        boolean_codes(&self.no, &self.yes, values)
    }

    pub(super) fn write(&self, codes: &[Code], rows: &mut Rows<'_>) {
        for (row, code) in codes.iter().enumerate() {
            let inputs = rows.row(row);
            inputs[0] = match code {
                Code::Known(yes) => *yes as f32,
                Code::Unknown | Code::Missing => self.fill as f32,
            };
            if self.has_indicator {
                inputs[1] = f32::from(*code == Code::Missing);
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match (self.no != self.yes, (0.0..=1.0).contains(&self.fill)) {
            (true, true) => Ok(()),
            (false, _) => Err("two different names for no and yes".into()),
            (true, false) => Err("a part of yes from 0 to 1".into()),
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("{} is 0, {} is 1; missing: {:.4}", self.no, self.yes, self.fill)
    }

    pub(super) fn statistics(&self) -> String {
        let part = format!("{:.1} % {}", 100.0 * self.fill, self.yes);
        if self.n_missing == 0 { part } else { format!("{part}, {} missing", self.n_missing) }
    }
}

/// Whether a name is a word for no, or for yes where `answer` is 1.
pub(crate) fn is_word(name: &str, answer: usize) -> bool {
    let name = name.to_lowercase();
    WORDS.iter().any(|words| words[answer] == name)
}

/// What no and yes are called in a column of these values: by what the words mean, otherwise in their order. Where
/// there is one value alone, the other one is its opposite, or nothing.
pub(crate) fn no_and_yes(names: &[&str]) -> Option<[String; 2]> {
    match names {
        [a, b] if is_word(b, 0) && is_word(a, 1) => Some([b.to_string(), a.to_string()]),
        [a, b] => Some([a.to_string(), b.to_string()]),
        [one] => {
            let opposite = |answer: usize| {
                let words = WORDS.iter().find(|words| words[answer] == one.to_lowercase());
                words.map_or(String::new(), |words| words[1 - answer].to_owned())
            };
            Some(match is_word(one, 1) {
                true => [opposite(1), one.to_string()],
                false => [one.to_string(), opposite(0)],
            })
        }
        [] => Some(["false".into(), "true".into()]),
        _ => None,
    }
}

/// 0 and 1 for each row that says no or yes, in these words or in others for the same.
pub(crate) fn boolean_codes(no: &str, yes: &str, values: &Values) -> Vec<Code> {
    let names = [no.to_owned(), yes.to_owned()];
    let lookup = Lookup::new(&names);
    let mut codes = lookup.codes(values);
    if !codes.contains(&Code::Unknown) {
        return codes;
    }
    // A file may say `True` where another said `1`.
    if !(is_word(no, 0) && is_word(yes, 1)) {
        return codes;
    }
    let meaning =
        |name: &str| (0..2u32).find(|answer| is_word(name, *answer as usize)).map_or(Code::Unknown, Code::Known);
    match values {
        Values::Numbers(numbers) => {
            for (code, number) in codes.iter_mut().zip(numbers).filter(|(code, _)| **code == Code::Unknown) {
                *code = meaning(&number_text(*number));
            }
        }
        Values::Text(levels) => {
            let of_level: Vec<Code> = levels.names().iter().map(|name| meaning(name)).collect();
            for (code, level) in codes.iter_mut().zip(levels.codes()).filter(|(code, _)| **code == Code::Unknown) {
                *code = of_level[*level as usize];
            }
        }
    }
    codes
}
