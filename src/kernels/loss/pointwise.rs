//! The losses of one element: a value and a slope told from a prediction and its target.

use super::super::formula::Family;
use super::super::{ELEMENTARY, NAN, VIEW, elements};
use super::Loss;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::formula::Formula;

/// The values and slopes of the losses.
const TEXT: &str = include_str!("../../../shaders/shared/loss.wgsl");

/// Powers and products that 0 decides, whatever the other factor is.
pub(super) const POWER: &str = include_str!("../../../shaders/shared/power.wgsl");

/// Which of the losses of one element; the numbers are the shader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Pointwise {
    Mse = 0,
    L1 = 1,
    Huber = 2,
    SmoothL1 = 3,
    LogCosh = 4,
    Quantile = 5,
    Poisson = 6,
    Gamma = 7,
    Tweedie = 8,
    Hinge = 9,
    BinaryCrossEntropy = 10,
    BinaryCrossEntropyOfProbabilities = 11,
    BinaryFocal = 12,
}

impl Loss {
    /// The loss as one of an element with its parameter, 0 where it has none.
    pub(crate) fn pointwise(self) -> Option<(Pointwise, f32)> {
        Some(match self {
            Loss::Mse => (Pointwise::Mse, 0.0),
            Loss::L1 => (Pointwise::L1, 0.0),
            Loss::Huber { delta } => (Pointwise::Huber, delta),
            Loss::SmoothL1 { beta } => (Pointwise::SmoothL1, beta),
            Loss::LogCosh => (Pointwise::LogCosh, 0.0),
            Loss::Quantile { level } => (Pointwise::Quantile, level),
            Loss::Poisson => (Pointwise::Poisson, 0.0),
            Loss::Gamma => (Pointwise::Gamma, 0.0),
            Loss::Tweedie { power } => (Pointwise::Tweedie, power),
            Loss::Hinge => (Pointwise::Hinge, 0.0),
            Loss::BinaryCrossEntropy => (Pointwise::BinaryCrossEntropy, 0.0),
            Loss::BinaryCrossEntropyOfProbabilities => (Pointwise::BinaryCrossEntropyOfProbabilities, 0.0),
            Loss::BinaryFocal { gamma } => (Pointwise::BinaryFocal, gamma),
            _ => return None,
        })
    }
}

impl Pointwise {
    const ALL: [Pointwise; 13] = [
        Pointwise::Mse,
        Pointwise::L1,
        Pointwise::Huber,
        Pointwise::SmoothL1,
        Pointwise::LogCosh,
        Pointwise::Quantile,
        Pointwise::Poisson,
        Pointwise::Gamma,
        Pointwise::Tweedie,
        Pointwise::Hinge,
        Pointwise::BinaryCrossEntropy,
        Pointwise::BinaryCrossEntropyOfProbabilities,
        Pointwise::BinaryFocal,
    ];

    /// The loss of a prediction `p` for a target `t`, with the loss's parameter.
    #[inline]
    pub(crate) fn value(self, p: f32, t: f32, alpha: f32) -> f32 {
        let difference = p - t;
        let size = difference.abs();
        match self {
            Pointwise::Mse => difference * difference,
            Pointwise::L1 => size,
            Pointwise::Huber => {
                let near = size.min(alpha);
                0.5 * near * near + alpha * (size - near)
            }
            Pointwise::SmoothL1 if size < alpha => 0.5 * size * (size / alpha),
            Pointwise::SmoothL1 => size - 0.5 * alpha,
            Pointwise::LogCosh if size < 1.0 => {
                // cosh(d) = 1 + 2 sinh(d / 2)² keeps the digits of what is near 0.
                let root = (0.5 * size).sinh();
                (2.0 * root * root).ln_1p()
            }
            Pointwise::LogCosh => size + (-2.0 * size).exp().ln_1p() - std::f32::consts::LN_2,
            Pointwise::Quantile => difference * if difference < 0.0 { -alpha } else { 1.0 - alpha },
            Pointwise::Poisson => p.exp() - times(t, p),
            Pointwise::Gamma => times(t, (-p).exp()) + p,
            Pointwise::Tweedie => {
                ((2.0 - alpha) * p).exp() / (2.0 - alpha) - times(t, ((1.0 - alpha) * p).exp()) / (1.0 - alpha)
            }
            Pointwise::Hinge => {
                let missing = 1.0 - p * t;
                if missing > 0.0 || missing.is_nan() { missing } else { 0.0 }
            }
            Pointwise::BinaryCrossEntropy => binary_cross_entropy(p, t),
            Pointwise::BinaryCrossEntropyOfProbabilities => {
                -(t * cut_logarithm(p) + (1.0 - t) * cut_logarithm(1.0 - p))
            }
            Pointwise::BinaryFocal => binary_cross_entropy(p, t) * power(wrongness(p, t), alpha),
        }
    }

