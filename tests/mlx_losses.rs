//! Losses and gradients equal MLX's, and PyTorch's where MLX lacks the loss; at extreme inputs they
//! are what is right.
//!
//! `golden/mlx_losses.json` holds the numbers; `golden/mlx_losses.py` made it and explains its form.

mod common;

use std::collections::BTreeSet;

use common::devices_and_forms;
use nngpu::compute::{Plan, Tensor};
use nngpu::kernels::array::record_sum;
use nngpu::kernels::loss::{
    Criterion, GaussianNll, GaussianOperands, LossOperands, MarginRanking, MarginRankingOperands, Reduction, Triplet,
    TripletOperands, record_criterion, record_gaussian_nll, record_margin_ranking, record_triplet,
};
use nngpu::{Device, Loss};
use serde_json::Value;

fn golden() -> Vec<Value> {
    let golden: Value = serde_json::from_str(include_str!("golden/mlx_losses.json")).expect("golden file");
    golden["cases"].as_array().expect("cases").clone()
}

fn number(value: &Value) -> f32 {
    match value.as_str() {
        Some("inf") => f32::INFINITY,
        Some("-inf") => f32::NEG_INFINITY,
        Some(other) => panic!("{other}"),
        None => value.as_f64().expect("a number") as f32,
    }
}

fn numbers(case: &Value, name: &str) -> Option<Vec<f32>> {
    Some(case[name].as_array()?.iter().map(number).collect())
}

/// A plan that is being recorded, with what its operands are filled with.
struct Calculation<'a> {
    case: &'a Value,
    columns: u32,
    plan: Plan,
    given: Vec<(Tensor, Vec<u32>)>,
}

impl<'a> Calculation<'a> {
    fn new(case: &'a Value) -> Self {
        let columns = case["columns"].as_u64().expect("columns") as u32;
        Calculation { case, columns, plan: Plan::new(), given: Vec::new() }
    }

    /// The operand of this name, of rows of `columns`.
    fn input(&mut self, name: &str, columns: u32) -> Option<Tensor> {
        let values = numbers(self.case, name)?;
        let tensor = self.plan.tensor(name, 1, values.len() as u32 / columns, columns);
        self.given.push((tensor, values.iter().map(|value| value.to_bits()).collect()));
        Some(tensor)
    }

    fn expected(&mut self, name: &str, columns: u32) -> Tensor {
        self.input(name, columns).unwrap_or_else(|| panic!("{name} of {}", self.case))
    }

    fn output(&mut self, like: Tensor, columns: u32) -> Tensor {
        self.plan.tensor("result", 1, like.rows, columns)
    }
}

fn reduction(case: &Value) -> Reduction {
    serde_json::from_value(case["reduction"].clone()).expect("a reduction")
}

