//! `nngpu train`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use nngpu::file::check_writable;
use nngpu::model::Model;
use nngpu::tabular::{Outcome, Prepared, parse_time};
use nngpu::train::{Checkpoint, Ended, FittedMembers, MembersTrainer, Saving};
use nngpu::{Device, Error};
use serde::{Deserialize, Serialize};

use super::config::{self, merged};
use super::curve::{Screen, loss_curve};
use super::interrupt::Interrupt;
use super::log::{Log, LogStyle};
use super::progress::Progress;
use super::report::write_report;
use super::run::{Training, is_false};
use super::{Ending, Failure, extras, history, summary};

/// Train a network on a table or on images, and write a model file
///
/// Looks at the table, decides what its columns are and what a network needs, trains, measures on rows that were set
/// aside, and compares with the simplest predictors. Only the target has to be given. Images are an IDX file with
/// `--labels`.
#[derive(Debug, Args)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  nngpu train flowers.csv --target species
  nngpu train houses.parquet --target price --test 0.2 --report report.html
  nngpu train sales.csv --target amount --time day --max-time 60s
  nngpu train images.gz --labels labels.gz --test test-images.gz --test-labels test-labels.gz
  nngpu train --config run.toml --seed 1"
)]
pub struct Train {
    #[command(flatten)]
    given: Settings,

    /// File of settings in TOML, whose keys are the names of the options; those given here go before
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    config: Option<PathBuf>,
}

/// Everything that a file of settings may hold.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Settings {
    #[serde(flatten)]
    #[command(flatten)]
    pub training: Training,

    #[serde(flatten)]
    #[command(flatten)]
    pub outputs: Outputs,
}

/// What a run leaves behind, and what it tells.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Outputs {
    /// Model file to write; one of an earlier training is replaced [default: model.safetensors]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// Page to write that shows how the training went and how good the model is
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,

    /// What standard error tells: human, jsonl (a JSON object for each event) or quiet [default: human]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "STYLE", help_heading = "Output")]
    pub log: Option<LogStyle>,

    /// Folder for an event file that TensorBoard shows
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub tensorboard: Option<PathBuf>,

    /// File that `nngpu resume` goes on from; gone once the training is done [default: that of the model, with
    /// .checkpoint]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub checkpoint: Option<PathBuf>,

    /// Time from one checkpoint to the next, at least [default: 30s]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "TIME", help_heading = "Output")]
    pub checkpoint_every: Option<String>,

    /// Tell what would be done, with memory and time, and do nothing
    #[serde(skip_serializing_if = "is_false")]
    #[arg(long, help_heading = "Output")]
    pub dry_run: bool,

    /// Print the results as JSON
    #[serde(skip_serializing_if = "is_false")]
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Where results go unless it is said.
const OUTPUT: &str = "model.safetensors";

impl Train {
    pub fn run(self) -> Result<Ending, Failure> {
        let settings: Settings = merged(&self.given, self.config.as_deref())?;
        let log = Log::new(settings.outputs.log.unwrap_or_default());
        settings.outputs.check(settings.training.path()?)?;
        let prepared = settings.prepare(&log)?;
        if settings.outputs.dry_run {
            return super::dry_run::tell(&settings, &prepared, &log);
        }
        let device = settings.training.open(&prepared, &log)?;
        settings.train(&prepared, &device, None, &log)
    }
}

impl Outputs {
    /// The model file.
    pub fn model(&self) -> PathBuf {
        self.output.clone().unwrap_or_else(|| OUTPUT.into())
    }

    /// The file to go on from.
    pub fn checkpoint(&self) -> PathBuf {
        self.checkpoint.clone().unwrap_or_else(|| self.model().with_extension("checkpoint"))
    }

    /// Before anything is computed: what is read is never replaced, and the folders take files.
    fn check(&self, data: &Path) -> Result<(), Error> {
        Model::check_replaceable(&self.model())?;
        let written = [Some(self.model()), self.report.clone(), Some(self.checkpoint())];
        for path in written.into_iter().flatten() {
            if matches!((path.canonicalize(), data.canonicalize()), (Ok(a), Ok(b)) if a == b) {
                return Err(Error::OutputIsInput { path });
            }
            check_writable(&path).map_err(|source| Error::WriteFile { path: path.clone(), source })?;
        }
        match &self.tensorboard {
            Some(path) if path.exists() && !path.is_dir() => {
                Err(Error::WriteFile { path: path.clone(), source: io::ErrorKind::NotADirectory.into() })
            }
            _ => Ok(()),
        }
    }
}

