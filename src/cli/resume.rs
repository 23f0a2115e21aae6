//! `nngpu resume`.

use std::path::{Path, PathBuf};

use clap::Args;
use nngpu::Error;
use nngpu::model::DataFile;
use nngpu::train::Checkpoint;

use super::config::from_settings;
use super::log::Log;
use super::train::Settings;
use super::{Ending, Failure};

/// Go on with a training that was interrupted
///
/// The checkpoint remembers everything: the options, where the training was, the best weights. The model will have the
/// same bytes as if the training had never stopped. The data must be where they were, and unchanged.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  nngpu resume model.checkpoint")]
pub struct Resume {
    /// File that `nngpu train` left when it was interrupted
    checkpoint: PathBuf,

    /// Times that every row is learned from, at most, in all; the learning rates of the epochs to come are then those
    /// of a training of that length
    #[arg(short, long)]
    epochs: Option<usize>,

    /// Time after which the best so far is the result, that before the interruption included, such as 60s or 10min
    #[arg(long, value_name = "TIME")]
    max_time: Option<String>,
}

impl Resume {
    pub fn run(self) -> Result<Ending, Failure> {
        let loaded = Checkpoint::load(&self.checkpoint)?;
        let context = &loaded.checkpoint.context;
        let mut settings: Settings = match &context["settings"] {
            serde_json::Value::Object(settings) => from_settings(settings.clone(), Some(&self.checkpoint))?,
            _ => return Err(refuse(&self.checkpoint, "found no settings, expected those of a training").into()),
        };
        settings.outputs.checkpoint = Some(self.checkpoint.clone());
        let options = &mut settings.training.options;
        options.epochs = self.epochs.or(options.epochs);
        options.max_time = self.max_time.clone().or(options.max_time.take());
        let log = Log::new(settings.outputs.log.unwrap_or_default());
        if let Some(note) = &loaded.note {
            log.warn(note);
        }
        self.check_data(&settings, context)?;
        let prepared = settings.prepare(&log)?;
        let device = settings.training.open(&prepared, &log)?;
        settings.train(&prepared, &device, Some(&loaded.checkpoint), &log)
    }

    /// The data must be those that the training began with.
    fn check_data(&self, settings: &Settings, context: &serde_json::Value) -> Result<(), Error> {
        let path = settings.training.path()?;
        if path == Path::new("-") {
            let found = "a training on standard input, which cannot be read again";
            return Err(refuse(&self.checkpoint, &format!("found {found}, expected one on a file; train again")));
        }
        let n_rows = context["data"]["n_rows"].as_u64().unwrap_or(0) as usize;
        let found = DataFile::of(path, n_rows)?;
        if serde_json::to_value(&found).ok().as_ref() == Some(&context["data"]) {
            return Ok(());
        }
        let problem = format!(
            "found other data in {} than the training began with; bring them back, or train again",
            path.display()
        );
        Err(refuse(&self.checkpoint, &problem))
    }
}

fn refuse(path: &Path, problem: &str) -> Error {
    Error::Checkpoint { path: path.into(), problem: problem.into() }
}
