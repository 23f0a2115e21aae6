//! Finds where a training first went wrong, by going through the same steps once more.

use super::step::{GRADIENTS, LOSSES, PARAMETERS};
use super::sweep::Sweep;
use crate::compute::{Access, Buffer, Device, Element, Plan, Program, Tensor};
use crate::digits::six_digits;
use crate::error::{LastGood, Trace};
use crate::kernels::array::record_copy;
use crate::nn::Network;
use crate::{Error, Result};

/// Copies on the device of everything that a step changes for the next one.
#[derive(Debug)]
pub(super) struct Snapshot {
    save: Program,
    restore: Program,
}

impl Snapshot {
    pub(super) fn new(device: &Device, sweep: &Sweep) -> Result<Snapshot> {
        let originals: Vec<(Tensor, Buffer)> =
            sweep.kept_tensors().iter().enumerate().map(|(index, tensor)| (*tensor, sweep.kept(index))).collect();
        let copies = originals
            .iter()
            .map(|(_, buffer)| device.allocate(&format!("copy of {}", buffer.label()), buffer.len()))
            .collect::<Result<Vec<_>>>()?;
        let program = |is_saving: bool| -> Result<Program> {
            let mut plan = Plan::new();
            let mut given = Vec::new();
            for ((tensor, original), copy) in originals.iter().zip(&copies) {
                let (from, to) = if is_saving { (original, copy) } else { (copy, original) };
                let mut declare = |label: &str| plan.tensor(label, tensor.models, tensor.rows, tensor.columns);
                let (x, y) = (declare(from.label()), declare(to.label()));
                record_copy(&mut plan, x, y)?;
                given.extend([(x.buffer, from), (y.buffer, to)]);
            }
            device.compile(&plan, &given)
        };
        Ok(Snapshot { save: program(true)?, restore: program(false)? })
    }

    pub(super) fn save(&self, device: &Device) -> Result<()> {
        device.submit(&self.save)
    }

    pub(super) fn restore(&self, device: &Device) -> Result<()> {
        device.submit(&self.restore)
    }
}

/// Where a training first showed that something was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub model: usize,
    /// Counted from 1.
    pub epoch: usize,
    /// The batch whose loss is no number, counted from 0; the number of those that ran where it is the weights after
    /// them.
    pub batch: usize,
}

/// The first value that is not a number, in the order of computation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The step of the epoch that computed it, counted from 1; 0 where it was there before.
    pub step: usize,
    /// What it is, for people, and the layer that it belongs to.
    what: String,
    layer: Option<String>,
    value: f32,
    rows: Vec<u32>,
    good: Option<LastGood>,
}

/// Repeats an epoch up to the fault, and looks at the model's weights before it and at every tensor that its step
/// writes, in order. The state must be that of the beginning of the epoch.
pub(super) async fn blame(
    device: &Device,
    sweep: &mut Sweep<'_>,
    orders: Vec<u32>,
    Fault { model, epoch, batch }: Fault,
    network: &Network,
) -> Result<Found> {
    sweep.start(orders)?;
    let suspect = Suspect { device, network, model, epoch };
    while sweep.done() + 1 < batch {
        sweep.advance(batch - 1 - sweep.done()).await?;
    }
    let good = suspect.last_good(sweep).await?;
    sweep.advance(batch - sweep.done()).await?;
    // Weights that the step before has spoiled, or a tensor of it that has spoiled them.
    let parameters = suspect.weights(sweep).await?;
    for spec in network.parameters() {
        let Some(value) = first_not_finite(&parameters[spec.range()]) else { continue };
        let what = What { name: format!("`{}`", spec.name), layer: Some(layer_of(&spec.name)), value, place: None };
        let Some(before) = batch.checked_sub(1) else { return Ok(what.found(0, &[], good)) };
        let first = suspect.first_of_step(sweep).await?.unwrap_or(what);
        return Ok(first.found(batch, sweep.rows_of_batch(model, before), good));
    }
    let good = suspect.last_good(sweep).await?;
    sweep.advance(1).await?;
    let first = suspect.first_of_step(sweep).await?;
    let first = first.unwrap_or(What { name: "the loss".into(), layer: None, value: f32::NAN, place: None });
    Ok(first.found(batch + 1, sweep.rows_of_batch(model, batch), good))
}

/// What is no number.
struct What {
    name: String,
    layer: Option<String>,
    value: f32,
    /// Which row of the batch it is of, where it is of the batch itself.
    place: Option<usize>,
}

impl What {
    fn found(self, step: usize, rows: &[u32], good: Option<LastGood>) -> Found {
        let What { name, layer, value, place } = self;
        let rows = place.map_or(rows.to_vec(), |place| vec![rows[place]]);
        Found { step, what: name, layer, value, rows, good }
    }
}

