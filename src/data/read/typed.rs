//! Values that a file holds as numbers of some type, not as text.

use std::sync::LazyLock;

use half::f16;
use indexmap::IndexSet;

use super::super::table::{Column, Levels, Values};

/// From here on integers are no longer all different in 64-bit floating point: 2^53.
const LARGEST_INTEGER: i128 = 1 << 53;

/// The number that the shortest decimal form of `number` says: 0.1, where the number itself is 0.10000000149011612.
///
/// A text file of the same data says that number, so that a model sees the same ones whichever file it learns from.
/// Back in 32 bits it is `number` again. Whole numbers stay what they are: of 2^30 the shortest form is 1073741800.
pub(super) fn of_f32(number: f32) -> f64 {
    if number.fract() == 0.0 {
        return f64::from(number);
    }
    number.to_string().parse().expect("a number as Rust writes it")
}

/// The same for a number of 16 bits, given by its bits.
pub(super) fn of_f16(bits: u16) -> f64 {
    static NUMBERS: LazyLock<Vec<f64>> = LazyLock::new(|| (0..=u16::MAX).map(shortest_of_f16).collect());
    NUMBERS[usize::from(bits)]
}

fn shortest_of_f16(bits: u16) -> f64 {
    let number = f16::from_bits(bits);
    if number.to_f64().fract() == 0.0 {
        return number.to_f64();
    }
    // Five digits are enough for every number of 11 bits.
    let decimals = (0..=4).map(|n_decimals| {
        let text = format!("{:.*e}", n_decimals, number.to_f64());
        text.parse::<f64>().expect("a number as Rust writes it")
    });
    let is_same = |decimal: &f64| f16::from_f64(*decimal).to_bits() == bits;
    decimals.into_iter().find(is_same).unwrap_or(number.to_f64())
}

/// A column of numbers, of which those in `missing` are missing, as NaN is.
pub(super) fn numbers(name: &str, mut numbers: Vec<f64>, missing: &[f64]) -> Column {
    if !missing.is_empty() {
        numbers.iter_mut().filter(|number| missing.contains(number)).for_each(|number| *number = f64::NAN);
    }
    Column::new(name, Values::Numbers(numbers))
}

/// Whether an integer keeps its digits in 64-bit floating point.
pub(super) fn is_exact(integer: Option<i128>) -> bool {
    integer.is_none_or(|integer| integer.abs() < LARGEST_INTEGER)
}

/// A column of integers: of numbers where all keep their digits, else of text, as it would be in a text file.
pub(super) fn integers(name: &str, integers: impl Iterator<Item = Option<i128>> + Clone, missing: &[f64]) -> Column {
    if integers.clone().all(is_exact) {
        let values = integers.map(|integer| integer.map_or(f64::NAN, |integer| integer as f64));
        return numbers(name, values.collect(), missing);
    }
    let is_missing = |integer: i128| is_exact(Some(integer)) && missing.contains(&(integer as f64));
    let mut texts = TextBuilder::default();
    for integer in integers {
        match integer {
            Some(integer) if !is_missing(integer) => texts.push(&integer.to_string()),
            _ => texts.push_missing(),
        }
    }
    texts.finish(name)
}

/// A column of text while its rows are read; each different text is kept once.
#[derive(Default)]
pub(super) struct TextBuilder {
    names: IndexSet<String>,
    codes: Vec<u32>,
}

impl TextBuilder {
    /// Adds a row, whose text is not missing.
    pub(super) fn push(&mut self, text: &str) {
        let known = self.names.get_index_of(text);
        let code = known.unwrap_or_else(|| self.names.insert_full(text.to_owned()).0);
        self.codes.push(code as u32);
    }

    /// Adds a row whose text is missing.
    pub(super) fn push_missing(&mut self) {
        self.codes.push(Levels::MISSING);
    }

    pub(super) fn finish(self, name: &str) -> Column {
        Column::new(name, Values::Text(Levels::new(self.names.into_iter().collect(), self.codes)))
    }
}
