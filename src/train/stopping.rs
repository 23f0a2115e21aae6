//! When a training ends before its last epoch, and which weights it ends with.

use super::exact;
use crate::{Error, Result};

/// When a training is stopped because the loss of the rows set aside no longer falls.
///
/// Each member by itself: once the loss of its rows set aside was not lower by `min_delta` for `patience` epochs in a
/// row, the member is out. It learns along until all are out, but what it learns then counts for nothing. A training
/// with this setting always ends with the weights of each member's best epoch, the one of the lowest loss, however
/// it ends. A loss that is no number is never better.
///
/// Without rows set aside there is nothing to look at: the training goes through all its epochs and ends with its
/// last weights.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stopping {
    /// Epochs in a row that may be no better, at least 1. The largest number never stops, and keeps the best all the
    /// same. Default 20.
    pub patience: usize,
    /// How much lower than the lowest loss before a loss must be to be better, at least 0. Default 0.
    pub min_delta: f64,
}

impl Default for Stopping {
    fn default() -> Stopping {
        Stopping { patience: 20, min_delta: 0.0 }
    }
}

impl Stopping {
    /// Checks every setting's range.
    ///
    /// # Errors
    ///
    /// A setting outside its range, by name.
    pub fn check(&self) -> Result<()> {
        let refuse = |name: &str, found: String, expected: &str| {
            Err(Error::Setting { name: name.into(), found, expected: expected.into() })
        };
        if self.patience == 0 {
            return refuse("patience", "0".into(), "a number of at least 1");
        }
        if !(self.min_delta >= 0.0 && self.min_delta.is_finite()) {
            return refuse("least change of the loss", self.min_delta.to_string(), "a number of at least 0");
        }
        Ok(())
    }
}

/// A member's best epoch so far.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Best {
    /// Counted from 1.
    pub epoch: usize,
    /// Its validation loss.
    #[serde(with = "exact")]
    pub loss: f64,
}

/// How a member stands.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Standing {
    pub best: Option<Best>,
    /// The loss that a better one must be below.
    #[serde(with = "exact")]
    reference: f64,
    /// Epochs in a row that were no better.
    n_bad: usize,
    /// Whether patience with it is over.
    pub is_out: bool,
    /// Those of its best epoch, where they are kept.
    #[serde(skip)]
    pub weights: Option<Vec<f32>>,
}

impl Default for Standing {
    fn default() -> Standing {
        Standing { best: None, reference: f64::INFINITY, n_bad: 0, is_out: false, weights: None }
    }
}

impl Standing {
    /// Takes note of an epoch's loss; whether it is the lowest. Of a member that is out, nothing counts.
    pub(super) fn observe(&mut self, stopping: Option<&Stopping>, epoch: usize, loss: f64) -> bool {
        if self.is_out {
            return false;
        }
        // Both written so that a loss that is no number is no better.
        let is_lowest = loss < self.best.map_or(f64::INFINITY, |best| best.loss);
        if is_lowest {
            self.best = Some(Best { epoch, loss });
        }
        let Some(Stopping { patience, min_delta }) = stopping else { return is_lowest };
        if loss < self.reference - min_delta {
            (self.reference, self.n_bad) = (loss, 0);
        } else {
            self.n_bad = self.n_bad.saturating_add(1);
            self.is_out = self.n_bad >= *patience;
        }
        is_lowest
    }

    /// The same, but for the weights.
    pub(super) fn without_weights(&self) -> Standing {
        Standing { weights: None, ..*self }
    }

    /// The epoch whose weights are kept.
    pub(super) fn restored_epoch(&self) -> Option<usize> {
        self.best.filter(|_| self.weights.is_some()).map(|best| best.epoch)
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Ended {
    /// All epochs were done.
    Epochs,
    /// No member became better for as long as patience allows.
    Patience,
    /// The time was over.
    Time,
    /// The observer broke it off.
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best epoch, and the one after which patience was over.
    #[track_caller]
    fn check(stopping: Stopping, losses: &[f64], best: Option<(usize, f64)>, out: Option<usize>) {
        let mut standing = Standing::default();
        let mut found = None;
        for (epoch, loss) in (1..).zip(losses) {
            standing.observe(Some(&stopping), epoch, *loss);
            found = found.or(standing.is_out.then_some(epoch));
        }
        assert_eq!(standing.best, best.map(|(epoch, loss)| Best { epoch, loss }), "{stopping:?}, {losses:?}");
        assert_eq!(found, out, "{stopping:?}, {losses:?}");
    }

    #[test]
    fn patience_is_over_after_epochs_that_were_no_better() {
        let two = Stopping { patience: 2, min_delta: 0.0 };
        check(two, &[4.0, 3.0, 2.0, 1.0], Some((4, 1.0)), None);
        check(two, &[4.0, 3.0, 3.0, 3.0, 1.0], Some((2, 3.0)), Some(4));
        check(two, &[4.0, 5.0, 3.0, 5.0, 5.0, 1.0], Some((3, 3.0)), Some(5));
        // What is no number is no better, from the first epoch on; neither is infinity.
        check(two, &[f64::NAN, f64::NAN, 1.0], None, Some(2));
        check(two, &[f64::INFINITY, 1.0, f64::NAN, f64::NAN], Some((2, 1.0)), Some(4));
    }

    #[test]
    fn small_steps_keep_the_lowest_loss_but_not_patience() {
        let stopping = Stopping { patience: 3, min_delta: 0.5 };
        // 3.5 is just half below 4, not more.
        check(stopping, &[4.0, 3.75, 3.5, 3.25, 3.0, 2.75], Some((6, 2.75)), None);
        check(stopping, &[4.0, 3.875, 3.75, 3.625, 3.5], Some((4, 3.625)), Some(4));
    }

    #[test]
    fn without_stopping_the_best_is_known_all_the_same() {
        let mut standing = Standing::default();
        for (epoch, loss) in (1..).zip([3.0, 1.0, 2.0, f64::NAN, 5.0]) {
            standing.observe(None, epoch, loss);
        }
        assert_eq!((standing.best, standing.is_out), (Some(Best { epoch: 2, loss: 1.0 }), false));
    }

    #[test]
    fn settings_outside_their_range_are_named() {
        let refused = |stopping: Stopping| stopping.check().expect_err("refused").to_string();
        assert!(Stopping::default().check().is_ok());
        let none = Stopping { patience: 0, ..Stopping::default() };
        assert_eq!(refused(none), "patience: found 0, expected a number of at least 1");
        for min_delta in [-0.5, f64::NAN, f64::INFINITY] {
            let expected = format!("least change of the loss: found {min_delta}, expected a number of at least 0");
            assert_eq!(refused(Stopping { min_delta, ..Stopping::default() }), expected);
        }
    }
}
