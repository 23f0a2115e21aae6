//! The invariants of the structure, read out of the source: who may name wgpu, who may print, who
//! may open files, and that no module uses one of a higher floor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// From the ground up. A module uses lower floors, and modules of its own floor.
const FLOORS: &[&[&str]] = &[
    &["digits", "error", "file", "formula", "names", "numpy", "random"],
    &["compute::kernel"],
    &["compute::plan"],
    &["kernels", "compute"],
    // The cases run kernels on devices, so they stand above both.
    &["nn", "data", "conformance"],
    &["checkpoint", "compat", "train", "model", "tutorial", "doctor", "metrics", "tabular"],
    &["cli", "main"],
];

/// On one floor, and yet they do not know each other: kernels, and the devices beside them.
const STRANGERS: [&str; 2] = ["kernels", "compute"];

/// One file of `src/`.
struct Source {
    /// Its path below `src/`, with `/`.
    path: String,
    /// Its module below the crate's root; empty for `lib.rs`.
    module: Vec<String>,
    tokens: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let source = |file: PathBuf| {
        let names = file.strip_prefix(&root).expect("below src").iter().map(|name| name.to_string_lossy().into_owned());
        let names: Vec<String> = names.collect();
        let text = std::fs::read_to_string(&file).expect("text");
        Source { path: names.join("/"), module: module_of(&names), tokens: tokens(&text) }
    };
    files.into_iter().map(source).collect()
}

fn module_of(names: &[String]) -> Vec<String> {
    let mut module: Vec<String> = names.iter().map(|name| name.trim_end_matches(".rs").to_string()).collect();
    if module.last().is_some_and(|name| name == "mod" || name == "lib") {
        module.pop();
    }
    module
}

/// Words and signs of the code, without comments and texts. `::` is one sign.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let start = i;
        if at(i) == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '/' && at(i + 1) == '*' {
            i += 2;
            while i < chars.len() && !(at(i) == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if at(i) == '"' || (at(i) == 'r' && (at(i + 1) == '"' || (at(i + 1) == '#' && at(i + 2) == '"'))) {
            i = end_of_text(&chars, i);
        } else if at(i) == '\'' {
            // A character, or a lifetime, whose name is then a word like any other.
            let is_character = at(i + 2) == '\'' || at(i + 1) == '\\';
            i += 1;
            if is_character {
                i += 1 + usize::from(at(i) == '\\');
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
        } else if is_word(at(i)) {
            while is_word(at(i)) {
                i += 1;
            }
            tokens.push(chars[start..i].iter().collect());
        } else {
            i += if at(i) == ':' && at(i + 1) == ':' { 2 } else { 1 };
            if !at(start).is_whitespace() {
                tokens.push(chars[start..i].iter().collect());
            }
        }
    }
    tokens
}

/// One past the end of a text literal, raw or not.
fn end_of_text(chars: &[char], start: usize) -> usize {
    let is_raw = chars[start] == 'r';
    let has_hash = is_raw && chars[start + 1] == '#';
    let mut i = start + 1 + usize::from(is_raw) + usize::from(has_hash);
    while i < chars.len() {
        match chars[i] {
            '\\' if !is_raw => i += 1,
            '"' if !has_hash => return i + 1,
            '"' if chars.get(i + 1) == Some(&'#') => return i + 2,
            _ => {}
        }
        i += 1;
    }
    i
}

impl Source {
    /// Whether it is `place` or lies below it.
    fn is_in(&self, place: &str) -> bool {
        self.path == format!("{place}.rs") || self.path.starts_with(&format!("{place}/"))
    }

    /// Every path of the crate that the code names, from the crate's root on.
    fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        // Modules within the file: `super` there is the file's own module.
        let mut inner: Vec<usize> = Vec::new();
        let mut depth = 0usize;
        for (i, token) in self.tokens.iter().enumerate() {
            let next = |ahead: usize| self.tokens.get(i + ahead).map(String::as_str);
            match token.as_str() {
                "mod" if next(2) == Some("{") => inner.push(depth),
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    inner.retain(|&level| level < depth);
                }
                "crate" | "super" if next(1) == Some("::") => {
                    // `pub(in crate::x)` is no use of x; `super::super` is read from its first word.
                    let before = i.checked_sub(1).map(|i| self.tokens[i].as_str());
                    let continues = before == Some("::");
                    if before != Some("in") && !continues {
                        let from = if token == "crate" { Vec::new() } else { self.parent(inner.len()) };
                        tree(&self.tokens[i + 2..], from, &mut paths);
                    }
                }
                _ => {}
            }
        }
        paths
    }

    /// The module that one `super` leads to, out of `n_inner` modules within the file.
    fn parent(&self, n_inner: usize) -> Vec<String> {
        let up = if n_inner > 0 { 0 } else { 1 };
        self.module[..self.module.len().saturating_sub(up)].to_vec()
    }
}

