//! Functions given as text, such as `x * sigmoid(1.702 * x)`.

use crate::{Error, Result};

/// A function of named variables, read from text; a handle that is cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Formula(u32);

impl Formula {
    /// Reads a formula of these variables.
    ///
    /// # Errors
    ///
    /// Text that is no formula: what was found, what was expected, and where.
    pub fn parse(text: &str, variables: &[&str]) -> Result<Formula> {
        Err(Error::Setting {
            name: "formula".into(),
            found: format!("`{text}`"),
            expected: format!("a formula of {}", variables.join(", ")),
        })
    }

    /// The formula as text, in one form.
    pub fn text(self) -> &'static str {
        ""
    }

    /// The number that names it in this process.
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// Its value at these variables.
    pub fn value(self, _variables: &[f32]) -> f32 {
        f32::NAN
    }

    /// Its slope along the first variable.
    pub fn slope(self, _variables: &[f32]) -> f32 {
        f32::NAN
    }

    /// Its value in f64.
    pub fn value_f64(self, _variables: &[f64]) -> f64 {
        f64::NAN
    }
}
