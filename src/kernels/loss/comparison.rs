//! The losses that compare rows or scores with each other.

use super::super::{NAN, VIEW, elements, rows};
use super::pointwise::{POWER, power};
use super::record::Reduction;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::{Error, Result};

params! {
    CosineSimilarity {
        x: View, t: View, weights: View, values: View, d_x: View,
        rows: u32, columns: u32, weighted: u32, eps: f32, scale: f32,
    } invocations: rows
}

/// The cosine of the angle between two rows, and its gradient.
pub static COSINE_SIMILARITY: Kernel = Kernel {
    name: "cosine_similarity",
    params: CosineSimilarity::FIELDS,
    bindings: &[
        Binding::read("x"),
        Binding::read("t"),
        Binding::read("weights"),
        Binding::write("values"),
        Binding::write("d_x"),
    ],
    twin: cosine_similarity,
    fast: None,
    forms: &[Form::plain::<CosineSimilarity>(&[include_str!("../../../shaders/cosine_similarity.wgsl"), VIEW])],
};

fn cosine_similarity(args: &mut Args) {
    let p = args.params::<CosineSimilarity>();
    let (x, t, weights): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let values: &mut [f32] = args.write(3);
    let d_x: &mut [f32] = args.write(4);
    for (model, row) in rows(args.models, p.rows) {
        let (x, t) = (|c| x[p.x.at(model, row, c)], |c| t[p.t.at(model, row, c)]);
        let (length_x, length_t) = (length(p.columns, x), length(p.columns, t));
        // The product of the lengths could overflow.
        let is_short = length_t == 0.0 || length_x <= p.eps / length_t;
        let (divisor_x, divisor_t) = if is_short { (1.0, p.eps) } else { (length_x, length_t) };
        let mut similarity = 0.0f32;
        for c in 0..p.columns {
            similarity = (x(c) / divisor_x).mul_add(t(c) / divisor_t, similarity);
        }
        let weight = if p.weighted == 0 { 1.0 } else { weights[p.weights.at(model, row, 0)] };
        for c in 0..p.columns {
            let along = if is_short { 0.0 } else { x(c) / divisor_x * similarity };
            d_x[p.d_x.at(model, row, c)] = (t(c) / divisor_t - along) / divisor_x * (p.scale * weight);
        }
        values[p.values.at(model, row, 0)] = similarity * weight;
    }
}

/// The length of a row, taken of what is divided by its largest element: no square overflows.
fn length(columns: u32, element: impl Fn(u32) -> f32) -> f32 {
    let largest = (0..columns).fold(0.0f32, |largest, c| largest.max(element(c).abs()));
    // A row of zeros has the length 0 by any divisor.
    let unit = if largest == 0.0 { 1.0 } else { largest };
    let mut square = 0.0f32;
    for c in 0..columns {
        let part = element(c) / unit;
        square = part.mul_add(part, square);
    }
    unit * square.sqrt()
}

params! {
    TripletLoss {
        anchors: View, positives: View, negatives: View, values: View,
        danchors: View, dpositives: View, dnegatives: View,
        rows: u32, columns: u32, p: f32, margin: f32, eps: f32, scale: f32,
    } invocations: rows
}

/// How much nearer the positives are to the anchors than the negatives, and all three gradients.
pub static TRIPLET: Kernel = Kernel {
    name: "triplet",
    params: TripletLoss::FIELDS,
    bindings: &[
        Binding::read("anchors"),
        Binding::read("positives"),
        Binding::read("negatives"),
        Binding::write("values"),
        Binding::write("danchors"),
        Binding::write("dpositives"),
        Binding::write("dnegatives"),
    ],
    twin: triplet,
    fast: None,
    forms: &[Form::plain::<TripletLoss>(&[include_str!("../../../shaders/triplet.wgsl"), VIEW, POWER, NAN])],
};

/// The parameters of [`record_triplet`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Triplet {
    /// The degree of the distance; 1 or more, default 2.
    pub p: f32,
    /// How much nearer a positive has to be than a negative; any number, default 1.
    pub margin: f32,
    /// Added to the sum of powers before the root; above 0, default 1e-6.
    pub eps: f32,
}

impl Default for Triplet {
    fn default() -> Triplet {
        Triplet { p: 2.0, margin: 1.0, eps: 1e-6 }
    }
}

