//! A multilayer perceptron on a device, trained by hand.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(not(target_arch = "wasm32"))]
use super::write_weights;
use super::{Array, Fusion, Initial, Network, Noise, Parameters, WeightsOptions, read_weights};
use crate::compute::{Buffer, BufferId, Device, Element, Plan, Tensor};
use crate::kernels::activation::Activation;
use crate::kernels::array::record_sum;
use crate::kernels::loss::{Loss, Reduction, record_loss};
use crate::{Error, Result};

/// A network on a device.
///
/// ```
/// use nngpu::{Activation, Array, Device, Loss, Mlp, Sgd};
///
/// let device = Device::cpu();
/// let mut mlp = Mlp::new(&device, &[3, 2, 1], Activation::Relu, 0)?;
/// let x = Array::new(&device, [1, 3], &[0.5, -1.2, 3.3])?;
/// let y = Array::new(&device, [1, 1], &[0.2345])?;
/// let (before, gradients) = mlp.value_and_grad(&x, &y, Loss::Mse)?;
/// Sgd::new(0.01)?.update(&mut mlp, &gradients)?;
/// let (after, _) = mlp.value_and_grad(&x, &y, Loss::Mse)?;
/// assert!(after < before);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Debug)]
pub struct Mlp {
    device: Device,
    network: Network,
    parameters: Buffer,
    /// What dropout draws from: a seed, and how many passes for training were taken.
    seed: u64,
    n_passes: AtomicU32,
}

impl Mlp {
    /// A network with `sizes` = inputs, widths of the hidden layers, outputs, and the first
    /// weights that MLX gives for this seed: uniform in ±1/√inputs.
    ///
    /// # Errors
    ///
    /// Fewer than two sizes, a size of 0, or more parameters than the device can hold.
    pub fn new(device: &Device, sizes: &[usize], activation: Activation, seed: u64) -> Result<Mlp> {
        Mlp::of(device, Network::new(sizes, activation)?, seed)
    }

    /// A network of any layers, with the first parameters that [`Network::initial`] gives for this seed.
    /// Dropout draws from the seed as well.
    ///
    /// # Errors
    ///
    /// More parameters than the device can hold.
    pub fn of(device: &Device, network: Network, seed: u64) -> Result<Mlp> {
        Mlp::drawn(device, network, &Initial::default(), seed)
    }

    /// A network of any layers, with first parameters drawn by the given initialisers.
    ///
    /// # Errors
    ///
    /// An initialiser that does not suit a layer, more parameters than the device can hold.
    pub fn drawn(device: &Device, network: Network, initial: &Initial, seed: u64) -> Result<Mlp> {
        let values = network.initial_by(initial, seed)?;
        Ok(Mlp { seed, ..Mlp::with(device, network, &values)? })
    }

    /// A network with given parameters: each with its name and its values, row by row.
    ///
    /// # Errors
    ///
    /// A name that is missing or too many, a number of values that does not fit.
    pub fn from_parameters(
        device: &Device,
        sizes: &[usize],
        activation: Activation,
        parameters: &[(&str, &[f32])],
    ) -> Result<Mlp> {
        Mlp::with_parameters(device, Network::new(sizes, activation)?, parameters)
    }

    /// A network of any layers with given parameters: each with its name and its values, row by row.
    ///
    /// # Errors
    ///
    /// A name that is missing or too many, a number of values that does not fit.
    pub fn with_parameters(device: &Device, network: Network, parameters: &[(&str, &[f32])]) -> Result<Mlp> {
        let mut values = vec![0.0; network.length() as usize];
        let refuse =
            |found: String, expected: String| Err(Error::Setting { name: "parameters".into(), found, expected });
        for spec in network.parameters() {
            match parameters.iter().find(|(name, _)| *name == spec.name) {
                Some((_, given)) if given.len() == spec.len() => values[spec.range()].copy_from_slice(given),
                Some((name, given)) => {
                    return refuse(format!("{} values for `{name}`", given.len()), format!("{}", spec.len()));
                }
                None => return refuse(format!("no `{}`", spec.name), "every parameter once".into()),
            }
        }
        let is_known = |name: &str| network.parameters().iter().any(|spec| spec.name == name);
        if let Some((name, _)) = parameters.iter().find(|(name, _)| !is_known(name)) {
            let names: Vec<_> = network.parameters().iter().map(|spec| spec.name.as_str()).collect();
            return refuse(format!("`{name}`"), names.join(", "));
        }
        Mlp::with(device, network, &values)
    }

