use std::path::Path;

use super::super::{ColumnBuilder, SchemaOptions};
use super::*;

const N_ROWS: usize = 200;

/// A column of 200 rows.
fn column(name: &str, field: impl Fn(usize) -> String) -> Column {
    let mut builder = ColumnBuilder::new(name);
    (0..N_ROWS).for_each(|row| builder.push(&field(row)));
    builder.finish()
}

fn cycle(name: &str, fields: &[&str]) -> Column {
    column(name, |row| fields[row % fields.len()].to_owned())
}

/// Numbers from 0 to 200, each but two in one row, in no order.
fn noise(name: &str, seed: usize) -> Column {
    column(name, |row| format!("{:.3}", (row * row * 7 + row * 31 + seed * 17) as f64 * 0.618_034 % 1.0 * 200.0))
}

/// A table whose rows begin on line 2.
fn table(columns: Vec<Column>) -> Table {
    let lines = (2..).take(columns[0].n_rows()).collect();
    Table::new(Path::new("t.csv"), columns, Some(lines))
}

fn find(columns: Vec<Column>, split: Option<&Parts>) -> Vec<Finding> {
    let table = table(columns);
    let options = SchemaOptions { targets: vec!["y".into()], ..SchemaOptions::default() };
    check(&table, &Schema::infer(&table, &options).unwrap(), split)
}

/// The only finding about a table: its grade, kind, columns and message, the lines it names, and of how many rows.
fn check_one(
    columns: Vec<Column>,
    split: Option<&Parts>,
    (severity, kind): (Severity, FindingKind),
    names: &[&str],
    message: &str,
    (lines, n_places): (&[usize], usize),
) {
    let findings = find(columns, split);
    let [finding] = &findings[..] else { panic!("one finding, but {findings:#?}") };
    assert_eq!((finding.severity, finding.kind), (severity, kind));
    assert_eq!((&finding.columns[..], &finding.message[..]), (&names.map_to_owned()[..], message));
    let places: Vec<Place> = lines.iter().map(|&line| Place::Line(line)).collect();
    assert_eq!((&finding.places, finding.n_places), (&places, n_places));
    assert!(!finding.advice.is_empty());
}

trait MapToOwned {
    fn map_to_owned(&self) -> Vec<String>;
}

impl MapToOwned for [&str] {
    fn map_to_owned(&self) -> Vec<String> {
        self.iter().map(|&name| name.to_owned()).collect()
    }
}

fn target() -> Column {
    noise("y", 5)
}

/// One column of a table that is otherwise without fault.
fn check_column(column: Column, found: (Severity, FindingKind), message: &str, places: (&[usize], usize)) {
    let name = column.name().to_owned();
    check_one(vec![column, noise("a", 1), target()], None, found, &[&name], message, places);
}

use FindingKind::*;
use Severity::{Error as Grave, Note, Warning};

#[test]
fn nothing_is_found_in_a_good_table() {
    let columns = vec![
        noise("a", 1),
        noise("b", 2),
        cycle("c", &["red", "green", "blue"]),
        cycle("d", &["yes", "no", "yes", "", "yes"]),
        column("e", |row| format!("2024-01-{:02}", row * 7 % 31 + 1)),
        target(),
    ];
    let split = Parts { train: (0..150).collect(), validation: (150..180).collect(), test: (180..200).collect() };
    assert_eq!(find(columns, Some(&split)), []);
}

#[test]
fn missing_targets_are_counted() {
    let y = column("y", |row| if row % 50 == 3 { String::new() } else { (row * 7 % 200).to_string() });
    let message = "the target is missing in 4 of 200 rows";
    check_one(vec![noise("a", 1), y], None, (Warning, TargetMissing), &["y"], message, (&[5, 55, 105, 155], 4));
    let y = column("y", |row| if row == 3 { "none".into() } else { (row * 7 % 200).to_string() });
    let findings = find(vec![noise("a", 1), y], None);
    assert_eq!(findings[0].message, "the target is missing in 1 of 200 rows");
    assert_eq!((findings[1].kind, &findings[1].places[..]), (NumbersAsText, &[Place::Line(5)][..]));
    assert_eq!(findings.len(), 2);
}

