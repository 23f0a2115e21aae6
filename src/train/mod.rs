//! The training loop: epochs of recorded steps, measured on rows set aside.

mod trainer;

mod groups;
mod plateau;
mod schedule;

mod evaluate;
mod predict;

mod members;
mod stopping;

mod checkpoint;
mod preview;

mod blame;
mod sweep;
mod update;

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Duration;

pub use checkpoint::{Checkpoint, Saving};
pub use evaluate::{Evaluation, Evaluator, Metric, evaluate_async, predict_async};
#[cfg(not(target_arch = "wasm32"))]
pub use evaluate::{evaluate, predict};
pub use groups::Group;
pub use members::{Best, FittedMembers, Member, MembersEpoch, MembersTrainer, fit_members};
pub use plateau::Plateau;
pub use predict::{predict_each_member, predict_members};
pub use preview::{Estimate, Preview, PreviewBuffer, estimate_members, preview_members};
pub use schedule::Schedule;
pub use stopping::{Ended, Stopping};
pub use trainer::Trainer;

use crate::compute::{Buffer, Device, Plan, Tensor};
use crate::data::{Dataset, Targets};
use crate::kernels::batch::{Slot, record_tally};
use crate::kernels::dropout::record_count;
use crate::kernels::loss::{Criterion, Loss, LossOperands, Reduction, record_criterion};
use crate::kernels::optimizer::{Clip, Optimizer};
use crate::nn::{Fusion, Mlp, Network, Noise};
use crate::random::{Key, Purpose, Threefry};
use crate::{Error, Result};
use plateau::Watch;
use sweep::{Batch, Recorded, Sweep};
use update::{State, Update, Updater};

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
}

/// Trains `mlp` on `data` and gives how it went; the weights are then those after the last step.
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
    settings.check()?;
    let mut trainer = Trainer::with(mlp, data, settings)?;
    let loss = settings.loss.unwrap_or(data.loss());
    let mut evaluator = validation.map(|validation| Evaluator::with_loss(mlp, validation, loss)).transpose()?;
    let mut history = History { epochs: Vec::new(), is_interrupted: false };
    let mut watch = Watch::new();
    while history.epochs.len() < settings.epochs && !history.is_interrupted {
        let done = trainer.epoch_async(observe).await?;
        trainer.show_average()?;
        let Some(mut done) = done else {
            history.is_interrupted = true;
            break;
        };
        if let Some(evaluator) = &mut evaluator {
            done.validation = Some(evaluator.run_async().await?);
        }
        if let Some(plateau) = &settings.plateau {
            let loss = done.validation.map_or(done.loss, |validation| validation.loss);
            if watch.observe(plateau, loss) {
                trainer.reduce_learning_rate(plateau.factor, plateau.minimum)?;
            }
        }
        history.is_interrupted = observe(&Event::Epoch(done.clone())).is_break() && done.epoch < settings.epochs;
        history.epochs.push(done);
    }
    Ok(history)
}

/// Which kept tensor holds the weights.
const PARAMETERS: usize = 0;

/// Which kept tensor holds the loss of each batch.
const LOSSES: usize = 1;

/// Which kept tensor is the first of what the update keeps.
const FIRST_OF_STATE: usize = 2;

/// Records the step of training: gather, forward, loss, backward, update, count.
fn training_sweep<'a>(
    device: &Device,
    network: &Network,
    parameters: &Buffer,
    data: Cow<'a, Dataset>,
    settings: &Settings,
) -> Result<(Sweep<'a>, Updater)> {
    let objective = Objective::new(&data, settings)?;
    let update = Update::new(network, settings)?;
    let first = RefCell::new(None);
    let record = |plan: &mut Plan, batch: &Batch| {
        let (recorded, state, given) = record_step(plan, network, batch, &objective, &update, 1)?;
        first.borrow_mut().get_or_insert((state, given));
        Ok(recorded)
    };
    // The weights of rows go along as a last column of the features.
    let weights = data.weights().map(<[f32]>::to_vec);
    let (features, targets) = Dataset::parts(data);
    let features = weights.map_or(features.clone(), |weights| Cow::Owned(features.with_column(&weights)));
    let mut sweep = Sweep::new(device, features, Some(targets), settings.batch_size, 1, &[parameters], record)?;
    let (state, Given { noise, class_weights }) = first.take().expect("a step was recorded");
    let kept = |tensor: Tensor| {
        let position = sweep.kept_tensors().iter().position(|kept| kept.buffer == tensor.buffer);
        sweep.kept(position.expect("the sweep keeps what it is given"))
    };
    if let Some(noise) = noise {
        device.write(&kept(noise.keys), 0, &network.noise(settings.seed))?;
    }
    if let (Some(tensor), Some(values)) = (class_weights, &settings.class_weights) {
        device.write(&kept(tensor), 0, values)?;
    }
    let updater = Updater::new(device, network, update, &state, settings.schedule.clone(), &mut sweep)?;
    Ok((sweep, updater))
}

