//! Columns of numbers and of text in one form: for each row the number of its value.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Levels, Values};

/// The different values of a column, numbered in the order of their first rows.
///
/// Two columns have the same codes just when each value of one goes with one value of the other, whatever their names.
pub(super) struct Codes {
    /// For each row the number of its value, or [`Levels::MISSING`].
    pub(super) codes: Vec<u32>,
    /// For each value the first row that has it.
    pub(super) first_rows: Vec<u32>,
    /// For each value the number of rows that have it.
    pub(super) counts: Vec<u32>,
}

impl Codes {
    /// The codes of a column. The two zeros are one value.
    pub(super) fn of(values: &Values) -> Codes {
        match values {
            Values::Numbers(numbers) => {
                let mut known: HashMap<u64, u32, BuildHasherDefault<Mixer>> = HashMap::default();
                Codes::number(numbers.iter().map(|&number| (!number.is_nan()).then_some((number + 0.0).to_bits())), {
                    move |bits, next| *known.entry(bits).or_insert(next)
                })
            }
            Values::Text(levels) => {
                let mut known = vec![Levels::MISSING; levels.names().len()];
                Codes::number(
                    levels.codes().iter().map(|&code| (code != Levels::MISSING).then_some(u64::from(code))),
                    move |code, next| {
                        let known = &mut known[code as usize];
                        if *known == Levels::MISSING {
                            *known = next;
                        }
                        *known
                    },
                )
            }
        }
    }

    /// `code_of` gives the code of a value, which is its second argument for a new one.
    fn number(values: impl Iterator<Item = Option<u64>>, mut code_of: impl FnMut(u64, u32) -> u32) -> Codes {
        let mut found = Codes { codes: Vec::with_capacity(values.size_hint().0), first_rows: vec![], counts: vec![] };
        for (row, value) in (0..).zip(values) {
            let Some(value) = value else {
                found.codes.push(Levels::MISSING);
                continue;
            };
            let next = found.counts.len() as u32;
            let code = code_of(value, next);
            if code == next {
                found.first_rows.push(row);
                found.counts.push(0);
            }
            found.counts[code as usize] += 1;
            found.codes.push(code);
        }
        found
    }

    /// Number of different values, without the missing one.
    pub(super) fn n_distinct(&self) -> usize {
        self.counts.len()
    }

    /// Number of rows that have a value.
    pub(super) fn n_present(&self) -> usize {
        self.counts.iter().map(|&count| count as usize).sum()
    }
}

/// Spreads the bits of a number over a hash, several times faster than what the standard library has against
/// attackers: who wants to slow a table down may as well make it longer.
#[derive(Clone, Default)]
pub(super) struct Mixer(u64);

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014), in which every bit of `x` changes half of the result.
pub(super) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, x: u64) {
        // The constant keeps 0 from being hashed to 0, and the order of two numbers in the hash.
        self.0 = mix((self.0 ^ x).wrapping_add(0x9e37_79b9_7f4a_7c15));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: Values, codes: &[u32], first_rows: &[u32], counts: &[u32]) {
        let found = Codes::of(&values);
        assert_eq!((&found.codes[..], &found.first_rows[..], &found.counts[..]), (codes, first_rows, counts));
        assert_eq!((found.n_distinct(), found.n_present()), (counts.len(), counts.iter().sum::<u32>() as usize));
    }

    #[test]
    fn values_are_numbered_in_the_order_of_their_first_rows() {
        const NONE: u32 = Levels::MISSING;
        let numbers = vec![7.0, f64::NAN, -0.0, 7.0, 0.0, f64::INFINITY];
        check(Values::Numbers(numbers), &[0, NONE, 1, 0, 1, 2], &[0, 2, 5], &[2, 2, 1]);
        // Level 1 is left from rows that are no longer there.
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        check(Values::Text(Levels::new(names, vec![2, NONE, 0, 2])), &[0, NONE, 1, 0], &[0, 2], &[2, 1]);
    }
}
