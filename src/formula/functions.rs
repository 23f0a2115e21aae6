//! The functions that Rust lacks, as `shaders/shared/elementary.wgsl` has them, and in f64.

/// `1 / (1 + exp(-z))`, with the exponential of a negative number only: it cannot overflow.
#[inline(always)]
pub(crate) fn sigmoid(z: f32) -> f32 {
    let e = (-z.abs()).exp();
    (if z >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

/// `log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|))`: nothing overflows, nothing cancels.
#[inline]
pub(crate) fn softplus(z: f32) -> f32 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

/// The error function: `z P(z²) / Q(z²)` for `|z| < 4`, beyond which it is within 1.6e-8 of 1 or -1.
/// P and Q are those of the generic erf for f32 in Eigen 3.3 and in XLA.
#[inline]
pub(crate) fn erf(z: f32) -> f32 {
    const P: [f32; 7] =
        [-2.726_142_3e-10, 2.770_681_4e-8, -2.101_024e-6, -5.692_506_4e-5, -7.349_906e-4, -2.954_6e-3, -1.609_603_3e-2];
    const Q: [f32; 5] = [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    // The limits, where the quotient is infinity by infinity.
    if z.abs() >= 4.0 {
        return z.signum();
    }
    let q = z * z;
    // Not fused: where the CPU that it is compiled for has no such instruction, that is a slow function.
    let horner = |sum: f32, coefficient: &f32| q * sum + coefficient;
    let (p, d) = (P.iter().fold(0.0, horner), Q.iter().fold(0.0, horner));
    (z * p / d).clamp(-1.0, 1.0)
}

/// The error function in f64: `2 / √π exp(-z²) (z + 2z³/3 + 4z⁵/15 + …)`, a series without
/// cancellation; beyond 6 it is 1 or -1.
pub(super) fn erf_f64(z: f64) -> f64 {
    if z.is_nan() {
        return z;
    }
    if z.abs() >= 6.0 {
        return z.signum();
    }
    // For |z| < 6 the terms rise up to the 36th and are below 1e-17 of the sum before the 200th.
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= 2.0 * z * z / f64::from(2 * n + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-z * z).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound is no tolerance: these operations give the same bits on every machine, and the worst of
    /// them is off by 4.64e-7 of the value, 6.5e-8 of it by P / Q itself and the rest by rounding. The
    /// bounds of `src/conformance/cases/activation.rs` rest on it.
    #[test]
    fn erf_is_that_of_its_series() {
        for i in -60_000..=60_000 {
            let z = i as f32 / 10_000.0;
            let (found, expected) = (erf(z), erf_f64(z.into()));
            let error = (f64::from(found) - expected).abs();
            assert!(error <= 4.7e-7 * expected.abs(), "erf({z}): found {found}, expected {expected}");
        }
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY].map(erf), [1.0, -1.0]);
        assert!(erf(f32::NAN).is_nan() && erf(1e-30) > 0.0);
    }
}
