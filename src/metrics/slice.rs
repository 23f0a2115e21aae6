//! The same measures for parts of the rows.

use std::collections::HashMap;

use super::{Metrics, Truth, measure};
use crate::Result;
use crate::data::{Column, Matrix, Values, number_text};

/// The rows that share a value of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// The value, or the range of values; empty for rows in which it is missing.
    pub level: String,
    /// How good the answers are for these rows; [`Metrics::n_rows`] counts them.
    pub metrics: Metrics,
}

/// Different numbers up to which each is a slice of its own.
const MOST_NUMBERS: usize = 20;

/// Slices that are told apart; rows of rarer names are put together.
const MOST_NAMES: usize = 50;

/// Measures the rows of each value of `column`.
///
/// Names come by the number of their rows, the most frequent first; above 50 the rarer ones are together in
/// `(others)`. Numbers come by size; where there are more than 20 different ones, they are cut at their quartiles. Rows
/// without a value come last. A measure that the rows of a slice do not define is NaN, as everywhere.
///
/// # Errors
///
/// Another number of rows than the truth has, and as for [`measure`].
///
/// # Panics
///
/// The column has another number of rows.
pub fn slices(answers: &Matrix, truth: &Truth, weights: Option<&[f32]>, column: &Column) -> Result<Vec<Slice>> {
    assert_eq!(column.n_rows(), truth.rows(), "rows of column `{}`", column.name());
    // Says first what is wrong with all rows, and lets the parts be cut out of them.
    measure(answers, truth, weights)?;
    let slice = |(level, rows): (String, Vec<u32>)| {
        let weights: Option<Vec<f32>> = weights.map(|all| rows.iter().map(|&row| all[row as usize]).collect());
        // Rows that count for nothing are no slice.
        let counts = weights.as_ref().is_none_or(|weights| weights.iter().any(|weight| *weight > 0.0));
        counts.then(|| {
            let metrics = measure_rows(&answers.select_rows(&rows), truth, weights.as_deref(), &rows)?;
            Ok(Slice { level, metrics })
        })
    };
    levels(column).into_iter().filter_map(slice).collect()
}

fn measure_rows(answers: &Matrix, truth: &Truth, weights: Option<&[f32]>, rows: &[u32]) -> Result<Metrics> {
    match *truth {
        Truth::Numbers { values, names } => {
            measure(answers, &Truth::Numbers { values: &values.select_rows(rows), names }, weights)
        }
        Truth::Labels { values, names } => {
            measure(answers, &Truth::Labels { values: &values.select_rows(rows), names }, weights)
        }
        Truth::Classes { indices, names } => {
            let indices: Vec<u32> = rows.iter().map(|&row| indices[row as usize]).collect();
            measure(answers, &Truth::Classes { indices: &indices, names }, weights)
        }
    }
}

/// The rows of each value, none of them empty.
fn levels(column: &Column) -> Vec<(String, Vec<u32>)> {
    let present = (0..column.n_rows() as u32).filter(|&row| !column.is_missing(row as usize));
    let mut levels = match column.values() {
        Values::Numbers(numbers) => number_levels(numbers, present.collect()),
        Values::Text(_) => {
            let mut rows: HashMap<String, Vec<u32>> = HashMap::new();
            for row in present {
                let name = column.text(row as usize).expect("a value that is not missing");
                rows.entry(name.into_owned()).or_default().push(row);
            }
            let mut levels: Vec<_> = rows.into_iter().collect();
            levels.sort_by(|(a, a_rows), (b, b_rows)| b_rows.len().cmp(&a_rows.len()).then_with(|| a.cmp(b)));
            if levels.len() > MOST_NAMES {
                let mut others: Vec<u32> =
                    levels.split_off(MOST_NAMES).into_iter().flat_map(|(_, rows)| rows).collect();
                others.sort_unstable();
                levels.push(("(others)".into(), others));
            }
            levels
        }
    };
    let missing: Vec<u32> = (0..column.n_rows() as u32).filter(|&row| column.is_missing(row as usize)).collect();
    levels.push((String::new(), missing));
    levels.retain(|(_, rows)| !rows.is_empty());
    levels
}

