//! From a table to a model: what is decided, what it may depend on, and that the model answers what was measured.
#![cfg(feature = "data")]

use std::ops::ControlFlow;
use std::path::Path;

use nngpu::data::{Answers, Column, Levels, Table, Targets, Values};
use nngpu::metrics::Measure;
use nngpu::model::Provenance;
use nngpu::tabular::{Held, Options, Outcome, Prepared, TEST, Tables, VALIDATION, fit_packed};
use nngpu::train::{FittedMembers, fit_members};
use nngpu::{Compat, Device};

/// 90 rows: `y` is 3a - 2b and a little of `color`, of which some fields of `a` are missing; `kind` is its sign.
fn table() -> Table {
    let rows = 0..90u32;
    let a = |i: u32| if i.is_multiple_of(13) { f64::NAN } else { f64::from(i % 7) - 3.0 };
    let b = |i: u32| f64::from(i * i % 11) - 5.0;
    let y = |i: u32| 3.0 * (f64::from(i % 7) - 3.0) - 2.0 * b(i) + f64::from(i % 3);
    let colors = ["blue", "green", "red"].map(String::from).to_vec();
    let kinds = ["minus", "plus"].map(String::from).to_vec();
    let columns = vec![
        Column::new("a", Values::Numbers(rows.clone().map(a).collect())),
        Column::new("b", Values::Numbers(rows.clone().map(b).collect())),
        Column::new("color", Values::Text(Levels::new(colors, rows.clone().map(|i| i % 3).collect()))),
        Column::new("y", Values::Numbers(rows.clone().map(y).collect())),
        Column::new("kind", Values::Text(Levels::new(kinds, rows.map(|i| u32::from(y(i) > 0.0)).collect()))),
    ];
    Table::new(Path::new("t.csv"), columns, None)
}

/// A short training of `target`.
fn options(target: &str) -> Options {
    let other = if target == "y" { "kind" } else { "y" };
    Options {
        target: vec![target.into()],
        ignore: vec![other.into()],
        hidden: Some(vec![8]),
        epochs: Some(4),
        members: Some(2),
        ..Options::default()
    }
}

fn prepare(table: Table, options: &Options) -> Prepared {
    Prepared::new(&Tables { table, validation: None, test: None }, options).expect("a training")
}

fn fit(prepared: &Prepared) -> FittedMembers {
    let Prepared { network, recipe, data, members, .. } = prepared;
    let device = Device::cpu();
    fit_members(&device, network, &recipe.initial, data, members, &recipe.settings, &mut |_| ControlFlow::Continue(()))
        .expect("trained")
}

fn outcome(prepared: &Prepared) -> Outcome {
    Outcome::new(prepared, &Device::cpu(), &fit(prepared), Provenance::here()).expect("measured")
}

#[test]
fn the_target_alone_makes_a_good_model() {
    let iris = Table::read_csv("examples/data/iris.csv").expect("readable");
    let options = Options { target: vec!["species".into()], test: Some("0.2".into()), ..Options::default() };
    let prepared = prepare(iris, &options);
    assert_eq!((prepared.recipe.held, prepared.members.len(), prepared.parts.test.len()), (Held::Folds(8), 8, 30));
    let outcome = outcome(&prepared);
    for name in [VALIDATION, TEST] {
        let accuracy = outcome.part(name).expect("has rows").metrics.get(Measure::Accuracy).expect("of classes").value;
        assert!(accuracy >= 0.9, "{name}: {accuracy}");
    }
}

#[test]
fn the_schedule_ends_with_the_training_whatever_is_set_aside() {
    for (validation, test) in [(None, None), (None, Some("0.3")), (Some("0.2"), Some("0.3")), (Some("0"), None)] {
        let [validation, test] = [validation, test].map(|text| text.map(str::to_owned));
        let options = Options { epochs: Some(40), validation, test, ..options("y") };
        let prepared = prepare(table(), &options);
        let schedule = prepared.recipe.settings.schedule.as_ref().expect("a wave");
        let n_updates = 40 * prepared.n_batches() as u64;
        assert!(schedule.rate(n_updates - 1) > 0.0 || n_updates < 20, "{options:?}");
        assert!(schedule.rate(n_updates) <= 1e-9, "{options:?}: {}", schedule.rate(n_updates));
    }
}

