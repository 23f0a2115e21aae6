//! Findings about columns.

use std::collections::HashMap;

use super::rows::columns_alike;
use super::{FEWEST_ROWS, Finding, FindingKind, Looked, Seen, Severity, same_numbers};
use crate::data::schema::{LEFT_OUT, says_id};
use crate::data::table::{number, number_text};
use crate::data::{ColumnType, Role};
use crate::error::{count, list, quoted};

/// The part of missing values above which a column tells little.
const MANY_MISSING: f64 = 0.5;

/// How many standard deviations of the middle 98 % an outlier is away from their mean.
const OUTLIER: f64 = 20.0;

/// How many times a usual number the largest may be.
const SCALE: f64 = 1e6;

/// The part of fields that are numbers but for signs around them, for a column to be told of.
const MOST: f64 = 0.95;

/// So many texts tell whether it is worth looking at all.
const FIRST_LOOK: usize = 100;

/// So many fields or names are shown.
const SHOWN: usize = 3;

pub(super) fn check(looked: &Looked, findings: &mut Vec<Finding>) {
    for seen in &looked.columns {
        let is_used = matches!(seen.schema.role, Role::Feature | Role::Target);
        // Others were asked to be left out.
        let is_found = seen.schema.role == Role::Ignored
            && !seen.schema.is_given
            && seen.schema.note.as_ref().is_some_and(|note| note.starts_with(LEFT_OUT));
        if is_found {
            check_left_out(looked, seen, findings);
        }
        if is_used || is_found {
            check_text(looked, seen, findings);
        }
        if is_used {
            check_missing(looked, seen, findings);
            check_dates(looked, seen, findings);
            check_numbers(looked, seen, findings);
        }
        let repeats = seen.codes.n_distinct() < seen.codes.n_present();
        if seen.schema.role == Role::Feature && repeats && says_id(seen.column.name()) {
            findings.push(looked.of_columns(
                Severity::Note,
                FindingKind::PossibleGroup,
                &[seen],
                format!(
                    "its name says that it is an id, and its {} values repeat in {} rows",
                    seen.codes.n_distinct(),
                    seen.codes.n_present()
                ),
                "to predict for others than these, keep its rows together with `--group COLUMN`, or leave it out",
            ));
        }
    }
    for group in columns_alike(looked.features()) {
        let names: Vec<String> = group.iter().map(|seen| seen.column.name().to_owned()).collect();
        let is_equal = group.iter().all(|seen| seen.numbers.is_some() && same_numbers(seen, group[0]));
        findings.push(looked.of_columns(
            Severity::Note,
            FindingKind::DuplicateColumns,
            &group,
            match is_equal {
                true => format!("{} hold the same values", list(&names)),
                false => format!("{} tell the same: each value of one goes with one of the other", list(&names)),
            },
            "one of them is enough",
        ));
    }
}

fn check_left_out(looked: &Looked, seen: &Seen, findings: &mut Vec<Finding>) {
    let (kind, severity) = match seen.schema.kind {
        ColumnType::Constant if seen.codes.n_distinct() == 0 => (FindingKind::AllMissing, Severity::Warning),
        ColumnType::Constant => (FindingKind::Constant, Severity::Note),
        ColumnType::Id => (FindingKind::Id, Severity::Note),
        _ => (FindingKind::Text, Severity::Note),
    };
    let advice = match kind {
        FindingKind::AllMissing => "check where it is read from, or delete it",
        FindingKind::Constant => "nothing is lost without it",
        _ => "give its type, such as `category`, to learn from it all the same",
    };
    findings.push(looked.of_columns(severity, kind, &[seen], seen.schema.note.clone().unwrap_or_default(), advice));
}

fn check_missing(looked: &Looked, seen: &Seen, findings: &mut Vec<Finding>) {
    let n_missing = looked.n_rows() - seen.codes.n_present();
    if seen.schema.role == Role::Feature && n_missing as f64 > MANY_MISSING * looked.n_rows() as f64 {
        findings.push(looked.of_columns(
            Severity::Note,
            FindingKind::ManyMissing,
            &[seen],
            format!("missing in {n_missing} of {}", count(looked.n_rows(), "row")),
            "see whether it can be filled in, or leave it out",
        ));
    }
}

