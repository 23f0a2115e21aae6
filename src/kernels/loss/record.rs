//! Recording a loss: what it reads and writes, and what becomes of its values.

use super::super::formula::kernel_of;
use super::comparison::CosineSimilarity;
use super::cross_entropy::{CROSS_ENTROPY, CROSS_ENTROPY_CLASSES, CrossEntropy, CrossEntropyClasses, FOCAL, Focal};
use super::likelihood::{GaussianNll, GaussianOperands, KL_DIV, KlDiv, NLL, Nll, columns_of, first};
use super::weights::{record_class_weights, record_normalise_weights};
use super::{COSINE_SIMILARITY, FAMILY, Loss, POINTWISE_LOSS, PointwiseLoss, record_gaussian_nll};
use crate::compute::kernel::{Element, Kernel};
use crate::compute::plan::{Plan, Tensor};
use crate::{Error, Result};

/// What becomes of the values of a loss, and so what the gradient is of.
///
/// The values themselves are written one by one, times their weights: `record_sum` and `record_tally`
/// reduce them, with a scale of `1 / n` for the means and of 1 for the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// They stay apart; the gradient is that of their sum.
    None,
    /// Their sum divided by their number, whatever the weights are, as in MLX. The default.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Their sum divided by that of the weights, as PyTorch has it for class weights. The values are
    /// written times their number over the sum of the weights, so that their mean is the weighted
    /// one. Without weights it is the mean; weights that sum to 0 give NaN.
    WeightedMean,
}

impl Reduction {
    /// What reducing multiplies the sum of `[rows, columns]` loss values with.
    pub fn scale(self, rows: u32, columns: u32) -> f32 {
        match self {
            Reduction::None | Reduction::Sum => 1.0,
            Reduction::Mean | Reduction::WeightedMean => 1.0 / (u64::from(rows) * u64::from(columns)) as f32,
        }
    }
}

/// A loss and what becomes of its values.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Criterion {
    /// The loss.
    pub loss: Loss,
    /// What becomes of its values.
    pub reduction: Reduction,
}

impl From<Loss> for Criterion {
    /// The mean of a loss.
    fn from(loss: Loss) -> Criterion {
        Criterion { loss, reduction: Reduction::Mean }
    }
}

/// What a loss reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct LossOperands {
    /// The network's output, `[rows, columns]` with at least one column.
    pub output: Tensor,
    /// Numbers in the output's shape (half its columns for [`Loss::GaussianNll`]), or class indices of
    /// `[rows, 1]` where the loss takes them.
    pub targets: Tensor,
    /// Factors of the loss values: in their shape, or with a length of 1 where they repeat, as in the
    /// `[rows, 1]` of one weight for each sample.
    pub weights: Option<Tensor>,
    /// Factors for the classes of the rows, `[1, columns]`; for class indices only.
    pub class_weights: Option<Tensor>,
    /// Written: the loss values, of [`Loss::shape`].
    pub values: Tensor,
    /// Written: the gradient by the output, in its shape.
    pub gradient: Tensor,
}

/// Records a loss's values and the gradient of their mean, without weights.
///
/// `output` and `gradient` are `[rows, columns]`, `values` are of [`Loss::shape`]. `targets` have the
/// output's shape (half its columns for [`Loss::GaussianNll`]), or are `[rows, 1]` class indices where
/// the loss takes them.
///
/// # Errors
///
/// As for [`record_criterion`].
pub fn record_loss(
    plan: &mut Plan,
    loss: Loss,
    output: Tensor,
    targets: Tensor,
    values: Tensor,
    gradient: Tensor,
) -> Result<()> {
    let operands = LossOperands { output, targets, weights: None, class_weights: None, values, gradient };
    record_criterion(plan, loss.into(), operands)
}

