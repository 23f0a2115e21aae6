//! Activations on the CPU, row by row: which one it is is told once for a whole row.

use super::{Activate, ActivateBackward, Activation, activate, activate_backward};
use super::{activate_backward_formula, activate_formula};
use crate::compute::kernel::Args;
use crate::formula::Formula;
use crate::kernels::rows;

/// Runs an expression with an activation's name in the place of its value, so that the compiler makes code of its
/// own for each; those with parameters share theirs.
macro_rules! by_name {
    ($activation:expr, |$own:ident| $run:expr, $($name:ident)*) => {
        match $activation {
            $(Activation::$name => {
                let $own = Activation::$name;
                $run
            })*
            $own => $run,
        }
    };
    ($activation:expr, |$own:ident| $run:expr) => {
        by_name!($activation, |$own| $run, Relu Sigmoid Tanh Relu2 Relu6 Selu Silu Gelu GeluApprox GeluFast Mish
            Softplus Softsign HardSwish LogSigmoid)
    };
}

pub(super) fn activate_fast(args: &mut Args) {
    let p = args.params::<Activate>();
    if p.z.column != 1 || p.y.column != 1 {
        return activate(args);
    }
    by_name!(Activation::of(p.kind, p.alpha, p.beta), |own| each_row(args, |z, y| {
        y.iter_mut().zip(z).for_each(|(y, z)| *y = own.value(*z));
    }));
}

pub(super) fn activate_formula_fast(args: &mut Args) {
    let p = args.params::<Activate>();
    if p.z.column != 1 || p.y.column != 1 {
        return activate_formula(args);
    }
    let formula = Formula::of_number(p.kind);
    each_row(args, |z, y| formula.values(&[z], y));
}

/// Gives each row of `z` with that of `y`.
fn each_row(args: &mut Args, mut f: impl FnMut(&[f32], &mut [f32])) {
    let p = args.params::<Activate>();
    let z: &[f32] = args.read(0);
    let y: &mut [f32] = args.write(1);
    let columns = p.columns as usize;
    for (model, row) in rows(args.models, p.rows) {
        f(&z[p.z.at(model, row, 0)..][..columns], &mut y[p.y.at(model, row, 0)..][..columns]);
    }
}

pub(super) fn activate_backward_fast(args: &mut Args) {
    let p = args.params::<ActivateBackward>();
    if p.dy.column != 1 || p.source.column != 1 || p.dz.column != 1 {
        return activate_backward(args);
    }
    by_name!(Activation::of(p.kind, p.alpha, p.beta), |own| each_row_backward(args, |dy, source, dz| {
        dz.iter_mut().zip(dy.iter().zip(source)).for_each(|(dz, (dy, source))| *dz = dy * own.derivative(*source));
    }));
}

pub(super) fn activate_backward_formula_fast(args: &mut Args) {
    let p = args.params::<ActivateBackward>();
    if p.dy.column != 1 || p.source.column != 1 || p.dz.column != 1 {
        return activate_backward_formula(args);
    }
    let formula = Formula::of_number(p.kind);
    each_row_backward(args, |dy, z, dz| {
        formula.slopes(&[z], dz);
        dz.iter_mut().zip(dy).for_each(|(dz, dy)| *dz *= dy);
    });
}

/// Gives each row of `dy` and `source` with that of `dz`.
fn each_row_backward(args: &mut Args, mut f: impl FnMut(&[f32], &[f32], &mut [f32])) {
    let p = args.params::<ActivateBackward>();
    let (dy, source): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let dz: &mut [f32] = args.write(2);
    let columns = p.columns as usize;
    for (model, row) in rows(args.models, p.rows) {
        let at = |view: crate::compute::kernel::View| view.at(model, row, 0);
        f(&dy[at(p.dy)..][..columns], &source[at(p.source)..][..columns], &mut dz[at(p.dz)..][..columns]);
    }
}
