//! What a training does with gradients: groups, schedules, clipping, several batches to an update, means of weights.

mod common;

use std::ops::ControlFlow;

use common::devices;
use nngpu::data::{Dataset, Matrix, Targets};
use nngpu::kernels::optimizer::Clip;
use nngpu::train::{Epoch, Event, Group, Plateau, Schedule, Settings, Trainer, evaluate, fit};
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

/// All 35 rows in one batch, so that an epoch is one update.
fn settings(optimizer: Optimizer) -> Settings {
    Settings { optimizer, batch_size: 35, epochs: 4, seed: 11, ..Settings::default() }
}

fn fitted(device: &Device, settings: &Settings) -> (Mlp, Vec<Epoch>) {
    let mut mlp = network(device);
    let history = fit(&mut mlp, &data(), Some(&data()), settings, &mut |_| ControlFlow::Continue(())).expect("trains");
    (mlp, history.epochs)
}

fn epoch(trainer: &mut Trainer) -> nngpu::Result<Epoch> {
    Ok(trainer.epoch(&mut |_| ControlFlow::Continue(()))?.expect("nobody broke it off"))
}

fn values(mlp: &Mlp) -> Vec<f32> {
    mlp.values().expect("readable")
}

fn bits(mlp: &Mlp) -> Vec<u32> {
    values(mlp).into_iter().map(f32::to_bits).collect()
}

/// The largest difference.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |most, one| if one <= most { most } else { one })
}

#[test]
fn several_small_batches_are_one_large_one() {
    for (name, device) in devices() {
        // 35 rows are no multiple: the last update has 3 rows of 8, or one batch of 5 rows of 15.
        for (batch_size, accumulate) in [(4, 2), (5, 3), (7, 64)] {
            for optimizer in [Optimizer::sgd(0.1), Optimizer::adam(0.01)] {
                let small = Settings { batch_size, accumulate, ..settings(optimizer) };
                let large = Settings { batch_size: batch_size * accumulate, ..settings(optimizer) };
                let (small, large) = (fitted(&device, &small).0, fitted(&device, &large).0);
                // Each of at most 5 updates in 4 epochs rounds sums of at most 35 terms of at most 2 in another order;
                // Adam divides them by their size, which is above 1/256 of 1 here.
                let gradient = 2.0 * 35.0 * f32::EPSILON;
                let bound = 20.0 * gradient * if optimizer.name() == "adam" { 256.0 * 0.01 } else { 0.1 };
                let found = distance(&values(&small), &values(&large));
                assert!(found <= bound, "{name}, {optimizer}, {accumulate} of {batch_size}: {found}, at most {bound}");
                assert!(distance(&values(&small), &values(&network(&device))) > 10.0 * bound, "{name}: it learned");
            }
        }
    }
}

#[test]
fn one_batch_to_an_update_is_the_update_itself() {
    for (name, device) in devices() {
        let once = settings(Optimizer::momentum(0.05, 0.9));
        let explicit = Settings { accumulate: 1, ..once.clone() };
        assert_eq!(bits(&fitted(&device, &once).0), bits(&fitted(&device, &explicit).0), "{name}");
        // More batches than there are make one update of each epoch.
        let (many, enough) = (Settings { accumulate: 1 << 31, ..once.clone() }, once);
        assert_eq!(bits(&fitted(&device, &many).0), bits(&fitted(&device, &enough).0), "{name}");
    }
}