    /// The derivative of the value by `p`.
    #[inline]
    pub(crate) fn slope(self, p: f32, t: f32, alpha: f32) -> f32 {
        let difference = p - t;
        let size = difference.abs();
        match self {
            Pointwise::Mse => 2.0 * difference,
            Pointwise::L1 => direction(difference),
            Pointwise::Huber if size <= alpha => difference,
            Pointwise::Huber => alpha * direction(difference),
            Pointwise::SmoothL1 if size < alpha => difference / alpha,
            Pointwise::SmoothL1 => direction(difference),
            Pointwise::LogCosh => difference.tanh(),
            Pointwise::Quantile => direction(difference) * if difference < 0.0 { alpha } else { 1.0 - alpha },
            Pointwise::Poisson => p.exp() - t,
            Pointwise::Gamma => 1.0 - times(t, (-p).exp()),
            Pointwise::Tweedie => ((2.0 - alpha) * p).exp() - times(t, ((1.0 - alpha) * p).exp()),
            Pointwise::Hinge => {
                let missing = 1.0 - p * t;
                match missing > 0.0 {
                    true => -t,
                    false if missing.is_nan() => missing,
                    false => 0.0,
                }
            }
            Pointwise::BinaryCrossEntropy => binary_cross_entropy_slope(p, t),
            Pointwise::BinaryCrossEntropyOfProbabilities => {
                // A logarithm that is cut off has no slope.
                let of_other = if p == 1.0 { 0.0 } else { (1.0 - t) / (1.0 - p) };
                of_other - if p == 0.0 { 0.0 } else { t / p }
            }
            Pointwise::BinaryFocal => {
                let wrong = wrongness(p, t);
                let e = (-p.abs()).exp();
                // p (1 - p) / wrong, which is the probability of what is right where t is 0 or 1.
                let right = if wrong == 0.0 { 1.0 } else { e / ((1.0 + e) * (1.0 + e)) / wrong };
                let more = alpha * binary_cross_entropy(p, t) * (1.0 - 2.0 * t) * right;
                power(wrong, alpha) * (binary_cross_entropy_slope(p, t) + more)
            }
        }
    }
}

/// -1, 0 or 1; NaN goes through.
fn direction(x: f32) -> f32 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}

/// `log(1 + exp(z)) - z t`, with the exponential of a negative number only: it cannot overflow, and
/// what has one sign is added.
fn binary_cross_entropy(z: f32, t: f32) -> f32 {
    let far = if z >= 0.0 { times(1.0 - t, z) } else { times(t, -z) };
    far + (-z.abs()).exp().ln_1p()
}

/// `1 / (1 + exp(-z)) - t`, without the loss of digits near 0.
fn binary_cross_entropy_slope(z: f32, t: f32) -> f32 {
    let e = (-z.abs()).exp();
    let rest = e / (1.0 + e);
    if z >= 0.0 { (1.0 - t) - rest } else { rest - t }
}

/// The probability that is given to what is wrong: `p (1 - t) + (1 - p) t`, where
/// `p = 1 / (1 + exp(-z))`.
fn wrongness(z: f32, t: f32) -> f32 {
    let e = (-z.abs()).exp();
    let (rest, most) = (e / (1.0 + e), 1.0 / (1.0 + e));
    let (p, other) = if z >= 0.0 { (most, rest) } else { (rest, most) };
    p * (1.0 - t) + other * t
}

