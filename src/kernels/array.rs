//! Kernels on whole arrays: arithmetic with broadcasting, running means, copies, sums.

use super::{NAN, VIEW, elements, rows, vectorised};
use crate::compute::kernel::{Args, Binding, Element, Form, Kernel, Params, View, WORKGROUP, params};
use crate::compute::plan::{Plan, Tensor};
use crate::{Error, Result};

params! { AddBias { x: View, bias: View, y: View, rows: u32, columns: u32 } invocations: rows columns }

/// `y[r, o] = x[r, o] + bias[o]`.
pub static ADD_BIAS: Kernel = Kernel {
    name: "add_bias",
    params: AddBias::FIELDS,
    bindings: &[Binding::read("x"), Binding::read("bias"), Binding::write("y")],
    twin: add_bias,
    fast: None,
    forms: &[Form::plain::<AddBias>(&[include_str!("../../shaders/add_bias.wgsl"), VIEW])],
};

/// Records `y = x + bias`; `x` and `y` are `[rows, columns]`, `bias` is `[1, columns]`.
pub fn record_add_bias(plan: &mut Plan, x: Tensor, bias: Tensor, y: Tensor) -> Result<()> {
    bias.expect("add_bias", "bias", 1, x.columns)?;
    y.expect("add_bias", "y", x.rows, x.columns)?;
    let models = Plan::models("add_bias", &[x, bias, y])?;
    let (rows, columns) = (y.rows, y.columns);
    let repeated = bias.broadcast("add_bias", rows, columns)?;
    let params = AddBias { x: x.view(models), bias: repeated.view(models), y: y.view(models), rows, columns };
    plan.push(&ADD_BIAS, params, &[x, repeated, y], models)
}

fn add_bias(args: &mut Args) {
    let p = args.params::<AddBias>();
    let (x, bias): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let y: &mut [f32] = args.write(2);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        y[p.y.at(model, row, column)] = x[p.x.at(model, row, column)] + bias[p.bias.at(model, row, column)];
    }
}

/// What [`ARITHMETIC`] does with two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Operation {
    /// `a + b`.
    Add = 0,
    /// `a - b`.
    Subtract = 1,
    /// `a * b`.
    Multiply = 2,
    /// `a / b`.
    Divide = 3,
    /// The larger of `a` and `b`.
    Maximum = 4,
    /// `a` to the power of `b`.
    Power = 5,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 6] = [
        Operation::Add,
        Operation::Subtract,
        Operation::Multiply,
        Operation::Divide,
        Operation::Maximum,
        Operation::Power,
    ];

    fn of(self, a: f32, b: f32) -> f32 {
        match self {
            Operation::Add => a + b,
            Operation::Subtract => a - b,
            Operation::Multiply => a * b,
            Operation::Divide => a / b,
            Operation::Maximum => {
                // NaN goes through.
                if a > b || a.is_nan() { a } else { b }
            }
            Operation::Power => power(a, b),
        }
    }
}

/// Small whole exponents multiply, as one does by hand and as a GPU must for a negative base.
fn power(base: f32, exponent: f32) -> f32 {
    let count = exponent.abs();
    if count > 16.0 || count != count.floor() {
        return base.powf(exponent);
    }
    let product = (0..count as u32).fold(1.0, |product, _| product * base);
    if exponent < 0.0 { 1.0 / product } else { product }
}

params! {
    Arithmetic { a: View, b: View, y: View, rows: u32, columns: u32, operation: u32 } invocations: rows columns
}

/// `y[r, c] = a[r, c] op b[r, c]`.
pub static ARITHMETIC: Kernel = Kernel {
    name: "arithmetic",
    params: Arithmetic::FIELDS,
    bindings: &[Binding::read("a"), Binding::read("b"), Binding::write("y")],
    twin: arithmetic,
    fast: Some(arithmetic_fast),
    forms: &[Form::plain::<Arithmetic>(&[include_str!("../../shaders/arithmetic.wgsl"), VIEW, NAN])],
};

/// Records `y = a op b`; `y` is `[rows, columns]`, and rows or columns of length 1 in `a` and `b`
/// repeat.
pub fn record_arithmetic(plan: &mut Plan, operation: Operation, a: Tensor, b: Tensor, y: Tensor) -> Result<()> {
    let (rows, columns) = (y.rows, y.columns);
    let (a, b) = (a.broadcast("arithmetic", rows, columns)?, b.broadcast("arithmetic", rows, columns)?);
    let models = Plan::models("arithmetic", &[a, b, y])?;
    let (va, vb, vy) = (a.view(models), b.view(models), y.view(models));
    let params = Arithmetic { a: va, b: vb, y: vy, rows, columns, operation: operation as u32 };
    plan.push(&ARITHMETIC, params, &[a, b, y], models)
}

