//! What networks answer: one, or several members and the mean of theirs.

use std::borrow::Cow;

use super::evaluate::{batch_size, record_answers};
use super::sweep::{Recorded, Route, Sweep};
use crate::compute::Buffer;
use crate::compute::plan::MAX_MODELS;
use crate::data::Matrix;
use crate::kernels::batch::{Slot, record_tally};
use crate::kernels::loss::Loss;
use crate::nn::{Fusion, Mlp, Network};
use crate::{Device, Error, Result};

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
    let mut answers = Answers::new(mlp.device(), mlp.network(), 1, mlp.buffer(), features, loss)?;
    let mut values = Vec::with_capacity(features.rows() * answers.outputs);
    while let Some(batch) = answers.next().await? {
        values.extend(batch);
    }
    Matrix::new(features.rows(), answers.outputs, values)
}

/// The mean of the answers of `n_members` members for `features` of `[rows, inputs]`: each member's outputs through
/// [`Loss::link`], averaged, `[rows, outputs]`. Of means and variances, the means.
///
/// `values` holds the weights of the members one after the other, each laid out as [`Network::parameters`] tells.
/// All members answer in one program, batch by batch; their answers are summed in 64 bits.
///
/// # Errors
///
/// No members, another number of values or of columns, a lost device.
#[cfg(not(target_arch = "wasm32"))]
pub fn predict_members(
    device: &Device,
    network: &Network,
    n_members: usize,
    values: &[f32],
    features: &Matrix,
    loss: Loss,
) -> Result<Matrix> {
    pollster::block_on(predict_members_async(device, network, n_members, values, features, loss))
}

/// Predicts as [`predict_members`] does, without blocking in a browser.
///
/// # Errors
///
/// As for [`predict_members`].
pub async fn predict_members_async(
    device: &Device,
    network: &Network,
    n_members: usize,
    values: &[f32],
    features: &Matrix,
    loss: Loss,
) -> Result<Matrix> {
    let parameters = write_members(device, network, n_members, values)?;
    let mut answers = Answers::new(device, network, n_members, &parameters, features, loss)?;
    let mut means = Vec::with_capacity(features.rows() * answers.outputs);
    while let Some(batch) = answers.next().await? {
        let length = batch.len() / n_members;
        let sum = |place: usize| batch.iter().skip(place).step_by(length).map(|&answer| f64::from(answer)).sum::<f64>();
        means.extend((0..length).map(|place| (sum(place) / n_members as f64) as f32));
    }
    Matrix::new(features.rows(), answers.outputs, means)
}

/// The answers of each member, `[rows, outputs]` each: what [`predict_members`] takes the mean of.
///
/// # Errors
///
/// As for [`predict_members`].
#[cfg(not(target_arch = "wasm32"))]
pub fn predict_each_member(
    device: &Device,
    network: &Network,
    n_members: usize,
    values: &[f32],
    features: &Matrix,
    loss: Loss,
) -> Result<Vec<Matrix>> {
    pollster::block_on(predict_each_member_async(device, network, n_members, values, features, loss))
}

/// Predicts as [`predict_each_member`] does, without blocking in a browser.
///
/// # Errors
///
/// As for [`predict_members`].
pub async fn predict_each_member_async(
    device: &Device,
    network: &Network,
    n_members: usize,
    values: &[f32],
    features: &Matrix,
    loss: Loss,
) -> Result<Vec<Matrix>> {
    Ensemble::new(device, network, n_members, values)?.each_async(features, loss).await
}

/// Several networks of one shape on a device, to answer for some rows after others: their weights are written once.
#[derive(Debug)]
pub struct Ensemble {
    device: Device,
    network: Network,
    n_members: usize,
    parameters: Buffer,
}

impl Ensemble {
    /// Writes the weights of `n_members` members, laid out as for [`predict_members`].
    ///
    /// # Errors
    ///
    /// No members, another number of values, a lost device.
    pub fn new(device: &Device, network: &Network, n_members: usize, values: &[f32]) -> Result<Ensemble> {
        let parameters = write_members(device, network, n_members, values)?;
        Ok(Ensemble { device: device.clone(), network: network.clone(), n_members, parameters })
    }

