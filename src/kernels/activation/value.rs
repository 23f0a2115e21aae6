//! The values and slopes of the activations, as `shaders/shared/activation.wgsl` has them.

use super::Activation;
use crate::formula::functions::{erf, sigmoid, softplus};

/// The constants of SELU as MLX rounds them.
const SELU_SCALE: f32 = 1.0507;
const SELU_ALPHA: f32 = 1.67326;

/// Beyond this the smooth activations that are `z` times a share are `z`, 0 or -0 in f32; the share
/// is taken of numbers so bounded, so that no infinity meets a 0.
const FAR: f32 = 200.0;

/// `2 √(2 / π)`, and `1 / √(2 π)`.
const TWO_ROOTS: f32 = 1.595_769;
const DENSITY: f32 = 0.398_942_3;

impl Activation {
    /// `f(z)`. NaN goes through, to be seen in the loss.
    #[inline]
    pub fn value(self, z: f32) -> f32 {
        let low = z.max(-FAR);
        match self {
            Activation::Identity => z,
            Activation::Relu => relu(z),
            _ if z.is_nan() => z,
            Activation::Sigmoid => sigmoid(z),
            Activation::Tanh => z.tanh(),
            Activation::Relu2 => z.max(0.0) * z.max(0.0),
            Activation::Relu6 => z.clamp(0.0, 6.0),
            Activation::LeakyRelu { slope } => leaky_relu(slope, z),
            Activation::Elu { alpha } => exponential(z, 1.0, alpha),
            Activation::Selu => SELU_SCALE * exponential(z, 1.0, SELU_ALPHA),
            Activation::Celu { alpha } => exponential(z, alpha, alpha),
            Activation::Silu => low * sigmoid(z),
            Activation::Gelu => 0.5 * low * (1.0 + erf(std::f32::consts::FRAC_1_SQRT_2 * z)),
            Activation::GeluApprox => low * sigmoid(gelu_argument(z)),
            Activation::GeluFast => low * sigmoid(1.702 * z),
            Activation::Mish => {
                let (p, q) = mish_parts(z);
                low * (p / (p + q))
            }
            Activation::Softplus => softplus(z),
            Activation::Softsign if z.abs() < 1e9 => z / (1.0 + z.abs()),
            // The quotient is 1 or -1 in f32, and at last infinity by infinity.
            Activation::Softsign => z.signum(),
            Activation::Softshrink { lambda } if z.abs() > lambda => z - z.signum() * lambda,
            Activation::HardShrink { lambda } if z.abs() > lambda => z,
            Activation::Softshrink { .. } | Activation::HardShrink { .. } => 0.0,
            Activation::HardSwish if z >= 3.0 => z,
            Activation::HardSwish => z.max(-3.0) * ((z + 3.0).max(0.0) / 6.0),
            Activation::HardTanh { min, max } => z.max(min).min(max),
            Activation::LogSigmoid => -softplus(-z),
            Activation::Step { threshold } => mask(z >= threshold),
            Activation::Formula(formula) => formula.value(&[z]),
        }
    }