#[test]
fn a_schedule_gives_each_update_its_rate() {
    for (name, device) in devices() {
        let optimizer = Optimizer::momentum(0.1, 0.9);
        let plain = fitted(&device, &Settings { batch_size: 8, ..settings(optimizer) });
        let constant = Some(Schedule::constant(f64::from(0.1f32)));
        let same = fitted(&device, &Settings { batch_size: 8, schedule: constant, ..settings(optimizer) });
        assert_eq!(bits(&plain.0), bits(&same.0), "{name}");

        // One update an epoch: the same rates by hand. And the same where five batches make that update.
        let schedule = Schedule::Linear { initial: 0.25, end: 0.0625, steps: 3 };
        let scheduled = Settings { schedule: Some(schedule.clone()), ..settings(optimizer) };
        let mut mlp = network(&device);
        let mut trainer = Trainer::with(&mut mlp, data(), &settings(optimizer)).expect("settings");
        for step in 0..4 {
            trainer.set_learning_rate(schedule.rate(step) as f32).expect("above 0");
            epoch(&mut trainer).expect("trains");
        }
        assert_eq!(bits(&mlp), bits(&fitted(&device, &scheduled).0), "{name}");
        let accumulated = Settings { batch_size: 7, accumulate: 5, ..scheduled.clone() };
        let found = distance(&values(&mlp), &values(&fitted(&device, &accumulated).0));
        // Four updates of rate 1/4 or less, tenfold by the momentum, and sums of 35 terms of at most 2.
        assert!(found <= 4.0 * 0.25 * 10.0 * 70.0 * f32::EPSILON, "{name}: {found}");

        // Within an epoch: five updates of one rate each, of which only the first is not 0.
        let first_only = Schedule::Milestones { initial: 0.5, factor: 0.0, at: vec![1] };
        let sgd = Settings { batch_size: 8, epochs: 1, schedule: Some(first_only), ..settings(Optimizer::sgd(0.5)) };
        let mut stopped = network(&device);
        let mut trainer =
            Trainer::with(&mut stopped, data(), &Settings { schedule: None, ..sgd.clone() }).expect("settings");
        let mut n_parts = 0;
        let broken_off = trainer.epoch(&mut |event| {
            assert_eq!(*event, Event::Batches { epoch: 1, done: 1, total: 5 });
            n_parts += 1;
            ControlFlow::Break(())
        });
        assert_eq!((broken_off.expect("trains"), n_parts), (None, 1));
        assert_eq!(bits(&stopped), bits(&fitted(&device, &sgd).0), "{name}");

        // A rate set by hand takes the schedule's place; so short a step changes no weight in its last place.
        let mut mlp = network(&device);
        let constant = Settings { schedule: Some(Schedule::constant(0.5)), ..settings(Optimizer::sgd(0.5)) };
        let mut trainer = Trainer::with(&mut mlp, data(), &constant).expect("settings");
        epoch(&mut trainer).expect("trains");
        let before = bits(&mlp);
        assert!(before != bits(&network(&device)), "{name}");
        trainer.set_learning_rate(1e-30).expect("above 0");
        epoch(&mut trainer).expect("trains");
        assert_eq!(bits(&mlp), before, "{name}");
    }
}

#[test]
fn groups_have_optimizers_of_their_own() {
    for (name, device) in devices() {
        let group = |pattern: &str, optimizer| Group { pattern: pattern.into(), optimizer };
        let adam = Optimizer::adam(0.01);
        let one = Settings { batch_size: 8, ..settings(adam) };
        // Two groups of one rule are one of it.
        let split = Settings { groups: vec![group("*.bias", adam)], ..one.clone() };
        assert_eq!(bits(&fitted(&device, &one).0), bits(&fitted(&device, &split).0), "{name}");

        // Biases that hardly move, and a frozen layer.
        let still = Settings { groups: vec![group("*.bias", Optimizer::sgd(1e-30))], ..one.clone() };
        let specs = network(&device).network().parameters().to_vec();
        let before = values(&network(&device));
        let mut frozen = network(&device);
        frozen.freeze("layers.0.*").expect("two");
        fit(&mut frozen, &data(), None, &one, &mut |_| ControlFlow::Continue(())).expect("trains");
        for (after, stays) in [(values(&fitted(&device, &still).0), ".bias"), (values(&frozen), "layers.0.")] {
            for spec in &specs {
                let range = spec.offset as usize..(spec.offset + spec.rows * spec.columns) as usize;
                let is_same = before[range.clone()] == after[range];
                assert_eq!(is_same, spec.name.contains(stays), "{name}, {}", spec.name);
            }
        }

        // The groups' rates keep their ratio under a schedule.
        let sgd = |rate| Optimizer::sgd(rate);
        let halves = Settings { groups: vec![group("*.bias", sgd(0.125))], ..settings(sgd(0.25)) };
        let scheduled = Settings {
            schedule: Some(Schedule::constant(0.25)),
            groups: vec![group("*.bias", sgd(0.5))],
            ..settings(sgd(1.0))
        };
        assert_eq!(bits(&fitted(&device, &halves).0), bits(&fitted(&device, &scheduled).0), "{name}");

        let unknown = Settings { groups: vec![group("layer.*", adam)], ..one };
        let error = Trainer::with(&mut network(&device), data(), &unknown).expect_err("no such parameter");
        assert!(error.to_string().starts_with("pattern of parameters: found `layer.*`, which none has"), "{error}");
    }
}

