//! The cases: shapes that divide nothing, several models, and why devices may differ how far.

use super::builder::{Builder, Values};
use super::{Case, Tolerance};
use crate::compute::{Plan, Tensor};
use crate::kernels::activation::{Activation, record_activate, record_activate_backward};
use crate::kernels::array::{
    Operation, record_add_bias, record_arithmetic, record_column_sum, record_copy, record_sum,
};
use crate::kernels::batch::{Slot, record_gather, record_tally};
use crate::kernels::loss::{Loss, record_correct, record_loss, record_softmax};
use crate::kernels::matmul::{record_dense, record_dense_backward, record_dense_gradient, record_matmul};
use crate::kernels::optimizer::{Optimizer, OptimizerState, record_powers, record_update};

const EXACT: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 0.0,
    reason: "the inputs are small multiples of 1/8, so that every sum is exact in any order",
};

/// WGSL allows a division 2.5 units in the last place.
const DIVISION: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 3.0 * f32::EPSILON,
    reason: "exact sums, then one division, which WGSL allows 2.5 units in the last place",
};

/// WGSL allows exp(x) 3 + 2|x| units in the last place; |x| is at most 8 in these cases. A sum of
/// such terms has the same relative error; quotients of two double it; log adds 2^-21.
const EXPONENTIAL: Tolerance = Tolerance {
    absolute: (2.0 * 19.0 + 4.0 + 4.0) * f32::EPSILON,
    relative: 0.0,
    reason: "WGSL allows exp(x) 3 + 2|x| units in the last place, |x| <= 8; log 2^-21; values are near 1",
};

/// Ten operations on values up to 2, each rounded once or contracted; WGSL allows division 2.5 and
/// sqrt about 3 units in the last place.
const UPDATE: Tolerance = Tolerance {
    absolute: 16.0 * f32::EPSILON,
    relative: 4.0 * f32::EPSILON,
    reason: "about ten operations on values up to 2, with a division and two roots of about 3 units each",
};

/// The cases of every kernel, the same ones each time.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for models in [1, 3] {
        for (rows, columns) in [(1, 1), (1, 5), (5, 7), (13, 65), (65, 3)] {
            cases.extend(element_cases(models, rows, columns));
            cases.extend(row_cases(models, rows, columns));
        }
        // Beside whole tiles of 16, 32 and 64 there are one row and column less, and one more.
        for (rows, columns, depth) in [
            (1, 1, 1),
            (1, 2, 3),
            (5, 7, 11),
            (16, 64, 16),
            (17, 65, 33),
            (31, 63, 15),
            (32, 32, 32),
            (63, 31, 129),
            (33, 129, 7),
            (65, 65, 17),
            (9, 9, 300),
        ] {
            cases.extend(product_cases(models, rows, columns, depth, Values::Eighths));
            cases.extend(product_cases(models, rows, columns, depth, Values::Uniform));
        }
        // One less than a workgroup, just one, one more, and a prime; columns and rows count too.
        for length in [63, 64, 65, 67] {
            cases.extend(element_cases(models, 1, length));
            cases.extend(row_cases(models, length, 3));
            cases.extend(product_cases(models, 1, length, 5, Values::Eighths));
            cases.extend(optimizer_cases(models, 4 * length));
        }
        // More than four workgroups of elements, of rows, and of columns.
        cases.extend(element_cases(models, 2, 259));
        cases.extend(row_cases(models, 259, 3));
        for length in [4, 60, 4 * 64 * 4 + 4] {
            cases.extend(optimizer_cases(models, length));
        }
    }
    // Enough tiles for the form that serves large products: one row and column less than whole
    // tiles, just whole ones, one more.
    for (rows, columns, depth) in [(1023, 511, 15), (1024, 512, 16), (1025, 513, 17)] {
        cases.extend(product_cases(1, rows, columns, depth, Values::Eighths));
    }
    // One element more than 65,535 workgroups of 64 hold: the grid folds.
    cases.push(Builder::new("65,535 workgroups and one more", |b| {
        let (x, y) =
            (b.input("x", 1, 1, 65_535 * 64 + 1, Values::Uniform), b.output("y", 1, 1, 65_535 * 64 + 1, EXACT));
        record_copy(&mut b.plan, x, y)
    }));
    cases
}

