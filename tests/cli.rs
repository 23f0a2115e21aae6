//! The command as a user runs it: what it prints where, how it ends, what it leaves behind.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// An empty folder to run the command in, and one where it remembers adapters.
struct Folder(TempDir, TempDir);

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Folder {
        fs::write(self.path(name), text).expect("written");
        self
    }

    /// The folder with a table of 60 rows: `y` is 3a - 2b, `kind` its sign, `text` no number.
    fn with_table() -> Folder {
        let folder = Folder::new();
        let mut text = String::from("a,b,y,kind,text\n");
        for i in 0..60 {
            let (a, b) = (f64::from(i % 7) - 3.0, f64::from(i % 11) - 5.0);
            let y = 3.0 * a - 2.0 * b;
            text += &format!("{a},{b},{y},{},t{i}\n", if y >= 0.0 { "plus" } else { "minus" });
        }
        folder.write("table.csv", text);
        folder
    }

    /// Images of 2 by 2 pixels whose bright row is their label, and their labels.
    fn with_images() -> Folder {
        let folder = Folder::new();
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 2];
        let mut labels = vec![0, 0, 8, 1, 0, 0, 0, 40];
        for i in 0..40u8 {
            let bright = [200 + i, 190];
            let dark = [i, 10];
            images.extend(if i % 2 == 0 { [bright, dark].concat() } else { [dark, bright].concat() });
            labels.push(i % 2);
        }
        folder.write("images", images).write("labels", labels);
        folder
    }

    #[track_caller]
    fn run(&self, arguments: &str) -> Run {
        self.run_words(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    #[track_caller]
    fn run_words(&self, arguments: &[&str]) -> Run {
        let mut command = Command::cargo_bin("nngpu").expect("built");
        command.env("NNGPU_CACHE_DIR", self.memory().parent().expect("a folder"));
        let Output { status, stdout, stderr } =
            command.current_dir(self.0.path()).args(arguments).output().expect("ran");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Run { code: status.code().expect("ended by itself"), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Runs what must be refused, and checks the exit code and a part of the message.
    #[track_caller]
    fn refuses(&self, arguments: &str, code: i32, message: &str) {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(run.stderr.contains(message), "`{message}` is not in: {}", run.stderr);
        assert!(run.stderr.contains("error: "), "{}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }

    /// The file that remembers adapters.
    fn memory(&self) -> PathBuf {
        self.1.path().join("cache/examined.json")
    }

    /// Trains for a step on the adapter under test.
    #[track_caller]
    fn train_on_gpu(&self, options: &str) -> Run {
        let device = std::env::var("NNGPU_TEST_DEVICE").unwrap_or("0".into());
        let arguments = format!("train table.csv -t y --ignore kind,text -e 1 --hidden 4 {options} --device");
        let words: Vec<_> = arguments.split_whitespace().chain([device.as_str()]).collect();
        let run = self.run_words(&words);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run
    }

    /// Runs what must succeed.
    #[track_caller]
    fn runs(&self, arguments: &str) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run
    }

    /// A table with a column of each type: 80 rows, of which some lack `price` or `size`.
    fn with_sales() -> Folder {
        let folder = Folder::new();
        let mut text = String::from("id,day,town,size,has_garden,weight,owner,price\n");
        for i in 0..80 {
            let size = if i % 17 == 3 { String::new() } else { (50 + i * 7 % 90).to_string() };
            let price = if i % 29 == 5 { "NA".into() } else { format!("{}.5", 100 + (i * 7 % 90) * 3 + i % 4) };
            let town = ["Ulm", "Bonn", "Jena", "Kiel"][i % 4];
            let day = format!("2024-{:02}-{:02}", 1 + i / 28, 1 + i % 28);
            let garden = if i % 3 == 0 { "yes" } else { "no" };
            text += &format!("{},{day},{town},{size},{garden},{},o{},{price}\n", 1000 + i, 1 + i % 2, i % 11);
        }
        folder.write("sales.csv", text);
        folder
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("readable");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name).display().to_string()
}

#[test]
fn iris_is_learned_and_predicted() {
    let folder = Folder::new();
    let run = folder.run(&format!("train {} --target species", example("iris.csv")));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("device: CPU"), "{}", run.stderr);
    assert!(run.stderr.contains("classification of `species` in 3 classes"), "{}", run.stderr);
    assert!(run.stdout.contains("model written to model.safetensors"), "{}", run.stdout);
    assert_eq!(folder.names(), ["model.safetensors"]);

    let run = folder.run(&format!("predict model.safetensors {}", example("iris.csv")));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let data = fs::read_to_string(example("iris.csv")).expect("readable");
    let mut lines = run.stdout.lines();
    assert_eq!(lines.next(), Some("species,probability"));
    let right = lines.zip(data.lines().skip(1)).filter(|(predicted, row)| {
        let (class, probability) = predicted.split_once(',').expect("two fields");
        assert!((0.33..=1.0).contains(&probability.parse::<f64>().expect("a number")), "{predicted}");
        row.ends_with(&format!(",{class}"))
    });
    let right = right.count();
    assert!(right >= 143, "{right} of 150 rows, fewer than 95 %");
}

#[test]
fn numbers_are_predicted_in_their_own_units() {
    let folder = Folder::with_table();
    let run = folder.run("train table.csv --target y --ignore kind,text --epochs 300 --output y.safetensors");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("RMSE"), "{}", run.stdout);
    // Other columns, and another order.
    folder.write("new.csv", "extra,b,a\nx,5,-3\ny,-5,3\nz,0,0\n");
    let run = folder.run("predict y.safetensors new.csv");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut lines = run.stdout.lines();
    assert_eq!(lines.next(), Some("y"));
    for (line, expected) in lines.zip([-19.0, 19.0, 0.0]) {
        let found: f64 = line.parse().expect("a number");
        assert!((found - expected).abs() <= 2.0, "{found} for {expected}");
    }
}

#[test]
fn predictions_go_to_a_file_when_asked() {
    let folder = Folder::with_table();
    assert_eq!(folder.run("train table.csv -t kind --ignore y,text -e 2").code, 0);
    let run = folder.run("predict model.safetensors table.csv --output out.csv");
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    assert_eq!(fs::read_to_string(folder.path("out.csv")).expect("written").lines().count(), 61);
}

#[test]
fn a_test_table_is_measured_with_the_same_classes() {
    let folder = Folder::with_table();
    // Only one of the two classes is in it.
    folder.write("test.csv", "kind,b,a\nplus,-5,3\nplus,-4,3\n");
    let run = folder.run("train table.csv -t kind --ignore y,text --test test.csv");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("test, 2 rows"), "{}", run.stdout);
    folder.write("test.csv", "kind,b,a\nneither,-5,3\n");
    folder.refuses("train table.csv -t kind --ignore y,text --test test.csv", 1, "found the class `neither`");
}

#[test]
fn images_are_learned_and_predicted() {
    let folder = Folder::with_images();
    let arguments = "train images --labels labels --test images --test-labels labels --hidden 8 --epochs 60 \
                     --batch-size 5 --validation 0";
    let run = folder.run(arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.lines().any(|line| line.trim_start().starts_with("accuracy ") && line.contains(" 1.0000 ")),
        "{}",
        run.stdout
    );
    let run = folder.run("predict model.safetensors images");
    let classes: Vec<_> = run.stdout.lines().skip(1).map(|line| line.split_once(',').expect("two fields").0).collect();
    assert_eq!(classes, ["0", "1"].repeat(20));
}

#[test]
fn one_seed_gives_the_same_file_and_another_does_not() {
    let folder = Folder::with_table();
    let mut files = Vec::new();
    for seed in [7, 7, 8] {
        let run = folder.run(&format!("train table.csv -t y --ignore kind,text -e 3 --seed {seed} -o m.safetensors"));
        assert_eq!(run.code, 0, "{}", run.stderr);
        files.push(fs::read(folder.path("m.safetensors")).expect("written"));
    }
    assert!(files[0] == files[1]);
    assert!(files[0] != files[2]);
}

#[test]
fn cpu_and_gpu_show_the_same_losses() {
    if common::gpu().is_none() {
        return;
    }
    let folder = Folder::new();
    let table = |device: &str| {
        let run = folder.run(&format!("train {} -t species -e 5 --device {device}", example("iris.csv")));
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    // Four decimals of the losses: 20 steps leave the weights apart by far less.
    assert_eq!(table("cpu"), table("0"));
    assert_eq!(table("cpu"), table("reference"));
}

#[test]
fn data_that_cannot_be_used_are_refused() {
    let folder = Folder::with_table();
    folder
        .write("empty.csv", "")
        .write("header.csv", "a,b\n")
        .write("ragged.csv", "a,b\n1,2\n1,2,3\n")
        .write("one.csv", "a,y\n1,x\n2,x\n")
        .write("ids.csv", (0..30).fold("id,y\n".into(), |text: String, i| text + &format!("u{i},{}\n", i % 3)));
    folder.refuses("train no.csv -t y", 1, "no.csv: no such file");
    folder.refuses("train . -t y", 1, "found a directory");
    folder.refuses("train empty.csv -t y", 1, "empty.csv: the file is empty");
    folder.refuses("train header.csv -t a", 1, "no row below it");
    folder.refuses("train ragged.csv -t a", 1, "ragged.csv, line 3: found 3 fields, expected 2");
    folder.refuses("train table.csv -t knd", 1, "no column is named `knd`; did you mean `kind`?");
    folder.refuses("train one.csv -t y", 1, "found one class only, `x`");
    folder.refuses("train ids.csv -t y", 1, "`id` is ");
    folder.refuses("train table.csv -t kind --ignore y,text --task regression", 1, "--task classification");
    folder.refuses("train table.csv -t y --test no.csv", 1, "no.csv: no such file");
    folder.refuses("train table.csv -t y --weight b", 1, "line 2, column `b`: found `-5`, expected a weight");
    folder.refuses("train table.csv -t y --time kind", 1, "line 2, column `kind`: found `plus`");
    folder.refuses("train table.csv -t y --type kind=number", 1, "since the type `number` is given");
    folder.refuses("train table.csv -t y --target-transform log", 1, "whose logarithm is learned");
    folder.refuses("train table.csv -t y,y", 1, "found `y` twice");
    assert!(!folder.path("model.safetensors").exists());
}

#[test]
fn options_that_cannot_be_used_are_refused() {
    let folder = Folder::with_table();
    folder.refuses("train", 1, "expected a file to learn from");
    folder.refuses("train table.csv", 1, "`--target COLUMN`");
    folder.refuses("train table.csv", 1, "the columns are `a`, `b`, `y`, `kind`, `text`");
    folder.refuses("train table.csv -t y --labels l", 2, "cannot be used with");
    folder.refuses("train table.csv -t y --time a --group b", 2, "cannot be used with");
    folder.refuses("train table.csv -t y --layers 8 --hidden 8", 2, "cannot be used with");
    folder.refuses("train table.csv -t y --activation swish", 2, "found `swish`, expected one of identity, relu");
    folder.refuses("train table.csv -t y --activation x*y", 2, "as a formula: found `y` at column 3");
    folder.refuses(
        "train table.csv -t y --layers gleu",
        1,
        "layers: found `gleu`, expected a number of outputs, a layer",
    );
    folder.refuses("train table.csv -t y --layers embedding(0,2,2)", 1, "expected layers without embeddings");
    folder.refuses("train table.csv -t y --loss cross_entropy", 1, "found `cross_entropy`, expected one for numbers");
    folder.refuses("train table.csv -t kind --loss mse", 1, "found `mse`, expected one for classes");
    folder.refuses("train table.csv -t y --schedule cosin", 1, "schedule: found `cosin`");
    folder.refuses("train table.csv -t y -l 1 --schedule step(1,0.5,9)", 1, "found one beside the schedule");
    folder.refuses("train table.csv -t y --clip-norm 0", 1, "largest norm of the gradients: found 0");
    folder.refuses("train table.csv -t y --ema 1", 1, "expected a number from 0 to below 1");
    folder.refuses("train table.csv -t y --optimizer bfgs", 2, "possible values: sgd, momentum, rmsprop");
    folder.refuses("train table.csv -t y --learning-rate 0", 1, "expected a number above 0");
    folder.refuses("train table.csv -t y --learning-rate nan", 1, "learning-rate: found no finite number");
    folder.refuses("train table.csv -t y --min-delta inf", 1, "min-delta: found no finite number");
    folder.refuses("train table.csv -t y --validation 1", 1, "expected a part from 0 to below 1, folds, or a file");
    folder.refuses("train table.csv -t y --validation folds --time a", 1, "in order of time");
    folder.refuses("train table.csv -t y --test 1.5", 1, "test: found `1.5`");
    folder.refuses("train table.csv -t y --batch-size 0", 1, "batch size: found 0");
    folder.refuses("train table.csv -t y --epochs 0", 1, "epochs: found 0");
    folder.refuses("train table.csv -t y --members 0", 1, "members: found 0");
    folder.refuses("train table.csv -t y --patience 0", 1, "patience: found 0");
    folder.refuses("train table.csv -t y --accumulate 0", 1, "accumulate: found 0");
    folder.refuses("train table.csv -t y --max-time 5", 1, "expected a span of time such as 60s");
    folder.refuses("train table.csv -t y --fill no", 1, "fill: found `no`, expected mean, median or zero");
    folder.refuses("train table.csv -t y --scale no", 1, "scale: found `no`, expected standard, quantile");
    folder.refuses("train table.csv -t y --class-weights no", 1, "expected balanced or equal");
    folder.refuses("train table.csv -t y --encoding no", 1, "no encoding is named `no`");
    folder.refuses("train table.csv -t y --type a", 2, "expected a column and its type, such as zip=category");
    folder.refuses("train table.csv -t y --type a=many", 2, "found `many`, expected one of number, boolean");
    folder.refuses("train table.csv -t y --log loud", 2, "expected human, jsonl or quiet");
    folder.refuses("train table.csv -t y --hidden 8,x", 2, "invalid value 'x'");
    folder.refuses("train table.csv -t y --hidden 8,0,8", 1, "found `0` with outputs 0");
    folder.refuses("train table.csv -t y --device voodoo", 1, "no GPU adapter matches `voodoo`");
    folder.refuses("trian", 2, "'train'");
    assert_eq!(folder.names(), ["table.csv"]);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_training() {
    let folder = Folder::with_table();
    let before = fs::read(folder.path("table.csv")).expect("readable");
    folder.refuses("train table.csv -t y --ignore kind,text -o no/m.safetensors", 1, "there is no folder `no`");
    folder.refuses("train table.csv -t y --ignore kind,text -o .", 1, "is no model file");
    folder.refuses("train table.csv -t y --report no/r.html", 1, "there is no folder `no`");
    folder.refuses("train table.csv -t y --report table.csv", 1, "is read by this command");
    folder.refuses("train table.csv -t y --checkpoint table.csv", 1, "is read by this command");
    folder.refuses("train table.csv -t y --tensorboard table.csv", 1, "table.csv: cannot be written");
    folder.refuses(
        "train table.csv -t y --ignore kind,text -o table.csv",
        1,
        "is no model file, so it is not replaced",
    );
    assert_eq!(fs::read(folder.path("table.csv")).expect("readable"), before);
    assert_eq!(folder.names(), ["table.csv"]);
}

#[test]
fn a_loss_that_is_no_number_is_traced() {
    let folder = Folder::with_table();
    let arguments =
        "train table.csv -t y --ignore kind,text --optimizer sgd --learning-rate 1e6 --schedule constant --device";
    for device in ["cpu", "reference"] {
        let run = folder.run(&format!("{arguments} {device}"));
        assert_eq!(run.code, 1);
        assert!(run.stderr.contains(" at step "), "{}", run.stderr);
        assert!(run.stderr.contains("; try a smaller learning rate, 100000 instead of 1e6"), "{}", run.stderr);
    }
    assert!(!folder.path("model.safetensors").exists());
}

#[test]
fn model_files_that_cannot_be_used_are_refused() {
    let folder = Folder::with_table();
    assert_eq!(folder.run("train table.csv -t kind --ignore y,text -e 1").code, 0);
    let whole = fs::read(folder.path("model.safetensors")).expect("written");
    folder.write("cut", &whole[..whole.len() - 1]).write("empty", "").write("short.csv", "a\n1\n");
    folder.refuses("predict no table.csv", 1, "no: no such file");
    folder.refuses("predict table.csv table.csv", 1, "expected a whole safetensors file");
    folder.refuses("predict cut table.csv", 1, "expected a whole safetensors file");
    folder.refuses("predict empty table.csv", 1, "expected a whole safetensors file");
    folder.refuses("predict model.safetensors short.csv", 1, "no column is named `b`");
    folder.refuses("predict model.safetensors table.csv -o no/p.csv", 1, "there is no folder `no`");
    folder.refuses("predict model.safetensors table.csv -o ./table.csv", 1, "is read by this command");
    folder.refuses("predict model.safetensors table.csv -o model.safetensors", 1, "is read by this command");
    // The header is text between its length and the weights, whose bytes must stay.
    let end = 8 + u64::from_le_bytes(whole[..8].try_into().expect("8 bytes")) as usize;
    let header = std::str::from_utf8(&whole[8..end]).expect("text");
    let newer = header.replace("\\\"version\\\":3", "\\\"version\\\":9");
    assert_ne!(newer, header);
    folder.write("newer", [&whole[..8], newer.as_bytes(), &whole[end..]].concat());
    folder.refuses("predict newer table.csv", 1, "found version 9 of the format, expected 1 to 3");
}

#[test]
fn devices_are_listed() {
    let folder = Folder::new();
    let run = folder.run("devices --json");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(report["version"], 1);
    let names: Vec<&str> =
        report["adapters"].as_array().expect("a list").iter().map(|a| a["name"].as_str().expect("a name")).collect();
    let table = folder.run("devices").stdout;
    assert!(names.iter().all(|name| table.contains(name)), "{table}");
    assert_eq!(names.is_empty(), common::gpu().is_none());
}

#[test]
fn devices_are_examined() {
    let run = Folder::new().run("doctor --all --json");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(report["version"], 1);
    assert_eq!(report["nngpu"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["kernels"].as_str().map(str::len), Some(16));
    assert_eq!(report["is_checked"], cfg!(debug_assertions));
    assert_eq!(
        (&report["os"], &report["architecture"]),
        (&std::env::consts::OS.into(), &std::env::consts::ARCH.into())
    );
    let devices = report["devices"].as_array().expect("a list");
    assert_eq!(devices.len() > 1, common::gpu().is_some());
    for (n, device) in devices.iter().enumerate() {
        assert_eq!((&device["passed"], &device["error"]), (&true.into(), &serde_json::Value::Null), "{device}");
        let findings = device["findings"].as_array().expect("a list");
        let mut names: Vec<_> = findings.iter().map(|finding| finding["name"].as_str().expect("a name")).collect();
        names.dedup();
        assert_eq!(names.len(), nngpu::kernels::all_and_examples().len() + 1, "{names:?}");
        assert!(findings.iter().all(|finding| finding["passed"] == true), "{device}");
        let adapter = &device["adapter"];
        assert_eq!(adapter.is_null(), n == 0, "only the CPU has none");
        if n > 0 {
            for field in ["name", "backend", "kind", "driver", "driver_info"] {
                assert!(adapter[field].is_string(), "{field} of {adapter}");
            }
            assert!(adapter["vendor"].is_u64() && adapter["device"].is_u64() && adapter["features"].is_array());
            let limits = adapter["limits"].as_object().expect("limits");
            assert!(limits.len() >= 7 && limits.values().all(|limit| limit.as_u64() > Some(0)), "{adapter}");
        }
    }
}

#[test]
fn an_examination_fits_a_terminal() {
    let folder = Folder::new();
    let run = folder.run("doctor --device cpu");
    assert_eq!(run.stdout.matches("  passed").count(), nngpu::kernels::all_and_examples().len() + 1, "{}", run.stdout);
    assert!(!folder.memory().exists(), "the CPU needs no examination");
    let tables = [run.stdout, common::gpu().map_or_else(String::new, |_| folder.run("doctor --device 0").stdout)];
    for line in tables.iter().flat_map(|table| table.lines().skip(1)) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn examinations_of_nothing_are_refused() {
    let folder = Folder::new();
    folder.refuses("doctor --device voodoo", 1, "no GPU adapter matches `voodoo`; found ");
    folder.refuses("doctor --device cpu --all", 2, "cannot be used with");
    folder.refuses("doctor cpu", 2, "unexpected argument 'cpu'");
}

#[test]
fn an_adapter_is_examined_at_its_first_use_alone() {
    let folder = Folder::with_table();
    if common::gpu().is_none() {
        return;
    }
    let first = folder.train_on_gpu("").stderr;
    assert!(first.contains("\nfirst use of ") && first.contains(": checking its kernels … all right ("), "{first}");
    let second = folder.train_on_gpu("").stderr;
    assert!(!second.contains("first use"), "{second}");
    // What cannot be understood is as nothing.
    fs::write(folder.memory(), "{").expect("written");
    assert!(folder.train_on_gpu("").stderr.contains("first use of "));
    assert!(!folder.train_on_gpu("").stderr.contains("first use of "));
}

#[test]
fn the_doctor_s_examination_counts() {
    let folder = Folder::with_table();
    if common::gpu().is_none() {
        return;
    }
    let device = std::env::var("NNGPU_TEST_DEVICE").unwrap_or("0".into());
    let run = folder.run_words(&["doctor", "--device", &device]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(!folder.train_on_gpu("").stderr.contains("first use"));
}

#[test]
fn an_examination_can_be_left_out() {
    let folder = Folder::with_table();
    if common::gpu().is_none() {
        return;
    }
    assert!(!folder.train_on_gpu("--skip-check").stderr.contains("first use"));
    assert!(!folder.memory().exists());
}

#[test]
fn an_examination_that_cannot_be_remembered_is_told() {
    let folder = Folder::with_table();
    if common::gpu().is_none() {
        return;
    }
    // A file stands where the folder would be.
    fs::write(folder.1.path().join("cache"), "").expect("written");
    for _ in 0..2 {
        let told = folder.train_on_gpu("").stderr;
        assert!(told.contains("all right ("), "{told}");
        assert_eq!(told.matches("this cannot be remembered").count(), 1, "{told}");
        assert!(told.contains("NNGPU_CACHE_DIR names another folder"), "{told}");
    }
}

#[test]
fn a_training_on_the_cpu_examines_nothing() {
    let folder = Folder::with_table();
    let run = folder.run("train table.csv -t y --ignore kind,text -e 1 --device cpu");
    assert!(run.code == 0 && !run.stderr.contains("first use"), "{}", run.stderr);
    assert!(!folder.memory().exists());
}

#[test]
fn the_tutorial_is_told_on_standard_output() {
    let run = Folder::new().run("tutorial --device reference");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("0.623668") && run.stdout.contains("0.526694"), "{}", run.stdout);
    assert!(run.stderr.contains("device: CPU, reference kernels"), "{}", run.stderr);
}

#[test]
fn every_help_fits_a_terminal_and_has_an_example() {
    let folder = Folder::new();
    let help = folder.runs("help").stdout;
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(
        verbs.starts_with(&["train", "predict"]) && verbs.ends_with(&["tutorial", "completions", "help"]),
        "{verbs:?}"
    );
    for verb in verbs.iter().filter(|verb| **verb != "help") {
        let text = folder.runs(&format!("{verb} --help")).stdout;
        assert!(text.contains("Usage: nngpu"), "{text}");
        let is_bare = ["devices", "doctor", "tutorial"].contains(verb);
        assert!(is_bare || text.contains(&format!("\n  nngpu {verb} ")), "no example of {verb}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn columns_with_commas_are_left_out_by_their_whole_name() {
    let folder = Folder::new();
    let rows: String = (0..20).map(|i| format!("{i},{},{}\n", i * i, 2 * i)).collect();
    folder.write("t.csv", format!("a,\"b,c's\",y\n{rows}"));
    // On the command line a comma separates names; in a file it does not.
    folder.write("run.toml", "data = \"t.csv\"\ntarget = \"y\"\nignore = [\"b,c's\"]\nepochs = 1\n");
    assert!(folder.runs("train --config run.toml").stderr.contains("left out, as was asked"));
}

#[test]
fn rows_without_a_target_are_left_out() {
    let folder = Folder::new();
    let rows: String = (0..20).map(|i| format!("{i},{}.5\n", i % 10)).collect();
    folder.write("t.csv", format!("a,y\n{rows}3,NA\n"));
    let run = folder.runs("train t.csv -t y -e 1");
    assert!(run.stderr.contains("regression of `y`"), "{}", run.stderr);
    assert!(run.stdout.contains("training, 20 rows"), "{}", run.stdout);
    assert!(folder.run("check t.csv -t y").stdout.contains("the target is missing in 1 of 21 rows (line 22)"));
}

#[cfg(unix)]
#[test]
fn links_pipes_and_closed_ends_are_respected() {
    use std::os::unix::fs::symlink;
    let folder = Folder::with_table();
    assert_eq!(folder.run("train table.csv -t y --ignore kind,text -e 1").code, 0);
    folder.write("real.csv", "old");
    symlink(folder.path("real.csv"), folder.path("link.csv")).expect("linked");
    assert_eq!(folder.run("predict model.safetensors table.csv -o link.csv").code, 0);
    assert!(folder.path("link.csv").is_symlink());
    assert_eq!(fs::read_to_string(folder.path("real.csv")).expect("readable").lines().count(), 61);
    let run = folder.run("predict model.safetensors table.csv -o /dev/stdout");
    assert_eq!((run.code, run.stdout.lines().count()), (0, 61), "{}", run.stderr);

    // Nobody reads the progress; the model is written all the same.
    fs::remove_file(folder.path("model.safetensors")).expect("removed");
    let script = format!(
        "{} train table.csv -t y --ignore kind,text -e 50 2>&1 >/dev/null | head -c 1 >/dev/null",
        assert_cmd::cargo::cargo_bin!("nngpu").display()
    );
    let status =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.0.path()).status().expect("ran");
    assert!(status.success());
    assert!(folder.path("model.safetensors").exists());
}

#[cfg(windows)]
#[test]
fn a_device_of_windows_is_written_to() {
    let folder = Folder::with_table();
    assert_eq!(folder.run("train table.csv -t y --ignore kind,text -e 1").code, 0);
    let run = folder.run("predict model.safetensors table.csv --output NUL");
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    assert_eq!(folder.names(), ["model.safetensors", "table.csv"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_the_model_so_far() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let folder = Folder::with_table();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("nngpu"))
        .current_dir(folder.0.path())
        .args("train table.csv -t y --ignore kind,text --epochs 1000000000".split_whitespace())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let first = lines.by_ref().map(|line| line.expect("text")).find(|line| line.starts_with("epoch 1/"));
    assert!(first.is_some(), "it did not begin");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("ran");
    assert!(killed.success());
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("model written to"));
    assert_eq!(folder.run("predict model.safetensors table.csv").code, 0);
}

/// Trains for a moment on any table.
const SHORT: &str = "-e 2 --members 2 --hidden 4";

#[test]
fn a_table_of_every_type_is_learned() {
    let folder = Folder::with_sales();
    let run = folder.runs(&format!("train sales.csv -t price {SHORT} --test 0.25"));
    for line in [" day ", " town ", " has_garden "] {
        assert!(run.stderr.contains(line), "{}", run.stderr);
    }
    let type_of = |column: &str| {
        let line = run.stderr.lines().find(|line| line.trim_start().starts_with(column)).expect("a line");
        line.split_whitespace().nth(1).map(str::to_owned)
    };
    let types = ["id", "day", "town", "size", "has_garden", "price"].map(|column| type_of(column).expect("a type"));
    assert_eq!(types, ["id", "date", "category", "number", "boolean", "number"]);
    // 77 rows have a price.
    assert!(run.stdout.contains("test, 19 rows"), "{}", run.stdout);
    let run = folder.run("predict model.safetensors sales.csv");
    assert_eq!((run.code, run.stdout.lines().count()), (0, 81), "{}", run.stderr);
}

#[test]
fn options_go_before_the_config_file() {
    let folder = Folder::with_table();
    folder.write(
        "run.toml",
        "data = \"table.csv\"\ntarget = \"y\"\nignore = [\"kind\", \"text\"]\nepochs = 1\nhidden = 4\ntest = 0.2\n",
    );
    assert!(folder.runs("train --config run.toml").stderr.contains("at most 1 epoch\n"));
    let run = folder.runs("train --config run.toml --epochs 3 --members 2");
    assert!(
        run.stderr.contains("at most 3 epochs") && run.stderr.contains("2 networks of 2 -> scale 4 relu 1"),
        "{}",
        run.stderr
    );
    // What is given goes before what excludes it in the file, too.
    let run = folder.runs("train --config run.toml --layers 5");
    assert!(run.stderr.contains("networks of 2 -> 5 1,"), "{}", run.stderr);
}

#[test]
fn config_files_that_cannot_be_used_are_refused() {
    let folder = Folder::with_table();
    let refuses = |text: &str, message: &str| {
        folder.write("run.toml", format!("data = \"table.csv\"\ntarget = \"y\"\n{text}\n"));
        folder.refuses("train --config run.toml", 1, message);
    };
    refuses("epoch = 3", "run.toml: found the key `epoch`, expected the name of an option; did you mean `epochs`?");
    refuses("epochs = \"many\"", "run.toml: epochs: found string \"many\", expected a whole number");
    refuses("learning-rate = [1]", "run.toml: learning-rate: found a list, expected a number");
    refuses("activation = \"swish\"", "run.toml: activation: found `swish`, expected one of");
    refuses("hidden = [4]\nlayers = \"4\"", "run.toml: found `hidden` and `layers`, expected one of the two");
    refuses("epochs = 1\nepochs = 2", "duplicate key");
    refuses("epochs 1", "run.toml");
    folder.refuses("train --config no.toml", 1, "no.toml: no such file");
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = Folder::with_table();
    let run = folder.runs("train table.csv -t y --ignore kind,text --dry-run --report r.html --tensorboard events");
    for word in ["memory", "dispatches", "time: about"] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
    assert_eq!(folder.names(), ["table.csv"]);
}

#[test]
fn results_and_events_are_told_to_programs() {
    let folder = Folder::with_table();
    let run = folder.runs("train table.csv -t kind --ignore y,text -e 3 --members 2 --json --log jsonl --test 0.2");
    let result: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((&result["version"], &result["model"]), (&1.into(), &"model.safetensors".into()));
    let parts: Vec<&str> = result["metrics"]
        .as_array()
        .expect("parts")
        .iter()
        .map(|part| part["part"].as_str().expect("a name"))
        .collect();
    assert_eq!(parts, ["training", "validation", "test"]);
    let score = &result["metrics"][2]["network"]["scores"][0];
    assert_eq!(score["measure"], "accuracy");
    assert!(score["value"].is_f64() && score["interval"].is_array(), "{score}");

    let events: Vec<serde_json::Value> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(events.iter().all(|event| event["version"] == 1), "{events:?}");
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().expect("a name")).collect();
    let known = names.iter().filter(|name| **name != "warning").copied().collect::<Vec<_>>();
    assert_eq!(known, ["prepared", "device", "epoch", "epoch", "epoch", "done"], "{}", run.stderr);
}

#[test]
fn a_quiet_run_tells_its_results_alone() {
    let folder = Folder::with_sales();
    let run = folder.runs(&format!("train sales.csv -t price {SHORT} --log quiet"));
    assert!(run.stdout.contains("model written to"), "{}", run.stdout);
    assert!(
        !run.stderr.contains("epoch") && !run.stderr.contains("data:") && !run.stderr.contains("device:"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_report_is_one_file() {
    let folder = Folder::with_sales();
    folder.runs(&format!("train sales.csv -t price {SHORT} --report r.html --tensorboard events"));
    assert_eq!(folder.names(), ["events", "model.safetensors", "r.html", "sales.csv"]);
    let page = fs::read_to_string(folder.path("r.html")).expect("written");
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"), "{}", &page[..40]);
    for outside in ["src=\"http", "href=\"http", "url(http", "<link", "@import", "<script src"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let events = fs::read_dir(folder.path("events")).expect("a folder").count();
    assert_eq!(events, 2, "a folder for each network");
}

#[test]
fn time_ends_a_training() {
    let folder = Folder::with_table();
    let start = std::time::Instant::now();
    let run = folder.runs("train table.csv -t y --ignore kind,text -e 100000000 --patience 100000000 --max-time 300ms");
    assert!(run.stderr.contains("as the time was over"), "{}", run.stderr);
    assert!(start.elapsed().as_secs() < 60);
    assert_eq!(folder.names(), ["model.safetensors", "table.csv"]);
}

#[test]
fn rows_are_set_aside_as_parts_and_as_files() {
    let folder = Folder::with_table();
    let rows: String = (0..9).map(|i| format!("{i},{},{}\n", i % 3, 3 * i - 2 * (i % 3))).collect();
    folder.write("other.csv", format!("a,b,y\n{rows}"));
    let parts = |options: &str| -> Vec<String> {
        let run = folder.runs(&format!("train table.csv -t y --ignore kind,text {SHORT} {options}"));
        run.stdout.lines().filter(|line| line.ends_with(" rows")).map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(parts(""), ["validation, 15 rows", "training, 60 rows"], "two networks of eight folds");
    assert_eq!(parts("--validation 0.2"), ["validation, 12 rows", "training, 48 rows"]);
    assert_eq!(parts("--validation 0"), ["training, 60 rows"]);
    assert_eq!(parts("--validation 0.2 --test 0.25"), ["test, 15 rows", "validation, 12 rows", "training, 33 rows"]);
    assert_eq!(parts("--validation other.csv"), ["validation, 9 rows", "training, 60 rows"]);
    let both = "--validation other.csv --test other.csv";
    assert_eq!(parts(both), ["test, 9 rows", "validation, 9 rows", "training, 60 rows"]);
}

#[test]
fn types_weights_groups_and_time_are_taken() {
    let folder = Folder::with_sales();
    let run = folder.runs(&format!("train sales.csv -t price {SHORT} --type size=category --weight weight"));
    let line =
        |name: &str| run.stderr.lines().find(|line| line.trim_start().starts_with(name)).expect("a line").to_owned();
    assert!(line("size").contains("category") && line("weight").contains(" weight "), "{}", run.stderr);
    let unweighted = folder.runs(&format!("train sales.csv -t price {SHORT} --type size=category --ignore weight"));
    assert_ne!(run.stdout, unweighted.stdout, "weights count");
    let run = folder.runs(&format!("train sales.csv -t price {SHORT} --group owner --test 0.3"));
    assert!(run.stderr.lines().any(|line| line.contains("owner") && line.contains(" group ")), "{}", run.stderr);
    // The last days are the test; rows before them are stopped by.
    let run = folder.runs(&format!("train sales.csv -t price {SHORT} --time day --test 0.2"));
    assert!(run.stderr.lines().any(|line| line.contains("day") && line.contains(" time ")), "{}", run.stderr);
    assert!(!run.stderr.contains("folds"), "{}", run.stderr);
}

#[test]
fn several_targets_and_labels_are_learned() {
    let folder = Folder::with_table();
    let run = folder.runs(&format!("train table.csv -t a,y --ignore kind,text {SHORT}"));
    assert!(run.stderr.contains("regression of `a`, `y`"), "{}", run.stderr);
    let predicted = folder.runs("predict model.safetensors table.csv").stdout;
    assert!(predicted.starts_with("a,y\n"), "{predicted}");

    let rows: String = (0..60).map(|i| format!("{i},{},{}\n", i % 2, i / 30)).collect();
    folder.write("labels.csv", format!("x,is_odd,is_late\n{rows}"));
    let run = folder.runs(&format!("train labels.csv -t is_odd -t is_late {SHORT}"));
    assert!(run.stderr.contains("multilabel"), "{}", run.stderr);
    assert!(run.stdout.contains("Hamming loss"), "{}", run.stdout);
}

#[cfg(unix)]
#[test]
fn a_table_is_read_from_standard_input() {
    let folder = Folder::with_table();
    let train = |input: &str, output: &str| {
        let mut command = Command::cargo_bin("nngpu").expect("built");
        let words = format!("train {input} -t y --ignore kind,text -e 1 -o {output}");
        let table = fs::read(folder.path("table.csv")).expect("readable");
        command.current_dir(folder.0.path()).args(words.split_whitespace()).write_stdin(table).assert().success();
        nngpu::model::Model::load(&folder.path(output)).expect("a model")
    };
    let (piped, read) = (train("-", "piped.safetensors"), train("table.csv", "read.safetensors"));
    assert!(piped.values == read.values);
    assert_eq!(piped.provenance.data.map(|data| (data.name, data.sha256, data.n_rows)), Some(("-".into(), None, 60)));
}

#[test]
fn a_table_is_checked() {
    let folder = Folder::with_sales();
    let run = folder.runs("check sales.csv --target price");
    for part in ["sales.csv: 80 rows of 8 columns", "2024-01-01 to 2024-03-24", "no (53), yes (27)", "left out"] {
        assert!(run.stdout.contains(part), "`{part}` is not in: {}", run.stdout);
    }
    assert!(run.stdout.contains("the target is missing in 3 of 80 rows (line 7, line 36, line 65)"), "{}", run.stdout);
    let report: serde_json::Value = serde_json::from_str(&folder.runs("check sales.csv --json").stdout).expect("JSON");
    assert_eq!((&report["version"], &report["rows"]), (&1.into(), &80.into()));
    let columns = report["columns"].as_array().expect("columns");
    assert!(columns.iter().all(|column| column["role"] != "target"), "no target was named");
    assert_eq!(columns[3]["values"]["numbers"]["min"], 50.0, "{}", columns[3]);
    assert!(report["findings"].as_array().is_some_and(|findings| !findings.is_empty()));

    folder.write("same.csv", format!("a,y\n{}", "1,x\n2,x\n".repeat(30)));
    let run = folder.run("check same.csv --target y");
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stdout.contains("error") && run.stdout.contains("1 error"), "{}", run.stdout);
    folder.refuses("check sales.csv --target prize", 1, "did you mean `price`?");
    folder.refuses("check sales.csv --type size=date", 1, "since the type `date` is given");
    folder.refuses("check sales.csv --epochs 3", 2, "unexpected argument");
}

#[test]
fn a_check_writes_settings_that_train() {
    let folder = Folder::with_sales();
    folder.runs("check sales.csv --target price --ignore owner --weight weight --write-config run.toml");
    let text = fs::read_to_string(folder.path("run.toml")).expect("written");
    assert!(text.contains("\n  \"town=category\", #") && text.contains("target = [\"price\"]"), "{text}");
    // Corrected by hand.
    folder.write("run.toml", text.replace("has_garden=boolean", "has_garden=category"));
    let run = folder.runs(&format!("train --config run.toml {SHORT}"));
    let line = run.stderr.lines().find(|line| line.contains("has_garden")).expect("a line").to_owned();
    assert!(line.contains("category"), "{line}");
    folder.refuses("check sales.csv --write-config run.toml", 1, "run.toml: cannot be written");
    assert!(fs::read_to_string(folder.path("run.toml")).expect("there").contains("has_garden=category"));
}

#[test]
fn the_settings_that_are_shown_train_the_same_model() {
    let folder = Folder::with_sales();
    for options in
        ["-t price -e 3", "-t town --ignore price -e 2 --test 0.2 --learning-rate 0.01", "-t price -e 2 --time day"]
    {
        let shown = folder.runs(&format!("config sales.csv {options}")).stdout;
        folder.write("run.toml", &shown);
        for key in
            ["hidden = [128, 128]", "members = 8", "# Rows of a batch [default: ", "]\nbatch-size = 16", "output = "]
        {
            assert!(shown.contains(key), "{key}: {shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        folder.runs(&format!("train sales.csv {options} -o given.safetensors"));
        folder.runs("train --config run.toml -o shown.safetensors");
        let load = |name: &str| nngpu::model::Model::load(&folder.path(name)).expect("a model");
        let (given, again) = (load("given.safetensors"), load("shown.safetensors"));
        assert!(given.values == again.values, "{options}");
        assert_eq!(given.provenance.options, again.provenance.options, "every setting is remembered");
        // What a model remembers is what was shown, but for what does not make the model.
        let remembered = folder.runs("config --model given.safetensors").stdout;
        let settings = |text: &str| -> Vec<String> {
            let is_setting = |line: &&str| !line.starts_with('#') && !line.is_empty();
            let of_outputs = |line: &&str| !line.starts_with("output = ") && !line.starts_with("log = ");
            text.lines().filter(is_setting).filter(of_outputs).map(str::to_owned).collect()
        };
        assert_eq!(settings(&remembered), settings(&shown));
    }
}

#[test]
fn settings_are_shown_without_data_and_to_programs() {
    let folder = Folder::with_table();
    let run = folder.runs("config --epochs 3 --learning-rate 0.003");
    assert!(run.stdout.contains("epochs = 3\n") && run.stdout.contains("learning-rate = 0.003\n"), "{}", run.stdout);
    assert!(run.stderr.contains("name a table"), "{}", run.stderr);
    let shown: serde_json::Value =
        serde_json::from_str(&folder.runs("config table.csv -t y --json").stdout).expect("JSON");
    assert_eq!((&shown["version"], &shown["settings"]["hidden"]), (&1.into(), &serde_json::json!([128, 128])));
    assert_eq!(shown["settings"]["learning-rate"].to_string(), "0.003");
    let schema: serde_json::Value = serde_json::from_str(&folder.runs("config --schema").stdout).expect("JSON");
    assert_eq!(schema["additionalProperties"], false);
    for setting in shown["settings"].as_object().expect("a map").keys() {
        assert!(schema["properties"][setting]["description"].is_string(), "{setting}");
    }
    folder.refuses("config table.csv", 1, "`--target COLUMN`");
    folder.refuses("config --model table.csv", 1, "expected a whole safetensors file");
}

#[test]
fn shells_are_told_how_to_complete() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.runs(&format!("completions {shell}")).stdout;
        assert!(script.contains("nngpu") && script.contains("write-config"), "{shell}");
    }
    folder.refuses("completions csh", 2, "bash, elvish, fish, powershell, zsh");
}
