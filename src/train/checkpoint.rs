//! Everything that a training needs to go on where it was.

use std::time::Duration;

use crate::Result;

/// Everything that a training of members needs to go on at the end of an epoch, with the same bytes as if it had
/// never stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What the caller wanted to keep: its configuration, a hash of its data.
    pub context: serde_json::Value,
}

/// When checkpoints are made, and what becomes of them.
pub struct Saving<'a> {
    /// The time from one to the next, at least; one is made at the end and at an interruption all the same.
    pub every: Duration,
    /// Kept in each.
    pub context: serde_json::Value,
    /// What is done with each. [`Saving::to_file`] writes it.
    pub save: Box<dyn FnMut(&Checkpoint) -> Result<()> + 'a>,
}

impl Checkpoint {
    /// The epochs that were done, over all of which the checkpoint goes on.
    pub fn epoch(&self) -> usize {
        todo!()
    }

    /// The bytes of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }

    /// What [`Checkpoint::to_bytes`] gave.
    ///
    /// # Errors
    ///
    /// What is wrong with other or damaged bytes, as a text.
    pub fn from_bytes(_bytes: &[u8]) -> Result<Checkpoint, String> {
        todo!()
    }
}
