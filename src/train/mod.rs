//! The training loop: epochs of recorded steps, measured on rows set aside.

mod trainer;

mod members;
mod stopping;

mod groups;
mod plateau;
mod schedule;

mod evaluate;
mod predict;

mod checkpoint;
mod preview;

mod course;
mod learner;
mod step;
mod sweep;
mod update;

mod blame;
mod exact;

use std::ops::ControlFlow;
use std::time::Duration;

pub use checkpoint::{Checkpoint, Save, Saving};
#[cfg(not(target_arch = "wasm32"))]
pub use evaluate::evaluate;
pub use evaluate::{Evaluation, Evaluator, Metric, evaluate_async};
pub use groups::Group;
#[cfg(not(target_arch = "wasm32"))]
pub use members::fit_members;
pub use members::{FittedMembers, Member, MembersEpoch, MembersTrainer};
pub use plateau::Plateau;
pub use predict::{Ensemble, predict_async, predict_each_member_async, predict_members_async};
#[cfg(not(target_arch = "wasm32"))]
pub use predict::{predict, predict_each_member, predict_members};
#[cfg(not(target_arch = "wasm32"))]
pub use preview::estimate_members;
pub use preview::{Estimate, Preview, PreviewBuffer, Purpose, estimate_members_async, preview_members};
pub use schedule::Schedule;
pub use stopping::{Best, Ended, Stopping};
pub use trainer::Trainer;

use crate::data::Dataset;
use crate::kernels::loss::{Loss, Reduction};
use crate::kernels::optimizer::{Clip, Optimizer};
use crate::nn::{Mlp, Network};
use crate::{Error, Result};
use course::Course;
use learner::Learner;

/// How to train. What is not said has its default:
///
/// ```
/// use nngpu::train::{Schedule, Settings};
///
/// let settings = Settings { epochs: 20, schedule: Some(Schedule::cosine(0.001, 2000)), ..Settings::default() };
/// settings.check()?;
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The rule that moves the weights. Default: Adam with a learning rate of 0.001.
    pub optimizer: Optimizer,
    /// Rows of a batch, at least 1; the last batch of an epoch may have fewer. Default 32.
    pub batch_size: usize,
    /// Times that every row is learned from, at least 1. Default 100.
    pub epochs: usize,
    /// Seed of the order of rows in each epoch. Default 0.
    pub seed: u64,
    /// What training makes small. Default: the one that fits the targets, [`Dataset::loss`].
    pub loss: Option<Loss>,
    /// How the loss values of a batch become one number, with weights of rows or classes. Default: their mean.
    pub reduction: Reduction,
    /// What the loss of a row of each class is multiplied with, where targets are classes. Default: nothing.
    pub class_weights: Option<Vec<f32>>,
    /// Parameters that other optimizers move; the first that fits a name counts. Default: none.
    pub groups: Vec<Group>,
    /// The learning rate of each update, in the place of the optimizer's. Default: the optimizer's throughout.
    pub schedule: Option<Schedule>,
    /// How gradients are kept from growing beyond all bounds, before each update. Default: not at all.
    pub clip: Option<Clip>,
    /// Batches whose gradients make one update, from 1 to 2^31: as if a batch had as many times the rows, but with
    /// the memory of one. Default 1.
    pub accumulate: usize,
    /// Fraction of a running mean of the weights kept at each update, in `[0, 1)`; the training then ends with that
    /// mean, and measures it. It begins with the first weights. Default: no mean.
    pub ema: Option<f32>,
    /// When the learning rate is reduced because the loss no longer falls. Default: never.
    pub plateau: Option<Plateau>,
    /// When it is stopped because the loss of the rows set aside no longer falls; it then ends with the best
    /// weights. Default: never, and with the last weights.
    pub stopping: Option<Stopping>,
    /// How long it may take in all, its validation included, also before it was resumed. It ends within a fifth of a
    /// second after the batch at which the time is over, so that only how far it came depends on the clock. A schedule
    /// does not know of it: the learning rate ends wherever the schedule is by then. Default: as long as it takes.
    pub max_time: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            optimizer: Optimizer::adam(0.001),
            batch_size: 32,
            epochs: 100,
            seed: 0,
            loss: None,
            reduction: Reduction::Mean,
            class_weights: None,
            groups: Vec::new(),
            schedule: None,
            clip: None,
            accumulate: 1,
            ema: None,
            plateau: None,
            stopping: None,
            max_time: None,
        }
    }
}

