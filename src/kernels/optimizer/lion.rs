//! Lion: steps of one length, in the direction of a mean gradient.

use super::run;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::kernels::{NAN, VIEW, vectorised};

params! { Lion { dw: View, settings: View, m: View, w: View, quads: u32 } invocations: quads }

/// Lion.
pub static LION: Kernel = Kernel {
    name: "lion",
    params: Lion::FIELDS,
    bindings: &[Binding::read("dw"), Binding::read("settings"), Binding::update("m"), Binding::update("w")],
    twin: lion,
    fast: Some(|args| vectorised!(lion(args))),
    forms: &[Form::plain::<Lion>(&[include_str!("../../../shaders/lion.wgsl"), VIEW, NAN])],
};

#[inline(always)]
fn lion(args: &mut Args) {
    let p = args.params::<Lion>();
    let (dw, settings): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let (m, w): (&mut [f32], &mut [f32]) = (args.write(2), args.write(3));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, beta1, beta2, weight_decay) = (setting(0), setting(1), setting(2), setting(3));
        let (dw, w) = (&dw[run(p.dw, model, 4 * p.quads)], &mut w[run(p.w, model, 4 * p.quads)]);
        let m = &mut m[run(p.m, model, 4 * p.quads)];
        for ((w, m), g) in w.iter_mut().zip(m).zip(dw) {
            let c = beta1 * *m + (1.0 - beta1) * g;
            *m = beta2 * *m + (1.0 - beta2) * g;
            *w = (1.0 - learning_rate * weight_decay) * *w - learning_rate * direction_of(c);
        }
    }
}

/// -1, 0 or 1; what is not a number goes through.
fn direction_of(c: f32) -> f32 {
    if c.is_nan() || c == 0.0 { c } else { c.signum() }
}
