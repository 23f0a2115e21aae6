//! Adam and Adamax: means of the gradient and of its size, and their running powers.

use super::run;
use crate::Result;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::kernels::{VIEW, vectorised};

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
    forms: &[Form::plain::<Adam>(&[include_str!("../../../shaders/adam.wgsl"), VIEW])],
};

#[inline(always)]
fn adam(args: &mut Args) {
    let p = args.params::<Adam>();
    let (dw, settings, powers): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let (m, v, w): (&mut [f32], &mut [f32], &mut [f32]) = (args.write(3), args.write(4), args.write(5));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, beta1, beta2, epsilon) = (setting(0), setting(1), setting(2), setting(3));
        let (weight_decay, is_added_before) = (setting(4), setting(5) > 0.0);
        let correction1 = 1.0 - powers[p.powers.at(model, 0, 0)];
        let correction2 = 1.0 - powers[p.powers.at(model, 0, 1)];
        let added = if is_added_before { epsilon / correction2.sqrt() } else { epsilon };
        let (dw, w) = (&dw[run(p.dw, model, 4 * p.quads)], &mut w[run(p.w, model, 4 * p.quads)]);
        let (m, v) = (&mut m[run(p.m, model, 4 * p.quads)], &mut v[run(p.v, model, 4 * p.quads)]);
        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(dw) {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * (g * g);
            let direction = *m / (v.sqrt() / correction2.sqrt() + added);
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
    forms: &[Form::plain::<Powers>(&[include_str!("../../../shaders/powers.wgsl"), VIEW])],
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

params! {
    Adamax { dw: View, settings: View, powers: View, m: View, v: View, w: View, quads: u32 } invocations: quads
}

/// Adam with the largest gradient in place of the mean square.
pub static ADAMAX: Kernel = Kernel {
    name: "adamax",
    params: Adamax::FIELDS,
    bindings: &[
        Binding::read("dw"),
        Binding::read("settings"),
        Binding::read("powers"),
        Binding::update("m"),
        Binding::update("v"),
        Binding::update("w"),
    ],
    twin: adamax,
    fast: Some(|args| vectorised!(adamax(args))),
    forms: &[Form::plain::<Adamax>(&[include_str!("../../../shaders/adamax.wgsl"), VIEW])],
};

#[inline(always)]
fn adamax(args: &mut Args) {
    let p = args.params::<Adamax>();
    let (dw, settings, powers): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let (m, v, w): (&mut [f32], &mut [f32], &mut [f32]) = (args.write(3), args.write(4), args.write(5));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, beta1, beta2, epsilon) = (setting(0), setting(1), setting(2), setting(3));
        let correction = 1.0 - powers[p.powers.at(model, 0, 0)];
        let (dw, w) = (&dw[run(p.dw, model, 4 * p.quads)], &mut w[run(p.w, model, 4 * p.quads)]);
        let (m, v) = (&mut m[run(p.m, model, 4 * p.quads)], &mut v[run(p.v, model, 4 * p.quads)]);
        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(dw) {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = (beta2 * *v).max(g.abs());
            *w -= learning_rate / correction * *m / (*v + epsilon);
        }
    }
}
