//! Every kernel computes the same on every device, in every form that the adapter can run.

mod common;

use common::{folding_gpu, gpu, gpu_forms};
use nngpu::Device;
use nngpu::conformance::{Case, cases};
use nngpu::kernels;

#[track_caller]
fn check(case: &Case, expected: &[Vec<u32>], device: &Device, form: &str) {
    let found = case.run(device).unwrap_or_else(|error| panic!("{}, {form}: {error}", case.name));
    let (worst, is_right) = case.compare(expected, &found);
    assert!(is_right, "{}, {form}: {worst:?}; {:?}", case.name, case.reasons().collect::<Vec<_>>());
}

#[test]
fn every_kernel_has_a_case() {
    let cases = cases();
    for kernel in kernels::all() {
        assert!(cases.iter().any(|case| case.kernel == *kernel), "{} has no case", kernel.name);
    }
}

#[test]
fn the_cpu_agrees_with_the_reference() {
    let reference = Device::reference();
    for case in cases() {
        let expected = case.run(&reference).expect("the reference runs everything");
        check(&case, &expected, &Device::cpu_with_threads(2).expect("two threads"), "cpu");
    }
}

#[test]
fn the_gpu_agrees_with_the_reference() {
    let Some(gpu) = gpu() else { return };
    let reference = Device::reference();
    for case in cases() {
        let expected = case.run(&reference).expect("the reference runs everything");
        for (name, device) in gpu_forms(&gpu) {
            check(&case, &expected, &device, name);
        }
    }
}

/// Beyond 65,535 workgroups a grid folds into its second dimension. Lower limits do as well.
#[test]
fn a_folded_grid_computes_the_same() {
    let reference = Device::reference();
    let mut folded = Vec::new();
    // The largest products have enough tiles of 64 for the second limit alone.
    for limit in [4, 13] {
        let Some(gpu) = folding_gpu(limit) else { return };
        let limit = u64::from(limit);
        for case in cases() {
            for (name, device) in gpu_forms(&gpu) {
                let Device::Gpu(gpu) = &device else { unreachable!("forms of a GPU") };
                let workgroups = case.workgroups(&gpu.capabilities());
                if workgroups > limit && workgroups <= limit * limit {
                    let expected = case.run(&reference).expect("the reference runs everything");
                    check(&case, &expected, &device, name);
                    folded.push((case.kernel.name, name));
                }
            }
        }
    }
    for kernel in kernels::all() {
        // A whole model is the work of one workgroup, or of two invocations.
        let is_single = ["sum", "tally", "powers"].contains(&kernel.name);
        let has_folded = folded.iter().any(|(name, _)| *name == kernel.name);
        assert_eq!(has_folded, !is_single, "{}: a grid that folds", kernel.name);
    }
    for form in ["its own forms", "forms of a GPU", "plain forms"] {
        assert!(folded.contains(&("matmul", form)), "a product in {form}");
    }
}

#[test]
fn a_grid_that_cannot_fold_any_more_is_refused() {
    let Some(gpu) = folding_gpu(4) else { return };
    let device = Device::Gpu(gpu);
    let large = nngpu::Array::new(&device, [1, 16 * 64 + 1], &[1.0; 16 * 64 + 1]).expect("a small buffer");
    let message = large.add(&large).expect_err("17 workgroups").to_string();
    let expected =
        "arithmetic: found 17 workgroups for each of 1 models, expected at most 4 × 4 workgroups and 4 models";
    assert_eq!(message, format!("{expected} on this adapter"));
}

/// The comparison itself: it must see every kind of wrong result, in every case.
#[test]
fn planted_faults_are_caught() {
    const GUARD: u32 = 0x7fc0_4e4e;
    let reference = Device::reference();
    for case in cases().iter().filter(|case| case.workgroups(&plain()) < 1000) {
        let expected = case.run(&reference).expect("the reference runs everything");
        assert!(case.compare(&expected, &expected).1, "{}", case.name);
        for buffer in 0..expected.len() {
            let is_own = |word: &u32| *word != GUARD;
            let after = 1 + expected[buffer].iter().rposition(is_own).expect("something is written");
            let end = expected[buffer].len() - 1;
            let mut faults = vec![
                ("an element left out", after - 1, GUARD),
                ("one element too many", after, 0),
                ("a write at the end", end, 0),
                ("a write at the beginning", 0, 0),
            ];
            // Special values may leave no finite one.
            let is_finite = |word: &u32| f32::from_bits(*word).is_finite();
            if let Some(index) = expected[buffer].iter().rposition(is_finite) {
                let right = f32::from_bits(expected[buffer][index]);
                let wrong = (right + 0.05 * (1.0 + right.abs())).to_bits();
                faults.extend([("one wrong element", index, wrong), ("a NaN", index, f32::NAN.to_bits())]);
            }
            for (fault, index, word) in faults {
                let mut found = expected.clone();
                found[buffer][index] = word;
                let (worst, is_right) = case.compare(&expected, &found);
                assert!(!is_right, "{}: {fault} went through", case.name);
                assert_eq!(worst.map(|worst| worst.index), Some(index), "{}: {fault}", case.name);
            }
        }
    }
}

/// An adapter without anything special.
fn plain() -> nngpu::compute::Capabilities {
    nngpu::compute::Capabilities {
        subgroup_size: None,
        is_software: true,
        max_invocations: 256,
        max_workgroup_bytes: 16 * 1024,
    }
}
