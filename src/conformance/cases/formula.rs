//! Kernels that are made of formulas.

use super::super::builder::{Builder, Values};
use super::super::{Case, Tolerance};
use crate::formula::Formula;
use crate::kernels::activation::{Activation, record_activate, record_activate_backward};
use crate::kernels::formula::{ACTIVATIONS, LOSSES};
use crate::kernels::loss::{Loss, record_loss};

/// The formulas of named activations are off as those are: 46 units of 1, and 8 of the value.
const NAMED: Tolerance = Tolerance {
    absolute: 46.0 * f32::EPSILON,
    relative: 8.0 * f32::EPSILON,
    reason: "those of the activations: exp is off by 3 units of 1, slopes make 32 of them, erf 29",
};

/// WGSL allows sin and cos 2^-11, and log near 1 2^-21. One product of a sine and a cosine has two
/// such errors, its slope four: 2^-9. The rest, with a power by exp2 and log2 of at most 50 units of
/// a value below 16, is below 2^-10.
const EVERY: Tolerance = Tolerance {
    absolute: 3.0 / 1024.0,
    relative: 64.0 * f32::EPSILON,
    reason: "WGSL allows sin and cos 2^-11 each; a slope has four of them, the rest is below 2^-10",
};

/// Differences of multiples of 1/8 are exact, and so are their squares; a few factors are rounded.
const SCALED: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 6.0 * f32::EPSILON,
    reason: "exact differences of multiples of 1/8 with terms of one sign, and at most six rounded factors and sums",
};

pub(super) fn formula_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, text) in ACTIVATIONS.into_iter().enumerate() {
        let formula = Formula::parse(text, &Activation::VARIABLES).expect("a formula of x");
        let activation = Activation::Formula(formula);
        let tolerance = if i + 1 == ACTIVATIONS.len() { EVERY } else { NAMED };
        let name = format!("{models} × {rows} × {columns}");
        cases.push(Builder::new(&name, |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let y = b.output("y", models, rows, columns, tolerance);
            record_activate(&mut b.plan, activation, z, y)
        }));
        cases.push(Builder::new(&name, |b| {
            let dy = b.eighths("dy", models, rows, columns);
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let dz = b.output("dz", models, rows, columns, tolerance);
            record_activate_backward(&mut b.plan, activation, dy, z, dz)
        }));
        if rows * columns == 7 * 5 {
            let extremes = [f32::NAN, 0.0, -0.0, 1e-20, -1e-20, 1.0, -1.0, 0.5, -0.5];
            let n = extremes.len() as u32;
            cases.push(Builder::new(&format!("{name}, extremes"), |b| {
                let z = b.given("z", 1, 1, n, &extremes);
                let y = b.output("y", 1, 1, n, tolerance);
                record_activate(&mut b.plan, activation, z, y)
            }));
            cases.push(Builder::new(&format!("{name}, extremes"), |b| {
                let dy = b.given("dy", 1, 1, 1, &[0.5]).broadcast("test", 1, n)?;
                let z = b.given("z", 1, 1, n, &extremes);
                let dz = b.output("dz", 1, 1, n, tolerance);
                record_activate_backward(&mut b.plan, activation, dy, z, dz)
            }));
        }
    }
    for text in LOSSES {
        let loss = Loss::Formula(Formula::parse(text, &Loss::VARIABLES).expect("a formula of p and t"));
        cases.push(Builder::new(&format!("{models} × {rows} × {columns}"), |b| {
            let (p, t) = (b.eighths("p", models, rows, columns), b.eighths("t", 1, rows, columns));
            let values = b.output("values", models, rows, columns, SCALED);
            let gradient = b.output("gradient", models, rows, columns, SCALED);
            record_loss(&mut b.plan, loss, p, t, values, gradient)
        }));
    }
    cases
}
