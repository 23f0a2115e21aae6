//! Rows set aside for validating and for testing, and folds, by a rule.

#[cfg(feature = "data")]
mod columns;

use std::collections::BinaryHeap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Classes, Split, Targets};
use crate::random::{Key, Purpose, Threefry};
use crate::{Error, Result};

#[cfg(feature = "data")]
pub(super) use columns::times;

/// By what rows are set aside. Serialised as its [`Display`](fmt::Display) form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SplitRule {
    /// `random`: any rows.
    Random,
    /// `stratified`: of each class as many as of the others; of numbers to predict, large and small ones alike.
    #[default]
    Stratified,
    /// `group:COLUMN`: rows with one value in this column stay together.
    Group(String),
    /// `time:COLUMN`: the last rows by this column of numbers or dates.
    Time(String),
}

/// Rows to train on, to validate on and to test on, each in ascending order; together each row once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// Rows to train on, never empty.
    pub train: Vec<u32>,
    /// Rows to choose settings and the time to stop by; empty if none were asked for.
    pub validation: Vec<u32>,
    /// Rows that nothing is chosen by; empty if none were asked for.
    pub test: Vec<u32>,
}

/// Splits the rows of a table, reproducibly: the same rows, fractions and seed give the same parts on every machine.
///
/// ```
/// use nngpu::data::{Classes, Splitter, Targets};
///
/// let names = ["no", "yes"].map(String::from).to_vec();
/// let targets = Targets::Classes(Classes { indices: vec![0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0], names });
/// let parts = Splitter::stratified(&targets).parts(0.25, 0.25, 42)?;
///
/// // A quarter of the rows in each part, and in each part one of the three rows of class 1.
/// assert_eq!((parts.train.len(), parts.validation.len(), parts.test.len()), (6, 3, 3));
/// assert_eq!(parts.test.iter().filter(|row| [3, 7, 9].contains(row)).count(), 1);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Splitter {
    n_rows: usize,
    by: By,
}

#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "data"), expect(dead_code, reason = "groups and times come from columns of tables"))]
enum By {
    Nothing,
    Classes(Classes),
    /// The rows in the order of their targets.
    Values(Vec<u32>),
    /// For each row its group, of `sizes.len()`.
    Groups {
        of: Source,
        groups: Vec<u32>,
        sizes: Vec<u32>,
    },
    /// The rows in the order of their times, and the positions in that order at which a new time begins.
    Times {
        of: Source,
        order: Vec<u32>,
        beginnings: Vec<usize>,
    },
}

/// A column of a file, for errors.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    column: String,
}

/// A number to predict is cut at so many quantiles less one, as far as rows suffice.
const LARGEST_BINS: usize = 10;

/// The streams of random numbers, so that folds do not depend on the parts.
const PARTS: u64 = 0;
const FOLDS: u64 = 1;

impl Splitter {
    /// Splits `n_rows` rows at random.
    ///
    /// # Panics
    ///
    /// There are 2^32 rows or more.
    pub fn random(n_rows: usize) -> Splitter {
        assert!(u32::try_from(n_rows).is_ok(), "{n_rows} rows to split");
        Splitter { n_rows, by: By::Nothing }
    }

