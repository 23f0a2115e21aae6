use super::super::Matrix;
use super::*;

fn classes(sizes: &[usize]) -> Targets {
    let indices = (0..).zip(sizes).flat_map(|(class, &size)| std::iter::repeat_n(class, size)).collect();
    Targets::Classes(Classes { indices, names: (0..sizes.len()).map(|class| format!("c{class}")).collect() })
}

fn values(n: usize) -> Targets {
    // 7 divides no number of rows below, so that the order is mixed.
    Targets::Values(Matrix::new(n, 1, (0..n).map(|row| (row * 7 % n) as f32).collect()).unwrap())
}

fn sizes(parts: &Parts) -> [usize; 3] {
    [parts.train.len(), parts.validation.len(), parts.test.len()]
}

/// How many of `rows` are of each class.
fn by_class(targets: &Targets, rows: &[u32]) -> Vec<usize> {
    let Targets::Classes(classes) = targets else { panic!("classes") };
    let mut sizes = vec![0; classes.names.len()];
    rows.iter().for_each(|&row| sizes[classes.indices[row as usize] as usize] += 1);
    sizes
}

fn is_ascending(rows: &[u32]) -> bool {
    rows.windows(2).all(|pair| pair[0] < pair[1])
}

/// Each row is in one part, once.
fn check_whole(parts: &Parts, n_rows: usize) {
    for rows in [&parts.train, &parts.validation, &parts.test] {
        assert!(is_ascending(rows), "{rows:?}");
    }
    let mut all = [&parts.train[..], &parts.validation, &parts.test].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..n_rows as u32));
}

/// Each row is set aside in one fold, and learned from in all others.
fn check_folds(folds: &[Split], n_rows: usize) {
    let mut all: Vec<u32> = Vec::new();
    for fold in folds {
        assert!(is_ascending(&fold.train) && is_ascending(&fold.validation));
        check_whole(&Parts { train: fold.train.clone(), validation: fold.validation.clone(), test: vec![] }, n_rows);
        all.extend(&fold.validation);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..n_rows as u32));
}

fn check_error<T: fmt::Debug>(found: Result<T>, message: &str) {
    assert_eq!(found.unwrap_err().to_string(), message);
}

#[test]
fn random_parts_have_exact_counts() {
    for (n, validation, test, expected) in [
        (10, 0.2, 0.2, [6, 2, 2]),
        (151, 0.15, 0.15, [105, 23, 23]),
        (3, 0.33, 0.33, [1, 1, 1]),
        (2, 0.5, 0.0, [1, 1, 0]),
        (5, 0.0, 0.4, [3, 0, 2]),
        (5, 0.0, 0.0, [5, 0, 0]),
    ] {
        let parts = Splitter::random(n).parts(validation, test, 42).unwrap();
        assert_eq!(sizes(&parts), expected, "{n} {validation} {test}");
        check_whole(&parts, n);
    }
}

#[test]
fn random_validation_rows_are_those_of_a_plain_split() {
    let permutation = Threefry::new(Key::new(42), Purpose::Splits, 0).permutation(150);
    let mut expected = Split::new(0.2, &permutation).unwrap().validation;
    expected.sort_unstable();
    assert_eq!(Splitter::random(150).parts(0.2, 0.0, 42).unwrap().validation, expected);
}

#[test]
fn value_stability_of_parts_and_folds() {
    let splitter = Splitter::random(11);
    let parts = splitter.parts(0.2, 0.3, 42).unwrap();
    // The first of the permutation that `random` promises for this seed: 7, 6 | 4, 2, 3 | 0, 10, 5, 8, 9, 1.
    assert_eq!((&parts.validation[..], &parts.test[..]), (&[6, 7][..], &[2, 3, 4][..]));
    let folds = splitter.folds(3, 42).unwrap();
    let found: Vec<_> = folds.iter().map(|fold| &fold.validation[..]).collect();
    assert_eq!(found, [&[1, 2, 5, 9][..], &[0, 3, 4, 6], &[7, 8, 10]]);
}

