//! Random shapes, on every device and in every form. Inputs are small multiples of 1/8, so that all
//! sums are exact in any order and results are compared bit for bit.

mod common;

use common::devices_and_forms;
use nngpu::compute::{Capabilities, Element, Plan, Tensor};
use nngpu::kernels::activation::{record_activate, record_activate_backward};
use nngpu::kernels::array::{record_add_bias, record_column_sum, record_copy};
use nngpu::kernels::batch::{Slot, record_gather, record_tally};
use nngpu::kernels::matmul::{record_dense, record_dense_backward, record_dense_gradient, record_matmul};
use nngpu::random::{Key, Purpose, Threefry};
use nngpu::{Activation, Device, SlopeOf};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// The shapes are the same each time. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others.
const SEED: u64 = 20;

/// Checks that a property holds for `n_cases` values; tells the smallest for which it does not.
#[track_caller]
fn holds<S: Strategy>(n_cases: u32, strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let mut config = Config::default();
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = n_cases;
    }
    // Failures are told, not written into the repository.
    config.failure_persistence = None;
    config.max_shrink_iters = 200;
    let seed = config.rng_seed;
    if let Err(error) = TestRunner::new(config).run(&strategy, property) {
        panic!("seed {seed:?}: {error}");
    }
}

/// Multiples of 1/8 in [-1, 1].
fn eighths(seed: u64, stream: u64, count: usize) -> Vec<f32> {
    let mut random = Threefry::new(Key::new(seed), Purpose::Splits, stream);
    (0..count).map(|_| random.below(17) as f32 / 8.0 - 1.0).collect()
}

/// A small calculation: a plan, its inputs, and what to read of it.
#[derive(Default)]
struct Calculation {
    plan: Plan,
    inputs: Vec<(Tensor, Vec<u32>)>,
    seed: u64,
}

impl Calculation {
    fn new(seed: u64) -> Calculation {
        Calculation { seed, ..Default::default() }
    }

    fn eighths(&mut self, models: u32, rows: u32, columns: u32) -> Tensor {
        let count = (models * rows * columns) as usize;
        let values = eighths(self.seed, self.inputs.len() as u64, count);
        self.given(Element::F32, [models, rows, columns], values.into_iter().map(f32::to_bits).collect())
    }

    fn given(&mut self, element: Element, [models, rows, columns]: [u32; 3], words: Vec<u32>) -> Tensor {
        let tensor = self.plan.tensor_of("input", element, models, rows, columns);
        self.inputs.push((tensor, words));
        tensor
    }

    /// A tensor to be written, full of NaN before.
    fn output(&mut self, models: u32, rows: u32, columns: u32) -> Tensor {
        let words = vec![f32::NAN.to_bits(); (models * rows * columns) as usize];
        self.given(Element::F32, [models, rows, columns], words)
    }

    /// An input's value.
    fn value(&self, tensor: Tensor, model: u32, row: u32, column: u32) -> f32 {
        f32::from_bits(self.word(tensor, model, row, column))
    }

    fn word(&self, tensor: Tensor, model: u32, row: u32, column: u32) -> u32 {
        let (whole, words) = self.inputs.iter().find(|(input, _)| input.buffer == tensor.buffer).expect("an input");
        let model = if whole.models == 1 { 0 } else { model };
        words[((model * whole.rows + row) * whole.columns + column) as usize]
    }

    fn run(&self, device: &Device, outputs: &[Tensor]) -> Vec<Vec<u32>> {
        let program = device.compile(&self.plan, &[]).expect("compiles");
        for (tensor, words) in &self.inputs {
            device.write(&program.buffer(tensor.buffer), 0, words).expect("written");
        }
        device.run(&program, 1).expect("runs");
        outputs.iter().map(|output| device.read(&program.buffer(output.buffer)).expect("readable")).collect()
    }
}

/// Floats by value, so that 0 and -0 are one; NaN is never right.
fn same(found: &[u32], expected: &[f32]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| f32::from_bits(*found) == *expected)
}

