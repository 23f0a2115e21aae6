//! Layers give what MLX's do, forwards and backwards.
//!
//! `golden/mlx_layers.json` holds what MLX and PyTorch computed; `golden/mlx_layers.py` made it and explains
//! its form.

mod common;

use common::{devices_and_forms, run};
use nngpu::Device;
use nngpu::compute::{Plan, Tensor};
use nngpu::kernels::embedding::{record_embed, record_embed_gradient};
use nngpu::kernels::gate::{
    record_glu, record_glu_backward, record_prelu, record_prelu_backward, record_prelu_gradient,
};
use nngpu::kernels::normalise::{
    record_moments, record_normalise, record_normalise_backward, record_normalise_gradient,
};
use nngpu::kernels::softmax::{SoftmaxKind, record_softmax_backward, record_softmax_of};
use serde_json::Value;

/// MLX's default for all layers.
const EPSILON: f32 = 1e-5;

/// MLX's default for the running statistics.
const MOMENTUM: f32 = 0.1;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/mlx_layers.json")).expect("golden file")
}

fn floats(value: &Value) -> Vec<f32> {
    let word = |digits: &Value| u32::from_str_radix(digits.as_str().expect("digits"), 16).expect("hexadecimal");
    value.as_array().expect("numbers").iter().map(|digits| f32::from_bits(word(digits))).collect()
}

fn count(value: &Value) -> u32 {
    value.as_u64().expect("a count") as u32
}

/// Whether two numbers are as near as two ways of rounding one formula. In each, a sum of at most 10 terms,
/// a root, a quotient and some products are rounded, about 30 times, at values up to 4 where the result is
/// smaller than that: 30 * 4 * 2^-24, on both sides.
fn is_near(found: f32, expected: f32) -> bool {
    let bound = 30.0 * f32::EPSILON * expected.abs().max(4.0);
    // Written so that NaN fails; equal infinities are equal.
    found == expected || (expected.is_finite() && (found - expected).abs() <= bound)
}

#[track_caller]
fn check(what: &str, found: &[f32], expected: &Value) {
    let expected = floats(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
        assert!(is_near(found, expected), "{what}, element {i}: {found}, MLX gives {expected}");
    }
}

#[test]
fn a_difference_is_seen() {
    assert!(is_near(1.0, 1.0) && is_near(f32::NEG_INFINITY, f32::NEG_INFINITY));
    assert!(!is_near(1.0, 1.0001) && !is_near(f32::NAN, 1.0) && !is_near(1.0, f32::NAN));
    assert!(!is_near(f32::MAX, f32::INFINITY) && !is_near(f32::INFINITY, f32::NEG_INFINITY));
}

/// One normalisation in training: its output, then its gradients.
fn normalisation(name: &str, are_columns: bool, is_centred: bool) {
    let golden = golden();
    let (rows, columns, golden) = (count(&golden["rows"]), count(&golden["columns"]), &golden[name]);
    for (device_name, device) in devices_and_forms() {
        let mut plan = Plan::new();
        let [x, dy, y, dx] = ["x", "dy", "y", "dx"].map(|label| plan.tensor(label, 1, rows, columns));
        let (weight, bias) = (plan.tensor("weight", 1, 1, columns), plan.tensor("bias", 1, 1, columns));
        let gradients = plan.tensor("gradients", 1, 1, 2 * columns);
        let stats = plan.tensor("stats", 1, if are_columns { columns } else { rows }, 2);
        let turned = |tensor: Tensor| if are_columns { tensor.transposed() } else { tensor };
        let (mean, variance) = (turned(stats.columns(0, 1)), turned(stats.columns(1, 1)));
        let has_bias = golden["bias"].is_array();
        let dbias = has_bias.then(|| gradients.part(columns, 1, columns));

        record_moments(&mut plan, is_centred, turned(x), stats).expect("shapes");
        let given = has_bias.then_some(bias);
        record_normalise(&mut plan, EPSILON, x, mean, variance, Some(weight), given, y).expect("shapes");
        let [ldy, lx, lweight, ldx] = [dy, x, weight, dx].map(turned);
        record_normalise_backward(&mut plan, is_centred, EPSILON, ldy, lx, stats, Some(lweight), ldx).expect("shapes");
        let dweight = Some(gradients.part(0, 1, columns));
        record_normalise_gradient(&mut plan, EPSILON, dy, x, mean, variance, dweight, dbias).expect("shapes");

        let values = [("x", x), ("dy", dy), ("weight", weight)].map(|(name, tensor)| (tensor, floats(&golden[name])));
        let mut inputs: Vec<(Tensor, &[f32])> = values.iter().map(|(tensor, values)| (*tensor, &values[..])).collect();
        let own = if has_bias { floats(&golden["bias"]) } else { Vec::new() };
        inputs.extend(has_bias.then_some((bias, &own[..])));
        for (name, tensor) in [("y", y), ("dx", dx)] {
            let found = run(&device, &plan, &inputs, tensor);
            check(&format!("{device_name}, {name}"), &found, &golden[name]);
        }
        let found = run(&device, &plan, &inputs, gradients);
        let (found_weight, found_bias) = found.split_at(columns as usize);
        check(&format!("{device_name}, dweight"), found_weight, &golden["dweight"]);
        if has_bias {
            check(&format!("{device_name}, dbias"), found_bias, &golden["dbias"]);
        }
    }
}

