//! What several tests share.
#![allow(dead_code, reason = "each test uses a part")]

pub mod differences;
pub mod targets;

use std::sync::LazyLock;

use nngpu::Device;
use nngpu::compute::{Capabilities, Gpu};

/// The adapter under test: the one that `NNGPU_TEST_DEVICE` names, else the first there is, a
/// software adapter included. Without any, the test is left out and says so, unless
/// `NNGPU_REQUIRE_GPU=1` makes that a failure.
pub fn gpu() -> Option<Gpu> {
    let name = std::env::var("NNGPU_TEST_DEVICE").unwrap_or("0".into());
    match Device::open(&name) {
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

/// One device that chooses kernels as the adapter does, and one for each other class of adapters
/// whose forms this one can run as well.
pub fn gpu_forms(gpu: &Gpu) -> Vec<(&'static str, Device)> {
    let own = gpu.capabilities();
    let as_class = |capabilities| Device::Gpu(gpu.with_capabilities(capabilities));
    vec![
        ("its own forms", Device::Gpu(gpu.clone())),
        ("forms of a GPU", as_class(Capabilities { is_software: false, ..own })),
        ("plain forms", as_class(Capabilities { is_software: true, subgroup_size: None, ..own })),
    ]
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
        let mut required_limits = adapter.limits();
        lower(&mut required_limits);
        let descriptor = wgpu::DeviceDescriptor {
            required_limits,
            required_features: adapter.features() & wgpu::Features::SUBGROUP,
            ..Default::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.expect("lower limits are granted");
        Some((device.clone(), Device::from_wgpu(&adapter, device, queue)))
    })
}

/// The adapter of [`gpu`] with buffers of at most `max_bytes`.
pub fn small_device(max_bytes: u64) -> Option<(wgpu::Device, Device)> {
    shared_device(|limits| limits.max_storage_buffer_binding_size = max_bytes)
}

/// The adapter of [`gpu`] with grids of at most `limit` workgroups in each dimension.
pub fn folding_gpu(limit: u32) -> Option<Gpu> {
    match shared_device(|limits| limits.max_compute_workgroups_per_dimension = limit)? {
        (_, Device::Gpu(gpu)) => Some(gpu),
        (_, other) => panic!("{other:?}"),
    }
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
        devices.extend(gpu().iter().flat_map(gpu_forms));
        devices
    });
    DEVICES.clone()
}
