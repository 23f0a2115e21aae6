//! The first use of an adapter: its kernels are examined once, and what passes is remembered.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use nngpu::doctor::{Extent, Finding, examine};
use nngpu::file::replace_file;
use nngpu::{Device, Error, kernels};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names the folder to remember in, instead of the platform's own for caches.
const FOLDER: &str = "NNGPU_CACHE_DIR";

/// How many are remembered: each driver, and each version of this crate, is another one.
const MOST: usize = 100;

/// What was examined and found right. Whatever differs in any of it is examined anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Subject {
    /// This crate's version.
    nngpu: String,
    kernels: String,
    is_checked: bool,
    /// The system's version, where drivers come with it and tell none of their own: on macOS.
    system: Option<String>,
    /// The adapter with its driver, limits and features.
    adapter: Value,
}

/// The file that remembers.
#[derive(Debug)]
struct Memory {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    version: u32,
    passed: Vec<Subject>,
}

/// Examines an adapter unless that was done before. The CPU needs none: its kernels came with this
/// program, and were tested with it.
pub fn check(device: &Device, is_told: bool) -> Result<(), Error> {
    let Some(subject) = Subject::of(device) else { return Ok(()) };
    check_subject(&Memory::of_the_user(), &subject, &device.description(), is_told, || {
        examine(device, Extent::Brief, &mut |_| {})
    })
}

/// Remembers that a device was found right.
pub fn remember(device: &Device) {
    if let (Some(subject), Ok(memory)) = (Subject::of(device), Memory::of_the_user()) {
        // Where that fails, the next training tells.
        let _ = memory.replace(&subject, true);
    }
}

/// Forgets that a device was found right.
pub fn forget(device: &Device) {
    if let (Some(subject), Ok(memory)) = (Subject::of(device), Memory::of_the_user()) {
        let _ = memory.replace(&subject, false);
    }
}

