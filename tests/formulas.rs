//! Activations and losses that are formulas do what those of a name do, on every device.

mod common;

use std::ops::ControlFlow;

use common::{devices, devices_and_forms, run};
use nngpu::compute::{Plan, Tensor};
use nngpu::data::{Dataset, Matrix, Targets};
use nngpu::kernels::activation::{record_activate, record_activate_backward};
use nngpu::kernels::loss::{LossOperands, record_criterion, record_loss};
use nngpu::train::{Settings, fit};
use nngpu::{Activation, Device, Formula, Loss, Mlp, Optimizer, SlopeOf};

/// From -10 to 10 in steps of 1/16, which meet every kink.
fn grid() -> Vec<f32> {
    (-160..=160).map(|i| i as f32 / 16.0).collect()
}

fn activate(device: &Device, activation: Activation, z: &[f32]) -> Vec<f32> {
    let mut plan = Plan::new();
    let [x, y] = ["x", "y"].map(|label| plan.tensor(label, 1, 1, z.len() as u32));
    record_activate(&mut plan, activation, x, y).expect("records");
    run(device, &plan, &[(x, z)], y)
}

fn slopes(device: &Device, activation: Activation, z: &[f32]) -> Vec<f32> {
    let source = match activation.slope_of() {
        SlopeOf::Input => z.to_vec(),
        SlopeOf::Output => activate(device, activation, z),
    };
    let mut plan = Plan::new();
    let [dy, x, dz] = ["dy", "x", "dz"].map(|label| plan.tensor(label, 1, 1, z.len() as u32));
    record_activate_backward(&mut plan, activation, dy, x, dz).expect("records");
    run(device, &plan, &[(dy, &vec![1.0; z.len()]), (x, &source)], dz)
}

/// Both texts on every device. The bound: as many units of 1, and of the value.
#[track_caller]
fn check_activation(text: &str, named: Activation, units: f32) {
    let activation: Activation = text.parse().expect(text);
    assert!(matches!(activation, Activation::Formula(_)), "{text}");
    let z = grid();
    for (device_name, device) in devices_and_forms() {
        for (what, compute) in [("value", activate as fn(&Device, Activation, &[f32]) -> Vec<f32>), ("slope", slopes)] {
            let (expected, found) = (compute(&device, named, &z), compute(&device, activation, &z));
            for ((z, expected), found) in z.iter().zip(expected).zip(found) {
                let bound = units * f32::EPSILON * (1.0 + expected.abs());
                let is_near = (expected - found).abs() <= bound;
                assert!(is_near, "{device_name}, {text}, {what} at {z}: {found}, {named} has {expected}");
            }
        }
    }
}

/// They choose, clip and multiply once or twice; the slope of a quotient is a difference of two, each off by 3
/// units.
#[test]
fn activations_of_pieces_are_those_of_a_name() {
    for (text, named) in [
        ("x + 0", Activation::Identity),
        ("relu(x)", Activation::Relu),
        ("max(x, 0)", Activation::Relu),
        ("where(x > 0, x, 0)", Activation::Relu),
        ("relu(x)^2", Activation::Relu2),
        ("clip(x, 0, 6)", Activation::Relu6),
        ("where(x >= 0, x, 0.01 * x)", Activation::LeakyRelu { slope: 0.01 }),
        ("where(abs(x) > 0.5, x, 0)", Activation::HardShrink { lambda: 0.5 }),
        ("where(abs(x) > 0.5, x - sign(x) * 0.5, 0)", Activation::Softshrink { lambda: 0.5 }),
        ("where(x >= 0, 1, 0) + 0 * x", Activation::Step { threshold: 0.0 }),
        ("x / (1 + abs(x))", Activation::Softsign),
    ] {
        check_activation(text, named, 8.0);
    }
    check_activation("clip(x, -2, 1.5)", Activation::HardTanh { min: -2.0, max: 1.5 }, 0.0);
}

