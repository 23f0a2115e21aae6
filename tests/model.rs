//! Model files: what is written is what is read, by any version, and what is damaged is refused.
#![cfg(feature = "data")]

use std::path::{Path, PathBuf};

use nngpu::data::{
    Answers, Column, ColumnBuilder, ColumnSchema, ColumnType, Matrix, Predictions, Preprocessing, PreprocessingOptions,
    Role, Scale, Schema, Table, TargetEncoding, TargetOptions, Task, Transform,
};
use nngpu::model::{DataFile, Input, Model, Provenance, embedding_layers, settle_unknown_levels};
use nngpu::nn::{Layer, WeightsOptions, layers_of, read_weights, write_weights};
use nngpu::{Device, Loss, Network};
use tempfile::TempDir;

fn column(name: &str, fields: impl IntoIterator<Item = String>) -> Column {
    let mut builder = ColumnBuilder::new(name);
    fields.into_iter().for_each(|field| builder.push(&field));
    builder.finish()
}

fn table(columns: Vec<Column>) -> Table {
    Table::new(Path::new("t.csv"), columns, None)
}

/// Forty rows of every type of column, with missing values, and targets of every task.
fn mixed() -> Table {
    let rows = || 0..40u32;
    let or_missing = |i: u32, text: String| if i % 13 == 5 { String::new() } else { text };
    table(vec![
        column("size", rows().map(|i| or_missing(i, format!("{}", f64::from(i * i) / 7.0)))),
        column("is_new", rows().map(|i| or_missing(i, ["no", "yes"][i as usize % 2].into()))),
        column("colour", rows().map(|i| or_missing(i, ["red", "green", "blue"][i as usize % 3].into()))),
        column("street", rows().map(|i| format!("street {}", i % 9))),
        column("day", rows().map(|i| format!("2024-{:02}-{:02}", i % 12 + 1, i % 28 + 1))),
        column("price", rows().map(|i| format!("{}", (f64::from(i) / 5.0).exp()))),
        column("weight", rows().map(|i| format!("{}", f64::from(i % 7) - 2.5))),
        column("kind", rows().map(|i| ["a", "b", "c"][i as usize % 3].into())),
        column("sweet", rows().map(|i| (i % 2).to_string())),
        column("sour", rows().map(|i| ["False", "True"][(i as usize).div_ceil(2) % 2].into())),
    ])
}

fn schema() -> Schema {
    let feature = |(name, kind): (&str, ColumnType)| ColumnSchema {
        name: name.into(),
        kind,
        role: Role::Feature,
        n_missing: 0,
        n_distinct: 0,
        is_given: false,
        date: None,
        note: None,
    };
    let columns = [
        ("size", ColumnType::Number),
        ("is_new", ColumnType::Boolean),
        ("colour", ColumnType::Category),
        ("street", ColumnType::Category),
        ("day", ColumnType::Date),
    ];
    Schema { columns: columns.map(feature).to_vec() }
}

