//! A trained network with what it needs to take raw data and to name its answers.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{Matrix, Standardiser, Task};
use crate::file::check_writable;
use crate::kernels::activation::Activation;
use crate::kernels::loss::Loss;
use crate::nn::{Mlp, Names, Network, WeightsFormat, WeightsOptions, read_weights, write_weights};
use crate::{Device, Error, Result, train};

/// A trained network with its preprocessing, as a file holds it.
///
/// The file is safetensors: weights under the names of [`Network::parameters`], so that other
/// programs can read them, and everything else as JSON under the key `nngpu` of its metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The shape of the network.
    pub network: Network,
    /// Its parameters, laid out as [`Network::parameters`] tells.
    pub values: Vec<f32>,
    /// What it takes.
    pub input: Input,
    /// What it answers.
    pub output: Output,
    /// The loss by which it learned, which tells what its outputs mean: [`Loss::link`].
    pub loss: Loss,
}

/// What a model takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Columns of a table, by name, brought to one scale.
    Table {
        /// The names of the columns, in the order of the network's inputs.
        columns: Vec<String>,
        /// What was fitted on the rows it learned from.
        standardiser: Standardiser,
    },
    /// Images of bytes, divided by 255.
    Images,
}

/// What a model answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// A number.
    Number {
        /// What the number is.
        name: String,
        /// What was fitted on the targets it learned from.
        standardiser: Standardiser,
    },
    /// One of some classes.
    Class {
        /// What the class is of.
        name: String,
        /// The classes, in the order of the network's outputs.
        classes: Vec<String>,
    },
}

impl Output {
    /// The task that it answers.
    pub fn task(&self) -> Task {
        match self {
            Output::Number { .. } => Task::Regression,
            Output::Class { .. } => Task::Classification,
        }
    }

    /// What is predicted.
    pub fn name(&self) -> &str {
        let (Output::Number { name, .. } | Output::Class { name, .. }) = self;
        name
    }
}

/// What a model says of some rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// A number for each row, in the units of the target.
    Numbers(Vec<f32>),
    /// The probability of each class for each row, `[rows, classes]`.
    Probabilities(Matrix),
}

/// The metadata of a file. A change that older versions cannot read raises `version`.
#[derive(Serialize, Deserialize)]
struct Description {
    version: u32,
    #[serde(flatten)]
    shape: Shape,
    input: Input,
    output: Output,
    /// Since version 2.
    loss: Option<Loss>,
}

/// The network, as each version of the format tells it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Shape {
    /// Version 2.
    Layers { network: Network },
    /// Version 1, of linear layers with one activation.
    Sizes { sizes: Vec<usize>, activation: Activation },
}

const VERSION: u32 = 2;

/// The longest header that the safetensors format allows, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// The key of the description in a file's metadata.
const KEY: &str = "nngpu";

/// Whatever the file is called, its weights are safetensors under the network's own names.
fn weights_options() -> WeightsOptions {
    WeightsOptions { format: Some(WeightsFormat::Safetensors), names: Names::Own, convert: false }
}

