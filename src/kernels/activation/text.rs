//! Activations as text: `relu`, `leaky_relu(0.1)`, or a formula of `x`.

use std::fmt;
use std::str::FromStr;

use super::super::formula::problem_of_formula;
use super::Activation;
use crate::formula::Formula;
use crate::{Error, Result};

impl Activation {
    /// The name that users write, without parameters; of a formula its text.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Relu2 => "relu2",
            Activation::Relu6 => "relu6",
            Activation::LeakyRelu { .. } => "leaky_relu",
            Activation::Elu { .. } => "elu",
            Activation::Selu => "selu",
            Activation::Celu { .. } => "celu",
            Activation::Silu => "silu",
            Activation::Gelu => "gelu",
            Activation::GeluApprox => "gelu_approx",
            Activation::GeluFast => "gelu_fast_approx",
            Activation::Mish => "mish",
            Activation::Softplus => "softplus",
            Activation::Softsign => "softsign",
            Activation::Softshrink { .. } => "softshrink",
            Activation::HardShrink { .. } => "hard_shrink",
            Activation::HardSwish => "hardswish",
            Activation::HardTanh { .. } => "hard_tanh",
            Activation::LogSigmoid => "log_sigmoid",
            Activation::Step { .. } => "step",
            Activation::Formula(formula) => formula.text(),
        }
    }

    /// The parameters, in the order in which they are written.
    pub fn parameters(self) -> Vec<f32> {
        match self {
            Activation::LeakyRelu { slope } => vec![slope],
            Activation::Elu { alpha } | Activation::Celu { alpha } => vec![alpha],
            Activation::Softshrink { lambda } | Activation::HardShrink { lambda } => vec![lambda],
            Activation::HardTanh { min, max } => vec![min, max],
            Activation::Step { threshold } => vec![threshold],
            _ => Vec::new(),
        }
    }

    /// The same activation with other parameters, as many as it has.
    fn with_parameters(self, parameters: &[f32]) -> Activation {
        let (kind, _, _) = self.words();
        let at = |i: usize| parameters.get(i).copied().unwrap_or_default();
        Activation::of(kind, at(0), at(1))
    }

    /// The activation of a name, however its words are joined: `hard_tanh`, `hard-tanh`, `hardtanh`.
    fn named(name: &str) -> Option<Activation> {
        let joined = |name: &str| name.replace(['_', '-'], "");
        let name = joined(name);
        let name = if name == "gelufast" { "gelufastapprox" } else { &name };
        Activation::ALL.into_iter().find(|activation| joined(activation.name()) == name)
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_defaults = Activation::ALL.contains(self) || matches!(self, Activation::Formula(_));
        if has_defaults {
            return f.pad(self.name());
        }
        let parameters: Vec<String> = self.parameters().iter().map(f32::to_string).collect();
        f.pad(&format!("{}({})", self.name(), parameters.join(", ")))
    }
}

impl FromStr for Activation {
    type Err = Error;

    /// Reads a name, with or without parameters in parentheses, or else a formula of `x`.
    ///
    /// # Errors
    ///
    /// Text that is neither, parameters that are too many or too few, and such outside of their range.
    fn from_str(text: &str) -> Result<Activation> {
        let text = text.trim();
        let (name, given) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, given)) => (name.trim_end(), Some(given)),
            None => (text, None),
        };
        let numbers = given.map(|given| given.split(',').map(|number| number.trim().parse::<f32>()).collect());
        match (Activation::named(name), numbers) {
            (Some(activation), None) => Ok(activation),
            (Some(activation), Some(Ok(numbers))) => activation.given(text, numbers),
            // `tanh(x)`, whose argument is no number, is a formula like any other.
            _ => Formula::parse(text, &Activation::VARIABLES)
                .map(Activation::Formula)
                .map_err(|error| refuse(text, &error)),
        }
    }
}

impl Activation {
    fn given(self, text: &str, numbers: Vec<f32>) -> Result<Activation> {
        let n_expected = self.parameters().len();
        if numbers.len() != n_expected {
            let expected = match n_expected {
                0 => format!("`{}` without parameters", self.name()),
                1 => format!("one parameter, as in `{}({})`", self.name(), self.parameters()[0]),
                n => {
                    let parameters: Vec<String> = self.parameters().iter().map(f32::to_string).collect();
                    format!("{n} parameters, as in `{}({})`", self.name(), parameters.join(", "))
                }
            };
            return Err(Error::Setting { name: "activation".into(), found: format!("`{text}`"), expected });
        }
        let activation = self.with_parameters(&numbers);
        activation.check()?;
        Ok(activation)
    }
}

fn refuse(text: &str, error: &Error) -> Error {
    let names = Activation::ALL.map(Activation::name).join(", ");
    let problem = problem_of_formula(text, error);
    let expected = format!("one of {names}, or a formula of x{problem}");
    Error::Setting { name: "activation".into(), found: format!("`{text}`"), expected }
}

impl serde::Serialize for Activation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Activation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Activation, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
