//! Checkpoints of trainings in files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::file::replace_file_keeping;
use crate::train::{Checkpoint, Saving};
use crate::{Error, Result};

/// A checkpoint that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What was read.
    pub checkpoint: Checkpoint,
    /// Where it is not the newest one: why, in a sentence for the user.
    pub note: Option<String>,
}

impl Checkpoint {
    /// Writes the checkpoint whole or not at all. A whole one before it is kept as [`Checkpoint::previous_path`].
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        // A damaged file is not worth keeping in the place of a whole one.
        let is_whole = std::fs::read(path).is_ok_and(|bytes| Checkpoint::from_bytes(&bytes).is_ok());
        let previous = is_whole.then(|| Checkpoint::previous_path(path));
        let written = replace_file_keeping(path, &self.to_bytes(), previous.as_deref());
        written.map_err(|source| Error::WriteFile { path: path.into(), source })
    }

    /// Reads a checkpoint; where it is missing or damaged, the one before, with a note that says so.
    ///
    /// # Errors
    ///
    /// Neither file can be read, or both are damaged.
    pub fn load(path: &Path) -> Result<Loaded> {
        let newest = match read(path) {
            Ok(checkpoint) => return Ok(Loaded { checkpoint, note: None }),
            Err(error) => error,
        };
        let previous = Checkpoint::previous_path(path);
        let shown_previous = previous.display();
        match read(&previous) {
            Ok(checkpoint) => {
                let note = format!("{newest}; goes on from the checkpoint before it, {shown_previous}");
                Ok(Loaded { checkpoint, note: Some(note) })
            }
            Err(Error::NoSuchFile { .. }) => Err(match newest {
                Error::Checkpoint { path, problem } => Error::Checkpoint {
                    path,
                    problem: format!("{problem}, and there is no `{shown_previous}`; begin the training anew"),
                },
                other => other,
            }),
            Err(older) => {
                let problem = format!(
                    "neither it nor the checkpoint before it can be used: {newest}; {older}; begin the training anew"
                );
                Err(Error::Checkpoint { path: path.into(), problem })
            }
        }
    }

    /// The name under which the checkpoint before is kept: `NAME.previous`.
    pub fn previous_path(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".previous");
        name.into()
    }
}

fn read(path: &Path) -> Result<Checkpoint> {
    let bytes = std::fs::read(path).map_err(|source| Error::unreadable(path, source))?;
    Checkpoint::from_bytes(&bytes).map_err(|problem| Error::Checkpoint { path: path.into(), problem })
}

impl Saving<'_> {
    /// Writes checkpoints to `path`, with the one before beside it.
    pub fn to_file(path: &Path, every: Duration, context: serde_json::Value) -> Saving<'static> {
        let path = path.to_owned();
        Saving { every, context, save: Box::new(move |checkpoint| checkpoint.save(&path)) }
    }
}
