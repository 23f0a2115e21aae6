//! What a training leaves beside its model: the report, and events for TensorBoard.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nngpu::data::{TargetEncoding, Targets};
use nngpu::metrics::{
    Importance, Measure, PermutationOptions, calibration, confusion, measure, permutation_importance, permuted_columns,
};
use nngpu::model::{Input, Model};
use nngpu::tabular::{Held, Outcome, Part, Prepared, TEST, in_units, names, truth_of};
use nngpu::train::FittedMembers;
use nngpu::{Device, Error, metrics};

use super::history::{EpochValues, Run};
use super::report::{self, Confusion, Entry, Points, ReportData};
use super::tensorboard::Board;

/// The epochs of each member.
pub fn runs(prepared: &Prepared, fitted: &FittedMembers) -> Vec<Run> {
    let run = |(index, member): (usize, &nngpu::train::Member)| {
        let epochs = fitted.epochs.iter().map(|epoch| {
            let validation = epoch.validation.get(index).copied().flatten();
            EpochValues {
                loss: epoch.losses[index],
                validation_loss: validation.map(|validation| validation.loss),
                metric: validation.map(|validation| validation.metric.value()),
                learning_rate: epoch.learning_rates.get(index).map(|rate| f64::from(*rate)),
            }
        });
        Run { seed: member.seed, best_epoch: fitted.best_epochs[index], epochs: epochs.collect() }
    };
    prepared.members.iter().enumerate().map(run).collect()
}

/// Writes every epoch as events.
pub fn write_events(folder: &Path, runs: &[Run], metric: Option<Measure>) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    let seeds: Vec<u64> = runs.iter().map(|run| run.seed).collect();
    let has_validation = runs.iter().flat_map(|run| &run.epochs).any(|epoch| epoch.validation_loss.is_some());
    let mut board = Board::create(folder, &seeds, has_validation, metric, now)?;
    for (member, run) in runs.iter().enumerate() {
        for (epoch, values) in (1..).zip(&run.epochs) {
            board.epoch(member, epoch, values, now)?;
        }
    }
    Ok(())
}

/// What is measured after each epoch.
pub fn metric(outcome: &Outcome) -> Option<Measure> {
    outcome.parts.first().map(|part| part.metrics.main().measure)
}

/// What the report tells.
pub fn report(
    title: String,
    prepared: &Prepared,
    fitted: &FittedMembers,
    outcome: &Outcome,
    device: &Device,
) -> Result<ReportData, Error> {
    let model = &outcome.model;
    let last = outcome.parts.last();
    let names = names(&model.output);
    let entry = |name: &str, value: String| Entry { name: name.into(), value };
    let part = |part: &Part| {
        let [constant, linear] = &part.baselines;
        let baselines = vec![("constant".to_string(), constant.clone()), ("linear".to_string(), linear.clone())];
        report::Part { name: part.name.into(), network: part.metrics.clone(), baselines }
    };
    let (mut confusions, mut bins) = (None, Vec::new());
    if let (Some(part), TargetEncoding::Classes(_)) = (last, &model.output) {
        let truth = truth_of(&model.output, &part.truth, &names);
        let counts = confusion(&part.answers, &truth)?;
        confusions = Some(Confusion { names: names.clone(), counts });
        bins = calibration(&part.answers, &truth)?;
    }
    let settings = &prepared.recipe.settings;
    let held = match prepared.recipe.held {
        Held::Folds(folds) => format!("each network stops by one of {folds} folds"),
        Held::Part(0.0) => "none is stopped by".into(),
        _ => format!("{} are stopped by", prepared.parts.validation.len()),
    };
    let mut data = vec![entry("rows to learn from", prepared.parts.train.len().to_string()), entry("of these", held)];
    if !prepared.parts.test.is_empty() {
        data.push(entry("rows to test with", prepared.parts.test.len().to_string()));
    }
    if let Some(task) = &prepared.task {
        data.push(entry("task", format!("{} ({})", task.task, task.reason)));
    }
    let provenance = &model.provenance;
    if let Some(file) = &provenance.data {
        data.insert(0, entry("file", file.name.clone()));
    }
    let chosen = vec![
        entry("networks", prepared.members.len().to_string()),
        entry("loss", prepared.recipe.loss.to_string()),
        entry("optimizer", settings.optimizer.to_string()),
        entry("schedule", prepared.recipe.schedule.clone()),
        entry("rows of a batch", settings.batch_size.to_string()),
        entry("epochs at most", settings.epochs.to_string()),
        entry("inputs", prepared.data.features().columns().to_string()),
    ];
    let mut made = vec![
        entry("nngpu", provenance.nngpu.clone()),
        entry("device", device.description()),
        entry("seed", settings.seed.to_string()),
    ];
    if let Some(sum) = provenance.data.as_ref().and_then(|file| file.sha256.clone()) {
        made.push(entry("SHA-256 of the data", sum));
    }
    Ok(ReportData {
        title,
        task: super::log::target(&model.output),
        parts: outcome.parts.iter().map(part).collect(),
        runs: runs(prepared, fitted),
        metric: metric(outcome),
        confusion: confusions,
        points: last.map_or(Vec::new(), |part| points(part, &names)),
        calibration: bins,
        importance: importance(prepared, outcome, device)?,
        columns: prepared.schema.as_ref().map_or(Vec::new(), |schema| schema.columns.clone()),
        data,
        findings: prepared.findings.iter().map(super::summary::finding).collect(),
        network: prepared.network.to_string(),
        settings: chosen,
        provenance: made,
    })
}

