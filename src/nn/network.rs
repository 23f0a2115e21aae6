//! The shape of a network, the layout of its parameters, and the recording of its passes.

use crate::compute::{Plan, Tensor};
use crate::kernels::activation::{Activation, record_activate, record_activate_backward};
use crate::kernels::array::{record_add_bias, record_column_sum};
use crate::kernels::matmul::{record_dense, record_dense_backward, record_dense_gradient, record_matmul};
use crate::random::KeySequence;
use crate::{Error, Result};

/// A multilayer perceptron's shape: layers `y = f(x weightᵀ + bias)`, the last one without `f`.
///
/// Any number of models of this shape can be trained at once; the shape does not know how many.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    sizes: Vec<u32>,
    activation: Activation,
    parameters: Vec<ParameterSpec>,
    length: u32,
}

/// One named part of a model's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// `layers.0.weight`, `layers.0.bias`, `layers.1.weight`, …
    pub name: String,
    /// Its first element among those of its model; a multiple of 4.
    pub offset: u32,
    /// A weight's outputs; 1 for a bias.
    pub rows: u32,
    /// A weight's inputs; a bias's outputs.
    pub columns: u32,
    /// Whether it is a bias, of shape `[outputs]` in files.
    pub is_bias: bool,
}

/// Whether a pass is recorded with the kernels that do several things at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fusion {
    /// One kernel for a layer, one for its gradients, one for the gradient of its input.
    Fused,
    /// One kernel for each operation: what a learner reads and what the fused ones are held to.
    Plain,
}

