//! Measures networks on a data set.

use std::borrow::Cow;

use web_time::Duration;

use super::check_fit;
use super::exact;
use super::sweep::{Recorded, Route, Steps, Sweep};
use crate::compute::{Buffer, Plan, Tensor};
use crate::data::{Dataset, Matrix, Targets};
use crate::kernels::activation::record_activate;
use crate::kernels::array::{Operation, record_arithmetic, record_copy};
use crate::kernels::batch::{Slot, record_gather, record_tally};
use crate::kernels::loss::{Link, Loss, record_correct, record_loss};
use crate::kernels::softmax::record_softmax;
use crate::nn::{Fusion, Mlp, Network};
use crate::{Activation, Device, Result};

/// How well a network predicts a data set.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Evaluation {
    /// The mean loss over all rows.
    #[serde(with = "exact")]
    pub loss: f64,
    /// What people ask for.
    pub metric: Metric,
    /// The mean of the squared differences, where the targets are numbers.
    #[serde(with = "exact::option")]
    pub mean_square: Option<f64>,
}

/// The measure that people ask for.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Metric {
    /// The part of the rows whose class is predicted, in `[0, 1]`.
    Accuracy(#[serde(with = "exact")] f64),
    /// The part of the targets' variance that is explained, at most 1:
    /// `1 - sum (p - t)^2 / sum (t - mean t)^2`. NaN where the targets do not vary.
    R2(#[serde(with = "exact")] f64),
}

impl Metric {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Metric::Accuracy(_) => "accuracy",
            Metric::R2(_) => "R²",
        }
    }

    /// Its value.
    pub fn value(&self) -> f64 {
        let (Metric::Accuracy(value) | Metric::R2(value)) = self;
        *value
    }
}

/// Measures `mlp` on `data`.
///
/// # Errors
///
/// Data that do not fit the network, a lost device.
#[cfg(not(target_arch = "wasm32"))]
pub fn evaluate(mlp: &Mlp, data: &Dataset) -> Result<Evaluation> {
    pollster::block_on(evaluate_async(mlp, data))
}

/// Measures as [`evaluate`] does, without blocking in a browser.
///
/// # Errors
///
/// As for [`evaluate`].
pub async fn evaluate_async(mlp: &Mlp, data: &Dataset) -> Result<Evaluation> {
    Evaluator::new(mlp, data)?.run_async().await
}

/// Rows of a batch when nothing is learned: enough to keep a device busy.
const BATCH_SIZE: usize = 1024;

/// Fewer rows where a layer's values of all models for so many would not fit in one of the device's buffers.
pub(super) fn batch_size(device: &Device, network: &Network, models: usize) -> usize {
    (device.max_length() / network.widest() as usize / models).clamp(1, BATCH_SIZE)
}

/// A measurement recorded and compiled once, to be taken again as the network learns.
///
/// It shares the network's memory: it measures the weights that the [`Mlp`] has when it runs.
#[derive(Debug)]
pub struct Evaluator<'a> {
    device: Device,
    sweep: Sweep<'a>,
    loss: Loss,
    /// The rows of each model one after the other, or once where all have the same; none for all of the data.
    order: Option<Vec<u32>>,
    is_started: bool,
    /// Of each model.
    measured: Vec<Measured>,
}

/// What a model is measured on.
#[derive(Clone, Copy, Debug)]
struct Measured {
    n_rows: usize,
    /// How much the targets vary, where they are numbers.
    variance: Option<f64>,
}

/// Which kept tensors hold, for each batch, the loss, and the correct answers or the squared differences.
const LOSSES: usize = 1;
const HITS: usize = 2;
/// Which hold, where models have different numbers of rows, 1 for each row of a model and 0 behind them; and 0, 1, 2, …
const COUNTS: usize = 3;
const PLACES: usize = 4;

/// A measurement, recorded.
pub(super) struct EvaluationSteps<'a> {
    pub steps: Steps<'a>,
    loss: Loss,
    order: Option<Vec<u32>>,
    measured: Vec<Measured>,
    has_counts: bool,
}