fn check_subject(
    memory: &io::Result<Memory>,
    subject: &Subject,
    name: &str,
    is_told: bool,
    examine: impl FnOnce() -> Vec<Finding>,
) -> Result<(), Error> {
    if memory.as_ref().is_ok_and(|memory| memory.read().contains(subject)) {
        return Ok(());
    }
    // Without the end of the line: a driver may compile for half a minute.
    if is_told {
        tell_part!("first use of {name}: checking its kernels … ");
    }
    let start = Instant::now();
    let findings = examine();
    let elapsed = start.elapsed().as_secs_f64();
    let wrong: Vec<_> = findings.iter().filter(|finding| finding.is_own && !finding.is_right()).collect();
    if let Some(first) = wrong.first() {
        if is_told {
            tell!("wrong ({elapsed:.1} s)");
        }
        return Err(Error::WrongKernels {
            adapter: name.into(),
            kernels: wrong.iter().map(|finding| finding.name.into()).collect(),
            failure: first.failures[0].clone(),
        });
    }
    if is_told {
        tell!("all right ({elapsed:.1} s)");
    }
    let remembered = match memory {
        Ok(memory) => memory.replace(subject, true).map_err(|error| format!("{}: {error}", memory.path.display())),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = remembered {
        tell!("this cannot be remembered, so that each training checks again ({error}); {FOLDER} names another folder");
    }
    Ok(())
}

impl Subject {
    fn of(device: &Device) -> Option<Subject> {
        Some(Subject {
            nngpu: env!("CARGO_PKG_VERSION").into(),
            kernels: format!("{:016x}", kernels::fingerprint()),
            is_checked: cfg!(debug_assertions),
            system: fs::read_to_string("/System/Library/CoreServices/SystemVersion.plist").ok(),
            adapter: serde_json::to_value(device.adapter()?).expect("plain data"),
        })
    }
}

impl Memory {
    fn of_the_user() -> io::Result<Memory> {
        let folder = match std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()) {
            Some(folder) => PathBuf::from(folder),
            None => choose_native_strategy().map_err(io::Error::other)?.cache_dir().join(env!("CARGO_PKG_NAME")),
        };
        Ok(Memory { path: folder.join("examined.json") })
    }

    /// What passed; nothing where the file cannot be read or understood.
    fn read(&self) -> Vec<Subject> {
        let contents = fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        contents.filter(|contents: &Contents| contents.version == 1).map_or_else(Vec::new, |contents| contents.passed)
    }

    /// Adds the subject as the newest, or takes it out.
    fn replace(&self, subject: &Subject, passed: bool) -> io::Result<()> {
        let mut all = self.read();
        let n_before = all.len();
        all.retain(|known| known != subject);
        if !passed && all.len() == n_before {
            return Ok(());
        }
        if passed {
            all.push(subject.clone());
            all.drain(..all.len().saturating_sub(MOST));
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let bytes = serde_json::to_vec_pretty(&Contents { version: 1, passed: all })?;
        replace_file(&self.path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    /// A folder, its memory, and how often something was examined.
    struct Setting {
        folder: tempfile::TempDir,
        n_examined: Cell<usize>,
    }

    fn subject(driver: &str) -> Subject {
        let adapter = serde_json::json!({ "name": "an adapter", "driver": driver });
        Subject { nngpu: "1.2.3".into(), kernels: "ab".into(), is_checked: false, system: None, adapter }
    }

    fn finding(name: &'static str, is_own: bool, failures: &[&str]) -> Finding {
        let failures = failures.iter().map(|failure| failure.to_string()).collect();
        Finding { name, form: "plain", is_own, n_cases: 1, failures, worst: 0.0, elapsed: Duration::ZERO }
    }

    impl Setting {
        fn new() -> Setting {
            Setting { folder: tempfile::tempdir().expect("a folder"), n_examined: Cell::new(0) }
        }

        fn memory(&self) -> Memory {
            Memory { path: self.folder.path().join("new/folder/examined.json") }
        }

        fn check(&self, subject: &Subject, findings: &[Finding]) -> Result<(), Error> {
            check_subject(&Ok(self.memory()), subject, "an adapter", true, || {
                self.n_examined.set(self.n_examined.get() + 1);
                findings.to_vec()
            })
        }
    }

    #[test]
    fn what_passed_is_not_examined_again() {
        let setting = Setting::new();
        let right = [finding("sgd", true, &[]), finding("matmul", false, &["of no concern here"])];
        for _ in 0..3 {
            setting.check(&subject("1"), &right).expect("right");
        }
        assert_eq!(setting.n_examined.get(), 1);
        // Another driver, another version, other kernels, other checks, another system.
        let other = |change: fn(&mut Subject)| {
            let mut other = subject("1");
            change(&mut other);
            other
        };
        let others = [
            subject("2"),
            other(|subject| subject.nngpu = "1.2.4".into()),
            other(|subject| subject.kernels = "ac".into()),
            other(|subject| subject.is_checked = true),
            other(|subject| subject.system = Some("16.1".into())),
        ];
        for (n, other) in (2..).zip(&others) {
            setting.check(other, &right).expect("right");
            assert_eq!(setting.n_examined.get(), n, "{other:?}");
        }
        assert_eq!(setting.memory().read().len(), 6);
    }

    #[test]
    fn what_failed_is_an_error_that_names_it_and_is_not_remembered() {
        let setting = Setting::new();
        let wrong = [finding("sgd", true, &[]), finding("matmul", true, &["found 1, expected 2"])];
        for n in 1..3 {
            let error = setting.check(&subject("1"), &wrong).expect_err("wrong");
            let message = error.to_string();
            assert!(message.contains("`an adapter` computes `matmul` wrongly (found 1, expected 2)"), "{message}");
            assert!(message.contains("`--device cpu`"), "{message}");
            assert_eq!(setting.n_examined.get(), n);
        }
        assert!(setting.memory().read().is_empty());
    }

    #[test]
    fn what_the_doctor_found_is_remembered_and_forgotten() {
        let memory = Setting::new();
        let memory = memory.memory();
        memory.replace(&subject("1"), true).expect("written");
        memory.replace(&subject("2"), true).expect("written");
        memory.replace(&subject("1"), false).expect("written");
        assert_eq!(memory.read(), [subject("2")]);
        for driver in 0..MOST + 5 {
            memory.replace(&subject(&driver.to_string()), true).expect("written");
        }
        let all = memory.read();
        assert_eq!(all.len(), MOST);
        assert_eq!(all.last(), Some(&subject(&(MOST + 4).to_string())));
    }

    #[test]
    fn a_memory_that_cannot_be_read_is_empty() {
        let setting = Setting::new();
        let path = setting.memory().path;
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        for text in
            ["", "{", "[1]", "\u{0}\u{1}", r#"{"version": 9, "passed": []}"#, r#"{"version": 1, "passed": [3]}"#]
        {
            fs::write(&path, text).expect("written");
            assert!(setting.memory().read().is_empty(), "{text}");
        }
        setting.check(&subject("1"), &[]).expect("right");
        assert_eq!(setting.memory().read(), [subject("1")]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_failure() {
        let setting = Setting::new();
        // A file stands where the folder would be.
        fs::write(setting.folder.path().join("new"), "").expect("written");
        for n in 1..3 {
            setting.check(&subject("1"), &[]).expect("right");
            assert_eq!(setting.n_examined.get(), n);
        }
        let nowhere = Err(io::Error::other("no home"));
        check_subject(&nowhere, &subject("1"), "an adapter", true, Vec::new).expect("right");
    }
}
