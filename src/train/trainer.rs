//! A training that goes on for as long as it is asked to.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::course::{Course, Lap};
use super::learner::Learner;
use super::{Epoch, Event, Settings};
use crate::data::Dataset;
use crate::nn::Mlp;
use crate::{Error, Optimizer, Result};

/// A training recorded and compiled once, then taken epoch by epoch: what [`fit`](super::fit) does in a
/// loop, for whoever wants to do something in between.
///
/// It shares the network's memory: what it learns shows in the [`Mlp`] that it was made from.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use nngpu::data::{Dataset, Matrix, Targets};
/// use nngpu::train::Trainer;
/// use nngpu::{Activation, Device, Mlp, Optimizer};
///
/// let x = Matrix::new(3, 1, vec![-1.0, 0.0, 1.0])?;
/// let y = Matrix::new(3, 1, vec![-2.0, 0.0, 2.0])?;
/// let data = Dataset::new(x, Targets::Values(y))?;
/// let mut mlp = Mlp::new(&Device::cpu(), &[1, 1], Activation::Identity, 0)?;
/// let mut trainer = Trainer::new(&mut mlp, &data, Optimizer::sgd(0.2), 3, 0)?;
/// let mut epoch = || trainer.epoch(&mut |_| ControlFlow::Continue(()));
/// let first = epoch()?.expect("nobody broke it off").loss;
/// assert!(epoch()?.expect("nobody broke it off").loss < first);
/// trainer.set_learning_rate(0.02)?;
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer<'a> {
    course: Course<'a>,
    optimizer: Optimizer,
}

impl<'a> Trainer<'a> {
    /// Records and compiles the training of `mlp` on `data`, borrowed or its own, in batches of
    /// `batch_size` rows; `seed` decides the order of rows in each epoch.
    ///
    /// # Errors
    ///
    /// A setting outside its range, data that do not fit the network.
    pub fn new(
        mlp: &mut Mlp,
        data: impl Into<Cow<'a, Dataset>>,
        optimizer: Optimizer,
        batch_size: usize,
        seed: u64,
    ) -> Result<Trainer<'a>> {
        let settings = Settings { optimizer, batch_size, seed, ..Settings::default() };
        Trainer::with(mlp, data, &settings)
    }

    /// Records and compiles the training that `settings` describe; how long it goes on (epochs, patience, time) and
    /// their plateau are left to whoever takes the epochs.
    ///
    /// # Errors
    ///
    /// A setting outside its range, a pattern that no parameter has, data that do not fit the network.
    pub fn with(mlp: &mut Mlp, data: impl Into<Cow<'a, Dataset>>, settings: &Settings) -> Result<Trainer<'a>> {
        let learners = vec![Learner::of_all(settings.seed)];
        let course = Course::new(mlp.device(), mlp.network(), mlp.buffer(), data.into(), learners, settings)?;
        Ok(Trainer { course, optimizer: settings.optimizer })
    }

    /// The rule that moves the weights, with the step length of the next epoch, unless a schedule has one for each
    /// step.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Changes the step length from the next epoch on, also in the place of a schedule. What the optimizer remembers
    /// stays, and so does what the step length of each group is of this one.
    ///
    /// # Errors
    ///
    /// A step length that is not above 0, Adafactor's steps of relative length, a lost device.
    pub fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()> {
        self.expect_learning_rate()?;
        let optimizer = self.optimizer.with_learning_rate(learning_rate);
        optimizer.check()?;
        self.course.updater().set_learning_rate(learning_rate)?;
        self.optimizer = optimizer;
        Ok(())
    }

    /// Multiplies the step length with `factor` from the next epoch on, of a schedule all of them, but brings none
    /// below `minimum`.
    ///
    /// # Errors
    ///
    /// A factor that is not above 0, Adafactor's steps of relative length, a lost device.
    pub fn reduce_learning_rate(&mut self, factor: f64, minimum: f64) -> Result<()> {
        if !(factor > 0.0 && factor.is_finite()) {
            let (found, expected) = (factor.to_string(), "a number above 0".into());
            return Err(Error::Setting { name: "factor of the learning rate".into(), found, expected });
        }
        self.expect_learning_rate()?;
        if let Some(rate) = self.course.updater().reduce(0, factor, minimum)? {
            self.optimizer = self.optimizer.with_learning_rate(rate);
        }
        Ok(())
    }

    fn expect_learning_rate(&self) -> Result<()> {
        if self.optimizer.has_learning_rate() {
            return Ok(());
        }
        let (found, expected) = ("steps of relative length".into(), "an optimizer with a learning rate".into());
        Err(Error::Setting { name: "learning rate".into(), found, expected })
    }

    /// Puts the running mean of the weights in their place until the next epoch begins, to measure or keep it; nothing
    /// where [`Settings::ema`] asks for none.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn show_average(&mut self) -> Result<()> {
        self.course.updater().show_average()
    }

    /// Learns from every row once and tells how it went, without a validation; nothing where `observe`
    /// broke it off, which leaves the weights of the updates that were done.
    ///
    /// `observe` is told [`Event::Batches`]. Epochs are counted from the trainer's first one.
    ///
    /// # Errors
    ///
    /// A loss or weights that are no longer numbers, as in [`fit`](super::fit). The weights and the
    /// optimizer are then those of the beginning of the epoch: one may go on with a smaller step length.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn epoch(&mut self, observe: &mut dyn FnMut(&Event) -> ControlFlow<()>) -> Result<Option<Epoch>> {
        pollster::block_on(self.epoch_async(observe))
    }

    /// Learns as [`Trainer::epoch`] does, without blocking in a browser.
    ///
    /// A future that is dropped leaves the weights somewhere within the epoch; the next one then has its number
    /// and its order of rows once more.
    ///
    /// # Errors
    ///
    /// As for [`Trainer::epoch`].
    pub async fn epoch_async(&mut self, observe: &mut dyn FnMut(&Event) -> ControlFlow<()>) -> Result<Option<Epoch>> {
        match self.course.epoch(None, &|_| true, observe).await? {
            Lap::BrokenOff(_) => Ok(None),
            Lap::Done(losses, elapsed) => {
                let (epoch, loss) = (self.course.n_epochs(), losses[0]);
                Ok(Some(Epoch { epoch, loss, validation: None, elapsed }))
            }
        }
    }
}
