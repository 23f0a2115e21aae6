//! What follows the gradients in a step: clipping, the optimizers, the mean of the weights.

use super::groups::{Share, shares};
use super::schedule::Schedule;
use super::sweep::{Batch, Sweep};
use super::{FIRST_OF_STATE, PARAMETERS, Settings};
use crate::Result;
use crate::compute::{Buffer, Device, Plan, Program, Tensor};
use crate::kernels::array::{record_blend, record_copy};
use crate::kernels::optimizer::{
    Clip, OptimizerState, Part, record_accumulate, record_clip_in_parts, record_rate, record_update_in_parts,
};
use crate::nn::Network;

/// How the weights of one training are updated.
#[derive(Clone, Debug)]
pub(super) struct Update {
    shares: Vec<Share>,
    /// The learning rate that a schedule stands for, and that each group has a multiple of.
    base_rate: f32,
    has_schedule: bool,
    clip: Option<Clip>,
    /// Batches whose gradients make one update.
    accumulate: u32,
    ema: Option<f32>,
}

/// The tensors that live on from step to step.
#[derive(Clone, Debug)]
pub(super) struct State {
    optimizers: Vec<OptimizerState>,
    /// `[1, 1, updates of an epoch]`: the learning rate of each.
    rates: Option<Tensor>,
    /// The mean gradient over the batches of an update so far.
    gradients: Option<Tensor>,
    /// The running mean of the weights.
    average: Option<Tensor>,
}

impl State {
    /// All of them, always in the same order.
    pub(super) fn tensors(&self) -> impl Iterator<Item = Tensor> + '_ {
        let others = [self.rates, self.gradients, self.average].into_iter().flatten();
        others.chain(self.optimizers.iter().flat_map(OptimizerState::tensors))
    }
}

impl Update {
    pub(super) fn new(network: &Network, settings: &Settings) -> Result<Update> {
        Ok(Update {
            shares: shares(network, settings.optimizer, &settings.groups)?,
            base_rate: settings.optimizer.learning_rate(),
            has_schedule: settings.schedule.is_some(),
            clip: settings.clip,
            accumulate: u32::try_from(settings.accumulate).unwrap_or(u32::MAX),
            ema: settings.ema,
        })
    }

    /// Declares what lives on, for epochs of `n_batches`.
    pub(super) fn declare(&self, plan: &mut Plan, network: &Network, models: u32, n_batches: u32) -> State {
        let n_updates = n_batches.div_ceil(self.accumulate);
        State {
            rates: self.has_schedule.then(|| plan.tensor("learning rates", 1, 1, n_updates)),
            gradients: (self.accumulate > 1).then(|| network.declare(plan, "mean gradients", models)),
            average: self.ema.map(|_| network.declare(plan, "mean weights", models)),
            optimizers: self
                .shares
                .iter()
                .map(|share| OptimizerState::declare(plan, &share.optimizer, models, Part::packed_len(&share.parts)))
                .collect(),
        }
    }

    /// Records what follows each batch's gradients: the update, or that they are added to those before.
    pub(super) fn record_batch(
        &self,
        plan: &mut Plan,
        state: &State,
        batch: &Batch,
        gradients: Tensor,
        parameters: Tensor,
    ) -> Result<()> {
        let slot_rows = batch.full_rows.saturating_mul(self.accumulate);
        if let Some(rates) = state.rates {
            for (share, optimizer) in self.shares.iter().zip(&state.optimizers) {
                record_rate(plan, self.factor(share), rates, batch.position, slot_rows, optimizer.settings)?;
            }
        }
        match state.gradients {
            Some(mean) => record_accumulate(plan, [batch.rows, slot_rows], gradients, batch.position, mean),
            None => self.record_update(plan, state, gradients, parameters),
        }
    }

    /// Records one update of the parameters; it changes the gradients.
    fn record_update(&self, plan: &mut Plan, state: &State, gradients: Tensor, parameters: Tensor) -> Result<()> {
        if let Some(clip) = self.clip {
            let parts: Vec<Part> = self.shares.iter().flat_map(|share| share.parts.iter().copied()).collect();
            record_clip_in_parts(plan, clip, &parts, gradients)?;
        }
        for (share, optimizer) in self.shares.iter().zip(&state.optimizers) {
            record_update_in_parts(plan, &share.optimizer, optimizer, &share.parts, gradients, parameters)?;
        }
        match (self.ema, state.average) {
            (Some(decay), Some(average)) => record_blend(plan, 1.0 - decay, 1.0, parameters, average),
            _ => Ok(()),
        }
    }

    /// What a group's learning rate is of the others'.
    fn factor(&self, share: &Share) -> f32 {
        let rate = share.optimizer.learning_rate();
        if rate == self.base_rate { 1.0 } else { rate / self.base_rate }
    }
}