fn sizes() -> impl Strategy<Value = [u32; 4]> {
    // Models, rows, columns, depth: small ones and ones beyond a tile are equally frequent.
    let size = || prop_oneof![1..=9u32, 1..=70u32];
    (1..=4u32, size(), size(), size()).prop_map(|(models, rows, columns, depth)| [models, rows, columns, depth])
}

#[test]
fn a_product_is_the_sum_of_products_in_every_arrangement() {
    let flags = (any::<[bool; 2]>(), any::<[bool; 2]>());
    holds(48, (sizes(), flags, any::<u64>()), |([models, rows, columns, depth], (transposed, shared), seed)| {
        let mut calculation = Calculation::new(seed);
        let mut operand = |is_shared: bool, is_transposed: bool, rows, columns| {
            let models = if is_shared { 1 } else { models };
            if is_transposed {
                calculation.eighths(models, columns, rows).transposed()
            } else {
                calculation.eighths(models, rows, columns)
            }
        };
        let a = operand(shared[0], transposed[0], rows, depth);
        let b = operand(shared[1], transposed[1], depth, columns);
        let c = calculation.output(if shared == [true; 2] { 1 } else { models }, rows, columns);
        record_matmul(&mut calculation.plan, a, b, c).expect("shapes that fit");

        let at = |tensor, is_transposed: bool, model, row, column| {
            let (row, column) = if is_transposed { (column, row) } else { (row, column) };
            calculation.value(tensor, model, row, column)
        };
        let mut expected = Vec::new();
        for model in 0..c.models {
            for i in 0..rows {
                for j in 0..columns {
                    let products =
                        (0..depth).map(|k| at(a, transposed[0], model, i, k) * at(b, transposed[1], model, k, j));
                    expected.push(products.sum::<f32>());
                }
            }
        }
        for (name, device) in devices_and_forms() {
            prop_assert!(same(&calculation.run(&device, &[c])[0], &expected), "{}", name);
        }
        Ok(())
    });
}

