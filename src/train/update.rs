//! What follows the gradients in a step: clipping, the optimizers, the mean of the weights.

use super::Settings;
use super::exact;
use super::groups::{Share, shares};
use super::schedule::Schedule;
use super::step::{FIRST_OF_STATE, PARAMETERS};
use super::sweep::{Batch, Sweep};
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
    /// `[models, 1, updates of an epoch]`: the learning rate of each.
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
            rates: self.has_schedule.then(|| plan.tensor("learning rates", models, 1, n_updates)),
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

    /// What runs after each so many batches, where several make an update.
    pub(super) fn follower(&self, network: &Network, models: u32, n_batches: usize) -> Result<Option<Follower>> {
        if self.accumulate == 1 {
            return Ok(None);
        }
        let mut plan = Plan::new();
        let parameters = network.declare(&mut plan, "parameters", models);
        let state = self.declare(&mut plan, network, models, n_batches as u32);
        self.record_update(&mut plan, &state, state.gradients.expect("several batches"), parameters)?;
        let tensors = [parameters].into_iter().chain(state.tensors()).collect();
        Ok(Some(Follower { plan, every: self.accumulate as usize, tensors }))
    }

    /// What a group's learning rate is of the others'.
    fn factor(&self, share: &Share) -> f32 {
        ratio(share.optimizer.learning_rate(), self.base_rate)
    }

    /// The learning rates that a model begins with.
    fn control(&self, schedule: Option<Schedule>) -> Control {
        let shares = self.shares.iter().map(|share| share.optimizer.learning_rate()).collect();
        Control { rates: Rates { base: self.base_rate, shares, scale: 1.0, minimum: 0.0 }, schedule }
    }
}

fn ratio(rate: f32, base: f32) -> f32 {
    if rate == base { 1.0 } else { rate / base }
}

/// The update where several batches make one.
pub(super) struct Follower {
    pub plan: Plan,
    /// Batches.
    pub every: usize,
    /// The parameters and the state.
    pub tensors: Vec<Tensor>,
}

/// What became of a model's learning rates in its training.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Rates {
    /// The optimizer's, and those of each group.
    #[serde(with = "exact::single")]
    base: f32,
    #[serde(with = "exact::singles")]
    shares: Vec<f32>,
    /// What plateaus have left of a schedule's rates, and how low they may bring them.
    #[serde(with = "exact")]
    scale: f64,
    #[serde(with = "exact")]
    minimum: f64,
}

/// What decides on the learning rate of one model.
#[derive(Clone, Debug, PartialEq)]
struct Control {
    rates: Rates,
    schedule: Option<Schedule>,
}

impl Control {
    /// The learning rate of a step, counted from 0.
    fn rate(&self, step: u64) -> f32 {
        let Some(schedule) = &self.schedule else { return self.rates.base };
        let rate = schedule.rate(step);
        // Not below the least, unless the schedule itself goes there.
        (rate * self.rates.scale).max(self.rates.minimum.min(rate)) as f32
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
    /// Of each model.
    controls: Vec<Control>,
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
        if let Some(Follower { plan, every, tensors }) =
            update.follower(network, parameters.models, sweep.n_batches())?
        {
            let buffers = [&kept[PARAMETERS]].into_iter().chain(&kept[FIRST_OF_STATE..]);
            let given: Vec<_> = tensors.iter().map(|tensor| tensor.buffer).zip(buffers).collect();
            sweep.follow_each(every, device.compile(&plan, &given)?);
        }
        let device = device.clone();
        let controls = vec![update.control(schedule); parameters.models as usize];
        Ok(Updater { device, update, settings, rates, n_updates, average, controls })
    }

    /// Writes the learning rates of an epoch, whose number is counted from 1.
    pub(super) fn start_epoch(&mut self, epoch: usize) -> Result<()> {
        self.hide_average()?;
        let Some(rates) = &self.rates else { return Ok(()) };
        let first = (epoch - 1) * self.n_updates;
        let mut table: Vec<f32> = Vec::with_capacity(self.n_updates * self.controls.len());
        for (model, control) in self.controls.iter().enumerate() {
            match model.checked_sub(1).filter(|before| self.controls[*before] == *control) {
                Some(before) => table.extend_from_within(before * self.n_updates..model * self.n_updates),
                None => table.extend((first..first + self.n_updates).map(|step| control.rate(step as u64))),
            }
        }
        self.device.write(rates, 0, &table)
    }