#[test]
fn layer_norm() {
    normalisation("layer_norm", false, true);
}

#[test]
fn rms_norm() {
    normalisation("rms_norm", false, false);
}

#[test]
fn batch_norm() {
    normalisation("batch_norm", true, true);
}

/// The mean and the variance of each column.
fn moments(device: &Device, rows: u32, columns: u32, x: &[f32]) -> Vec<f32> {
    let mut plan = Plan::new();
    let (tx, stats) = (plan.tensor("x", 1, rows, columns), plan.tensor("stats", 1, columns, 2));
    record_moments(&mut plan, true, tx.transposed(), stats).expect("shapes");
    run(device, &plan, &[(tx, x)], stats)
}

/// Three batches in training, and one that is normalised by what they left.
#[test]
fn batch_norm_s_running_statistics() {
    let golden = golden();
    let (rows, columns, golden) = (count(&golden["rows"]), count(&golden["columns"]), &golden["running"]);
    for (name, device) in devices_and_forms() {
        let (mut mean, mut variance) = (vec![0.0f32; columns as usize], vec![1.0f32; columns as usize]);
        for batch in golden["batches"].as_array().expect("batches") {
            let stats = moments(&device, rows, columns, &floats(batch));
            for ((mean, variance), stats) in mean.iter_mut().zip(&mut variance).zip(stats.chunks(2)) {
                // The running variance is that of a sample: divided by one less than the rows.
                let unbiased = stats[1] * rows as f32 / (rows - 1) as f32;
                *mean = (1.0 - MOMENTUM) * *mean + MOMENTUM * stats[0];
                *variance = (1.0 - MOMENTUM) * *variance + MOMENTUM * unbiased;
            }
        }
        for (whose, golden) in [("MLX", golden), ("PyTorch", &golden["torch"])] {
            check(&format!("{name}, {whose}'s mean"), &mean, &golden["mean"]);
            check(&format!("{name}, {whose}'s variance"), &variance, &golden["variance"]);
        }

        let mut plan = Plan::new();
        let [x, y] = ["x", "y"].map(|label| plan.tensor(label, 1, rows, columns));
        let [tmean, tvariance] = ["mean", "variance"].map(|label| plan.tensor(label, 1, 1, columns));
        // The weight is 1 and the bias 0.
        record_normalise(&mut plan, EPSILON, x, tmean, tvariance, None, None, y).expect("shapes");
        let values = floats(&golden["x"]);
        let found = run(&device, &plan, &[(x, &values), (tmean, &mean), (tvariance, &variance)], y);
        check(&format!("{name}, evaluation"), &found, &golden["y"]);
    }
}

#[test]
fn gated_linear_unit() {
    let golden = golden();
    let (rows, columns, golden) = (count(&golden["rows"]), count(&golden["columns"]), &golden["glu"]);
    let (values, gradient) = (floats(&golden["x"]), floats(&golden["dy"]));
    for (name, device) in devices_and_forms() {
        let mut plan = Plan::new();
        let [x, dx] = ["x", "dx"].map(|label| plan.tensor(label, 1, rows, 2 * columns));
        let [y, dy] = ["y", "dy"].map(|label| plan.tensor(label, 1, rows, columns));
        record_glu(&mut plan, x, y).expect("shapes");
        record_glu_backward(&mut plan, dy, x, dx).expect("shapes");
        for (what, tensor) in [("y", y), ("dx", dx)] {
            let found = run(&device, &plan, &[(x, &values), (dy, &gradient)], tensor);
            check(&format!("{name}, {what}"), &found, &golden[what]);
        }
    }
}