/// Reads `a::b`, `a::{b, c::d}`, `super::a`, `a as b` or `*`; gives how many tokens it took.
fn tree(tokens: &[String], mut from: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let word = |i: usize| tokens.get(i).map_or("", String::as_str);
    let mut i = 0;
    loop {
        match word(i) {
            "{" => {
                i += 1;
                while word(i) != "}" && !word(i).is_empty() {
                    i += tree(&tokens[i..], from.clone(), paths);
                    i += usize::from(word(i) == ",");
                }
                return i + 1;
            }
            "super" => {
                from.pop();
            }
            "*" | "self" => {
                paths.push(from);
                return i + 1;
            }
            name if name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty() => from.push(name.into()),
            _ => {
                paths.push(from);
                return i.max(1);
            }
        }
        i += 1;
        if word(i) != "::" {
            paths.push(from);
            return i + if word(i) == "as" { 2 } else { 0 };
        }
        i += 1;
    }
}

/// What the modules above the files re-export: `compute::Device` is `compute::device::Device`.
fn reexports(sources: &[Source]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path.ends_with("mod.rs") || source.path == "lib.rs") {
        for (i, window) in source.tokens.windows(2).enumerate() {
            if window == ["pub", "use"] {
                let mut targets = Vec::new();
                tree(&source.tokens[i + 2..], source.module.clone(), &mut targets);
                for target in targets {
                    let name = [&source.module[..], &target[target.len() - 1..]].concat();
                    all.insert(name.join("::"), target.join("::"));
                }
            }
        }
    }
    all
}

/// The name in `FLOORS` that a path belongs to, and its floor.
fn room(path: &str) -> Option<(&'static str, usize)> {
    let rooms = FLOORS.iter().enumerate().flat_map(|(floor, names)| names.iter().map(move |name| (*name, floor)));
    let is_within = |name: &str| path == name || path.starts_with(&format!("{name}::"));
    rooms.filter(|(name, _)| is_within(name)).max_by_key(|(name, _)| name.len())
}

/// Why code of module `user` may not name `used`, if so.
fn fault(user: &str, used: &str, reexports: &BTreeMap<String, String>) -> Option<String> {
    let mut target = used.to_string();
    // `compute::Device` and what follows it, such as an enum's variant.
    while let Some((name, to)) =
        // `a::b` that is `a::b::b` stays in its room.
        reexports.iter().find(|(name, to)| {
            (target == **name || target.starts_with(&format!("{name}::"))) && !to.starts_with(name.as_str())
        })
    {
        target = target.replacen(name.as_str(), to, 1);
    }
    let Some((own, own_floor)) = room(user) else { return Some(format!("`{user}` stands on no floor")) };
    // What the crate's root gives beside modules: macros.
    let (other, floor) = room(&target)?;
    let are_strangers = own != other && STRANGERS.contains(&own) && STRANGERS.contains(&other);
    (floor > own_floor || are_strangers).then(|| format!("`{user}` uses `{target}`"))
}

#[test]
fn no_module_uses_a_higher_floor() {
    let sources = sources();
    let reexports = reexports(&sources);
    let mut n_paths = 0;
    for source in sources.iter().filter(|source| source.path != "lib.rs") {
        for path in source.paths() {
            n_paths += 1;
            if let Some(fault) = fault(&source.module.join("::"), &path.join("::"), &reexports) {
                panic!("src/{}: {fault}", source.path);
            }
        }
    }
    assert!(n_paths > 100, "only {n_paths} paths were read");
}

#[test]
fn every_module_stands_on_a_floor() {
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        assert!(room(&source.module.join("::")).is_some(), "src/{} has no floor in the table", source.path);
    }
}