/// The update of a training on its device.
#[derive(Debug)]
pub(super) struct Updater {
    device: Device,
    update: Update,
    /// The settings of each group.
    settings: Vec<Buffer>,
    rates: Option<Buffer>,
    n_updates: usize,
    average: Option<Average>,
    schedule: Option<Schedule>,
    /// What plateaus have left of the schedule's rates, and how low they may bring them.
    scale: f64,
    minimum: f64,
}

impl Updater {
    /// Writes what the first step begins with; where several batches make an update, compiles that and gives it
    /// to the sweep.
    ///
    /// The sweep keeps the parameters, the losses and then `state`, which is its first plan's.
    pub(super) fn new(
        device: &Device,
        network: &Network,
        update: Update,
        state: &State,
        schedule: Option<Schedule>,
        sweep: &mut Sweep,
    ) -> Result<Updater> {
        let kept: Vec<Buffer> = (0..sweep.kept_tensors().len()).map(|index| sweep.kept(index)).collect();
        let buffer = |tensor: Tensor| {
            let position = sweep.kept_tensors().iter().position(|kept| kept.buffer == tensor.buffer);
            kept[position.expect("the sweep keeps the state")].clone()
        };
        for (share, optimizer) in update.shares.iter().zip(&state.optimizers) {
            for (tensor, values) in optimizer.first_values(&share.optimizer) {
                device.write(&buffer(tensor), 0, &values)?;
            }
        }
        let parameters = sweep.kept_tensors()[PARAMETERS];
        let average =
            state.average.map(|average| Average::new(device, parameters, &kept[PARAMETERS], &buffer(average)));
        let settings = state.optimizers.iter().map(|optimizer| buffer(optimizer.settings)).collect();
        let (rates, average) = (state.rates.map(buffer), average.transpose()?);
        let n_updates = sweep.n_batches().div_ceil(update.accumulate as usize);
        if state.gradients.is_some() {
            let mut plan = Plan::new();
            let own = network.declare(&mut plan, "parameters", parameters.models);
            let state = update.declare(&mut plan, network, parameters.models, sweep.n_batches() as u32);
            update.record_update(&mut plan, &state, state.gradients.expect("several batches"), own)?;
            let tensors = [own].into_iter().chain(state.tensors());
            let buffers = [&kept[PARAMETERS]].into_iter().chain(&kept[FIRST_OF_STATE..]);
            let given: Vec<_> = tensors.map(|tensor| tensor.buffer).zip(buffers).collect();
            sweep.follow_each(update.accumulate as usize, device.compile(&plan, &given)?);
        }
        let device = device.clone();
        Ok(Updater { device, update, settings, rates, n_updates, average, schedule, scale: 1.0, minimum: 0.0 })
    }

    /// Writes the learning rates of an epoch, whose number is counted from 1.
    pub(super) fn start_epoch(&mut self, epoch: usize) -> Result<()> {
        self.hide_average()?;
        let Some(rates) = &self.rates else { return Ok(()) };
        let first = (epoch - 1) * self.n_updates;
        let table: Vec<f32> = (first..first + self.n_updates).map(|step| self.rate(step as u64)).collect();
        self.device.write(rates, 0, &table)
    }

    /// The learning rate of a step, counted from 0.
    fn rate(&self, step: u64) -> f32 {
        let Some(schedule) = &self.schedule else { return self.update.base_rate };
        let rate = schedule.rate(step);
        // Not below the least, unless the schedule itself goes there.
        (rate * self.scale).max(self.minimum.min(rate)) as f32
    }

    /// The learning rate of a batch of an epoch; both are counted from 1.
    pub(super) fn rate_of(&self, epoch: usize, batch: usize) -> f32 {
        let update = batch.max(1).div_ceil(self.update.accumulate as usize);
        self.rate(((epoch - 1) * self.n_updates + update - 1) as u64)
    }

    /// One learning rate from the next epoch on, also in the place of a schedule. Each group keeps its multiple,
    /// and steps of relative length stay what they are.
    pub(super) fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        if self.rates.is_some() {
            (self.schedule, self.scale, self.minimum) = (Some(Schedule::constant(rate.into())), 1.0, 0.0);
            return Ok(());
        }
        let shares = self.update.shares.iter_mut().zip(&self.settings);
        for (share, buffer) in shares.filter(|(share, _)| share.optimizer.has_learning_rate()) {
            let own = share.optimizer.learning_rate();
            let factor = if own == self.update.base_rate { 1.0 } else { own / self.update.base_rate };
            share.optimizer = share.optimizer.with_learning_rate(rate * factor);
            let settings = share.optimizer.settings();
            self.device.write(buffer, 0, &settings.repeat(buffer.len() / settings.len()))?;
        }
        self.update.base_rate = rate;
        Ok(())
    }

    /// Multiplies the learning rate from the next epoch on, of a schedule all rates, but not below `minimum`.
    /// Gives the optimizers' rate, where no schedule has another for each step.
    pub(super) fn reduce(&mut self, factor: f64, minimum: f64) -> Result<Option<f32>> {
        if self.rates.is_some() {
            (self.scale, self.minimum) = (self.scale * factor, minimum);
            return Ok(None);
        }
        let rate = f64::from(self.update.base_rate);
        let reduced = (rate * factor).max(minimum.min(rate)) as f32;
        // Not so small that it is 0.
        let reduced = reduced.max(f32::MIN_POSITIVE.min(self.update.base_rate));
        self.set_learning_rate(reduced)?;
        Ok(Some(reduced))
    }

    /// Puts the mean of the weights in their place, where there is one.
    pub(super) fn show_average(&mut self) -> Result<()> {
        self.average.as_mut().map_or(Ok(()), |average| average.show(&self.device))
    }

    /// Puts the weights back.
    pub(super) fn hide_average(&mut self) -> Result<()> {
        self.average.as_mut().map_or(Ok(()), |average| average.hide(&self.device))
    }
}

