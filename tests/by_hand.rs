//! Answers worked by hand, on every device: shader and twin could be wrong together.

mod common;

use approx::relative_eq;
use common::{devices_and_forms, run};
use nngpu::compute::{Plan, Tensor};
use nngpu::data::{Classes, Dataset, Matrix, Targets};
use nngpu::kernels::activation::{record_activate, record_activate_backward};
use nngpu::kernels::array::{record_add_bias, record_blend, record_column_sum, record_copy};
use nngpu::kernels::dropout::{record_count, record_dropout};
use nngpu::kernels::embedding::{record_embed, record_embed_gradient};
use nngpu::kernels::gate::{
    record_glu, record_glu_backward, record_prelu, record_prelu_backward, record_prelu_gradient,
};
use nngpu::kernels::loss::record_correct;
use nngpu::kernels::normalise::{
    record_moments, record_normalise, record_normalise_backward, record_normalise_gradient,
};
use nngpu::kernels::optimizer::{Clip, OptimizerState, record_accumulate, record_clip, record_rate, record_update};
use nngpu::kernels::softmax::{SoftmaxKind, record_softmax_backward, record_softmax_of};
use nngpu::train::{Metric, evaluate, predict};
use nngpu::{Activation, Array, Device, Loss, Mlp, Optimizer};

/// Compares numbers that a few roundings separate; `max_relative` 0 asks for equality.
#[track_caller]
fn check(what: &str, found: &[f32], expected: &[f32], max_relative: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (one, other) in found.iter().zip(expected) {
        let is_near = relative_eq!(*one, *other, epsilon = 0.0, max_relative = max_relative);
        assert!(is_near, "{what}: found {found:?}, by hand {expected:?}");
    }
}

/// WGSL allows exp and its quotients about 20 units in the last place where exponents are small.
const FUNCTION: f32 = 20.0 * f32::EPSILON;

#[test]
fn activations_and_slopes() {
    let ln = |x: f32| f64::from(x).ln() as f32;
    // tanh(log 2) = (2 - 1/2) / (2 + 1/2); tanh(0.1) and tanh(0.3) from their series.
    let cases: [(Activation, &[f32], &[f32]); 4] = [
        (Activation::Identity, &[-1.5, 0.0, 2.0], &[-1.5, 0.0, 2.0]),
        (Activation::Relu, &[-1.5, 0.0, 2.0], &[0.0, 0.0, 2.0]),
        (Activation::Sigmoid, &[0.0, ln(3.0), -ln(3.0), -200.0, 200.0], &[0.5, 0.75, 0.25, 0.0, 1.0]),
        (
            Activation::Tanh,
            &[0.0, ln(2.0), -ln(2.0), 0.1, 0.3, 1e-20, 200.0],
            &[0.0, 0.6, -0.6, 0.099_667_99, 0.291_312_6, 1e-20, 1.0],
        ),
    ];
    // The slope, told from the output: 1 - 0.6², 0.75 (1 - 0.75). ReLU has none at 0.
    let slopes: [(Activation, &[f32], &[f32]); 4] = [
        (Activation::Identity, &[-1.5, 0.0], &[2.0, 2.0]),
        (Activation::Relu, &[0.0, 2.0], &[0.0, 2.0]),
        (Activation::Sigmoid, &[0.75, 1.0], &[0.375, 0.0]),
        (Activation::Tanh, &[0.5, -0.5, 1.0], &[1.5, 1.5, 0.0]),
    ];
    for (name, device) in devices_and_forms() {
        for (activation, z, expected) in cases {
            let mut plan = Plan::new();
            let [tz, ty] = ["z", "y"].map(|label| plan.tensor(label, 1, 1, z.len() as u32));
            record_activate(&mut plan, activation, tz, ty).expect("shapes");
            check(&format!("{name}, {activation}"), &run(&device, &plan, &[(tz, z)], ty), expected, FUNCTION);
        }
        for (activation, y, expected) in slopes {
            let mut plan = Plan::new();
            let [tdy, ty, tdz] = ["dy", "y", "dz"].map(|label| plan.tensor(label, 1, 1, y.len() as u32));
            record_activate_backward(&mut plan, activation, tdy, ty, tdz).expect("shapes");
            let found = run(&device, &plan, &[(tdy, &vec![2.0; y.len()]), (ty, y)], tdz);
            check(&format!("{name}, {activation}'s slope"), &found, expected, 0.0);
        }
    }
}