#[test]
fn prelu() {
    let golden = golden();
    let (rows, columns) = (count(&golden["rows"]), count(&golden["columns"]));
    for (kind, slopes) in [("prelu_of_each", columns), ("prelu_of_all", 1)] {
        let golden = &golden[kind];
        let [values, gradient, slope] = ["x", "dy", "slope"].map(|name| floats(&golden[name]));
        for (name, device) in devices_and_forms() {
            let mut plan = Plan::new();
            let [z, y, dy, dz] = ["z", "y", "dy", "dz"].map(|label| plan.tensor(label, 1, rows, columns));
            let [tslope, dslope] = ["slope", "dslope"].map(|label| plan.tensor(label, 1, 1, slopes));
            record_prelu(&mut plan, z, tslope, y).expect("shapes");
            record_prelu_backward(&mut plan, dy, z, tslope, dz).expect("shapes");
            let lanes = |tensor: Tensor| if slopes == 1 { tensor.part(0, rows * columns, 1) } else { tensor };
            record_prelu_gradient(&mut plan, lanes(dy), lanes(z), dslope).expect("shapes");
            for (what, tensor) in [("y", y), ("dx", dz), ("dslope", dslope)] {
                let inputs: [(Tensor, &[f32]); 3] = [(z, &values), (dy, &gradient), (tslope, &slope)];
                check(&format!("{name}, {kind}, {what}"), &run(&device, &plan, &inputs, tensor), &golden[what]);
            }
        }
    }
}

fn kinds() -> [(SoftmaxKind, &'static str); 3] {
    SoftmaxKind::ALL.map(|kind| match kind {
        SoftmaxKind::Softmax => (kind, "softmax"),
        SoftmaxKind::Softmin => (kind, "softmin"),
        SoftmaxKind::LogSoftmax => (kind, "log_softmax"),
    })
}

#[test]
fn softmax_and_its_relatives() {
    let golden = golden();
    let (rows, columns) = (count(&golden["rows"]), count(&golden["columns"]));
    for (kind, what) in kinds() {
        let case = &golden[what];
        let (values, gradient) = (floats(&case["x"]), floats(&case["dy"]));
        for (name, device) in devices_and_forms() {
            let mut plan = Plan::new();
            let [x, y, dy, dx] = ["x", "y", "dy", "dx"].map(|label| plan.tensor(label, 1, rows, columns));
            record_softmax_of(&mut plan, kind, x, y).expect("shapes");
            record_softmax_backward(&mut plan, kind, dy, y, dx).expect("shapes");
            for (part, tensor) in [("y", y), ("dx", dx)] {
                let found = run(&device, &plan, &[(x, &values), (dy, &gradient)], tensor);
                check(&format!("{name}, {what}, {part}"), &found, &case[part]);
            }
        }
    }
}

#[test]
fn softmax_at_extreme_logits() {
    let golden = golden();
    let columns = count(&golden["columns"]);
    for (kind, what) in kinds() {
        let mut values = floats(&golden["extreme"]["x"]);
        if kind == SoftmaxKind::Softmin {
            values.iter_mut().for_each(|value| *value = -*value);
        }
        for (name, device) in devices_and_forms() {
            let mut plan = Plan::new();
            let [x, y] = ["x", "y"].map(|label| plan.tensor(label, 1, values.len() as u32 / columns, columns));
            record_softmax_of(&mut plan, kind, x, y).expect("shapes");
            let found = run(&device, &plan, &[(x, &values)], y);
            check(&format!("{name}, {what}"), &found, &golden["extreme"][what]);
        }
    }
}

#[test]
fn embedding() {
    let golden = golden();
    let (rows, columns, golden) = (count(&golden["rows"]), count(&golden["columns"]), &golden["embedding"]);
    let [codes, values, gradient] = ["codes", "table", "dy"].map(|name| floats(&golden[name]));
    let levels = values.len() as u32 / columns;
    for (name, device) in devices_and_forms() {
        let mut plan = Plan::new();
        let tcodes = plan.tensor("codes", 1, rows, 1);
        let [table, dtable] = ["table", "dtable"].map(|label| plan.tensor(label, 1, levels, columns));
        let [y, dy] = ["y", "dy"].map(|label| plan.tensor(label, 1, rows, columns));
        record_embed(&mut plan, tcodes, table, y).expect("shapes");
        record_embed_gradient(&mut plan, tcodes, dy, dtable).expect("shapes");
        for (what, tensor) in [("y", y), ("dtable", dtable)] {
            let inputs: [(Tensor, &[f32]); 3] = [(tcodes, &codes), (table, &values), (dy, &gradient)];
            check(&format!("{name}, {what}"), &run(&device, &plan, &inputs, tensor), &golden[what]);
        }
    }
}
