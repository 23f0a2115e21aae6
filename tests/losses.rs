//! The losses against answers worked by hand, at extreme logits, and as text.

mod common;

use approx::{abs_diff_eq, assert_abs_diff_eq, relative_eq};
use common::devices_and_forms;
use common::targets::{Targets, loss_and_gradient, sample};
use nngpu::kernels::loss::Link;
use nngpu::{Device, Loss};

/// One row with its loss values and the gradient of their mean, worked by hand.
#[track_caller]
fn row_by_hand(loss: Loss, output: &[f32], targets: Targets, values: &[f32], gradient: &[f32]) {
    for (name, device) in devices_and_forms() {
        let (found_values, found_gradient) = loss_and_gradient(&device, loss, output.len(), output, &targets);
        let what = format!("{name}, {loss}, {output:?}, {targets:?}");
        assert_eq!((found_values.len(), found_gradient.len()), (values.len(), gradient.len()), "{what}");
        for (found, expected) in found_values.iter().zip(values) {
            // A few roundings of numbers near 1; a large loss is a difference of two exact numbers.
            let is_near =
                relative_eq!(*found, *expected, epsilon = 8.0 * f32::EPSILON, max_relative = 2.0 * f32::EPSILON);
            assert!(is_near, "{what}: {found_values:?}, by hand {values:?}");
        }
        for (found, expected) in found_gradient.iter().zip(gradient) {
            let is_near = abs_diff_eq!(*found, *expected, epsilon = 4.0 * f32::EPSILON);
            assert!(is_near, "{what}: gradient {found_gradient:?}, by hand {gradient:?}");
        }
    }
}

/// One row of logits with its cross-entropy.
#[track_caller]
fn by_hand(output: &[f32], targets: Targets, loss: f32, gradient: &[f32]) {
    row_by_hand(Loss::CrossEntropy, output, targets, &[loss], gradient);
}

fn ln(x: f64) -> f32 {
    x.ln() as f32
}

#[test]
fn cross_entropies_worked_by_hand() {
    // Two equal logits: each class has probability 1/2.
    by_hand(&[0.0, 0.0], Targets::Classes(vec![0]), ln(2.0), &[-0.5, 0.5]);
    by_hand(&[5.0, 5.0], Targets::Probabilities(vec![0.25, 0.75]), ln(2.0), &[0.25, -0.25]);
    // Logits 0 and log 3: probabilities 1/4 and 3/4.
    by_hand(&[0.0, ln(3.0)], Targets::Classes(vec![1]), ln(4.0) - ln(3.0), &[0.25, -0.25]);
    // Targets that sum to 1/2: log(1 + 3) - 0 / 2; and to 2: log(2 e) - 2.
    by_hand(&[0.0, ln(3.0)], Targets::Probabilities(vec![0.5, 0.0]), ln(4.0), &[-0.25, 0.75]);
    by_hand(&[1.0, 1.0], Targets::Probabilities(vec![1.0, 1.0]), ln(2.0) - 1.0, &[-0.5, -0.5]);
    // One column, as in the tutorial: z - z t, and 1 - t.
    by_hand(&[0.623_668], Targets::Probabilities(vec![0.2345]), 0.623_668 * (1.0 - 0.2345), &[1.0 - 0.2345]);
}

/// Output, targets, loss values, and the gradient of their mean.
type Row = (Vec<f32>, Targets, Vec<f32>, Vec<f32>);

