//! The columns of a table, and files of labels, as targets.

use std::path::Path;

use super::table::{Refused, number, number_text};
use super::{Classes, Levels, Table, Targets, Task, Values};
use crate::{Error, Result};

impl Targets {
    /// The column named `column` as targets for `task`, or for the task that fits it.
    ///
    /// Without a `task`, a column of numbers means regression, even where some are missing (which is
    /// an error then); any other column means classification.
    ///
    /// # Errors
    ///
    /// There is no such column. For regression: a field is no finite number, or too large for 32
    /// bits. For classification: see [`Classes::from_table`].
    pub fn from_table(table: &Table, column: &str, task: Option<Task>) -> Result<Self> {
        let column_index = table.column_index(column)?;
        match task.unwrap_or_else(|| fitting_task(table.columns()[column_index].values())) {
            Task::Classification => Classes::from_table(table, column).map(Targets::Classes),
            Task::Regression | Task::MultiLabel => match table.values(&[column_index]) {
                Ok(values) => Ok(Targets::Values(values)),
                Err(refused) => Err(Error::TextInTarget {
                    path: table.path().to_owned(),
                    place: table.place(refused.row),
                    column: column.to_owned(),
                    found: table.found(refused),
                }),
            },
        }
    }

    /// The column named `column` of another table as targets of the same kind: classes have the
    /// same indices.
    ///
    /// # Errors
    ///
    /// As for [`Targets::from_table`], and a class that these targets do not have.
    pub fn same_from_table(&self, table: &Table, column: &str) -> Result<Self> {
        let Targets::Classes(known) = self else {
            return Targets::from_table(table, column, Some(Task::Regression));
        };
        let found = Classes::named_in(table, column)?;
        let index = |name: &String| {
            let same = |other: &String| other == name || number(other).is_some_and(|value| number(name) == Some(value));
            let position = known.names.iter().position(same);
            position.map(|index| index as u32).ok_or_else(|| Error::UnknownClass {
                path: table.path().to_owned(),
                column: column.to_owned(),
                class: name.clone(),
                classes: known.names.clone(),
            })
        };
        let indices = found.names.iter().map(index).collect::<Result<Vec<u32>>>()?;
        let indices = found.indices.iter().map(|&class| indices[class as usize]).collect();
        Ok(Targets::Classes(Classes { indices, names: known.names.clone() }))
    }
}

fn fitting_task(values: &Values) -> Task {
    match values {
        // A missing number does not turn the others into names of classes.
        Values::Numbers(_) => Task::Regression,
        Values::Text(_) => Task::Classification,
    }
}

impl Classes {
    /// The column named `column` as classes.
    ///
    /// In a column of numbers, equal numbers are one class, named by the shortest form of the number.
    ///
    /// # Errors
    ///
    /// There is no such column; a field is empty or, among numbers, not finite; there is one class only;
    /// there are three or more classes, and their number is over half that of the rows.
    pub fn from_table(table: &Table, column: &str) -> Result<Self> {
        let classes = Classes::named_in(table, column)?;
        let path = || table.path().to_owned();
        let (n_classes, rows) = (classes.names.len(), table.n_rows());
        if let [class] = &classes.names[..] {
            return Err(Error::OneClass { path: path(), column: Some(column.to_owned()), class: class.clone() });
        }
        if n_classes > 2 && n_classes > rows / 2 {
            return Err(Error::TooManyClasses { path: path(), column: column.to_owned(), classes: n_classes, rows });
        }
        Ok(classes)
    }

    /// The column named `column` as classes, however many there are.
    fn named_in(table: &Table, column: &str) -> Result<Self> {
        let column_index = table.column_index(column)?;
        let missing = |row: usize| Error::MissingClass {
            path: table.path().to_owned(),
            place: table.place(row),
            column: column.to_owned(),
            found: table.found(Refused { row, column: column_index }),
        };
        match table.columns()[column_index].values() {
            Values::Text(levels) => match levels.codes().iter().position(|code| *code == Levels::MISSING) {
                Some(row) => Err(missing(row)),
                None => Ok(Self::new(levels)),
            },
            Values::Numbers(numbers) => match numbers.iter().position(|number| !number.is_finite()) {
                Some(row) => Err(missing(row)),
                None => Ok(Self::of_numbers(numbers)),
            },
        }
    }