impl Settings {
    /// Reads the data, decides what is left open, and tells it.
    pub fn prepare(&self, log: &Log) -> Result<Prepared, Failure> {
        let data = self.training.read()?;
        let prepared = self.training.prepare(data)?;
        log.prepared(self.training.path()?, &prepared);
        Ok(prepared)
    }

    /// Trains, perhaps from where an earlier run was, writes everything and tells how good the model is.
    pub fn train(
        &self,
        prepared: &Prepared,
        device: &Device,
        from: Option<&Checkpoint>,
        log: &Log,
    ) -> Result<Ending, Failure> {
        let provenance = self.training.provenance(prepared, device)?;
        let (recipe, path) = (&prepared.recipe, self.outputs.checkpoint());
        let mut trainer = MembersTrainer::new(
            device,
            &prepared.network,
            &recipe.initial,
            &prepared.data,
            &prepared.members,
            &recipe.settings,
        )?;
        if let Some(checkpoint) = from {
            trainer.resume(checkpoint)?;
        }
        let every = parse_time(self.outputs.checkpoint_every.as_deref().unwrap_or("30s"))?;
        let mut saving = Saving::to_file(&path, every, self.context(&provenance));
        let samples = prepared.members.iter().map(|member| member.train.len()).sum();
        let mut progress =
            Progress::new(recipe.settings.epochs, trainer.n_batches(), samples, Interrupt::listen(), *log);
        let fitted = trainer
            .fit(Some(&mut saving), &mut |event| progress.observe(event))
            .inspect_err(|_| progress.clear())
            .map_err(|error| prepared.place(error))?;
        progress.finish(&fitted);
        if let Some(screen) = Screen::of_stderr().filter(|_| log.is_human())
            && let Some(curve) = loss_curve(&history::mean(&extras::runs(prepared, &fitted)), screen)
        {
            log.say(&curve);
        }

        let mut outcome = Outcome::new(prepared, device, &fitted, provenance)?;
        outcome.model.provenance.metrics = summary::metrics_json(&outcome);
        outcome.model.save(&self.outputs.model())?;
        self.write_extras(prepared, device, &fitted, &outcome)?;
        if fitted.ended != Ended::Interrupted {
            // What is done needs nothing to go on from.
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_file(Checkpoint::previous_path(&path));
        }
        log.outcome(&fitted, &outcome);
        let mut out = io::stdout().lock();
        let told = match self.outputs.json {
            true => serde_json::to_writer_pretty(&mut out, &summary::json(&outcome, &self.outputs.model()))
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out)),
            false => {
                let table = summary::metrics(&outcome);
                log.say("");
                writeln!(out, "{table}\n\nmodel written to {}", self.outputs.model().display())
            }
        };
        match told {
            // The model is written, whoever reads of it.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ if fitted.ended == Ended::Interrupted => {
                log.say(&format!("to go on: nngpu resume {}", path.display()));
                Ok(Ending::Interrupted)
            }
            _ => Ok(Ending::Done),
        }
    }

    /// What a checkpoint keeps of the run.
    fn context(&self, provenance: &nngpu::model::Provenance) -> serde_json::Value {
        serde_json::json!({ "settings": config::settings_of(self), "data": provenance.data })
    }

    /// The report and what else was asked for.
    fn write_extras(
        &self,
        prepared: &Prepared,
        device: &Device,
        fitted: &FittedMembers,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        if let Some(folder) = &self.outputs.tensorboard {
            extras::write_events(folder, &extras::runs(prepared, fitted), extras::metric(outcome))?;
        }
        if let Some(path) = &self.outputs.report {
            let path_of_data = self.training.path()?;
            let data = path_of_data.file_name().unwrap_or(path_of_data.as_os_str()).to_string_lossy();
            let title = format!("{} from {data}", prepared.output.names().join(", "));
            write_report(path, &extras::report(title, prepared, fitted, outcome, device)?)?;
        }
        Ok(())
    }
}
