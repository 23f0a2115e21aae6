//! The activations, with their parameters, at ordinary and at extreme numbers.

use super::super::builder::{Builder, Values};
use super::super::{Case, Tolerance};
use super::EXACT;
use crate::kernels::activation::{Activation, SlopeOf, record_activate, record_activate_backward};

/// Those that are tried at every size; the others, which the same text computes, at a few.
pub(super) const BASIC: [Activation; 4] =
    [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh];

/// Parameters that are not the default.
const OTHERS: [Activation; 7] = [
    Activation::LeakyRelu { slope: 0.3 },
    Activation::Elu { alpha: 1.7 },
    Activation::Celu { alpha: 0.6 },
    Activation::Softshrink { lambda: 1.25 },
    Activation::HardShrink { lambda: 0.0 },
    Activation::HardTanh { min: -0.25, max: 2.5 },
    Activation::Step { threshold: 0.75 },
];

/// WGSL allows exp(-a) 3 + 2a units in the last place, so that it is off by 3 units of 1 at most for
/// a >= 0, and a exp(-a) by 2. The largest of what the activations make of it is the slope of
/// `gelu_approx`, three times a exp(-a) (11 + 8a): below 32 units. The roundings of an erf of eight
/// multiplications and a division, below 10 units, come to 5 |z| for |z| < 5.7, beyond which it is 1:
/// 29 units. What follows are a few multiplications and divisions, 8 units of the value.
const SMOOTH: Tolerance = Tolerance {
    absolute: 46.0 * f32::EPSILON,
    relative: 8.0 * f32::EPSILON,
    reason: "WGSL allows exp(-a) 3 + 2a units in the last place, off by 3 units of 1; slopes make 32 of them, erf 29",
};

/// How far the values of an activation may be apart.
pub(super) fn value_tolerance(activation: Activation) -> Tolerance {
    let is_exact = match activation {
        Activation::Identity
        | Activation::Relu
        | Activation::Relu2
        | Activation::Relu6
        | Activation::LeakyRelu { .. }
        | Activation::Softshrink { .. }
        | Activation::HardShrink { .. }
        | Activation::HardTanh { .. }
        | Activation::Step { .. } => true,
        Activation::Sigmoid
        | Activation::Tanh
        | Activation::Elu { .. }
        | Activation::Selu
        | Activation::Celu { .. }
        | Activation::Silu
        | Activation::Gelu
        | Activation::GeluApprox
        | Activation::GeluFast
        | Activation::Mish
        | Activation::Softplus
        | Activation::Softsign
        | Activation::HardSwish
        | Activation::LogSigmoid
        | Activation::Formula(_) => false,
    };
    if is_exact { Tolerance { reason: "one rounding, which is the same everywhere", ..EXACT } } else { SMOOTH }
}

/// How far the slopes of an activation may be apart.
pub(super) fn slope_tolerance(activation: Activation) -> Tolerance {
    match activation {
        // A sum or a product of small multiples of 1/8, or a mask.
        Activation::Identity
        | Activation::Relu
        | Activation::Sigmoid
        | Activation::Tanh
        | Activation::Relu6
        | Activation::HardTanh { .. }
        | Activation::Softshrink { .. }
        | Activation::HardShrink { .. }
        | Activation::Step { .. } => EXACT,
        _ => SMOOTH,
    }
}

/// Where the functions change their form, and beyond what they can tell apart.
const EXTREMES: [f32; 23] = [
    f32::NAN,
    0.0,
    -0.0,
    // Their squares are normal numbers still: those below 2^-126 a GPU may take for 0.
    1e-18,
    -1e-18,
    0.25,
    -0.25,
    0.5,
    -0.5,
    1.0,
    -1.0,
    3.0,
    -3.0,
    5.6,
    -5.6,
    6.0,
    20.0,
    -20.0,
    100.0,
    -100.0,
    1e4,
    -1e4,
    0.75,
];

/// Every activation, with default and other parameters.
pub(super) fn activation_cases(models: u32) -> Vec<Case> {
    let mut cases = Vec::new();
    for activation in Activation::ALL.into_iter().chain(OTHERS) {
        let (rows, columns) = (5, 13);
        let name = |what: &str| format!("{activation}{what}, {models} × {rows} × {columns}, all");
        cases.push(Builder::new(&name(""), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform8);
            let y = b.output("y", models, rows, columns, value_tolerance(activation));
            record_activate(&mut b.plan, activation, z, y)
        }));
        cases.push(Builder::new(&name(""), |b| {
            let dy = b.eighths("dy", models, rows, columns);
            let source = match activation.slope_of() {
                SlopeOf::Output => b.eighths("y", models, rows, columns),
                SlopeOf::Input => b.input("z", models, rows, columns, Values::Uniform8),
            };
            let dz = b.output("dz", models, rows, columns, slope_tolerance(activation));
            record_activate_backward(&mut b.plan, activation, dy, source, dz)
        }));
        let n = EXTREMES.len() as u32;
        cases.push(Builder::new(&name(" of extremes"), |b| {
            let z = b.given("z", 1, 1, n, &EXTREMES);
            let y = b.output("y", 1, 1, n, value_tolerance(activation));
            record_activate(&mut b.plan, activation, z, y)
        }));
        if activation.slope_of() == SlopeOf::Input {
            cases.push(Builder::new(&name(" of extremes"), |b| {
                let dy = b.given("dy", 1, 1, 1, &[0.5]).broadcast("test", 1, n)?;
                let z = b.given("z", 1, 1, n, &EXTREMES);
                let dz = b.output("dz", 1, 1, n, slope_tolerance(activation));
                record_activate_backward(&mut b.plan, activation, dy, z, dz)
            }));
        }
    }
    cases
}
