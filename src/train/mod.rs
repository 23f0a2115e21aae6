//! The training loop: epochs of recorded steps, measured on rows set aside.

mod blame;
mod evaluate;
mod sweep;
mod trainer;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::Duration;

pub use evaluate::{Evaluation, Evaluator, Metric, evaluate_async, predict_async};
#[cfg(not(target_arch = "wasm32"))]
pub use evaluate::{evaluate, predict};
pub use trainer::Trainer;

use crate::compute::{Buffer, Device, Plan};
use crate::data::Dataset;
use crate::kernels::batch::{Slot, record_tally};
use crate::kernels::loss::{Loss, record_loss};
use crate::kernels::optimizer::{Optimizer, OptimizerState, record_update};
use crate::nn::{Fusion, Mlp, Network};
use crate::random::{Key, Purpose, Threefry};
use crate::{Error, Result};
use sweep::{Batch, Recorded, Sweep};

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The rule that moves the weights.
    pub optimizer: Optimizer,
    /// Rows of a batch, at least 1; the last batch of an epoch may have fewer.
    pub batch_size: usize,
    /// Times that every row is learned from, at least 1.
    pub epochs: usize,
    /// Seed of the order of rows in each epoch.
    pub seed: u64,
}

impl Settings {
    /// Checks every setting's range.
    ///
    /// # Errors
    ///
    /// A setting outside its range, by name.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("batch size", self.batch_size), ("epochs", self.epochs)] {
            if value == 0 {
                let (found, expected) = ("0".into(), "a number of at least 1".into());
                return Err(Error::Setting { name: name.into(), found, expected });
            }
        }
        self.optimizer.check()
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
    let Settings { optimizer, batch_size, epochs, seed } = *settings;
    let mut trainer = Trainer::new(mlp, data, optimizer, batch_size, seed)?;
    let mut evaluator = validation.map(|validation| Evaluator::new(mlp, validation)).transpose()?;
    let mut history = History { epochs: Vec::new(), is_interrupted: false };
    while history.epochs.len() < epochs && !history.is_interrupted {
        let Some(mut done) = trainer.epoch_async(observe).await? else {
            history.is_interrupted = true;
            break;
        };
        if let Some(evaluator) = &mut evaluator {
            done.validation = Some(evaluator.run_async().await?);
        }
        history.is_interrupted = observe(&Event::Epoch(done.clone())).is_break() && done.epoch < epochs;
        history.epochs.push(done);
    }
    Ok(history)
}

/// Which kept tensor holds the loss of each batch.
const LOSSES: usize = 1;

/// Records the step of training: gather, forward, loss, backward, update, count.
fn training_sweep<'a>(
    device: &Device,
    network: &Network,
    parameters: &Buffer,
    data: Cow<'a, Dataset>,
    optimizer: &Optimizer,
    batch_size: usize,
) -> Result<Sweep<'a>> {
    let loss = data.loss();
    let record = |plan: &mut Plan, batch: &Batch| record_step(plan, network, batch, loss, optimizer, 1);
    let (features, targets) = Dataset::parts(data);
    let sweep = Sweep::new(device, features, Some(targets), batch_size, 1, &[parameters], record)?;
    device.write(&sweep.kept(SETTINGS), 0, &optimizer.settings())?;
    if matches!(optimizer, Optimizer::Adam { .. }) {
        device.write(&sweep.kept(POWERS), 0, &[1.0f32, 1.0])?;
    }
    Ok(sweep)
}

const SETTINGS: usize = 2;
/// After Adam's two moments.
const POWERS: usize = 5;

fn record_step(
    plan: &mut Plan,
    network: &Network,
    batch: &Batch,
    loss: Loss,
    optimizer: &Optimizer,
    models: u32,
) -> Result<Recorded> {
    let parameters = network.declare(plan, "parameters", models);
    let losses = plan.tensor("losses", models, 1, batch.n_batches);
    let state = OptimizerState::declare(plan, optimizer, models, network.length());
    let kept =
        [parameters, losses, state.settings].into_iter().chain(state.moments.iter().copied()).chain(state.powers);
    let kept = kept.collect();

    let noise = network.declare_noise(plan, models);
    let pass = network.record_training(plan, Fusion::Fused, noise, parameters, batch.x)?;
    let output = pass.output();
    let row_losses = plan.tensor("row losses", models, batch.rows, 1);
    let output_gradient = plan.tensor("output gradient", models, batch.rows, output.columns);
    let targets = batch.y.expect("training has targets");
    record_loss(plan, loss, output, targets, row_losses, output_gradient)?;
    let gradients = network.declare(plan, "gradients", models);
    network.record_backward(plan, parameters, &pass, output_gradient, gradients)?;
    record_update(plan, optimizer, &state, gradients, parameters)?;
    let slot = Slot { rows: batch.full_rows, advance: batch.rows };
    record_tally(plan, 1.0 / batch.rows as f32, row_losses, batch.position, slot, losses)?;
    Ok(Recorded { kept, result: None })
}

/// The order in which an epoch goes through the rows: computed from the seed and the epoch's
/// number alone.
fn order(seed: u64, epoch: usize, rows: usize) -> Vec<u32> {
    Threefry::new(Key::new(seed), Purpose::Shuffling, epoch as u64).permutation(rows as u32)
}

fn check_fit(network: &Network, data: &Dataset) -> Result<()> {
    let (inputs, outputs) = (network.inputs() as usize, network.outputs() as usize);
    if (data.features().columns(), data.n_outputs()) == (inputs, outputs) {
        return Ok(());
    }
    Err(Error::Shape {
        operation: "data for the network".into(),
        found: format!("data with {} features and {} targets", data.features().columns(), data.n_outputs()),
        expected: format!("{inputs} and {outputs}, as the network has inputs and outputs"),
    })
}
