use std::path::Path;

use super::super::ColumnBuilder;
use super::*;

const N_ROWS: usize = 60;

/// A column of 60 rows.
fn column(name: &str, field: impl Fn(usize) -> String) -> Column {
    let mut builder = ColumnBuilder::new(name);
    (0..N_ROWS).for_each(|row| builder.push(&field(row)));
    builder.finish()
}

fn cycle(name: &str, fields: &[&str]) -> Column {
    column(name, |row| fields[row % fields.len()].to_owned())
}

/// A table whose rows begin on line 2.
fn table(columns: Vec<Column>) -> Table {
    let lines = (2..).take(columns[0].n_rows()).collect();
    Table::new(Path::new("t.csv"), columns, Some(lines))
}

fn options(targets: &[&str]) -> SchemaOptions {
    SchemaOptions { targets: targets.iter().map(|&name| name.to_owned()).collect(), ..SchemaOptions::default() }
}

/// The type of a column beside a feature and a target, and its note.
fn check(column: Column, kind: ColumnType, note: Option<&str>) {
    let name = column.name().to_owned();
    let table = table(vec![column, cycle("other", &["1.5", "2.5", "4"]), cycle("y", &["a", "b"])]);
    let schema = Schema::infer(&table, &options(&["y"])).unwrap();
    let found = schema.column(&name).unwrap();
    assert_eq!((found.kind, found.note.as_deref()), (kind, note), "{name}");
    let is_feature = !matches!(kind, ColumnType::Id | ColumnType::Constant | ColumnType::Text);
    assert_eq!(found.role, if is_feature { Role::Feature } else { Role::Ignored }, "{name}");
    assert_eq!(found.date.is_some(), kind == ColumnType::Date, "{name}");
    assert_eq!(schema.targets().map(|column| &column.name[..]).collect::<Vec<_>>(), ["y"]);
}

fn check_given(column: Column, kind: ColumnType, expected: Result<Option<&str>, &str>) {
    let name = column.name().to_owned();
    let table = table(vec![column, cycle("other", &["1.5", "2.5", "4"])]);
    let given = SchemaOptions { types: [(name.clone(), kind)].into(), ..SchemaOptions::default() };
    let found = Schema::infer(&table, &given).map(|schema| schema.column(&name).unwrap().clone());
    match (found, expected) {
        (Ok(found), Ok(note)) => {
            assert_eq!((found.kind, found.is_given, found.note.as_deref()), (kind, true, note));
            assert_eq!(found.date.is_some(), kind == ColumnType::Date, "{name}");
        }
        (Err(error), Err(message)) => assert_eq!(error.to_string(), message),
        (found, expected) => panic!("found {found:?}, expected {expected:?}"),
    }
}

fn check_error(columns: Vec<Column>, options: &SchemaOptions, message: &str) {
    assert_eq!(Schema::infer(&table(columns), options).unwrap_err().to_string(), message);
}

#[test]
fn numbers_are_numbers() {
    check(column("x", |row| format!("{}.5", row * 7 % 60)), ColumnType::Number, None);
    check(cycle("x", &["1", "2", "3", ""]), ColumnType::Number, None);
    check(cycle("x", &["1", "2"]), ColumnType::Number, None);
    check(cycle("x", &["inf", "0"]), ColumnType::Number, None);
    // All different, but no integers.
    check(column("user_id", |row| format!("{row}.5")), ColumnType::Number, None);
    // All different, but in no order.
    check(column("x", |row| (row * 7 % 60).to_string()), ColumnType::Number, None);
}

#[test]
fn two_words_or_0_and_1_are_boolean() {
    for fields in [
        &["0", "1"][..],
        &["0.0", "1", ""],
        &["yes", "no"],
        &["Yes", "no", "", "NO", "YES"],
        &["TRUE", "FALSE"],
        &["t", "F"],
        &["Y", "N"],
        &["on", "off"],
    ] {
        check(cycle("x", fields), ColumnType::Boolean, None);
    }
    for fields in
        [&["yes", "no", "maybe"][..], &["yes", "true"], &["yes", "false"], &["yes", "YES"], &["male", "female"]]
    {
        check(cycle("x", fields), ColumnType::Category, None);
    }
}

