//! The recording of a network's passes, forwards and backwards.

mod backward;
mod forward;

use super::network::Node;
use super::{Layer, Network};
use crate::compute::{Plan, Tensor};
use crate::kernels::dropout::{dropout_noise, record_dropout};
use crate::random::{Key, Purpose};
use crate::{Error, Result};

/// Whether a pass is recorded with the kernels that do several things at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fusion {
    /// One kernel for a layer, one for its gradients, one for the gradient of its input.
    Fused,
    /// One kernel for each operation: what a learner reads and what the fused ones are held to.
    Plain,
}

/// What dropout draws from, in a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// `[models, dropouts, 4]`: [`Network::noise`] of each model.
    pub keys: Tensor,
    /// `[1 or models, 1, 1]`: the number of the step, which whoever runs it counts.
    pub step: Tensor,
}

/// A forward pass for training, with what the backward pass needs of it.
#[derive(Clone, Debug)]
pub struct Pass {
    fusion: Fusion,
    noise: Option<Noise>,
    stages: Vec<Stage>,
    output: Tensor,
}

impl Pass {
    /// The network's output, `[batch, outputs]`.
    pub fn output(&self) -> Tensor {
        self.output
    }
}

/// What one layer took and gave.
#[derive(Clone, Debug)]
struct Stage {
    input: Tensor,
    output: Tensor,
    kept: Kept,
}

/// What a layer's backward pass needs beside its input and output.
#[derive(Clone, Debug)]
enum Kept {
    Nothing,
    /// Mean and variance of what was normalised together, `[lanes, 2]`.
    Moments(Tensor),
    Inner(Vec<Stage>),
}

impl Network {
    /// Declares what dropout draws from; nothing where no layer drops anything.
    pub fn declare_noise(&self, plan: &mut Plan, models: u32) -> Option<Noise> {
        (self.n_dropouts() > 0).then(|| Noise {
            keys: plan.integers("dropout", models, self.n_dropouts(), 4),
            step: plan.integers("step", 1, 1, 1),
        })
    }

    /// The words of one model's [`Noise::keys`] for a seed.
    pub fn noise(&self, seed: u64) -> Vec<u32> {
        fn walk(nodes: &[Node], seed: u64, words: &mut Vec<u32>) {
            for node in nodes {
                if let Layer::Dropout { rate } = node.layer {
                    let key = Key::new(seed).stream(Purpose::Dropout, node.dropout.into());
                    words.extend(dropout_noise(rate, key).expect("checked when the network was made"));
                }
                walk(&node.inner, seed, words);
            }
        }
        let mut words = Vec::new();
        walk(&self.nodes, seed, &mut words);
        words
    }

    /// Records the network as it answers, over `x` of `[batch, inputs]`; gives its output.
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    pub fn record_forward(&self, plan: &mut Plan, fusion: Fusion, parameters: Tensor, x: Tensor) -> Result<Tensor> {
        let recorder = Recorder { network: self, fusion, parameters, aim: Aim::Answer };
        self.expect_input(x)?;
        Ok(recorder.forward(plan, &self.nodes, x)?.1)
    }

    /// Records the network as it learns: dropout drops, batch normalisation takes the statistics of the
    /// batch and carries the running ones along. `noise` is that of [`Network::declare_noise`].
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    pub fn record_training(
        &self,
        plan: &mut Plan,
        fusion: Fusion,
        noise: Option<Noise>,
        parameters: Tensor,
        x: Tensor,
    ) -> Result<Pass> {
        let recorder = Recorder { network: self, fusion, parameters, aim: Aim::Learn(noise) };
        self.expect_input(x)?;
        let (stages, output) = recorder.forward(plan, &self.nodes, x)?;
        Ok(Pass { fusion, noise, stages, output })
    }

    fn expect_input(&self, x: Tensor) -> Result<()> {
        x.expect("forward pass", "x", x.rows, self.inputs())
    }

    /// Records the backward pass: from the gradient of the output to that of every parameter that is trained.
    /// A layer whose parameters are all frozen keeps the gradients that it has, 0 in a new buffer.
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    pub fn record_backward(
        &self,
        plan: &mut Plan,
        parameters: Tensor,
        pass: &Pass,
        output_gradient: Tensor,
        gradients: Tensor,
    ) -> Result<()> {
        let (fusion, aim) = (pass.fusion, Aim::Learn(pass.noise));
        let recorder = Recorder { network: self, fusion, parameters, aim };
        recorder.backward(plan, gradients, &self.nodes, &pass.stages, output_gradient, false)?;
        Ok(())
    }
}

/// What a pass is recorded for.
#[derive(Clone, Copy, Debug)]
enum Aim {
    Answer,
    Learn(Option<Noise>),
}

/// Records the passes of layers.
struct Recorder<'a> {
    network: &'a Network,
    fusion: Fusion,
    parameters: Tensor,
    aim: Aim,
}

impl Recorder<'_> {
    fn is_learning(&self) -> bool {
        matches!(self.aim, Aim::Learn(_))
    }

    /// Declares a layer's tensor of its inputs' rows.
    fn declare(&self, plan: &mut Plan, node: &Node, what: &str, x: Tensor, columns: u32) -> Tensor {
        let models = self.parameters.models.max(x.models);
        plan.tensor(format!("{}.{what}", node.path), models, x.rows, columns)
    }

    fn part(&self, part: Option<usize>) -> Option<Tensor> {
        part.map(|part| self.network.part(self.parameters, part))
    }

    /// Drops elements of `x`, or of a gradient, as the node does in this step.
    fn drop(&self, plan: &mut Plan, node: &Node, noise: Option<Noise>, x: Tensor, y: Tensor) -> Result<()> {
        let noise = noise.ok_or_else(|| Error::Shape {
            operation: "dropout".into(),
            found: "nothing to draw from".into(),
            expected: "the noise that the network declares".into(),
        })?;
        record_dropout(plan, x, noise.keys.part(4 * node.dropout, 1, 4), noise.step, y)
    }
}

fn is_centred(layer: &Layer) -> bool {
    !matches!(layer, Layer::RmsNorm { .. })
}

/// Mean and variance of moments, `[lanes, 1]` each.
fn columns(moments: Tensor) -> [Tensor; 2] {
    [0, 1].map(|column| moments.columns(column, 1))
}

/// The columns on both sides of an embedded one: where they are in what the layer takes, and in what it gives.
fn kept_columns(x: Tensor, y: Tensor, column: u32, size: u32) -> impl Iterator<Item = (Tensor, Tensor)> {
    let right = x.columns - column - 1;
    let sides = [(0, 0, column), (column + 1, column + size, right)];
    sides
        .into_iter()
        .filter(|(.., count)| *count > 0)
        .map(move |(from, to, count)| (x.columns(from, count), y.columns(to, count)))
}