#[test]
fn every_optimizer_learns() {
    for (device_name, device) in devices() {
        for name in Optimizer::NAMES {
            let rate = match name {
                "adadelta" | "adafactor" => None,
                _ => Some(0.01),
            };
            let optimizer = Optimizer::named(name, rate).expect("a name of its own");
            let settings = Settings { batch_size: 8, epochs: 20, ..settings(optimizer) };
            let (_, epochs) = fitted(&device, &settings);
            let (first, last) = (epochs[0].loss, epochs[19].loss);
            assert!(last < 0.95 * first, "{device_name}, {optimizer}: {first}, {last}");
        }
    }
}

#[test]
fn gradients_are_clipped_before_the_update() {
    for (name, device) in devices() {
        let before = values(&network(&device));
        let one = Settings { epochs: 1, ..settings(Optimizer::sgd(1.0)) };
        let step = |clip: Option<Clip>| -> Vec<f32> {
            let after = values(&fitted(&device, &Settings { clip, ..one.clone() }).0);
            after.iter().zip(&before).map(|(after, before)| before - after).collect()
        };
        let norm = |step: &[f32]| step.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let free = step(None);
        let length = norm(&free);
        assert!(length > 0.25, "{name}: {length}");
        // A norm within its limit changes nothing; a limit below it is reached in the same direction. Weights up to 1
        // round a step of the size of their last place.
        let unit = f32::EPSILON;
        assert_eq!(step(Some(Clip::Norm(10.0))), free, "{name}");
        let clipped = step(Some(Clip::Norm(0.125)));
        let scaled: Vec<f32> = free.iter().map(|x| x * (0.125 / (length + 1e-6)) as f32).collect();
        assert!(distance(&clipped, &scaled) <= 4.0 * unit, "{name}: {clipped:?}, {scaled:?}");
        let clipped = step(Some(Clip::Value(0.0625)));
        let limited: Vec<f32> = free.iter().map(|x| x.clamp(-0.0625, 0.0625)).collect();
        assert!(distance(&clipped, &limited) <= 4.0 * unit, "{name}: {clipped:?}, {limited:?}");
        assert!(limited != free, "{name}: nothing to clip");

        // The norm is that of what is learned: two layers' weights with a frozen bias between them.
        let step = |clip: Option<Clip>| -> Vec<f32> {
            let (mut mlp, settings) = (network(&device), Settings { clip, ..one.clone() });
            mlp.freeze("layers.0.bias").expect("there is one");
            fit(&mut mlp, &data(), None, &settings, &mut |_| ControlFlow::Continue(())).expect("trains");
            values(&mlp).iter().zip(&before).map(|(after, before)| before - after).collect()
        };
        let part = step(None);
        assert!(norm(&part) < 0.999 * length, "{name}: the bias would have moved");
        let scaled: Vec<f32> = part.iter().map(|x| x * (0.125 / (norm(&part) + 1e-6)) as f32).collect();
        let clipped = step(Some(Clip::Norm(0.125)));
        assert!(distance(&clipped, &scaled) <= 4.0 * unit, "{name}: {clipped:?}, {scaled:?}");
    }
}