/// Records the measurement of several models, each on the rows of its own in `rows`; all of the data where there are
/// no such lists. A model without rows is measured on nothing.
pub(super) fn record_evaluation<'a>(
    device: &Device,
    network: &Network,
    data: Cow<'a, Dataset>,
    loss: Loss,
    models: usize,
    rows: Option<&[&[u32]]>,
) -> Result<EvaluationSteps<'a>> {
    check_fit(network, &data, loss)?;
    let all = data.rows();
    let is_own = rows.is_some_and(|rows| rows.iter().any(|other| *other != rows[0]));
    let counts: Vec<usize> = match rows {
        Some(rows) => rows.iter().map(|rows| rows.len()).collect(),
        None => vec![all; models],
    };
    let longest = counts.iter().copied().max().unwrap_or(0).max(1);
    let has_counts = counts.iter().any(|count| *count != longest);
    let order = rows.map(|rows| {
        let lists = if is_own { rows } else { &rows[..1] };
        // Behind its end a list begins again; what it gives there does not count.
        let filled = |rows: &&[u32]| -> Vec<u32> {
            let front = rows.iter().chain(&[0]).copied().take(rows.len().max(1));
            front.cycle().take(longest).collect()
        };
        lists.iter().flat_map(filled).collect()
    });
    let variance = |model: usize| match (data.targets(), rows) {
        (Targets::Classes(_), _) => None,
        (Targets::Values(values), None) => Some(mean_variance(values)),
        (Targets::Values(values), Some(rows)) => Some(mean_variance(&values.select_rows(rows[model]))),
    };
    let mut measured: Vec<Measured> = Vec::with_capacity(models);
    for (model, &n_rows) in counts.iter().enumerate() {
        let before = measured.last().filter(|_| !is_own).map(|before| before.variance);
        measured.push(Measured { n_rows, variance: before.unwrap_or_else(|| variance(model)) });
    }
    let is_class = matches!(data.targets(), Targets::Classes(_));
    let batch_size = batch_size(device, network, models);
    let route = Route { batch_size, rows: longest, models: models as u32, is_own };
    let (features, targets) = Dataset::parts(data);
    let models = models as u32;
    let steps = Steps::record(device, features, Some(targets), route, |plan, batch| {
        let parameters = network.declare(plan, "parameters", models);
        let losses = plan.tensor("losses", models, 1, batch.n_batches);
        let hits = plan.tensor("hits", models, 1, batch.n_batches);
        let mut kept = vec![parameters, losses, hits];
        let mut counted = None;
        if has_counts {
            let counts = plan.tensor("counts", models, longest as u32, 1);
            let places = plan.integers("places", 1, 1, longest as u32);
            let own = plan.tensor("batch counts", models, batch.rows, 1);
            record_gather(plan, counts, places, batch.position, own)?;
            kept.extend([counts, places]);
            counted = Some(own);
        }
        // What counts of some values of each row.
        let count = |plan: &mut Plan, values: Tensor| -> Result<Tensor> {
            let Some(counted) = counted else { return Ok(values) };
            let result = plan.tensor("counted values", models, values.rows, values.columns);
            record_arithmetic(plan, Operation::Multiply, values, counted, result)?;
            Ok(result)
        };
        let output = network.record_forward(plan, Fusion::Fused, parameters, batch.x)?;
        let targets = batch.y.expect("an evaluation has targets");
        let [rows, columns] = loss.shape(output.rows, output.columns);
        let values = plan.tensor("loss values", models, rows, columns);
        let unused = plan.tensor("output gradient", models, batch.rows, output.columns);
        record_loss(plan, loss, output, targets, values, unused)?;
        let stay = Slot { rows: batch.full_rows, advance: 0 };
        if is_class {
            let row_hits = plan.tensor("row hits", models, batch.rows, 1);
            record_correct(plan, output, targets, row_hits)?;
            let row_hits = count(plan, row_hits)?;
            record_tally(plan, 1.0, row_hits, batch.position, stay, hits)?;
        } else if loss != Loss::Mse {
            let answers = record_answers(plan, loss, output)?;
            let squares = plan.tensor("squares", models, answers.rows, answers.columns);
            let unused = plan.tensor("slopes", models, answers.rows, answers.columns);
            record_loss(plan, Loss::Mse, answers, targets, squares, unused)?;
            let squares = count(plan, squares)?;
            record_tally(plan, 1.0 / answers.columns as f32, squares, batch.position, stay, hits)?;
        }
        let move_on = Slot { advance: batch.rows, ..stay };
        let values = count(plan, values)?;
        // The total is divided by the rows in the end.
        record_tally(plan, 1.0 / columns as f32, values, batch.position, move_on, losses)?;
        Ok(Recorded { kept, result: None })
    })?;
    Ok(EvaluationSteps { steps, loss, order, measured, has_counts })
}

impl<'a> Evaluator<'a> {
    /// Records and compiles the measurement of `mlp` on `data`, borrowed or its own.
    ///
    /// # Errors
    ///
    /// Data that do not fit the network, a lost device.
    pub fn new(mlp: &Mlp, data: impl Into<Cow<'a, Dataset>>) -> Result<Evaluator<'a>> {
        let data = data.into();
        let loss = data.loss();
        Evaluator::with_loss(mlp, data, loss)
    }

    /// Records and compiles the measurement by another loss than the one that fits the targets; all rows count
    /// alike.
    ///
    /// # Errors
    ///
    /// As for [`Evaluator::new`], and targets that the loss cannot take.
    pub fn with_loss(mlp: &Mlp, data: impl Into<Cow<'a, Dataset>>, loss: Loss) -> Result<Evaluator<'a>> {
        let (network, device) = (mlp.network(), mlp.device());
        record_evaluation(device, network, data.into(), loss, 1, None)?.compile(device, mlp.buffer())
    }

    /// Measures.
    ///
    /// # Errors
    ///
    /// A lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run(&mut self) -> Result<Evaluation> {
        pollster::block_on(self.run_async())
    }

    /// Measures as [`Evaluator::run`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Evaluator::run`].
    pub async fn run_async(&mut self) -> Result<Evaluation> {
        let evaluations = self.run_all().await?;
        Ok(evaluations.into_iter().flatten().next().expect("data have rows"))
    }

    /// The order of rows is written once.
    fn start(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.is_started, true) {
            return self.sweep.restart();
        }
        match self.order.take() {
            Some(order) => self.sweep.start(order),
            None => self.sweep.start_in_order(),
        }
    }

