//! Dropout: a mask that each element computes for itself, and the counter of steps that changes it.

use super::{VIEW, elements, rows, vectorised};
use crate::compute::kernel::{Args, Binding, Element, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::random::{Key, threefry2x32};
use crate::{Error, Result};

/// The words of one model's dropout: the two of the key, the threshold, and the bits of the scale.
///
/// A fraction `rate` in `[0, 1)` of all elements is dropped, to within 2^-32; the others are multiplied by
/// `1 / (1 - rate)`, so that the mean stays.
///
/// # Errors
///
/// A rate outside its range.
///
/// ```
/// use nngpu::kernels::dropout::dropout_noise;
/// use nngpu::random::Key;
///
/// assert_eq!(dropout_noise(0.5, Key::new(7)).unwrap(), [0, 7, 1 << 31, 2.0f32.to_bits()]);
/// assert!(dropout_noise(1.0, Key::new(7)).is_err());
/// ```
pub fn dropout_noise(rate: f32, key: Key) -> Result<[u32; 4]> {
    if !(0.0..1.0).contains(&rate) {
        return Err(Error::Setting {
            name: "dropout".into(),
            found: rate.to_string(),
            expected: "a number from 0 to below 1".into(),
        });
    }
    let rate = f64::from(rate);
    // The f32 before 1 gives 2^32 - 256: the threshold stays a word.
    let threshold = (rate * 2.0f64.powi(32)).round() as u32;
    let scale = (1.0 / (1.0 - rate)) as f32;
    let [first, second] = key.words();
    Ok([first, second, threshold, scale.to_bits()])
}

params! { Dropout { x: View, noise: View, step: View, y: View, rows: u32, columns: u32 } invocations: rows columns }

/// `y = x * scale` where the element is kept, else 0.
pub static DROPOUT: Kernel = Kernel {
    name: "dropout",
    params: Dropout::FIELDS,
    bindings: &[
        Binding::read("x"),
        Binding::read("noise").of(Element::U32),
        Binding::read("step").of(Element::U32),
        Binding::write("y"),
    ],
    twin: dropout,
    fast: Some(dropout_fast),
    forms: &[Form::plain::<Dropout>(&[
        include_str!("../../shaders/dropout.wgsl"),
        VIEW,
        include_str!("../../shaders/shared/threefry.wgsl"),
    ])],
};

/// Records `y = x * scale` where the element is kept, else 0; the same on a gradient is the way back.
///
/// `x` and `y` are `[rows, columns]`; `noise` is `[1, 4]` integers as [`dropout_noise`] gives them; `step` is
/// `[1, 1]`, the number of the training step. Element `(row, column)` is kept where the first word of
/// `threefry2x32(key, [row * columns + column, step])` is at least the threshold, so that each step, and
/// each key, has a mask of its own. What is dropped is 0 even if it is not a number.
pub fn record_dropout(plan: &mut Plan, x: Tensor, noise: Tensor, step: Tensor, y: Tensor) -> Result<()> {
    noise.expect("dropout", "noise", 1, 4)?;
    step.expect("dropout", "step", 1, 1)?;
    y.expect("dropout", "y", x.rows, x.columns)?;
    let models = Plan::models("dropout", &[x, noise, step, y])?;
    let params = Dropout {
        x: x.view(models),
        noise: noise.view(models),
        step: step.view(models),
        y: y.view(models),
        rows: y.rows,
        columns: y.columns,
    };
    plan.push(&DROPOUT, params, &[x, noise, step, y], models)
}

fn dropout(args: &mut Args) {
    let p = args.params::<Dropout>();
    let x: &[f32] = args.read(0);
    let (noise, step): (&[u32], &[u32]) = (args.read(1), args.read(2));
    let y: &mut [f32] = args.write(3);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let noise = |c| noise[p.noise.at(model, 0, c)];
        let (key, threshold, scale) = ([noise(0), noise(1)], noise(2), f32::from_bits(noise(3)));
        let counter = [row * p.columns + column, step[p.step.at(model, 0, 0)]];
        let value = x[p.x.at(model, row, column)];
        let kept = if threshold == 0 { value } else { value * scale };
        let is_kept = threefry2x32(key, counter)[0] >= threshold;
        y[p.y.at(model, row, column)] = if is_kept { kept } else { 0.0 };
    }
}

/// The same row by row, where rows are runs of elements.
fn dropout_fast(args: &mut Args) {
    let p = args.params::<Dropout>();
    if p.x.column != 1 || p.y.column != 1 {
        return dropout(args);
    }
    vectorised!(drop_rows(args));
}

#[inline(always)]
fn drop_rows(args: &mut Args) {
    let p = args.params::<Dropout>();
    let x: &[f32] = args.read(0);
    let (noise, step): (&[u32], &[u32]) = (args.read(1), args.read(2));
    let y: &mut [f32] = args.write(3);
    for (model, row) in rows(args.models, p.rows) {
        let noise = |c| noise[p.noise.at(model, 0, c)];
        let (key, threshold, scale) = ([noise(0), noise(1)], noise(2), f32::from_bits(noise(3)));
        let scale = if threshold == 0 { 1.0 } else { scale };
        let (first, step) = (row * p.columns, step[p.step.at(model, 0, 0)]);
        let x = &x[p.x.at(model, row, 0)..][..p.columns as usize];
        let y = &mut y[p.y.at(model, row, 0)..][..p.columns as usize];
        for ((y, x), column) in y.iter_mut().zip(x).zip(0..) {
            let is_kept = threefry2x32(key, [first + column, step])[0] >= threshold;
            *y = if is_kept { x * scale } else { 0.0 };
        }
    }
}

params! { Count { counter: View, rows: u32, columns: u32, by: u32 } invocations: rows columns }

/// `counter += by`.
pub static COUNT: Kernel = Kernel {
    name: "count",
    params: Count::FIELDS,
    bindings: &[Binding::update("counter").of(Element::U32)],
    twin: count,
    fast: None,
    forms: &[Form::plain::<Count>(&[include_str!("../../shaders/count.wgsl"), VIEW])],
};

/// Records `counter += by`, which wraps above 2^32 - 1; `counter` is `[rows, columns]` integers, `[1, 1]` for
/// the number of a training step.
pub fn record_count(plan: &mut Plan, counter: Tensor, by: u32) -> Result<()> {
    let models = Plan::models("count", &[counter])?;
    let params = Count { counter: counter.view(models), rows: counter.rows, columns: counter.columns, by };
    plan.push(&COUNT, params, &[counter], models)
}

fn count(args: &mut Args) {
    let p = args.params::<Count>();
    let counter: &mut [u32] = args.write(0);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let counter = &mut counter[p.counter.at(model, row, column)];
        *counter = counter.wrapping_add(p.by);
    }
}
