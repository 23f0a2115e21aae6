//! From a table to a trained model.

mod options;
mod prepare;
mod recipe;

pub use options::{GivenType, Options};
pub use prepare::{Images, Prepared, Tables};
pub use recipe::{Facts, Held, Recipe, parse_time};

/// Whether a setting that takes a part or a file is a file.
fn is_file(text: &str) -> bool {
    text.parse::<f64>().is_err()
}
