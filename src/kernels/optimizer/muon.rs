//! Muon: a velocity made orthogonal by Newton and Schulz's iteration.

use super::clip::{record_rescale, record_squares};
use super::{Part, run};
use crate::Result;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::kernels::array::record_combination;
use crate::kernels::matmul::record_matmul;
use crate::kernels::{VIEW, vectorised};

/// The iteration's polynomial, whose slope at 0 is as steep as can be: MLX, `python/mlx/optimizers/optimizers.py`.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// Records that a matrix becomes nearly orthogonal: each singular value goes to between about 0.7 and 1.2.
/// Then it is multiplied with `sqrt(max(1, rows / columns))`, for the step to be as long in any shape.
///
/// `y` is all directions, and the part's is at `place`.
pub(super) fn record_orthogonal(plan: &mut Plan, n_steps: u32, y: Tensor, part: &Part, place: u32) -> Result<()> {
    let (models, rows, columns) = (y.models, part.rows, part.columns);
    let run = y.part(place, 1, rows * columns);
    let square = plan.tensor("square of the direction's norm", models, 1, 1);
    record_squares(plan, 1.0, run, square)?;
    record_rescale(plan, square, [1.0, 1e-7, f32::MAX], run)?;
    let upright = |x: Tensor| if rows > columns { x.transposed() } else { x };
    let smaller = rows.min(columns);
    let (mut x, mut next) = (y.part(place, rows, columns), plan.tensor("next direction", models, rows, columns));
    let gram = plan.tensor("direction times its transpose", models, smaller, smaller);
    let cubic = plan.tensor("its square", models, smaller, smaller);
    let [a, b, c] = COEFFICIENTS;
    for _ in 0..n_steps {
        record_matmul(plan, upright(x), upright(x).transposed(), gram)?;
        record_matmul(plan, gram, gram, cubic)?;
        record_combination(plan, [c, b], gram, cubic)?;
        record_matmul(plan, cubic, upright(x), upright(next))?;
        record_combination(plan, [1.0, a], x, next)?;
        (x, next) = (next, x);
    }
    // The result lies in the directions themselves after an even number of steps, else beside them.
    let scale = (rows as f32 / columns as f32).max(1.0).sqrt();
    if n_steps.is_multiple_of(2) {
        record_combination(plan, [scale, 0.0], next, x)
    } else {
        record_combination(plan, [0.0, scale], x, next)
    }
}

params! { Muon { dw: View, settings: View, w: View, v: View, y: View, quads: u32 } invocations: quads }

/// Muon's velocity, and the direction before it is made orthogonal.
pub static MUON: Kernel = Kernel {
    name: "muon",
    params: Muon::FIELDS,
    bindings: &[
        Binding::read("dw"),
        Binding::read("settings"),
        Binding::read("w"),
        Binding::update("v"),
        Binding::write("y"),
    ],
    twin: muon,
    fast: Some(|args| vectorised!(muon(args))),
    forms: &[Form::plain::<Muon>(&[include_str!("../../../shaders/muon.wgsl"), VIEW])],
};

/// Records the velocity and the direction `y` of a run of parameters, by fours.
pub(crate) fn record_muon(plan: &mut Plan, settings: Tensor, [dw, w, v, y]: [Tensor; 4]) -> Result<()> {
    let operands = [dw, settings, w, v, y];
    let models = Plan::models("muon", &operands)?;
    let [vdw, vs, vw, vv, vy] = operands.map(|operand| operand.view(models));
    let params = Muon { dw: vdw, settings: vs, w: vw, v: vv, y: vy, quads: w.columns / 4 };
    plan.push(&MUON, params, &operands, models)
}

#[inline(always)]
fn muon(args: &mut Args) {
    let p = args.params::<Muon>();
    let (dw, settings, w): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let (v, y): (&mut [f32], &mut [f32]) = (args.write(3), args.write(4));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (momentum, weight_decay, is_nesterov) = (setting(1), setting(2), setting(3) > 0.0);
        let (dw, w) = (&dw[run(p.dw, model, 4 * p.quads)], &w[run(p.w, model, 4 * p.quads)]);
        let (v, y) = (&mut v[run(p.v, model, 4 * p.quads)], &mut y[run(p.y, model, 4 * p.quads)]);
        for (((y, v), w), dw) in y.iter_mut().zip(v).zip(w).zip(dw) {
            let g = dw + weight_decay * w;
            *v = momentum * *v + (1.0 - momentum) * g;
            *y = if is_nesterov { (1.0 - momentum) * g + momentum * *v } else { *v };
        }
    }
}