/// Says where a word is followed by another one, outside of the places that may.
#[track_caller]
fn only_in(places: &[&str], is_it: impl Fn(&str, &str) -> bool, what: &str) {
    let (mut n_allowed, end) = (0, String::new());
    for source in sources() {
        let may = places.iter().any(|place| source.is_in(place));
        for (i, token) in source.tokens.iter().enumerate() {
            let next = source.tokens.get(i + 1).unwrap_or(&end);
            if is_it(token, next) {
                assert!(may, "src/{}: `{token}{next}`, but only {places:?} may {what}", source.path);
                n_allowed += 1;
            }
        }
    }
    assert!(n_allowed > 0, "nobody does {what}: is the test blind?");
}

#[test]
fn only_the_gpu_names_wgpu() {
    // The crate's root may hand it on to applications that share their device.
    only_in(&["compute/gpu", "lib"], |word, _| word == "wgpu", "name wgpu");
}

#[test]
fn only_the_command_prints_and_exits() {
    let prints = |word: &str, next: &str| {
        (next == "!" && ["print", "println", "eprint", "eprintln", "dbg"].contains(&word))
            || ["stdout", "stderr", "exit", "ExitCode"].contains(&word)
    };
    for source in sources().iter().filter(|source| !source.is_in("cli") && !source.is_in("main")) {
        for pair in source.tokens.windows(2) {
            assert!(!prints(&pair[0], &pair[1]), "src/{}: only the command prints: {pair:?}", source.path);
        }
    }
}

#[test]
fn training_opens_no_file() {
    for source in sources().iter().filter(|source| source.is_in("train")) {
        for token in &source.tokens {
            let opens = ["fs", "File", "OpenOptions", "tempfile", "Path", "PathBuf"].contains(&token.as_str());
            assert!(!opens, "src/{}: training gets matrices, but here is `{token}`", source.path);
        }
    }
}

#[test]
fn a_path_is_read_in_each_of_its_forms() {
    let check = |text: &str, expected: &[&str]| {
        let module = vec!["compute".to_string(), "gpu".to_string(), "program".to_string()];
        let source = Source { path: "compute/gpu/program.rs".into(), module, tokens: tokens(text) };
        let found: Vec<String> = source.paths().iter().map(|path| path.join("::")).collect();
        assert_eq!(found, expected, "{text}");
    };
    check("use crate::{Error, nn::{Array, Mlp as M}};", &["Error", "nn::Array", "nn::Mlp"]);
    check("use super::super::plan::*;", &["compute::plan"]);
    check("use super::adapter::{self, open};", &["compute::gpu::adapter", "compute::gpu::adapter::open"]);
    check("let x = f(crate::train::fit(1), 2);", &["train::fit"]);
    check("mod tests { use super::*; } use super::x;", &["compute::gpu::program", "compute::gpu::x"]);
    check("fn f<'a>(x: &'a str) -> char { '\"' } // crate::train", &[]);
    check("let x = (\"crate::train\", r#\"crate::\"nn\"#, '\\''); use crate::data;", &["data"]);
    check("pub(in crate::compute) fn f() {}", &[]);
    check("$crate::train::fit(); /* crate::nn */ Vec::<crate::nn::Mlp>::new()", &["train::fit", "nn::Mlp"]);
}

#[test]
fn a_use_of_a_higher_floor_is_refused() {
    let reexports = reexports(&sources());
    let is_refused = |user: &str, used: &str| fault(user, used, &reexports).is_some();
    assert!(is_refused("kernels::loss", "compute::Device"));
    assert!(is_refused("kernels::loss", "Device"));
    assert!(is_refused("compute::device", "kernels::all"));
    assert!(is_refused("compute::gpu::program", "kernels::matmul::MATMUL"));
    assert!(is_refused("compute::kernel", "compute::Plan"));
    assert!(is_refused("compute::plan", "compute::device::Device"));
    assert!(is_refused("nn::mlp", "train::fit"));
    assert!(is_refused("data::split", "train"));
    assert!(is_refused("train", "cli::run"));
    assert!(is_refused("random", "kernels::all"));
    assert!(is_refused("stray", "error::Error"));

    assert!(!is_refused("kernels::loss", "compute::Plan"));
    assert!(!is_refused("conformance", "compute::Device"));
    assert!(!is_refused("compute::gpu::program", "compute::plan::Plan"));
    assert!(!is_refused("train", "nn::Mlp"));
    assert!(!is_refused("cli::train", "train::fit"));
}
