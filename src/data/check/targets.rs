//! Findings about what is to be predicted.

use super::{FEWEST_ROWS, Finding, FindingKind, Looked, Seen, Severity};
use crate::data::{ColumnType, Levels, Parts, Role};
use crate::error::{count, list, quoted};

/// With fewer rows a network hardly learns, and its results are chance.
const FEW_ROWS: usize = 50;

/// Each class needs a row to train, to validate and to test on.
const RARE_CLASS: usize = 3;

/// The part of the rows above which one class leaves little to the others.
const LARGEST_CLASS: f64 = 0.9;

/// Columns that are correlated more than this are copies of each other, but for rounding.
const COPY: f64 = 0.9999;

/// A value that comes in fewer rows may go with one target by chance.
const ROWS_PER_VALUE: usize = 5;

/// So many rows are looked at before all are sorted.
const SAMPLE: usize = 1000;

pub(super) fn check(looked: &Looked, split: Option<&Parts>, findings: &mut Vec<Finding>) {
    let n_targets = looked.with_role(Role::Target).count();
    let n_known = looked.has_target.iter().filter(|&&has| has).count();
    if n_targets > 0 && n_known < looked.n_rows() {
        let targets: Vec<&Seen> = looked.with_role(Role::Target).collect();
        let finding = looked.of_columns(
            if n_known == 0 { Severity::Error } else { Severity::Warning },
            FindingKind::TargetMissing,
            &targets,
            format!("the target is missing in {} of {}", looked.n_rows() - n_known, count(looked.n_rows(), "row")),
            if n_known == 0 { "name another target" } else { "they are not learned from; fill them in to use them" },
        );
        findings.push(looked.at((0..looked.n_rows()).filter(|&row| !looked.has_target[row]), finding));
    }
    if n_known > 0 && n_known < FEW_ROWS {
        findings.push(looked.of_columns(
            Severity::Warning,
            FindingKind::FewRows,
            &[],
            format!("there are only {} to learn from", count(n_known, "row")),
            "take the results as rough, or bring more rows",
        ));
    }
    for target in looked.with_role(Role::Target) {
        if !is_regression(target) {
            check_classes(looked, target, split, findings);
        }
        if target.codes.n_distinct() == 1 {
            findings.push(looked.of_columns(
                Severity::Error,
                FindingKind::TargetConstant,
                &[target],
                format!("the target is {} in all rows", quoted(&target.value(0))),
                "name another target, or bring rows with other values",
            ));
        }
        let only_feature = looked.features().count() == 1;
        for feature in looked.features() {
            if let Some(message) = how_known(looked, feature, target) {
                // A table of one column and a function of it is meant to be so.
                let severity = if only_feature { Severity::Note } else { Severity::Warning };
                findings.push(looked.of_columns(
                    severity,
                    FindingKind::TargetKnown,
                    &[feature],
                    message,
                    "leave the column out, unless it is known before the target is",
                ));
            }
        }
    }
}

/// Whether a target is a number, as far as its type tells.
fn is_regression(target: &Seen) -> bool {
    target.schema.kind == ColumnType::Number && target.numbers.is_some()
}