/// A row of each loss, worked by hand.
fn worked(loss: Loss) -> Row {
    let numbers = |t: &[f32]| Targets::Values(t.to_vec());
    let row = |p: &[f32], t, values: &[f32], gradient: &[f32]| (p.to_vec(), t, values.to_vec(), gradient.to_vec());
    // Where p = 3/4 is right, q = 1/4 is not: q² log(4/3), and its slope.
    let unlikely = ln(4.0 / 3.0) / 16.0;
    let steep = 1.0 / 64.0 + 2.0 * unlikely * 0.75;
    match loss {
        // 1² and 2²; 2 (1, -2) / 2.
        Loss::Mse => row(&[1.0, 2.0], numbers(&[0.0, 4.0]), &[1.0, 4.0], &[1.0, -2.0]),
        Loss::L1 => {
            row(&[1.0, 2.0, 3.0, 5.0], numbers(&[0.0, 4.0, 3.0, 4.0]), &[1.0, 2.0, 0.0, 1.0], &[0.25, -0.25, 0.0, 0.25])
        }
        // 0.5² / 2 and 3 - 1/2.
        Loss::Huber { .. } => row(&[0.5, 3.0], numbers(&[0.0, 0.0]), &[0.125, 2.5], &[0.25, 0.5]),
        Loss::SmoothL1 { .. } => row(&[0.5, -3.0], numbers(&[0.0, 0.0]), &[0.125, 2.5], &[0.25, -0.5]),
        // cosh(log 2) = 5/4 and tanh(log 2) = 3/5; cosh(log 4) = 17/8 and tanh(log 4) = 15/17.
        Loss::LogCosh => row(&[ln(2.0), -ln(4.0)], numbers(&[0.0, 0.0]), &[ln(1.25), ln(2.125)], &[0.3, -7.5 / 17.0]),
        Loss::Quantile { .. } => row(&[1.0, 0.0], numbers(&[0.0, 2.0]), &[0.5, 1.0], &[0.25, -0.25]),
        Loss::Poisson => row(&[0.0, ln(2.0)], numbers(&[3.0, 1.0]), &[1.0, 2.0 - ln(2.0)], &[-1.0, 0.5]),
        Loss::Gamma => row(&[ln(2.0)], numbers(&[4.0]), &[2.0 + ln(2.0)], &[-1.0]),
        // 2 / (1/2) + 3 (1/2) / (1/2), and 2 - 3 / 2.
        Loss::Tweedie { .. } => row(&[ln(4.0)], numbers(&[3.0]), &[7.0], &[0.5]),
        Loss::Hinge => {
            row(&[0.5, 2.0, 1.0, 1.0], numbers(&[1.0, 1.0, 1.0, -1.0]), &[0.5, 0.0, 0.0, 2.0], &[-0.25, 0.0, 0.0, 0.25])
        }
        Loss::BinaryCrossEntropy => row(&[0.0, ln(3.0)], numbers(&[1.0, 0.0]), &[ln(2.0), ln(4.0)], &[-0.25, 0.375]),
        Loss::BinaryCrossEntropyOfProbabilities => {
            row(&[0.25, 0.5], numbers(&[1.0, 0.0]), &[ln(4.0), ln(2.0)], &[-2.0, 1.0])
        }
        Loss::BinaryFocal { .. } => {
            row(&[ln(3.0), -ln(3.0)], numbers(&[1.0, 0.0]), &[unlikely; 2], &[-steep / 2.0, steep / 2.0])
        }
        // Mean 3 and variance 2 of the target 1: (log 2 + 4 / 2) / 2.
        Loss::GaussianNll { .. } => row(&[3.0, 2.0], numbers(&[1.0]), &[ln(2.0) / 2.0 + 1.0], &[1.0, -0.25]),
        // 24 / 25; (4/5 - 3/5 24/25) / 5 and (3/5 - 4/5 24/25) / 5.
        Loss::CosineSimilarity { .. } => row(&[3.0, 4.0], numbers(&[4.0, 3.0]), &[0.96], &[0.0448, -0.0336]),
        Loss::CrossEntropy => row(&[0.0, ln(3.0)], Targets::Classes(vec![0]), &[ln(4.0)], &[-0.75, 0.75]),
        // A tenth is spread: log 4 - 0.05 log 3; 1/4 - 0.95 and 3/4 - 0.05.
        Loss::CrossEntropySmoothed { .. } => {
            row(&[0.0, ln(3.0)], Targets::Classes(vec![0]), &[ln(4.0) - 0.05 * ln(3.0)], &[-0.7, 0.7])
        }
        Loss::Focal { .. } => row(&[0.0, ln(3.0)], Targets::Classes(vec![1]), &[unlikely], &[steep, -steep]),
        Loss::Nll => row(&[ln(0.25), ln(0.75)], Targets::Classes(vec![0]), &[ln(4.0)], &[-1.0, 0.0]),
        Loss::KlDiv => row(
            &[ln(0.5), ln(0.5)],
            numbers(&[ln(0.25), ln(0.75)]),
            &[0.25 * ln(0.5) + 0.75 * ln(1.5)],
            &[-0.25, -0.75],
        ),
        // 1² + 3 and 2² + 3 · 2; (2 + 3) / 2 and (-4 - 3) / 2.
        Loss::Formula(_) => row(&[1.0, 2.0], numbers(&[0.0, 4.0]), &[4.0, 10.0], &[2.5, -3.5]),
    }
}

