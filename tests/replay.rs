//! A recorded step is the same however often, beside whom, and on how many threads it runs: byte for
//! byte on each device.

mod common;

use std::ops::ControlFlow;

use common::small_device;
use nngpu::compute::{Element, Plan, Program, Tensor};
use nngpu::data::{Classes, Dataset, Matrix, Targets};
use nngpu::kernels::batch::{Slot, record_gather, record_tally};
use nngpu::kernels::loss::record_loss;
use nngpu::kernels::matmul::record_matmul;
use nngpu::kernels::optimizer::{OptimizerState, record_update};
use nngpu::nn::{Fusion, Network};
use nngpu::random::{Key, Purpose, Threefry};
use nngpu::train::{Settings, evaluate, fit, predict};
use nngpu::{Activation, Device, Loss, Mlp, Optimizer};

const SEED: u64 = 7;
const ROWS: u32 = 23;
const BATCH: u32 = 5;
const SIZES: [usize; 4] = [3, 7, 6, 4];

/// Numbers of this test that repeat.
fn uniform(stream: u64, count: usize) -> Vec<f32> {
    Key::new(SEED).derive(stream).uniform(-1.0, 1.0, count)
}

fn classes() -> Vec<u32> {
    let mut random = Threefry::new(Key::new(SEED), Purpose::Splits, 0);
    (0..ROWS).map(|_| random.below(SIZES[3] as u32)).collect()
}

/// A training step of some models: gather, forward, loss, backward, update, tally.
struct Step {
    plan: Plan,
    network: Network,
    optimizer: Optimizer,
    features: Tensor,
    targets: Tensor,
    order: Tensor,
    position: Tensor,
    parameters: Tensor,
    losses: Tensor,
    state: OptimizerState,
}

impl Step {
    fn record(models: u32, optimizer: Optimizer) -> nngpu::Result<Step> {
        let network = Network::new(&SIZES, Activation::Tanh)?;
        let mut plan = Plan::new();
        let features = plan.tensor("features", 1, ROWS, SIZES[0] as u32);
        let targets = plan.tensor_of("targets", Element::U32, 1, ROWS, 1);
        let order = plan.integers("order", 1, 1, ROWS);
        let position = plan.integers("position", models, 1, 1);
        let parameters = network.declare(&mut plan, "parameters", models);
        let state = OptimizerState::declare(&mut plan, &optimizer, models, network.length());
        let losses = plan.tensor("losses", models, 1, 4);

        let mut shared_position = position;
        shared_position.models = 1;
        let x = plan.tensor("x", 1, BATCH, SIZES[0] as u32);
        let y = plan.integers("y", 1, BATCH, 1);
        record_gather(&mut plan, features, order, shared_position, x)?;
        record_gather(&mut plan, targets, order, shared_position, y)?;
        let pass = network.record_training(&mut plan, Fusion::Fused, None, parameters, x)?;
        let output = pass.output();
        let row_losses = plan.tensor("row losses", models, BATCH, 1);
        let gradient = plan.tensor("output gradient", models, BATCH, output.columns);
        record_loss(&mut plan, Loss::CrossEntropy, output, y, row_losses, gradient)?;
        let gradients = network.declare(&mut plan, "gradients", models);
        network.record_backward(&mut plan, parameters, &pass, gradient, gradients)?;
        record_update(&mut plan, &optimizer, &state, gradients, parameters)?;
        let slot = Slot { rows: BATCH, advance: BATCH };
        record_tally(&mut plan, 1.0 / BATCH as f32, row_losses, position, slot, losses)?;
        Ok(Step { plan, network, optimizer, features, targets, order, position, parameters, losses, state })
    }

    /// Compiles the step for models that differ: of `kinds`, each with its weights and learning rate.
    fn compile(&self, device: &Device, kinds: &[u64]) -> nngpu::Result<Program> {
        let program = device.compile(&self.plan, &[])?;
        device.write(&program.buffer(self.features.buffer), 0, &uniform(0, (ROWS * 3) as usize))?;
        device.write(&program.buffer(self.targets.buffer), 0, &classes())?;
        let order = Threefry::new(Key::new(SEED), Purpose::Shuffling, 1).permutation(ROWS);
        device.write(&program.buffer(self.order.buffer), 0, &order)?;
        let (mut weights, mut settings) = (Vec::new(), Vec::new());
        for &kind in kinds {
            weights.extend(self.network.initial(kind));
            let own = self.optimizer.settings();
            settings.push(own[0] / kind as f32);
            settings.extend(&own[1..]);
        }
        device.write(&program.buffer(self.parameters.buffer), 0, &weights)?;
        device.write(&program.buffer(self.state.settings.buffer), 0, &settings)?;
        if let Some(powers) = self.state.powers {
            device.write(&program.buffer(powers.buffer), 0, &vec![1.0f32; 2 * kinds.len()])?;
        }
        Ok(program)
    }

