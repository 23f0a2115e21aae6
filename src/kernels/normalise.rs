//! Normalisation: what BatchNorm, LayerNorm and RMSNorm share.
//!
//! What is normalised together is a *lane*: a row for LayerNorm and RMSNorm, a column for BatchNorm, which
//! hands its tensors over transposed.

use super::array::tree_sum;
use super::{VIEW, elements, rows};
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::{Error, Result};

params! { Moments { x: View, stats: View, lanes: u32, count: u32, is_centred: u32 } invocations: lanes }

/// The mean and the variance of each lane.
pub static MOMENTS: Kernel = Kernel {
    name: "moments",
    params: Moments::FIELDS,
    bindings: &[Binding::read("x"), Binding::write("stats")],
    twin: moments,
    fast: None,
    forms: &[Form::plain_by_group::<Moments>(&[include_str!("../../shaders/moments.wgsl"), VIEW])],
};

/// Records the moments of each lane of `x`.
///
/// `x` is `[lanes, count]`, with a count of at least 1; `stats` is `[lanes, 2]`: the mean, and the variance
/// as the mean of squared differences from it (divided by the count, not by one less). Where the lanes are
/// not to be centred, 0 and the mean of squares. For BatchNorm, `x` is the transposed batch.
pub fn record_moments(plan: &mut Plan, is_centred: bool, x: Tensor, stats: Tensor) -> Result<()> {
    x.expect("moments", "x", x.rows, x.columns.max(1))?;
    stats.expect("moments", "stats", x.rows, 2)?;
    let models = Plan::models("moments", &[x, stats])?;
    let params = Moments {
        x: x.view(models),
        stats: stats.view(models),
        lanes: x.rows,
        count: x.columns,
        is_centred: is_centred.into(),
    };
    plan.push(&MOMENTS, params, &[x, stats], models)
}

fn moments(args: &mut Args) {
    let p = args.params::<Moments>();
    let x: &[f32] = args.read(0);
    let stats: &mut [f32] = args.write(1);
    for (model, lane) in rows(args.models, p.lanes) {
        let element = |c| x[p.x.at(model, lane, c)];
        let mean = if p.is_centred != 0 { tree_sum(p.count, element) / p.count as f32 } else { 0.0 };
        let squares = tree_sum(p.count, |c| {
            let difference = element(c) - mean;
            difference * difference
        });
        stats[p.stats.at(model, lane, 0)] = mean;
        stats[p.stats.at(model, lane, 1)] = squares / p.count as f32;
    }
}

params! {
    Normalise {
        x: View, mean: View, variance: View, weight: View, bias: View, y: View,
        rows: u32, columns: u32, has_weight: u32, has_bias: u32, epsilon: f32,
    } invocations: rows columns
}

/// `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`.
pub static NORMALISE: Kernel = Kernel {
    name: "normalise",
    params: Normalise::FIELDS,
    bindings: &[
        Binding::read("x"),
        Binding::read("mean"),
        Binding::read("variance"),
        Binding::read("weight"),
        Binding::read("bias"),
        Binding::write("y"),
    ],
    twin: normalise,
    fast: None,
    forms: &[Form::plain::<Normalise>(&[include_str!("../../shaders/normalise.wgsl"), VIEW])],
};

/// Records `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`.
///
/// `x` and `y` are `[rows, columns]`. The others are repeated to that: `mean` and `variance` are
/// `[rows, 1]` where each row was normalised and `[1, columns]` where each column was; `weight` and `bias`
/// are `[1, columns]`, or absent. Those of a column of `stats` are `stats.columns(0, 1)` and
/// `stats.columns(1, 1)`, transposed for BatchNorm.
#[allow(clippy::too_many_arguments, reason = "the operands of one kernel, named in the formula")]
pub fn record_normalise(
    plan: &mut Plan,
    epsilon: f32,
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
    y: Tensor,
) -> Result<()> {
    y.expect("normalise", "y", x.rows, x.columns)?;
    let repeated = |operand: Tensor| operand.broadcast("normalise", x.rows, x.columns);
    // An operand must be bound in the place of an absent one; nothing of it is used.
    let optional = |operand: Option<Tensor>| operand.map_or(Ok(x), repeated);
    let operands = [x, repeated(mean)?, repeated(variance)?, optional(weight)?, optional(bias)?, y];
    let models = Plan::models("normalise", &operands)?;
    let views = operands.map(|operand| operand.view(models));
    let params = Normalise {
        x: views[0],
        mean: views[1],
        variance: views[2],
        weight: views[3],
        bias: views[4],
        y: views[5],
        rows: x.rows,
        columns: x.columns,
        has_weight: weight.is_some().into(),
        has_bias: bias.is_some().into(),
        epsilon,
    };
    plan.push(&NORMALISE, params, &operands, models)
}

