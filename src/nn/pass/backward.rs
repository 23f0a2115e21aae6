//! Backwards: from the gradient of what a layer gave to those of what it took and of its parameters.

use super::super::network::Node;
use super::{Aim, Fusion, Kept, Recorder, Stage, columns, is_centred, kept_columns};
use crate::Result;
use crate::compute::{Plan, Tensor};
use crate::kernels::activation::{Activation, SlopeOf, record_activate_backward};
use crate::kernels::array::{Operation, record_arithmetic, record_column_sum, record_copy};
use crate::kernels::embedding::record_embed_gradient;
use crate::kernels::gate::{record_glu_backward, record_prelu_backward, record_prelu_gradient};
use crate::kernels::matmul::{record_dense_backward, record_dense_gradient, record_matmul};
use crate::kernels::normalise::{record_normalise_backward, record_normalise_gradient};
use crate::kernels::softmax::record_softmax_backward;
use crate::nn::Layer;

impl Recorder<'_> {
    /// Records the backward pass through layers from `dy`, the gradient of what they gave; gives the gradient
    /// of what they took where it is wanted.
    pub(super) fn backward(
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
                    // A slope that all columns share sums over all of them, one after the other.
                    let mut x = x;
                    if !per_column && !x.is_contiguous() {
                        let own = plan.tensor(format!("{}.input", node.path), x.models, x.rows, x.columns);
                        record_copy(plan, x, own)?;
                        x = own;
                    }
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
            Layer::Dropout { rate } => match self.aim {
                Aim::Learn(noise) if *rate > 0.0 => {
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
            Layer::Scale => {
                if is_trained {
                    let dscale = gradient(node.weight).expect("its scale");
                    let products = self.declare(plan, node, "products", dy, node.inputs);
                    record_arithmetic(plan, Operation::Multiply, dy, x, products)?;
                    record_column_sum(plan, products, dscale)?;
                }
                if !is_wanted {
                    return Ok(None);
                }
                let dx = new(plan);
                record_arithmetic(plan, Operation::Multiply, dy, self.part(node.weight).expect("its scale"), dx)?;
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