fn element_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
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
    for activation in Activation::ALL {
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

fn row_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
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

fn product_cases(models: u32, rows: u32, columns: u32, depth: u32, values: Values) -> Vec<Case> {
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
    for activation in Activation::ALL {
        let is_exact = matches!(activation, Activation::Identity | Activation::Relu);
        let tolerance = if is_exact {
            tolerance
        } else {
            // Slopes are at most 1, so that the sum's error comes through undiminished at worst.
            Tolerance { absolute: tolerance.absolute + EXPONENTIAL.absolute, ..tolerance }
        };
        let slopes = if is_exact { tolerance } else { Tolerance { relative: 2.0 * f32::EPSILON, ..tolerance } };
        // exp(x) is allowed 2|x| units: sums must stay within |x| <= 8.
        if is_exact || depth <= 8 {
            cases.push(Builder::new(&name(&format!("a layer with {activation}, data shared")), |b| {
                let x = b.input("x", 1, rows, depth, values);
                let weight = b.input("weight", models, columns, depth, values);
                let bias = b.input("bias", models, 1, columns, values);
                let y = b.output("y", models, rows, columns, tolerance);
                record_dense(&mut b.plan, activation, x, weight, bias, y)
            }));
        }
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

fn optimizer_cases(models: u32, length: u32) -> Vec<Case> {
    let nesterov =
        Optimizer::Momentum { learning_rate: 0.1, momentum: 0.9, dampening: 0.0, weight_decay: 0.01, nesterov: true };
    let dampened =
        Optimizer::Momentum { learning_rate: 0.1, momentum: 0.9, dampening: 0.5, weight_decay: 0.0, nesterov: false };
    let adam_w = Optimizer::Adam { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1 };
    let case = |optimizer: Optimizer| {
        Builder::new(&format!("{models} × {length}, {optimizer:?}"), |b| {
            let dw = b.input("dw", models, 1, length, Values::Uniform);
            let settings = optimizer.settings();
            // Each model has a learning rate of its own.
            let rows: Vec<f32> = (0..models)
                .flat_map(|model| {
                    let rate = settings[0] / (model + 1) as f32;
                    std::iter::once(rate).chain(settings[1..].iter().copied()).collect::<Vec<_>>()
                })
                .collect();
            let given = b.given("settings", models, 1, settings.len() as u32, &rows);
            let state = OptimizerState {
                settings: given,
                moments: OptimizerState::declare(&mut Plan::new(), &optimizer, 1, length)
                    .moments
                    .iter()
                    .map(|_| b.update("state", models, 1, length, Values::Positive, UPDATE))
                    .collect(),
                powers: matches!(optimizer, Optimizer::Adam { .. })
                    .then(|| b.update("powers", models, 1, 2, Values::Positive, UPDATE)),
            };
            // Running powers lie below 1.
            if let Some(powers) = state.powers {
                b.refill(powers, 0.5f32.to_bits());
            }
            let w = b.update("w", models, 1, length, Values::Uniform, UPDATE);
            record_update(&mut b.plan, &optimizer, &state, dw, w)
        })
    };
    let mut cases: Vec<Case> = [Optimizer::sgd(0.1), nesterov, dampened, adam_w].map(case).into();
    // Adam records `powers` before itself; that kernel has a case of its own.
    cases.push(Builder::new(&format!("{models} models"), |b| {
        let settings = b.given("settings", 1, 1, 3, &[0.1, 0.9, 0.99]);
        let powers = b.update("powers", models, 1, 2, Values::Eighths, EXACT);
        record_powers(&mut b.plan, settings, powers)
    }));
    cases
}
