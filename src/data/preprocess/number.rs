//! A column of numbers as inputs of a network.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::options::{Clip, Fill, PreprocessingOptions, Scale};
use super::rows::Rows;
use crate::data::table::number_text;
use crate::data::{Levels, Values};

/// A column of numbers: the number on a scale, and what is asked for beside it.
///
/// The inputs are, in this order: the scaled number; for each of `values` whether the number is that one; for
/// each pair of neighbours in `bins` the part of the way from one to the other that the number has gone; whether
/// it was missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberEncoder {
    /// What stands for a missing number, in the units of the column. Where there is nothing, a missing number is
    /// refused.
    pub fill: Option<f64>,
    /// Whether the last input tells that the number was missing.
    pub has_indicator: bool,
    /// Whether text that is no number counts as missing, and is not refused: for columns of numbers in which there was
    /// such text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_text: bool,
    /// What brings the number to its scale.
    pub scaling: Scaling,
    /// Numbers that have an input each, which is 1 where the number is that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
    /// Edges of bins, rising: none, or two or more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bins: Vec<f64>,
    /// The smallest and the largest number of the rows that it was fitted on, where there were numbers.
    pub range: Option<[f64; 2]>,
    /// In how many of these rows the number was missing.
    pub n_missing: usize,
}

/// What brings a number `x` to its scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    /// `(x - center) / scale`, then `clip`.
    Linear {
        /// The number that becomes 0.
        center: f64,
        /// The distance from it that becomes 1; above 0.
        scale: f64,
        /// How far from 0 the result may lie.
        clip: Clip,
    },
    /// To a normal distribution: the part of the fitted rows that lie below `x`, through the quantile function of
    /// the normal distribution.
    Quantile {
        /// Quantiles of the fitted rows at even steps from 0 to 1, never falling.
        landmarks: Vec<f64>,
    },
}

/// Quantiles that tell a column's distribution, as many as scikit-learn's `QuantileTransformer` takes.
const N_LANDMARKS: usize = 1000;

/// How near to 0 and 1 a part may come before it becomes a quantile of the normal distribution, as in scikit-learn:
/// results lie within ±5.2.
const LEAST_PART: f64 = 1e-7 - f64::EPSILON;

/// The distance between the quartiles of the normal distribution with standard deviation 1.
const NORMAL_QUARTILES: f64 = 1.348_979_500_392_163_5;

impl NumberEncoder {
    /// Fits on the numbers of some rows, NaN where they are missing; none of them is infinite.
    pub(super) fn fit(numbers: impl Iterator<Item = f64>, options: &PreprocessingOptions) -> NumberEncoder {
        let mut n_missing = 0;
        let mut known: Vec<f64> = Vec::with_capacity(numbers.size_hint().0);
        numbers.for_each(|number| if number.is_nan() { n_missing += 1 } else { known.push(number) });
        // The order costs more than all else, and most settings need none.
        let is_ordered = options.fill == Fill::Median
            || matches!(options.scale, Scale::Robust | Scale::Quantile)
            || options.bins.max(options.one_hot_integers_up_to) > 0;
        let summary = if is_ordered { Summary::new(known).in_order() } else { Summary::new(known) };
        let fill = match options.fill {
            Fill::Mean => summary.mean,
            Fill::Median => summary.quantile(0.5),
            Fill::Zero => 0.0,
        };
        let linear = |center: f64, scale: f64| Scaling::Linear {
            center,
            // A constant column becomes 0, and one whose scale cannot be told in 64 bits goes unscaled.
            scale: if scale > 0.0 && scale.is_finite() { scale } else { 1.0 },
            clip: options.clip,
        };
        let scaling = match options.scale {
            Scale::Standard => linear(summary.mean, summary.deviation),
            Scale::MinMax => linear(summary.smallest, summary.largest - summary.smallest),
            Scale::Robust => {
                let quartiles = (summary.quantile(0.75) - summary.quantile(0.25)) / NORMAL_QUARTILES;
                // Where over half of the numbers are one, the quartiles tell no scale.
                linear(summary.quantile(0.5), if quartiles > 0.0 { quartiles } else { summary.deviation })
            }
            Scale::Quantile => {
                let n = N_LANDMARKS.min(summary.numbers.len()).max(1);
                let step = |i: usize| i as f64 / (n - 1).max(1) as f64;
                let mut landmarks: Vec<f64> = (0..n).map(|i| summary.quantile(step(i))).collect();
                // Rounding may lead a quantile between two equal numbers below the one before it.
                for i in 1..n {
                    landmarks[i] = landmarks[i].max(landmarks[i - 1]);
                }
                Scaling::Quantile { landmarks }
            }
            Scale::None => Scaling::Linear { center: 0.0, scale: 1.0, clip: Clip::None },
        };
        let different = summary.different(options.one_hot_integers_up_to);
        let is_few = different.len() > 2 && different.iter().all(|value| value.fract() == 0.0);
        NumberEncoder {
            fill: Some(fill),
            has_indicator: n_missing > 0,
            takes_text: false,
            scaling,
            values: if is_few { different } else { Vec::new() },
            bins: summary.bins(options.bins),
            range: (!summary.numbers.is_empty()).then_some([summary.smallest, summary.largest]),
            n_missing,
        }
    }

