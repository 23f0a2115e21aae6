//! What a step takes out of an epoch's tables by itself: its learning rate, and its share of a group of batches.

use super::clip::expect_run;
use super::run;
use crate::Result;
use crate::compute::kernel::{Args, Binding, Element, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::kernels::{VIEW, rows};

params! {
    Rate { table: View, position: View, settings: View, rows: u32, slots: u32, slot_rows: u32, factor: f32 }
    invocations: rows
}

/// `settings[r, 0] = factor * table[position / slot_rows]`.
pub static RATE: Kernel = Kernel {
    name: "rate",
    params: Rate::FIELDS,
    bindings: &[Binding::read("table"), Binding::read("position").of(Element::U32), Binding::update("settings")],
    twin: rate,
    fast: None,
    forms: &[Form::plain::<Rate>(&[include_str!("../../../shaders/rate.wgsl"), VIEW])],
};

/// Records that the learning rate of the step at `position` comes out of `table` into `settings`, times
/// `factor`.
///
/// `table` is `[1, slots]`, each for `slot_rows` rows of the data, at least 1; `position` is `[1, 1]`;
/// `settings` is `[rows, columns]`, the learning rate first in each row.
pub fn record_rate(
    plan: &mut Plan,
    factor: f32,
    table: Tensor,
    position: Tensor,
    slot_rows: u32,
    settings: Tensor,
) -> Result<()> {
    table.expect("rate", "table", 1, table.columns.max(1))?;
    position.expect("rate", "position", 1, 1)?;
    settings.expect("rate", "settings", settings.rows, settings.columns.max(1))?;
    let operands = [table, position, settings];
    let models = Plan::models("rate", &operands)?;
    let [vt, vp, vs] = operands.map(|operand| operand.view(models));
    let (rows, slots, slot_rows) = (settings.rows, table.columns, slot_rows.max(1));
    let params = Rate { table: vt, position: vp, settings: vs, rows, slots, slot_rows, factor };
    plan.push(&RATE, params, &operands, models)
}

fn rate(args: &mut Args) {
    let p = args.params::<Rate>();
    let (table, position): (&[f32], &[u32]) = (args.read(0), args.read(1));
    let settings: &mut [f32] = args.write(2);
    for (model, row) in rows(args.models, p.rows) {
        let slot = position[p.position.at(model, 0, 0)] / p.slot_rows % p.slots;
        settings[p.settings.at(model, row, 0)] = p.factor * table[p.table.at(model, 0, slot)];
    }
}

params! {
    Accumulate { x: View, position: View, y: View, length: u32, batch: u32, group_rows: u32 } invocations: length
}

/// The mean gradient over the rows of several batches.
pub static ACCUMULATE: Kernel = Kernel {
    name: "accumulate",
    params: Accumulate::FIELDS,
    bindings: &[Binding::read("x"), Binding::read("position").of(Element::U32), Binding::update("y")],
    twin: accumulate,
    fast: None,
    forms: &[Form::plain::<Accumulate>(&[include_str!("../../../shaders/accumulate.wgsl"), VIEW])],
};

/// Records that `y` becomes the mean over all rows of a group of batches up to and with this one.
///
/// `x`, the mean over this batch of `batch` rows, and `y` are `[1, length]` of contiguous elements; `position`
/// is `[1, 1]`, the rows that came before; a group has `group_rows` rows, the last one may have fewer.
pub fn record_accumulate(
    plan: &mut Plan,
    [batch, group_rows]: [u32; 2],
    x: Tensor,
    position: Tensor,
    y: Tensor,
) -> Result<()> {
    expect_run("accumulate", "x", x)?;
    expect_run("accumulate", "y", y)?;
    x.expect("accumulate", "x", 1, y.columns)?;
    position.expect("accumulate", "position", 1, 1)?;
    let operands = [x, position, y];
    let models = Plan::models("accumulate", &operands)?;
    let [vx, vp, vy] = operands.map(|operand| operand.view(models));
    let group_rows = group_rows.max(1);
    let params = Accumulate { x: vx, position: vp, y: vy, length: y.columns, batch, group_rows };
    plan.push(&ACCUMULATE, params, &operands, models)
}

fn accumulate(args: &mut Args) {
    let p = args.params::<Accumulate>();
    let (x, position): (&[f32], &[u32]) = (args.read(0), args.read(1));
    let y: &mut [f32] = args.write(2);
    for model in 0..args.models {
        let before = position[p.position.at(model, 0, 0)] % p.group_rows;
        let (x, y) = (&x[run(p.x, model, p.length)], &mut y[run(p.y, model, p.length)]);
        let share = p.batch as f32 / (before + p.batch) as f32;
        for (y, x) in y.iter_mut().zip(x) {
            *y = if before == 0 { *x } else { *y + share * (x - *y) };
        }
    }
}
