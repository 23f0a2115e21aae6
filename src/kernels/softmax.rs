//! Probabilities out of logits, their logarithms, and the way back.

use super::{VIEW, rows};
use crate::Result;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};

/// What becomes of a row of logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum SoftmaxKind {
    /// `exp(x) / sum of exp(x)`: probabilities. The default.
    #[default]
    Softmax = 0,
    /// `exp(-x) / sum of exp(-x)`: the smallest gets most.
    Softmin = 1,
    /// `x - log(sum of exp(x))`: the logarithms of the probabilities.
    LogSoftmax = 2,
}

impl SoftmaxKind {
    /// Every kind.
    pub const ALL: [SoftmaxKind; 3] = [SoftmaxKind::Softmax, SoftmaxKind::Softmin, SoftmaxKind::LogSoftmax];

    fn of(kind: u32) -> SoftmaxKind {
        SoftmaxKind::ALL[kind as usize]
    }
}

params! { Softmax { x: View, y: View, rows: u32, columns: u32, kind: u32 } invocations: rows }

/// The probabilities of each row of logits, or their logarithms.
pub static SOFTMAX: Kernel = Kernel {
    name: "softmax",
    params: Softmax::FIELDS,
    bindings: &[Binding::read("x"), Binding::write("y")],
    twin: softmax,
    fast: None,
    forms: &[Form::plain::<Softmax>(&[include_str!("../../shaders/softmax.wgsl"), VIEW])],
};

/// Records `y = softmax(x)` of each row; both are `[rows, columns]`, with at least one column.
pub fn record_softmax(plan: &mut Plan, x: Tensor, y: Tensor) -> Result<()> {
    record_softmax_of(plan, SoftmaxKind::Softmax, x, y)
}

/// Records `y = softmax(x)`, `softmin(x)` or `log_softmax(x)` of each row; both are `[rows, columns]`, with at
/// least one column.
///
/// Only differences from the largest logit enter the exponential, so that none overflows. A logit of
/// negative infinity has probability 0; a row that has no finite logit gives NaN.
pub fn record_softmax_of(plan: &mut Plan, kind: SoftmaxKind, x: Tensor, y: Tensor) -> Result<()> {
    y.expect("softmax", "y", x.rows, x.columns.max(1))?;
    let models = Plan::models("softmax", &[x, y])?;
    let (rows, columns) = (y.rows, y.columns);
    let params = Softmax { x: x.view(models), y: y.view(models), rows, columns, kind: kind as u32 };
    plan.push(&SOFTMAX, params, &[x, y], models)
}

fn softmax(args: &mut Args) {
    let p = args.params::<Softmax>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    let kind = SoftmaxKind::of(p.kind);
    for (model, row) in rows(args.models, p.rows) {
        let logit = |c| {
            let value = x[p.x.at(model, row, c)];
            if kind == SoftmaxKind::Softmin { -value } else { value }
        };
        let maximum = maximum(p.columns, logit);
        let mut total = 0.0f32;
        for c in 0..p.columns {
            total += (logit(c) - maximum).exp();
        }
        let log_total = total.ln();
        for c in 0..p.columns {
            let shifted = logit(c) - maximum;
            y[p.y.at(model, row, c)] = match kind {
                SoftmaxKind::LogSoftmax => shifted - log_total,
                SoftmaxKind::Softmax | SoftmaxKind::Softmin => shifted.exp() / total,
            };
        }
    }
}

/// The largest logit of a row, to be subtracted before the exponential.
pub(super) fn maximum(columns: u32, logit: impl Fn(u32) -> f32) -> f32 {
    (1..columns).fold(logit(0), |maximum, c| maximum.max(logit(c)))
}

params! {
    SoftmaxBackward { dy: View, y: View, d_x: View, rows: u32, columns: u32, kind: u32 } invocations: rows
}

/// The gradient of the logits, told from what `softmax` gave.
pub static SOFTMAX_BACKWARD: Kernel = Kernel {
    name: "softmax_backward",
    params: SoftmaxBackward::FIELDS,
    bindings: &[Binding::read("dy"), Binding::read("y"), Binding::write("d_x")],
    twin: softmax_backward,
    fast: None,
    forms: &[Form::plain::<SoftmaxBackward>(&[include_str!("../../shaders/softmax_backward.wgsl"), VIEW])],
};

/// Records the gradient of each row of logits, told from `y`, which [`record_softmax_of`] gave:
/// `d_x = y (dy - sum of dy y)`, the negative of that for softmin, and `d_x = dy - exp(y) sum of dy` for
/// log_softmax.
///
/// `dy`, `y` and `d_x` are `[rows, columns]`.
pub fn record_softmax_backward(plan: &mut Plan, kind: SoftmaxKind, dy: Tensor, y: Tensor, d_x: Tensor) -> Result<()> {
    dy.expect("softmax_backward", "dy", y.rows, y.columns)?;
    d_x.expect("softmax_backward", "d_x", y.rows, y.columns)?;
    let models = Plan::models("softmax_backward", &[dy, y, d_x])?;
    let params = SoftmaxBackward {
        dy: dy.view(models),
        y: y.view(models),
        d_x: d_x.view(models),
        rows: y.rows,
        columns: y.columns,
        kind: kind as u32,
    };
    plan.push(&SOFTMAX_BACKWARD, params, &[dy, y, d_x], models)
}

fn softmax_backward(args: &mut Args) {
    let p = args.params::<SoftmaxBackward>();
    let (dy, y): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let d_x: &mut [f32] = args.write(2);
    let kind = SoftmaxKind::of(p.kind);
    for (model, row) in rows(args.models, p.rows) {
        let mut total = 0.0;
        for c in 0..p.columns {
            let gradient = dy[p.dy.at(model, row, c)];
            total += if kind == SoftmaxKind::LogSoftmax { gradient } else { gradient * y[p.y.at(model, row, c)] };
        }
        for c in 0..p.columns {
            let (gradient, value) = (dy[p.dy.at(model, row, c)], y[p.y.at(model, row, c)]);
            d_x[p.d_x.at(model, row, c)] = match kind {
                SoftmaxKind::Softmax => value * (gradient - total),
                SoftmaxKind::Softmin => -value * (gradient - total),
                SoftmaxKind::LogSoftmax => gradient - value.exp() * total,
            };
        }
    }
}
