//! The machine: kernels, plans that record them, devices that run plans.

pub mod kernel;
pub mod plan;

pub mod device;

mod cpu;
mod gpu;

pub use cpu::Cpu;
pub use device::{Buffer, Device, Program};
pub use gpu::Gpu;
pub use gpu::adapter::{AdapterReport, adapters, adapters_async};
pub use kernel::{Access, Args, Binding, Capabilities, Element, Form, Kernel};
pub use plan::{BufferId, Plan, Step, Tensor};
