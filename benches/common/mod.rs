//! What several benchmarks share: the devices, and recorded training steps.
#![allow(dead_code, reason = "each benchmark uses a part")]

use std::sync::LazyLock;

use nngpu::compute::{Buffer, Capabilities, Element, Gpu, Plan, Program, Tensor};
use nngpu::kernels::batch::{Slot, record_gather, record_tally};
use nngpu::kernels::loss::{Reduction, record_loss};
use nngpu::kernels::optimizer::{OptimizerState, record_update};
use nngpu::nn::Fusion;
use nngpu::random::{Key, Purpose, Threefry};
use nngpu::{Activation, Device, Loss, Network, Optimizer, Result};
use rand::RngExt;

/// The adapter to measure: the one that `NNGPU_TEST_DEVICE` names, else the first one, a software
/// adapter included.
static GPU: LazyLock<Option<Gpu>> = LazyLock::new(|| {
    let name = std::env::var("NNGPU_TEST_DEVICE").unwrap_or("0".into());
    match Device::open(&name) {
        Ok(Device::Gpu(gpu)) => {
            println!("gpu: {}", Device::Gpu(gpu.clone()).description());
            Some(gpu)
        }
        Ok(other) => panic!("NNGPU_TEST_DEVICE={name} is not a GPU: {}", other.description()),
        Err(error) => {
            println!("LEFT OUT, nothing was measured on a GPU: {error}");
            None
        }
    }
});

/// The GPU, if there is one; the first call says which, or that it is left out.
pub fn gpu() -> Option<Gpu> {
    GPU.clone()
}

/// Whether the GPU is a CPU in disguise, for which the large rows would take minutes.
pub fn is_software(gpu: &Gpu) -> bool {
    gpu.capabilities().is_software
}

/// The CPU with one thread and with all, and the GPU.
pub fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = vec![("cpu", Device::cpu()), ("cpu, 1 thread", Device::cpu_with_threads(1).expect("one"))];
    devices.extend(gpu().map(|gpu| ("gpu", Device::Gpu(gpu))));
    devices
}

/// The GPU as it chooses among the forms of a kernel, and as adapters of other classes would.
pub fn gpu_forms() -> Vec<(&'static str, Device)> {
    let Some(gpu) = gpu() else { return Vec::new() };
    let own = gpu.capabilities();
    let as_class = |capabilities| Device::Gpu(gpu.with_capabilities(capabilities));
    let mut forms = Vec::new();
    if own.is_software && own.subgroup_size == Some(8) {
        forms.push(("gpu, subgroup", Device::Gpu(gpu.clone())));
    }
    forms.push(("gpu, tiled", as_class(Capabilities { is_software: false, ..own })));
    forms.push(("gpu, plain", as_class(Capabilities { is_software: true, subgroup_size: None, ..own })));
    forms
}

/// `count` numbers in [-1, 1], the same ones each time.
pub fn random(count: usize) -> Vec<f32> {
    let mut random = Threefry::new(Key::new(1), Purpose::Weights, 0);
    (0..count).map(|_| random.random_range(-1.0..=1.0)).collect()
}

/// What a training step works on.
#[derive(Clone, Debug)]
pub struct Workload {
    pub sizes: &'static [usize],
    pub batch: u32,
    pub loss: Loss,
    pub optimizer: Optimizer,
    /// Steps of one measured run: a power of ten, so that the time per step can be read off.
    pub steps: usize,
}

impl Workload {
    pub fn name(&self) -> String {
        let sizes: Vec<_> = self.sizes.iter().map(usize::to_string).collect();
        format!("{}, batch {}, {}", sizes.join("-"), self.batch, self.optimizer.name())
    }

    pub fn network(&self) -> Network {
        Network::new(self.sizes, Activation::Relu).expect("sizes of a network")
    }
}

/// Records and compiles the step that training takes: gather, forward, loss, backward, update,
/// count. The data are four batches; weights, data and order are written. Gives the number of
/// dispatches as well.
pub fn compile_step(device: &Device, workload: &Workload, fusion: Fusion) -> Result<(Program, usize)> {
    let network = workload.network();
    let (rows, batch) = (4 * workload.batch, workload.batch);
    let is_class = workload.loss == Loss::CrossEntropy;
    let mut plan = Plan::new();

    let all_x = plan.tensor("features", 1, rows, network.inputs());
    let (element, columns) = if is_class { (Element::U32, 1) } else { (Element::F32, network.outputs()) };
    let all_y = plan.tensor_of("targets", element, 1, rows, columns);
    let order = plan.integers("order", 1, 1, rows);
    let position = plan.integers("position", 1, 1, 1);
    let x = plan.tensor("batch features", 1, batch, network.inputs());
    let y = plan.tensor_of("batch targets", element, 1, batch, columns);
    record_gather(&mut plan, all_x, order, position, x)?;
    record_gather(&mut plan, all_y, order, position, y)?;

    let parameters = network.declare(&mut plan, "parameters", 1);
    let pass = network.record_training(&mut plan, fusion, None, parameters, x)?;
    let output = pass.output();
    let [rows, columns] = workload.loss.shape(output.rows, output.columns);
    let values = plan.tensor("loss values", 1, rows, columns);
    let output_gradient = plan.tensor("output gradient", 1, batch, output.columns);
    record_loss(&mut plan, workload.loss, output, y, values, output_gradient)?;
    let gradients = network.declare(&mut plan, "gradients", 1);
    network.record_backward(&mut plan, parameters, &pass, output_gradient, gradients)?;
    let state = OptimizerState::declare(&mut plan, &workload.optimizer, 1, network.length());
    record_update(&mut plan, &workload.optimizer, &state, gradients, parameters)?;
    let losses = plan.tensor("losses", 1, 1, 4);
    let slot = Slot { rows: batch, advance: batch };
    record_tally(&mut plan, Reduction::Mean.scale(rows, columns), values, position, slot, losses)?;

    let program = device.compile(&plan, &[])?;
    let buffer = |tensor: Tensor| -> Buffer { program.buffer(tensor.buffer) };
    device.write(&buffer(all_x), 0, &random((rows * network.inputs()) as usize))?;
    if is_class {
        let classes: Vec<u32> = (0..rows).map(|row| row % network.outputs()).collect();
        device.write(&buffer(all_y), 0, &classes)?;
    } else {
        device.write(&buffer(all_y), 0, &random((rows * columns) as usize))?;
    }
    device.write(&buffer(order), 0, &(0..rows).rev().collect::<Vec<u32>>())?;
    device.write(&buffer(parameters), 0, &network.initial(0))?;
    device.write(&buffer(state.settings), 0, &workload.optimizer.settings())?;
    if let Some(powers) = state.powers {
        device.write(&buffer(powers), 0, &[1.0f32, 1.0])?;
    }
    Ok((program, plan.steps().len()))
}

/// 784-256-128-10 in batches of 64: what a learner trains on images of digits.
pub const IMAGES: Workload = Workload {
    sizes: &[784, 256, 128, 10],
    batch: 64,
    loss: Loss::CrossEntropy,
    optimizer: Optimizer::Sgd { learning_rate: 1e-3 },
    steps: 10,
};