    /// The labels of the file at `path` as classes with the names 0, 1, 2, …
    ///
    /// `n_classes` is that of the training labels when these are labels to test with; without it,
    /// there are as many as the largest label tells.
    ///
    /// # Errors
    ///
    /// A label is not below `n_classes`; there is one class only and `n_classes` is not given.
    pub fn from_labels(path: &Path, labels: Vec<u32>, n_classes: Option<usize>) -> Result<Self> {
        if let Some(classes) = n_classes
            && let Some(index) = labels.iter().position(|&label| label as usize >= classes)
        {
            return Err(Error::UnknownLabel {
                path: path.to_owned(),
                position: index + 1,
                found: labels[index],
                classes,
            });
        }
        if n_classes.is_none()
            && let Some(first) = labels.first()
            && labels.iter().all(|label| label == first)
        {
            return Err(Error::OneClass { path: path.to_owned(), column: None, class: first.to_string() });
        }
        let largest = labels.iter().max().map_or(0, |&label| label as usize + 1);
        let names = (0..n_classes.unwrap_or(largest)).map(|class| class.to_string()).collect();
        Ok(Self { indices: labels, names })
    }

    /// The levels that occur, in the order of their names.
    fn new(levels: &Levels) -> Self {
        let mut is_used = vec![false; levels.names().len()];
        levels.codes().iter().for_each(|code| is_used[*code as usize] = true);
        let mut order: Vec<usize> = (0..is_used.len()).filter(|&level| is_used[level]).collect();
        order.sort_by_key(|&level| &levels.names()[level]);
        let mut ranks = vec![0; is_used.len()];
        for (rank, &level) in (0..).zip(&order) {
            ranks[level] = rank;
        }
        Self {
            indices: levels.codes().iter().map(|&code| ranks[code as usize]).collect(),
            names: order.iter().map(|&level| levels.names()[level].clone()).collect(),
        }
    }