#[test]
fn probabilities_and_the_largest() {
    let ln = |x: f32| f64::from(x).ln() as f32;
    for (name, device) in devices_and_forms() {
        let array = Array::new(&device, [3, 2], &[0.0, ln(3.0), 1e20, 1e20, -1e4, 0.0]).expect("an array");
        let found = array.softmax().and_then(|array| array.to_vec()).expect("runs");
        check(name, &found, &[0.25, 0.75, 0.5, 0.5, 0.0, 1.0], FUNCTION);

        let mut plan = Plan::new();
        let (z, classes) = (plan.tensor("z", 1, 4, 3), plan.integers("classes", 1, 4, 1));
        let hits = plan.tensor("hits", 1, 4, 1);
        record_correct(&mut plan, z, classes, hits).expect("shapes");
        let program = device.compile(&plan, &[]).expect("compiles");
        // Of equal ones the first counts.
        let logits = [1.0f32, 3.0, 2.0, 5.0, 5.0, 1.0, 5.0, 5.0, 1.0, -3.0, -2.0, -1.0];
        device.write(&program.buffer(z.buffer), 0, &logits).expect("written");
        device.write(&program.buffer(classes.buffer), 0, &[1u32, 1, 0, 2]).expect("written");
        device.run(&program, 1).expect("runs");
        check(name, &device.read(&program.buffer(hits.buffer)).expect("readable"), &[1.0, 0.0, 1.0, 1.0], 0.0);
    }
}

#[test]
fn arithmetic() {
    for (name, device) in devices_and_forms() {
        let row = |values: &[f32]| Array::new(&device, [1, values.len()], values).expect("an array");
        let (a, b) = (row(&[6.0, -8.0]), row(&[2.0, 4.0]));
        let calculate = |what: &str, array: nngpu::Result<Array>, expected: &[f32], max_relative: f32| {
            let found = array.and_then(|array| array.to_vec()).expect("runs");
            check(&format!("{name}, {what}"), &found, expected, max_relative);
        };
        calculate("sum", a.add(&b), &[8.0, -4.0], 0.0);
        calculate("difference", a.subtract(&b), &[4.0, -12.0], 0.0);
        calculate("product", a.multiply(&b), &[12.0, -32.0], 0.0);
        calculate("quotient", a.divide(&b), &[3.0, -2.0], f32::EPSILON * 3.0);
        calculate("maximum", a.maximum(1.0), &[6.0, 1.0], 0.0);
        calculate("scaled", a.scale(0.5), &[3.0, -4.0], 0.0);
        calculate("mean", row(&[1.0, 2.0, 3.0, 6.0]).mean(), &[3.0], 0.0);
        calculate("all", row(&[1.0, 2.0, 3.0, 6.0]).sum(), &[12.0], 0.0);
        // Negative bases have whole powers; the rest is exp2(b log2 a).
        let bases = row(&[-2.0, 2.0, 0.5]);
        calculate("cubes", bases.power(3.0), &[-8.0, 8.0, 0.125], 0.0);
        calculate("inverse squares", bases.power(-2.0), &[0.25, 0.25, 4.0], 3.0 * f32::EPSILON);
        calculate("zeroth powers", row(&[-2.0, 0.0]).power(0.0), &[1.0, 1.0], 0.0);
        calculate("roots", row(&[4.0, 9.0]).power(0.5), &[2.0, 3.0], FUNCTION);
        calculate("high powers", row(&[2.0]).power(17.0), &[131_072.0], 4.0 * FUNCTION);

        let mut plan = Plan::new();
        let (x, bias, y) = (plan.tensor("x", 1, 2, 2), plan.tensor("bias", 1, 1, 2), plan.tensor("y", 1, 2, 2));
        record_add_bias(&mut plan, x, bias, y).expect("shapes");
        let found = run(&device, &plan, &[(x, &[1.0, 2.0, 3.0, 4.0]), (bias, &[10.0, 20.0])], y);
        check(&format!("{name}, bias"), &found, &[11.0, 22.0, 13.0, 24.0], 0.0);

        let mut plan = Plan::new();
        let (x, y) = (plan.tensor("x", 1, 3, 2), plan.tensor("y", 1, 1, 2));
        record_column_sum(&mut plan, x, y).expect("shapes");
        let found = run(&device, &plan, &[(x, &[1.0, 20.0, 3.0, 40.0, 5.0, 60.0])], y);
        check(&format!("{name}, column sums"), &found, &[9.0, 120.0], 0.0);

        // 3/4 of 8 and 1/4 of twice 6; 3/4 of -4 and 1/4 of twice 10.
        let mut plan = Plan::new();
        let (x, y) = (plan.tensor("x", 1, 1, 2), plan.tensor("y", 1, 1, 2));
        record_blend(&mut plan, 0.25, 2.0, x, y).expect("shapes");
        let found = run(&device, &plan, &[(x, &[6.0, 10.0]), (y, &[8.0, -4.0])], y);
        check(&format!("{name}, a running mean"), &found, &[9.0, 2.0], 0.0);
    }
}