    /// Everything that lives on from step to step, model by model.
    fn outcome(&self, device: &Device, program: &Program) -> nngpu::Result<Vec<Vec<u32>>> {
        let kept = [self.parameters, self.losses, self.position].into_iter();
        let kept: Vec<Tensor> = kept.chain(self.state.moments.iter().copied()).chain(self.state.powers).collect();
        let mut outcome = vec![Vec::new(); self.position.models as usize];
        for tensor in kept {
            let words: Vec<u32> = device.read(&program.buffer(tensor.buffer))?;
            let length = words.len() / outcome.len();
            for (model, words) in outcome.iter_mut().zip(words.chunks(length)) {
                model.extend(words);
            }
        }
        Ok(outcome)
    }
}

fn optimizers() -> [Optimizer; 3] {
    [Optimizer::sgd(0.5), Optimizer::momentum(0.25, 0.9), Optimizer::adam(0.125)]
}

#[test]
fn replay_of_n_steps_equals_n_single_steps() {
    for (name, device) in common::devices() {
        for optimizer in optimizers() {
            let step = Step::record(2, optimizer).expect("shapes that fit");
            let single = step.compile(&device, &[1, 2]).expect("compiles");
            let mut seen = Vec::new();
            let checks = [1, 2, 7, 40];
            for n in 1..=checks[checks.len() - 1] {
                device.run(&single, 1).expect("runs");
                if checks.contains(&n) {
                    seen.push((n, step.outcome(&device, &single).expect("readable")));
                }
            }
            for (n, expected) in seen {
                let program = step.compile(&device, &[1, 2]).expect("compiles");
                device.run(&program, n).expect("runs");
                let found = step.outcome(&device, &program).expect("readable");
                assert!(found == expected, "{name}, {optimizer}, {n} steps at once");
            }
        }
    }
}

/// A program learns how much work a submission holds, from single dispatches to thousands: the
/// cuts fall elsewhere each time, within steps too.
#[test]
fn where_submissions_are_cut_changes_nothing() {
    const STEPS: usize = 1200;
    for (name, device) in common::devices() {
        let step = Step::record(1, Optimizer::adam(0.01)).expect("shapes that fit");
        let mut outcomes = Vec::new();
        for parts in [vec![STEPS], vec![1, 700, 499], vec![300, 300, 1, 1, 598]] {
            let program = step.compile(&device, &[1]).expect("compiles");
            for part in parts {
                device.run(&program, part).expect("runs");
            }
            outcomes.push(step.outcome(&device, &program).expect("readable"));
        }
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{name}");
        // Over thousands of dispatches something happened: the loss fell.
        let weights = step.network.length() as usize;
        let loss = f32::from_bits(outcomes[0][0][weights]);
        assert!(loss.is_finite() && loss < 4.0f32.ln(), "{name}: {loss}");
    }
}

#[test]
fn models_trained_together_equal_each_trained_alone() {
    const STEPS: usize = 30;
    for (name, device) in common::devices() {
        for optimizer in optimizers() {
            let step = Step::record(3, optimizer).expect("shapes that fit");
            let program = step.compile(&device, &[1, 2, 3]).expect("compiles");
            device.run(&program, STEPS).expect("runs");
            let together = step.outcome(&device, &program).expect("readable");
            let alone = Step::record(1, optimizer).expect("shapes that fit");
            for (kind, together) in (1..).zip(&together) {
                let program = alone.compile(&device, &[kind]).expect("compiles");
                device.run(&program, STEPS).expect("runs");
                let outcome = alone.outcome(&device, &program).expect("readable");
                assert!(outcome[0] == *together, "{name}, {optimizer}, model {kind}");
            }
            assert!(together[0] != together[1] && together[1] != together[2], "{name}: the models do not differ");
        }
    }
}

