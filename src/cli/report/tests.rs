use nngpu::data::{ColumnSchema, ColumnType, Matrix, Role};
use nngpu::metrics::baseline::Baseline;
use nngpu::metrics::{Bootstrap, Truth, calibration, confusion, measure_with_intervals};
use nngpu::random::{Key, Purpose, Threefry};

use super::super::history::EpochValues;
use super::*;

/// A name that would run as a script, were it not escaped.
const EVIL: &str = "<script>alert('a & \"b\"')</script>";

/// Numbers around 0 with a variance of 1.
struct Noise(Threefry);

impl Noise {
    fn new(stream: u64) -> Noise {
        Noise(Threefry::new(Key::new(3), Purpose::Shuffling, stream))
    }

    fn next(&mut self) -> f64 {
        (0..12).map(|_| f64::from(self.0.below(1 << 20)) / f64::from(1 << 20)).sum::<f64>() - 6.0
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn entries(entries: &[(&str, &str)]) -> Vec<Entry> {
    entries.iter().map(|(name, value)| Entry { name: name.to_string(), value: value.to_string() }).collect()
}

/// The metrics of some answers beside those of the baselines, on the same rows.
fn part(name: &str, answers: &Matrix, truth: &Truth, features: &Matrix) -> Part {
    let bootstrap = Bootstrap { n_resamples: 200, seed: 0 };
    let measured = |answers: &Matrix| measure_with_intervals(answers, truth, None, bootstrap).unwrap();
    let constant = Baseline::constant(truth, None).unwrap().predict(features).unwrap();
    let linear = Baseline::linear(features, truth, None).unwrap().predict(features).unwrap();
    Part {
        name: name.into(),
        network: measured(answers),
        baselines: vec![("linear".into(), measured(&linear)), ("constant".into(), measured(&constant))],
    }
}

fn run(seed: u64, n_epochs: usize, has_validation: bool) -> Run {
    let mut noise = Noise::new(100 + seed);
    let epoch = |i: usize| {
        let x = i as f64 / n_epochs as f64;
        let loss = 0.08 + 0.9 * (-7.0 * x).exp() + 0.004 * noise.next();
        let validation = 0.17 + 0.85 * (-8.0 * x).exp() + 0.07 * x * x + 0.008 * noise.next();
        EpochValues {
            loss,
            validation_loss: has_validation.then_some(validation),
            metric: has_validation.then_some(1.0 - validation),
            learning_rate: Some(0.001 * (1.0 - x)),
        }
    };
    let epochs: Vec<EpochValues> = (0..n_epochs).map(epoch).collect();
    let best_epoch = has_validation.then_some((n_epochs * 2 / 3).max(1));
    Run { seed, best_epoch, epochs }
}

fn column(name: &str, kind: ColumnType, role: Role, n_missing: usize, n_distinct: usize, note: &str) -> ColumnSchema {
    let note = (!note.is_empty()).then(|| note.to_string());
    ColumnSchema { name: name.into(), kind, role, n_missing, n_distinct, is_given: false, date: None, note }
}

fn with_the_rest(data: ReportData) -> ReportData {
    ReportData {
        columns: vec![
            column("median_income", ColumnType::Number, Role::Feature, 0, 12_928, ""),
            column(
                "total_bedrooms",
                ColumnType::Number,
                Role::Feature,
                207,
                1_923,
                "missing values became the median, and a column of their own",
            ),
            column("ocean_proximity", ColumnType::Category, Role::Feature, 0, 5, ""),
            column("listed_on", ColumnType::Date, Role::Feature, 12, 1_204, "year, month, day of the week"),
            column("house_id", ColumnType::Id, Role::Ignored, 0, 20_640, "a different value in each row"),
            column(EVIL, ColumnType::Text, Role::Ignored, 3, 991, "free text"),
            column("median_house_value", ColumnType::Number, Role::Target, 0, 3_842, ""),
        ],
        data: entries(&[
            ("File", "houses.csv, 1.4 MB"),
            ("Rows", "20 640, of which 14 448 for training, 3 096 for validation, 3 096 for the test"),
            ("Split", "at random, seed 0"),
        ]),
        findings: vec![
            "Column `house_id` has a different value in each row; it is ignored.".into(),
            "12 rows stand twice in the table; copies are on one side of the split.".into(),
            format!("Column `{EVIL}` is free text."),
        ],
        network: "13 -> linear 128 -> relu -> dropout 0.1 -> linear 64 -> relu -> linear 1".into(),
        settings: entries(&[
            ("Optimizer", "adamw, learning rate 0.001, weight decay 0.01"),
            ("Schedule", "cosine, with a warm-up of 5 epochs"),
            ("Batch", "256 rows"),
            ("Early stopping", "after 20 epochs without a better validation loss"),
            ("Loss", "mean squared error of the standardised target"),
        ]),
        provenance: entries(&[
            ("Command", "nngpu train houses.csv --target median_house_value"),
            ("Device", "NVIDIA GeForce RTX 4070 (Vulkan)"),
            ("Seed", "0"),
            ("Version", "nngpu 0.1.0"),
            ("Data, SHA-256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            ("Model, SHA-256", "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"),
        ]),
        importance: [
            ("median_income", 0.412, 0.012),
            ("ocean_proximity", 0.231, 0.009),
            ("longitude", 0.188, 0.011),
            ("latitude", 0.171, 0.014),
            ("total_bedrooms", 0.045, 0.006),
            (EVIL, 0.0004, 0.003),
            ("listed_on", -0.0011, 0.002),
        ]
        .map(|(column, drop, spread)| Importance { column: column.into(), drop, spread })
        .to_vec(),
        ..data
    }
}

fn regression(n_members: u64, n_epochs: usize, has_validation: bool) -> ReportData {
    let mut noise = Noise::new(1);
    let rows = 640;
    let features: Vec<f32> = (0..rows * 3).map(|_| noise.next() as f32).collect();
    let features = Matrix::new(rows, 3, features).unwrap();
    let curve = |x: &[f32]| f64::from(220.0 + 60.0 * x[0] + 45.0 * (2.0 * x[1]).sin() + 20.0 * x[0] * x[2]);
    let truth: Vec<f32> =
        (0..rows).map(|row| (curve(features.row(row)) + 22.0 * noise.next()).clamp(15.0, 500.0) as f32).collect();
    let answers: Vec<f32> = (0..rows).map(|row| (curve(features.row(row)) + 9.0 * noise.next()) as f32).collect();
    let (truth, answers) = (Matrix::new(rows, 1, truth).unwrap(), Matrix::new(rows, 1, answers).unwrap());
    let names = strings(&["median_house_value"]);
    let of = |name: &str, step: usize| {
        let rows: Vec<u32> = (0..rows as u32).step_by(step).collect();
        let truth = truth.select_rows(&rows);
        let truth = Truth::Numbers { values: &truth, names: &names };
        part(name, &answers.select_rows(&rows), &truth, &features.select_rows(&rows))
    };
    let parts = if has_validation {
        vec![of("training", 1), of("validation", 3), of("test", 2)]
    } else {
        vec![of("training", 1)]
    };
    let pairs = truth.values().iter().zip(answers.values());
    with_the_rest(ReportData {
        title: "median_house_value from houses.csv".into(),
        task: "regression".into(),
        parts,
        runs: (0..n_members).map(|seed| run(seed, n_epochs - seed as usize * n_epochs / 12, has_validation)).collect(),
        metric: Some(Measure::R2),
        points: vec![Points {
            name: "median_house_value".into(),
            values: pairs.map(|(t, p)| [f64::from(*t), f64::from(*p)]).collect(),
        }],
        ..ReportData::default()
    })
}

fn classification(names: &[String], strength: f64, rows: usize) -> ReportData {
    let mut noise = Noise::new(2);
    let n = names.len();
    let indices: Vec<u32> = (0..rows).map(|_| noise.0.below(n as u32)).collect();
    let mut features = Vec::new();
    let mut answers = Vec::new();
    for &class in &indices {
        let z: Vec<f64> = (0..n).map(|k| noise.next() + if k == class as usize { strength } else { 0.0 }).collect();
        let sum: f64 = z.iter().map(|z| z.exp()).sum();
        answers.extend(z.iter().map(|z| (z.exp() / sum) as f32));
        features.extend(z.iter().map(|z| (z + 1.4 * noise.next()) as f32));
    }
    let (features, answers) = (Matrix::new(rows, n, features).unwrap(), Matrix::new(rows, n, answers).unwrap());
    let truth = Truth::Classes { indices: &indices, names };
    let test = part("test", &answers, &truth, &features);
    with_the_rest(ReportData {
        title: format!("{} from table.csv", if n == 2 { "churned" } else { "kind" }),
        task: if n == 2 { "binary classification".into() } else { format!("classification into {n} classes") },
        parts: vec![Part { name: "validation".into(), ..test.clone() }, test],
        runs: vec![run(0, 90, true)],
        metric: Some(Measure::Accuracy),
        confusion: Some(Confusion { names: names.to_vec(), counts: confusion(&answers, &truth).unwrap() }),
        calibration: calibration(&answers, &truth).unwrap(),
        ..ReportData::default()
    })
}

fn labels() -> ReportData {
    let mut noise = Noise::new(3);
    let (rows, names) = (300, strings(&["sports", "politics", "science", EVIL]));
    let truth: Vec<f32> = (0..rows * 4).map(|i| f32::from(u8::from(noise.next() > i as f64 % 4.0 * 0.4))).collect();
    let p: Vec<f32> = truth.iter().map(|t| 1.0 / (1.0 + (-(3.0 * t - 1.5) - noise.next() as f32).exp())).collect();
    let features: Vec<f32> = p.iter().map(|p| p + 0.4 * noise.next() as f32).collect();
    let [truth, p, features] = [truth, p, features].map(|values| Matrix::new(rows, 4, values).unwrap());
    let test = part("test", &p, &Truth::Labels { values: &truth, names: &names }, &features);
    with_the_rest(ReportData {
        title: "4 labels from articles.jsonl".into(),
        task: "multi-label classification".into(),
        parts: vec![test],
        runs: vec![run(0, 40, true)],
        metric: Some(Measure::SubsetAccuracy),
        ..ReportData::default()
    })
}

/// A network that is worse than a straight line.
fn worse_than_linear() -> ReportData {
    let mut data = regression(1, 30, true);
    let test = data.parts.last_mut().unwrap();
    std::mem::swap(&mut test.network, &mut test.baselines[0].1);
    data
}

fn fixtures() -> Vec<(&'static str, ReportData)> {
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let many: Vec<String> = (0..40).map(|i| format!("species {i}")).collect();
    let mut evil = classification(&strings(&["yes", EVIL]), 1.5, 120);
    evil.title = EVIL.into();
    evil.network = EVIL.into();
    vec![
        ("regression", regression(1, 120, true)),
        ("ensemble", regression(5, 120, true)),
        ("one-epoch", regression(1, 1, true)),
        ("no-validation", regression(1, 50, false)),
        ("worse", worse_than_linear()),
        ("binary", classification(&strings(&["stays", "leaves"]), 1.6, 500)),
        ("digits", classification(&digits, 3.2, 1500)),
        ("many", classification(&many, 4.0, 900)),
        ("labels", labels()),
        ("evil", evil),
        ("empty", ReportData { title: "nothing".into(), task: "regression".into(), ..ReportData::default() }),
    ]
}

/// The names of the elements, and whether each is closed in its turn.
fn check_elements(page: &str) -> Result<Vec<String>, String> {
    const EMPTY: [&str; 4] = ["meta", "br", "!doctype", "rect"];
    let (mut open, mut all) = (Vec::new(), Vec::new());
    // Nothing within the style is an element.
    let (head, rest) = page.split_once("<style>").ok_or("no style")?;
    let (_, body) = rest.split_once("</style>").ok_or("an endless style")?;
    for piece in [head, body].concat().split('<').skip(1) {
        let (tag, text) = piece.split_once('>').ok_or_else(|| format!("`<{piece}` does not end"))?;
        if text.contains('>') {
            return Err(format!("`>` in `{text}`"));
        }
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default().to_owned();
        if let Some(closed) = tag.strip_prefix('/') {
            let last: Option<String> = open.pop();
            if last.as_deref() != Some(closed) {
                return Err(format!("`{closed}` closes {last:?}"));
            }
        } else if !tag.ends_with('/') && !EMPTY.contains(&name.as_str()) {
            open.push(name.clone());
            all.push(name);
        }
    }
    if open.is_empty() { Ok(all) } else { Err(format!("{open:?} stay open")) }
}

/// `NNGPU_REPORTS=folder cargo test --bin nngpu report` leaves the pages there to be looked at.
#[test]
fn pages_are_whole_and_need_nothing_beside_them() {
    for (name, data) in fixtures() {
        let page = render(&data);
        if let Some(folder) = std::env::var_os("NNGPU_REPORTS") {
            write_report(&Path::new(&folder).join(format!("{name}.html")), &data).unwrap();
        }
        let elements = check_elements(&page).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        for word in ["script", "link", "img", "iframe", "object"] {
            assert!(!elements.iter().any(|element| element == word), "{name}: {word}");
        }
        for word in ["src=", "href", "url(", "@import", "NaN", "://"] {
            let without_namespace = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!without_namespace.contains(word), "{name}: {word}");
        }
        let n_pictures = page.matches("<svg ").count();
        assert_eq!(page.matches("role=\"img\" aria-labelledby").count(), n_pictures, "{name}");
        assert_eq!(page.matches("</title>").count(), n_pictures + 1, "{name}");
        assert!(page.len() < 400_000, "{name}: {} bytes", page.len());
    }
}

#[test]
fn check_of_elements_sees_faults() {
    assert!(check_elements("<p><style></style></p>").is_ok());
    for fault in ["<style></style><p>", "<style></style><p></b>", "<style></style><p>a > b</p>", "<style></style><p"] {
        assert!(check_elements(fault).is_err(), "{fault}");
    }
}

#[test]
fn names_are_escaped_wherever_they_stand() {
    for (name, data) in fixtures() {
        let page = render(&data);
        assert!(!page.contains("<script"), "{name}");
        assert_eq!(page.contains("&#60;script&#62;"), name != "empty", "{name}");
    }
}

#[test]
fn network_that_is_beaten_is_told() {
    let warning = |data: &ReportData| show::warning(data);
    let worse = warning(&worse_than_linear()).unwrap();
    assert!(worse.starts_with("The network is no better than the linear predictor on the test rows: R² "), "{worse}");
    assert_eq!(warning(&regression(1, 30, true)), None);

    // Better, but by less than the interval.
    let mut close = regression(1, 30, true);
    let test = close.parts.last_mut().unwrap();
    let value = test.network.scores[0].value;
    test.baselines[0].1.scores[0].value = value - 0.001;
    let chance = warning(&close).unwrap();
    assert!(chance.starts_with("The network's lead over the linear predictor may be chance"), "{chance}");

    // A measure that is not defined beats nothing.
    close.parts.last_mut().unwrap().network.scores[0].value = f64::NAN;
    assert!(warning(&close).unwrap().starts_with("The network is no better"));
}

#[test]
fn numbers_are_short() {
    for (value, text) in [
        (0.0, "0"),
        (0.83142, "0.831"),
        (-0.0123, "−0.012"),
        (0.000_012_3, "1.23e−5"),
        (9.9999, "10.00"),
        (123.456, "123.5"),
        (1234.5, "1235"),
        (-20_640.0, "−20\u{202f}640"),
        (1.5e9, "1.500e9"),
        (f64::NAN, "–"),
        (f64::INFINITY, "inf"),
    ] {
        assert_eq!(short(value), text);
    }
}

#[test]
fn data_are_the_same_after_a_file() {
    let score = |measure, value| nngpu::metrics::Score { measure, value, interval: Some([0.25, 0.75]) };
    let scores = vec![score(Measure::Top3Accuracy, 0.5), score(Measure::Auroc, f64::NAN)];
    let network = Metrics { n_rows: 3, scores, parts: Vec::new() };
    let parts =
        vec![Part { name: "test".into(), network: network.clone(), baselines: vec![("linear".into(), network)] }];
    let data = with_the_rest(ReportData { parts, ..ReportData::default() });
    let text = serde_json::to_string(&data).unwrap();
    let again: ReportData = serde_json::from_str(&text).unwrap();
    assert!(again.parts[0].network.scores[1].value.is_nan());
    // Text, since a NaN is not equal to itself.
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}
