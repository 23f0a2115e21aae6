//! Embeddings: a row of numbers for each level of a categorical column.

use super::{NAN, VIEW, elements};
use crate::Result;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};

/// Which level a code names, for every shader that reads codes.
const LEVEL: &str = include_str!("../../shaders/shared/level.wgsl");

params! { Embed { codes: View, table: View, y: View, rows: u32, columns: u32, levels: u32 } invocations: rows columns }

/// `y[r] = table[codes[r]]`.
pub static EMBED: Kernel = Kernel {
    name: "embed",
    params: Embed::FIELDS,
    bindings: &[Binding::read("codes"), Binding::read("table"), Binding::write("y")],
    twin: embed,
    fast: None,
    forms: &[Form::plain::<Embed>(&[include_str!("../../shaders/embed.wgsl"), VIEW, LEVEL, NAN])],
};

/// Records `y = ` the rows of `table` that `codes` name.
///
/// `codes` is `[rows, 1]` of whole numbers as floats, such as a column of the data; `table` is
/// `[levels, size]` with at least one level; `y` is `[rows, size]`, and may be some columns of wider rows. A
/// code is rounded to the nearest level, ties to even; a negative one or NaN is level 0, and one beyond the
/// last level is the last: no code reads outside of the table.
pub fn record_embed(plan: &mut Plan, codes: Tensor, table: Tensor, y: Tensor) -> Result<()> {
    codes.expect("embed", "codes", y.rows, 1)?;
    table.expect("embed", "table", table.rows.max(1), y.columns)?;
    let models = Plan::models("embed", &[codes, table, y])?;
    let params = Embed {
        codes: codes.view(models),
        table: table.view(models),
        y: y.view(models),
        rows: y.rows,
        columns: y.columns,
        levels: table.rows,
    };
    plan.push(&EMBED, params, &[codes, table, y], models)
}

fn embed(args: &mut Args) {
    let p = args.params::<Embed>();
    let (codes, table): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let y: &mut [f32] = args.write(2);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let source = level(codes[p.codes.at(model, row, 0)], p.levels);
        y[p.y.at(model, row, column)] = table[p.table.at(model, source, column)];
    }
}

params! {
    EmbedGradient { codes: View, dy: View, dtable: View, rows: u32, columns: u32, levels: u32 }
    invocations: levels columns
}

/// `dtable[l] = sum of dy[r]` over the rows whose code is `l`.
pub static EMBED_GRADIENT: Kernel = Kernel {
    name: "embed_gradient",
    params: EmbedGradient::FIELDS,
    bindings: &[Binding::read("codes"), Binding::read("dy"), Binding::write("dtable")],
    twin: embed_gradient,
    fast: None,
    forms: &[Form::plain::<EmbedGradient>(&[include_str!("../../shaders/embed_gradient.wgsl"), VIEW, LEVEL, NAN])],
};

/// Records `dtable = ` the sums of the rows of `dy` by level; levels that no row has get 0.
///
/// `codes` is `[rows, 1]` as for [`record_embed`], `dy` is `[rows, size]`, and may be some columns of wider
/// rows, `dtable` is `[levels, size]`. Each element goes through all rows in order, so that the cost is
/// `levels * size * rows` reads, and no two invocations add to one place.
pub fn record_embed_gradient(plan: &mut Plan, codes: Tensor, dy: Tensor, dtable: Tensor) -> Result<()> {
    codes.expect("embed_gradient", "codes", dy.rows, 1)?;
    dtable.expect("embed_gradient", "dtable", dtable.rows.max(1), dy.columns)?;
    let models = Plan::models("embed_gradient", &[codes, dy, dtable])?;
    let params = EmbedGradient {
        codes: codes.view(models),
        dy: dy.view(models),
        dtable: dtable.view(models),
        rows: dy.rows,
        columns: dy.columns,
        levels: dtable.rows,
    };
    plan.push(&EMBED_GRADIENT, params, &[codes, dy, dtable], models)
}

/// The same sums as in the shader, each in the order of the rows; but every row is read once, not once for
/// each element of the table.
fn embed_gradient(args: &mut Args) {
    let p = args.params::<EmbedGradient>();
    let (codes, dy): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let dtable: &mut [f32] = args.write(2);
    for (model, own, column) in elements(args.models, p.levels, p.columns) {
        dtable[p.dtable.at(model, own, column)] = 0.0;
    }
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let own = level(codes[p.codes.at(model, row, 0)], p.levels);
        dtable[p.dtable.at(model, own, column)] += dy[p.dy.at(model, row, column)];
    }
}

/// The level that a code names. The conversion gives 0 for negative numbers and NaN, and 2^32 - 1 for
/// those above it.
fn level(code: f32, levels: u32) -> u32 {
    (code.round_ties_even() as u32).min(levels - 1)
}
