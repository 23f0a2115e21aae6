//! Initial weights equal MLX's, bit for bit.
//!
//! `golden/mlx_init.json` holds what MLX drew; `golden/mlx_init.py` made it and explains its form.

use nngpu::random::{Key, KeySequence};
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
        let mut sequence = KeySequence::new(case["seed"].as_u64().expect("seed"));
        let sizes: Vec<usize> = case["sizes"].as_array().expect("sizes").iter().map(count).collect();
        let layers = case["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), sizes.len() - 1);
        for (size, layer) in sizes.windows(2).zip(layers) {
            let (weights, biases) = sequence.linear(size[0], size[1]);
            check("weights", case, &bits(&weights), &layer["weights"]);
            check("biases", case, &bits(&biases), &layer["biases"]);
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