#[test]
fn target_without_a_value_is_grave() {
    let message = "the target is missing in 200 of 200 rows";
    let (grave, lines) = ((Grave, TargetMissing), &[2, 3, 4, 5, 6][..]);
    check_one(vec![noise("a", 1), cycle("y", &[""])], None, grave, &["y"], message, (lines, 200));
}

#[test]
fn target_of_one_value_is_grave() {
    let grave = (Grave, TargetConstant);
    check_one(vec![noise("a", 1), cycle("y", &["7"])], None, grave, &["y"], "the target is `7` in all rows", (&[], 0));
}

#[test]
fn few_rows_are_told() {
    let y = |n: usize| column("y", move |row| if row < n { (row * 7 % 200).to_string() } else { String::new() });
    let kinds = |n| find(vec![noise("a", 1), y(n)], None).iter().map(|finding| finding.kind).collect::<Vec<_>>();
    assert_eq!(kinds(49), [TargetMissing, FewRows]);
    assert_eq!(kinds(50), [TargetMissing]);
}

#[test]
fn rare_classes_are_named() {
    let y = |row| match row {
        7 | 9 => "c".to_owned(),
        11 => "d".to_owned(),
        _ => ["a", "b"][row % 2].to_owned(),
    };
    let message = "2 classes are in fewer than 3 rows: `c`, `d`";
    let places = (&[9, 11, 13][..], 3);
    check_one(vec![noise("a", 1), column("y", y)], None, (Warning, RareClass), &["y"], message, places);
}

#[test]
fn classes_that_a_part_lacks_are_named() {
    let y = || column("y", |row| if row < 20 { "c".into() } else { ["a", "b"][row % 2].into() });
    let columns = || vec![noise("a", 1), y()];
    let part = |rows: std::ops::Range<u32>| rows.collect::<Vec<_>>();
    let split = Parts { train: part(20..200), validation: part(0..20), test: vec![] };
    let messages: Vec<_> = find(columns(), Some(&split)).into_iter().map(|finding| finding.message).collect();
    assert_eq!(
        messages,
        [
            "1 class has no row among those to train on: `c`",
            "2 classes have no row among those to validate on: `a`, `b`"
        ]
    );
    let split = Parts { train: part(0..100), validation: vec![], test: part(100..200) };
    let message = "1 class has no row among those to test on: `c`";
    check_one(columns(), Some(&split), (Warning, ClassMissing), &["y"], message, (&[], 0));
}

#[test]
fn imbalance_is_told_above_nine_in_ten() {
    let y = |n: usize| column("y", move |row| if row < n { "yes".into() } else { "no".into() });
    let message = "`no` has 181 of 200 rows (90.5 %)";
    check_one(vec![noise("a", 1), y(19)], None, (Note, Imbalance), &["y"], message, (&[], 0));
    assert_eq!(find(vec![noise("a", 1), y(20)], None), []);
}