fn normalise(args: &mut Args) {
    let p = args.params::<Normalise>();
    let (x, mean, variance): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let (weight, bias): (&[f32], &[f32]) = (args.read(3), args.read(4));
    let y: &mut [f32] = args.write(5);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let difference = x[p.x.at(model, row, column)] - mean[p.mean.at(model, row, column)];
        let mut value = difference / (variance[p.variance.at(model, row, column)] + p.epsilon).sqrt();
        if p.has_weight != 0 {
            value *= weight[p.weight.at(model, row, column)];
        }
        if p.has_bias != 0 {
            value += bias[p.bias.at(model, row, column)];
        }
        y[p.y.at(model, row, column)] = value;
    }
}

params! {
    NormaliseBackward {
        dy: View, x: View, stats: View, weight: View, d_x: View,
        lanes: u32, count: u32, is_centred: u32, has_weight: u32, epsilon: f32,
    } invocations: lanes
}

/// The gradient of what was normalised, through the moments of its lane.
pub static NORMALISE_BACKWARD: Kernel = Kernel {
    name: "normalise_backward",
    params: NormaliseBackward::FIELDS,
    bindings: &[
        Binding::read("dy"),
        Binding::read("x"),
        Binding::read("stats"),
        Binding::read("weight"),
        Binding::write("d_x"),
    ],
    twin: normalise_backward,
    fast: None,
    forms: &[Form::plain_by_group::<NormaliseBackward>(&[include_str!("../../shaders/normalise_backward.wgsl"), VIEW])],
};

/// Records `d_x = (g - mean(g) - n * mean(g * n)) / sqrt(variance + epsilon)` of each lane, where
/// `g = dy * weight` and `n = (x - mean) / sqrt(variance + epsilon)`.
///
/// `dy`, `x` and `d_x` are `[lanes, count]`, with a count of at least 1; `stats` is `[lanes, 2]` as
/// [`record_moments`] gives it; `weight` is repeated to `[lanes, count]`, or absent. Where the lanes were not
/// centred, `mean(g)` is left out. For BatchNorm all are given transposed, `weight` too.
#[allow(clippy::too_many_arguments, reason = "the operands of one kernel, named in the formula")]
pub fn record_normalise_backward(
    plan: &mut Plan,
    is_centred: bool,
    epsilon: f32,
    dy: Tensor,
    x: Tensor,
    stats: Tensor,
    weight: Option<Tensor>,
    d_x: Tensor,
) -> Result<()> {
    let operation = "normalise_backward";
    x.expect(operation, "x", x.rows, x.columns.max(1))?;
    dy.expect(operation, "dy", x.rows, x.columns)?;
    stats.expect(operation, "stats", x.rows, 2)?;
    d_x.expect(operation, "d_x", x.rows, x.columns)?;
    // An operand must be bound in the place of an absent one; nothing of it is used.
    let repeated = weight.map_or(Ok(x), |weight| weight.broadcast(operation, x.rows, x.columns))?;
    let operands = [dy, x, stats, repeated, d_x];
    let models = Plan::models(operation, &operands)?;
    let views = operands.map(|operand| operand.view(models));
    let params = NormaliseBackward {
        dy: views[0],
        x: views[1],
        stats: views[2],
        weight: views[3],
        d_x: views[4],
        lanes: x.rows,
        count: x.columns,
        is_centred: is_centred.into(),
        has_weight: weight.is_some().into(),
        epsilon,
    };
    plan.push(&NORMALISE_BACKWARD, params, &operands, models)
}

fn normalise_backward(args: &mut Args) {
    let p = args.params::<NormaliseBackward>();
    let (dy, x): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let (stats, weight): (&[f32], &[f32]) = (args.read(2), args.read(3));
    let d_x: &mut [f32] = args.write(4);
    for (model, lane) in rows(args.models, p.lanes) {
        let mean = stats[p.stats.at(model, lane, 0)];
        let scale = 1.0 / (stats[p.stats.at(model, lane, 1)] + p.epsilon).sqrt();
        let inner = |c| {
            let gradient = dy[p.dy.at(model, lane, c)];
            if p.has_weight == 0 { gradient } else { gradient * weight[p.weight.at(model, lane, c)] }
        };
        let normal = |c| (x[p.x.at(model, lane, c)] - mean) * scale;
        let shift = if p.is_centred != 0 { tree_sum(p.count, inner) / p.count as f32 } else { 0.0 };
        let slope = tree_sum(p.count, |c| inner(c) * normal(c)) / p.count as f32;
        for c in 0..p.count {
            d_x[p.d_x.at(model, lane, c)] = scale * (inner(c) - shift - normal(c) * slope);
        }
    }
}