#[test]
fn words_of_boolean_columns_are_read_in_any_case() {
    for [no, yes] in BOOLEANS {
        assert_eq!((boolean(no), boolean(&yes.to_uppercase())), (Some(false), Some(true)));
    }
    assert_eq!((boolean("maybe"), boolean(""), boolean("2")), (None, None, None));
}

#[test]
fn one_value_is_constant_unless_it_is_missing_elsewhere() {
    check(cycle("x", &[""]), ColumnType::Constant, Some("left out: missing in all rows"));
    check(cycle("x", &["7"]), ColumnType::Constant, Some("left out: one value in all rows"));
    check(cycle("x", &["a"]), ColumnType::Constant, Some("left out: one value in all rows"));
    check(cycle("x", &["a", ""]), ColumnType::Category, Some("one value, or missing"));
    check(cycle("x", &["7", ""]), ColumnType::Category, Some("one value, or missing"));
}

#[test]
fn integers_that_rise_by_one_are_an_id_unless_they_are_years() {
    let rising = Some("left out: an id: integers that rise by one from row to row");
    check(column("x", |row| (row + 7).to_string()), ColumnType::Id, rising);
    check(column("x", |row| (row + 100_000).to_string()), ColumnType::Id, rising);
    check(column("x", |row| (row + 1960).to_string()), ColumnType::Number, None);
    check(column("x", |row| (2 * row).to_string()), ColumnType::Number, None);
    check(column("x", |row| (row - row / 59).to_string()), ColumnType::Number, None);
    check(column("x", |row| if row == 30 { String::new() } else { row.to_string() }), ColumnType::Number, None);
}

#[test]
fn different_integers_whose_name_says_so_are_an_id() {
    let named = Some("left out: an id: different integers, and its name says so");
    for name in ["id", "ID", "user_id", "PassengerId", "Unnamed: 0", "row-index", "Key"] {
        check(column(name, |row| (row * 7 % 60).to_string()), ColumnType::Id, named);
    }
    for name in ["paid", "humidity", "keyboard", "Idle", "grid"] {
        check(column(name, |row| (row * 7 % 60).to_string()), ColumnType::Number, None);
    }
    // Too few to say, and enough.
    let few = |n: usize| column("id", move |row| if row < n { (row * 7 % 60).to_string() } else { String::new() });
    check(few(19), ColumnType::Number, None);
    check(few(20), ColumnType::Id, named);
    // One number in two rows.
    check(column("id", |row| (row / 2 * 7 % 60).to_string()), ColumnType::Number, None);
}

#[test]
fn dates_are_found_with_their_format() {
    check(column("x", |row| format!("2024-01-{:02}", row % 28 + 1)), ColumnType::Date, None);
    // All different.
    check(column("x", |row| format!("2024-01-13T10:{row:02}")), ColumnType::Date, None);
    let doubt = Some("day and month may be exchanged; read as %m/%d/%Y");
    check(column("x", |row| format!("{:02}/02/2024", row % 12 + 1)), ColumnType::Date, doubt);
    check(column("x", |row| format!("{:02}/02/2024", row % 13 + 1)), ColumnType::Date, None);
    let unread = Some("2 fields are no dates, taken as missing");
    let days = |row| if row < 2 { "soon".into() } else { format!("{:02}.01.2024", row % 28 + 1) };
    check(column("x", days), ColumnType::Date, unread);
}

