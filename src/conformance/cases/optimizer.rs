//! The optimizers, and what happens to gradients before them.

use super::super::builder::{Builder, Values};
use super::super::{Case, Tolerance};
use super::{EXACT, UPDATE};
use crate::compute::Plan;
use crate::kernels::optimizer::adafactor::{
    record_adafactor_clock, record_adafactor_direction, record_adafactor_mean, record_adafactor_step,
};
use crate::kernels::optimizer::adam::record_powers;
use crate::kernels::optimizer::clip::{record_rescale, record_squares_by_span};
use crate::kernels::optimizer::muon::record_muon;
use crate::kernels::optimizer::{
    Clip, Optimizer, OptimizerState, record_accumulate, record_clip, record_rate, record_update,
};

/// A norm's scale: WGSL allows sqrt about 3 units in the last place and division 2.5; a sum and a product round.
const SCALE: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 8.0 * f32::EPSILON,
    reason: "a root of about 3 units in the last place, a division of 2.5, a sum and a product",
};

/// A share of a difference of at most 2.
const SHARE: Tolerance = Tolerance {
    absolute: 8.0 * f32::EPSILON,
    relative: f32::EPSILON,
    reason: "a quotient of 2.5 units in the last place times a number of at most 2, and a sum",
};

/// `pow(t, -0.8)` for t up to 9 is exp2 of 2.6 at most: 3 + 2 * 2.6 units, and log2's 3 units or 2^-21 times that.
const POWER: Tolerance = Tolerance {
    absolute: 24.0 * f32::EPSILON,
    relative: 0.0,
    reason: "exp2(x) is allowed 3 + 2|x| units in the last place, |x| <= 2.6, and x is off by 3 units or 2^-21",
};

/// Two divisions, two roots and two products, and no sum.
const DIRECTION: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 16.0 * f32::EPSILON,
    reason: "two divisions of 2.5 units in the last place, two roots of about 3, two products",
};