impl Model {
    /// Writes the model. The file appears whole or not at all; an older one stays until then.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let description = Description {
            version: VERSION,
            shape: Shape::Layers { network: self.network.clone() },
            input: self.input.clone(),
            output: self.output.clone(),
            loss: Some(self.loss),
        };
        let text = serde_json::to_string(&description)
            .map_err(|error| Error::WriteFile { path: path.into(), source: error.into() })?;
        write_weights(path, &self.network, &self.values, Some((KEY, &text)), &weights_options())
    }

    /// Reads a model.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is damaged, or is no model of a version known here.
    pub fn load(path: &Path) -> Result<Model> {
        let refuse = |problem: String| Error::ModelFile { path: path.into(), problem };
        let mut found = None;
        let (values, network) = read_weights(path, &weights_options(), |metadata| {
            let text = metadata.get(KEY).ok_or_else(|| {
                refuse("a safetensors file, but not one that `nngpu train` wrote: its description is missing".into())
            })?;
            let version: serde_json::Value =
                serde_json::from_str(text).map_err(|error| refuse(format!("its description is damaged: {error}")))?;
            if version["version"] != VERSION && version["version"] != 1 {
                return Err(refuse(format!(
                    "found version {} of the format, expected 1 or {VERSION}; use the nngpu that wrote it, or train again",
                    version["version"]
                )));
            }
            let description: Description = serde_json::from_value(version)
                .map_err(|error| refuse(format!("its description is damaged: {error}")))?;
            let network = match description.shape {
                Shape::Layers { network } => network,
                Shape::Sizes { sizes, activation } => Network::new(&sizes, activation)?,
            };
            let loss = description.loss.unwrap_or(match &description.output {
                Output::Number { .. } => Loss::Mse,
                Output::Class { .. } => Loss::CrossEntropy,
            });
            found = Some((description.input, description.output, loss));
            Ok(network)
        })?;
        let (input, output, loss) = found.expect("the description was read before the weights");
        let model = Model { network, values, input, output, loss };
        if let Some(value) = model.values.iter().find(|value| !value.is_finite()) {
            return Err(refuse(format!("found the weight {value}, expected finite numbers; train again")));
        }
        model.check().map_err(refuse)?;
        Ok(model)
    }

    /// Checks before a training that its model can be written to `path`: that the folder takes
    /// files, and that no other kind of file would be lost.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written to, a file that is no model.
    pub fn check_replaceable(path: &Path) -> Result<()> {
        if path.exists() && !Model::is_model(path) {
            return Err(Error::OutputTaken { path: path.into() });
        }
        check_writable(path).map_err(|source| Error::WriteFile { path: path.into(), source })
    }

    /// Whether a file is a model, of any version: told from its header, whatever follows.
    fn is_model(path: &Path) -> bool {
        let header = || -> Option<Vec<u8>> {
            let mut file = path.is_file().then(|| File::open(path).ok())??;
            let mut length = [0; 8];
            file.read_exact(&mut length).ok()?;
            let mut header = Vec::new();
            file.take(u64::from_le_bytes(length).min(MAX_HEADER)).read_to_end(&mut header).ok()?;
            Some(header)
        };
        let header = header().and_then(|header| serde_json::from_slice::<serde_json::Value>(&header).ok());
        header.is_some_and(|header| header["__metadata__"][KEY].is_string())
    }

    /// The parts of a description must fit each other.
    fn check(&self) -> Result<(), String> {
        let (inputs, outputs) = (self.network.inputs() as usize, self.network.outputs() as usize);
        if let Input::Table { columns, standardiser } = &self.input
            && (columns.len() != inputs || standardiser.mean().len() != inputs)
        {
            return Err(format!("found {} columns for {inputs} inputs", columns.len()));
        }
        match &self.output {
            Output::Class { classes, .. } if classes.len() != outputs => {
                Err(format!("found {} classes for {outputs} outputs", classes.len()))
            }
            Output::Class { .. } if !self.loss.takes_classes() => {
                Err(format!("found classes learned by {}, which takes none", self.loss))
            }
            Output::Number { standardiser, .. }
                if outputs != self.loss.n_outputs(1) as usize || standardiser.mean().len() != 1 =>
            {
                Err(format!("found {outputs} outputs for one number, learned by {}", self.loss))
            }
            _ => Ok(()),
        }
    }

    /// Predicts rows of raw features, `[rows, inputs]`: columns in the order of [`Input::Table`],
    /// or pixels divided by 255.
    ///
    /// # Errors
    ///
    /// Another number of columns, a lost device.
    pub fn predict(&self, device: &Device, mut features: Matrix) -> Result<Predictions> {
        let inputs = self.network.inputs() as usize;
        if features.columns() != inputs {
            return Err(Error::Shape {
                operation: "prediction".into(),
                found: format!("{} columns", features.columns()),
                expected: format!("{inputs}, as the model has inputs"),
            });
        }
        if let Input::Table { standardiser, .. } = &self.input {
            standardiser.apply(&mut features);
        }
        let mlp = Mlp::with(device, self.network.clone(), &self.values)?;
        match &self.output {
            Output::Number { standardiser, .. } => {
                let mut numbers = train::predict(&mlp, &features, self.loss)?;
                standardiser.undo(&mut numbers);
                Ok(Predictions::Numbers(numbers.into_values()))
            }
            Output::Class { .. } => Ok(Predictions::Probabilities(train::predict(&mlp, &features, self.loss)?)),
        }
    }
}
