//! Every setting of a training as it was decided.

use serde::Serialize;

use super::recipe::{FOLDS_NAME, OPTIMIZER, SCHEDULES, activation, hidden, is_wide};
use super::{Held, Options, Prepared};
use crate::data::{TargetEncoding, Targets};
use crate::model::{Input, embedding_layers};
use crate::{Loss, Result};

impl Prepared {
    /// Everything that `given` left open, as it was decided for this training: with these options, the same data give
    /// the same training, whatever becomes of the defaults. `given` are the options that it was prepared with.
    ///
    /// What has no value stays open: a column of weights, a limit of time. So do the types of the columns, which
    /// [`Prepared::schema`] tells, and the logarithm of targets of which each takes another.
    ///
    /// # Errors
    ///
    /// Options that nothing can be prepared with.
    pub fn options(&self, given: &Options) -> Result<Options> {
        let mut options = given.clone();
        self.decide_rows(&mut options);
        if let (Input::Table(_), Some(schema)) = (&self.input, &self.schema) {
            let preprocessing = given.preprocessing(schema, self.parts.train.len())?;
            options.fill = Some(name(&preprocessing.fill));
            options.scale = Some(name(&preprocessing.scale));
            options.one_hot = Some(preprocessing.one_hot_up_to);
            options.bins = Some(preprocessing.bins);
        }
        if let TargetEncoding::Numbers(targets) = &self.output
            && targets.iter().all(|target| target.transform == targets[0].transform)
        {
            options.target_transform = Some(name(&targets[0].transform));
        }
        self.decide_network(given, &mut options)?;
        self.decide_training(given, &mut options);
        Ok(options)
    }

    fn decide_rows(&self, options: &mut Options) {
        options.task = options.task.or(self.task.as_ref().map(|task| task.task));
        options.validation = match self.recipe.held {
            Held::Given => options.validation.take(),
            Held::Part(part) => Some(part.to_string()),
            Held::Folds(_) => Some(FOLDS_NAME.into()),
        };
        options.test.get_or_insert_with(|| "0".into());
    }

    fn decide_network(&self, given: &Options, options: &mut Options) -> Result<()> {
        if given.layers.is_none() {
            let (inputs, first) = match &self.input {
                Input::Table(preprocessing) => (preprocessing.n_inputs(), embedding_layers(preprocessing)),
                Input::Images => (self.data.features().columns(), Vec::new()),
            };
            let (widths, dropout) = hidden(given, is_wide(inputs, &first)?);
            options.hidden = Some(widths);
            options.activation = Some(activation(given));
            options.dropout = Some(dropout);
        }
        options.init = Some(self.recipe.initial.weight);
        options.members = Some(self.recipe.members);
        Ok(())
    }

    fn decide_training(&self, given: &Options, options: &mut Options) {
        let settings = &self.recipe.settings;
        let optimizer = &settings.optimizer;
        // Smoothing has a key of its own, beside which the loss has none.
        (options.loss, options.label_smoothing) = match self.recipe.loss {
            Loss::CrossEntropySmoothed { label_smoothing } => (Some(Loss::CrossEntropy), Some(label_smoothing)),
            Loss::CrossEntropy => (Some(Loss::CrossEntropy), Some(0.0)),
            loss => (Some(loss), given.label_smoothing),
        };
        options.optimizer.get_or_insert_with(|| OPTIMIZER.into());
        let schedule = &self.recipe.schedule;
        options.schedule = Some(schedule.clone());
        if optimizer.has_learning_rate() && SCHEDULES.contains(&schedule.as_str()) {
            options.learning_rate = Some(optimizer.learning_rate());
        }
        options.weight_decay = optimizer.weight_decay();
        if matches!(self.data.targets(), Targets::Classes(_)) {
            options.class_weights.get_or_insert_with(|| "equal".into());
        }
        options.accumulate = Some(settings.accumulate);
        options.compat.get_or_insert_default();
        options.batch_size = Some(settings.batch_size);
        options.epochs = Some(settings.epochs);
        if let Some(stopping) = &settings.stopping {
            options.patience = Some(stopping.patience);
            options.min_delta = Some(stopping.min_delta);
        }
        options.seed = Some(settings.seed);
    }
}

/// The name of a choice.
fn name(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("choices are written as their names: {other:?}"),
    }
}
