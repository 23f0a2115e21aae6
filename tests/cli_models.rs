//! The verbs of the command that take a trained model, as a user runs them.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::LazyLock;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with tables, and models that learned from them.
struct Folder(TempDir);

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// What is ignored is no feature; each model is two small networks.
static TRAINED: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder(tempfile::tempdir().expect("a folder"));
    folder.write("table.csv", &table(60));
    let small = "--epochs 3 --members 2 --hidden 8 --device cpu";
    for (name, target, others) in
        [("y", "y", "kind,hot,wet"), ("kind", "kind", "y,hot,wet"), ("labels", "hot,wet", "y,kind")]
    {
        let run = folder.run(&format!("train table.csv -t {target} --ignore id,{others} {small} -o {name}.model"));
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let run = folder.run("train table.csv -t y --ignore id,kind,hot,wet -e 1 --members 1 --hidden 4 -o one.model");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 2];
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, 40];
    for i in 0..40u8 {
        images.extend(if i % 2 == 0 { [200 + i, 190, i, 10] } else { [i, 10, 200 + i, 190] });
        labels.push(i % 2);
    }
    fs::write(folder.path("images"), images).expect("written");
    fs::write(folder.path("labels"), labels).expect("written");
    let run = folder.run(&format!("train images --labels labels {small} -o images.model"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    folder
});