    /// A network whose parameters lie one after the other as [`Network::parameters`] tells.
    pub(crate) fn with(device: &Device, network: Network, values: &[f32]) -> Result<Mlp> {
        let parameters = device.allocate("parameters", network.length() as usize)?;
        device.write(&parameters, 0, values)?;
        Ok(Mlp { device: device.clone(), network, parameters, seed: 0, n_passes: AtomicU32::new(0) })
    }

    /// Its shape.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Keeps parameters as they are while training, as [`Network::freeze`] tells.
    ///
    /// # Errors
    ///
    /// A pattern that matches no parameter.
    pub fn freeze(&mut self, pattern: &str) -> Result<usize> {
        self.network.freeze(pattern)
    }

    /// The opposite of [`Mlp::freeze`].
    ///
    /// # Errors
    ///
    /// A pattern that matches no parameter.
    pub fn unfreeze(&mut self, pattern: &str) -> Result<usize> {
        self.network.unfreeze(pattern)
    }

    /// Where it is.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The output for `x` of `[batch, inputs]`: `[batch, outputs]`.
    ///
    /// # Errors
    ///
    /// Another number of columns, an array of another device.
    pub fn forward(&self, x: &Array) -> Result<Array> {
        let mut plan = Plan::new();
        let parameters = self.network.declare(&mut plan, "parameters", 1);
        let input = x.declare(&mut plan, "x");
        let output = self.network.record_forward(&mut plan, Fusion::Fused, parameters, input)?;
        let given = [(parameters.buffer, &self.parameters), (input.buffer, x.buffer())];
        let program = self.device.compile(&plan, &given)?;
        self.device.submit(&program)?;
        Ok(Array::view(&self.device, &program.buffer(output.buffer), output))
    }

