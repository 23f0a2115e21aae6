//! The losses as text.

use std::fmt;
use std::str::FromStr;

use super::super::formula::problem_of_formula;
use super::Loss;
use crate::formula::Formula;
use crate::{Error, Result};

/// The two that share a name, told apart by their number of parameters.
const CROSS_ENTROPY: &str = "cross_entropy";

impl Loss {
    /// The name that users write, without parameters; of a formula its text.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Mse => "mse",
            Loss::L1 => "l1",
            Loss::Huber { .. } => "huber",
            Loss::SmoothL1 { .. } => "smooth_l1",
            Loss::LogCosh => "log_cosh",
            Loss::Quantile { .. } => "quantile",
            Loss::Poisson => "poisson",
            Loss::Gamma => "gamma",
            Loss::Tweedie { .. } => "tweedie",
            Loss::Hinge => "hinge",
            Loss::BinaryCrossEntropy => "binary_cross_entropy",
            Loss::BinaryCrossEntropyOfProbabilities => "binary_cross_entropy_of_probabilities",
            Loss::BinaryFocal { .. } => "binary_focal",
            Loss::GaussianNll { .. } => "gaussian_nll",
            Loss::CosineSimilarity { .. } => "cosine_similarity",
            Loss::CrossEntropy | Loss::CrossEntropySmoothed { .. } => CROSS_ENTROPY,
            Loss::Focal { .. } => "focal",
            Loss::Nll => "nll",
            Loss::KlDiv => "kl_div",
            Loss::Formula(formula) => formula.text(),
        }
    }

    /// Its parameters, in the order of the text.
    fn parameters(self) -> Vec<f32> {
        match self {
            Loss::Huber { delta: x }
            | Loss::SmoothL1 { beta: x }
            | Loss::Quantile { level: x }
            | Loss::Tweedie { power: x }
            | Loss::BinaryFocal { gamma: x }
            | Loss::CosineSimilarity { eps: x }
            | Loss::CrossEntropySmoothed { label_smoothing: x }
            | Loss::Focal { gamma: x } => vec![x],
            Loss::GaussianNll { eps, full } => vec![eps, f32::from(u8::from(full))],
            _ => Vec::new(),
        }
    }

    /// The same with other parameters, as many as [`Loss::parameters`] gives.
    fn with_parameters(mut self, parameters: &[f32]) -> Loss {
        match (&mut self, parameters) {
            (
                Loss::Huber { delta: x }
                | Loss::SmoothL1 { beta: x }
                | Loss::Quantile { level: x }
                | Loss::Tweedie { power: x }
                | Loss::BinaryFocal { gamma: x }
                | Loss::CosineSimilarity { eps: x }
                | Loss::CrossEntropySmoothed { label_smoothing: x }
                | Loss::Focal { gamma: x },
                [parameter],
            ) => *x = *parameter,
            (Loss::GaussianNll { eps, full }, [first, second]) => (*eps, *full) = (*first, *second != 0.0),
            _ => {}
        }
        self
    }

    /// A loss of this name without brackets, or with as many parameters.
    fn of(name: &str, given: Option<&[f32]>) -> Option<Loss> {
        let mut named = Loss::ALL.into_iter().filter(|loss| loss.name() == name);
        let Some(given) = given else { return named.next() };
        let mut all = named.filter(|loss| given.len() <= loss.parameters().len() && !given.is_empty());
        let loss = all.next()?;
        let mut parameters = loss.parameters();
        parameters[..given.len()].copy_from_slice(given);
        let is_right = !matches!(loss, Loss::GaussianNll { .. }) || [0.0, 1.0].contains(&parameters[1]);
        is_right.then(|| loss.with_parameters(&parameters))
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<String> = self.parameters().iter().map(f32::to_string).collect();
        if parameters.is_empty() {
            return f.pad(self.name());
        }
        f.pad(&format!("{}({})", self.name(), parameters.join(", ")))
    }
}

impl FromStr for Loss {
    type Err = Error;

    /// # Errors
    ///
    /// A text that is neither a name nor a formula of `p` and `t`, too many parameters, or one outside
    /// of its range.
    fn from_str(text: &str) -> Result<Loss> {
        let (name, given) = match text.trim().split_once('(') {
            Some((name, rest)) => {
                let numbers = rest.strip_suffix(')').map(|list| list.split(',').map(|number| number.trim().parse()));
                (name, numbers.map(|numbers| numbers.collect::<std::result::Result<Vec<f32>, _>>()))
            }
            None => (text.trim(), Some(Ok(Vec::new()))),
        };
        let has_brackets = text.contains('(');
        let found = match given {
            Some(Ok(given)) => Loss::of(&name.trim().replace('-', "_"), has_brackets.then_some(&given[..])),
            _ => None,
        };
        let loss = match found {
            Some(loss) => loss,
            None => Formula::parse(text, &Loss::VARIABLES).map(Loss::Formula).map_err(|error| {
                let names = Loss::ALL.map(|loss| loss.to_string()).join(", ");
                let problem = problem_of_formula(text, &error);
                let expected = format!("one of {names}, or a formula of p and t{problem}");
                Error::Setting { name: "loss".into(), found: format!("`{text}`"), expected }
            })?,
        };
        loss.check()?;
        Ok(loss)
    }
}

impl TryFrom<String> for Loss {
    type Error = Error;

    fn try_from(text: String) -> Result<Loss> {
        text.parse()
    }
}

impl From<Loss> for String {
    fn from(loss: Loss) -> String {
        loss.to_string()
    }
}
