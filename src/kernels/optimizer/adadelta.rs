//! AdaDelta: steps in the units of the weights.

use super::run;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::kernels::{VIEW, vectorised};

params! { Adadelta { dw: View, settings: View, v: View, u: View, w: View, quads: u32 } invocations: quads }

/// AdaDelta.
pub static ADADELTA: Kernel = Kernel {
    name: "adadelta",
    params: Adadelta::FIELDS,
    bindings: &[
        Binding::read("dw"),
        Binding::read("settings"),
        Binding::update("v"),
        Binding::update("u"),
        Binding::update("w"),
    ],
    twin: adadelta,
    fast: Some(|args| vectorised!(adadelta(args))),
    forms: &[Form::plain::<Adadelta>(&[include_str!("../../../shaders/adadelta.wgsl"), VIEW])],
};

#[inline(always)]
fn adadelta(args: &mut Args) {
    let p = args.params::<Adadelta>();
    let (dw, settings): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let (v, u, w): (&mut [f32], &mut [f32], &mut [f32]) = (args.write(2), args.write(3), args.write(4));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, rho, epsilon) = (setting(0), setting(1), setting(2));
        let (dw, w) = (&dw[run(p.dw, model, 4 * p.quads)], &mut w[run(p.w, model, 4 * p.quads)]);
        let v = &mut v[run(p.v, model, 4 * p.quads)];
        let u = &mut u[run(p.u, model, 4 * p.quads)];
        for (((w, v), u), g) in w.iter_mut().zip(v).zip(u).zip(dw) {
            *v = rho * *v + (1.0 - rho) * (g * g);
            let d = (*u + epsilon).sqrt() / (*v + epsilon).sqrt() * g;
            *u = rho * *u + (1.0 - rho) * (d * d);
            *w -= learning_rate * d;
        }
    }
}