#[test]
fn a_training_ends_with_the_mean_of_its_weights() {
    for (name, device) in devices() {
        let plain = settings(Optimizer::sgd(0.25));
        let mut mlp = network(&device);
        let mut mean: Vec<f32> = values(&mlp);
        let mut trainer = Trainer::with(&mut mlp, data(), &plain).expect("settings");
        for _ in 0..4 {
            epoch(&mut trainer).expect("trains");
            mean.iter_mut().zip(values(&mlp)).for_each(|(mean, w)| *mean = 0.75 * *mean + 0.25 * w);
        }
        let averaged = Settings { ema: Some(0.75), ..plain.clone() };
        let (averaging, epochs) = fitted(&device, &averaged);
        // Four times two products and a sum, of numbers of at most 1.
        assert!(distance(&values(&averaging), &mean) <= 4.0 * 3.0 * f32::EPSILON, "{name}");
        assert!(distance(&values(&averaging), &values(&mlp)) > 0.001, "{name}: the mean lags behind");
        assert_eq!(epochs[3].validation, Some(evaluate(&averaging, &data()).expect("measures")), "{name}");

        // The mean is shown, and the training goes on from its own weights.
        let mut other = network(&device);
        let mut trainer = Trainer::with(&mut other, data(), &averaged).expect("settings");
        for _ in 0..4 {
            epoch(&mut trainer).expect("trains");
            let learned = bits(&other);
            trainer.show_average().expect("a mean");
            trainer.show_average().expect("shown already");
            assert!(bits(&other) != learned, "{name}");
        }
        assert_eq!(bits(&other), bits(&averaging), "{name}");
        // A mean that keeps nothing is the weights.
        let (same, _) = fitted(&device, &Settings { ema: Some(0.0), ..plain });
        assert_eq!(bits(&same), bits(&mlp), "{name}");
    }
}

#[test]
fn the_rate_is_reduced_where_the_loss_no_longer_falls() {
    for (name, device) in devices() {
        // Only a loss of a tenth of the best is better: from the second epoch on each one reduces, not below 1/16.
        let plateau = Plateau { factor: 0.25, patience: 0, threshold: 0.9, cooldown: 0, minimum: 0.0625 };
        let mut mlp = network(&device);
        let mut trainer = Trainer::with(&mut mlp, data(), &settings(Optimizer::sgd(0.5))).expect("settings");
        for rate in [0.5, 0.5, 0.125, 0.0625] {
            trainer.set_learning_rate(rate).expect("above 0");
            epoch(&mut trainer).expect("trains");
        }
        let reduced = Settings { plateau: Some(plateau), ..settings(Optimizer::sgd(0.5)) };
        assert_eq!(bits(&mlp), bits(&fitted(&device, &reduced).0), "{name}");
        let scheduled = Settings { schedule: Some(Schedule::constant(0.5)), ..reduced };
        assert_eq!(bits(&mlp), bits(&fitted(&device, &scheduled).0), "{name}");
    }
    let mut mlp = network(&Device::reference());
    let mut trainer = Trainer::with(&mut mlp, data(), &settings(Optimizer::sgd(0.5))).expect("settings");
    trainer.reduce_learning_rate(0.5, 0.0).expect("a factor");
    assert_eq!(trainer.optimizer().learning_rate(), 0.25);
    let mut relative = network(&Device::reference());
    let mut relative = Trainer::with(&mut relative, data(), &settings(Optimizer::adafactor(None))).expect("settings");
    for refused in [relative.set_learning_rate(0.1), relative.reduce_learning_rate(0.5, 0.0)] {
        let message = refused.expect_err("refused").to_string();
        assert_eq!(
            message,
            "learning rate: found steps of relative length, expected an optimizer with a learning rate"
        );
    }
    for factor in [0.0, f64::NAN] {
        let message = trainer.reduce_learning_rate(factor, 0.0).expect_err("refused").to_string();
        assert_eq!(message, format!("factor of the learning rate: found {factor}, expected a number above 0"));
    }
}

