//! What an optimizer keeps on the device between steps.

use super::Optimizer;
use crate::compute::plan::{Plan, Tensor};

/// One named part of a model's parameters, as the optimizers that know of shapes see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its first element among those of its model; a multiple of 4.
    pub offset: u32,
    /// Rows: the outputs of a layer's weight, 1 for a vector.
    pub rows: u32,
    /// Columns: the inputs of a layer's weight, the length of a vector.
    pub columns: u32,
    /// Whether it is a matrix, also where it has one row; a bias is none.
    pub is_matrix: bool,
}

impl Part {
    /// Elements that it takes in a buffer: a multiple of 4.
    pub fn padded_len(&self) -> u32 {
        // Where the product is cut off, no buffer is long enough, and recording an update refuses it.
        self.rows.saturating_mul(self.columns).checked_next_multiple_of(4).unwrap_or(u32::MAX)
    }

    /// Elements that the state of these parts takes in each of an optimizer's tensors.
    pub fn packed_len(parts: &[Part]) -> u32 {
        parts.iter().fold(0, |length, part| part.padded_len().saturating_add(length))
    }
}

/// Parts that lie side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    /// Where they begin among the parameters.
    pub offset: u32,
    /// Where they begin in the optimizer's tensors.
    pub place: u32,
    /// Their elements, a multiple of 4.
    pub length: u32,
}

impl Run {
    /// Those of parts in the order in which they come.
    pub(super) fn all(parts: &[Part]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for part in parts {
            let length = part.padded_len();
            match runs.last_mut() {
                Some(run) if run.offset + run.length == part.offset => run.length += length,
                Some(Run { place, length: before, .. }) => {
                    let place = *place + *before;
                    runs.push(Run { offset: part.offset, place, length });
                }
                None => runs.push(Run { offset: part.offset, place: 0, length }),
            }
        }
        runs
    }

    /// These elements of all parameters.
    pub(super) fn of(&self, x: Tensor) -> Tensor {
        x.part(self.offset, 1, self.length)
    }
}

/// The buffers that an optimizer keeps on the device between steps.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerState {
    /// `[models, 1, settings]`: [`Optimizer::settings`] of each model.
    pub settings: Tensor,
    /// Tensors of the weights' size, zeros at the start.
    pub moments: Vec<Tensor>,
    /// `[models, 1, n]`: running numbers, at the start [`Optimizer::first_powers`]: Adam's powers of its
    /// betas, Adafactor's clock.
    pub powers: Option<Tensor>,
}

impl OptimizerState {
    /// Declares the buffers for weights of `[models, 1, length]`, or for parts of them of this
    /// [`Part::packed_len`].
    pub fn declare(plan: &mut Plan, optimizer: &Optimizer, models: u32, length: u32) -> OptimizerState {
        let settings = plan.tensor("optimizer settings", models, 1, optimizer.settings().len() as u32);
        let moment = |number| plan.tensor(format!("optimizer state {number}"), models, 1, length);
        let moments = (0..optimizer.n_states()).map(moment).collect();
        let n_powers = optimizer.first_powers().len() as u32;
        let powers = (n_powers > 0).then(|| plan.tensor("optimizer powers", models, 1, n_powers));
        OptimizerState { settings, moments, powers }
    }

    /// All its tensors: the settings, the moments, the powers.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor> + '_ {
        [self.settings].into_iter().chain(self.moments.iter().copied()).chain(self.powers)
    }

    /// What must be written before the first step: the settings and the first powers, the same for each model.
    /// All else is zeros, as buffers are when they are new.
    pub fn first_values(&self, optimizer: &Optimizer) -> Vec<(Tensor, Vec<f32>)> {
        let repeated = |row: Vec<f32>, models: u32| row.repeat(models as usize);
        let settings = (self.settings, repeated(optimizer.settings(), self.settings.models));
        let powers = self.powers.map(|powers| (powers, repeated(optimizer.first_powers(), powers.models)));
        [settings].into_iter().chain(powers).collect()
    }
}
