//! Forwards: what each layer gives.

use super::super::network::Node;
use super::{Aim, Fusion, Kept, Recorder, Stage, columns, is_centred, kept_columns};
use crate::Result;
use crate::compute::{Plan, Tensor};
use crate::kernels::activation::{Activation, SlopeOf, record_activate};
use crate::kernels::array::{Operation, record_add_bias, record_arithmetic, record_blend, record_copy};
use crate::kernels::embedding::record_embed;
use crate::kernels::gate::{record_glu, record_prelu};
use crate::kernels::matmul::{record_dense, record_matmul};
use crate::kernels::normalise::{record_moments, record_normalise};
use crate::kernels::softmax::record_softmax_of;
use crate::nn::Layer;

impl Recorder<'_> {
    /// Records some layers over `x`; gives what each took and gave, and what the last one gave.
    pub(super) fn forward(&self, plan: &mut Plan, nodes: &[Node], x: Tensor) -> Result<(Vec<Stage>, Tensor)> {
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
            Layer::Dropout { rate } => match self.aim {
                Aim::Learn(noise) if *rate > 0.0 => {
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
                    let parts = node.running.expect("running statistics");
                    let moves = [(1.0, own_mean, mean), (correction, own_variance, variance)];
                    for (part, (factor, own, running)) in parts.into_iter().zip(moves) {
                        if !self.network.parameters()[part].is_frozen {
                            record_blend(plan, *momentum, factor, own, running)?;
                        }
                    }
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
            Layer::Scale => {
                let y = new(plan, "output");
                record_arithmetic(plan, Operation::Multiply, x, self.part(node.weight).expect("its scale"), y)?;
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
}
