//! How columns become inputs.

use serde::{Deserialize, Serialize};

/// How the columns of a table become the inputs of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessingOptions {
    /// The scale of numbers. Default [`Scale::Standard`].
    pub scale: Scale,
    /// How far from 0 a scaled number may lie. Default 10.
    ///
    /// Among a million numbers of a normal distribution none lies 5 standard deviations from the mean, and among
    /// `n` numbers of any kind none lies more than `√(n - 1)`. So 10 touches the far ends of long tails alone, and
    /// keeps a number with a slipped decimal point, in the rows to learn from or later, from outweighing all others.
    pub clip: Clip,
    /// What stands for a missing number; an input beside it tells so. Default [`Fill::Mean`].
    pub fill: Fill,
    /// Columns of up to so many whole numbers have an input for each of them beside the scaled number.
    /// Default 0: none.
    pub one_hot_integers_up_to: usize,
    /// Up to so many bins of each column of numbers, with as many rows each but for numbers that more rows have, which
    /// are edges: beside the scaled number, an input for each that rises from 0 to 1 within it (Gorishniy, Rubachev and Babenko, 2022, arXiv 2203.05556). Default 0: none.
    pub bins: usize,
    /// Columns of up to so many levels have an input for each level; those of more become codes for an embedding.
    /// Default 20.
    pub one_hot_up_to: usize,
    /// Levels of fewer rows than this are joined. Default 2: what a single row says is joined with the like, and so
    /// something is learned that stands for levels never seen.
    pub rare_below: usize,
    /// The most levels that are told apart, those of the most rows; others are joined. Default 10,000.
    pub max_levels: usize,
    /// Columns of an embedding; without one, `min(50, round(1.6 codes^0.56))` of as many codes as there are levels and
    /// one more for others: the rule of fastai (`emb_sz_rule`) with a lower limit. Default none.
    pub embedding_size: Option<u32>,
    /// What is told of dates. Those that do not vary over the rows to learn from are left out. Default: all but the
    /// year, which the elapsed time tells already.
    pub date_parts: Vec<DatePart>,
}

impl Default for PreprocessingOptions {
    fn default() -> Self {
        PreprocessingOptions {
            scale: Scale::Standard,
            clip: Clip::At(20.0),
            fill: Fill::Mean,
            one_hot_integers_up_to: 0,
            bins: 0,
            one_hot_up_to: 20,
            rare_below: 2,
            max_levels: 10_000,
            embedding_size: None,
            date_parts: vec![DatePart::Elapsed, DatePart::Month, DatePart::Day, DatePart::Weekday, DatePart::Hour],
        }
    }
}

/// The scale to which numbers are brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Mean 0 and standard deviation 1.
    Standard,
    /// A normal distribution, by the ranks of the numbers: long tails and outliers vanish, and distances with them.
    /// As scikit-learn's `QuantileTransformer(output_distribution="normal")`, of all rows.
    Quantile,
    /// From 0 to 1.
    MinMax,
    /// Median 0, and the distance between the quartiles that of a normal distribution with standard deviation 1: few
    /// extreme numbers change nothing. Where the quartiles are equal, the standard deviation is taken. As
    /// scikit-learn's `RobustScaler(unit_variance=True)`.
    Robust,
    /// The numbers as they are, unlimited.
    None,
}

/// How far from 0 a scaled number may lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clip {
    /// As far as it may be.
    None,
    /// Up to so far; what lies beyond is moved to the limit.
    At(f64),
    /// `z / sqrt(1 + (z / limit)²)`, which nears the limit and never loses the order (Holzmüller, Grinsztajn and
    /// Steinwart, 2024, arXiv 2407.04491, with a limit of 3).
    Smooth(f64),
}

/// What stands for a missing number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// 0.
    Zero,
}

/// What is told of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatePart {
    /// The time since the beginning of 1970, with mean 0 and standard deviation 1.
    Elapsed,
    /// The year, with mean 0 and standard deviation 1.
    Year,
    /// Sine and cosine of the part of the year's twelve months that has gone by.
    Month,
    /// The day of the month, from -1 to 1.
    Day,
    /// Sine and cosine of the part of the week's seven days that has gone by.
    Weekday,
    /// Sine and cosine of the part of the day that has gone by.
    Hour,
}
