//! Days and times as inputs of a network.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::category::count;
use super::options::DatePart;
use super::rows::Rows;
use crate::data::table::number_text;
use crate::data::{DateFormat, Levels, Moment, Values};

/// A date as what its parts tell.
///
/// The inputs are those of each part, in the order of `parts`; the last one tells that the date was missing, or was
/// no date. Such a date has 0 in all others, the middle of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DateEncoder {
    /// How the dates are written.
    pub format: DateFormat,
    /// What is told of them.
    pub parts: Vec<EncodedPart>,
    /// Whether the last input tells that the date was missing.
    pub has_indicator: bool,
    /// The first and the last date of the rows that it was fitted on, in seconds since the beginning of 1970.
    pub range: Option<[f64; 2]>,
    /// In how many of these rows the date was missing, or no date.
    pub n_missing: usize,
}

/// A part of a date, and how it becomes inputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodedPart {
    /// Which part.
    pub part: DatePart,
    /// What becomes 0 and what becomes 1 beside it, where it is a number and no angle.
    pub scale: Option<[f64; 2]>,
}

/// The middle of a month's days, and the distance from it to its ends.
const DAYS: [f64; 2] = [16.0, 15.0];

/// How far from 0 a scaled part may lie, as [`Clip::At`](super::Clip::At) has it for numbers.
const BOUND: f64 = 10.0;

impl DateEncoder {
    /// Fits on the dates of a column; nothing where they are dates in no known form. `format` is how they are written,
    /// where that is known: a part of the rows might not tell the day from the month.
    pub(super) fn fit(values: &Values, format: Option<&DateFormat>, parts: &[DatePart]) -> Option<DateEncoder> {
        let find = || {
            let names: Vec<String> = count(values).0.into_iter().map(|(name, _)| name).collect();
            DateFormat::find(&names)
        };
        let format = format.cloned().or_else(find)?;
        let moments = moments(&format, values);
        let known: Vec<Moment> = moments.iter().flatten().copied().collect();
        let n_missing = moments.len() - known.len();
        let encode = |&part: &DatePart| {
            let first = value(part, known.first()?);
            // What never varies tells nothing, and would tell something untrue of rows where it does.
            known.iter().any(|moment| value(part, moment) != first).then_some(())?;
            let scale = match part {
                DatePart::Elapsed | DatePart::Year => Some(mean_and_deviation(&known, part)),
                DatePart::Day => Some(DAYS),
                DatePart::Month | DatePart::Weekday | DatePart::Hour => None,
            };
            Some(EncodedPart { part, scale })
        };
        let seconds = || known.iter().map(|moment| moment.seconds);
        let range = [seconds().fold(f64::INFINITY, f64::min), seconds().fold(f64::NEG_INFINITY, f64::max)];
        Some(DateEncoder {
            format,
            parts: parts.iter().filter_map(encode).collect(),
            has_indicator: n_missing > 0,
            range: (!known.is_empty()).then_some(range),
            n_missing,
        })
    }

    pub(super) fn n_inputs(&self) -> usize {
        let parts = self.parts.iter().map(|part| if part.scale.is_some() { 1 } else { 2 });
        parts.sum::<usize>() + usize::from(self.has_indicator)
    }

    pub(super) fn input_names(&self, column: &str) -> Vec<String> {
        let names = |part: &EncodedPart| {
            let name = format!("{column} {}", name(part.part));
            match part.scale {
                Some(_) => vec![name],
                None => vec![format!("{name} (sine)"), format!("{name} (cosine)")],
            }
        };
        let parts = self.parts.iter().flat_map(names);
        parts.chain(self.has_indicator.then(|| format!("{column} missing"))).collect()
    }

    /// The moment of each row; nothing where the date is missing or no date.
    pub(super) fn moments(&self, values: &Values) -> Vec<Option<Moment>> {
        moments(&self.format, values)
    }