#[test]
fn copies_of_the_target_are_found() {
    let warning = (Warning, TargetKnown);
    let of_target = |name: &str, f: &dyn Fn(f64) -> f64| {
        let Values::Numbers(numbers) = target().values().clone() else { panic!("numbers") };
        Column::new(name, Values::Numbers(numbers.into_iter().map(f).collect()))
    };
    check_column(of_target("x", &|y| y), warning, "it holds the target `y` itself", (&[], 0));
    let message = "its correlation with the target `y` is -1.000000";
    check_column(of_target("x", &|y| 3.0 - 2.0 * y), warning, message, (&[], 0));
    // Rounded to halves out of 200: 1 - (0.5^2 / 12) / (200^2 / 12) / 2.
    let message = "its correlation with the target `y` is 0.999997";
    check_column(of_target("x", &|y| (y * 2.0).round()), warning, message, (&[], 0));
    let message = "it puts the rows in the same order as the target `y` does";
    check_column(of_target("x", &|y| (y + 1.0).ln()), warning, message, (&[], 0));
    check_column(of_target("x", &|y| -(y + 1.0).ln()), warning, message, (&[], 0));
    // A row in twenty is missing.
    let holes = of_target("x", &|y| if y < 10.0 { f64::NAN } else { y });
    check_column(holes, warning, "it holds the target `y` itself", (&[], 0));
    // Far from a copy, or with several targets for one value.
    let others: [&dyn Fn(f64) -> f64; 3] =
        [&|y| (y - 100.0).powi(2), &|y| (y / 10.0).round(), &|y| (y.floor() + 1.0).ln()];
    for f in others {
        assert_eq!(find(vec![of_target("x", f), noise("a", 1), target()], None), []);
    }
}

#[test]
fn function_of_one_column_is_no_leak() {
    let x = column("x", |row| format!("{}.5", row * 7 % 200));
    let y = column("y", |row| (row * 7 % 200 * 2 + 1).to_string());
    let message = "its correlation with the target `y` is 1.000000";
    check_one(vec![x, y], None, (Note, TargetKnown), &["x"], message, (&[], 0));
}

#[test]
fn columns_that_decide_the_class_are_found() {
    let y = || cycle("y", &["a", "b", "c", "a"]);
    let warning = (Warning, TargetKnown);
    let message = "each of its values goes with one value of the target `y`, and the other way round";
    let copy = || cycle("x", &["1", "2", "3", "1"]);
    check_one(vec![copy(), noise("a", 1), y()], None, warning, &["x"], message, (&[], 0));
    let message = "each of its values goes with one value of the target `y`";
    let finer = || cycle("x", &["p", "q", "r", "s"]);
    check_one(vec![finer(), noise("a", 1), y()], None, warning, &["x"], message, (&[], 0));
    // Missing in some rows, which tell nothing.
    let holes = column("x", |row| if row % 5 == 0 { String::new() } else { ["p", "q", "r", "s"][row % 4].into() });
    check_one(vec![holes, noise("a", 1), y()], None, warning, &["x"], message, (&[], 0));
    // One row otherwise.
    let but_one = column("x", |row| if row == 6 { "1" } else { ["1", "2", "3", "1"][row % 4] }.to_owned());
    assert_eq!(find(vec![but_one, noise("a", 1), y()], None), []);
    // Four rows for each value may be chance.
    let fine = column("x", |row| format!("n{}", row % 50));
    let by_fine = || column("y", |row| ["a", "b"][row % 50 % 2].to_owned());
    assert_eq!(find(vec![fine, noise("a", 1), by_fine()], None), []);
    let coarse = column("x", |row| format!("n{}", row % 40));
    let by_coarse = column("y", |row| ["a", "b"][row % 40 % 2].to_owned());
    assert_eq!(find(vec![coarse, noise("a", 1), by_coarse], None)[0].kind, TargetKnown);
    // Two rare rows that happen to be alone in their values.
    let alone = column("x", |row| if row < 2 { format!("n{row}") } else { format!("m{}", row % 20) });
    let rare = column("y", |row| if row < 2 { "no".into() } else { "yes".into() });
    let kinds: Vec<_> = find(vec![alone, noise("a", 1), rare], None).iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [RareClass, Imbalance]);
}