impl Settings {
    /// Checks every setting's range.
    ///
    /// # Errors
    ///
    /// A setting outside its range, by name.
    pub fn check(&self) -> Result<()> {
        let refuse = |name: &str, found: String, expected: &str| {
            Err(Error::Setting { name: name.into(), found, expected: expected.into() })
        };
        for (name, value) in [("batch size", self.batch_size), ("epochs", self.epochs)] {
            if value == 0 {
                return refuse(name, "0".into(), "a number of at least 1");
            }
        }
        if !(1..=1 << 31).contains(&self.accumulate) {
            return refuse("batches of an update", self.accumulate.to_string(), "a number from 1 to 2^31");
        }
        if self.accumulate > 1 && self.reduction != Reduction::Mean {
            let expected = "the mean, where several batches make one update";
            return refuse("reduction", format!("{:?}", self.reduction), expected);
        }
        self.optimizer.check()?;
        self.loss.map_or(Ok(()), Loss::check)?;
        self.groups.iter().try_for_each(|group| group.optimizer.check())?;
        self.schedule.as_ref().map_or(Ok(()), Schedule::check)?;
        self.clip.as_ref().map_or(Ok(()), Clip::check)?;
        self.plateau.as_ref().map_or(Ok(()), Plateau::check)?;
        self.stopping.as_ref().map_or(Ok(()), Stopping::check)?;
        if let Some(ema) = self.ema.filter(|ema| !(0.0..1.0).contains(ema)) {
            return refuse("fraction of the mean weights kept", ema.to_string(), "a number from 0 to below 1");
        }
        let optimizers = self.groups.iter().map(|group| group.optimizer).chain([self.optimizer]);
        let is_relative = optimizers.into_iter().any(|optimizer| !optimizer.has_learning_rate());
        if is_relative && (self.schedule.is_some() || self.plateau.is_some()) {
            let expected = "a learning rate for adafactor, without which no schedule or plateau can change it";
            return refuse("learning rate", "steps of relative length".into(), expected);
        }
        Ok(())
    }
}

/// What happens while training, told as it happens.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Some batches were done; told a few times a second.
    Batches {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Batches done in it.
        done: usize,
        /// Batches of an epoch.
        total: usize,
    },
    /// An epoch was done.
    Epoch(Epoch),
    /// An epoch of several members was done.
    Members(MembersEpoch),
}

/// How an epoch went.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean loss over its rows, each as it was when its batch was learned from.
    pub loss: f64,
    /// How the rows set aside are predicted after it.
    pub validation: Option<Evaluation>,
    /// How long it took, without the validation.
    pub elapsed: Duration,
}

/// How a training went.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Every epoch that was done.
    pub epochs: Vec<Epoch>,
    /// Whether the observer stopped it early.
    pub is_interrupted: bool,
    /// Why it ended.
    pub ended: Ended,
}

/// Trains `mlp` on `data` and gives how it went; the weights are then those after the last step, or with
/// [`Settings::stopping`] those of the best epoch.
///
/// The loss is the one that fits the targets, [`Dataset::loss`]. `observe` is told what happens;
/// it can stop the training by breaking. Same device, seed and data give the same weights, bit for
/// bit, however long each step takes. A [`Trainer`] takes single epochs.
///
/// # Errors
///
/// A setting outside its range, data that do not fit the network, or a loss that is no longer a
/// number: [`Error::NotFinite`] then names the first tensor that went wrong, and the weights are
/// those of the beginning of that epoch.
#[cfg(not(target_arch = "wasm32"))]
pub fn fit(
    mlp: &mut Mlp,
    data: &Dataset,
    validation: Option<&Dataset>,
    settings: &Settings,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<History> {
    pollster::block_on(fit_async(mlp, data, validation, settings, observe))
}

/// Trains as [`fit`] does, without blocking in a browser.
///
/// # Errors
///
/// As for [`fit`].
pub async fn fit_async(
    mlp: &mut Mlp,
    data: &Dataset,
    validation: Option<&Dataset>,
    settings: &Settings,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<History> {
    let (device, network) = (mlp.device().clone(), mlp.network().clone());
    let learners = vec![Learner::of_all(settings.seed)];
    let course = Course::new(&device, &network, mlp.buffer(), data.into(), learners, settings)?;
    let loss = settings.loss.unwrap_or(data.loss());
    let evaluator = validation.map(|validation| Evaluator::with_loss(mlp, validation, loss)).transpose()?;
    let mut trainer = MembersTrainer::over(course, mlp.buffer().clone(), evaluator, Default::default(), settings);
    let mut epochs = Vec::new();
    while let Some(MembersEpoch { epoch, losses, validation, elapsed, .. }) = trainer.epoch_async(observe).await? {
        let done = Epoch { epoch, loss: losses[0], validation: validation[0], elapsed };
        if observe(&Event::Epoch(done.clone())).is_break() {
            trainer.interrupt();
        }
        epochs.push(done);
    }
    trainer.show_best().await?;
    let ended = trainer.ended().expect("no epoch follows");
    Ok(History { epochs, is_interrupted: ended == Ended::Interrupted, ended })
}

fn check_fit(network: &Network, data: &Dataset, loss: Loss) -> Result<()> {
    let (inputs, outputs) = (network.inputs() as usize, network.outputs() as usize);
    let n_outputs = loss.n_outputs(data.n_outputs() as u32) as usize;
    if (data.features().columns(), n_outputs) == (inputs, outputs) {
        return Ok(());
    }
    Err(Error::Shape {
        operation: "data for the network".into(),
        found: format!("data with {} features and {} targets", data.features().columns(), data.n_outputs()),
        expected: format!("{inputs} and {outputs}, as the network has inputs and outputs"),
    })
}