/// The weight after each of two steps from 1, for these gradients; each of two models has its own
/// settings. A weight is four equal ones, because updates go by fours.
fn two_steps(device: &Device, optimizers: [Optimizer; 2], gradients: [f32; 2]) -> [[f32; 2]; 2] {
    let mut plan = Plan::new();
    let (dw, w) = (plan.tensor("dw", 2, 1, 4), plan.tensor("w", 2, 1, 4));
    let state = OptimizerState::declare(&mut plan, &optimizers[0], 2, 4);
    record_update(&mut plan, &optimizers[0], &state, dw, w).expect("shapes");
    let program = device.compile(&plan, &[]).expect("compiles");
    let write = |tensor: Tensor, values: &[f32]| {
        device.write(&program.buffer(tensor.buffer), 0, values).expect("written");
    };
    write(w, &[1.0; 8]);
    write(state.settings, &optimizers.map(|optimizer| optimizer.settings()).concat());
    if let Some(powers) = state.powers {
        write(powers, &[1.0; 4]);
    }
    let mut weights = [[0.0; 2]; 2];
    for (step, gradient) in gradients.into_iter().enumerate() {
        write(dw, &[gradient; 8]);
        device.run(&program, 1).expect("runs");
        let found: Vec<f32> = device.read(&program.buffer(w.buffer)).expect("readable");
        for (model, found) in found.chunks(4).enumerate() {
            assert!(found.iter().all(|value| *value == found[0]), "equal weights stay equal: {found:?}");
            weights[model][step] = found[0];
        }
    }
    weights
}

#[test]
fn sgd_and_momentum() {
    let momentum = |dampening: f32, weight_decay: f32, nesterov: bool| Optimizer::Momentum {
        learning_rate: 0.5,
        momentum: 0.5,
        dampening,
        weight_decay,
        nesterov,
        first_undampened: false,
    };
    for (name, device) in devices_and_forms() {
        let both = |first, second, expected: [[f32; 2]; 2]| {
            let found = two_steps(&device, [first, second], [1.0, 1.0]);
            check(&format!("{name}, {first:?} and {second:?}"), &found.concat(), &expected.concat(), 0.0);
        };
        // 1 - 0.5, and once more; 1 - 0.25, and once more.
        both(Optimizer::sgd(0.5), Optimizer::sgd(0.25), [[0.5, 0.0], [0.75, 0.5]]);
        // v = 1, then 1.5; w = 1 - 0.5, then 0.5 - 0.75.
        // Dampened: v = 0.5, then 0.25 + 0.5; w = 1 - 0.25, then 0.75 - 0.375.
        both(momentum(0.0, 0.0, false), momentum(0.5, 0.0, false), [[0.5, -0.25], [0.75, 0.375]]);
        // Nesterov: w = 1 - 0.5 (1 + 0.5), then 0.25 - 0.5 (1 + 0.75).
        // Decay: g = 1.5, v = 1.5, w = 0.25; then g = 1.125, v = 1.875, w = 0.25 - 0.9375.
        both(momentum(0.0, 0.0, true), momentum(0.0, 0.5, false), [[0.25, -0.625], [0.25, -0.6875]]);
    }
}