#[test]
fn few_rows_are_no_proof_of_a_copy() {
    let kinds = |columns| find(columns, None).iter().map(|finding| finding.kind).collect::<Vec<_>>();
    let until =
        |n: usize, field: &dyn Fn(usize) -> String| column("y", |row| if row < n { field(row) } else { String::new() });
    let x = || column("x", |row| (row * 7 % 200 * 2).to_string());
    let y = |row: usize| (row * 7 % 200 * 3 + 1).to_string();
    assert_eq!(kinds(vec![x(), noise("a", 1), until(19, &y)]), [TargetMissing, FewRows]);
    assert_eq!(kinds(vec![x(), noise("a", 1), until(20, &y)]), [TargetMissing, FewRows, TargetKnown]);
    let x = || cycle("x", &["p", "q"]);
    let y = |row: usize| ["a", "b"][row % 2].to_owned();
    assert_eq!(kinds(vec![x(), noise("a", 1), until(19, &y)]), [TargetMissing, FewRows]);
    assert_eq!(kinds(vec![x(), noise("a", 1), until(20, &y)]), [TargetMissing, FewRows, TargetKnown]);

    // There in two rows of five.
    let holes =
        |field: &dyn Fn(usize) -> String| column("x", |row| if row % 5 < 2 { field(row) } else { String::new() });
    let number = |row: usize| (row * 7 % 200).to_string();
    assert_eq!(kinds(vec![holes(&number), noise("a", 1), column("y", number)]), [ManyMissing]);
    assert_eq!(kinds(vec![holes(&y), noise("a", 1), column("y", y)]), [ManyMissing]);

    // A quarter of the rows of the smaller class.
    let x = |row: usize| match row {
        0..5 => "n".to_owned(),
        5..21 => format!("n{row}"),
        _ => format!("m{}", row % 10),
    };
    let y = |row: usize| if row < 21 { "no".to_owned() } else { "yes".to_owned() };
    assert_eq!(kinds(vec![column("x", x), noise("a", 1), column("y", y)]), []);
    // Not there in the smaller class.
    let x = |row: usize| if row < 21 { String::new() } else { ["p", "q"][row % 2].to_owned() };
    assert_eq!(kinds(vec![column("x", x), noise("a", 1), column("y", y)]), []);
}

#[test]
fn rows_without_a_target_are_no_duplicates() {
    let of = |row: usize| if row % 50 == 3 { 3 } else { row };
    let a = column("a", |row| (of(row) * 7 % 200).to_string() + ".5");
    let y = column("y", |row| if row % 50 == 3 { String::new() } else { (row * 11 % 200).to_string() });
    assert_eq!(
        find(vec![a, cycle("b", &["p"]), y], None).iter().map(|finding| finding.kind).collect::<Vec<_>>(),
        [TargetMissing, Constant]
    );
}

#[test]
fn duplicate_rows_are_found() {
    // Copies: of row 3 the rows 100, 150 and, but for its target, 120; of row 155 row 165; of 10 to 13 170 to 173.
    let of = |row: usize| match row {
        100 | 120 | 150 => 3,
        165 => 155,
        170..174 => row - 160,
        _ => row,
    };
    let a = || column("a", |row| (of(row) * 7 % 200).to_string() + ".5");
    let b = || column("b", |row| ["p", "q", "r"][of(row) % 3].to_owned());
    let y = || column("y", |row| if row == 120 { "1".into() } else { (of(row) * 11 % 200).to_string() });
    let found = find(vec![a(), b(), y()], None);
    let [duplicates, conflicts] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((duplicates.severity, duplicates.kind, duplicates.n_places), (Note, DuplicateRows, 7));
    assert_eq!(duplicates.message, "7 rows are the same as an earlier row in all columns that are used");
    assert_eq!(duplicates.places, [102, 152, 167, 172, 173].map(Place::Line));
    assert_eq!((conflicts.severity, conflicts.kind), (Note, ConflictingRows));
    assert_eq!(conflicts.message, "4 rows have the same features as another row, but another target");
    assert_eq!(conflicts.places, [5, 102, 122, 152].map(Place::Line));

    // An id is no feature, and does not tell copies apart.
    let id = column("id", |row| (row * 13 % 200).to_string());
    assert_eq!(find(vec![id, a(), b(), y()], None).len(), 3);

    let split = Parts {
        train: (0..100).chain(101..120).chain(121..150).collect(),
        validation: (150..160).collect(),
        test: (160..200).chain([100, 120]).collect(),
    };
    let found = find(vec![a(), b(), y()], Some(&split));
    let shared: Vec<_> = found.iter().filter(|finding| finding.kind == SharedRows).collect();
    let message = "1 of 10 rows to validate on has the features of a row to train on, 1 with the same target";
    assert_eq!((shared[0].severity, &shared[0].message[..]), (Warning, message));
    assert_eq!(shared[0].places, [Place::Line(152)]);
    let message =
        "7 of 42 rows to test on have the features of a row to train or to validate on, 6 with the same target";
    assert_eq!((shared[1].severity, &shared[1].message[..]), (Warning, message));
    assert_eq!(shared[1].places, [102, 122, 167, 172, 173].map(Place::Line));
    assert_eq!(shared.len(), 2);
}

