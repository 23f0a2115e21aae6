//! The losses of logarithms of probabilities, and of means with variances.

use super::super::{NAN, VIEW, elements, rows};
use super::cross_entropy::CROSS_ENTROPY_CLASSES;
use super::pointwise::{POWER, times};
use super::record::{Reduction, Weights};
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::{Loss, Result};

params! {
    Nll {
        x: View, classes: View, weights: View, values: View, d_x: View,
        rows: u32, columns: u32, weighted: u32, scale: f32,
    } invocations: rows
}

/// Minus the logarithm of each row's class, and its gradient.
pub static NLL: Kernel = Kernel {
    name: "nll",
    params: Nll::FIELDS,
    bindings: &[
        Binding::read("x"),
        CROSS_ENTROPY_CLASSES.bindings[1],
        Binding::read("weights"),
        Binding::write("values"),
        Binding::write("d_x"),
    ],
    twin: nll,
    fast: None,
    forms: &[Form::plain::<Nll>(&[include_str!("../../../shaders/nll.wgsl"), VIEW])],
};

fn nll(args: &mut Args) {
    let p = args.params::<Nll>();
    let x: &[f32] = args.read(0);
    let classes: &[u32] = args.read(1);
    let weights: &[f32] = args.read(2);
    let values: &mut [f32] = args.write(3);
    let d_x: &mut [f32] = args.write(4);
    for (model, row) in rows(args.models, p.rows) {
        let class = classes[p.classes.at(model, row, 0)].min(p.columns - 1);
        let weight = if p.weighted == 0 { 1.0 } else { weights[p.weights.at(model, row, 0)] };
        for c in 0..p.columns {
            d_x[p.d_x.at(model, row, c)] = if c == class { -(p.scale * weight) } else { 0.0 };
        }
        values[p.values.at(model, row, 0)] = -x[p.x.at(model, row, class)] * weight;
    }
}

params! {
    KlDiv {
        x: View, t: View, weights: View, values: View, d_x: View,
        rows: u32, columns: u32, weighted: u32, scale: f32,
    } invocations: rows
}

/// The Kullback-Leibler divergence of each row, and its gradient.
pub static KL_DIV: Kernel = Kernel {
    name: "kl_div",
    params: KlDiv::FIELDS,
    bindings: &[
        Binding::read("x"),
        Binding::read("t"),
        Binding::read("weights"),
        Binding::write("values"),
        Binding::write("d_x"),
    ],
    twin: kl_div,
    fast: None,
    forms: &[Form::plain::<KlDiv>(&[include_str!("../../../shaders/kl_div.wgsl"), VIEW, POWER])],
};

fn kl_div(args: &mut Args) {
    let p = args.params::<KlDiv>();
    let (x, t, weights): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let values: &mut [f32] = args.write(3);
    let d_x: &mut [f32] = args.write(4);
    for (model, row) in rows(args.models, p.rows) {
        let weight = if p.weighted == 0 { 1.0 } else { weights[p.weights.at(model, row, 0)] };
        let mut total = 0.0;
        for c in 0..p.columns {
            let expected = t[p.t.at(model, row, c)];
            let probability = expected.exp();
            total += times(probability, expected - x[p.x.at(model, row, c)]);
            d_x[p.d_x.at(model, row, c)] = -probability * (p.scale * weight);
        }
        values[p.values.at(model, row, 0)] = total * weight;
    }
}

params! {
    Gaussian {
        mean: View, variance: View, t: View, weights: View, values: View, dmean: View, dvariance: View,
        rows: u32, columns: u32, weighted: u32, eps: f32, constant: f32, scale: f32,
    } invocations: rows columns
}

/// The Gaussian likelihood of each target given a mean and a variance, and both their gradients.
pub static GAUSSIAN_NLL: Kernel = Kernel {
    name: "gaussian_nll",
    params: Gaussian::FIELDS,
    bindings: &[
        Binding::read("mean"),
        Binding::read("variance"),
        Binding::read("t"),
        Binding::read("weights"),
        Binding::write("values"),
        Binding::write("gradient"),
    ],
    twin: gaussian_nll,
    fast: None,
    forms: &[Form::plain::<Gaussian>(&[include_str!("../../../shaders/gaussian_nll.wgsl"), VIEW, NAN])],
};

/// The parameters of [`record_gaussian_nll`], as [`Loss::GaussianNll`] has them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianNll {
    /// The least variance; above 0, default 1e-6.
    pub eps: f32,
    /// Whether `log(2 pi) / 2` is added; default no.
    pub full: bool,
}

