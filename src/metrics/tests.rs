//! Answers worked by hand, and what holds for all. Others' numbers are in `tests/metrics.rs`.

use super::baseline::Baseline;
use super::*;
use crate::random::{Key, Purpose, Threefry};

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("n{i}")).collect()
}

fn matrix<const COLUMNS: usize>(rows: &[[f32; COLUMNS]]) -> Matrix {
    Matrix::new(rows.len(), COLUMNS, rows.concat()).unwrap()
}

fn of_numbers(answers: &[f32], truth: &[f32], weights: Option<&[f32]>) -> Metrics {
    let column = |values: &[f32]| Matrix::new(values.len(), 1, values.to_vec()).unwrap();
    measure(&column(answers), &Truth::Numbers { values: &column(truth), names: &names(1) }, weights).unwrap()
}

fn of_classes<const N: usize>(answers: &[[f32; N]], indices: &[u32]) -> Metrics {
    measure(&matrix(answers), &Truth::Classes { indices, names: &names(N.max(2)) }, None).unwrap()
}

#[track_caller]
fn expect(metrics: &Metrics, expected: &[(Measure, f64)]) {
    for &(measure, value) in expected {
        let found = metrics.get(measure).unwrap_or_else(|| panic!("no {measure}")).value;
        let is_equal = if value.is_nan() { found.is_nan() } else { (found - value).abs() <= 1e-7 };
        assert!(is_equal, "{measure}: {found}, expected {value}");
    }
}

#[test]
fn numbers_by_hand() {
    // Errors 1, 0, -2, 1; the truth varies by 20 around 5.
    let metrics = of_numbers(&[3.0, 4.0, 4.0, 9.0], &[2.0, 4.0, 6.0, 8.0], None);
    expect(
        &metrics,
        &[
            (Measure::R2, 1.0 - 6.0 / 20.0),
            (Measure::Rmse, 1.5f64.sqrt()),
            (Measure::Mae, 1.0),
            (Measure::MedianAbsoluteError, 1.0),
            (Measure::Mape, (0.5 + 0.0 + 1.0 / 3.0 + 0.125) / 4.0),
        ],
    );
    assert_eq!(metrics.main().measure, Measure::R2);
    assert!(metrics.parts.is_empty(), "a single target is the whole");
    // The median of 1, 2, 5, 9 lies between 2 and 5; with a weight of 2 on the first of them it is 2.
    let median = |weights| {
        of_numbers(&[1.0, 2.0, 5.0, 9.0], &[0.0; 4], weights).get(Measure::MedianAbsoluteError).unwrap().value
    };
    assert_eq!(median(None), 3.5);
    assert_eq!(median(Some(&[2.0, 1.0, 1.0, 0.5])), 2.0);
}

#[test]
fn classes_by_hand() {
    let p = [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0.625, 0.375]];
    let metrics = of_classes(&p, &[0, 1, 1, 1]);
    // Answers 0, 0 (the first of equal ones), 1, 0.
    expect(
        &metrics,
        &[
            (Measure::Accuracy, 0.5),
            (Measure::BalancedAccuracy, (1.0 + 1.0 / 3.0) / 2.0),
            (Measure::LogLoss, -(0.75f64.ln() + 0.5f64.ln() + 0.75f64.ln() + 0.375f64.ln()) / 4.0),
            // F1 of the first class 2 / (1 + 3), of the second 2 / (3 + 1).
            (Measure::MacroF1, 0.5),
            (Measure::WeightedF1, 0.5),
            // (2 · 4 - (1 · 3 + 3 · 1)) / sqrt((16 - 10) (16 - 10)).
            (Measure::Mcc, 2.0 / 6.0),
            (Measure::Auroc, 1.0),
            (Measure::Auprc, 1.0),
            (Measure::Brier, (0.0625 + 0.25 + 0.0625 + 0.390625) / 4.0),
            // In bins of their own: 0.75 (two rows, both right), 0.5 and 0.625 (both wrong).
            (Measure::CalibrationError, (0.5 + 0.5 + 0.625) / 4.0),
        ],
    );
    assert_eq!(metrics.scores.len(), 10, "no top-3 of two classes");
    assert_eq!(metrics.parts.iter().map(|part| part.n_rows).collect::<Vec<_>>(), [1, 3]);
    // The probability of the second class alone says the same.
    assert_eq!(of_classes(&p.map(|[_, p]| [p]), &[0, 1, 1, 1]), metrics);
}

