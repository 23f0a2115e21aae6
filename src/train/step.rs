//! The step of training, recorded: gather, forward, loss, backward, update, count.

use std::borrow::Cow;
use std::cell::RefCell;

use super::Settings;
use super::learner::{Learner, are_same_rows};
use super::sweep::{Batch, Recorded, Route, Steps, Sweep, rows_at_once};
use super::update::{State, Update, Updater};
use crate::compute::{Buffer, Device, Plan, Tensor};
use crate::data::{Dataset, Targets};
use crate::kernels::batch::{Slot, record_tally};
use crate::kernels::dropout::record_count;
use crate::kernels::loss::{Criterion, Loss, LossOperands, Reduction, record_criterion};
use crate::nn::{Fusion, Network, Noise};
use crate::{Error, Result};

/// Which kept tensor holds the weights.
pub(super) const PARAMETERS: usize = 0;

/// Which kept tensor holds the loss of each batch.
pub(super) const LOSSES: usize = 1;

/// The name of the buffer that holds the gradients of a step.
pub(super) const GRADIENTS: &str = "gradients";

/// Which kept tensor is the first of what the update keeps.
pub(super) const FIRST_OF_STATE: usize = 2;

/// The steps of a training, recorded, with what is needed to begin it.
pub(super) struct TrainingSteps<'a> {
    pub steps: Steps<'a>,
    pub update: Update,
    state: State,
    given: Given,
}

/// Records the step of training of several models: gather, forward, loss, backward, update, count.
///
/// Each model goes through an order of its own. Where the data do not fit on the device at once, which then is given
/// the rows in order, models that learn from the same rows go through them in the order of the first one.
pub(super) fn record_training<'a>(
    device: &Device,
    network: &Network,
    data: Cow<'a, Dataset>,
    learners: &[Learner],
    settings: &Settings,
) -> Result<TrainingSteps<'a>> {
    let objective = Objective::new(&data, settings)?;
    let update = Update::new(network, settings)?;
    let models = learners.len() as u32;
    let first = RefCell::new(None);
    let record = |plan: &mut Plan, batch: &Batch| {
        let (recorded, state, given) = record_step(plan, network, batch, &objective, &update, models)?;
        first.borrow_mut().get_or_insert((state, given));
        Ok(recorded)
    };
    let n_rows = data.rows();
    let rows = learners.iter().map(|learner| learner.count(n_rows)).max().unwrap_or(0);
    // The weights of rows go along as a last column of the features.
    let weights = data.weights().map(<[f32]>::to_vec);
    let (features, targets) = Dataset::parts(data);
    let features = weights.map_or(features.clone(), |weights| Cow::Owned(features.with_column(&weights)));
    let is_resident = n_rows <= rows_at_once(device, &features, Some(&targets));
    let is_own = models > 1 && (is_resident || !are_same_rows(learners));
    let route = Route { batch_size: settings.batch_size, rows, models, is_own };
    let steps = Steps::record(device, features, Some(targets), route, record)?;
    let (state, given) = first.take().expect("a step was recorded");
    Ok(TrainingSteps { steps, update, state, given })
}

/// Records and compiles the step of training, and writes what it begins with but for the weights, which lie in
/// `parameters`.
pub(super) fn training_sweep<'a>(
    device: &Device,
    network: &Network,
    parameters: &Buffer,
    data: Cow<'a, Dataset>,
    learners: &[Learner],
    settings: &Settings,
) -> Result<(Sweep<'a>, Updater)> {
    let TrainingSteps { steps, update, state, given } = record_training(device, network, data, learners, settings)?;
    let mut sweep = steps.compile(device, &[parameters])?;
    let kept = |tensor: Tensor| {
        let position = sweep.kept_tensors().iter().position(|kept| kept.buffer == tensor.buffer);
        sweep.kept(position.expect("the sweep keeps what it is given"))
    };
    if let Some(noise) = given.noise {
        let keys: Vec<u32> = learners.iter().flat_map(|learner| network.noise(learner.seed)).collect();
        device.write(&kept(noise.keys), 0, &keys)?;
    }
    if let (Some(tensor), Some(values)) = (given.class_weights, &settings.class_weights) {
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
    let gradients = network.declare(plan, GRADIENTS, models);
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