/// Each of the two may be as far off as the activations may be in `conformance`: 46 units of 1 and 8 of the
/// value; a formula that cancels has the roundings of what cancels, at most 10 units of 10, on top.
#[test]
fn smooth_activations_are_those_of_a_name() {
    for (text, named) in [
        ("sigmoid(x)", Activation::Sigmoid),
        ("1 / (1 + exp(-x))", Activation::Sigmoid),
        ("tanh(x)", Activation::Tanh),
        ("where(x > 0, x, expm1(x))", Activation::Elu { alpha: 1.0 }),
        ("1.0507 * where(x > 0, x, 1.67326 * expm1(x))", Activation::Selu),
        ("where(x > 0, x, 0.6 * expm1(x / 0.6))", Activation::Celu { alpha: 0.6 }),
        ("x * sigmoid(x)", Activation::Silu),
        ("x * (1 + erf(x / sqrt(2))) / 2", Activation::Gelu),
        ("x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2", Activation::GeluApprox),
        ("x * sigmoid(1.702 * x)", Activation::GeluFast),
        ("x * tanh(softplus(x))", Activation::Mish),
        ("softplus(x)", Activation::Softplus),
        ("-softplus(-x)", Activation::LogSigmoid),
        ("x * clip(x + 3, 0, 6) / 6", Activation::HardSwish),
    ] {
        check_activation(text, named, 2.0 * 46.0 + 100.0);
    }
}

/// WGSL lets comparisons, minima and maxima lose NaN, so that each function must see to it.
#[test]
fn nan_goes_through_on_every_device() {
    let nan = [1.0, f32::NAN, -1.0];
    let goes_through = |found: &[f32]| found[1].is_nan() && !found[0].is_nan() && !found[2].is_nan();
    for (device_name, device) in devices_and_forms() {
        for text in [
            "abs(x)",
            "sign(x)",
            "exp(x)",
            "log(2 + x)",
            "log1p(x / 2)",
            "expm1(x)",
            "sqrt(1 + x)",
            "square(x)",
            "sin(x)",
            "cos(x)",
            "tanh(x)",
            "sigmoid(x)",
            "softplus(x)",
            "relu(x)",
            "erf(x)",
            "min(x, 0)",
            "min(0, x)",
            "max(x, 0)",
            "max(0, x)",
            "clip(x, 0, 1)",
            "where(x > 0, 1, 2)",
            "where(0 < x, 1, 2)",
            "where(x <= 0, 1, 2)",
            "x^2",
            "(2 + x)^0.3",
            "2^x",
            "1^x",
            "-x",
        ] {
            let found = activate(&device, text.parse().expect(text), &nan);
            assert!(goes_through(&found), "{device_name}, {text}: {found:?}");
        }
        for text in ["relu(x)", "abs(x)", "min(x, 0)", "max(0, x)", "clip(x, 0, 1)", "where(x > 0, x, 2 * x)"] {
            let found = slopes(&device, text.parse().expect(text), &nan);
            assert!(goes_through(&found), "{device_name}, slope of {text}: {found:?}");
        }
        // What is not defined, and powers of 0.
        for (text, z, expected) in [
            ("log(x)", -1.0, f32::NAN),
            ("sqrt(x)", -1.0, f32::NAN),
            ("x^0.3", -1.0, f32::NAN),
            ("x^0.3", 0.0, 0.0),
            ("x^-0.3", 0.0, f32::INFINITY),
            ("(x + 0.5)^x", 0.0, 1.0),
            ("x^(2 * x)", 0.0, 1.0),
            ("(-x)^3", 2.0, -8.0),
        ] {
            let found = activate(&device, text.parse().expect(text), &[z])[0];
            let is_right = (found.is_nan() && expected.is_nan()) || found == expected;
            assert!(is_right, "{device_name}, {text} at {z}: {found}, expected {expected}");
        }
    }
}

