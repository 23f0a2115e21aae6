//! Every kernel computes the same on every device, in every form that the adapter can run.

mod common;

use common::{gpu, gpu_forms};
use nngpu::Device;
use nngpu::kernels;
use nngpu::kernels::conformance::{Case, cases};

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