params! {
    NormaliseGradient {
        dy: View, x: View, mean: View, variance: View, dweight: View, dbias: View,
        rows: u32, columns: u32, has_weight: u32, has_bias: u32, epsilon: f32,
    } invocations: columns
}

/// The gradients of the weight and the bias that follow a normalisation.
pub static NORMALISE_GRADIENT: Kernel = Kernel {
    name: "normalise_gradient",
    params: NormaliseGradient::FIELDS,
    bindings: &[
        Binding::read("dy"),
        Binding::read("x"),
        Binding::read("mean"),
        Binding::read("variance"),
        Binding::write("gradient"),
    ],
    twin: normalise_gradient,
    fast: None,
    forms: &[Form::plain_by_group::<NormaliseGradient>(&[include_str!("../../shaders/normalise_gradient.wgsl"), VIEW])],
};

/// Records `dweight = ` the column sums of `dy * (x - mean) / sqrt(variance + epsilon)` and `dbias = ` those
/// of `dy`.
///
/// `dy` and `x` are `[rows, columns]`, `mean` and `variance` are repeated to that, and `dweight` and `dbias`
/// are `[1, columns]`, both in one buffer. Each may be absent; where both are, nothing is recorded.
#[allow(clippy::too_many_arguments, reason = "the operands of one kernel, named in the formula")]
pub fn record_normalise_gradient(
    plan: &mut Plan,
    epsilon: f32,
    dy: Tensor,
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    dweight: Option<Tensor>,
    dbias: Option<Tensor>,
) -> Result<()> {
    let operation = "normalise_gradient";
    let Some(written) = dweight.or(dbias) else { return Ok(()) };
    dy.expect(operation, "dy", x.rows, x.columns)?;
    let repeated = |operand: Tensor| operand.broadcast(operation, x.rows, x.columns);
    for (name, gradient) in [("dweight", dweight), ("dbias", dbias)] {
        let Some(gradient) = gradient else { continue };
        gradient.expect(operation, name, 1, x.columns)?;
        // One of them is no operand of its own, so the plan does not check it.
        plan.expect_within(|| format!("{operation}, `{name}`"), &gradient)?;
        let refuse = |found, expected| Err(Error::Shape { operation: operation.into(), found, expected });
        if gradient.buffer != written.buffer {
            let [found, expected] = [gradient, written].map(|tensor| &plan.spec(tensor.buffer).label);
            return refuse(format!("{name} in `{found}`"), format!("it in dweight's buffer, `{expected}`"));
        }
        if gradient.models != written.models {
            let expected = format!("{}, as dweight has", written.models);
            return refuse(format!("{name} of {} models", gradient.models), expected);
        }
    }
    let operands = [dy, x, repeated(mean)?, repeated(variance)?, written];
    let models = Plan::models(operation, &operands)?;
    let views = operands.map(|operand| operand.view(models));
    let optional = |gradient: Option<Tensor>| gradient.map_or(View::default(), |gradient| gradient.view(models));
    let params = NormaliseGradient {
        dy: views[0],
        x: views[1],
        mean: views[2],
        variance: views[3],
        dweight: optional(dweight),
        dbias: optional(dbias),
        rows: x.rows,
        columns: x.columns,
        has_weight: dweight.is_some().into(),
        has_bias: dbias.is_some().into(),
        epsilon,
    };
    plan.push(&NORMALISE_GRADIENT, params, &operands, models)
}

fn normalise_gradient(args: &mut Args) {
    let p = args.params::<NormaliseGradient>();
    let (dy, x): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let (mean, variance): (&[f32], &[f32]) = (args.read(2), args.read(3));
    let gradient: &mut [f32] = args.write(4);
    for (model, _, column) in elements(args.models, 1, p.columns) {
        if p.has_weight != 0 {
            gradient[p.dweight.at(model, 0, column)] = tree_sum(p.rows, |row| {
                let difference = x[p.x.at(model, row, column)] - mean[p.mean.at(model, row, column)];
                let deviation = (variance[p.variance.at(model, row, column)] + p.epsilon).sqrt();
                dy[p.dy.at(model, row, column)] * (difference / deviation)
            });
        }
        if p.has_bias != 0 {
            gradient[p.dbias.at(model, 0, column)] = tree_sum(p.rows, |row| dy[p.dy.at(model, row, column)]);
        }
    }
}
