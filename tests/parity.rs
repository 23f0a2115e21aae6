//! Every kernel computes the same on every device, in every form that the adapter can run.

mod common;

use std::collections::BTreeSet;

use common::gpu;
use nngpu::Device;
use nngpu::compute::Capabilities;
use nngpu::conformance::{Case, Way, cases, classes, folding};
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
    for kernel in kernels::all_and_examples() {
        assert!(cases.iter().any(|case| case.kernel == kernel), "{} has no case", kernel.name);
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
    let classes = classes(&Device::Gpu(gpu));
    for case in cases() {
        let expected = case.run(&reference).expect("the reference runs everything");
        for class in &classes {
            check(&case, &expected, &class.device, class.name);
        }
    }
}

/// Beyond 65,535 workgroups a grid folds into its second dimension. Shorter grids do as well.
#[test]
fn a_folded_grid_computes_the_same() {
    let Some(gpu) = gpu() else { return };
    let reference = Device::reference();
    let (mut taken, mut folded) = (BTreeSet::new(), BTreeSet::new());
    let classes = classes(&Device::Gpu(gpu));
    let short: Vec<_> = classes.iter().flat_map(folding).collect();
    for case in cases() {
        taken.extend(classes.iter().filter_map(|class| Some((case.kernel.name, case.way(&class.device)?.form))));
        let mut expected = None;
        for class in &short {
            let Some(Way { form, folds_at: Some(_) }) = case.way(&class.device) else { continue };
            let expected = expected.get_or_insert_with(|| case.run(&reference).expect("the reference runs everything"));
            check(&case, expected, &class.device, class.name);
            folded.insert((case.kernel.name, form));
        }
    }
    // A whole model is the work of one workgroup, or of two invocations.
    taken.retain(|(name, _)| !["normalise_weights", "sum", "tally", "powers"].contains(name));
    assert_eq!(folded, taken);
    assert!(folded.len() > kernels::all().len() - 4, "a product in several forms: {folded:?}");
}

#[test]
fn a_grid_that_cannot_fold_any_more_is_refused() {
    let Some(gpu) = gpu() else { return };
    let short = Capabilities { max_workgroups: 4, ..gpu.capabilities() };
    let device = Device::Gpu(gpu.with_capabilities(short));
    let large = nngpu::Array::new(&device, [1, 16 * 64 + 1], &[1.0; 16 * 64 + 1]).expect("a small buffer");
    let message = large.add(&large).expect_err("17 workgroups").to_string();
    assert!(message.starts_with("`arithmetic` needs 17 workgroups, but `"), "{message}");
    let expected = "` allows 16 (the square of maxComputeWorkgroupsPerDimension); use a smaller batch or network, \
                    or another device";
    assert!(message.ends_with(expected), "{message}");
}

/// What one invocation of the plain form computes, how often: its form's workgroups tell, if each
/// size in turn is a workgroup's as large. A kernel of one workgroup shares its first operand's
/// elements among 64 invocations.
fn n_invocations(case: &Case) -> u64 {
    let step = case.step();
    let form = case.kernel.forms.last().expect("a plain form");
    let mut position = 0;
    let mut most = 0;
    for field in case.kernel.params {
        if field.kind == "u32" {
            let mut params = step.params.clone();
            params[position] *= 64;
            most = most.max((form.groups)(&params));
        }
        position += if field.kind == "View" { 4 } else { 1 };
    }
    let first = step.operands[0];
    let shares = form.workgroup_bytes > 0;
    if shares { u64::from(first.rows) * u64::from(first.columns) } else { most }
}

fn is_prime(number: u64) -> bool {
    number > 1
        && (2..number).take_while(|factor| factor * factor <= number).all(|factor| !number.is_multiple_of(factor))
}

/// The sizes at which kernels go wrong.
#[test]
fn the_cases_of_every_kernel_have_the_sizes_that_matter() {
    let cases = cases();
    for kernel in kernels::all_and_examples() {
        let own = || cases.iter().filter(|case| case.kernel == kernel);
        for models in [1, 3] {
            let sizes: BTreeSet<u64> = own().filter(|case| case.step().models == models).map(n_invocations).collect();
            if kernel.name == "powers" {
                // Two numbers of each model: nothing else varies.
                assert_eq!(sizes, [2].into());
                continue;
            }
            for size in [1, 63, 64, 65] {
                assert!(sizes.contains(&size), "{}, {models} models: no case of size {size} in {sizes:?}", kernel.name);
            }
            let is_large_prime = |size: &u64| *size > 64 && is_prime(*size);
            assert!(sizes.iter().any(is_large_prime), "{}, {models} models: no prime in {sizes:?}", kernel.name);
        }
    }
    // One dispatch that really folds; shorter grids fold in a test of their own.
    assert!(cases.iter().any(|case| n_invocations(case) > 65_535 * 64));
}

/// One less than whole tiles, just whole ones, and one more, in rows, columns and depth.
#[test]
fn the_products_end_before_at_and_after_each_tile() {
    let cases = cases();
    let as_class = |is_software, subgroup_size| Capabilities { is_software, subgroup_size, ..plain() };
    let forms = [("tiled 64", 64, 64, 16), ("tiled 32", 32, 32, 16), ("subgroup", 16, 64, 1)].map(|(name, r, c, d)| {
        let capabilities = if name == "subgroup" { as_class(true, Some(8)) } else { as_class(false, None) };
        (name, capabilities, [r, c, d])
    });
    let tiled: BTreeSet<_> = forms.iter().map(|(name, ..)| *name).chain(["plain"]).collect();
    assert_eq!(tiled, nngpu::kernels::matmul::MATMUL.forms.iter().map(|form| form.name).collect());
    for (name, capabilities, tile) in forms {
        let steps = cases.iter().filter(|case| case.kernel.name == "matmul").map(Case::step);
        let taken: Vec<_> = steps.filter(|step| step.kernel.form(&step.params, &capabilities).name == name).collect();
        for (dimension, tile) in tile.into_iter().enumerate() {
            let rests: BTreeSet<u32> = taken
                .iter()
                .map(|step| {
                    let (a, c) = (step.operands[0], step.operands[3]);
                    [c.rows, c.columns, a.columns][dimension] % tile
                })
                .collect();
            for rest in [tile - 1, 0, 1 % tile] {
                assert!(rests.contains(&rest), "{name}, dimension {dimension}: no rest of {rest} in {rests:?}");
            }
        }
    }
}

/// The comparison itself: it must see every kind of wrong result, in every case.
#[test]
fn planted_faults_are_caught() {
    const GUARD: u32 = 0x7fc0_4e4e;
    let reference = Device::reference();
    for case in cases().iter().filter(|case| case.n_words() < 100_000) {
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
fn plain() -> Capabilities {
    Capabilities {
        subgroup_size: None,
        is_software: true,
        max_invocations: 256,
        max_workgroup_bytes: 16 * 1024,
        max_workgroups: 65_535,
    }
}
