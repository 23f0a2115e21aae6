//! What a network is, and arrays to work with by hand.

mod array;
mod mlp;
mod network;
mod parameters;
mod weights;

pub use array::Array;
pub use mlp::{Mlp, Sgd};
pub use network::{Fusion, Network, ParameterSpec};
pub use parameters::Parameters;
pub use weights::{read_weights, write_weights};
