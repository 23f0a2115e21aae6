//! Activations with more than one operand: the gated linear unit, and PReLU with its learned slope.

use super::activation::Activation;
use super::array::tree_sum;
use super::{ELEMENTARY, NAN, VIEW, elements};
use crate::Result;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};

params! { Glu { x: View, y: View, rows: u32, columns: u32 } invocations: rows columns }

/// `y = a * sigmoid(b)`, where `a` and `b` are the halves of each row of `x`.
pub static GLU: Kernel = Kernel {
    name: "glu",
    params: Glu::FIELDS,
    bindings: &[Binding::read("x"), Binding::write("y")],
    twin: glu,
    fast: None,
    forms: &[Form::plain::<Glu>(&[include_str!("../../shaders/glu.wgsl"), VIEW, ELEMENTARY, NAN])],
};

/// Records `y = a * sigmoid(b)`, where `a` and `b` are the halves of each row of `x`: MLX's `glu`.
///
/// `x` is `[rows, 2 columns]`, `y` is `[rows, columns]`.
pub fn record_glu(plan: &mut Plan, x: Tensor, y: Tensor) -> Result<()> {
    x.expect("glu", "x", y.rows, y.columns.saturating_mul(2))?;
    let models = Plan::models("glu", &[x, y])?;
    let params = Glu { x: x.view(models), y: y.view(models), rows: y.rows, columns: y.columns };
    plan.push(&GLU, params, &[x, y], models)
}

fn glu(args: &mut Args) {
    let p = args.params::<Glu>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let gate = x[p.x.at(model, row, p.columns + column)];
        y[p.y.at(model, row, column)] = x[p.x.at(model, row, column)] * sigmoid(gate);
    }
}

params! { GluBackward { dy: View, x: View, d_x: View, rows: u32, columns: u32 } invocations: rows columns }

/// The gradients of both halves of a gated linear unit.
pub static GLU_BACKWARD: Kernel = Kernel {
    name: "glu_backward",
    params: GluBackward::FIELDS,
    bindings: &[Binding::read("dy"), Binding::read("x"), Binding::write("d_x")],
    twin: glu_backward,
    fast: None,
    forms: &[Form::plain::<GluBackward>(&[include_str!("../../shaders/glu_backward.wgsl"), VIEW, ELEMENTARY, NAN])],
};

/// Records `d_x = ` the gradients of both halves: `dy * sigmoid(b)` and
/// `dy * a * sigmoid(b) * (1 - sigmoid(b))`.
///
/// `dy` is `[rows, columns]`, `x` and `d_x` are `[rows, 2 columns]`.
pub fn record_glu_backward(plan: &mut Plan, dy: Tensor, x: Tensor, d_x: Tensor) -> Result<()> {
    x.expect("glu_backward", "x", dy.rows, dy.columns.saturating_mul(2))?;
    d_x.expect("glu_backward", "d_x", x.rows, x.columns)?;
    let models = Plan::models("glu_backward", &[dy, x, d_x])?;
    let params = GluBackward {
        dy: dy.view(models),
        x: x.view(models),
        d_x: d_x.view(models),
        rows: dy.rows,
        columns: dy.columns,
    };
    plan.push(&GLU_BACKWARD, params, &[dy, x, d_x], models)
}

fn glu_backward(args: &mut Args) {
    let p = args.params::<GluBackward>();
    let (dy, x): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let d_x: &mut [f32] = args.write(2);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let gate = x[p.x.at(model, row, p.columns + column)];
        let through = dy[p.dy.at(model, row, column)] * sigmoid(gate);
        d_x[p.d_x.at(model, row, column)] = through;
        d_x[p.d_x.at(model, row, p.columns + column)] = through * x[p.x.at(model, row, column)] * sigmoid(-gate);
    }
}

fn sigmoid(z: f32) -> f32 {
    Activation::Sigmoid.value(z)
}

params! { Prelu { z: View, slope: View, y: View, rows: u32, columns: u32 } invocations: rows columns }

/// `y = max(0, z) + slope * min(0, z)`.
pub static PRELU: Kernel = Kernel {
    name: "prelu",
    params: Prelu::FIELDS,
    bindings: &[Binding::read("z"), Binding::read("slope"), Binding::write("y")],
    twin: prelu,
    fast: None,
    forms: &[Form::plain::<Prelu>(&[include_str!("../../shaders/prelu.wgsl"), VIEW])],
};

/// Records `y = max(0, z) + slope * min(0, z)`: MLX's `prelu`.
///
/// `z` and `y` are `[rows, columns]`; `slope` is `[1, columns]`, or `[1, 1]` for all.
pub fn record_prelu(plan: &mut Plan, z: Tensor, slope: Tensor, y: Tensor) -> Result<()> {
    y.expect("prelu", "y", z.rows, z.columns)?;
    let slope = slope.broadcast("prelu", z.rows, z.columns)?;
    let models = Plan::models("prelu", &[z, slope, y])?;
    let params =
        Prelu { z: z.view(models), slope: slope.view(models), y: y.view(models), rows: y.rows, columns: y.columns };
    plan.push(&PRELU, params, &[z, slope, y], models)
}