/// Exchanges the weights for their running mean, and back.
#[derive(Debug)]
struct Average {
    show: Program,
    hide: Program,
    is_shown: bool,
}

impl Average {
    /// Begins with the weights as they are.
    fn new(device: &Device, parameters: Tensor, weights: &Buffer, average: &Buffer) -> Result<Average> {
        let learned = device.allocate("learned weights", weights.len())?;
        let buffers = [weights, &learned, average];
        let program = |copies: &[[usize; 2]]| -> Result<Program> {
            let mut plan = Plan::new();
            let Tensor { models, rows, columns, .. } = parameters;
            let tensors = buffers.map(|buffer| plan.tensor(buffer.label(), models, rows, columns));
            for &[from, to] in copies {
                record_copy(&mut plan, tensors[from], tensors[to])?;
            }
            let given: Vec<_> = tensors.iter().map(|tensor| tensor.buffer).zip(buffers).collect();
            device.compile(&plan, &given)
        };
        const WEIGHTS: usize = 0;
        const LEARNED: usize = 1;
        const AVERAGE: usize = 2;
        device.submit(&program(&[[WEIGHTS, AVERAGE]])?)?;
        let show = program(&[[WEIGHTS, LEARNED], [AVERAGE, WEIGHTS]])?;
        Ok(Average { show, hide: program(&[[LEARNED, WEIGHTS]])?, is_shown: false })
    }

    fn show(&mut self, device: &Device) -> Result<()> {
        if !std::mem::replace(&mut self.is_shown, true) { device.submit(&self.show) } else { Ok(()) }
    }

    fn hide(&mut self, device: &Device) -> Result<()> {
        if std::mem::replace(&mut self.is_shown, false) { device.submit(&self.hide) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Matrix, Targets};
    use crate::train::{Group, training_sweep};
    use crate::{Activation, Mlp, Optimizer};

    /// All that the sweep keeps after an epoch in parts of at most `limit` batches.
    fn kept(device: &Device, settings: &Settings, limit: usize) -> Vec<Vec<u32>> {
        let column = |factor: f32| (0..23).map(|i| factor * (i as f32 - 11.0) / 11.0).collect::<Vec<f32>>();
        let x = Matrix::new(23, 1, column(1.0)).expect("a column");
        let y = Targets::Values(Matrix::new(23, 1, column(-0.5)).expect("a column"));
        let data = Dataset::new(x, y).expect("as many targets as rows");
        let mlp = Mlp::new(device, &[1, 6, 1], Activation::Tanh, 1).expect("a network");
        let (mut sweep, mut updater) =
            training_sweep(device, mlp.network(), mlp.buffer(), std::borrow::Cow::Owned(data), settings)
                .expect("settings");
        pollster::block_on(async {
            for epoch in 1..=2 {
                updater.start_epoch(epoch).expect("a table");
                sweep.start_in_order().expect("rows");
                while sweep.advance(limit).await.expect("runs") > 0 {}
            }
        });
        (0..sweep.kept_tensors().len()).map(|index| device.read(&sweep.kept(index)).expect("readable")).collect()
    }

    #[test]
    fn an_epoch_in_other_parts_gives_the_same_bytes() {
        for accumulate in [1, 3] {
            let settings = Settings {
                optimizer: Optimizer::adam_w(0.01),
                batch_size: 2,
                groups: vec![Group { pattern: "*.bias".into(), optimizer: Optimizer::muon(0.02) }],
                schedule: Some(Schedule::cosine(0.1, 20)),
                clip: Some(Clip::Norm(0.5)),
                accumulate,
                ema: Some(0.9),
                ..Settings::default()
            };
            for device in [Device::reference(), Device::cpu()] {
                let whole = kept(&device, &settings, usize::MAX);
                assert!(whole.iter().flatten().any(|word| *word != 0));
                for limit in [1, 2, 5] {
                    let name = device.description();
                    assert!(kept(&device, &settings, limit) == whole, "{name}, {accumulate} batches, parts of {limit}");
                }
            }
        }
    }
}