#[test]
fn products_do_not_depend_on_the_number_of_threads() {
    let check = |rows: u32, columns: u32, depth: u32, is_transposed: bool| {
        let mut plan = Plan::new();
        let a = if is_transposed { plan.tensor("a", 1, depth, rows) } else { plan.tensor("a", 1, rows, depth) };
        let (b, c) = (plan.tensor("b", 1, depth, columns), plan.tensor("c", 1, rows, columns));
        record_matmul(&mut plan, if is_transposed { a.transposed() } else { a }, b, c).expect("shapes that fit");
        let product = |threads: usize| -> nngpu::Result<Vec<u32>> {
            let device = Device::cpu_with_threads(threads)?;
            let program = device.compile(&plan, &[])?;
            device.write(&program.buffer(a.buffer), 0, &uniform(1, (rows * depth) as usize))?;
            device.write(&program.buffer(b.buffer), 0, &uniform(2, (depth * columns) as usize))?;
            device.run(&program, 1)?;
            device.read(&program.buffer(c.buffer))
        };
        let expected = product(1).expect("runs");
        for threads in [2, 3, 5] {
            assert!(product(threads).expect("runs") == expected, "{rows} × {columns} × {depth}, {threads} threads");
        }
    };
    // All but the last have more than 2^24 multiplications, so that threads share them.
    for is_transposed in [false, true] {
        check(512, 512, 512, is_transposed);
        check(3, 2345, 2401, is_transposed);
        check(2345, 3, 2401, is_transposed);
        check(129, 257, 1025, is_transposed);
        check(31, 33, 17, is_transposed);
    }
}

/// A small data set of classes that can be learned: the class is told by the features' signs.
fn dataset(rows: usize) -> Dataset {
    let features = Matrix::new(rows, 3, uniform(3, rows * 3)).expect("three columns");
    let class = |row: &[f32]| u32::from(row[0] > 0.0) + 2 * u32::from(row[1] > row[2]);
    let indices = (0..rows).map(|row| class(features.row(row))).collect();
    let names = ["a", "b", "c", "d"].map(String::from).into();
    Dataset::new(features, Targets::Classes(Classes { indices, names })).expect("a target for each row")
}

fn numbers(rows: usize) -> Dataset {
    let features = Matrix::new(rows, 3, uniform(3, rows * 3)).expect("three columns");
    let targets = (0..rows).flat_map(|row| [features.row(row)[0] * features.row(row)[1], features.row(row)[2]]);
    let targets = Matrix::new(rows, 2, targets.collect()).expect("two columns");
    Dataset::new(features, Targets::Values(targets)).expect("targets for each row")
}

/// The weights' bits and every epoch's loss after a short training.
fn train(device: &Device, data: &Dataset, sizes: &[usize], batch_size: usize, seed: u64) -> (Vec<u32>, Vec<u64>) {
    train_on(device, data, data, sizes, batch_size, seed)
}

fn train_on(
    device: &Device,
    data: &Dataset,
    validation: &Dataset,
    sizes: &[usize],
    batch_size: usize,
    seed: u64,
) -> (Vec<u32>, Vec<u64>) {
    let mut mlp = Mlp::new(device, sizes, Activation::Relu, seed).expect("a network");
    let settings = Settings { optimizer: Optimizer::adam(0.01), batch_size, epochs: 3, seed, ..Settings::default() };
    let history = fit(&mut mlp, data, Some(validation), &settings, &mut |_| ControlFlow::Continue(())).expect("trains");
    let losses = history.epochs.iter().flat_map(|epoch| {
        let validation = epoch.validation.expect("rows to validate");
        [epoch.loss.to_bits(), validation.loss.to_bits(), validation.metric.value().to_bits()]
    });
    let losses = losses.collect();
    (mlp.values().expect("readable").into_iter().map(f32::to_bits).collect(), losses)
}

#[test]
fn training_does_not_depend_on_the_number_of_threads() {
    let data = dataset(130);
    // Wide enough that threads share the middle products: 64 * 513 * 515 multiplications.
    let run = |threads| {
        let device = Device::cpu_with_threads(threads).expect("some threads");
        train(&device, &data, &[3, 513, 515, 4], 64, 11)
    };
    let expected = run(1);
    for threads in [2, 3, 5] {
        assert!(run(threads) == expected, "{threads} threads");
    }
}