    /// One that only standardises, by numbers that are known, and refuses missing ones.
    pub(super) fn standard(mean: f64, scale: f64) -> NumberEncoder {
        NumberEncoder {
            fill: None,
            has_indicator: false,
            takes_text: false,
            scaling: Scaling::Linear { center: mean, scale, clip: Clip::None },
            values: Vec::new(),
            bins: Vec::new(),
            range: None,
            n_missing: 0,
        }
    }

    /// The number of inputs.
    pub(super) fn n_inputs(&self) -> usize {
        1 + self.values.len() + self.bins.len().saturating_sub(1) + usize::from(self.has_indicator)
    }

    /// The names of the inputs.
    pub(super) fn input_names(&self, column: &str) -> Vec<String> {
        let mut names = vec![column.to_owned()];
        names.extend(self.values.iter().map(|value| format!("{column} = {}", number_text(*value))));
        let bin = |pair: &[f64]| format!("{column} from {} to {}", number_text(pair[0]), number_text(pair[1]));
        names.extend(self.bins.windows(2).map(bin));
        names.extend(self.has_indicator.then(|| format!("{column} missing")));
        names
    }

    /// Writes the inputs of each row. A number that is missing has been let pass; none is infinite.
    pub(super) fn write(&self, numbers: &[f64], rows: &mut Rows<'_>) {
        let fill = self.fill.unwrap_or(match self.scaling {
            Scaling::Linear { center, .. } => center,
            Scaling::Quantile { .. } => 0.0,
        });
        let normal = Normal::standard();
        let first_bin = 1 + self.values.len();
        for (row, &number) in numbers.iter().enumerate() {
            let inputs = rows.row(row);
            let x = if number.is_nan() { fill } else { number };
            inputs[0] = match &self.scaling {
                Scaling::Linear { center, scale, clip } => clip.apply((x - center) / scale) as f32,
                Scaling::Quantile { landmarks } => normal_score(landmarks, x, &normal) as f32,
            };
            for (input, value) in inputs[1..].iter_mut().zip(&self.values) {
                *input = f32::from(x == *value);
            }
            for (input, pair) in inputs[first_bin..].iter_mut().zip(self.bins.windows(2)) {
                *input = ((x - pair[0]) / (pair[1] - pair[0])).clamp(0.0, 1.0) as f32;
            }
            if self.has_indicator {
                inputs[inputs.len() - 1] = f32::from(number.is_nan());
            }
        }
    }

    /// The first row whose number cannot be taken: infinite, missing where nothing stands for it, or so large
    /// that nothing limits it to 32 bits.
    pub(super) fn first_refused(&self, numbers: &[f64]) -> Option<usize> {
        let is_unlimited = matches!(self.scaling, Scaling::Linear { clip: Clip::None, .. });
        let is_taken = |number: f64| match &self.scaling {
            _ if number.is_nan() => self.fill.is_some(),
            Scaling::Linear { center, scale, .. } if is_unlimited => (((number - center) / scale) as f32).is_finite(),
            _ => number.is_finite(),
        };
        numbers.iter().position(|number| !is_taken(*number))
    }

    /// What is wrong with it, if it was read from a file.
    pub(super) fn check(&self) -> Result<(), String> {
        let expect = |holds: bool, expected: &str| if holds { Ok(()) } else { Err(expected.to_owned()) };
        expect(self.fill.is_none_or(f64::is_finite), "a finite number for missing values")?;
        expect(self.values.iter().all(|value| value.is_finite()), "finite values")?;
        let is_rising = self.bins.windows(2).all(|pair| pair[0] < pair[1]);
        expect(
            self.bins.iter().all(|edge| edge.is_finite()) && self.bins.len() != 1 && is_rising,
            "rising edges of bins",
        )?;
        expect(self.range.is_none_or(|[low, high]| low <= high), "a range of numbers")?;
        match &self.scaling {
            Scaling::Linear { center, scale, clip } => {
                expect(
                    center.is_finite() && scale.is_finite() && *scale > 0.0,
                    "a finite center and a finite scale above 0",
                )?;
                expect(clip.is_valid(), "a limit above 0")
            }
            Scaling::Quantile { landmarks } => expect(
                !landmarks.is_empty()
                    && landmarks.iter().all(|landmark| landmark.is_finite())
                    && landmarks.windows(2).all(|pair| pair[0] <= pair[1]),
                "landmarks that never fall",
            ),
        }
    }

