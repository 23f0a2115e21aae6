//! The kernels on whole arrays and batches of rows, and the activations.

use super::super::Case;
use super::super::builder::{Builder, Values};
use super::activation::BASIC;
use super::{DIVISION, EXACT, EXPONENTIAL};
use crate::kernels::activation::{Activation, record_activate, record_activate_backward};
use crate::kernels::array::{
    Operation, record_add_bias, record_arithmetic, record_blend, record_column_sum, record_copy, record_sum,
};
use crate::kernels::batch::record_gather;

pub(super) fn element_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    let mut cases = vec![
        Builder::new(&name("one bias of all models"), |b| {
            let (x, bias) = (b.eighths("x", models, rows, columns), b.eighths("bias", 1, 1, columns));
            let y = b.output("y", models, rows, columns, EXACT);
            record_add_bias(&mut b.plan, x, bias, y)
        }),
        Builder::new(&name("a bias of each model"), |b| {
            let (x, bias) = (b.eighths("x", models, rows, columns), b.eighths("bias", models, 1, columns));
            let y = b.output("y", models, rows, columns, EXACT);
            record_add_bias(&mut b.plan, x, bias, y)
        }),
        // Quarters and halves of eighths: exact.
        Builder::new(&name("a running mean"), |b| {
            let x = b.eighths("x", models, rows, columns);
            let y = b.update("y", models, rows, columns, Values::Eighths, EXACT);
            record_blend(&mut b.plan, 0.25, 0.5, x, y)
        }),
        Builder::new(&name("transposed"), |b| {
            let (x, y) = (b.eighths("x", models, columns, rows), b.output("y", models, rows, columns, EXACT));
            record_copy(&mut b.plan, x.transposed(), y)
        }),
        Builder::new(&name("columns"), |b| {
            let (x, y) = (b.eighths("x", models, rows, columns), b.output("y", models, 1, columns, EXACT));
            record_column_sum(&mut b.plan, x, y)
        }),
        Builder::new(&name("all"), |b| {
            let (x, y) = (b.eighths("x", models, rows, columns), b.output("y", models, 1, 1, EXACT));
            record_sum(&mut b.plan, 0.25, x, y)
        }),
        Builder::new(&name("rows by index, second batch, data shared"), |b| {
            let x = b.eighths("x", 1, 2 * rows + 3, columns);
            let index = b.integers("index", models, 2 * rows, 2 * rows + 3);
            let position = b.counter("position", models, rows);
            let y = b.output("y", models, rows, columns, EXACT);
            record_gather(&mut b.plan, x, index, position, y)
        }),
        Builder::new(&name("rows by index, of each model, past the end"), |b| {
            let x = b.eighths("x", models, rows + 1, columns);
            let index = b.integers("index", 1, rows + 1, rows + 1);
            let position = b.counter("position", models, 5 * rows);
            let y = b.output("y", models, rows, columns, EXACT);
            record_gather(&mut b.plan, x, index, position, y)
        }),
    ];
    for activation in BASIC {
        let is_exact = matches!(activation, Activation::Identity | Activation::Relu);
        cases.push(Builder::new(&name(activation.name()), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform8);
            let y = b.output("y", models, rows, columns, if is_exact { EXACT } else { EXPONENTIAL });
            record_activate(&mut b.plan, activation, z, y)
        }));
        cases.push(Builder::new(&name(activation.name()), |b| {
            let dy = b.eighths("dy", models, rows, columns);
            let y = b.eighths("y", models, rows, columns);
            let dz = b.output("dz", models, rows, columns, EXACT);
            record_activate_backward(&mut b.plan, activation, dy, y, dz)
        }));
    }
    // What is not a number must come through, or a training gone wrong would not show.
    cases.push(Builder::new(&name("relu of special values"), |b| {
        let z = b.input("z", models, rows, columns, Values::Special);
        let y = b.output("y", models, rows, columns, EXACT);
        record_activate(&mut b.plan, Activation::Relu, z, y)
    }));
    cases.push(Builder::new(&name("maximum of special values"), |b| {
        let p = b.input("a", models, rows, columns, Values::Special);
        let q = b.input("b", models, rows, columns, Values::Special);
        let y = b.output("y", models, rows, columns, EXACT);
        record_arithmetic(&mut b.plan, Operation::Maximum, p, q, y)
    }));
    // Small whole exponents multiply, also those of a negative base; 2^16 is exact.
    for exponent in [16.0, -16.0, 11.0, 0.0, 1.0] {
        cases.push(Builder::new(&name(&format!("-2 to the power of {exponent}")), |b| {
            let (p, q) = (b.given("a", 1, 1, 1, &[-2.0]), b.given("b", 1, 1, 1, &[exponent]));
            let y = b.output("y", models, rows, columns, EXACT);
            record_arithmetic(&mut b.plan, Operation::Power, p, q, y)
        }));
    }
    for operation in Operation::ALL {
        let tolerance = match operation {
            Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Maximum => EXACT,
            Operation::Divide => DIVISION,
            // pow(a, b) is exp2(b log2 a): |b log2 a| <= 2 here; log2 is off by 2^-21 at most.
            Operation::Power => EXPONENTIAL,
        };
        let values = if operation == Operation::Power { Values::Positive } else { Values::Eighths };
        cases.push(Builder::new(&name(&format!("{operation:?}, a row repeated")), |b| {
            let p = b.input("a", models, rows, columns, values);
            let q = b.input("b", 1, 1, columns, values);
            let y = b.output("y", models, rows, columns, tolerance);
            record_arithmetic(&mut b.plan, operation, p, q, y)
        }));
        cases.push(Builder::new(&name(&format!("{operation:?}, a column and a scalar repeated")), |b| {
            let p = b.input("a", models, rows, 1, values);
            let q = b.input("b", models, 1, 1, values);
            let y = b.output("y", models, rows, columns, tolerance);
            record_arithmetic(&mut b.plan, operation, p, q, y)
        }));
    }
    cases
}