#[test]
fn gradients_before_an_update() {
    for (name, device) in devices_and_forms() {
        // 3, 4 and 12 have the norm 13; brought to 6.5 they are half as long, but for the 1e-6 beside 13.
        for (clip, expected) in [
            (Clip::Norm(6.5), [1.5, -2.0, 6.0]),
            (Clip::Norm(13.5), [3.0, -4.0, 12.0]),
            (Clip::Value(3.5), [3.0, -3.5, 3.5]),
        ] {
            let mut plan = Plan::new();
            let dw = plan.tensor("dw", 1, 1, 3);
            record_clip(&mut plan, clip, dw).expect("shapes");
            let found = run(&device, &plan, &[(dw, &[3.0, -4.0, 12.0])], dw);
            check(&format!("{name}, {clip:?}"), &found, &expected, 1e-6);
        }

        // After 4 rows with a mean of 1 come 2 rows of a group of 8 with a mean of 4: 1 + 2/6 of 3.
        for (position, expected) in [(8, 4.0), (12, 2.0)] {
            let mut plan = Plan::new();
            let (x, y) = (plan.tensor("x", 1, 1, 1), plan.tensor("y", 1, 1, 1));
            let at = plan.integers("position", 1, 1, 1);
            record_accumulate(&mut plan, [2, 8], x, at, y).expect("shapes");
            let found = run(&device, &plan, &[(x, &[4.0]), (y, &[1.0]), (at, &[f32::from_bits(position)])], y);
            check(&format!("{name}, {position} rows before"), &found, &[expected], 4.0 * f32::EPSILON);
        }

        // Row 5 is in the second five: half of 0.25. Row 17 is beyond the three rates: the first again.
        for (position, expected) in [(5, 0.125), (14, 0.5), (17, 2.0)] {
            let mut plan = Plan::new();
            let (table, settings) = (plan.tensor("table", 1, 1, 3), plan.tensor("settings", 1, 1, 2));
            let at = plan.integers("position", 1, 1, 1);
            record_rate(&mut plan, 0.5, table, at, 5, settings).expect("shapes");
            let inputs: [(Tensor, &[f32]); 3] =
                [(table, &[4.0, 0.25, 1.0]), (settings, &[7.0, 9.0]), (at, &[f32::from_bits(position)])];
            check(&format!("{name}, row {position}"), &run(&device, &plan, &inputs, settings), &[expected, 9.0], 0.0);
        }
    }
}

#[test]
fn adam() {
    let adam = |learning_rate, beta2, weight_decay| Optimizer::Adam {
        learning_rate,
        beta1: 0.9,
        beta2,
        epsilon: 1e-8,
        weight_decay,
        bias_correction: true,
        epsilon_before_correction: false,
    };
    // Gradients 0.5 and -0.25. First step: m = 0.05, corrected 0.5; v = 0.0025, corrected 0.25: the
    // direction is 0.5 / 0.5. With decay w = (1 - 0.01) 1 - 0.1 = 0.89, without 0.9.
    // Second step, beta2 = 0.99: m = 0.045 - 0.025 = 0.02, over 1 - 0.81; v = 0.002475 + 0.000625 =
    // 0.0031, over 1 - 0.9801. Beta2 = 0.9 begins with v = 0.025, corrected 0.25 again.
    let direction = (0.02f64 / 0.19) / (0.0031f64 / 0.0199).sqrt();
    let other = (0.02f64 / 0.19) / ((0.9 * 0.025 + 0.1 * 0.0625) / 0.19f64).sqrt();
    let expected = [[0.89, (0.99 * 0.89 - 0.1 * direction) as f32], [0.9, (0.9 - 0.1 * other) as f32]];
    for (name, device) in devices_and_forms() {
        let found = two_steps(&device, [adam(0.1, 0.99, 0.1), adam(0.1, 0.9, 0.0)], [0.5, -0.25]);
        // 1 - 0.99 and 1 - 0.9801 lose up to seven digits' last bits: 2^-24 / 0.01 at worst.
        check(name, &found.concat(), &expected.concat(), 2e-5);
    }
}

#[test]
fn evaluation_of_numbers() {
    let features = Matrix::new(4, 1, vec![1.0, 2.0, 3.0, 4.0]).expect("a column");
    let targets = Matrix::new(4, 1, vec![1.0, 2.0, 3.0, 5.0]).expect("a column");
    let data = Dataset::new(features.clone(), Targets::Values(targets)).expect("four rows");
    for (name, device) in devices_and_forms() {
        let parameters: [(&str, &[f32]); 2] = [("layers.0.weight", &[1.0]), ("layers.0.bias", &[0.0])];
        let mlp = Mlp::from_parameters(&device, &[1, 1], Activation::Relu, &parameters).expect("a line");
        let evaluation = evaluate(&mlp, &data).expect("measures");
        // One of four squares is 1. The mean is 2.75; the variance 8.75 / 4.
        assert_eq!(evaluation.loss, 0.25, "{name}");
        assert_eq!(evaluation.metric, Metric::R2(1.0 - 0.25 / 2.1875), "{name}");
        assert_eq!(predict(&mlp, &features, Loss::Mse).expect("predicts"), features, "{name}");
    }
}

