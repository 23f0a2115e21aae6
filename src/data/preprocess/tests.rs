//! Each encoder by numbers worked by hand, and the scalers by those of scikit-learn.

use std::path::Path;

use super::*;
use crate::data::{ColumnBuilder, DateFormat};

fn column(name: &str, fields: &[&str]) -> Column {
    let mut builder = ColumnBuilder::new(name);
    fields.iter().for_each(|field| builder.push(field));
    builder.finish()
}

fn table(columns: Vec<Column>) -> Table {
    let n_rows = columns[0].n_rows() as u32;
    Table::new(Path::new("t.csv"), columns, Some((2..n_rows + 2).collect()))
}

fn feature(name: &str, kind: ColumnType) -> ColumnSchema {
    let role = Role::Feature;
    ColumnSchema { name: name.into(), kind, role, n_missing: 0, n_distinct: 0, is_given: false, date: None, note: None }
}

fn all(table: &Table) -> Vec<u32> {
    (0..table.n_rows() as u32).collect()
}

/// One column fitted on all its rows.
fn fit(kind: ColumnType, fields: &[&str], options: &PreprocessingOptions) -> Result<Preprocessing> {
    let table = table(vec![column("x", fields)]);
    let given = ColumnSchema { is_given: true, ..feature("x", kind) };
    Preprocessing::fit(&table, &Schema { columns: vec![given] }, &all(&table), options)
}

/// What becomes of rows of one column.
fn apply(preprocessing: &Preprocessing, fields: &[&str]) -> Vec<Vec<f32>> {
    let matrix = preprocessing.apply(&table(vec![column("x", fields)])).expect("applies");
    (0..matrix.rows()).map(|row| matrix.row(row).to_vec()).collect()
}

#[track_caller]
fn check(
    kind: ColumnType,
    options: PreprocessingOptions,
    fitted: &[&str],
    names: &[&str],
    rows: &[(&str, &[f32])],
) -> Preprocessing {
    let preprocessing = fit(kind, fitted, &options).expect("fits");
    assert_eq!(preprocessing.input_names(), names);
    let fields: Vec<&str> = rows.iter().map(|(field, _)| *field).collect();
    for ((field, expected), found) in rows.iter().zip(apply(&preprocessing, &fields)) {
        assert_eq!(found.len(), expected.len(), "{field}");
        for (found, expected) in found.iter().zip(*expected) {
            // A rounding to 32 bits, of numbers up to 10.
            assert!((found - expected).abs() <= 1e-6, "{field}: {found} {expected}");
        }
    }
    let json = serde_json::to_string(&preprocessing).expect("JSON");
    assert_eq!(serde_json::from_str::<Preprocessing>(&json).expect("read back"), preprocessing);
    preprocessing
}

/// Eight numbers of mean 5 and standard deviation 2: squares 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32, and √(32 / 8) = 2.
const NUMBERS: [&str; 8] = ["2", "4", "4", "4", "5", "5", "7", "9"];

#[test]
fn numbers_are_standardised_and_limited() {
    let rows: [(&str, &[f32]); 5] = [("5", &[0.0]), ("9", &[2.0]), ("", &[0.0]), ("1e300", &[20.0]), ("-99", &[-20.0])];
    check(ColumnType::Number, PreprocessingOptions::default(), &NUMBERS, &["x"], &rows);
    let smooth = PreprocessingOptions { clip: Clip::Smooth(3.0), ..Default::default() };
    // 2 / √(1 + 4/9) = 6 / √13.
    let rows: [(&str, &[f32]); 2] = [("9", &[1.664_100_6]), ("1e300", &[3.0])];
    check(ColumnType::Number, smooth, &NUMBERS, &["x"], &rows);
}

#[test]
fn missing_numbers_are_filled_and_told() {
    let fitted = [&NUMBERS[..], &["", ""]].concat();
    for (fill, filled) in [(Fill::Mean, 0.0), (Fill::Median, -0.25), (Fill::Zero, -2.5)] {
        let options = PreprocessingOptions { fill, ..Default::default() };
        let rows: [(&str, &[f32]); 2] = [("7", &[1.0, 0.0]), ("", &[filled, 1.0])];
        check(ColumnType::Number, options, &fitted, &["x", "x missing"], &rows);
    }
}

