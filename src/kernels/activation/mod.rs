//! The activations, and the kernels that apply them and their slopes.

mod fast;
mod text;
mod value;

pub(super) use value::{leaky_relu, leaky_relu_slope, relu, relu_slope, sigmoid_slope, tanh_slope};

use super::formula::{Family, kernel_of};
use super::{ELEMENTARY, NAN, VIEW, elements};
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::formula::Formula;
use crate::{Error, Result};

/// The functions of all activations.
const TEXT: &str = include_str!("../../../shaders/shared/activation.wgsl");

/// The functions of those that a matrix product applies.
pub(super) const BASIC: &str = include_str!("../../../shaders/shared/basic_activation.wgsl");

/// What a layer does with each of its sums.
///
/// The definitions are those of MLX's `mlx.nn`, and so are the slopes at kinks, but for these:
///
/// | activation | MLX | here | why |
/// |---|---|---|---|
/// | `celu` at 0 | slope 0 | slope 1 | it is differentiable there; MLX adds the slopes 0 of a maximum and a minimum |
/// | `elu`, `selu` above 88 | slope NaN | slope 1, or its scale | the branch not taken overflows in MLX |
/// | `elu`, `selu`, `celu` near 0 | `exp(z) - 1` | as exact as `z` | the difference loses the digits of a small `z` |
/// | `gelu_approx` below -3 | `1 + tanh` cancels | `z sigmoid` | the same function without cancellation |
/// | `hardswish` above 5e37 | infinite | `z` | `z * 6 / 6` overflows in MLX |
/// | products at infinity, such as `silu(-inf)` | NaN | the limit | an infinity meets a 0 in MLX |
/// | masks of NaN, such as the slope of `relu`, and `step` | 0 or 1 | NaN | what has gone wrong is to show |
///
/// As text an activation is its name in MLX, followed by those of its parameters that are not the
/// default: `relu`, `leaky_relu(0.1)`, `hard_tanh(-2, 2)`; or a formula of `x`.
///
/// ```
/// use nngpu::Activation;
/// let activation: Activation = "leaky-relu(0.1)".parse()?;
/// assert_eq!(activation, Activation::LeakyRelu { slope: 0.1 });
/// assert_eq!(activation.to_string(), "leaky_relu(0.1)");
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// `z`.
    Identity,
    /// `max(z, 0)`, with slope 0 at 0. The default.
    #[default]
    Relu,
    /// `1 / (1 + exp(-z))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(z, 0)²`.
    Relu2,
    /// `min(max(z, 0), 6)`, with slope 0 at both kinks.
    Relu6,
    /// `max(slope * z, z)`, with slope 1 at 0.
    LeakyRelu {
        /// The slope below 0, in `(0, 1]`. Default 0.01.
        slope: f32,
    },
    /// `z` above 0, else `alpha (exp(z) - 1)`, with slope `alpha` at 0.
    Elu {
        /// What it falls to, negated, in `[0, 1e6]`. Default 1.
        alpha: f32,
    },
    /// `1.0507 elu(z)` with `alpha` = 1.67326: MLX's roundings of the constants that keep means and
    /// variances. PyTorch's have more digits.
    Selu,
    /// `max(z, 0) + alpha (exp(min(z, 0) / alpha) - 1)`.
    Celu {
        /// What it falls to, negated, in `[1e-6, 1e6]`. Default 1.
        alpha: f32,
    },
    /// `z sigmoid(z)`, also called swish.
    Silu,
    /// `z (1 + erf(z / √2)) / 2`. The absolute error of a value is at most 6e-7 of `|z|`.
    Gelu,
    /// `z (1 + tanh(√(2 / π) (z + 0.044715 z³))) / 2`, within 0.0005 of `gelu`.
    GeluApprox,
    /// `z sigmoid(1.702 z)`, within 0.021 of `gelu`. As text `gelu_fast_approx`, or `gelu_fast`.
    GeluFast,
    /// `z tanh(softplus(z))`.
    Mish,
    /// `log(1 + exp(z))`.
    Softplus,
    /// `z / (1 + |z|)`.
    Softsign,
    /// `z` moved towards 0 by `lambda`, and 0 up to there.
    Softshrink {
        /// Half the width of what becomes 0, in `[0, 1e6]`. Default 0.5.
        lambda: f32,
    },
    /// `z`, but 0 where `|z| <= lambda`.
    HardShrink {
        /// Half the width of what becomes 0, in `[0, 1e6]`. Default 0.5.
        lambda: f32,
    },
    /// `z min(max(z + 3, 0), 6) / 6`, with slope 0 at -3 and 1 at 3. As text `hardswish`.
    HardSwish,
    /// `min(max(z, min), max)`, with slope 0 at both kinks.
    HardTanh {
        /// The least value, finite and below `max`. Default -1.
        min: f32,
        /// The largest value, finite and above `min`. Default 1.
        max: f32,
    },
    /// `-log(1 + exp(-z))`, the logarithm of `sigmoid`.
    LogSigmoid,
    /// 1 from `threshold` on, else 0. Its slope is 0 everywhere, so that nothing before it learns.
    Step {
        /// Where it steps, finite. Default 0.
        threshold: f32,
    },
    /// A formula of `x`, whose kernel is made at run time.
    Formula(Formula),
}