    /// Runs steps for about as long as `limit`; gives how many, how long they took, and how many there are.
    pub(super) async fn measure(&mut self, limit: Duration) -> Result<(usize, Duration, usize)> {
        self.start()?;
        let (n_steps, elapsed) = self.sweep.measure(limit).await?;
        Ok((n_steps, elapsed, self.sweep.n_batches()))
    }

    /// Measures each model; none that has no rows.
    pub(super) async fn run_all(&mut self) -> Result<Vec<Option<Evaluation>>> {
        self.start()?;
        while self.sweep.advance(usize::MAX).await? > 0 {}
        let losses: Vec<f32> = self.device.read_async(&self.sweep.kept(LOSSES)).await?;
        let hits: Vec<f32> = self.device.read_async(&self.sweep.kept(HITS)).await?;
        let n_batches = self.sweep.n_batches();
        let total = |sums: &[f32], model: usize| -> f64 {
            sums[model * n_batches..][..n_batches].iter().map(|&sum| f64::from(sum)).sum()
        };
        let evaluation = |(model, measured): (usize, &Measured)| {
            let rows = measured.n_rows as f64;
            if measured.n_rows == 0 {
                return None;
            }
            let loss = total(&losses, model) / rows;
            let Some(variance) = measured.variance else {
                let metric = Metric::Accuracy(total(&hits, model) / rows);
                return Some(Evaluation { loss, metric, mean_square: None });
            };
            let square = if self.loss == Loss::Mse { loss } else { total(&hits, model) / rows };
            let metric = Metric::R2(if variance > 0.0 { 1.0 - square / variance } else { f64::NAN });
            Some(Evaluation { loss, metric, mean_square: Some(square) })
        };
        Ok(self.measured.iter().enumerate().map(evaluation).collect())
    }
}

impl<'a> EvaluationSteps<'a> {
    /// Compiles the measurement of the models whose weights lie in `parameters`.
    pub(super) fn compile(self, device: &Device, parameters: &Buffer) -> Result<Evaluator<'a>> {
        let EvaluationSteps { steps, loss, order, measured, has_counts } = self;
        let sweep = steps.compile(device, &[parameters])?;
        if has_counts {
            let longest = sweep.n_rows();
            let counts = measured.iter().flat_map(|own| (0..longest).map(|row| f32::from(row < own.n_rows)));
            device.write(&sweep.kept(COUNTS), 0, &counts.collect::<Vec<f32>>())?;
            device.write(&sweep.kept(PLACES), 0, &(0..longest as u32).collect::<Vec<u32>>())?;
        }
        Ok(Evaluator { device: device.clone(), sweep, loss, order, is_started: false, measured })
    }
}

/// The population variance of each column, averaged. Just 0 where none varies: the sum of fewer than
/// 2^29 equal f32 is exact in f64, and so is their mean.
fn mean_variance(values: &Matrix) -> f64 {
    let (rows, columns) = (values.rows() as f64, values.columns());
    let column = |column: usize| values.values().iter().skip(column).step_by(columns).map(|&value| f64::from(value));
    let variance = |index: usize| {
        let mean = column(index).sum::<f64>() / rows;
        column(index).map(|value| (value - mean).powi(2)).sum::<f64>() / rows
    };
    (0..columns).map(variance).sum::<f64>() / columns as f64
}

/// Records what a network's output says, given the loss by which it learned: [`Loss::link`] of it, and of means and
/// variances the means.
pub(super) fn record_answers(plan: &mut Plan, loss: Loss, output: Tensor) -> Result<Tensor> {
    if let Loss::GaussianNll { .. } = loss {
        let means = plan.tensor("answers", output.models, output.rows, output.columns / 2);
        record_copy(plan, output.columns(0, means.columns), means)?;
        return Ok(means);
    }
    if loss.link() == Link::Identity {
        return Ok(output);
    }
    let answers = plan.tensor("answers", output.models, output.rows, output.columns);
    let activation = match loss.link() {
        Link::Identity => Activation::Identity,
        Link::Softmax => {
            record_softmax(plan, output, answers)?;
            return Ok(answers);
        }
        Link::Sigmoid => Activation::Sigmoid,
        Link::Exp => "exp(x)".parse()?,
    };
    record_activate(plan, activation, output, answers)?;
    Ok(answers)
}