#[test]
fn the_model_answers_for_raw_rows_what_was_measured() {
    for target in ["y", "kind"] {
        let options = Options { test: Some("0.3".into()), ..options(target) };
        let prepared = prepare(table(), &options);
        let outcome = outcome(&prepared);
        let part = outcome.part(TEST).expect("has rows");
        let raw = table().select_rows(&part.rows);
        let predicted = outcome.model.predict(&Device::cpu(), &raw).expect("predicted");
        let values: Vec<f32> = match predicted.answers {
            Answers::Numbers { values, .. } => values.into_iter().map(|value| value as f32).collect(),
            Answers::Classes { probabilities, .. } | Answers::Labels { probabilities, .. } => {
                probabilities.into_values()
            }
        };
        assert_eq!(values, part.answers.values(), "{target}");
    }
}

#[test]
fn rows_to_test_with_have_no_influence_on_the_model() {
    let options = Options { test: Some("0.3".into()), ..options("y") };
    let prepared = prepare(table(), &options);
    let mut is_test = [false; 90];
    prepared.parts.test.iter().for_each(|row| is_test[*row as usize] = true);
    // Other features where the test is; the targets stay, by which rows are split.
    let whole = table();
    let changed = whole.columns().iter().map(|column| match column.values() {
        Values::Numbers(numbers) if column.name() != "y" => {
            let changed = |(row, value): (usize, &f64)| if is_test[row] { 1e3 } else { *value };
            Column::new(column.name(), Values::Numbers(numbers.iter().enumerate().map(changed).collect()))
        }
        _ => column.clone(),
    });
    let changed = Table::new(Path::new("t.csv"), changed.collect(), None);
    let other = prepare(changed, &options);
    assert_eq!(other.parts, prepared.parts);
    assert_eq!(other.input, prepared.input);
    assert_eq!(fit(&other).values, fit(&prepared).values);
}

#[test]
fn packed_trainings_are_those_of_each_alone() {
    for target in ["y", "kind"] {
        let folds = Prepared::folds(&table(), 3, &options(target)).expect("folds");
        let packed = fit_packed(&Device::cpu(), &folds, &mut |_| ControlFlow::Continue(())).expect("trained");
        assert_eq!(packed.len(), 3);
        for (prepared, packed) in folds.iter().zip(&packed) {
            let alone = fit(prepared);
            assert_eq!((&packed.values, &packed.best_epochs), (&alone.values, &alone.best_epochs), "{target}");
        }
        let mut tested: Vec<u32> = folds.iter().flat_map(|fold| fold.parts.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..90).collect::<Vec<_>>(), "each row is tested once");
    }
}

#[test]
fn members_hold_folds_that_cover_the_rows() {
    let prepared = prepare(table(), &Options { members: Some(8), ..options("kind") });
    let mut held: Vec<u32> = prepared.members.iter().flat_map(|member| member.validation.clone()).collect();
    held.sort_unstable();
    assert_eq!(held, (0..90).collect::<Vec<_>>());
    for member in &prepared.members {
        assert!(member.validation.iter().all(|row| !member.train.contains(row)));
        assert_eq!(member.train.len() + member.validation.len(), 90);
    }
    let mut seeds: Vec<u64> = prepared.members.iter().map(|member| member.seed).collect();
    assert_eq!(seeds[0], 0);
    seeds.dedup();
    assert_eq!(seeds.len(), 8);
}

