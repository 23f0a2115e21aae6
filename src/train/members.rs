//! Several models of one shape that learn at once, in one program.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use web_time::{Duration, Instant};

use super::checkpoint::{Checkpoint, Identity, Progress, Saving};
use super::course::{Course, Lap};
use super::evaluate::{Evaluator, record_evaluation};
use super::exact;
use super::learner::Learner;
use super::plateau::Watch;
use super::stopping::{Best, Ended, Standing};
use super::{Evaluation, Event, Settings};
use crate::compute::Buffer;
use crate::compute::plan::MAX_MODELS;
use crate::data::Dataset;
use crate::nn::{Initial, Network};
use crate::{Device, Error, Result};

/// One model of several: on which rows of the data it learns, and on which it is measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Seed of its first weights, of its order of rows in each epoch, and of what dropout drops.
    pub seed: u64,
    /// Rows of the data that it learns from, counted from 0, at least one; a row may be there several times.
    pub train: Vec<u32>,
    /// Rows of the data that it is measured on after each epoch, counted from 0; none where it is not.
    pub validation: Vec<u32>,
}

/// How an epoch of several members went; every list has an element for each member.
///
/// As JSON, numbers that are infinite or none stand as the texts `inf`, `-inf` and `NaN`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MembersEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean loss over the rows that each learned from, each as it was when its batch was learned from.
    #[serde(with = "exact::list")]
    pub losses: Vec<f64>,
    /// How each predicts its rows set aside after the epoch.
    pub validation: Vec<Option<Evaluation>>,
    /// The epoch of the lowest validation loss so far, and that loss.
    pub best: Vec<Option<Best>>,
    /// Whether patience with it is over.
    pub is_out: Vec<bool>,
    /// The learning rate of the epoch's last update.
    #[serde(with = "exact::singles")]
    pub learning_rates: Vec<f32>,
    /// How long it took, without the validation.
    pub elapsed: Duration,
}

/// What came of a training of several members.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedMembers {
    /// The weights, members one after the other, each laid out as [`Network::parameters`] tells.
    pub values: Vec<f32>,
    /// Every epoch that was done, also before it was resumed.
    pub epochs: Vec<MembersEpoch>,
    /// The epoch that each member's weights are of; none where they are those after the last step.
    pub best_epochs: Vec<Option<usize>>,
    /// Why it ended.
    pub ended: Ended,
    /// How long it took in all, also before it was resumed.
    pub elapsed: Duration,
}

/// A training of several members recorded and compiled once, then taken epoch by epoch: what [`fit_members`] does in
/// a loop. It can go on from a [`Checkpoint`].
///
/// Every kernel of a step computes all members at once, each with weights, rows, dropout, learning rate and optimizer
/// of its own, so that each learns what it would learn alone.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use nngpu::data::{Dataset, Matrix, Targets};
/// use nngpu::nn::Initial;
/// use nngpu::train::{Ended, Member, MembersTrainer, Settings};
/// use nngpu::{Activation, Device, Network};
///
/// let x = Matrix::new(4, 1, vec![-1.0, 0.0, 1.0, 2.0])?;
/// let y = Matrix::new(4, 1, vec![-2.0, 0.0, 2.0, 4.0])?;
/// let data = Dataset::new(x, Targets::Values(y))?;
/// let network = Network::new(&[1, 1], Activation::Identity)?;
/// // Two folds.
/// let members = [
///     Member { seed: 1, train: vec![0, 1], validation: vec![2, 3] },
///     Member { seed: 2, train: vec![2, 3], validation: vec![0, 1] },
/// ];
/// let settings = Settings { epochs: 3, ..Settings::default() };
/// let mut trainer = MembersTrainer::new(&Device::cpu(), &network, &Initial::default(), &data, &members, &settings)?;
/// let fitted = trainer.fit(None, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!((fitted.epochs.len(), fitted.ended), (3, Ended::Epochs));
/// assert_eq!(fitted.values.len(), 2 * network.length() as usize);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Debug)]
pub struct MembersTrainer<'a> {
    course: Course<'a>,
    parameters: Buffer,
    evaluator: Option<Evaluator<'a>>,
    settings: Settings,
    identity: Identity,
    /// Of each member.
    watches: Vec<Watch>,
    standings: Vec<Standing>,
    epochs: Vec<MembersEpoch>,
    start: Instant,
    /// How long it took before it was resumed.
    before: Duration,
    ended: Option<Ended>,
    /// Whether the state is somewhere within an epoch.
    is_broken_off: bool,
}

