//! A trained network with what it needs to take raw data and to name its answers.

mod description;
mod predictor;
mod provenance;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use self::description::Description;
pub use self::predictor::Predictor;
pub use self::provenance::{DataFile, Provenance};
pub use crate::data::{Answers, Predictions};
use crate::data::{Matrix, Preprocessing, Table, TargetEncoding};
use crate::file::check_writable;
use crate::kernels::loss::Loss;
use crate::nn::{Layer, Network, Role, read_members, write_members};
use crate::{Device, Error, Result};

/// A trained network, or several of one shape, with the preprocessing, as a file holds it.
///
/// The file is safetensors: weights under the names of [`Network::parameters`], so that other
/// programs can read them, those of several members as `members.0.layers.0.weight` and so on; and everything else as
/// JSON under the key `nngpu` of its metadata. The same model gives the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The shape of the network.
    pub network: Network,
    /// How many networks of this shape answer together; at least 1.
    pub members: usize,
    /// Their parameters, those of one member after those of the other, each laid out as [`Network::parameters`] tells.
    pub values: Vec<f32>,
    /// What it takes.
    pub input: Input,
    /// What it answers.
    pub output: TargetEncoding,
    /// The loss by which it learned, which tells what its outputs mean: [`Loss::link`].
    pub loss: Loss,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// What a model takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Columns of a table, by name, and what becomes of them.
    Table(Preprocessing),
    /// Images of bytes, divided by 255.
    Images,
}

/// The longest header that the safetensors format allows, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// The key of the description in a file's metadata. It is the only one: the order of several is not kept.
const KEY: &str = "nngpu";

impl Model {
    /// Writes the model. The file appears whole or not at all; an older one stays until then.
    ///
    /// # Errors
    ///
    /// Parts that do not fit each other, a file that cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = |error: std::io::Error| Error::WriteFile { path: path.into(), source: error };
        // What could not be read again is not written.
        self.check().map_err(|problem| failed(std::io::Error::other(problem)))?;
        let Model { network, members, values, input, output, loss, provenance } = self;
        let description = Description::new(network, *members, *loss, input, output, provenance);
        let text = serde_json::to_string(&description).map_err(|error| failed(error.into()))?;
        write_members(path, network, *members, values, Some((KEY, &text)))
    }

    /// Reads a model, of any version of the format.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is damaged, or is no model of a version known here.
    pub fn load(path: &Path) -> Result<Model> {
        let refuse = |problem: String| Error::ModelFile { path: path.into(), problem };
        let mut found = None;
        let (values, network, members) = read_members(path, |metadata| {
            let text = metadata.get(KEY).ok_or_else(|| {
                refuse("a safetensors file, but not one that `nngpu train` wrote: its description is missing".into())
            })?;
            let description = Description::read(text).map_err(refuse)?;
            let shape = (description.network.clone(), description.members);
            found = Some(description);
            Ok(shape)
        })?;
        let Description { loss, input, output, provenance, .. } = found.expect("it was read before the weights");
        let model = Model { network, members, values, input, output, loss, provenance };
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

    /// The parts of a model must fit each other.
    fn check(&self) -> Result<(), String> {
        let (inputs, outputs) = (self.network.inputs() as usize, self.network.outputs() as usize);
        let length = self.network.length() as usize;
        if self.members == 0 || self.members.checked_mul(length) != Some(self.values.len()) {
            return Err(format!("found {} parameters for {} members of {length}", self.values.len(), self.members));
        }
        if let Some(value) = self.values.iter().find(|value| !value.is_finite()) {
            return Err(format!("found the weight {value}, expected finite numbers; train again"));
        }
        if let Input::Table(preprocessing) = &self.input
            && preprocessing.n_inputs() != inputs
        {
            return Err(format!("found columns that make {} inputs for {inputs}", preprocessing.n_inputs()));
        }
        let (n_answers, what) = match &self.output {
            TargetEncoding::Numbers(targets) => (targets.len(), "numbers"),
            TargetEncoding::Classes(target) => (target.classes.len(), "classes"),
            TargetEncoding::Labels(labels) => (labels.len(), "labels"),
        };
        let expected = u32::try_from(n_answers).ok().and_then(|n| n.checked_mul(2).map(|_| self.loss.n_outputs(n)));
        if expected != Some(outputs as u32) {
            return Err(format!("found {outputs} outputs for {n_answers} {what}, learned by {}", self.loss));
        }
        let is_right = match &self.output {
            TargetEncoding::Classes(_) => self.loss.takes_classes(),
            TargetEncoding::Numbers(_) | TargetEncoding::Labels(_) => self.loss.takes_numbers(),
        };
        if is_right { Ok(()) } else { Err(format!("found {what} learned by {}, which takes none", self.loss)) }
    }

    /// Predicts the rows of a table, whose columns may stand in any order.
    ///
    /// # Errors
    ///
    /// A model of images; a column that is not there or a field that cannot be taken, as
    /// [`Preprocessing::apply`] tells; a lost device.
    pub fn predict(&self, device: &Device, table: &Table) -> Result<Predictions> {
        match &self.input {
            Input::Table(preprocessing) => self.predict_matrix(device, &preprocessing.apply(table)?),
            Input::Images => Err(Error::Setting {
                name: "data".into(),
                found: "a table".into(),
                expected: "images, as the model learned from".into(),
            }),
        }
    }

    /// Predicts rows of inputs, `[rows, inputs]`: what [`Preprocessing::apply`] gives, or pixels divided by 255.
    ///
    /// # Errors
    ///
    /// Another number of columns, a lost device.
    pub fn predict_matrix(&self, device: &Device, inputs: &Matrix) -> Result<Predictions> {
        self.output.decode_members(&self.answers(device, inputs)?)
    }

    /// The answers of each member for rows of inputs, `[rows, outputs]` each, as the network gives them:
    /// [`TargetEncoding::decode`] tells what they say.
    ///
    /// # Errors
    ///
    /// As for [`predict_matrix`](Self::predict_matrix).
    pub fn answers(&self, device: &Device, inputs: &Matrix) -> Result<Vec<Matrix>> {
        self.predictor(device)?.answers(inputs)
    }

    /// The model on a device, to predict some rows after others.
    ///
    /// # Errors
    ///
    /// More parameters than the device can hold, a lost device.
    pub fn predictor(&self, device: &Device) -> Result<Predictor<'_>> {
        Predictor::new(self, device)
    }
}