pub(super) fn optimizer_cases(models: u32, length: u32) -> Vec<Case> {
    let momentum = |dampening, weight_decay, nesterov, first_undampened| Optimizer::Momentum {
        learning_rate: 0.1,
        momentum: 0.9,
        dampening,
        weight_decay,
        nesterov,
        first_undampened,
    };
    let adam = |epsilon, bias_correction, epsilon_before_correction| Optimizer::Adam {
        learning_rate: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        epsilon,
        weight_decay: 0.1,
        bias_correction,
        epsilon_before_correction,
    };
    let rms_prop =
        |epsilon_inside| Optimizer::RmsProp { learning_rate: 0.1, alpha: 0.9, epsilon: 0.25, epsilon_inside };
    let adamax =
        Optimizer::Adamax { learning_rate: 0.1, beta1: 0.9, beta2: 0.75, epsilon: 1e-8, bias_correction: true };
    let case = |optimizer: Optimizer, values: Values, power: f32| {
        Builder::new(&format!("{models} × {length}, {optimizer:?}, {power}"), |b| {
            let dw = b.input("dw", models, 1, length, values);
            let settings = optimizer.settings();
            // Each model has a learning rate of its own.
            let rows: Vec<f32> = (0..models)
                .flat_map(|model| {
                    let rate = settings[0] / (model + 1) as f32;
                    std::iter::once(rate).chain(settings[1..].iter().copied()).collect::<Vec<_>>()
                })
                .collect();
            let given = b.given("settings", models, 1, settings.len() as u32, &rows);
            let declared = OptimizerState::declare(&mut Plan::new(), &optimizer, 1, length);
            let moments = if values == Values::Uniform { Values::Positive } else { values };
            let state = OptimizerState {
                settings: given,
                moments: declared
                    .moments
                    .iter()
                    .map(|_| b.update("state", models, 1, length, moments, UPDATE))
                    .collect(),
                powers: declared
                    .powers
                    .map(|powers| b.update("powers", models, 1, powers.columns, Values::Positive, UPDATE)),
            };
            if let Some(powers) = state.powers {
                b.refill(powers, power.to_bits());
            }
            let w = b.update("w", models, 1, length, Values::Uniform, UPDATE);
            record_update(&mut b.plan, &optimizer, &state, dw, w)
        })
    };
    let mut cases: Vec<Case> = [
        (Optimizer::sgd(0.1), Values::Uniform, 1.0),
        (momentum(0.0, 0.01, true, false), Values::Uniform, 1.0),
        (momentum(0.5, 0.0, false, false), Values::Uniform, 1.0),
        // The first step, and a later one.
        (momentum(0.5, 0.0, false, true), Values::Uniform, 1.0),
        (momentum(0.5, 0.0, false, true), Values::Uniform, 0.5),
        // Running powers lie below 1 after a step; zeros are no correction.
        (adam(1e-8, true, false), Values::Uniform, 0.5),
        (adam(0.25, true, true), Values::Uniform, 0.5),
        (adam(0.25, false, false), Values::Uniform, 0.0),
        (rms_prop(false), Values::Uniform, 1.0),
        (rms_prop(true), Values::Uniform, 1.0),
        (Optimizer::ada_grad(0.1), Values::Uniform, 1.0),
        (Optimizer::ada_delta(0.5), Values::Uniform, 1.0),
        (adamax, Values::Uniform, 0.5),
        // Halves of eighths are exact, so that a direction of 0 is 0 on every device.
        (Optimizer::Lion { learning_rate: 0.1, beta1: 0.5, beta2: 0.75, weight_decay: 0.1 }, Values::Eighths, 1.0),
    ]
    .into_iter()
    .map(|(optimizer, values, power)| case(optimizer, values, power))
    .collect();
    for nesterov in [0.0, 1.0] {
        cases.push(Builder::new(&format!("{models} × {length}, Nesterov {nesterov}"), |b| {
            let (dw, w) =
                (b.input("dw", models, 1, length, Values::Uniform), b.input("w", models, 1, length, Values::Uniform));
            let settings = b.given("settings", 1, 1, 4, &[0.1, 0.9, 0.25, nesterov]);
            let v = b.update("v", models, 1, length, Values::Uniform, UPDATE);
            let y = b.output("y", models, 1, length, UPDATE);
            record_muon(&mut b.plan, settings, [dw, w, v, y])
        }));
    }
    // Adam records `powers` before itself; that kernel has a case of its own.
    cases.push(Builder::new(&format!("{models} models"), |b| {
        let settings = b.given("settings", 1, 1, 3, &[0.1, 0.9, 0.99]);
        let powers = b.update("powers", models, 1, 2, Values::Eighths, EXACT);
        record_powers(&mut b.plan, settings, powers)
    }));
    cases
}

/// What goes element by element, of any number of them.
pub(super) fn gradient_cases(models: u32) -> Vec<Case> {
    [1, 63, 64, 65, 67, 259].into_iter().flat_map(|length| run_cases(models, length)).collect()
}

