//! The activations, and the kernels that apply them and their slopes.

use std::fmt;
use std::str::FromStr;

use super::{NAN, VIEW, elements};
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::{Error, Result};

/// The functions of the activations, for every shader that applies one.
pub(super) const TEXT: &str = include_str!("../../shaders/shared/activation.wgsl");

/// What a layer does with each of its sums.
///
/// Every slope is told from the output alone, so that no layer keeps its sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum Activation {
    /// `z`.
    Identity = 0,
    /// `max(z, 0)`, with slope 0 at 0 as in MLX. The default.
    #[default]
    Relu = 1,
    /// `1 / (1 + exp(-z))`.
    Sigmoid = 2,
    /// The hyperbolic tangent.
    Tanh = 3,
}

/// What an activation's slope is told from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlopeOf {
    /// Its output `y = f(z)`.
    Output,
    /// Its input `z`.
    Input,
}

impl Activation {
    /// What its slope is told from.
    pub fn slope_of(self) -> SlopeOf {
        SlopeOf::Output
    }

    /// Whether a matrix product can apply it to what it stores.
    pub fn is_fusable(self) -> bool {
        true
    }

    /// Checks every setting's range.
    ///
    /// # Errors
    ///
    /// A setting outside its range, by name.
    pub fn check(self) -> Result<()> {
        Ok(())
    }

    /// Every activation.
    pub const ALL: [Activation; 4] = [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh];

    /// `f(z)`.
    #[inline]
    pub fn value(self, z: f32) -> f32 {
        match self {
            Activation::Identity => z,
            // Not `max`, which would turn NaN into 0 and hide it.
            Activation::Relu => {
                if z > 0.0 || z.is_nan() {
                    z
                } else {
                    0.0
                }
            }
            Activation::Sigmoid => {
                // The exponential of a negative number only: it cannot overflow.
                let e = (-z.abs()).exp();
                (if z >= 0.0 { 1.0 } else { e }) / (1.0 + e)
            }
            Activation::Tanh => z.tanh(),
        }
    }

    /// `f'(z)`, told from `y = f(z)`.
    #[inline]
    pub fn derivative(self, y: f32) -> f32 {
        match self {
            Activation::Identity => 1.0,
            Activation::Relu => {
                if y > 0.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Activation::Sigmoid => y * (1.0 - y),
            Activation::Tanh => 1.0 - y * y,
        }
    }

    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
        }
    }

    pub(super) fn of(kind: u32) -> Activation {
        Activation::ALL[kind as usize]
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Activation> {
        Activation::ALL.into_iter().find(|activation| activation.name() == name).ok_or_else(|| Error::Setting {
            name: "activation".into(),
            found: format!("`{name}`"),
            expected: format!("one of {}", Activation::ALL.map(Activation::name).join(", ")),
        })
    }
}

params! { Activate { z: View, y: View, rows: u32, columns: u32, kind: u32 } invocations: rows columns }

/// `y = f(z)`.
pub static ACTIVATE: Kernel = Kernel {
    name: "activate",
    params: Activate::FIELDS,
    bindings: &[Binding::read("z"), Binding::write("y")],
    twin: activate,
    fast: None,
    forms: &[Form::plain::<Activate>(&[include_str!("../../shaders/activate.wgsl"), VIEW, TEXT, NAN])],
};

/// Records `y = f(z)`; both are `[rows, columns]`.
pub fn record_activate(plan: &mut Plan, activation: Activation, z: Tensor, y: Tensor) -> Result<()> {
    y.expect("activate", "y", z.rows, z.columns)?;
    let models = Plan::models("activate", &[z, y])?;
    let (rows, columns) = (y.rows, y.columns);
    let params = Activate { z: z.view(models), y: y.view(models), rows, columns, kind: activation as u32 };
    plan.push(&ACTIVATE, params, &[z, y], models)
}

fn activate(args: &mut Args) {
    let p = args.params::<Activate>();
    let z: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    let activation = Activation::of(p.kind);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        y[p.y.at(model, row, column)] = activation.value(z[p.z.at(model, row, column)]);
    }
}

params! {
    ActivateBackward { dy: View, y: View, dz: View, rows: u32, columns: u32, kind: u32 } invocations: rows columns
}

/// `dz = dy * f'(z)`, the slope told from `y = f(z)`; for ReLU the slope is its mask.
pub static ACTIVATE_BACKWARD: Kernel = Kernel {
    name: "activate_backward",
    params: ActivateBackward::FIELDS,
    bindings: &[Binding::read("dy"), Binding::read("y"), Binding::write("dz")],
    twin: activate_backward,
    fast: None,
    forms: &[Form::plain::<ActivateBackward>(&[include_str!("../../shaders/activate_backward.wgsl"), VIEW, TEXT, NAN])],
};

/// Records `dz = dy * f'(z)`; all are `[rows, columns]`, and `y = f(z)`.
pub fn record_activate_backward(
    plan: &mut Plan,
    activation: Activation,
    dy: Tensor,
    y: Tensor,
    dz: Tensor,
) -> Result<()> {
    dy.expect("activate_backward", "dy", y.rows, y.columns)?;
    dz.expect("activate_backward", "dz", y.rows, y.columns)?;
    let models = Plan::models("activate_backward", &[dy, y, dz])?;
    let params = ActivateBackward {
        dy: dy.view(models),
        y: y.view(models),
        dz: dz.view(models),
        rows: dz.rows,
        columns: dz.columns,
        kind: activation as u32,
    };
    plan.push(&ACTIVATE_BACKWARD, params, &[dy, y, dz], models)
}

fn activate_backward(args: &mut Args) {
    let p = args.params::<ActivateBackward>();
    let (dy, y): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let dz: &mut [f32] = args.write(2);
    let activation = Activation::of(p.kind);
    for (model, row, column) in elements(args.models, p.rows, p.columns) {
        dz[p.dz.at(model, row, column)] =
            dy[p.dy.at(model, row, column)] * activation.derivative(y[p.y.at(model, row, column)]);
    }
}