#[test]
fn every_loss_worked_by_hand() {
    let formula: Loss = "(p - t)^2 + 3 * abs(p - t)".parse().expect("a formula");
    for loss in Loss::ALL.into_iter().chain([formula]) {
        let (output, targets, values, gradient) = worked(loss);
        row_by_hand(loss, &output, targets, &values, &gradient);
    }
    // Parameters count.
    let zeros = |n| Targets::Values(vec![0.0; n]);
    row_by_hand(Loss::Huber { delta: 2.0 }, &[1.0, 4.0], zeros(2), &[0.5, 6.0], &[0.5, 1.0]);
    row_by_hand(Loss::SmoothL1 { beta: 2.0 }, &[1.0, 4.0], zeros(2), &[0.25, 3.0], &[0.25, 0.5]);
    row_by_hand(Loss::SmoothL1 { beta: 0.0 }, &[2.0, 0.0], zeros(2), &[2.0, 0.0], &[0.5, 0.0]);
    row_by_hand(Loss::Quantile { level: 0.75 }, &[1.0, -2.0], zeros(2), &[0.25, 1.5], &[0.125, -0.375]);
    let full = 0.5 * (2.0 * std::f64::consts::PI).ln() as f32;
    row_by_hand(
        Loss::GaussianNll { eps: 0.5, full: true },
        &[0.0, 0.25],
        zeros(1),
        &[full - ln(2.0) / 2.0],
        &[0.0, 0.0],
    );
}

#[test]
fn losses_as_text() {
    for loss in Loss::ALL {
        assert_eq!(loss.to_string().parse::<Loss>().expect("its own text"), loss);
        assert_eq!(loss.to_string().replace('_', "-").parse::<Loss>().expect("hyphens"), loss);
        let text = serde_json::to_string(&loss).expect("text");
        assert_eq!(text, format!("\"{loss}\""));
        assert_eq!(serde_json::from_str::<Loss>(&text).expect("its own text"), loss);
    }
    let parse = |text: &str| text.parse::<Loss>().expect(text);
    assert_eq!(parse("cross-entropy"), Loss::CrossEntropy);
    assert_eq!(parse("cross_entropy(0.25)"), Loss::CrossEntropySmoothed { label_smoothing: 0.25 });
    assert_eq!(parse(" huber ( 0.5 ) "), Loss::Huber { delta: 0.5 });
    assert_eq!(parse("gaussian_nll(1e-3)"), Loss::GaussianNll { eps: 1e-3, full: false });
    assert_eq!(parse("gaussian_nll(1e-3,1)"), Loss::GaussianNll { eps: 1e-3, full: true });
    assert_eq!(parse("quantile"), Loss::Quantile { level: 0.5 });
    let refused = |text: &str| text.parse::<Loss>().expect_err(text).to_string();
    for text in
        ["", "mse(1)", "huber(1, 2)", "huber(x)", "huber(", "huber()", "gaussian_nll(1, 0.5)", "huberx", "huber 1"]
    {
        let message = refused(text);
        let expected = format!("loss: found `{text}`, expected one of mse, l1, huber(1), smooth_l1(1), ");
        assert!(message.starts_with(&expected), "{message}");
    }
    assert_eq!(refused("huber(0)"), "delta of the loss huber: found 0, expected a number above 0");
    assert_eq!(refused("huber(NaN)"), "delta of the loss huber: found NaN, expected a number above 0");
    assert_eq!(refused("smooth_l1(-1)"), "beta of the loss smooth_l1: found -1, expected a number of 0 or more");
    assert_eq!(refused("quantile(1)"), "level of the loss quantile: found 1, expected a number above 0 and below 1");
    assert_eq!(refused("tweedie(2)"), "power of the loss tweedie: found 2, expected a number above 1 and below 2");
    assert_eq!(refused("focal(inf)"), "gamma of the loss focal: found inf, expected a number of 0 or more");
    assert_eq!(refused("gaussian_nll(0)"), "eps of the loss gaussian_nll: found 0, expected a number above 0");
    assert_eq!(
        refused("cross_entropy(1)"),
        "label smoothing of the loss cross_entropy: found 1, expected a number from 0 on and below 1"
    );
}

#[test]
fn a_loss_says_what_it_takes_and_what_its_outputs_mean() {
    let classes: Vec<String> = Loss::ALL.iter().filter(|loss| loss.takes_classes()).map(Loss::to_string).collect();
    assert_eq!(classes, ["cross_entropy", "cross_entropy(0.1)", "focal(2)", "nll"]);
    let only_classes: Vec<&str> =
        Loss::ALL.iter().filter(|loss| !loss.takes_numbers()).map(|loss| loss.name()).collect();
    assert_eq!(only_classes, ["focal", "nll"]);
    let linked =
        |link| -> Vec<&str> { Loss::ALL.iter().filter(|loss| loss.link() == link).map(|loss| loss.name()).collect() };
    assert_eq!(linked(Link::Softmax), ["cross_entropy", "cross_entropy", "focal"]);
    assert_eq!(linked(Link::Sigmoid), ["binary_cross_entropy", "binary_focal"]);
    assert_eq!(linked(Link::Exp), ["poisson", "gamma", "tweedie", "nll", "kl_div"]);
    assert_eq!(Loss::Mse.shape(3, 4), [3, 4]);
    assert_eq!(Loss::CrossEntropy.shape(3, 4), [3, 1]);
    let gaussian = Loss::GaussianNll { eps: 1e-6, full: false };
    assert_eq!((gaussian.shape(3, 4), gaussian.n_outputs(2)), ([3, 2], 4));
}

