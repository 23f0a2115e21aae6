//! Which answers are right.

use super::super::{VIEW, rows};
use crate::Result;
use crate::compute::kernel::{Args, Binding, Element, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};

params! { Correct { z: View, classes: View, y: View, rows: u32, columns: u32 } invocations: rows }

/// 1 for each row whose largest logit is at its class, else 0.
pub static CORRECT: Kernel = Kernel {
    name: "correct",
    params: Correct::FIELDS,
    bindings: &[Binding::read("z"), Binding::read("classes").of(Element::U32), Binding::write("y")],
    twin: correct,
    fast: None,
    forms: &[Form::plain::<Correct>(&[include_str!("../../../shaders/correct.wgsl"), VIEW])],
};

/// Records `y[r] = 1` where the largest of `z[r]` is at `classes[r]`; `z` is `[rows, columns]`
/// with at least one column, `classes` and `y` are `[rows, 1]`.
pub fn record_correct(plan: &mut Plan, z: Tensor, classes: Tensor, y: Tensor) -> Result<()> {
    z.expect("correct", "z", z.rows, z.columns.max(1))?;
    classes.expect("correct", "classes", z.rows, 1)?;
    y.expect("correct", "y", z.rows, 1)?;
    let models = Plan::models("correct", &[z, classes, y])?;
    let (views, rows, columns) = ([z, classes, y].map(|operand| operand.view(models)), z.rows, z.columns);
    let params = Correct { z: views[0], classes: views[1], y: views[2], rows, columns };
    plan.push(&CORRECT, params, &[z, classes, y], models)
}

fn correct(args: &mut Args) {
    let p = args.params::<Correct>();
    let z: &[f32] = args.read(0);
    let classes: &[u32] = args.read(1);
    let y: &mut [f32] = args.write(2);
    for (model, row) in rows(args.models, p.rows) {
        let mut best = 0;
        for c in 1..p.columns {
            if z[p.z.at(model, row, c)] > z[p.z.at(model, row, best)] {
                best = c;
            }
        }
        y[p.y.at(model, row, 0)] = if best == classes[p.classes.at(model, row, 0)] { 1.0 } else { 0.0 };
    }
}
