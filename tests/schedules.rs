//! Every schedule at each step, against MLX and PyTorch.

use nngpu::train::Schedule;
use serde_json::Value;

#[test]
fn fifty_steps_are_those_of_mlx_and_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("golden/mlx_schedules.json")).expect("valid JSON");
    for (source, bound) in [
        // MLX computes in 32 bits: each number and result is off by half a unit, a factor's error counts at each of up
        // to 49 steps, an angle's of up to pi as much as 3 units of the first rate.
        ("mlx", 64.0 * f64::from(f32::EPSILON)),
        // 64 bits, by up to 50 products or sums one after the other.
        ("torch", 64.0 * f64::EPSILON),
    ] {
        let cases = golden["cases"][source].as_object().expect("cases");
        assert!(cases.len() > 3, "{source}");
        for (text, expected) in cases {
            let schedule: Schedule = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let expected: Vec<f64> =
                expected.as_array().expect("a list").iter().map(|rate| rate.as_f64().expect("a rate")).collect();
            assert_eq!(expected.len(), 50);
            let largest = expected.iter().copied().fold(0.0, f64::max);
            for (step, expected) in expected.into_iter().enumerate() {
                let found = schedule.rate(step as u64);
                assert!((found - expected).abs() <= bound * largest, "{text}, step {step}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn a_schedule_is_read_as_it_is_written() {
    for (text, written) in [
        ("constant(0.1)", "constant(0.1)"),
        (" exponential( 0.1 ,0.99 ) ", "exponential(0.1, 0.99)"),
        ("step(0.1, 0.5, 30)", "step(0.1, 0.5, 30)"),
        ("cosine(1e-3, 1000, 0)", "cosine(0.001, 1000)"),
        ("cosine(0.1, 1000, 0.01)", "cosine(0.1, 1000, 0.01)"),
        ("one_cycle(0.1, 100)", "one_cycle(0.1, 100, 0.3, 25, 10000)"),
        ("restarts(0.1, 50)", "restarts(0.1, 50, 1, 0)"),
        ("milestones(0.1, 0.1, 30, 60)", "milestones(0.1, 0.1, 30, 60)"),
        ("warmup(10, cosine(0.1, 90))", "join(linear(0, 0.1, 10), 10, cosine(0.1, 90))"),
        (
            "join(constant(1), 5, join(constant(2), 3, constant(3)))",
            "join(constant(1), 5, join(constant(2), 3, constant(3)))",
        ),
    ] {
        let schedule: Schedule = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(schedule.to_string(), written);
        assert_eq!(written.parse::<Schedule>().expect("its own text"), schedule);
        let json = serde_json::to_string(&schedule).expect("text");
        assert_eq!(json, format!("\"{written}\""));
        assert_eq!(serde_json::from_str::<Schedule>(&json).expect("the same"), schedule);
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for text in [
        "",
        "cosine",
        "cosine(",
        "cosine)",
        "cosine(0.1)",
        "cosine(0.1, 10, 0, 0)",
        "cosine(0.1, -10)",
        "cosine(0.1, 1.5)",
        "wave(0.1)",
        "join(constant(1), 5)",
        "join()",
        "join(constant(1), x, constant(2))",
        "milestones(0.1, 0.1)",
        "warmup(constant(1), 5)",
        "constant(0.1))",
        &format!("{}constant(1){}", "warmup(1, ".repeat(40), ")".repeat(40)),
    ] {
        let message = text.parse::<Schedule>().expect_err("refused").to_string();
        assert!(message.starts_with("schedule: found `") && message.contains("cosine(rate, steps, end)"), "{message}");
    }
    for (text, expected) in [
        ("constant(-1)", "schedule's rate: found -1, expected a number of at least 0"),
        ("constant(NaN)", "schedule's rate: found NaN, expected a number of at least 0"),
        ("step(0.1, 0.5, 0)", "schedule's steps on each stair: found 0, expected a number of at least 1"),
        ("cosine(0.1, 0)", "schedule's number of steps: found 0, expected a number of at least 1"),
        ("one_cycle(0.1, 1)", "schedule's number of steps: found 1, expected a number of at least 2"),
        ("one_cycle(0.1, 9, 2)", "schedule's rising part: found 2, expected a number from 0 to 1"),
        ("restarts(0.1, 0)", "schedule's period: found 0, expected a number of at least 1"),
        ("milestones(0.1, 0.1, 5, 5)", "schedule's milestones: found [5, 5], expected steps in rising order"),
        ("warmup(0, constant(1))", "schedule's number of steps: found 0, expected a number of at least 1"),
    ] {
        assert_eq!(text.parse::<Schedule>().expect_err("refused").to_string(), expected);
    }
}

#[test]
fn beyond_their_last_step_schedules_stay() {
    for (text, rate) in [
        ("cosine(0.1, 10, 0.01)", 0.01),
        ("linear(0, 0.5, 10)", 0.5),
        ("one_cycle(0.5, 10, 0.3, 25, 2)", 0.01),
        ("one_cycle(0.5, 2, 0, 25, 2)", 0.01),
    ] {
        let schedule: Schedule = text.parse().expect("a schedule");
        for step in [10, 11, u64::MAX] {
            assert!((schedule.rate(step) - rate).abs() <= 1e-15, "{text}, {step}: {}", schedule.rate(step));
        }
    }
    // Waves that grow reach the end of all numbers without an endless loop.
    let schedule: Schedule = "restarts(0.1, 1, 2)".parse().expect("a schedule");
    assert!((0.0..=0.1).contains(&schedule.rate(u64::MAX)));
    // A cycle that is all rise ends at the top's last step; its first step is the first rate.
    let schedule: Schedule = "one_cycle(0.5, 9, 1)".parse().expect("a schedule");
    assert!((schedule.rate(0) - 0.02).abs() <= 1e-15);
}
