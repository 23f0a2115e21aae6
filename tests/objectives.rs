//! What training makes small: other losses than the usual ones, and weights of rows and of classes.

mod common;

use std::ops::ControlFlow;

use common::devices;
use nngpu::data::{Classes, Dataset, Matrix, Targets};
use nngpu::kernels::loss::Reduction;
use nngpu::train::{Evaluator, Metric, Settings, fit, predict};
use nngpu::{Activation, Device, Loss, Mlp, Optimizer};

const ROWS: usize = 12;

fn features() -> Matrix {
    let values = (0..2 * ROWS).map(|i| (i * 5 % 13) as f32 / 6.0 - 1.0).collect();
    Matrix::new(ROWS, 2, values).expect("a matrix")
}

fn counts() -> Dataset {
    let x = features();
    let values = (0..ROWS).map(|row| (x.row(row)[0] + 1.0).exp().round()).collect();
    let targets = Matrix::new(ROWS, 1, values).expect("a matrix");
    Dataset::new(x, Targets::Values(targets)).expect("data")
}

fn classes() -> Dataset {
    let indices = (0..ROWS).map(|row| (row % 3) as u32).collect();
    let names = ["a", "b", "c"].map(String::from).into();
    Dataset::new(features(), Targets::Classes(Classes { indices, names })).expect("data")
}

/// A few steps over all rows at once.
fn settings() -> Settings {
    Settings { optimizer: Optimizer::sgd(0.05), batch_size: 64, epochs: 5, ..Settings::default() }
}

fn trained(device: &Device, data: &Dataset, settings: &Settings) -> nngpu::Result<Mlp> {
    let mut mlp = Mlp::new(device, &[2, 4, data.n_outputs()], Activation::Tanh, 0)?;
    fit(&mut mlp, data, None, settings, &mut |_| ControlFlow::Continue(()))?;
    Ok(mlp)
}

/// Five steps of sums of at most 24 rows, each rounded otherwise.
#[track_caller]
fn assert_same(what: &str, found: &Mlp, expected: &Mlp) {
    let [found, expected] = [found, expected].map(|mlp| mlp.values().expect("values"));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let tolerance = 5.0 * 24.0 * f32::EPSILON * (1.0 + expected.abs());
        assert!((found - expected).abs() <= tolerance, "{what}, parameter {i}: {found}, expected {expected}");
    }
}

#[test]
fn a_row_counts_as_often_as_its_weight_says() {
    for (name, device) in devices() {
        for data in [counts(), classes()] {
            let sums = Settings { reduction: Reduction::Sum, optimizer: Optimizer::sgd(0.004), ..settings() };
            let weights = (0..ROWS).map(|row| (row % 3) as f32).collect();
            let repeated: Vec<u32> = (0..ROWS as u32).flat_map(|row| vec![row; row as usize % 3]).collect();
            let weighted = data.clone().with_weights(weights).expect("a weight each");
            let repeated = data.select_rows(&repeated).expect("rows");
            let [found, expected, without] =
                [&weighted, &repeated, &data].map(|data| trained(&device, data, &sums).expect("trains"));
            assert_same(name, &found, &expected);
            assert_ne!(without.values().expect("values"), found.values().expect("values"), "{name}: no weights at all");
            // In small batches a weight of 1 is none.
            let batches = Settings { batch_size: 5, ..sums.clone() };
            let ones = data.clone().with_weights(vec![1.0; ROWS]).expect("a weight each");
            let [found, expected] = [&ones, &data].map(|data| trained(&device, data, &batches).expect("trains"));
            assert_same(name, &found, &expected);
        }
    }
}