fn run_cases(models: u32, length: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {length}");
    let mut cases = vec![
        Builder::new(&name("sums by spans of 16"), |b| {
            let x = b.eighths("x", models, 1, length);
            let y = b.output("y", models, 1, length.div_ceil(16), EXACT);
            record_squares_by_span(&mut b.plan, 16, x, y)
        }),
        Builder::new(&name("a gradient beyond its limit"), |b| {
            let x = b.update("x", models, 1, length, Values::Eighths, EXACT);
            record_clip(&mut b.plan, Clip::Value(0.5), x)
        }),
        Builder::new(&name("special values"), |b| {
            let x = b.update("x", models, 1, length, Values::Special, EXACT);
            record_clip(&mut b.plan, Clip::Value(0.5), x)
        }),
        Builder::new(&name("learning rates of an epoch"), |b| {
            let table = b.eighths("table", 1, 1, 5);
            // The second of them, three times around.
            let position = b.counter("position", models, 15 * 7 + 13);
            let settings = b.update("settings", models, length, 3, Values::Eighths, EXACT);
            record_rate(&mut b.plan, 0.5, table, position, 7, settings)
        }),
        Builder::new(&name("steps counted"), |b| {
            let settings = b.given("settings", 1, 1, 10, &[0.1, -0.8, 1e-30, 1e-3, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
            let before: Vec<f32> = (0..models * length).flat_map(|i| [(i % 9) as f32, 0.5, 0.5]).collect();
            let clock = b.given("clock", models, length, 3, &before);
            b.written.push((clock.buffer, POWER));
            record_adafactor_clock(&mut b.plan, settings, clock)
        }),
        Builder::new(&name("a step of Adafactor"), |b| {
            let settings = b.given("settings", 1, 1, 10, &[0.1, -0.8, 1e-30, 1e-3, 0.75, 0.5, 0.25, 1.0, 1.0, 0.0]);
            let clock = b.given("clock", 1, 1, 3, &[3.0, 0.5, 0.125]);
            let squares = b.input("squares", models, 1, 2, Values::Positive);
            let y = b.input("y", models, 1, length, Values::Uniform);
            let m = b.update("m", models, 1, length, Values::Uniform, UPDATE);
            let w = b.update("w", models, 1, length, Values::Uniform, UPDATE);
            record_adafactor_step(&mut b.plan, [settings, clock, squares, y, m, w])
        }),
    ];
    for (what, position) in [("the first batch of a group", 48), ("the second batch of a group", 56)] {
        cases.push(Builder::new(&name(what), |b| {
            let x = b.eighths("x", models, 1, length);
            let position = b.counter("position", models, position);
            let y = b.update("y", models, 1, length, Values::Eighths, SHARE);
            record_accumulate(&mut b.plan, [8, 24], x, position, y)
        }));
    }
    for (what, square, most) in [
        ("a norm beyond its limit", 2.25, 1.0),
        ("a norm within its limit", 0.25, 1.0),
        ("a norm made 1", 0.25, f32::MAX),
        ("a norm that is no number", f32::NAN, 1.0),
    ] {
        cases.push(Builder::new(&name(what), |b| {
            let square = b.given("square", 1, 1, 1, &[square]);
            let x = b.update("x", models, 1, length, Values::Eighths, SCALE);
            record_rescale(&mut b.plan, square, [1.0, 1e-6, most], x)
        }));
    }
    for (rows, columns) in [(1, length), (length, 3)] {
        let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
        cases.push(Builder::new(&name("mean squares of the rows"), |b| {
            let dw = b.eighths("dw", models, rows, columns);
            let settings = b.given("settings", 1, 1, 10, &[0.1, -0.8, 0.125, 1e-3, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
            let clock = b.given("clock", 1, 1, 3, &[3.0, 0.75, 0.1]);
            let y = b.update("y", models, 1, rows, Values::Eighths, SHARE);
            record_adafactor_mean(&mut b.plan, dw, settings, clock, y)
        }));
        cases.push(Builder::new(&name("mean squares of the columns"), |b| {
            let dw = b.eighths("dw", models, columns, rows);
            let settings = b.given("settings", 1, 1, 10, &[0.1, -0.8, 0.125, 1e-3, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
            let clock = b.given("clock", 1, 1, 3, &[3.0, 0.75, 0.1]);
            let y = b.update("y", models, 1, rows, Values::Eighths, SHARE);
            record_adafactor_mean(&mut b.plan, dw.transposed(), settings, clock, y)
        }));
        cases.push(Builder::new(&name("a factored direction"), |b| {
            let dw = b.eighths("dw", models, rows, columns);
            let row = b.input("row", models, 1, rows, Values::Positive);
            let column = b.input("column", models, 1, columns, Values::Positive);
            let mean = b.input("mean", models, 1, 1, Values::Positive);
            let y = b.output("y", models, rows, columns, DIRECTION);
            record_adafactor_direction(&mut b.plan, dw, [row, column, mean], y)
        }));
    }
    cases
}