impl Default for GaussianNll {
    fn default() -> GaussianNll {
        GaussianNll { eps: 1e-6, full: false }
    }
}

/// What [`record_gaussian_nll`] reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct GaussianOperands {
    /// The predicted means, `[rows, columns]`.
    pub means: Tensor,
    /// The predicted variances, of the same shape.
    pub variances: Tensor,
    /// The targets, of the same shape.
    pub targets: Tensor,
    /// Weights of the same shape, or with a length of 1 where they repeat.
    pub weights: Option<Tensor>,
    /// The loss of each target, of the same shape.
    pub values: Tensor,
    /// `[rows, 2 columns]`: the gradient of the means, and beside it that of the variances.
    pub gradient: Tensor,
}

/// Records `(log v + (m - t)² / v) / 2` of each target with `v = max(variance, eps)`, and the gradient
/// by means and variances.
///
/// # Errors
///
/// Shapes that do not go together, a parameter outside of its range.
pub fn record_gaussian_nll(
    plan: &mut Plan,
    settings: GaussianNll,
    reduction: Reduction,
    operands: GaussianOperands,
) -> Result<()> {
    const NAME: &str = "gaussian_nll";
    let GaussianOperands { means, variances, targets, weights, values, gradient } = operands;
    Loss::GaussianNll { eps: settings.eps, full: settings.full }.check()?;
    let (rows, columns) = (means.rows, means.columns);
    variances.expect(NAME, "variances", rows, columns)?;
    targets.expect(NAME, "targets", rows, columns)?;
    values.expect(NAME, "values", rows, columns)?;
    gradient.expect(NAME, "gradient", rows, columns.saturating_mul(2))?;
    Weights { weights, class_weights: None, classes: None }.record(plan, NAME, reduction, [rows, columns], |plan, w| {
        let weights = w.unwrap_or(first(means, rows, columns));
        let operands = [means, variances, targets, weights, values, gradient];
        let models = Plan::models(NAME, &operands)?;
        let (dmean, dvariance) = (columns_of(gradient, 0, columns), columns_of(gradient, columns, columns));
        let params = Gaussian {
            mean: means.view(models),
            variance: variances.view(models),
            t: targets.view(models),
            weights: weights.view(models),
            values: values.view(models),
            dmean: dmean.view(models),
            dvariance: dvariance.view(models),
            rows,
            columns,
            weighted: u32::from(w.is_some()),
            eps: settings.eps,
            constant: if settings.full { 0.5 * std::f32::consts::TAU.ln() } else { 0.0 },
            scale: reduction.scale(rows, columns),
        };
        plan.push(&GAUSSIAN_NLL, params, &operands, models)
    })
}

/// Columns `from` to `from + count` of a tensor; nothing moves.
pub(super) fn columns_of(tensor: Tensor, from: u32, count: u32) -> Tensor {
    // Where it is cut off, no buffer is long enough, and recording a step refuses it.
    let offset = tensor.view.offset.saturating_add(from.saturating_mul(tensor.view.column));
    Tensor { columns: count, view: View { offset, ..tensor.view }, ..tensor }
}

/// A tensor's first element at every place: what is bound where nothing is read.
pub(super) fn first(tensor: Tensor, rows: u32, columns: u32) -> Tensor {
    Tensor { rows, columns, view: View { row: 0, column: 0, ..tensor.view }, ..tensor }
}

fn gaussian_nll(args: &mut Args) {
    let p = args.params::<Gaussian>();
    let (mean, variance): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let (t, weights): (&[f32], &[f32]) = (args.read(2), args.read(3));
    let values: &mut [f32] = args.write(4);
    let gradient: &mut [f32] = args.write(5);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let given = variance[p.variance.at(model, row, column)];
        // NaN goes through, to be seen in the loss.
        let is_free = given > p.eps || given.is_nan();
        let v = if is_free { given } else { p.eps };
        let d = mean[p.mean.at(model, row, column)] - t[p.t.at(model, row, column)];
        let ratio = d / v;
        let weight = if p.weighted == 0 { 1.0 } else { weights[p.weights.at(model, row, column)] };
        values[p.values.at(model, row, column)] = (0.5 * (v.ln() + d * ratio) + p.constant) * weight;
        gradient[p.dmean.at(model, row, column)] = ratio * (p.scale * weight);
        let slope = if is_free { 0.5 * (1.0 - d * ratio) / v } else { 0.0 };
        gradient[p.dvariance.at(model, row, column)] = slope * (p.scale * weight);
    }
}
