//! Activations and their slopes against MLX's own numbers.
//!
//! `golden/mlx_activations.json` holds what MLX computed; `golden/mlx_activations.py` made it.

mod common;

use std::collections::BTreeSet;

use common::{devices_and_forms, run};
use nngpu::compute::{Plan, Tensor};
use nngpu::kernels::activation::{record_activate, record_activate_backward};
use nngpu::{Activation, Device, SlopeOf};
use serde_json::Value;

/// The error of an activation in any device beside that of MLX's own, which computes in f32 as well: each within
/// the bound that `src/conformance/cases/activation.rs` derives from what WGSL allows.
const ABSOLUTE: f32 = 2.0 * 46.0 * f32::EPSILON;
const RELATIVE: f32 = 2.0 * 8.0 * f32::EPSILON;

/// The slopes that are others than MLX's, as the table of [`Activation`] tells: 0 there where both sides have slope
/// 1, and NaN where the branch that is not taken overflows.
fn slope_by_the_table(activation: Activation, z: f32) -> Option<f32> {
    match activation {
        Activation::Celu { .. } if z == 0.0 => Some(1.0),
        Activation::Elu { .. } if z > 88.0 => Some(1.0),
        Activation::Selu if z > 88.0 => Some(1.0507),
        _ => None,
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/mlx_activations.json")).expect("golden file")
}

/// Numbers, or nothing where MLX's is not finite.
fn numbers(value: &Value) -> Vec<Option<f32>> {
    value.as_array().expect("numbers").iter().map(|number| number.as_f64().map(|number| number as f32)).collect()
}

/// The values at `z`, and the slopes.
fn computed(device: &Device, activation: Activation, z: &[f32]) -> [Vec<f32>; 2] {
    let n = z.len() as u32;
    let mut plan = Plan::new();
    let [tz, ty, tdy, tdz]: [Tensor; 4] = ["z", "y", "dy", "dz"].map(|label| plan.tensor(label, 1, 1, n));
    record_activate(&mut plan, activation, tz, ty).expect("shapes");
    let source = if activation.slope_of() == SlopeOf::Output { ty } else { tz };
    record_activate_backward(&mut plan, activation, tdy, source, tdz).expect("shapes");
    let ones = vec![1.0; z.len()];
    [ty, tdz].map(|tensor| run(device, &plan, &[(tz, z), (tdy, &ones)], tensor))
}

fn is_near(found: f32, expected: f32) -> bool {
    (found - expected).abs() <= ABSOLUTE + RELATIVE * expected.abs()
}

#[test]
fn activations_are_mlx_s() {
    let golden = golden();
    let z: Vec<f32> = numbers(&golden["z"]).into_iter().map(|z| z.expect("finite")).collect();
    let cases = golden["cases"].as_object().expect("cases");
    let mut names = BTreeSet::new();
    for (text, case) in cases {
        let activation: Activation = text.parse().expect(text);
        names.insert(activation.name());
        let expected = [numbers(&case["value"]), numbers(&case["gradient"])];
        for (name, device) in devices_and_forms() {
            for (what, (found, expected)) in
                ["value", "slope"].into_iter().zip(computed(&device, activation, &z).into_iter().zip(&expected))
            {
                for ((z, found), expected) in z.iter().zip(found).zip(expected) {
                    let by_the_table = slope_by_the_table(activation, *z).filter(|_| what == "slope");
                    let expected = by_the_table.or(*expected).expect("finite");
                    assert!(is_near(found, expected), "{name}, {text}, {what} at {z}: {found}, by MLX {expected}");
                }
            }
        }
    }
    let all: BTreeSet<_> =
        Activation::ALL.into_iter().filter(|a| *a != Activation::Identity).map(Activation::name).collect();
    assert_eq!(names, all, "an activation without MLX's numbers");
}

#[test]
fn a_wrong_number_is_not_near() {
    assert!(is_near(0.5, 0.500_001) && is_near(-1e4, -1e4));
    assert!(!is_near(0.5, 0.5001) && !is_near(f32::NAN, 0.0) && !is_near(0.0, 1e-4));
}
