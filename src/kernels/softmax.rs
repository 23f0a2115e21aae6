//! Probabilities out of logits.

use super::{VIEW, rows};
use crate::Result;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};

params! { Softmax { x: View, y: View, rows: u32, columns: u32 } invocations: rows }

/// The probabilities of each row of logits.
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
    y.expect("softmax", "y", x.rows, x.columns.max(1))?;
    let models = Plan::models("softmax", &[x, y])?;
    let params = Softmax { x: x.view(models), y: y.view(models), rows: y.rows, columns: y.columns };
    plan.push(&SOFTMAX, params, &[x, y], models)
}

fn softmax(args: &mut Args) {
    let p = args.params::<Softmax>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    for (model, row) in rows(args.models, p.rows) {
        let logit = |c| x[p.x.at(model, row, c)];
        let maximum = maximum(p.columns, logit);
        let mut total = 0.0;
        for c in 0..p.columns {
            total += (logit(c) - maximum).exp();
        }
        for c in 0..p.columns {
            y[p.y.at(model, row, c)] = (logit(c) - maximum).exp() / total;
        }
    }
}

/// The largest logit of a row, to be subtracted before the exponential.
pub(super) fn maximum(columns: u32, logit: impl Fn(u32) -> f32) -> f32 {
    (1..columns).fold(logit(0), |maximum, c| maximum.max(logit(c)))
}