impl<'a> MembersTrainer<'a> {
    /// Records and compiles the training of `members`, whose first weights are drawn by `initial` and their seeds, on
    /// rows of `data`, borrowed or its own. The seed of the settings counts for nothing.
    ///
    /// An epoch has as many rows as the longest list of rows to learn from; behind its end, a shorter list begins
    /// again at the front of the epoch's order. Members whose data do not fit on the device at once must learn from
    /// the same rows, through which all then go in the order of the first, and be measured on the same.
    ///
    /// # Errors
    ///
    /// A setting outside its range, data that do not fit the network, no members, a member without rows to learn from
    /// or with rows that the data do not have, data that must fit on the device and do not.
    pub fn new(
        device: &Device,
        network: &Network,
        initial: &Initial,
        data: impl Into<Cow<'a, Dataset>>,
        members: &[Member],
        settings: &Settings,
    ) -> Result<MembersTrainer<'a>> {
        let data = data.into();
        let learners = learners(members, data.rows())?;
        let parameters = device.allocate("parameters", network.length() as usize * members.len())?;
        for (index, member) in members.iter().enumerate() {
            let values = network.initial_by(initial, member.seed)?;
            device.write(&parameters, index * values.len(), &values)?;
        }
        let loss = settings.loss.unwrap_or(data.loss());
        let course = Course::new(device, network, &parameters, data.clone(), learners, settings)?;
        let evaluator = match validation_of(members, data)? {
            None => None,
            Some(validation) => {
                let (models, rows) = (members.len(), validation.rows.as_deref());
                // Smoothing belongs to learning; what is told of rows set aside is the loss itself.
                let loss = loss.unsmoothed();
                let steps = record_evaluation(device, network, validation.data, loss, models, rows)?;
                Some(steps.compile(device, &parameters)?)
            }
        };
        let identity = Identity::new(network, members, settings);
        Ok(MembersTrainer::over(course, parameters, evaluator, identity, settings))
    }

    /// A training whose weights lie in `parameters`, measured by `evaluator`.
    pub(super) fn over(
        course: Course<'a>,
        parameters: Buffer,
        evaluator: Option<Evaluator<'a>>,
        identity: Identity,
        settings: &Settings,
    ) -> MembersTrainer<'a> {
        let models = course.n_models();
        MembersTrainer {
            course,
            parameters,
            evaluator,
            settings: settings.clone(),
            identity,
            watches: vec![Watch::new(); models],
            standings: vec![Standing::default(); models],
            epochs: Vec::new(),
            start: Instant::now(),
            before: Duration::ZERO,
            ended: None,
            is_broken_off: false,
        }
    }

    /// Goes on where a checkpoint was made: everything that follows has the same bytes as if the training had never
    /// stopped, on the same device. The settings may have other epochs, time, patience and schedule than before; a
    /// step is the same number of them as it would have been.
    ///
    /// # Errors
    ///
    /// A checkpoint of another network, of other members, or of other settings; a lost device.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let refuse = |problem: String| Error::Setting {
            name: "checkpoint".into(),
            found: problem,
            expected: "what this training was begun with; use the same data and settings, or begin anew".into(),
        };
        let Progress { identity, rates, watches, standings, epochs, elapsed } = &checkpoint.progress;
        self.identity.compare(identity).map_err(refuse)?;
        let models = self.course.n_models();
        checkpoint.check_counts(models).map_err(refuse)?;
        let length = self.parameters.len() / models;
        if let Some(other) = checkpoint.best.iter().flatten().find(|values| values.len() != length) {
            return Err(refuse(format!("{} best weights, expected {length}", other.len())));
        }
        self.course.restore(&checkpoint.state, epochs.len())?.map_err(refuse)?;
        if !self.course.updater().restore(rates) {
            return Err(refuse("learning rates of other groups".into()));
        }
        self.watches.clone_from(watches);
        self.standings.clone_from(standings);
        for (standing, weights) in self.standings.iter_mut().zip(&checkpoint.best) {
            standing.weights.clone_from(weights);
        }
        self.epochs.clone_from(epochs);
        (self.before, self.start) = (*elapsed, Instant::now());
        self.is_broken_off = false;
        self.ended = self.reason();
        Ok(())
    }

    /// Learns from every row once, measures, and tells how it went; nothing where the training ended before, or
    /// within the epoch. [`MembersTrainer::ended`] then tells why.
    ///
    /// `observe` is told [`Event::Batches`].
    ///
    /// # Errors
    ///
    /// A loss or weights that are no longer numbers, of a member with which patience is not over; a lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn epoch(&mut self, observe: &mut dyn FnMut(&Event) -> ControlFlow<()>) -> Result<Option<MembersEpoch>> {
        pollster::block_on(self.epoch_async(observe))
    }

    /// Learns as [`MembersTrainer::epoch`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`MembersTrainer::epoch`].
    pub async fn epoch_async(
        &mut self,
        observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Option<MembersEpoch>> {
        if self.ended.is_some() {
            return Ok(None);
        }
        let (deadline, standings) = (self.deadline(), &self.standings);
        let lap = self.course.epoch(deadline, &|member| !standings[member].is_out, observe).await?;
        self.course.updater().show_average()?;
        let (losses, elapsed) = match lap {
            Lap::Done(losses, elapsed) => (losses, elapsed),
            Lap::BrokenOff(ended) => {
                (self.is_broken_off, self.ended) = (true, Some(ended));
                return Ok(None);
            }
        };
        let validation = match &mut self.evaluator {
            Some(evaluator) => evaluator.run_all().await?,
            None => vec![None; losses.len()],
        };
        let learning_rates = (0..losses.len()).map(|member| self.course.last_rate(member)).collect();
        self.take_note(&validation).await?;
        if let Some(plateau) = self.settings.plateau {
            for (member, watch) in self.watches.iter_mut().enumerate() {
                let loss = validation[member].map_or(losses[member], |validation| validation.loss);
                if watch.observe(&plateau, loss) {
                    self.course.updater().reduce(member, plateau.factor, plateau.minimum)?;
                }
            }
        }
        let done = MembersEpoch {
            epoch: self.course.n_epochs(),
            losses,
            validation,
            best: self.standings.iter().map(|standing| standing.best).collect(),
            is_out: self.standings.iter().map(|standing| standing.is_out).collect(),
            learning_rates,
            elapsed,
        };
        self.epochs.push(done.clone());
        self.ended = self.reason();
        Ok(Some(done))
    }

    /// Keeps the weights of the members that have become better.
    async fn take_note(&mut self, validation: &[Option<Evaluation>]) -> Result<()> {
        let (epoch, stopping) = (self.course.n_epochs(), self.settings.stopping);
        let mut better = Vec::new();
        for (member, (standing, validation)) in self.standings.iter_mut().zip(validation).enumerate() {
            let Some(validation) = validation else { continue };
            if standing.observe(stopping.as_ref(), epoch, validation.loss) && stopping.is_some() {
                better.push(member);
            }
        }
        if !better.is_empty() {
            let values: Vec<f32> = self.course.device().read_async(&self.parameters).await?;
            let length = values.len() / self.standings.len();
            for member in better {
                let own = &values[member * length..][..length];
                match &mut self.standings[member].weights {
                    Some(weights) => weights.copy_from_slice(own),
                    none => *none = Some(own.to_vec()),
                }
            }
        }
        Ok(())
    }

    /// Runs steps on the state as it is, without regard to it, for about as long as `limit` each for learning and
    /// measuring; gives how long an epoch takes, and how many steps told so.
    pub(super) async fn measure(&mut self, limit: Duration) -> Result<(Duration, usize)> {
        let all = |(n_steps, elapsed): (usize, Duration), n_all: usize| elapsed.mul_f64(n_all as f64 / n_steps as f64);
        let learning = self.course.measure(limit).await?;
        let mut epoch = all(learning, self.n_batches());
        if let Some(evaluator) = &mut self.evaluator {
            let (n_steps, elapsed, n_all) = evaluator.measure(limit).await?;
            epoch += all((n_steps, elapsed), n_all);
        }
        Ok((epoch, learning.0))
    }

    /// Why the training has ended, once it has.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Ends the training.
    pub(super) fn interrupt(&mut self) {
        self.ended = self.ended.or(Some(Ended::Interrupted));
    }

    /// Every epoch that was done, also before it was resumed.
    pub fn epochs(&self) -> &[MembersEpoch] {
        &self.epochs
    }

    /// Batches of an epoch.
    pub fn n_batches(&self) -> usize {
        self.course.n_batches()
    }

    /// How long it has taken in all, also before it was resumed.
    pub fn elapsed(&self) -> Duration {
        self.before.saturating_add(self.start.elapsed())
    }

    fn deadline(&self) -> Option<Instant> {
        let left = self.settings.max_time?.saturating_sub(self.before);
        // Beyond what a clock can show, there is no end.
        self.start.checked_add(left)
    }

    /// Whether no epoch is to follow the last one, and why.
    fn reason(&self) -> Option<Ended> {
        if self.settings.stopping.is_some() && self.standings.iter().all(|standing| standing.is_out) {
            Some(Ended::Patience)
        } else if self.epochs.len() >= self.settings.epochs {
            Some(Ended::Epochs)
        } else if !self.epochs.is_empty() && self.settings.max_time.is_some_and(|limit| self.elapsed() >= limit) {
            Some(Ended::Time)
        } else {
            None
        }
    }

    /// The weights that a training that ended now would end with, members one after the other: where
    /// [`Settings::stopping`] asks for them those of each member's best epoch, else those after the last step.
    ///
    /// # Errors
    ///
    /// A lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn values(&self) -> Result<Vec<f32>> {
        pollster::block_on(self.values_async())
    }

    /// The weights as [`MembersTrainer::values`] gives them, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub async fn values_async(&self) -> Result<Vec<f32>> {
        let mut values: Vec<f32> = self.course.device().read_async(&self.parameters).await?;
        let length = values.len() / self.standings.len();
        for (own, standing) in values.chunks_exact_mut(length).zip(&self.standings) {
            if let Some(weights) = &standing.weights {
                own.copy_from_slice(weights);
            }
        }
        Ok(values)
    }

    /// Puts the best weights in their place, where they are kept.
    pub(super) async fn show_best(&mut self) -> Result<()> {
        if self.standings.iter().any(|standing| standing.weights.is_some()) {
            let values = self.values_async().await?;
            self.course.device().write(&self.parameters, 0, &values)?;
        }
        Ok(())
    }

    /// Everything that is needed to go on from the end of the last whole epoch: what was learned in one that was
    /// broken off is dropped, also here. `context` is the caller's own: its configuration, a hash of its data.
    ///
    /// # Errors
    ///
    /// A lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn checkpoint(&mut self, context: serde_json::Value) -> Result<Checkpoint> {
        pollster::block_on(self.checkpoint_async(context))
    }

    /// Makes a checkpoint as [`MembersTrainer::checkpoint`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub async fn checkpoint_async(&mut self, context: serde_json::Value) -> Result<Checkpoint> {
        if std::mem::replace(&mut self.is_broken_off, false) {
            self.course.rewind()?;
        }
        let progress = Progress {
            identity: self.identity.clone(),
            rates: self.course.updater().learning_rates().cloned().collect(),
            watches: self.watches.clone(),
            standings: self.standings.iter().map(Standing::without_weights).collect(),
            epochs: self.epochs.clone(),
            elapsed: self.elapsed(),
        };
        let best = self.standings.iter().map(|standing| standing.weights.clone()).collect();
        Ok(Checkpoint { context, progress, state: self.course.state().await?, best })
    }

    /// Takes epochs until the training ends. Where `saving` is given, checkpoints are made as it says.
    ///
    /// `observe` is told [`Event::Batches`] and [`Event::Members`]; it can stop the training by breaking. After an
    /// error the weights so far are still there: [`MembersTrainer::values`].
    ///
    /// # Errors
    ///
    /// As for [`MembersTrainer::epoch`], and a checkpoint that cannot be saved.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fit(
        &mut self,
        saving: Option<&mut Saving<'_>>,
        observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<FittedMembers> {
        pollster::block_on(self.fit_async(saving, observe))
    }

    /// Takes epochs as [`MembersTrainer::fit`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`MembersTrainer::fit`].
    pub async fn fit_async(
        &mut self,
        mut saving: Option<&mut Saving<'_>>,
        observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<FittedMembers> {
        let mut saved = Instant::now();
        while let Some(done) = self.epoch_async(observe).await? {
            if observe(&Event::Members(done)).is_break() {
                self.interrupt();
            }
            if let Some(saving) = &mut saving
                && self.ended.is_none()
                && saved.elapsed() >= saving.every
            {
                (saving.save)(&self.checkpoint_async(saving.context.clone()).await?)?;
                saved = Instant::now();
            }
        }
        let fitted = FittedMembers {
            values: self.values_async().await?,
            epochs: self.epochs.clone(),
            best_epochs: self.standings.iter().map(Standing::restored_epoch).collect(),
            ended: self.ended.expect("no epoch follows"),
            elapsed: self.elapsed(),
        };
        // Last, for it drops what an epoch that was broken off has learned.
        if let Some(saving) = saving {
            (saving.save)(&self.checkpoint_async(saving.context.clone()).await?)?;
        }
        Ok(fitted)
    }
}

