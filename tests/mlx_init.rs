//! Initial weights equal MLX's, bit for bit.
//!
//! `golden/mlx_init.json` holds what MLX drew; `golden/mlx_init.py` made it and explains its form.

use nngpu::nn::{FanMode, Init};
use nngpu::random::{Key, KeySequence};
use nngpu::{Activation, Network};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/mlx_init.json")).expect("golden file")
}

fn cases<'a>(golden: &'a Value, name: &str) -> &'a [Value] {
    let cases = golden[name].as_array().expect(name);
    assert!(!cases.is_empty(), "{name}");
    cases
}

fn count(value: &Value) -> usize {
    value.as_u64().expect("count") as usize
}

fn hexadecimal(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().expect("digits"), 16).expect("hexadecimal digits")
}

fn words(value: &Value) -> Vec<u32> {
    value.as_array().expect("words").iter().map(|word| hexadecimal(word) as u32).collect()
}

fn float(value: &Value) -> f32 {
    f32::from_bits(hexadecimal(value) as u32)
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn fnv1a(words: &[u32]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Whether `found` is what the golden file holds; if not, where it differs.
fn compare(found: &[u32], expected: &Value) -> Result<(), String> {
    let compare_words = |name: &str, found: &[u32], expected: &[u32]| match found
        .iter()
        .zip(expected)
        .position(|(found, expected)| found != expected)
    {
        Some(i) => Err(format!("{name} {i}: found {:08x}, expected {:08x}", found[i], expected[i])),
        None => Ok(()),
    };
    let check_count = |n_expected| {
        if found.len() == n_expected {
            Ok(())
        } else {
            Err(format!("found {} words, expected {n_expected}", found.len()))
        }
    };
    if expected.is_array() {
        let expected = words(expected);
        check_count(expected.len())?;
        return compare_words("word", found, &expected);
    }
    let (first, last) = (words(&expected["first"]), words(&expected["last"]));
    check_count(count(&expected["count"]))?;
    compare_words("word", &found[..first.len()], &first)?;
    compare_words("word of the last", &found[found.len() - last.len()..], &last)?;
    if fnv1a(found) != hexadecimal(&expected["fnv1a"]) {
        return Err(String::from("a word between the first and the last differs"));
    }
    Ok(())
}

fn check(name: &str, case: &Value, found: &[u32], expected: &Value) {
    if let Err(difference) = compare(found, expected) {
        panic!("{name} of seed {}: {difference}\n{case}", case["seed"]);
    }
}

fn key(case: &Value) -> Key {
    Key::new(case["seed"].as_u64().expect("seed"))
}

#[test]
fn networks_equal_those_of_mlx() {
    let golden = golden();
    for case in cases(&golden, "networks") {
        let sizes: Vec<usize> = case["sizes"].as_array().expect("sizes").iter().map(count).collect();
        let network = Network::new(&sizes, Activation::Relu).expect("sizes of at least 1");
        let values = network.initial(case["seed"].as_u64().expect("seed"));
        let layers = case["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), sizes.len() - 1);
        for (parts, layer) in network.parameters().chunks(2).zip(layers) {
            check("weights", case, &bits(&values[parts[0].range()]), &layer["weights"]);
            check("biases", case, &bits(&values[parts[1].range()]), &layer["biases"]);
        }
    }
}

#[test]
fn uniform_numbers_equal_those_of_mlx() {
    let golden = golden();
    for case in cases(&golden, "uniform") {
        let numbers = key(case).uniform(float(&case["low"]), float(&case["high"]), count(&case["n"]));
        check("numbers", case, &bits(&numbers), &case["numbers"]);
    }
}

#[test]
fn normal_numbers_equal_those_of_mlx() {
    let golden = golden();
    for case in cases(&golden, "normal") {
        let numbers = key(case).normal(-0.3, 2.7, count(&case["n"]));
        check("numbers", case, &bits(&numbers), &case["numbers"]);
    }
}

fn shape(case: &Value) -> [usize; 2] {
    [count(&case["shape"][0]), count(&case["shape"][1])]
}

#[test]
fn initialisers_equal_those_of_mlx() {
    let golden = golden();
    for case in [cases(&golden, "initializers"), cases(&golden, "sparse_ties")].concat() {
        let init: Init = case["init"].as_str().expect("text").parse().expect("an initialiser");
        let mut sequence = KeySequence::new(case["seed"].as_u64().expect("seed"));
        let [rows, columns] = shape(&case);
        let numbers = init.draw(&mut sequence, rows, columns).expect("numbers");
        check("numbers", &case, &bits(&numbers), &case["numbers"]);
        // The same number of keys was taken.
        let next = sequence.uniform(0.0, 1.0, 1);
        assert_eq!(next, [float(&case["next"])], "{case}");
    }
}

#[test]
fn every_initialiser_has_golden_numbers() {
    let golden = golden();
    let names: Vec<Init> = cases(&golden, "initializers")
        .iter()
        .map(|case| case["init"].as_str().expect("text").parse().expect("an initialiser"))
        .collect();
    for init in every_initialiser() {
        let is_there = names.iter().any(|name| std::mem::discriminant(name) == std::mem::discriminant(&init));
        assert_eq!(is_there, !matches!(init, Init::Orthogonal { .. }), "{init}");
    }
}

/// One of each.
fn every_initialiser() -> [Init; 12] {
    let mode = FanMode::FanOut;
    let all = [
        Init::Linear,
        Init::Constant(0.5),
        Init::Normal { mean: 0.5, std: 2.0 },
        Init::TruncatedNormal { mean: 0.5, std: 2.0 },
        Init::Uniform { low: -1.0, high: 2.0 },
        Init::Identity,
        Init::GlorotNormal { gain: 2.0 },
        Init::GlorotUniform { gain: 2.0 },
        Init::HeNormal { gain: 2.0, mode },
        Init::HeUniform { gain: 2.0, mode },
        Init::Sparse { sparsity: 0.5, mean: 0.5, std: 2.0 },
        Init::Orthogonal { gain: 2.0 },
    ];
    // A new variant is missing here: list it above.
    match all[0] {
        Init::Linear | Init::Constant(_) | Init::Normal { .. } | Init::TruncatedNormal { .. } => {}
        Init::Uniform { .. } | Init::Identity | Init::GlorotNormal { .. } | Init::GlorotUniform { .. } => {}
        Init::HeNormal { .. } | Init::HeUniform { .. } | Init::Sparse { .. } | Init::Orthogonal { .. } => {}
    }
    all
}

/// The first place where an orthogonal matrix is further from MLX's than its rounding explains.
///
/// MLX's Q is, up to `√n g` with `g = n² u` and the unit roundoff `u = 2^-24`, that of a matrix whose
/// columns are off by a part of at most `g` (Higham, "Accuracy and Stability of Numerical Algorithms",
/// theorem 19.4; the constant of `g` is a small one that worst cases alone reach). That moves Q by
/// `(1 + √2) κ` times the part of the whole matrix, `√n g` (Sun, "Perturbation bounds for the Cholesky
/// and QR factorizations", 1991). Here everything is computed in f64.
fn compare_orthogonal(found: &[f32], case: &Value) -> Result<(), String> {
    let [rows, columns] = shape(case);
    let n = rows.max(columns) as f64;
    let condition = case["condition"].as_f64().expect("condition");
    let relative = n.sqrt() * n * n * 0.5f64.powi(24) * (1.0 + 2.5 * condition);
    let tolerance = case["gain"].as_f64().expect("gain") * relative;
    let expected = words(&case["numbers"]);
    assert_eq!(found.len(), expected.len());
    for (i, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let expected = f32::from_bits(expected);
        let difference = (f64::from(found) - f64::from(expected)).abs();
        // Not a claim where the bound is larger than the numbers.
        if !(difference <= tolerance && relative < 0.1) {
            return Err(format!("number {i}: found {found}, expected {expected} within {tolerance}"));
        }
    }
    Ok(())
}

#[test]
fn orthogonal_matrices_are_near_those_of_mlx() {
    let golden = golden();
    for case in cases(&golden, "orthogonal") {
        let init = Init::Orthogonal { gain: case["gain"].as_f64().expect("gain") };
        let mut sequence = KeySequence::new(case["seed"].as_u64().expect("seed"));
        let [rows, columns] = shape(case);
        let found = init.draw(&mut sequence, rows, columns).expect("numbers");
        compare_orthogonal(&found, case).unwrap_or_else(|difference| panic!("{difference}\n{case}"));
        // A sign or a row that is wrong is seen.
        for i in 0..found.len() {
            let mut wrong = found.clone();
            wrong[i] *= -1.0;
            let is_small = f64::from(found[i].abs()) < 0.1 * init_gain(&init);
            assert!(is_small || compare_orthogonal(&wrong, case).is_err(), "number {i}\n{case}");
            wrong[i] = f32::NAN;
            assert!(compare_orthogonal(&wrong, case).is_err(), "number {i}\n{case}");
        }
    }
}

fn init_gain(init: &Init) -> f64 {
    match *init {
        Init::Orthogonal { gain } => gain,
        _ => unreachable!("only orthogonal ones are compared"),
    }
}

#[test]
fn biases_are_drawn_like_mlx_draws_them() {
    // mx.random.seed(0); mlx.nn.Linear(3, 2).bias
    let mut sequence = KeySequence::new(0);
    assert_eq!(Init::Linear.draw(&mut sequence, 2, 3).expect("weights").len(), 6);
    assert_eq!(Init::Linear.draw_bias(&mut sequence, 3, 2).expect("biases"), [0.004011035, -0.02251041]);

    let (inputs, outputs) = (13, 5);

    let constant = Init::Constant(0.5).draw_bias(&mut sequence, inputs, outputs).expect("biases");
    assert_eq!(constant, [0.5; 5]);
    for init in every_initialiser() {
        let needs_two = !matches!(
            init,
            Init::Linear
                | Init::Constant(_)
                | Init::Normal { .. }
                | Init::TruncatedNormal { .. }
                | Init::Uniform { .. }
        );
        let drawn = init.draw_bias(&mut sequence, inputs, outputs);
        assert_eq!(drawn.is_err(), needs_two, "{init}");
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let refuse = |init: Init, rows: usize, columns: usize, expected: &str| {
        let error = init.draw(&mut KeySequence::new(0), rows, columns).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    };
    for (rows, columns) in [(0, 3), (3, 0), (1 << 16, 1 << 16), (usize::MAX, 2)] {
        for init in every_initialiser() {
            refuse(init, rows, columns, "a size of 1 or more");
        }
    }
    refuse(Init::Identity, 2, 3, "as many rows as columns");
    refuse(Init::Orthogonal { gain: 1.0 }, 1, 46341, "below 46341");
    for wrong in [f64::NAN, f64::INFINITY, 1e39] {
        refuse(Init::Constant(wrong), 1, 1, "a finite number");
        refuse(Init::Normal { mean: wrong, std: 1.0 }, 1, 1, "a finite mean");
        refuse(Init::TruncatedNormal { mean: 0.0, std: wrong }, 1, 1, "a finite mean");
        refuse(Init::Uniform { low: -wrong, high: wrong }, 1, 1, "bounds");
        refuse(Init::HeNormal { gain: wrong, mode: FanMode::FanIn }, 1, 1, "a gain of 0 or more");
        refuse(Init::Sparse { sparsity: wrong, mean: 0.0, std: 1.0 }, 1, 1, "a sparsity from 0 to 1");
        refuse(Init::Orthogonal { gain: wrong }, 1, 1, "a finite gain");
    }
    refuse(Init::Uniform { low: -3e38, high: 3e38 }, 1, 1, "bounds");
    refuse(Init::Normal { mean: 0.0, std: 1e38 }, 1, 1, "32-bit numbers around");
    refuse(Init::Normal { mean: 0.0, std: -1.0 }, 1, 1, "a standard deviation of 0 or more");
    refuse(Init::GlorotUniform { gain: -1.0 }, 1, 1, "a gain of 0 or more");
    assert!(Init::Linear.draw_bias(&mut KeySequence::new(0), 0, 2).is_err());
}

#[test]
fn numbers_at_the_ends_of_the_ranges_are_finite() {
    for text in ["normal(3e38, 5e36)", "uniform(-1.7e38, 1.7e38)", "he-normal(2.8e37)", "glorot-uniform(2.8e37)"] {
        let init: Init = text.parse().expect(text);
        let numbers = init.draw(&mut KeySequence::new(1), 1, 1000).expect(text);
        assert!(numbers.iter().all(|number| number.is_finite()), "{text}");
    }
}

#[test]
fn words_of_split_keys_equal_those_of_mlx() {
    let golden = golden();
    for case in cases(&golden, "splits") {
        let n = match &case["words"] {
            Value::Array(words) => words.len(),
            summary => count(&summary["count"]),
        };
        check("words", case, &key(case).bits(n), &case["words"]);
        if n == 4 {
            let (first, second) = key(case).split();
            check("split", case, &[first.words(), second.words()].concat(), &case["words"]);
        }
    }
}

#[test]
fn comparison_sees_planted_faults() {
    let whole = serde_json::json!(["00000001", "00000002", "00000003"]);
    assert_eq!(compare(&[1, 2, 3], &whole), Ok(()));
    assert_eq!(compare(&[1, 2, 4], &whole), Err("word 2: found 00000004, expected 00000003".into()));
    assert_eq!(compare(&[1, 2], &whole), Err("found 2 words, expected 3".into()));
    assert_eq!(compare(&[1, 2, 3, 4], &whole), Err("found 4 words, expected 3".into()));

    let golden = golden();
    let case = cases(&golden, "splits").last().expect("case");
    let right = key(case).bits(count(&case["words"]["count"]));
    assert_eq!(compare(&right, &case["words"]), Ok(()));
    for i in 0..right.len() {
        let mut wrong = right.clone();
        wrong[i] ^= 1;
        assert!(compare(&wrong, &case["words"]).is_err(), "word {i}");
    }
    assert!(compare(&right[..right.len() - 1], &case["words"]).is_err());
}
