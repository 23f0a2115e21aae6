//! The recording of a network's passes, forwards and backwards.

use super::network::Node;
use super::{Layer, Network};
use crate::compute::{Plan, Tensor};
use crate::kernels::activation::{Activation, SlopeOf, record_activate, record_activate_backward};
use crate::kernels::array::{
    Operation, record_add_bias, record_arithmetic, record_blend, record_column_sum, record_copy,
};
use crate::kernels::dropout::{dropout_noise, record_dropout};
use crate::kernels::embedding::{record_embed, record_embed_gradient};
use crate::kernels::gate::{
    record_glu, record_glu_backward, record_prelu, record_prelu_backward, record_prelu_gradient,
};
use crate::kernels::matmul::{record_dense, record_dense_backward, record_dense_gradient, record_matmul};
use crate::kernels::normalise::{
    record_moments, record_normalise, record_normalise_backward, record_normalise_gradient,
};
use crate::kernels::softmax::{record_softmax_backward, record_softmax_of};
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
        let recorder = Recorder { network: self, fusion, parameters, purpose: Purposed::Answer };
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
        let recorder = Recorder { network: self, fusion, parameters, purpose: Purposed::Learn(noise) };
        self.expect_input(x)?;
        let (stages, output) = recorder.forward(plan, &self.nodes, x)?;
        Ok(Pass { fusion, noise, stages, output })
    }

    fn expect_input(&self, x: Tensor) -> Result<()> {
        x.expect("forward pass", "x", x.rows, self.inputs())
    }

    /// Records the backward pass: from the gradient of the output to that of every parameter that is trained.
    /// What is frozen keeps the gradient that it has, 0 in a new buffer.
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
        let (fusion, purpose) = (pass.fusion, Purposed::Learn(pass.noise));
        let recorder = Recorder { network: self, fusion, parameters, purpose };
        recorder.backward(plan, gradients, &self.nodes, &pass.stages, output_gradient, false)?;
        Ok(())
    }
}

/// What a pass is recorded for.
#[derive(Clone, Copy, Debug)]
enum Purposed {
    Answer,
    Learn(Option<Noise>),
}

/// Records the passes of layers.
struct Recorder<'a> {
    network: &'a Network,
    fusion: Fusion,
    parameters: Tensor,
    purpose: Purposed,
}