impl Network {
    /// A network with `sizes` = inputs, widths of the hidden layers, outputs.
    ///
    /// # Errors
    ///
    /// Fewer than two sizes, a size of 0, or more than 2^31 parameters.
    pub fn new(sizes: &[usize], activation: Activation) -> Result<Network> {
        let refuse = |expected: &str| Error::Setting {
            name: "layer sizes".into(),
            found: sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("-"),
            expected: expected.into(),
        };
        if sizes.len() < 2 || sizes.contains(&0) {
            return Err(refuse("inputs and outputs at least, each of size 1 or more"));
        }
        let mut parameters = Vec::new();
        let mut length = 0usize;
        for (layer, pair) in sizes.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            for (suffix, rows, columns) in [("weight", outputs, inputs), ("bias", 1, outputs)] {
                let count = rows.checked_mul(columns).filter(|count| *count < 1 << 31);
                let count = count.ok_or_else(|| refuse("fewer than 2^31 parameters"))?;
                parameters.push(ParameterSpec {
                    name: format!("layers.{layer}.{suffix}"),
                    offset: length as u32,
                    rows: rows as u32,
                    columns: columns as u32,
                    is_bias: suffix == "bias",
                });
                length += count.next_multiple_of(4);
                if length >= 1 << 31 {
                    return Err(refuse("fewer than 2^31 parameters"));
                }
            }
        }
        let sizes = sizes.iter().map(|&size| size as u32).collect();
        Ok(Network { sizes, activation, parameters, length: length as u32 })
    }

    /// Inputs, widths of the hidden layers, outputs.
    pub fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    /// The number of columns of an input.
    pub fn inputs(&self) -> u32 {
        self.sizes[0]
    }

    /// The number of columns of the output.
    pub fn outputs(&self) -> u32 {
        self.sizes[self.sizes.len() - 1]
    }

    /// What follows each hidden layer.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The number of layers.
    pub fn n_layers(&self) -> usize {
        self.sizes.len() - 1
    }

    /// The named parts of the parameters, in the order of their offsets.
    pub fn parameters(&self) -> &[ParameterSpec] {
        &self.parameters
    }

    /// The number of weights and biases.
    pub fn n_parameters(&self) -> usize {
        self.parameters.iter().map(ParameterSpec::len).sum()
    }

    /// Elements that one model's parameters take in a buffer: each part begins at a multiple of 4,
    /// so that kernels can go by fours.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Floating-point operations of one training step over `batch` rows: a product forwards and
    /// two backwards, each a multiplication and an addition.
    pub fn flops_per_step(&self, batch: usize) -> f64 {
        6.0 * batch as f64 * self.n_parameters() as f64
    }

    /// First weights, bit for bit those that MLX gives for this seed: weights and biases uniform
    /// in ±1/√inputs, drawn layer by layer.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let mut keys = KeySequence::new(seed);
        let mut values = vec![0.0; self.length as usize];
        for pair in self.parameters.chunks(2) {
            let [weight, bias] = pair else { unreachable!("a weight and a bias for each layer") };
            let (weights, biases) = keys.linear(weight.columns as usize, weight.rows as usize);
            values[weight.range()].copy_from_slice(&weights);
            values[bias.range()].copy_from_slice(&biases);
        }
        values
    }

    /// Declares what holds the parameters, or their gradients, of `models` models.
    pub fn declare(&self, plan: &mut Plan, label: &str, models: u32) -> Tensor {
        plan.tensor(label, models, 1, self.length)
    }

    /// A layer's weight and bias as views of all parameters.
    fn layer(&self, parameters: Tensor, layer: usize) -> (Tensor, Tensor) {
        let part = |spec: &ParameterSpec| parameters.part(spec.offset, spec.rows, spec.columns);
        (part(&self.parameters[2 * layer]), part(&self.parameters[2 * layer + 1]))
    }

    fn activation_of(&self, layer: usize) -> Activation {
        if layer + 1 == self.n_layers() { Activation::Identity } else { self.activation }
    }

    /// Records the forward pass over `x` of `[batch, inputs]`; gives each layer's output.
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    pub fn record_forward(
        &self,
        plan: &mut Plan,
        fusion: Fusion,
        parameters: Tensor,
        x: Tensor,
    ) -> Result<Vec<Tensor>> {
        x.expect("forward pass", "x", x.rows, self.inputs())?;
        let models = parameters.models.max(x.models);
        let mut outputs: Vec<Tensor> = Vec::new();
        for layer in 0..self.n_layers() {
            let input = outputs.last().copied().unwrap_or(x);
            let (weight, bias) = self.layer(parameters, layer);
            let activation = self.activation_of(layer);
            let mut declare = |what: &str| plan.tensor(format!("layers.{layer}.{what}"), models, x.rows, weight.rows);
            let output = match fusion {
                Fusion::Fused => {
                    let y = declare("output");
                    record_dense(plan, activation, input, weight, bias, y)?;
                    y
                }
                Fusion::Plain => {
                    let (product, z) = (declare("product"), declare("sum"));
                    record_matmul(plan, input, weight.transposed(), product)?;
                    record_add_bias(plan, product, bias, z)?;
                    if activation == Activation::Identity {
                        z
                    } else {
                        let y = plan.tensor(format!("layers.{layer}.output"), models, x.rows, weight.rows);
                        record_activate(plan, activation, z, y)?;
                        y
                    }
                }
            };
            outputs.push(output);
        }
        Ok(outputs)
    }

    /// Records the backward pass: from the gradient of the last layer's output to that of every
    /// parameter. `x` and `outputs` are those of the forward pass.
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    #[allow(clippy::too_many_arguments, reason = "what a backward pass takes in")]
    pub fn record_backward(
        &self,
        plan: &mut Plan,
        fusion: Fusion,
        parameters: Tensor,
        x: Tensor,
        outputs: &[Tensor],
        output_gradient: Tensor,
        gradients: Tensor,
    ) -> Result<()> {
        let mut dz = output_gradient;
        for layer in (0..self.n_layers()).rev() {
            let input = if layer == 0 { x } else { outputs[layer - 1] };
            let (weight, _) = self.layer(parameters, layer);
            let (dweight, dbias) = self.layer(gradients, layer);
            match fusion {
                Fusion::Fused => record_dense_gradient(plan, dz, input, dweight, dbias)?,
                Fusion::Plain => {
                    record_matmul(plan, dz.transposed(), input, dweight)?;
                    record_column_sum(plan, dz, dbias)?;
                }
            }
            if layer == 0 {
                break;
            }
            // What comes back to the layer below, before its activation.
            let below = layer - 1;
            let activation = self.activation_of(below);
            let mut declare =
                |what: &str| plan.tensor(format!("layers.{below}.{what}"), dz.models, x.rows, weight.columns);
            let below_dz = declare("gradient");
            match fusion {
                Fusion::Fused => record_dense_backward(plan, activation, dz, weight, input, below_dz)?,
                Fusion::Plain => {
                    let dy = declare("output gradient");
                    record_matmul(plan, dz, weight, dy)?;
                    record_activate_backward(plan, activation, dy, input, below_dz)?;
                }
            }
            dz = below_dz;
        }
        Ok(())
    }
}

impl ParameterSpec {
    /// The number of its elements.
    #[allow(clippy::len_without_is_empty, reason = "no size of a network is 0")]
    pub fn len(&self) -> usize {
        self.rows as usize * self.columns as usize
    }

    /// Its positions among the elements of its model.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset as usize..self.offset as usize + self.len()
    }

    /// Its shape in files: `[outputs, inputs]`, or `[outputs]` for a bias.
    pub fn shape(&self) -> Vec<usize> {
        if self.is_bias { vec![self.columns as usize] } else { vec![self.rows as usize, self.columns as usize] }
    }
}
