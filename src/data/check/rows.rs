//! Findings about rows that are alike.

use std::collections::{HashMap, HashSet};

use super::{Finding, FindingKind, Looked, Seen, Severity, same_numbers};
use crate::data::codes::mix;
use crate::data::{Parts, Role};
use crate::error::count;

pub(super) fn check(looked: &Looked, split: Option<&Parts>, findings: &mut Vec<Finding>) {
    let features: Vec<&Seen> = looked.features().collect();
    let targets: Vec<&Seen> = looked.with_role(Role::Target).collect();
    if features.is_empty() {
        return;
    }
    let alike = Alike::find(looked.n_rows(), &features);
    // Where no column is fine, rows are alike because there are few different ones.
    let is_fine = features.iter().any(|seen| 10 * seen.codes.n_distinct() > looked.n_rows());
    let severity = if is_fine { Severity::Warning } else { Severity::Note };
    let target_of = |row: u32| targets.iter().map(move |seen| seen.codes.codes[row as usize]);

    let mut duplicates = Vec::new();
    let mut conflicts = Vec::new();
    for group in alike.groups() {
        let mut group: Vec<u32> = group.iter().copied().filter(|&row| looked.has_target[row as usize]).collect();
        // Stable: of equal targets, the earlier row comes first.
        group.sort_by(|&a, &b| target_of(a).cmp(target_of(b)));
        let same_target = |a: &u32, b: &u32| target_of(*a).eq(target_of(*b));
        duplicates.extend(group.chunk_by(same_target).flat_map(|same| &same[1..]).map(|&row| row as usize));
        if group.chunk_by(same_target).count() > 1 {
            conflicts.extend(group.iter().map(|&row| row as usize));
        }
    }
    duplicates.sort_unstable();
    conflicts.sort_unstable();
    if !duplicates.is_empty() {
        let finding = looked.of_columns(
            Severity::Note,
            FindingKind::DuplicateRows,
            &[],
            format!("{} the same as an earlier row in all columns that are used", are(duplicates.len())),
            "delete them, if they are copies of one observation and not several that are alike",
        );
        findings.push(looked.at(duplicates, finding));
    }
    if !conflicts.is_empty() {
        let finding = looked.of_columns(
            Severity::Note,
            FindingKind::ConflictingRows,
            &[],
            format!("{} the same features as another row, but another target", have(conflicts.len())),
            "no model can predict them all; is a column missing that tells them apart?",
        );
        findings.push(looked.at(conflicts, finding));
    }
    if let Some(parts) = split {
        check_parts(looked, parts, &alike, severity, &|row| target_of(row).collect(), findings);
    }
}

fn check_parts(
    looked: &Looked,
    parts: &Parts,
    alike: &Alike,
    severity: Severity,
    target_of: &dyn Fn(u32) -> Vec<u32>,
    findings: &mut Vec<Finding>,
) {
    const OTHERS: u8 = 3;
    let mut part_of = vec![OTHERS; looked.n_rows()];
    for (part, rows) in (0..).zip([&parts.train, &parts.validation, &parts.test]) {
        rows.iter().for_each(|&row| part_of[row as usize] = part);
    }
    for (part, n_rows, verb, earlier) in
        [(1, parts.validation.len(), "validate", "train"), (2, parts.test.len(), "test", "train or to validate")]
    {
        let (mut shared, mut n_same) = (Vec::new(), 0);
        for group in alike.groups() {
            let own: Vec<u32> = group.iter().copied().filter(|&row| part_of[row as usize] == part).collect();
            let mut earlier = group.iter().copied().filter(|&row| part_of[row as usize] < part).peekable();
            if own.is_empty() || earlier.peek().is_none() {
                continue;
            }
            let targets: HashSet<Vec<u32>> = earlier.map(target_of).collect();
            n_same += own.iter().filter(|&&row| targets.contains(&target_of(row))).count();
            shared.extend(own.iter().map(|&row| row as usize));
        }
        if shared.is_empty() {
            continue;
        }
        shared.sort_unstable();
        let finding = looked.of_columns(
            severity,
            FindingKind::SharedRows,
            &[],
            format!(
                "{} of {} to {verb} on {} the features of a row to {earlier} on, {n_same} with the same target",
                shared.len(),
                count(n_rows, "row"),
                if shared.len() == 1 { "has" } else { "have" },
            ),
            "results on them look too good if they are copies; delete copies, or split by a column that they share, \
             with `--group COLUMN`",
        );
        findings.push(looked.at(shared, finding));
    }
}

fn are(n: usize) -> String {
    format!("{} {}", count(n, "row"), if n == 1 { "is" } else { "are" })
}

fn have(n: usize) -> String {
    format!("{} {}", count(n, "row"), if n == 1 { "has" } else { "have" })
}

/// Groups of two rows or more that have the same values in some columns.
struct Alike {
    rows: Vec<u32>,
    /// Where each group ends in `rows`.
    ends: Vec<usize>,
}

impl Alike {
    fn find(n_rows: usize, columns: &[&Seen]) -> Alike {
        let mut hashes = vec![0_u64; n_rows];
        for seen in columns {
            for (hash, &code) in hashes.iter_mut().zip(&seen.codes.codes) {
                *hash = mix((*hash ^ u64::from(code)).wrapping_add(0x9e37_79b9_7f4a_7c15));
            }
        }
        let mut order: Vec<(u64, u32)> = hashes.into_iter().zip(0..).collect();
        order.sort_unstable();
        let is_same = |a: u32, b: u32| {
            columns.iter().all(|seen| {
                let codes = &seen.codes.codes;
                codes[a as usize] == codes[b as usize]
            })
        };
        let mut alike = Alike { rows: vec![], ends: vec![] };
        for group in order.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            let start = alike.rows.len();
            let first = group[0].1;
            // Rows that only share the hash of the first are rare beyond measure, and are no copies of it.
            alike.rows.extend(group.iter().map(|&(_, row)| row).filter(|&row| is_same(first, row)));
            match alike.rows.len() - start {
                1 => alike.rows.truncate(start),
                _ => alike.ends.push(alike.rows.len()),
            }
        }
        alike
    }

    /// The rows of each group in ascending order.
    fn groups(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.rows[start..end])
    }
}

/// Columns of equal codes, found by a hash of each: each value of one goes with one value of the other.
pub(super) fn columns_alike<'a, 'b>(columns: impl Iterator<Item = &'b Seen<'a>>) -> Vec<Vec<&'b Seen<'a>>>
where
    'a: 'b,
{
    let is_same = |a: &Seen, b: &Seen| a.codes.codes == b.codes.codes && (repeats(a) || same_numbers(a, b));
    let mut groups: Vec<Vec<&'b Seen<'a>>> = Vec::new();
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
    for seen in columns {
        let hash = match &seen.numbers {
            Some(numbers) if !repeats(seen) => {
                numbers.iter().fold(1, |hash, number| mix(hash ^ (number + 0.0).to_bits()))
            }
            _ if !repeats(seen) => continue,
            _ => seen.codes.codes.iter().fold(2, |hash, &code| mix(hash ^ u64::from(code))),
        };
        let known = by_hash.entry(hash).or_default();
        match known.iter().find(|&&group| is_same(groups[group][0], seen)) {
            Some(&group) => groups[group].push(seen),
            None => {
                known.push(groups.len());
                groups.push(vec![seen]);
            }
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// Whether values come often enough that equal codes are no matter of course.
fn repeats(seen: &Seen) -> bool {
    let n_present = seen.codes.n_present();
    n_present >= super::FEWEST_ROWS && 2 * seen.codes.n_distinct() <= n_present
}