#[test]
fn a_fused_layer_is_the_composition_of_its_parts() {
    let fusable: Vec<_> = Activation::ALL.into_iter().filter(|activation| activation.is_fusable()).collect();
    let strategy = (sizes(), prop::sample::select(fusable), any::<bool>(), any::<u64>());
    holds(32, strategy, |([models, batch, outputs, inputs], activation, has_shared_data, seed)| {
        let mut calculation = Calculation::new(seed);
        let x = calculation.eighths(if has_shared_data { 1 } else { models }, batch, inputs);
        let weight = calculation.eighths(models, outputs, inputs);
        let bias = calculation.eighths(models, 1, outputs);
        let dz = calculation.eighths(models, batch, outputs);
        let y_below = calculation.eighths(models, batch, inputs);
        let [fused_y, product, z, plain_y] = [(); 4].map(|()| calculation.output(models, batch, outputs));
        let [fused_dz, dy, plain_dz] = [(); 3].map(|()| calculation.output(models, batch, inputs));
        let fused_gradients = calculation.output(models, 1, outputs * inputs + outputs);
        let plain_dweight = calculation.output(models, outputs, inputs);
        let plain_dbias = calculation.output(models, 1, outputs);

        let plan = &mut calculation.plan;
        record_dense(plan, activation, x, weight, bias, fused_y).expect("shapes that fit");
        record_matmul(plan, x, weight.transposed(), product).expect("shapes that fit");
        record_add_bias(plan, product, bias, z).expect("shapes that fit");
        record_activate(plan, activation, z, plain_y).expect("shapes that fit");

        record_dense_backward(plan, activation, dz, weight, y_below, fused_dz).expect("shapes that fit");
        record_matmul(plan, dz, weight, dy).expect("shapes that fit");
        record_activate_backward(plan, activation, dy, y_below, plain_dz).expect("shapes that fit");

        let dweight = fused_gradients.part(0, outputs, inputs);
        let dbias = fused_gradients.part(outputs * inputs, 1, outputs);
        record_dense_gradient(plan, dz, x, dweight, dbias).expect("shapes that fit");
        record_matmul(plan, dz.transposed(), x, plain_dweight).expect("shapes that fit");
        record_column_sum(plan, dz, plain_dbias).expect("shapes that fit");

        for (name, device) in devices_and_forms() {
            let read = [fused_y, plain_y, fused_dz, plain_dz, fused_gradients, plain_dweight, plain_dbias];
            let found = calculation.run(&device, &read);
            let floats = |words: &[u32]| words.iter().copied().map(f32::from_bits).collect::<Vec<_>>();
            let [fused_y, plain_y] = [0, 1].map(|i| floats(&found[i]));
            for (fused, plain) in fused_y.iter().zip(&plain_y) {
                // The same function of the same sum; a compiler may contract it differently in two
                // kernels, by a few roundings of values up to 1, or of the value.
                let is_exact = matches!(activation, Activation::Identity | Activation::Relu);
                let bound = if is_exact { 0.0 } else { 4.0 * f32::EPSILON * plain.abs().max(1.0) };
                prop_assert!((fused - plain).abs() <= bound, "{}, {}: y {} and {}", name, activation, fused, plain);
            }
            for (fused, plain) in floats(&found[2]).iter().zip(&floats(&found[3])) {
                let is_exact = activation.slope_of() == SlopeOf::Output;
                let bound = if is_exact { 0.0 } else { 4.0 * f32::EPSILON * plain.abs().max(1.0) };
                prop_assert!((fused - plain).abs() <= bound, "{}, {}: dz {} and {}", name, activation, fused, plain);
            }
            let (n_weights, n_biases) = ((outputs * inputs) as usize, outputs as usize);
            let mut parts = Vec::new();
            for (dweight, dbias) in found[5].chunks(n_weights).zip(found[6].chunks(n_biases)) {
                parts.extend(floats(dweight));
                parts.extend(floats(dbias));
            }
            prop_assert!(same(&found[4], &parts), "{}: gradients", name);
        }
        Ok(())
    });
}

#[test]
fn a_batch_is_the_rows_at_its_positions() {
    let shape = (1..=4u32, 1..=40u32, 1..=40u32, 1..=20u32, 1..=12u32);
    // Counters go around at 2^32, as on a GPU.
    let position = prop_oneof![0..100u32, Just(u32::MAX), any::<u32>()];
    let strategy = (shape, any::<[bool; 3]>(), prop::collection::vec(position, 4), any::<u64>());
    holds(48, strategy, |((models, source_rows, length, rows, columns), shared, positions, seed)| {
        let [source_models, order_models, position_models] = shared.map(|shared| if shared { 1 } else { models });
        let mut calculation = Calculation::new(seed);
        let x = calculation.eighths(source_models, source_rows, columns);
        let mut random = Threefry::new(Key::new(seed), Purpose::Shuffling, 0);
        let order = (0..order_models * length).map(|_| random.below(source_rows)).collect();
        let order = calculation.given(Element::U32, [order_models, 1, length], order);
        let positions = positions[..position_models as usize].to_vec();
        let position = calculation.given(Element::U32, [position_models, 1, 1], positions);
        let together = source_models.max(order_models).max(position_models);
        let y = calculation.output(together, rows, columns);
        record_gather(&mut calculation.plan, x, order, position, y).expect("shapes that fit");

        let mut expected = Vec::new();
        for model in 0..together {
            let position = calculation.word(position, model, 0, 0);
            for row in 0..rows {
                let source = calculation.word(order, model, 0, position.wrapping_add(row) % length);
                expected.extend((0..columns).map(|column| calculation.word(x, model, source, column)));
            }
        }
        for (name, device) in devices_and_forms() {
            prop_assert_eq!(&calculation.run(&device, &[y])[0], &expected, "{}", name);
        }
        Ok(())
    });
}