#[test]
fn another_seed_gives_other_rows_and_the_same_seed_the_same() {
    for splitter in [Splitter::random(57), Splitter::stratified(&classes(&[30, 27])), Splitter::stratified(&values(57))]
    {
        let parts = |seed| splitter.parts(0.2, 0.2, seed).unwrap();
        assert_eq!(parts(1), parts(1));
        assert_ne!(parts(1), parts(2));
        let folds = |seed| splitter.folds(4, seed).unwrap();
        assert_eq!(folds(1), folds(1));
        assert_ne!(folds(1), folds(2));
    }
}

#[test]
fn classes_keep_their_shares() {
    // By hand: of 50, 30 and 20 rows, 15 % of 100 are 7.5, 4.5 and 3; the remainders are equal, so that the first gives.
    let targets = classes(&[50, 30, 20]);
    let parts = Splitter::stratified(&targets).parts(0.15, 0.15, 42).unwrap();
    assert_eq!(by_class(&targets, &parts.validation), [8, 4, 3]);
    // Of 42, 26 and 17 rows, 15 of 85 are 7.41, 4.59 and 3.
    assert_eq!(by_class(&targets, &parts.test), [7, 5, 3]);
    check_whole(&parts, 100);
}

#[test]
fn rare_classes_are_in_each_part() {
    // 990 and 3 rows: a tenth of 3 is less than a row.
    let targets = classes(&[990, 3]);
    let parts = Splitter::stratified(&targets).parts(0.1, 0.1, 42).unwrap();
    assert_eq!(sizes(&parts), [795, 99, 99]);
    for rows in [&parts.train, &parts.validation, &parts.test] {
        assert_eq!(by_class(&targets, rows)[1], 1);
    }
    // Raised to a row each, small classes take it from the large one.
    let targets = classes(&[60, 4, 4, 4, 4, 4]);
    let parts = Splitter::stratified(&targets).parts(0.1, 0.1, 42).unwrap();
    assert_eq!(by_class(&targets, &parts.validation), [3, 1, 1, 1, 1, 1]);
    assert_eq!(by_class(&targets, &parts.test), [3, 1, 1, 1, 1, 1]);
}

#[test]
fn classes_without_rows_do_not_count() {
    let targets = classes(&[10, 0, 10]);
    let splitter = Splitter::stratified(&targets);
    assert_eq!(by_class(&targets, &splitter.parts(0.2, 0.0, 42).unwrap().validation), [2, 0, 2]);
    assert_eq!(by_class(&targets, &splitter.folds(5, 42).unwrap()[0].validation), [2, 0, 2]);
}

#[test]
fn class_with_fewer_rows_than_parts_is_refused() {
    let message = |rows, needed| {
        format!(
            "found the class `c1` in {rows}, expected at least {needed}, one for each part of the split; join it with another class, delete its rows, or split with `random`"
        )
    };
    let splitter = Splitter::stratified(&classes(&[50, 2]));
    check_error(splitter.parts(0.2, 0.2, 42), &message("2 rows", 3));
    check_error(splitter.folds(3, 42), &message("2 rows", 3));
    assert!(splitter.parts(0.2, 0.0, 42).is_ok());
    let splitter = Splitter::stratified(&classes(&[50, 1]));
    check_error(splitter.parts(0.2, 0.0, 42), &message("1 row", 2));
}

#[test]
fn numbers_are_stratified_by_their_quantiles() {
    let n = 200;
    let Targets::Values(numbers) = &values(n) else { panic!("values") };
    let parts = Splitter::stratified(&values(n)).parts(0.1, 0.2, 42).unwrap();
    assert_eq!(sizes(&parts), [140, 20, 40]);
    check_whole(&parts, n);
    for (rows, per_bin) in [(&parts.validation, 2), (&parts.test, 4)] {
        let mut bins = [0; 10];
        rows.iter().for_each(|&row| bins[numbers.row(row as usize)[0] as usize / 20] += 1);
        assert_eq!(bins, [per_bin; 10]);
    }
    // Fewer rows to validate on than bins.
    assert_eq!(sizes(&Splitter::stratified(&values(9)).parts(0.2, 0.2, 42).unwrap()), [5, 2, 2]);
    // Each fold has one row of each ten neighbours.
    for fold in Splitter::stratified(&values(n)).folds(10, 42).unwrap() {
        let mut bins = [0; 20];
        fold.validation.iter().for_each(|&row| bins[numbers.row(row as usize)[0] as usize / 10] += 1);
        assert_eq!(bins, [1; 20]);
    }
}

