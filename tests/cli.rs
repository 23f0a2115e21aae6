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
    assert!(run.stdout.contains("root mean square error"), "{}", run.stdout);
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
    assert!(run.stdout.contains(" test         2      "), "{}", run.stdout);
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
    assert!(run.stdout.contains("100.00 %"), "{}", run.stdout);
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
        .write("gap.csv", "a,y\n1,2\n,3\n");
    folder.refuses("train no.csv -t y", 1, "no.csv: no such file");
    folder.refuses("train . -t y", 1, "found a directory");
    folder.refuses("train empty.csv -t y", 1, "empty.csv: the file is empty");
    folder.refuses("train header.csv -t a", 1, "no row below it");
    folder.refuses("train ragged.csv -t a", 1, "ragged.csv, line 3: found 3 fields, expected 2");
    folder.refuses("train table.csv -t knd", 1, "no column is named `knd`; did you mean `kind`?");
    folder.refuses("train table.csv -t y", 1, "line 2, column `kind`: found the text `plus`, expected a number");
    folder.refuses("train gap.csv -t y", 1, "gap.csv, line 3, column `a`: found an empty field");
    folder.refuses("train one.csv -t y", 1, "found one class only, `x`");
    folder.refuses("train table.csv -t kind --ignore y,text --task regression", 1, "--task classification");
    assert!(!folder.path("model.safetensors").exists());
}

#[test]
fn options_that_cannot_be_used_are_refused() {
    let folder = Folder::with_table();
    folder.refuses("train table.csv", 2, "--target <COLUMN>");
    folder.refuses("train table.csv -t y --labels l", 2, "cannot be used with");
    folder.refuses("train table.csv -t y --activation swish", 2, "found `swish`, expected one of identity, relu");
    folder.refuses("train table.csv -t y --activation x*y", 2, "as a formula: found `y` at column 3");
    folder.refuses(
        "train table.csv -t y --ignore kind,text --layers gleu",
        1,
        "layers: found `gleu`, expected a number of outputs, a layer",
    );
    folder.refuses(
        "train table.csv -t y --ignore kind,text --layers embedding(0,2,2)",
        1,
        "the library has embeddings",
    );
    folder.refuses(
        "train table.csv -t y --ignore kind,text --loss cross_entropy",
        1,
        "found `cross_entropy`, expected one for numbers",
    );
    folder.refuses("train table.csv -t y --loss gaussian_nll", 2, "one for a column of numbers or classes");
    folder.refuses("train table.csv -t y --ignore kind,text --schedule cosin", 1, "schedule: found `cosin`");
    folder.refuses(
        "train table.csv -t y --ignore kind,text -l 1 --schedule step(1,0.5,9)",
        1,
        "found one beside the schedule",
    );
    folder.refuses(
        "train table.csv -t y --ignore kind,text --clip-norm 0",
        1,
        "largest norm of the gradients: found 0",
    );
    folder.refuses("train table.csv -t y --ignore kind,text --ema 1", 1, "expected a number from 0 to below 1");
    folder.refuses("train table.csv -t y --optimizer bfgs", 2, "possible values: sgd, momentum, rmsprop");
    folder.refuses("train table.csv -t y --learning-rate 0", 2, "expected a number above 0");
    folder.refuses("train table.csv -t y --learning-rate nan", 2, "expected a number above 0");
    folder.refuses("train table.csv -t y --validation 1", 2, "expected a number from 0 to below 1");
    folder.refuses("train table.csv -t y --batch-size 0", 2, "0 is not in 1..");
    folder.refuses("train table.csv -t y --epochs 0", 2, "0 is not in 1..");
    folder.refuses("train table.csv -t y --hidden 8,x", 2, "invalid value 'x'");
    folder.refuses("train table.csv -t y --ignore kind,text --hidden 8,0,8", 1, "found 2-8-0-8-1");
    folder.refuses("train table.csv -t y --ignore kind,text --device voodoo", 1, "no GPU adapter matches `voodoo`");
    folder.refuses("trian", 2, "'train'");
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_training() {
    let folder = Folder::with_table();
    let before = fs::read(folder.path("table.csv")).expect("readable");
    folder.refuses("train table.csv -t y --ignore kind,text -o no/m.safetensors", 1, "there is no folder `no`");
    folder.refuses("train table.csv -t y --ignore kind,text -o .", 1, "is no model file");
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
    let arguments = "train table.csv -t y --ignore kind,text --optimizer sgd --learning-rate 1e6 --device";
    for device in ["cpu", "reference"] {
        let run = folder.run(&format!("{arguments} {device}"));
        assert_eq!(run.code, 1);
        assert!(run.stderr.contains(" at step "), "{}", run.stderr);
        assert!(run.stderr.contains("(epoch 2); try a smaller learning rate, 100000 instead of 1e6"), "{}", run.stderr);
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
    let newer = header.replace("\\\"version\\\":2", "\\\"version\\\":9");
    assert_ne!(newer, header);
    folder.write("newer", [&whole[..8], newer.as_bytes(), &whole[end..]].concat());
    folder.refuses("predict newer table.csv", 1, "found version 9 of the format, expected 1 or 2");

    // The first version told sizes and an activation in the place of layers, and no loss.
    let layers = r#"\"version\":2,\"network\":\"2 -> 64 relu 64 relu 2\""#;
    let sizes = r#"\"version\":1,\"sizes\":[2,64,64,2],\"activation\":\"relu\""#;
    let older = header.trim_end().replace(layers, sizes).replace(r#",\"loss\":\"cross_entropy\""#, "");
    assert!(older.contains("sizes") && !older.contains("loss") && !older.contains("->"), "{older}");
    let length = (older.len() as u64).to_le_bytes();
    folder.write("older", [&length[..], older.as_bytes(), &whole[end..]].concat());
    let [new, old] = ["model.safetensors", "older"].map(|model| folder.run(&format!("predict {model} table.csv")));
    assert_eq!((old.code, &old.stdout), (0, &new.stdout), "{}", old.stderr);
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
fn every_help_names_its_options() {
    for verb in ["train", "predict", "devices", "doctor", "tutorial"] {
        let run = Folder::new().run(&format!("{verb} --help"));
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("Usage: nngpu"), "{}", run.stdout);
    }
}

#[test]
fn columns_with_commas_are_left_out_by_their_whole_name() {
    let folder = Folder::new();
    let rows: String = (0..20).map(|i| format!("{i},t{i},{}\n", 2 * i)).collect();
    folder.write("t.csv", format!("a,\"b,c's\",y\n{rows}"));
    folder.refuses("train t.csv -t y", 1, r"`--ignore 'b,c'\''s'`");
    let run = folder.run_words(&["train", "t.csv", "-t", "y", "--ignore", "b,c's", "-e", "1"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn a_missing_number_does_not_turn_numbers_into_classes() {
    let folder = Folder::new();
    let rows: String = (0..20).map(|i| format!("{i},{}\n", i % 10)).collect();
    folder.write("t.csv", format!("a,y\n{rows}3,NA\n"));
    folder.refuses("train t.csv -t y", 1, "t.csv, line 22, column `y`: found");
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