#[test]
fn a_tally_goes_to_its_slot_and_moves_on() {
    let shape = (1..=4u32, 1..=100u32, 1..=3u32, 1..=7u32);
    let strategy = (shape, 1..=50u32, 0..=50u32, prop::collection::vec(any::<u32>(), 4), any::<u64>());
    holds(48, strategy, |((models, rows, columns, slots), slot_rows, advance, positions, seed)| {
        let mut calculation = Calculation::new(seed);
        let x = calculation.eighths(models, rows, columns);
        let positions = positions[..models as usize].to_vec();
        let position = calculation.given(Element::U32, [models, 1, 1], positions);
        let y = calculation.eighths(models, 1, slots);
        let slot = Slot { rows: slot_rows, advance };
        record_tally(&mut calculation.plan, 0.25, x, position, slot, y).expect("shapes that fit");

        let (mut expected, mut moved) = (Vec::new(), Vec::new());
        for model in 0..models {
            let place = calculation.word(position, model, 0, 0);
            let total: f32 = (0..rows * columns).map(|i| calculation.value(x, model, i / columns, i % columns)).sum();
            let old = |slot| calculation.value(y, model, 0, slot);
            let is_own = |slot| slot == place / slot_rows % slots;
            expected.extend((0..slots).map(|slot| if is_own(slot) { total * 0.25 } else { old(slot) }));
            moved.push(place.wrapping_add(advance));
        }
        for (name, device) in devices_and_forms() {
            let found = calculation.run(&device, &[y, position]);
            prop_assert!(same(&found[0], &expected), "{}: {:?}", name, expected);
            prop_assert_eq!(&found[1], &moved, "{}", name);
        }
        Ok(())
    });
}

/// Copies `length` elements and finds each at its place.
fn copies(device: &Device, length: u32) -> bool {
    let mut plan = Plan::new();
    let (x, y) = (plan.integers("x", 1, 1, length), plan.integers("y", 1, 1, length));
    record_copy(&mut plan, x, y).expect("equal shapes");
    let program = device.compile(&plan, &[]).expect("compiles");
    let values: Vec<u32> = (1..=length).collect();
    device.write(&program.buffer(x.buffer), 0, &values).expect("written");
    device.run(&program, 1).expect("runs");
    device.read::<u32>(&program.buffer(y.buffer)).expect("readable") == values
}

#[test]
fn a_grid_folds_near_multiples_of_its_limit() {
    let Some(gpu) = common::gpu() else { return };
    for limit in [2, 3, 5, 8] {
        let short = Capabilities { max_workgroups: limit, ..gpu.capabilities() };
        let device = Device::Gpu(gpu.with_capabilities(short));
        // Rows of the folded grid, invocations beside that multiple.
        holds(12, (1..=limit, -65..=65i32), |(rows, beside)| {
            let length = (rows * limit * 64).saturating_add_signed(beside);
            let length = length.clamp(1, limit * limit * 64);
            prop_assert!(copies(&device, length), "{} elements at {} workgroups a row", length, limit);
            Ok(())
        });
    }
}

#[test]
fn a_grid_folds_at_the_limit_of_every_adapter() {
    let Some(gpu) = common::gpu() else { return };
    let device = Device::Gpu(gpu);
    for workgroups in [65_535, 2 * 65_535] {
        for beside in [-1, 0, 1] {
            let length = (workgroups * 64u32).saturating_add_signed(beside);
            assert!(copies(&device, length), "{length} elements");
        }
    }
}

#[test]
fn a_broken_property_is_told_with_its_seed() {
    let broken = || holds(16, 0..100u32, |n| if n < 40 { Ok(()) } else { Err(TestCaseError::fail("too large")) });
    let payload = std::panic::catch_unwind(broken).expect_err("some number of 40 or more");
    let message = payload.downcast_ref::<String>().expect("a text");
    assert!(message.starts_with("seed ") && message.contains("40"), "{message}");
}
