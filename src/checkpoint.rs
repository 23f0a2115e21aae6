//! Checkpoints of trainings in files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::train::{Checkpoint, Saving};

/// A checkpoint that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What was read.
    pub checkpoint: Checkpoint,
    /// Where it is not the newest one: why, in a sentence for the user.
    pub note: Option<String>,
}

impl Checkpoint {
    /// Writes the checkpoint whole or not at all; the one before is kept as `NAME.previous`.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn save(&self, _path: &Path) -> Result<()> {
        todo!()
    }

    /// Reads a checkpoint; where it is missing or damaged, the one before, with a note that says so.
    ///
    /// # Errors
    ///
    /// Neither file can be read, or both are damaged.
    pub fn load(_path: &Path) -> Result<Loaded> {
        todo!()
    }

    /// The name under which the checkpoint before is kept.
    pub fn previous(_path: &Path) -> PathBuf {
        todo!()
    }
}

impl Saving<'_> {
    /// Writes checkpoints to `path`, with the one before beside it.
    pub fn to_file(path: &Path, every: Duration, context: serde_json::Value) -> Saving<'static> {
        let path = path.to_owned();
        Saving { every, context, save: Box::new(move |checkpoint| checkpoint.save(&path)) }
    }
}
