//! What came of a training: the model, and its answers for the rows that it was not taught.

use super::Prepared;
use crate::data::{Matrix, TargetEncoding, Targets};
use crate::kernels::loss::Loss;
use crate::metrics::baseline::Baseline;
use crate::metrics::{Bootstrap, Metrics, Truth, measure, measure_with_intervals};
use crate::model::{Input, Model, Provenance, settle_unknown_levels};
use crate::train::{FittedMembers, predict_each_member, predict_members};
use crate::{Device, Result};

/// What came of a training.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The networks, with what they need to take raw rows.
    pub model: Model,
    /// How each part of the rows is predicted.
    pub parts: Vec<Part>,
}

/// How a part of the rows is predicted.
#[derive(Clone, Debug)]
pub struct Part {
    /// `training`, `validation` or `test`.
    pub name: &'static str,
    /// Rows of [`Prepared::data`].
    pub rows: Vec<u32>,
    /// What is answered, in the units of the target: numbers, or the probability of each class or label.
    pub answers: Matrix,
    /// What is true, in the same units.
    pub truth: Targets,
    /// How good the answers are.
    pub metrics: Metrics,
    /// What the mean or the shares of the classes reach, and a linear model; learned from the same rows.
    pub baselines: [Metrics; 2],
}

/// The names of the parts.
pub const TRAINING: &str = "training";
/// Rows that training was stopped by.
pub const VALIDATION: &str = "validation";
/// Rows that nothing was learned from.
pub const TEST: &str = "test";

impl Outcome {
    /// Makes a model of what was fitted and measures it.
    ///
    /// Validation rows are answered by those networks alone that did not learn from them: where each holds a fold,
    /// every row by the network of its fold.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn new(prepared: &Prepared, device: &Device, fitted: &FittedMembers, provenance: Provenance) -> Result<Outcome> {
        let mut values = fitted.values.clone();
        if let Input::Table(preprocessing) = &prepared.input {
            settle_unknown_levels(&prepared.network, &mut values, preprocessing);
        }
        let answering = Answering { prepared, device, values: &values };
        let mut output = prepared.output.clone();
        let (held_rows, held) = answering.held_out()?;
        if held_rows.len() >= FEWEST_TO_CORRECT {
            correct(&mut output, &held, &prepared.data.targets().select_rows(&held_rows))?;
        }
        let parts = &prepared.parts;
        let test = answering.all(&parts.test)?;
        let training = answering.all(&parts.train)?;
        let given = [
            (TRAINING, parts.train.clone(), training),
            (VALIDATION, held_rows, held),
            (TEST, parts.test.clone(), test),
        ];
        let given = given.into_iter().filter(|(_, rows, _)| !rows.is_empty());
        let measured = given.map(|(name, rows, answers)| answering.part(&output, name, rows, &answers));
        let parts = measured.collect::<Result<Vec<Part>>>()?;
        let model = Model {
            network: prepared.network.clone(),
            members: prepared.members.len(),
            values,
            input: prepared.input.clone(),
            output,
            loss: prepared.recipe.loss,
            provenance,
        };
        Ok(Outcome { model, parts })
    }

    /// A part by its name.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }
}