#[test]
fn targets_that_do_not_vary_have_no_r2() {
    let features = Matrix::new(3, 1, vec![1.0, 2.0, 3.0]).expect("a column");
    let targets = Matrix::new(3, 1, vec![0.1; 3]).expect("a column");
    let data = Dataset::new(features, Targets::Values(targets)).expect("three rows");
    let mlp = Mlp::new(&Device::cpu(), &[1, 1], Activation::Relu, 0).expect("a line");
    let evaluation = evaluate(&mlp, &data).expect("measures");
    assert!(evaluation.loss > 0.0);
    assert!(matches!(evaluation.metric, Metric::R2(value) if value.is_nan()), "{:?}", evaluation.metric);
}

#[test]
fn evaluation_of_classes() {
    let ln3 = 3.0f64.ln() as f32;
    // The network passes its inputs on; each row has probabilities 1/4 and 3/4 in one order.
    let features = Matrix::new(3, 2, vec![0.0, ln3, ln3, 0.0, 0.0, ln3]).expect("two columns");
    let classes = Classes { indices: vec![1, 0, 0], names: vec!["no".into(), "yes".into()] };
    let data = Dataset::new(features.clone(), Targets::Classes(classes)).expect("three rows");
    for (name, device) in devices_and_forms() {
        let parameters: [(&str, &[f32]); 2] =
            [("layers.0.weight", &[1.0, 0.0, 0.0, 1.0]), ("layers.0.bias", &[0.0, 0.0])];
        let mlp = Mlp::from_parameters(&device, &[2, 2], Activation::Relu, &parameters).expect("passes on");
        let evaluation = evaluate(&mlp, &data).expect("measures");
        let loss = (2.0 * (4.0f64 / 3.0).ln() + 4.0f64.ln()) / 3.0;
        let is_near = relative_eq!(evaluation.loss, loss, epsilon = 0.0, max_relative = f64::from(FUNCTION));
        assert!(is_near, "{name}: {}, by hand {loss}", evaluation.loss);
        assert_eq!(evaluation.metric, Metric::Accuracy(2.0 / 3.0), "{name}");
        let probabilities = predict(&mlp, &features, Loss::CrossEntropy).expect("predicts");
        check(name, probabilities.values(), &[0.25, 0.75, 0.75, 0.25, 0.25, 0.75], FUNCTION);
    }
}

/// A root, a quotient and two products are worth less than 20 units in the last place.
const ROOT: f32 = 20.0 * f32::EPSILON;

#[test]
fn normalisation_of_rows() {
    for (name, device) in devices_and_forms() {
        let mut plan = Plan::new();
        let [x, dy, y, dx] = ["x", "dy", "y", "dx"].map(|label| plan.tensor(label, 1, 2, 2));
        let [weight, bias] = ["weight", "bias"].map(|label| plan.tensor(label, 1, 1, 2));
        let (stats, gradients) = (plan.tensor("stats", 1, 2, 2), plan.tensor("gradients", 1, 1, 4));
        let (mean, variance) = (stats.columns(0, 1), stats.columns(1, 1));
        record_moments(&mut plan, true, x, stats).expect("shapes");
        record_normalise(&mut plan, 3.0, x, mean, variance, Some(weight), Some(bias), y).expect("shapes");
        record_normalise_backward(&mut plan, true, 3.0, dy, x, stats, Some(weight), dx).expect("shapes");
        let (dweight, dbias) = (Some(gradients.part(0, 1, 2)), Some(gradients.part(2, 1, 2)));
        record_normalise_gradient(&mut plan, 3.0, dy, x, mean, variance, dweight, dbias).expect("shapes");
        // The second row is the first one moved by 100, which changes its mean alone.
        let inputs: [(Tensor, &[f32]); 4] = [
            (x, &[1.0, 3.0, 101.0, 103.0]),
            (dy, &[1.0, 2.0, 10.0, 20.0]),
            (weight, &[2.0, 4.0]),
            (bias, &[10.0, 20.0]),
        ];
        let found = |tensor| run(&device, &plan, &inputs, tensor);
        check(&format!("{name}, moments"), &found(stats), &[2.0, 1.0, 102.0, 1.0], 0.0);
        // Normals of -1/2 and 1/2: differences of 1 over the root of 1 + 3.
        check(&format!("{name}, y"), &found(y), &[9.0, 22.0, 9.0, 22.0], ROOT);
        // g = (2, 8), its mean is 5; g n = (-1, 4), its mean is 3/2;
        // dx = 1/2 (2 - 5 + 3/4), 1/2 (8 - 5 - 3/4).
        check(&format!("{name}, dx"), &found(dx), &[-1.125, 1.125, -11.25, 11.25], ROOT);
        // -1/2 (1 + 10), 1/2 (2 + 20); 1 + 10, 2 + 20.
        check(&format!("{name}, gradients"), &found(gradients), &[-5.5, 11.0, 11.0, 22.0], ROOT);
    }
}