/// Records a loss's values, times their weights, and the gradient of what they are reduced to.
///
/// # Errors
///
/// Shapes that do not go together, a parameter outside of its range, class indices for a loss that does
/// not take them or numbers for one that takes nothing else, class weights without class indices.
pub fn record_criterion(plan: &mut Plan, criterion: Criterion, operands: LossOperands) -> Result<()> {
    let Criterion { loss, reduction } = criterion;
    let LossOperands { output, targets, weights, class_weights, values, gradient } = operands;
    loss.check()?;
    let (name, rows, columns) = (loss.name(), output.rows, output.columns);
    let is_class = plan.buffers().get(targets.buffer.0 as usize).is_some_and(|spec| spec.element == Element::U32);
    let refuse = |found: &str, expected: &str| {
        Err(Error::Shape { operation: name.into(), found: found.into(), expected: expected.into() })
    };
    if is_class && !loss.takes_classes() {
        return refuse("class indices as targets", "numbers; `cross_entropy`, `focal` and `nll` take class indices");
    }
    if !is_class && !loss.takes_numbers() {
        return refuse("numbers as targets", "class indices, one for each row");
    }
    if columns == 0 {
        return refuse("an output without columns", "at least one column");
    }
    if let Some(class_weights) = class_weights {
        if !is_class {
            return refuse("class weights, but no class indices as targets", "class indices, or weights of the rows");
        }
        class_weights.expect(name, "class weights", 1, columns)?;
    }
    if let Some((kind, alpha)) = loss.pointwise() {
        return record_pointwise(plan, &POINTWISE_LOSS, name, (kind as u32, [alpha, 0.0]), reduction, operands);
    }
    if let Loss::Formula(formula) = loss {
        let kernel = kernel_of(&FAMILY, formula);
        return record_pointwise(plan, kernel, name, (formula.number(), [0.0; 2]), reduction, operands);
    }
    let [value_rows, value_columns] = loss.shape(rows, columns);
    let is_gaussian = matches!(loss, Loss::GaussianNll { .. });
    if is_gaussian && !columns.is_multiple_of(2) {
        return refuse(&format!("an output of {columns} columns"), "an even number: means, and as many variances");
    }
    let target_columns = match is_class {
        true => 1,
        false if is_gaussian => value_columns,
        false => columns,
    };
    targets.expect(name, "targets", rows, target_columns)?;
    values.expect(name, "loss values", value_rows, value_columns)?;
    gradient.expect(name, "gradient", rows, columns)?;

    if let Loss::GaussianNll { eps, full } = loss {
        let (means, variances) =
            (columns_of(output, 0, value_columns), columns_of(output, value_columns, value_columns));
        let operands = GaussianOperands { means, variances, targets, weights, values, gradient };
        return record_gaussian_nll(plan, GaussianNll { eps, full }, reduction, operands);
    }
    let scale = reduction.scale(value_rows, value_columns);
    let weights = Weights { weights, class_weights, classes: is_class.then_some(targets) };
    weights.record(plan, name, reduction, [value_rows, value_columns], |plan, weights| {
        let bound = weights.unwrap_or(first(output, value_rows, value_columns));
        let operands = [output, targets, bound, values, gradient];
        let models = Plan::models(name, &operands)?;
        let weighted = u32::from(weights.is_some());
        let [x, t, weights, values, d_x] = operands.map(|operand| operand.view(models));
        // The names of the parameter blocks' fields are those of the formulas.
        let (z, classes, dz) = (x, t, d_x);
        match loss {
            Loss::CosineSimilarity { eps } => {
                let params = CosineSimilarity { x, t, weights, values, d_x, rows, columns, weighted, eps, scale };
                plan.push(&COSINE_SIMILARITY, params, &operands, models)
            }
            Loss::Focal { gamma } => {
                let params = Focal { z, classes, weights, values, dz, rows, columns, weighted, gamma, scale };
                plan.push(&FOCAL, params, &operands, models)
            }
            Loss::Nll => {
                let params = Nll { x, classes, weights, values, d_x, rows, columns, weighted, scale };
                plan.push(&NLL, params, &operands, models)
            }
            Loss::KlDiv => {
                let params = KlDiv { x, t, weights, values, d_x, rows, columns, weighted, scale };
                plan.push(&KL_DIV, params, &operands, models)
            }
            _ => {
                let smoothing = loss.label_smoothing();
                if is_class {
                    let params = CrossEntropyClasses {
                        z,
                        classes,
                        weights,
                        values,
                        dz,
                        rows,
                        columns,
                        weighted,
                        smoothing,
                        scale,
                    };
                    return plan.push(&CROSS_ENTROPY_CLASSES, params, &operands, models);
                }
                let params = CrossEntropy { z, t, weights, values, dz, rows, columns, weighted, smoothing, scale };
                plan.push(&CROSS_ENTROPY, params, &operands, models)
            }
        }
    })
}

