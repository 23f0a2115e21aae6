//! Every optimizer against twenty steps of MLX's, or PyTorch's where its convention is another.

mod common;

use common::devices_and_forms;
use nngpu::compute::{Plan, Tensor};
use nngpu::kernels::optimizer::{OptimizerState, Part, record_update_in_parts};
use nngpu::{Device, Optimizer};
use serde_json::Value;

/// The matrix of [6, 5], and the vector of 7, whose last place is padding.
const PARTS: [Part; 2] = [
    Part { offset: 0, rows: 6, columns: 5, is_matrix: true },
    Part { offset: 32, rows: 1, columns: 7, is_matrix: false },
];
const LENGTH: u32 = 40;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/mlx_optimizers.json")).expect("valid JSON")
}

fn words(value: &Value) -> Vec<f32> {
    let word = |value: &Value| f32::from_bits(value.as_u64().expect("bits") as u32);
    value.as_array().expect("a list").iter().map(word).collect()
}

/// Both parameters where [`PARTS`] has them.
fn packed(value: &Value) -> Vec<f32> {
    let mut all = vec![0.0; LENGTH as usize];
    for (name, part) in ["matrix", "vector"].into_iter().zip(PARTS) {
        let values = words(&value[name]);
        all[part.offset as usize..][..values.len()].copy_from_slice(&values);
    }
    all
}

/// The weights after each fifth step, for each of two models: the second has the negative of all, which every rule
/// moves just the other way.
fn steps(device: &Device, optimizer: Optimizer, golden: &Value) -> Vec<[Vec<f32>; 2]> {
    let mut plan = Plan::new();
    let (dw, w) = (plan.tensor("dw", 2, 1, LENGTH), plan.tensor("w", 2, 1, LENGTH));
    let state = OptimizerState::declare(&mut plan, &optimizer, 2, Part::packed_len(&PARTS));
    record_update_in_parts(&mut plan, &optimizer, &state, &PARTS, dw, w).expect("shapes");
    let program = device.compile(&plan, &[]).expect("compiles");
    let write = |tensor: Tensor, values: &[f32]| {
        device.write(&program.buffer(tensor.buffer), 0, values).expect("written");
    };
    let both = |values: Vec<f32>| values.iter().copied().chain(values.iter().map(|value| -value)).collect::<Vec<f32>>();
    write(w, &both(packed(&golden["first"])));
    for (tensor, values) in state.first_values(&optimizer) {
        write(tensor, &values);
    }
    let mut after = Vec::new();
    for (step, gradient) in golden["gradients"].as_array().expect("a list").iter().enumerate() {
        if optimizer.has_learning_rate() {
            let rate = golden["rates"][step].as_f64().expect("a rate") as f32;
            write(state.settings, &optimizer.with_learning_rate(rate).settings().repeat(2));
        }
        write(dw, &both(packed(gradient)));
        device.run(&program, 1).expect("runs");
        if step % 5 == 4 {
            let found: Vec<f32> = device.read(&program.buffer(w.buffer)).expect("readable");
            let (first, second) = found.split_at(LENGTH as usize);
            after.push([first.to_vec(), second.iter().map(|value| -value).collect()]);
        }
    }
    after
}

/// A unit in the last place of 1.
const UNIT: f32 = f32::EPSILON;

