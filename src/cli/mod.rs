//! What the user types, and how a run ends.

/// Prints a line to standard error, where progress, messages and errors go. Who has closed it does
/// not want to read it; the run goes on.
macro_rules! tell {
    ($($argument:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($argument)*);
    }};
}

/// Prints a part of a line, which the next [`tell`] goes on with.
macro_rules! tell_part {
    ($($argument:tt)*) => {{
        use std::io::Write;
        let _ = write!(std::io::stderr(), $($argument)*);
    }};
}

mod check;
mod completions;
mod config;
mod curve;
mod cv;
mod devices;
mod doctor;
mod dry_run;
mod effective;
mod eval;
mod explain;
mod extras;
mod first_use;
mod history;
mod inspect;
mod interrupt;
mod log;
mod predict;
mod predictions;
mod progress;
mod report;
mod resume;
mod rows;
mod run;
mod summary;
mod tensorboard;
mod train;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nngpu::{Device, Error, tutorial};

/// Train and run neural networks on any GPU, or fast on the CPU, reproducibly.
#[derive(Debug, Parser)]
#[command(
    name = "nngpu",
    version,
    max_term_width = 80,
    after_help = "\
Examples:
  nngpu train flowers.csv --target species
  nngpu predict model.safetensors new-flowers.csv > predictions.csv
  nngpu eval model.safetensors measured-flowers.csv
  nngpu explain model.safetensors new-flowers.csv --row 3
  nngpu tutorial"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<train::Train>),
    Predict(Box<predict::Predict>),
    Eval(Box<eval::Eval>),
    Cv(Box<cv::Cv>),
    Resume(resume::Resume),
    Inspect(inspect::Inspect),
    Explain(Box<explain::Explain>),
    Check(Box<check::Check>),
    Config(Box<effective::Config>),
    Devices(devices::Devices),
    Doctor(doctor::Doctor),
    Tutorial(Tutorial),
    Completions(completions::Completions),
}

/// Tell one training step number by number, as the notebook "Neural Network Fundamentals with MLX" does
#[derive(Debug, clap::Args)]
struct Tutorial {
    #[command(flatten)]
    device: DeviceOption,
}

/// Where to compute; the same words in every command.
#[derive(Debug, clap::Args)]
struct DeviceOption {
    /// Where to compute: auto, cpu, reference, gpu, an index of `nngpu devices`, part of a name, or
    /// backend:name
    #[arg(short, long, value_name = "DEVICE", default_value = "auto")]
    device: String,
}

/// How a run that did not fail ended.
enum Ending {
    Done,
    /// Stopped by the user, with what there was saved.
    Interrupted,
    /// Done, and what it was to check does not hold.
    Unmet,
}

/// What stops a run.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Nngpu(#[from] Error),
    #[error("the results could not be written")]
    Output(#[from] io::Error),
}

impl From<tutorial::TellError> for Failure {
    fn from(error: tutorial::TellError) -> Failure {
        match error {
            tutorial::TellError::Compute(error) => Failure::Nngpu(error),
            tutorial::TellError::Write(error) => Failure::Output(error),
        }
    }
}

/// 128 and the number of SIGINT, as shells report it.
const INTERRUPTED: u8 = 130;

/// A check that did not hold; 3 and 4 are not used, and 2 is a wrong command line.
const UNMET: u8 = 5;

/// Parses the arguments, runs the command, reports, and gives the exit code.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(train) => train.run(),
        Command::Predict(predict) => predict.run(),
        Command::Cv(cv) => cv.run(),
        Command::Resume(resume) => resume.run(),
        Command::Eval(eval) => eval.run(),
        Command::Explain(explain) => explain.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Check(check) => check.run(),
        Command::Config(config) => config.run(),
        Command::Devices(devices) => devices.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Tutorial(tutorial) => tutorial.run(),
        Command::Completions(completions) => completions.run(),
    };
    match result {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        Ok(Ending::Unmet) => ExitCode::from(UNMET),
        // Whoever reads the output has enough, as `head` does.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Prints an error with its causes.
fn report(failure: &Failure) {
    tell!("error: {failure}");
    // A transparent error shows its own source, so the chain begins beneath it.
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        tell!("  caused by: {error}");
        cause = error.source();
    }
}

impl DeviceOption {
    /// Opens the device and says which one it is, and why.
    fn open(&self, flops_per_step: Option<f64>) -> Result<Device, Failure> {
        open_device(&self.device, flops_per_step)
    }
}

/// Opens a device and says which one it is, and why.
fn open_device(name: &str, flops_per_step: Option<f64>) -> Result<Device, Failure> {
    let opened = Device::open_for(name, flops_per_step)?;
    tell!("device: {} ({})", opened.device.description(), opened.reason);
    Ok(opened.device)
}

impl Tutorial {
    fn run(self) -> Result<Ending, Failure> {
        // So small a network is the CPU's business, unless the user wants to see another device.
        let device = self.device.open(Some(0.0))?;
        tutorial::tell(&device, &mut io::stdout().lock())?;
        Ok(Ending::Done)
    }
}
