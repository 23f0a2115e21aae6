//! Several models of one shape that learn at once, in one program.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::Duration;

use super::checkpoint::{Checkpoint, Saving};
use super::stopping::Ended;
use super::{Evaluation, Event, Settings};
use crate::data::Dataset;
use crate::nn::{Initial, Network};
use crate::{Device, Result};

/// One model of several: on which rows of the data it learns, and on which it is measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Seed of its first weights, of its order of rows in each epoch, and of what dropout drops.
    pub seed: u64,
    /// Rows of the data that it learns from, at least one.
    pub train: Vec<u32>,
    /// Rows of the data that it is measured on after each epoch; none where it is not.
    pub validation: Vec<u32>,
}

/// How an epoch of several members went; every list has an element for each member.
#[derive(Clone, Debug, PartialEq)]
pub struct MembersEpoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean loss over the rows that each learned from, each as it was when its batch was learned from.
    pub losses: Vec<f64>,
    /// How each predicts its rows set aside after the epoch.
    pub validation: Vec<Option<Evaluation>>,
    /// The epoch of the lowest validation loss so far, and that loss.
    pub best: Vec<Option<Best>>,
    /// Whether patience with it is over.
    pub is_out: Vec<bool>,
    /// The learning rate of the epoch's last update.
    pub learning_rates: Vec<f32>,
    /// How long the epoch took, with the validation.
    pub elapsed: Duration,
}

/// A member's best epoch so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Counted from 1.
    pub epoch: usize,
    /// Its validation loss.
    pub loss: f64,
}

/// What came of a training of several members.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedMembers {
    /// The weights, members one after the other, each laid out as [`Network::parameters`] tells.
    pub values: Vec<f32>,
    /// Every epoch that was done, also before it was resumed.
    pub epochs: Vec<MembersEpoch>,
    /// The epoch that each member's weights are of; none where they are those after the last step.
    pub best_epochs: Vec<Option<usize>>,
    /// Why it ended.
    pub ended: Ended,
    /// How long it took in all, also before it was resumed.
    pub elapsed: Duration,
}

/// A training of several members recorded and compiled once, then taken epoch by epoch: what [`fit_members`] does in
/// a loop. It can be resumed from a [`Checkpoint`].
#[derive(Debug)]
pub struct MembersTrainer<'a> {
    data: Cow<'a, Dataset>,
}

impl<'a> MembersTrainer<'a> {
    /// Records and compiles the training.
    ///
    /// # Errors
    ///
    /// A setting outside its range, data that do not fit the network, a member without rows to learn from or with
    /// rows that the data do not have.
    pub fn new(
        _device: &Device,
        _network: &Network,
        _initial: &Initial,
        _data: impl Into<Cow<'a, Dataset>>,
        _members: &[Member],
        _settings: &Settings,
    ) -> Result<MembersTrainer<'a>> {
        todo!()
    }

    /// Goes on where a checkpoint was made: everything that follows has the same bytes as if the training had never
    /// stopped. `settings` may have more epochs, more time or more patience than before.
    ///
    /// # Errors
    ///
    /// A checkpoint of another network, of other members, or of other settings as far as they show in it.
    pub fn resume(&mut self, _checkpoint: &Checkpoint) -> Result<()> {
        todo!()
    }

    /// Learns from every row once, measures, and tells how it went; nothing where the training has ended.
    ///
    /// # Errors
    ///
    /// As for [`fit_members`].
    pub fn epoch(&mut self, _observe: &mut dyn FnMut(&Event) -> ControlFlow<()>) -> Result<Option<MembersEpoch>> {
        todo!()
    }

    /// Why the training has ended, once it has.
    pub fn ended(&self) -> Option<Ended> {
        todo!()
    }

    /// Everything that is needed to go on from the end of the last whole epoch. `context` is the caller's own:
    /// its configuration, a hash of its data.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn checkpoint(&mut self, _context: serde_json::Value) -> Result<Checkpoint> {
        todo!()
    }

    /// Takes epochs until the training ends. Where `saving` is given, checkpoints are made as it says.
    ///
    /// # Errors
    ///
    /// As for [`fit_members`], and a checkpoint that cannot be saved.
    pub fn fit(
        &mut self,
        _saving: Option<&mut Saving>,
        _observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<FittedMembers> {
        todo!()
    }
}

/// Trains several members at once and gives their weights with how it went.
///
/// `observe` is told [`Event::Batches`] and [`Event::Members`]; it can stop the training by breaking.
///
/// # Errors
///
/// A setting outside its range, data that do not fit the network, a member without rows to learn from or with rows
/// that the data do not have, a loss that is no longer a number.
pub fn fit_members(
    device: &Device,
    network: &Network,
    initial: &Initial,
    data: &Dataset,
    members: &[Member],
    settings: &Settings,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<FittedMembers> {
    MembersTrainer::new(device, network, initial, data, members, settings)?.fit(None, observe)
}