    pub(super) fn write(&self, moments: &[Option<Moment>], rows: &mut Rows<'_>) {
        for (row, moment) in moments.iter().enumerate() {
            let inputs = rows.row(row);
            if self.has_indicator {
                inputs[inputs.len() - 1] = f32::from(moment.is_none());
            }
            let Some(moment) = moment else { continue };
            let mut at = 0;
            for EncodedPart { part, scale } in &self.parts {
                let value = value(*part, moment);
                match scale {
                    Some([center, scale]) => {
                        inputs[at] = ((value - center) / scale).clamp(-BOUND, BOUND) as f32;
                        at += 1;
                    }
                    None => {
                        let (sine, cosine) = (TAU * value).sin_cos();
                        (inputs[at], inputs[at + 1]) = (sine as f32, cosine as f32);
                        at += 2;
                    }
                }
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let is_valid = |part: &EncodedPart| match (part.part, part.scale) {
            (DatePart::Elapsed | DatePart::Year | DatePart::Day, Some([center, scale])) => {
                center.is_finite() && scale.is_finite() && scale > 0.0
            }
            (DatePart::Month | DatePart::Weekday | DatePart::Hour, None) => true,
            _ => false,
        };
        let is_right = self.parts.iter().all(is_valid) && self.range.is_none_or(|[first, last]| first <= last);
        if is_right { Ok(()) } else { Err("a finite center and a finite scale above 0 of each part".into()) }
    }

    pub(super) fn describe(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(|part| name(part.part)).collect();
        format!(
            "dates as {}: {}",
            self.format.day(),
            if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
        )
    }

    pub(super) fn statistics(&self) -> String {
        let day = |seconds: f64| {
            let date = jiff::civil::date(1970, 1, 1);
            let days = jiff::Span::new().try_days((seconds / 86_400.0).floor() as i64);
            days.ok().and_then(|days| date.checked_add(days).ok()).map_or(String::new(), |date| date.to_string())
        };
        let range = self.range.map(|[first, last]| format!("{} to {}", day(first), day(last)));
        let missing = (self.n_missing > 0).then(|| format!("{} missing", self.n_missing));
        [range, missing].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The part as a number, or as the part of a whole turn.
fn value(part: DatePart, moment: &Moment) -> f64 {
    match part {
        DatePart::Elapsed => moment.seconds,
        DatePart::Year => f64::from(moment.year),
        // Days of the month turn the year, too, so that its ends meet.
        DatePart::Month => (f64::from(moment.month) - 1.0 + (f64::from(moment.day) - 1.0) / 31.0) / 12.0,
        DatePart::Day => f64::from(moment.day),
        DatePart::Weekday => f64::from(moment.weekday - 1) / 7.0,
        DatePart::Hour => {
            let minutes = f64::from(moment.minute) + moment.second / 60.0;
            (f64::from(moment.hour) + minutes / 60.0) / 24.0
        }
    }
}

fn name(part: DatePart) -> &'static str {
    match part {
        DatePart::Elapsed => "elapsed",
        DatePart::Year => "year",
        DatePart::Month => "month",
        DatePart::Day => "day",
        DatePart::Weekday => "weekday",
        DatePart::Hour => "hour",
    }
}

/// Mean and population standard deviation of a part that varies.
fn mean_and_deviation(moments: &[Moment], part: DatePart) -> [f64; 2] {
    let n = moments.len() as f64;
    // Seconds since 1970 are large numbers: counted from the first, their sum loses nothing.
    let first = value(part, &moments[0]);
    let mean = moments.iter().map(|moment| value(part, moment) - first).sum::<f64>() / n;
    let variance = moments.iter().map(|moment| (value(part, moment) - first - mean).powi(2)).sum::<f64>() / n;
    [first + mean, if variance > 0.0 { variance.sqrt() } else { 1.0 }]
}

/// The moment of each row; nothing where the date is missing or no date.
fn moments(format: &DateFormat, values: &Values) -> Vec<Option<Moment>> {
    match values {
        Values::Numbers(numbers) => {
            let moment = |number: &f64| (!number.is_nan()).then(|| format.parse(&number_text(*number)))?;
            numbers.iter().map(moment).collect()
        }
        Values::Text(levels) => {
            let of_level: Vec<Option<Moment>> = levels.names().iter().map(|name| format.parse(name)).collect();
            let moment = |code: &u32| if *code == Levels::MISSING { None } else { of_level[*code as usize] };
            levels.codes().iter().map(moment).collect()
        }
    }
}
