//! RMSprop and Adagrad: steps divided by the root of summed squares.

use super::run;
use crate::compute::kernel::{Args, Binding, Form, Kernel, Params, View, params};
use crate::kernels::{VIEW, vectorised};

params! { Rmsprop { dw: View, settings: View, v: View, w: View, quads: u32 } invocations: quads }

/// RMSprop, and Adagrad where nothing fades.
pub static RMSPROP: Kernel = Kernel {
    name: "rmsprop",
    params: Rmsprop::FIELDS,
    bindings: &[Binding::read("dw"), Binding::read("settings"), Binding::update("v"), Binding::update("w")],
    twin: rmsprop,
    fast: Some(|args| vectorised!(rmsprop(args))),
    forms: &[Form::plain::<Rmsprop>(&[include_str!("../../../shaders/rmsprop.wgsl"), VIEW])],
};

#[inline(always)]
fn rmsprop(args: &mut Args) {
    let p = args.params::<Rmsprop>();
    let (dw, settings): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let (v, w): (&mut [f32], &mut [f32]) = (args.write(2), args.write(3));
    for model in 0..args.models {
        let setting = |i| settings[p.settings.at(model, 0, i)];
        let (learning_rate, keep, add, inside, outside) = (setting(0), setting(1), setting(2), setting(3), setting(4));
        let (dw, w) = (&dw[run(p.dw, model, 4 * p.quads)], &mut w[run(p.w, model, 4 * p.quads)]);
        let v = &mut v[run(p.v, model, 4 * p.quads)];
        for ((w, v), g) in w.iter_mut().zip(v).zip(dw) {
            *v = keep * *v + add * (g * g);
            *w -= learning_rate * g / ((*v + inside).sqrt() + outside);
        }
    }
}
