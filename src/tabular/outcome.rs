//! What came of a training: the model, and its answers for the rows that it was not taught.

use super::Prepared;
use crate::data::{Answers, Matrix, NumberTarget, TargetEncoding, Targets, Transform};
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
    pub fn new(
        prepared: &Prepared,
        device: &Device,
        fitted: &FittedMembers,
        provenance: Provenance,
    ) -> Result<Outcome> {
        let mut values = fitted.values.clone();
        if let Input::Table(preprocessing) = &prepared.input {
            settle_unknown_levels(&prepared.network, &mut values, preprocessing);
        }
        let answering = Answering { prepared, device, values: &values };
        let mut output = prepared.output.clone();
        let held = (0..prepared.members.len()).map(|member| answering.held_out(member)).collect::<Result<Vec<_>>>()?;
        let (held_rows, mean) = answering.mean_held_out(&held)?;
        if let (Targets::Values(values), true) = (prepared.data.targets(), held_rows.len() >= FEWEST_TO_CORRECT) {
            output.fit_smearing(&mean, &values.select_rows(&held_rows));
        }
        // In units, as the model will answer.
        let held = held.iter().map(|answers| in_units(&output, std::slice::from_ref(answers)));
        let (held_rows, held) = answering.mean_held_out(&held.collect::<Result<Vec<_>>>()?)?;
        let parts = &prepared.parts;
        let answers = |rows: &[u32]| match rows {
            [] => Matrix::new(0, 0, Vec::new()),
            rows => in_units(&output, &answering.each(rows)?),
        };
        let given = [
            (TRAINING, parts.train.clone(), answers(&parts.train)?),
            (VALIDATION, held_rows, held),
            (TEST, parts.test.clone(), answers(&parts.test)?),
        ];
        // Those that learn from all rows to train on answer for these and for the test.
        let mut whole = answering.teach(&output, &parts.train, &parts.train)?;
        whole.rows.extend(&parts.test);
        let mut each: Vec<Taught> = Vec::new();
        for member in &prepared.members {
            if each.iter().all(|taught| taught.rows != member.validation) {
                each.push(answering.teach(&output, &member.train, &member.validation)?);
            }
        }
        let mut measured = Vec::new();
        for (name, rows, answers) in given {
            if !rows.is_empty() {
                let taught = if name == VALIDATION { &each } else { std::slice::from_ref(&whole) };
                measured.push(answering.part(&output, name, rows, answers, taught)?);
            }
        }
        let model = Model {
            network: prepared.network.clone(),
            members: prepared.members.len(),
            values,
            input: prepared.input.clone(),
            output,
            loss: prepared.recipe.loss,
            provenance,
        };
        Ok(Outcome { model, parts: measured })
    }

    /// Encoded targets in units again.
    pub fn truth(output: &TargetEncoding, encoded: Targets) -> Targets {
        match (output, encoded) {
            (TargetEncoding::Numbers(targets), Targets::Values(mut values)) => {
                let columns = targets.iter().cycle();
                values
                    .values_mut()
                    .iter_mut()
                    .zip(columns)
                    .for_each(|(value, target)| *value = restored(*value, target));
                Targets::Values(values)
            }
            (_, encoded) => encoded,
        }
    }

    /// A part by its name.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }
}

/// With fewer rows that were not learned from, nothing is corrected by them.
const FEWEST_TO_CORRECT: usize = 20;

/// Asks the networks.
struct Answering<'a> {
    prepared: &'a Prepared,
    device: &'a Device,
    /// Those of all members.
    values: &'a [f32],
}

