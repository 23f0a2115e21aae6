//! How the inputs of a network are made of the raw values of a row.

use crate::data::{
    BooleanEncoder, Clip, Column, DateEncoder, DatePart, EmbeddingEncoder, EncodedColumn, EncodedPart, Encoder,
    NumberEncoder, OneHotEncoder, Preprocessing, Scaling, Table, Values, number_text,
};
use crate::digits::six_digits;

/// A column of a row, and the inputs that are made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnInputs {
    /// The column.
    pub name: String,
    /// Its value, as text; nothing where it is missing, or where there is no such column.
    pub raw: Option<String>,
    /// What is made of it.
    pub inputs: Vec<MadeInput>,
}

/// An input of a network, and how it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct MadeInput {
    /// Its name, as [`Preprocessing::input_names`] tells.
    pub name: String,
    /// Its value.
    pub value: f32,
    /// The arithmetic with its numbers, or the question that it answers.
    pub how: String,
}

/// The names of inputs that have none, such as pixels.
pub fn unnamed_inputs(n: usize) -> Vec<String> {
    (0..n).map(|input| format!("input {input}")).collect()
}

/// How `inputs`, those of one row, are made of what stands in that row of `table`.
///
/// # Panics
///
/// The inputs are not as many as the preprocessing makes.
pub fn column_inputs(preprocessing: &Preprocessing, table: &Table, row: usize, inputs: &[f32]) -> Vec<ColumnInputs> {
    assert_eq!(inputs.len(), preprocessing.n_inputs(), "inputs of a row");
    let names = preprocessing.input_names();
    let columns = preprocessing.columns().iter().zip(preprocessing.spans());
    let explain = |(EncodedColumn { name, encoder }, (_, span)): (&EncodedColumn, (&str, std::ops::Range<usize>))| {
        let column = table.columns().iter().find(|column| column.name() == name);
        let value = RawValue::of(column, row);
        let how = match encoder {
            Encoder::Number(encoder) => number(encoder, &value),
            Encoder::Boolean(encoder) => boolean(encoder),
            Encoder::OneHot(encoder) => one_hot(encoder),
            Encoder::Embedding(encoder) => vec![embedding(encoder, inputs[span.start])],
            Encoder::Date(encoder) => date(encoder, &value),
        };
        assert_eq!(how.len(), span.len(), "inputs of column `{name}`");
        let made =
            span.zip(how).map(|(input, how)| MadeInput { name: names[input].clone(), value: inputs[input], how });
        ColumnInputs { name: name.clone(), inputs: made.collect(), raw: value.text }
    };
    columns.map(explain).collect()
}

/// What stands in a field.
struct RawValue {
    text: Option<String>,
    number: Option<f64>,
}

impl RawValue {
    fn of(column: Option<&Column>, row: usize) -> RawValue {
        let text = column.and_then(|column| column.text(row)).map(|text| text.into_owned());
        let number = match column.map(Column::values) {
            Some(Values::Numbers(numbers)) => Some(numbers[row]).filter(|number| !number.is_nan()),
            _ => text.as_ref().and_then(|text| text.parse().ok()),
        };
        RawValue { text, number }
    }
}

fn digits(number: f64) -> String {
    six_digits(number as f32)
}

/// `37 - 29.7`, and `37 + 2` where the second is negative.
fn minus(a: &str, b: f64) -> String {
    if b < 0.0 { format!("{a} + {}", digits(-b)) } else { format!("{a} - {}", digits(b)) }
}

fn number(encoder: &NumberEncoder, value: &RawValue) -> Vec<String> {
    let fill = encoder.fill.unwrap_or(0.0);
    let (x, text) = match value.number {
        Some(x) => (x, number_text(x)),
        None => (fill, digits(fill)),
    };
    let filled = if value.number.is_none() { "missing, so " } else { "" };
    let scaled = match &encoder.scaling {
        Scaling::Linear { center: 0.0, scale: 1.0, clip: Clip::None } => format!("{filled}{text} as it is"),
        Scaling::Linear { center, scale, clip } => {
            let z = (x - center) / scale;
            let limit = match clip {
                Clip::At(bound) if z.abs() > *bound => format!(" = {}, no further than {bound}", digits(z)),
                Clip::Smooth(bound) => format!(" = z; z / √(1 + (z / {bound})²)"),
                _ => String::new(),
            };
            format!("{filled}({}) / {}{limit}", minus(&text, *center), digits(*scale))
        }
        Scaling::Quantile { .. } => {
            format!("{filled}{text} by its rank among the rows learned from, on a normal distribution")
        }
    };
    let mut how = vec![scaled];
    how.extend(encoder.values.iter().map(|value| format!("is it {}?", number_text(*value))));
    how.extend(encoder.bins.windows(2).map(|pair| {
        let part = (x - pair[0]) / (pair[1] - pair[0]);
        let limit = if (0.0..=1.0).contains(&part) { "" } else { ", kept from 0 to 1" };
        format!("({}) / ({}){limit}", minus(&text, pair[0]), minus(&digits(pair[1]), pair[0]))
    }));
    how.extend(encoder.has_indicator.then(|| "is it missing?".into()));
    how
}

fn boolean(encoder: &BooleanEncoder) -> Vec<String> {
    let BooleanEncoder { no, yes, fill, .. } = encoder;
    let mut how = vec![format!("{no} is 0, {yes} is 1, else {}", digits(*fill))];
    how.extend(encoder.has_indicator.then(|| "is it missing?".into()));
    how
}

fn one_hot(encoder: &OneHotEncoder) -> Vec<String> {
    let levels = &encoder.levels;
    let mut how: Vec<String> = levels.names.iter().map(|level| format!("is it {level}?")).collect();
    how.extend((levels.n_rare > 0).then(|| "is it rare, or not known?".into()));
    how.extend((levels.n_missing > 0).then(|| "is it missing?".into()));
    how
}

fn embedding(encoder: &EmbeddingEncoder, code: f32) -> String {
    let n = encoder.levels.names.len();
    match code as usize {
        0 => format!("missing, rare or not known: 0, where the levels have 1 to {n}"),
        code => format!("{} is level {code} of {n}", encoder.levels.names[code - 1]),
    }
}

fn date(encoder: &DateEncoder, value: &RawValue) -> Vec<String> {
    let moment = value.text.as_ref().and_then(|text| encoder.format.parse(text));
    let part = |EncodedPart { part, scale }: &EncodedPart| {
        let whole = match part {
            DatePart::Elapsed => "seconds since 1970",
            DatePart::Year => "year",
            DatePart::Day => "day of the month",
            DatePart::Month => "part of the year that has gone by",
            DatePart::Weekday => "part of the week that has gone by",
            DatePart::Hour => "part of the day that has gone by",
        };
        let Some(moment) = &moment else {
            return vec!["no date, so the middle".into(); if scale.is_some() { 1 } else { 2 }];
        };
        match scale {
            Some([center, scale]) => {
                let number = match part {
                    DatePart::Year => f64::from(moment.year),
                    DatePart::Day => f64::from(moment.day),
                    _ => moment.seconds,
                };
                vec![format!("({}) / {}, of the {whole}", minus(&number_text(number), *center), digits(*scale))]
            }
            None => ["sine", "cosine"].map(|turn| format!("{turn} of the {whole}")).to_vec(),
        }
    };
    let parts = encoder.parts.iter().flat_map(part);
    parts.chain(encoder.has_indicator.then(|| "is it missing?".into())).collect()
}