    /// The mean loss over the batch, and the gradient of every parameter.
    ///
    /// This is a pass for training: dropout drops anew each time, and batch normalisation takes the statistics
    /// of this batch and moves the running ones.
    ///
    /// `x` is `[batch, inputs]`. `y` has the output's shape, or for [`Loss::CrossEntropy`] may be
    /// class indices made by [`Array::classes`].
    ///
    /// # Errors
    ///
    /// Shapes that do not go together, an index beyond the outputs, an array of another device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn value_and_grad(&self, x: &Array, y: &Array, loss: Loss) -> Result<(f32, Parameters)> {
        self.value_and_grad_with(Fusion::Fused, x, y, loss)
    }

    /// The same by the kernels of a given kind.
    ///
    /// # Errors
    ///
    /// As for [`Mlp::value_and_grad`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn value_and_grad_with(&self, fusion: Fusion, x: &Array, y: &Array, loss: Loss) -> Result<(f32, Parameters)> {
        pollster::block_on(self.value_and_grad_async(fusion, x, y, loss))
    }

    /// The same without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Mlp::value_and_grad`].
    pub async fn value_and_grad_async(
        &self,
        fusion: Fusion,
        x: &Array,
        y: &Array,
        loss: Loss,
    ) -> Result<(f32, Parameters)> {
        if y.element() == Element::U32 {
            let outputs = self.network.outputs();
            if let Some(class) = y.to_vec_async().await?.into_iter().find(|class| *class >= outputs as f32) {
                return Err(Error::Setting {
                    name: "class index".into(),
                    found: class.to_string(),
                    expected: format!("an index below {outputs}, the number of outputs"),
                });
            }
        }
        let mut plan = Plan::new();
        let parameters = self.network.declare(&mut plan, "parameters", 1);
        let gradients = self.network.declare(&mut plan, "gradients", 1);
        let (input, targets) = (x.declare(&mut plan, "x"), y.declare(&mut plan, "y"));
        let (mean, noise) = (plan.tensor("loss", 1, 1, 1), self.network.declare_noise(&mut plan, 1));
        let pass = self.network.record_training(&mut plan, fusion, noise, parameters, input)?;
        let output = pass.output();
        let [rows, columns] = loss.shape(output.rows, output.columns);
        let values = plan.tensor("loss values", 1, rows, columns);
        let output_gradient = plan.tensor("output gradient", 1, output.rows, output.columns);
        record_loss(&mut plan, loss, output, targets, values, output_gradient)?;
        record_sum(&mut plan, Reduction::Mean.scale(rows, columns), values, mean)?;
        self.network.record_backward(&mut plan, parameters, &pass, output_gradient, gradients)?;
        let given = [(parameters.buffer, &self.parameters), (input.buffer, x.buffer()), (targets.buffer, y.buffer())];
        let program = self.device.compile(&plan, &given)?;
        if let Some(Noise { keys, step }) = noise {
            self.device.write(&program.buffer(keys.buffer), 0, &self.network.noise(self.seed))?;
            self.device.write(&program.buffer(step.buffer), 0, &[self.n_passes.fetch_add(1, Ordering::Relaxed)])?;
        }
        self.device.submit(&program)?;
        let value = self.device.read_async::<f32>(&program.buffer(mean.buffer)).await?[0];
        Ok((value, Parameters::new(&self.device, &self.network, program.buffer(gradients.buffer))))
    }

    /// The parameters as they are now; later updates do not change them.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn parameters(&self) -> Result<Parameters> {
        let whole = Tensor::of(BufferId(0), 1, 1, self.network.length());
        let copy = Array::view(&self.device, &self.parameters, whole).copy()?;
        Ok(Parameters::new(&self.device, &self.network, copy.buffer().clone()))
    }

    /// Every parameter's values, laid out as [`Network::parameters`] tells.
    ///
    /// # Errors
    ///
    /// A lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn values(&self) -> Result<Vec<f32>> {
        pollster::block_on(self.values_async())
    }

    /// Every parameter's values, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Mlp::values`].
    pub async fn values_async(&self) -> Result<Vec<f32>> {
        self.device.read_async(&self.parameters).await
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.parameters
    }

    /// Writes the parameters under their names: as npz if the path says so, else as safetensors.
    ///
    /// The file appears whole or not at all.
    ///
    /// # Errors
    ///
    /// A file that cannot be written, a lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_weights(path.as_ref(), &self.network, &self.values()?, None, &WeightsOptions::default())
    }

    /// Reads a network of these sizes from safetensors or npz, with the names of [`Network::parameters`],
    /// as written by [`Mlp::save`] or by MLX, or with numbered ones in the same order, as written from
    /// PyTorch's `nn.Sequential`. For others see [`read_weights`].
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is damaged, names that are missing or too many, other shapes.
    pub fn load(device: &Device, sizes: &[usize], activation: Activation, path: impl AsRef<Path>) -> Result<Mlp> {
        Mlp::load_network(device, Network::new(sizes, activation)?, path, &WeightsOptions::default())
    }

    /// Reads a network of any layers from a file as `options` tell: safetensors or npz, with names of this
    /// library or of another.
    ///
    /// # Errors
    ///
    /// As for [`Mlp::load`].
    pub fn load_network(
        device: &Device,
        network: Network,
        path: impl AsRef<Path>,
        options: &WeightsOptions,
    ) -> Result<Mlp> {
        let (values, _) = read_weights(path.as_ref(), options, |_| Ok(network.clone()))?;
        Mlp::with(device, network, &values)
    }
}
