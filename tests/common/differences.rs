//! Finite differences in f64, and the comparison with them.
//!
//! A central difference with step h is off by h² / 6 times the third derivative and by 2^-53 / h
//! times the value; at h = 2^-17 both are near 1e-11, nothing beside the roundings of f32.

use nngpu::random::Key;
use nngpu::{Activation, SlopeOf};

/// The step of the differences, a power of two so that it is added without rounding.
pub const H: f64 = 1.0 / 131_072.0;

/// What one rounding to f32 changes at most, as a part of the value.
pub const UNIT: f64 = f32::EPSILON as f64 / 2.0;

/// Roundings that an activation or a probability is worth: WGSL allows exp(x) 3 + 2|x| units of
/// 2 UNIT each; |x| stays below 8. A division adds 5, and a tanh doubles its sigmoid's.
pub const FUNCTION: f64 = 2.0 * (2.0 * 19.0 + 5.0);

/// The gradient of `f` at `at`.
pub fn differences(at: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut at = at.to_vec();
    (0..at.len())
        .map(|i| {
            let middle = at[i];
            at[i] = middle + H;
            let above = f(&at);
            at[i] = middle - H;
            let below = f(&at);
            at[i] = middle;
            (above - below) / (2.0 * H)
        })
        .collect()
}

/// Compares element by element. Tolerances are per element too; none may swallow the gradient.
#[track_caller]
pub fn check(what: &str, found: &[f32], expected: &[f64], tolerances: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, ((&found, &expected), &tolerance)) in found.iter().zip(expected).zip(tolerances).enumerate() {
        // Written so that NaN fails.
        let is_near = (f64::from(found) - expected).abs() <= tolerance;
        assert!(is_near, "{what}, element {i}: {found}, by differences {expected}, tolerance {tolerance}");
    }
    let largest = |values: &[f64]| values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    assert!(largest(tolerances) < 0.01 * largest(expected).max(0.1), "{what}: the tolerance swallows the gradient");
}

pub fn uniform(seed: u64, count: usize, bound: f32) -> Vec<f32> {
    Key::new(seed).uniform(-bound, bound, count)
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// The activations in f64, as MLX's documentation defines them.
pub fn value(activation: Activation, z: f64) -> f64 {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let softplus = |z: f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
    let elu = |z: f64, alpha: f64| if z > 0.0 { z } else { alpha * z.exp_m1() };
    match activation {
        Activation::Identity => z,
        Activation::Relu => z.max(0.0),
        Activation::Sigmoid => sigmoid(z),
        Activation::Tanh => z.tanh(),
        Activation::Relu2 => z.max(0.0).powi(2),
        Activation::Relu6 => z.clamp(0.0, 6.0),
        Activation::LeakyRelu { slope } => z.max(f64::from(slope) * z),
        Activation::Elu { alpha } => elu(z, alpha.into()),
        Activation::Selu => 1.0507 * elu(z, 1.67326),
        Activation::Celu { alpha } => elu(z / f64::from(alpha), 1.0) * f64::from(alpha),
        Activation::Silu => z * sigmoid(z),
        Activation::Gelu => 0.5 * z * (1.0 + erf(z * std::f64::consts::FRAC_1_SQRT_2)),
        Activation::GeluApprox => 0.5 * z * (1.0 + (0.797_884_560_802_865_4 * (z + 0.044715 * z.powi(3))).tanh()),
        Activation::GeluFast => z * sigmoid(1.702 * z),
        Activation::Mish => z * softplus(z).tanh(),
        Activation::Softplus => softplus(z),
        Activation::Softsign => z / (1.0 + z.abs()),
        Activation::Softshrink { lambda } => z.signum() * (z.abs() - f64::from(lambda)).max(0.0),
        Activation::HardShrink { lambda } => z * f64::from(u8::from(z.abs() > f64::from(lambda))),
        Activation::HardSwish => z * (z + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardTanh { min, max } => z.clamp(min.into(), max.into()),
        Activation::LogSigmoid => -softplus(-z),
        Activation::Step { threshold } => f64::from(u8::from(z >= f64::from(threshold))),
        Activation::Formula(formula) => formula.value_f64(&[z]),
    }
}

/// What the slope at `z` is told from, in f32.
pub fn source(activation: Activation, z: f64) -> f32 {
    match activation.slope_of() {
        SlopeOf::Output => value(activation, z) as f32,
        SlopeOf::Input => z as f32,
    }
}

/// Where an activation has no slope.
pub fn kinks(activation: Activation) -> Vec<f64> {
    match activation {
        Activation::Relu | Activation::LeakyRelu { .. } | Activation::Elu { .. } | Activation::Selu => vec![0.0],
        Activation::Relu6 => vec![0.0, 6.0],
        Activation::Softshrink { lambda } | Activation::HardShrink { lambda } => vec![-lambda as f64, lambda as f64],
        Activation::HardSwish => vec![-3.0, 3.0],
        Activation::HardTanh { min, max } => vec![min.into(), max.into()],
        Activation::Step { threshold } => vec![threshold.into()],
        _ => Vec::new(),
    }
}

/// The same numbers, but none within 0.01 of a kink.
pub fn beside_kinks(activation: Activation, values: &[f64]) -> Vec<f64> {
    let beside = |z: f64| {
        let near = kinks(activation).into_iter().find(|kink| (z - kink).abs() < 0.01);
        // A multiple of 2^-10, so that it is exact in f32.
        near.map_or(z, |kink| ((kink + 0.02f64.copysign(z - kink)) * 1024.0).round() / 1024.0)
    };
    values.iter().map(|&z| beside(z)).collect()
}

/// The error function: its Taylor series below 3, and beyond that the continued fraction of its
/// complement, `exp(-z²) / √π` by `z + (1/2) / (z + (2/2) / (z + (3/2) / ...))`.
pub fn erf(z: f64) -> f64 {
    let size = z.abs();
    if size < 3.0 {
        // Terms of at most 400, so that what cancels leaves 13 digits.
        let (mut term, mut sum) = (z, 0.0);
        for n in 0..100 {
            sum += term / f64::from(2 * n + 1);
            term *= -z * z / f64::from(n + 1);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..60).rev().fold(size, |below, n| size + 0.5 * f64::from(n) / below);
    (1.0 - (-size * size).exp() / fraction * std::f64::consts::FRAC_2_SQRT_PI / 2.0).copysign(z)
}