#[test]
fn normalisation_of_columns_and_without_centring() {
    for (name, device) in devices_and_forms() {
        let mut plan = Plan::new();
        let [x, y] = ["x", "y"].map(|label| plan.tensor(label, 1, 2, 3));
        let stats = plan.tensor("stats", 1, 3, 2);
        record_moments(&mut plan, true, x.transposed(), stats).expect("shapes");
        let [mean, variance] = [0, 1].map(|c| stats.columns(c, 1).transposed());
        record_normalise(&mut plan, 3.0, x, mean, variance, None, None, y).expect("shapes");
        let inputs: [(Tensor, &[f32]); 1] = [(x, &[1.0, 7.0, 5.0, 3.0, 7.0, -5.0])];
        let found = |tensor| run(&device, &plan, &inputs, tensor);
        check(&format!("{name}, moments"), &found(stats), &[2.0, 1.0, 7.0, 0.0, 0.0, 25.0], 0.0);
        let far = 5.0 / 28.0f32.sqrt();
        check(&format!("{name}, y"), &found(y), &[-0.5, 0.0, far, 0.5, 0.0, -far], ROOT);

        // 3 and 4: the mean of squares is 12.5, the root of twice that 5.
        let mut plan = Plan::new();
        let [x, dy, y, dx] = ["x", "dy", "y", "dx"].map(|label| plan.tensor(label, 1, 1, 2));
        let stats = plan.tensor("stats", 1, 1, 2);
        record_moments(&mut plan, false, x, stats).expect("shapes");
        let (mean, variance) = (stats.columns(0, 1), stats.columns(1, 1));
        record_normalise(&mut plan, 12.5, x, mean, variance, None, None, y).expect("shapes");
        record_normalise_backward(&mut plan, false, 12.5, dy, x, stats, None, dx).expect("shapes");
        let inputs: [(Tensor, &[f32]); 2] = [(x, &[3.0, 4.0]), (dy, &[1.0, 2.0])];
        let found = |tensor| run(&device, &plan, &inputs, tensor);
        check(&format!("{name}, mean square"), &found(stats), &[0.0, 12.5], 0.0);
        check(&format!("{name}, y"), &found(y), &[0.6, 0.8], ROOT);
        // dy n = (0.6, 1.6), its mean is 1.1: (1 - 0.66) / 5, (2 - 0.88) / 5.
        check(&format!("{name}, dx"), &found(dx), &[0.068, 0.224], 2.0 * ROOT);
    }
}

#[test]
fn a_variance_keeps_its_digits_beside_a_large_mean() {
    for (name, device) in devices_and_forms() {
        let mut plan = Plan::new();
        let (x, stats) = (plan.tensor("x", 1, 1, 4), plan.tensor("stats", 1, 1, 2));
        record_moments(&mut plan, true, x, stats).expect("shapes");
        // The mean of squares less the square of the mean would be 0, or worse, in 24 bits.
        let found = run(&device, &plan, &[(x, &[8191.0, 8193.0, 8191.0, 8193.0])], stats);
        check(name, &found, &[8192.0, 1.0], 0.0);
    }
}

