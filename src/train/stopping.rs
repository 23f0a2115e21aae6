//! When a training ends before its last epoch, and which weights it ends with.

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
