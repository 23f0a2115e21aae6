//! Every number of the tutorial notebook, on every device, against MLX's own values and against
//! the digits that the notebook prints.

mod common;

use std::collections::BTreeMap;

use nngpu::digits::six_digits;
use nngpu::nn::{Fusion, Parameters};
use nngpu::tutorial::{SIZES, X, Y};
use nngpu::{Activation, Array, Device, Loss, Mlp, Sgd, tutorial};
use serde_json::Value;

/// At most sixteen roundings of values below 1 lie between the inputs and any number here.
const TOLERANCE: f32 = 16.0 * f32::EPSILON / 2.0;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/mlx_notebook.json")).expect("valid JSON")
}

fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("a number") as f32],
    }
}

fn mlp(device: &Device, set: &Value) -> Mlp {
    let parameters: Vec<(&str, Vec<f32>)> =
        set["weights"].as_object().expect("names").iter().map(|(name, v)| (name.as_str(), numbers(v))).collect();
    let parameters: Vec<(&str, &[f32])> = parameters.iter().map(|(name, v)| (*name, v.as_slice())).collect();
    Mlp::from_parameters(device, &SIZES, Activation::Relu, &parameters).expect("the notebook's network")
}

/// Computes everything that the notebook shows.
fn compute(device: &Device, set: &Value, fusion: Fusion) -> nngpu::Result<BTreeMap<String, Vec<f32>>> {
    let mut found = BTreeMap::new();
    let mut put = |name: &str, array: &Array| -> nngpu::Result<()> {
        found.insert(name.to_string(), array.to_vec()?);
        Ok(())
    };
    let (x, y) = (Array::new(device, [1, 3], &X)?, Array::new(device, [1, 1], &Y)?);
    let mut mlp = mlp(device, set);

    let parameters = mlp.parameters()?;
    let layer = |n: usize| -> nngpu::Result<(Array, Array)> {
        Ok((parameters.get(&format!("layers.{n}.weight"))?, parameters.get(&format!("layers.{n}.bias"))?))
    };
    let ((weight_0, bias_0), (weight_1, bias_1)) = (layer(0)?, layer(1)?);
    let products = weight_0.multiply(&x)?;
    let rows = products.to_vec()?;
    let (first, second) = rows.split_at(3);
    put("products.0", &Array::new(device, [1, 3], first)?)?;
    put("products.1", &Array::new(device, [1, 3], second)?)?;
    let matmul_0 = x.matmul(&weight_0.transpose())?;
    let linear_0 = matmul_0.add(&bias_0)?;
    let relu_0 = linear_0.maximum(0.0)?;
    let matmul_1 = relu_0.matmul(&weight_1.transpose())?;
    let linear_1 = matmul_1.add(&bias_1)?;
    put("matmul.0", &matmul_0)?;
    put("linear.0", &linear_0)?;
    put("relu.0", &relu_0)?;
    put("matmul.1", &matmul_1)?;
    put("linear.1", &linear_1)?;
    put("output", &mlp.forward(&x)?)?;

    let all = |found: &mut BTreeMap<String, Vec<f32>>, prefix: &str, parameters: &Parameters| {
        for (name, array) in parameters.iter() {
            found.insert(format!("{prefix}{name}"), array.to_vec().expect("readable"));
        }
    };
    all(&mut found, "", &parameters);
    let (mse, mse_gradients) = mlp.value_and_grad_with(fusion, &x, &y, Loss::Mse)?;
    let (cross_entropy, gradients) = mlp.value_and_grad_with(fusion, &x, &y, Loss::CrossEntropy)?;
    found.insert("mse".into(), vec![mse]);
    found.insert("cross_entropy".into(), vec![cross_entropy]);
    all(&mut found, "mse_grad.", &mse_gradients);
    all(&mut found, "grad.", &gradients);

    Sgd::new(0.1)?.update(&mut mlp, &gradients)?;
    let updated = mlp.parameters()?;
    all(&mut found, "sgd.", &updated);
    let linear = x.matmul(&updated.get("layers.0.weight")?.transpose())?.add(&updated.get("layers.0.bias")?)?;
    found.insert("after.linear.0".into(), linear.to_vec()?);
    found.insert("after.relu.0".into(), linear.maximum(0.0)?.to_vec()?);
    found.insert("after.output".into(), mlp.forward(&x)?.to_vec()?);
    found.insert("after.mse".into(), vec![mlp.value_and_grad_with(fusion, &x, &y, Loss::Mse)?.0]);
    // A snapshot does not follow later updates.
    all(&mut found, "", &parameters);

    let mut mlp = self::mlp(device, set);
    let sgd = Sgd::new(0.001)?;
    let mut losses = Vec::new();
    for _ in 0..30 {
        let (loss, gradients) = mlp.value_and_grad_with(fusion, &x, &y, Loss::Mse)?;
        sgd.update(&mut mlp, &gradients)?;
        losses.push(loss);
    }
    found.insert("loop.losses".into(), losses);
    all(&mut found, "loop.", &mlp.parameters()?);
    Ok(found)
}

#[test]
fn every_number_is_mlx_s() {
    let golden = golden();
    for (device_name, device) in common::devices() {
        for (set_name, set) in golden["sets"].as_object().expect("sets") {
            for fusion in [Fusion::Fused, Fusion::Plain] {
                let found = compute(&device, set, fusion).expect("computes");
                let expected = set["values"].as_object().expect("values");
                assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
                for (name, expected) in expected {
                    let (expected, found) = (numbers(expected), &found[name]);
                    assert_eq!(expected.len(), found.len(), "{name}");
                    for (expected, found) in expected.iter().zip(found) {
                        let is_near = (expected - found).abs() <= TOLERANCE;
                        assert!(is_near, "{device_name}, {set_name}, {fusion:?}, {name}: {found}, MLX {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_digit_is_the_notebook_s() {
    let golden = golden();
    for (device_name, device) in common::devices() {
        let found = compute(&device, &golden["sets"]["more_digits"], Fusion::Fused).expect("computes");
        for (name, printed) in golden["printed"].as_object().expect("names") {
            for (printed, value) in printed.as_array().expect("digits").iter().zip(&found[name]) {
                let printed = printed.as_str().expect("text");
                // Losses and single products are printed with three decimals.
                let has_three = ["mse", "cross_entropy", "products"].iter().any(|part| name.contains(part));
                let text = if has_three { format!("{value:.3}") } else { six_digits(*value) };
                assert_eq!(text, printed, "{device_name}, {name}");
            }
        }
    }
}

#[test]
fn the_tutorial_prints_every_digit_of_the_notebook() {
    let golden = golden();
    for (device_name, device) in common::devices() {
        let mut text = Vec::new();
        tutorial::tell(&device, &mut text).expect("tells");
        let text = String::from_utf8(text).expect("UTF-8");
        let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || "[]()".contains(c)).collect();
        for (name, printed) in golden["printed"].as_object().expect("names") {
            for printed in printed.as_array().expect("digits") {
                let printed = printed.as_str().expect("text");
                // What the tutorial does not repeat: the hidden layer after the step.
                let is_shown = !name.starts_with("after.linear") && !name.starts_with("after.relu");
                assert!(!is_shown || words.contains(&printed), "{device_name}: {name} {printed} is missing");
            }
        }
        assert_eq!(text.matches("epoch ").count(), 30);
    }
}

#[test]
fn the_tutorial_starts_from_the_notebook_s_weights() {
    let golden = golden();
    for (name, values) in tutorial::PARAMETERS {
        assert_eq!(numbers(&golden["sets"]["more_digits"]["weights"][name]), values, "{name}");
    }
}
