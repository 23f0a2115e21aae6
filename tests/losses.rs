//! The losses against answers worked by hand, and at extreme logits.

mod common;

use approx::{abs_diff_eq, assert_abs_diff_eq, relative_eq};
use common::devices_and_forms;
use common::targets::{Targets, loss_and_gradient};
use nngpu::Device;

/// One row with its loss and gradient, worked by hand.
#[track_caller]
fn by_hand(output: &[f32], targets: Targets, loss: f32, gradient: &[f32]) {
    for (name, device) in devices_and_forms() {
        let (found_loss, found_gradient) = loss_and_gradient(&device, output.len(), output, &targets);
        let what = format!("{name}, {output:?}, {targets:?}");
        // A few roundings of numbers near 1; a large loss is a difference of two exact numbers.
        let is_near =
            relative_eq!(found_loss[0], loss, epsilon = 8.0 * f32::EPSILON, max_relative = 2.0 * f32::EPSILON);
        assert!(is_near, "{what}: loss {}, by hand {loss}", found_loss[0]);
        assert_eq!(found_gradient.len(), gradient.len(), "{what}");
        for (found, expected) in found_gradient.iter().zip(gradient) {
            let is_near = abs_diff_eq!(*found, *expected, epsilon = 4.0 * f32::EPSILON);
            assert!(is_near, "{what}: gradient {found_gradient:?}, by hand {gradient:?}");
        }
    }
}

#[test]
fn losses_worked_by_hand() {
    let ln = |x: f32| f64::from(x).ln() as f32;
    // (1² + 2²) / 2 = 2.5, and 2 (1, -2) / 2.
    by_hand(&[1.0, 2.0], Targets::Values(vec![0.0, 4.0]), 2.5, &[1.0, -2.0]);
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

#[test]
fn losses_at_extreme_logits() {
    let ln = |x: f64| x.ln() as f32;
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
            let expected = loss_and_gradient(&device, 3, &logits, targets);
            for shift in [1e4, -1e4, 1e6, -1e6] {
                let found = loss_and_gradient(&device, 3, &logits.map(|logit| logit + shift), targets);
                assert_eq!(found, expected, "{name}, shifted by {shift}, {targets:?}");
            }
        }
    }
}

#[test]
fn a_masked_class_may_be_infinitely_unlikely_and_nan_stays_nan() {
    // On the CPU; WGSL does not promise infinities or NaN.
    for device in [Device::reference(), Device::cpu()] {
        let (loss, gradient) =
            loss_and_gradient(&device, 3, &[0.0, f32::NEG_INFINITY, 0.0], &Targets::Classes(vec![0]));
        assert_abs_diff_eq!(loss[0], 2.0f32.ln(), epsilon = 2.0 * f32::EPSILON);
        assert_eq!(gradient, [-0.5, 0.0, 0.5]);
        for targets in Targets::kinds(1, 1, 3) {
            let (loss, _) = loss_and_gradient(&device, 3, &[0.0, f32::NAN, 0.0], &targets);
            assert!(loss[0].is_nan(), "{targets:?}: a NaN was hidden");
        }
    }
}