#[test]
fn a_formula_that_is_none_is_told_of() {
    let refused = |text: &str| text.parse::<Activation>().expect_err(text).to_string();
    let message = refused("swishy");
    assert!(message.starts_with("activation: found `swishy`, expected one of identity, relu, "), "{message}");
    assert!(message.ends_with(", step, or a formula of x"), "{message}");
    let message = refused("x * sigmod(x)");
    assert!(message.contains("step, or a formula of x; as a formula: found `sigmod` at column 5, expected x, "));
    let refused = |text: &str| text.parse::<Loss>().expect_err(text).to_string();
    assert!(refused("mean_squares").ends_with(", kl_div, or a formula of p and t"));
    let message = refused("(p - y)^2");
    assert!(
        message.contains("or a formula of p and t; as a formula: found `y` at column 6, expected p, t, "),
        "{message}"
    );
    assert!(refused("t^2").ends_with("as a formula: found `t^2`, expected a formula that depends on p"));

    let other = Formula::parse("a * b", &["a", "b"]).expect("a formula");
    let message = Activation::Formula(other).check().expect_err("other variables").to_string();
    assert_eq!(message, "activation: found `a * b`, a formula of a, b, expected a formula of x");
    let message = Loss::Formula(other).check().expect_err("other variables").to_string();
    assert_eq!(message, "loss: found `a * b`, a formula of a, b, expected a formula of p and t");
}

#[test]
fn the_text_of_a_formula_is_read_again() {
    let activation: Activation = "x*sigmoid( x )".parse().expect("a formula");
    assert_eq!(activation.to_string(), "x * sigmoid(x)");
    assert_eq!("x * sigmoid(x)".parse::<Activation>().expect("its text"), activation);
    let loss: Loss = " abs( p-t ) ".parse().expect("a formula");
    assert_eq!(loss.to_string(), "abs(p - t)");
    let text = serde_json::to_string(&loss).expect("text");
    assert_eq!(text, "\"abs(p - t)\"");
    assert_eq!(serde_json::from_str::<Loss>(&text).expect("its text"), loss);
    assert!(loss.takes_numbers() && !loss.takes_classes());
    assert_eq!((loss.shape(3, 4), loss.n_outputs(3)), ([3, 4], 3));
}

/// Losses and gradients of `[5, 13]` with weights.
fn loss(device: &Device, loss: Loss) -> (Vec<f32>, Vec<f32>) {
    let (rows, columns) = (5, 13);
    let count = rows * columns;
    let mut plan = Plan::new();
    let [output, targets, values, gradient] =
        ["p", "t", "values", "gradient"].map(|label| plan.tensor(label, 1, rows, columns));
    let weights = plan.tensor("weights", 1, rows, 1);
    let operands = LossOperands { output, targets, weights: Some(weights), class_weights: None, values, gradient };
    record_criterion(&mut plan, loss.into(), operands).expect("records");
    let p: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7).sin() * 2.0).collect();
    let t: Vec<f32> = (0..count).map(|i| if i % 7 == 0 { p[i as usize] } else { (i as f32 * 1.3).cos() }).collect();
    let inputs: [(Tensor, &[f32]); 3] = [(output, &p), (targets, &t), (weights, &[0.5, 1.0, 2.0, 0.0, 3.0])];
    (run(device, &plan, &inputs, values), run(device, &plan, &inputs, gradient))
}

