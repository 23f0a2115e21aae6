//! What a loss's values are multiplied with.

use super::super::array::tree_sum;
use super::super::{VIEW, elements, rows};
use super::likelihood::first;
use crate::Result;
use crate::compute::kernel::{Args, Binding, Element, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};

params! {
    ClassWeights {
        class_weights: View, classes: View, weights: View, y: View,
        rows: u32, n_classes: u32, weighted: u32,
    } invocations: rows
}

/// The weight of each row's class, times the row's own.
pub static CLASS_WEIGHTS: Kernel = Kernel {
    name: "class_weights",
    params: ClassWeights::FIELDS,
    bindings: &[
        Binding::read("class_weights"),
        Binding::read("classes").of(Element::U32),
        Binding::read("weights"),
        Binding::write("y"),
    ],
    twin: class_weights,
    fast: None,
    forms: &[Form::plain::<ClassWeights>(&[include_str!("../../../shaders/class_weights.wgsl"), VIEW])],
};

/// Records `y[r] = class_weights[classes[r]] * weights[r]`; `class_weights` is `[1, n_classes]`, the
/// others are `[rows, 1]`.
pub(crate) fn record_class_weights(
    plan: &mut Plan,
    class_weights: Tensor,
    classes: Tensor,
    weights: Option<Tensor>,
    y: Tensor,
) -> Result<()> {
    let bound = weights.unwrap_or(first(class_weights, y.rows, 1));
    let operands = [class_weights, classes, bound, y];
    let models = Plan::models("class_weights", &operands)?;
    let params = ClassWeights {
        class_weights: class_weights.view(models),
        classes: classes.view(models),
        weights: bound.view(models),
        y: y.view(models),
        rows: y.rows,
        n_classes: class_weights.columns,
        weighted: u32::from(weights.is_some()),
    };
    plan.push(&CLASS_WEIGHTS, params, &operands, models)
}

fn class_weights(args: &mut Args) {
    let p = args.params::<ClassWeights>();
    let class_weights: &[f32] = args.read(0);
    let classes: &[u32] = args.read(1);
    let weights: &[f32] = args.read(2);
    let y: &mut [f32] = args.write(3);
    for (model, row) in rows(args.models, p.rows) {
        let class = classes[p.classes.at(model, row, 0)].min(p.n_classes - 1);
        let weight = if p.weighted == 0 { 1.0 } else { weights[p.weights.at(model, row, 0)] };
        y[p.y.at(model, row, 0)] = class_weights[p.class_weights.at(model, 0, class)] * weight;
    }
}

params! { NormaliseWeights { x: View, y: View, rows: u32, columns: u32 } invocations: }

/// Weights divided by their mean.
pub static NORMALISE_WEIGHTS: Kernel = Kernel {
    name: "normalise_weights",
    params: NormaliseWeights::FIELDS,
    bindings: &[Binding::read("x"), Binding::write("y")],
    twin: normalise_weights,
    fast: None,
    forms: &[Form::plain_by_group::<NormaliseWeights>(&[
        include_str!("../../../shaders/normalise_weights.wgsl"),
        VIEW,
    ])],
};

/// Records `y = x * rows * columns / sum of all x`; both are `[rows, columns]`.
pub(crate) fn record_normalise_weights(plan: &mut Plan, x: Tensor, y: Tensor) -> Result<()> {
    let models = Plan::models("normalise_weights", &[x, y])?;
    let params = NormaliseWeights { x: x.view(models), y: y.view(models), rows: y.rows, columns: y.columns };
    plan.push(&NORMALISE_WEIGHTS, params, &[x, y], models)
}

fn normalise_weights(args: &mut Args) {
    let p = args.params::<NormaliseWeights>();
    let x: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    for model in 0..args.models {
        let count = p.rows * p.columns;
        let total = tree_sum(count, |i| x[p.x.at(model, i / p.columns, i % p.columns)]);
        let factor = count as f32 / total;
        for (_, row, column) in elements(1, p.rows, p.columns) {
            y[p.y.at(model, row, column)] = x[p.x.at(model, row, column)] * factor;
        }
    }
}
