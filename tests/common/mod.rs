//! What several tests share.
#![allow(dead_code, reason = "each test uses a part")]

pub mod differences;
pub mod members;
pub mod targets;

use std::sync::LazyLock;

use nngpu::Device;
use nngpu::compute::{Gpu, Plan, Tensor};
use nngpu::conformance::classes;
use nngpu::wgpu;

/// The adapter under test: the one that `NNGPU_TEST_DEVICE` names, else the first there is, a
/// software adapter included. Without any, the test is left out and says so, unless
/// `NNGPU_REQUIRE_GPU=1` makes that a failure.
pub fn gpu() -> Option<Gpu> {
    let name = std::env::var("NNGPU_TEST_DEVICE").unwrap_or("0".into());
    match Device::open(&name) {
        Ok(Device::Gpu(_)) if has_webgpu_limits() => {
            Some(Gpu::open_with(&name, lower_to_webgpu).expect("every adapter has at least WebGPU's limits"))
        }
        Ok(Device::Gpu(gpu)) => Some(gpu),
        Ok(other) => panic!("NNGPU_TEST_DEVICE={name} is not a GPU: {}", other.description()),
        Err(error) if std::env::var_os("NNGPU_REQUIRE_GPU").is_some_and(|value| value == "1") => {
            panic!("NNGPU_REQUIRE_GPU=1, but {error}")
        }
        Err(error) => {
            eprintln!("LEFT OUT, nothing was tested on a GPU: {error}");
            None
        }
    }
}

/// Whether `NNGPU_TEST_LIMITS=webgpu` asks for an adapter that offers what WebGPU guarantees and no more.
pub fn has_webgpu_limits() -> bool {
    match std::env::var("NNGPU_TEST_LIMITS").as_deref() {
        Err(std::env::VarError::NotPresent) | Ok("") => false,
        Ok("webgpu") => true,
        other => panic!("NNGPU_TEST_LIMITS: found {other:?}, expected webgpu"),
    }
}

fn lower_to_webgpu(descriptor: &mut wgpu::DeviceDescriptor) {
    // Old adapters that offer even less are tested with what they have.
    descriptor.required_limits = wgpu::Limits::default().or_worse_values_from(&descriptor.required_limits);
    descriptor.required_features = wgpu::Features::empty();
}

/// A device that the test opened itself, as an application with a renderer has one: the adapter of
/// [`gpu`], with limits so small that they are quick to reach.
pub fn shared_device(lower: impl FnOnce(&mut wgpu::Limits)) -> Option<(wgpu::Device, Device)> {
    let description = Device::Gpu(gpu()?).description();
    pollster::block_on(async {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::all());
        let adapters = instance.enumerate_adapters(backends).await;
        let is_under_test = |adapter: &wgpu::Adapter| description.starts_with(&adapter.get_info().name);
        let adapter = adapters.into_iter().find(is_under_test).expect("the one that was opened");
        let mut descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            required_features: adapter.features() & wgpu::Features::SUBGROUP,
            ..Default::default()
        };
        if has_webgpu_limits() {
            lower_to_webgpu(&mut descriptor);
        }
        lower(&mut descriptor.required_limits);
        let (device, queue) = adapter.request_device(&descriptor).await.expect("lower limits are granted");
        Some((device.clone(), Device::from_wgpu(&adapter, device, queue)))
    })
}

/// The adapter of [`gpu`] with buffers of at most `max_bytes`.
pub fn small_device(max_bytes: u64) -> Option<(wgpu::Device, Device)> {
    shared_device(|limits| limits.max_storage_buffer_binding_size = max_bytes)
}

/// Every device that can be tested here, with its name.
pub fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = vec![("reference", Device::reference()), ("cpu", Device::cpu())];
    devices.extend(gpu().map(|gpu| ("gpu", Device::Gpu(gpu))));
    devices
}

/// Every device, and on the adapter every class of forms; opened once.
pub fn devices_and_forms() -> Vec<(&'static str, Device)> {
    static DEVICES: LazyLock<Vec<(&'static str, Device)>> = LazyLock::new(|| {
        let cpu = Device::cpu_with_threads(2).expect("two threads");
        let mut devices = vec![("reference", Device::reference()), ("cpu", cpu)];
        let classes = gpu().map(|gpu| classes(&Device::Gpu(gpu))).into_iter().flatten();
        devices.extend(classes.map(|class| (class.name, class.device)));
        devices
    });
    DEVICES.clone()
}

/// Runs a plan once over given inputs and reads a tensor.
pub fn run(device: &Device, plan: &Plan, inputs: &[(Tensor, &[f32])], output: Tensor) -> Vec<f32> {
    let program = device.compile(plan, &[]).expect("compiles");
    for (tensor, values) in inputs {
        device.write(&program.buffer(tensor.buffer), 0, values).expect("written");
    }
    device.run(&program, 1).expect("runs");
    device.read(&program.buffer(output.buffer)).expect("readable")
}