#[test]
fn other_scales_are_worked_by_hand() {
    let scale = |scale: Scale| PreprocessingOptions { scale, ..Default::default() };
    check(
        ColumnType::Number,
        scale(Scale::MinMax),
        &NUMBERS,
        &["x"],
        &[("2", &[0.0]), ("5.5", &[0.5]), ("16", &[2.0])],
    );
    // Quartiles 4 and 5.5, median 4.5, normal quartiles 1.3489795 apart.
    check(ColumnType::Number, scale(Scale::Robust), &NUMBERS, &["x"], &[("4.5", &[0.0]), ("6", &[1.348_979_5])]);
    check(ColumnType::Number, scale(Scale::None), &NUMBERS, &["x"], &[("-1234.5", &[-1234.5])]);
    // Half of the numbers are one: the standard deviation, √(6 / 8), tells the scale.
    let ties = ["1", "1", "1", "1", "1", "1", "1", "3"];
    let expected = 2.0 / (0.4375f32).sqrt();
    check(ColumnType::Number, scale(Scale::Robust), &ties, &["x"], &[("1", &[0.0]), ("3", &[expected])]);
}

#[test]
fn constant_and_empty_columns_become_0() {
    for scale in [Scale::Standard, Scale::MinMax, Scale::Robust, Scale::Quantile] {
        let options = PreprocessingOptions { scale, ..Default::default() };
        check(ColumnType::Number, options.clone(), &["0.1"; 7], &["x"], &[("0.1", &[0.0]), ("", &[0.0])]);
        check(ColumnType::Number, options, &["", ""], &["x", "x missing"], &[("", &[0.0, 1.0])]);
    }
}

#[test]
fn numbers_at_the_ends_of_the_range_are_taken() {
    for scale in [Scale::Standard, Scale::MinMax, Scale::Robust, Scale::Quantile] {
        for fitted in
            [["-1.7e308", "1.7e308", "0"], ["1e-310", "2e-310", "5e-324"], ["1e17", "100000000000000016", "0"]]
        {
            let options = PreprocessingOptions { scale, ..Default::default() };
            let preprocessing = fit(ColumnType::Number, &fitted, &options).expect("fits");
            for row in apply(&preprocessing, &["-1.7e308", "1.7e308", "0", "1e-310"]) {
                assert!(row[0].abs() <= 20.0, "{scale:?} {fitted:?} {row:?}");
            }
        }
    }
}

/// The column of `tests/golden/preprocessing.py`.
fn golden_column() -> Values {
    Values::Numbers((0..1500).map(|i: u32| f64::from((i * 7919 % 701).pow(2)) / 1024.0).collect())
}

#[test]
fn scalers_agree_with_scikit_learn() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/golden/preprocessing.json")).expect("JSON");
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().expect("numbers").iter().map(|number| number.as_f64().expect("a number")).collect()
    };
    let probes = table(vec![Column::new("x", Values::Numbers(numbers(&golden["probes"])))]);
    let fitted = table(vec![Column::new("x", golden_column())]);
    let schema = Schema { columns: vec![feature("x", ColumnType::Number)] };
    for (name, scale) in [
        ("standard", Scale::Standard),
        ("minmax", Scale::MinMax),
        ("robust", Scale::Robust),
        ("quantile", Scale::Quantile),
    ] {
        let options = PreprocessingOptions { scale, clip: Clip::None, ..Default::default() };
        let preprocessing = Preprocessing::fit(&fitted, &schema, &all(&fitted), &options).expect("fits");
        let found = preprocessing.apply(&probes).expect("applies");
        let expected = numbers(&golden["scaled"][name]);
        assert_eq!(found.values().len(), expected.len());
        for ((found, expected), probe) in found.values().iter().zip(expected).zip(numbers(&golden["probes"])) {
            // A rounding to 32 bits.
            let tolerance = 1e-7 * (1.0 + expected.abs());
            assert!((f64::from(*found) - expected).abs() <= tolerance, "{name} of {probe}: {found} {expected}");
        }
    }
}

#[test]
fn few_whole_numbers_have_an_input_each_when_asked_for() {
    let options = PreprocessingOptions { one_hot_integers_up_to: 5, ..Default::default() };
    let names = ["x", "x = 2", "x = 4", "x = 5", "x = 7", "x = 9"];
    let rows: [(&str, &[f32]); 2] = [("5", &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]), ("3", &[-1.0, 0.0, 0.0, 0.0, 0.0, 0.0])];
    check(ColumnType::Number, options.clone(), &NUMBERS, &names, &rows);
    let fewer = PreprocessingOptions { one_hot_integers_up_to: 4, ..options };
    check(ColumnType::Number, fewer, &NUMBERS, &["x"], &[]);
}

#[test]
fn bins_rise_from_0_to_1_each() {
    let options = PreprocessingOptions { bins: 2, ..Default::default() };
    let names = ["x", "x from 2 to 5", "x from 5 to 9"];
    // The fifth of eight numbers is 5.
    let rows: [(&str, &[f32]); 4] =
        [("2", &[-1.5, 0.0, 0.0]), ("3.5", &[-0.75, 0.5, 0.0]), ("7", &[1.0, 1.0, 0.5]), ("99", &[20.0, 1.0, 1.0])];
    check(ColumnType::Number, options.clone(), &NUMBERS, &names, &rows);
    check(ColumnType::Number, options, &["0", "0", "0", "1"], &["x"], &[]);
}