fn number_levels(numbers: &[f64], mut rows: Vec<u32>) -> Vec<(String, Vec<u32>)> {
    let number = |row: u32| numbers[row as usize] + 0.0;
    rows.sort_by(|&a, &b| number(a).total_cmp(&number(b)));
    let mut ends: Vec<usize> =
        (1..=rows.len()).filter(|&end| end == rows.len() || number(rows[end - 1]) != number(rows[end])).collect();
    if ends.len() > MOST_NUMBERS {
        // A cut between different numbers, at or after each quarter of the rows.
        let quarter = |part: usize| ends.iter().copied().find(|&end| end * 4 >= rows.len() * part);
        ends = (1..=4).filter_map(quarter).collect();
        ends.dedup();
    }
    let mut start = 0;
    let mut level = |end: usize| {
        let mut part = rows[start..end].to_vec();
        start = end;
        let (low, high) = (number(part[0]), number(part[part.len() - 1]));
        part.sort_unstable();
        let name =
            if low == high { number_text(low) } else { format!("{} to {}", number_text(low), number_text(high)) };
        (name, part)
    };
    ends.iter().map(|&end| level(end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Levels;

    fn named(column: &Column) -> Vec<(String, Vec<u32>)> {
        levels(column)
    }

    #[test]
    fn names_come_by_their_rows_and_missing_ones_last() {
        let text = Levels::of([Some("b"), None, Some("a"), Some("c"), Some("c")]);
        let expected = [("c", vec![3, 4]), ("a", vec![2]), ("b", vec![0]), ("", vec![1])];
        assert_eq!(named(&Column::new("x", Values::Text(text))), expected.map(|(name, rows)| (name.to_string(), rows)));
    }

    #[test]
    fn few_numbers_are_levels_and_many_are_cut_at_quartiles() {
        let few = Column::new("x", Values::Numbers(vec![2.0, f64::NAN, -1.5, 2.0]));
        let expected = [("-1.5", vec![2]), ("2", vec![0, 3]), ("", vec![1])];
        assert_eq!(named(&few), expected.map(|(name, rows)| (name.to_string(), rows)));

        let many = Column::new("x", Values::Numbers((0..100).rev().map(f64::from).collect()));
        let levels = named(&many);
        assert_eq!(
            levels.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["0 to 24", "25 to 49", "50 to 74", "75 to 99"]
        );
        assert_eq!(levels[0].1, (75..100).collect::<Vec<u32>>());
    }

    #[test]
    fn equal_numbers_are_never_cut_apart() {
        // 90 zeros hold three of the quartiles.
        let numbers = (0..90).map(|_| 0.0).chain((1..=30).map(f64::from)).collect();
        let levels = named(&Column::new("x", Values::Numbers(numbers)));
        let sizes: Vec<(&str, usize)> = levels.iter().map(|(name, rows)| (name.as_str(), rows.len())).collect();
        assert_eq!(sizes, [("0", 90), ("1 to 30", 30)]);
    }

    #[test]
    fn rare_names_are_put_together() {
        let names: Vec<String> = (0..60).map(|i| format!("n{i:02}")).collect();
        let levels = named(&Column::new("x", Values::Text(Levels::of(names.iter().map(|name| Some(name.as_str()))))));
        assert_eq!(levels.len(), 51);
        assert_eq!(levels[50], ("(others)".to_string(), (50..60).collect()));
    }

    #[test]
    fn each_slice_has_its_own_rows() {
        let answers = Matrix::new(4, 1, vec![1.0, 2.0, 3.0, 5.0]).unwrap();
        let values = Matrix::new(4, 1, vec![1.0, 2.0, 4.0, 9.0]).unwrap();
        let names = ["y".to_string()];
        let truth = Truth::Numbers { values: &values, names: &names };
        let column = Column::new("side", Values::Text(Levels::of(["l", "l", "r", "r"].map(Some))));
        let found = slices(&answers, &truth, Some(&[1.0, 1.0, 3.0, 1.0]), &column).unwrap();
        assert_eq!(found.iter().map(|slice| slice.level.as_str()).collect::<Vec<_>>(), ["l", "r"]);
        let mae = |slice: &Slice| slice.metrics.get(super::super::Measure::Mae).unwrap().value;
        // (3 · 1 + 1 · 4) / 4.
        assert_eq!([mae(&found[0]), mae(&found[1])], [0.0, 1.75]);
        // Rows of weight 0 alone are left out.
        assert_eq!(slices(&answers, &truth, Some(&[1.0, 1.0, 0.0, 0.0]), &column).unwrap().len(), 1);
    }
}
