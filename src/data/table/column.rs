//! The columns of a table: numbers, or text by its levels.

use std::borrow::Cow;
use std::collections::HashMap;

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    name: String,
    values: Values,
    /// The fields as the file has them, where that was asked for.
    written: Option<Vec<String>>,
}

/// What stands in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// A number for each row; NaN where it is missing. Takes 8 bytes for each row.
    Numbers(Vec<f64>),
    /// Text for each row. Takes 4 bytes for each row, and each different text once.
    Text(Levels),
}

/// Text with few or many different values, each kept once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Levels {
    names: Vec<String>,
    /// For each row the index of its text in `names`, or [`Levels::MISSING`].
    codes: Vec<u32>,
}

/// How other programs write that a value is missing, beside an empty field.
pub const MISSING: [&str; 13] =
    ["NA", "N/A", "n/a", "na", "<NA>", "#N/A", "null", "NULL", "None", "nan", "NaN", "-nan", "?"];

/// Integers beyond this are no longer all different in 64-bit floating point: 2^53.
const LARGEST_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Whether `field` stands for a value that is missing.
pub fn is_missing(field: &str) -> bool {
    field.is_empty() || MISSING.contains(&field)
}

/// The number that `field` is, finite or not, if it is one without losing anything of it: `007` is a name, and so is
/// an integer of twenty digits.
pub fn number(field: &str) -> Option<f64> {
    let digits = field.strip_prefix(['-', '+']).unwrap_or(field).as_bytes();
    let number: f64 = field.parse().ok()?;
    let is_name = match digits {
        [b'0', b'0'..=b'9', ..] => true,
        _ => number.abs() >= LARGEST_INTEGER && digits.iter().all(u8::is_ascii_digit),
    };
    (!is_name).then_some(number)
}

impl Column {
    /// A column of `values` with a name.
    pub fn new(name: impl Into<String>, values: Values) -> Column {
        Column { name: name.into(), values, written: None }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands in it.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.len(),
            Values::Text(levels) => levels.codes.len(),
        }
    }

    /// Number of rows in which the value is missing.
    pub fn n_missing(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.iter().filter(|number| number.is_nan()).count(),
            Values::Text(levels) => levels.codes.iter().filter(|code| **code == Levels::MISSING).count(),
        }
    }

    /// Whether the value of a row is missing.
    ///
    /// # Panics
    ///
    /// There is no such row.
    pub fn is_missing(&self, row_index: usize) -> bool {
        match &self.values {
            Values::Numbers(numbers) => numbers[row_index].is_nan(),
            Values::Text(levels) => levels.codes[row_index] == Levels::MISSING,
        }
    }

    /// The value of a row as text: a number in the shortest form that reads back as the same number; nothing where it
    /// is missing.
    ///
    /// # Panics
    ///
    /// There is no such row.
    pub fn text(&self, row_index: usize) -> Option<Cow<'_, str>> {
        match &self.values {
            Values::Numbers(numbers) => {
                let number = numbers[row_index];
                (!number.is_nan()).then(|| Cow::Owned(number_text(number)))
            }
            Values::Text(levels) => levels.get(row_index).map(Cow::Borrowed),
        }
    }

    /// The value of a row as the file has it: a number with all its digits, `NA` where a missing value is written so.
    /// Where the reader was not asked to keep that, or the file is no text, as [`text`](Self::text) gives it.
    ///
    /// # Panics
    ///
    /// There is no such row.
    pub fn written(&self, row_index: usize) -> Cow<'_, str> {
        match &self.written {
            Some(written) => Cow::Borrowed(&written[row_index]),
            None => self.text(row_index).unwrap_or_default(),
        }
    }

    /// The same column with the rows at `row_indices`, in that order.
    ///
    /// # Panics
    ///
    /// There is no such row.
    pub fn select_rows(&self, row_indices: &[u32]) -> Column {
        let values = match &self.values {
            Values::Numbers(numbers) => Values::Numbers(row_indices.iter().map(|&row| numbers[row as usize]).collect()),
            Values::Text(levels) => Values::Text(Levels {
                names: levels.names.clone(),
                codes: row_indices.iter().map(|&row| levels.codes[row as usize]).collect(),
            }),
        };
        let select = |written: &Vec<String>| row_indices.iter().map(|&row| written[row as usize].clone()).collect();
        Column { name: self.name.clone(), values, written: self.written.as_ref().map(select) }
    }
}