fn arithmetic(args: &mut Args) {
    let p = args.params::<Arithmetic>();
    let (a, b): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let y: &mut [f32] = args.write(2);
    let operation = Operation::ALL[p.operation as usize];
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        y[p.y.at(model, row, column)] = operation.of(a[p.a.at(model, row, column)], b[p.b.at(model, row, column)]);
    }
}

/// The same row by row, where a row repeats or is a run of elements.
fn arithmetic_fast(args: &mut Args) {
    let p = args.params::<Arithmetic>();
    if [p.a, p.b, p.y].iter().any(|view| view.column != 1) {
        return arithmetic(args);
    }
    // Each operation has a loop of its own.
    match Operation::ALL[p.operation as usize] {
        Operation::Add => vectorised!(combine_rows(args, |a, b| a + b)),
        Operation::Subtract => vectorised!(combine_rows(args, |a, b| a - b)),
        Operation::Multiply => vectorised!(combine_rows(args, |a, b| a * b)),
        Operation::Divide => vectorised!(combine_rows(args, |a, b| a / b)),
        operation => combine_rows(args, |a, b| operation.of(a, b)),
    }
}

#[inline(always)]
fn combine_rows(args: &mut Args, f: impl Fn(f32, f32) -> f32) {
    let p = args.params::<Arithmetic>();
    let (a, b): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let y: &mut [f32] = args.write(2);
    let columns = p.columns as usize;
    for (model, row) in rows(args.models, p.rows) {
        let of = |view: View| view.at(model, row, 0)..view.at(model, row, 0) + columns;
        for ((y, a), b) in y[of(p.y)].iter_mut().zip(&a[of(p.a)]).zip(&b[of(p.b)]) {
            *y = f(*a, *b);
        }
    }
}

params! { Blend { x: View, y: View, rows: u32, columns: u32, keep: f32, add: f32 } invocations: rows columns }

/// `y = keep * y + add * x`: a running mean.
pub static BLEND: Kernel = Kernel {
    name: "blend",
    params: Blend::FIELDS,
    bindings: &[Binding::read("x"), Binding::update("y")],
    twin: blend,
    fast: None,
    forms: &[Form::plain::<Blend>(&[include_str!("../../shaders/blend.wgsl"), VIEW])],
};

/// Records `y = (1 - rate) * y + rate * factor * x`; `x` and `y` are `[rows, columns]`, `rate` is a number
/// from 0 to 1. A factor of n / (n - 1) makes an unbiased variance of a biased one.
///
/// # Errors
///
/// Another rate, shapes that differ.
pub fn record_blend(plan: &mut Plan, rate: f32, factor: f32, x: Tensor, y: Tensor) -> Result<()> {
    if !(0.0..=1.0).contains(&rate) {
        let (found, expected) = (rate.to_string(), "a number from 0 to 1".into());
        return Err(Error::Setting { name: "rate of a running mean".into(), found, expected });
    }
    record_combination(plan, [1.0 - rate, rate * factor], x, y)
}

/// Records `y = keep * y + add * x`; both are `[rows, columns]`.
pub(crate) fn record_combination(plan: &mut Plan, [keep, add]: [f32; 2], x: Tensor, y: Tensor) -> Result<()> {
    x.expect("blend", "x", y.rows, y.columns)?;
    let models = Plan::models("blend", &[x, y])?;
    let params = Blend { x: x.view(models), y: y.view(models), rows: y.rows, columns: y.columns, keep, add };
    plan.push(&BLEND, params, &[x, y], models)
}

fn blend(args: &mut Args) {
    let p = args.params::<Blend>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let y = &mut y[p.y.at(model, row, column)];
        *y = p.keep * *y + p.add * x[p.x.at(model, row, column)];
    }
}

params! { Copy { x: View, y: View, rows: u32, columns: u32 } invocations: rows columns }

/// `y = x`, out of any view into any view.
pub static COPY: Kernel = Kernel {
    name: "copy",
    params: Copy::FIELDS,
    bindings: &[Binding::read("x").of(Element::Word), Binding::write("y").of(Element::Word)],
    twin: copy,
    fast: Some(copy_fast),
    forms: &[Form::plain::<Copy>(&[include_str!("../../shaders/copy.wgsl"), VIEW])],
};

/// Records `y = x`; both are `[rows, columns]`.
pub fn record_copy(plan: &mut Plan, x: Tensor, y: Tensor) -> Result<()> {
    y.expect("copy", "y", x.rows, x.columns)?;
    let models = Plan::models("copy", &[x, y])?;
    let params = Copy { x: x.view(models), y: y.view(models), rows: y.rows, columns: y.columns };
    plan.push(&COPY, params, &[x, y], models)
}