#[test]
fn dropout_and_its_step() {
    // The first published answer of Threefry-2x32: key and counter of zeros give 0x6b200159.
    const WORD: u32 = 0x6b20_0159;
    for (name, device) in devices_and_forms() {
        // At the threshold an element is kept, below it is dropped. Each model has its own.
        let mut plan = Plan::new();
        let [x, y] = ["x", "y"].map(|label| plan.tensor(label, 2, 1, 1));
        let (noise, step) = (plan.integers("noise", 2, 1, 4), plan.integers("step", 1, 1, 1));
        record_dropout(&mut plan, x, noise, step, y).expect("shapes");
        record_count(&mut plan, step, 5).expect("a counter");
        let program = device.compile(&plan, &[]).expect("compiles");
        let four = 4.0f32.to_bits();
        device.write(&program.buffer(x.buffer), 0, &[1.5f32, 1.5]).expect("written");
        let words = [0, 0, WORD, four, 0, 0, WORD + 1, four];
        device.write(&program.buffer(noise.buffer), 0, &words).expect("written");
        device.write(&program.buffer(step.buffer), 0, &[0u32]).expect("written");
        device.run(&program, 1).expect("runs");
        check(name, &device.read(&program.buffer(y.buffer)).expect("readable"), &[6.0, 0.0], 0.0);
        let counted: Vec<u32> = device.read(&program.buffer(step.buffer)).expect("readable");
        assert_eq!(counted, [5], "{name}");
        device.write(&program.buffer(step.buffer), 0, &[u32::MAX]).expect("written");
        device.run(&program, 1).expect("runs");
        let counted: Vec<u32> = device.read(&program.buffer(step.buffer)).expect("readable");
        assert_eq!(counted, [4], "{name}: after the last step comes the first");
    }
}

#[test]
fn embeddings_and_columns_of_wider_rows() {
    for (name, device) in devices_and_forms() {
        let mut plan = Plan::new();
        let (x, table) = (plan.tensor("x", 1, 4, 3), plan.tensor("table", 1, 3, 2));
        let (y, dtable) = (plan.tensor("y", 1, 4, 4), plan.tensor("dtable", 1, 3, 2));
        // Columns 1 and 2 of y are the table's, columns 0 and 3 those of x beside the codes.
        record_embed(&mut plan, x.columns(1, 1), table, y.columns(1, 2)).expect("shapes");
        record_copy(&mut plan, x.columns(0, 1), y.columns(0, 1)).expect("shapes");
        record_copy(&mut plan, x.columns(2, 1), y.columns(3, 1)).expect("shapes");
        record_embed_gradient(&mut plan, x.columns(1, 1), y.columns(1, 2), dtable).expect("shapes");
        let x_values = [1.0, 0.0, 2.0, 3.0, 2.0, 4.0, 5.0, f32::NAN, 6.0, 7.0, 9.0, 8.0];
        let inputs: [(Tensor, &[f32]); 2] = [(x, &x_values), (table, &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0])];
        // Level 0; level 2; NaN is level 0; beyond the last is the last.
        let expected = [1.0, 10.0, 20.0, 2.0, 3.0, 50.0, 60.0, 4.0, 5.0, 10.0, 20.0, 6.0, 7.0, 50.0, 60.0, 8.0];
        check(&format!("{name}, y"), &run(&device, &plan, &inputs, y), &expected, 0.0);
        // Nobody has level 1.
        let expected = [20.0, 40.0, 0.0, 0.0, 100.0, 120.0];
        check(&format!("{name}, dtable"), &run(&device, &plan, &inputs, dtable), &expected, 0.0);

        // To the nearest, ties to even.
        let mut plan = Plan::new();
        let codes = [0.4, 0.5, 0.6, 1.5, 2.4, -3.0, f32::INFINITY, f32::NEG_INFINITY];
        let (tcodes, table, y) =
            (plan.tensor("codes", 1, 8, 1), plan.tensor("table", 1, 3, 1), plan.tensor("y", 1, 8, 1));
        record_embed(&mut plan, tcodes, table, y).expect("shapes");
        let found = run(&device, &plan, &[(tcodes, &codes), (table, &[0.0, 1.0, 2.0])], y);
        check(&format!("{name}, codes"), &found, &[0.0, 0.0, 1.0, 2.0, 2.0, 0.0, 2.0, 0.0], 0.0);
    }
}