/// `log(x)`, but at least -100, as MLX and PyTorch have it.
fn cut_logarithm(x: f32) -> f32 {
    match x <= 0.0 {
        true => -100.0,
        false if x.is_nan() => x,
        false => x.ln().max(-100.0),
    }
}

/// `part * x`, but 0 where the part is 0, also of what is infinite.
pub(super) fn times(part: f32, x: f32) -> f32 {
    if part == 0.0 { 0.0 } else { part * x }
}

/// `base` to the power of `exponent`, both 0 or more: the usual exponents multiply, as in the shader.
pub(super) fn power(base: f32, exponent: f32) -> f32 {
    match exponent {
        0.0 => 1.0,
        0.5 => base.sqrt(),
        1.0 => base,
        2.0 => base * base,
        _ if base == 0.0 => 0.0,
        _ => base.powf(exponent),
    }
}

params! {
    PointwiseLoss {
        p: View, t: View, weights: View, values: View, gradient: View,
        rows: u32, columns: u32, weighted: u32, kind: u32, alpha: f32, beta: f32, scale: f32,
    } invocations: rows columns
}

/// The loss of each element, and its gradient.
pub static POINTWISE_LOSS: Kernel = Kernel {
    name: "pointwise_loss",
    params: PointwiseLoss::FIELDS,
    bindings: &[
        Binding::read("p"),
        Binding::read("t"),
        Binding::read("weights"),
        Binding::write("values"),
        Binding::write("gradient"),
    ],
    twin: pointwise_loss,
    fast: None,
    forms: &[Form::plain::<PointwiseLoss>(&[
        include_str!("../../../shaders/pointwise_loss.wgsl"),
        VIEW,
        TEXT,
        POWER,
        ELEMENTARY,
        NAN,
    ])],
};

fn pointwise_loss(args: &mut Args) {
    let params = args.params::<PointwiseLoss>();
    let (kind, alpha) = (Pointwise::ALL[params.kind as usize], params.alpha);
    apply(args, |p, t| (kind.value(p, t, alpha), kind.slope(p, t, alpha)));
}

fn pointwise_loss_formula(args: &mut Args) {
    let formula = Formula::of_number(args.params::<PointwiseLoss>().kind);
    apply(args, |p, t| (formula.value(&[p, t]), formula.slope(&[p, t])));
}

/// The loss of each element by a formula, whose number is the parameter block's `kind`.
pub(in super::super) static FAMILY: Family = Family {
    kernel: &POINTWISE_LOSS,
    twin: pointwise_loss_formula,
    fast: None,
    replaced: TEXT,
    functions: |formula| {
        let functions = "
fn loss_value(kind: u32, p: f32, t: f32, alpha: f32, beta: f32) -> f32 {
  return formula_value(p, t);
}

fn loss_slope(kind: u32, p: f32, t: f32, alpha: f32, beta: f32) -> f32 {
  return formula_slope(p, t);
}
";
        functions.to_string() + &formula.value_wgsl("formula_value") + &formula.slope_wgsl("formula_slope")
    },
};

/// Writes the values and slopes of each prediction with its target, times their factors.
fn apply(args: &mut Args, loss: impl Fn(f32, f32) -> (f32, f32)) {
    let params = args.params::<PointwiseLoss>();
    let (p, t, weights): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let values: &mut [f32] = args.write(3);
    let gradient: &mut [f32] = args.write(4);
    for (model, row, column) in elements(args.models, params.rows, params.columns) {
        let (prediction, expected) = (p[params.p.at(model, row, column)], t[params.t.at(model, row, column)]);
        let weight = if params.weighted == 0 { 1.0 } else { weights[params.weights.at(model, row, column)] };
        let (value, slope) = loss(prediction, expected);
        values[params.values.at(model, row, column)] = value * weight;
        gradient[params.gradient.at(model, row, column)] = slope * (params.scale * weight);
    }
}
