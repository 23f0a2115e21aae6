//! The optimizers: each a rule that moves weights along their gradients.

use std::fmt;
use std::ops::Range;

use super::{VIEW, vectorised};
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::{Error, Result};

/// A rule that moves weights along their gradients.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// `w -= learning_rate * dw`.
    Sgd {
        /// Step length, above 0.
        learning_rate: f32,
    },
    /// SGD with a velocity, as in MLX: `v = momentum * v + (1 - dampening) * (dw + weight_decay * w)`.
    Momentum {
        /// Step length, above 0.
        learning_rate: f32,
        /// Fraction of the velocity kept, in `[0, 1)`. Customary: 0.9.
        momentum: f32,
        /// Fraction of the gradient left out, in `[0, 1)`. Customary: 0.
        dampening: f32,
        /// Pull of every weight towards 0, at least 0. Customary: 0.
        weight_decay: f32,
        /// Whether to look one step ahead: `w -= learning_rate * (g + momentum * v)`.
        nesterov: bool,
    },
    /// Adam with corrected bias; with weight decay it is AdamW.
    Adam {
        /// Step length, above 0. Customary: 0.001.
        learning_rate: f32,
        /// Fraction of the mean gradient kept, in `[0, 1)`. Customary: 0.9.
        beta1: f32,
        /// Fraction of the mean square kept, in `[0, 1)`. Customary: 0.999.
        beta2: f32,
        /// Added to the root of the mean square, above 0. Customary: 1e-8.
        epsilon: f32,
        /// Decoupled decay of the weights, at least 0. Customary: 0 for Adam, 0.01 for AdamW.
        weight_decay: f32,
    },
}

impl Optimizer {
    /// Plain SGD.
    pub fn sgd(learning_rate: f32) -> Optimizer {
        Optimizer::Sgd { learning_rate }
    }

    /// SGD with momentum, not dampened, without decay.
    pub fn momentum(learning_rate: f32, momentum: f32) -> Optimizer {
        Optimizer::Momentum { learning_rate, momentum, dampening: 0.0, weight_decay: 0.0, nesterov: false }
    }

    /// Adam with its customary settings.
    pub fn adam(learning_rate: f32) -> Optimizer {
        Optimizer::Adam { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }

    /// The names that [`Optimizer::named`] knows.
    pub const NAMES: [&str; 3] = ["sgd", "momentum", "adam"];

    /// The optimizer of a name with its customary settings, and with a step length: by default 0.1
    /// for sgd, 0.02 for momentum (of 0.9) and 0.001 for adam.
    ///
    /// # Errors
    ///
    /// A name that is none of [`Optimizer::NAMES`].
    pub fn named(name: &str, learning_rate: Option<f32>) -> Result<Optimizer> {
        let rate = |default| learning_rate.unwrap_or(default);
        match name {
            "sgd" => Ok(Optimizer::sgd(rate(0.1))),
            "momentum" => Ok(Optimizer::momentum(rate(0.02), 0.9)),
            "adam" => Ok(Optimizer::adam(rate(0.001))),
            _ => Err(Error::Setting {
                name: "optimizer".into(),
                found: format!("`{name}`"),
                expected: format!("one of {}", Optimizer::NAMES.join(", ")),
            }),
        }
    }

    /// The name that users write.
    pub fn name(&self) -> &'static str {
        match self {
            Optimizer::Sgd { .. } => "sgd",
            Optimizer::Momentum { .. } => "momentum",
            Optimizer::Adam { .. } => "adam",
        }
    }

    /// The step length.
    pub fn learning_rate(&self) -> f32 {
        self.settings()[0]
    }

    /// The same rule with another step length.
    pub fn with_learning_rate(mut self, rate: f32) -> Optimizer {
        let (Optimizer::Sgd { learning_rate }
        | Optimizer::Momentum { learning_rate, .. }
        | Optimizer::Adam { learning_rate, .. }) = &mut self;
        *learning_rate = rate;
        self
    }

