//! Every backward kernel against finite differences in f64.

mod common;

use common::differences::{FUNCTION, UNIT, beside_kinks, check, differences, source, uniform, value, wide};
use common::targets::{definition, loss_and_gradient, sample};
use common::{devices_and_forms, run};
use nngpu::compute::{Plan, Tensor};
use nngpu::kernels::activation::record_activate_backward;
use nngpu::kernels::array::record_column_sum;
use nngpu::kernels::dropout::{dropout_noise, record_dropout};
use nngpu::kernels::embedding::record_embed_gradient;
use nngpu::kernels::gate::{record_glu_backward, record_prelu_backward, record_prelu_gradient};
use nngpu::kernels::loss::{
    MarginRanking, MarginRankingOperands, Reduction, Triplet, TripletOperands, record_margin_ranking, record_triplet,
};
use nngpu::kernels::matmul::{record_dense_backward, record_dense_gradient};
use nngpu::kernels::normalise::{record_moments, record_normalise_backward, record_normalise_gradient};
use nngpu::kernels::softmax::{SoftmaxKind, record_softmax_backward};
use nngpu::random::{Key, threefry2x32};
use nngpu::{Activation, Loss, SlopeOf};

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
        for activation in Activation::ALL.into_iter().filter(|activation| activation.is_fusable()) {
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
                // A sum of n products of at most 1: n roundings of at most n, by a slope of at most 1; slopes as
                // above.
                let n = f64::from(outputs);
                let tolerance = (n * n + slope_error(activation) * n) * UNIT;
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
        for loss in Loss::ALL.into_iter().chain([
            Loss::Focal { gamma: 0.5 },
            Loss::BinaryFocal { gamma: 1.5 },
            Loss::Quantile { level: 0.75 },
            Loss::Huber { delta: 0.5 },
            Loss::SmoothL1 { beta: 2.0 },
            "abs(p - t) + 0.1 * (p - t)^2 + softplus(p * t)".parse().expect("a formula"),
        ]) {
            for [rows, columns, _] in SIZES.map(|sizes| sizes.map(|size| size as usize)) {
                let (output, columns, kinds) = sample(loss, 10, rows, columns);
                for targets in kinds {
                    let what = format!("{name}, {loss}, {rows} × {columns}, {targets:?}");
                    let (values, gradient) = loss_and_gradient(&device, loss, columns, &output, &targets);
                    let expected_values = definition(loss, &wide(&output), columns, &targets);
                    let n = expected_values.len() as f64;
                    let sum = |output: &[f64]| definition(loss, output, columns, &targets).iter().sum::<f64>();
                    let slopes = differences(&wide(&output), sum);
                    let largest =
                        |values: &[f64]| values.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
                    // Slopes are off by the roundings of a function or two, of a sum of `columns` and of
                    // a few products and quotients of at most 5; and all are divided by the number of values.
                    let each = (2.0 * FUNCTION + columns as f64 + 50.0) * UNIT * largest(&slopes) / n;
                    let expected: Vec<f64> = slopes.iter().map(|slope| slope / n).collect();
                    check_scaled(&what, &gradient, &expected, each + 1e-9, n);
                    // A sum of up to `columns` terms of at most 25, or a logarithm of one.
                    let each = (2.0 * FUNCTION + 25.0 * columns as f64) * UNIT * largest(&expected_values);
                    check(&what, &values, &expected_values, &vec![each; values.len()]);
                }
            }
        }
    }
}

/// Compares gradients of a mean of `n` values, as [`check`] does those of the sum.
#[track_caller]
fn check_scaled(what: &str, found: &[f32], expected: &[f64], tolerance: f64, n: f64) {
    let found: Vec<f32> = found.iter().map(|&gradient| gradient * n as f32).collect();
    let expected: Vec<f64> = expected.iter().map(|gradient| gradient * n).collect();
    check(what, &found, &expected, &vec![tolerance * n + 2.0 * UNIT; found.len()]);
}