#[test]
fn numbers_with_a_few_texts_are_numbers() {
    let unread = Some("3 fields are no numbers, taken as missing");
    check(column("x", |row| if row < 3 { "unknown".into() } else { row.to_string() }), ColumnType::Number, unread);
    let unread = Some("1 field is no numbers, taken as missing");
    check(column("x", |row| if row < 1 { "unknown".into() } else { row.to_string() }), ColumnType::Number, unread);
    // Over one in twenty.
    let often = |row: usize| if row < 4 { "unknown".into() } else { (row % 20).to_string() };
    check(column("x", often), ColumnType::Category, None);
    // The names of a few classes.
    check(column("x", |row| if row < 2 { "n".into() } else { (row % 19).to_string() }), ColumnType::Category, None);
    // Zip codes lose their zeros as numbers.
    check(column("x", |row| format!("0{}", row % 25)), ColumnType::Category, None);
}

#[test]
fn different_texts_are_an_id() {
    let id = Some("left out: an id: a different text in each row");
    check(column("x", |row| format!("N{row}UW")), ColumnType::Id, id);
    check(column("x", |row| format!("550e8400-e29b-41d4-a716-4466554400{row:02}")), ColumnType::Id, id);
    // Different where it is there.
    check(column("x", |row| if row < 20 { format!("N{row}") } else { String::new() }), ColumnType::Id, id);
    // Too few to say.
    check(column("x", |row| if row < 19 { format!("N{row}") } else { String::new() }), ColumnType::Category, None);
}

#[test]
fn texts_that_hardly_repeat_are_left_out() {
    let text = Some("left out: 31 different texts in 60 rows");
    check(column("x", |row| format!("N{}", row % 31)), ColumnType::Text, text);
    check(column("x", |row| format!("N{}", row % 30)), ColumnType::Category, None);
    let all = Some("left out: 60 different texts in 60 rows");
    let words = |row| format!("a review of {row} words that nobody else wrote");
    check(column("x", words), ColumnType::Text, all);
}

#[test]
fn long_texts_are_free_text() {
    let free = Some("left out: free text: 21 long texts in 60 rows");
    check(column("x", |row| format!("a review of {} words that three others wrote", row % 21)), ColumnType::Text, free);
    // Few answers to a question; one long word; short ones.
    check(
        column("x", |row| format!("a review of {} words that others wrote too", row % 20)),
        ColumnType::Category,
        None,
    );
    check(column("x", |row| format!("{}{}", "word".repeat(10), row % 21)), ColumnType::Category, None);
    check(column("x", |row| format!("a b c {}", row % 21)), ColumnType::Category, None);
}

#[test]
fn many_texts_that_repeat_are_a_category() {
    const ROWS: usize = 300_000;
    let names = (0..4000).map(|level| format!("N{level}")).collect();
    let tails = Column::new("tail", Values::Text(Levels::new(names, (0..ROWS as u32).map(|row| row % 4000).collect())));
    let schema = Schema::infer(&table(vec![tails]), &SchemaOptions::default()).unwrap();
    let found = schema.column("tail").unwrap();
    assert_eq!((found.kind, found.n_distinct, found.role), (ColumnType::Category, 4000, Role::Feature));
}

#[test]
fn counts_are_those_of_the_rows() {
    let levels = Levels::new(["gone", "a", "b"].map(str::to_owned).to_vec(), vec![1, 2, Levels::MISSING, 1]);
    let table = table(vec![Column::new("x", Values::Text(levels))]);
    let schema = Schema::infer(&table, &SchemaOptions::default()).unwrap();
    assert_eq!((schema.columns[0].n_distinct, schema.columns[0].n_missing), (2, 1));
}

