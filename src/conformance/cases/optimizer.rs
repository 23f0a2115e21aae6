//! The optimizers.

use super::super::Case;
use super::super::builder::{Builder, Values};
use super::{EXACT, UPDATE};
use crate::compute::Plan;
use crate::kernels::optimizer::{Optimizer, OptimizerState, record_powers, record_update};

pub(super) fn optimizer_cases(models: u32, length: u32) -> Vec<Case> {
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