    /// The numbers that occur, in the order of their size.
    fn of_numbers(numbers: &[f64]) -> Self {
        // Adding 0 makes the two zeros one.
        let mut different: Vec<f64> = numbers.iter().map(|number| number + 0.0).collect();
        different.sort_by(f64::total_cmp);
        different.dedup();
        let rank = |number: &f64| different.binary_search_by(|other| other.total_cmp(&(number + 0.0)));
        Self {
            indices: numbers.iter().map(|number| rank(number).expect("one of them") as u32).collect(),
            names: different.into_iter().map(number_text).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ColumnBuilder, Matrix};
    use super::*;

    /// A table of one column, `y`, on lines from 2.
    fn column(fields: &[&str]) -> Table {
        let mut builder = ColumnBuilder::new("y");
        fields.iter().for_each(|field| builder.push(field));
        Table::new(Path::new("t.csv"), vec![builder.finish()], Some((2..).take(fields.len()).collect()))
    }

    fn check_classes(fields: &[&str], task: Option<Task>, names: &[&str], indices: &[u32]) {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let expected = Targets::Classes(Classes { indices: indices.to_vec(), names });
        assert_eq!(Targets::from_table(&column(fields), "y", task).unwrap(), expected);
    }

    fn check_values(fields: &[&str], task: Option<Task>, values: &[f32]) {
        let expected = Targets::Values(Matrix::new(values.len(), 1, values.to_vec()).unwrap());
        assert_eq!(Targets::from_table(&column(fields), "y", task).unwrap(), expected);
    }

    fn check_error(fields: &[&str], task: Option<Task>, message: &str) {
        let error = Targets::from_table(&column(fields), "y", task).unwrap_err();
        assert_eq!(error.to_string(), message, "{fields:?}");
    }

    #[test]
    fn numbers_are_a_regression() {
        check_values(&["1.5", "-2", "3e2"], None, &[1.5, -2.0, 300.0]);
        check_values(&["1.5", "-2", "3e2"], Some(Task::Regression), &[1.5, -2.0, 300.0]);
    }

    #[test]
    fn text_is_classes_in_the_order_of_their_names() {
        // The order of appearance, dog, mouse, cat, is not its own inverse.
        let fields = ["dog", "mouse", "dog", "cat", "mouse", "dog"];
        let (names, indices) = (["cat", "dog", "mouse"], [1, 2, 1, 0, 2, 1]);
        check_classes(&fields, None, &names, &indices);
        check_classes(&fields, Some(Task::Classification), &names, &indices);
    }

    #[test]
    fn upper_case_stands_before_lower_case() {
        check_classes(&["b", "a", "Z", "b", "a", "Z"], None, &["Z", "a", "b"], &[2, 1, 0, 2, 1, 0]);
    }

    #[test]
    fn numbers_are_classes_when_asked_for_in_the_order_of_their_size() {
        let task = Some(Task::Classification);
        check_classes(&["10", "9", "-1", "9", "10", "-1"], task, &["-1", "9", "10"], &[2, 1, 0, 1, 2, 0]);
        check_classes(&["10.5", "9.5", "9.5", "10.5"], task, &["9.5", "10.5"], &[1, 0, 0, 1]);
    }

    #[test]
    fn equal_numbers_are_one_class_named_in_the_shortest_form() {
        let task = Some(Task::Classification);
        check_classes(&["1.0", "0", "1", "-0", "1e0"], task, &["0", "1"], &[1, 0, 1, 0, 1]);
    }

    #[test]
    fn two_classes_are_never_too_many() {
        check_classes(&["yes", "no"], None, &["no", "yes"], &[1, 0]);
    }

    #[test]
    fn text_in_a_regression_is_refused_with_its_line() {
        check_error(
            &["1", "high", "2"],
            Some(Task::Regression),
            "t.csv, line 3, column `y`: found the text `high`, expected a number; correct it, or take the column as classes with `--task classification`",
        );
        check_error(
            &["1", "1e39"],
            None,
            "t.csv, line 3, column `y`: found `1e39`, which is beyond the range of 32-bit numbers (3.4e38), expected a number; correct the field or delete the row",
        );
    }

    #[test]
    fn missing_numbers_do_not_make_a_classification() {
        check_error(
            &["1", "2", ""],
            None,
            "t.csv, line 4, column `y`: found a missing value, expected a number; correct the field or delete the row",
        );
        check_error(
            &["1", "nan", "2"],
            None,
            "t.csv, line 3, column `y`: found a missing value, expected a number; correct the field or delete the row",
        );
    }

    #[test]
    fn missing_class_is_refused_with_its_line() {
        let task = Some(Task::Classification);
        for (fields, task, line, found) in [
            (["a", "b", "", "a"], None, 4, "a missing value"),
            (["1", "", "", "1"], task, 3, "a missing value"),
            (["", "", "", ""], task, 2, "a missing value"),
            (["1", "0", "0", "nan"], task, 5, "a missing value"),
        ] {
            check_error(
                &fields,
                task,
                &format!(
                    "t.csv, line {line}, column `y`: found {found}, expected the name of a class; fill it in or delete the row"
                ),
            );
        }
    }

    #[test]
    fn one_class_is_refused() {
        let message = "t.csv, column `y`: found one class only, `cat`; expected two or more";
        check_error(&["cat", "cat", "cat"], None, message);
        check_error(&["cat"], None, message);
        let message = "t.csv, column `y`: found one class only, `1`; expected two or more";
        check_error(&["1", "1.0"], Some(Task::Classification), message);
    }

    #[test]
    fn classes_of_over_half_the_rows_are_refused() {
        check_classes(&["a", "b", "c", "a", "b", "c"], None, &["a", "b", "c"], &[0, 1, 2, 0, 1, 2]);
        check_error(
            &["a", "b", "c", "d", "a", "b", "c"],
            None,
            "t.csv, column `y`: found 4 different classes in 7 rows, expected few; check the column, or predict its numbers with `--task regression`",
        );
    }

    #[test]
    fn unknown_target_is_refused() {
        let error = Targets::from_table(&column(&["1"]), "z", None).unwrap_err();
        assert_eq!(error.to_string(), "t.csv: no column is named `z`; the columns are `y`");
    }

    #[test]
    fn labels_are_classes_named_by_their_numbers() {
        let path = Path::new("labels");
        let classes = Classes::from_labels(path, vec![3, 0, 3], None).unwrap();
        assert_eq!(classes.names, ["0", "1", "2", "3"]);
        assert_eq!(classes.indices, [3, 0, 3]);
        assert_eq!(Classes::from_labels(path, vec![1, 1], Some(3)).unwrap().names.len(), 3);
    }

    #[test]
    fn label_that_training_did_not_have_is_refused() {
        let error = Classes::from_labels(Path::new("labels"), vec![0, 2, 3], Some(3)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "labels: found label 3 (number 3 of the file), expected 0 to 2 as in the training labels"
        );
    }

    #[test]
    fn labels_of_one_class_are_refused() {
        let error = Classes::from_labels(Path::new("labels"), vec![4, 4], None).unwrap_err();
        assert_eq!(error.to_string(), "labels: found one class only, `4`; expected two or more");
    }

    #[test]
    fn task_is_serialised_as_it_is_displayed() {
        for task in [Task::Regression, Task::Classification] {
            let json = serde_json::to_string(&task).unwrap();
            assert_eq!(json, format!("\"{task}\""));
            assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), task);
        }
    }
}
