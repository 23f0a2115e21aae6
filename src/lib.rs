//! Trains and runs multilayer perceptrons on any GPU through wgpu, or fast on the CPU.

pub mod compute;
pub mod error;
pub mod kernels;
pub mod random;
pub use compute::Device;
pub use error::{Error, Result};
