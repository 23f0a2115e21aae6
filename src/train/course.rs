//! The epochs of a training of any number of models.

use std::borrow::Cow;
use std::ops::ControlFlow;

use web_time::{Duration, Instant};

use super::blame::{Fault, Snapshot, blame};
use super::learner::{Learner, orders};
use super::step::{LOSSES, PARAMETERS, training_sweep};
use super::stopping::Ended;
use super::sweep::Sweep;
use super::update::Updater;
use super::{Event, Settings, check_fit};
use crate::compute::Buffer;
use crate::data::Dataset;
use crate::nn::Network;
use crate::{Device, Result};

/// A training recorded and compiled once, then taken epoch by epoch.
#[derive(Debug)]
pub(super) struct Course<'a> {
    device: Device,
    network: Network,
    learners: Vec<Learner>,
    /// Rows of the data, of which each model learns from all or some.
    n_rows: usize,
    sweep: Sweep<'a>,
    updater: Updater,
    snapshot: Snapshot,
    pace: Pace,
    /// Epochs that were done, or broken off.
    n_epochs: usize,
}

/// How an epoch ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lap {
    /// All batches were done: the mean loss of each model over their rows, and how long it took.
    Done(Vec<f64>, Duration),
    /// Not all batches were done.
    BrokenOff(Ended),
}

impl<'a> Course<'a> {
    /// Records and compiles the training of the models whose weights lie in `parameters`, one after the other.
    pub(super) fn new(
        device: &Device,
        network: &Network,
        parameters: &Buffer,
        data: Cow<'a, Dataset>,
        learners: Vec<Learner>,
        settings: &Settings,
    ) -> Result<Course<'a>> {
        settings.check()?;
        check_fit(network, &data, settings.loss.unwrap_or(data.loss()))?;
        let n_rows = data.rows();
        let (sweep, updater) = training_sweep(device, network, parameters, data, &learners, settings)?;
        let snapshot = Snapshot::new(device, &sweep)?;
        let (device, network, pace) = (device.clone(), network.clone(), Pace::default());
        Ok(Course { device, network, learners, n_rows, sweep, updater, snapshot, pace, n_epochs: 0 })
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    pub(super) fn updater(&mut self) -> &mut Updater {
        &mut self.updater
    }

    /// Epochs that were done, or broken off.
    pub(super) fn n_epochs(&self) -> usize {
        self.n_epochs
    }

    pub(super) fn n_models(&self) -> usize {
        self.learners.len()
    }

    /// Batches of an epoch.
    pub(super) fn n_batches(&self) -> usize {
        self.sweep.n_batches()
    }

    /// A model's learning rate at the last update of the last epoch.
    pub(super) fn last_rate(&self, model: usize) -> f32 {
        self.updater.rate_of(model, self.n_epochs.max(1), self.n_batches())
    }

    /// Learns from every row once, until `observe` breaks it off or it is `deadline`. The losses and weights of models
    /// that are not `considered` may be no numbers; where another's are not, the state is that of the beginning of
    /// the epoch.
    pub(super) async fn epoch(
        &mut self,
        deadline: Option<Instant>,
        is_considered: &dyn Fn(usize) -> bool,
        observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Lap> {
        let (epoch, start) = (self.n_epochs + 1, Instant::now());
        self.updater.start_epoch(epoch)?;
        self.snapshot.save(&self.device)?;
        self.sweep.start(self.orders(epoch))?;
        let total = self.n_batches();
        let mut ended = None;
        while ended.is_none() && self.part().await? > 0 {
            let done = self.sweep.done();
            if observe(&Event::Batches { epoch, done, total }).is_break() {
                ended = Some(Ended::Interrupted);
            } else if done < total && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                ended = Some(Ended::Time);
            }
        }
        let losses = self.losses(epoch, is_considered).await?;
        self.n_epochs = epoch;
        Ok(ended.map_or(Lap::Done(losses, start.elapsed()), Lap::BrokenOff))
    }

    /// Runs steps for about as long as `limit`; gives how many, and how long they took. Only copies should be so
    /// measured.
    pub(super) async fn measure(&mut self, limit: Duration) -> Result<(usize, Duration)> {
        self.updater.start_epoch(1)?;
        self.sweep.start(self.orders(1))?;
        self.sweep.measure(limit).await
    }

    /// The state as it was at the beginning of the last epoch, which then counts for nothing.
    pub(super) fn rewind(&mut self) -> Result<()> {
        self.snapshot.restore(&self.device)?;
        self.updater.forget_shown_average();
        self.n_epochs -= 1;
        Ok(())
    }