impl Triplet {
    /// Checks the parameters' ranges.
    ///
    /// # Errors
    ///
    /// A parameter outside of its range, with the range.
    pub fn check(&self) -> Result<()> {
        expect("p of the loss triplet", self.p, 1.0 <= self.p && self.p < f32::INFINITY, "a number of 1 or more")?;
        expect("margin of the loss triplet", self.margin, self.margin.is_finite(), "a finite number")?;
        expect("eps of the loss triplet", self.eps, 0.0 < self.eps && self.eps < f32::INFINITY, "a number above 0")
    }
}

fn expect(name: &str, found: f32, is_right: bool, expected: &str) -> Result<()> {
    if is_right {
        return Ok(());
    }
    Err(Error::Setting { name: name.into(), found: found.to_string(), expected: expected.into() })
}

/// What [`record_triplet`] reads and writes; all but the values are `[rows, columns]`.
#[derive(Clone, Copy, Debug)]
pub struct TripletOperands {
    /// The anchors.
    pub anchors: Tensor,
    /// What is to be near them.
    pub positives: Tensor,
    /// What is to be far from them.
    pub negatives: Tensor,
    /// The loss of each row, `[rows, 1]`.
    pub values: Tensor,
    /// The gradient of the anchors.
    pub danchors: Tensor,
    /// The gradient of the positives.
    pub dpositives: Tensor,
    /// The gradient of the negatives.
    pub dnegatives: Tensor,
}

/// Records `max(|a - b| - |a - c| + margin, 0)` for rows of anchors, positives and negatives with
/// `|d| = (sum |d_i|^p + eps)^(1 / p)`, as MLX's `triplet_loss` has it, and the three gradients.
///
/// The gradients are of the reduced loss; there are no weights, so that [`Reduction::WeightedMean`] is
/// the mean.
///
/// # Errors
///
/// Shapes that do not go together, a parameter outside of its range.
pub fn record_triplet(
    plan: &mut Plan,
    settings: Triplet,
    reduction: Reduction,
    operands: TripletOperands,
) -> Result<()> {
    settings.check()?;
    let TripletOperands { anchors, positives, negatives, values, danchors, dpositives, dnegatives } = operands;
    let (rows, columns) = (anchors.rows, anchors.columns);
    for (name, tensor) in [
        ("positives", positives),
        ("negatives", negatives),
        ("danchors", danchors),
        ("dpositives", dpositives),
        ("dnegatives", dnegatives),
    ] {
        tensor.expect("triplet", name, rows, columns)?;
    }
    values.expect("triplet", "values", rows, 1)?;
    let operands = [anchors, positives, negatives, values, danchors, dpositives, dnegatives];
    let models = Plan::models("triplet", &operands)?;
    let [anchors, positives, negatives, values, danchors, dpositives, dnegatives] =
        operands.map(|operand| operand.view(models));
    let params = TripletLoss {
        anchors,
        positives,
        negatives,
        values,
        danchors,
        dpositives,
        dnegatives,
        rows,
        columns,
        p: settings.p,
        margin: settings.margin,
        eps: settings.eps,
        scale: reduction.scale(rows, 1),
    };
    plan.push(&TRIPLET, params, &operands, models)
}

fn triplet(args: &mut Args) {
    let p = args.params::<TripletLoss>();
    let anchors: &[f32] = args.read(0);
    let (positives, negatives): (&[f32], &[f32]) = (args.read(1), args.read(2));
    let values: &mut [f32] = args.write(3);
    let danchors: &mut [f32] = args.write(4);
    let dpositives: &mut [f32] = args.write(5);
    let dnegatives: &mut [f32] = args.write(6);
    for (model, row) in rows(args.models, p.rows) {
        let anchor = |c| anchors[p.anchors.at(model, row, c)];
        let positive = |c| anchor(c) - positives[p.positives.at(model, row, c)];
        let negative = |c| anchor(c) - negatives[p.negatives.at(model, row, c)];
        let (distance_positive, distance_negative) = (distance(p, positive), distance(p, negative));
        let value = distance_positive - distance_negative + p.margin;
        // NaN goes through, to be seen.
        let counts = value > 0.0 || value.is_nan();
        let scale = if counts { p.scale } else { 0.0 };
        let part = |d: f32, distance: f32| {
            let direction = if d == 0.0 { 0.0 } else { d.signum() };
            direction * power(d.abs() / distance, p.p - 1.0) * scale
        };
        for c in 0..p.columns {
            let (u, v) = (part(positive(c), distance_positive), part(negative(c), distance_negative));
            danchors[p.danchors.at(model, row, c)] = u - v;
            dpositives[p.dpositives.at(model, row, c)] = -u;
            dnegatives[p.dnegatives.at(model, row, c)] = v;
        }
        values[p.values.at(model, row, 0)] = if counts { value } else { 0.0 };
    }
}