#[test]
fn parts_without_rows_are_refused() {
    for (validation, test) in [(-0.1, 0.2), (0.5, 0.5), (0.2, f64::NAN), (f64::INFINITY, 0.0), (0.0, 1.0), (0.2, -0.1)]
    {
        check_error(
            Splitter::random(100).parts(validation, test, 42),
            &format!(
                "found {validation} and {test} as the parts of the rows to validate and to test on, expected numbers of 0 or above that together are below 1, such as 0.15 and 0.15"
            ),
        );
    }
    let message = |validation, test, rows, needed| {
        format!(
            "found {validation} to validate on and {test} to test on out of {rows}, expected at least {needed} in each part that is asked for and in the rest; ask for other parts, or bring more rows"
        )
    };
    check_error(Splitter::random(4).parts(0.1, 0.0, 42), &message("no rows", "no rows", "4 rows", 1));
    check_error(Splitter::random(4).parts(0.3, 0.1, 42), &message("1 row", "no rows", "4 rows", 1));
    check_error(Splitter::random(4).parts(0.49, 0.5, 42), &message("2 rows", "2 rows", "4 rows", 1));
    check_error(Splitter::random(0).parts(0.5, 0.0, 42), &message("no rows", "no rows", "no rows", 1));
    // Three classes in two rows.
    let splitter = Splitter::stratified(&classes(&[7, 7, 6]));
    check_error(splitter.parts(0.1, 0.0, 42), &message("2 rows", "no rows", "20 rows", 3));
    check_error(splitter.parts(0.15, 0.75, 42), &message("3 rows", "15 rows", "20 rows", 3));
}

#[test]
fn folds_have_exact_counts_and_shares() {
    for (targets, n) in [(classes(&[5, 11, 7]), 23), (values(23), 23)] {
        let folds = Splitter::stratified(&targets).folds(5, 42).unwrap();
        check_folds(&folds, n);
        for fold in &folds {
            assert!((4..=5).contains(&fold.validation.len()));
        }
    }
    let targets = classes(&[5, 11, 7]);
    for fold in Splitter::stratified(&targets).folds(5, 42).unwrap() {
        let found = by_class(&targets, &fold.validation);
        assert!(found[0] == 1 && (2..=3).contains(&found[1]) && (1..=2).contains(&found[2]), "{found:?}");
    }
    check_folds(&Splitter::random(7).folds(7, 42).unwrap(), 7);
}

#[test]
fn folds_that_are_too_many_or_too_few_are_refused() {
    for (folds, rows, text) in [(0, 7, "7 rows"), (1, 7, "7 rows"), (8, 7, "7 rows"), (2, 1, "1 row")] {
        let message = format!("found {folds} folds for {text}, expected from 2 folds to as many as there are rows");
        check_error(Splitter::random(rows).folds(folds, 42), &message);
    }
}

#[test]
fn shares_are_those_of_largest_remainders() {
    for (sizes, total, reserve, expected) in [
        (&[5, 5][..], 3, 1, &[2, 1][..]),
        (&[7, 2, 1], 5, 0, &[3, 1, 1]),
        (&[10, 0, 10], 4, 1, &[2, 0, 2]),
        // No stratum gives its last row.
        (&[2, 2, 96], 97, 1, &[1, 1, 95]),
        (&[2, 98], 98, 1, &[1, 97]),
        // 9.2 rows of 10, but two are kept.
        (&[40, 10], 46, 2, &[38, 8]),
    ] {
        assert_eq!(shares(sizes, total, reserve), expected, "{sizes:?}");
    }
}

