//! What several tests share.
#![allow(dead_code, reason = "each test uses a part")]

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

/// Every device that can be tested here, with its name.
pub fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = vec![("reference", Device::reference()), ("cpu", Device::cpu())];
    devices.extend(gpu().map(|gpu| ("gpu", Device::Gpu(gpu))));
    devices
}