/// What a case compares: its name among the golden ones, the optimizer, and how far one step may go wrong.
fn cases() -> Vec<(&'static str, Optimizer, f32)> {
    let momentum = |dampening, weight_decay, nesterov, first_undampened| Optimizer::Momentum {
        learning_rate: 0.1,
        momentum: 0.875,
        dampening,
        weight_decay,
        nesterov,
        first_undampened,
    };
    let adam = |epsilon, weight_decay, bias_correction| Optimizer::Adam {
        learning_rate: 0.1,
        beta1: 0.875,
        beta2: 0.96875,
        epsilon,
        weight_decay,
        bias_correction,
        epsilon_before_correction: false,
    };
    let adamax = |bias_correction| Optimizer::Adamax {
        learning_rate: 0.1,
        beta1: 0.875,
        beta2: 0.96875,
        epsilon: 1e-8,
        bias_correction,
    };
    let rms_prop = Optimizer::RmsProp { learning_rate: 0.1, alpha: 0.96875, epsilon: 1e-8, epsilon_inside: false };
    let adafactor = Optimizer::adafactor(None);
    let warming = with(adafactor, |optimizer| {
        if let Optimizer::Adafactor { warmup_init, scale_parameter, .. } = optimizer {
            (*warmup_init, *scale_parameter) = (true, false);
        }
    });
    let rated = with(Optimizer::adafactor(Some(0.1)), |optimizer| {
        if let Optimizer::Adafactor { beta1, weight_decay, clip_threshold, .. } = optimizer {
            (*beta1, *weight_decay, *clip_threshold) = (0.875, 0.125, 0.5);
        }
    });
    let muon = |weight_decay, nesterov, n_steps| Optimizer::Muon {
        learning_rate: 0.1,
        momentum: 0.875,
        weight_decay,
        nesterov,
        n_steps,
    };
    // Weights stay below 4, where the last place is 2 units, so that the sum of weight and step is off by at most one
    // unit on either side: 2. A step is a learning rate of at most 1/16 times a direction.
    let sum = 2.0 * UNIT;
    let step = |direction: f32| sum + direction * UNIT / 16.0;
    // Velocities are at most 8 times the largest gradient of 1 and decay of 1/2, so 12, in whose last place are 8
    // units; an error of each step of 4 such sums fades by 7/8: 8 times as much.
    let velocity = step(8.0 * 4.0 * 8.0);
    // Directions up to 16, for a mean square may be a sixteenth of the first square or less, by about ten operations
    // of up to 3 units each, on both sides.
    let adaptive = step(16.0 * 2.0 * 30.0);
    // Newton and Schulz's polynomial has a slope of 3.44 at most: after 5 steps an error is up to 485 times as large.
    // Each step errs by three products of 6 terms of at most 7, twice; the direction is made sqrt(6 / 5) as long.
    let orthogonal = step(2.0 * 3.0 * 6.0 * 7.0 * 485.0 * 1.1);
    vec![
        ("sgd", Optimizer::sgd(0.1), sum),
        ("momentum", momentum(0.0, 0.125, false, false), velocity),
        ("momentum, dampened", momentum(0.5, 0.0, false, false), velocity),
        ("momentum, Nesterov", momentum(0.0, 0.125, true, false), velocity),
        ("rmsprop", rms_prop, adaptive),
        ("adagrad", Optimizer::ada_grad(0.1), adaptive),
        ("adadelta", Optimizer::AdaDelta { learning_rate: 0.1, rho: 0.875, epsilon: 1e-6 }, adaptive),
        ("adam, not corrected", adam(1e-8, 0.0, false), adaptive),
        ("adam", adam(1e-8, 0.0, true), adaptive),
        ("adamw", adam(1e-8, 0.125, true), adaptive),
        ("adamax", adamax(false), adaptive),
        ("lion", Optimizer::Lion { learning_rate: 0.1, beta1: 0.875, beta2: 0.96875, weight_decay: 0.125 }, 2.0 * sum),
        ("adafactor", adafactor, adaptive),
        ("adafactor, warming up", warming, adaptive),
        ("adafactor, with a rate", rated, adaptive),
        ("muon", muon(0.125, true, 5), orthogonal),
        ("muon, not Nesterov", muon(0.0, false, 4), orthogonal),
        ("torch momentum, dampened", momentum(0.5, 0.0, false, true), velocity),
        ("torch rmsprop", rms_prop, adaptive),
        ("torch adagrad", Optimizer::ada_grad(0.1), adaptive),
        ("torch adam", adam(1e-3, 0.0, true), adaptive),
        ("torch adamw", adam(1e-8, 0.125, true), adaptive),
        ("torch adamax", adamax(true), adaptive),
    ]
}

fn with(mut optimizer: Optimizer, change: impl FnOnce(&mut Optimizer)) -> Optimizer {
    change(&mut optimizer);
    optimizer
}