    /// Splits rows so that each part has its share of each class of `targets`, to within a row.
    ///
    /// Numbers are cut at their quantiles into 10 classes of one size, or into as many as there are rows in the
    /// smallest part; of several columns the first decides.
    pub fn stratified(targets: &Targets) -> Splitter {
        let by = match targets {
            Targets::Classes(classes) => By::Classes(classes.clone()),
            Targets::Values(values) if values.columns() == 0 => By::Nothing,
            Targets::Values(values) => {
                let mut order: Vec<u32> = (0..values.rows() as u32).collect();
                order.sort_by(|&a, &b| values.row(a as usize)[0].total_cmp(&values.row(b as usize)[0]));
                By::Values(order)
            }
        };
        Splitter { by, ..Splitter::random(targets.rows()) }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Sets the parts `validation` and `test` of the rows aside, each 0 for none; the rest is to train on.
    ///
    /// The counts are those parts of all rows, rounded to whole rows. Only where rows must stay together can they be
    /// others:
    ///
    /// - by groups, the largest group goes first to the part that lacks most, so that small groups even the parts out;
    /// - by time, rows of one time stay together: a part begins at the new time that is nearest to where it should.
    ///   The validation rows come after those to train on, and the test rows after both; the seed changes nothing.
    ///
    /// # Errors
    ///
    /// A fraction is below 0, or both together are not below 1; a part that is asked for, or the rest, would have no
    /// row, or fewer rows than there are classes; a class has fewer rows than there are parts, or a column has
    /// fewer groups or times.
    pub fn parts(&self, validation: f64, test: f64, seed: u64) -> Result<Parts> {
        if !(0.0 <= validation && 0.0 <= test && validation + test < 1.0) {
            return Err(Error::Fractions { validation, test });
        }
        let rows = self.n_rows;
        let n_rows = |fraction: f64| (rows as f64 * fraction).round() as usize;
        let sizes = Sizes { validation: n_rows(validation), test: n_rows(test) };
        let n_parts = 1 + usize::from(validation > 0.0) + usize::from(test > 0.0);
        let check_parts = |needed: usize| {
            let is_enough = |fraction: f64, size: usize| fraction == 0.0 || size >= needed;
            let has_rest = sizes.validation + sizes.test + needed <= rows;
            match has_rest && is_enough(validation, sizes.validation) && is_enough(test, sizes.test) {
                true => Ok(()),
                false => Err(Error::SmallPart { rows, validation: sizes.validation, test: sizes.test, needed }),
            }
        };
        check_parts(1)?;
        if n_parts == 1 {
            return Ok(Parts { train: (0..rows as u32).collect(), ..Parts::default() });
        }
        let parts = match &self.by {
            By::Nothing => self.stratified_parts(&vec![0; rows], 1, sizes, seed),
            By::Classes(classes) => {
                let n_used = check_classes(classes, n_parts)?;
                check_parts(n_used)?;
                self.stratified_parts(&classes.indices, classes.names.len(), sizes, seed)
            }
            By::Values(order) => {
                let asked = [(validation, sizes.validation), (test, sizes.test)].into_iter();
                let smallest = asked.filter(|part| part.0 > 0.0).map(|part| part.1).min().expect("a part");
                let n_bins = smallest.min(rows - sizes.validation - sizes.test).min(LARGEST_BINS);
                let mut bins = vec![0; rows];
                for (position, &row) in order.iter().enumerate() {
                    bins[row as usize] = (position * n_bins / rows) as u32;
                }
                self.stratified_parts(&bins, n_bins, sizes, seed)
            }
            By::Groups { of, groups, sizes: group_sizes } => {
                of.check(group_sizes.len(), n_parts)?;
                let n_train = rows - sizes.validation - sizes.test;
                let wanted = [n_train, sizes.validation, sizes.test];
                let is_asked = [true, validation > 0.0, test > 0.0];
                let part_of_group =
                    part_groups(group_sizes, &wanted, &is_asked, self.permutation(PARTS, seed, group_sizes.len()));
                collect_parts(groups.iter().map(|&group| part_of_group[group as usize]))
            }
            By::Times { of, order, beginnings } => {
                of.check(beginnings.len() + 1, n_parts)?;
                let mut wanted = vec![];
                if validation > 0.0 {
                    wanted.push(rows - sizes.test - sizes.validation);
                }
                if test > 0.0 {
                    wanted.push(rows - sizes.test);
                }
                let cuts = nearest_beginnings(beginnings, &wanted);
                let first_test = if test > 0.0 { cuts[cuts.len() - 1] } else { rows };
                let first_validation = if validation > 0.0 { cuts[0] } else { first_test };
                let part = |position: usize| match position {
                    _ if position >= first_test => Part::Test,
                    _ if position >= first_validation => Part::Validation,
                    _ => Part::Train,
                };
                let mut parts = vec![Part::Train; rows];
                order.iter().enumerate().for_each(|(position, &row)| parts[row as usize] = part(position));
                collect_parts(parts)
            }
        };
        Ok(parts)
    }

    /// `n_folds` splits, in each of which another part of the rows is to validate on.
    ///
    /// Each row is set aside in one fold, and the folds differ by one row at most; by groups, as little as the groups
    /// allow. By time the folds are windows that grow: the rows in their order are cut into one block more than there
    /// are folds, and each block but the first is predicted from all before it, so that no fold looks into
    /// its future and the first block is never set aside. Rows of one time stay together.
    ///
    /// # Errors
    ///
    /// There are fewer than 2 folds, or more than rows; a class has fewer rows than there are folds, or a column
    /// fewer groups; there are not more times than folds.
    pub fn folds(&self, n_folds: usize, seed: u64) -> Result<Vec<Split>> {
        let rows = self.n_rows;
        if !(2 <= n_folds && n_folds <= rows) {
            return Err(Error::Folds { folds: n_folds, rows });
        }
        let mut fold_of = vec![0; rows];
        let permutation = || self.permutation(FOLDS, seed, rows);
        match &self.by {
            By::Nothing => {
                permutation().iter().enumerate().for_each(|(i, &row)| fold_of[row as usize] = i % n_folds);
            }
            By::Classes(classes) => {
                check_classes(classes, n_folds)?;
                let mut order = permutation();
                order.sort_by_key(|&row| classes.indices[row as usize]);
                // The count goes on from class to class, so that the folds too differ by one row at most.
                order.iter().enumerate().for_each(|(i, &row)| fold_of[row as usize] = i % n_folds);
            }
            By::Values(order) => {
                let mut rng = Threefry::new(Key::new(seed), Purpose::Splits, FOLDS);
                for neighbours in order.chunks(n_folds) {
                    let folds = rng.permutation(n_folds as u32);
                    neighbours.iter().zip(folds).for_each(|(&row, fold)| fold_of[row as usize] = fold as usize);
                }
            }
            By::Groups { of, groups, sizes } => {
                of.check(sizes.len(), n_folds)?;
                let mut n_rows = vec![0; n_folds];
                let mut fold_of_group = vec![0; sizes.len()];
                for group in largest_first(sizes, self.permutation(FOLDS, seed, sizes.len())) {
                    let fold = (0..n_folds).min_by_key(|&fold| n_rows[fold]).expect("a fold");
                    fold_of_group[group as usize] = fold;
                    n_rows[fold] += sizes[group as usize];
                }
                groups.iter().enumerate().for_each(|(row, &group)| fold_of[row] = fold_of_group[group as usize]);
            }
            By::Times { of, order, beginnings } => {
                of.check(beginnings.len() + 1, n_folds + 1)?;
                let wanted: Vec<usize> = (1..=n_folds).map(|block| block * rows / (n_folds + 1)).collect();
                let mut cuts = nearest_beginnings(beginnings, &wanted);
                cuts.push(rows);
                let sorted = |rows: &[u32]| {
                    let mut rows = rows.to_vec();
                    rows.sort_unstable();
                    rows
                };
                let fold = |cut: &[usize]| Split {
                    train: sorted(&order[..cut[0]]),
                    validation: sorted(&order[cut[0]..cut[1]]),
                };
                return Ok(cuts.windows(2).map(fold).collect());
            }
        }
        let rows_where =
            |is: &dyn Fn(usize) -> bool| (0..rows as u32).filter(|&row| is(fold_of[row as usize])).collect();
        let fold = |fold: usize| Split {
            train: rows_where(&|other| other != fold),
            validation: rows_where(&|other| other == fold),
        };
        Ok((0..n_folds).map(fold).collect())
    }

    fn permutation(&self, stream: u64, seed: u64, n: usize) -> Vec<u32> {
        Threefry::new(Key::new(seed), Purpose::Splits, stream).permutation(n as u32)
    }

    /// Parts with a share of each stratum.
    fn stratified_parts(&self, stratum_of: &[u32], n_strata: usize, sizes: Sizes, seed: u64) -> Parts {
        let mut left = vec![0_u64; n_strata];
        stratum_of.iter().for_each(|&stratum| left[stratum as usize] += 1);
        // A stratum keeps a row for each part that is still to come.
        let mut validation = vec![0; n_strata];
        if sizes.validation > 0 {
            validation = shares(&left, sizes.validation as u64, 1 + u64::from(sizes.test > 0));
            left.iter_mut().zip(&validation).for_each(|(left, taken)| *left -= taken);
        }
        let mut test = vec![0; n_strata];
        if sizes.test > 0 {
            test = shares(&left, sizes.test as u64, 1);
        }
        let mut parts = vec![Part::Train; stratum_of.len()];
        for row in self.permutation(PARTS, seed, stratum_of.len()) {
            let stratum = stratum_of[row as usize] as usize;
            for (left, part) in [(&mut validation[stratum], Part::Validation), (&mut test[stratum], Part::Test)] {
                if *left > 0 {
                    *left -= 1;
                    parts[row as usize] = part;
                    break;
                }
            }
        }
        collect_parts(parts)
    }
}

/// Rows in the parts to set aside.
#[derive(Clone, Copy)]
struct Sizes {
    validation: usize,
    test: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
    Test,
}

fn collect_parts(part_of_rows: impl IntoIterator<Item = Part>) -> Parts {
    let mut parts = Parts::default();
    for (row, part) in (0..).zip(part_of_rows) {
        match part {
            Part::Train => parts.train.push(row),
            Part::Validation => parts.validation.push(row),
            Part::Test => parts.test.push(row),
        }
    }
    parts
}

impl Source {
    fn check(&self, found: usize, needed: usize) -> Result<()> {
        match found >= needed {
            true => Ok(()),
            false => Err(Error::FewValues { path: self.path.clone(), column: self.column.clone(), found, needed }),
        }
    }
}

/// The number of classes that have rows, if each has one for each part.
fn check_classes(classes: &Classes, n_parts: usize) -> Result<usize> {
    let mut sizes = vec![0; classes.names.len()];
    classes.indices.iter().for_each(|&class| sizes[class as usize] += 1);
    match sizes.iter().position(|&size| 0 < size && size < n_parts) {
        Some(class) => {
            Err(Error::RareClass { class: classes.names[class].clone(), rows: sizes[class], needed: n_parts })
        }
        None => Ok(sizes.iter().filter(|&&size| size > 0).count()),
    }
}

/// How many of `total` rows each stratum of `sizes` gives: in proportion, by largest remainders, but at least 1, and
/// leaving `reserve` or more. Strata without rows give none.
fn shares(sizes: &[u64], total: u64, reserve: u64) -> Vec<u64> {
    let n_rows: u64 = sizes.iter().sum();
    let mut shares: Vec<u64> = sizes
        .iter()
        .map(|&size| match size {
            0 => 0,
            _ => ((u128::from(size) * u128::from(total) / u128::from(n_rows)) as u64).clamp(1, size - reserve),
        })
        .collect();
    // How much more than its share a stratum should give, times the number of rows: without rounding.
    let lack = |stratum: usize, share: u64| {
        i128::from(sizes[stratum]) * i128::from(total) - i128::from(share) * i128::from(n_rows)
    };
    let given: u64 = shares.iter().sum();
    // The first of equals is the one with the lower number.
    let rank = |stratum: usize| std::cmp::Reverse(stratum);
    if given < total {
        let can_give = |stratum: usize, share: u64| share + reserve < sizes[stratum];
        let mut next: BinaryHeap<_> = (0..sizes.len())
            .filter(|&stratum| can_give(stratum, shares[stratum]))
            .map(|stratum| (lack(stratum, shares[stratum]), rank(stratum)))
            .collect();
        for _ in given..total {
            let (_, std::cmp::Reverse(stratum)) = next.pop().expect("as many rows as are asked for");
            shares[stratum] += 1;
            if can_give(stratum, shares[stratum]) {
                next.push((lack(stratum, shares[stratum]), rank(stratum)));
            }
        }
    } else {
        let mut next: BinaryHeap<_> = (0..sizes.len())
            .filter(|&stratum| shares[stratum] > 1)
            .map(|stratum| (-lack(stratum, shares[stratum]), rank(stratum)))
            .collect();
        for _ in total..given {
            let (_, std::cmp::Reverse(stratum)) = next.pop().expect("a row of each stratum fits");
            shares[stratum] -= 1;
            if shares[stratum] > 1 {
                next.push((-lack(stratum, shares[stratum]), rank(stratum)));
            }
        }
    }
    shares
}

/// The groups by their size, equal ones in the order of `permutation`.
fn largest_first(sizes: &[u32], mut permutation: Vec<u32>) -> Vec<u32> {
    permutation.sort_by_key(|&group| std::cmp::Reverse(sizes[group as usize]));
    permutation
}

/// The part of each group: the largest goes first, each to the part that lacks most rows.
fn part_groups(sizes: &[u32], wanted: &[usize; 3], is_asked: &[bool; 3], permutation: Vec<u32>) -> Vec<Part> {
    const PARTS: [Part; 3] = [Part::Train, Part::Validation, Part::Test];
    let mut lack = wanted.map(|rows| rows as i64);
    let mut is_empty = *is_asked;
    let mut part_of_group = vec![Part::Train; sizes.len()];
    let mut n_left = sizes.len();
    for group in largest_first(sizes, permutation) {
        let n_empty = is_empty.iter().filter(|&&is_empty| is_empty).count();
        // The last groups are kept for the parts that have none.
        let may_take = |part: &usize| is_asked[*part] && (n_left > n_empty || is_empty[*part]);
        let part = (0..3).filter(may_take).max_by_key(|&part| (lack[part], std::cmp::Reverse(part))).expect("a part");
        part_of_group[group as usize] = PARTS[part];
        lack[part] -= i64::from(sizes[group as usize]);
        is_empty[part] = false;
        n_left -= 1;
    }
    part_of_group
}

/// For each position that is wanted, in ascending order, the nearest of `beginnings`, each another one.
fn nearest_beginnings(beginnings: &[usize], wanted: &[usize]) -> Vec<usize> {
    let mut first = 0;
    let mut cuts = Vec::with_capacity(wanted.len() + 1);
    for (index, &position) in wanted.iter().enumerate() {
        // One is left for each position that is still to come.
        let last = beginnings.len() - (wanted.len() - index);
        let after = beginnings.partition_point(|&beginning| beginning < position).clamp(first, last);
        let before = after.saturating_sub(1).max(first);
        let distance = |index: usize| beginnings[index].abs_diff(position);
        let nearest = if distance(after) < distance(before) { after } else { before };
        cuts.push(beginnings[nearest]);
        first = nearest + 1;
    }
    cuts
}

impl fmt::Display for SplitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitRule::Random => f.write_str("random"),
            SplitRule::Stratified => f.write_str("stratified"),
            SplitRule::Group(column) => write!(f, "group:{column}"),
            SplitRule::Time(column) => write!(f, "time:{column}"),
        }
    }
}

impl FromStr for SplitRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<SplitRule> {
        match text.split_once(':') {
            None if text == "random" => Ok(SplitRule::Random),
            None if text == "stratified" => Ok(SplitRule::Stratified),
            Some(("group", column)) if !column.is_empty() => Ok(SplitRule::Group(column.to_owned())),
            Some(("time", column)) if !column.is_empty() => Ok(SplitRule::Time(column.to_owned())),
            _ => Err(Error::Setting {
                name: "the rule to split by".into(),
                found: format!("`{text}`"),
                expected: "`random`, `stratified`, `group:COLUMN` or `time:COLUMN`".into(),
            }),
        }
    }
}

impl From<SplitRule> for String {
    fn from(rule: SplitRule) -> String {
        rule.to_string()
    }
}

impl TryFrom<String> for SplitRule {
    type Error = Error;

    fn try_from(text: String) -> Result<SplitRule> {
        text.parse()
    }
}

#[cfg(test)]
mod tests;