#[test]
fn columns_with_a_use_are_no_ids_and_no_free_text() {
    let ids = |name: &str| column(name, |row| row.to_string());
    let texts = |name: &str| column(name, |row| format!("N{row}"));
    let options = SchemaOptions {
        targets: vec!["y".into(), "z".into()],
        group: Some("patient".into()),
        time: Some("index".into()),
        weight: Some("weight".into()),
        id: Some("name".into()),
        ignore: vec!["left".into()],
        ..SchemaOptions::default()
    };
    let columns = vec![
        ids("y"),
        texts("z"),
        texts("patient"),
        ids("index"),
        cycle("weight", &["1", "0.5"]),
        texts("name"),
        cycle("left", &["1", "2"]),
        cycle("x", &["1", "2"]),
    ];
    let schema = Schema::infer(&table(columns), &options).unwrap();
    let found: Vec<_> = schema.columns.iter().map(|column| (column.kind, column.role)).collect();
    use ColumnType::{Category, Id, Number};
    let expected = [
        (Number, Role::Target),
        (Category, Role::Target),
        (Category, Role::Group),
        (Number, Role::Time),
        (Number, Role::Weight),
        (Id, Role::Ignored),
        (Number, Role::Ignored),
        (Number, Role::Feature),
    ];
    assert_eq!(found, expected);
    assert_eq!(schema.column("left").unwrap().note.as_deref(), Some("left out, as was asked"));
}

#[test]
fn integers_are_learned_from_where_there_is_nothing_else() {
    let schema =
        Schema::infer(&table(vec![column("x", |row| row.to_string()), cycle("y", &["1", "4"])]), &options(&["y"]));
    let x = schema.unwrap().columns[0].clone();
    assert_eq!((x.kind, x.role), (ColumnType::Number, Role::Feature));
    assert_eq!(x.note.as_deref(), Some("looks like an id, but there is no other column to learn from"));
}

#[test]
fn table_without_a_feature_is_refused_with_reasons() {
    check_error(
        vec![column("name", |row| format!("N{row}")), cycle("c", &["1"]), cycle("y", &["1", "4"])],
        &options(&["y"]),
        "t.csv: no column is left to learn from: `name` is left out: an id: a different text in each row, `c` is left out: one value in all rows; give the type of one of them, such as `category`, or another file",
    );
    check_error(
        vec![cycle("y", &["1", "4"])],
        &options(&["y"]),
        "t.csv: no column is left to learn from; expected at least one beside the target that is not ignored",
    );
}

#[test]
fn given_types_are_taken() {
    use ColumnType::{Boolean, Category, Constant, Date, Id, Number, Text};
    check_given(cycle("x", &["1", "2"]), Category, Ok(None));
    check_given(column("x", |row| format!("N{row}")), Category, Ok(None));
    check_given(column("x", |row| row.to_string()), Number, Ok(None));
    check_given(cycle("x", &["1", "2", "none"]), Number, Ok(Some("20 fields are no numbers, taken as missing")));
    check_given(cycle("x", &["1", "0", "1"]), Boolean, Ok(None));
    check_given(cycle("x", &["y", "no", ""]), Boolean, Ok(None));
    check_given(cycle("x", &["20240131", "20240201"]), Date, Ok(None));
    for kind in [Id, Constant, Text] {
        check_given(cycle("x", &["1", "2"]), kind, Ok(Some("left out: its given type says so")));
    }
}

#[test]
fn given_types_that_do_not_fit_are_refused_with_a_row() {
    use ColumnType::{Boolean, Date, Number};
    let message = |line: usize, found: &str, expected: &str, given: &str| {
        format!(
            "t.csv, line {line}, column `x`: found {found}, expected {expected}, since the type `{given}` is given; correct the field or give another type"
        )
    };
    let check = |fields: &[&str], kind: ColumnType, line: usize, found: &str, expected: &str| {
        check_given(cycle("x", fields), kind, Err(&message(line, found, expected, &kind.to_string())));
    };
    check(&["", "a", "b"], Number, 3, "`a`", "numbers in some rows at least");
    check(&["yes", "no", "maybe"], Boolean, 4, "`maybe`", "0 and 1, or words such as no and yes");
    check(&["1", "2"], Boolean, 3, "`2`", "0 and 1, or words such as no and yes");
    check(&["2024-01-31", "soon"], Date, 3, "`soon`", "dates in one form, such as 2024-01-31");
    check(&["2024-01-31", "31.01.2024"], Date, 3, "`31.01.2024`", "dates in one form, such as 2024-01-31");
    check(&["", ""], Date, 2, "a missing value", "dates in one form, such as 2024-01-31");
}

