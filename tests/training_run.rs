//! A whole training, step by step, against MLX and PyTorch: 32-16-8-3, Adam, a rate that falls as a half cosine.
//!
//! `golden/training_run.json` holds what they computed; `golden/training_run.py` made it and tells how. Each loss
//! may be as far from that of f64 as imitated roundings led, plus the roundings of the loss itself.

mod common;

use common::devices_and_forms;
use nngpu::nn::Descent;
use nngpu::random::Key;
use nngpu::train::Schedule;
use nngpu::{Activation, Array, Device, Loss, Mlp, Optimizer};
use serde_json::Value;

const ROWS: usize = 64;
const BATCH: usize = 16;
const INPUTS: usize = 32;

/// The last layer sums 8 products, those before it 16 and 32, whose magnitudes together stay below 8 in this run;
/// the logarithm of a sum of three exponentials adds some units: each a rounding of 2^-24 of at most 8.
const LOSS: f64 = (8.0 + 16.0 + 32.0 + 20.0) * 8.0 / 16_777_216.0;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/training_run.json")).expect("golden file")
}

fn numbers(golden: &Value, name: &str) -> Vec<f64> {
    golden[name].as_array().expect(name).iter().map(|number| number.as_f64().expect(name)).collect()
}

/// The loss of each step.
fn losses(device: &Device, classes: &[u32], n_steps: usize) -> Vec<f32> {
    let x = Key::new(1).uniform(-1.0, 1.0, ROWS * INPUTS);
    let batches: Vec<(Array, Array)> = x
        .chunks(BATCH * INPUTS)
        .zip(classes.chunks(BATCH))
        .map(|(x, classes)| {
            let x = Array::new(device, [BATCH, INPUTS], x).expect("an array");
            (x, Array::classes(device, classes).expect("an array"))
        })
        .collect();
    let loss: Loss = "cross_entropy".parse().expect("a loss");
    let mut mlp = Mlp::new(device, &[INPUTS, 16, 8, 3], Activation::Relu, 0).expect("a network");
    let schedule = Schedule::cosine(0.01, n_steps as u64);
    let mut adam = Descent::new(Optimizer::adam(0.01)).expect("an optimizer");
    let step = |(step, (x, y)): (usize, &(Array, Array))| {
        let (loss, gradients) = mlp.value_and_grad(x, y, loss).expect("gradients");
        adam.set_learning_rate(schedule.rate(step as u64) as f32).expect("a rate above 0");
        adam.update(&mut mlp, &gradients).expect("an update");
        loss
    };
    batches.iter().cycle().take(n_steps).enumerate().map(step).collect()
}

/// The first step whose loss is too far from that of f64.
fn first_wrong(found: &[f64], exact: &[f64], spread: &[f64]) -> Option<usize> {
    assert_eq!(found.len(), exact.len(), "steps");
    let is_near = |step: usize| (found[step] - exact[step]).abs() <= spread[step] + LOSS;
    (0..found.len()).find(|&step| !is_near(step))
}

#[test]
fn two_hundred_steps_are_those_of_mlx_and_pytorch() {
    let golden = golden();
    let classes: Vec<u32> = numbers(&golden, "classes").into_iter().map(|class| class as u32).collect();
    let [exact, spread] = ["f64", "spread"].map(|name| numbers(&golden, name));
    // So near that a wrong rule would show: the loss falls from 1.1 to 0.003.
    assert!(spread.iter().all(|spread| *spread < 1e-6) && exact[0] > 1.0 && exact[199] < 0.003);
    for other in ["mlx", "pytorch"] {
        assert_eq!(first_wrong(&numbers(&golden, other), &exact, &spread), None, "{other}");
    }
    for (name, device) in devices_and_forms() {
        let found: Vec<f64> = losses(&device, &classes, exact.len()).into_iter().map(f64::from).collect();
        if let Some(step) = first_wrong(&found, &exact, &spread) {
            panic!("{name}, step {step}: {}, in f64 {}, spread {}", found[step], exact[step], spread[step]);
        }
    }
}

#[test]
fn another_rule_is_found_out() {
    let golden = golden();
    let [mut found, exact, spread] = ["mlx", "f64", "spread"].map(|name| numbers(&golden, name));
    found[150] *= 1.1;
    assert_eq!(first_wrong(&found, &exact, &spread), Some(150));
    found[20] = f64::NAN;
    assert_eq!(first_wrong(&found, &exact, &spread), Some(20));
}