#[test]
fn later_rows_are_never_learned_from_when_time_is_given() {
    let mut columns = table().columns().to_vec();
    columns.push(Column::new("day", Values::Numbers((0..90).map(|i| f64::from(89 - i)).collect())));
    let table = Table::new(Path::new("t.csv"), columns, None);
    let options = Options { time: Some("day".into()), test: Some("0.2".into()), ..options("y") };
    let prepared = prepare(table, &options);
    // The day falls from row to row.
    assert_eq!(prepared.parts.test, (0..18).collect::<Vec<_>>());
    assert_eq!(prepared.parts.validation, (18..27).collect::<Vec<_>>());
    assert_eq!(prepared.members[1].train, (27..90).collect::<Vec<_>>());
}

#[test]
fn rows_without_a_target_are_left_out() {
    let whole = table();
    let columns = whole.columns().iter().map(|column| match column.values() {
        Values::Numbers(numbers) if column.name() == "y" => {
            let mut numbers = numbers.clone();
            numbers[5] = f64::NAN;
            Column::new("y", Values::Numbers(numbers))
        }
        _ => column.clone(),
    });
    let table = Table::new(Path::new("t.csv"), columns.collect(), None);
    let prepared = prepare(table, &options("y"));
    assert_eq!((prepared.data.rows(), prepared.origin[4..6].to_vec()), (89, vec![4, 6]));
}

#[test]
fn rows_in_files_of_their_own_are_used_for_what_they_are() {
    let rows = |range: std::ops::Range<u32>| table().select_rows(&range.collect::<Vec<u32>>());
    let tables = Tables { table: rows(0..60), validation: Some(rows(60..75)), test: Some(rows(75..90)) };
    let prepared = Prepared::new(&tables, &options("kind")).expect("a training");
    assert_eq!(prepared.parts.train, (0..60).collect::<Vec<_>>());
    assert_eq!(prepared.parts.validation, (60..75).collect::<Vec<_>>());
    assert_eq!(prepared.parts.test, (75..90).collect::<Vec<_>>());
    assert!(prepared.members.iter().all(|member| member.validation == prepared.parts.validation));
    let Targets::Classes(classes) = prepared.data.targets() else { panic!("classes") };
    let Values::Text(levels) = table().column("kind").expect("there").values().clone() else { panic!("text") };
    assert_eq!(classes.indices, levels.codes());
}

#[test]
fn balanced_classes_count_the_same_in_all() {
    let options = Options { class_weights: Some("balanced".into()), ..options("kind") };
    let prepared = prepare(table(), &options);
    let weights = prepared.recipe.settings.class_weights.clone().expect("weights");
    let Targets::Classes(classes) = prepared.data.targets() else { panic!("classes") };
    let mut sums = [0f32; 2];
    classes.indices.iter().for_each(|class| sums[*class as usize] += weights[*class as usize]);
    assert!((sums[0] - sums[1]).abs() <= 1e-3 && (sums[0] + sums[1] - 90.0).abs() <= 1e-3, "{sums:?}");
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let refused = |options: &Options| {
        let tables = Tables { table: table(), validation: None, test: None };
        Prepared::new(&tables, options).expect_err("refused").to_string()
    };
    let classes = options("kind");
    for (options, message) in [
        (Options { members: Some(0), ..classes.clone() }, "members: found 0, expected a number of at least 1"),
        (Options { batch_size: Some(0), ..classes.clone() }, "batch size: found 0"),
        (Options { validation: Some("1.5".into()), ..classes.clone() }, "validation: found `1.5`"),
        (Options { test: Some("1".into()), ..classes.clone() }, "test: found `1`, expected a part"),
        (Options { scale: Some("huge".into()), ..classes.clone() }, "scale: found `huge`, expected standard"),
        (Options { label_smoothing: Some(1.0), ..classes.clone() }, "smoothing"),
        (Options { max_time: Some("soon".into()), ..classes.clone() }, "expected a span of time such as 60s"),
        (Options { class_weights: Some("some".into()), ..classes.clone() }, "expected balanced or equal"),
        (Options { target: vec!["knd".into()], ..classes.clone() }, "did you mean `kind`?"),
        (Options { loss: Some(nngpu::Loss::Mse), ..classes.clone() }, "expected one for classes"),
        (
            Options { optimizer: Some("sgd".into()), weight_decay: Some(0.1), ..classes },
            "expected an optimizer with weight decay",
        ),
    ] {
        let found = refused(&options);
        assert!(found.contains(message), "{found}");
    }
}