    /// A model's learning rate of a batch of an epoch; both are counted from 1.
    pub(super) fn rate_of(&self, model: usize, epoch: usize, batch: usize) -> f32 {
        let update = batch.max(1).div_ceil(self.update.accumulate as usize);
        self.controls[model].rate(((epoch - 1) * self.n_updates + update - 1) as u64)
    }

    /// One learning rate of all models from the next epoch on, also in the place of a schedule. Each group keeps its
    /// multiple, and steps of relative length stay what they are.
    pub(super) fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        (0..self.controls.len()).try_for_each(|model| self.set_rate_of(model, rate))
    }

    fn set_rate_of(&mut self, model: usize, rate: f32) -> Result<()> {
        let Control { rates, schedule } = &mut self.controls[model];
        if self.rates.is_some() {
            (*schedule, rates.scale, rates.minimum) = (Some(Schedule::constant(rate.into())), 1.0, 0.0);
            return Ok(());
        }
        let shares = self.update.shares.iter().zip(&mut rates.shares).zip(&self.settings);
        for ((share, own), buffer) in shares.filter(|((share, _), _)| share.optimizer.has_learning_rate()) {
            *own = rate * ratio(*own, rates.base);
            let settings = share.optimizer.with_learning_rate(*own).settings();
            self.device.write(buffer, model * settings.len(), &settings)?;
        }
        rates.base = rate;
        Ok(())
    }

    /// Multiplies a model's learning rate from the next epoch on, of a schedule all rates, but not below `minimum`.
    /// Gives the optimizers' rate, where no schedule has another for each step.
    pub(super) fn reduce(&mut self, model: usize, factor: f64, minimum: f64) -> Result<Option<f32>> {
        let rates = &mut self.controls[model].rates;
        if self.rates.is_some() {
            (rates.scale, rates.minimum) = (rates.scale * factor, minimum);
            return Ok(None);
        }
        let rate = f64::from(rates.base);
        let reduced = (rate * factor).max(minimum.min(rate)) as f32;
        // Not so small that it is 0.
        let reduced = reduced.max(f32::MIN_POSITIVE.min(rates.base));
        self.set_rate_of(model, reduced)?;
        Ok(Some(reduced))
    }

    /// What became of each model's learning rates.
    pub(super) fn learning_rates(&self) -> impl Iterator<Item = &Rates> {
        self.controls.iter().map(|control| &control.rates)
    }

    /// Takes the learning rates up where another training left them; what stands on the device is for the caller to
    /// write. Whether there are as many as here.
    pub(super) fn restore(&mut self, rates: &[Rates]) -> bool {
        let fits = rates.len() == self.controls.len()
            && rates.iter().all(|rates| rates.shares.len() == self.update.shares.len());
        if fits {
            self.controls.iter_mut().zip(rates).for_each(|(control, rates)| control.rates = rates.clone());
        }
        fits
    }

    /// Puts the mean of the weights in their place, where there is one.
    pub(super) fn show_average(&mut self) -> Result<()> {
        self.average.as_mut().map_or(Ok(()), |average| average.show(&self.device))
    }

    /// Puts the weights back.
    pub(super) fn hide_average(&mut self) -> Result<()> {
        self.average.as_mut().map_or(Ok(()), |average| average.hide(&self.device))
    }

    /// Takes note that others have put the weights back.
    pub(super) fn forget_shown_average(&mut self) {
        if let Some(average) = &mut self.average {
            average.is_shown = false;
        }
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
    use std::borrow::Cow;

    use crate::data::{Dataset, Matrix, Targets};
    use crate::train::Group;
    use crate::train::learner::Learner;
    use crate::train::step::training_sweep;
    use crate::{Activation, Mlp, Optimizer};

    /// All that the sweep keeps after an epoch in parts of at most `limit` batches.
    fn kept(device: &Device, settings: &Settings, limit: usize) -> Vec<Vec<u32>> {
        let column = |factor: f32| (0..23).map(|i| factor * (i as f32 - 11.0) / 11.0).collect::<Vec<f32>>();
        let x = Matrix::new(23, 1, column(1.0)).expect("a column");
        let y = Targets::Values(Matrix::new(23, 1, column(-0.5)).expect("a column"));
        let data = Dataset::new(x, y).expect("as many targets as rows");
        let mlp = Mlp::new(device, &[1, 6, 1], Activation::Tanh, 1).expect("a network");
        let (mut sweep, mut updater) =
            training_sweep(device, mlp.network(), mlp.buffer(), Cow::Owned(data), &[Learner::of_all(1)], settings)
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
