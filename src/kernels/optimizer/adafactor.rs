//! Adafactor: a mean square for each row and column in place of one for each weight.

use super::clip::{expect_run, record_squares};
use super::{OptimizerState, Part, run};
use crate::Result;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::kernels::array::{record_sum, tree_sum};
use crate::kernels::{VIEW, elements, rows};

/// Records the update of one part; `dw` and `w` are all parameters, and `place` is where the part's state is.
///
/// Its first moment and its rows' and columns' means take the places of the part's weights in three tensors
/// of the weights' size.
pub(super) fn record_adafactor(
    plan: &mut Plan,
    state: &OptimizerState,
    [dw, w]: [Tensor; 2],
    part: &Part,
    place: u32,
) -> Result<()> {
    let &[m, rows, columns] = &state.moments[..] else { unreachable!("three moments") };
    let (settings, clock) = (state.settings, state.powers.expect("a clock"));
    let models = w.models;
    let length = part.rows * part.columns;
    let dw = dw.part(part.offset, part.rows, part.columns);
    let w = w.part(part.offset, 1, length);
    let (row, column) = (rows.part(place, 1, part.rows), columns.part(place, 1, part.columns));
    let m = m.part(place, 1, length);
    record_adafactor_mean(plan, dw, settings, clock, row)?;
    record_adafactor_mean(plan, dw.transposed(), settings, clock, column)?;
    let mean = plan.tensor("mean of the rows", models, 1, 1);
    record_sum(plan, 1.0 / part.rows as f32, row, mean)?;
    let y = plan.tensor("direction", models, part.rows, part.columns);
    record_adafactor_direction(plan, dw, [row, column, mean], y)?;
    let y = y.part(0, 1, length);
    let squares = plan.tensor("mean squares", models, 1, 2);
    record_squares(plan, 1.0 / length as f32, y, squares.part(0, 1, 1))?;
    record_squares(plan, 1.0 / length as f32, w, squares.part(1, 1, 1))?;
    record_adafactor_step(plan, [settings, clock, squares, y, m, w])
}

params! { AdafactorClock { settings: View, clock: View, rows: u32 } invocations: rows }

/// Adafactor's count of steps, and what depends on nothing else.
pub static ADAFACTOR_CLOCK: Kernel = Kernel {
    name: "adafactor_clock",
    params: AdafactorClock::FIELDS,
    bindings: &[Binding::read("settings"), Binding::update("clock")],
    twin: adafactor_clock,
    fast: None,
    forms: &[Form::plain::<AdafactorClock>(&[include_str!("../../../shaders/adafactor_clock.wgsl"), VIEW])],
};

/// Records one step on; `clock` is `[rows, 3]`.
pub(crate) fn record_adafactor_clock(plan: &mut Plan, settings: Tensor, clock: Tensor) -> Result<()> {
    settings.expect("adafactor_clock", "settings", 1, N_SETTINGS)?;
    clock.expect("adafactor_clock", "clock", clock.rows, 3)?;
    let models = Plan::models("adafactor_clock", &[settings, clock])?;
    let params = AdafactorClock { settings: settings.view(models), clock: clock.view(models), rows: clock.rows };
    plan.push(&ADAFACTOR_CLOCK, params, &[settings, clock], models)
}

/// How many numbers [`Optimizer::settings`](super::Optimizer::settings) gives for it.
pub(super) const N_SETTINGS: u32 = 10;

fn adafactor_clock(args: &mut Args) {
    let p = args.params::<AdafactorClock>();
    let settings: &[f32] = args.read(0);
    let clock: &mut [f32] = args.write(1);
    for (model, row) in rows(args.models, p.rows) {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, decay, is_relative, is_warming) = (setting(0), setting(1), setting(8), setting(9));
        let place = |i| p.clock.at(model, row, i);
        let t = clock[place(0)] + 1.0;
        clock[place(0)] = t;
        clock[place(1)] = 1.0 - t.powf(decay);
        let relative = (if is_warming > 0.0 { 1e-6 * t } else { 1e-2 }).min(1.0 / t.sqrt());
        clock[place(2)] = if is_relative > 0.0 { relative } else { learning_rate };
    }
}