#[test]
fn nearest_beginnings_are_all_different() {
    for (beginnings, wanted, expected) in [
        (&[3, 6, 9][..], &[5, 8][..], &[6, 9][..]),
        (&[3, 6, 9], &[4], &[3]),
        (&[3, 6, 9], &[8, 8], &[6, 9]),
        (&[3, 6, 9], &[1, 1], &[3, 6]),
        (&[3, 6], &[9, 9], &[3, 6]),
        (&[1, 2, 3, 4], &[2, 3], &[2, 3]),
        // Of two as near, the later rows are more.
        (&[2, 4], &[3], &[2]),
    ] {
        assert_eq!(nearest_beginnings(beginnings, wanted), expected, "{beginnings:?} {wanted:?}");
    }
}

#[test]
fn rules_are_read_and_serialised_as_they_are_displayed() {
    for (text, rule) in [
        ("random", SplitRule::Random),
        ("stratified", SplitRule::Stratified),
        ("group:patient", SplitRule::Group("patient".into())),
        ("time:a:b", SplitRule::Time("a:b".into())),
    ] {
        assert_eq!(text.parse::<SplitRule>().unwrap(), rule);
        assert_eq!(rule.to_string(), text);
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<SplitRule>(&json).unwrap(), rule);
    }
    for text in ["", "group", "group:", "time", "by:x", "Random", "random:x"] {
        check_error(
            text.parse::<SplitRule>(),
            &format!(
                "the rule to split by: found `{text}`, expected `random`, `stratified`, `group:COLUMN` or `time:COLUMN`"
            ),
        );
    }
}