    /// Everything that lives on from step to step: its name, and its words.
    pub(super) async fn state(&mut self) -> Result<Vec<(String, Vec<u32>)>> {
        self.updater.hide_average()?;
        let mut state = Vec::new();
        for index in 0..self.sweep.kept_tensors().len() {
            let buffer = self.sweep.kept(index);
            state.push((buffer.label().to_string(), self.device.read_async(&buffer).await?));
        }
        self.updater.show_average()?;
        Ok(state)
    }

    /// Takes up the state of another such training after `n_epochs`. The names and lengths must be those of
    /// [`Course::state`]; what does not fit is told.
    pub(super) fn restore(&mut self, state: &[(String, Vec<u32>)], n_epochs: usize) -> Result<Result<(), String>> {
        let kept: Vec<Buffer> = (0..self.sweep.kept_tensors().len()).map(|index| self.sweep.kept(index)).collect();
        if kept.len() != state.len() {
            return Ok(Err(format!("found {} tensors, expected {}", state.len(), kept.len())));
        }
        for (buffer, (name, words)) in kept.iter().zip(state) {
            let (expected, length) = (buffer.label(), buffer.len());
            if (name.as_str(), words.len()) != (expected, length) {
                let found = format!("found `{name}` of {} elements", words.len());
                return Ok(Err(format!("{found}, expected `{expected}` of {length}")));
            }
        }
        self.updater.hide_average()?;
        for (buffer, (_, words)) in kept.iter().zip(state) {
            self.device.write(buffer, 0, words)?;
        }
        self.n_epochs = n_epochs;
        self.updater.show_average()?;
        Ok(Ok(()))
    }

    fn orders(&self, epoch: usize) -> Vec<u32> {
        orders(&self.learners, self.sweep.is_own(), epoch, self.n_rows, self.sweep.n_rows())
    }

    /// Some of the batches that remain; gives how many, 0 at the end.
    async fn part(&mut self) -> Result<usize> {
        let start = Instant::now();
        let count = self.sweep.advance(self.pace.limit).await?;
        self.device.wait_async().await?;
        self.pace.adjust(count, start.elapsed());
        Ok(count)
    }

    /// The mean loss of each model over the rows of the batches that were done, if all that was computed for those
    /// that count are numbers.
    async fn losses(&mut self, epoch: usize, is_considered: &dyn Fn(usize) -> bool) -> Result<Vec<f64>> {
        let losses: Vec<f32> = self.device.read_async(&self.sweep.kept(LOSSES)).await?;
        let weights: Vec<f32> = self.device.read_async(&self.sweep.kept(PARAMETERS)).await?;
        let (total, done) = (self.sweep.n_batches(), self.sweep.done());
        let of_model = |model: usize| &losses[model * total..][..done];
        let weights_of_model = weights.chunks_exact(self.network.length() as usize);
        let faults = weights_of_model.enumerate().filter(|(model, _)| is_considered(*model));
        let faults = faults.filter_map(|(model, weights)| {
            // A loss tells of the weights before its step; after the last step, the weights must.
            let is_spoiled = !weights.iter().all(|value| value.is_finite());
            let wrong = of_model(model).iter().position(|loss| !loss.is_finite());
            wrong.or(is_spoiled.then_some(done)).map(|batch| Fault { model, epoch, batch })
        });
        if let Some(fault) = faults.min_by_key(|fault| fault.batch) {
            self.snapshot.restore(&self.device)?;
            let orders = self.orders(epoch);
            let found = blame(&self.device, &mut self.sweep, orders, fault, &self.network).await?;
            self.snapshot.restore(&self.device)?;
            let step = (epoch - 1) * total + found.step;
            let rate = self.updater.rate_of(fault.model, epoch, found.step);
            let member = (self.learners.len() > 1).then_some(fault.model);
            return Err(found.into_error(member, step as u64, epoch as u64, rate));
        }
        let mean = |model: usize| {
            let rows = |batch| self.sweep.batch_rows(batch) as f64;
            let weighted = of_model(model).iter().enumerate().map(|(batch, loss)| f64::from(*loss) * rows(batch));
            weighted.sum::<f64>() / self.sweep.n_rows() as f64
        };
        Ok((0..self.learners.len()).map(mean).collect())
    }
}

/// Sizes the parts of an epoch so that the observer hears about ten times a second. Only when it
/// is told depends on the clock.
#[derive(Debug)]
struct Pace {
    limit: usize,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { limit: 1 }
    }
}

impl Pace {
    fn adjust(&mut self, count: usize, elapsed: Duration) {
        if elapsed > Duration::from_millis(150) {
            self.limit = (self.limit / 2).max(1);
        } else if elapsed < Duration::from_millis(60) && count == self.limit {
            self.limit *= 2;
        }
    }
}