    /// What a device keeps of it for each model: the learning rate first.
    pub fn settings(&self) -> Vec<f32> {
        match *self {
            Optimizer::Sgd { learning_rate } => vec![learning_rate],
            Optimizer::Momentum { learning_rate, momentum, dampening, weight_decay, nesterov } => {
                vec![learning_rate, momentum, dampening, weight_decay, f32::from(u8::from(nesterov))]
            }
            Optimizer::Adam { learning_rate, beta1, beta2, epsilon, weight_decay } => {
                vec![learning_rate, beta1, beta2, epsilon, weight_decay]
            }
        }
    }

    /// How many tensors of the weights' size it keeps between steps.
    fn n_states(&self) -> usize {
        match self {
            Optimizer::Sgd { .. } => 0,
            Optimizer::Momentum { .. } => 1,
            Optimizer::Adam { .. } => 2,
        }
    }

    /// Checks every setting's range.
    ///
    /// # Errors
    ///
    /// A setting outside its range, by name.
    pub fn check(&self) -> Result<()> {
        let refuse = |name: &str, found: f32, expected: &str| {
            Err(Error::Setting { name: name.into(), found: found.to_string(), expected: expected.into() })
        };
        let positive = |name: &str, value: f32| {
            let holds = value > 0.0 && value.is_finite();
            if holds { Ok(()) } else { refuse(name, value, "a number above 0") }
        };
        let fraction = |name: &str, value: f32| {
            if (0.0..1.0).contains(&value) { Ok(()) } else { refuse(name, value, "a number from 0 to below 1") }
        };
        let not_negative = |name: &str, value: f32| {
            let holds = value >= 0.0 && value.is_finite();
            if holds { Ok(()) } else { refuse(name, value, "a number of at least 0") }
        };
        positive("learning rate", self.learning_rate())?;
        match *self {
            Optimizer::Sgd { .. } => Ok(()),
            Optimizer::Momentum { momentum, dampening, weight_decay, nesterov, .. } => {
                fraction("momentum", momentum)?;
                fraction("dampening", dampening)?;
                not_negative("weight decay", weight_decay)?;
                if nesterov && !(momentum > 0.0 && dampening == 0.0) {
                    return refuse("dampening", dampening, "0 and a momentum above 0 for Nesterov's form");
                }
                Ok(())
            }
            Optimizer::Adam { beta1, beta2, epsilon, weight_decay, .. } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                positive("epsilon", epsilon)?;
                not_negative("weight decay", weight_decay)
            }
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, learning rate {}", self.name(), self.learning_rate())
    }
}

/// The buffers that an optimizer keeps on the device between steps.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerState {
    /// `[models, 1, settings]`: [`Optimizer::settings`] of each model.
    pub settings: Tensor,
    /// Tensors of the weights' size, zeros at the start.
    pub moments: Vec<Tensor>,
    /// `[models, 1, 2]`: Adam's running powers, ones at the start.
    pub powers: Option<Tensor>,
}

impl OptimizerState {
    /// Declares the buffers for weights of `[models, 1, length]`.
    pub fn declare(plan: &mut Plan, optimizer: &Optimizer, models: u32, length: u32) -> OptimizerState {
        let settings = plan.tensor("optimizer settings", models, 1, optimizer.settings().len() as u32);
        let moment = |number| plan.tensor(format!("optimizer state {number}"), models, 1, length);
        let moments = (0..optimizer.n_states()).map(moment).collect();
        let is_adam = matches!(optimizer, Optimizer::Adam { .. });
        let powers = is_adam.then(|| plan.tensor("optimizer powers", models, 1, 2));
        OptimizerState { settings, moments, powers }
    }
}

