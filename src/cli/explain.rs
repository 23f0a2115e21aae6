//! `nngpu explain`.

use std::io::{self, Write};
use std::path::PathBuf;

use nngpu::data::{Matrix, Predictions, Table, idx, read_chunks};
use nngpu::model::{Input, Model};
use nngpu::tabular::explain::{ColumnInputs, Step, column_inputs, steps};
use nngpu::{Device, Error};

use self::telling::Telling;
use super::rows::{CHUNK, Oddities, open};
use super::run::Reading;
use super::{DeviceOption, Ending, Failure};

mod telling;

/// Tell one prediction number by number
///
/// What is made of the row's columns, what each neuron adds up, what the output says: with the numbers of the trained
/// model. Of several networks one is told in full, and of all of them what they answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nngpu explain model.safetensors new-flowers.csv --row 3
  nngpu explain model.safetensors new-flowers.csv --row 3 --member 2 --full | less")]
pub struct Explain {
    /// Model file that `nngpu train` wrote
    model: PathBuf,

    /// Rows of which one is explained: a table of any form that is read (- for standard input), or an IDX file of
    /// images
    data: PathBuf,

    /// Which row, counted from 1 without the line of names
    #[arg(long, value_name = "NUMBER")]
    row: usize,

    /// Which network of the model to tell in full, counted from 1
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    member: usize,

    /// Tell every neuron with every product, and every input
    #[arg(long)]
    full: bool,

    /// Take columns that the data do not have as missing
    #[arg(long)]
    allow_missing_columns: bool,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    device: DeviceOption,
}

/// A row among those that it is predicted with.
struct Found {
    /// None of images.
    table: Option<Table>,
    inputs: Matrix,
    row: usize,
}

/// Everything that is told.
struct Explanation {
    /// Nothing of images.
    columns: Option<Vec<ColumnInputs>>,
    steps: Vec<Step>,
    /// The answers of each member.
    answers: Vec<Vec<f32>>,
    /// Of the row alone.
    predictions: Predictions,
}

impl Explain {
    pub fn run(self) -> Result<Ending, Failure> {
        let model = Model::load(&self.model)?;
        if !(1..=model.members).contains(&self.member) {
            let expected = match model.members {
                1 => "1, since the model is one network".into(),
                n => format!("1 to {n}, the networks of the model"),
            };
            return Err(setting("member", self.member, expected).into());
        }
        let found = match &model.input {
            Input::Images => self.find_image()?,
            Input::Table(_) => self.find_row(&model)?,
        };
        let device = open(&self.device, &model, found.inputs.rows())?;
        let explanation = self.explain(&model, &device, &found)?;
        let mut out = io::stdout().lock();
        let telling = Telling { model: &model, member: self.member - 1, full: self.full };
        let title = format!("Row {} of {}", self.row, self.data.display());
        out.write_all(telling.text(&title, &explanation).as_bytes())?;
        out.flush()?;
        Ok(Ending::Done)
    }

    /// The row, with those that `nngpu predict` has with it in one part: so the numbers are the same to the last bit.
    fn find_row(&self, model: &Model) -> Result<Found, Error> {
        let mut n_before = 0;
        for table in read_chunks(&self.data, &self.reading.options()?, CHUNK)? {
            let table = table?;
            let n_rows = table.n_rows();
            if (n_before + 1..=n_before + n_rows).contains(&self.row) {
                let row = self.row - 1 - n_before;
                let inputs = Oddities::default().inputs(model, &table, self.allow_missing_columns)?;
                let mut oddities = Oddities::default();
                oddities.inputs(model, &table.select_rows(&[row as u32]), self.allow_missing_columns)?;
                oddities.tell();
                return Ok(Found { table: Some(table), inputs, row });
            }
            n_before += n_rows;
        }
        Err(setting("row", self.row, format!("1 to {n_before}, the rows of the data")))
    }

    fn find_image(&self) -> Result<Found, Error> {
        let images = idx::read_images(&self.data)?;
        let n_rows = images.rows();
        if !(1..=n_rows).contains(&self.row) {
            return Err(setting("row", self.row, format!("1 to {n_rows}, the images of the file")));
        }
        let first = (self.row - 1) / CHUNK * CHUNK;
        let rows: Vec<u32> = (first as u32..n_rows.min(first + CHUNK) as u32).collect();
        Ok(Found { table: None, inputs: images.select_rows(&rows), row: self.row - 1 - first })
    }

    fn explain(&self, model: &Model, device: &Device, found: &Found) -> Result<Explanation, Error> {
        let Found { table, inputs, row } = found;
        let columns = match (&model.input, table) {
            (Input::Table(preprocessing), Some(table)) => {
                Some(column_inputs(preprocessing, table, *row, inputs.row(*row)))
            }
            _ => None,
        };
        let steps = steps(model, device, inputs, *row, self.member - 1)?;
        let answers = model.answers(device, inputs)?;
        let answers: Vec<Matrix> = answers.iter().map(|answers| answers.select_rows(&[*row as u32])).collect();
        let predictions = model.output.decode_members(&answers)?;
        let answers = answers.into_iter().map(Matrix::into_values).collect();
        Ok(Explanation { columns, steps, answers, predictions })
    }
}

fn setting(name: &str, found: usize, expected: String) -> Error {
    Error::Setting { name: name.into(), found: found.to_string(), expected }
}