#[test]
fn weights_of_classes_are_those_of_their_rows() {
    for (name, device) in devices() {
        let by_class = [0.5, 2.0, 1.25];
        for reduction in [Reduction::Mean, Reduction::WeightedMean, Reduction::Sum] {
            let plain = Settings { reduction, optimizer: Optimizer::sgd(0.01), ..settings() };
            let weighted = Settings { class_weights: Some(by_class.into()), ..plain.clone() };
            let rows = (0..ROWS).map(|row| by_class[row % 3]).collect();
            let of_rows = classes().with_weights(rows).expect("a weight each");
            let found = trained(&device, &classes(), &weighted).expect("trains");
            let expected = trained(&device, &of_rows, &plain).expect("trains");
            assert_same(&format!("{name}, {reduction:?}"), &found, &expected);
        }
    }
}

#[test]
fn counts_are_predicted_by_their_means() {
    for (name, device) in devices() {
        let settings =
            Settings { loss: Some(Loss::Poisson), optimizer: Optimizer::adam(0.05), epochs: 300, ..settings() };
        let mlp = trained(&device, &counts(), &settings).expect("trains");
        let evaluation =
            Evaluator::with_loss(&mlp, counts(), Loss::Poisson).and_then(|mut all| all.run()).expect("runs");
        let answers = predict(&mlp, counts().features(), Loss::Poisson).expect("predicts");
        let Targets::Values(targets) = counts().targets().clone() else { unreachable!("counts are numbers") };
        let pairs = || answers.values().iter().zip(targets.values()).map(|(p, t)| (f64::from(*p), f64::from(*t)));
        assert!(pairs().all(|(p, _)| p > 0.0), "{name}: means of counts");
        let mean = pairs().map(|(_, t)| t).sum::<f64>() / ROWS as f64;
        let square = pairs().map(|(p, t)| (p - t).powi(2)).sum::<f64>() / ROWS as f64;
        let variance = pairs().map(|(_, t)| (t - mean).powi(2)).sum::<f64>() / ROWS as f64;
        let Metric::R2(r2) = evaluation.metric else { panic!("{name}: numbers have R²") };
        // Sums of twelve squares of at most 64.
        assert!((r2 - (1.0 - square / variance)).abs() <= 1e-5, "{name}: {r2}, {}", 1.0 - square / variance);
        assert!(r2 > 0.95, "{name}: {r2}");
        // The mean of Poisson's loss is that of exp(z) - t z with z the logarithm of the answer.
        let loss = pairs().map(|(p, t)| p - t * p.ln()).sum::<f64>() / ROWS as f64;
        assert!((evaluation.loss - loss).abs() <= 1e-4, "{name}: {}, {loss}", evaluation.loss);
    }
}

#[test]
fn objectives_that_do_not_fit_the_data_are_refused() {
    let device = Device::cpu();
    let refused = |data: &Dataset, settings: Settings| {
        trained(&device, data, &settings).map(drop).expect_err("a wrong objective").to_string()
    };
    let with_loss = |loss| Settings { loss: Some(loss), ..settings() };
    let negative = Dataset::new(features(), Targets::Values(Matrix::new(ROWS, 1, vec![-1.0; ROWS]).expect("a matrix")));
    let message = refused(&negative.expect("data"), with_loss(Loss::Poisson));
    let expected = "target of row 1 (the first is 1): found -1, expected a number of at least 0 for the loss poisson";
    assert_eq!(message, expected);
    assert!(refused(&classes(), with_loss(Loss::Mse)).contains("class"));
    assert!(refused(&counts(), with_loss(Loss::Huber { delta: -1.0 })).contains("delta"));
    let weights = |weights: &[f32]| Settings { class_weights: Some(weights.into()), ..settings() };
    assert!(refused(&counts(), weights(&[1.0])).contains("none, for targets that are numbers"));
    assert!(refused(&classes(), weights(&[1.0])).contains("one for each of 3"));
    assert!(refused(&classes(), weights(&[1.0, f32::NAN, 1.0])).contains("numbers of at least 0"));
    let error = counts().with_weights(vec![1.0]).expect_err("one weight").to_string();
    assert_eq!(error, "weights of rows: found 1 weights, expected one for each of 12 rows");
    let error = counts().with_weights(vec![f32::NAN; ROWS]).expect_err("no numbers").to_string();
    assert_eq!(error, "weight of row 0: found NaN, expected a number of at least 0");
}