#[test]
fn twenty_steps_are_those_of_mlx_and_pytorch() {
    let golden = golden();
    let cases = cases();
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    let golden_names: Vec<&str> = golden["cases"].as_object().expect("cases").keys().map(String::as_str).collect();
    assert!(golden_names.iter().all(|name| names.contains(name)), "{golden_names:?}");
    for (device_name, device) in devices_and_forms() {
        for (name, optimizer, bound) in &cases {
            let found = steps(&device, *optimizer, &golden);
            let expected = golden["cases"][*name].as_array().expect("a case");
            assert_eq!(found.len(), expected.len(), "{name}");
            for (fifth, (found, expected)) in found.iter().zip(expected).enumerate() {
                let expected = packed(expected);
                let bound = bound * (5 * (fifth + 1)) as f32;
                for (model, found) in found.iter().enumerate() {
                    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let difference = (found - expected).abs();
                        assert!(
                            difference <= bound,
                            "{device_name}, {name}, model {model}, after {} steps, element {index}: {found}, expected \
                             {expected} within {bound}",
                            5 * (fifth + 1),
                        );
                    }
                }
            }
        }
    }
}

/// Keras's epsilons by hand: from w = 1 by a gradient of 2.
#[test]
fn epsilon_may_be_added_as_keras_does() {
    let adam = Optimizer::Adam {
        learning_rate: 0.5,
        beta1: 0.5,
        beta2: 0.75,
        epsilon: 1.0,
        weight_decay: 0.0,
        bias_correction: true,
        epsilon_before_correction: true,
    };
    let rms_prop = Optimizer::RmsProp { learning_rate: 0.5, alpha: 0.75, epsilon: 3.0, epsilon_inside: true };
    let ada_grad = Optimizer::AdaGrad { learning_rate: 0.5, epsilon: 5.0, epsilon_inside: true };
    for (name, device) in devices_and_forms() {
        // m = 1, v = 1, corrections 1/2 and 1/4: 0.5 * (sqrt(1/4) / (1/2)) * 1 / (sqrt(1) + 1) = 1/4.
        // v = 1: 0.5 * 2 / sqrt(1 + 3) = 1/2. v = 4: 0.5 * 2 / sqrt(4 + 5) = 1/3.
        for (optimizer, expected) in [(adam, 0.75), (rms_prop, 0.5), (ada_grad, 2.0 / 3.0)] {
            let part = [Part { offset: 0, rows: 1, columns: 4, is_matrix: false }];
            let mut plan = Plan::new();
            let (dw, w) = (plan.tensor("dw", 1, 1, 4), plan.tensor("w", 1, 1, 4));
            let state = OptimizerState::declare(&mut plan, &optimizer, 1, 4);
            record_update_in_parts(&mut plan, &optimizer, &state, &part, dw, w).expect("shapes");
            let mut inputs: Vec<(Tensor, Vec<f32>)> = state.first_values(&optimizer);
            inputs.extend([(dw, vec![2.0; 4]), (w, vec![1.0; 4])]);
            let inputs: Vec<(Tensor, &[f32])> = inputs.iter().map(|(tensor, values)| (*tensor, &values[..])).collect();
            let found = common::run(&device, &plan, &inputs, w);
            // Two roots and three quotients of at most 3 units, of numbers of at most 1.
            assert!(
                found.iter().all(|found| (found - expected as f32).abs() <= 16.0 * UNIT),
                "{name}, {optimizer}: {found:?}"
            );
        }
    }
}

#[test]
fn a_part_s_update_leaves_the_others_as_they_are() {
    let parts = [PARTS[1]];
    for (name, device) in devices_and_forms() {
        for known in Optimizer::NAMES {
            let optimizer = Optimizer::named(known, None).expect("a name of its own");
            let mut plan = Plan::new();
            let (dw, w) = (plan.tensor("dw", 1, 1, LENGTH), plan.tensor("w", 1, 1, LENGTH));
            let state = OptimizerState::declare(&mut plan, &optimizer, 1, Part::packed_len(&parts));
            record_update_in_parts(&mut plan, &optimizer, &state, &parts, dw, w).expect("shapes");
            let mut inputs = state.first_values(&optimizer);
            inputs.extend([(dw, vec![1.0; LENGTH as usize]), (w, vec![1.0; LENGTH as usize])]);
            let inputs: Vec<(Tensor, &[f32])> = inputs.iter().map(|(tensor, values)| (*tensor, &values[..])).collect();
            let found = common::run(&device, &plan, &inputs, w);
            assert!(found[..32].iter().all(|value| *value == 1.0), "{name}, {optimizer}: {found:?}");
            assert!(found[32..39].iter().all(|value| *value < 1.0), "{name}, {optimizer}: {found:?}");
        }
    }
}

