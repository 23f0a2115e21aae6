//! Answers of several members, and their mean.

use crate::data::Matrix;
use crate::kernels::loss::Loss;
use crate::nn::Network;
use crate::{Device, Result};

/// The mean of the answers of `n_members` members for `features` of `[rows, inputs]`: each member's outputs through
/// [`Loss::link`], averaged, `[rows, outputs]`.
///
/// `values` holds the weights of the members one after the other, each laid out as [`Network::parameters`] tells.
///
/// # Errors
///
/// No members, another number of values or of columns, a lost device.
pub fn predict_members(
    _device: &Device,
    _network: &Network,
    _n_members: usize,
    _values: &[f32],
    _features: &Matrix,
    _loss: Loss,
) -> Result<Matrix> {
    todo!()
}

/// The answers of each member, `[rows, outputs]` each.
///
/// # Errors
///
/// As for [`predict_members`].
pub fn predict_each_member(
    _device: &Device,
    _network: &Network,
    _n_members: usize,
    _values: &[f32],
    _features: &Matrix,
    _loss: Loss,
) -> Result<Vec<Matrix>> {
    todo!()
}