#[test]
fn one_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    for (name, device) in common::devices() {
        for data in [dataset(53), numbers(53)] {
            let sizes = [3, 8, data.n_outputs()];
            let first = train(&device, &data, &sizes, 8, 3);
            assert!(train(&device, &data, &sizes, 8, 3) == first, "{name}: the same seed");
            assert!(train(&device, &data, &sizes, 8, 4) != first, "{name}: another seed");
            // The order of rows has a seed of its own: the weights alone do not make the difference.
            let order = |seed| {
                let mut mlp = Mlp::new(&device, &sizes, Activation::Relu, 3).expect("a network");
                let settings =
                    Settings { optimizer: Optimizer::sgd(0.1), batch_size: 8, epochs: 2, seed, ..Settings::default() };
                fit(&mut mlp, &data, None, &settings, &mut |_| ControlFlow::Continue(())).expect("trains");
                mlp.values().expect("readable")
            };
            assert!(order(3) != order(4), "{name}: another order of rows");
        }
    }
}

#[test]
fn every_epoch_has_an_order_of_its_own() {
    let data = dataset(53);
    let weights = |epochs: &[usize]| {
        let mut mlp = Mlp::new(&Device::reference(), &[3, 8, 4], Activation::Relu, 3).expect("a network");
        for &epochs in epochs {
            // Plain SGD remembers nothing between trainings but the weights.
            let settings =
                Settings { optimizer: Optimizer::sgd(0.1), batch_size: 8, epochs, seed: 3, ..Settings::default() };
            fit(&mut mlp, &data, None, &settings, &mut |_| ControlFlow::Continue(())).expect("trains");
        }
        mlp.values().expect("readable")
    };
    assert_eq!(weights(&[2]), weights(&[2]));
    assert!(weights(&[2]) != weights(&[1, 1]), "the second epoch repeats the first one's order");
}

#[test]
fn data_larger_than_a_buffer_train_to_the_same_bytes() {
    let Some((_, resident)) = small_device(1 << 20) else { return };
    // Features of 3 columns: 2,048 bytes hold 170 rows, 21 batches of 8; the sets have more.
    let (_, small) = small_device(2048).expect("as above");
    for rows in [171, 336, 341, 500] {
        for data in [dataset(rows), numbers(rows)] {
            let sizes = [3, 8, data.n_outputs()];
            assert!(small.max_length() / 3 < rows, "{rows} rows fit: the test tells nothing");
            // Measured on rows that fit, so that both take the same batches for that.
            let validation = data.select_rows(&Vec::from_iter(20..80)).expect("some rows");
            let expected = train_on(&resident, &data, &validation, &sizes, 8, 5);
            let found = train_on(&small, &data, &validation, &sizes, 8, 5);
            assert!(found.0 == expected.0, "{rows} rows: weights");
            assert!(found.1 == expected.1, "{rows} rows: losses");
        }
    }
}

#[test]
fn data_larger_than_a_buffer_are_measured_and_predicted_alike() {
    let Some((_, resident)) = small_device(1 << 20) else { return };
    // A hidden layer of 8 for 64 rows at a time.
    let (_, small) = small_device(2048).expect("as above");
    for data in [dataset(500), numbers(500)] {
        let sizes = [3, 8, data.n_outputs()];
        let [expected, found] = [&resident, &small].map(|device| {
            let mlp = Mlp::new(device, &sizes, Activation::Relu, 5).expect("a network");
            let answers = predict(&mlp, data.features(), data.loss()).expect("predicts");
            (evaluate(&mlp, &data).expect("measures"), answers)
        });
        assert_eq!(found.1, expected.1, "each row is computed by itself");
        // 500 losses below 4 in two orders: each sum is off by at most 500 roundings.
        let epsilon = 500.0 * f64::from(f32::EPSILON);
        approx::assert_relative_eq!(found.0.loss, expected.0.loss, epsilon = 0.0, max_relative = epsilon);
        let (found, expected) = (found.0.metric.value(), expected.0.metric.value());
        approx::assert_abs_diff_eq!(found, expected, epsilon = 4.0 * epsilon);
    }
}
