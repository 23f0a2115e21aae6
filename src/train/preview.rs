//! What a training will need, told before it runs.

use std::time::Duration;

use super::{Member, Settings};
use crate::data::Dataset;
use crate::nn::Network;
use crate::{Device, Result};

/// What a training of members takes on a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// Every buffer, in the order in which they are first used.
    pub buffers: Vec<PreviewBuffer>,
    /// Their bytes together.
    pub bytes: u64,
    /// Kernels that a step of training runs, its update included.
    pub dispatches: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// The largest buffer that the device can bind, in bytes.
    pub largest: u64,
}

/// One of the buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewBuffer {
    /// Its name.
    pub label: String,
    /// `[models, rows, columns]`.
    pub shape: [u32; 3],
    /// Its size.
    pub bytes: u64,
}

/// What a training was measured to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// To record and compile it.
    pub preparation: Duration,
    /// An epoch of all members, its validation included.
    pub epoch: Duration,
    /// Steps that were measured.
    pub steps: usize,
}

impl Preview {
    /// The buffers that the device cannot hold, each by itself.
    pub fn too_large(&self) -> impl Iterator<Item = &PreviewBuffer> {
        self.buffers.iter().filter(|buffer| buffer.bytes > self.largest)
    }
}

/// Tells what [`fit_members`](super::fit_members) would take, without running or allocating anything.
///
/// # Errors
///
/// As for [`fit_members`](super::fit_members).
pub fn preview_members(
    _device: &Device,
    _network: &Network,
    _data: &Dataset,
    _members: &[Member],
    _settings: &Settings,
) -> Result<Preview> {
    todo!()
}

/// Measures for about half a second how long an epoch takes, on copies that are dropped.
///
/// # Errors
///
/// As for [`fit_members`](super::fit_members).
pub fn estimate_members(
    _device: &Device,
    _network: &Network,
    _data: &Dataset,
    _members: &[Member],
    _settings: &Settings,
) -> Result<Estimate> {
    todo!()
}
