//! Gradients made shorter, and a direction made as long as it should be.

use super::state::Run;
use super::{Part, run};
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, WORKGROUP, params};
use crate::compute::plan::{Plan, Tensor};
use crate::kernels::array::{record_sum, tree_sum};
use crate::kernels::{NAN, VIEW, rows};
use crate::{Error, Result};

/// How gradients are kept from growing beyond all bounds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// All gradients of a model together are scaled down to this Euclidean norm, above 0, where theirs is
    /// larger, as by MLX's `clip_grad_norm`: `dw *= min(norm / (|dw| + 1e-6), 1)`.
    Norm(f32),
    /// Each gradient is brought to between the negative of this number, above 0, and itself.
    Value(f32),
}

impl Clip {
    /// Checks the range of its number.
    ///
    /// # Errors
    ///
    /// A number that is not above 0.
    pub fn check(&self) -> Result<()> {
        let (name, value) = match *self {
            Clip::Norm(value) => ("largest norm of the gradients", value),
            Clip::Value(value) => ("largest gradient", value),
        };
        if value > 0.0 && value.is_finite() {
            return Ok(());
        }
        let (found, expected) = (value.to_string(), "a number above 0".into());
        Err(Error::Setting { name: name.into(), found, expected })
    }
}

/// Records the clipping of `dw`, `[models, 1, length]` of contiguous elements, each model's by itself.
///
/// # Errors
///
/// A limit that is not above 0, elements that lie apart.
pub fn record_clip(plan: &mut Plan, clip: Clip, dw: Tensor) -> Result<()> {
    clip.check()?;
    expect_run("clip", "dw", dw)?;
    match clip {
        Clip::Norm(limit) => {
            let square = plan.tensor("square of the gradients' norm", dw.models, 1, 1);
            record_squares(plan, 1.0, dw, square)?;
            record_rescale(plan, square, [limit, NORM_EPSILON, 1.0], dw)
        }
        Clip::Value(limit) => record_clip_value(plan, limit, dw),
    }
}

/// Records the clipping of these parts of `dw`, `[models, 1, length]` of contiguous elements. The others stay as they
/// are, and their norm does not count: so it is with parameters that are frozen.
///
/// # Errors
///
/// As for [`record_clip`], parts that end beyond the gradients.
pub fn record_clip_in_parts(plan: &mut Plan, clip: Clip, parts: &[Part], dw: Tensor) -> Result<()> {
    clip.check()?;
    expect_run("clip", "dw", dw)?;
    let mut parts = parts.to_vec();
    parts.sort_unstable_by_key(|part| part.offset);
    let runs: Vec<Tensor> = Run::all(&parts).iter().map(|run| run.of(dw)).collect();
    for run in &runs {
        plan.expect_within(|| "clip, dw".into(), run)?;
    }
    match (clip, &runs[..]) {
        (Clip::Norm(limit), [_, _, ..]) => {
            let squares = plan.tensor("squares of the gradients' norms", dw.models, 1, runs.len() as u32);
            for (index, run) in (0..).zip(&runs) {
                record_squares(plan, 1.0, *run, squares.part(index, 1, 1))?;
            }
            let square = plan.tensor("square of the gradients' norm", dw.models, 1, 1);
            record_sum(plan, 1.0, squares, square)?;
            runs.into_iter().try_for_each(|run| record_rescale(plan, square, [limit, NORM_EPSILON, 1.0], run))
        }
        _ => runs.into_iter().try_for_each(|run| record_clip(plan, clip, run)),
    }
}

/// Added to the norm, as MLX does.
const NORM_EPSILON: f32 = 1e-6;

/// Elements must lie one after the other, in one row.
pub(super) fn expect_run(operation: &str, name: &str, x: Tensor) -> Result<()> {
    x.expect(operation, name, 1, x.columns)?;
    if x.view.column == 1 {
        return Ok(());
    }
    let found = format!("{name} with {} elements from one to the next", x.view.column);
    let expected = "contiguous elements".into();
    Err(Error::Shape { operation: operation.into(), found, expected })
}

params! { Squares { x: View, y: View, length: u32, span: u32, rows: u32 } invocations: rows }

/// `y[r] = sum of x[i]^2` over a span.
pub static SQUARES: Kernel = Kernel {
    name: "squares",
    params: Squares::FIELDS,
    bindings: &[Binding::read("x"), Binding::write("y")],
    twin: squares,
    fast: None,
    forms: &[Form::plain_by_group::<Squares>(&[include_str!("../../../shaders/squares.wgsl"), VIEW])],
};