/// What the slope of an activation is told from: what the backward pass must have kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlopeOf {
    /// `y = f(z)`, the layer's output.
    Output,
    /// `z`, the sum before the activation.
    Input,
}

impl Activation {
    /// The variables of a formula.
    pub const VARIABLES: [&'static str; 1] = ["x"];

    /// Every activation but formulas, with the default parameters.
    pub const ALL: [Activation; 23] = [
        Activation::Identity,
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::LeakyRelu { slope: 0.01 },
        Activation::Relu2,
        Activation::Relu6,
        Activation::Elu { alpha: 1.0 },
        Activation::Selu,
        Activation::Celu { alpha: 1.0 },
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluApprox,
        Activation::GeluFast,
        Activation::Mish,
        Activation::Softplus,
        Activation::Softsign,
        Activation::Softshrink { lambda: 0.5 },
        Activation::HardShrink { lambda: 0.5 },
        Activation::HardSwish,
        Activation::HardTanh { min: -1.0, max: 1.0 },
        Activation::LogSigmoid,
        Activation::Step { threshold: 0.0 },
    ];

    /// What [`Activation::derivative`] and the backward kernels are told the slope from: the output
    /// where it suffices, so that the sums need not be kept.
    pub fn slope_of(self) -> SlopeOf {
        match self {
            Activation::Identity
            | Activation::Relu
            | Activation::Sigmoid
            | Activation::Tanh
            | Activation::Relu6
            | Activation::LeakyRelu { .. }
            | Activation::Elu { .. }
            | Activation::Selu
            | Activation::Celu { .. }
            | Activation::HardTanh { .. } => SlopeOf::Output,
            Activation::Relu2
            | Activation::Silu
            | Activation::Gelu
            | Activation::GeluApprox
            | Activation::GeluFast
            | Activation::Mish
            | Activation::Softplus
            | Activation::Softsign
            | Activation::Softshrink { .. }
            | Activation::HardShrink { .. }
            | Activation::HardSwish
            | Activation::LogSigmoid
            | Activation::Step { .. }
            | Activation::Formula(_) => SlopeOf::Input,
        }
    }

    /// Whether a matrix product can apply it to what it stores: only a few short ones, since a driver compiles
    /// them into each place where it does.
    pub fn is_fusable(self) -> bool {
        matches!(
            self,
            Activation::Identity
                | Activation::Relu
                | Activation::Sigmoid
                | Activation::Tanh
                | Activation::LeakyRelu { .. }
        )
    }

    /// Checks the ranges of the parameters.
    ///
    /// # Errors
    ///
    /// A parameter outside of its range, and a formula of other variables.
    pub fn check(self) -> Result<()> {
        let within = |parameter: &str, found: f32, low: f32, high: f32| {
            if low <= found && found <= high {
                return Ok(());
            }
            let expected = format!("a number from {low} to {high}");
            Err(self.refusal(parameter, format!("{found}"), expected))
        };
        match self {
            Activation::LeakyRelu { slope } if !(0.0 < slope && slope <= 1.0) => {
                let expected = "a number above 0 and at most 1; with slope 0 it is `relu`";
                Err(self.refusal("slope", format!("{slope}"), expected.into()))
            }
            Activation::Elu { alpha } => within("alpha", alpha, 0.0, 1e6),
            Activation::Celu { alpha } => within("alpha", alpha, 1e-6, 1e6),
            Activation::Softshrink { lambda } | Activation::HardShrink { lambda } => within("lambda", lambda, 0.0, 1e6),
            Activation::HardTanh { min, max } if !(min < max && min.is_finite() && max.is_finite()) => Err(
                self.refusal("min and max", format!("{min} and {max}"), "finite numbers, the first one less".into())
            ),
            Activation::Step { threshold } if !threshold.is_finite() => {
                Err(self.refusal("threshold", format!("{threshold}"), "a finite number".into()))
            }
            Activation::Formula(formula) if formula.variables() != Activation::VARIABLES => {
                let found = format!("`{formula}`, a formula of {}", formula.variables().join(", "));
                Err(Error::Setting { name: "activation".into(), found, expected: "a formula of x".into() })
            }
            _ => Ok(()),
        }
    }

    fn refusal(self, parameter: &str, found: String, expected: String) -> Error {
        Error::Setting { name: format!("{parameter} of {}", self.name()), found, expected }
    }

    /// What tells the kernels the activation: a number that names it, and its parameters.
    pub(super) fn words(self) -> (u32, f32, f32) {
        match self {
            Activation::Identity => (0, 0.0, 0.0),
            Activation::Relu => (1, 0.0, 0.0),
            Activation::Sigmoid => (2, 0.0, 0.0),
            Activation::Tanh => (3, 0.0, 0.0),
            Activation::LeakyRelu { slope } => (4, slope, 0.0),
            Activation::Relu2 => (5, 0.0, 0.0),
            Activation::Relu6 => (6, 0.0, 0.0),
            Activation::Elu { alpha } => (7, alpha, 0.0),
            Activation::Selu => (8, 0.0, 0.0),
            Activation::Celu { alpha } => (9, alpha, 0.0),
            Activation::Silu => (10, 0.0, 0.0),
            Activation::Gelu => (11, 0.0, 0.0),
            Activation::GeluApprox => (12, 0.0, 0.0),
            Activation::GeluFast => (13, 0.0, 0.0),
            Activation::Mish => (14, 0.0, 0.0),
            Activation::Softplus => (15, 0.0, 0.0),
            Activation::Softsign => (16, 0.0, 0.0),
            Activation::Softshrink { lambda } => (17, lambda, 0.0),
            Activation::HardShrink { lambda } => (18, lambda, 0.0),
            Activation::HardSwish => (19, 0.0, 0.0),
            Activation::HardTanh { min, max } => (20, min, max),
            Activation::LogSigmoid => (21, 0.0, 0.0),
            Activation::Step { threshold } => (22, threshold, 0.0),
            Activation::Formula(formula) => (formula.number(), 0.0, 0.0),
        }
    }

    /// The activation of these words, formulas excepted.
    #[inline]
    pub(super) fn of(kind: u32, alpha: f32, beta: f32) -> Activation {
        match Activation::ALL[kind as usize] {
            Activation::LeakyRelu { .. } => Activation::LeakyRelu { slope: alpha },
            Activation::Elu { .. } => Activation::Elu { alpha },
            Activation::Celu { .. } => Activation::Celu { alpha },
            Activation::Softshrink { .. } => Activation::Softshrink { lambda: alpha },
            Activation::HardShrink { .. } => Activation::HardShrink { lambda: alpha },
            Activation::HardTanh { .. } => Activation::HardTanh { min: alpha, max: beta },
            Activation::Step { .. } => Activation::Step { threshold: alpha },
            plain => plain,
        }
    }
}

params! {
    Activate { z: View, y: View, rows: u32, columns: u32, kind: u32, alpha: f32, beta: f32 } invocations: rows columns
}

/// `y = f(z)`.
pub static ACTIVATE: Kernel = Kernel {
    name: "activate",
    params: Activate::FIELDS,
    bindings: &[Binding::read("z"), Binding::write("y")],
    twin: activate,
    fast: Some(fast::activate_fast),
    forms: &[Form::plain::<Activate>(&[
        include_str!("../../../shaders/activate.wgsl"),
        VIEW,
        TEXT,
        BASIC,
        ELEMENTARY,
        NAN,
    ])],
};

/// Records `y = f(z)`; both are `[rows, columns]`.
///
/// # Errors
///
/// Shapes that do not go together, and a parameter of the activation outside of its range.
pub fn record_activate(plan: &mut Plan, activation: Activation, z: Tensor, y: Tensor) -> Result<()> {
    activation.check()?;
    y.expect("activate", "y", z.rows, z.columns)?;
    let models = Plan::models("activate", &[z, y])?;
    let (rows, columns) = (y.rows, y.columns);
    let (kind, alpha, beta) = activation.words();
    let params = Activate { z: z.view(models), y: y.view(models), rows, columns, kind, alpha, beta };
    plan.push(activation.kernel(&ACTIVATE, &FAMILY), params, &[z, y], models)
}

impl Activation {
    /// The kernel that has names, or the one of the formula.
    fn kernel(self, named: &'static Kernel, family: &Family) -> &'static Kernel {
        if let Activation::Formula(formula) = self { kernel_of(family, formula) } else { named }
    }
}

fn activate(args: &mut Args) {
    let p = args.params::<Activate>();
    apply(args, Activation::of(p.kind, p.alpha, p.beta));
}

fn activate_formula(args: &mut Args) {
    let p = args.params::<Activate>();
    apply(args, Activation::Formula(Formula::of_number(p.kind)));
}

fn apply(args: &mut Args, activation: Activation) {
    let p = args.params::<Activate>();
    let z: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        y[p.y.at(model, row, column)] = activation.value(z[p.z.at(model, row, column)]);
    }
}

/// `y = f(z)` of a formula, whose number is the parameter block's `kind`.
pub(super) static FAMILY: Family = Family {
    kernel: &ACTIVATE,
    twin: activate_formula,
    fast: Some(fast::activate_formula_fast),
    replaced: TEXT,
    functions: |formula| {
        let function = "
fn activation(kind: u32, alpha: f32, beta: f32, z: f32) -> f32 {
  return formula_value(z);
}
";
        function.to_string() + &formula.value_wgsl("formula_value")
    },
};

params! {
    ActivateBackward {
        dy: View, source: View, dz: View, rows: u32, columns: u32, kind: u32, alpha: f32, beta: f32,
    } invocations: rows columns
}

/// `dz = dy * f'(z)`, the slope told from `source`, which is `y = f(z)` or `z`; for ReLU the slope is
/// its mask.
pub static ACTIVATE_BACKWARD: Kernel = Kernel {
    name: "activate_backward",
    params: ActivateBackward::FIELDS,
    bindings: &[Binding::read("dy"), Binding::read("source"), Binding::write("dz")],
    twin: activate_backward,
    fast: Some(fast::activate_backward_fast),
    forms: &[Form::plain::<ActivateBackward>(&[
        include_str!("../../../shaders/activate_backward.wgsl"),
        VIEW,
        TEXT,
        BASIC,
        ELEMENTARY,
        NAN,
    ])],
};

/// Records `dz = dy * f'(z)`; all are `[rows, columns]`. `source` is what
/// [`Activation::slope_of`] names: `y = f(z)`, or `z`.
///
/// # Errors
///
/// Shapes that do not go together, and a parameter of the activation outside of its range.
pub fn record_activate_backward(
    plan: &mut Plan,
    activation: Activation,
    dy: Tensor,
    source: Tensor,
    dz: Tensor,
) -> Result<()> {
    activation.check()?;
    dy.expect("activate_backward", "dy", source.rows, source.columns)?;
    dz.expect("activate_backward", "dz", source.rows, source.columns)?;
    let models = Plan::models("activate_backward", &[dy, source, dz])?;
    let (kind, alpha, beta) = activation.words();
    let params = ActivateBackward {
        dy: dy.view(models),
        source: source.view(models),
        dz: dz.view(models),
        rows: dz.rows,
        columns: dz.columns,
        kind,
        alpha,
        beta,
    };
    plan.push(activation.kernel(&ACTIVATE_BACKWARD, &BACKWARD_FAMILY), params, &[dy, source, dz], models)
}

fn activate_backward(args: &mut Args) {
    let p = args.params::<ActivateBackward>();
    apply_backward(args, Activation::of(p.kind, p.alpha, p.beta));
}

fn activate_backward_formula(args: &mut Args) {
    let p = args.params::<ActivateBackward>();
    apply_backward(args, Activation::Formula(Formula::of_number(p.kind)));
}

/// `dz = dy * f'(z)` of a formula, whose number is the parameter block's `kind`.
pub(super) static BACKWARD_FAMILY: Family = Family {
    kernel: &ACTIVATE_BACKWARD,
    twin: activate_backward_formula,
    fast: Some(fast::activate_backward_formula_fast),
    replaced: TEXT,
    functions: |formula| {
        let function = "
fn derivative(kind: u32, alpha: f32, beta: f32, z: f32) -> f32 {
  return formula_slope(z);
}
";
        function.to_string() + &formula.slope_wgsl("formula_slope")
    },
};

fn apply_backward(args: &mut Args, activation: Activation) {
    let p = args.params::<ActivateBackward>();
    let (dy, source): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let dz: &mut [f32] = args.write(2);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        dz[p.dz.at(model, row, column)] =
            dy[p.dy.at(model, row, column)] * activation.derivative(source[p.source.at(model, row, column)]);
    }
}
