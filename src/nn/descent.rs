//! Optimizers by hand, update by update.

use super::{Mlp, Parameters, layers_text};
use crate::compute::{Buffer, Plan};
use crate::kernels::optimizer::{Optimizer, OptimizerState, Part, record_update_in_parts};
use crate::{Error, Result};

/// An optimizer at work on one network by hand, with what it remembers from update to update.
///
/// [`crate::train::fit`] does the same in recorded steps, much faster.
///
/// ```
/// use nngpu::nn::Descent;
/// use nngpu::{Activation, Array, Device, Loss, Mlp, Optimizer};
///
/// let device = Device::cpu();
/// let mut mlp = Mlp::new(&device, &[3, 2, 1], Activation::Relu, 0)?;
/// let x = Array::new(&device, [1, 3], &[0.5, -1.2, 3.3])?;
/// let y = Array::new(&device, [1, 1], &[0.2345])?;
/// let mut adam = Descent::new(Optimizer::adam(0.05))?;
/// let mut losses = Vec::new();
/// for _ in 0..10 {
///     let (loss, gradients) = mlp.value_and_grad(&x, &y, Loss::Mse)?;
///     adam.update(&mut mlp, &gradients)?;
///     losses.push(loss);
/// }
/// assert!(losses[9] < 0.1 * losses[0]);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Debug)]
pub struct Descent {
    optimizer: Optimizer,
    /// The tensors of an [`OptimizerState`] and what they belong to, from the first update on.
    state: Vec<Buffer>,
    parts: Vec<Part>,
}

impl Descent {
    /// An optimizer that remembers nothing yet.
    ///
    /// # Errors
    ///
    /// A setting outside its range, by name.
    pub fn new(optimizer: Optimizer) -> Result<Descent> {
        optimizer.check()?;
        Ok(Descent { optimizer, state: Vec::new(), parts: Vec::new() })
    }

    /// The rule, with the step length of the next update.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Changes the step length from the next update on. What the optimizer remembers stays.
    ///
    /// # Errors
    ///
    /// A step length that is not above 0.
    pub fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()> {
        let optimizer = self.optimizer.with_learning_rate(learning_rate);
        optimizer.check()?;
        self.optimizer = optimizer;
        Ok(())
    }

    /// Moves every parameter of `mlp` that is not frozen along its gradient.
    ///
    /// # Errors
    ///
    /// Gradients of another network or device; other parameters to move than in earlier updates.
    pub fn update(&mut self, mlp: &mut Mlp, gradients: &Parameters) -> Result<()> {
        let (network, device) = (mlp.network(), mlp.device());
        if gradients.network().layers() != network.layers() || gradients.network().inputs() != network.inputs() {
            return Err(Error::Shape {
                operation: self.optimizer.name().into(),
                found: format!("gradients of the network `{}`", layers_text(gradients.network().layers())),
                expected: format!("those of `{}`", layers_text(network.layers())),
            });
        }
        let mut plan = Plan::new();
        let (w, dw) = (network.declare(&mut plan, "parameters", 1), network.declare(&mut plan, "gradients", 1));
        let parts: Vec<Part> = network.parameters().iter().filter(|spec| spec.is_trained()).map(Part::from).collect();
        if !self.state.is_empty() && self.parts != parts {
            return Err(Error::Shape {
                operation: self.optimizer.name().into(),
                found: format!("{} parameters to move", parts.len()),
                expected: format!("the {} of the updates before; freeze before the first one", self.parts.len()),
            });
        }
        let state = OptimizerState::declare(&mut plan, &self.optimizer, 1, Part::packed_len(&parts));
        record_update_in_parts(&mut plan, &self.optimizer, &state, &parts, dw, w)?;
        let mut given = vec![(w.buffer, mlp.buffer()), (dw.buffer, gradients.buffer())];
        given.extend(state.tensors().map(|tensor| tensor.buffer).zip(&self.state));
        let program = device.compile(&plan, &given)?;
        if self.state.is_empty() {
            for (tensor, values) in state.first_values(&self.optimizer) {
                device.write(&program.buffer(tensor.buffer), 0, &values)?;
            }
            self.parts = parts;
            self.state = state.tensors().map(|tensor| program.buffer(tensor.buffer)).collect();
        }
        device.write(&program.buffer(state.settings.buffer), 0, &self.optimizer.settings())?;
        device.submit(&program)
    }
}

/// Stochastic gradient descent by hand: `w -= learning_rate * dw`.
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    optimizer: Optimizer,
}

impl Sgd {
    /// With a step length above 0.
    ///
    /// # Errors
    ///
    /// Another step length.
    pub fn new(learning_rate: f32) -> Result<Sgd> {
        let optimizer = Optimizer::sgd(learning_rate);
        optimizer.check()?;
        Ok(Sgd { optimizer })
    }

    /// Moves every parameter of `mlp` that is not frozen along its gradient.
    ///
    /// # Errors
    ///
    /// Gradients of another network or device.
    pub fn update(&self, mlp: &mut Mlp, gradients: &Parameters) -> Result<()> {
        // It remembers nothing, so that each update may be the first.
        Descent::new(self.optimizer)?.update(mlp, gradients)
    }
}
