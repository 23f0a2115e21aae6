//! The losses, and what goes row by row beside them.

use super::super::builder::{Builder, Values};
use super::super::{Case, Tolerance};
use super::{DIVISION, EXACT, EXPONENTIAL};
use crate::compute::Tensor;
use crate::kernels::batch::{Slot, record_tally};
use crate::kernels::loss::{Loss, record_correct, record_loss};
use crate::kernels::softmax::record_softmax;

pub(super) fn row_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    let losses = |b: &mut Builder, loss, z: Tensor, t: Tensor, tolerance: Tolerance| {
        let losses = b.output("loss", models, rows, 1, tolerance);
        let gradient = b.output("gradient", models, rows, columns, tolerance);
        record_loss(&mut b.plan, loss, z, t, losses, gradient)
    };
    vec![
        Builder::new(&name("squares"), |b| {
            let (p, t) = (b.eighths("p", models, rows, columns), b.eighths("t", 1, rows, columns));
            losses(b, Loss::Mse, p, t, DIVISION)
        }),
        Builder::new(&name("classes"), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.class_indices("classes", 1, rows, columns);
            losses(b, Loss::CrossEntropy, z, t, EXPONENTIAL)
        }),
        // Nothing in this crate asks for it, but it must not reach beyond the row: the last class.
        Builder::new(&name("a class that there is not"), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.class_indices("classes", 1, rows, columns);
            b.refill(t, u32::MAX);
            losses(b, Loss::CrossEntropy, z, t, EXPONENTIAL)
        }),
        Builder::new(&name("probabilities that do not sum to 1"), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.input("t", models, rows, columns, Values::Shares(columns));
            losses(b, Loss::CrossEntropy, z, t, EXPONENTIAL)
        }),
        Builder::new(&name("probabilities"), |b| {
            let (x, y) = (
                b.input("x", models, rows, columns, Values::Uniform4),
                b.output("y", models, rows, columns, EXPONENTIAL),
            );
            record_softmax(&mut b.plan, x, y)
        }),
        Builder::new(&name("hits"), |b| {
            let z = b.eighths("z", models, rows, columns);
            let classes = b.class_indices("classes", models, rows, columns);
            let y = b.output("y", models, rows, 1, EXACT);
            record_correct(&mut b.plan, z, classes, y)
        }),
        Builder::new(&name("a loss into the slot of its batch, and on"), |b| {
            let x = b.eighths("x", models, rows, 1);
            let position = b.counter("position", models, rows * (columns + 1));
            b.written.push((position.buffer, EXACT));
            let y = b.output("y", models, 1, columns, EXACT);
            record_tally(&mut b.plan, 0.5, x, position, Slot { rows, advance: rows }, y)
        }),
        Builder::new(&name("a loss into the slot of its batch, and stay"), |b| {
            let x = b.eighths("x", models, rows, 1);
            let position = b.counter("position", models, 0);
            b.written.push((position.buffer, EXACT));
            let y = b.output("y", models, 1, columns, EXACT);
            record_tally(&mut b.plan, 0.5, x, position, Slot { rows, advance: 0 }, y)
        }),
    ]
}
