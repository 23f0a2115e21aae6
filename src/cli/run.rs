//! What the commands that train have in common: their options, their data, and the training itself.

use std::path::{Path, PathBuf};

use nngpu::data::{Classes, Format, ReadOptions, Table, idx};
use nngpu::model::{DataFile, Provenance};
use nngpu::tabular::{Images, Options, Prepared, Tables, is_file};
use nngpu::{Device, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Failure;
use super::log::Log;

/// What a training is made of: the keys of a config file, and what a run remembers.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Training {
    /// Table to learn from (CSV, TSV, Parquet, JSON lines, npy or npz, plain or compressed, - for standard input), or
    /// IDX file of images
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,

    #[serde(flatten)]
    #[command(flatten)]
    pub options: Options,

    /// IDX file with the labels of the images
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "FILE", conflicts_with = "target", help_heading = "Data")]
    pub labels: Option<PathBuf>,

    /// IDX file with the labels of the test images
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub test_labels: Option<PathBuf>,

    #[serde(flatten)]
    #[command(flatten)]
    pub reading: Reading,

    /// Where to compute: auto, cpu, reference, gpu, an index of `nngpu devices`, part of a name, or backend:name
    /// [default: auto]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(short, long, value_name = "DEVICE", help_heading = "Computing")]
    pub device: Option<String>,

    /// Train without checking the kernels of a GPU before its first use. What passes is remembered in the user's cache
    /// folder, or in the one that NNGPU_CACHE_DIR names
    #[serde(skip_serializing_if = "is_false")]
    #[arg(long, help_heading = "Computing")]
    pub skip_check: bool,
}

/// How files of data are read; the same words in every command.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Reading {
    /// Form of the data: csv, tsv, parquet, jsonl, npy or npz [default: found by looking]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "FORM", value_parser = ["csv", "tsv", "parquet", "jsonl", "npy", "npz"], help_heading = "Reading")]
    pub format: Option<String>,

    /// What separates the fields of a line [default: found by looking]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "CHARACTER", help_heading = "Reading")]
    pub delimiter: Option<char>,

    /// The first line is a row already, and names no columns; they are then called c1, c2 …
    #[serde(skip_serializing_if = "is_false")]
    #[arg(long, help_heading = "Reading")]
    pub no_header: bool,

    /// Encoding of a text that is not UTF-8, such as windows-1252
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "NAME", help_heading = "Reading")]
    pub encoding: Option<String>,

    /// Text that stands for a missing value, beside an empty field, NA, null, nan, ? and the like
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "TEXT", value_delimiter = ',', help_heading = "Reading")]
    pub missing_value: Vec<String>,

    /// Numbers have a decimal comma, as in 1,5
    #[serde(skip_serializing_if = "is_false")]
    #[arg(long, help_heading = "Reading")]
    pub decimal_comma: bool,
}

pub fn is_false(value: &bool) -> bool {
    !value
}

impl Reading {
    /// The same as the library names it.
    pub fn options(&self) -> Result<ReadOptions, Error> {
        let refuse = |name: &str, found: String, expected: &str| Error::Setting {
            name: name.into(),
            found,
            expected: expected.into(),
        };
        let format = |name: &String| -> Result<Format, Error> {
            serde_json::from_value(name.as_str().into())
                .map_err(|_| refuse("format", format!("`{name}`"), "csv, tsv, parquet, jsonl, npy or npz"))
        };
        let delimiter = |delimiter: char| {
            // As a shell's `\t` arrives where nobody makes a tab of it.
            u8::try_from(delimiter)
                .ok()
                .filter(u8::is_ascii)
                .ok_or_else(|| refuse("delimiter", format!("`{delimiter}`"), "one ASCII character, such as ; or |"))
        };
        Ok(ReadOptions {
            format: self.format.as_ref().map(format).transpose()?,
            delimiter: self.delimiter.map(delimiter).transpose()?,
            has_header: self.no_header.then_some(false),
            encoding: self.encoding.clone(),
            missing: self.missing_value.clone(),
            decimal_comma: self.decimal_comma.then_some(true),
            verbatim: Vec::new(),
        })
    }
}