#[test]
fn losses_at_extreme_logits() {
    // Far apart: the loss is the difference, the probabilities are 0 and 1.
    by_hand(&[1e4, 0.0], Targets::Classes(vec![1]), 1e4, &[1.0, -1.0]);
    by_hand(&[1e4, 0.0], Targets::Classes(vec![0]), 0.0, &[0.0, 0.0]);
    by_hand(&[1e20, -1e20], Targets::Classes(vec![1]), 2e20, &[1.0, -1.0]);
    by_hand(&[1e20, -1e20], Targets::Probabilities(vec![0.0, 1.0]), 2e20, &[1.0, -1.0]);
    // A masked class has no probability, and does not disturb the others.
    let two = ln(1.0 + (-1.0f64).exp());
    let p = 1.0 / (1.0 + 1.0f32.exp());
    by_hand(&[1.0, 2.0, -1e30], Targets::Classes(vec![1]), two, &[p, -p, 0.0]);
    by_hand(&[1.0, 2.0, -1e30], Targets::Probabilities(vec![0.0, 1.0, 0.0]), two, &[p, -p, 0.0]);
    by_hand(&[-1e30, 7.0], Targets::Classes(vec![0]), 1e30, &[-1.0, 1.0]);
}

#[test]
fn equal_logits_of_any_size_lose_the_logarithm_of_their_number() {
    for columns in [1, 2, 3, 7, 10, 100] {
        for size in [0.0, 1e4, 1e20, -1e20] {
            let (share, expected) = (1.0 / columns as f32, (columns as f64).ln() as f32);
            let gradient: Vec<f32> = (0..columns).map(|c| share - if c == 0 { 1.0 } else { 0.0 }).collect();
            by_hand(&vec![size; columns], Targets::Classes(vec![0]), expected, &gradient);
            // These sum to 1 but for the rounding of their sum, which times 1e20 would be all there is.
            let shares = Targets::Probabilities(vec![share; columns]);
            by_hand(&vec![size; columns], shares, expected, &vec![0.0; columns]);
        }
    }
}

#[test]
fn only_differences_of_logits_matter() {
    // Whole numbers stay exact when 1e6 is added, so that the same differences enter.
    let logits = [1.0f32, 3.0, -2.0, 0.0, 3.0, 1.0];
    let kinds = [Targets::Classes(vec![1, 0]), Targets::Probabilities(vec![0.25, 0.5, 0.25, 1.0, 0.0, 0.0])];
    for (name, device) in devices_and_forms() {
        for targets in &kinds {
            let expected = loss_and_gradient(&device, Loss::CrossEntropy, 3, &logits, targets);
            for shift in [1e4, -1e4, 1e6, -1e6] {
                let found =
                    loss_and_gradient(&device, Loss::CrossEntropy, 3, &logits.map(|logit| logit + shift), targets);
                assert_eq!(found, expected, "{name}, shifted by {shift}, {targets:?}");
            }
        }
    }
}

#[test]
fn a_masked_class_may_be_infinitely_unlikely_and_nan_stays_nan() {
    // On the CPU; WGSL does not promise infinities or NaN.
    for device in [Device::reference(), Device::cpu()] {
        let (loss, gradient) = loss_and_gradient(
            &device,
            Loss::CrossEntropy,
            3,
            &[0.0, f32::NEG_INFINITY, 0.0],
            &Targets::Classes(vec![0]),
        );
        assert_abs_diff_eq!(loss[0], 2.0f32.ln(), epsilon = 2.0 * f32::EPSILON);
        assert_eq!(gradient, [-0.5, 0.0, 0.5]);
        for loss in Loss::ALL {
            let (output, columns, kinds) = sample(loss, 1, 1, 4);
            for targets in kinds {
                for column in 0..columns {
                    let mut output = output.clone();
                    output[column] = f32::NAN;
                    let (values, gradient) = loss_and_gradient(&device, loss, columns, &output, &targets);
                    // The likelihood of one class does not see the others; a slope of nll is a constant.
                    let is_seen =
                        loss != Loss::Nll || matches!(&targets, Targets::Classes(own) if own[0] as usize == column);
                    assert_eq!(
                        values.iter().any(|value| value.is_nan()),
                        is_seen,
                        "{loss}, {targets:?}: a NaN was hidden"
                    );
                    if !matches!(loss, Loss::Nll | Loss::KlDiv) {
                        assert!(gradient[column].is_nan(), "{loss}, {targets:?}: a NaN was hidden in {gradient:?}");
                    }
                }
            }
        }
    }
}
