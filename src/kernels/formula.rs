//! Kernels of formulas, made at run time: a family's kernel with other functions in its text.

use std::sync::{Mutex, PoisonError};

use super::activation::{self, Activation};
use super::loss::{self, Loss};
use crate::Error;
use crate::compute::kernel::{Args, Form, Kernel};
use crate::formula::Formula;

/// What formulas call beside the functions of `ELEMENTARY`.
const FORMULA: &str = include_str!("../../shaders/shared/formula.wgsl");

/// A kernel whose functions a formula can replace.
pub(super) struct Family {
    /// The kernel of the functions that have names.
    pub(super) kernel: &'static Kernel,
    /// The twin, which finds the formula by the number in the parameter block.
    pub(super) twin: fn(&mut Args),
    /// The same result, fast, on the CPU.
    pub(super) fast: Option<fn(&mut Args)>,
    /// The text that holds the functions.
    pub(super) replaced: &'static str,
    /// The functions of a formula, by the same names and of the same operands.
    pub(super) functions: fn(Formula) -> String,
}

/// The kernel of a formula: made once, kept until the end of the process.
pub(super) fn kernel_of(family: &Family, formula: Formula) -> &'static Kernel {
    static MADE: Mutex<Vec<(&str, Formula, &Kernel)>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let own = family.kernel.name;
    if let Some((_, _, kernel)) = made.iter().find(|(name, of, _)| *name == own && *of == formula) {
        return kernel;
    }
    let functions: &'static str = (family.functions)(formula).leak();
    let with_functions = |form: &Form| {
        let texts = form.wgsl.iter().map(|text| if *text == family.replaced { functions } else { text });
        let texts: Vec<&'static str> = texts.chain([FORMULA]).collect();
        Form { wgsl: texts.leak(), ..*form }
    };
    let forms: Vec<Form> = family.kernel.forms.iter().map(with_functions).collect();
    let kernel: &'static Kernel = Box::leak(Box::new(Kernel {
        name: name(own, formula).leak(),
        params: family.kernel.params,
        bindings: family.kernel.bindings,
        twin: family.twin,
        fast: family.fast,
        forms: forms.leak(),
    }));
    made.push((own, formula, kernel));
    kernel
}

/// What is wrong with a text as a formula, to end an error with; nothing if it is a mere word, which was
/// hardly meant as one.
pub(super) fn problem_of_formula(text: &str, error: &Error) -> String {
    let is_word = text.chars().all(|c| c.is_alphabetic() || c == '_' || c == '-');
    match error {
        _ if is_word => String::new(),
        Error::Setting { found, expected, .. } => format!("; as a formula: found {found}, expected {expected}"),
        other => format!("; as a formula: {other}"),
    }
}

/// Formulas of `x` that the tests and checks try on every device; the last one has every function.
pub(crate) const ACTIVATIONS: [&str; 4] = [
    "x * sigmoid(1.702 * x)",
    "where(x > 0, x, 1.5 * expm1(x))",
    "x * tanh(softplus(x))",
    "abs(x) + sign(x) * exp(-abs(x)) + log(1 + square(x)) - log1p(abs(x)) + expm1(-abs(x)) + sqrt(1 + x^2) \
     + sin(tanh(x)) * cos(sigmoid(x)) + softplus(x) / 4 + relu(x) * erf(x) + min(x, 1) + max(x, -1) \
     + clip(x, -0.5, 0.5) + where(x <= 1, x, 2 - x) + (1 + x^2)^0.3 + 1 / (1 + x^4) + where(x < 2, 1, 0.5)^x \
     + where(x >= -1, pi, e)",
];

/// Formulas of `p` and `t` that the tests and checks try on every device.
pub(crate) const LOSSES: [&str; 2] = ["(p - t)^2", "abs(p - t) + 0.1 * (p - t)^2"];

/// The kernel's name and the formula; of a long one the beginning, and its number to tell it from others.
fn name(own: &str, formula: Formula) -> String {
    const LONGEST: usize = 32;
    let text = formula.text();
    match text.chars().count() <= LONGEST {
        true => format!("{own} {text}"),
        false => format!("{own} {}… #{}", text.chars().take(LONGEST - 8).collect::<String>(), formula.number()),
    }
}

/// Kernels of a few formulas, which stand for those that are made at run time: beside
/// [`all`](super::all) they are what the tests and checks read and run.
pub fn examples() -> Vec<&'static Kernel> {
    let mut kernels = Vec::new();
    for text in ACTIVATIONS {
        let formula = Formula::parse(text, &Activation::VARIABLES).expect("a formula of x");
        kernels.extend([&activation::FAMILY, &activation::BACKWARD_FAMILY].map(|family| kernel_of(family, formula)));
    }
    for text in LOSSES {
        let formula = Formula::parse(text, &Loss::VARIABLES).expect("a formula of p and t");
        kernels.push(kernel_of(&loss::FAMILY, formula));
    }
    kernels
}
