//! Functions given as text, such as `x * sigmoid(1.702 * x)`: read, differentiated, computed, and
//! written as WGSL.

mod derive;
mod evaluate;
pub(crate) mod functions;
mod graph;
mod parse;
mod wgsl;

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result};
use evaluate::Steps;

/// The most operations of a formula and its slope together: what a shader is made of.
const MAX_STEPS: usize = 500;

/// A function of named variables, read from text; a handle that is cheap to copy.
///
/// | | |
/// |---|---|
/// | numbers | `1`, `0.5`, `1e-3`, `pi`, `e` |
/// | operators | `+ - * / ^`; `^` binds tightest and from the right: `-x^2^3` is `-(x^(2^3))` |
/// | functions | `abs sign exp log log1p expm1 sqrt square sin cos tanh sigmoid softplus relu erf`, `min(a, b)`, `max(a, b)`, `clip(x, low, high)` |
/// | choices | `where(x > 0, a, b)`, with one of `< <= > >=` |
///
/// Slopes at kinks are MLX's: `max(a, b)` passes to `a` only where `a > b`, `min(a, b)` where `a < b`,
/// else to `b`; the slope of `relu` at 0 is 0, that of `abs` is `sign`, that of `sign` 0. NaN goes
/// through all functions, also through a comparison. A power of a negative number is NaN, unless the
/// exponent is a whole number of at most 16, which multiplies.
///
/// Formulas are read once in a process and kept until its end; two of one text and the same variables
/// are equal, however they were spaced.
///
/// ```
/// use nngpu::Formula;
/// let formula = Formula::parse("x*sigmoid( 1.702*x )", &["x"])?;
/// assert_eq!(formula.text(), "x * sigmoid(1.702 * x)");
/// assert_eq!(formula.slope(&[0.0]), 0.5);
/// let message = Formula::parse("x * sigmod(x)", &["x"]).unwrap_err().to_string();
/// assert!(message.starts_with("formula: found `sigmod` at column 5, expected "), "{message}");
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Formula(&'static Definition);

/// What a formula is, for the life of the process.
struct Definition {
    number: u32,
    text: String,
    variables: Vec<String>,
    value: Steps,
    slope: Steps,
}

/// Every formula, at the position of its number.
static ALL: Mutex<Vec<&'static Definition>> = Mutex::new(Vec::new());

impl Formula {
    /// Reads a formula of these variables.
    ///
    /// # Errors
    ///
    /// Text that is no formula: what was found, what was expected, and at which column. A formula that
    /// is too long or nested too deeply, and one that does not depend on the first variable.
    pub fn parse(text: &str, variables: &[&str]) -> Result<Formula> {
        let refused = |found, expected| Error::Setting { name: "formula".into(), found, expected };
        let (mut graph, root) =
            parse::parse(text, variables).map_err(|problem| refused(problem.found, problem.expected))?;
        let written = graph.text(root, variables);
        let value = Steps::of(&graph, root);
        if !value.depend_on(0) {
            let first = variables.first().copied().unwrap_or_default();
            return Err(refused(format!("`{written}`"), format!("a formula that depends on {first}")));
        }
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|known| known.text == written && known.variables == variables) {
            return Ok(Formula(known));
        }
        let root = graph.slope(root, 0);
        let slope = Steps::of(&graph, root);
        let n_steps = value.len() + slope.len();
        if n_steps > MAX_STEPS {
            let found = format!("{n_steps} operations with the slope");
            return Err(refused(found, format!("at most {MAX_STEPS}; use a shorter formula")));
        }
        let number = all.len() as u32;
        let variables = variables.iter().map(|name| (*name).to_string()).collect();
        let definition: &'static Definition =
            Box::leak(Box::new(Definition { number, text: written, variables, value, slope }));
        all.push(definition);
        Ok(Formula(definition))
    }

    /// The formula as text, in one form: with single spaces and no needless parentheses, constants as
    /// numbers, and `clip` as a minimum and a maximum.
    pub fn text(self) -> &'static str {
        &self.0.text
    }

    /// The names of its variables.
    pub fn variables(self) -> &'static [String] {
        &self.0.variables
    }

    /// The number that names it in this process.
    pub(crate) fn number(self) -> u32 {
        self.0.number
    }

    /// The formula of a number.
    pub(crate) fn of_number(number: u32) -> Formula {
        Formula(ALL.lock().unwrap_or_else(PoisonError::into_inner)[number as usize])
    }

    /// Its value at these variables; NaN for a variable that is missing.
    pub fn value(self, variables: &[f32]) -> f32 {
        self.0.value.evaluate(variables)
    }

    /// Its slope along the first variable.
    pub fn slope(self, variables: &[f32]) -> f32 {
        self.0.slope.evaluate(variables)
    }

    /// Its values at many places: each variable's numbers and the results are of one length.
    pub(crate) fn values(self, variables: &[&[f32]], y: &mut [f32]) {
        self.0.value.evaluate_all(variables, y);
    }

    /// Its slopes along the first variable at many places.
    pub(crate) fn slopes(self, variables: &[&[f32]], y: &mut [f32]) {
        self.0.slope.evaluate_all(variables, y);
    }

    /// Its value in f64.
    pub fn value_f64(self, variables: &[f64]) -> f64 {
        self.0.value.evaluate(variables)
    }

    /// Its slope along the first variable, in f64.
    pub fn slope_f64(self, variables: &[f64]) -> f64 {
        self.0.slope.evaluate(variables)
    }

    /// Its value as a function in WGSL, of as many numbers as it has variables.
    pub(crate) fn value_wgsl(self, name: &str) -> String {
        self.0.value.wgsl(name, self.0.variables.len())
    }

    /// Its slope along the first variable as a function in WGSL.
    pub(crate) fn slope_wgsl(self, name: &str) -> String {
        self.0.slope.wgsl(name, self.0.variables.len())
    }
}

impl PartialEq for Formula {
    fn eq(&self, other: &Formula) -> bool {
        self.number() == other.number()
    }
}

impl Eq for Formula {}

impl Hash for Formula {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl fmt::Debug for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Formula").field(&self.text()).finish()
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}