#[test]
fn a_training_of_several_batches_to_an_update_goes_on_after_steps_that_were_too_long() {
    for (name, device) in devices() {
        let settings = Settings {
            batch_size: 8,
            accumulate: 2,
            ema: Some(0.5),
            clip: Some(Clip::Value(1e30)),
            ..settings(Optimizer::momentum(0.05, 0.9))
        };
        let (mut lost, mut never_lost) = (network(&device), network(&device));
        let mut trainers =
            [&mut lost, &mut never_lost].map(|mlp| Trainer::with(mlp, data(), &settings).expect("settings"));
        for trainer in &mut trainers {
            epoch(trainer).expect("trains");
        }
        let [trainer, other] = &mut trainers;
        trainer.set_learning_rate(1e38).expect("above 0");
        let error = epoch(trainer).expect_err("no weights survive that");
        assert!(matches!(error, Error::NotFinite { epoch: 2, .. }), "{name}: {error}");
        trainer.set_learning_rate(0.05).expect("above 0");
        let [found, expected] = [epoch(trainer), epoch(other)].map(|epoch| epoch.expect("trains"));
        assert_eq!((found.epoch, found.loss), (expected.epoch, expected.loss), "{name}");
        trainer.show_average().expect("a mean");
        other.show_average().expect("a mean");
        assert!(bits(&lost) == bits(&never_lost), "{name}");
    }
}

#[test]
fn settings_outside_their_range_are_named() {
    let refused = |settings: Settings| settings.check().expect_err("refused").to_string();
    let good = Settings::default();
    assert!(good.check().is_ok());
    assert_eq!(
        refused(Settings { accumulate: 0, ..good.clone() }),
        "batches of an update: found 0, expected a number from 1 to 2^31"
    );
    for ema in [-0.1, 1.0, f32::NAN] {
        assert_eq!(
            refused(Settings { ema: Some(ema), ..good.clone() }),
            format!("fraction of the mean weights kept: found {ema}, expected a number from 0 to below 1")
        );
    }
    assert_eq!(
        refused(Settings { clip: Some(Clip::Norm(0.0)), ..good.clone() }),
        "largest norm of the gradients: found 0, expected a number above 0"
    );
    assert_eq!(
        refused(Settings { clip: Some(Clip::Value(f32::NAN)), ..good.clone() }),
        "largest gradient: found NaN, expected a number above 0"
    );
    assert_eq!(
        refused(Settings { schedule: Some(Schedule::constant(-1.0)), ..good.clone() }),
        "schedule's rate: found -1, expected a number of at least 0"
    );
    assert!(
        refused(Settings { plateau: Some(Plateau { factor: 2.0, ..Plateau::default() }), ..good.clone() })
            .starts_with("plateau's factor: found 2")
    );
    let group = Group { pattern: "*".into(), optimizer: Optimizer::sgd(-1.0) };
    assert_eq!(
        refused(Settings { groups: vec![group], ..good.clone() }),
        "learning rate: found -1, expected a number above 0"
    );
    let relative = Settings { optimizer: Optimizer::adafactor(None), ..good };
    assert!(relative.check().is_ok());
    assert_eq!(
        refused(Settings { schedule: Some(Schedule::constant(0.1)), ..relative }),
        "learning rate: found steps of relative length, expected a learning rate for adafactor, without which no schedule \
         or plateau can change it"
    );
}
