//! Whole trainings: they learn, they agree between devices, they end well when something is wrong.

mod common;

use std::ops::ControlFlow;

use common::devices;
use nngpu::data::{Classes, Dataset, Matrix, Standardiser, Table, Targets};
use nngpu::train::{Event, History, Metric, Settings, evaluate, fit, predict};
use nngpu::{Activation, Device, Error, Loss, Mlp, Network, Optimizer};

fn table(name: &str, target: &str) -> Dataset {
    let path = format!("{}/examples/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let table = Table::read_csv(path).expect("readable");
    let features = table.features(Some(target), &[]).expect("numbers");
    let targets = Targets::from_table(&table, target, None).expect("targets");
    let mut data = Dataset::new(features.values, targets).expect("as many targets as rows");
    let standardiser = Standardiser::fit(data.features());
    data.standardise_features(&standardiser);
    if let Targets::Values(values) = data.targets() {
        let standardiser = Standardiser::fit(values);
        data.standardise_targets(&standardiser);
    }
    data
}

fn settings(optimizer: Optimizer, epochs: usize) -> Settings {
    Settings { optimizer, batch_size: 32, epochs, seed: 3, ..Settings::default() }
}

fn train(device: &Device, data: &Dataset, settings: &Settings) -> (Mlp, nngpu::Result<History>) {
    let sizes = [data.features().columns(), 16, 8, data.n_outputs()];
    let mut mlp = Mlp::new(device, &sizes, Activation::Tanh, 5).expect("a network");
    let history = fit(&mut mlp, data, Some(data), settings, &mut |_| ControlFlow::Continue(()));
    (mlp, history)
}

#[test]
fn loss_curves_agree_between_devices() {
    for (name, target) in [("iris.csv", "species"), ("diabetes.csv", "target")] {
        let data = table(name, target);
        for optimizer in [Optimizer::sgd(0.05), Optimizer::momentum(0.01, 0.9), Optimizer::adam(0.002)] {
            let settings = settings(optimizer, 6);
            let (_, expected) = train(&Device::reference(), &data, &settings);
            let expected = expected.expect("trains").epochs;
            // Each step may round each of its sums, of at most 32 terms near 1, differently, and
            // tanh may be off by 5 units in the last place of 1: 64 units a step, carried on
            // through steps that contract.
            let steps = 6 * data.rows().div_ceil(32);
            let bound = steps as f64 * 64.0 * f64::from(f32::EPSILON);
            for (device_name, device) in devices() {
                let (_, found) = train(&device, &data, &settings);
                let found = found.expect("trains").epochs;
                assert_eq!(expected.len(), found.len());
                for (expected, found) in expected.iter().zip(&found) {
                    let difference = (expected.loss - found.loss).abs();
                    assert!(difference <= bound, "{device_name}, {name}, {optimizer}: {expected:?} {found:?}");
                }
            }
        }
    }
}

#[test]
fn iris_is_learned() {
    let data = table("iris.csv", "species");
    for (device_name, device) in devices() {
        let (mlp, history) = train(&device, &data, &settings(Optimizer::adam(0.01), 40));
        let history = history.expect("trains");
        assert_eq!(history.epochs.len(), 40);
        let last = history.epochs[39].validation.expect("validated");
        assert!(last.metric.value() >= 0.95, "{device_name}: {last:?}");
        assert_eq!(evaluate(&mlp, &data).expect("evaluates"), last);

        // What is predicted is what was measured.
        let probabilities = predict(&mlp, data.features(), Loss::CrossEntropy).expect("predicts");
        let Targets::Classes(classes) = data.targets() else { panic!("classes") };
        let is_right = |&row: &usize| {
            let row_values = probabilities.row(row);
            assert!((row_values.iter().sum::<f32>() - 1.0).abs() <= 4.0 * f32::EPSILON, "{row_values:?}");
            let best = (0..3).max_by(|&a, &b| row_values[a].total_cmp(&row_values[b])).expect("three");
            best as u32 == classes.indices[row]
        };
        let right = (0..150).filter(is_right).count();
        assert_eq!(Metric::Accuracy(right as f64 / 150.0), last.metric, "{device_name}");
    }
}

#[test]
fn r2_of_predictions_is_what_was_measured() {
    let data = table("diabetes.csv", "target");
    let (mlp, history) = train(&Device::cpu(), &data, &settings(Optimizer::adam(0.005), 20));
    let measured = history.expect("trains").epochs[19].validation.expect("validated");
    let predictions = predict(&mlp, data.features(), Loss::Mse).expect("predicts");
    let Targets::Values(values) = data.targets() else { panic!("numbers") };
    let squares = |a: &[f32], b: &dyn Fn(usize) -> f64| -> f64 {
        a.iter().enumerate().map(|(i, a)| (f64::from(*a) - b(i)).powi(2)).sum()
    };
    let mean = values.values().iter().map(|&v| f64::from(v)).sum::<f64>() / 442.0;
    let errors = squares(predictions.values(), &|i| f64::from(values.values()[i]));
    let r2 = 1.0 - errors / squares(values.values(), &|_| mean);
    // Sums of 442 squares in 32 bits against 64.
    assert!((measured.metric.value() - r2).abs() <= 442.0 * f64::from(f32::EPSILON), "{measured:?} {r2}");
    assert!(r2 > 0.5, "{r2}");
}

#[test]
fn an_epoch_goes_through_every_row_once() {
    // The loss of a network that answers 0 is the mean of the squared targets, each row once; the
    // last batch has 1 of the 33 rows.
    let values: Vec<f32> = (0..33).map(|i| i as f32 / 32.0).collect();
    let mean = values.iter().map(|v| f64::from(v * v)).sum::<f64>() / 33.0;
    let data = Dataset::new(
        Matrix::new(33, 1, vec![0.0; 33]).expect("33 values"),
        Targets::Values(Matrix::new(33, 1, values).expect("33 values")),
    )
    .expect("as many targets as rows");
    for (device_name, device) in devices() {
        let zeros: [(&str, &[f32]); 2] = [("layers.0.weight", &[0.0]), ("layers.0.bias", &[0.0])];
        let mut mlp = Mlp::from_parameters(&device, &[1, 1], Activation::Relu, &zeros).expect("a network");
        let settings = settings(Optimizer::sgd(1e-30), 2);
        let history = fit(&mut mlp, &data, None, &settings, &mut |_| ControlFlow::Continue(())).expect("trains");
        for epoch in history.epochs {
            assert!((epoch.loss - mean).abs() <= 33.0 * f64::from(f32::EPSILON), "{device_name}: {epoch:?} {mean}");
        }
    }
}

#[test]
fn the_observer_is_told_and_can_stop() {
    let data = table("iris.csv", "species");
    let mut mlp = Mlp::new(&Device::cpu(), &[4, 3], Activation::Relu, 0).expect("a network");
    let mut told = Vec::new();
    let history = fit(&mut mlp, &data, None, &settings(Optimizer::sgd(0.1), 9), &mut |event| {
        match event {
            Event::Batches { epoch, done, total } => told.push((*epoch, *done, *total)),
            Event::Epoch(epoch) if epoch.epoch == 2 => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .expect("trains");
    assert!(history.is_interrupted);
    assert_eq!(history.epochs.len(), 2);
    assert!(told.contains(&(1, 5, 5)) && told.contains(&(2, 5, 5)), "{told:?}");
}

#[track_caller]
fn is_traced_to(data: &Dataset, optimizer: Optimizer, tensor: &str, advice: &str) {
    for (device_name, device) in devices() {
        let sizes = [data.features().columns(), 4, data.n_outputs()];
        let mut mlp = Mlp::new(&device, &sizes, Activation::Relu, 1).expect("a network");
        let before = mlp.values().expect("readable");
        let settings = Settings { optimizer, batch_size: 2, epochs: 3, seed: 0, ..Settings::default() };
        let error = fit(&mut mlp, data, None, &settings, &mut |_| ControlFlow::Continue(())).expect_err(device_name);
        let Error::NotFinite { what, step, epoch, advice: found, .. } = &error else { panic!("{error}") };
        assert!(what.contains(tensor), "{device_name}: {error}");
        assert!(found.contains(advice), "{device_name}: {error}");
        assert_eq!(*epoch, 1, "{device_name}: {error}");
        assert!((1..=4).contains(step), "{device_name}: {error}");
        // The weights are those of the beginning of the epoch.
        assert_eq!(mlp.values().expect("readable"), before, "{device_name}");
    }
}

#[test]
fn a_loss_that_is_no_number_is_traced_to_its_first_tensor() {
    let data = |spoiled: f32| {
        let x = Matrix::new(7, 1, vec![1.0, -2.0, 3.0, 1.5, spoiled, 0.5, -1.0]).expect("seven values");
        let y = Matrix::new(7, 1, vec![1.0; 7]).expect("seven values");
        Dataset::new(x, Targets::Values(y)).expect("as many targets as rows")
    };
    is_traced_to(&data(f32::NAN), Optimizer::sgd(0.01), "batch features", "missing or infinite values in the data");
    is_traced_to(&data(f32::INFINITY), Optimizer::sgd(0.01), "batch features", "missing or infinite values");
    is_traced_to(&data(0.0), Optimizer::sgd(1e38), "layers.", "try a smaller learning rate, 1e37 instead of 1e38");
}

#[test]
fn data_must_fit_the_network() {
    let data = table("iris.csv", "species");
    for sizes in [[3, 3], [4, 2]] {
        let mut mlp = Mlp::new(&Device::cpu(), &sizes, Activation::Relu, 0).expect("a network");
        let error = fit(&mut mlp, &data, None, &settings(Optimizer::sgd(0.1), 1), &mut |_| ControlFlow::Continue(()));
        let message = error.expect_err("does not fit").to_string();
        assert!(
            message.starts_with("data for the network: found data with 4 features and 3 targets, expected"),
            "{message}"
        );
    }
}

#[test]
fn classes_and_targets_are_checked() {
    let x = || Matrix::new(2, 1, vec![0.0; 2]).expect("two values");
    let classes = |indices: Vec<u32>| Targets::Classes(Classes { indices, names: vec!["a".into(), "b".into()] });
    assert!(Dataset::new(x(), classes(vec![0, 1])).is_ok());
    let error = Dataset::new(x(), classes(vec![0, 2])).expect_err("no such class").to_string();
    assert_eq!(error, "class index: found 2, expected an index below 2, the number of classes");
    let error = Dataset::new(x(), classes(vec![0])).expect_err("too few").to_string();
    assert!(error.contains("2 rows of features with 1 targets"), "{error}");
}

#[test]
fn settings_outside_their_range_are_refused() {
    let data = table("iris.csv", "species");
    let good = settings(Optimizer::sgd(0.1), 1);
    let mut bad_adam = Optimizer::adam(0.1);
    let Optimizer::Adam { beta2, .. } = &mut bad_adam else { unreachable!("it is Adam") };
    *beta2 = 1.0;
    for (settings, message) in [
        (Settings { epochs: 0, ..good.clone() }, "epochs: found 0, expected a number of at least 1"),
        (Settings { batch_size: 0, ..good.clone() }, "batch size: found 0, expected a number of at least 1"),
        (
            Settings { optimizer: Optimizer::sgd(f32::NAN), ..good.clone() },
            "learning rate: found NaN, expected a number above 0",
        ),
        (
            Settings { optimizer: Optimizer::momentum(0.1, 1.0), ..good.clone() },
            "momentum: found 1, expected a number from 0 to below 1",
        ),
        (Settings { optimizer: bad_adam, ..good.clone() }, "beta2: found 1, expected a number from 0 to below 1"),
    ] {
        let mut mlp = Mlp::new(&Device::cpu(), &[4, 3], Activation::Relu, 0).expect("a network");
        let error = fit(&mut mlp, &data, None, &settings, &mut |_| ControlFlow::Continue(()));
        assert_eq!(error.expect_err("refused").to_string(), message);
    }
}

#[test]
fn every_name_of_an_optimizer_is_one() {
    for name in Optimizer::NAMES {
        let optimizer = Optimizer::named(name, None).expect("a known name");
        assert_eq!(optimizer.name(), name);
        assert!(optimizer.check().is_ok());
        assert_eq!(Optimizer::named(name, Some(0.5)).expect("a known name").learning_rate(), 0.5);
    }
    let message = Optimizer::named("bfgs", None).expect_err("unknown").to_string();
    assert_eq!(message, format!("optimizer: found `bfgs`, expected one of {}", Optimizer::NAMES.join(", ")));
}

#[test]
fn saved_weights_load_back_and_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    for (device_name, device) in devices() {
        let mlp = Mlp::new(&device, &[3, 5, 2], Activation::Tanh, 9).expect("a network");
        mlp.save(&path).expect("written");
        let loaded = Mlp::load(&device, &[3, 5, 2], Activation::Tanh, &path).expect("readable");
        assert_eq!(loaded.values().expect("readable"), mlp.values().expect("readable"), "{device_name}");
    }
    let refused = |sizes: &[usize]| {
        Mlp::load(&Device::cpu(), sizes, Activation::Tanh, &path).expect_err("another network").to_string()
    };
    assert!(
        refused(&[3, 5]).ends_with("missing parameters: none; unknown ones: layers.1.bias, layers.1.weight"),
        "{}",
        refused(&[3, 5])
    );
    assert!(refused(&[3, 5, 2, 2]).contains("missing parameters: layers.2.weight, layers.2.bias; unknown ones: none"));
    assert!(refused(&[3, 4, 2]).contains("`layers.0.weight` is F32 of [5, 3], expected F32 of [4, 3]"));
}

#[test]
fn a_network_starts_with_mlx_s_weights() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/mlx_init.json")).expect("valid JSON");
    let mut n_compared = 0;
    for case in golden["networks"].as_array().expect("a list") {
        let sizes: Vec<usize> =
            case["sizes"].as_array().expect("sizes").iter().map(|n| n.as_u64().expect("a size") as usize).collect();
        let seed: u64 = case["seed"]
            .as_str()
            .map_or_else(|| case["seed"].as_u64().expect("a seed"), |s| s.parse().expect("a seed"));
        let network = Network::new(&sizes, Activation::Relu).expect("a network");
        let values = network.initial(seed);
        for (layer, expected) in case["layers"].as_array().expect("layers").iter().enumerate() {
            for (part, key) in [("weight", "weights"), ("bias", "biases")] {
                let name = format!("layers.{layer}.{part}");
                let spec = network.parameters().iter().find(|spec| spec.name == name).expect("named");
                let Some(expected) = expected[key].as_array() else { continue };
                let found: Vec<String> = values[spec.range()].iter().map(|v| format!("{:08x}", v.to_bits())).collect();
                let expected: Vec<&str> = expected.iter().map(|word| word.as_str().expect("digits")).collect();
                assert_eq!(found, expected, "{sizes:?}, seed {seed}, {name}");
                n_compared += 1;
            }
        }
    }
    assert!(n_compared > 20, "{n_compared}");
}

#[test]
fn weights_spoiled_by_the_last_step_are_an_error() {
    // One step, whose loss is finite: its gradient of 1e8 * 1e28 is as well, but not a thousand times that; and 1e10 * 1e30
    // is not.
    for (x, rate, expected) in [
        (1e28, 1e4, "`layers.0.weight` became -inf at step 1 (epoch 1), in rows"),
        (1e30, 10.0, "the gradient of `layers.0.weight` became inf at step 1 (epoch 1), in rows"),
    ] {
        is_spoiled_by_the_last_step(x, rate, expected);
    }
}

#[track_caller]
fn is_spoiled_by_the_last_step(x: f32, rate: f32, expected: &str) {
    let x = Matrix::new(2, 1, vec![x; 2]).expect("two values");
    let data =
        Dataset::new(x, Targets::Values(Matrix::new(2, 1, vec![1.0; 2]).expect("two values"))).expect("two rows");
    for (device_name, device) in devices() {
        let first: [(&str, &[f32]); 2] = [("layers.0.weight", &[1e-20]), ("layers.0.bias", &[0.0])];
        let mut mlp = Mlp::from_parameters(&device, &[1, 1], Activation::Relu, &first).expect("a network");
        let settings =
            Settings { optimizer: Optimizer::sgd(rate), batch_size: 2, epochs: 1, seed: 0, ..Settings::default() };
        let error = fit(&mut mlp, &data, None, &settings, &mut |_| ControlFlow::Continue(())).expect_err(device_name);
        let message = error.to_string();
        assert!(message.starts_with(expected), "{device_name}: {message}");
        assert_eq!(mlp.values().expect("readable")[0], 1e-20, "{device_name}");
    }
}