#[test]
fn unknown_columns_and_double_uses_are_refused() {
    let columns = || vec![cycle("x", &["1", "2"]), cycle("y", &["1", "4"])];
    for options in [
        options(&["z"]),
        SchemaOptions { ignore: vec!["z".into()], ..SchemaOptions::default() },
        SchemaOptions { types: [("z".into(), ColumnType::Number)].into(), ..SchemaOptions::default() },
        SchemaOptions { weight: Some("z".into()), ..SchemaOptions::default() },
        SchemaOptions { group: Some("z".into()), ..SchemaOptions::default() },
        SchemaOptions { time: Some("z".into()), ..SchemaOptions::default() },
        SchemaOptions { id: Some("z".into()), ..SchemaOptions::default() },
    ] {
        check_error(columns(), &options, "t.csv: no column is named `z`; the columns are `x`, `y`");
    }
    let twice = SchemaOptions { group: Some("y".into()), ..options(&["y"]) };
    let message = "t.csv, column `y`: is to be the target and the group of rows at once; give it one use";
    check_error(columns(), &twice, message);
    assert!(Schema::infer(&table(columns()), &options(&["y", "y"])).is_ok());
}

#[test]
fn unusable_weights_and_times_are_refused() {
    for (field, found) in [("", "a missing value"), ("-1", "`-1`"), ("inf", "`inf`"), ("heavy", "`heavy`")] {
        let options = SchemaOptions { weight: Some("w".into()), ..SchemaOptions::default() };
        let columns =
            vec![cycle("x", &["1", "2"]), column("w", |row| if row == 5 { field.into() } else { "1".into() })];
        check_error(
            columns,
            &options,
            &format!(
                "t.csv, line 7, column `w`: found {found}, expected a weight: a finite number of 0 or above; correct the field or delete the row"
            ),
        );
    }
    for (field, found) in [("", "a missing value"), ("inf", "`inf`"), ("soon", "`soon`")] {
        let options = SchemaOptions { time: Some("t".into()), ..SchemaOptions::default() };
        let columns =
            vec![cycle("x", &["1", "2"]), column("t", |row| if row == 5 { field.into() } else { "1".into() })];
        check_error(
            columns,
            &options,
            &format!(
                "t.csv, line 7, column `t`: found {found}, expected a finite number or a date such as 2024-01-31 in every row, to put the rows in the order of time; correct the field or delete the row"
            ),
        );
    }
}

#[test]
fn types_are_read_and_serialised_as_they_are_displayed() {
    for kind in ColumnType::ALL {
        assert_eq!(kind.to_string().to_uppercase().parse::<ColumnType>().unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
    for role in [Role::Feature, Role::Target, Role::Weight, Role::Group, Role::Time, Role::Ignored] {
        assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
    }
    assert_eq!(
        "float".parse::<ColumnType>().unwrap_err().to_string(),
        "the type of a column: found `float`, expected one of number, boolean, category, date, id, constant, text"
    );
    assert!(serde_json::from_str::<SchemaOptions>(r#"{"target": "y"}"#).is_err());
    assert_eq!(serde_json::from_str::<SchemaOptions>("{}").unwrap(), SchemaOptions::default());
}

#[test]
fn schema_is_read_back() {
    let table = table(vec![column("d", |row| format!("2024-01-{:02}", row % 28 + 1)), cycle("y", &["1", "4"])]);
    let schema = Schema::infer(&table, &options(&["y"])).unwrap();
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
    // Nothing is said of dates where there are none.
    assert_eq!(json.matches("has_time").count(), 1);
}