/// Elements whose squares one workgroup sums: 64 for each invocation.
const SPAN: u32 = WORKGROUP * WORKGROUP;

/// Records `y = scale * sum of x[i]^2`; `x` is `[1, length]`, `y` is `[1, 1]`.
pub(crate) fn record_squares(plan: &mut Plan, scale: f32, x: Tensor, y: Tensor) -> Result<()> {
    let sums = plan.tensor("sums of squares", x.models, 1, x.columns.div_ceil(SPAN));
    record_squares_by_span(plan, SPAN, x, sums)?;
    record_sum(plan, scale, sums, y)
}

/// Records the sums of squares of each `span` elements; `x` is `[1, length]`, `y` is `[1, rows]`.
pub(crate) fn record_squares_by_span(plan: &mut Plan, span: u32, x: Tensor, y: Tensor) -> Result<()> {
    let (length, rows) = (x.columns, x.columns.div_ceil(span));
    x.expect("squares", "x", 1, length)?;
    y.expect("squares", "y", 1, rows)?;
    let models = Plan::models("squares", &[x, y])?;
    plan.push(&SQUARES, Squares { x: x.view(models), y: y.view(models), length, span, rows }, &[x, y], models)
}

fn squares(args: &mut Args) {
    let p = args.params::<Squares>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    for (model, row) in rows(args.models, p.rows) {
        let end = p.span.min(p.length - row * p.span);
        y[p.y.at(model, 0, row)] = tree_sum(end, |i| {
            let value = x[p.x.at(model, 0, row * p.span + i)];
            value * value
        });
    }
}

params! {
    Rescale { square: View, x: View, length: u32, limit: f32, epsilon: f32, most: f32 } invocations: length
}

/// `x *= min(limit / (sqrt(square) + epsilon), most)`.
pub static RESCALE: Kernel = Kernel {
    name: "rescale",
    params: Rescale::FIELDS,
    bindings: &[Binding::read("square"), Binding::update("x")],
    twin: rescale,
    fast: None,
    forms: &[Form::plain::<Rescale>(&[include_str!("../../../shaders/rescale.wgsl"), VIEW, NAN])],
};

/// Records `x *= min(limit / (sqrt(square) + epsilon), most)`; `x` is `[1, length]` of contiguous elements,
/// `square` is `[1, 1]`.
pub(crate) fn record_rescale(
    plan: &mut Plan,
    square: Tensor,
    [limit, epsilon, most]: [f32; 3],
    x: Tensor,
) -> Result<()> {
    square.expect("rescale", "square", 1, 1)?;
    expect_run("rescale", "x", x)?;
    let models = Plan::models("rescale", &[square, x])?;
    let params = Rescale { square: square.view(models), x: x.view(models), length: x.columns, limit, epsilon, most };
    plan.push(&RESCALE, params, &[square, x], models)
}

fn rescale(args: &mut Args) {
    let p = args.params::<Rescale>();
    let square: &[f32] = args.read(0);
    let x: &mut [f32] = args.write(1);
    for model in 0..args.models {
        let norm = square[p.square.at(model, 0, 0)].sqrt();
        let scale = p.limit / (norm + p.epsilon);
        let scale = if norm.is_nan() { norm } else { scale.min(p.most) };
        for x in &mut x[run(p.x, model, p.length)] {
            *x *= scale;
        }
    }
}

params! { ClipValue { x: View, length: u32, limit: f32 } invocations: length }

/// `x = min(max(x, -limit), limit)`.
pub static CLIP: Kernel = Kernel {
    name: "clip",
    params: ClipValue::FIELDS,
    bindings: &[Binding::update("x")],
    twin: clip,
    fast: None,
    forms: &[Form::plain::<ClipValue>(&[include_str!("../../../shaders/clip.wgsl"), VIEW, NAN])],
};

fn record_clip_value(plan: &mut Plan, limit: f32, x: Tensor) -> Result<()> {
    let params = ClipValue { x: x.view(x.models), length: x.columns, limit };
    plan.push(&CLIP, params, &[x], x.models)
}

fn clip(args: &mut Args) {
    let p = args.params::<ClipValue>();
    let x: &mut [f32] = args.write(0);
    for model in 0..args.models {
        for x in &mut x[run(p.x, model, p.length)] {
            // `clamp` lets NaN through.
            *x = x.clamp(-p.limit, p.limit);
        }
    }
}
