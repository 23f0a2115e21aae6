//! What a network is, and arrays to work with by hand.

mod array;
mod descent;
mod init;
mod layer;
mod mlp;
mod network;
mod parameter;
mod parameters;
mod pass;
mod weights;

pub use array::Array;
pub use descent::{Descent, Sgd};
pub use init::{FanMode, Init};
pub use layer::{Layer, layers_of, layers_text};
pub use mlp::Mlp;
pub use network::{Initial, Network};
pub(crate) use parameter::matches;
pub use parameter::{ParameterSpec, Role};
pub use parameters::Parameters;
pub use pass::{Fusion, Noise, Pass};
pub use weights::{Names, WeightsFormat, WeightsOptions, read_members, read_weights, write_members, write_weights};
