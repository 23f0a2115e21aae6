//! Splits by a column of a table.

use super::{By, Source, SplitRule, Splitter};
use crate::data::codes::Codes;
use crate::data::date::DateFormat;
use crate::data::schema::used_levels;
use crate::data::table::number;
use crate::data::{Levels, Table, Targets, Values};
use crate::{Error, Result};

impl Splitter {
    /// Splits the rows of `table` by `rule`; `targets` are what is to be predicted for its rows.
    ///
    /// Rows in which the group is missing are one group of their own.
    ///
    /// # Errors
    ///
    /// The table has no such column; a field of the column of time is neither a finite number nor a date.
    ///
    /// # Panics
    ///
    /// `targets` have another number of rows than the table.
    pub fn new(rule: &SplitRule, table: &Table, targets: &Targets) -> Result<Splitter> {
        assert_eq!(targets.rows(), table.n_rows(), "targets for the rows of a table to split");
        let of = |column: &String| Source { path: table.path().to_owned(), column: column.clone() };
        let by = match rule {
            SplitRule::Random => By::Nothing,
            SplitRule::Stratified => return Ok(Splitter::stratified(targets)),
            SplitRule::Group(column) => {
                let Codes { codes: mut groups, counts: mut sizes, .. } = Codes::of(table.column(column)?.values());
                let n_present = sizes.len() as u32;
                for group in groups.iter_mut().filter(|group| **group == Levels::MISSING) {
                    *group = n_present;
                    if sizes.len() as u32 == n_present {
                        sizes.push(0);
                    }
                    sizes[n_present as usize] += 1;
                }
                By::Groups { of: of(column), groups, sizes }
            }
            SplitRule::Time(column) => {
                let times = times(table, column)?;
                let mut order: Vec<u32> = (0..times.len() as u32).collect();
                let time = |position: usize, order: &[u32]| times[order[position] as usize];
                order.sort_by(|&a, &b| times[a as usize].total_cmp(&times[b as usize]));
                let is_new = |position: &usize| time(*position, &order) != time(*position - 1, &order);
                let beginnings = (1..order.len()).filter(is_new).collect();
                By::Times { of: of(column), order, beginnings }
            }
        };
        Ok(Splitter { by, ..Splitter::random(table.n_rows()) })
    }
}

/// The numbers of a column, or the seconds of its dates since 1970.
///
/// # Errors
///
/// There is no such column; a field is missing, not finite, or neither a number nor a date.
pub(in crate::data) fn times(table: &Table, name: &str) -> Result<Vec<f64>> {
    let column = table.column(name)?;
    let times: Vec<f64> = match column.values() {
        Values::Numbers(numbers) => numbers.clone(),
        Values::Text(levels) => {
            let codes = Codes::of(column.values());
            let texts = used_levels(levels, &codes);
            let format = DateFormat::find(&texts);
            let time = |text: &&str| match &format {
                Some(format) => format.parse(text).map_or(f64::NAN, |moment| moment.seconds),
                None => number(text.trim()).unwrap_or(f64::NAN),
            };
            let of_level: Vec<f64> = texts.iter().map(time).collect();
            codes.codes.iter().map(|&code| of_level.get(code as usize).copied().unwrap_or(f64::NAN)).collect()
        }
    };
    match times.iter().position(|time| !time.is_finite()) {
        None => Ok(times),
        Some(row) => Err(Error::UnusableTime {
            path: table.path().to_owned(),
            place: table.place(row),
            column: name.to_owned(),
            found: column.text(row).unwrap_or_default().into_owned(),
        }),
    }
}