#[test]
fn areas_count_equal_probabilities_half() {
    let areas = |second: &[f32], indices: &[u32]| {
        let p: Vec<[f32; 1]> = second.iter().map(|p| [*p]).collect();
        let metrics = of_classes(&p, indices);
        [Measure::Auroc, Measure::Auprc].map(|measure| metrics.get(measure).unwrap().value)
    };
    // Of 2 · 3 pairs, three are in order and one is equal.
    assert_eq!(areas(&[0.5, 0.75, 0.5, 0.25, 0.875], &[1, 1, 0, 0, 0])[0], 3.5 / 6.0);
    // At 0.75 one of two is right and half is found; at 0.5 two of four.
    assert_eq!(areas(&[0.5, 0.75, 0.5, 0.25, 0.875], &[1, 1, 0, 0, 0])[1], 0.5 * 0.5 + 0.5 * 0.5);
    assert_eq!(areas(&[0.5; 4], &[1, 0, 1, 1]), [0.5, 0.75]);
}

#[test]
fn labels_by_hand() {
    let truth = matrix(&[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    let answers = matrix(&[[0.75, 0.25], [0.5, 0.75], [0.25, 0.875]]);
    let names = names(2);
    let metrics = measure(&answers, &Truth::Labels { values: &truth, names: &names }, None).unwrap();
    // The second row's first label is answered at 0.5 and wrong; the third row's is missed.
    expect(
        &metrics,
        &[
            (Measure::SubsetAccuracy, 1.0 / 3.0),
            (Measure::HammingLoss, 2.0 / 6.0),
            (Measure::MicroF1, 2.0 * 3.0 / (4.0 + 4.0)),
            (Measure::MacroF1, (0.5 + 1.0) / 2.0),
            (Measure::Auroc, (0.5 + 1.0) / 2.0),
        ],
    );
    assert_eq!(metrics.main().measure, Measure::SubsetAccuracy);
}

#[test]
fn what_is_not_defined_is_nan_and_left_out_of_means() {
    let metrics = of_numbers(&[1.0, 2.0], &[3.0, 3.0], None);
    expect(&metrics, &[(Measure::R2, f64::NAN), (Measure::Mae, 1.5)]);
    // 0.1 in f32 is no short number; its mean is rounded.
    let metrics = of_numbers(&[1.0; 3], &[0.1; 3], None);
    expect(&metrics, &[(Measure::R2, f64::NAN)]);
    expect(&of_numbers(&[1.0, 2.0], &[-1.0, 3.0], None), &[(Measure::Mape, f64::NAN)]);
    expect(&of_numbers(&[-1.0, -2.0], &[-1.0, -4.0], None), &[(Measure::Mape, 0.25)]);

    // One class only.
    let one = of_classes(&[[0.75, 0.25], [0.25, 0.75]], &[0, 0]);
    expect(
        &one,
        &[
            (Measure::Auroc, f64::NAN),
            (Measure::Auprc, f64::NAN),
            (Measure::Mcc, 0.0),
            (Measure::BalancedAccuracy, 0.5),
            (Measure::Accuracy, 0.5),
            // The second class is among the answers, so that its F1 of 0 counts.
            (Measure::MacroF1, (2.0 / 3.0) / 2.0),
        ],
    );
    // A class that is nowhere does not.
    let third = of_classes(&[[0.75, 0.25, 0.0], [0.25, 0.75, 0.0]], &[0, 1]);
    expect(&third, &[(Measure::MacroF1, 1.0), (Measure::BalancedAccuracy, 1.0), (Measure::Auroc, 1.0)]);
    assert!(third.parts[2].scores[1].value.is_nan());
    // Sure and wrong is bad, but finite.
    expect(&of_classes(&[[1.0, 0.0]], &[1]), &[(Measure::LogLoss, 23.0 * 2f64.ln())]);
}

#[test]
fn weight_of_two_is_a_row_twice_and_of_zero_no_row() {
    let p = [[0.5, 0.375, 0.125], [0.25, 0.5, 0.25], [0.125, 0.25, 0.625], [0.375, 0.25, 0.375], [0.0, 0.5, 0.5]];
    let indices = [0, 1, 2, 2, 1];
    let weighted = |p: &[[f32; 3]], indices: &[u32], weights: Option<&[f32]>| {
        measure(&matrix(p), &Truth::Classes { indices, names: &names(3) }, weights).unwrap()
    };
    let found = weighted(&p, &indices, Some(&[2.0, 1.0, 1.0, 1.0, 0.0]));
    let expected = weighted(&[p[0], p[0], p[1], p[2], p[3]], &[0, 0, 1, 2, 2], None);
    for (found, expected) in found.scores.iter().zip(&expected.scores) {
        assert!((found.value - expected.value).abs() <= 1e-12, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn order_of_the_rows_changes_nothing() {
    let mut rng = Threefry::new(Key::new(1), Purpose::Shuffling, 0);
    let rows: Vec<[f32; 1]> = (0..97).map(|_| [rng.below(32) as f32 / 32.0]).collect();
    let indices: Vec<u32> = (0..97).map(|_| rng.below(2)).collect();
    let order = rng.permutation(97);
    let before = of_classes(&rows, &indices);
    let take = |i: &u32| *i as usize;
    let shuffled: Vec<[f32; 1]> = order.iter().map(|i| rows[take(i)]).collect();
    let after = of_classes(&shuffled, &order.iter().map(|i| indices[take(i)]).collect::<Vec<_>>());
    for (before, after) in before.scores.iter().zip(&after.scores) {
        assert!((before.value - after.value).abs() <= 1e-12, "{before:?}, {after:?}");
    }
}

#[test]
fn intervals_hold_what_the_theory_says() {
    // 400 answers of which a quarter are wrong: the standard error of the accuracy is sqrt(0.75 · 0.25 / 400).
    let p: Vec<[f32; 1]> = (0..400).map(|i| [if i % 4 == 0 { 0.25 } else { 0.75 }]).collect();
    let indices = vec![1; 400];
    let truth = Truth::Classes { indices: &indices, names: &names(2) };
    let with = |seed| measure_with_intervals(&matrix(&p), &truth, None, Bootstrap { n_resamples: 1000, seed }).unwrap();
    let metrics = with(0);
    let [low, high] = metrics.main().interval.unwrap();
    let expected = 1.96 * (0.75 * 0.25 / 400.0f64).sqrt();
    // The percentiles of 1,000 draws are themselves uncertain by about a twentieth.
    assert!((0.75 - low - expected).abs() <= 0.006 && (high - 0.75 - expected).abs() <= 0.006, "{low} to {high}");
    // Text, since a NaN is not equal to itself.
    let text = |metrics: &Metrics| serde_json::to_string(metrics).unwrap();
    assert_eq!(text(&with(0)), text(&metrics));
    assert_ne!(with(1).main().interval, metrics.main().interval);
    // What is not defined has no interval.
    assert!(metrics.get(Measure::Auroc).unwrap().interval.is_none());
}

#[test]
fn intervals_draw_rows_with_their_weights() {
    // Rows of weight 0 are drawn and count for nothing: what is left is always right.
    let p = [[0.75f32], [0.75], [0.25]];
    let truth = Truth::Classes { indices: &[1, 1, 1], names: &names(2) };
    let weights = Some(&[1.0, 2.0, 0.0][..]);
    let metrics = measure_with_intervals(&matrix(&p), &truth, weights, Bootstrap::default()).unwrap();
    assert_eq!(metrics.main().interval, Some([1.0, 1.0]));
}

#[test]
fn value_stability_of_intervals() {
    let answers: Vec<f32> = (0..20).map(|i| i as f32).collect();
    let truth: Vec<f32> = (0..20).map(|i| (i + i % 3) as f32).collect();
    let column = |values: Vec<f32>| Matrix::new(20, 1, values).unwrap();
    let (answers, truth) = (column(answers), column(truth));
    let truth = Truth::Numbers { values: &truth, names: &names(1) };
    let metrics = measure_with_intervals(&answers, &truth, None, Bootstrap { n_resamples: 100, seed: 42 }).unwrap();
    let [low, high] = metrics.get(Measure::Mae).unwrap().interval.unwrap();
    assert!((low - 0.6).abs() <= 1e-12 && (high - 1.27625).abs() <= 1e-12, "{low} to {high}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let names = names(3);
    let answers = matrix(&[[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]);
    let classes = |indices| Truth::Classes { indices, names: &names };
    let message = |answers: &Matrix, truth: &Truth, weights: Option<&[f32]>| {
        measure(answers, truth, weights).unwrap_err().to_string()
    };
    assert_eq!(
        message(&answers, &classes(&[0, 1, 2]), None),
        "answers to be measured: found 2 rows of 3 for 3 rows of the truth, \
         expected as many rows, and a column for each of two or more classes, here 3"
    );
    assert_eq!(
        message(&answers, &classes(&[0, 3]), None),
        "class index of row 2: found 3, expected an index below 3, the number of classes"
    );
    assert_eq!(
        message(&matrix(&[[0.5, f32::NAN, 0.5], [0.5, 0.5, 0.0]]), &classes(&[0, 1]), None),
        "answer 2 of row 1: found NaN, expected a probability from 0 to 1"
    );
    assert!(message(&matrix(&[[1.5, 0.0, 0.0]]), &classes(&[0]), None).contains("found 1.5"));
    assert_eq!(
        message(&answers, &classes(&[0, 1]), Some(&[1.0, -1.0])),
        "weight of row 2: found -1, expected a number of at least 0"
    );
    assert!(message(&answers, &classes(&[0, 1]), Some(&[1.0])).starts_with("weights of rows: found 1 weights"));
    assert!(message(&answers, &classes(&[0, 1]), Some(&[0.0, 0.0])).ends_with("expected at least one above 0"));
    let labels = matrix(&[[0.5, 0.0, 1.0], [0.0, 0.0, 1.0]]);
    assert_eq!(
        message(&answers, &Truth::Labels { values: &labels, names: &names }, None),
        "label 1 of row 1: found 0.5, expected 0 or 1"
    );
    let none = Matrix::new(0, 3, Vec::new()).unwrap();
    assert!(message(&none, &classes(&[]), None).starts_with("answers to be measured: found 0 rows"));
    let infinite = matrix(&[[f32::INFINITY]]);
    let truth = Truth::Numbers { values: &infinite, names: &names[..1] };
    assert_eq!(message(&matrix(&[[1.0]]), &truth, None), "truth of row 1: found inf, expected a finite number");
}

#[test]
fn confusions_and_bins_are_counted() {
    let answers = matrix(&[[0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0.0, 1.0]]);
    let names = names(2);
    let truth = Truth::Classes { indices: &[0, 1, 1, 0], names: &names };
    assert_eq!(confusion(&answers, &truth).unwrap(), [[1, 1], [1, 1]]);
    let bin = |n_rows, confidence, accuracy| CalibrationBin { n_rows, confidence, accuracy };
    assert_eq!(calibration(&answers, &truth).unwrap(), [bin(1, 0.5, 0.0), bin(2, 0.75, 1.0), bin(1, 1.0, 0.0)]);
    let truth = Truth::Labels { values: &answers, names: &names };
    assert!(confusion(&matrix(&[[0.5, 0.5]]), &truth).is_err());
}

#[test]
fn constant_predictor_answers_means_and_shares() {
    let features = matrix(&[[1.0], [2.0]]);
    let classes = Truth::Classes { indices: &[0, 2, 2, 0], names: &names(3) };
    let answers = |baseline: Baseline| baseline.predict(&features).unwrap().into_values();
    let constant = |truth: &Truth, weights| answers(Baseline::constant(truth, weights).unwrap());
    let near = |found: Vec<f32>, expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-6), "{found:?}, expected {expected:?}");
    };
    near(constant(&classes, None), &[0.5, 0.0, 0.5, 0.5, 0.0, 0.5]);
    near(constant(&classes, Some(&[1.0, 1.0, 2.0, 0.0])), &[0.25, 0.0, 0.75, 0.25, 0.0, 0.75]);
    // Two classes have one logit, which is infinite where there is one class only.
    let one = Truth::Classes { indices: &[1, 1], names: &names(2) };
    near(constant(&one, None), &[0.0, 1.0, 0.0, 1.0]);
    let values = matrix(&[[1.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]);
    near(constant(&Truth::Labels { values: &values, names: &names(2) }, None), &[0.25, 1.0, 0.25, 1.0]);
    near(constant(&Truth::Numbers { values: &values, names: &names(2) }, None), &[0.25, 1.0, 0.25, 1.0]);
}

#[test]
fn linear_predictor_finds_a_line_and_bears_columns_that_say_nothing() {
    let mut rng = Threefry::new(Key::new(5), Purpose::Shuffling, 0);
    let mut number = || rng.below(1000) as f32 / 100.0;
    // The third column does not vary, the fourth repeats the first.
    let rows: Vec<[f32; 4]> =
        (0..500).map(|_| [number(), number(), 3.0, 0.0]).map(|[x, y, c, _]| [x, y, c, x]).collect();
    let values: Vec<[f32; 1]> = rows.iter().map(|[x, y, ..]| [2.0 * x - 7.0 * y + 40.0]).collect();
    let (features, values) = (matrix(&rows), matrix(&values));
    let truth = Truth::Numbers { values: &values, names: &names(1) };
    let baseline = Baseline::linear(&features, &truth, None).unwrap();
    let metrics = measure(&baseline.predict(&features).unwrap(), &truth, None).unwrap();
    // The penalty takes a part of about 1 / 500 of the slopes.
    assert!(metrics.main().value > 0.9999, "{metrics:?}");

    // A single class, no column at all, and a column of another count.
    let one = Truth::Classes { indices: &[1; 500], names: &names(2) };
    let answers = Baseline::linear(&features, &one, None).unwrap().predict(&features).unwrap();
    assert!(answers.values().iter().all(|p| p.is_finite()) && answers.row(0)[1] > 0.99, "{:?}", answers.row(0));
    let nothing = Matrix::new(500, 0, Vec::new()).unwrap();
    let mean = Baseline::linear(&nothing, &truth, None).unwrap().predict(&nothing).unwrap();
    let expected = values.values().iter().sum::<f32>() / 500.0;
    assert!((mean.values()[0] - expected).abs() <= 1e-3, "{} against {expected}", mean.values()[0]);
    let narrow = matrix(&[[1.0, 2.0]]);
    assert!(baseline.predict(&narrow).unwrap_err().to_string().contains("found 2 columns, expected 4"));
    assert!(Baseline::linear(&narrow, &truth, None).is_err());
    let infinite = matrix(&[[f32::NAN]]);
    let single = Truth::Classes { indices: &[0], names: &names(2) };
    assert!(Baseline::linear(&infinite, &single, None).unwrap_err().to_string().contains("found NaN"));
}

#[test]
fn file_tells_by_null_what_is_not_defined() {
    let metrics = of_classes(&[[0.75, 0.25]], &[0]);
    let text = serde_json::to_string(&metrics).unwrap();
    assert!(text.contains(r#"{"measure":"auroc","value":null}"#), "{text}");
    let again: Metrics = serde_json::from_str(&text).unwrap();
    assert!(again.get(Measure::Auroc).unwrap().value.is_nan());
}