/// A number in a short form that reads back as the same number; both zeros are `0`.
pub fn number_text(number: f64) -> String {
    // Adding 0 makes the two zeros one.
    let number = number + 0.0;
    let is_long = number != 0.0 && !(1e-5..1e16).contains(&number.abs());
    if is_long { format!("{number:e}") } else { number.to_string() }
}

impl Levels {
    /// The code of a missing value.
    pub const MISSING: u32 = u32::MAX;

    /// Text of known levels: for each row an index into `names`, or [`Levels::MISSING`].
    ///
    /// # Panics
    ///
    /// A code is neither.
    pub fn new(names: Vec<String>, codes: Vec<u32>) -> Levels {
        let is_code = |code: &u32| (*code as usize) < names.len() || *code == Levels::MISSING;
        assert!(codes.iter().all(is_code), "a code beyond {} levels", names.len());
        Levels { names, codes }
    }

    /// The text of each row; nothing where it is missing.
    pub fn of<'a>(fields: impl IntoIterator<Item = Option<&'a str>>) -> Levels {
        let mut known = HashMap::new();
        let mut levels = Levels::default();
        for field in fields {
            let code = field.map_or(Levels::MISSING, |field| {
                *known.entry(field).or_insert_with(|| {
                    levels.names.push(field.to_owned());
                    levels.names.len() as u32 - 1
                })
            });
            levels.codes.push(code);
        }
        levels
    }

    /// The different texts, in the order of their first rows. Those of rows that were left out are still there.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// For each row the index of its text in [`names`](Self::names), or [`Levels::MISSING`].
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The text of a row; nothing where it is missing.
    ///
    /// # Panics
    ///
    /// There is no such row.
    pub fn get(&self, row_index: usize) -> Option<&str> {
        self.names.get(self.codes[row_index] as usize).map(String::as_str)
    }
}

/// A column while its fields are read one by one.
///
/// Whether they are numbers is known at the end only, so that their text is kept until then.
#[derive(Debug)]
pub struct ColumnBuilder {
    name: String,
    text: String,
    /// The length in bytes of each field in `text`.
    lengths: Vec<u32>,
    has_names: bool,
    has_decimal_comma: bool,
    written: Option<Vec<String>>,
}

impl ColumnBuilder {
    /// A column without rows.
    pub fn new(name: impl Into<String>) -> ColumnBuilder {
        let name = name.into();
        let (text, lengths) = (String::new(), Vec::new());
        ColumnBuilder { name, text, lengths, has_names: false, has_decimal_comma: false, written: None }
    }

    /// The same column; with `true` the numbers in it have a comma where others have a point.
    pub fn with_decimal_comma(self, has_decimal_comma: bool) -> ColumnBuilder {
        ColumnBuilder { has_decimal_comma, ..self }
    }

    /// The same column; with `true` its fields are kept beside its values as they are given to
    /// [`push_written`](Self::push_written), for [`Column::written`].
    pub fn keeping_written(self, keeps: bool) -> ColumnBuilder {
        ColumnBuilder { written: keeps.then(Vec::new), ..self }
    }

    /// Adds a row whose field says `field`, and is written as `written`.
    pub fn push_written(&mut self, field: &str, written: &str) {
        self.push(field);
        if let Some(all) = &mut self.written {
            all.push(written.to_owned());
        }
    }

    /// Adds a row. An empty field, `NA` and the like are missing values.
    pub fn push(&mut self, field: &str) {
        self.text.push_str(field);
        self.lengths.push(u32::try_from(field.len()).expect("a field below 4 GiB"));
    }

