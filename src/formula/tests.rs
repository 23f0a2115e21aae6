use proptest::prelude::*;

use super::Formula;
use super::evaluate::Steps;

fn of(text: &str) -> Formula {
    Formula::parse(text, &["x"]).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn operators_bind_as_in_mathematics() {
    for (text, written, x, expected) in [
        ("-x^2", "-x^2", 3.0, -9.0),
        ("(-x)^2", "(-x)^2", 3.0, 9.0),
        ("(-2)^2 * x", "(-2)^2 * x", 1.0, 4.0),
        ("2^3^2 + x", "2^3^2 + x", 0.0, 512.0),
        ("(2^3)^2+x", "(2^3)^2 + x", 0.0, 64.0),
        ("x^-2", "x^-2", 2.0, 0.25),
        ("x^-x^2", "x^-x^2", 2.0, 0.0625),
        ("1 - x - 2", "1 - x - 2", 3.0, -4.0),
        ("1 - (x - 2)", "1 - (x - 2)", 3.0, 0.0),
        ("8 / x / 2", "8 / x / 2", 2.0, 2.0),
        ("8 / (x / 2)", "8 / (x / 2)", 2.0, 8.0),
        ("2 * -x", "2 * -x", 3.0, -6.0),
        ("x - -3", "x - -3", 1.0, 4.0),
        ("--x", "--x", 2.0, 2.0),
        ("((x))", "x", 2.0, 2.0),
        (".5*x+1e-3", "0.5 * x + 0.001", 1.0, 0.501),
        ("pi*x", "3.141592653589793 * x", 1.0, std::f64::consts::PI),
        ("e*x", "2.718281828459045 * x", 1.0, std::f64::consts::E),
        ("clip(x, -1, 2)", "min(max(x, -1), 2)", 5.0, 2.0),
        ("where(x<=0,-1,x)", "where(x <= 0, -1, x)", 0.0, -1.0),
        ("where(x<0,-1,x)", "where(x < 0, -1, x)", 0.0, 0.0),
        ("where(x>=0,1,x)", "where(x >= 0, 1, x)", 0.0, 1.0),
        ("where(x>0,1,x)", "where(x > 0, 1, x)", 0.0, 0.0),
        ("relu(x)+min(x, 1)-max(x,3)", "relu(x) + min(x, 1) - max(x, 3)", 2.0, 0.0),
        ("erf(x)", "erf(x)", 0.5, 0.520_499_877_813_046_5),
        ("erf(x)", "erf(x)", -3.5, -0.999_999_256_901_627_7),
        ("x^0.5", "x^0.5", 9.0, 3.0),
        ("x^3 + x^16 + x^-1", "x^3 + x^16 + x^-1", -2.0, 65527.5),
    ] {
        let formula = of(text);
        assert_eq!(formula.text(), written);
        assert_eq!(of(written), formula);
        assert!((formula.value_f64(&[x]) - expected).abs() <= 1e-14 * expected.abs(), "{text}");
        assert!(
            (formula.value(&[x as f32]) - expected as f32).abs() <= 4.0 * f32::EPSILON * expected.abs() as f32,
            "{text}"
        );
    }
}

#[test]
fn what_is_wrong_is_told_with_its_column() {
    let refused = |text: &str| Formula::parse(text, &["x"]).expect_err(text).to_string();
    for (text, expected) in [
        ("", "formula: found the end at column 1, expected a number, x, a function or `(`"),
        ("x +", "formula: found the end at column 4, expected a number, x, a function or `(`"),
        ("x x", "formula: found `x` at column 3, expected an operator or the end"),
        ("2x", "formula: found `x` at column 2, expected an operator or the end"),
        ("(x", "formula: found the end at column 3, expected `)`"),
        ("x)", "formula: found `)` at column 2, expected an operator or the end"),
        ("x ** 2", "formula: found `*` at column 4, expected a number, x, a function or `(`"),
        ("  x   +\t\u{a0}$", "formula: found `$` at column 10, expected a number, x, a function or `(`"),
        ("x + é", "formula: found `é` at column 5, expected a number, x, a function or `(`"),
        ("ééé", "formula: found `é` at column 1, expected a number, x, a function or `(`"),
        ("exp x", "formula: found `x` at column 5, expected `(`"),
        ("min(x)", "formula: found `)` at column 6, expected `,`"),
        ("exp(x, 1)", "formula: found `,` at column 6, expected `)`"),
        ("where(x, 1, 2)", "formula: found `,` at column 8, expected a comparison: one of <, <=, >, >="),
        ("x > 1", "formula: found `>` at column 3, expected an operator or the end"),
        ("where(x > 1 > 0, 1, x)", "formula: found `>` at column 13, expected `,`"),
        ("1e99 * x", "formula: found `1e99` at column 1, expected a number of at most 3.4e38, as in 0.5 or 1e-3"),
        ("1.2.3 * x", "formula: found `1.2.3` at column 1, expected a number of at most 3.4e38, as in 0.5 or 1e-3"),
        ("1 + 2", "formula: found `1 + 2`, expected a formula that depends on x"),
        (
            "x + foo(x)",
            "formula: found `foo` at column 5, expected x, pi, e, or one of the functions abs, sign, exp, log, log1p, \
             expm1, sqrt, square, sin, cos, tanh, sigmoid, softplus, relu, erf, min, max, clip, where",
        ),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
    let long = "y".repeat(100_000);
    assert!(refused(&long).starts_with(&format!("formula: found `{}…` at column 1, ", "y".repeat(32))));
}

#[test]
fn no_text_is_too_much() {
    let refused = |text: String| Formula::parse(&text, &["x"]).expect_err("too much").to_string();
    let deep = "formula: found nesting deeper than 64 at column";
    for text in ["(", "-", "exp(", "x^", "where(x < ", "min(x, ", "clip(x, "].map(|text| text.repeat(100_000)) {
        assert!(refused(text).starts_with(deep));
    }
    let long = "formula: found more than 200 numbers and operations at column";
    for text in ["x+", "x*", "x-1/"].map(|text| text.repeat(100_000) + "x") {
        assert!(refused(text).starts_with(long));
    }
    // Each step of a nested square is there once, and so is its slope.
    of(&format!("{}x{}", "square(".repeat(64), ")".repeat(64)));
    of(&format!("{}x{}", "(".repeat(64), ")^2".repeat(64)));
    let powers = format!("x{}", " + (x + 1)^15 * x^13".repeat(16));
    of(&powers);
    let many: Vec<String> = (1..34).map(|i| format!("(x / {i})^15")).collect();
    let message = refused(many.join(" + "));
    assert!(message.ends_with("operations with the slope, expected at most 500; use a shorter formula"), "{message}");
    assert!(refused(format!("{}x{}", "clip(".repeat(33), ", 0, 1)".repeat(33))).starts_with(deep));
    // As deep as it may be, a text is written no deeper than it was read.
    let clipped = of(&format!("{}x{}", "clip(".repeat(32), ", 0, 1)".repeat(32)));
    assert_eq!(of(clipped.text()), clipped);
}

#[test]
fn nan_goes_through() {
    for text in [
        "abs(x)",
        "sign(x)",
        "exp(x)",
        "log(x)",
        "log1p(x)",
        "expm1(x)",
        "sqrt(x)",
        "square(x)",
        "sin(x)",
        "cos(x)",
        "tanh(x)",
        "sigmoid(x)",
        "softplus(x)",
        "relu(x)",
        "erf(x)",
        "min(x, 1)",
        "max(1, x)",
        "clip(x, 0, 1)",
        "where(x > 0, 1, 2)",
        "where(0 < x, 1, 2)",
        "x^2",
        "x^0.3",
        "2^x",
        "-x",
    ] {
        assert!(of(text).value(&[f32::NAN]).is_nan() && of(text).value_f64(&[f64::NAN]).is_nan(), "{text}");
    }
    for text in ["relu(x)", "clip(x, 0, 1)", "max(x, 1)", "abs(x)", "where(x > 0, x, 2 * x)"] {
        assert!(of(text).slope(&[f32::NAN]).is_nan(), "{text}");
    }
    assert!(of("(-x)^0.3").value(&[1.0]).is_nan() && of("log(x)").value(&[-1.0]).is_nan());
}

#[test]
fn slopes_at_kinks_are_those_of_mlx() {
    for (text, x, expected) in [
        ("max(x, 0)", 0.0, 0.0),
        ("max(0, x)", 0.0, 1.0),
        ("min(x, 0)", 0.0, 0.0),
        ("min(0, x)", 0.0, 1.0),
        ("relu(x)", 0.0, 0.0),
        ("abs(x)", 0.0, 0.0),
        ("sign(x)", 0.5, 0.0),
        ("clip(x, -1, 1)", 1.0, 0.0),
        ("clip(x, -1, 1)", -1.0, 0.0),
        ("clip(x, -1, 1)", 0.5, 1.0),
        ("where(x >= 0, 2 * x, x)", 0.0, 2.0),
        ("where(x > 0, 2 * x, x)", 0.0, 1.0),
    ] {
        assert_eq!(of(text).slope(&[x]), expected, "{text} at {x}");
        assert_eq!(of(text).slope_f64(&[x.into()]), f64::from(expected), "{text} at {x}");
    }
}

/// Compares with a difference, whose own error is told from a second one of half the step. Where the two
/// do not agree a kink is near, or the function is too steep; gives whether there was something to compare.
#[track_caller]
fn check_slope(formula: Formula, x: f64) -> bool {
    let step = 1e-3;
    let difference = |h: f64| {
        let at = |d: f64| formula.value_f64(&[x + d, 0.3]);
        (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
    };
    let (rough, fine) = (difference(step), difference(step / 2.0));
    // The values' roundings are divided by the step.
    let scale = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|d| formula.value_f64(&[x + d * step, 0.3]).abs());
    let rounding = scale.iter().fold(1.0, |a: f64, b| a.max(*b)) * 1e-10;
    let error = (rough - fine).abs();
    if !(error <= 1e-6 * (1.0 + fine.abs()) && rounding <= 1e-6) {
        return false;
    }
    let slope = formula.slope_f64(&[x, 0.3]);
    // The value may come back from infinity, as in `2^(-1 / 0)`; the slope is then no number.
    if slope.is_nan() && !is_finite_throughout(formula, &[x, 0.3]) {
        return false;
    }
    let bound = 16.0 * error + rounding + 1e-9 * (1.0 + fine.abs());
    assert!((slope - fine).abs() <= bound, "{formula} at {x}: slope {slope}, difference {fine}, bound {bound}");
    true
}

/// Whether every operation on the way to the value gives a finite number.
fn is_finite_throughout(formula: Formula, variables: &[f64]) -> bool {
    let nodes = &formula.0.value.nodes;
    (1..=nodes.len()).all(|n| Steps { nodes: nodes[..n].to_vec() }.evaluate(variables).is_finite())
}

#[test]
fn slopes_through_infinity_are_compared_with_nothing() {
    let formula = Formula::parse("(1 + square(x / 0))^(x / 0)", &["x", "t"]).expect("a formula");
    assert_eq!(formula.value_f64(&[-0.96, 0.3]), 0.0);
    assert!(!check_slope(formula, -0.96) && !is_finite_throughout(formula, &[-0.96, 0.3]));
    assert!(is_finite_throughout(Formula::parse("1 / x", &["x", "t"]).expect("a formula"), &[2.0, 0.3]));
}

#[test]
fn slopes_are_those_of_differences() {
    for text in [
        "abs(x)",
        "x * sign(x)",
        "exp(x)",
        "log(x^2 + 1)",
        "log1p(x^2)",
        "expm1(x)",
        "sqrt(1 + x^2)",
        "square(x)",
        "sin(2 * x)",
        "cos(2 * x)",
        "tanh(x)",
        "sigmoid(3 * x)",
        "softplus(x)",
        "relu(x)",
        "erf(x)",
        "min(x, x^2)",
        "max(x, x^2)",
        "clip(x, -1, x^3)",
        "where(x > 0.4, x^2, 3 * x)",
        "x^3 / (1 + x^2)",
        "x^-3",
        "x^-1",
        "x^17",
        "(1 + x^2)^0.3",
        "2^x",
        "(1 + x^2)^x",
        "x^0.5 + x",
        "1 / x",
        "x - 2 / (3 - x)",
        "-x * -x",
        "x * sigmoid(1.702 * x)",
        "x * tanh(softplus(x))",
        "0.5 * x * (1 + erf(x / sqrt(2)))",
    ] {
        let n = [-2.3, -0.7, 0.31, 1.9].into_iter().filter(|x| check_slope(of(text), *x)).count();
        assert!(n >= 1, "{text}: no points");
    }
}

fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => Just("x".to_string()),
        1 => Just("t".to_string()),
        1 => (-30..30).prop_map(|n| format!("{}", f64::from(n) / 10.0)),
        1 => Just("pi".to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), "[-+*/]").prop_map(|((a, b), sign)| format!("({a}) {sign} ({b})")),
            (two.clone(), "[-+*/]").prop_map(|((a, b), sign)| format!("{a}{sign}{b}")),
            (inner.clone(), -4..5).prop_map(|(a, n)| format!("({a})^{n}")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("(1+square({a}))^({a})")),
            (prop::sample::select(super::graph::Function::NAMED.map(|(name, _)| name).to_vec()), inner.clone())
                .prop_map(|(name, a)| format!("{name}({a})")),
            (two.clone(), "min|max").prop_map(|((a, b), name)| format!("{name}({a}, {b})")),
            inner.clone().prop_map(|a| format!("clip({a}, -1, 1.5)")),
            (two.clone(), two, "<=?|>=?").prop_map(|((a, b), (c, d), sign)| format!("where({a} {sign} {b}, {c}, {d})")),
        ]
    })
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = Formula::parse(&text, &["x", "t"]);
    }

    #[test]
    fn no_text_of_formulas_panics(text in "([-x+*/^(),.<>= 0-9e]|where|min|exp|clip|pi| ){0,40}") {
        if let Ok(formula) = Formula::parse(&text, &["x"]) {
            prop_assert_eq!(Formula::parse(formula.text(), &["x"]).expect("its own text"), formula);
            let _ = (formula.value(&[0.5]), formula.slope(&[-0.5]));
        }
    }

    #[test]
    fn a_text_is_read_as_it_was_written(text in expressions(), x in -3.0..3.0, t in -3.0..3.0) {
        // One that does not depend on x, or is too long, is none.
        if let Ok(formula) = Formula::parse(&text, &["x", "t"]) {
            // As other names it is read anew, not found among the known.
            let renamed = formula.text().replace("max", "m@").replace("exp", "@p").replace('x', "y").replace("@p", "exp").replace("m@", "max");
            let again = Formula::parse(&renamed, &["y", "t"]).expect("its own text");
            prop_assert!(again != formula);
            prop_assert_eq!(again.text(), renamed);
            prop_assert!(same(formula.value_f64(&[x, t]), again.value_f64(&[x, t])));
            prop_assert!(same(formula.value(&[x as f32, t as f32]).into(), again.value(&[x as f32, t as f32]).into()));
            prop_assert!(same(formula.slope_f64(&[x, t]), again.slope_f64(&[x, t])));
        }
    }

    #[test]
    fn slopes_of_random_formulas_are_those_of_differences(text in expressions(), x in -2.0..2.0) {
        if let Ok(formula) = Formula::parse(&text, &["x", "t"]) {
            check_slope(formula, x);
        }
    }
}
