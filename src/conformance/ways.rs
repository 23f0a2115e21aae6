//! The ways in which one device can compute a case: the forms of several classes of adapters, in grids
//! that fold and grids that do not.

use super::Case;
use crate::compute::{Capabilities, Device};

/// A device that chooses as a class of devices does.
#[derive(Clone, Debug)]
pub struct Class {
    /// What distinguishes it.
    pub name: &'static str,
    /// The device, choosing so.
    pub device: Device,
    /// Whether it is the class of the device itself.
    pub is_own: bool,
}

/// How a device computes a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The form's name; on the CPU `fast`, or `twin` where a kernel has nothing faster.
    pub form: &'static str,
    /// The limit at which its grid folds into a second dimension, where it does.
    pub folds_at: Option<u32>,
}

/// The device itself, and what it is as one of each other class whose forms it can run as well.
pub fn classes(device: &Device) -> Vec<Class> {
    let own = Class { name: "its own forms", device: device.clone(), is_own: true };
    let Device::Gpu(gpu) = device else { return vec![own] };
    let capabilities = gpu.capabilities();
    let as_class =
        |name, capabilities| Class { name, device: Device::Gpu(gpu.with_capabilities(capabilities)), is_own: false };
    vec![
        own,
        as_class("forms of a GPU", Capabilities { is_software: false, ..capabilities }),
        as_class("plain forms", Capabilities { is_software: true, subgroup_size: None, ..capabilities }),
    ]
}

/// Workgroups along one dimension beyond which grids fold in [`folding`]. The first is soon reached;
/// the largest products have enough tiles for the second alone.
const FOLDS: [u32; 2] = [4, 13];

/// The same class with grids so short that they fold as those of 65,535 workgroups do. The CPU has none.
pub fn folding(class: &Class) -> Vec<Class> {
    let Device::Gpu(gpu) = &class.device else { return Vec::new() };
    let short = |max_workgroups| {
        let device = Device::Gpu(gpu.with_capabilities(Capabilities { max_workgroups, ..gpu.capabilities() }));
        Class { device, ..class.clone() }
    };
    FOLDS.map(short).into()
}

impl Case {
    /// How a device computes it, if it can: a folded grid may still be too small.
    pub fn way(&self, device: &Device) -> Option<Way> {
        let step = self.step();
        let gpu = match device {
            Device::Gpu(gpu) => gpu,
            Device::Cpu(_) if self.kernel.fast.is_some() => return Some(Way { form: "fast", folds_at: None }),
            _ => return Some(Way { form: "twin", folds_at: None }),
        };
        let capabilities = gpu.capabilities();
        let form = self.kernel.form(&step.params, &capabilities);
        let (workgroups, limit) = ((form.groups)(&step.params), u64::from(capabilities.max_workgroups));
        let fits = workgroups <= limit * limit && u64::from(step.models) <= limit;
        let folds_at = (workgroups > limit).then_some(capabilities.max_workgroups);
        fits.then_some(Way { form: form.name, folds_at })
    }
}
