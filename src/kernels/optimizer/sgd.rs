//! SGD, plain and with a velocity.

use super::run;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::kernels::{VIEW, vectorised};

params! { Sgd { dw: View, settings: View, w: View, quads: u32 } invocations: quads }

/// `w -= learning_rate * dw`: the axpy of SGD.
pub static SGD: Kernel = Kernel {
    name: "sgd",
    params: Sgd::FIELDS,
    bindings: &[Binding::read("dw"), Binding::read("settings"), Binding::update("w")],
    twin: sgd,
    fast: None,
    forms: &[Form::plain::<Sgd>(&[include_str!("../../../shaders/sgd.wgsl"), VIEW])],
};

fn sgd(args: &mut Args) {
    let p = args.params::<Sgd>();
    let (dw, settings): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let w: &mut [f32] = args.write(2);
    for model in 0..args.models {
        let learning_rate = settings[p.settings.at(model, 0, 0)];
        let (dw, w) = (&dw[run(p.dw, model, 4 * p.quads)], &mut w[run(p.w, model, 4 * p.quads)]);
        for (w, dw) in w.iter_mut().zip(dw) {
            *w -= learning_rate * dw;
        }
    }
}

params! {
    Momentum { dw: View, settings: View, powers: View, velocity: View, w: View, quads: u32 } invocations: quads
}

/// SGD with momentum, dampening, weight decay and Nesterov's form.
pub static MOMENTUM: Kernel = Kernel {
    name: "momentum",
    params: Momentum::FIELDS,
    bindings: &[
        Binding::read("dw"),
        Binding::read("settings"),
        Binding::read("powers"),
        Binding::update("velocity"),
        Binding::update("w"),
    ],
    twin: momentum,
    fast: Some(|args| vectorised!(momentum(args))),
    forms: &[Form::plain::<Momentum>(&[include_str!("../../../shaders/momentum.wgsl"), VIEW])],
};

#[inline(always)]
fn momentum(args: &mut Args) {
    let p = args.params::<Momentum>();
    let (dw, settings, powers): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let (velocity, w): (&mut [f32], &mut [f32]) = (args.write(3), args.write(4));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, momentum, weight_decay) = (setting(0), setting(1), setting(3));
        let is_first = powers[p.powers.at(model, 0, 0)] == momentum;
        let dampening = if is_first && setting(5) > 0.0 { 0.0 } else { setting(2) };
        let is_nesterov = setting(4) > 0.0;
        let (dw, w) = (&dw[run(p.dw, model, 4 * p.quads)], &mut w[run(p.w, model, 4 * p.quads)]);
        let velocity = &mut velocity[run(p.velocity, model, 4 * p.quads)];
        for ((w, v), dw) in w.iter_mut().zip(velocity).zip(dw) {
            let g = dw + weight_decay * *w;
            *v = momentum * *v + (1.0 - dampening) * g;
            let direction = if is_nesterov { g + momentum * *v } else { *v };
            *w -= learning_rate * direction;
        }
    }
}