#[test]
fn gates() {
    let ln = |x: f32| f64::from(x).ln() as f32;
    for (name, device) in devices_and_forms() {
        let mut plan = Plan::new();
        let [x, dx] = ["x", "dx"].map(|label| plan.tensor(label, 1, 1, 6));
        let [y, dy] = ["y", "dy"].map(|label| plan.tensor(label, 1, 1, 3));
        record_glu(&mut plan, x, y).expect("shapes");
        record_glu_backward(&mut plan, dy, x, dx).expect("shapes");
        // The gates let 3/4, 1/2 and all through.
        let inputs: [(Tensor, &[f32]); 2] = [(x, &[8.0, 6.0, 5.0, ln(3.0), 0.0, 200.0]), (dy, &[1.0, 2.0, 3.0])];
        check(&format!("{name}, y"), &run(&device, &plan, &inputs, y), &[6.0, 3.0, 5.0], FUNCTION);
        // 8 (3/4) (1/4), 2 * 6 (1/2) (1/2), and nothing where the gate is open.
        let expected = [0.75, 1.0, 3.0, 1.5, 3.0, 0.0];
        check(&format!("{name}, dx"), &run(&device, &plan, &inputs, dx), &expected, 2.0 * FUNCTION);

        let mut plan = Plan::new();
        let [z, y, dy, dz] = ["z", "y", "dy", "dz"].map(|label| plan.tensor(label, 1, 3, 2));
        let [slope, dslope] = ["slope", "dslope"].map(|label| plan.tensor(label, 1, 1, 2));
        record_prelu(&mut plan, z, slope, y).expect("shapes");
        record_prelu_backward(&mut plan, dy, z, slope, dz).expect("shapes");
        record_prelu_gradient(&mut plan, dy, z, dslope).expect("shapes");
        let inputs: [(Tensor, &[f32]); 3] =
            [(z, &[1.0, -1.0, -2.0, 4.0, -4.0, 0.0]), (dy, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), (slope, &[0.25, 0.5])];
        check(&format!("{name}, prelu"), &run(&device, &plan, &inputs, y), &[1.0, -0.5, -0.5, 4.0, -1.0, 0.0], 0.0);
        // At 0 the slope of the left counts.
        check(&format!("{name}, dz"), &run(&device, &plan, &inputs, dz), &[1.0, 1.0, 0.75, 4.0, 1.25, 3.0], 0.0);
        // 3 (-2) + 5 (-4), 2 (-1).
        check(&format!("{name}, dslope"), &run(&device, &plan, &inputs, dslope), &[-26.0, -2.0], 0.0);
    }
}

#[test]
fn the_relatives_of_softmax() {
    let ln = |x: f32| f64::from(x).ln() as f32;
    for (name, device) in devices_and_forms() {
        for (kind, expected) in [
            (SoftmaxKind::Softmax, [0.25, 0.75, 0.0, 1.0]),
            (SoftmaxKind::Softmin, [0.75, 0.25, 1.0, 0.0]),
            (SoftmaxKind::LogSoftmax, [ln(0.25), ln(0.75), -1e20, 0.0]),
        ] {
            let mut plan = Plan::new();
            let [x, y] = ["x", "y"].map(|label| plan.tensor(label, 1, 2, 2));
            record_softmax_of(&mut plan, kind, x, y).expect("shapes");
            let found = run(&device, &plan, &[(x, &[0.0, ln(3.0), -1e20, 0.0])], y);
            check(&format!("{name}, {kind:?}"), &found, &expected, FUNCTION);
        }
        // Shares of 1/4 and 3/4, gradients of 1 and 5: their mean by share is 4.
        for (kind, y_values, expected) in [
            (SoftmaxKind::Softmax, [0.25, 0.75], [-0.75, 0.75]),
            (SoftmaxKind::Softmin, [0.25, 0.75], [0.75, -0.75]),
            // 1 - 6/4, 5 - 18/4.
            (SoftmaxKind::LogSoftmax, [ln(0.25), ln(0.75)], [-0.5, 0.5]),
        ] {
            let mut plan = Plan::new();
            let [dy, y, dx] = ["dy", "y", "dx"].map(|label| plan.tensor(label, 1, 1, 2));
            record_softmax_backward(&mut plan, kind, dy, y, dx).expect("shapes");
            let found = run(&device, &plan, &[(dy, &[1.0, 5.0]), (y, &y_values)], dx);
            // What is left of 5 - 4.5 has a ninth of the digits.
            check(&format!("{name}, {kind:?}'s gradient"), &found, &expected, 10.0 * FUNCTION);
        }
    }
}