params! {
    AdafactorMean { dw: View, settings: View, clock: View, y: View, rows: u32, columns: u32 } invocations: rows
}

/// The running mean square of each row.
pub static ADAFACTOR_MEAN: Kernel = Kernel {
    name: "adafactor_mean",
    params: AdafactorMean::FIELDS,
    bindings: &[Binding::read("dw"), Binding::read("settings"), Binding::read("clock"), Binding::update("y")],
    twin: adafactor_mean,
    fast: None,
    forms: &[Form::plain_by_group::<AdafactorMean>(&[include_str!("../../../shaders/adafactor_mean.wgsl"), VIEW])],
};

/// Records one step of the mean squares of the rows of `dw`; `y` is `[1, rows]`.
pub(crate) fn record_adafactor_mean(
    plan: &mut Plan,
    dw: Tensor,
    settings: Tensor,
    clock: Tensor,
    y: Tensor,
) -> Result<()> {
    y.expect("adafactor_mean", "y", 1, dw.rows)?;
    settings.expect("adafactor_mean", "settings", 1, N_SETTINGS)?;
    clock.expect("adafactor_mean", "clock", 1, 3)?;
    let operands = [dw, settings, clock, y];
    let models = Plan::models("adafactor_mean", &operands)?;
    let [vdw, vs, vc, vy] = operands.map(|operand| operand.view(models));
    let params = AdafactorMean { dw: vdw, settings: vs, clock: vc, y: vy, rows: dw.rows, columns: dw.columns };
    plan.push(&ADAFACTOR_MEAN, params, &operands, models)
}

fn adafactor_mean(args: &mut Args) {
    let p = args.params::<AdafactorMean>();
    let (dw, settings, clock): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let y: &mut [f32] = args.write(3);
    for (model, row) in rows(args.models, p.rows) {
        let epsilon1 = settings[p.settings.at(model, 0, 2)];
        let beta2 = clock[p.clock.at(model, 0, 1)];
        let total = tree_sum(p.columns, |column| {
            let g = dw[p.dw.at(model, row, column)];
            g * g + epsilon1
        });
        let y = &mut y[p.y.at(model, 0, row)];
        *y = beta2 * *y + (1.0 - beta2) * (total / p.columns as f32);
    }
}

params! {
    AdafactorDirection { dw: View, row: View, column: View, mean: View, y: View, rows: u32, columns: u32 }
    invocations: rows columns
}

/// The gradient divided by the root of its factored mean square.
pub static ADAFACTOR_DIRECTION: Kernel = Kernel {
    name: "adafactor_direction",
    params: AdafactorDirection::FIELDS,
    bindings: &[
        Binding::read("dw"),
        Binding::read("row"),
        Binding::read("column"),
        Binding::read("mean"),
        Binding::write("y"),
    ],
    twin: adafactor_direction,
    fast: None,
    forms: &[Form::plain::<AdafactorDirection>(&[include_str!("../../../shaders/adafactor_direction.wgsl"), VIEW])],
};

/// Records the direction `y`; `dw` and `y` are `[rows, columns]`, the mean squares are `[1, rows]`,
/// `[1, columns]` and, of the rows', `[1, 1]`.
pub(crate) fn record_adafactor_direction(
    plan: &mut Plan,
    dw: Tensor,
    [row, column, mean]: [Tensor; 3],
    y: Tensor,
) -> Result<()> {
    let name = "adafactor_direction";
    y.expect(name, "y", dw.rows, dw.columns)?;
    row.expect(name, "row", 1, dw.rows)?;
    column.expect(name, "column", 1, dw.columns)?;
    mean.expect(name, "mean", 1, 1)?;
    let operands = [dw, row, column, mean, y];
    let models = Plan::models(name, &operands)?;
    let [vdw, vr, vc, vm, vy] = operands.map(|operand| operand.view(models));
    let (rows, columns) = (dw.rows, dw.columns);
    let params = AdafactorDirection { dw: vdw, row: vr, column: vc, mean: vm, y: vy, rows, columns };
    plan.push(&ADAFACTOR_DIRECTION, params, &operands, models)
}