    /// The answers of each member for `features` of `[rows, inputs]`, `[rows, outputs]` each.
    ///
    /// # Errors
    ///
    /// Another number of columns, a lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn each(&self, features: &Matrix, loss: Loss) -> Result<Vec<Matrix>> {
        pollster::block_on(self.each_async(features, loss))
    }

    /// Answers as [`Ensemble::each`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Ensemble::each`].
    pub async fn each_async(&self, features: &Matrix, loss: Loss) -> Result<Vec<Matrix>> {
        let Ensemble { device, network, n_members, parameters } = self;
        let mut answers = Answers::new(device, network, *n_members, parameters, features, loss)?;
        let mut each = vec![Vec::with_capacity(features.rows() * answers.outputs); *n_members];
        while let Some(batch) = answers.next().await? {
            let length = batch.len() / n_members;
            each.iter_mut().zip(batch.chunks_exact(length)).for_each(|(own, answers)| own.extend(answers));
        }
        each.into_iter().map(|own| Matrix::new(features.rows(), answers.outputs, own)).collect()
    }
}

/// The weights of some members on a device.
fn write_members(device: &Device, network: &Network, n_members: usize, values: &[f32]) -> Result<Buffer> {
    let length = network.length() as usize;
    if n_members == 0 || n_members > MAX_MODELS as usize || n_members.checked_mul(length) != Some(values.len()) {
        return Err(Error::Shape {
            operation: "members".into(),
            found: format!("{} values for {n_members} members", values.len()),
            expected: format!("{length} for each of 1 to {MAX_MODELS}"),
        });
    }
    let parameters = device.allocate("parameters", values.len())?;
    device.write(&parameters, 0, values)?;
    Ok(parameters)
}

/// The answers of several models for some rows, batch by batch.
struct Answers<'a> {
    device: Device,
    /// None where there are no rows.
    sweep: Option<Sweep<'a>>,
    outputs: usize,
}

impl<'a> Answers<'a> {
    fn new(
        device: &Device,
        network: &Network,
        models: usize,
        parameters: &Buffer,
        features: &'a Matrix,
        loss: Loss,
    ) -> Result<Answers<'a>> {
        let outputs = match loss {
            Loss::GaussianNll { .. } => network.outputs() as usize / 2,
            _ => network.outputs() as usize,
        };
        let device = device.clone();
        if features.rows() == 0 {
            return Ok(Answers { device, sweep: None, outputs });
        }
        let batch_size = batch_size(&device, network, models);
        let models = models as u32;
        let route = Route { batch_size, rows: features.rows(), models, is_own: false };
        let mut sweep = Sweep::new(&device, Cow::Borrowed(features), None, route, &[parameters], |plan, batch| {
            let parameters = network.declare(plan, "parameters", models);
            let output = network.record_forward(plan, Fusion::Fused, parameters, batch.x)?;
            let result = record_answers(plan, loss, output)?;
            // Nothing is summed; the tally only moves on to the next rows.
            let (zero, nowhere) = (plan.tensor("nothing", 1, 1, 1), plan.tensor("nowhere", models, 1, 1));
            let move_on = Slot { rows: batch.full_rows, advance: batch.rows };
            record_tally(plan, 0.0, zero, batch.position, move_on, nowhere)?;
            Ok(Recorded { kept: vec![parameters], result: Some(result) })
        })?;
        sweep.start_in_order()?;
        Ok(Answers { device, sweep: Some(sweep), outputs })
    }

    /// The answers of all models for the next batch, of one model after the other; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<f32>>> {
        let Some(sweep) = &mut self.sweep else { return Ok(None) };
        if sweep.advance(1).await? == 0 {
            return Ok(None);
        }
        let result = sweep.pass().result().expect("the step leaves its answers");
        Ok(Some(self.device.read_async(&result).await?))
    }
}