#[test]
fn a_frequent_number_is_an_edge_and_leaves_the_others_their_bins() {
    let options = PreprocessingOptions { bins: 3, ..Default::default() };
    let mostly_0 = ["0", "5", "0", "1", "0", "3", "0", "4", "0", "2", "6", "0"];
    check(ColumnType::Number, options, &mostly_0, &["x", "x from 0 to 1", "x from 1 to 4", "x from 4 to 6"], &[]);
    // Few numbers are edges all, however many rows have them.
    let options = PreprocessingOptions { bins: 8, ..Default::default() };
    check(ColumnType::Number, options.clone(), &["", ""], &["x", "x missing"], &[]);
    let few = ["1", "1", "1", "1", "1", "5", "2"];
    check(ColumnType::Number, options, &few, &["x", "x from 1 to 2", "x from 2 to 5"], &[]);
}

#[test]
fn no_and_yes_are_0_and_1() {
    let options = PreprocessingOptions::default;
    // Three of four are yes.
    let rows: [(&str, &[f32]); 6] =
        [("yes", &[1.0]), ("no", &[0.0]), ("", &[0.75]), ("TRUE", &[1.0]), ("0", &[0.0]), ("maybe", &[0.75])];
    check(ColumnType::Boolean, options(), &["yes", "no", "yes", "yes"], &["x"], &rows);
    let rows: [(&str, &[f32]); 3] = [("1", &[1.0, 0.0]), ("0", &[0.0, 0.0]), ("", &[0.5, 1.0])];
    check(ColumnType::Boolean, options(), &["0", "1", ""], &["x", "x missing"], &rows);
    check(ColumnType::Boolean, options(), &["0", "1", ""], &["x", "x missing"], &[("1.0", &[1.0, 0.0])]);
    // No words for no and yes: their order tells.
    let rows: [(&str, &[f32]); 3] = [("male", &[1.0]), ("female", &[0.0]), ("yes", &[0.5])];
    check(ColumnType::Boolean, options(), &["male", "female"], &["x"], &rows);
    // `on` stands for yes wherever it stands.
    check(ColumnType::Boolean, options(), &["on", "off"], &["x"], &[("on", &[1.0]), ("off", &[0.0])]);
}

#[test]
fn levels_have_an_input_each_rare_and_missing_ones_too() {
    let fitted = ["b", "a", "b", "a", "b", "c", "d", ""];
    let names = ["x = a", "x = b", "x = (rare)", "x missing"];
    let rows: [(&str, &[f32]); 5] = [
        ("a", &[1.0, 0.0, 0.0, 0.0]),
        ("b", &[0.0, 1.0, 0.0, 0.0]),
        ("c", &[0.0, 0.0, 1.0, 0.0]),
        ("never seen", &[0.0, 0.0, 1.0, 0.0]),
        ("", &[0.0, 0.0, 0.0, 1.0]),
    ];
    check(ColumnType::Category, PreprocessingOptions::default(), &fitted, &names, &rows);
    let each = PreprocessingOptions { rare_below: 0, ..Default::default() };
    let rows: [(&str, &[f32]); 3] = [("b", &[0.0, 1.0]), ("never seen", &[0.0, 0.0]), ("", &[0.0, 0.0])];
    check(ColumnType::Category, each, &["b", "a"], &["x = a", "x = b"], &rows);
    // A level that is called so is one as any other.
    let rows: [(&str, &[f32]); 2] = [("(rare)", &[1.0]), ("z", &[0.0])];
    check(ColumnType::Category, PreprocessingOptions::default(), &["(rare)", "(rare)"], &["x = (rare)"], &rows);
}

#[test]
fn numbers_that_are_names_are_found_however_they_are_written() {
    let fitted = ["10", "9", "10", "9"];
    let names = ["x = 9", "x = 10"];
    let rows: [(&str, &[f32]); 3] = [("9", &[1.0, 0.0]), ("10", &[0.0, 1.0]), ("11", &[0.0, 0.0])];
    let preprocessing = check(ColumnType::Category, PreprocessingOptions::default(), &fitted, &names, &rows);
    // Text, since one field is no number.
    assert_eq!(apply(&preprocessing, &["9.0", "1e1", "x"]), [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]);
    // The other way round: text when it was fitted, numbers later.
    let fitted = ["1.50", "x", "1.50", "x"];
    let preprocessing = fit(ColumnType::Category, &fitted, &PreprocessingOptions::default()).expect("fits");
    assert_eq!(apply(&preprocessing, &["1.5", ""]), [[1.0, 0.0], [0.0, 0.0]]);
}