    /// What it does, in words.
    pub(super) fn describe(&self) -> String {
        let short = |number: f64| format!("{number:.4}").trim_end_matches('0').trim_end_matches('.').to_owned();
        let short = |number: f64| {
            let is_plain = number == 0.0 || (1e-3..1e7).contains(&number.abs());
            if is_plain { short(number) } else { format!("{number:.3e}") }
        };
        let mut text = match &self.scaling {
            Scaling::Linear { center: 0.0, scale: 1.0, clip: Clip::None } => "as it is".to_owned(),
            Scaling::Linear { center, scale, clip } => {
                let limit = match clip {
                    Clip::None => String::new(),
                    Clip::At(bound) => format!(", at most ±{bound}"),
                    Clip::Smooth(bound) => format!(", smoothly within ±{bound}"),
                };
                format!("(x - {}) / {}{limit}", short(*center), short(*scale))
            }
            Scaling::Quantile { landmarks } => {
                format!("to a normal distribution by {} quantiles", landmarks.len())
            }
        };
        if !self.values.is_empty() {
            text += &format!("; an input for each of {} values", self.values.len());
        }
        if !self.bins.is_empty() {
            text += &format!("; {} bins", self.bins.len() - 1);
        }
        match self.fill {
            Some(fill) => text += &format!("; missing: {}", short(fill)),
            None => text += "; missing: refused",
        }
        if self.has_indicator {
            text += " and an input that says so";
        }
        text
    }