fn check_classes(looked: &Looked, target: &Seen, split: Option<&Parts>, findings: &mut Vec<Finding>) {
    let mut sizes = vec![0; target.codes.n_distinct()];
    let with_target = |row: &usize| looked.has_target[*row];
    (0..looked.n_rows()).filter(with_target).for_each(|row| sizes[target.codes.codes[row] as usize] += 1);
    let n_rows: usize = sizes.iter().sum();
    let classes = |is: &dyn Fn(usize) -> bool| -> Vec<u32> {
        (0..sizes.len() as u32).filter(|&class| is(class as usize)).collect()
    };
    let names = |classes: &[u32]| list(&classes.iter().map(|&class| target.value(class)).collect::<Vec<_>>());

    let rare = classes(&|class| 0 < sizes[class] && sizes[class] < RARE_CLASS);
    if !rare.is_empty() {
        let finding = looked.of_columns(
            Severity::Warning,
            FindingKind::RareClass,
            &[target],
            format!("{} in fewer than {RARE_CLASS} rows: {}", classes_have(rare.len(), "is", "are"), names(&rare)),
            "join it with another class, delete its rows, or bring more of them",
        );
        findings.push(looked.at(target.rows_where(|code| rare.binary_search(&code).is_ok()), finding));
    }
    let parts = split.map(|parts| [(&parts.train, "train"), (&parts.validation, "validate"), (&parts.test, "test")]);
    for (rows, verb) in parts.into_iter().flatten().filter(|(rows, _)| !rows.is_empty()) {
        let mut is_there = vec![false; sizes.len()];
        let codes = rows.iter().map(|&row| target.codes.codes[row as usize]);
        codes.filter(|&code| code != Levels::MISSING).for_each(|code| is_there[code as usize] = true);
        let absent = classes(&|class| sizes[class] > 0 && !is_there[class]);
        if !absent.is_empty() {
            findings.push(looked.of_columns(
                Severity::Warning,
                FindingKind::ClassMissing,
                &[target],
                format!(
                    "{} no row among those to {verb} on: {}",
                    classes_have(absent.len(), "has", "have"),
                    names(&absent)
                ),
                match verb {
                    "train" => "it can never be predicted; split by classes, or bring more rows of it",
                    _ => "the results say nothing of it; split by classes, or bring more rows of it",
                },
            ));
        }
    }
    let largest = (0..sizes.len()).max_by_key(|&class| (sizes[class], std::cmp::Reverse(class)));
    if let Some(class) = largest
        && sizes.len() > 1
        && sizes[class] as f64 > LARGEST_CLASS * n_rows as f64
    {
        findings.push(looked.of_columns(
            Severity::Note,
            FindingKind::Imbalance,
            &[target],
            format!(
                "{} has {} of {} ({:.1} %)",
                quoted(&target.value(class as u32)),
                sizes[class],
                count(n_rows, "row"),
                100.0 * sizes[class] as f64 / n_rows as f64
            ),
            "look at balanced accuracy or the area under the curve, not at accuracy",
        ));
    }
}

fn classes_have(n: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        if n == 1 { "1 class".to_owned() } else { format!("{n} classes") },
        if n == 1 { one } else { many }
    )
}

/// In what way `feature` tells the target without any learning.
fn how_known(looked: &Looked, feature: &Seen, target: &Seen) -> Option<String> {
    let (feature_codes, target_codes) = (&feature.codes.codes, &target.codes.codes);
    let both = |row: &usize| {
        looked.has_target[*row]
            && feature_codes[*row] != Levels::MISSING
            && feature.numbers.as_ref().is_none_or(|numbers| numbers[*row].is_finite())
            && target.numbers.as_ref().is_none_or(|numbers| numbers[*row].is_finite())
    };
    if target.codes.n_distinct() < 2 {
        return None;
    }
    let name = || format!("the target {}", quoted(target.column.name()));
    if is_one_to_many(looked, feature, target) {
        let is_one_to_one = is_function(target_codes, feature_codes, target.codes.n_distinct(), &both);
        return Some(match is_one_to_one {
            true => format!("each of its values goes with one value of {}, and the other way round", name()),
            false => format!("each of its values goes with one value of {}", name()),
        });
    }
    let (x, y) = (feature.numbers.as_ref()?, target.numbers.as_ref()?);
    if !is_regression(target) {
        return None;
    }
    let rows: Vec<usize> = (0..looked.n_rows()).filter(both).collect();
    let n_known = looked.has_target.iter().filter(|&&has| has).count();
    if rows.len() < FEWEST_ROWS || 2 * rows.len() < n_known {
        return None;
    }
    if rows.iter().all(|&row| x[row] == y[row]) {
        return Some(format!("it holds {} itself", name()));
    }
    let correlation = correlation(x, y, &rows);
    if correlation.abs() > COPY {
        return Some(format!("its correlation with {} is {correlation:.6}", name()));
    }
    // Steps of a few values rise together by chance.
    let is_fine = feature.codes.n_distinct() > FEW_ROWS && target.codes.n_distinct() > FEW_ROWS;
    let step = rows.len().div_ceil(SAMPLE);
    let sample: Vec<usize> = rows.iter().copied().step_by(step).collect();
    let is_known = is_fine && is_monotone(x, y, sample) && is_monotone(x, y, rows);
    is_known.then(|| format!("it puts the rows in the same order as {} does", name()))
}

