//! Shorter steps where the loss no longer falls.

use super::exact;
use crate::{Error, Result};

/// When the learning rate is reduced because the loss no longer falls, as by PyTorch's `ReduceLROnPlateau`.
///
/// It looks at the loss of each epoch: that of the rows set aside, or without such rows that of the training.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plateau {
    /// What the learning rate is multiplied with, in `(0, 1)`. Default 0.1.
    pub factor: f64,
    /// Epochs in a row that may be no better than the best; the next such one reduces. Default 10.
    pub patience: usize,
    /// The part of the best loss by which a loss must be lower to be better, in `[0, 1)`. Default 0.0001.
    pub threshold: f64,
    /// Epochs after a reduction in which nothing is counted. Default 0.
    pub cooldown: usize,
    /// The learning rate is not reduced below this, at least 0. Default 0.
    pub minimum: f64,
}

impl Default for Plateau {
    fn default() -> Plateau {
        Plateau { factor: 0.1, patience: 10, threshold: 1e-4, cooldown: 0, minimum: 0.0 }
    }
}

impl Plateau {
    /// Checks every setting's range.
    ///
    /// # Errors
    ///
    /// A setting outside its range, by name.
    pub fn check(&self) -> Result<()> {
        let refuse = |name: &str, found: f64, expected: &str| {
            Err(Error::Setting {
                name: format!("plateau's {name}"),
                found: found.to_string(),
                expected: expected.into(),
            })
        };
        if !(self.factor > 0.0 && self.factor < 1.0) {
            return refuse("factor", self.factor, "a number above 0 and below 1");
        }
        if !(0.0..1.0).contains(&self.threshold) {
            return refuse("threshold", self.threshold, "a number from 0 to below 1");
        }
        if !(self.minimum >= 0.0 && self.minimum.is_finite()) {
            return refuse("minimum", self.minimum, "a number of at least 0");
        }
        Ok(())
    }
}

/// What is remembered from epoch to epoch.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Watch {
    #[serde(with = "exact")]
    best: f64,
    n_bad: usize,
    cooling: usize,
}

impl Watch {
    pub(super) fn new() -> Watch {
        Watch { best: f64::INFINITY, n_bad: 0, cooling: 0 }
    }

    /// Takes note of an epoch's loss; whether the learning rate is to be reduced.
    pub(super) fn observe(&mut self, plateau: &Plateau, loss: f64) -> bool {
        // Written so that a loss that is no number is no better.
        if loss < self.best * (1.0 - plateau.threshold) {
            (self.best, self.n_bad) = (loss, 0);
        } else {
            self.n_bad = self.n_bad.saturating_add(1);
        }
        if self.cooling > 0 {
            (self.cooling, self.n_bad) = (self.cooling - 1, 0);
        }
        let is_time = self.n_bad > plateau.patience;
        if is_time {
            (self.cooling, self.n_bad) = (plateau.cooldown, 0);
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The epochs, from 0, after which the rate is reduced; by hand, and as PyTorch counts.
    #[track_caller]
    fn check(plateau: Plateau, losses: &[f64], expected: &[usize]) {
        let mut watch = Watch::new();
        let found: Vec<usize> =
            losses.iter().enumerate().filter_map(|(i, &loss)| watch.observe(&plateau, loss).then_some(i)).collect();
        assert_eq!(found, expected, "{plateau:?}, {losses:?}");
    }

    #[test]
    fn the_rate_is_reduced_after_the_epochs_that_patience_allows() {
        let plateau = Plateau { patience: 1, threshold: 0.125, ..Plateau::default() };
        check(plateau, &[1.0, 0.5, 0.25, 0.125], &[]);
        // Epochs 1 and 2 are no better; the second is one too many. Then the same again.
        check(plateau, &[1.0, 1.0, 1.0, 1.0, 1.0], &[2, 4]);
        // Just as much lower as the threshold asks for is not yet better.
        check(plateau, &[1.0, 0.875, 0.875], &[2]);
        check(plateau, &[1.0, 0.874, 0.874], &[]);
        check(plateau, &[1.0, f64::NAN, f64::NAN], &[2]);
        check(Plateau { patience: 0, ..plateau }, &[1.0, 1.0, 0.5, 0.5], &[1, 3]);
        // Two epochs count for nothing after a reduction.
        check(Plateau { patience: 0, cooldown: 2, ..plateau }, &[1.0; 6], &[1, 4]);
    }

    #[test]
    fn settings_outside_their_range_are_named() {
        let refused = |plateau: Plateau| plateau.check().expect_err("refused").to_string();
        let good = Plateau::default();
        assert!(good.check().is_ok());
        for factor in [0.0, 1.0, f64::NAN] {
            let expected = format!("plateau's factor: found {factor}, expected a number above 0 and below 1");
            assert_eq!(refused(Plateau { factor, ..good }), expected);
        }
        assert!(refused(Plateau { threshold: -0.1, ..good }).starts_with("plateau's threshold: found -0.1"));
        assert!(refused(Plateau { minimum: f64::NAN, ..good }).starts_with("plateau's minimum: found NaN"));
    }
}