#[test]
fn losses_are_those_of_a_name() {
    // The number of units of 1 and of the value by which they may differ.
    for (text, named, units) in [
        ("(p - t)^2", Loss::Mse, 0.0),
        ("square(p - t)", Loss::Mse, 0.0),
        ("abs(p - t)", Loss::L1, 0.0),
        // One product is rounded in place of another.
        ("where(abs(p - t) <= 0.5, 0.5 * (p - t)^2, 0.5 * (abs(p - t) - 0.25))", Loss::Huber { delta: 0.5 }, 8.0),
        ("max(0.75 * (t - p), -0.25 * (t - p))", Loss::Quantile { level: 0.75 }, f32::NAN),
        // exp(p) is allowed 3 + 2|p| units of at most 7.4, twice.
        ("exp(p) - t * p", Loss::Poisson, 120.0),
        // The exponential of a number below 0 is allowed 3 units of 1.
        ("softplus(p) - p * t", Loss::BinaryCrossEntropy, 32.0),
    ] {
        let formula: Loss = text.parse().expect(text);
        assert!(matches!(formula, Loss::Formula(_)), "{text}");
        for (device_name, device) in devices_and_forms() {
            let (expected, found) = (loss(&device, named), loss(&device, formula));
            let pairs = expected.0.iter().zip(&found.0).chain(expected.1.iter().zip(&found.1));
            for (i, (expected, found)) in pairs.enumerate() {
                // At its kink the quantile's slope is 0, the formula's one of the branches.
                if units.is_nan() && i >= 65 && i % 65 % 7 == 0 {
                    continue;
                }
                let bound = if units.is_nan() { 4.0 } else { units } * f32::EPSILON * (1.0 + expected.abs());
                assert!((expected - found).abs() <= bound, "{device_name}, {text}, {i}: {expected} {found}");
            }
        }
    }
}

#[test]
fn a_loss_of_a_formula_takes_no_classes() {
    let mut plan = Plan::new();
    let [p, values, gradient] = ["p", "values", "gradient"].map(|label| plan.tensor(label, 1, 3, 2));
    let classes = plan.buffer("t", nngpu::compute::Element::U32, 3);
    let loss: Loss = "(p - t)^2".parse().expect("a formula");
    let message = record_loss(&mut plan, loss, p, Tensor::of(classes, 1, 3, 1), values, gradient)
        .expect_err("classes")
        .to_string();
    let expected = "(p - t)^2: found class indices as targets, expected numbers";
    assert!(message.starts_with(expected), "{message}");
}

fn curve(device: &Device, activation: &str, loss: &str) -> Vec<f64> {
    let inputs: Vec<f32> = (0..96 * 3).map(|i| (i as f32 * 0.9).sin()).collect();
    let targets: Vec<f32> = inputs.chunks(3).map(|x| (x[0] * x[1] - x[2]).tanh()).collect();
    let targets = Targets::Values(Matrix::new(96, 1, targets).expect("a column"));
    let data = Dataset::new(Matrix::new(96, 3, inputs).expect("three columns"), targets).expect("as many rows");
    let activation = activation.parse().expect("an activation");
    let mut mlp = Mlp::new(device, &[3, 16, 8, 1], activation, 5).expect("a network");
    let settings = Settings {
        optimizer: Optimizer::adam(0.01),
        batch_size: 32,
        epochs: 8,
        seed: 3,
        loss: Some(loss.parse().expect("a loss")),
        ..Settings::default()
    };
    let history = fit(&mut mlp, &data, None, &settings, &mut |_| ControlFlow::Continue(())).expect("trains");
    history.epochs.iter().map(|epoch| epoch.loss).collect()
}

/// A network with formulas learns as one with names does, on every device. Each of 24 steps may round each
/// of its sums, of at most 32 terms near 1, differently, and the activations may be off by 46 units: 128
/// units a step, carried on through steps that contract.
#[test]
fn a_network_with_formulas_learns() {
    let expected = curve(&Device::reference(), "gelu_fast_approx", "mse");
    assert!(expected[7] < 0.8 * expected[0], "{expected:?}");
    let bound = 24.0 * 128.0 * f64::from(f32::EPSILON);
    for (device_name, device) in devices() {
        let found = curve(&device, "x*sigmoid(1.702*x)", "(p - t)^2");
        assert_eq!(found.len(), 8);
        for (expected, found) in expected.iter().zip(&found) {
            assert!((expected - found).abs() <= bound, "{device_name}: {expected} {found}");
        }
    }
}