/// Trains several members at once, as [`MembersTrainer`] tells, and gives their weights with how it went.
///
/// `observe` is told [`Event::Batches`] and [`Event::Members`]; it can stop the training by breaking. With
/// [`Settings::stopping`] the weights are always those of each member's best epoch.
///
/// # Errors
///
/// A setting outside its range, data that do not fit the network, a member without rows to learn from or with rows
/// that the data do not have, a loss that is no longer a number: [`Error::NotFinite`] then names the member.
#[cfg(not(target_arch = "wasm32"))]
pub fn fit_members(
    device: &Device,
    network: &Network,
    initial: &Initial,
    data: &Dataset,
    members: &[Member],
    settings: &Settings,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<FittedMembers> {
    MembersTrainer::new(device, network, initial, data, members, settings)?.fit(None, observe)
}

/// What each member learns from, if the data have those rows.
pub(super) fn learners(members: &[Member], n_rows: usize) -> Result<Vec<Learner>> {
    let refuse = |name: String, found: String, expected: String| Err(Error::Setting { name, found, expected });
    if members.is_empty() || members.len() > MAX_MODELS as usize {
        return refuse("members".into(), members.len().to_string(), format!("1 to {MAX_MODELS} of them"));
    }
    for (index, member) in members.iter().enumerate() {
        let name = |what: &str| format!("{what} of member {}", index + 1);
        if member.train.is_empty() {
            return refuse(name("rows to learn from"), "none".into(), "at least one".into());
        }
        for (what, rows) in [("rows to learn from", &member.train), ("rows set aside", &member.validation)] {
            if u32::try_from(rows.len()).is_err() {
                return refuse(name(what), format!("{} of them", rows.len()), "fewer than 2^32".into());
            }
            if let Some(row) = rows.iter().find(|row| **row as usize >= n_rows) {
                let expected = format!("rows below {n_rows}, the number of rows of the data");
                return refuse(name(what), format!("row {row}"), expected);
            }
        }
    }
    let is_all = |rows: &[u32]| rows.len() == n_rows && rows.iter().enumerate().all(|(i, row)| *row as usize == i);
    let learner = |member: &Member| {
        let rows = (!is_all(&member.train)).then(|| member.train.clone());
        Learner { seed: member.seed, rows }
    };
    Ok(members.iter().map(learner).collect())
}

/// What members are measured on.
pub(super) struct Validation<'a, 'm> {
    pub data: Cow<'a, Dataset>,
    /// Of each member; none for all of the data.
    pub rows: Option<Vec<&'m [u32]>>,
}

/// What members are measured on; nothing where none is.
pub(super) fn validation_of<'a, 'm>(
    members: &'m [Member],
    data: Cow<'a, Dataset>,
) -> Result<Option<Validation<'a, 'm>>> {
    let first = &members[0].validation;
    if members.iter().all(|member| member.validation.is_empty()) {
        return Ok(None);
    }
    if members.iter().all(|member| member.validation == *first) {
        // The same rows for all are data of their own, of which the device holds no others.
        return Ok(Some(Validation { data: Cow::Owned(data.select_rows(first)?), rows: None }));
    }
    let rows = members.iter().map(|member| member.validation.as_slice()).collect();
    Ok(Some(Validation { data, rows: Some(rows) }))
}
