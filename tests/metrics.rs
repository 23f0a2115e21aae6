//! Measures and baselines against scikit-learn.
//!
//! `golden/metrics.json` holds what scikit-learn computed; `golden/metrics.py` made it and explains its form.

use nngpu::data::Matrix;
use nngpu::metrics::baseline::Baseline;
use nngpu::metrics::{Score, Truth, measure};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/metrics.json")).expect("golden file")
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number") as f32).collect()
}

fn matrix(value: &Value) -> Matrix {
    let rows: Vec<Vec<f32>> = value.as_array().expect("rows").iter().map(numbers).collect();
    Matrix::new(rows.len(), rows[0].len(), rows.concat()).expect("a matrix")
}

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("n{i}")).collect()
}

/// Calls `f` with the truth of a case, whose kind is told by `kind`.
fn with_truth<T>(kind: &str, truth: &Value, n_classes: usize, f: impl FnOnce(&Truth) -> T) -> T {
    if kind == "classes" {
        let indices: Vec<u32> = numbers(truth).into_iter().map(|index| index as u32).collect();
        return f(&Truth::Classes { indices: &indices, names: &names(n_classes) });
    }
    let values = matrix(truth);
    let names = names(values.columns());
    f(&if kind == "labels" {
        Truth::Labels { values: &values, names: &names }
    } else {
        Truth::Numbers { values: &values, names: &names }
    })
}

#[track_caller]
fn compare(found: &[Score], expected: &Value, of: &str) {
    let expected = expected.as_object().expect("measures by name");
    assert_eq!(found.len(), expected.len(), "{of}: {found:?}");
    for score in found {
        let value = &expected[score.measure.name()];
        match value.as_f64() {
            // The sums differ in the order of their terms alone.
            Some(value) => {
                let difference = (score.value - value).abs();
                assert!(difference <= 1e-12 * value.abs().max(1.0), "{of}: {score:?}, expected {value}");
            }
            None => assert!(score.value.is_nan(), "{of}: {score:?}, expected none"),
        }
    }
}

#[test]
fn measures_are_those_of_scikit_learn() {
    let golden = golden();
    for (i, case) in golden["cases"].as_array().expect("cases").iter().enumerate() {
        let kind = case["kind"].as_str().expect("a kind");
        let answers = matrix(&case["answers"]);
        let weights = case["weights"].is_array().then(|| numbers(&case["weights"]));
        let metrics = with_truth(kind, &case["truth"], answers.columns(), |truth| {
            measure(&answers, truth, weights.as_deref()).expect("metrics")
        });
        let of = format!("case {i} of {kind}");
        compare(&metrics.scores, &case["scores"], &of);
        let parts = case["parts"].as_array().expect("parts");
        assert_eq!(metrics.parts.len(), parts.len(), "{of}");
        for (part, expected) in metrics.parts.iter().zip(parts) {
            compare(&part.scores, expected, &format!("{of}, {}", part.name));
        }
        for score in &metrics.scores {
            let [low, high] = score.measure.range();
            assert!(score.value.is_nan() || (low..=high).contains(&score.value), "{of}: {score:?}");
        }
    }
}

#[test]
fn baselines_are_those_of_scikit_learn() {
    let golden = golden();
    for case in golden["baselines"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let kind = if ["two", "three"].contains(&name) { "classes" } else { name };
        let expected = matrix(&case["answers"]);
        let features = matrix(&case["features"]);
        let found = with_truth(kind, &case["targets"], expected.columns(), |truth| {
            let baseline = Baseline::linear(&features, truth, None).expect("a baseline");
            // Weights that are all alike change nothing.
            let weighted = Baseline::linear(&features, truth, Some(&vec![0.5; features.rows()])).expect("a baseline");
            assert_eq!(baseline, weighted, "{name}");
            baseline.predict(&matrix(&case["others"])).expect("answers")
        });
        assert_eq!((found.rows(), found.columns()), (expected.rows(), expected.columns()));
        for (i, (found, expected)) in found.values().iter().zip(expected.values()).enumerate() {
            // Both stop where slopes are small: 1e-6 here.
            assert!((found - expected).abs() <= 2e-5, "{name}, answer {i}: {found}, expected {expected}");
        }
    }
}