fn check_text(looked: &Looked, seen: &Seen, findings: &mut Vec<Finding>) {
    let texts = seen.texts();
    if texts.is_empty() {
        return;
    }
    let shown = |is: &dyn Fn(usize) -> bool| {
        let fields: Vec<String> =
            (0..texts.len()).filter(|&code| is(code)).take(SHOWN).map(|code| texts[code].to_owned()).collect();
        list(&fields)
    };
    if seen.schema.kind == ColumnType::Number {
        let is_other = |code: usize| number(texts[code].trim()).is_none();
        if (0..texts.len()).any(is_other) {
            let n_rows = seen.rows_where(|code| is_other(code as usize)).count();
            let finding = looked.of_columns(
                Severity::Warning,
                FindingKind::NumbersAsText,
                &[seen],
                format!("{} among numbers, such as {}", count(n_rows, "text"), shown(&is_other)),
                "they count as missing; correct them, or give the type `category` if they are names",
            );
            findings.push(looked.at(seen.rows_where(|code| is_other(code as usize)), finding));
        }
        return;
    }
    if !matches!(seen.schema.kind, ColumnType::Date | ColumnType::Boolean) && is_decorated(seen, &texts) {
        let severity = if seen.schema.is_given { Severity::Note } else { Severity::Warning };
        findings.push(looked.of_columns(
            severity,
            FindingKind::NumbersAsText,
            &[seen],
            format!("its fields look like numbers with other signs, such as {}", shown(&|_| true)),
            "write them as plain numbers, such as 1234.5, to learn from their size",
        ));
    }
    if seen.schema.kind != ColumnType::Date && seen.schema.role != Role::Ignored {
        check_spelling(looked, seen, &texts, findings);
    }
}

/// Whether fields are numbers but for currencies, percent signs, and signs between digits, in 20 values or more.
fn is_decorated(seen: &Seen, texts: &[&str]) -> bool {
    let is_sign = |c: char| "$€£¥%,'_".contains(c) || c.is_whitespace();
    let is_number = |text: &str| {
        let plain = text.replace(is_sign, "");
        // `0,5` without its comma is no number as it is written; but zeros before digits without any sign are a name.
        let is_plain = plain.len() == text.len();
        if is_plain { number(text).is_some() } else { plain.parse::<f64>().is_ok_and(f64::is_finite) }
    };
    // A look at the first tells of most columns that they are names.
    if !texts.iter().take(FIRST_LOOK).any(|text| is_number(text)) {
        return false;
    }
    let sizes =
        texts.iter().zip(&seen.codes.counts).filter(|(text, _)| is_number(text)).map(|(_, &size)| size as usize);
    let (n_values, n_rows) = sizes.fold((0, 0), |(n_values, n_rows), size| (n_values + 1, n_rows + size));
    n_values >= FEWEST_ROWS && n_rows as f64 >= MOST * seen.codes.n_present() as f64
}

fn check_spelling(looked: &Looked, seen: &Seen, texts: &[&str], findings: &mut Vec<Finding>) {
    // For each name the code of its most frequent spelling.
    let mut known: HashMap<String, usize> = HashMap::with_capacity(texts.len());
    let mut rarer = Vec::new();
    for (code, text) in texts.iter().enumerate() {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let most = *known.entry(name.clone()).or_insert(code);
        if most != code {
            let (rare, frequent) =
                if seen.codes.counts[code] > seen.codes.counts[most] { (most, code) } else { (code, most) };
            known.insert(name, frequent);
            rarer.push((rare, frequent));
        }
    }
    if rarer.is_empty() {
        return;
    }
    rarer.sort_unstable();
    let pair = |&(rare, frequent): &(usize, usize)| format!("{} and {}", quoted(texts[frequent]), quoted(texts[rare]));
    let pairs: Vec<String> = rarer.iter().take(SHOWN).map(pair).collect();
    // Case does not matter in words for no and yes.
    let severity = if seen.schema.kind == ColumnType::Boolean { Severity::Note } else { Severity::Warning };
    let finding = looked.of_columns(
        severity,
        FindingKind::Spelling,
        &[seen],
        format!(
            "{} in case or spaces only: {}",
            if rarer.len() == 1 {
                "1 name differs from another".to_owned()
            } else {
                format!("{} names differ from others", rarer.len())
            },
            pairs.join(", ")
        ),
        "write what is the same in one way",
    );
    let is_rare = |code: u32| rarer.binary_search_by_key(&(code as usize), |pair| pair.0).is_ok();
    findings.push(looked.at(seen.rows_where(is_rare), finding));
}