#[test]
fn the_customary_settings_are_those_of_mlx() {
    // Learning rate first; 1 - alpha in 32 bits.
    for (name, expected) in [
        ("rmsprop", vec![0.001, 0.99, 1.0 - 0.99f32, 0.0, 1e-8]),
        ("adagrad", vec![0.01, 1.0, 1.0, 0.0, 1e-8]),
        ("adadelta", vec![1.0, 0.9, 1e-6]),
        ("adam", vec![0.001, 0.9, 0.999, 1e-8, 0.0, 0.0]),
        ("adamw", vec![0.001, 0.9, 0.999, 1e-8, 0.01, 0.0]),
        ("adamax", vec![0.002, 0.9, 0.999, 1e-8]),
        ("lion", vec![1e-4, 0.9, 0.99, 0.0]),
        ("adafactor", vec![0.01, -0.8, 1e-30, 1e-3, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]),
        ("muon", vec![0.02, 0.95, 0.01, 1.0]),
    ] {
        let optimizer = Optimizer::named(name, None).expect("a name of its own");
        assert_eq!(optimizer.settings(), expected, "{name}");
        assert_eq!(optimizer.name(), name);
        assert!(optimizer.check().is_ok(), "{name}");
        let text = serde_json::to_string(&optimizer).expect("plain data");
        assert_eq!(serde_json::from_str::<Optimizer>(&text).expect("the same"), optimizer, "{text}");
    }
    // Only Adam corrects its bias unless it is asked to.
    assert_eq!(Optimizer::adam(0.1).first_powers(), [1.0, 1.0]);
    assert_eq!(Optimizer::adamax(0.1).first_powers(), [0.0, 0.0]);
}

#[test]
fn settings_outside_their_range_are_named() {
    let refused = |optimizer: Optimizer| optimizer.check().expect_err("refused").to_string();
    assert_eq!(
        refused(Optimizer::RmsProp { learning_rate: 0.1, alpha: 1.0, epsilon: 1e-8, epsilon_inside: false }),
        "alpha: found 1, expected a number from 0 to below 1"
    );
    assert_eq!(
        refused(Optimizer::AdaGrad { learning_rate: 0.1, epsilon: 0.0, epsilon_inside: false }),
        "epsilon: found 0, expected a number above 0"
    );
    assert_eq!(
        refused(Optimizer::AdaDelta { learning_rate: 0.1, rho: f32::NAN, epsilon: 1e-6 }),
        "rho: found NaN, expected a number from 0 to below 1"
    );
    assert_eq!(
        refused(Optimizer::Lion { learning_rate: 0.1, beta1: 0.9, beta2: -1.0, weight_decay: 0.0 }),
        "beta2: found -1, expected a number from 0 to below 1"
    );
    assert_eq!(
        refused(Optimizer::Muon { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.0, nesterov: true, n_steps: 0 }),
        "steps of Newton and Schulz's iteration: found 0, expected a number from 1 to 100"
    );
    let adafactor = with(Optimizer::adafactor(None), |optimizer| {
        if let Optimizer::Adafactor { decay_rate, .. } = optimizer {
            *decay_rate = 0.5;
        }
    });
    assert_eq!(refused(adafactor), "decay rate: found 0.5, expected a number below 0");
    for name in Optimizer::NAMES {
        let message = refused(Optimizer::named(name, Some(0.0)).expect("a name of its own"));
        assert_eq!(message, "learning rate: found 0, expected a number above 0", "{name}");
    }
}