#[test]
fn shared_rows_of_few_values_are_a_note() {
    let y = column("y", |row| (row * 11 % 200).to_string());
    let split = Parts { train: (0..100).collect(), validation: vec![], test: (100..200).collect() };
    let found = find(vec![cycle("a", &["1", "2", "4"]), cycle("b", &["x", "y"]), y], Some(&split));
    let [conflicts, shared] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((conflicts.kind, conflicts.n_places), (ConflictingRows, 200));
    assert_eq!((shared.severity, shared.kind, shared.n_places, shared.places.len()), (Note, SharedRows, 100, 5));
}

#[test]
fn missing_columns_are_told() {
    let message = "left out: missing in all rows";
    check_column(cycle("x", &[""]), (Warning, AllMissing), message, (&[], 0));
    let half = |n: usize| column("x", move |row| if row < n { String::new() } else { (row * 7 % 40).to_string() });
    check_column(half(101), (Note, ManyMissing), "missing in 101 of 200 rows", (&[], 0));
    assert_eq!(find(vec![half(100), noise("a", 1), target()], None), []);
}

#[test]
fn columns_that_are_left_out_are_told() {
    check_column(cycle("x", &["7"]), (Note, Constant), "left out: one value in all rows", (&[], 0));
    let rising = "left out: an id: integers that rise by one from row to row";
    check_column(column("x", |row| row.to_string()), (Note, Id), rising, (&[], 0));
    let texts = "left out: 150 different texts in 200 rows";
    check_column(column("x", |row| format!("t{}", row % 150)), (Note, Text), texts, (&[], 0));
    // Not what was asked to be left out.
    let table = table(vec![cycle("x", &["7"]), noise("a", 1), target()]);
    let asked = SchemaOptions { targets: vec!["y".into()], ..SchemaOptions::default() };
    for options in [
        SchemaOptions { ignore: vec!["x".into()], ..asked.clone() },
        SchemaOptions { id: Some("x".into()), ..asked.clone() },
        SchemaOptions { types: [("x".into(), ColumnType::Constant)].into(), ..asked },
    ] {
        assert_eq!(check(&table, &Schema::infer(&table, &options).unwrap(), None), []);
    }
}

#[test]
fn columns_that_tell_the_same_are_found() {
    let note = (Note, DuplicateColumns);
    let check = |columns: Vec<Column>, names: &[&str], message: &str| {
        let columns = columns.into_iter().chain([target()]).collect();
        check_one(columns, None, note, names, message, (&[], 0));
    };
    check(vec![noise("a", 1), noise("b", 2), noise("c", 1)], &["a", "c"], "`a`, `c` hold the same values");
    let codes = || cycle("code", &["3", "1", "7", ""]);
    let names = || cycle("name", &["red", "green", "blue", ""]);
    let message = "`code`, `name` tell the same: each value of one goes with one of the other";
    check(vec![codes(), noise("a", 1), names()], &["code", "name"], message);
    let three = "`code`, `name`, `again` tell the same: each value of one goes with one of the other";
    check(
        vec![codes(), noise("a", 1), names(), cycle("again", &["r", "g", "b", ""])],
        &["code", "name", "again"],
        three,
    );
    // Two pairs that have nothing to do with each other; columns that are all different in other ways; a row less.
    let but_one = column("name", |row| if row == 6 { "" } else { ["red", "green", "blue", ""][row % 4] }.to_owned());
    let columns = vec![codes(), but_one, noise("a", 1), noise("b", 2), target()];
    assert_eq!(find(columns, None), []);
}