fn copy(args: &mut Args) {
    let p = args.params::<Copy>();
    let x: &[u32] = args.read(0);
    let y: &mut [u32] = args.write(1);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        y[p.y.at(model, row, column)] = x[p.x.at(model, row, column)];
    }
}

/// The same with rows copied whole.
fn copy_fast(args: &mut Args) {
    let p = args.params::<Copy>();
    if p.x.column != 1 || p.y.column != 1 {
        return copy(args);
    }
    let x: &[u32] = args.read(0);
    let y: &mut [u32] = args.write(1);
    let columns = p.columns as usize;
    for (model, row) in rows(args.models, p.rows) {
        let (to, from) = (p.y.at(model, row, 0), p.x.at(model, row, 0));
        y[to..to + columns].copy_from_slice(&x[from..from + columns]);
    }
}

params! { ColumnSum { x: View, y: View, rows: u32, columns: u32 } invocations: columns }

/// `y[c] = sum over r of x[r, c]`.
pub static COLUMN_SUM: Kernel = Kernel {
    name: "column_sum",
    params: ColumnSum::FIELDS,
    bindings: &[Binding::read("x"), Binding::write("y")],
    twin: column_sum,
    fast: Some(column_sum_fast),
    forms: &[Form::plain::<ColumnSum>(&[include_str!("../../shaders/column_sum.wgsl"), VIEW])],
};

/// Records `y = ` the column sums of `x`; `x` is `[rows, columns]`, `y` is `[1, columns]`.
pub fn record_column_sum(plan: &mut Plan, x: Tensor, y: Tensor) -> Result<()> {
    y.expect("column_sum", "y", 1, x.columns)?;
    let models = Plan::models("column_sum", &[x, y])?;
    let params = ColumnSum { x: x.view(models), y: y.view(models), rows: x.rows, columns: x.columns };
    plan.push(&COLUMN_SUM, params, &[x, y], models)
}

fn column_sum(args: &mut Args) {
    let p = args.params::<ColumnSum>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    for (model, _, column) in elements(args.models, 1, p.columns) {
        let mut total = 0.0;
        for row in 0..p.rows {
            total += x[p.x.at(model, row, column)];
        }
        y[p.y.at(model, 0, column)] = total;
    }
}

/// The same with whole rows added up; each column's sum keeps its order.
fn column_sum_fast(args: &mut Args) {
    let p = args.params::<ColumnSum>();
    if p.x.column != 1 || p.y.column != 1 {
        return column_sum(args);
    }
    vectorised!(add_rows(args));
}

#[inline(always)]
fn add_rows(args: &mut Args) {
    let p = args.params::<ColumnSum>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    let columns = p.columns as usize;
    for model in 0..args.models {
        let totals = &mut y[p.y.at(model, 0, 0)..][..columns];
        totals.fill(0.0);
        for row in 0..p.rows {
            let row = &x[p.x.at(model, row, 0)..][..columns];
            totals.iter_mut().zip(row).for_each(|(total, x)| *total += x);
        }
    }
}

params! { Sum { x: View, y: View, rows: u32, columns: u32, scale: f32 } invocations: }

/// `y = scale * sum of all x`.
pub static SUM: Kernel = Kernel {
    name: "sum",
    params: Sum::FIELDS,
    bindings: &[Binding::read("x"), Binding::write("y")],
    twin: sum,
    fast: None,
    forms: &[Form::plain_by_group::<Sum>(&[include_str!("../../shaders/sum.wgsl"), VIEW])],
};

/// Records `y = scale * sum of all x`; `x` is `[rows, columns]`, `y` is `[1, 1]`.
pub fn record_sum(plan: &mut Plan, scale: f32, x: Tensor, y: Tensor) -> Result<()> {
    y.expect("sum", "y", 1, 1)?;
    let models = Plan::models("sum", &[x, y])?;
    let params = Sum { x: x.view(models), y: y.view(models), rows: x.rows, columns: x.columns, scale };
    plan.push(&SUM, params, &[x, y], models)
}

fn sum(args: &mut Args) {
    let p = args.params::<Sum>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    for model in 0..args.models {
        let element = |i: u32| x[p.x.at(model, i / p.columns, i % p.columns)];
        y[p.y.at(model, 0, 0)] = p.scale * tree_sum(p.rows * p.columns, element);
    }
}

/// The sum of `count` values in the order of a workgroup: each invocation adds every 64th value,
/// then the partial sums are added in a tree.
pub(super) fn tree_sum(count: u32, value: impl Fn(u32) -> f32) -> f32 {
    let mut partial = [0.0f32; WORKGROUP as usize];
    for i in 0..count {
        partial[(i % WORKGROUP) as usize] += value(i);
    }
    let mut width = partial.len() / 2;
    while width > 0 {
        for local in 0..width {
            partial[local] += partial[local + width];
        }
        width /= 2;
    }
    partial[0]
}