/// True and predicted numbers of each target.
fn points(part: &Part, names: &[String]) -> Vec<Points> {
    let Targets::Values(truth) = &part.truth else { return Vec::new() };
    let of = |(column, name): (usize, &String)| {
        let pair = |row: usize| [f64::from(truth.row(row)[column]), f64::from(part.answers.row(row)[column])];
        Points { name: name.clone(), values: (0..truth.rows()).map(pair).collect() }
    };
    names.iter().enumerate().map(of).collect()
}

/// What each column contributes, by test rows, or else by the rows that the first network was stopped by, which alone
/// is asked then.
fn importance(prepared: &Prepared, outcome: &Outcome, device: &Device) -> Result<Vec<Importance>, Error> {
    let Input::Table(preprocessing) = &prepared.input else { return Ok(Vec::new()) };
    let own;
    let (model, rows): (&Model, &[u32]) = if outcome.part(TEST).is_some() {
        (&outcome.model, &prepared.parts.test)
    } else {
        let values = outcome.model.values[..prepared.network.length() as usize].to_vec();
        own = Model { members: 1, values, ..outcome.model.clone() };
        (&own, &prepared.members[0].validation)
    };
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let options = PermutationOptions { seed: prepared.recipe.settings.seed, ..Default::default() };
    let rows: Vec<u32> = options.rows(rows.len() as u32).into_iter().map(|row| rows[row as usize]).collect();
    let part = prepared.data.select_rows(&rows)?;
    let truth = Outcome::truth(&model.output, part.targets().clone());
    let (names, features, spans) = (names(&model.output), part.features(), preprocessing.spans());
    let columns: Vec<String> = spans.iter().map(|(name, _)| name.to_string()).collect();
    let main = outcome.parts[0].metrics.main().measure;
    permutation_importance(main, rows.len() as u32, &columns, options, |permuted| {
        let inputs = match permuted {
            Some((column, order)) => permuted_columns(features, spans[column].1.clone(), order),
            None => features.clone(),
        };
        let answers = in_units(&model.output, &model.answers(device, &inputs)?)?;
        let found: metrics::Metrics = measure(&answers, &truth_of(&model.output, &truth, &names), None)?;
        Ok(found.get(main).map_or(f64::NAN, |score| score.value))
    })
}
