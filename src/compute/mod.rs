//! The machine: kernels, plans that record them, devices that run plans.

pub mod kernel;
pub mod plan;

pub mod device;

mod cpu;
mod gpu;

pub use cpu::Cpu;
pub use device::{Buffer, Device, Program};
pub use gpu::Gpu;
#[cfg(not(target_arch = "wasm32"))]
pub use gpu::adapter::adapters;
pub use gpu::adapter::{AdapterLimits, AdapterReport, adapters_async};
pub use kernel::{Access, Args, Binding, Capabilities, Element, Form, Kernel};
pub use plan::{BufferId, Plan, Step, Tensor};