/// A model that has learned nothing, of `members`, with an embedding for the streets.
fn model(task: Task, targets: &[&str], members: usize) -> Model {
    let (table, rows) = (mixed(), (0..40).collect::<Vec<u32>>());
    let options = PreprocessingOptions { one_hot_up_to: 3, scale: Scale::Quantile, ..Default::default() };
    let preprocessing = Preprocessing::fit(&table, &schema(), &rows, &options).expect("fits");
    let targets: Vec<String> = targets.iter().map(|name| name.to_string()).collect();
    let output = TargetEncoding::fit(&table, &targets, task, &rows, &TargetOptions::default()).expect("fits");
    let layers = [embedding_layers(&preprocessing), layers_of("5 relu").expect("layers")].concat();
    let layers = [layers, vec![Layer::linear(output.n_outputs() as u32)]].concat();
    let network = Network::of(preprocessing.n_inputs() as u32, layers).expect("a network");
    let values = (0..members as u64).flat_map(|seed| network.initial(seed)).collect();
    let loss = output.loss();
    let provenance = Provenance {
        data: Some(DataFile { name: "t.csv".into(), sha256: None, n_rows: 40 }),
        seed: Some(7),
        metrics: serde_json::json!({"r2": 0.1, "accuracy": 1.0 / 3.0}),
        ..Provenance::here()
    };
    Model { network, members, values, input: Input::Table(preprocessing), output, loss, provenance }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn a_model_is_read_back_with_the_same_bytes_and_predictions() {
    let (folder, device) = (Folder::new(), Device::open("cpu").expect("a CPU"));
    for members in [1, 3] {
        for (task, targets) in [
            (Task::Regression, &["price"][..]),
            (Task::Regression, &["price", "weight"]),
            (Task::Classification, &["kind"]),
            (Task::MultiLabel, &["sweet", "sour"]),
        ] {
            let model = model(task, targets, members);
            let (first, second) = (folder.path("first"), folder.path("second"));
            model.save(&first).expect("written");
            let read = Model::load(&first).expect("read");
            assert_eq!(read, model);
            read.save(&second).expect("written");
            assert!(std::fs::read(&first).expect("bytes") == std::fs::read(&second).expect("bytes"));
            let predictions = model.predict(&device, &mixed()).expect("predictions");
            assert_eq!(read.predict(&device, &mixed()).expect("predictions"), predictions);
            assert_eq!((predictions.answers.rows(), predictions.spread.is_some()), (40, members > 1));
        }
    }
}

#[test]
fn several_members_answer_their_mean_and_tell_how_far_they_lie_apart() {
    let device = Device::open("cpu").expect("a CPU");
    let three = model(Task::Classification, &["kind"], 3);
    let length = three.network.length() as usize;
    let each: Vec<Predictions> = (0..3)
        .map(|member| {
            let values = three.values[member * length..][..length].to_vec();
            Model { members: 1, values, ..three.clone() }.predict(&device, &mixed()).expect("predictions")
        })
        .collect();
    let Predictions { answers: Answers::Classes { probabilities, classes, .. }, spread: Some(spread) } =
        three.predict(&device, &mixed()).expect("predictions")
    else {
        panic!("classes with a spread")
    };
    assert_eq!(classes, ["a", "b", "c"]);
    let probability = |predictions: &Predictions, i: usize| match &predictions.answers {
        Answers::Classes { probabilities, .. } => f64::from(probabilities.values()[i]),
        _ => panic!("classes"),
    };
    let mut largest = 0.0f64;
    for (i, (mean_found, spread)) in probabilities.values().iter().zip(&spread).enumerate() {
        let values: Vec<f64> = each.iter().map(|predictions| probability(predictions, i)).collect();
        let mean = values.iter().sum::<f64>() / 3.0;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
        // One rounding to 32 bits of a number below 1.
        assert!((f64::from(*mean_found) - mean).abs() <= 1e-7, "{i}");
        assert!((spread - deviation).abs() <= 1e-12, "{i}");
        largest = largest.max(deviation);
    }
    assert!(largest > 0.01, "the members are alike: {largest}");
}

#[test]
fn other_programs_find_the_weights_by_their_names() {
    let folder = Folder::new();
    let (one, two) = (model(Task::Classification, &["kind"], 1), model(Task::Classification, &["kind"], 2));
    one.save(&folder.path("one")).expect("written");
    two.save(&folder.path("two")).expect("written");
    let (values, _) = read_weights(&folder.path("one"), &WeightsOptions::default(), |_| Ok(one.network.clone()))
        .expect("the network's own names");
    assert_eq!(values, one.values);
    let bytes = std::fs::read(folder.path("two")).expect("bytes");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let names: Vec<&String> = header.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        [
            "__metadata__",
            "members.0.layers.0.weight",
            "members.0.layers.1.bias",
            "members.0.layers.1.weight",
            "members.0.layers.2.bias",
            "members.0.layers.2.weight",
            "members.1.layers.0.weight",
            "members.1.layers.1.bias",
            "members.1.layers.1.weight",
            "members.1.layers.2.bias",
            "members.1.layers.2.weight",
        ]
    );
    assert_eq!(header["__metadata__"].as_object().expect("an object").len(), 1);
}