    /// `f'(z)`, told from what [`Activation::slope_of`] names: `y = f(z)`, or `z`. NaN goes through.
    #[inline]
    pub fn derivative(self, source: f32) -> f32 {
        let (y, z) = (source, source);
        let near = z.clamp(-FAR, FAR);
        match self {
            Activation::Identity => 1.0,
            _ if source.is_nan() => source,
            Activation::Relu => relu_slope(y),
            Activation::Sigmoid => sigmoid_slope(y),
            Activation::Tanh => tanh_slope(y),
            Activation::Relu6 => mask(y > 0.0 && y < 6.0),
            Activation::LeakyRelu { slope } => leaky_relu_slope(slope, y),
            Activation::Elu { .. } | Activation::Celu { .. } if y > 0.0 => 1.0,
            Activation::Elu { alpha } => y + alpha,
            Activation::Celu { alpha } => 1.0 + y / alpha,
            Activation::Selu if y > 0.0 => SELU_SCALE,
            Activation::Selu => y + SELU_SCALE * SELU_ALPHA,
            Activation::HardTanh { min, max } => mask(y > min && y < max),
            Activation::Relu2 => 2.0 * z.max(0.0),
            Activation::Silu => swish_slope(near, near, 1.0),
            Activation::Gelu => {
                let share = 0.5 * (1.0 + erf(std::f32::consts::FRAC_1_SQRT_2 * z));
                share + near * DENSITY * (-0.5 * near * near).exp()
            }
            Activation::GeluApprox => {
                swish_slope(near, gelu_argument(near), TWO_ROOTS * (1.0 + 3.0 * 0.044715 * near * near))
            }
            Activation::GeluFast => swish_slope(near, 1.702 * near, 1.702),
            Activation::Mish => {
                // tanh(softplus(z)) is p / (p + q), and 1 - tanh² is q (2p + q) / (p + q)², without
                // cancellation.
                let (p, q) = mish_parts(near);
                let bend = (q / (p + q)) * ((2.0 * p + q) / (p + q));
                p / (p + q) + near * bend * sigmoid(near)
            }
            Activation::Softplus => sigmoid(z),
            Activation::Softsign => {
                let share = 1.0 / (1.0 + z.abs().min(1e30));
                share * share
            }
            Activation::Softshrink { lambda } | Activation::HardShrink { lambda } => mask(z.abs() > lambda),
            Activation::HardSwish if z <= -3.0 => 0.0,
            Activation::HardSwish if z >= 3.0 => 1.0,
            Activation::HardSwish => (2.0 * z + 3.0) / 6.0,
            Activation::LogSigmoid => sigmoid(-z),
            Activation::Step { .. } => 0.0,
            Activation::Formula(formula) => formula.slope(&[z]),
        }
    }
}

// Those that a product applies, as `shaders/shared/basic_activation.wgsl` has them: each by itself, so that the
// loops over what a product stores become vector code.

#[inline(always)]
pub(in crate::kernels) fn relu(z: f32) -> f32 {
    // Not `max`, which would turn NaN into 0 and hide it.
    if z > 0.0 || z.is_nan() { z } else { 0.0 }
}

#[inline(always)]
pub(in crate::kernels) fn relu_slope(y: f32) -> f32 {
    let open = if y > 0.0 { 1.0 } else { 0.0 };
    if y.is_nan() { y } else { open }
}

#[inline(always)]
pub(in crate::kernels) fn sigmoid_slope(y: f32) -> f32 {
    y * (1.0 - y)
}

#[inline(always)]
pub(in crate::kernels) fn tanh_slope(y: f32) -> f32 {
    1.0 - y * y
}

#[inline(always)]
pub(in crate::kernels) fn leaky_relu(slope: f32, z: f32) -> f32 {
    if z >= 0.0 { z } else { slope * z }
}

#[inline(always)]
pub(in crate::kernels) fn leaky_relu_slope(slope: f32, y: f32) -> f32 {
    let factor = if y >= 0.0 { 1.0 } else { slope };
    if y.is_nan() { y } else { factor }
}

#[inline]
fn mask(is_open: bool) -> f32 {
    if is_open { 1.0 } else { 0.0 }
}

/// `z` above 0, else `height (exp(z / width) - 1)`.
#[inline]
fn exponential(z: f32, width: f32, height: f32) -> f32 {
    if z > 0.0 { z } else { height * (z / width).exp_m1() }
}

/// The slope of `z sigmoid(a)`, where `a` is a function of `z` with the slope `steepness`.
#[inline]
fn swish_slope(z: f32, a: f32, steepness: f32) -> f32 {
    let share = sigmoid(a);
    share + z * share * sigmoid(-a) * steepness
}

/// `gelu_approx` is `z (1 + tanh(a/2)) / 2 = z sigmoid(a)` with `a = 2 √(2 / π) (z + 0.044715 z³)`,
/// which does not cancel for negative `z` as the first form does.
#[inline]
fn gelu_argument(z: f32) -> f32 {
    let near = z.clamp(-FAR, FAR);
    TWO_ROOTS * (near + 0.044715 * near * near * near)
}

/// `tanh(log(1 + exp z)) = ((1 + exp z)² - 1) / ((1 + exp z)² + 1) = p / (p + q)`, where `p` and `q`
/// come from the exponential of a negative number.
#[inline]
fn mish_parts(z: f32) -> (f32, f32) {
    let e = (-z.abs()).exp();
    if z > 0.0 { (1.0 + 2.0 * e, 2.0 * e * e) } else { (e * (e + 2.0), 2.0) }
}