fn prelu(args: &mut Args) {
    let p = args.params::<Prelu>();
    let (z, slope): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let y: &mut [f32] = args.write(2);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let value = z[p.z.at(model, row, column)];
        let slope = slope[p.slope.at(model, row, column)];
        y[p.y.at(model, row, column)] = if value > 0.0 { value } else { slope * value };
    }
}

params! {
    PreluBackward { dy: View, z: View, slope: View, dz: View, rows: u32, columns: u32 } invocations: rows columns
}

/// `dz = dy` where `z` is above 0, else `dy * slope`.
pub static PRELU_BACKWARD: Kernel = Kernel {
    name: "prelu_backward",
    params: PreluBackward::FIELDS,
    bindings: &[Binding::read("dy"), Binding::read("z"), Binding::read("slope"), Binding::write("dz")],
    twin: prelu_backward,
    fast: None,
    forms: &[Form::plain::<PreluBackward>(&[include_str!("../../shaders/prelu_backward.wgsl"), VIEW])],
};

/// Records `dz = dy` where `z` is above 0, else `dy * slope`.
///
/// `dy`, `z` and `dz` are `[rows, columns]`; `slope` is `[1, columns]`, or `[1, 1]` for all. At 0 the slope of
/// the left counts, as in PyTorch; MLX adds both sides there and gives `1 + slope`.
pub fn record_prelu_backward(plan: &mut Plan, dy: Tensor, z: Tensor, slope: Tensor, dz: Tensor) -> Result<()> {
    dy.expect("prelu_backward", "dy", z.rows, z.columns)?;
    dz.expect("prelu_backward", "dz", z.rows, z.columns)?;
    let slope = slope.broadcast("prelu_backward", z.rows, z.columns)?;
    let models = Plan::models("prelu_backward", &[dy, z, slope, dz])?;
    let params = PreluBackward {
        dy: dy.view(models),
        z: z.view(models),
        slope: slope.view(models),
        dz: dz.view(models),
        rows: z.rows,
        columns: z.columns,
    };
    plan.push(&PRELU_BACKWARD, params, &[dy, z, slope, dz], models)
}

fn prelu_backward(args: &mut Args) {
    let p = args.params::<PreluBackward>();
    let (dy, z, slope): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let dz: &mut [f32] = args.write(3);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let gradient = dy[p.dy.at(model, row, column)];
        let slope = slope[p.slope.at(model, row, column)];
        let is_above = z[p.z.at(model, row, column)] > 0.0;
        dz[p.dz.at(model, row, column)] = if is_above { gradient } else { gradient * slope };
    }
}

params! { PreluGradient { dy: View, z: View, dslope: View, rows: u32, columns: u32 } invocations: columns }

/// `dslope = ` the column sums of `dy * min(0, z)`.
pub static PRELU_GRADIENT: Kernel = Kernel {
    name: "prelu_gradient",
    params: PreluGradient::FIELDS,
    bindings: &[Binding::read("dy"), Binding::read("z"), Binding::write("dslope")],
    twin: prelu_gradient,
    fast: None,
    forms: &[Form::plain_by_group::<PreluGradient>(&[include_str!("../../shaders/prelu_gradient.wgsl"), VIEW, NAN])],
};

/// Records `dslope = ` the column sums of `dy * min(0, z)`.
///
/// `dy` and `z` are `[rows, columns]`, `dslope` is `[1, columns]`. For one slope of all columns, hand over
/// `dy` and `z` as `[rows * columns, 1]`, with [`Tensor::part`].
pub fn record_prelu_gradient(plan: &mut Plan, dy: Tensor, z: Tensor, dslope: Tensor) -> Result<()> {
    dy.expect("prelu_gradient", "dy", z.rows, z.columns)?;
    dslope.expect("prelu_gradient", "dslope", 1, z.columns)?;
    let models = Plan::models("prelu_gradient", &[dy, z, dslope])?;
    let params = PreluGradient {
        dy: dy.view(models),
        z: z.view(models),
        dslope: dslope.view(models),
        rows: z.rows,
        columns: z.columns,
    };
    plan.push(&PRELU_GRADIENT, params, &[dy, z, dslope], models)
}

fn prelu_gradient(args: &mut Args) {
    let p = args.params::<PreluGradient>();
    let (dy, z): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let dslope: &mut [f32] = args.write(2);
    for (model, _, column) in elements(args.models, 1, p.columns) {
        dslope[p.dslope.at(model, 0, column)] = tree_sum(p.rows, |row| {
            let value = z[p.z.at(model, row, column)];
            // Not `min`, which would turn NaN into 0.
            let below = if value < 0.0 || value.is_nan() { value } else { 0.0 };
            dy[p.dy.at(model, row, column)] * below
        });
    }
}
