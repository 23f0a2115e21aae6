//! Measures a network on a data set, and predicts with it.

use std::borrow::Cow;

use super::check_fit;
use super::sweep::{Recorded, Sweep};
use crate::compute::{Plan, Tensor};
use crate::data::{Dataset, Matrix, Targets};
use crate::kernels::activation::record_activate;
use crate::kernels::array::record_copy;
use crate::kernels::batch::{Slot, record_tally};
use crate::kernels::loss::{Link, Loss, record_correct, record_loss};
use crate::kernels::softmax::record_softmax;
use crate::nn::{Fusion, Mlp, Network};
use crate::{Activation, Device, Result};

/// How well a network predicts a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean loss over all rows.
    pub loss: f64,
    /// What people ask for.
    pub metric: Metric,
    /// The mean of the squared differences, where the targets are numbers.
    pub mean_square: Option<f64>,
}

/// The measure that people ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Metric {
    /// The part of the rows whose class is predicted, in `[0, 1]`.
    Accuracy(f64),
    /// The part of the targets' variance that is explained, at most 1:
    /// `1 - sum (p - t)^2 / sum (t - mean t)^2`. NaN where the targets do not vary.
    R2(f64),
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

/// Fewer rows where a layer's values for so many would not fit in one of the device's buffers.
fn batch_size(device: &Device, network: &Network) -> usize {
    (device.max_length() / network.widest() as usize).clamp(1, BATCH_SIZE)
}

/// A measurement recorded and compiled once, to be taken again as the network learns.
///
/// It shares the network's memory: it measures the weights that the [`Mlp`] has when it runs.
#[derive(Debug)]
pub struct Evaluator<'a> {
    device: Device,
    sweep: Sweep<'a>,
    loss: Loss,
    /// How much the targets vary, where they are numbers.
    variance: Option<f64>,
}

/// Which kept tensors hold, for each batch, the loss, and the correct answers or the squared differences.
const LOSSES: usize = 1;
const HITS: usize = 2;

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
        let (network, device, data) = (mlp.network(), mlp.device(), data.into());
        check_fit(network, &data, loss)?;
        let batch_size = batch_size(device, network);
        let variance = match data.targets() {
            Targets::Classes(_) => None,
            Targets::Values(values) => Some(mean_variance(values)),
        };
        let (features, targets) = Dataset::parts(data);
        let sweep = Sweep::new(device, features, Some(targets), batch_size, 1, &[mlp.buffer()], |plan, batch| {
            let parameters = network.declare(plan, "parameters", 1);
            let losses = plan.tensor("losses", 1, 1, batch.n_batches);
            let hits = plan.tensor("hits", 1, 1, batch.n_batches);
            let output = network.record_forward(plan, Fusion::Fused, parameters, batch.x)?;
            let targets = batch.y.expect("an evaluation has targets");
            let [rows, columns] = loss.shape(output.rows, output.columns);
            let values = plan.tensor("loss values", 1, rows, columns);
            let unused = plan.tensor("output gradient", 1, batch.rows, output.columns);
            record_loss(plan, loss, output, targets, values, unused)?;
            let stay = Slot { rows: batch.full_rows, advance: 0 };
            if variance.is_none() {
                let row_hits = plan.tensor("row hits", 1, batch.rows, 1);
                record_correct(plan, output, targets, row_hits)?;
                record_tally(plan, 1.0, row_hits, batch.position, stay, hits)?;
            } else if loss != Loss::Mse {
                let answers = record_answers(plan, loss, output)?;
                let squares = plan.tensor("squares", 1, answers.rows, answers.columns);
                let unused = plan.tensor("slopes", 1, answers.rows, answers.columns);
                record_loss(plan, Loss::Mse, answers, targets, squares, unused)?;
                record_tally(plan, 1.0 / answers.columns as f32, squares, batch.position, stay, hits)?;
            }
            let move_on = Slot { advance: batch.rows, ..stay };
            // The total is divided by the rows in the end.
            record_tally(plan, 1.0 / columns as f32, values, batch.position, move_on, losses)?;
            Ok(Recorded { kept: vec![parameters, losses, hits], result: None })
        })?;
        Ok(Evaluator { device: device.clone(), sweep, loss, variance })
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
        self.sweep.start_in_order()?;
        while self.sweep.advance(usize::MAX).await? > 0 {}
        let rows = self.sweep.n_rows() as f64;
        let loss = self.total(LOSSES).await? / rows;
        let Some(variance) = self.variance else {
            let metric = Metric::Accuracy(self.total(HITS).await? / rows);
            return Ok(Evaluation { loss, metric, mean_square: None });
        };
        let square = if self.loss == Loss::Mse { loss } else { self.total(HITS).await? / rows };
        let metric = Metric::R2(if variance > 0.0 { 1.0 - square / variance } else { f64::NAN });
        Ok(Evaluation { loss, metric, mean_square: Some(square) })
    }

    /// The sum over all batches.
    async fn total(&self, which: usize) -> Result<f64> {
        let sums: Vec<f32> = self.device.read_async(&self.sweep.kept(which)).await?;
        Ok(sums.iter().map(|&sum| f64::from(sum)).sum())
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
fn record_answers(plan: &mut Plan, loss: Loss, output: Tensor) -> Result<Tensor> {
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

/// The network's answers for `features` of `[rows, inputs]`: its output through [`Loss::link`], which is
/// probabilities of the classes for [`Loss::CrossEntropy`].
///
/// # Errors
///
/// Another number of columns, a lost device.
#[cfg(not(target_arch = "wasm32"))]
pub fn predict(mlp: &Mlp, features: &Matrix, loss: Loss) -> Result<Matrix> {
    pollster::block_on(predict_async(mlp, features, loss))
}

/// Predicts as [`predict`] does, without blocking in a browser.
///
/// # Errors
///
/// As for [`predict`].
pub async fn predict_async(mlp: &Mlp, features: &Matrix, loss: Loss) -> Result<Matrix> {
    let (network, device) = (mlp.network(), mlp.device());
    let outputs = match loss {
        Loss::GaussianNll { .. } => network.outputs() as usize / 2,
        _ => network.outputs() as usize,
    };
    if features.rows() == 0 {
        return Matrix::new(0, outputs, Vec::new());
    }
    let batch_size = batch_size(device, network);
    let rows = Cow::Borrowed(features);
    let mut sweep = Sweep::new(device, rows, None, batch_size, 1, &[mlp.buffer()], |plan, batch| {
        let parameters = network.declare(plan, "parameters", 1);
        let output = network.record_forward(plan, Fusion::Fused, parameters, batch.x)?;
        let result = record_answers(plan, loss, output)?;
        // Nothing is summed; the tally only moves on to the next rows.
        let (zero, nowhere) = (plan.tensor("nothing", 1, 1, 1), plan.tensor("nowhere", 1, 1, 1));
        let move_on = Slot { rows: batch.full_rows, advance: batch.rows };
        record_tally(plan, 0.0, zero, batch.position, move_on, nowhere)?;
        Ok(Recorded { kept: vec![parameters], result: Some(result) })
    })?;
    sweep.start_in_order()?;
    let mut values = Vec::with_capacity(features.rows() * outputs);
    while sweep.advance(1).await? > 0 {
        let result = sweep.pass().result().expect("the step leaves its answers");
        values.extend(device.read_async::<f32>(&result).await?);
    }
    Matrix::new(features.rows(), outputs, values)
}
