//! What happened in training, epoch by epoch: what the report, the terminal and TensorBoard are told.

use serde::{Deserialize, Serialize};

/// One training; several of them, with seeds of their own, are the members of an ensemble.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What its random numbers come from.
    pub seed: u64,
    /// The epoch, counted from 1, whose weights were kept.
    pub best_epoch: Option<usize>,
    /// Its epochs from the first.
    pub epochs: Vec<EpochValues>,
}

/// What one epoch reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochValues {
    /// The mean loss of the rows it learned from.
    pub loss: f64,
    /// The mean loss of the rows set aside for validation.
    pub validation_loss: Option<f64>,
    /// The main measure on them.
    pub metric: Option<f64>,
    /// The learning rate at its end.
    pub learning_rate: Option<f64>,
}

/// The mean over the members that took part in each epoch: fewer in later ones, where some have stopped.
pub fn mean(runs: &[Run]) -> Vec<EpochValues> {
    let n_epochs = runs.iter().map(|run| run.epochs.len()).max().unwrap_or(0);
    let epoch = |i: usize| {
        let all: Vec<&EpochValues> = runs.iter().filter_map(|run| run.epochs.get(i)).collect();
        let mean = |of: fn(&EpochValues) -> Option<f64>| {
            let values: Vec<f64> = all.iter().filter_map(|values| of(values)).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        EpochValues {
            loss: mean(|values| Some(values.loss)).unwrap_or(f64::NAN),
            validation_loss: mean(|values| values.validation_loss),
            metric: mean(|values| values.metric),
            learning_rate: mean(|values| values.learning_rate),
        }
    };
    (0..n_epochs).map(epoch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_stopped_do_not_count() {
        let run = |losses: &[(f64, Option<f64>)]| Run {
            epochs: losses
                .iter()
                .map(|&(loss, validation_loss)| EpochValues { loss, validation_loss, ..EpochValues::default() })
                .collect(),
            ..Run::default()
        };
        let mean = mean(&[run(&[(1.0, Some(2.0)), (0.5, None)]), run(&[(3.0, None)])]);
        assert_eq!(mean.iter().map(|epoch| epoch.loss).collect::<Vec<_>>(), [2.0, 0.5]);
        assert_eq!(mean.iter().map(|epoch| epoch.validation_loss).collect::<Vec<_>>(), [Some(2.0), None]);
    }
}