proptest::proptest! {
    #[test]
    fn stratified_parts_are_whole_and_fair(
        class_sizes in proptest::collection::vec(1_usize..40, 1..8),
        validation in 0.0..0.6_f64,
        test in 0.0..0.6_f64,
        seed: u64,
    ) {
        let targets = classes(&class_sizes);
        let n = targets.rows();
        if let Ok(parts) = Splitter::stratified(&targets).parts(validation, test, seed) {
            check_whole(&parts, n);
            let round = |fraction: f64| (n as f64 * fraction).round() as usize;
            let [n_train, n_validation, n_test] = sizes(&parts);
            assert_eq!((n_validation, n_test), (round(validation), round(test)));
            for (rows, n_part) in [(&parts.train, n_train), (&parts.validation, n_validation), (&parts.test, n_test)] {
                if n_part == 0 {
                    continue;
                }
                for (class, found) in by_class(&targets, rows).into_iter().enumerate() {
                    assert!(found >= 1);
                    // To within a row, but where classes were raised to one row at the cost of others.
                    let fair = class_sizes[class] as f64 * n_part as f64 / n as f64;
                    let raised = class_sizes.len() as f64;
                    assert!((found as f64 - fair).abs() <= 1.0 + raised, "{found} {fair}");
                }
            }
        }
    }

    #[test]
    fn folds_are_whole(class_sizes in proptest::collection::vec(3_usize..40, 1..8), seed: u64) {
        let targets = classes(&class_sizes);
        for splitter in [Splitter::random(targets.rows()), Splitter::stratified(&targets), Splitter::stratified(&values(targets.rows()))] {
            let folds = splitter.folds(3, seed).unwrap();
            check_folds(&folds, targets.rows());
            let counts: Vec<_> = folds.iter().map(|fold| fold.validation.len()).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
    }
}

#[cfg(feature = "data")]
mod columns {
    use std::path::Path;

    use super::*;
    use crate::data::{Column, ColumnBuilder, Table, Values};

    fn table(column: Column) -> Table {
        let lines = (2..).take(column.n_rows()).collect();
        Table::new(Path::new("t.csv"), vec![column], Some(lines))
    }

    fn text(fields: &[&str]) -> Table {
        let mut builder = ColumnBuilder::new("c");
        fields.iter().for_each(|field| builder.push(field));
        table(builder.finish())
    }

    fn numbers(numbers: Vec<f64>) -> Table {
        table(Column::new("c", Values::Numbers(numbers)))
    }

    fn splitter(rule: fn(String) -> SplitRule, table: &Table) -> Result<Splitter> {
        Splitter::new(&rule("c".into()), table, &values(table.n_rows()))
    }

    #[test]
    fn groups_stay_together() {
        let sizes_of_groups = [40, 30, 12, 10, 5, 2, 1];
        let groups: Vec<f64> =
            (0..).zip(sizes_of_groups).flat_map(|(group, size)| std::iter::repeat_n(f64::from(group), size)).collect();
        let table = numbers(groups.clone());
        let splitter = splitter(SplitRule::Group, &table).unwrap();
        for seed in 0..20 {
            let parts = splitter.parts(0.15, 0.15, seed).unwrap();
            check_whole(&parts, 100);
            // By hand, in the order of size, each to the part that lacks most: 40 and 30 to train, which then lacks
            // nothing, 12 to validate, 10 to test, 5 to test, 2 to validate, 1 to validate.
            assert_eq!(sizes(&parts), [70, 15, 15]);
            let side = |rows: &[u32]| -> Vec<u64> {
                let mut groups: Vec<u64> = rows.iter().map(|&row| groups[row as usize] as u64).collect();
                groups.dedup();
                groups
            };
            assert_eq!((side(&parts.train), side(&parts.validation)), (vec![0, 1], vec![2, 5, 6]));
            let folds = splitter.folds(3, seed).unwrap();
            check_folds(&folds, 100);
            let counts: Vec<_> = folds.iter().map(|fold| fold.validation.len()).collect();
            // 40; 30; 12, 10, 5, 2 and 1.
            assert_eq!(counts, [40, 30, 30]);
        }
    }

    #[test]
    fn equal_groups_are_drawn_by_the_seed() {
        let splitter = splitter(SplitRule::Group, &numbers((0..60).map(|row| f64::from(row / 3)).collect())).unwrap();
        let parts = |seed| splitter.parts(0.2, 0.2, seed).unwrap();
        assert_eq!(parts(1), parts(1));
        assert_ne!(parts(1), parts(2));
        assert_eq!(sizes(&parts(1)), [36, 12, 12]);
        assert_ne!(splitter.folds(4, 1).unwrap(), splitter.folds(4, 2).unwrap());
    }

    #[test]
    fn each_part_has_a_group_even_if_groups_are_large() {
        let table = text(&["a", "a", "a", "a", "b", "b", "b", "", "", ""]);
        let parts = splitter(SplitRule::Group, &table).unwrap().parts(0.1, 0.1, 42).unwrap();
        assert_eq!(parts.train, [0, 1, 2, 3]);
        // Missing values are one group.
        assert!([parts.validation, parts.test].contains(&vec![7, 8, 9]));
        let splitter = splitter(SplitRule::Group, &text(&["a", "b", "a", "b"])).unwrap();
        let message = "t.csv, column `c`: found 2 values that differ, expected at least 3, one for each part of the split; ask for fewer parts, or split by another column or with `random`";
        check_error(splitter.parts(0.25, 0.25, 42), message);
        check_error(splitter.folds(3, 42), message);
    }

    #[test]
    fn last_rows_are_set_aside_by_time() {
        // Later rows stand first.
        let table = numbers((0..20).rev().map(f64::from).collect());
        let splitter = splitter(SplitRule::Time, &table).unwrap();
        let parts = splitter.parts(0.2, 0.1, 42).unwrap();
        assert_eq!((&parts.test[..], &parts.validation[..]), (&[0, 1][..], &[2, 3, 4, 5][..]));
        assert_eq!(splitter.parts(0.2, 0.1, 7).unwrap(), parts);
        assert_eq!(splitter.parts(0.0, 0.1, 42).unwrap().test, [0, 1]);
        assert_eq!(splitter.parts(0.2, 0.0, 42).unwrap().validation, [0, 1, 2, 3]);
        assert_eq!(splitter.parts(0.0, 0.0, 42).unwrap().train.len(), 20);
    }

    #[test]
    fn dates_are_put_in_the_order_of_time() {
        let table = text(&["31.12.2023", "01.02.2024", "02.01.2024", "15.11.2023"]);
        let parts = splitter(SplitRule::Time, &table).unwrap().parts(0.25, 0.25, 42).unwrap();
        assert_eq!((parts.train, parts.validation, parts.test), (vec![0, 3], vec![2], vec![1]));
    }

    #[test]
    fn rows_of_one_time_stay_together() {
        let table = numbers(vec![1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, -0.0, 0.0]);
        let splitter = splitter(SplitRule::Time, &table).unwrap();
        let parts = splitter.parts(0.2, 0.2, 42).unwrap();
        assert_eq!((&parts.validation[..], &parts.test[..]), (&[3, 4, 5][..], &[6, 7, 8][..]));
        assert_eq!(parts.train, [0, 1, 2, 9, 10]);
        let message = "t.csv, column `c`: found 4 values that differ, expected at least 5, one for each part of the split; ask for fewer parts, or split by another column or with `random`";
        check_error(splitter.folds(4, 42), message);
    }

    #[test]
    fn folds_by_time_are_windows_that_grow() {
        let table = numbers((0..12).rev().map(f64::from).collect());
        let folds = splitter(SplitRule::Time, &table).unwrap().folds(3, 42).unwrap();
        let found: Vec<_> = folds.iter().map(|fold| (&fold.train[..], &fold.validation[..])).collect();
        let expected: [(&[u32], &[u32]); 3] = [
            (&[9, 10, 11], &[6, 7, 8]),
            (&[6, 7, 8, 9, 10, 11], &[3, 4, 5]),
            (&[3, 4, 5, 6, 7, 8, 9, 10, 11], &[0, 1, 2]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn missing_and_unreadable_times_are_refused() {
        let message = |line: usize, found: &str| {
            format!(
                "t.csv, line {line}, column `c`: found {found}, expected a finite number or a date such as 2024-01-31 in every row, to put the rows in the order of time; correct the field or delete the row"
            )
        };
        check_error(splitter(SplitRule::Time, &text(&["1", "", "2"])), &message(3, "a missing value"));
        check_error(splitter(SplitRule::Time, &text(&["1", "2", "inf"])), &message(4, "`inf`"));
        check_error(splitter(SplitRule::Time, &text(&["1", "soon", "2"])), &message(3, "`soon`"));
        let mut days = vec!["2024-01-31"; 30];
        days[7] = "soon";
        days[3] = "2024-02-01";
        check_error(splitter(SplitRule::Time, &text(&days)), &message(2, "`2024-01-31`"));
    }

    #[test]
    fn unknown_column_is_refused() {
        let table = numbers(vec![1.0, 2.0]);
        for rule in [SplitRule::Group("d".into()), SplitRule::Time("d".into())] {
            let found = Splitter::new(&rule, &table, &values(2));
            check_error(found, "t.csv: no column is named `d`; the columns are `c`");
        }
        assert_eq!(Splitter::new(&SplitRule::Random, &table, &values(2)).unwrap().n_rows(), 2);
        let stratified = Splitter::new(&SplitRule::Stratified, &table, &classes(&[1, 1])).unwrap();
        assert!(stratified.parts(0.5, 0.0, 42).is_err());
    }

    proptest::proptest! {
        #[test]
        fn sides_share_no_group_and_no_time(of_rows in proptest::collection::vec(0_u32..20, 3..100), seed: u64) {
            let table = numbers(of_rows.iter().map(|&value| f64::from(value)).collect());
            let side = |rows: &[u32]| rows.iter().map(|&row| of_rows[row as usize]).collect::<std::collections::BTreeSet<_>>();
            for rule in [SplitRule::Group, SplitRule::Time] {
                let splitter = splitter(rule, &table).unwrap();
                if let Ok(parts) = splitter.parts(0.25, 0.25, seed) {
                    check_whole(&parts, of_rows.len());
                    let [train, validation, test] = [&parts.train, &parts.validation, &parts.test].map(|rows| side(rows));
                    assert!(!train.is_empty() && !validation.is_empty() && !test.is_empty());
                    assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test));
                    if rule("c".into()) == SplitRule::Time("c".into()) {
                        assert!(train.last() < validation.first() && validation.last() < test.first());
                    }
                }
                if let Ok(folds) = splitter.folds(3, seed) {
                    for fold in folds {
                        assert!(!fold.train.is_empty() && !fold.validation.is_empty());
                        assert!(side(&fold.train).is_disjoint(&side(&fold.validation)));
                    }
                }
            }
        }
    }
}