/// What training makes small.
struct Objective {
    criterion: Criterion,
    /// Whether a last column of the features holds the weight of each row.
    has_weights: bool,
    n_class_weights: Option<u32>,
}

impl Objective {
    fn new(data: &Dataset, settings: &Settings) -> Result<Objective> {
        let loss = settings.loss.unwrap_or(data.loss());
        if let Some(weights) = &settings.class_weights {
            let refuse =
                |found: String, expected: String| Err(Error::Setting { name: "class weights".into(), found, expected });
            let Targets::Classes(classes) = data.targets() else {
                return refuse(format!("{} of them", weights.len()), "none, for targets that are numbers".into());
            };
            if weights.len() != classes.names.len() {
                return refuse(
                    format!("{} of them", weights.len()),
                    format!("one for each of {}", classes.names.len()),
                );
            }
            if let Some(weight) = weights.iter().find(|weight| !(**weight >= 0.0 && weight.is_finite())) {
                return refuse(weight.to_string(), "numbers of at least 0".into());
            }
        }
        check_targets(data, loss)?;
        Ok(Objective {
            criterion: Criterion { loss, reduction: settings.reduction },
            has_weights: data.weights().is_some(),
            n_class_weights: settings.class_weights.as_ref().map(|weights| weights.len() as u32),
        })
    }
}

/// Refuses targets that a loss has no value for.
fn check_targets(data: &Dataset, loss: Loss) -> Result<()> {
    let (holds, expected): (fn(f32) -> bool, _) = match loss {
        Loss::Poisson | Loss::Tweedie { .. } => (|t| t >= 0.0, "a number of at least 0"),
        Loss::Gamma => (|t| t > 0.0, "a number above 0"),
        Loss::BinaryCrossEntropy | Loss::BinaryCrossEntropyOfProbabilities | Loss::BinaryFocal { .. } => {
            (|t| (0.0..=1.0).contains(&t), "a number from 0 to 1")
        }
        _ => return Ok(()),
    };
    let Targets::Values(values) = data.targets() else { return Ok(()) };
    match values.values().iter().position(|&value| !holds(value)) {
        None => Ok(()),
        Some(place) => Err(Error::Setting {
            name: format!("target of row {} (the first is 1)", place / values.columns() + 1),
            found: values.values()[place].to_string(),
            expected: format!("{expected} for the loss {loss}"),
        }),
    }
}

/// The tensors of a step that must be written before the first one.
struct Given {
    noise: Option<Noise>,
    class_weights: Option<Tensor>,
}

fn record_step(
    plan: &mut Plan,
    network: &Network,
    batch: &Batch,
    objective: &Objective,
    update: &Update,
    models: u32,
) -> Result<(Recorded, State, Given)> {
    let parameters = network.declare(plan, "parameters", models);
    let losses = plan.tensor("losses", models, 1, batch.n_batches);
    let state = update.declare(plan, network, models, batch.n_batches);
    let noise = network.declare_noise(plan, models);
    let class_weights = objective.n_class_weights.map(|count| plan.tensor("class weights", 1, 1, count));
    let kept = [parameters, losses].into_iter().chain(state.tensors());
    let kept = kept.chain(noise.into_iter().flat_map(|noise| [noise.keys, noise.step])).chain(class_weights).collect();

    let (x, weights) = match objective.has_weights {
        true => (batch.x.columns(0, batch.x.columns - 1), Some(batch.x.columns(batch.x.columns - 1, 1))),
        false => (batch.x, None),
    };
    let pass = network.record_training(plan, Fusion::Fused, noise, parameters, x)?;
    let output = pass.output();
    let loss = objective.criterion.loss;
    let [rows, columns] = loss.shape(output.rows, output.columns);
    let values = plan.tensor("loss values", models, rows, columns);
    let output_gradient = plan.tensor("output gradient", models, batch.rows, output.columns);
    let targets = batch.y.expect("training has targets");
    let operands = LossOperands { output, targets, weights, class_weights, values, gradient: output_gradient };
    record_criterion(plan, objective.criterion, operands)?;
    let gradients = network.declare(plan, "gradients", models);
    network.record_backward(plan, parameters, &pass, output_gradient, gradients)?;
    update.record_batch(plan, &state, batch, gradients, parameters)?;
    let slot = Slot { rows: batch.full_rows, advance: batch.rows };
    // Told as a mean, whatever is made small.
    record_tally(plan, Reduction::Mean.scale(rows, columns), values, batch.position, slot, losses)?;
    if let Some(noise) = noise {
        record_count(plan, noise.step, 1)?;
    }
    Ok((Recorded { kept, result: None }, state, Given { noise, class_weights }))
}

/// The order in which an epoch goes through the rows: computed from the seed and the epoch's
/// number alone.
fn order(seed: u64, epoch: usize, rows: usize) -> Vec<u32> {
    Threefry::new(Key::new(seed), Purpose::Shuffling, epoch as u64).permutation(rows as u32)
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