#[test]
fn what_compares_pairs_and_triplets_has_the_gradients_of_its_sum() {
    for (name, device) in devices_and_forms() {
        for [rows, columns, _] in SIZES {
            let count = (rows * columns) as usize;
            let inputs: Vec<f32> = uniform(20, 3 * count, 2.0);
            for p in [1.0, 2.0, 3.0] {
                let settings = Triplet { p, margin: 0.7, eps: 1e-6 };
                let degree = f64::from(p);
                let distance = |a: &[f64], b: &[f64]| {
                    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - b).abs().powf(degree)).sum();
                    (sum + 1e-6).powf(1.0 / degree)
                };
                let loss = |x: &[f64]| -> f64 {
                    let (a, rest) = x.split_at(count);
                    let (b, c) = rest.split_at(count);
                    let own = |x: &'_ [f64], row: usize| x[row * columns as usize..][..columns as usize].to_vec();
                    let value = |row| distance(&own(a, row), &own(b, row)) - distance(&own(a, row), &own(c, row));
                    (0..rows as usize).map(|row| (value(row) + 0.7f32 as f64).max(0.0)).sum()
                };
                let expected = differences(&wide(&inputs), loss);
                let mut plan = Plan::new();
                let [anchors, positives, negatives] =
                    ["anchors", "positives", "negatives"].map(|label| plan.tensor(label, 1, rows, columns));
                let values = plan.tensor("values", 1, rows, 1);
                let [danchors, dpositives, dnegatives] = [(); 3].map(|()| plan.tensor("gradient", 1, rows, columns));
                let operands =
                    TripletOperands { anchors, positives, negatives, values, danchors, dpositives, dnegatives };
                record_triplet(&mut plan, settings, Reduction::Sum, operands).expect("shapes");
                let given = [anchors, positives, negatives].into_iter().zip(inputs.chunks(count));
                let given: Vec<_> = given.collect();
                for (gradient, expected) in [danchors, dpositives, dnegatives].into_iter().zip(expected.chunks(count)) {
                    let found = run(&device, &plan, &given, gradient);
                    // Quotients of at most 1 by a power and a root, which WGSL computes by exp2 and log2.
                    let tolerance = (4.0 * FUNCTION + 10.0 * f64::from(columns)) * UNIT + 1e-9;
                    check(&format!("{name}, degree {p}"), &found, expected, &vec![tolerance; count]);
                }
            }
            let signs: Vec<f32> = uniform(21, count, 1.0).iter().map(|t| t.signum()).collect();
            let loss = |x: &[f64]| -> f64 {
                let pairs = x[..count].iter().zip(&x[count..]).zip(&signs);
                pairs.map(|((a, b), t)| (0.5 - f64::from(*t) * (a - b)).max(0.0)).sum()
            };
            let expected = differences(&wide(&inputs[..2 * count]), loss);
            let mut plan = Plan::new();
            let [x1, x2, targets, values, dx1, dx2] =
                ["x1", "x2", "targets", "values", "dx1", "dx2"].map(|label| plan.tensor(label, 1, rows, columns));
            let operands = MarginRankingOperands { x1, x2, targets, values, dx1, dx2 };
            record_margin_ranking(&mut plan, MarginRanking { margin: 0.5 }, Reduction::Sum, operands).expect("shapes");
            let given = [(x1, &inputs[..count]), (x2, &inputs[count..2 * count]), (targets, &signs[..])];
            for (gradient, expected) in [dx1, dx2].into_iter().zip(expected.chunks(count)) {
                // 1 or -1, exactly; the differences are not.
                check(name, &run(&device, &plan, &given, gradient), expected, &vec![1e-9; count]);
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

/// How lanes of a normalisation lie in a `[rows, columns]` array: rows for LayerNorm, columns for BatchNorm.
#[derive(Clone, Copy, Debug)]
struct Lanes {
    lanes: usize,
    count: usize,
    are_columns: bool,
    is_centred: bool,
}

/// Of the layers: MLX's default is 1e-5; a larger one shows where it is left out.
const VARIANCE_FLOOR: f32 = 1e-2;

impl Lanes {
    fn shape(&self) -> [u32; 2] {
        let [rows, columns] = if self.are_columns { [self.count, self.lanes] } else { [self.lanes, self.count] };
        [rows as u32, columns as u32]
    }

    fn place(&self, lane: usize, c: usize) -> usize {
        if self.are_columns { c * self.lanes + lane } else { lane * self.count + c }
    }

    /// `x` with each lane normalised, and `1 / sqrt(variance + epsilon)` of each lane.
    fn normals(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (mut normals, mut scales) = (vec![0.0; x.len()], Vec::new());
        let n = self.count as f64;
        for lane in 0..self.lanes {
            let values: Vec<f64> = (0..self.count).map(|c| x[self.place(lane, c)]).collect();
            let mean = if self.is_centred { values.iter().sum::<f64>() / n } else { 0.0 };
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            scales.push(1.0 / (variance + f64::from(VARIANCE_FLOOR)).sqrt());
            for (c, value) in values.iter().enumerate() {
                normals[self.place(lane, c)] = (value - mean) * scales[lane];
            }
        }
        (normals, scales)
    }
}

#[test]
fn back_through_a_normalisation_are_the_gradients_of_its_operands() {
    for (name, device) in devices_and_forms() {
        for (seed, [lanes, count, _]) in (20..).step_by(10).zip(SIZES) {
            for (are_columns, is_centred) in [(false, true), (true, true), (false, false)] {
                let lanes = Lanes { lanes: lanes as usize, count: count as usize, are_columns, is_centred };
                let what = format!("{name}, {lanes:?}");
                let [rows, columns] = lanes.shape();
                let size = (rows * columns) as usize;
                let x = uniform(seed, size, 2.0);
                let dy = uniform(seed + 1, size, 1.0);
                let weight = uniform(seed + 2, columns as usize, 1.0);
                // x, then the weight, then the bias, whose value changes nothing.
                let operands = wide(&[&x[..], &weight, &vec![0.0; columns as usize]].concat());
                let sum = |operands: &[f64]| -> f64 {
                    let (x, parameters) = operands.split_at(size);
                    let (weight, bias) = parameters.split_at(columns as usize);
                    let y = lanes.normals(x).0.into_iter().enumerate();
                    let y = y.map(|(i, n)| n * weight[i % columns as usize] + bias[i % columns as usize]);
                    y.zip(&dy).map(|(y, &dy)| y * f64::from(dy)).sum()
                };
                let expected = differences(&operands, sum);

                let mut plan = Plan::new();
                let [tx, tdy, tdx] = ["x", "dy", "dx"].map(|label| plan.tensor(label, 1, rows, columns));
                let tweight = plan.tensor("weight", 1, 1, columns);
                let tstats = plan.tensor("stats", 1, lanes.lanes as u32, 2);
                let whole = plan.tensor("gradients", 1, 1, 2 * columns);
                let (dweight, dbias) = (whole.part(0, 1, columns), whole.part(columns, 1, columns));
                let turned = |tensor: Tensor| if are_columns { tensor.transposed() } else { tensor };
                let (mean, variance) = (turned(tstats.columns(0, 1)), turned(tstats.columns(1, 1)));
                record_moments(&mut plan, is_centred, turned(tx), tstats).expect("shapes");
                let [ldy, lx, lweight, ldx] = [tdy, tx, tweight, tdx].map(turned);
                record_normalise_backward(&mut plan, is_centred, VARIANCE_FLOOR, ldy, lx, tstats, Some(lweight), ldx)
                    .expect("shapes");
                record_normalise_gradient(
                    &mut plan,
                    VARIANCE_FLOOR,
                    tdy,
                    tx,
                    mean,
                    variance,
                    Some(dweight),
                    Some(dbias),
                )
                .expect("shapes");
                let inputs: [(Tensor, &[f32]); 3] = [(tx, &x), (tdy, &dy), (tweight, &weight)];
                let found = [run(&device, &plan, &inputs, tdx), run(&device, &plan, &inputs, whole)].concat();

                // With n values of at most 2 and gradients of at most 1: the mean is off by n + 1
                // roundings of 2, and the scale by n + 30 roundings of itself (a sum, a root of 4.5 and
                // a quotient of 2.5 units of 2 roundings). A normal is at most sqrt(n).
                let n = f64::from(count);
                let scale = lanes.normals(&wide(&x)).1.into_iter().fold(0.0f64, f64::max);
                let normal = n.sqrt();
                let off = (n + 3.0) * 2.0 * scale + (n + 30.0) * normal;
                // dx: the mean of the products is at most 1, and enters times a normal.
                let slope = off + (n + 3.0) * normal;
                let inner = (n + 4.0) + normal * slope + off + 3.0 * (2.0 + normal);
                let dx = scale * (inner + (n + 30.0) * (2.0 + normal)) * UNIT + 1e-7;
                let terms = f64::from(rows);
                let dweight = (terms * (off + 2.0 * normal) + terms * terms * normal) * UNIT + 1e-7;
                let dbias = terms * terms * UNIT + 1e-9;
                let [of_x, of_weight, of_bias] = [(dx, size), (dweight, columns as usize), (dbias, columns as usize)]
                    .map(|(tolerance, count)| vec![tolerance; count]);
                let tolerances = [of_x, of_weight, of_bias].concat();
                for range in [0..size, size..size + columns as usize, size + columns as usize..found.len()] {
                    check(&what, &found[range.clone()], &expected[range.clone()], &tolerances[range]);
                }
            }
        }
    }
}

#[test]
fn softmax_s_backward_is_told_from_its_output() {
    for (name, device) in devices_and_forms() {
        for kind in SoftmaxKind::ALL {
            for [rows, columns, _] in SIZES {
                let size = (rows * columns) as usize;
                let softmax = |x: &[f64]| -> Vec<f64> {
                    let of_row = |x: &[f64]| -> Vec<f64> {
                        let sign = if kind == SoftmaxKind::Softmin { -1.0 } else { 1.0 };
                        let total: f64 = x.iter().map(|x| (sign * x).exp()).sum();
                        let is_log = kind == SoftmaxKind::LogSoftmax;
                        x.iter().map(|x| if is_log { x - total.ln() } else { (sign * x).exp() / total }).collect()
                    };
                    x.chunks(columns as usize).flat_map(of_row).collect()
                };
                let (x, dy) = (wide(&uniform(60, size, 3.0)), uniform(61, size, 1.0));
                let y: Vec<f32> = softmax(&x).into_iter().map(|y| y as f32).collect();
                let sum = |x: &[f64]| softmax(x).iter().zip(&dy).map(|(y, &dy)| y * f64::from(dy)).sum();
                let expected = differences(&x, sum);

                let mut plan = Plan::new();
                let [tdy, ty, tdx] = ["dy", "y", "dx"].map(|label| plan.tensor(label, 1, rows, columns));
                record_softmax_backward(&mut plan, kind, tdy, ty, tdx).expect("shapes");
                let found = run(&device, &plan, &[(tdy, &dy), (ty, &y)], tdx);
                let n = f64::from(columns);
                // Shares of a sum of at most 1, whose n terms are rounded; or a sum of at most n, rounded
                // n times, and an exponential of at most 1 of an output that is rounded below 16.
                let is_log = kind == SoftmaxKind::LogSoftmax;
                let roundings = if is_log { n * n + n * (FUNCTION + 16.0) } else { 2.0 * (n + 10.0) };
                check(&format!("{name}, {kind:?}"), &found, &expected, &vec![roundings * UNIT + 1e-9; size]);
            }
        }
    }
}

#[test]
fn back_through_a_gate_are_the_gradients_of_both_halves() {
    for (name, device) in devices_and_forms() {
        for [rows, columns, _] in SIZES {
            let width = columns as usize;
            let size = rows as usize * width;
            let (x, dy) = (uniform(62, 2 * size, 3.0), uniform(63, size, 1.0));
            let sum = |x: &[f64]| -> f64 {
                let rows = x.chunks(2 * width).zip(dy.chunks(width));
                rows.map(|(x, dy)| {
                    let (a, b) = x.split_at(width);
                    let gated = a.iter().zip(b).map(|(a, &b)| a * value(Activation::Sigmoid, b));
                    gated.zip(dy).map(|(y, &dy)| y * f64::from(dy)).sum::<f64>()
                })
                .sum()
            };
            let expected = differences(&wide(&x), sum);

            let mut plan = Plan::new();
            let tdy = plan.tensor("dy", 1, rows, columns);
            let [tx, tdx] = ["x", "dx"].map(|label| plan.tensor(label, 1, rows, 2 * columns));
            record_glu_backward(&mut plan, tdy, tx, tdx).expect("shapes");
            let found = run(&device, &plan, &[(tdy, &dy), (tx, &x)], tdx);
            // A sigmoid of at most 1; or two whose product is at most 1/4, times a value of at most 3.
            check(name, &found, &expected, &vec![(2.0 * FUNCTION + 3.0) * UNIT + 1e-9; 2 * size]);
        }
    }
}

#[test]
fn back_through_prelu_are_the_gradients_of_its_input_and_slopes() {
    for (name, device) in devices_and_forms() {
        for [rows, columns, _] in SIZES {
            for slopes in [columns, 1] {
                let size = (rows * columns) as usize;
                let z = beside_kinks(Activation::Relu, &wide(&uniform(64, size, 1.0)));
                let z: Vec<f32> = z.into_iter().map(|z| z as f32).collect();
                let (dy, slope) = (uniform(65, size, 1.0), uniform(66, slopes as usize, 1.0));
                let sum = |operands: &[f64]| -> f64 {
                    let (z, slope) = operands.split_at(size);
                    let y = z.iter().enumerate().map(|(i, z)| z.max(0.0) + slope[i % slopes as usize] * z.min(0.0));
                    y.zip(&dy).map(|(y, &dy)| y * f64::from(dy)).sum()
                };
                let expected = differences(&wide(&[&z[..], &slope].concat()), sum);

                let mut plan = Plan::new();
                let [tdy, tz, tdz] = ["dy", "z", "dz"].map(|label| plan.tensor(label, 1, rows, columns));
                let [tslope, tdslope] = ["slope", "dslope"].map(|label| plan.tensor(label, 1, 1, slopes));
                record_prelu_backward(&mut plan, tdy, tz, tslope, tdz).expect("shapes");
                let lanes = |tensor: Tensor| if slopes == 1 { tensor.part(0, rows * columns, 1) } else { tensor };
                record_prelu_gradient(&mut plan, lanes(tdy), lanes(tz), tdslope).expect("shapes");
                let inputs: [(Tensor, &[f32]); 3] = [(tdy, &dy), (tz, &z), (tslope, &slope)];
                let what = format!("{name}, {slopes} slopes");
                // One product.
                let found = run(&device, &plan, &inputs, tdz);
                check(&what, &found, &expected[..size], &vec![2.0 * UNIT + 1e-9; size]);
                // A sum of n products of at most 1, in a tree: n roundings of at most n bound it.
                let n = (size / slopes as usize) as f64;
                let depth = 8.0 + n / 64.0;
                let found = run(&device, &plan, &inputs, tdslope);
                check(&what, &found, &expected[size..], &vec![n * depth * UNIT + 1e-9; slopes as usize]);
            }
        }
    }
}

#[test]
fn a_table_s_gradient_gathers_the_rows_of_each_level() {
    for (name, device) in devices_and_forms() {
        for [levels, columns, _] in SIZES {
            let rows = 11;
            let codes: Vec<f32> = (0..rows).map(|row| ((row * row + 1) % levels) as f32).collect();
            let dy = uniform(67, (rows * columns) as usize, 1.0);
            let sum = |table: &[f64]| -> f64 {
                let element =
                    |i: usize| table[codes[i / columns as usize] as usize * columns as usize + i % columns as usize];
                dy.iter().enumerate().map(|(i, &dy)| element(i) * f64::from(dy)).sum()
            };
            let expected = differences(&wide(&uniform(68, (levels * columns) as usize, 1.0)), sum);

            let mut plan = Plan::new();
            let (tcodes, tdy) = (plan.tensor("codes", 1, rows, 1), plan.tensor("dy", 1, rows, columns));
            let dtable = plan.tensor("dtable", 1, levels, columns);
            record_embed_gradient(&mut plan, tcodes, tdy, dtable).expect("shapes");
            let found = run(&device, &plan, &[(tcodes, &codes), (tdy, &dy)], dtable);
            let n = f64::from(rows);
            check(name, &found, &expected, &vec![n * n * UNIT + 1e-9; expected.len()]);
        }
    }
}

#[test]
fn back_through_a_mask_is_the_mask() {
    let (key, step) = (Key::new(69), 3u32);
    let noise = dropout_noise(0.25, key).expect("a rate below 1");
    for (name, device) in devices_and_forms() {
        for [rows, columns, _] in SIZES {
            let size = (rows * columns) as usize;
            let dy = uniform(70, size, 1.0);
            let sum = |x: &[f64]| -> f64 {
                let is_kept = |i: usize| threefry2x32(key.words(), [i as u32, step])[0] >= 1 << 30;
                let y = x.iter().enumerate().map(|(i, x)| if is_kept(i) { x / 0.75 } else { 0.0 });
                y.zip(&dy).map(|(y, &dy)| y * f64::from(dy)).sum()
            };
            let expected = differences(&wide(&uniform(71, size, 1.0)), sum);

            let mut plan = Plan::new();
            let [tdy, tdx] = ["dy", "dx"].map(|label| plan.tensor(label, 1, rows, columns));
            let (tnoise, tstep) = (plan.integers("noise", 1, 1, 4), plan.integers("step", 1, 1, 1));
            record_dropout(&mut plan, tdy, tnoise, tstep, tdx).expect("shapes");
            let program = device.compile(&plan, &[]).expect("compiles");
            device.write(&program.buffer(tdy.buffer), 0, &dy).expect("written");
            device.write(&program.buffer(tnoise.buffer), 0, &noise).expect("written");
            device.write(&program.buffer(tstep.buffer), 0, &[step]).expect("written");
            device.run(&program, 1).expect("runs");
            let found: Vec<f32> = device.read(&program.buffer(tdx.buffer)).expect("readable");
            // The scale is rounded, and its product with a gradient, both at most 4/3.
            check(name, &found, &expected, &vec![3.0 * UNIT + 1e-9; size]);
        }
    }
}
