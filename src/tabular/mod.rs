//! From a table to a trained model.

pub mod explain;

mod effective;
mod options;
mod outcome;
mod packed;
mod prepare;
mod recipe;

pub use options::{GivenType, Options};
pub use outcome::{Outcome, Part, TEST, TRAINING, VALIDATION, in_units, names, truth_of};
pub use packed::fit_packed;
pub use prepare::{Images, Prepared, Tables};
pub use recipe::{Facts, Held, Recipe, parse_time};

/// Whether a setting that takes a part of the rows or a file, such as [`Options::test`], is a file.
pub fn is_file(text: &str) -> bool {
    text.parse::<f64>().is_err() && text != recipe::FOLDS_NAME
}
