//! Finite differences in f64, and the comparison with them.
//!
//! A central difference with step h is off by h² / 6 times the third derivative and by 2^-53 / h
//! times the value; at h = 2^-17 both are near 1e-11, nothing beside the roundings of f32.

use nngpu::Activation;
use nngpu::random::Key;

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

pub fn value(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Identity => z,
        Activation::Relu => z.max(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
        Activation::Tanh => z.tanh(),
    }
}
