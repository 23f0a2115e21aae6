//! The masks of dropout: how many they keep, what they depend on, and that a seed's stay what they are.

mod common;

use common::devices_and_forms;
use nngpu::Device;
use nngpu::compute::Plan;
use nngpu::kernels::dropout::{dropout_noise, record_count, record_dropout};
use nngpu::random::{Key, Purpose};

/// What each of several runs gives, the step counting on from 0; a key for each model, rows of `columns`.
fn dropped(device: &Device, rate: f32, keys: &[Key], columns: u32, x: &[f32], runs: usize) -> Vec<Vec<f32>> {
    let models = keys.len() as u32;
    let rows = x.len() as u32 / models / columns;
    let mut plan = Plan::new();
    let [tx, ty] = ["x", "y"].map(|label| plan.tensor(label, models, rows, columns));
    let (noise, step) = (plan.integers("noise", models, 1, 4), plan.integers("step", 1, 1, 1));
    record_dropout(&mut plan, tx, noise, step, ty).expect("shapes");
    record_count(&mut plan, step, 1).expect("a counter");
    let program = device.compile(&plan, &[]).expect("compiles");
    let words: Vec<u32> = keys.iter().flat_map(|key| dropout_noise(rate, *key).expect("a rate below 1")).collect();
    device.write(&program.buffer(noise.buffer), 0, &words).expect("written");
    device.write(&program.buffer(step.buffer), 0, &[0u32]).expect("written");
    device.write(&program.buffer(tx.buffer), 0, x).expect("written");
    (0..runs)
        .map(|_| {
            device.run(&program, 1).expect("runs");
            device.read(&program.buffer(ty.buffer)).expect("readable")
        })
        .collect()
}

fn mask(values: &[f32]) -> Vec<bool> {
    values.iter().map(|value| *value != 0.0).collect()
}

/// The standard deviation of the number kept of `n`.
fn deviation(n: usize, rate: f64) -> f64 {
    (n as f64 * rate * (1.0 - rate)).sqrt()
}

const KEY: Key = Key::new(42).stream(Purpose::Dropout, 0);

#[test]
fn as_many_are_kept_as_asked_for_and_scaled_to_the_same_mean() {
    const N: usize = 100_000;
    for (name, device) in devices_and_forms() {
        for rate in [0.1f32, 0.5, 0.9] {
            let y = dropped(&device, rate, &[KEY], 250, &[1.0; N], 1).remove(0);
            let n_kept = mask(&y).iter().filter(|kept| **kept).count();
            let expected = N as f64 * (1.0 - f64::from(rate));
            let distance = (n_kept as f64 - expected).abs() / deviation(N, rate.into());
            assert!(distance <= 5.0, "{name}, {rate}: {n_kept} of {N} kept, {distance} deviations off");
            let scale = (1.0 / (1.0 - f64::from(rate))) as f32;
            assert!(y.iter().all(|y| *y == 0.0 || *y == scale), "{name}, {rate}");
        }
    }
}

/// Two masks agree where both keep or both drop: in half of the places if they know nothing of each other.
#[track_caller]
fn are_independent(what: &str, one: &[f32], other: &[f32]) {
    let n = one.len();
    let n_equal = mask(one).iter().zip(mask(other)).filter(|(one, other)| **one == *other).count();
    let distance = (n_equal as f64 - n as f64 / 2.0).abs() / deviation(n, 0.5);
    assert!(distance <= 5.0, "{what}: {n_equal} of {n} equal, {distance} deviations off");
}

#[test]
fn models_steps_rows_and_columns_have_masks_of_their_own() {
    const N: usize = 20_000;
    let keys = [KEY.derive(0), KEY.derive(1)];
    for (name, device) in devices_and_forms() {
        let runs = dropped(&device, 0.5, &keys, 100, &[1.0; 2 * N], 3);
        let again = dropped(&device, 0.5, &keys, 100, &[1.0; 2 * N], 3);
        assert!(runs == again, "{name}: the same steps have the same masks");
        for (step, y) in runs.iter().enumerate() {
            are_independent(&format!("{name}, step {step}, two models"), &y[..N], &y[N..]);
            are_independent(&format!("{name}, step {step}, a row and the next"), &y[..N - 100], &y[100..N]);
            are_independent(&format!("{name}, step {step}, a column and the next"), &y[..N - 1], &y[1..N]);
        }
        for (one, other) in [(0, 1), (1, 2), (0, 2)] {
            are_independent(&format!("{name}, steps {one} and {other}"), &runs[one][..N], &runs[other][..N]);
            // The second model's mask at a step is not the first one's at the next.
            are_independent(&format!("{name}, models and steps {one}, {other}"), &runs[one][N..], &runs[other][..N]);
        }
    }
}