/// Records one update of `w` along `dw`; both are `[models, 1, length]`, whose length, like their
/// offsets and strides, is a multiple of 4.
pub fn record_update(
    plan: &mut Plan,
    optimizer: &Optimizer,
    state: &OptimizerState,
    dw: Tensor,
    w: Tensor,
) -> Result<()> {
    let name = optimizer.name();
    let is_adam = matches!(optimizer, Optimizer::Adam { .. });
    if state.moments.len() != optimizer.n_states() || state.powers.is_some() != is_adam {
        return Err(Error::Shape {
            operation: name.into(),
            found: format!("a state with {} moments", state.moments.len()),
            expected: format!("the state that was declared for {name}"),
        });
    }
    let settings = state.settings;
    settings.expect(name, "settings", 1, optimizer.settings().len() as u32)?;
    for (what, operand) in [("w", w), ("dw", dw)].into_iter().chain(state.moments.iter().map(|m| ("state", *m))) {
        operand.expect(name, what, 1, w.columns)?;
        let View { offset, model, column, .. } = operand.view;
        if [w.columns, offset, model].iter().any(|count| count % 4 != 0) || column != 1 {
            return Err(Error::Shape {
                operation: name.into(),
                found: format!("{what} of {} elements from {offset} on", w.columns),
                expected: "contiguous elements whose number and offset are multiples of 4".into(),
            });
        }
    }
    let quads = w.columns / 4;
    match (&state.moments[..], state.powers) {
        (&[velocity], None) => {
            let operands = [dw, settings, velocity, w];
            let models = Plan::models(name, &operands)?;
            let [vdw, vs, vv, vw] = operands.map(|operand| operand.view(models));
            plan.push(&MOMENTUM, Momentum { dw: vdw, settings: vs, velocity: vv, w: vw, quads }, &operands, models)
        }
        (&[m, v], Some(powers)) => {
            powers.expect(name, "powers", 1, 2)?;
            let operands = [dw, settings, powers, m, v, w];
            let models = Plan::models(name, &operands)?;
            record_powers(plan, settings, powers)?;
            let [vdw, vs, vp, vm, vv, vw] = operands.map(|operand| operand.view(models));
            let params = Adam { dw: vdw, settings: vs, powers: vp, m: vm, v: vv, w: vw, quads };
            plan.push(&ADAM, params, &operands, models)
        }
        _ => {
            let operands = [dw, settings, w];
            let models = Plan::models(name, &operands)?;
            let [vdw, vs, vw] = operands.map(|operand| operand.view(models));
            plan.push(&SGD, Sgd { dw: vdw, settings: vs, w: vw, quads }, &operands, models)
        }
    }
}

params! { Sgd { dw: View, settings: View, w: View, quads: u32 } invocations: quads }

/// `w -= learning_rate * dw`: the axpy of SGD.
pub static SGD: Kernel = Kernel {
    name: "sgd",
    params: Sgd::FIELDS,
    bindings: &[Binding::read("dw"), Binding::read("settings"), Binding::update("w")],
    twin: sgd,
    fast: None,
    forms: &[Form::plain::<Sgd>(&[include_str!("../../shaders/sgd.wgsl"), VIEW])],
};

fn sgd(args: &mut Args) {
    let p = args.params::<Sgd>();
    let (dw, settings): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let w: &mut [f32] = args.write(2);
    for model in 0..args.models {
        let learning_rate = settings[p.settings.at(model, 0, 0)];
        let (dw, w) = (&dw[run(p.dw, model, p.quads)], &mut w[run(p.w, model, p.quads)]);
        for (w, dw) in w.iter_mut().zip(dw) {
            *w -= learning_rate * dw;
        }
    }
}

params! { Momentum { dw: View, settings: View, velocity: View, w: View, quads: u32 } invocations: quads }

/// SGD with momentum, dampening, weight decay and Nesterov's form.
pub static MOMENTUM: Kernel = Kernel {
    name: "momentum",
    params: Momentum::FIELDS,
    bindings: &[Binding::read("dw"), Binding::read("settings"), Binding::update("velocity"), Binding::update("w")],
    twin: momentum,
    fast: Some(|args| vectorised!(momentum(args))),
    forms: &[Form::plain::<Momentum>(&[include_str!("../../shaders/momentum.wgsl"), VIEW])],
};