/// The names of the columns, or of the first ten.
fn columns(table: &Table) -> String {
    const MOST: usize = 10;
    let names = table.names();
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        left => format!("{} and {left} more", shown.join(", ")),
    }
}

/// Data as they were read.
pub enum Data {
    Tables(Tables),
    Images(Images),
}

impl Training {
    /// The file to learn from.
    pub fn path(&self) -> Result<&Path, Error> {
        self.data.as_deref().ok_or_else(|| Error::Setting {
            name: "data".into(),
            found: "none".into(),
            expected: "a file to learn from: `nngpu train FILE --target COLUMN`, or `data = \"FILE\"` in a config file"
                .into(),
        })
    }

    /// Reads everything.
    pub fn read(&self) -> Result<Data, Error> {
        let path = self.path()?;
        match &self.labels {
            Some(labels) => self.read_images(path, labels).map(Data::Images),
            None => self.read_tables(path).map(Data::Tables),
        }
    }

    fn read_tables(&self, path: &Path) -> Result<Tables, Error> {
        let reading = self.reading.options()?;
        if self.options.target.is_empty() {
            // Images without labels are no table, which is told by the reader.
            let columns = columns(&Table::read(path, &reading)?);
            return Err(Error::Setting {
                name: "target".into(),
                found: "none".into(),
                expected: format!(
                    "the column to predict as `--target COLUMN`, or labels of images as `--labels FILE`; the columns are \
                     {columns}"
                ),
            });
        }
        let file = |setting: &Option<String>| match setting {
            Some(text) if is_file(text) => Table::read(text, &reading).map(Some),
            _ => Ok(None),
        };
        let (validation, test) = (file(&self.options.validation)?, file(&self.options.test)?);
        Ok(Tables { table: Table::read(path, &reading)?, validation, test })
    }

    fn read_images(&self, path: &Path, labels: &Path) -> Result<Images, Error> {
        let refuse = |name: &str, found: String, expected: &str| {
            Err(Error::Setting { name: name.into(), found, expected: expected.into() })
        };
        let (images, indices) = idx::read_labelled_images(path, labels)?;
        let labels = Classes::from_labels(labels, indices, None)?;
        let test = self.options.test.as_ref().filter(|text| is_file(text));
        let test = match (test, &self.test_labels) {
            (Some(file), Some(own)) => {
                let (images, indices) = idx::read_labelled_images(file, own)?;
                Some((images, Classes::from_labels(own, indices, Some(labels.names.len()))?))
            }
            (Some(file), None) => {
                let found = format!("images to test with, {file}, without labels");
                return refuse("test labels", found, "their labels as `--test-labels FILE`");
            }
            (None, Some(own)) => {
                let found = format!("labels to test with, {}, without images", own.display());
                return refuse("test", found, "the images as `--test FILE`");
            }
            (None, None) => None,
        };
        Ok(Images { images, labels, test })
    }

    /// Decides everything that is left open.
    pub fn prepare(&self, data: Data) -> Result<Prepared, Error> {
        match data {
            Data::Tables(tables) => Prepared::new(&tables, &self.options),
            Data::Images(images) => Prepared::images(images, &self.options),
        }
    }

    /// Opens the device for a network and says which one it is, and why.
    pub fn open(&self, prepared: &Prepared, log: &Log) -> Result<Device, Failure> {
        let batch_size = prepared.recipe.settings.batch_size;
        let flops = prepared.network.flops_per_step(batch_size) * prepared.members.len() as f64;
        let opened = Device::open_for(self.device.as_deref().unwrap_or("auto"), Some(flops))?;
        log.device(&opened.device.description(), &opened.reason.to_string());
        if !self.skip_check {
            super::first_use::check(&opened.device, log.is_human())?;
        }
        Ok(opened.device)
    }

    /// Where a model of this training comes from.
    pub fn provenance(&self, prepared: &Prepared, device: &Device) -> Result<Provenance, Error> {
        let n_rows = prepared.data.rows();
        Ok(Provenance {
            data: Some(DataFile::of(self.path()?, n_rows)?),
            seed: Some(prepared.recipe.settings.seed),
            device: Some(device.description()),
            options: serde_json::Value::Object(super::config::settings_of(&self.effective(prepared)?)),
            ..Provenance::here()
        })
    }
}