#[test]
fn a_rate_of_0_keeps_every_bit() {
    let x = [1.0f32, -0.0, 0.1, f32::MAX, f32::MIN_POSITIVE, -1e-30, f32::INFINITY, 3.3];
    for (name, device) in devices_and_forms() {
        let y = dropped(&device, 0.0, &[KEY], 4, &x, 1).remove(0);
        assert_eq!(bits(&y), bits(&x), "{name}");
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn what_is_dropped_is_0_and_what_is_kept_stays_no_number() {
    for (name, device) in devices_and_forms() {
        let ones = dropped(&device, 0.5, &[KEY], 10, &[1.0; 40], 1).remove(0);
        let y = dropped(&device, 0.5, &[KEY], 10, &[f32::NAN; 40], 1).remove(0);
        for (one, y) in ones.iter().zip(&y) {
            assert!(if *one == 0.0 { *y == 0.0 } else { y.is_nan() }, "{name}: {one} {y}");
        }
        assert!(y.contains(&0.0), "{name}: nothing was dropped");
    }
}

/// A seed's masks are a promise. Element i of step s is dropped where the first word of Threefry-2x32 with the
/// counter (i, s) is below 2^31; the words were computed by another implementation, in Python.
#[test]
fn value_stability_of_masks() {
    assert_eq!(dropout_noise(0.5, KEY).expect("a rate"), [KEY_WORDS[0], KEY_WORDS[1], 1 << 31, 2.0f32.to_bits()]);
    for (name, device) in devices_and_forms() {
        let runs = dropped(&device, 0.5, &[KEY], 4, &[1.0; 16], 2);
        for (words, y) in WORDS.iter().zip(&runs) {
            let kept: Vec<bool> = words.iter().map(|word| *word >= 1 << 31).collect();
            assert_eq!(mask(y), kept, "{name}");
        }
    }
}

#[test]
fn a_rate_out_of_range_is_refused() {
    for rate in [-0.1, 1.0, 2.0, f32::NAN, f32::INFINITY] {
        let message = dropout_noise(rate, KEY).expect_err("refused").to_string();
        assert!(message.contains("dropout") && message.contains("from 0 to below 1"), "{message}");
    }
    // The largest rate there is still keeps 256 of 2^32.
    let largest = 1.0 - f32::EPSILON / 2.0;
    let words = dropout_noise(largest, KEY).expect("below 1");
    assert_eq!(words[2..], [u32::MAX - 255, 16_777_216.0f32.to_bits()]);
}

/// The key of the seed 42 for the first dropout.
const KEY_WORDS: [u32; 2] = [0x4db7ab1a, 0xedbbfd2f];

/// The first words of step 0 and of step 1.
const WORDS: [[u32; 16]; 2] = [
    [
        0xa530a73a, 0xc6c5f558, 0xc3b4021d, 0xdcf8a901, 0x3d9f3221, 0xc26ae408, 0x107cd98c, 0x7e97556e, 0x54c74d7d,
        0xf8f32922, 0xa4114ca7, 0x2ad905a5, 0x589eef86, 0x3284667d, 0xa57c8008, 0xc9bbadd6,
    ],
    [
        0x1952adb1, 0x9b7270a5, 0x998d7ae2, 0x7083d169, 0xd11839db, 0xe2212672, 0x36f22683, 0x8e8e0709, 0x5e2c6e35,
        0x192cd078, 0x05a1ec2c, 0xfb0c7f12, 0xdc02c0a5, 0xf59ea086, 0x166fffbc, 0x3b1c98b6,
    ],
];
