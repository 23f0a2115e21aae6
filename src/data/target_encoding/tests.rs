//! Tasks that are found, targets that are encoded, and answers that are read, worked by hand.

use std::path::Path;

use super::*;
use crate::data::{ColumnBuilder, ColumnSchema, Role};

fn column(name: &str, fields: &[&str]) -> Column {
    let mut builder = ColumnBuilder::new(name);
    fields.iter().for_each(|field| builder.push(field));
    builder.finish()
}

fn table(columns: Vec<Column>) -> Table {
    let n_rows = columns[0].n_rows() as u32;
    Table::new(Path::new("t.csv"), columns, Some((2..n_rows + 2).collect()))
}

fn one(fields: &[&str]) -> Table {
    table(vec![column("y", fields)])
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn all(table: &Table) -> Vec<u32> {
    (0..table.n_rows() as u32).collect()
}

fn fit(fields: &[&str], task: Task, options: &TargetOptions) -> Result<TargetEncoding> {
    TargetEncoding::fit(&one(fields), &names(&["y"]), task, &all(&one(fields)), options)
}

/// A column in which each number occurs as often as its count says, the first `from`.
fn counted(from: i32, counts: &[usize]) -> Table {
    let fields = (from..).zip(counts).flat_map(|(number, &count)| std::iter::repeat_n(number.to_string(), count));
    let fields: Vec<String> = fields.collect();
    one(&fields.iter().map(String::as_str).collect::<Vec<_>>())
}

#[track_caller]
fn check_task(table: &Table, task: Task, reason: &str, doubt: Option<&str>) {
    let found = TaskChoice::find(table, None, &names(&["y"])).expect("a task");
    let expected = TaskChoice { task, reason: reason.into(), doubt: doubt.map(str::to_owned) };
    assert_eq!(found, expected);
}

const AMOUNTS: Option<&str> = Some("if they are amounts and not names of classes, say `--task regression`");
const CLASSES: Option<&str> = Some("if they are names of classes and not amounts, say `--task classification`");

#[test]
fn text_and_two_values_are_classes() {
    check_task(&one(&["a", "b", "", "a"]), Task::Classification, "column `y` holds text, 2 different", None);
    check_task(&one(&["0", "1", "", "1"]), Task::Classification, "column `y` holds two different values", None);
    check_task(&one(&["0.5", "-3", "0.5"]), Task::Classification, "column `y` holds two different values", None);
}

#[test]
fn digits_are_classes_and_qualities_counts_and_prices_are_numbers() {
    // scikit-learn's digits, from 0 to 9.
    let digits = counted(0, &[178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    let reason = "column `y` holds 10 different whole numbers, from 0 on";
    check_task(&digits, Task::Classification, reason, AMOUNTS);
    // Kinds of forest (covertype, in hundreds), which have no order.
    let forest = counted(1, &[2118, 2833, 357, 27, 94, 173, 205]);
    let reason = "column `y` holds 7 different whole numbers, from 1 on";
    check_task(&forest, Task::Classification, reason, AMOUNTS);
    check_task(
        &counted(0, &[50, 50, 50]),
        Task::Classification,
        "column `y` holds 3 different whole numbers, from 0 on",
        AMOUNTS,
    );
    // The qualities of white wine, from 3 to 9.
    let wine = counted(3, &[20, 163, 1457, 2198, 880, 175, 5]);
    check_task(&wine, Task::Regression, "column `y` holds 7 different whole numbers", CLASSES);
    // Stars, and numbers of children.
    for counts in [&[30, 40, 110, 300, 700][..], &[500, 300, 150, 60, 20, 6, 2]] {
        let reason = format!("column `y` holds {} different whole numbers", counts.len());
        check_task(&counted(1, counts), Task::Regression, &reason, CLASSES);
    }
    // Prices; one of the numbers once; more than 20.
    check_task(
        &one(&["100", "250", "100", "250", "300", "300"]),
        Task::Regression,
        "column `y` holds 3 different whole numbers",
        CLASSES,
    );
    check_task(&counted(0, &[5, 5, 1]), Task::Regression, "column `y` holds 3 different whole numbers", None);
    check_task(&counted(0, &[2; 21]), Task::Regression, "column `y` holds 21 different whole numbers", None);
    check_task(
        &counted(0, &[2; 20]),
        Task::Classification,
        "column `y` holds 20 different whole numbers, from 0 on",
        AMOUNTS,
    );
    check_task(&one(&["1.5", "2", "3"]), Task::Regression, "column `y` holds numbers with fractions", None);
    check_task(&one(&["4", "4"]), Task::Regression, "column `y` holds 1 different whole numbers", None);
}

#[test]
fn a_type_that_was_given_decides() {
    let schema = |kind: ColumnType, is_given: bool| Schema {
        columns: vec![ColumnSchema {
            name: "y".into(),
            kind,
            role: Role::Target,
            n_missing: 0,
            n_distinct: 2,
            is_given,
            date: None,
            note: None,
        }],
    };
    let wine = counted(3, &[20, 163, 1457, 2198, 880, 175, 5]);
    for (kind, is_given, task) in [
        (ColumnType::Category, true, Task::Classification),
        (ColumnType::Category, false, Task::Regression),
        (ColumnType::Number, true, Task::Regression),
    ] {
        let found = TaskChoice::find(&wine, Some(&schema(kind, is_given)), &names(&["y"])).expect("a task");
        assert_eq!((found.task, found.doubt.is_none()), (task, is_given));
    }
}

#[test]
fn several_columns_are_labels_or_numbers() {
    let whole = table(vec![
        column("a", &["0", "1", "1"]),
        column("b", &["yes", "no", ""]),
        column("c", &["1.5", "2", "3"]),
        column("d", &["red", "green", "red"]),
    ]);
    let find = |targets: &[&str]| TaskChoice::find(&whole, None, &names(targets));
    assert_eq!(find(&["a", "b"]).expect("a task").task, Task::MultiLabel);
    assert_eq!(find(&["a", "c"]).expect("a task").task, Task::Regression);
    let message = |targets: &[&str]| find(targets).unwrap_err().to_string();
    assert_eq!(
        message(&["a", "c", "d"]),
        "targets: found 3 columns, of which `d` holds text, expected one column of classes, or several that all hold numbers or all say yes or no"
    );
    assert_eq!(message(&["a", "a"]), "targets: found `a` twice, expected different columns");
    assert_eq!(message(&[]), "targets: found none, expected the name of a column");
    assert!(message(&["e"]).starts_with("t.csv: no column is named `e`"));
    let empty = TaskChoice::find(&one(&["", ""]), None, &names(&["y"])).unwrap_err().to_string();
    assert_eq!(empty, "t.csv, column `y`: found no value at all, expected something to predict");
}

#[test]
fn numbers_are_standardised_and_read_back() {
    // Mean 5, standard deviation 2.
    let encoding =
        fit(&["2", "4", "4", "4", "5", "5", "7", "9"], Task::Regression, &TargetOptions::default()).expect("fits");
    let Targets::Values(values) = encoding.encode(&one(&["5", "9", "0"])).expect("encodes") else { panic!("numbers") };
    assert_eq!(values.values(), [0.0, 2.0, -2.5]);
    // Half of the range, 3.5, beyond its ends at most.
    let answers = Matrix::new(4, 1, vec![0.0, 2.0, -99.0, 99.0]).expect("answers");
    let expected = Answers::Numbers { names: names(&["y"]), values: vec![5.0, 9.0, -1.5, 12.5] };
    assert_eq!(encoding.decode(&answers).expect("decodes"), expected);
    assert_eq!((encoding.n_outputs(), encoding.loss(), encoding.task()), (1, Loss::Mse, Task::Regression));
    let wide = Matrix::new(1, 2, vec![0.0; 2]).expect("answers");
    assert_eq!(
        encoding.decode(&wide).unwrap_err().to_string(),
        "answers: found 2 columns, expected 1, one for each answer"
    );
}

#[test]
fn large_numbers_keep_their_digits() {
    let fields = ["1700000000", "1700000002"];
    let encoding = fit(&fields, Task::Regression, &TargetOptions::default()).expect("fits");
    let answers = Matrix::new(2, 1, vec![0.5, -0.25]).expect("answers");
    let Answers::Numbers { values, .. } = encoding.decode(&answers).expect("decodes") else { panic!("numbers") };
    assert_eq!(values, [1_700_000_001.5, 1_700_000_000.75]);
    let TargetEncoding::Numbers(targets) = encoding else { panic!("numbers") };
    assert_eq!(targets[0].text(1_700_000_001.512_345_8), "1700000001.5123458");
    let coarse = NumberTarget { scale: 1e6, ..targets[0].clone() };
    assert_eq!(coarse.text(1_700_000_001.512_345_8), "1700000001.51");
    let fine = NumberTarget { scale: 1e-3, mean: 0.0, ..targets[0].clone() };
    assert_eq!(fine.text(0.001_234_567_890_123), "0.00123456789");
    assert_eq!(fine.text(0.0), "0");
}

/// `count` numbers whose logarithms are even steps, so that they are skewed and their logarithms are not.
fn skewed(count: usize, step: f64) -> Vec<String> {
    (0..count).map(|i| format!("{}", (i as f64 * step).exp())).collect()
}

fn transform_of(fields: &[String], options: &TargetOptions) -> Transform {
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let TargetEncoding::Numbers(targets) = fit(&fields, Task::Regression, options).expect("fits") else {
        panic!("numbers")
    };
    targets[0].transform
}

#[test]
fn skewed_numbers_are_learned_by_their_logarithms() {
    let options = TargetOptions::default();
    assert_eq!(transform_of(&skewed(40, 0.2), &options), Transform::Log);
    // With a 0 among them.
    let mut with_zero: Vec<String> =
        skewed(40, 0.2).iter().map(|x| format!("{}", x.parse::<f64>().unwrap() - 1.0)).collect();
    assert_eq!(with_zero[0], "0");
    assert_eq!(transform_of(&with_zero, &options), Transform::Log1p);
    with_zero[0] = "-0.001".into();
    assert_eq!(transform_of(&with_zero, &options), Transform::Linear);
    // Too few rows; all within a factor of 20; hardly skewed; not for a loss that takes them as they are.
    assert_eq!(transform_of(&skewed(19, 0.4), &options), Transform::Linear);
    assert_eq!(transform_of(&skewed(40, 0.07), &options), Transform::Linear);
    assert_eq!(transform_of(&(1..=40).map(|i| i.to_string()).collect::<Vec<_>>(), &options), Transform::Linear);
    let plain = TargetOptions { standardise: false, ..options.clone() };
    assert_eq!(transform_of(&skewed(40, 0.2), &plain), Transform::Linear);
    // A few outliers, of which a logarithm leaves most of the skewness.
    let outliers: Vec<String> =
        (0..60).map(|i| if i < 2 { "3000".into() } else { format!("{}", 100 + i % 3) }).collect();
    assert_eq!(transform_of(&outliers, &options), Transform::Linear);
    let given = TargetOptions { transform: Some(Transform::Log1p), ..options };
    assert_eq!(transform_of(&["1".into(), "2".into()], &given), Transform::Log1p);
}

#[test]
fn logarithms_are_undone_within_what_was_seen() {
    // Logarithms 0 and ln 4: mean ln 2, deviation ln 2.
    let options = TargetOptions { transform: Some(Transform::Log), ..Default::default() };
    let encoding = fit(&["1", "4"], Task::Regression, &options).expect("fits");
    let Targets::Values(values) = encoding.encode(&one(&["1", "2", "4", "8"])).expect("encodes") else {
        panic!("numbers")
    };
    for (found, expected) in values.values().iter().zip([-1.0, 0.0, 1.0, 2.0]) {
        assert!((found - expected).abs() <= 1e-6, "{found} {expected}");
    }
    let answers = Matrix::new(4, 1, vec![-1.0, 0.0, 0.5, 40.0]).expect("answers");
    let decoded = |encoding: &TargetEncoding| match encoding.decode(&answers).expect("decodes") {
        Answers::Numbers { values, .. } => values,
        _ => panic!("numbers"),
    };
    let check = |encoding: &TargetEncoding, expected: [f64; 4], tolerance: f64| {
        for (found, expected) in decoded(encoding).into_iter().zip(expected) {
            assert!((found - expected).abs() <= tolerance * (1.0 + expected), "{found} {expected}");
        }
    };
    check(&encoding, [1.0, 2.0, 8.0f64.sqrt(), 4.0], 1e-12);

    // Targets of 4, 1 and 2 are 7 in all, where the answers are 2 each: 7/6.
    let column = |values: &[f32]| Matrix::new(values.len(), 1, values.to_vec()).expect("a column");
    let (answered, targets) = (column(&[0.0, 0.0, 0.0]), column(&[1.0, -1.0, 0.0]));
    let factor = 7.0 / 6.0;
    let mut smeared = encoding.clone();
    smeared.fit_smearing(&answered, &targets);
    check(&smeared, [factor, 2.0 * factor, 8.0f64.sqrt() * factor, 4.0 * factor], 1e-6);
    // A target of 4 for an answer of 1 would give 4, and the other way round 1/4.
    smeared.fit_smearing(&column(&[-1.0]), &column(&[1.0]));
    check(&smeared, [1.25, 2.5, 1.25 * 8.0f64.sqrt(), 5.0], 1e-12);
    smeared.fit_smearing(&column(&[1.0]), &column(&[-1.0]));
    // Nothing falls below the smallest target.
    check(&smeared, [1.0, 1.6, 0.8 * 8.0f64.sqrt(), 3.2], 1e-12);

    // The logarithm of the number and 1: targets of 3, 0 and 1 for answers of 1 each, 4/3, which is too much.
    let options = TargetOptions { transform: Some(Transform::Log1p), ..Default::default() };
    let mut encoding = fit(&["0", "3"], Task::Regression, &options).expect("fits");
    encoding.fit_smearing(&answered, &targets);
    check(&encoding, [0.0, 1.25, 1.25 * (8.0f64.sqrt() - 1.0), 3.75], 1e-12);
    // Without a logarithm there is nothing to correct.
    let mut linear = fit(&["1", "4"], Task::Regression, &TargetOptions::default()).expect("fits");
    let before = linear.clone();
    linear.fit_smearing(&answered, &targets);
    assert_eq!(linear, before);
}

#[test]
fn numbers_that_have_no_logarithm_are_refused_with_their_line() {
    let options = TargetOptions { transform: Some(Transform::Log), ..Default::default() };
    let message = "t.csv, line 3, column `y`: found 0, expected a number above 0, whose logarithm is learned";
    assert_eq!(fit(&["1", "0"], Task::Regression, &options).unwrap_err().to_string(), message);
    let encoding = fit(&["1", "2"], Task::Regression, &options).expect("fits");
    assert_eq!(encoding.encode(&one(&["1", "0"])).unwrap_err().to_string(), message);
}

#[test]
fn only_the_rows_that_are_given_tell_the_scale_of_numbers() {
    let rows = [0, 2, 4];
    let fit = |fields: &[&str]| {
        TargetEncoding::fit(&one(fields), &names(&["y"]), Task::Regression, &rows, &TargetOptions::default())
            .expect("fits")
    };
    assert_eq!(fit(&["1", "7", "2", "8", "4"]), fit(&["1", "inf", "2", "text", "4"]));
    assert_ne!(fit(&["1", "7", "2", "8", "4"]), fit(&["1", "7", "2", "8", "5"]));
}

#[test]
fn classes_are_those_of_the_whole_table_in_order() {
    let whole = one(&["10", "9", "", "10", "9", "2", "2"]);
    let encoding =
        TargetEncoding::fit(&whole, &names(&["y"]), Task::Classification, &[0, 1], &TargetOptions::default())
            .expect("fits");
    let class = ClassTarget { name: "y".into(), classes: names(&["2", "9", "10"]) };
    assert_eq!(encoding, TargetEncoding::Classes(class));
    assert_eq!((encoding.n_outputs(), encoding.loss()), (3, Loss::CrossEntropy));
    assert_eq!(TargetEncoding::missing_rows(&whole, &names(&["y"])).expect("a column"), [2]);
    let Targets::Classes(classes) = encoding.encode_rows(&whole, &[3, 4, 5]).expect("encodes") else {
        panic!("classes")
    };
    assert_eq!(classes.indices, [2, 1, 0]);
    let message = |table: &Table| encoding.encode(table).unwrap_err().to_string();
    assert_eq!(
        message(&whole),
        "t.csv, line 4, column `y`: found a missing value, expected the name of a class; fill it in or delete the row"
    );
    assert_eq!(
        message(&one(&["9.0", "7"])),
        "t.csv, column `y`: found the class `7`, expected one of those to learn from: `2`, `9`, `10`"
    );
    let answers = Matrix::new(2, 3, vec![0.2, 0.4, 0.4, 0.5, 0.25, 0.25]).expect("answers");
    let decoded = encoding.decode(&answers).expect("decodes");
    assert_eq!(decoded.best_classes().expect("classes"), [("9", 0.4), ("2", 0.5)]);
    assert_eq!((decoded.rows(), decoded.names()), (2, &names(&["2", "9", "10"])[..]));
}

#[test]
fn classes_that_cannot_be_learned_are_refused() {
    let check = |fields: &[&str], message: &str| {
        let error = fit(fields, Task::Classification, &TargetOptions::default()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    };
    check(&["a", "a", ""], "found one class only, `a`; expected two or more");
    check(&["a", "b", "c", "d", "a", "b", "c"], "found 4 different classes in 7 rows, expected few");
    check(&["", ""], "line 2, column `y`: found a missing value");
    check(&["1", "2", "inf"], "line 4, column `y`: found `inf`, which is not a finite number");
    let whole = table(vec![column("y", &["a", "b"]), column("z", &["c", "d"])]);
    let both = TargetEncoding::fit(&whole, &names(&["y", "z"]), Task::Classification, &[0], &TargetOptions::default());
    assert_eq!(
        both.unwrap_err().to_string(),
        "targets: found 2 columns of classes, expected one; or yes and no in each, for `--task multilabel`"
    );
    let none = TargetEncoding::fit(&whole, &names(&["y"]), Task::Classification, &[], &TargetOptions::default());
    assert_eq!(none.unwrap_err().to_string(), "targets: found no rows, expected at least one to learn from");
}

#[test]
fn labels_are_0_and_1() {
    let whole = table(vec![column("a", &["yes", "no", "yes"]), column("b", &["0", "1", "1"])]);
    let encoding = TargetEncoding::fit(&whole, &names(&["b", "a"]), Task::MultiLabel, &[0], &TargetOptions::default())
        .expect("fits");
    let Targets::Values(values) = encoding.encode(&whole).expect("encodes") else { panic!("numbers") };
    assert_eq!((values.columns(), values.values()), (2, &[0.0, 1.0, 1.0, 0.0, 1.0, 1.0][..]));
    assert_eq!((encoding.loss(), encoding.task()), (Loss::BinaryCrossEntropy, Task::MultiLabel));
    let answers = Matrix::new(1, 2, vec![0.25, 0.75]).expect("answers");
    let expected = Answers::Labels { names: names(&["b", "a"]), probabilities: answers.clone() };
    assert_eq!(encoding.decode(&answers).expect("decodes"), expected);
    let other = table(vec![column("a", &["True", "maybe"]), column("b", &["1", "0"])]);
    assert_eq!(
        encoding.encode(&other).unwrap_err().to_string(),
        "t.csv, column `a`: found the class `maybe`, expected one of those to learn from: `no`, `yes`"
    );
    assert!(encoding.encode_rows(&other, &[0]).is_ok());
    let three =
        TargetEncoding::fit(&one(&["a", "b", "c"]), &names(&["y"]), Task::MultiLabel, &[0], &TargetOptions::default());
    assert_eq!(
        three.unwrap_err().to_string(),
        "t.csv, column `y`: found 3 different values, expected two, for a label that applies or not"
    );
}

#[test]
fn several_numbers_have_a_scale_each() {
    let whole = table(vec![column("a", &["1", "3"]), column("b", &["10", "50"])]);
    let encoding =
        TargetEncoding::fit(&whole, &names(&["a", "b"]), Task::Regression, &[0, 1], &TargetOptions::default())
            .expect("fits");
    let Targets::Values(values) = encoding.encode(&whole).expect("encodes") else { panic!("numbers") };
    assert_eq!(values.values(), [-1.0, -1.0, 1.0, 1.0]);
    let Answers::Numbers { values, .. } = encoding.decode(&values).expect("decodes") else { panic!("numbers") };
    assert_eq!(values, [1.0, 10.0, 3.0, 50.0]);
}

#[test]
fn members_answer_by_their_mean_and_differ_by_their_deviation() {
    let encoding = fit(&["0", "4"], Task::Regression, &TargetOptions::default()).expect("fits");
    let answer = |value: f32| Matrix::new(1, 1, vec![value]).expect("an answer");
    let found = encoding.decode_members(&[answer(-0.5), answer(0.0), answer(0.5)]).expect("decodes");
    // 1, 2 and 3: variance 2/3.
    assert_eq!(found.answers, Answers::Numbers { names: names(&["y"]), values: vec![2.0] });
    assert!((found.spread.expect("a spread")[0] - (2.0f64 / 3.0).sqrt()).abs() <= 1e-12);
    assert_eq!(encoding.decode_members(&[answer(0.5)]).expect("decodes").spread, None);
    assert!(encoding.decode_members(&[]).is_err());
    let other = Matrix::new(2, 1, vec![0.0; 2]).expect("answers");
    assert!(encoding.decode_members(&[answer(0.0), other]).is_err());
}

#[test]
fn fields_that_are_no_numbers_are_refused_with_their_line() {
    let encoding = fit(&["1", "2"], Task::Regression, &TargetOptions::default()).expect("fits");
    for (fields, found) in [
        (["1", "high"], "the text `high`"),
        (["1", ""], "a missing value"),
        (["1", "inf"], "`inf`, which is not a finite number"),
    ] {
        let expected = format!("t.csv, line 3, column `y`: found {found}, expected a number; ");
        for error in [
            encoding.encode(&one(&fields)).unwrap_err().to_string(),
            fit(&fields, Task::Regression, &TargetOptions::default()).unwrap_err().to_string(),
        ] {
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}

#[test]
fn what_is_read_back_is_checked() {
    for encoding in [
        fit(&["0.1", "0.7", "1e300"], Task::Regression, &TargetOptions::default()).expect("fits"),
        fit(&["a", "b"], Task::Classification, &TargetOptions::default()).expect("fits"),
        fit(&["a", "b"], Task::MultiLabel, &TargetOptions::default()).expect("fits"),
    ] {
        let json = serde_json::to_string(&encoding).expect("JSON");
        assert_eq!(serde_json::from_str::<TargetEncoding>(&json).expect("read back"), encoding);
    }
    let number = r#"{"name":"y","transform":"log","mean":0.0,"scale":1.0,"smearing":1.0,"limits":[1.0,2.0]}"#;
    let check = |json: String, message: &str| {
        let error = serde_json::from_str::<TargetEncoding>(&json).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    };
    assert!(serde_json::from_str::<TargetEncoding>(&format!("{{\"numbers\":[{number}]}}")).is_ok());
    check(format!("{{\"numbers\":[{number},{number}]}}"), "found two targets named `y`");
    check(r#"{"numbers":[]}"#.into(), "found no target");
    for (from, to) in [
        (r#""scale":1.0"#, r#""scale":0.0"#),
        (r#""smearing":1.0"#, r#""smearing":-1.0"#),
        (r#""limits":[1.0,2.0]"#, r#""limits":[2.0,1.0]"#),
        (r#""limits":[1.0,2.0]"#, r#""limits":[0.0,1.0]"#),
    ] {
        check(format!("{{\"numbers\":[{}]}}", number.replace(from, to)), "target `y`: found mean 0");
    }
    check(r#"{"classes":{"name":"y","classes":["a","a"]}}"#.into(), "found the class `a` twice");
    check(r#"{"classes":{"name":"y","classes":[]}}"#.into(), "found no class");
    check(r#"{"labels":[]}"#.into(), "found no label");
    check(r#"{"labels":[{"name":"y","no":"a","yes":"a"}]}"#.into(), "label `y`: found one name for yes and no");
}

#[test]
fn every_task_is_serialised_as_it_is_displayed() {
    for task in [Task::Regression, Task::Classification, Task::MultiLabel] {
        assert_eq!(serde_json::to_string(&task).expect("JSON"), format!("\"{task}\""));
    }
}
