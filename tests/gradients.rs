//! Every backward kernel against finite differences in f64.

mod common;

use common::differences::{FUNCTION, UNIT, beside_kinks, check, differences, source, uniform, value, wide};
use common::targets::{Targets, loss_and_gradient};
use common::{devices_and_forms, run};
use nngpu::compute::Plan;
use nngpu::kernels::activation::record_activate_backward;
use nngpu::kernels::array::record_column_sum;
use nngpu::kernels::matmul::{record_dense_backward, record_dense_gradient};
use nngpu::{Activation, SlopeOf};

/// Sizes that differ and divide nothing; the second has a tile and one more.
const SIZES: [[u32; 3]; 3] = [[3, 5, 2], [17, 33, 9], [1, 4, 31]];

/// Roundings that an activation's slope is worth, for `|z| <= 3`.
fn slope_error(activation: Activation) -> f64 {
    match activation.slope_of() {
        // y is rounded once, squared or divided (5), subtracted, multiplied: of values up to 2.
        SlopeOf::Output => 10.0,
        // Slopes up to 6, by functions of arguments up to 8.
        SlopeOf::Input => FUNCTION + 20.0,
    }
}

#[test]
fn the_activations_backward_is_their_slope() {
    for (name, device) in devices_and_forms() {
        for activation in Activation::ALL {
            for [rows, columns, _] in SIZES {
                let count = (rows * columns) as usize;
                let z = beside_kinks(activation, &wide(&uniform(1, count, 3.0)));
                let dy = uniform(2, count, 1.0);
                let sources: Vec<f32> = z.iter().map(|&z| source(activation, z)).collect();
                let sum = |z: &[f64]| z.iter().zip(&dy).map(|(&z, &dy)| value(activation, z) * f64::from(dy)).sum();
                let expected = differences(&z, sum);

                let mut plan = Plan::new();
                let [tdy, tsource, tdz] = ["dy", "source", "dz"].map(|label| plan.tensor(label, 1, rows, columns));
                record_activate_backward(&mut plan, activation, tdy, tsource, tdz).expect("shapes");
                let found = run(&device, &plan, &[(tdy, &dy), (tsource, &sources)], tdz);
                let tolerance = slope_error(activation) * UNIT;
                check(&format!("{name}, {activation}"), &found, &expected, &vec![tolerance; count]);
            }
        }
    }
}

#[test]
fn back_through_a_layer_is_the_gradient_before_its_activation() {
    for (name, device) in devices_and_forms() {
        for activation in Activation::ALL {
            for [batch, inputs, outputs] in SIZES {
                let z = beside_kinks(activation, &wide(&uniform(3, (batch * inputs) as usize, 3.0)));
                let dy = uniform(4, (batch * outputs) as usize, 1.0);
                let weight = uniform(5, (outputs * inputs) as usize, 1.0);
                let sources: Vec<f32> = z.iter().map(|&z| source(activation, z)).collect();
                // sum of dy * (f(z) weightᵀ)
                let sum = |z: &[f64]| -> f64 {
                    let mut sum = 0.0;
                    for (dy, z) in dy.chunks(outputs as usize).zip(z.chunks(inputs as usize)) {
                        for (dy, weight) in dy.iter().zip(weight.chunks(inputs as usize)) {
                            let product: f64 =
                                z.iter().zip(weight).map(|(&z, &w)| value(activation, z) * f64::from(w)).sum();
                            sum += f64::from(*dy) * product;
                        }
                    }
                    sum
                };
                let expected = differences(&z, sum);

                let mut plan = Plan::new();
                let tdy = plan.tensor("dy", 1, batch, outputs);
                let tweight = plan.tensor("weight", 1, outputs, inputs);
                let [tsource, tdz] = ["source", "dz"].map(|label| plan.tensor(label, 1, batch, inputs));
                record_dense_backward(&mut plan, activation, tdy, tweight, tsource, tdz).expect("shapes");
                let found = run(&device, &plan, &[(tdy, &dy), (tweight, &weight), (tsource, &sources)], tdz);
                // A sum of n products of at most 1: n roundings of at most n, by a slope of at most 6 where
                // it is told from z and 2 elsewhere; slopes as above.
                let n = f64::from(outputs);
                let steepest = if activation.slope_of() == SlopeOf::Input { 6.0 } else { 2.0 };
                let tolerance = (steepest * n * n + slope_error(activation) * n) * UNIT;
                check(&format!("{name}, {activation}"), &found, &expected, &vec![tolerance; z.len()]);
            }
        }
    }
}