/// `(sum |d_i|^p + eps)^(1 / p)`, of differences divided by the largest where that is above 1: no
/// power overflows.
fn distance(params: &TripletLoss, difference: impl Fn(u32) -> f32) -> f32 {
    let unit = (0..params.columns).fold(1.0f32, |unit, c| unit.max(difference(c).abs()));
    let mut sum = params.eps / power(unit, params.p);
    for c in 0..params.columns {
        sum += power(difference(c).abs() / unit, params.p);
    }
    unit * power(sum, 1.0 / params.p)
}

params! {
    Ranking {
        x1: View, x2: View, t: View, values: View, dx1: View, dx2: View,
        rows: u32, columns: u32, margin: f32, scale: f32,
    } invocations: rows columns
}

/// How far two scores are from the order they are to have, and both gradients.
pub static MARGIN_RANKING: Kernel = Kernel {
    name: "margin_ranking",
    params: Ranking::FIELDS,
    bindings: &[
        Binding::read("x1"),
        Binding::read("x2"),
        Binding::read("t"),
        Binding::write("values"),
        Binding::write("dx1"),
        Binding::write("dx2"),
    ],
    twin: margin_ranking,
    fast: None,
    forms: &[Form::plain::<Ranking>(&[include_str!("../../../shaders/margin_ranking.wgsl"), VIEW, NAN])],
};

/// The parameter of [`record_margin_ranking`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarginRanking {
    /// How far the scores are to lie apart; any number, default 0.
    pub margin: f32,
}

/// What [`record_margin_ranking`] reads and writes; all are `[rows, columns]`.
#[derive(Clone, Copy, Debug)]
pub struct MarginRankingOperands {
    /// The scores of the ones.
    pub x1: Tensor,
    /// The scores of the others.
    pub x2: Tensor,
    /// 1 where the one is to score higher, -1 where the other is.
    pub targets: Tensor,
    /// The loss of each pair.
    pub values: Tensor,
    /// The gradient of the ones.
    pub dx1: Tensor,
    /// The gradient of the others.
    pub dx2: Tensor,
}

/// Records `max(0, margin - t (x1 - x2))` of each pair, as MLX's `margin_ranking_loss` has it, and both
/// gradients. Without weights, as [`record_triplet`].
///
/// # Errors
///
/// Shapes that do not go together, a margin that is not finite.
pub fn record_margin_ranking(
    plan: &mut Plan,
    settings: MarginRanking,
    reduction: Reduction,
    operands: MarginRankingOperands,
) -> Result<()> {
    let MarginRanking { margin } = settings;
    expect("margin of the loss margin_ranking", margin, margin.is_finite(), "a finite number")?;
    let MarginRankingOperands { x1, x2, targets, values, dx1, dx2 } = operands;
    let (rows, columns) = (x1.rows, x1.columns);
    for (name, tensor) in [("x2", x2), ("targets", targets), ("values", values), ("dx1", dx1), ("dx2", dx2)] {
        tensor.expect("margin_ranking", name, rows, columns)?;
    }
    let operands = [x1, x2, targets, values, dx1, dx2];
    let models = Plan::models("margin_ranking", &operands)?;
    let [x1, x2, t, values, dx1, dx2] = operands.map(|operand| operand.view(models));
    let scale = reduction.scale(rows, columns);
    plan.push(&MARGIN_RANKING, Ranking { x1, x2, t, values, dx1, dx2, rows, columns, margin, scale }, &operands, models)
}

fn margin_ranking(args: &mut Args) {
    let p = args.params::<Ranking>();
    let (x1, x2, t): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let values: &mut [f32] = args.write(3);
    let dx1: &mut [f32] = args.write(4);
    let dx2: &mut [f32] = args.write(5);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        let label = t[p.t.at(model, row, column)];
        let y = p.margin - label * (x1[p.x1.at(model, row, column)] - x2[p.x2.at(model, row, column)]);
        // NaN goes through, to be seen. At 0 there is a slope, as in MLX: equal scores are to part.
        let (value, slope) = match y >= 0.0 {
            true => (y, -label),
            false if y.is_nan() => (y, y),
            false => (0.0, 0.0),
        };
        values[p.values.at(model, row, column)] = value;
        dx1[p.dx1.at(model, row, column)] = slope * p.scale;
        dx2[p.dx2.at(model, row, column)] = -(slope * p.scale);
    }
}
