//! The matrix product in every arrangement, with what follows it.

use super::super::builder::{Builder, Values};
use super::super::{Case, Tolerance};
use super::EXACT;
use super::activation::{slope_tolerance, value_tolerance};
use crate::kernels::activation::Activation;
use crate::kernels::matmul::{record_dense, record_dense_backward, record_dense_gradient, record_matmul};

pub(super) fn product_cases(models: u32, rows: u32, columns: u32, depth: u32, values: Values) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns} × {depth}, {values:?}");
    let tolerance = if values == Values::Eighths { EXACT } else { Tolerance::of_sum(depth) };
    let mut cases = vec![
        Builder::new(&name("a b"), |b| {
            let (p, q) = (b.input("a", models, rows, depth, values), b.input("b", models, depth, columns, values));
            let c = b.output("c", models, rows, columns, tolerance);
            record_matmul(&mut b.plan, p, q, c)
        }),
        Builder::new(&name("a bᵀ, b shared"), |b| {
            let (p, q) = (b.input("a", models, rows, depth, values), b.input("b", 1, columns, depth, values));
            let c = b.output("c", models, rows, columns, tolerance);
            record_matmul(&mut b.plan, p, q.transposed(), c)
        }),
        Builder::new(&name("aᵀ b, a shared"), |b| {
            let (p, q) = (b.input("a", 1, depth, rows, values), b.input("b", models, depth, columns, values));
            let c = b.output("c", models, rows, columns, tolerance);
            record_matmul(&mut b.plan, p.transposed(), q, c)
        }),
        Builder::new(&name("a layer's gradient with its bias, data shared"), |b| {
            let dz = b.input("dz", models, depth, rows, values);
            let x = b.input("x", 1, depth, columns, values);
            let whole = b.output("gradients", models, 1, rows * columns + rows, tolerance);
            let (dweight, dbias) = (whole.part(0, rows, columns), whole.part(rows * columns, 1, rows));
            record_dense_gradient(&mut b.plan, dz, x, dweight, dbias)
        }),
    ];
    for activation in Activation::ALL.into_iter().filter(|activation| activation.is_fusable()) {
        // A sum's error comes through as many times as the slope is steep.
        let own = value_tolerance(activation);
        let layer = Tolerance {
            absolute: 2.0 * tolerance.absolute + own.absolute,
            relative: 2.0 * tolerance.relative + own.relative,
            reason: if own.absolute == 0.0 { tolerance.reason } else { own.reason },
        };
        cases.push(Builder::new(&name(&format!("a layer with {activation}, data shared")), |b| {
            let x = b.input("x", 1, rows, depth, values);
            let weight = b.input("weight", models, columns, depth, values);
            let bias = b.input("bias", models, 1, columns, values);
            let y = b.output("y", models, rows, columns, layer);
            record_dense(&mut b.plan, activation, x, weight, bias, y)
        }));
        // The slope is off by its own error, times a sum of at most `depth`; the sum's by a slope of at
        // most 2.
        let own = slope_tolerance(activation);
        let slopes = Tolerance {
            absolute: 2.0 * tolerance.absolute + own.absolute * depth as f32,
            relative: 2.0 * tolerance.relative + own.relative + 2.0 * f32::EPSILON * f32::from(tolerance != EXACT),
            reason: if own == EXACT { tolerance.reason } else { own.reason },
        };
        cases.push(Builder::new(&name(&format!("back through {activation}")), |b| {
            let dy = b.input("dy", models, rows, depth, values);
            let weight = b.input("weight", models, depth, columns, values);
            let y = b.input("y", models, rows, columns, values);
            let dz = b.output("dz", models, rows, columns, slopes);
            record_dense_backward(&mut b.plan, activation, dy, weight, y, dz)
        }));
    }
    cases
}