#[test]
fn repeated_ids_may_be_groups() {
    let patients = || column("patient_id", |row| (row / 4 * 17 % 50).to_string());
    let message = "its name says that it is an id, and its 50 values repeat in 200 rows";
    check_column(patients(), (Note, PossibleGroup), message, (&[], 0));
    let table = table(vec![patients(), noise("a", 1), target()]);
    let options =
        SchemaOptions { targets: vec!["y".into()], group: Some("patient_id".into()), ..SchemaOptions::default() };
    assert_eq!(check(&table, &Schema::infer(&table, &options).unwrap(), None), []);
}

#[test]
fn texts_among_numbers_are_named_with_their_rows() {
    let field = |row: usize| match row {
        7 | 19 => "unknown".to_owned(),
        30 => "12,5".to_owned(),
        _ => (row * 7 % 150).to_string(),
    };
    let message = "3 texts among numbers, such as `unknown`, `12,5`";
    check_column(column("x", field), (Warning, NumbersAsText), message, (&[9, 21, 32], 3));
}

#[test]
fn numbers_with_other_signs_are_told() {
    for (written, shown) in [
        (&(|n: usize| format!("{n},5")) as &dyn Fn(usize) -> String, "`0,5`, `7,5`, `14,5`"),
        (&|n| format!("${n}"), "`$0`, `$7`, `$14`"),
        (&|n| format!("{n} %"), "`0 %`, `7 %`, `14 %`"),
    ] {
        let message = format!("its fields look like numbers with other signs, such as {shown}");
        check_column(column("x", |row| written(row * 7 % 60)), (Warning, NumbersAsText), &message, (&[], 0));
    }
    for x in [column("x", |row| format!("{},5", row % 19)), column("x", |row| format!("0{}", row % 40))] {
        assert_eq!(find(vec![x, noise("a", 1), target()], None), []);
    }
}

#[test]
fn names_that_differ_in_case_or_spaces_are_told() {
    let field = |row: usize| match row {
        7 => "RED".to_owned(),
        8 => "light  blue".to_owned(),
        _ => ["red", "green", "Light blue"][row % 3].to_owned(),
    };
    let message = "2 names differ from others in case or spaces only: `red` and `RED`, `Light blue` and `light  blue`";
    check_column(column("x", field), (Warning, Spelling), message, (&[9, 10], 2));
    let answers = |row: usize| if row == 0 { "YES" } else { ["yes", "no", "no"][row % 3] }.to_owned();
    let message = "1 name differs from another in case or spaces only: `yes` and `YES`";
    check_column(column("x", answers), (Note, Spelling), message, (&[2], 1));
    let table = vec![noise("a", 1), column("y", |row| if row < 9 { "B".into() } else { ["a", "b"][row % 2].into() })];
    assert_eq!(find(table, None)[0].kind, Spelling);
}

#[test]
fn doubtful_dates_are_told() {
    let day = |row: usize| if row == 9 { "2024-02-30".into() } else { format!("2024-02-{:02}", row * 7 % 29 + 1) };
    let message = "texts among dates that are none in the form %Y-%m-%d, such as `2024-02-30`";
    check_column(column("x", day), (Warning, NotDates), message, (&[11], 1));
    let day = |row: usize| format!("{:02}/{:02}/2024", row % 12 + 1, row % 5 + 1);
    let message = "nothing tells whether the day or the month stands first; read as %m/%d/%Y";
    check_column(column("x", day), (Warning, AmbiguousDates), message, (&[], 0));
}

