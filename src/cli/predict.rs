//! `nngpu predict`.

use std::io::{self, Write};
use std::path::PathBuf;

use nngpu::Error;
use nngpu::data::{Table, TargetEncoding, idx};
use nngpu::file::{check_writable, replace_file};
use nngpu::model::{Answers, Input, Model, Predictions};

use super::{DeviceOption, Ending, Failure};

/// Predict rows with a trained model, and write them as CSV
///
/// A table needs the columns that the model learned from, in any order; others are left aside.
/// For classes each line holds the most probable one and its probability.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nngpu predict model.safetensors new-flowers.csv --output predictions.csv")]
pub struct Predict {
    /// Model file that `nngpu train` wrote
    model: PathBuf,

    /// Rows to predict: a CSV file, or an IDX file of images, as the model learned from
    data: PathBuf,

    /// CSV file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    device: DeviceOption,
}

/// Rows that go through the network together.
const BATCH_SIZE: usize = 1024;

impl Predict {
    pub fn run(self) -> Result<Ending, Failure> {
        self.check_output()?;
        let model = Model::load(&self.model)?;
        let inputs = match &model.input {
            Input::Table(preprocessing) => preprocessing.apply(&Table::read_csv(&self.data)?)?,
            Input::Images => idx::read_images(&self.data)?,
        };
        // A third of a training step: only forwards.
        let flops = model.network.flops_per_step(BATCH_SIZE.min(inputs.rows())) * model.members as f64 / 3.0;
        let device = self.device.open(Some(flops))?;
        let predictions = model.predict_matrix(&device, &inputs)?;
        match &self.output {
            Some(path) => {
                let failed = |source| Error::WriteFile { path: path.clone(), source };
                let mut text = Vec::new();
                write_csv(&mut text, &model.output, &predictions).map_err(failed)?;
                replace_file(path, &text).map_err(failed)?;
            }
            None => write_csv(&mut io::stdout().lock(), &model.output, &predictions)?,
        }
        Ok(Ending::Done)
    }
}

impl Predict {
    /// Before anything is computed: what is read is never replaced, and the folder takes files.
    fn check_output(&self) -> Result<(), Error> {
        let Some(output) = &self.output else { return Ok(()) };
        let same = |input: &PathBuf| matches!((output.canonicalize(), input.canonicalize()), (Ok(a), Ok(b)) if a == b);
        if [&self.model, &self.data].into_iter().any(same) {
            return Err(Error::OutputIsInput { path: output.clone() });
        }
        check_writable(output).map_err(|source| Error::WriteFile { path: output.clone(), source })
    }
}

fn write_csv(out: &mut dyn Write, output: &TargetEncoding, predictions: &Predictions) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    match (&predictions.answers, output) {
        (Answers::Classes { name, .. }, _) => {
            csv.write_record([name.as_str(), "probability"])?;
            for (class, probability) in predictions.answers.best_classes().expect("they are classes") {
                csv.write_record([class, &probability.to_string()])?;
            }
        }
        (Answers::Numbers { names, values }, TargetEncoding::Numbers(targets)) => {
            csv.write_record(names)?;
            for row in values.chunks(targets.len()) {
                csv.write_record(targets.iter().zip(row).map(|(target, number)| target.text(*number)))?;
            }
        }
        (answers, _) => {
            csv.write_record(answers.names())?;
            let Answers::Labels { probabilities, .. } = answers else { unreachable!("numbers are those of numbers") };
            for row in 0..probabilities.rows() {
                csv.write_record(probabilities.row(row).iter().map(f32::to_string))?;
            }
        }
    }
    csv.flush()
}
