use std::io::Write;

use super::*;

fn table(text: &str) -> Table {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut table = Table::read_csv(file.path()).unwrap();
    table.path = "t.csv".into();
    table
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn check_error<T: std::fmt::Debug>(result: Result<T>, message: &str) {
    assert_eq!(result.unwrap_err().to_string(), message);
}

#[test]
fn features_are_all_columns_but_the_target_and_the_ignored() {
    let table = table("id,a,b,y\nx,1,2.5,3\ny,4,5,6\n");
    let features = table.features(Some("y"), &strings(&["id"])).unwrap();
    assert_eq!(features.names, ["a", "b"]);
    assert_eq!(features.values, Matrix::new(2, 2, vec![1.0, 2.5, 4.0, 5.0]).unwrap());

    let features = table.features(None, &strings(&["id", "a", "id"])).unwrap();
    assert_eq!(features.names, ["b", "y"]);
}

#[test]
fn matrix_has_the_columns_in_the_order_asked_for() {
    let table = table("a,b,c\n1,x,3\n4,y,6\n");
    let matrix = table.matrix(&strings(&["c", "a"])).unwrap();
    assert_eq!(matrix, Matrix::new(2, 2, vec![3.0, 1.0, 6.0, 4.0]).unwrap());
    check_error(
        table.matrix(&strings(&["a", "b"])),
        "t.csv, line 2, column `b`: found the text `x`, expected a number; correct the field or delete the row",
    );
}

#[test]
fn text_in_a_feature_is_refused_with_its_place() {
    for (field, found) in [
        ("red", "the text `red`"),
        ("", "a missing value"),
        ("NaN", "a missing value"),
        ("-inf", "`-inf`, which is not a finite number"),
        ("1e999", "`1e999`, which is not a finite number"),
        ("1e39", "`1e39`, which is beyond the range of 32-bit numbers (3.4e38)"),
        ("1 000", "the text `1 000`"),
        ("\"1,5\"", "the text `1,5`"),
        ("\"a\nb\"", "the text `a\\nb`"),
    ] {
        let fill = if found == "a missing value" { "fill it in, or " } else { "" };
        check_error(
            table(&format!("a,b,y\n1,2,3\n\n4,{field},6\n7,also,9\n")).features(Some("y"), &strings(&["a"])),
            &format!(
                "t.csv, line 4, column `b`: found {found}, expected a number; {fill}leave the column out with `--ignore b`"
            ),
        );
    }
}

#[test]
fn columns_of_numbers_are_not_named_beside_one_too_large() {
    check_error(
        table("a,b,y\n1,1e39,3\n").features(Some("y"), &[]),
        "t.csv, line 2, column `b`: found `1e39`, which is beyond the range of 32-bit numbers (3.4e38), expected a number; leave the column out with `--ignore b`",
    );
}

#[test]
fn long_text_is_shortened() {
    let error = table(&format!("a,y\n{},1\n", "ä".repeat(99))).features(Some("y"), &[]).unwrap_err();
    assert!(error.to_string().contains(&format!("the text `{}…`,", "ä".repeat(40))), "{error}");
}

#[test]
fn other_columns_of_the_same_kind_are_named_and_quoted_for_the_shell() {
    let table = table("a,the b,c,d,e,y\n1,x,,4,u,z\n1,2,3,4,5,z\n1,2,nan,4,5,z\n");
    check_error(
        table.features(Some("y"), &[]),
        "t.csv, line 2, column `the b`: found the text `x`, expected a number; leave the column out with `--ignore 'the b'` (likewise `e`)",
    );
    check_error(
        table.features(Some("y"), &strings(&["the b", "e"])),
        "t.csv, line 2, column `c`: found a missing value, expected a number; fill it in, or leave the column out with `--ignore c`",
    );
}

#[test]
fn table_without_features_is_refused() {
    let message = "t.csv: no column is left to learn from; expected at least one beside the target that is not ignored";
    check_error(table("y\n1\n").features(Some("y"), &[]), message);
    check_error(table("a,y\n1,2\n").features(Some("y"), &strings(&["a"])), message);
}

#[test]
fn unknown_column_is_refused_with_the_nearest_name() {
    let table = table("age,bmi,Species,blood pressure\n1,2,3,4\n");
    let columns = "the columns are `age`, `bmi`, `Species`, `blood pressure`";
    for (name, hint) in [
        ("specis", "did you mean `Species`? "),
        ("SPECIES", "did you mean `Species`? "),
        ("bim", "did you mean `bmi`? "),
        ("blood_presure", "did you mean `blood pressure`? "),
        ("bloodpres", ""),
        ("bloodpress", "did you mean `blood pressure`? "),
        ("bloodpressur", "did you mean `blood pressure`? "),
        ("target", ""),
        ("", ""),
        ("xyz", ""),
    ] {
        let message = format!("t.csv: no column is named `{name}`; {hint}{columns}");
        check_error(table.column_index(name), &message);
        check_error(table.features(Some(name), &[]), &message);
        check_error(table.features(None, &strings(&["age", name])), &message);
        check_error(table.column(name), &message);
    }
}

#[test]
fn long_list_of_columns_is_shortened() {
    let names: Vec<String> = (0..64).map(|index| format!("p{index}")).collect();
    let table = table(&format!("{}\n{}\n", names.join(","), vec!["0"; 64].join(",")));
    check_error(
        table.column_index("label"),
        "t.csv: no column is named `label`; the columns are `p0`, `p1`, `p2`, `p3`, `p4`, `p5`, `p6`, `p7`, `p8`, `p9` and 54 more",
    );
}

#[test]
fn missing_header_is_suspected_where_all_names_are_numbers() {
    check_error(
        table("5.1,3.5\n1,2\n").column_index("y"),
        "t.csv: no column is named `y`; the columns are `5.1`, `3.5`; does the file begin without a line of column names?",
    );
}

#[test]
fn example_data_is_as_described() {
    let iris = Table::read_csv("examples/data/iris.csv").unwrap();
    assert_eq!((iris.n_rows(), iris.names().len(), iris.place(149)), (150, 5, Place::Line(151)));
    assert!(matches!(iris.columns()[3].values(), Values::Numbers(_)));
    assert!(matches!(iris.columns()[4].values(), Values::Text(_)));
    let diabetes = Table::read_csv("examples/data/diabetes.csv").unwrap();
    assert_eq!((diabetes.n_rows(), diabetes.names().len()), (442, 11));
    assert!(diabetes.columns().iter().all(|column| matches!(column.values(), Values::Numbers(_))));
}
