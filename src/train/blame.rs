//! Finds where a training first went wrong, by going through the same steps once more.

use super::sweep::Sweep;
use crate::compute::{Access, Buffer, Device, Element, Plan, Program, Tensor};
use crate::digits::six_digits;
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

/// The first value that is not a number, in the order of computation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The step of the epoch that computed it, counted from 1; 0 where it was there before.
    pub step: usize,
    tensor: String,
    value: f32,
}

/// Repeats an epoch up to the batch whose loss is not finite, and looks at the weights before it and
/// at every tensor that its step writes, in order. One batch beyond those that ran asks for the
/// weights alone. The state must be that of the beginning of the epoch.
pub(super) async fn blame(
    device: &Device,
    sweep: &mut Sweep<'_>,
    order: Vec<u32>,
    batch: usize,
    network: &Network,
) -> Result<Found> {
    sweep.start(order)?;
    while sweep.done() < batch {
        sweep.advance(batch - sweep.done()).await?;
    }
    // Weights that the step before has spoiled.
    let parameters: Vec<f32> = device.read_async(&sweep.kept(0)).await?;
    for spec in network.parameters() {
        if let Some(value) = first_not_finite(&parameters[spec.range()]) {
            return Ok(Found { step: batch, tensor: spec.name.clone(), value });
        }
    }
    sweep.advance(1).await?;
    let pass = sweep.pass();
    for step in pass.plan.steps() {
        for (operand, binding) in step.operands.iter().zip(step.kernel.bindings) {
            let spec = pass.plan.spec(operand.buffer);
            if binding.access != Access::Write || spec.element != Element::F32 {
                continue;
            }
            let values: Vec<f32> = device.read_async(&pass.program.buffer(operand.buffer)).await?;
            if let Some(value) = first_not_finite(&values) {
                return Ok(Found { step: batch + 1, tensor: spec.label.clone(), value });
            }
        }
    }
    Ok(Found { step: batch + 1, tensor: "the loss".into(), value: f32::NAN })
}

fn first_not_finite(values: &[f32]) -> Option<f32> {
    values.iter().copied().find(|value| !value.is_finite())
}

impl Found {
    pub(super) fn into_error(self, step: u64, epoch: u64, learning_rate: f32) -> Error {
        let advice = if self.tensor == "batch features" || self.tensor == "batch targets" {
            "look for missing or infinite values in the data".to_string()
        } else if self.tensor == "normalised weights" {
            "give some row of each batch a weight above 0, or take the mean of all rows".to_string()
        } else {
            let (smaller, found) = (six_digits(learning_rate / 10.0), six_digits(learning_rate));
            format!("try a smaller learning rate, {smaller} instead of {found}")
        };
        Error::NotFinite {
            what: format!("`{}`", self.tensor),
            value: self.value.to_string(),
            step,
            epoch,
            member: None,
            layer: None,
            rows: Vec::new(),
            good: None,
            advice,
        }
    }
}