/// Records a loss of each element by a kernel with the parameter block of [`POINTWISE_LOSS`]: that one,
/// or one whose text has other functions `loss_value` and `loss_slope`. The choice: `kind`, and `alpha`
/// and `beta`, as the functions are given them.
///
/// Class weights are for class indices and no operand here.
pub(crate) fn record_pointwise(
    plan: &mut Plan,
    kernel: &'static Kernel,
    name: &str,
    (kind, [alpha, beta]): (u32, [f32; 2]),
    reduction: Reduction,
    operands: LossOperands,
) -> Result<()> {
    let LossOperands { output, targets, weights, class_weights: _, values, gradient } = operands;
    let (rows, columns) = (output.rows, output.columns);
    targets.expect(name, "targets", rows, columns)?;
    values.expect(name, "loss values", rows, columns)?;
    gradient.expect(name, "gradient", rows, columns)?;
    let scale = reduction.scale(rows, columns);
    let weights = Weights { weights, class_weights: None, classes: None };
    weights.record(plan, name, reduction, [rows, columns], |plan, weights| {
        let weighted = u32::from(weights.is_some());
        let operands = [output, targets, weights.unwrap_or(first(output, rows, columns)), values, gradient];
        let models = Plan::models(name, &operands)?;
        let [p, t, weights, values, gradient] = operands.map(|operand| operand.view(models));
        let params =
            PointwiseLoss { p, t, weights, values, gradient, rows, columns, weighted, kind, alpha, beta, scale };
        plan.push(kernel, params, &operands, models)
    })
}

/// What loss values are multiplied with, as the caller gives it.
pub(super) struct Weights {
    pub(super) weights: Option<Tensor>,
    pub(super) class_weights: Option<Tensor>,
    /// The class indices that the class weights are for.
    pub(super) classes: Option<Tensor>,
}

impl Weights {
    /// Records what makes one weight for each loss value, and then the loss with them: both or neither.
    pub(super) fn record(
        self,
        plan: &mut Plan,
        name: &str,
        reduction: Reduction,
        [rows, columns]: [u32; 2],
        record: impl FnOnce(&mut Plan, Option<Tensor>) -> Result<()>,
    ) -> Result<()> {
        let mut weights = self.weights;
        if let Some(weights) = weights {
            weights.broadcast(name, rows, columns)?;
        }
        let is_made = self.class_weights.is_some() || (reduction == Reduction::WeightedMean && weights.is_some());
        if !is_made {
            let repeated = weights.map(|weights| weights.broadcast(name, rows, columns)).transpose()?;
            return record(plan, repeated);
        }
        let mut whole = plan.clone();
        if let (Some(class_weights), Some(classes)) = (self.class_weights, self.classes) {
            let own = weights.map(|weights| weights.broadcast(name, rows, 1)).transpose()?;
            let operands: Vec<Tensor> = [class_weights, classes].into_iter().chain(own).collect();
            let made = whole.tensor("row weights", Plan::models(name, &operands)?, rows, 1);
            record_class_weights(&mut whole, class_weights, classes, own, made)?;
            weights = Some(made);
        }
        if let (Reduction::WeightedMean, Some(given)) = (reduction, weights) {
            let made = whole.tensor("normalised weights", given.models, given.rows, given.columns);
            record_normalise_weights(&mut whole, given, made)?;
            weights = Some(made);
        }
        let repeated = weights.map(|weights| weights.broadcast(name, rows, columns)).transpose()?;
        record(&mut whole, repeated)?;
        *plan = whole;
        Ok(())
    }
}
