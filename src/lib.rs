#![doc = include_str!("../README.md")]

pub mod digits;
pub mod error;
pub mod file;
pub mod formula;
#[cfg(feature = "data")]
pub mod names;
#[cfg(any(feature = "data", feature = "npz"))]
mod numpy;
pub mod random;

pub mod compute;
pub mod kernels;

pub mod conformance;
pub mod data;
pub mod nn;

pub mod doctor;
pub mod metrics;
pub mod train;

// These work on files, or write as they compute: none is for a browser.
#[cfg(not(target_arch = "wasm32"))]
pub mod checkpoint;
#[cfg(all(feature = "data", not(target_arch = "wasm32")))]
pub mod model;
#[cfg(not(target_arch = "wasm32"))]
pub mod tutorial;

#[cfg(all(feature = "data", not(target_arch = "wasm32")))]
pub mod tabular;

pub mod compat;

pub use compat::Compat;
pub use compute::Device;
pub use error::{Error, Result};
pub use formula::Formula;
pub use kernels::activation::{Activation, SlopeOf};
pub use kernels::loss::Loss;
pub use kernels::optimizer::Optimizer;
pub use nn::{Array, Mlp, Network, Sgd};
pub use wgpu;