#[test]
fn files_of_the_second_version_predict_as_they_did() {
    let device = Device::open("cpu").expect("a CPU");
    let rows = |texts: [&str; 3]| texts.map(str::to_owned);
    // Another order than that of the columns learned from, and a column more.
    let new = table(vec![
        column("b", rows(["-5.5", "1e3", "0.25"])),
        column("more", rows(["x", "y", "z"])),
        column("a", rows(["-3", "0.1", "2"])),
    ]);
    // What version 0.1.0 at that time printed for them, to seven digits.
    let Answers::Numbers { names, values } = Model::load(&golden("model_v2_number.safetensors"))
        .expect("read")
        .predict(&device, &new)
        .expect("predicted")
        .answers
    else {
        panic!("numbers")
    };
    assert_eq!(names, ["y"]);
    for (found, expected) in values.iter().zip(NUMBERS) {
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{found} {expected}");
    }
    let model = Model::load(&golden("model_v2_class.safetensors")).expect("read");
    let answers = model.predict(&device, &new).expect("predicted").answers;
    for ((class, probability), (expected, number)) in answers.best_classes().expect("classes").into_iter().zip(CLASSES)
    {
        assert_eq!(class, expected);
        assert!((f64::from(probability) - number).abs() <= 1e-6, "{probability} {number}");
    }
    assert_eq!(model.members, 1);
    // A missing value was an error, and still is.
    let missing = table(vec![column("a", rows(["1", "", "2"])), column("b", rows(["1", "2", "3"]))]);
    let error = model.predict(&device, &missing).expect_err("refused").to_string();
    assert_eq!(
        error,
        "t.csv, row 2, column `a`: found a missing value, expected a number; correct the field or delete the row"
    );
}

const NUMBERS: [f64; 3] = [-10.686275, -653.5033, 2.403974];
const CLASSES: [(&str, f64); 3] = [("plus", 0.5574825), ("plus", 0.99999964), ("plus", 0.5331983)];

/// A file with other metadata than a model wrote.
fn with_description(folder: &Folder, name: &str, model: &Model, text: &str) -> PathBuf {
    let path = folder.path(name);
    let options = WeightsOptions { format: Some(nngpu::nn::WeightsFormat::Safetensors), ..Default::default() };
    let values = &model.values[..model.network.length() as usize];
    write_weights(&path, &model.network, values, Some(("nngpu", text)), &options).expect("written");
    path
}

fn description(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("bytes");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    header["__metadata__"]["nngpu"].as_str().expect("a text").to_owned()
}