fn check_dates(looked: &Looked, seen: &Seen, findings: &mut Vec<Finding>) {
    let Some(format) = &seen.schema.date else { return };
    let texts = seen.texts();
    let is_other = |code: usize| format.parse(texts[code]).is_none();
    let others: Vec<String> =
        (0..texts.len()).filter(|&code| is_other(code)).take(SHOWN).map(|code| texts[code].to_owned()).collect();
    if !others.is_empty() {
        let finding = looked.of_columns(
            Severity::Warning,
            FindingKind::NotDates,
            &[seen],
            format!("texts among dates that are none in the form {}, such as {}", format.day(), list(&others)),
            "they count as missing; correct them",
        );
        findings.push(looked.at(seen.rows_where(|code| is_other(code as usize)), finding));
    }
    if !texts.is_empty() && format.other(&texts).is_some() {
        findings.push(looked.of_columns(
            Severity::Warning,
            FindingKind::AmbiguousDates,
            &[seen],
            format!("nothing tells whether the day or the month stands first; read as {}", format.day()),
            "write dates as 2024-01-31",
        ));
    }
}

fn check_numbers(looked: &Looked, seen: &Seen, findings: &mut Vec<Finding>) {
    let Some(numbers) = seen.numbers.as_ref().filter(|_| seen.schema.kind == ColumnType::Number) else { return };
    let is_infinite = |number: f64| !number.is_nan() && !(number as f32).is_finite();
    let infinite: Vec<usize> = (0..numbers.len()).filter(|&row| is_infinite(numbers[row])).collect();
    if !infinite.is_empty() {
        let finding = looked.of_columns(
            Severity::Warning,
            FindingKind::Infinite,
            &[seen],
            format!(
                "{} infinite, or beyond 3.4e38",
                if infinite.len() == 1 { "1 number is".to_owned() } else { format!("{} numbers are", infinite.len()) }
            ),
            "correct them, or leave the fields empty",
        );
        findings.push(looked.at(infinite, finding));
    }
    let mut usual: Vec<f64> = numbers.iter().copied().filter(|&number| (number as f32).is_finite()).collect();
    if usual.len() < FEWEST_ROWS {
        return;
    }
    let smallest = usual.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = usual.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sizes: Vec<f64> = usual.iter().map(|number| number.abs()).filter(|&size| size > 0.0).collect();
    let middle = sizes.len() / 2;
    if middle > 0 {
        let (_, &mut middle, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
        let most = largest.abs().max(smallest.abs());
        if most > SCALE * middle {
            let rows = (0..numbers.len()).filter(|&row| {
                let size = numbers[row].abs();
                (size as f32).is_finite() && size > SCALE * middle
            });
            let finding = looked.of_columns(
                Severity::Note,
                FindingKind::Scale,
                &[seen],
                format!(
                    "half of the numbers are below {} in size, and the largest is {}",
                    number_text(middle),
                    number_text(if largest.abs() == most { largest } else { smallest })
                ),
                "correct them if they are mistakes; else learn from their logarithm",
            );
            findings.push(looked.at(rows, finding));
            return;
        }
    }
    let edge = usual.len() / 100;
    let last = usual.len() - 1 - edge;
    let (_, &mut low, _) = usual.select_nth_unstable_by(edge, f64::total_cmp);
    let (_, &mut high, _) = usual.select_nth_unstable_by(last, f64::total_cmp);
    let mut inner: Vec<f64> = usual.iter().copied().filter(|number| (low..=high).contains(number)).collect();
    if low == high {
        // Nearly all are one number: the others tell how far one may be.
        inner = usual;
    }
    let n = inner.len() as f64;
    let mean = inner.iter().map(|number| number / n).sum::<f64>();
    let deviation = (inner.iter().map(|number| (number - mean).powi(2) / n).sum::<f64>()).sqrt();
    let is_outlier = |number: f64| (number as f32).is_finite() && (number - mean).abs() > OUTLIER * deviation;
    if deviation > 0.0 && (is_outlier(smallest) || is_outlier(largest)) {
        let farthest = if largest - mean > mean - smallest { largest } else { smallest };
        let finding = looked.of_columns(
            Severity::Note,
            FindingKind::Outliers,
            &[seen],
            format!(
                "{} is {:.0} standard deviations away from the mean {}",
                number_text(farthest),
                (farthest - mean).abs() / deviation,
                short(mean)
            ),
            "correct it if it is a mistake",
        );
        findings.push(looked.at((0..numbers.len()).filter(|&row| is_outlier(numbers[row])), finding));
    }
}

/// A number in four digits.
fn short(number: f64) -> String {
    format!("{number:.3e}").parse().map_or_else(|_| number_text(number), number_text)
}
