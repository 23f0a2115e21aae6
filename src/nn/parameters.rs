//! A model's parameters, or their gradients, by name.

use super::{Array, Network};
use crate::compute::{Buffer, BufferId, Device, Tensor};
use crate::{Error, Result};

/// The parameters of one model, or what belongs to each of them, such as its gradient.
#[derive(Clone, Debug)]
pub struct Parameters {
    device: Device,
    network: Network,
    buffer: Buffer,
}

impl Parameters {
    pub(super) fn new(device: &Device, network: &Network, buffer: Buffer) -> Parameters {
        Parameters { device: device.clone(), network: network.clone(), buffer }
    }

    /// The names: `layers.0.weight`, `layers.0.bias`, …
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.network.parameters().iter().map(|spec| spec.name.as_str())
    }

    /// One of them by name: a weight is `[outputs, inputs]`, a bias `[1, outputs]`.
    ///
    /// # Errors
    ///
    /// An unknown name.
    pub fn get(&self, name: &str) -> Result<Array> {
        let all = Tensor::of(BufferId(0), 1, 1, self.network.length());
        let spec = self.network.parameters().iter().find(|spec| spec.name == name);
        let spec = spec.ok_or_else(|| Error::Setting {
            name: "parameter".into(),
            found: format!("`{name}`"),
            expected: format!("one of {}", self.names().collect::<Vec<_>>().join(", ")),
        })?;
        Ok(Array::view(&self.device, &self.buffer, all.part(spec.offset, spec.rows, spec.columns)))
    }

    /// Each with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Array)> {
        self.names().map(|name| (name, self.get(name).expect("a name of its own")))
    }

    pub(super) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }
}