    /// Adds a row whose text is no number, whatever it looks like, so that the column is one of text. It may be missing.
    pub fn push_name(&mut self, field: &str) {
        self.has_names |= !is_missing(field);
        self.push(field);
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.lengths.len()
    }

    fn number(&self, field: &str) -> Option<f64> {
        match self.has_decimal_comma {
            true if field.contains('.') => None,
            true => number(&field.replacen(',', ".", 1)),
            false => number(field),
        }
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.lengths.iter().map(move |length| {
            let end = start + *length as usize;
            let field = &self.text[start..end];
            start = end;
            field
        })
    }

    /// The column: numbers where each field is one or missing, else text.
    pub fn finish(self) -> Column {
        let mut numbers = Vec::with_capacity(self.lengths.len());
        for field in self.fields().take_while(|_| !self.has_names) {
            match self.number(field) {
                // `nan` is a missing value; so no number is NaN.
                Some(number) if !number.is_nan() => numbers.push(number),
                _ if is_missing(field) => numbers.push(f64::NAN),
                _ => break,
            }
        }
        let values = if numbers.len() == self.lengths.len() && !self.has_names {
            Values::Numbers(numbers)
        } else {
            drop(numbers);
            Values::Text(Levels::of(self.fields().map(|field| (!is_missing(field)).then_some(field))))
        };
        Column { name: self.name, values, written: self.written }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(fields: &[&str]) -> Column {
        let mut builder = ColumnBuilder::new("c");
        fields.iter().for_each(|field| builder.push(field));
        builder.finish()
    }

    #[test]
    fn fields_that_are_numbers_or_missing_are_a_column_of_numbers() {
        let Values::Numbers(numbers) = column(&["1", "-2.5e3", "", "NA", "?", "nan", "inf", "+.5", "0"]).values else {
            panic!("numbers");
        };
        assert_eq!(numbers[..2], [1.0, -2500.0]);
        assert!(numbers[2..6].iter().all(|number| number.is_nan()));
        assert_eq!(numbers[6..], [f64::INFINITY, 0.5, 0.0]);
    }

    #[test]
    fn other_fields_are_text_as_it_is_written() {
        for fields in [&["1.50", "", "x"][..], &["007", "8", "9"], &["12345678901234567890", "1", "2"]] {
            let column = column(fields);
            assert!(matches!(column.values, Values::Text(_)), "{fields:?}");
            for (row, field) in fields.iter().enumerate() {
                assert_eq!(column.text(row).unwrap_or_default(), *field);
            }
        }
    }

    #[test]
    fn integers_that_keep_all_their_digits_are_numbers() {
        assert_eq!(number("9007199254740991"), Some(9_007_199_254_740_991.0));
        assert_eq!(number("9007199254740993"), None);
        assert_eq!(number("-20240131235959"), Some(-20_240_131_235_959.0));
        for name in ["007", "-01", "+00", "98765432109876543210"] {
            assert_eq!(number(name), None, "{name}");
        }
        for (field, value) in [("0", 0.0), ("-0.5", -0.5), ("0e3", 0.0), ("1e21", 1e21)] {
            assert_eq!(number(field), Some(value), "{field}");
        }
    }

    #[test]
    fn missing_values_have_no_text() {
        for column in [column(&["1", ""]), column(&["a", ""])] {
            assert_eq!((column.n_missing(), column.is_missing(1), column.text(1)), (1, true, None));
        }
    }

    #[test]
    fn rows_are_selected_in_the_order_asked_for() {
        let text = column(&["a", "", "b"]).select_rows(&[2, 1, 0, 2]);
        let found: Vec<_> = (0..4).map(|row| text.text(row).unwrap_or_default().into_owned()).collect();
        assert_eq!(found, ["b", "", "a", "b"]);
        let numbers = column(&["1", "2", "3"]).select_rows(&[2, 0]);
        assert_eq!(numbers.values, Values::Numbers(vec![3.0, 1.0]));
    }
}