/// The reduced value, the loss values, and the gradients, with the names of what is expected.
fn compute(device: &Device, case: &Value) -> Vec<(String, Vec<f32>)> {
    let mut c = Calculation::new(case);
    let (name, reduction, columns) = (case["loss"].as_str().expect("a name"), reduction(case), c.columns);
    let setting = |name: &str| case[name].as_f64().expect("a setting") as f32;
    let (values, gradients): (Tensor, Vec<(&str, Tensor)>) = match name {
        "triplet" => {
            let [anchors, positives, negatives] =
                ["anchors", "positives", "negatives"].map(|name| c.expected(name, columns));
            let values = c.output(anchors, 1);
            let [danchors, dpositives, dnegatives] = [(); 3].map(|()| c.output(anchors, columns));
            let settings = Triplet { p: setting("p"), margin: setting("margin"), ..Triplet::default() };
            let operands = TripletOperands { anchors, positives, negatives, values, danchors, dpositives, dnegatives };
            record_triplet(&mut c.plan, settings, reduction, operands).expect("shapes");
            (values, vec![("danchors", danchors), ("dpositives", dpositives), ("dnegatives", dnegatives)])
        }
        "margin_ranking" => {
            let [x1, x2, targets] = ["x1", "x2", "targets"].map(|name| c.expected(name, columns));
            let [values, dx1, dx2] = [(); 3].map(|()| c.output(x1, columns));
            let operands = MarginRankingOperands { x1, x2, targets, values, dx1, dx2 };
            record_margin_ranking(&mut c.plan, MarginRanking { margin: setting("margin") }, reduction, operands)
                .expect("shapes");
            (values, vec![("dx1", dx1), ("dx2", dx2)])
        }
        _ => {
            let loss: Loss = name.parse().expect("a loss");
            let output = c.expected("output", columns);
            if let (Loss::GaussianNll { eps, full }, Some(variances)) = (loss, c.input("variances", columns)) {
                let targets = c.expected("targets", columns);
                let (values, gradient) = (c.output(output, columns), c.output(output, 2 * columns));
                let operands = GaussianOperands { means: output, variances, targets, weights: None, values, gradient };
                record_gaussian_nll(&mut c.plan, GaussianNll { eps, full }, reduction, operands).expect("shapes");
                (values, vec![("doutput", gradient)])
            } else {
                let [value_rows, value_columns] = loss.shape(output.rows, columns);
                let targets = match case["classes"].as_array() {
                    Some(classes) => {
                        let targets = c.plan.integers("classes", 1, output.rows, 1);
                        let words = classes.iter().map(|class| class.as_u64().expect("a class") as u32).collect();
                        c.given.push((targets, words));
                        targets
                    }
                    None => {
                        let count = case["targets"].as_array().expect("targets").len() as u32;
                        c.expected("targets", count / output.rows)
                    }
                };
                let count = case["weights"].as_array().map_or(1, |weights| weights.len() as u32);
                let weights = c.input("weights", (count / output.rows).max(1));
                let class_weights = c.input("class_weights", columns);
                let values = c.plan.tensor("values", 1, value_rows, value_columns);
                let gradient = c.output(output, columns);
                let operands = LossOperands { output, targets, weights, class_weights, values, gradient };
                record_criterion(&mut c.plan, Criterion { loss, reduction }, operands).expect("shapes");
                (values, vec![("doutput", gradient)])
            }
        }
    };
    let value = c.plan.tensor("value", 1, 1, 1);
    record_sum(&mut c.plan, reduction.scale(values.rows, values.columns), values, value).expect("shapes");

    let program = device.compile(&c.plan, &[]).expect("compiles");
    for (tensor, words) in &c.given {
        device.write(&program.buffer(tensor.buffer), 0, words).expect("written");
    }
    device.run(&program, 1).expect("runs");
    let read = |tensor: Tensor| device.read::<f32>(&program.buffer(tensor.buffer)).expect("readable");
    let mut found = vec![("value".into(), read(value)), ("values".into(), read(values))];
    for (name, tensor) in gradients {
        let whole = read(tensor);
        if tensor.columns == 2 * columns {
            // Means, and beside them variances.
            let half =
                |from| whole.chunks(tensor.columns as usize).flat_map(move |row| &row[from..][..columns as usize]);
            found.push((name.into(), half(0).copied().collect()));
            found.push(("dvariances".into(), half(columns as usize).copied().collect()));
        } else {
            found.push((name.into(), whole));
        }
    }
    found
}

/// Whether results are near enough to those of the golden file; if not, where they differ.
///
/// WGSL allows exp(x) 3 + 2|x| units, |x| <= 3 here, which a quotient doubles; MLX's own f32 adds a
/// few, and so does a sum of 15 terms: 32 units of the largest number of an array, or of 1. At extreme
/// inputs 32 of each number itself: 0 is expected to be 0.
fn compare(case: &Value, name: &str, found: &[f32]) -> Result<(), String> {
    const UNITS: f32 = 32.0 * f32::EPSILON;
    let expected = match &case[name] {
        Value::Array(_) => numbers(case, name).expect("numbers"),
        single => vec![number(single)],
    };
    if found.len() != expected.len() {
        return Err(format!("{name}: found {} numbers, expected {}", found.len(), expected.len()));
    }
    let largest =
        expected.iter().filter(|value| value.is_finite()).fold(1.0f32, |largest, value| largest.max(value.abs()));
    for (i, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
        let tolerance = UNITS * if case["source"] == "by hand" { expected.abs() } else { largest };
        // Written so that NaN fails; infinities are equal.
        if !(found == expected || (found - expected).abs() <= tolerance) {
            return Err(format!("{name} {i}: found {found}, expected {expected}, tolerance {tolerance}"));
        }
    }
    Ok(())
}

