//! A model on a device.

use super::Model;
use crate::data::{Matrix, Predictions};
use crate::train::Ensemble;
use crate::{Device, Error, Result};

/// A model on a device, which predicts some rows after others: its weights are written there once.
///
/// Made by [`Model::predictor`].
#[derive(Debug)]
pub struct Predictor<'a> {
    model: &'a Model,
    members: Ensemble,
}

impl<'a> Predictor<'a> {
    pub(super) fn new(model: &'a Model, device: &Device) -> Result<Predictor<'a>> {
        let members = Ensemble::new(device, &model.network, model.members, &model.values)?;
        Ok(Predictor { model, members })
    }

    /// Predicts rows of inputs, `[rows, inputs]`, as [`Model::predict_matrix`] does.
    ///
    /// # Errors
    ///
    /// Another number of columns, a lost device.
    pub fn predict(&self, inputs: &Matrix) -> Result<Predictions> {
        self.model.output.decode_members(&self.answers(inputs)?)
    }

    /// The answers of each member, `[rows, outputs]` each, as [`Model::answers`] gives them.
    ///
    /// # Errors
    ///
    /// As for [`predict`](Self::predict).
    pub fn answers(&self, inputs: &Matrix) -> Result<Vec<Matrix>> {
        let n_inputs = self.model.network.inputs() as usize;
        if inputs.columns() != n_inputs {
            return Err(Error::Shape {
                operation: "prediction".into(),
                found: format!("{} columns", inputs.columns()),
                expected: format!("{n_inputs}, as the model has inputs"),
            });
        }
        self.members.each(inputs, self.model.loss)
    }
}