#[test]
fn numbers_are_read_from_text() {
    let preprocessing = fit(ColumnType::Number, &NUMBERS, &PreprocessingOptions::default()).expect("fits");
    let text = table(vec![column("x", &["9", " 5 ", "nan", "007", "x"])]).select_rows(&[0, 1, 2, 3]);
    assert!(matches!(text.columns()[0].values(), Values::Text(_)));
    assert_eq!(preprocessing.apply(&text).expect("applies").values(), [2.0, 0.0, 0.0, 1.0]);
}

#[test]
fn text_among_numbers_is_missing_where_the_type_was_found() {
    let fitted = table(vec![column("x", &[&NUMBERS[..], &["unknown"]].concat())]);
    let schema = Schema { columns: vec![feature("x", ColumnType::Number)] };
    let preprocessing =
        Preprocessing::fit(&fitted, &schema, &all(&fitted), &PreprocessingOptions::default()).expect("fits");
    assert_eq!(apply(&preprocessing, &["9", "", "high", "7"]), [[2.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]);
    let other = table(vec![column("x", &["9", "high", "low"])]);
    let unknown = preprocessing.apply_noting(&other, false).expect("applies").unknown;
    let expected = UnknownValues { column: "x".into(), n_rows: 2, first: "high".into(), place: Place::Line(3) };
    assert_eq!(unknown, [expected]);
    // Text that only other rows hold changes nothing but that it is taken.
    let rows: Vec<u32> = (0..8).collect();
    let preprocessing = Preprocessing::fit(&fitted, &schema, &rows, &PreprocessingOptions::default()).expect("fits");
    assert_eq!(apply(&preprocessing, &["9", "high"]), [[2.0], [0.0]]);
    let json = serde_json::to_string(&preprocessing).expect("JSON");
    assert_eq!(serde_json::from_str::<Preprocessing>(&json).expect("read back"), preprocessing);
}

#[test]
fn many_levels_become_codes_for_an_embedding() {
    let options = PreprocessingOptions { one_hot_up_to: 2, ..Default::default() };
    let fitted = ["c", "a", "b", "a", "b", "c", "rare", ""];
    let rows: [(&str, &[f32]); 6] =
        [("a", &[1.0]), ("b", &[2.0]), ("c", &[3.0]), ("rare", &[0.0]), ("never", &[0.0]), ("", &[0.0])];
    let preprocessing = check(ColumnType::Category, options.clone(), &fitted, &["x"], &rows);
    // Four codes: 1.6 * 4^0.56 = 1.6 * 2.1735 = 3.48.
    assert_eq!(preprocessing.embeddings(), [EmbeddedInput { column: 0, levels: 4, size: 3 }]);
    let given = PreprocessingOptions { embedding_size: Some(7), ..options.clone() };
    let preprocessing = fit(ColumnType::Category, &fitted, &given).expect("fits");
    assert_eq!(preprocessing.embeddings()[0].size, 7);
    let most = PreprocessingOptions { max_levels: 1, one_hot_up_to: 0, ..options };
    let rows: [(&str, &[f32]); 3] = [("b", &[1.0]), ("a", &[0.0]), ("c", &[0.0])];
    check(ColumnType::Category, most, &["c", "a", "b", "a", "b", "c", "b"], &["x"], &rows);
}

#[test]
fn size_of_an_embedding_is_fastais() {
    for (n_levels, size) in [(1, 2), (2, 3), (9, 6), (99, 21), (999, 50), (9999, 50)] {
        let levels = KnownLevels { names: vec![String::new(); n_levels], ..Default::default() };
        assert_eq!(EmbeddingEncoder::new(levels, None).size, size, "{n_levels}");
    }
}

#[test]
fn embedded_columns_are_the_last_and_their_layers_go_from_the_last_to_the_first() {
    let table = table(vec![
        column("a", &["u", "v", "w", "u", "v", "w"]),
        column("b", &["1", "2", "3", "4", "5", "6"]),
        column("c", &["x", "y", "z", "x", "y", "z"]),
        column("d", &["p", "q", "p", "q", "p", "q"]),
    ]);
    let kinds = [ColumnType::Category, ColumnType::Number, ColumnType::Category, ColumnType::Category];
    let columns = ["a", "b", "c", "d"].iter().zip(kinds).map(|(name, kind)| feature(name, kind)).collect();
    let options = PreprocessingOptions { one_hot_up_to: 2, ..Default::default() };
    let preprocessing = Preprocessing::fit(&table, &Schema { columns }, &all(&table), &options).expect("fits");
    assert_eq!(preprocessing.input_names(), ["b", "d = p", "d = q", "a", "c"]);
    assert_eq!(preprocessing.spans(), [("b", 0..1), ("d", 1..3), ("a", 3..4), ("c", 4..5)]);
    let embedded = [4, 3].map(|column| EmbeddedInput { column, levels: 4, size: 3 });
    assert_eq!(preprocessing.embeddings(), embedded);
    assert_eq!(preprocessing.apply(&table).expect("applies").row(1)[1..], [0.0, 1.0, 2.0, 2.0]);
}

#[test]
fn dates_become_their_parts() {
    let fitted = ["2024-01-01", "2024-07-16", "2023-04-12 06:00", "soon", ""];
    let names = [
        "x elapsed",
        "x month (sine)",
        "x month (cosine)",
        "x day",
        "x weekday (sine)",
        "x weekday (cosine)",
        "x hour (sine)",
        "x hour (cosine)",
        "x missing",
    ];
    // 95 % must be dates, and three of four are not enough.
    assert!(fit(ColumnType::Date, &fitted, &PreprocessingOptions::default()).is_err());
    let fitted = [&fitted[..3], &[""]].concat();
    let preprocessing = fit(ColumnType::Date, &fitted, &PreprocessingOptions::default()).expect("fits");
    assert_eq!(preprocessing.input_names(), names);
    // The second is in the middle of July, so half a year but for half a month; its day is 16; a Tuesday, 1/7 of a week.
    let month = std::f32::consts::TAU * (6.0 + 15.0 / 31.0) / 12.0;
    let week = std::f32::consts::TAU / 7.0;
    let rows = apply(&preprocessing, &["2024-07-16T06:00", "", "later", "2024-01-01"]);
    let expected = [month.sin(), month.cos(), 0.0, week.sin(), week.cos(), 1.0, 0.0, 0.0];
    for (found, expected) in rows[0][1..].iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-6, "{found} {expected}");
    }
    for missing in &rows[1..3] {
        assert_eq!(missing[..], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    }
    // A Monday, the first of January, at midnight.
    assert_eq!(rows[3][1..], [0.0, 1.0, -1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    // Seconds: 1704067200, 1721088000 and 1681279200; mean 1702144800, deviation 16308624.6.
    let expected = (1_704_067_200.0 - 1_702_144_800.0) / 16_308_624.623_799_52;
    assert!((f64::from(rows[3][0]) - expected).abs() <= 1e-6, "{} {expected}", rows[3][0]);
}

#[test]
fn dates_are_read_in_the_form_that_the_schema_tells() {
    let fitted = table(vec![column("x", &["01/02/2024", "01/03/2024", "25/12/2024"])]);
    let format = DateFormat::find(&["25/12/2024"]).expect("a date");
    let options = PreprocessingOptions { date_parts: vec![DatePart::Elapsed], ..Default::default() };
    let range = |date: Option<DateFormat>| {
        let schema = Schema { columns: vec![ColumnSchema { date, ..feature("x", ColumnType::Date) }] };
        let preprocessing = Preprocessing::fit(&fitted, &schema, &[0, 1], &options).expect("fits");
        match &preprocessing.columns()[0].encoder {
            Encoder::Date(encoder) => encoder.range,
            _ => panic!("a date"),
        }
    };
    // The first of February and of March, and not two days of January.
    assert_eq!(range(Some(format)), Some([1_706_745_600.0, 1_709_251_200.0]));
    assert_eq!(range(None), Some([1_704_153_600.0, 1_704_240_000.0]));
}

#[test]
fn parts_of_dates_that_never_vary_are_left_out() {
    let options =
        PreprocessingOptions { date_parts: vec![DatePart::Year, DatePart::Hour, DatePart::Day], ..Default::default() };
    let preprocessing = fit(ColumnType::Date, &["01.05.2020", "01.05.2022"], &options).expect("fits");
    assert_eq!(preprocessing.input_names(), ["x year"]);
    assert_eq!(apply(&preprocessing, &["01.05.2020", "03.09.2023"]), [[-1.0], [2.0]]);
}

/// Columns of every type, 60 rows, with missing values.
fn mixed(text: impl Fn(u32) -> [String; 5]) -> Table {
    let names = ["size", "is_new", "colour", "street", "day"];
    let mut builders = names.map(ColumnBuilder::new);
    for i in 0..60 {
        for (builder, field) in builders.iter_mut().zip(text(i)) {
            builder.push(if i % 11 == 7 { "" } else { &field });
        }
    }
    table(builders.into_iter().map(ColumnBuilder::finish).collect())
}

fn usual(i: u32) -> [String; 5] {
    [
        format!("{}", f64::from(i * i) / 7.0),
        ["no", "yes"][i as usize % 2].into(),
        ["red", "green", "blue"][i as usize % 3].into(),
        format!("street {}", i % 25),
        format!("2024-{:02}-{:02}", i % 12 + 1, i % 28 + 1),
    ]
}

fn mixed_schema() -> Schema {
    let kinds = [ColumnType::Number, ColumnType::Boolean, ColumnType::Category, ColumnType::Category, ColumnType::Date];
    let names = ["size", "is_new", "colour", "street", "day"];
    Schema { columns: names.iter().zip(kinds).map(|(name, kind)| feature(name, kind)).collect() }
}

fn fit_mixed(table: &Table, rows: &[u32], scale: Scale) -> Preprocessing {
    let options = PreprocessingOptions { scale, bins: 3, ..Default::default() };
    Preprocessing::fit(table, &mixed_schema(), rows, &options).expect("fits")
}

#[test]
fn only_the_rows_that_are_given_have_an_influence() {
    let rows: Vec<u32> = (0..60).filter(|row| row % 3 != 1).collect();
    for scale in [Scale::Standard, Scale::Quantile, Scale::Robust, Scale::MinMax] {
        let whole = fit_mixed(&mixed(usual), &rows, scale);
        // The others hold anything, even what would be refused.
        let other = mixed(|i| match i % 3 {
            1 => ["inf".into(), "perhaps".into(), format!("c{i}"), format!("s{i}"), format!("31/12/{}", 1900 + i)],
            _ => usual(i),
        });
        assert_eq!(fit_mixed(&other, &rows, scale), whole);
        assert_eq!(fit_mixed(&mixed(usual).select_rows(&rows), &(0..40).collect::<Vec<_>>(), scale), whole);
        assert_ne!(fit_mixed(&mixed(usual), &all(&mixed(usual)), scale), whole);
    }
}

#[test]
fn parts_of_a_table_give_the_same_as_the_whole() {
    let whole = mixed(usual);
    let preprocessing = fit_mixed(&whole, &all(&whole), Scale::Quantile);
    let expected = preprocessing.apply(&whole).expect("applies");
    for size in [1, 7, 59] {
        let mut values = Vec::new();
        for rows in all(&whole).chunks(size) {
            values.extend(preprocessing.apply(&whole.select_rows(rows)).expect("applies").into_values());
        }
        assert!(values == expected.values(), "parts of {size} rows");
    }
}

#[test]
fn columns_may_stand_in_any_order_beside_others() {
    let whole = mixed(usual);
    let preprocessing = fit_mixed(&whole, &all(&whole), Scale::Standard);
    let mut columns = whole.columns().to_vec();
    columns.reverse();
    columns.insert(2, column("more", &["text"; 60]));
    assert_eq!(preprocessing.apply(&table(columns)).expect("applies"), preprocessing.apply(&whole).expect("applies"));
}

#[test]
fn columns_that_are_not_there_are_refused_or_missing() {
    let whole = mixed(usual);
    let preprocessing = fit_mixed(&whole, &all(&whole), Scale::Standard);
    let some: Vec<Column> =
        whole.columns().iter().filter(|column| !["size", "street"].contains(&column.name())).cloned().collect();
    let mut near = some.clone();
    near.push(column("sizes", &["1"; 60]));
    assert_eq!(
        preprocessing.apply(&table(near.clone())).unwrap_err().to_string(),
        "t.csv: no column is named `size`, `street`; did you mean `sizes`? the columns are `is_new`, `colour`, `day`, `sizes`; with `--allow-missing-columns` a column that is not there is missing in every row"
    );
    let applied = preprocessing.apply_noting(&table(near), true).expect("applies");
    assert_eq!(applied.absent, ["size", "street"]);
    let mut empty = some;
    empty.extend([column("size", &[""; 60]), column("street", &[""; 60])]);
    assert_eq!(applied.matrix, preprocessing.apply(&table(empty)).expect("applies"));
    // Where nothing stands for a missing number, its mean does in a column that is not there.
    let standardiser = Standardiser::new(vec![5.0], vec![2.0]).expect("scales");
    let strict = Preprocessing::standardised(vec!["x".into()], &standardiser).expect("fits");
    let applied = strict.apply_noting(&table(vec![column("y", &["1"])]), true).expect("applies");
    assert_eq!(applied.matrix.values(), [0.0]);
    assert_eq!(apply(&strict, &["9"]), [[2.0]]);
}

#[test]
fn values_that_nothing_was_learned_of_are_told() {
    let whole = mixed(usual);
    let preprocessing = fit_mixed(&whole, &all(&whole), Scale::Standard);
    let other = mixed(|i| match i {
        3 | 20 => ["1".into(), "perhaps".into(), "pink".into(), "avenue".into(), "soon".into()],
        _ => usual(i),
    });
    let found = preprocessing.apply_noting(&other, false).expect("applies").unknown;
    let unknown = |(column, n_rows, first, line): (&str, usize, &str, usize)| UnknownValues {
        column: column.into(),
        n_rows,
        first: first.into(),
        place: Place::Line(line),
    };
    // Streets 15 and 18 have a row each, so that they are joined and no longer known.
    let expected =
        [("is_new", 2, "perhaps", 5), ("colour", 2, "pink", 5), ("day", 2, "soon", 5), ("street", 4, "avenue", 5)];
    assert_eq!(found, expected.map(unknown));
    let found = preprocessing.apply_noting(&whole, false).expect("applies").unknown;
    assert_eq!(found, [("street", 2, "street 15", 17)].map(unknown));
}

#[test]
fn fields_that_cannot_be_taken_are_refused_with_their_place() {
    let check = |fields: &[&str], message: &str| {
        let preprocessing = fit(ColumnType::Number, &NUMBERS, &PreprocessingOptions::default()).expect("fits");
        let error = preprocessing.apply(&table(vec![column("x", fields)])).unwrap_err().to_string();
        assert_eq!(error, format!("t.csv, line 3, column `x`: found {message}; correct the field or delete the row"));
        let error = fit(ColumnType::Number, fields, &PreprocessingOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("t.csv, line 3, column `x`: found {message}; leave")), "{error}");
    };
    check(&["1", "high"], "the text `high`, expected a number");
    check(&["1", "-inf"], "`-inf`, which is not a finite number, expected a number");
    check(&["", "1e999"], "`inf`, which is not a finite number, expected a number");
    let none = PreprocessingOptions { scale: Scale::None, ..Default::default() };
    let error = apply_error(&fit(ColumnType::Number, &NUMBERS, &none).expect("fits"), "1e39");
    assert!(error.contains("`1e39`, which is beyond the range of 32-bit numbers"), "{error}");
}

fn apply_error(preprocessing: &Preprocessing, field: &str) -> String {
    preprocessing.apply(&table(vec![column("x", &[field])])).unwrap_err().to_string()
}

#[test]
fn columns_that_cannot_be_fitted_are_refused() {
    let check = |kind: ColumnType, fields: &[&str], message: &str| {
        let error = fit(kind, fields, &PreprocessingOptions::default()).unwrap_err().to_string();
        assert_eq!(error, message);
    };
    check(
        ColumnType::Boolean,
        &["a", "b", "c"],
        "t.csv, column `x`: found 3 different values, expected no more than two in a boolean column; call it a category",
    );
    check(
        ColumnType::Date,
        &["", "12th of May"],
        "t.csv, column `x`: found `12th of May` as a date, expected dates such as 2024-01-31 in 95 of 100 values; call it a category, or ignore it",
    );
    for (kind, what) in
        [(ColumnType::Id, "identifiers"), (ColumnType::Constant, "one value"), (ColumnType::Text, "free text")]
    {
        let expected = "expected another type for it, or that it be ignored";
        check(kind, &["a"], &format!("t.csv, column `x`: found {what} as a feature, {expected}"));
    }
    let whole = table(vec![column("x", &["1"])]);
    let schema = Schema { columns: vec![feature("x", ColumnType::Number)] };
    let fit = |schema: &Schema, rows: &[u32], options: PreprocessingOptions| {
        Preprocessing::fit(&whole, schema, rows, &options).unwrap_err().to_string()
    };
    let options = PreprocessingOptions::default;
    assert_eq!(fit(&schema, &[], options()), "preprocessing: found no rows, expected at least one to learn from");
    let none = Schema { columns: Vec::new() };
    assert!(fit(&none, &[0], options()).starts_with("t.csv: no column is left to learn from"));
    let other = Schema { columns: vec![feature("y", ColumnType::Number)] };
    assert!(fit(&other, &[0], options()).starts_with("t.csv: no column is named `y`"));
    let clip = PreprocessingOptions { clip: Clip::At(f64::NAN), ..options() };
    assert_eq!(fit(&schema, &[0], clip), "limit of scaled numbers: found At(NaN), expected a number above 0");
    let size = PreprocessingOptions { embedding_size: Some(0), ..options() };
    assert!(fit(&schema, &[0], size).starts_with("columns of an embedding: found Some(0)"));
}

#[test]
fn columns_are_described() {
    let whole = mixed(usual);
    let described = fit_mixed(&whole, &all(&whole), Scale::Standard).describe();
    let text: Vec<String> = described
        .iter()
        .map(|d| format!("{} | {} | {} | {} | {}", d.name, d.kind, d.encoder, d.n_inputs, d.statistics))
        .collect();
    for (found, expected) in text.iter().zip([
        "size | number | (x - 168.2987) / 152.4539, at most ±20; 3 bins; missing: 168.2987 and an input that says so | 5 | 0 to 497.2857142857143, 5 missing",
        "is_new | boolean | no is 0, yes is 1; missing: 0.4909 | 2 | 49.1 % yes, 5 missing",
        "colour | category | an input for each of 3 levels | 4 | blue: 19, green: 18, red: 18, 5 missing",
        "day | date | dates as %Y-%m-%d: elapsed, month, day, weekday | 7 | 2024-01-01 to 2024-12-24, 5 missing",
        "street | category | 23 levels, embedded in 9 columns | 1 | street 0: 3, street 2: 3, street 3: 3, street 5: 3, street 6: 3, …, (rare): 2, 5 missing",
    ]) {
        assert_eq!(found, expected);
    }
    assert_eq!(text.len(), 5);
}

#[test]
fn what_is_read_back_is_checked() {
    let whole = mixed(usual);
    let preprocessing = fit_mixed(&whole, &all(&whole), Scale::Quantile);
    let json = serde_json::to_string(&preprocessing).expect("JSON");
    assert_eq!(serde_json::from_str::<Preprocessing>(&json).expect("read back"), preprocessing);
    // The last column is embedded: before the others its place would not hold.
    let mut columns = preprocessing.columns().to_vec();
    columns.rotate_right(1);
    assert!(Preprocessing::try_from(Unchecked { columns }).unwrap_err().contains("embedded column before others"));
    let spoiled = |spoil: &dyn Fn(&mut EncodedColumn)| {
        let mut columns = preprocessing.columns().to_vec();
        columns.iter_mut().for_each(spoil);
        Preprocessing::try_from(Unchecked { columns }).unwrap_err()
    };
    let number = |spoil: fn(&mut NumberEncoder)| {
        spoiled(&|column| {
            if let Encoder::Number(encoder) = &mut column.encoder {
                spoil(encoder);
            }
        })
    };
    assert!(number(|encoder| encoder.fill = Some(f64::NAN)).ends_with("a finite number for missing values"));
    assert!(number(|encoder| encoder.bins[0] = 1e9).ends_with("rising edges of bins"));
    assert!(number(|encoder| encoder.bins.truncate(1)).ends_with("rising edges of bins"));
    assert!(number(|encoder| encoder.values = vec![f64::INFINITY]).ends_with("finite values"));
    assert!(number(|encoder| encoder.range = Some([2.0, 1.0])).ends_with("a range of numbers"));
    assert!(number(|encoder| encoder.scaling = Scaling::Quantile { landmarks: vec![] }).contains("landmarks"));
    for (center, scale) in [(f64::NAN, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f64::NAN), (0.0, f64::INFINITY)] {
        let error = spoiled(&|column| {
            if let Encoder::Number(encoder) = &mut column.encoder {
                encoder.scaling = Scaling::Linear { center, scale, clip: Clip::None };
            }
        });
        assert!(error.ends_with("a finite center and a finite scale above 0"), "{error}");
    }
    let boolean = |spoil: fn(&mut BooleanEncoder)| {
        spoiled(&|column| {
            if let Encoder::Boolean(encoder) = &mut column.encoder {
                spoil(encoder);
            }
        })
    };
    assert!(boolean(|encoder| encoder.fill = 1.5).ends_with("a part of yes from 0 to 1"));
    assert!(boolean(|encoder| encoder.no = encoder.yes.clone()).ends_with("two different names for no and yes"));
    let date = |spoil: fn(&mut DateEncoder)| {
        spoiled(&|column| {
            if let Encoder::Date(encoder) = &mut column.encoder {
                spoil(encoder);
            }
        })
    };
    assert!(date(|encoder| encoder.parts[0].scale = None).contains("of each part"));
    assert!(date(|encoder| encoder.parts[0].scale = Some([0.0, 0.0])).contains("of each part"));
    let embedding = spoiled(&|column| {
        if let Encoder::Embedding(encoder) = &mut column.encoder {
            encoder.size = 0;
        }
    });
    assert!(embedding.ends_with("an embedding of one column or more"));
}

#[test]
fn options_are_read_with_defaults() {
    let options: PreprocessingOptions =
        serde_json::from_str(r#"{"scale": "robust", "clip": {"smooth": 3.0}, "bins": 8}"#).expect("options");
    let expected =
        PreprocessingOptions { scale: Scale::Robust, clip: Clip::Smooth(3.0), bins: 8, ..Default::default() };
    assert_eq!(options, expected);
    assert!(serde_json::from_str::<PreprocessingOptions>(r#"{"scael": "robust"}"#).is_err());
}