#[test]
fn a_layer_s_gradients_are_those_of_its_weight_and_bias() {
    for (name, device) in devices_and_forms() {
        for [batch, inputs, outputs] in SIZES {
            let dz = uniform(6, (batch * outputs) as usize, 1.0);
            let x = uniform(7, (batch * inputs) as usize, 1.0);
            let count = (outputs * inputs + outputs) as usize;
            // sum of dz * (x weightᵀ + bias), the weight first and then the bias.
            let sum = |parameters: &[f64]| -> f64 {
                let (weight, bias) = parameters.split_at((outputs * inputs) as usize);
                let mut sum = 0.0;
                for (dz, x) in dz.chunks(outputs as usize).zip(x.chunks(inputs as usize)) {
                    for ((dz, weight), bias) in dz.iter().zip(weight.chunks(inputs as usize)).zip(bias) {
                        let product: f64 = x.iter().zip(weight).map(|(&x, &w)| f64::from(x) * w).sum();
                        sum += f64::from(*dz) * (product + bias);
                    }
                }
                sum
            };
            let expected = differences(&wide(&uniform(8, count, 1.0)), sum);
            let n = f64::from(batch);
            let tolerances = vec![n * n * UNIT + 1e-9; count];

            let mut plan = Plan::new();
            let (tdz, tx) = (plan.tensor("dz", 1, batch, outputs), plan.tensor("x", 1, batch, inputs));
            let whole = plan.tensor("gradients", 1, 1, count as u32);
            let (dweight, dbias) = (whole.part(0, outputs, inputs), whole.part(outputs * inputs, 1, outputs));
            record_dense_gradient(&mut plan, tdz, tx, dweight, dbias).expect("shapes");
            let found = run(&device, &plan, &[(tdz, &dz), (tx, &x)], whole);
            check(name, &found, &expected, &tolerances);

            let mut plan = Plan::new();
            let (tdz, dbias) = (plan.tensor("dz", 1, batch, outputs), plan.tensor("dbias", 1, 1, outputs));
            record_column_sum(&mut plan, tdz, dbias).expect("shapes");
            let found = run(&device, &plan, &[(tdz, &dz)], dbias);
            let from = (outputs * inputs) as usize;
            check(name, &found, &expected[from..], &tolerances[from..]);
        }
    }
}

#[test]
fn the_losses_gradients_are_those_of_their_mean() {
    for (name, device) in devices_and_forms() {
        for [rows, columns, _] in SIZES.map(|sizes| sizes.map(|size| size as usize)) {
            let output = uniform(10, rows * columns, 4.0);
            for targets in Targets::kinds(11, rows, columns) {
                let what = format!("{name}, {rows} × {columns}, {targets:?}");
                let (losses, gradient) = loss_and_gradient(&device, columns, &output, &targets);
                let expected = differences(&wide(&output), |output| targets.mean_loss(output, columns));
                // Probabilities are off by the roundings of a function and of a sum of `columns`;
                // squares by those of a difference of at most 5. All is divided by the rows.
                let each = (FUNCTION + columns as f64 + 10.0 * 5.0) * UNIT / rows as f64;
                check(&what, &gradient, &expected, &vec![each + 1e-9; rows * columns]);

                let row_losses: Vec<f64> =
                    wide(&output).chunks(columns).enumerate().map(|(row, z)| targets.row_loss(row, z)).collect();
                // A sum of up to `columns` terms of at most 25, or a logarithm of one.
                let each = (FUNCTION + 25.0 * columns as f64) * UNIT;
                check(&what, &losses, &row_losses, &vec![each; rows]);
            }
        }
    }
}

#[test]
fn a_wrong_gradient_is_seen() {
    let is_refused = |found: &[f32], expected: &[f64], tolerance: f64| {
        let tolerances = vec![tolerance; expected.len()];
        std::panic::catch_unwind(|| check("planted", found, expected, &tolerances)).is_err()
    };
    assert!(!is_refused(&[1.0, 2.0], &[1.0, 2.0], 1e-6));
    assert!(is_refused(&[1.0, 2.001], &[1.0, 2.0], 1e-6));
    assert!(is_refused(&[1.0, f32::NAN], &[1.0, 2.0], 1e-6));
    assert!(is_refused(&[1.0], &[1.0, 2.0], 1e-6));
    assert!(is_refused(&[1.0, 2.0], &[1.0, 2.0], 1.0), "a tolerance that swallows all");
}
