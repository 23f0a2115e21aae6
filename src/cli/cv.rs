//! `nngpu cv`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use nngpu::Error;
use nngpu::metrics::{Measure, Metrics};
use nngpu::tabular::{Outcome, Part, Prepared, TEST, fit_packed};
use nngpu::train::Ended;
use serde_json::{Value, json};

use super::config::merged;
use super::interrupt::Interrupt;
use super::log::{Log, LogStyle};
use super::progress::Progress;
use super::run::{Data, Training};
use super::summary::{short, table};
use super::train::Settings;
use super::{Ending, Failure};

/// Measure by cross-validation how good a model of a table will be, without writing one
///
/// The rows are cut into folds, and each fold is predicted by networks that learned from the others, preprocessing and
/// all. The networks of all folds learn side by side, as one program where they have one shape.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  nngpu cv houses.csv --target price --folds 10
  nngpu cv visits.csv --target ill --group patient --json > scores.json")]
pub struct Cv {
    #[command(flatten)]
    given: Training,

    /// Folds of the rows, each of which is predicted from the others
    #[arg(short, long, value_name = "FOLDS", default_value_t = 5, help_heading = "Data")]
    folds: usize,

    /// File of settings in TOML, whose keys are the names of the options; those given here go before
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    config: Option<PathBuf>,

    /// What standard error tells: human, jsonl (a JSON object for each event) or quiet
    #[arg(long, value_name = "STYLE", default_value = "human", help_heading = "Output")]
    log: LogStyle,

    /// Print the results as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// The version of the JSON; a change that programs cannot read raises it.
const VERSION: u32 = 1;

/// Measures of the table; `--json` has all.
const MOST_MEASURES: usize = 4;

impl Cv {
    pub fn run(self) -> Result<Ending, Failure> {
        // A file of settings may also tell what a training writes.
        let given = Settings { training: self.given.clone(), ..Settings::default() };
        let Settings { training, .. } = merged(&given, self.config.as_deref())?;
        let log = Log::new(self.log);
        let Data::Tables(tables) = training.read()? else {
            return Err(Error::Setting {
                name: "cv".into(),
                found: "images".into(),
                expected: "a table; images are measured by `nngpu train --test 0.2`".into(),
            }
            .into());
        };
        let folds = Prepared::folds(&tables.table, self.folds, &training.options)?;
        log.prepared(training.path()?, &folds[0]);
        let device = training.open(&folds[0], &log)?;
        let epochs = folds[0].recipe.settings.epochs;
        let samples = folds.iter().flat_map(|fold| &fold.members).map(|member| member.train.len()).sum();
        let mut progress = Progress::new(epochs, folds[0].n_batches(), samples, Interrupt::listen(), log);
        let fitted = fit_packed(&device, &folds, &mut |event| progress.observe(event))
            .inspect_err(|_| progress.clear())
            .map_err(|error| folds[0].place(error))?;
        progress.finish(&fitted[0]);
        if fitted.iter().any(|fitted| fitted.ended == Ended::Interrupted) {
            return Ok(Ending::Interrupted);
        }
        let mut parts = Vec::new();
        for (prepared, fitted) in folds.iter().zip(&fitted) {
            let provenance = training.provenance(prepared, &device)?;
            let outcome = Outcome::new(prepared, &device, fitted, provenance)?;
            parts.extend(outcome.parts.into_iter().filter(|part| part.name == TEST));
        }
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &report(&parts)).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", scores(&parts))?;
        }
        Ok(Ending::Done)
    }
}

/// What predicts, with its metrics of a fold.
type Predictor = (&'static str, fn(&Part) -> &Metrics);

/// Those that are told.
const PREDICTORS: [Predictor; 3] =
    [("network", |part| &part.metrics), ("linear", |part| &part.baselines[1]), ("constant", |part| &part.baselines[0])];

/// A row for each fold, and the means of each predictor.
fn scores(parts: &[Part]) -> String {
    let mut table = table();
    let Some(first) = parts.first() else { return String::new() };
    let measures: Vec<Measure> = first.metrics.scores.iter().take(MOST_MEASURES).map(|score| score.measure).collect();
    let names = measures.iter().map(Measure::to_string);
    table.set_header(["fold", "rows", "predictor"].map(String::from).into_iter().chain(names));
    for (fold, part) in (1..).zip(parts) {
        let scores = measures.iter().map(|measure| short(value(&part.metrics, *measure)));
        let head = [fold.to_string(), part.rows.len().to_string(), "network".to_string()];
        table.add_row(head.into_iter().chain(scores));
    }
    for (name, metrics) in PREDICTORS {
        let mean = measures.iter().map(|measure| {
            let values: Vec<f64> = parts.iter().map(|part| value(metrics(part), *measure)).collect();
            let [mean, deviation] = mean_and_deviation(&values);
            format!("{} ± {}", short(mean), short(deviation))
        });
        table.add_row(["mean".to_string(), String::new(), name.to_string()].into_iter().chain(mean));
    }
    table.to_string()
}

fn report(parts: &[Part]) -> Value {
    let predictor = |(name, metrics): Predictor| {
        let folds: Vec<&Metrics> = parts.iter().map(metrics).collect();
        let measures = folds.first().map_or(Vec::new(), |first| first.scores.clone());
        let means = measures.iter().map(|score| {
            let values: Vec<f64> = folds.iter().map(|metrics| value(metrics, score.measure)).collect();
            let [mean, deviation] = mean_and_deviation(&values);
            json!({ "measure": score.measure, "mean": mean, "standard_deviation": deviation })
        });
        json!({ "predictor": name, "means": means.collect::<Vec<_>>(), "folds": folds })
    };
    json!({ "version": VERSION, "folds": parts.len(), "predictors": PREDICTORS.map(predictor) })
}

fn value(metrics: &Metrics, measure: Measure) -> f64 {
    metrics.get(measure).map_or(f64::NAN, |score| score.value)
}

/// The mean, and the standard deviation from fold to fold.
fn mean_and_deviation(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    [mean, (squares / (n - 1.0)).sqrt()]
}