    /// Statistics of the rows that it was fitted on, in words.
    pub(super) fn statistics(&self) -> String {
        let range = self.range.map(|[low, high]| format!("{} to {}", number_text(low), number_text(high)));
        let missing = (self.n_missing > 0).then(|| format!("{} missing", self.n_missing));
        [range, missing].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl Clip {
    fn apply(self, z: f64) -> f64 {
        match self {
            Clip::None => z,
            Clip::At(bound) => z.clamp(-bound, bound),
            // An infinite quotient would give infinity over infinity.
            Clip::Smooth(bound) => {
                let z = z.clamp(-1e150, 1e150);
                z / (1.0 + (z / bound).powi(2)).sqrt()
            }
        }
    }

    /// Whether its limit is one.
    pub(super) fn is_valid(self) -> bool {
        match self {
            Clip::None => true,
            Clip::At(bound) | Clip::Smooth(bound) => bound > 0.0 && bound.is_finite(),
        }
    }
}

/// The quantile of the normal distribution at the part of the fitted rows that lie below `x`.
///
/// As scikit-learn interpolates: linearly between landmarks; where several are equal to `x`, the middle of the
/// parts of the first and the last. scikit-learn takes what is within 1e-7 of an end, in the column's units, for
/// that end; here it is the end alone, which suits columns of small numbers.
fn normal_score(landmarks: &[f64], x: f64, normal: &Normal) -> f64 {
    let last = landmarks.len() - 1;
    if landmarks[0] == landmarks[last] {
        // Of a constant column nothing is known but whether a number lies below or above it.
        return 0.0;
    }
    let part = |position: f64| position / last as f64;
    let part = if x <= landmarks[0] {
        0.0
    } else if x >= landmarks[last] {
        1.0
    } else {
        let after = landmarks.partition_point(|landmark| *landmark <= x);
        let first = landmarks.partition_point(|landmark| *landmark < x);
        if first < after {
            (part(first as f64) + part((after - 1) as f64)) / 2.0
        } else {
            let (low, high) = (landmarks[after - 1], landmarks[after]);
            // Halves, since the distance of two numbers may be beyond the range of 64 bits.
            part((after - 1) as f64 + (x / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0))
        }
    };
    normal.inverse_cdf(part.clamp(LEAST_PART, 1.0 - LEAST_PART))
}

/// What is known of a column's numbers.
pub(crate) struct Summary {
    pub numbers: Vec<f64>,
    /// 0 where there is no number, as all that follows.
    pub smallest: f64,
    pub largest: f64,
    pub mean: f64,
    /// The population standard deviation; 0 for a constant column, one that is constant but for rounding included.
    pub deviation: f64,
}

impl Summary {
    pub fn new(numbers: Vec<f64>) -> Summary {
        let n = numbers.len().max(1) as f64;
        let first = numbers.first().copied().unwrap_or(0.0);
        let smallest = numbers.iter().copied().fold(first, f64::min);
        let largest = numbers.iter().copied().fold(first, f64::max);
        // The squares of larger numbers, and their sums, would be infinite.
        let most = largest.max(-smallest);
        let unit = if most > 1e100 { most } else { 1.0 };
        let mean = numbers.iter().map(|number| number / unit).sum::<f64>() / n;
        let variance = numbers.iter().map(|number| (number / unit - mean).powi(2)).sum::<f64>() / n;
        // Of equal numbers the mean may be off by the roundings of its sum, as in scikit-learn's scalers.
        let rounding = (n * mean * f64::EPSILON).powi(2) + n * variance * f64::EPSILON;
        let deviation = if variance <= rounding { 0.0 } else { variance.sqrt() * unit };
        Summary { numbers, smallest, largest, mean: mean * unit, deviation }
    }

    /// With its numbers rising, as quantiles need them.
    pub fn in_order(mut self) -> Summary {
        self.numbers.sort_unstable_by(f64::total_cmp);
        self
    }

    /// The quantile at a part in `[0, 1]`, linear between neighbours, as NumPy's default; 0 where there is no number.
    /// It needs the order, as those that follow do.
    fn quantile(&self, part: f64) -> f64 {
        let Some(last) = self.numbers.len().checked_sub(1) else { return 0.0 };
        let position = part * last as f64;
        let (below, rest) = (position.floor() as usize, position.fract());
        let (low, high) = (self.numbers[below], self.numbers[(below + 1).min(last)]);
        low * (1.0 - rest) + high * rest
    }

    /// The different numbers, unless there are more than `most`.
    fn different(&self, most: usize) -> Vec<f64> {
        let mut different: Vec<f64> = Vec::new();
        for &number in &self.numbers {
            if different.last() != Some(&number) {
                if different.len() == most {
                    return Vec::new();
                }
                different.push(number);
            }
        }
        different
    }

    /// The edges of up to `n` bins; none where they would tell no more than the number.
    ///
    /// Few different numbers are edges all. Of many, those are that more rows hold than a bin has, such as the 0 of a
    /// column that is mostly 0; the rows of all others lie in bins of as many each.
    fn bins(&self, n: usize) -> Vec<f64> {
        if n == 0 || self.numbers.is_empty() {
            return Vec::new();
        }
        let mut edges = self.different(n + 1);
        if edges.is_empty() {
            let runs = self.numbers.chunk_by(|a, b| a == b);
            let (frequent, others): (Vec<_>, Vec<_>) = runs.partition(|run| run.len() * n > self.numbers.len());
            let others = others.concat();
            edges = frequent.iter().map(|run| run[0]).collect();
            // Fewer than `n` numbers can be that frequent, so that two edges at least are left.
            let last = n - edges.len();
            edges.extend((0..=last).map(|edge| others[(edge * (others.len() - 1) + last / 2) / last]));
            edges.sort_unstable_by(f64::total_cmp);
            edges.dedup();
        }
        if edges.len() > 2 { edges } else { Vec::new() }
    }
}

/// The numbers of a column, NaN where they are missing; or the first row that holds something else.
pub(crate) fn numbers(values: &Values) -> Result<Cow<'_, [f64]>, usize> {
    let levels = match values {
        Values::Numbers(numbers) => return Ok(Cow::Borrowed(numbers)),
        Values::Text(levels) => levels,
    };
    // Levels whose rows were all left out may be anything.
    let of_level = of_level(levels);
    let number = |(row, &code): (usize, &u32)| match code {
        Levels::MISSING => Ok(f64::NAN),
        code => of_level[code as usize].ok_or(row),
    };
    levels.codes().iter().enumerate().map(number).collect::<Result<Vec<f64>, usize>>().map(Cow::Owned)
}

/// The numbers of a column, NaN where they are missing or something else; and the rows that hold something else.
pub(super) fn numbers_or_missing(values: &Values) -> (Cow<'_, [f64]>, Vec<usize>) {
    let levels = match values {
        Values::Numbers(numbers) => return (Cow::Borrowed(numbers), Vec::new()),
        Values::Text(levels) => levels,
    };
    let of_level = of_level(levels);
    let mut others = Vec::new();
    let number = |(row, &code): (usize, &u32)| match code {
        Levels::MISSING => f64::NAN,
        code => of_level[code as usize].unwrap_or_else(|| {
            others.push(row);
            f64::NAN
        }),
    };
    let numbers = levels.codes().iter().enumerate().map(number).collect();
    (Cow::Owned(numbers), others)
}

/// The number that each text is, if it is one. Each is read once, however many rows have it.
fn of_level(levels: &Levels) -> Vec<Option<f64>> {
    levels.names().iter().map(|name| name.trim().parse().ok()).collect()
}