/// The layers with which a network for these inputs begins: an embedding for each of
/// [`Preprocessing::embeddings`], in order.
pub fn embedding_layers(preprocessing: &Preprocessing) -> Vec<Layer> {
    let layer = |input: crate::data::EmbeddedInput| Layer::Embedding {
        column: input.column,
        levels: input.levels,
        size: input.size,
    };
    preprocessing.embeddings().into_iter().map(layer).collect()
}

/// Gives levels that are not known the mean of the vectors of those that are, weighted by their rows, where nothing
/// was learned for them: no level was joined and none was missing. Without it their vector is the one that was drawn
/// before training. `values` are those of one member or of several, one after the other.
///
/// # Panics
///
/// A network that does not begin with [`embedding_layers`], another number of values.
pub fn settle_unknown_levels(network: &Network, values: &mut [f32], preprocessing: &Preprocessing) {
    let tables: Vec<_> = network.parameters().iter().filter(|spec| spec.role == Role::Table).collect();
    let embedded = preprocessing.columns().iter().rev().filter_map(|column| match &column.encoder {
        crate::data::Encoder::Embedding(encoder) => Some(&encoder.levels),
        _ => None,
    });
    let length = network.length() as usize;
    assert_eq!(values.len() % length, 0, "values of members of {length}");
    for (spec, levels) in tables.into_iter().zip(embedded) {
        assert_eq!(spec.rows as usize, levels.names.len() + 1, "{}: levels", spec.name);
        let n_rows: usize = levels.counts.iter().sum();
        if levels.n_rare + levels.n_missing > 0 || n_rows == 0 {
            continue;
        }
        let size = spec.columns as usize;
        for member in values.chunks_exact_mut(length) {
            let (unknown, known) = member[spec.range()].split_at_mut(size);
            for (column, unknown) in unknown.iter_mut().enumerate() {
                let weighted = known[column..].iter().step_by(size).zip(&levels.counts);
                let sum: f64 = weighted.map(|(value, count)| f64::from(*value) * *count as f64).sum();
                *unknown = (sum / n_rows as f64) as f32;
            }
        }
    }
}