impl Answering<'_> {
    /// The answers of each member for some rows, as the network has them.
    fn each(&self, rows: &[u32]) -> Result<Vec<Matrix>> {
        let prepared = self.prepared;
        let (members, features) = (prepared.members.len(), prepared.data.features().select_rows(rows));
        predict_each_member(self.device, &prepared.network, members, self.values, &features, prepared.recipe.loss)
    }

    /// The answers of one member for the rows that it was stopped by.
    fn held_out(&self, member: usize) -> Result<Matrix> {
        let prepared = self.prepared;
        let features = prepared.data.features().select_rows(&prepared.members[member].validation);
        let length = prepared.network.length() as usize;
        let values = &self.values[member * length..][..length];
        predict_members(self.device, &prepared.network, 1, values, &features, prepared.recipe.loss)
    }

    /// The rows that some members were stopped by, in order, with the mean over those members of what `answers` has
    /// for each member's own rows.
    fn mean_held_out(&self, answers: &[Matrix]) -> Result<(Vec<u32>, Matrix)> {
        let columns = self.prepared.output.n_outputs();
        let mut sums = vec![0f64; self.prepared.data.rows() * columns];
        let mut counts = vec![0u32; self.prepared.data.rows()];
        for (member, answers) in self.prepared.members.iter().zip(answers) {
            for (index, row) in member.validation.iter().enumerate() {
                counts[*row as usize] += 1;
                let sums = &mut sums[*row as usize * columns..][..columns];
                sums.iter_mut().zip(answers.row(index)).for_each(|(sum, answer)| *sum += f64::from(*answer));
            }
        }
        let rows: Vec<u32> = (0..).zip(&counts).filter(|(_, count)| **count > 0).map(|(row, _)| row).collect();
        let mean = |row: &u32| {
            let count = f64::from(counts[*row as usize]);
            sums[*row as usize * columns..][..columns].iter().map(move |sum| (sum / count) as f32)
        };
        let values = rows.iter().flat_map(mean).collect();
        let length = rows.len();
        Ok((rows, Matrix::new(length, columns, values)?))
    }

    fn part(
        &self,
        output: &TargetEncoding,
        name: &'static str,
        rows: Vec<u32>,
        answers: Matrix,
        taught: &[Taught],
    ) -> Result<Part> {
        let prepared = self.prepared;
        let truth = self.truth(output, &rows);
        let (names, weights) = (names(output), self.weights(&rows));
        let of = truth_of(output, &truth, &names);
        let bootstrap = Bootstrap { seed: prepared.recipe.settings.seed, ..Default::default() };
        let measured = |answers: &Matrix| measure_with_intervals(answers, &of, weights.as_deref(), bootstrap);
        let baselines = [0, 1].map(|which| self.simple(&rows, taught, which, names.len()));
        let [constant, linear] = baselines;
        let (metrics, baselines) = match name {
            TRAINING => {
                let measured = |answers: &Matrix| measure(answers, &of, weights.as_deref());
                (measured(&answers)?, [measured(&constant?)?, measured(&linear?)?])
            }
            _ => (measured(&answers)?, [measured(&constant?)?, measured(&linear?)?]),
        };
        Ok(Part { name, rows, answers, truth, metrics, baselines })
    }

    fn truth(&self, output: &TargetEncoding, rows: &[u32]) -> Targets {
        Outcome::truth(output, self.prepared.data.targets().select_rows(rows))
    }

    fn weights(&self, rows: &[u32]) -> Option<Vec<f32>> {
        let weights = self.prepared.data.weights()?;
        Some(rows.iter().map(|row| weights[*row as usize]).collect())
    }

    /// Teaches the simplest predictors `train`, to answer for `rows`.
    fn teach(&self, output: &TargetEncoding, train: &[u32], rows: &[u32]) -> Result<Taught> {
        let (targets, names, weights) = (self.truth(output, train), names(output), self.weights(train));
        let truth = truth_of(output, &targets, &names);
        let features = self.prepared.data.features().select_rows(train);
        let predictors =
            [Baseline::constant(&truth, weights.as_deref())?, Baseline::linear(&features, &truth, weights.as_deref())?];
        let limits = match (&truth, &targets) {
            (Truth::Numbers { .. }, Targets::Values(values)) => limits(values),
            _ => vec![[f32::NEG_INFINITY, f32::INFINITY]; names.len()],
        };
        Ok(Taught { predictors, limits, rows: rows.to_vec() })
    }

    /// The mean answers of one kind of simple predictors for each of `rows`, of those that answer for it.
    fn simple(&self, rows: &[u32], taught: &[Taught], which: usize, columns: usize) -> Result<Matrix> {
        let features = self.prepared.data.features();
        let mut sums = vec![0f32; self.prepared.data.rows() * columns];
        let mut counts = vec![0u32; self.prepared.data.rows()];
        for Taught { predictors, limits, rows } in taught {
            let answers = predictors[which].predict(&features.select_rows(rows))?;
            for (index, row) in rows.iter().enumerate() {
                counts[*row as usize] += 1;
                let sums = &mut sums[*row as usize * columns..][..columns];
                let answers = answers.row(index).iter().zip(limits);
                let limited = answers.map(|(answer, [low, high])| answer.clamp(*low, *high));
                sums.iter_mut().zip(limited).for_each(|(sum, answer)| *sum += answer);
            }
        }
        let mean = |row: &u32| {
            let count = counts[*row as usize] as f32;
            sums[*row as usize * columns..][..columns].iter().map(move |sum| sum / count)
        };
        Matrix::new(rows.len(), columns, rows.iter().flat_map(mean).collect())
    }
}

/// The least and the most of each column.
fn limits(values: &Matrix) -> Vec<[f32; 2]> {
    let mut limits = vec![[f32::INFINITY, f32::NEG_INFINITY]; values.columns()];
    for row in 0..values.rows() {
        for (limits, value) in limits.iter_mut().zip(values.row(row)) {
            *limits = [limits[0].min(*value), limits[1].max(*value)];
        }
    }
    limits
}

/// Simple predictors, and the rows for which they answer.
struct Taught {
    predictors: [Baseline; 2],
    /// Of numbers, the least and the most that they were taught: a line leads far beyond.
    limits: Vec<[f32; 2]>,
    rows: Vec<u32>,
}

/// A number as it was before it was encoded.
fn restored(value: f32, target: &NumberTarget) -> f32 {
    let value = f64::from(value) * target.scale + target.mean;
    let value = match target.transform {
        Transform::Linear => value,
        Transform::Log => value.exp(),
        Transform::Log1p => value.exp_m1(),
    };
    value as f32
}

/// The mean answers of members in the units of the target.
pub fn in_units(output: &TargetEncoding, members: &[Matrix]) -> Result<Matrix> {
    Ok(match output.decode_members(members)?.answers {
        Answers::Numbers { values, names } => {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            Matrix::new(values.len() / names.len(), names.len(), values)?
        }
        Answers::Classes { probabilities, .. } | Answers::Labels { probabilities, .. } => probabilities,
    })
}

/// The names of the columns of answers.
pub fn names(output: &TargetEncoding) -> Vec<String> {
    match output {
        TargetEncoding::Classes(target) => target.classes.clone(),
        other => other.names().into_iter().map(str::to_owned).collect(),
    }
}

/// Targets as the truth of `output`'s task.
pub fn truth_of<'a>(output: &TargetEncoding, targets: &'a Targets, names: &'a [String]) -> Truth<'a> {
    match (output, targets) {
        (TargetEncoding::Labels(_), Targets::Values(values)) => Truth::Labels { values, names },
        (_, targets) => Truth::of(targets, names),
    }
}
