//! The rows that a trained model is given: how they become inputs, and what is odd about them.

use std::path::{Path, PathBuf};

use nngpu::data::{Applied, Matrix, Table, UnknownValues};
use nngpu::model::{Input, Model};
use nngpu::{Device, Error};

use super::{DeviceOption, Failure};

/// Rows that are read and predicted together.
pub const CHUNK: usize = 8192;

/// Rows that go through the network together, by which a device is chosen.
const BATCH_SIZE: usize = 1024;

/// What was found in rows that the model did not learn of; told once, whatever the number of parts that they come in.
#[derive(Debug, Default)]
pub struct Oddities {
    absent: Vec<String>,
    unknown: Vec<UnknownValues>,
}

impl Oddities {
    /// The inputs of a table's rows. Columns that are not there are missing in every row, if that is allowed.
    pub fn inputs(&mut self, model: &Model, table: &Table, allows_absent: bool) -> Result<Matrix, Error> {
        let Input::Table(preprocessing) = &model.input else { return Err(images_expected("a table")) };
        let Applied { matrix, absent, unknown } = preprocessing.apply_noting(table, allows_absent)?;
        for name in absent {
            if !self.absent.contains(&name) {
                self.absent.push(name);
            }
        }
        for found in unknown {
            match self.unknown.iter_mut().find(|known| known.column == found.column) {
                Some(known) => known.n_rows += found.n_rows,
                None => self.unknown.push(found),
            }
        }
        Ok(matrix)
    }

    /// Tells them.
    pub fn tell(&self) {
        if !self.absent.is_empty() {
            let names: Vec<String> = self.absent.iter().map(|name| format!("`{name}`")).collect();
            tell!("warning: no column is named {}; the values were taken as missing in every row", names.join(", "));
        }
        for UnknownValues { column, n_rows, first, place } in &self.unknown {
            let rows = if *n_rows == 1 { "1 row holds a value".into() } else { format!("{n_rows} rows hold values") };
            tell!(
                "warning: column `{column}`: {rows} that the model learned nothing of, the first is `{first}` in {place}"
            );
        }
    }
}

/// Where a model of images is given something else.
pub fn images_expected(found: &str) -> Error {
    Error::Setting {
        name: "data".into(),
        found: found.into(),
        expected: "an IDX file of images, as the model learned from".into(),
    }
}

/// Opens the device for predictions of so many rows and says which one it is, and why.
pub fn open(device: &DeviceOption, model: &Model, rows: usize) -> Result<Device, Failure> {
    // A third of a training step: only forwards.
    let flops = model.network.flops_per_step(BATCH_SIZE.min(rows)) * model.members as f64 / 3.0;
    device.open(Some(flops))
}

/// Whether two paths are one file.
pub fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Before anything is computed: what is read is never replaced, and the folder takes files.
pub fn check_output(output: &Path, inputs: &[&PathBuf]) -> Result<(), Error> {
    if inputs.iter().any(|input| is_same(output, input)) {
        return Err(Error::OutputIsInput { path: output.into() });
    }
    nngpu::file::check_writable(output).map_err(|source| Error::WriteFile { path: output.into(), source })
}