#[inline(always)]
fn momentum(args: &mut Args) {
    let p = args.params::<Momentum>();
    let (dw, settings): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let (velocity, w): (&mut [f32], &mut [f32]) = (args.write(2), args.write(3));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, momentum, dampening, weight_decay) = (setting(0), setting(1), setting(2), setting(3));
        let is_nesterov = setting(4) > 0.0;
        let (dw, w) = (&dw[run(p.dw, model, p.quads)], &mut w[run(p.w, model, p.quads)]);
        let velocity = &mut velocity[run(p.velocity, model, p.quads)];
        for ((w, v), dw) in w.iter_mut().zip(velocity).zip(dw) {
            let g = dw + weight_decay * *w;
            *v = momentum * *v + (1.0 - dampening) * g;
            let direction = if is_nesterov { g + momentum * *v } else { *v };
            *w -= learning_rate * direction;
        }
    }
}

params! {
    Adam { dw: View, settings: View, powers: View, m: View, v: View, w: View, quads: u32 } invocations: quads
}

/// Adam with corrected bias and decoupled weight decay.
pub static ADAM: Kernel = Kernel {
    name: "adam",
    params: Adam::FIELDS,
    bindings: &[
        Binding::read("dw"),
        Binding::read("settings"),
        Binding::read("powers"),
        Binding::update("m"),
        Binding::update("v"),
        Binding::update("w"),
    ],
    twin: adam,
    fast: Some(|args| vectorised!(adam(args))),
    forms: &[Form::plain::<Adam>(&[include_str!("../../shaders/adam.wgsl"), VIEW])],
};

#[inline(always)]
fn adam(args: &mut Args) {
    let p = args.params::<Adam>();
    let (dw, settings, powers): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let (m, v, w): (&mut [f32], &mut [f32], &mut [f32]) = (args.write(3), args.write(4), args.write(5));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, beta1, beta2, epsilon) = (setting(0), setting(1), setting(2), setting(3));
        let weight_decay = setting(4);
        let correction1 = 1.0 - powers[p.powers.at(model, 0, 0)];
        let correction2 = 1.0 - powers[p.powers.at(model, 0, 1)];
        let (dw, w) = (&dw[run(p.dw, model, p.quads)], &mut w[run(p.w, model, p.quads)]);
        let (m, v) = (&mut m[run(p.m, model, p.quads)], &mut v[run(p.v, model, p.quads)]);
        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(dw) {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * (g * g);
            let direction = *m / (v.sqrt() / correction2.sqrt() + epsilon);
            *w = (1.0 - learning_rate * weight_decay) * *w - learning_rate / correction1 * direction;
        }
    }
}

params! { Powers { settings: View, powers: View, count: u32 } invocations: count }

/// Adam's running powers of its betas, one step on.
pub static POWERS: Kernel = Kernel {
    name: "powers",
    params: Powers::FIELDS,
    bindings: &[Binding::read("settings"), Binding::update("powers")],
    twin: powers,
    fast: None,
    forms: &[Form::plain::<Powers>(&[include_str!("../../shaders/powers.wgsl"), VIEW])],
};

/// Records `powers[i] *= settings[1 + i]`; `powers` is `[1, count]`.
pub(crate) fn record_powers(plan: &mut Plan, settings: Tensor, powers: Tensor) -> Result<()> {
    settings.expect("powers", "settings", 1, settings.columns.max(1 + powers.columns))?;
    let models = Plan::models("powers", &[settings, powers])?;
    let (views, count) = ([settings, powers].map(|operand| operand.view(models)), powers.columns);
    plan.push(&POWERS, Powers { settings: views[0], powers: views[1], count }, &[settings, powers], models)
}

fn powers(args: &mut Args) {
    let p = args.params::<Powers>();
    let settings: &[f32] = args.read(0);
    let powers: &mut [f32] = args.write(1);
    for model in 0..args.models {
        for i in 0..p.count {
            powers[p.powers.at(model, 0, i)] *= settings[p.settings.at(model, 0, 1 + i)];
        }
    }
}

/// The positions of one model's elements, which are contiguous.
fn run(view: View, model: u32, quads: u32) -> Range<usize> {
    let start = view.at(model, 0, 0);
    start..start + 4 * quads as usize
}