/// Options whose decisions are given back must decide the same, whatever they left open.
#[test]
fn complete_options_give_the_same_training() {
    let text = |text: &str| Some(text.to_string());
    let none = Options { hidden: None, epochs: None, members: None, ..options("y") };
    let cases = [
        none.clone(),
        options("kind"),
        Options { target: vec!["y".into(), "b".into()], ..none.clone() },
        Options { validation: text("0.2"), test: text("0.2"), seed: Some(7), ..none.clone() },
        Options { validation: text("0"), batch_size: Some(7), ema: Some(0.9), ..none.clone() },
        Options { time: text("b"), min_delta: Some(0.01), ..none.clone() },
        Options { group: text("color"), clip_norm: Some(1.0), accumulate: Some(2), ..none.clone() },
        Options { layers: text("8 gelu dropout(0.1) 4 gelu"), optimizer: text("lion"), ..none.clone() },
        Options { schedule: text("step(0.1, 0.5, 9)"), optimizer: text("sgd"), ..none.clone() },
        Options { optimizer: text("adafactor"), loss: Some("huber(2)".parse().expect("a loss")), ..none.clone() },
        Options { compat: Some(Compat::Keras), weight_decay: Some(0.02), schedule: text("one_cycle"), ..none.clone() },
        Options { compat: Some(Compat::PyTorch), optimizer: text("momentum"), hidden: Some(vec![0]), ..none.clone() },
        Options { target: vec!["color".into()], ignore: vec![], ..none.clone() },
        Options { target: vec!["color".into()], label_smoothing: Some(0.2), class_weights: text("balanced"), ..none },
    ];
    for given in cases {
        let first = prepare(table(), &given);
        let complete = first.options(&given).expect("complete");
        let second = prepare(table(), &complete);
        let [of_first, of_second] = [&first, &second].map(|prepared| {
            let recipe = &prepared.recipe;
            (&recipe.settings, &recipe.initial, recipe.held, recipe.loss, recipe.is_balanced)
        });
        assert_eq!(of_second, of_first, "{given:?}");
        assert_eq!((&second.network, &second.members), (&first.network, &first.members), "{given:?}");
        assert_eq!((&second.parts, &second.output), (&first.parts, &first.output), "{given:?}");
        assert!(second.input == first.input && second.data == first.data, "{given:?}");
        assert_eq!(second.options(&complete).expect("complete"), complete, "nothing is left open");
        // Nothing that every training has is left open, but for what has no number.
        let open = serde_json::to_value(&complete).expect("a map");
        let has_rate = given.optimizer.as_deref() != Some("adafactor") && given.schedule != text("step(0.1, 0.5, 9)");
        for key in ["task", "validation", "test", "fill", "scale", "one-hot", "bins", "init", "members", "loss"] {
            assert!(!open[key].is_null(), "{key} of {given:?}");
        }
        for key in ["optimizer", "schedule", "accumulate", "compat", "batch-size", "epochs", "seed"] {
            assert!(!open[key].is_null(), "{key} of {given:?}");
        }
        assert_eq!(open["learning-rate"].is_null(), !has_rate, "{given:?}");
        assert_eq!(open["hidden"].is_null(), given.layers.is_some(), "{given:?}");
    }
}

#[test]
fn layers_with_embeddings_are_refused() {
    for layers in ["embedding(0, 2, 2) 8 relu", "residual(8 relu embedding(0, 2, 2))"] {
        let given = Options { layers: Some(layers.into()), ..options("y") };
        let error =
            Prepared::new(&Tables { table: table(), validation: None, test: None }, &given).expect_err("refused");
        assert!(error.to_string().contains("expected layers without embeddings"), "{error}");
    }
}
