//! Several models that learn at once: each learns what it would alone, and ends with its best.

mod common;

use std::ops::ControlFlow;
use std::time::Duration;

use common::members::{bits, classes, line, members, network, numbers, timeless, ways};
use common::{devices, small_device};
use nngpu::data::{Dataset, Matrix, Targets};
use nngpu::error::Trace;
use nngpu::nn::Initial;
use nngpu::train::{
    Ended, Event, FittedMembers, Member, MembersEpoch, MembersTrainer, Schedule, Settings, Stopping, estimate_members,
    evaluate, fit, fit_members, predict, predict_each_member, predict_members, preview_members,
};
use nngpu::{Device, Error, Loss, Mlp, Network, Optimizer};

fn go_on(_: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn fitted(device: &Device, data: &Dataset, members: &[Member], settings: &Settings) -> FittedMembers {
    let network = network(data);
    fit_members(device, &network, &Initial::default(), data, members, settings, &mut go_on).expect("trains")
}

/// A member's part of a training, without times.
fn part(fitted: &FittedMembers, member: usize) -> (Vec<u32>, Vec<MembersEpoch>, Option<usize>) {
    let length = fitted.values.len() / fitted.best_epochs.len();
    let values = bits(&fitted.values[member * length..][..length]);
    let epochs = timeless(&fitted.epochs).into_iter().map(|epoch| MembersEpoch {
        losses: vec![epoch.losses[member]],
        validation: vec![epoch.validation[member]],
        best: vec![epoch.best[member]],
        is_out: vec![epoch.is_out[member]],
        learning_rates: vec![epoch.learning_rates[member]],
        ..epoch
    });
    (values, epochs.collect(), fitted.best_epochs[member])
}

#[test]
fn members_learn_what_each_learns_alone() {
    let members = members();
    for (name, device) in devices() {
        for data in [numbers(), classes()] {
            for (way, settings) in ways() {
                let together = fitted(&device, &data, &members, &settings);
                let mut parts = Vec::new();
                for (index, member) in members.iter().enumerate() {
                    let alone = fitted(&device, &data, std::slice::from_ref(member), &settings);
                    let (expected, found) = (part(&alone, 0), part(&together, index));
                    // Where one stops before the others, they go on without regard to it.
                    let n_epochs = expected.1.len();
                    assert_eq!(expected.1, found.1[..n_epochs], "{name}, {way}, member {index}");
                    assert!(n_epochs == 4 || alone.ended == Ended::Patience, "{name}, {way}");
                    if n_epochs == found.1.len() || settings.stopping.is_some() {
                        assert_eq!(
                            (expected.0, expected.2),
                            (found.0.clone(), found.2),
                            "{name}, {way}, member {index}"
                        );
                    }
                    parts.push(found.0);
                }
                assert!(parts[0] != parts[1] && parts[0] != parts[2] && parts[1] != parts[2], "{name}, {way}");
            }
        }
    }
}

#[test]
fn a_member_of_all_rows_is_a_fit() {
    for (name, device) in devices() {
        for data in [numbers(), classes()] {
            for (way, settings) in ways() {
                let validation: Vec<u32> = (3..31).collect();
                let aside = data.select_rows(&validation).expect("rows");
                let member = Member { seed: 9, train: (0..60).collect(), validation };
                let found = fitted(&device, &data, &[member], &settings);
                let mut mlp = Mlp::of(&device, network(&data), 9).expect("a network");
                let settings = Settings { seed: 9, ..settings };
                let history = fit(&mut mlp, &data, Some(&aside), &settings, &mut go_on).expect("trains");
                assert_eq!(bits(&found.values), bits(&mlp.values().expect("readable")), "{name}, {way}");
                assert_eq!(history.ended, found.ended, "{name}, {way}");
                let curve = |epochs: &[MembersEpoch]| -> Vec<_> {
                    epochs.iter().map(|epoch| (epoch.losses[0], epoch.validation[0])).collect()
                };
                let expected: Vec<_> = history.epochs.iter().map(|epoch| (epoch.loss, epoch.validation)).collect();
                assert_eq!(curve(&found.epochs), expected, "{name}, {way}");
            }
        }
    }
}

#[test]
fn members_with_fewer_rows_are_measured_on_their_own() {
    let rows = |from: u32, count: u32| (from..from + count).collect::<Vec<u32>>();
    let members = [
        Member { seed: 1, train: rows(0, 23), validation: rows(30, 9) },
        Member { seed: 2, train: rows(10, 20), validation: rows(2, 5) },
        Member { seed: 3, train: rows(40, 7), validation: Vec::new() },
        Member { seed: 4, train: rows(5, 22), validation: rows(59, 1) },
    ];
    let settings = Settings { optimizer: Optimizer::adam(0.02), batch_size: 8, epochs: 3, ..Settings::default() };
    for (name, device) in devices() {
        for data in [numbers(), classes()] {
            let network = network(&data);
            let together = fitted(&device, &data, &members, &settings);
            let length = network.length() as usize;
            for (index, member) in members.iter().enumerate() {
                // What the others learn from changes nothing, but for the length of an epoch.
                let longest = Member { seed: 77, train: rows(1, 23), validation: Vec::new() };
                let pair = fitted(&device, &data, &[member.clone(), longest], &settings);
                let (expected, found) = (part(&pair, 0), part(&together, index));
                assert_eq!(expected.0, found.0, "{name}, member {index}");

                let last = together.epochs[2].validation[index];
                let own = &together.values[index * length..][..length];
                if member.validation.is_empty() {
                    assert_eq!(last, None, "{name}, member {index}");
                    continue;
                }
                let parameters: Vec<(&str, &[f32])> =
                    network.parameters().iter().map(|spec| (spec.name.as_str(), &own[spec.range()])).collect();
                let mlp = Mlp::with_parameters(&device, network.clone(), &parameters).expect("a network");
                let expected = evaluate(&mlp, &data.select_rows(&member.validation).expect("rows")).expect("measures");
                let last = last.expect("measured");
                // Sums of at most 9 rows' losses, each after layers of at most 7 terms, in another number of rows.
                let bound = 4.0 * 9.0 * 7.0 * f64::from(f32::EPSILON) * expected.loss.max(1.0);
                assert!((last.loss - expected.loss).abs() <= bound, "{name}, {index}: {last:?} {expected:?}");
                let metrics = [last.metric.value(), expected.metric.value()];
                let is_same = (metrics[0] - metrics[1]).abs() <= 64.0 * bound || metrics.iter().all(|m| m.is_nan());
                assert!(is_same, "{name}, {index}: {last:?} {expected:?}");
                assert_eq!(last.mean_square.is_some(), expected.mean_square.is_some());
            }
        }
    }
}

#[test]
fn an_epoch_goes_through_a_shorter_list_and_its_front_again() {
    // A network that answers 0 and does not learn: the loss is the mean of the squared targets of the rows taken.
    let x = Matrix::new(8, 1, vec![0.0; 8]).expect("eight values");
    let y: Vec<f32> = (0..8).map(|i| (1u32 << i) as f32).collect();
    let data = Dataset::new(x, Targets::Values(Matrix::new(8, 1, y).expect("eight values"))).expect("eight rows");
    let zero = Initial { weight: nngpu::nn::Init::Constant(0.0), bias: nngpu::nn::Init::Constant(0.0), table: None };
    let members = [
        Member { seed: 1, train: vec![0, 1, 2, 3, 4], validation: vec![] },
        Member { seed: 2, train: vec![7, 6, 5], validation: vec![] },
    ];
    let settings = Settings { optimizer: Optimizer::sgd(1e-30), batch_size: 2, epochs: 5, ..Settings::default() };
    for (name, device) in devices() {
        let fitted = fit_members(&device, &line(), &zero, &data, &members, &settings, &mut go_on).expect("trains");
        let mut pairs = Vec::new();
        for epoch in &fitted.epochs {
            // 1 + 4 + 16 + 64 + 256, exactly.
            assert_eq!(epoch.losses[0], 341.0 / 5.0, "{name}");
            // Each once, and two of them twice.
            let again = epoch.losses[1] * 5.0 - f64::from((1 << 14) + (1 << 12) + (1 << 10));
            let is_pair = [(14, 12), (14, 10), (12, 10)].iter().any(|(a, b)| again == f64::from((1 << a) + (1 << b)));
            assert!(is_pair, "{name}: {epoch:?}");
            pairs.push(again as u32);
        }
        pairs.sort_unstable();
        pairs.dedup();
        assert!(pairs.len() > 1, "{name}: the order changes from epoch to epoch");
    }
}

#[test]
fn answers_of_members_are_averaged() {
    let network = Network::of(3, nngpu::nn::layers_of("7 tanh 2").expect("layers")).expect("a network");
    let length = network.length() as usize;
    let values: Vec<f32> = (1..=3).flat_map(|seed| network.initial(seed)).collect();
    // More than a batch of rows.
    let rows = 1500;
    let features = Matrix::new(rows, 3, nngpu::random::Key::new(8).uniform(-2.0, 2.0, rows * 3)).expect("rows");
    for (name, device) in devices() {
        for (loss, columns) in [
            (Loss::Mse, 2),
            ("cross_entropy".parse().expect("a loss"), 2),
            ("binary_cross_entropy".parse().expect("a loss"), 2),
            ("poisson".parse().expect("a loss"), 2),
            ("gaussian_nll".parse().expect("a loss"), 1),
        ] {
            let each = predict_each_member(&device, &network, 3, &values, &features, loss).expect("predicts");
            for (own, found) in values.chunks(length).zip(&each) {
                let parameters: Vec<(&str, &[f32])> =
                    network.parameters().iter().map(|spec| (spec.name.as_str(), &own[spec.range()])).collect();
                let mlp = Mlp::with_parameters(&device, network.clone(), &parameters).expect("a network");
                let expected = predict(&mlp, &features, loss).expect("predicts");
                assert_eq!((found.rows(), found.columns()), (rows, columns));
                assert_eq!(bits(found.values()), bits(expected.values()), "{name}, {loss}");
                let one = predict_members(&device, &network, 1, own, &features, loss).expect("predicts");
                assert_eq!(bits(one.values()), bits(expected.values()), "{name}, {loss}");
            }
            assert!(each[0] != each[1], "{name}, {loss}");
            let mean = predict_members(&device, &network, 3, &values, &features, loss).expect("predicts");
            for (place, found) in mean.values().iter().enumerate() {
                let sum: f64 = each.iter().map(|own| f64::from(own.values()[place])).sum();
                assert_eq!(*found, (sum / 3.0) as f32, "{name}, {loss}, element {place}");
            }
        }
    }
    let device = Device::cpu();
    let none = Matrix::new(0, 3, Vec::new()).expect("no rows");
    let answers = predict_members(&device, &network, 3, &values, &none, Loss::Mse).expect("nothing to predict");
    assert_eq!((answers.rows(), answers.columns()), (0, 2));
    let each = predict_each_member(&device, &network, 3, &values, &none, Loss::Mse).expect("nothing to predict");
    assert_eq!(each, vec![answers; 3]);
    for (n_members, values) in [(0, &values[..0]), (2, &values[..]), (3, &values[1..])] {
        let error = predict_members(&device, &network, n_members, values, &features, Loss::Mse).expect_err("refused");
        let expected = format!(
            "members: found {} values for {n_members} members, expected {length} for each of 1 to 65535",
            values.len()
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn members_of_data_that_do_not_fit_share_an_order() {
    // Windows of 32 rows of 3 columns and a weight.
    let Some((_keep, device)) = small_device(4 * 4 * 32) else { return };
    let (data, small) = (classes(), Network::of(3, nngpu::nn::layers_of("4 tanh 3").expect("layers")).expect("fits"));
    let settings = Settings { optimizer: Optimizer::adam(0.02), batch_size: 7, epochs: 2, ..Settings::default() };
    let train =
        |members: &[Member]| fit_members(&device, &small, &Initial::default(), &data, members, &settings, &mut go_on);
    let rows: Vec<u32> = (5..58).collect();
    let aside: Vec<u32> = (0..5).collect();
    let first = Member { seed: 1, train: rows.clone(), validation: aside.clone() };
    let mut second = Member { seed: 2, ..first.clone() };
    second.train.reverse();
    let alone = train(std::slice::from_ref(&first)).expect("trains");
    let together = train(&[first.clone(), second]).expect("trains");
    assert_eq!(part(&alone, 0), part(&together, 0));
    assert!(part(&together, 1).0 != part(&together, 0).0);

    let other = Member { seed: 2, train: (4..57).collect(), validation: aside };
    let message = train(&[first, other]).expect_err("own rows").to_string();
    let expected = "members with rows of their own: found data of 60 rows, of which the device holds 32 at once, expected \
                    data that it holds whole; give all members the same rows, or use `--device cpu`";
    assert_eq!(message, expected);
}

/// Rows whose target is noise, so that what is learned from some is wrong for others.
fn noise() -> Dataset {
    let draw = |seed, count| nngpu::random::Key::new(seed).uniform(-1.0, 1.0, count);
    let x = Matrix::new(60, 3, draw(1, 180)).expect("three columns");
    Dataset::new(x, Targets::Values(Matrix::new(60, 1, draw(2, 60)).expect("one column"))).expect("60 rows")
}

#[test]
fn a_training_ends_with_each_member_s_best() {
    let (data, members) = (noise(), members());
    let base = Settings { optimizer: Optimizer::adam(0.02), batch_size: 16, epochs: 40, ..Settings::default() };
    for (name, device) in devices() {
        for ema in [None, Some(0.5)] {
            let plain = Settings { ema, ..base.clone() };
            let stopping = Settings { stopping: Some(Stopping { patience: 4, min_delta: 0.0 }), ..plain.clone() };
            let found = fitted(&device, &data, &members, &stopping);
            assert_eq!(found.ended, Ended::Patience, "{name}");
            let last = found.epochs.last().expect("some epochs");
            assert!(last.epoch < 40 && last.is_out == [true; 3], "{name}: {last:?}");
            assert!(found.epochs[last.epoch - 2].is_out != [true; 3], "{name}: it ends when all are out");
            let ends: Vec<usize> = (0..3)
                .map(|member| found.epochs.iter().position(|epoch| epoch.is_out[member]).expect("out") + 1)
                .collect();
            assert!(ends.iter().any(|end| *end < last.epoch), "{name}: {ends:?}, one waits for another");
            for (member, end) in ends.iter().enumerate() {
                let best = found.best_epochs[member].expect("measured");
                assert_eq!(best + 4, *end, "{name}");
                // The lowest of all up to its end, by the losses that were told.
                let losses: Vec<f64> =
                    found.epochs[..*end].iter().map(|epoch| epoch.validation[member].expect("measured").loss).collect();
                assert!(losses.iter().all(|loss| *loss >= losses[best - 1]), "{name}: {losses:?}, {best}");
                // The weights are those of a training that ends there.
                let until = fitted(&device, &data, &members, &Settings { epochs: best, ..plain.clone() });
                assert_eq!(part(&until, member).0, part(&found, member).0, "{name}, member {member}");
                assert_eq!(until.best_epochs, [None; 3], "{name}");
            }

            // Broken off within an epoch, after one, or at the regular end: the best up to there all the same.
            for (what, ended) in
                [("batches", Ended::Interrupted), ("epoch", Ended::Interrupted), ("end", Ended::Epochs)]
            {
                let breaks = |event: &Event| match event {
                    Event::Batches { epoch, .. } => what == "batches" && *epoch == 9,
                    Event::Members(done) => what == "epoch" && done.epoch == 8,
                    _ => false,
                };
                let epochs = if what == "end" { 8 } else { 40 };
                let settings =
                    Settings { stopping: Some(Stopping { patience: 100, min_delta: 0.0 }), epochs, ..plain.clone() };
                let mut observe =
                    |event: &Event| if breaks(event) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
                let network = network(&data);
                let broken =
                    fit_members(&device, &network, &Initial::default(), &data, &members, &settings, &mut observe)
                        .expect("trains");
                assert_eq!((broken.ended, broken.epochs.len()), (ended, 8), "{name}, {what}");
                for member in 0..3 {
                    let best = broken.best_epochs[member].expect("measured");
                    let until = fitted(&device, &data, &members, &Settings { epochs: best, ..plain.clone() });
                    assert_eq!(part(&until, member).0, part(&broken, member).0, "{name}, {what}, member {member}");
                }
            }
        }
    }
}

#[test]
fn a_fit_ends_with_its_best() {
    let data = noise();
    let (train, aside) =
        (data.select_rows(&(0..40).collect::<Vec<_>>()), data.select_rows(&(40..60).collect::<Vec<_>>()));
    let (train, aside) = (train.expect("rows"), aside.expect("rows"));
    let plain = Settings { optimizer: Optimizer::adam(0.02), batch_size: 16, epochs: 40, ..Settings::default() };
    let stopping = Settings { stopping: Some(Stopping { patience: 3, min_delta: 0.0 }), ..plain.clone() };
    for (name, device) in devices() {
        let fit = |settings: &Settings| {
            let mut mlp = Mlp::of(&device, network(&data), 2).expect("a network");
            let history = fit(&mut mlp, &train, Some(&aside), settings, &mut go_on).expect("trains");
            (bits(&mlp.values().expect("readable")), history)
        };
        let (values, history) = fit(&stopping);
        assert_eq!((history.ended, history.is_interrupted), (Ended::Patience, false), "{name}");
        let best = history.epochs.len() - 3;
        assert!(best < 37, "{name}");
        assert_eq!(fit(&Settings { epochs: best, ..plain.clone() }).0, values, "{name}");
        assert!(fit(&Settings { epochs: history.epochs.len(), ..plain.clone() }).0 != values, "{name}");
    }
}

#[test]
fn a_loss_that_is_no_number_is_never_the_best() {
    let (mut data, device) = (numbers(), Device::cpu());
    let x = data.features().values().iter().enumerate().map(|(i, x)| if i == 177 { f32::NAN } else { *x }).collect();
    data = Dataset::new(Matrix::new(60, 3, x).expect("rows"), data.targets().clone()).expect("rows");
    // Row 59 is measured by the first member alone.
    let rows = |from: u32, to: u32| (from..to).collect::<Vec<u32>>();
    let members = [
        Member { seed: 1, train: rows(0, 40), validation: rows(50, 60) },
        Member { seed: 2, train: rows(0, 40), validation: rows(45, 59) },
    ];
    let stopping = Some(Stopping { patience: 3, min_delta: 0.0 });
    let settings = Settings { optimizer: Optimizer::adam(0.01), epochs: 20, stopping, ..Settings::default() };
    let found = fitted(&device, &data, &members, &settings);
    assert_eq!(found.best_epochs[0], None);
    assert!(found.best_epochs[1].is_some());
    let third = &found.epochs[2];
    assert!(third.validation[0].expect("measured").loss.is_nan(), "{third:?}");
    assert_eq!(third.best[0], None);
    assert!(third.is_out[0] && !found.epochs[1].is_out[0], "{third:?}");
}

#[test]
fn without_rows_set_aside_the_last_weights_stay() {
    let (data, device) = (numbers(), Device::cpu());
    let members: Vec<Member> = members().into_iter().map(|member| Member { validation: vec![], ..member }).collect();
    let plain = Settings { optimizer: Optimizer::adam(0.02), epochs: 5, ..Settings::default() };
    let stopping = Settings { stopping: Some(Stopping { patience: 1, min_delta: 0.0 }), ..plain.clone() };
    let (found, expected) = (fitted(&device, &data, &members, &stopping), fitted(&device, &data, &members, &plain));
    assert_eq!((found.ended, found.epochs.len()), (Ended::Epochs, 5));
    assert_eq!(bits(&found.values), bits(&expected.values));
    assert_eq!(found.best_epochs, [None; 3]);
}

#[test]
fn a_training_ends_when_its_time_is_over() {
    let (data, members) = (noise(), members());
    for (name, device) in devices() {
        // Over before the first epoch is whole: the weights of the batches that were done.
        let at_once = Settings {
            optimizer: Optimizer::adam(0.02),
            batch_size: 4,
            max_time: Some(Duration::ZERO),
            stopping: Some(Stopping::default()),
            ..Settings::default()
        };
        let found = fitted(&device, &data, &members, &at_once);
        assert_eq!((found.ended, found.epochs.len()), (Ended::Time, 0), "{name}");
        assert_eq!(found.best_epochs, [None; 3], "{name}");
        let first: Vec<f32> = members.iter().flat_map(|member| network(&data).initial(member.seed)).collect();
        assert!(bits(&found.values) != bits(&first), "{name}: a batch was done");

        // Over some time later: the best so far.
        let limit = Duration::from_millis(700);
        let later = Settings { max_time: Some(limit), epochs: usize::MAX, ..at_once.clone() };
        let later = Settings { stopping: Some(Stopping { patience: usize::MAX, min_delta: 0.0 }), ..later };
        let found = fitted(&device, &data, &members, &later);
        assert_eq!(found.ended, Ended::Time, "{name}");
        assert!(found.elapsed >= limit, "{name}: {:?}", found.elapsed);
        for (member, best) in found.best_epochs.iter().enumerate().filter(|_| !found.epochs.is_empty()) {
            let best = best.expect("measured");
            let until = Settings { epochs: best, max_time: None, stopping: None, ..at_once.clone() };
            let until = fitted(&device, &data, &members, &until);
            assert_eq!(part(&until, member).0, part(&found, member).0, "{name}, member {member}");
        }
    }
    // As long as any clock can tell, and enough.
    for max_time in [Duration::MAX, Duration::from_secs(600)] {
        let enough = Settings { epochs: 2, max_time: Some(max_time), ..Settings::default() };
        assert_eq!(fitted(&Device::cpu(), &data, &members, &enough).ended, Ended::Epochs);
    }
}

/// Two rows of a line for each of two members: the second one's are so far out that its error grows threefold each
/// step.
fn one_diverges() -> (Dataset, [Member; 2], Settings) {
    let x = Matrix::new(4, 1, vec![1.0, -1.0, 4.0, -4.0]).expect("four values");
    let y = Matrix::new(4, 1, vec![2.0, -2.0, 8.0, -8.0]).expect("four values");
    let data = Dataset::new(x, Targets::Values(y)).expect("four rows");
    let members = [
        Member { seed: 1, train: vec![0, 1], validation: vec![0, 1] },
        Member { seed: 2, train: vec![2, 3], validation: vec![2, 3] },
    ];
    // 1 - 2 * rate * x^2 = -3 for x = 4.
    let settings = Settings { optimizer: Optimizer::sgd(0.125), batch_size: 2, epochs: 200, ..Settings::default() };
    (data, members, settings)
}

#[test]
fn a_member_that_went_wrong_is_named() {
    let (data, members, settings) = one_diverges();
    for (name, device) in devices() {
        let fit = |settings: &Settings| {
            fit_members(&device, &line(), &Initial::default(), &data, &members, settings, &mut go_on)
        };
        let error = fit(&settings).expect_err("it diverges");
        let message = error.to_string();
        let Error::NotFinite { trace, step, epoch, .. } = error else { panic!("{message}") };
        let Trace { member, layer, rows, good } = *trace;
        assert_eq!((member, layer.as_deref()), (Some(1), None), "{name}: {message}");
        assert_eq!(step, epoch, "{name}: one step an epoch");
        let mut rows = rows;
        rows.sort_unstable();
        assert_eq!(rows, [2, 3], "{name}: {message}");
        // 3^80 is 1e38, and the square of it more than f32 holds before.
        assert!((30..100).contains(&epoch), "{name}: {message}");
        let good = good.expect("it was good before");
        // The loss of a step is that of its weights, whose error is 3 times that of 9 squares before.
        assert!(good.weights > 1e15 && good.weights.is_finite(), "{name}: {message}");
        assert!(good.loss.is_some_and(|loss| loss > 1e30), "{name}: {message}");
        assert!(message.contains(" of member 2 became "), "{name}: {message}");
        assert!(message.contains("; the step before had loss "), "{name}: {message}");
        assert!(message.ends_with("; try a smaller learning rate, 0.0125 instead of 0.125"), "{name}: {message}");

        // What there was before is not lost.
        let own = line();
        let mut trainer =
            MembersTrainer::new(&device, &own, &Initial::default(), &data, &members, &settings).expect("fits");
        trainer.fit(None, &mut go_on).expect_err("it diverges");
        let until = fit(&Settings { epochs: epoch as usize - 1, ..settings.clone() }).expect("trains so far");
        assert_eq!(bits(&trainer.values().expect("readable")), bits(&until.values), "{name}");
        assert_eq!(trainer.checkpoint(().into()).expect("readable").n_epochs(), until.epochs.len(), "{name}");

        // With patience over before, it hinders nobody.
        let stopping = Some(Stopping { patience: 2, min_delta: 0.0 });
        let found = fit(&Settings { stopping, ..settings.clone() }).expect("the other goes on");
        let third = found.epochs.iter().position(|epoch| epoch.is_out[1]).expect("out");
        assert_eq!(third + 1, 3, "{name}");
        assert!(found.epochs.len() > 100 || found.ended == Ended::Patience, "{name}: {:?}", found.epochs.len());
        assert!(found.values.iter().all(|value| value.is_finite()), "{name}");
        let alone = fit_members(
            &device,
            &line(),
            &Initial::default(),
            &data,
            &members[..1],
            &Settings { stopping, ..settings.clone() },
            &mut go_on,
        );
        assert_eq!(part(&alone.expect("trains"), 0).0, part(&found, 0).0, "{name}");
    }
}

#[test]
fn a_wrong_number_in_the_data_is_told_with_its_row() {
    let good = numbers();
    let x = good.features().values().iter().enumerate().map(|(i, x)| if i == 3 * 33 + 1 { f32::INFINITY } else { *x });
    let x = Matrix::new(60, 3, x.collect()).expect("three columns");
    let data = Dataset::new(x, good.targets().clone()).expect("rows");
    let members = members();
    let settings = Settings { optimizer: Optimizer::sgd(0.01), batch_size: 8, epochs: 2, ..Settings::default() };
    for (name, device) in devices() {
        let network = network(&data);
        let error = fit_members(&device, &network, &Initial::default(), &data, &members, &settings, &mut go_on);
        let error = error.expect_err("no loss survives that");
        let message = error.to_string();
        let Error::NotFinite { what, trace, .. } = error else { panic!("{message}") };
        let Trace { member, rows, .. } = *trace;
        // The second sets rows 20 to 36 aside.
        assert!(member.is_some_and(|member| member != 1), "{name}: {message}");
        assert_eq!((what.as_str(), rows), ("`batch features`", vec![33]), "{name}: {message}");
        assert!(message.contains(", in row 34 of the data"), "{name}: {message}");
        assert!(message.ends_with("; look for missing or infinite values in the data"), "{name}: {message}");
    }
}

#[test]
fn a_layer_that_went_wrong_is_named() {
    let (data, members) = (numbers(), members());
    let settings = Settings { optimizer: Optimizer::sgd(1e38), batch_size: 8, ..Settings::default() };
    for (name, device) in devices() {
        let network = network(&data);
        let error = fit_members(&device, &network, &Initial::default(), &data, &members, &settings, &mut go_on);
        let error = error.expect_err("no weights survive that");
        let message = error.to_string();
        let Error::NotFinite { what, trace, .. } = error else { panic!("{message}") };
        let layer = trace.layer.expect("it is of one");
        assert!(["layers.0", "layers.1", "layers.2", "layers.3"].contains(&layer.as_str()), "{name}: {message}");
        assert!(what.contains(&layer), "{name}: {message}");
    }
}

#[test]
fn members_that_cannot_learn_are_refused() {
    let (data, device) = (numbers(), Device::cpu());
    let good = Member { seed: 0, train: vec![0, 1], validation: vec![] };
    let refused = |members: &[Member], settings: &Settings| {
        let network = network(&data);
        fit_members(&device, &network, &Initial::default(), &data, members, settings, &mut go_on)
            .expect_err("refused")
            .to_string()
    };
    let settings = Settings::default();
    assert_eq!(refused(&[], &settings), "members: found 0, expected 1 to 65535 of them");
    let empty = Member { train: vec![], ..good.clone() };
    assert_eq!(
        refused(&[good.clone(), empty], &settings),
        "rows to learn from of member 2: found none, expected at least one"
    );
    for (member, what) in [
        (Member { train: vec![0, 60], ..good.clone() }, "rows to learn from"),
        (Member { validation: vec![60], ..good.clone() }, "rows set aside"),
    ] {
        let expected =
            format!("{what} of member 1: found row 60, expected rows below 60, the number of rows of the data");
        assert_eq!(refused(&[member, good.clone()], &settings), expected);
    }
    let impatient = Settings { stopping: Some(Stopping { patience: 0, min_delta: 0.0 }), ..settings };
    assert_eq!(refused(&[good], &impatient), "patience: found 0, expected a number of at least 1");
}

#[test]
fn epochs_can_be_taken_one_by_one() {
    let (data, members, device) = (numbers(), members(), Device::cpu());
    let (_, settings) = ways().swap_remove(1);
    let network = network(&data);
    let expected = fitted(&device, &data, &members, &settings);
    let mut trainer =
        MembersTrainer::new(&device, &network, &Initial::default(), &data, &members, &settings).expect("settings");
    let mut epochs = Vec::new();
    while let Some(epoch) = trainer.epoch(&mut go_on).expect("trains") {
        epochs.push(epoch);
    }
    assert_eq!(timeless(&epochs), timeless(&expected.epochs));
    assert_eq!(timeless(trainer.epochs()), timeless(&epochs));
    assert_eq!(trainer.ended(), Some(expected.ended));
    assert_eq!(bits(&trainer.values().expect("readable")), bits(&expected.values));
}

#[test]
fn what_a_training_needs_is_told_before() {
    let data = numbers();
    let rows = |from: u32, to: u32| (from..to).collect::<Vec<u32>>();
    let members = [
        Member { seed: 1, train: rows(0, 20), validation: rows(20, 30) },
        Member { seed: 2, train: rows(10, 30), validation: rows(0, 10) },
    ];
    let network = Network::of(3, nngpu::nn::layers_of("5 relu 1").expect("layers")).expect("a network");
    let settings = Settings { optimizer: Optimizer::adam(0.1), batch_size: 8, ..Settings::default() };
    let device = Device::cpu();
    let preview = preview_members(&device, &network, &data, &members, &settings).expect("settings");
    // 20 rows in batches of 8; 10 rows in one.
    assert_eq!((preview.steps, preview.validation_steps), (3, 1));
    assert_eq!(preview.bytes, preview.buffers.iter().map(|buffer| buffer.bytes).sum::<u64>());
    let find = |label: &str| -> Vec<([u32; 3], u64)> {
        preview.buffers.iter().filter(|b| b.label == label).map(|b| (b.shape, b.bytes)).collect()
    };
    // The data once for learning and once for measuring; a batch of each member in both kinds of steps.
    assert_eq!(find("features"), [([1, 60, 3], 720), ([1, 60, 3], 720)]);
    assert_eq!(find("order"), [([2, 1, 20], 160), ([2, 1, 10], 80)]);
    assert_eq!(find("batch features"), [([2, 8, 3], 192), ([2, 4, 3], 96), ([2, 10, 3], 240)]);
    // 15 + 5 + 5 + 1 numbers, each part in multiples of four: 16 + 8 + 8 + 4.
    assert_eq!(find("parameters"), [([2, 1, 36], 288)]);
    assert_eq!(find("copy of parameters"), [([2, 1, 36], 288)]);
    // Gather twice, two layers and their gradients, loss, Adam with its powers, tally.
    assert!((9..=12).contains(&preview.dispatches), "{}", preview.dispatches);
    assert_eq!(preview.update_dispatches, 0);
    assert_eq!(preview.too_large().count(), 0);

    // What is told to be too large is refused, and what is not is not.
    for bytes in [4 * 3 * 60, 4 * 3 * 60 - 4] {
        let Some((_keep, small)) = small_device(bytes) else { continue };
        let is_too_large = bytes < 4 * 3 * 60;
        // One member alone may have its data in windows.
        let trains = |members: &[Member]| {
            fit_members(&small, &network, &Initial::default(), &data, members, &settings, &mut go_on).is_ok()
        };
        assert_eq!(preview_members(&small, &network, &data, &members, &settings).is_err(), is_too_large);
        assert_eq!(trains(&members), !is_too_large);
        assert!(trains(&members[..1]));
        let wide = Network::of(3, nngpu::nn::layers_of("60 relu 1").expect("layers")).expect("a network");
        let preview = preview_members(&small, &wide, &data, &members[..1], &settings).expect("settings");
        assert_eq!(preview.largest_bytes, bytes);
        assert!(preview.too_large().any(|buffer| buffer.label == "parameters"), "{preview:?}");
        let error = fit_members(&small, &wide, &Initial::default(), &data, &members[..1], &settings, &mut go_on);
        assert!(matches!(error, Err(Error::BufferTooLarge { .. })));
    }

    let accumulating = Settings { accumulate: 2, ema: Some(0.5), ..settings.clone() };
    let preview = preview_members(&device, &network, &data, &members, &accumulating).expect("settings");
    assert!(preview.update_dispatches >= 3, "{}", preview.update_dispatches);
    assert!(preview.buffers.iter().any(|buffer| buffer.label == "learned weights"));

    for (name, device) in devices() {
        let estimate = estimate_members(&device, &network, &data, &members, &settings).expect("settings");
        assert!(estimate.n_steps > 0 && estimate.epoch > Duration::ZERO, "{name}: {estimate:?}");
        assert!(estimate.epoch < Duration::from_secs(60), "{name}: {estimate:?}");
    }
}

#[test]
fn a_schedule_goes_on_through_all_epochs_of_members() {
    // The rate of the last of three updates of each epoch.
    let (data, device) = (numbers(), Device::cpu());
    let member = Member { seed: 1, train: (0..20).collect(), validation: vec![] };
    let linear = Schedule::Linear { initial: 0.5, end: 0.0, steps: 16 };
    let settings = Settings {
        optimizer: Optimizer::sgd(0.5),
        batch_size: 8,
        epochs: 3,
        schedule: Some(linear),
        ..Settings::default()
    };
    let found = fitted(&device, &data, &[member], &settings);
    let rates: Vec<f32> = found.epochs.iter().map(|epoch| epoch.learning_rates[0]).collect();
    assert_eq!(rates, [14.0, 11.0, 8.0].map(|left: f32| 0.5 * left / 16.0));
}
