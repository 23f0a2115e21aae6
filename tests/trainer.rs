//! A training taken epoch by epoch.

mod common;

use std::ops::ControlFlow;

use common::devices;
use nngpu::data::{Dataset, Matrix, Targets};
use nngpu::train::{Epoch, Evaluator, Event, Settings, Trainer, evaluate, fit};
use nngpu::{Activation, Device, Error, Mlp, Optimizer};

/// y = x0 * x1 on a grid of 7 by 5 points.
fn data() -> Dataset {
    let points = (0..35).map(|i| [(i / 5) as f32 / 3.0 - 1.0, (i % 5) as f32 / 2.0 - 1.0]);
    let y = points.clone().map(|[x0, x1]| x0 * x1).collect();
    let x = Matrix::new(35, 2, points.flatten().collect()).expect("two columns");
    Dataset::new(x, Targets::Values(Matrix::new(35, 1, y).expect("one column"))).expect("a target for each row")
}

fn network(device: &Device) -> Mlp {
    Mlp::new(device, &[2, 5, 1], Activation::Tanh, 3).expect("a network")
}

fn trainer(mlp: &mut Mlp, optimizer: Optimizer) -> Trainer<'static> {
    Trainer::new(mlp, data(), optimizer, 8, 11).expect("data that fit")
}

fn epoch(trainer: &mut Trainer) -> nngpu::Result<Epoch> {
    Ok(trainer.epoch(&mut |_| ControlFlow::Continue(()))?.expect("nobody broke it off"))
}

fn bits(mlp: &Mlp) -> Vec<u32> {
    mlp.values().expect("readable").into_iter().map(f32::to_bits).collect()
}

#[test]
fn single_epochs_are_those_of_a_fit() {
    for (name, device) in devices() {
        for optimizer in [Optimizer::sgd(0.1), Optimizer::momentum(0.05, 0.9), Optimizer::adam(0.01)] {
            let (mut fitted, mut taken) = (network(&device), network(&device));
            let settings = Settings { optimizer, batch_size: 8, epochs: 3, seed: 11, ..Settings::default() };
            let history =
                fit(&mut fitted, &data(), None, &settings, &mut |_| ControlFlow::Continue(())).expect("trains");
            let mut trainer = trainer(&mut taken, optimizer);
            for expected in history.epochs {
                let found = epoch(&mut trainer).expect("trains");
                assert_eq!((found.epoch, found.loss), (expected.epoch, expected.loss), "{name}, {optimizer}");
            }
            assert!(bits(&fitted) == bits(&taken), "{name}, {optimizer}");
        }
    }
}

#[test]
fn a_step_length_holds_from_the_next_epoch_on() {
    for (name, device) in devices() {
        let mut mlp = network(&device);
        let mut trainer = trainer(&mut mlp, Optimizer::sgd(0.1));
        epoch(&mut trainer).expect("trains");
        let before = bits(&mlp);
        // So short that no weight changes in its last place.
        trainer.set_learning_rate(1e-30).expect("above 0");
        epoch(&mut trainer).expect("trains");
        assert!(bits(&mlp) == before, "{name}");
        for refused in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let error = trainer.set_learning_rate(refused).expect_err("out of range");
            assert_eq!(error.to_string(), format!("learning rate: found {refused}, expected a number above 0"));
        }
        assert_eq!(trainer.optimizer().learning_rate(), 1e-30);
        trainer.set_learning_rate(0.1).expect("above 0");
        epoch(&mut trainer).expect("trains");
        assert!(bits(&mlp) != before, "{name}");
    }
}

#[test]
fn a_training_goes_on_after_steps_that_were_too_long() {
    for (name, device) in devices() {
        let optimizer = Optimizer::momentum(0.05, 0.9);
        let (mut lost, mut never_lost) = (network(&device), network(&device));
        let mut trainers = [trainer(&mut lost, optimizer), trainer(&mut never_lost, optimizer)];
        for trainer in &mut trainers {
            epoch(trainer).expect("trains");
        }
        let [trainer, other] = &mut trainers;
        trainer.set_learning_rate(1e38).expect("above 0");
        let error = epoch(trainer).expect_err("no weights survive that");
        assert!(matches!(error, Error::NotFinite { epoch: 2, .. }), "{name}: {error}");
        assert!(bits(&lost) == bits(&never_lost), "{name}");
        // The velocity as well is what it was, and so is the order of rows.
        trainer.set_learning_rate(0.05).expect("above 0");
        let [found, expected] = [epoch(trainer), epoch(other)].map(|epoch| epoch.expect("trains"));
        assert_eq!((found.epoch, found.loss), (expected.epoch, expected.loss), "{name}");
        assert!(bits(&lost) == bits(&never_lost), "{name}");
    }
}

#[test]
fn an_epoch_that_is_broken_off_keeps_what_it_did() {
    for (name, device) in devices() {
        let mut mlp = network(&device);
        let before = bits(&mlp);
        let mut trainer = trainer(&mut mlp, Optimizer::sgd(0.1));
        let mut told = Vec::new();
        let broken_off = trainer.epoch(&mut |event| {
            told.push(event.clone());
            ControlFlow::Break(())
        });
        assert_eq!(broken_off.expect("trains"), None, "{name}");
        assert_eq!(told, [Event::Batches { epoch: 1, done: 1, total: 5 }], "{name}");
        assert!(bits(&mlp) != before, "{name}");
        assert_eq!(epoch(&mut trainer).expect("trains").epoch, 2, "{name}");
    }
}

#[test]
fn a_measurement_is_of_the_weights_as_they_are() {
    for (name, device) in devices() {
        let mut mlp = network(&device);
        let mut evaluator = Evaluator::new(&mlp, data()).expect("data that fit");
        let mut trainer = trainer(&mut mlp, Optimizer::adam(0.05));
        let mut losses = Vec::new();
        for _ in 0..3 {
            epoch(&mut trainer).expect("trains");
            let found = evaluator.run().expect("measures");
            assert_eq!(found, evaluate(&mlp, &data()).expect("measures"), "{name}");
            losses.push(found.loss);
        }
        assert!(losses[0] != losses[1] && losses[1] != losses[2], "{name}: {losses:?}");
    }
}

#[test]
fn settings_and_data_that_do_not_fit_are_refused() {
    let mut mlp = network(&Device::reference());
    let refused = |optimizer, batch_size, mlp: &mut Mlp| {
        Trainer::new(mlp, data(), optimizer, batch_size, 0).expect_err("refused").to_string()
    };
    assert_eq!(refused(Optimizer::sgd(0.1), 0, &mut mlp), "batch size: found 0, expected a number of at least 1");
    let message = refused(Optimizer::sgd(-0.1), 1, &mut mlp);
    assert_eq!(message, "learning rate: found -0.1, expected a number above 0");
    let mut wide = Mlp::new(&Device::reference(), &[3, 1], Activation::Relu, 0).expect("a network");
    let message = refused(Optimizer::sgd(0.1), 1, &mut wide);
    assert!(message.starts_with("data for the network: found data with 2 features and 1 targets"), "{message}");
}