#[test]
fn files_of_the_first_version_are_read() {
    let folder = Folder::new();
    let second = golden("model_v2_number.safetensors");
    let (text, model) = (description(&second), Model::load(&second).expect("read"));
    let older = text
        .replace(r#""version":2,"network":"2 -> 3 relu 1""#, r#""version":1,"sizes":[2,3,1],"activation":"relu""#)
        .replace(r#","loss":"mse""#, "");
    assert!(!older.contains("->") && !older.contains("loss"), "{older}");
    assert_eq!(Model::load(&with_description(&folder, "older", &model, &older)).expect("read"), model);
}

#[test]
fn damaged_descriptions_are_refused() {
    let folder = Folder::new();
    let model = model(Task::Regression, &["price"], 1);
    let path = folder.path("whole");
    model.save(&path).expect("written");
    let text = description(&path);
    let refused = |from: &str, to: &str, message: &str| {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from}");
        let path = with_description(&folder, "damaged", &model, &damaged);
        let error = Model::load(&path).expect_err(from).to_string();
        assert!(error.contains(message), "`{message}` is not in: {error}");
    };
    refused(r#""version":3"#, r#""version":4"#, "found version 4 of the format, expected 1 to 3");
    refused(r#""version":3,"#, "", "found version null of the format");
    refused(r#""members":1"#, r#""members":0"#, "found 5 tensors, expected 5 for each of 0 members");
    refused(r#""members":1"#, r#""members":2"#, "found 5 tensors, expected 5 for each of 2 members");
    let most = format!(r#""members":{}"#, u64::MAX);
    refused(r#""members":1"#, &most, "expected 5 for each of 18446744073709551615 members");
    refused(r#""has_indicator":true"#, r#""has_indicator":false"#, "inputs for");
    refused(r#""landmarks":["#, r#""landmarks":[1e300,"#, "column `size`: expected landmarks that never fall");
    refused(r#"["street 0","#, r#"["street 1","#, "expected different levels, not `street 1` twice");
    refused(r#""counts":["#, r#""counts":[1,"#, "expected as many counts as levels");
    refused(r#""name":"colour""#, r#""name":"size""#, "found two columns named `size`");
    refused(r#""day":"%Y-%m-%d""#, r#""day":"%s""#, "found the form of days `%s`");
    refused(r#""transform":"log","mean":"#, r#""transform":"log","mean":1e999,"was":"#, "its description is damaged");
    refused(r#""smearing":1.0"#, r#""smearing":0.0"#, "target `price`: found mean");
    refused(r#""loss":"mse""#, r#""loss":"nll""#, "found numbers learned by nll, which takes none");
    refused(r#""loss":"mse""#, r#""loss":"gaussian_nll""#, "found 1 outputs for 1 numbers");
    refused(r#""input":{"table""#, r#""input":{"pages""#, "its description is damaged");
    let long = format!(r#""network":"3 -> {}""#, "1 ".repeat(1 << 18));
    refused(r#""network":"#, &format!("{long},\"was\":"), "bytes, expected at most 262144");
    let wide = r#""network":"9 -> 4000000000 4000000000""#;
    refused(r#""network":"#, &format!("{wide},\"was\":"), "fewer than 2^31 parameters");
}

#[test]
fn images_are_predicted_from_their_pixels() {
    let (folder, device) = (Folder::new(), Device::open("cpu").expect("a CPU"));
    let network = Network::of(4, layers_of("3").expect("layers")).expect("a network");
    let class = nngpu::data::ClassTarget { name: "label".into(), classes: ["0", "1", "2"].map(str::to_owned).to_vec() };
    let model = Model {
        values: network.initial(0),
        network,
        members: 1,
        input: Input::Images,
        output: TargetEncoding::Classes(class),
        loss: Loss::CrossEntropy,
        provenance: Provenance::default(),
    };
    model.save(&folder.path("images")).expect("written");
    let model = Model::load(&folder.path("images")).expect("read");
    let pixels = Matrix::new(2, 4, vec![0.0, 1.0, 0.5, 0.25, 1.0, 0.0, 0.0, 1.0]).expect("pixels");
    let predictions = model.predict_matrix(&device, &pixels).expect("predicted");
    assert_eq!(predictions.answers.best_classes().expect("classes").len(), 2);
    assert_eq!(
        model.predict(&device, &mixed()).expect_err("refused").to_string(),
        "data: found a table, expected images, as the model learned from"
    );
    let narrow = Matrix::new(1, 3, vec![0.0; 3]).expect("pixels");
    let error = model.predict_matrix(&device, &narrow).expect_err("refused").to_string();
    assert_eq!(error, "prediction: found 3 columns, expected 4, as the model has inputs");
}

#[test]
fn a_model_whose_parts_do_not_fit_is_not_written() {
    let folder = Folder::new();
    let whole = model(Task::Regression, &["price"], 1);
    let mut wrong = vec![whole.clone(), whole.clone(), whole.clone()];
    wrong[0].values.pop();
    wrong[1].values[0] = f32::NAN;
    wrong[2].members = 0;
    for model in wrong {
        let error = model.save(&folder.path("model")).expect_err("refused");
        assert!(error.to_string().ends_with("cannot be written"), "{error}");
        assert!(!folder.path("model").exists());
    }
}

#[test]
fn levels_that_are_not_known_get_the_mean_of_the_others() {
    let Model { network, mut values, input: Input::Table(preprocessing), .. } = model(Task::Regression, &["price"], 2)
    else {
        panic!("a table")
    };
    let before = values.clone();
    settle_unknown_levels(&network, &mut values, &preprocessing);
    let table = &network.parameters()[0];
    let (size, length) = (table.columns as usize, network.length() as usize);
    assert_eq!((table.rows, size), (10, 6));
    for member in 0..2 {
        let (before, after) = (&before[member * length..][..length], &values[member * length..][..length]);
        for column in 0..size {
            // Of 40 rows, streets 0 to 3 have five each, and the other five have four.
            let weighted = (1..10).map(|level| {
                let count = if level <= 4 { 5.0 } else { 4.0 };
                f64::from(before[table.range()][level * size + column]) * count
            });
            let expected = weighted.sum::<f64>() / 40.0;
            assert!((f64::from(after[table.range()][column]) - expected).abs() <= 1e-6, "{column}");
        }
        assert_eq!(before[table.range()][size..], after[table.range()][size..]);
    }
}

#[test]
fn a_skewed_target_is_learned_by_its_logarithm() {
    let TargetEncoding::Numbers(targets) = model(Task::Regression, &["price", "weight"], 1).output else {
        panic!("numbers")
    };
    assert_eq!([targets[0].transform, targets[1].transform], [Transform::Log, Transform::Linear]);
}
