//! From a table to a trained model.

mod options;
mod prepare;
mod recipe;

pub use options::{GivenType, Options};
pub use prepare::{Prepared, Tables};
pub use recipe::{Facts, Held, Recipe, parse_time};
