//! What a training will need, told before it runs.

use std::borrow::Cow;

use web_time::{Duration, Instant};

use super::evaluate::record_evaluation;
use super::members::{MembersTrainer, learners, validation_of};
use super::step::{PARAMETERS, record_training};
use super::sweep::Steps;
use super::update::Follower;
use super::{Member, Settings, check_fit};
use crate::compute::{BufferId, Plan};
use crate::data::Dataset;
use crate::nn::{Initial, Network};
use crate::{Device, Result};

/// What a training of members takes on a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// Every buffer.
    pub buffers: Vec<PreviewBuffer>,
    /// Their bytes together. What a driver takes for itself, and on the CPU the data in ordinary memory, come on top.
    pub bytes: u64,
    /// Kernels that a step of training runs. Where several batches make an update, its kernels run after the last of
    /// them only, and are `update_dispatches`.
    pub dispatches: usize,
    /// Kernels of an update that follows several batches; 0 where each step has its own.
    pub update_dispatches: usize,
    /// Kernels of a step of the measurement; 0 where there is none.
    pub validation_dispatches: usize,
    /// Steps of training in an epoch.
    pub steps: usize,
    /// Steps of the measurement after an epoch.
    pub validation_steps: usize,
    /// The largest buffer that the device can bind, in bytes. The sum of all has no limit that could be asked for.
    pub largest_bytes: u64,
}

/// One of the buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewBuffer {
    /// What it is for.
    pub purpose: Purpose,
    /// Its name.
    pub label: String,
    /// `[models, rows, columns]` of its elements of four bytes.
    pub shape: [u32; 3],
    /// Its size.
    pub bytes: u64,
}

/// What a buffer of a training is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// The steps of training.
    Training,
    /// To go back to the beginning of an epoch, and to exchange the weights with their mean.
    Copies,
    /// The measurement on rows set aside.
    Validation,
}

/// What a training was measured to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// To record and compile it.
    pub preparation: Duration,
    /// An epoch of all members, its validation included.
    pub epoch: Duration,
    /// Steps of training that were measured.
    pub n_steps: usize,
}

impl Preview {
    /// The buffers that the device cannot hold, each by itself; a training would be refused.
    pub fn too_large(&self) -> impl Iterator<Item = &PreviewBuffer> {
        self.buffers.iter().filter(|buffer| buffer.bytes > self.largest_bytes)
    }

    fn push(&mut self, purpose: Purpose, label: String, shape: [u32; 3], length: usize) {
        let bytes = 4 * length as u64;
        self.bytes += bytes;
        self.buffers.push(PreviewBuffer { purpose, label, shape, bytes });
    }

    /// Adds the buffers of a plan but for some.
    fn add(&mut self, purpose: Purpose, plan: &Plan, except: &[BufferId]) {
        for (id, spec) in plan.ids().filter(|(id, _)| !except.contains(id)) {
            let operands = plan.steps().iter().flat_map(|step| &step.operands);
            let whole = operands.filter(|operand| operand.buffer == id).map(|o| [o.models, o.rows, o.columns]);
            let is_whole = |shape: &[u32; 3]| shape.iter().map(|n| *n as usize).product::<usize>() == spec.length;
            let shape = whole.into_iter().find(is_whole).unwrap_or([1, 1, spec.length as u32]);
            self.push(purpose, spec.label.clone(), shape, spec.length);
        }
    }

    /// Adds the buffers of the steps of a sweep but for some of the first's; gives the kernels of a step.
    fn add_steps(&mut self, purpose: Purpose, steps: &Steps, except: &[usize]) -> usize {
        let mut recordings = steps.recordings();
        let first = recordings.next().expect("a sweep has a step");
        let others: Vec<BufferId> = except.iter().map(|kept| first.kept()[*kept].buffer).collect();
        self.add(purpose, &first.plan, &others);
        for rest in recordings {
            let shared: Vec<BufferId> = rest.shared().map(|tensor| tensor.buffer).collect();
            self.add(purpose, &rest.plan, &shared);
        }
        first.plan.steps().len()
    }
}

/// Tells what [`MembersTrainer`] would take for these members, without allocating or running anything on the device.
///
/// # Errors
///
/// As for [`MembersTrainer::new`].
pub fn preview_members(
    device: &Device,
    network: &Network,
    data: &Dataset,
    members: &[Member],
    settings: &Settings,
) -> Result<Preview> {
    settings.check()?;
    let loss = settings.loss.unwrap_or(data.loss());
    check_fit(network, data, loss)?;
    let learners = learners(members, data.rows())?;
    let training = record_training(device, network, Cow::Borrowed(data), &learners, settings)?;
    let mut preview = Preview {
        buffers: Vec::new(),
        bytes: 0,
        dispatches: 0,
        update_dispatches: 0,
        validation_dispatches: 0,
        steps: training.steps.n_batches(),
        validation_steps: 0,
        largest_bytes: 4 * device.max_length() as u64,
    };
    preview.dispatches = preview.add_steps(Purpose::Training, &training.steps, &[]);
    let models = members.len() as u32;
    if let Some(Follower { plan, tensors, .. }) = training.update.follower(network, models, preview.steps)? {
        let given: Vec<BufferId> = tensors.iter().map(|tensor| tensor.buffer).collect();
        preview.add(Purpose::Training, &plan, &given);
        preview.update_dispatches = plan.steps().len();
    }
    let first = training.steps.recordings().next().expect("a sweep has a step");
    for kept in first.kept() {
        let spec = first.plan.spec(kept.buffer);
        let shape = [kept.models, kept.rows, kept.columns];
        preview.push(Purpose::Copies, format!("copy of {}", spec.label), shape, spec.length);
    }
    if settings.ema.is_some() {
        let shape = [models, 1, network.length()];
        preview.push(Purpose::Copies, "learned weights".into(), shape, members.len() * network.length() as usize);
    }
    if let Some(validation) = validation_of(members, Cow::Borrowed(data))? {
        let (models, rows) = (members.len(), validation.rows.as_deref());
        let steps = record_evaluation(device, network, validation.data, loss, models, rows)?.steps;
        // It measures the weights that are trained, where they are.
        preview.validation_dispatches = preview.add_steps(Purpose::Validation, &steps, &[PARAMETERS]);
        preview.validation_steps = steps.n_batches();
    }
    Ok(preview)
}

/// Measures for about half a second how long an epoch takes, on weights and copies that are dropped afterwards. It
/// compiles the training and takes the memory that the training takes.
///
/// # Errors
///
/// As for [`MembersTrainer::new`].
#[cfg(not(target_arch = "wasm32"))]
pub fn estimate_members(
    device: &Device,
    network: &Network,
    data: &Dataset,
    members: &[Member],
    settings: &Settings,
) -> Result<Estimate> {
    pollster::block_on(estimate_members_async(device, network, data, members, settings))
}

/// Estimates as [`estimate_members`] does, without blocking in a browser.
///
/// # Errors
///
/// As for [`estimate_members`].
pub async fn estimate_members_async(
    device: &Device,
    network: &Network,
    data: &Dataset,
    members: &[Member],
    settings: &Settings,
) -> Result<Estimate> {
    let start = Instant::now();
    let mut trainer = MembersTrainer::new(device, network, &Initial::default(), data, members, settings)?;
    let preparation = start.elapsed();
    let (epoch, n_steps) = trainer.measure(Duration::from_millis(250)).await?;
    Ok(Estimate { preparation, epoch, n_steps })
}