#[test]
fn infinities_are_named_with_their_rows() {
    let field = |row: usize| match row {
        7 => "inf".to_owned(),
        9 => "-inf".to_owned(),
        11 => "1e39".to_owned(),
        _ => (row * 7 % 150).to_string(),
    };
    let message = "3 numbers are infinite, or beyond 3.4e38";
    check_column(column("x", field), (Warning, Infinite), message, (&[9, 11, 13], 3));
}

#[test]
fn outliers_are_named_with_their_rows() {
    // The middle 98 % are 1 to 197 without 80: the mean is (197 * 198 / 2 - 80) / 196 = 99.10, and that of the squares
    // (197 * 198 * 395 / 6 - 6400) / 196 = 13068.9, so that the deviation is 57.0.
    let with = |outlier: &'static str| {
        column("x", move |row| if row == 40 { outlier.to_owned() } else { (row * 7 % 200).to_string() })
    };
    let message = "-2000 is 37 standard deviations away from the mean 99.1";
    check_column(with("-2000"), (Note, Outliers), message, (&[42], 1));
    assert_eq!(find(vec![with("1200"), noise("a", 1), target()], None), []);
}

#[test]
fn one_other_number_among_a_thousand_is_an_outlier() {
    let numbers =
        |name: &str, of: &dyn Fn(usize) -> f64| Column::new(name, Values::Numbers((0..1000).map(of).collect()));
    let y = |row: usize| (row * 7 % 1000) as f64;
    let columns = |n_others: usize| {
        let x = move |row: usize| if row.is_multiple_of(200) && row / 200 < n_others { 5.0 } else { 0.0 };
        vec![numbers("x", &x), numbers("a", &|row| (row * 3 % 1000) as f64 + 0.5), numbers("y", &y)]
    };
    // z = sqrt(999).
    let message = "5 is 32 standard deviations away from the mean 0.005";
    check_one(columns(1), None, (Note, Outliers), &["x"], message, (&[2], 1));
    // z = sqrt(995 / 5).
    assert_eq!(find(columns(5), None), []);
}

#[test]
fn numbers_over_many_powers_of_ten_are_told() {
    let field = |row: usize| if row == 40 { "-2e9".to_owned() } else { (row * 7 % 200).to_string() };
    // Of 199 numbers that are not 0, the hundredth: 80 is not there.
    let message = "half of the numbers are below 101 in size, and the largest is -2000000000";
    check_column(column("x", field), (Note, Scale), message, (&[42], 1));
}

#[test]
fn gravest_findings_come_first() {
    let columns = vec![cycle("b", &["7"]), cycle("c", &[""]), noise("a", 1), cycle("y", &["1"])];
    let found: Vec<_> = find(columns, None).iter().map(|finding| (finding.severity, finding.kind)).collect();
    assert_eq!(found, [(Grave, TargetConstant), (Warning, AllMissing), (Note, Constant)]);
}

#[test]
fn findings_are_serialised_and_read_back() {
    let y = column("y", |row| if row == 3 { String::new() } else { (row * 7 % 200).to_string() });
    let findings = find(vec![noise("a", 1), y], None);
    let json = serde_json::to_string(&findings).unwrap();
    let expected = concat!(
        r#"[{"severity":"warning","kind":"target_missing","columns":["y"],"places":[{"line":5}],"n_places":1,"#,
        r#""message":"the target is missing in 1 of 200 rows","#,
        r#""advice":"they are not learned from; fill them in to use them"}]"#
    );
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Vec<Finding>>(&json).unwrap(), findings);
}

#[test]
fn tables_of_hardly_a_row_are_looked_at() {
    for n in 2..5 {
        let numbers = |name: &str, seed: usize| {
            Column::new(name, Values::Numbers((0..n).map(|row| ((row + seed) % 3) as f64 * 1e300).collect()))
        };
        find(vec![numbers("a", 0), numbers("y", 1)], None);
    }
}