impl Recorder<'_> {
    fn is_learning(&self) -> bool {
        matches!(self.purpose, Purposed::Learn(_))
    }

    /// Declares a layer's tensor of its inputs' rows.
    fn declare(&self, plan: &mut Plan, node: &Node, what: &str, x: Tensor, columns: u32) -> Tensor {
        let models = self.parameters.models.max(x.models);
        plan.tensor(format!("{}.{what}", node.path), models, x.rows, columns)
    }

    fn part(&self, part: Option<usize>) -> Option<Tensor> {
        part.map(|part| self.network.part(self.parameters, part))
    }

    fn forward(&self, plan: &mut Plan, nodes: &[Node], x: Tensor) -> Result<(Vec<Stage>, Tensor)> {
        let mut stages: Vec<Stage> = Vec::new();
        let mut input = x;
        while stages.len() < nodes.len() {
            let rest = &nodes[stages.len()..];
            if let Some(activation) = self.fused_activation(rest) {
                let y = self.linear(plan, rest, activation, input)?;
                // The sum before the activation is nowhere; its slope is told without.
                let stage = |input| Stage { input, output: y, kept: Kept::Nothing };
                stages.extend([stage(input), stage(y)]);
                input = y;
            } else {
                let (output, kept) = self.layer(plan, rest, input)?;
                stages.push(Stage { input, output, kept });
                input = output;
            }
        }
        Ok((stages, input))
    }

    /// The activation that the first layer's kernel can apply as well.
    fn fused_activation(&self, nodes: &[Node]) -> Option<Activation> {
        let [
            Node { layer: Layer::Linear { bias: true, .. }, .. },
            Node { layer: Layer::Activation(activation), .. },
            ..,
        ] = nodes
        else {
            return None;
        };
        let tells_slope = !self.is_learning() || activation.slope_of() == SlopeOf::Output;
        (self.fusion == Fusion::Fused && activation.is_fusable() && tells_slope).then_some(*activation)
    }

    fn linear(&self, plan: &mut Plan, nodes: &[Node], activation: Activation, x: Tensor) -> Result<Tensor> {
        let node = &nodes[0];
        let weight = self.part(node.weight).expect("a linear layer's weight");
        let Some(bias) = self.part(node.bias) else {
            let product = self.declare(plan, node, "product", x, node.outputs);
            record_matmul(plan, x, weight.transposed(), product)?;
            return Ok(product);
        };
        if self.fusion == Fusion::Fused {
            let is_activated = matches!(nodes.get(1), Some(Node { layer: Layer::Activation(_), .. }));
            let is_sum = is_activated && activation == Activation::Identity;
            let what = if is_sum { "sum" } else { "output" };
            let y = self.declare(plan, node, what, x, node.outputs);
            record_dense(plan, activation, x, weight, bias, y)?;
            return Ok(y);
        }
        let product = self.declare(plan, node, "product", x, node.outputs);
        let sum = self.declare(plan, node, "sum", x, node.outputs);
        record_matmul(plan, x, weight.transposed(), product)?;
        record_add_bias(plan, product, bias, sum)?;
        Ok(sum)
    }

    /// What the first of some layers gives.
    fn layer(&self, plan: &mut Plan, nodes: &[Node], x: Tensor) -> Result<(Tensor, Kept)> {
        let node = &nodes[0];
        let new = |plan: &mut Plan, what: &str| self.declare(plan, node, what, x, node.outputs);
        let y = match &node.layer {
            Layer::Linear { .. } => self.linear(plan, nodes, Activation::Identity, x)?,
            Layer::Activation(Activation::Identity) => x,
            Layer::Activation(activation) => {
                let y = new(plan, "output");
                record_activate(plan, *activation, x, y)?;
                y
            }
            Layer::Softmax(kind) => {
                let y = new(plan, "output");
                record_softmax_of(plan, *kind, x, y)?;
                y
            }
            Layer::Glu => {
                let y = new(plan, "output");
                record_glu(plan, x, y)?;
                y
            }
            Layer::Prelu { .. } => {
                let y = new(plan, "output");
                record_prelu(plan, x, self.part(node.weight).expect("its slopes"), y)?;
                y
            }
            Layer::Dropout { rate } => match self.purpose {
                Purposed::Learn(noise) if *rate > 0.0 => {
                    let y = new(plan, "output");
                    self.drop(plan, node, noise, x, y)?;
                    y
                }
                _ => x,
            },
            Layer::BatchNorm { epsilon, momentum, unbiased, .. } => {
                let y = new(plan, "output");
                let running = node.running.map(|parts| parts.map(|part| self.network.part(self.parameters, part)));
                let [mean, variance] = running.expect("running statistics");
                if !self.is_learning() {
                    let (weight, bias) = (self.part(node.weight), self.part(node.bias));
                    record_normalise(plan, *epsilon, x, mean, variance, weight, bias, y)?;
                    return Ok((y, Kept::Nothing));
                }
                let moments = plan.tensor(format!("{}.moments", node.path), y.models, x.columns, 2);
                record_moments(plan, true, x.transposed(), moments)?;
                let [own_mean, own_variance] = columns(moments).map(Tensor::transposed);
                let (weight, bias) = (self.part(node.weight), self.part(node.bias));
                record_normalise(plan, *epsilon, x, own_mean, own_variance, weight, bias, y)?;
                let rows = x.rows as f32;
                // The variance of a single row tells nothing.
                if x.rows > 1 {
                    let correction = if *unbiased { rows / (rows - 1.0) } else { 1.0 };
                    record_blend(plan, *momentum, 1.0, own_mean, mean)?;
                    record_blend(plan, *momentum, correction, own_variance, variance)?;
                }
                return Ok((y, Kept::Moments(moments)));
            }
            Layer::LayerNorm { epsilon, .. } | Layer::RmsNorm { epsilon } => {
                let y = new(plan, "output");
                let moments = plan.tensor(format!("{}.moments", node.path), y.models, x.rows, 2);
                record_moments(plan, is_centred(&node.layer), x, moments)?;
                let [mean, variance] = columns(moments);
                let (weight, bias) = (self.part(node.weight), self.part(node.bias));
                record_normalise(plan, *epsilon, x, mean, variance, weight, bias, y)?;
                return Ok((y, Kept::Moments(moments)));
            }
            Layer::Embedding { column, size, .. } => {
                let y = new(plan, "output");
                for (from, to) in kept_columns(x, y, *column, *size) {
                    record_copy(plan, from, to)?;
                }
                let table = self.part(node.weight).expect("its table");
                record_embed(plan, x.columns(*column, 1), table, y.columns(*column, *size))?;
                y
            }
            Layer::Residual(_) => {
                let (stages, inner) = self.forward(plan, &node.inner, x)?;
                let y = new(plan, "output");
                record_arithmetic(plan, Operation::Add, x, inner, y)?;
                return Ok((y, Kept::Inner(stages)));
            }
        };
        Ok((y, Kept::Nothing))
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

    /// Records the backward pass through layers from `dy`, the gradient of what they gave; gives the gradient
    /// of what they took where it is wanted.
    fn backward(
        &self,
        plan: &mut Plan,
        gradients: Tensor,
        nodes: &[Node],
        stages: &[Stage],
        dy: Tensor,
        is_wanted: bool,
    ) -> Result<Option<Tensor>> {
        let mut dy = dy;
        let mut left = nodes.len();
        while left > 0 {
            let is_wanted = is_wanted || self.is_trained(&nodes[..left - 1]);
            if !is_wanted && !self.is_trained(&nodes[..left]) {
                return Ok(None);
            }
            let (node, stage) = (&nodes[left - 1], &stages[left - 1]);
            let below = match left.checked_sub(2).map(|below| (&nodes[below], &stages[below])) {
                Some((Node { layer: Layer::Activation(activation), .. }, stage))
                    if self.fusion == Fusion::Fused && activation.is_fusable() && is_wanted =>
                {
                    Some((&nodes[left - 2], *activation, stage))
                }
                _ => None,
            };
            if let (Layer::Linear { .. }, Some((activated, activation, through))) = (&node.layer, below) {
                self.linear_gradient(plan, gradients, node, stage.input, dy)?;
                let weight = self.part(node.weight).expect("a linear layer's weight");
                let dz = self.declare(plan, activated, "gradient", dy, node.inputs);
                record_dense_backward(plan, activation, dy, weight, slope_operand(activation, through), dz)?;
                dy = dz;
                left -= 2;
                continue;
            }
            match self.layer_backward(plan, gradients, &nodes[..left], stage, dy, is_wanted)? {
                Some(dx) => dy = dx,
                None => return Ok(None),
            }
            left -= 1;
        }
        Ok(is_wanted.then_some(dy))
    }

    /// Whether any of the parameters of some layers is trained.
    fn is_trained(&self, nodes: &[Node]) -> bool {
        let is_trained = |part: Option<usize>| part.is_some_and(|part| self.network.parameters()[part].is_trained());
        nodes.iter().any(|node| is_trained(node.weight) || is_trained(node.bias) || self.is_trained(&node.inner))
    }

    fn linear_gradient(&self, plan: &mut Plan, gradients: Tensor, node: &Node, x: Tensor, dy: Tensor) -> Result<()> {
        if !self.is_trained(std::slice::from_ref(node)) {
            return Ok(());
        }
        let part = |part: Option<usize>| part.map(|part| self.network.part(gradients, part));
        let dweight = part(node.weight).expect("a linear layer's weight");
        match (part(node.bias), self.fusion) {
            (Some(dbias), Fusion::Fused) => record_dense_gradient(plan, dy, x, dweight, dbias),
            (dbias, _) => {
                record_matmul(plan, dy.transposed(), x, dweight)?;
                dbias.map_or(Ok(()), |dbias| record_column_sum(plan, dy, dbias))
            }
        }
    }

    /// The gradient of what the last of some layers took, where it is wanted; records those of its parameters.
    fn layer_backward(
        &self,
        plan: &mut Plan,
        gradients: Tensor,
        nodes: &[Node],
        stage: &Stage,
        dy: Tensor,
        is_wanted: bool,
    ) -> Result<Option<Tensor>> {
        let [below @ .., node] = nodes else { unreachable!("a layer at least") };
        let x = stage.input;
        let is_trained = self.is_trained(std::slice::from_ref(node));
        let gradient = |part: Option<usize>| part.map(|part| self.network.part(gradients, part));
        let new = |plan: &mut Plan| match below.last() {
            Some(below) => self.declare(plan, below, "output gradient", dy, node.inputs),
            None => self.declare(plan, node, "input gradient", dy, node.inputs),
        };
        match &node.layer {
            Layer::Linear { .. } => {
                self.linear_gradient(plan, gradients, node, x, dy)?;
                if !is_wanted {
                    return Ok(None);
                }
                let dx = new(plan);
                record_matmul(plan, dy, self.part(node.weight).expect("a linear layer's weight"), dx)?;
                Ok(Some(dx))
            }
            Layer::Activation(Activation::Identity) => Ok(Some(dy)),
            Layer::Activation(activation) => {
                let dz = self.declare(plan, node, "gradient", dy, node.inputs);
                record_activate_backward(plan, *activation, dy, slope_operand(*activation, stage), dz)?;
                Ok(Some(dz))
            }
            Layer::Softmax(kind) => {
                let dx = new(plan);
                record_softmax_backward(plan, *kind, dy, stage.output, dx)?;
                Ok(Some(dx))
            }
            Layer::Glu => {
                let dx = new(plan);
                record_glu_backward(plan, dy, x, dx)?;
                Ok(Some(dx))
            }
            Layer::Prelu { per_column, .. } => {
                if is_trained {
                    let dslope = gradient(node.weight).expect("its slopes");
                    // A slope that all columns share sums over all of them.
                    let lanes = |tensor: Tensor| match per_column {
                        true => tensor,
                        false => tensor.part(0, tensor.rows * tensor.columns, 1),
                    };
                    record_prelu_gradient(plan, lanes(dy), lanes(x), dslope)?;
                }
                if !is_wanted {
                    return Ok(None);
                }
                let dx = new(plan);
                record_prelu_backward(plan, dy, x, self.part(node.weight).expect("its slopes"), dx)?;
                Ok(Some(dx))
            }
            Layer::Dropout { rate } => match self.purpose {
                Purposed::Learn(noise) if *rate > 0.0 => {
                    let dx = new(plan);
                    self.drop(plan, node, noise, dy, dx)?;
                    Ok(Some(dx))
                }
                _ => Ok(Some(dy)),
            },
            Layer::BatchNorm { epsilon, .. } | Layer::LayerNorm { epsilon, .. } | Layer::RmsNorm { epsilon } => {
                let Kept::Moments(moments) = stage.kept else { unreachable!("a normalisation keeps its moments") };
                let is_by_column = matches!(node.layer, Layer::BatchNorm { .. });
                let lanes = |tensor: Tensor| if is_by_column { tensor.transposed() } else { tensor };
                if is_trained {
                    let [mean, variance] = columns(moments).map(lanes);
                    let (dweight, dbias) = (gradient(node.weight), gradient(node.bias));
                    record_normalise_gradient(plan, *epsilon, dy, x, mean, variance, dweight, dbias)?;
                }
                if !is_wanted {
                    return Ok(None);
                }
                let dx = new(plan);
                let weight = self.part(node.weight).map(lanes);
                let is_centred = is_centred(&node.layer);
                record_normalise_backward(plan, is_centred, *epsilon, lanes(dy), lanes(x), moments, weight, lanes(dx))?;
                Ok(Some(dx))
            }
            Layer::Embedding { column, size, .. } => {
                if is_trained {
                    let dtable = gradient(node.weight).expect("its table");
                    record_embed_gradient(plan, x.columns(*column, 1), dy.columns(*column, *size), dtable)?;
                }
                if !is_wanted {
                    return Ok(None);
                }
                // The category itself has no gradient: its column stays 0.
                let dx = new(plan);
                for (to, from) in kept_columns(dx, dy, *column, *size) {
                    record_copy(plan, from, to)?;
                }
                Ok(Some(dx))
            }
            Layer::Residual(_) => {
                let Kept::Inner(stages) = &stage.kept else { unreachable!("a residual layer keeps its stages") };
                let inner = self.backward(plan, gradients, &node.inner, stages, dy, is_wanted)?;
                let Some(inner) = inner.filter(|_| is_wanted) else { return Ok(None) };
                let dx = new(plan);
                record_arithmetic(plan, Operation::Add, dy, inner, dx)?;
                Ok(Some(dx))
            }
        }
    }
}

/// What an activation's slope is told from.
fn slope_operand(activation: Activation, stage: &Stage) -> Tensor {
    match activation.slope_of() {
        SlopeOf::Output => stage.output,
        SlopeOf::Input => stage.input,
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
