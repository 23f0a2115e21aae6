//! `nngpu predict`.

use std::io::{self, Write};
use std::path::PathBuf;

use nngpu::Error;
use nngpu::data::{ReadOptions, Table, idx, read_chunks};
use nngpu::file::Replacement;
use nngpu::model::{Input, Model, Predictor};

use super::predictions::{Form, Layout, Wanted};
use super::rows::{CHUNK, Oddities, check_output, open};
use super::run::Reading;
use super::{DeviceOption, Ending, Failure};

/// Predict rows with a trained model
///
/// A table needs the columns that the model learned from, in any order; others are left aside. CSV, TSV and JSON lines
/// are predicted as they are read, however many rows there are. For classes each line holds the most probable one and
/// its probability, for labels the word for no or yes and the probability that the label applies.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nngpu predict model.safetensors new-flowers.csv --output predictions.csv
  nngpu predict model.safetensors patients.parquet --id patient --probabilities --spread
  zcat clicks.jsonl.gz | nngpu predict model.safetensors - --top 3 --as jsonl | head")]
pub struct Predict {
    /// Model file that `nngpu train` wrote
    model: PathBuf,

    /// Rows to predict: a table of any form that is read (- for standard input), or an IDX file of images, as the model
    /// learned from
    data: PathBuf,

    #[command(flatten)]
    wanted: Wanted,

    /// Column of the data to begin each line with, such as a number that tells the rows apart
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,

    /// Columns of the data to repeat before the prediction; several are separated by commas or given one by one. A
    /// prediction of the same name is then called `predicted NAME`
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    keep: Vec<String>,

    /// Take columns that the data do not have as missing in every row, and warn
    #[arg(long)]
    allow_missing_columns: bool,

    /// How to write the rows
    #[arg(long = "as", value_name = "FORM", value_enum, default_value_t)]
    form: Form,

    /// File to write, whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    device: DeviceOption,
}

impl Predict {
    pub fn run(self) -> Result<Ending, Failure> {
        if let Some(output) = &self.output {
            check_output(output, &[&self.model, &self.data])?;
        }
        let model = Model::load(&self.model)?;
        let kept: Vec<String> = self.id.iter().chain(&self.keep).cloned().collect();
        let layout = Layout::new(&model.output, model.members, &self.wanted, &kept)?;
        let options = ReadOptions { verbatim: kept.clone(), ..self.reading.options()? };
        match &self.output {
            None => self.write(&model, &layout, &options, &mut io::stdout().lock())?,
            Some(path) => {
                let failed = |source| Error::WriteFile { path: path.clone(), source };
                let mut file = Replacement::begin(path).map_err(failed)?;
                self.write(&model, &layout, &options, &mut file).map_err(|failure| match failure {
                    Failure::Output(source) => failed(source).into(),
                    other => other,
                })?;
                file.finish().map_err(failed)?;
            }
        }
        Ok(Ending::Done)
    }

    fn write(&self, model: &Model, layout: &Layout, options: &ReadOptions, out: &mut dyn Write) -> Result<(), Failure> {
        if model.input == Input::Images {
            return self.write_images(model, layout, out);
        }
        let mut oddities = Oddities::default();
        let written = self.write_table(model, layout, options, out, &mut oddities);
        // Also of the rows before an error.
        oddities.tell();
        written
    }

    fn write_table(
        &self,
        model: &Model,
        layout: &Layout,
        options: &ReadOptions,
        out: &mut dyn Write,
        oddities: &mut Oddities,
    ) -> Result<(), Failure> {
        let mut predictor: Option<Predictor> = None;
        for table in read_chunks(&self.data, options, CHUNK)? {
            let table: Table = table?;
            let inputs = oddities.inputs(model, &table, self.allow_missing_columns)?;
            let is_first = predictor.is_none();
            if is_first {
                predictor = Some(model.predictor(&open(&self.device, model, inputs.rows())?)?);
            }
            let predictor = predictor.as_ref().expect("opened for the first rows");
            let rows = layout.rows(self.form, Some(&table), &predictor.predict(&inputs)?)?;
            // Only now, when it is known that the first rows have all columns.
            if is_first {
                out.write_all(&layout.header(self.form))?;
            }
            out.write_all(&rows)?;
            out.flush()?;
        }
        Ok(())
    }

    fn write_images(&self, model: &Model, layout: &Layout, out: &mut dyn Write) -> Result<(), Failure> {
        if let Some(name) = self.id.iter().chain(&self.keep).next() {
            return Err(Error::Setting {
                name: "keep".into(),
                found: format!("`{name}` of images"),
                expected: "no columns, which images do not have".into(),
            }
            .into());
        }
        let images = idx::read_images(&self.data)?;
        let predictor = model.predictor(&open(&self.device, model, images.rows())?)?;
        out.write_all(&layout.header(self.form))?;
        let all: Vec<u32> = (0..images.rows() as u32).collect();
        for rows in all.chunks(CHUNK) {
            let predictions = predictor.predict(&images.select_rows(rows))?;
            out.write_all(&layout.rows(self.form, None, &predictions)?)?;
        }
        Ok(out.flush()?)
    }
}
