//! What one model of a training learns from, and in which order.

use std::collections::HashSet;

use crate::random::{Key, Purpose, Threefry};

/// What one model learns from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Learner {
    /// Of the order of rows in each epoch, and of what dropout drops.
    pub seed: u64,
    /// The rows; none for all of the data.
    pub rows: Option<Vec<u32>>,
}

impl Learner {
    /// One that learns from all rows.
    pub(super) fn of_all(seed: u64) -> Learner {
        Learner { seed, rows: None }
    }

    /// How many rows it learns from, of data of `n_rows`.
    pub(super) fn count(&self, n_rows: usize) -> usize {
        self.rows.as_ref().map_or(n_rows, Vec::len)
    }

    /// The order in which an epoch of `length` rows goes through them: computed from the seed and the epoch's number
    /// alone. Where there are fewer rows, the front of the order follows its end.
    fn order(&self, epoch: usize, n_rows: usize, length: usize) -> Vec<u32> {
        let rows = self.count(n_rows);
        let mut order = Threefry::new(Key::new(self.seed), Purpose::Shuffling, epoch as u64).permutation(rows as u32);
        if let Some(rows) = &self.rows {
            order.iter_mut().for_each(|place| *place = rows[*place as usize]);
        }
        while order.len() < length {
            order.extend_from_within(..rows.min(length - order.len()));
        }
        order
    }
}

/// The orders of an epoch: of each model one after the other, or the first one's for all.
pub(super) fn orders(learners: &[Learner], is_own: bool, epoch: usize, n_rows: usize, length: usize) -> Vec<u32> {
    match learners {
        [first, others @ ..] if is_own => {
            let mut orders = first.order(epoch, n_rows, length);
            others.iter().for_each(|learner| orders.extend(learner.order(epoch, n_rows, length)));
            orders
        }
        _ => learners[0].order(epoch, n_rows, length),
    }
}

/// Whether all learn from the same rows, in whatever order they are named.
pub(super) fn are_same_rows(learners: &[Learner]) -> bool {
    let Some((Learner { rows: first, .. }, others)) = learners.split_first() else { return true };
    if others.iter().all(|learner| learner.rows == *first) {
        return true;
    }
    let Some(first) = first else { return false };
    let set: HashSet<u32> = first.iter().copied().collect();
    // Each row once, so that as many rows in the set are all of it.
    let is_same = |rows: &Vec<u32>| rows.len() == first.len() && rows.iter().copied().collect::<HashSet<u32>>() == set;
    set.len() == first.len() && others.iter().all(|learner| learner.rows.as_ref().is_some_and(is_same))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learner(seed: u64, rows: &[u32]) -> Learner {
        Learner { seed, rows: Some(rows.to_vec()) }
    }

    #[test]
    fn a_shorter_list_begins_again_at_its_front() {
        let learners = [learner(1, &[5, 6, 7]), learner(2, &[0, 1, 2, 3, 4, 8, 9])];
        let orders = orders(&learners, true, 3, 10, 7);
        let (first, second) = orders.split_at(7);
        assert_eq!(first[..3], first[3..6]);
        assert_eq!(first[6], first[0]);
        let sorted = |rows: &[u32]| {
            let mut rows = rows.to_vec();
            rows.sort_unstable();
            rows
        };
        assert_eq!(sorted(&first[..3]), [5, 6, 7]);
        assert_eq!(sorted(second), [0, 1, 2, 3, 4, 8, 9]);
    }

    #[test]
    fn the_order_of_all_rows_is_that_of_their_list() {
        let list: Vec<u32> = (0..11).collect();
        assert_eq!(learner(7, &list).order(2, 11, 11), Learner::of_all(7).order(2, 11, 11));
        assert_ne!(Learner::of_all(7).order(2, 11, 11), Learner::of_all(7).order(3, 11, 11));
        assert_ne!(Learner::of_all(7).order(2, 11, 11), Learner::of_all(8).order(2, 11, 11));
    }

    #[test]
    fn rows_are_the_same_in_any_order() {
        let same = |a: &[u32], b: &[u32]| are_same_rows(&[learner(1, a), learner(2, b)]);
        assert!(same(&[1, 2, 3], &[1, 2, 3]) && same(&[1, 2, 3], &[3, 1, 2]));
        assert!(!same(&[1, 2, 3], &[1, 2, 4]) && !same(&[1, 2], &[1, 2, 3]) && !same(&[1, 1, 2], &[1, 2, 2]));
        assert!(!same(&[1, 2], &[1, 1]));
        assert!(are_same_rows(&[Learner::of_all(1), Learner::of_all(2)]));
        assert!(!are_same_rows(&[Learner::of_all(1), learner(2, &[0])]));
    }
}
