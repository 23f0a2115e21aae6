//! Kernels that carry a step from batch to batch without the host: rows by index, counted losses.

use super::array::tree_sum;
use super::{VIEW, rows};
use crate::Result;
use crate::compute::kernel::{Args, Binding, Element, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};

params! {
    Gather {
        x: View, index: View, position: View, y: View,
        source_rows: u32, length: u32, rows: u32, columns: u32,
    } invocations: rows columns
}

/// `y[r, c] = x[index[position + r], c]`.
pub static GATHER: Kernel = Kernel {
    name: "gather",
    params: Gather::FIELDS,
    bindings: &[
        Binding::read("x").of(Element::Word),
        Binding::read("index").of(Element::U32),
        Binding::read("position").of(Element::U32),
        Binding::write("y").of(Element::Word),
    ],
    twin: gather,
    fast: Some(gather_fast),
    forms: &[Form::plain::<Gather>(&[include_str!("../../shaders/gather.wgsl"), VIEW])],
};

/// Records `y = ` the rows of `x` at `index`, from `position` on.
///
/// `x` is `[source_rows, columns]`, `index` is `[1, length]` of row numbers, `position` is
/// `[1, 1]`, `y` is `[rows, columns]`. Beyond the index's end it starts again at its front.
pub fn record_gather(plan: &mut Plan, x: Tensor, index: Tensor, position: Tensor, y: Tensor) -> Result<()> {
    x.expect("gather", "x", x.rows.max(1), x.columns)?;
    index.expect("gather", "index", 1, index.columns.max(1))?;
    position.expect("gather", "position", 1, 1)?;
    y.expect("gather", "y", y.rows, x.columns)?;
    let models = Plan::models("gather", &[x, index, position, y])?;
    let params = Gather {
        x: x.view(models),
        index: index.view(models),
        position: position.view(models),
        y: y.view(models),
        source_rows: x.rows,
        length: index.columns,
        rows: y.rows,
        columns: y.columns,
    };
    plan.push(&GATHER, params, &[x, index, position, y], models)
}

fn gather(args: &mut Args) {
    let p = args.params::<Gather>();
    let (x, index, position): (&[u32], &[u32], &[u32]) = (args.read(0), args.read(1), args.read(2));
    let y: &mut [u32] = args.write(3);
    for (model, row) in rows(args.models, p.rows) {
        // Wrapping, as a counter on a GPU does.
        let place = position[p.position.at(model, 0, 0)].wrapping_add(row) % p.length;
        let source = index[p.index.at(model, 0, place)].min(p.source_rows - 1);
        for column in 0..p.columns {
            y[p.y.at(model, row, column)] = x[p.x.at(model, source, column)];
        }
    }
}

/// The same with rows copied whole.
fn gather_fast(args: &mut Args) {
    let p = args.params::<Gather>();
    if p.x.column != 1 || p.y.column != 1 {
        return gather(args);
    }
    let (x, index, position): (&[u32], &[u32], &[u32]) = (args.read(0), args.read(1), args.read(2));
    let y: &mut [u32] = args.write(3);
    let columns = p.columns as usize;
    for (model, row) in rows(args.models, p.rows) {
        let place = position[p.position.at(model, 0, 0)].wrapping_add(row) % p.length;
        let source = index[p.index.at(model, 0, place)].min(p.source_rows - 1);
        let (to, from) = (p.y.at(model, row, 0), p.x.at(model, source, 0));
        y[to..to + columns].copy_from_slice(&x[from..from + columns]);
    }
}

params! {
    Tally {
        x: View, position: View, y: View,
        rows: u32, columns: u32, slots: u32, slot_rows: u32, advance: u32, scale: f32,
    }
    invocations:
}

/// `y[position / slot_rows] = scale * sum of all x`, then `position += advance`.
pub static TALLY: Kernel = Kernel {
    name: "tally",
    params: Tally::FIELDS,
    bindings: &[Binding::read("x"), Binding::update("position").of(Element::U32), Binding::update("y")],
    twin: tally,
    fast: None,
    forms: &[Form::plain_by_group::<Tally>(&[include_str!("../../shaders/tally.wgsl"), VIEW])],
};

/// How a step's sum finds its place, and how far the step moves in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Rows of the data that share one slot, at least 1: the size of a full batch.
    pub rows: u32,
    /// Added to the position afterwards: the rows of this batch, or 0 to stay.
    pub advance: u32,
}

/// Records `y[position / slot.rows] = scale * sum of all x`, then `position += slot.advance`.
///
/// `x` is `[rows, columns]`, `y` is `[1, slots]`, `position` is `[1, 1]`; each model has its own.
pub fn record_tally(plan: &mut Plan, scale: f32, x: Tensor, position: Tensor, slot: Slot, y: Tensor) -> Result<()> {
    position.expect("tally", "position", 1, 1)?;
    y.expect("tally", "y", 1, y.columns.max(1))?;
    let models = Plan::models("tally", &[x, position, y])?;
    let params = Tally {
        x: x.view(models),
        position: position.view(models),
        y: y.view(models),
        rows: x.rows,
        columns: x.columns,
        slots: y.columns,
        slot_rows: slot.rows.max(1),
        advance: slot.advance,
        scale,
    };
    plan.push(&TALLY, params, &[x, position, y], models)
}

fn tally(args: &mut Args) {
    let p = args.params::<Tally>();
    let x: &[f32] = args.read(0);
    let position: &mut [u32] = args.write(1);
    let y: &mut [f32] = args.write(2);
    for model in 0..args.models {
        let position = &mut position[p.position.at(model, 0, 0)];
        let slot = *position / p.slot_rows % p.slots;
        let total = tree_sum(p.rows * p.columns, |i| x[p.x.at(model, i / p.columns, i % p.columns)]);
        y[p.y.at(model, 0, slot)] = p.scale * total;
        *position = position.wrapping_add(p.advance);
    }
}