/// The model that something is wrong with.
struct Suspect<'a> {
    device: &'a Device,
    network: &'a Network,
    model: usize,
    epoch: usize,
}

impl Suspect<'_> {
    /// Its part of a buffer that holds as much for each model.
    async fn part(&self, buffer: &Buffer, n_models: usize) -> Result<Vec<f32>> {
        let all: Vec<f32> = self.device.read_async(buffer).await?;
        let length = all.len() / n_models;
        Ok(all[self.model * length..][..length].to_vec())
    }

    async fn weights(&self, sweep: &Sweep<'_>) -> Result<Vec<f32>> {
        self.part(&sweep.kept(PARAMETERS), sweep.n_models()).await
    }

    /// How it stands; nothing where it is wrong already.
    async fn last_good(&self, sweep: &Sweep<'_>) -> Result<Option<LastGood>> {
        let learned = self.network.learned_length() as usize;
        let losses = self.part(&sweep.kept(LOSSES), sweep.n_models()).await?;
        let last = sweep.done().checked_sub(1);
        // At the beginning of an epoch, the losses are still those of the one before.
        let loss = match last {
            Some(last) => Some(losses[last]),
            None => losses.last().copied().filter(|_| self.epoch > 1),
        };
        let pass = sweep.pass();
        let gradients = pass.plan.ids().find(|(_, spec)| spec.label == GRADIENTS).filter(|_| last.is_some());
        let gradients = match gradients {
            Some((id, _)) => Some(norm(&self.part(&pass.program.buffer(id), sweep.n_models()).await?[..learned])),
            None => None,
        };
        let weights = norm(&self.weights(sweep).await?[..learned]);
        let is_good = loss.is_none_or(f32::is_finite) && gradients.is_none_or(f64::is_finite) && weights.is_finite();
        Ok(is_good.then_some(LastGood { loss, gradients, weights }))
    }

    /// The first value that is not a number among the model's own of all that the last step wrote.
    async fn first_of_step(&self, sweep: &Sweep<'_>) -> Result<Option<What>> {
        let pass = sweep.pass();
        for step in pass.plan.steps() {
            for (operand, binding) in step.operands.iter().zip(step.kernel.bindings) {
                let spec = pass.plan.spec(operand.buffer);
                if binding.access != Access::Write || spec.element != Element::F32 {
                    continue;
                }
                let values: Vec<f32> = self.device.read_async(&pass.program.buffer(operand.buffer)).await?;
                // Every buffer holds as much for each model, or is shared by all.
                let length = values.len() / operand.models.max(1) as usize;
                let model = if operand.models > 1 { self.model } else { 0 };
                let own = &values[model * length..][..length];
                let Some(place) = own.iter().position(|value| !value.is_finite()) else { continue };
                let value = own[place];
                if spec.label == GRADIENTS {
                    let parameter = self.network.parameters().iter().find(|spec| spec.range().contains(&place));
                    let name = parameter.map_or("parameters", |spec| spec.name.as_str());
                    let layer = Some(layer_of(name));
                    return Ok(Some(What { name: format!("the gradient of `{name}`"), layer, value, place: None }));
                }
                let is_of_batch = ["batch features", "batch targets"].contains(&spec.label.as_str());
                let place = is_of_batch.then(|| place / operand.columns.max(1) as usize);
                let layer = spec.label.starts_with("layers.").then(|| layer_of(&spec.label));
                return Ok(Some(What { name: format!("`{}`", spec.label), layer, value, place }));
            }
        }
        Ok(None)
    }
}

/// `layers.2` of `layers.2.weight`.
fn layer_of(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(layer, _)| layer).to_string()
}

fn first_not_finite(values: &[f32]) -> Option<f32> {
    values.iter().copied().find(|value| !value.is_finite())
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

impl Found {
    pub(super) fn into_error(self, member: Option<usize>, step: u64, epoch: u64, learning_rate: f32) -> Error {
        let advice = if self.what == "`batch features`" || self.what == "`batch targets`" {
            "look for missing or infinite values in the data".to_string()
        } else if self.what == "`normalised weights`" {
            "give some row of each batch a weight above 0, or take the mean of all rows".to_string()
        } else {
            let (smaller, found) = (six_digits(learning_rate / 10.0), six_digits(learning_rate));
            format!("try a smaller learning rate, {smaller} instead of {found}")
        };
        let Found { what, layer, value, rows, good, .. } = self;
        let trace = Box::new(Trace { member, layer, rows, good });
        Error::NotFinite { what, value: value.to_string(), step, epoch, trace, advice }
    }
}