fn adafactor_direction(args: &mut Args) {
    let p = args.params::<AdafactorDirection>();
    let (dw, row, column, mean): (&[f32], &[f32], &[f32], &[f32]) =
        (args.read(0), args.read(1), args.read(2), args.read(3));
    let y: &mut [f32] = args.write(4);
    for (model, r, c) in elements(args.models, p.rows, p.columns) {
        let row_part = row[p.row.at(model, 0, r)] / mean[p.mean.at(model, 0, 0)];
        let scale = row_part.sqrt() * column[p.column.at(model, 0, c)].sqrt();
        y[p.y.at(model, r, c)] = dw[p.dw.at(model, r, c)] / scale;
    }
}

params! {
    Adafactor { settings: View, clock: View, squares: View, y: View, m: View, w: View, length: u32 }
    invocations: length
}

/// The step along a direction, not longer than it should be.
pub static ADAFACTOR: Kernel = Kernel {
    name: "adafactor",
    params: Adafactor::FIELDS,
    bindings: &[
        Binding::read("settings"),
        Binding::read("clock"),
        Binding::read("squares"),
        Binding::read("y"),
        Binding::update("m"),
        Binding::update("w"),
    ],
    twin: adafactor,
    fast: None,
    forms: &[Form::plain::<Adafactor>(&[include_str!("../../../shaders/adafactor.wgsl"), VIEW])],
};

/// Records the step along `y`; `y`, `m` and `w` are `[1, length]` of contiguous elements, `squares` is `[1, 2]`:
/// the mean squares of `y` and `w`.
pub(crate) fn record_adafactor_step(plan: &mut Plan, operands: [Tensor; 6]) -> Result<()> {
    let name = "adafactor";
    let [settings, clock, squares, y, m, w] = operands;
    settings.expect(name, "settings", 1, N_SETTINGS)?;
    clock.expect(name, "clock", 1, 3)?;
    squares.expect(name, "squares", 1, 2)?;
    for (what, operand) in [("y", y), ("m", m), ("w", w)] {
        operand.expect(name, what, 1, w.columns)?;
        expect_run(name, what, operand)?;
    }
    let models = Plan::models(name, &operands)?;
    let [settings, clock, squares, y, m, w] = operands.map(|operand| operand.view(models));
    let length = operands[5].columns;
    plan.push(&ADAFACTOR, Adafactor { settings, clock, squares, y, m, w, length }, &operands, models)
}

fn adafactor(args: &mut Args) {
    let p = args.params::<Adafactor>();
    let (settings, clock, squares, y): (&[f32], &[f32], &[f32], &[f32]) =
        (args.read(0), args.read(1), args.read(2), args.read(3));
    let (m, w): (&mut [f32], &mut [f32]) = (args.write(4), args.write(5));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (epsilon2, clip, beta1, weight_decay) = (setting(3), setting(4), setting(5), setting(6));
        let is_scaled = setting(7) > 0.0;
        let step = clock[p.clock.at(model, 0, 2)];
        let size_y = squares[p.squares.at(model, 0, 0)].sqrt();
        let size_w = squares[p.squares.at(model, 0, 1)].sqrt();
        let rate = if is_scaled { epsilon2.max(size_w) } else { 1.0 } * step;
        let (y, w) = (&y[run(p.y, model, p.length)], &mut w[run(p.w, model, p.length)]);
        let m = &mut m[run(p.m, model, p.length)];
        for ((w, m), y) in w.iter_mut().zip(m).zip(y) {
            let change = rate * (y / (size_y / clip).max(1.0));
            *m = beta1 * *m + (1.0 - beta1) * change;
            *w = *w - weight_decay * rate * *w - *m;
        }
    }
}