/// Whether infinities enter or come out, which WGSL does not promise.
fn is_infinite(case: &Value) -> bool {
    case.to_string().contains("inf\"")
}

#[test]
fn losses_and_gradients_equal_the_golden_ones() {
    for (name, device) in devices_and_forms() {
        for case in golden() {
            if is_infinite(&case) && !["reference", "cpu"].contains(&name) {
                continue;
            }
            let found = compute(&device, &case);
            let n_expected = case.as_object().expect("a case").keys().filter(|key| key.starts_with('d')).count();
            assert_eq!(found.len(), 2 + n_expected, "{case}");
            for (what, found) in found {
                if let Err(difference) = compare(&case, &what, &found) {
                    panic!("{name}: {difference}\n{case}");
                }
            }
        }
    }
}

#[test]
fn every_loss_and_reduction_has_golden_numbers() {
    let cases = golden();
    let of = |source: Option<&str>| -> BTreeSet<String> {
        let cases = cases.iter().filter(|case| source.is_none_or(|source| case["source"] == source));
        let name = |case: &Value| case["loss"].as_str().expect("a name").to_string();
        // `cross_entropy` with and without smoothing share their name.
        let kind =
            |name: String| name.parse::<Loss>().map_or(name, |loss| format!("{:?}", std::mem::discriminant(&loss)));
        cases.map(name).map(kind).collect()
    };
    let mut all: BTreeSet<String> =
        Loss::ALL.iter().map(|loss| format!("{:?}", std::mem::discriminant(loss))).collect();
    all.extend(["triplet", "margin_ranking"].map(String::from));
    assert_eq!(of(None), all);
    // MLX's fourteen, of which two have two variants.
    assert_eq!(of(Some("mlx")).len(), 14 + 2);
    for reduction in ["none", "mean", "sum", "weighted-mean"] {
        assert!(cases.iter().any(|case| case["reduction"] == reduction), "{reduction}");
    }
    assert!(cases.iter().any(|case| case["weights"].is_array()));
    assert!(cases.iter().any(|case| case["class_weights"].is_array()));
}

#[test]
fn the_comparison_sees_planted_faults() {
    let case = serde_json::json!({"source": "mlx", "values": [1.0, 2.0, "inf"], "value": 3.0});
    assert_eq!(compare(&case, "values", &[1.0, 2.0, f32::INFINITY]), Ok(()));
    assert_eq!(compare(&case, "value", &[3.0]), Ok(()));
    for wrong in [
        &[1.0, 2.001, f32::INFINITY][..],
        &[1.0, f32::NAN, f32::INFINITY],
        &[1.0, 2.0, 3e38],
        &[1.0, 2.0, f32::NEG_INFINITY],
        &[1.0, 2.0],
    ] {
        assert!(compare(&case, "values", wrong).is_err(), "{wrong:?}");
    }
    let device = Device::reference();
    for case in golden() {
        for (what, found) in compute(&device, &case) {
            for i in 0..found.len() {
                let mut wrong = found.clone();
                wrong[i] = if found[i] == 0.0 { 0.001 } else { found[i] * 1.001 + 0.001 * found[i].signum() };
                if found[i].is_finite() {
                    assert!(compare(&case, &what, &wrong).is_err(), "{what} {i} of {case}");
                }
            }
        }
    }
}
