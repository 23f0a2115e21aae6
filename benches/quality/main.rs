//! How good the models are that come of a target alone, beside other learners.
//!
//! `cargo bench --bench quality -- DATA_FOLDER [--seeds 5] [--only name,name] [--device cpu] [OPTIONS]`
//!
//! Trains on the tables that tables.csv names, as far as they are in the folder as CSV, plain or gzipped, with no option
//! but the target (and the task where others were measured by another), and prints a table: the score on the split of
//! scikit-learn's `train_test_split(random_state=0)` with the interval of its test rows, the mean and the standard
//! deviation over the splits of all seeds, and what peers.md says of others on the same splits. `OPTIONS` are those of
//! `nngpu train`, to measure others than the defaults.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use nngpu::data::{ReadOptions, Table, TargetEncoding, Task, TaskChoice};
use nngpu::metrics::{Measure, Score};
use nngpu::model::Provenance;
use nngpu::tabular::{Options, Outcome, Prepared, TEST, Tables};
use nngpu::train::fit_members;
use nngpu::{Device, Error};
use rand_mt::Mt;

/// The tables and their targets, which `peers.py` reads too.
const TABLES: &str = include_str!("tables.csv");

/// Figures of others, as `peers.py` wrote them.
const PEERS: &str = include_str!("peers.md");

#[derive(Parser)]
struct Arguments {
    /// Folder with the tables; without one nothing is measured
    data: Option<PathBuf>,
    /// Splits, with seeds from 0 on
    #[arg(long, default_value_t = 5)]
    seeds: u32,
    /// Tables, by their names
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    device: String,
    /// What `cargo bench` gives every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    /// Settings to measure in the place of the defaults
    #[command(flatten)]
    options: Options,
}

/// A line of tables.csv.
#[derive(serde::Deserialize)]
struct Entry {
    table: String,
    target: String,
    kind: Kind,
}

/// What the target is measured as.
#[derive(Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Class,
    Number,
}

impl Kind {
    fn measure(self) -> Measure {
        match self {
            Kind::Class => Measure::Accuracy,
            Kind::Number => Measure::R2,
        }
    }

    fn task(self) -> Task {
        match self {
            Kind::Class => Task::Classification,
            Kind::Number => Task::Regression,
        }
    }
}

/// What peers.md says of a table: scores of a linear model, a multilayer perceptron, boosted trees.
fn peers(table: &str) -> Option<[&'static str; 3]> {
    PEERS.lines().find_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, _, _, _, linear, mlp, trees, ..] = cells[..] else { return None };
        (name == table).then_some([linear, mlp, trees])
    })
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let Some(data) = &arguments.data else {
        println!("quality: left out; `cargo bench --bench quality -- FOLDER` measures on the tables in a folder");
        return Ok(());
    };
    println!("| table | score | nngpu | linear | MLP (64, 64) | LightGBM | seconds |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for entry in csv::Reader::from_reader(TABLES.as_bytes()).deserialize() {
        let entry: Entry = entry.expect("tables.csv is right");
        let is_asked = arguments.only.is_empty() || arguments.only.contains(&entry.table);
        let path = ["csv", "csv.gz"].map(|ending| data.join(format!("{}.{ending}", entry.table)));
        let Some(path) = path.iter().find(|path| path.exists() && is_asked) else { continue };
        let start = Instant::now();
        let scores =
            (0..arguments.seeds).map(|seed| score(path, &entry, seed, &arguments)).collect::<Result<Vec<_>, _>>()?;
        let seconds = start.elapsed().as_secs_f64() / scores.len() as f64;
        let values: Vec<f64> = scores.iter().map(|score| score.value).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        let [low, high] = scores[0].interval.unwrap_or([f64::NAN; 2]);
        let own = format!("{:.4} ({low:.4} to {high:.4}); {mean:.4} ± {deviation:.4}", values[0]);
        let [linear, mlp, trees] = peers(&entry.table).unwrap_or(["-"; 3]);
        println!("| {} | {} | {own} | {linear} | {mlp} | {trees} | {seconds:.1} |", entry.table, entry.kind.measure());
    }
    Ok(())
}

/// What the default training reaches on the test rows of a split.
fn score(path: &Path, entry: &Entry, seed: u32, arguments: &Arguments) -> Result<Score, Error> {
    let table = Table::read(path, &ReadOptions::default())?;
    let targets = vec![entry.target.clone()];
    // Others left rows without a target out before they split.
    let missing = TargetEncoding::missing_rows(&table, &targets)?;
    let kept: Vec<u32> = (0..table.n_rows() as u32).filter(|row| missing.binary_search(row).is_err()).collect();
    let table = table.select_rows(&kept);
    let task = entry.kind.task();
    let found = TaskChoice::find(&table, None, &targets)?.task;
    let (train, test) = split(table.n_rows(), seed);
    let options = Options {
        target: targets,
        task: (found != task).then_some(task),
        seed: Some(seed.into()),
        ..arguments.options.clone()
    };
    let tables = Tables { table: table.select_rows(&train), validation: None, test: Some(table.select_rows(&test)) };
    let prepared = Prepared::new(&tables, &options)?;
    let flops = prepared.network.flops_per_step(prepared.recipe.settings.batch_size) * prepared.members.len() as f64;
    let device = Device::open_for(&arguments.device, Some(flops))?.device;
    let fitted = fit_members(
        &device,
        &prepared.network,
        &prepared.recipe.initial,
        &prepared.data,
        &prepared.members,
        &prepared.recipe.settings,
        &mut |_| ControlFlow::Continue(()),
    )?;
    let outcome = Outcome::new(&prepared, &device, &fitted, Provenance::here())?;
    let part = outcome.part(TEST).expect("there are test rows");
    Ok(*part.metrics.get(entry.kind.measure()).expect("the measure of the task"))
}

/// The rows of scikit-learn's `train_test_split(test_size=0.2, random_state=seed)`: the first fifth, rounded up, of
/// NumPy's `RandomState(seed).permutation(n)` is the test.
fn split(n: usize, seed: u32) -> (Vec<u32>, Vec<u32>) {
    let mut generator = Mt::new(seed);
    let mut order: Vec<u32> = (0..n as u32).collect();
    for last in (1..n as u32).rev() {
        // NumPy draws as many bits as the bound has until the number is within it.
        let mask = u32::MAX >> last.leading_zeros();
        let chosen = loop {
            let drawn = generator.next_u32() & mask;
            if drawn <= last {
                break drawn;
            }
        };
        order.swap(last as usize, chosen as usize);
    }
    let n_test = n.div_ceil(5);
    (order[n_test..].to_vec(), order[..n_test].to_vec())
}