/// Rows of a number that may be missing, a category, a day, and what is to be predicted.
fn table(rows: usize) -> String {
    let mut text = String::from("id,age,town,day,y,kind,hot,wet\n");
    for i in 0..rows {
        let age = if i % 13 == 12 { "NA".into() } else { format!("{}.50", 20 + i * 7 % 40) };
        let town = ["Rome", "Oslo", "Bonn"][i % 3];
        let (y, kind) = (i * 7 % 40 + 10 * (i % 3), ["low", "middle", "high"][(i * 7 % 40) / 14]);
        let (hot, wet) = (["no", "yes"][i % 2], ["no", "yes"][i / 3 % 2]);
        text += &format!("{i}.10,{age},{town},2024-{:02}-{:02},{y}.25,{kind},{hot},{wet}\n", 1 + i % 12, 1 + i % 28);
    }
    text
}

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn run(&self, arguments: &str) -> Run {
        self.run_with(arguments, "")
    }

    /// Runs the command with a text as standard input.
    fn run_with(&self, arguments: &str, input: &str) -> Run {
        let mut command = Command::cargo_bin("nngpu").expect("built");
        command.env("NNGPU_CACHE_DIR", self.path("cache")).current_dir(self.0.path());
        let output = command.args(arguments.split_whitespace()).write_stdin(input).output().expect("ran");
        let Output { status, stdout, stderr } = output;
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Run { code: status.code().expect("ended by itself"), stdout: text(stdout), stderr: text(stderr) }
    }

    /// What a run prints that goes well.
    #[track_caller]
    fn prints(&self, arguments: &str) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    }

    #[track_caller]
    fn refuses(&self, arguments: &str, code: i32, message: &str) {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(run.stderr.contains(message), "`{message}` is not in: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

/// The fields of a line without quotes.
fn fields(line: &str) -> Vec<&str> {
    line.split(',').collect()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is a number"))
}

#[test]
fn predictions_have_the_columns_that_are_asked_for() {
    let folder = &*TRAINED;
    let text = folder.prints("predict kind.model table.csv --id id --keep age,kind --top 2 --probabilities --spread");
    let mut lines = text.lines();
    let expected = "id,age,kind,predicted kind,probability,spread,kind 2,probability 2,spread 2,\
                    probability of high,spread of high,probability of low,spread of low,\
                    probability of middle,spread of middle";
    assert_eq!(lines.next(), Some(expected));
    for (i, line) in lines.enumerate() {
        let fields = fields(line);
        assert_eq!(fields[0], format!("{i}.10"));
        let of: Vec<f64> = [9, 11, 13].map(|place| number(fields[place])).to_vec();
        assert!((of.iter().sum::<f64>() - 1.0).abs() <= 1e-5, "{line}");
        let mut sorted = of.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        assert_eq!([number(fields[4]), number(fields[7])], sorted[..2], "{line}");
        let best = ["high", "low", "middle"][of.iter().position(|p| *p == sorted[0]).expect("one of them")];
        assert_eq!(fields[3], best);
        assert!(number(fields[5]) >= 0.0);
    }
    assert_eq!(text.lines().count(), 61);
    // As it is written, whatever it means.
    assert_eq!(fields(text.lines().nth(1).expect("a row"))[1], "20.50");
    assert_eq!(fields(text.lines().nth(13).expect("a row"))[1], "NA");
}

#[test]
fn numbers_and_labels_have_their_columns() {
    let folder = &*TRAINED;
    let text = folder.prints("predict y.model table.csv --spread");
    assert_eq!(text.lines().next(), Some("y,spread of y"));
    assert!(text.lines().skip(1).all(|line| number(fields(line)[1]) > 0.0), "{text}");
    let text = folder.prints("predict labels.model table.csv --keep town");
    assert_eq!(text.lines().next(), Some("town,hot,probability of hot,wet,probability of wet"));
    for line in text.lines().skip(1) {
        let fields = fields(line);
        for (word, probability) in [(fields[1], fields[2]), (fields[3], fields[4])] {
            assert_eq!(word, if number(probability) >= 0.5 { "yes" } else { "no" }, "{line}");
        }
    }
}

#[test]
fn json_lines_say_what_csv_says() {
    let folder = &*TRAINED;
    for options in ["kind.model table.csv --keep age,town --top 3 --spread", "labels.model table.csv --keep age"] {
        let csv = folder.prints(&format!("predict {options}"));
        let json = folder.prints(&format!("predict {options} --as jsonl"));
        let names = fields(csv.lines().next().expect("a header"));
        assert_eq!(json.lines().count(), 60);
        for (line, object) in csv.lines().skip(1).zip(json.lines()) {
            let object: Value = serde_json::from_str(object).expect("JSON");
            for (name, field) in names.iter().zip(fields(line)) {
                match &object[name] {
                    Value::Null => assert_eq!((*name, field), ("age", "NA")),
                    Value::String(text) => assert_eq!(text, field),
                    other => assert_eq!(other.as_f64(), field.parse().ok(), "{name}"),
                }
            }
            // The order of the columns is that of the keys.
            assert!(object.as_object().expect("an object").len() == names.len());
        }
        assert!(json.starts_with(r#"{"age":"20.50","#), "{json}");
    }
}

/// More rows than are read at a time.
const MANY: usize = 10_000;

#[test]
fn standard_input_is_predicted_as_it_comes() {
    let folder = &*TRAINED;
    let text = table(MANY);
    folder.write("many.csv", &text);
    let run = folder.run_with("predict y.model -", &text);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), MANY + 1);
    assert_eq!(run.stdout, folder.prints("predict y.model many.csv"));
}

#[test]
fn rows_before_an_error_are_printed_and_the_error_says_its_line() {
    let folder = &*TRAINED;
    let text = table(MANY) + "1.10,old,Rome,2024-01-01,1,low,no,no\n";
    let run = folder.run_with("predict y.model -", &text);
    assert_eq!((run.code, run.stdout.lines().count()), (1, 8193), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("standard input, line {}, column `age`: found", MANY + 2)), "{}", run.stderr);
    // A file is whole or not there.
    let run = folder.run_with("predict y.model - --output late.csv", &text);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert!(!folder.path("late.csv").exists());
}

#[test]
fn what_was_not_learned_of_is_told_once() {
    let folder = &*TRAINED;
    let text: String = table(MANY).lines().map(|line| line.replace("Rome", "Paris") + "\n").collect();
    let run = folder.run_with("predict y.model -", &text);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let told = format!(
        "column `town`: {} rows hold values that the model learned nothing of, the first is `Paris` in line 2",
        MANY.div_ceil(3)
    );
    assert_eq!(run.stderr.matches(&told).count(), 1, "{}", run.stderr);
    assert_eq!(run.stderr.matches("warning").count(), 1, "{}", run.stderr);

    folder.write("short.csv", "extra,day,age\nx,2024-03-01,31\ny,2024-03-02,32\n");
    folder.refuses("predict y.model short.csv", 1, "--allow-missing-columns");
    let run = folder.run("predict y.model short.csv --allow-missing-columns");
    assert_eq!((run.code, run.stdout.lines().count()), (0, 3), "{}", run.stderr);
    assert_eq!(run.stderr.matches("no column is named `town`").count(), 1, "{}", run.stderr);
}

#[test]
fn what_a_model_cannot_tell_is_refused() {
    let folder = &*TRAINED;
    folder.refuses(
        "predict y.model table.csv --top 2",
        1,
        "top: found a model for regression, expected a model of classes",
    );
    folder.refuses("predict kind.model table.csv --top 4", 1, "top: found 4, expected 1 to 3");
    folder.refuses("predict kind.model table.csv --top 0", 1, "top: found 0, expected 1 to 3");
    folder.refuses("predict y.model table.csv --probabilities", 1, "probabilities: found a model of numbers");
    folder.refuses("predict one.model table.csv --spread", 1, "spread: found a model of one network");
    folder.refuses("predict y.model table.csv --keep twon", 1, "did you mean `town`?");
    folder.refuses("predict y.model table.csv --id id --keep id", 1, "keep: found `id` twice");
    folder.refuses("predict y.model table.csv --as xml", 2, "possible values: csv, jsonl");
    folder.refuses("predict images.model images --keep a", 1, "no columns, which images do not have");
    folder.refuses("predict y.model table.csv -o table.csv", 1, "is read by this command");
    folder.refuses("predict y.model table.csv -o y.model", 1, "is read by this command");
    assert_eq!(fs::read_to_string(folder.path("table.csv")).expect("readable"), table(60));
}

#[test]
fn eval_measures_what_predict_says() {
    let folder = &*TRAINED;
    let text = folder.prints("predict kind.model table.csv --keep kind");
    let is_right = |line: &&str| fields(line)[0] == fields(line)[1];
    let accuracy = text.lines().skip(1).filter(is_right).count() as f64 / 60.0;

    let told: Value = serde_json::from_str(&folder.prints("eval kind.model table.csv --by town --json")).expect("JSON");
    assert_eq!((&told["version"], &told["metrics"]["n_rows"]), (&1.into(), &60.into()));
    let first = &told["metrics"]["scores"][0];
    assert_eq!(first["measure"], "accuracy");
    assert!((first["value"].as_f64().expect("a number") - accuracy).abs() <= 1e-12);
    let [low, high] = [0, 1].map(|side| first["interval"][side].as_f64().expect("a number"));
    assert!(low <= accuracy && accuracy <= high && low < high);
    let counts = told["confusion"]["counts"].as_array().expect("rows");
    let diagonal: u64 = (0..3).map(|class| counts[class][class].as_u64().expect("a count")).sum();
    assert_eq!(diagonal as f64 / 60.0, accuracy);
    let levels = told["by"][0]["slices"].as_array().expect("slices");
    assert_eq!(levels.iter().map(|slice| slice["metrics"]["n_rows"].as_u64()).sum::<Option<u64>>(), Some(60));

    let text = folder.prints("eval kind.model table.csv --by town");
    for part in ["accuracy", "Matthews' correlation [mcc]", "true ╲ answered", "Rome", " to "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = folder.prints("eval y.model table.csv");
    assert!(text.contains("R² [r2]") && !text.contains('╲'), "{text}");
    let text = folder.prints("eval labels.model table.csv");
    assert!(text.contains("subset accuracy") && text.contains("wet"), "{text}");
    let text = folder.prints("eval images.model images --labels labels");
    assert!(text.contains("40 rows") && text.contains("accuracy"), "{text}");
}

#[test]
fn eval_fails_under_a_bound_with_a_code_of_its_own() {
    let folder = &*TRAINED;
    let run = folder.run("eval kind.model table.csv --fail-under accuracy=0 --fail-under log_loss=100");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = folder.run("eval kind.model table.csv --fail-under accuracy=0 --fail-under accuracy=1.5");
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stdout.contains("accuracy"), "{}", run.stdout);
    assert_eq!(run.stderr.matches("error: accuracy is 0.").count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains(", expected accuracy at least 1.5"), "{}", run.stderr);
    let run = folder.run("eval y.model table.csv --fail-under rmse=0 --json");
    assert_eq!(run.code, 5, "{}", run.stderr);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(told["conditions"][0]["holds"], false);
    folder.refuses("eval kind.model table.csv --fail-under acuracy=0.9", 2, "did you mean `accuracy`?");
    folder.refuses("eval y.model table.csv --fail-under accuracy=0.9", 1, "not measured for this task");
}

#[test]
fn eval_needs_answers_that_it_knows() {
    let folder = &*TRAINED;
    let mut text: Vec<String> = table(60).lines().map(str::to_owned).collect();
    text[3] = text[3].replace("middle", "").replace("low", "").replace("high", "");
    folder.write("holes.csv", &text.join("\n"));
    let run = folder.run("eval kind.model holes.csv");
    assert!(run.stdout.contains("59 rows; 1 more have no target"), "{}{}", run.stdout, run.stderr);
    folder.write("other.csv", &table(60).replace("middle", "medium"));
    folder.refuses("eval kind.model other.csv", 1, "found the class `medium`");
    folder.write("none.csv", "age,town,day,kind\n1,Rome,2024-01-01,\n");
    folder.refuses("eval kind.model none.csv", 1, "found no row with a value");
    folder.write("without.csv", "age,town,day\n1,Rome,2024-01-01\n");
    folder.refuses("eval kind.model without.csv", 1, "no column is named `kind`");
    folder.refuses("eval kind.model table.csv --by twon", 1, "did you mean `town`?");
    folder.refuses("eval kind.model table.csv --labels labels", 1, "labels: found labels of images");
    folder.refuses("eval images.model images", 1, "labels: found none");
}

/// The pairs under the last heading of an explanation.
fn explained(text: &str) -> Vec<(String, String)> {
    let last: Vec<&str> = text.trim_end().lines().rev().take_while(|line| line.starts_with("  ")).collect();
    let pair = |line: &&str| {
        let (name, value) = line[2..].split_at(line[2..].len().min(18));
        (name.trim().to_owned(), value.trim().to_owned())
    };
    last.iter().rev().map(pair).collect()
}

#[test]
fn an_explanation_ends_with_what_predict_prints() {
    let folder = &*TRAINED;
    for model in ["y", "kind", "labels", "one", "images"] {
        let data = if model == "images" { "images" } else { "table.csv" };
        let text = folder.prints(&format!("predict {model}.model {data}"));
        let names = fields(text.lines().next().expect("a header"));
        for row in [1, 13, 40] {
            let line = fields(text.lines().nth(row).expect("a row"));
            let told = folder.prints(&format!("explain {model}.model {data} --row {row}"));
            let pairs = explained(&told);
            assert_eq!(pairs.len(), names.len(), "{told}");
            for ((name, value), (told_name, told_value)) in names.iter().zip(line).zip(pairs) {
                assert!(told_name == *name && told_value == value, "{name} {value}: {told}");
            }
        }
    }
}

#[test]
fn an_explanation_has_the_numbers_of_its_row() {
    let folder = &*TRAINED;
    let text = folder.prints("explain kind.model table.csv --row 2 --member 2 --full");
    assert!(text.starts_with("Row 2 of table.csv\nby network 2 of 2"), "{text}");
    for part in ["age: 27.5", "town: Oslo", "is it Oslo? yes = 1", "is it Rome? no = 0", "8 neurons over", "Softmax"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Every sum that is told adds up: (x × w name) + … + (b bias) = z.
    let mut n_sums = 0;
    for line in text.lines().filter(|line| line.contains(" bias) = ")) {
        let (sum, rest) = line.split_once("bias) = ").expect("a sum");
        let told = number(rest.split(';').next().expect("a number").trim());
        let bias = number(sum.rsplit('(').next().expect("a term").trim());
        let products = sum.split(" × ").zip(sum.split(" × ").skip(1)).map(|(before, after)| {
            let x = before.rsplit(['(', ' ']).next().expect("an input");
            number(x) * number(after.split(' ').next().expect("a weight"))
        });
        let found = products.sum::<f64>() + bias;
        assert!((found - told).abs() <= 1e-4 * (1.0 + told.abs()), "{found}: {line}");
        n_sums += 1;
    }
    assert_eq!(n_sums, 8 + 3);

    let text = folder.prints("explain y.model table.csv --row 13");
    assert!(text.contains("age: missing") && text.contains("missing, so "), "{text}");
    assert!(text.contains("Back to the units of the target"), "{text}");
}

#[test]
fn explanations_of_what_is_not_there_are_refused() {
    let folder = &*TRAINED;
    folder.refuses("explain y.model table.csv --row 61", 1, "row: found 61, expected 1 to 60, the rows of the data");
    folder.refuses("explain y.model table.csv --row 0", 1, "row: found 0, expected 1 to 60");
    folder.refuses("explain y.model table.csv --row 1 --member 3", 1, "member: found 3, expected 1 to 2");
    folder.refuses("explain one.model table.csv --row 1 --member 0", 1, "member: found 0, expected 1, since");
    folder.refuses("explain y.model table.csv", 2, "--row");
    folder.refuses("explain images.model images --row 41", 1, "row: found 41, expected 1 to 40, the images");
}

#[test]
fn inspect_tells_what_is_in_a_model() {
    let folder = &*TRAINED;
    let text = folder.prints("inspect kind.model --weights");
    for part in [
        "2 networks of this shape",
        "town",
        "classification of `kind` in 3 classes",
        "classes: high, low, middle",
        "learned by cross_entropy",
        "table.csv, 60 rows",
        "SHA-256",
        "option    epochs = 3",
        "members.1.layers.0.scale",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let told: Value = serde_json::from_str(&folder.prints("inspect y.model --json --weights")).expect("JSON");
    assert_eq!((&told["version"], &told["members"]), (&1.into(), &2.into()));
    assert_eq!(told["provenance"]["data"]["n_rows"], 60);
    assert_eq!(told["layers"].as_array().expect("layers").last().expect("one")["columns"], 1);
    let weights = told["weights"].as_array().expect("weights");
    assert_eq!(weights[0]["name"], "members.0.layers.0.scale");
    let first =
        weights.iter().find(|weights| weights["name"] == "members.0.layers.1.weight").expect("the first layer's");
    let [min, mean, max, norm] = ["min", "mean", "max", "norm"].map(|name| first[name].as_f64().expect("a number"));
    let size = first["shape"][0].as_f64().expect("rows") * first["shape"][1].as_f64().expect("columns");
    assert!(min < mean && mean < max && norm <= size.sqrt() * min.abs().max(max) && norm >= max);
    let text = folder.prints("inspect images.model");
    assert!(text.contains("images of 4 pixels, each divided by 255"), "{text}");
    assert!(folder.prints("inspect labels.model").contains("`wet`: no or yes"));
    folder.refuses("inspect table.csv", 1, "table.csv: ");
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = &*TRAINED;
    folder.write("long.csv", &table(40_000));
    let nngpu = assert_cmd::cargo::cargo_bin!("nngpu").display().to_string();
    for verb in
        ["predict y.model long.csv", "predict y.model long.csv --as jsonl", "inspect y.model", "eval y.model table.csv"]
    {
        let script = format!("{{ {nngpu} {verb} 2>errors; echo $? >code; }} | head -c 1 >/dev/null");
        let status = std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.0.path()).status();
        assert!(status.expect("ran").success());
        let read = |name: &str| fs::read_to_string(folder.path(name)).expect("readable");
        assert_eq!(read("code").trim(), "0", "{verb}: {}", read("errors"));
        assert!(!read("errors").contains("error"), "{}", read("errors"));
    }
}