/// Whether each value of the feature goes with one value of the target, in rows enough to be no coincidence.
fn is_one_to_many(looked: &Looked, feature: &Seen, target: &Seen) -> bool {
    let (feature_codes, target_codes) = (&feature.codes.codes, &target.codes.codes);
    let both = |row: &usize| looked.has_target[*row] && feature_codes[*row] != Levels::MISSING;
    if !is_function(feature_codes, target_codes, feature.codes.n_distinct(), &both) {
        return false;
    }
    let n_known = looked.has_target.iter().filter(|&&has| has).count();
    let n_both = (0..looked.n_rows()).filter(both).count();
    let is_enough = n_both >= FEWEST_ROWS && 2 * n_both >= n_known;
    if !is_enough {
        return false;
    }
    // A value in few rows goes with one target by chance, and so does any value where one class has nearly all rows: what
    // counts is that the rows of the other classes are told by values that are not rare.
    let largest = (0..target.codes.n_distinct()).max_by_key(|&code| target.codes.counts[code]).expect("a value");
    let others: Vec<usize> =
        (0..looked.n_rows()).filter(both).filter(|&row| target_codes[row] as usize != largest).collect();
    let is_told = |row: &&usize| feature.codes.counts[feature_codes[**row] as usize] as usize >= ROWS_PER_VALUE;
    let n_told = others.iter().filter(is_told).count();
    n_told >= ROWS_PER_VALUE && 2 * n_told >= others.len()
}

/// Whether each code of `from`, of `n_codes`, goes with one code of `to` in the rows for which `is` holds.
fn is_function(from: &[u32], to: &[u32], n_codes: usize, is: &dyn Fn(&usize) -> bool) -> bool {
    let mut known = vec![Levels::MISSING; n_codes];
    (0..from.len()).filter(|row| is(row)).all(|row| {
        let known = &mut known[from[row] as usize];
        if *known == Levels::MISSING {
            *known = to[row];
        }
        *known == to[row]
    })
}

/// Pearson's correlation in `rows`; 0 where one side is constant.
///
/// ```text
/// r = sum((x - mean x) (y - mean y)) / sqrt(sum((x - mean x)^2) sum((y - mean y)^2))
/// ```
fn correlation(x: &[f64], y: &[f64], rows: &[usize]) -> f64 {
    let mean = |values: &[f64]| rows.iter().map(|&row| values[row] / rows.len() as f64).sum::<f64>();
    let (mean_x, mean_y) = (mean(x), mean(y));
    // Divided by the largest, since squares of 1e200 overflow.
    let largest = |values: &[f64], mean: f64| rows.iter().map(|&row| (values[row] - mean).abs()).fold(0.0, f64::max);
    let (scale_x, scale_y) = (largest(x, mean_x), largest(y, mean_y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for &row in rows {
        let (dx, dy) = ((x[row] - mean_x) / scale_x, (y[row] - mean_y) / scale_y);
        xy += dx * dy;
        xx += dx * dx;
        yy += dy * dy;
    }
    let correlation = xy / (xx * yy).sqrt();
    if correlation.is_finite() { correlation } else { 0.0 }
}

/// Whether y rises, or falls, just where x rises.
fn is_monotone(x: &[f64], y: &[f64], mut rows: Vec<usize>) -> bool {
    rows.sort_unstable_by(|&a, &b| x[a].total_cmp(&x[b]));
    let step = |pair: &[usize]| (x[pair[1]] - x[pair[0]] != 0.0, y[pair[1]] - y[pair[0]]);
    let is_same = |rises: bool, (x_rises, dy): (bool, f64)| match x_rises {
        true => (rises && dy > 0.0) || (!rises && dy < 0.0),
        false => dy == 0.0,
    };
    [true, false].iter().any(|&rises| rows.windows(2).all(|pair| is_same(rises, step(pair))))
}
