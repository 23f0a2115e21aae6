//! Arrays calculate as on paper, on every device.

mod common;

use common::devices;
use nngpu::{Array, Device, Result};

#[track_caller]
fn check(name: &str, compute: impl Fn(&Device) -> Result<Array>, shape: [usize; 2], expected: &[f32]) {
    for (device_name, device) in devices() {
        let array = compute(&device).unwrap_or_else(|error| panic!("{name}, {device_name}: {error}"));
        assert_eq!(array.shape(), shape, "{name}, {device_name}");
        // Whole numbers, halves and quarters: nothing is rounded.
        assert_eq!(array.to_vec().expect("readable"), expected, "{name}, {device_name}");
    }
}

#[track_caller]
fn refuses(compute: impl Fn(&Device) -> Result<Array>, message: &str) {
    for (device_name, device) in devices() {
        let error = compute(&device).expect_err(device_name).to_string();
        assert_eq!(error, message, "{device_name}");
    }
}

/// `[2, 3]`: 1 2 3 / 4 5 6.
fn a(device: &Device) -> Array {
    Array::new(device, [2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("six values")
}

/// `[1, 3]`: 10 20 30.
fn row(device: &Device) -> Array {
    Array::new(device, [1, 3], &[10.0, 20.0, 30.0]).expect("three values")
}

/// `[2, 1]`: 2 / -1.
fn column(device: &Device) -> Array {
    Array::new(device, [2, 1], &[2.0, -1.0]).expect("two values")
}

#[test]
fn products_of_matrices() {
    // By hand: 1*1 + 2*2 + 3*3 = 14, 1*4 + 2*5 + 3*6 = 32, 4*4 + 5*5 + 6*6 = 77.
    check("a aᵀ", |d| a(d).matmul(&a(d).transpose()), [2, 2], &[14.0, 32.0, 32.0, 77.0]);
    // 1*1 + 4*4 = 17, 1*2 + 4*5 = 22, 1*3 + 4*6 = 27, 2*2 + 5*5 = 29, 2*3 + 5*6 = 36, 3*3 + 6*6 = 45.
    let expected = [17.0, 22.0, 27.0, 22.0, 29.0, 36.0, 27.0, 36.0, 45.0];
    check("aᵀ a", |d| a(d).transpose().matmul(&a(d)), [3, 3], &expected);
    check("row aᵀ", |d| row(d).matmul(&a(d).transpose()), [1, 2], &[140.0, 320.0]);
    refuses(
        |d| a(d).matmul(&a(d)),
        "matmul: found [2, 3] times [2, 3], expected as many columns on the left as rows on the right",
    );
}

#[test]
fn transposed_arrays_read_and_copy_transposed() {
    let expected = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
    check("aᵀ", |d| Ok(a(d).transpose()), [3, 2], &expected);
    check("copy of aᵀ", |d| a(d).transpose().copy(), [3, 2], &expected);
    check("aᵀᵀ", |d| Ok(a(d).transpose().transpose()), [2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn rows_columns_and_scalars_repeat() {
    check("a + row", |d| a(d).add(&row(d)), [2, 3], &[11.0, 22.0, 33.0, 14.0, 25.0, 36.0]);
    check("row - a", |d| row(d).subtract(&a(d)), [2, 3], &[9.0, 18.0, 27.0, 6.0, 15.0, 24.0]);
    check("a * column", |d| a(d).multiply(&column(d)), [2, 3], &[2.0, 4.0, 6.0, -4.0, -5.0, -6.0]);
    check("column + row", |d| column(d).add(&row(d)), [2, 3], &[12.0, 22.0, 32.0, 9.0, 19.0, 29.0]);
    let scalar = |d: &Device| Array::new(d, [1, 1], &[4.0]);
    check("a / 4", |d| a(d).divide(&scalar(d)?), [2, 3], &[0.25, 0.5, 0.75, 1.0, 1.25, 1.5]);
    check("a * a", |d| a(d).multiply(&a(d)), [2, 3], &[1.0, 4.0, 9.0, 16.0, 25.0, 36.0]);
    refuses(
        |d| a(d).add(&a(d).transpose()),
        "arithmetic: found an array of [3, 2], expected [2, 3], or a length of 1 where it is to be repeated",
    );
}

#[test]
fn maximum_and_power_with_a_number() {
    check("max(column, 0)", |d| column(d).maximum(0.0), [2, 1], &[2.0, 0.0]);
    check("column ^ 2", |d| column(d).power(2.0), [2, 1], &[4.0, 1.0]);
    check("column ^ 3", |d| column(d).power(3.0), [2, 1], &[8.0, -1.0]);
    check("column ^ -1", |d| column(d).power(-1.0), [2, 1], &[0.5, -1.0]);
    check("column ^ 0", |d| column(d).power(0.0), [2, 1], &[1.0, 1.0]);
    check("a * 0.5", |d| a(d).scale(0.5), [2, 3], &[0.5, 1.0, 1.5, 2.0, 2.5, 3.0]);
}

#[test]
fn sums_and_means() {
    check("sum", |d| a(d).sum(), [1, 1], &[21.0]);
    check("sum of aᵀ", |d| a(d).transpose().sum(), [1, 1], &[21.0]);
    check("mean of row", |d| row(d).mean(), [1, 1], &[20.0]);
    let ones = |d: &Device| Array::new(d, [130, 7], &[1.0; 910]);
    check("many ones", |d| ones(d)?.sum(), [1, 1], &[910.0]);
    refuses(|d| Array::new(d, [0, 3], &[])?.mean(), "mean: found an array without elements, expected at least one");
}

#[test]
fn probabilities() {
    check("equal logits", |d| Array::new(d, [1, 4], &[3.0; 4])?.softmax(), [1, 4], &[0.25; 4]);
    check("huge equal logits", |d| Array::new(d, [1, 2], &[1e20; 2])?.softmax(), [1, 2], &[0.5; 2]);
}

#[test]
fn values_must_fill_the_shape() {
    refuses(
        |d| Array::new(d, [2, 3], &[1.0; 5]),
        "array: found 5 values for [2, 3], expected rows times columns values, fewer than 2^32",
    );
    refuses(
        |d| Array::new(d, [usize::MAX, 2], &[]),
        &format!("array: found 0 values for [{}, 2], expected rows times columns values, fewer than 2^32", usize::MAX),
    );
}

#[test]
fn arrays_of_two_devices_do_not_go_together() {
    let Some(gpu) = common::gpu() else { return };
    let (gpu, cpu) = (Device::Gpu(gpu), Device::cpu());
    let error = a(&gpu).add(&a(&cpu)).expect_err("two devices").to_string();
    assert_eq!(error, "`array` belongs to another device; allocate it on the device that uses it");
    assert!(a(&cpu).add(&a(&gpu)).is_err());
}
