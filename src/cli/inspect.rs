//! `nngpu inspect`.

use std::io::{self, Write};
use std::path::PathBuf;

use nngpu::data::{ColumnDescription, NumberTarget, TargetEncoding, Transform};
use nngpu::digits::six_digits;
use nngpu::model::{Input, Model};
use nngpu::nn::ParameterSpec;
use serde_json::{Value, json};

use super::summary::table;
use super::{Ending, Failure, log};

/// Tell what is in a model file
///
/// The layers with their parameters, what becomes of each column, what is predicted, and where the model comes from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nngpu inspect model.safetensors
  nngpu inspect model.safetensors --weights
  nngpu inspect model.safetensors --json | jq .provenance")]
pub struct Inspect {
    /// Model file that `nngpu train` wrote
    model: PathBuf,

    /// Tell of each parameter its smallest, mean and largest value, and the root of the sum of its squares
    #[arg(long)]
    weights: bool,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// The version of the JSON; a change that programs cannot read raises it.
const VERSION: u32 = 1;

/// Columns that are shown; a table of pixels has hundreds.
const MOST_COLUMNS: usize = 50;

impl Inspect {
    pub fn run(self) -> Result<Ending, Failure> {
        let model = Model::load(&self.model)?;
        let mut out = io::stdout().lock();
        if self.json {
            let text = serde_json::to_string_pretty(&self.json(&model)).map_err(io::Error::from)?;
            writeln!(out, "{text}")?;
        } else {
            write!(out, "{}", self.text(&model))?;
        }
        out.flush()?;
        Ok(Ending::Done)
    }

    fn text(&self, model: &Model) -> String {
        let mut text = format!("{}\n", self.model.display());
        let mut part = |heading: &str, body: &str| text += &format!("\n{heading}\n{}\n", body.trim_end());
        let networks = match model.members {
            1 => "Network".into(),
            n => format!("{n} networks of this shape, whose mean is the answer"),
        };
        part(&networks, &model.network.table().to_string());
        part("Input", &input(&model.input, model.network.inputs()));
        part("Prediction", &prediction(model));
        part("Made by", &provenance(model));
        if !model.provenance.metrics.is_null() {
            part("Measured after training", &metrics(&model.provenance.metrics));
        }
        if self.weights {
            part("Weights", &weights(model));
        }
        text
    }

    fn json(&self, model: &Model) -> Value {
        let network = &model.network;
        let mut columns = network.inputs();
        let layers = network.layers().iter().map(|layer| {
            columns = layer.width(columns).expect("the network has it");
            json!({ "layer": layer.to_string(), "columns": columns })
        });
        let input = match &model.input {
            Input::Table(preprocessing) => json!({ "kind": "table", "columns": preprocessing.describe() }),
            Input::Images => json!({ "kind": "images", "pixels": network.inputs() }),
        };
        let mut told = json!({
            "version": VERSION,
            "model": self.model,
            "network": network,
            "inputs": network.inputs(),
            "outputs": network.outputs(),
            "layers": layers.collect::<Vec<_>>(),
            "parameters": network.parameters().iter().map(|spec| json!({
                "name": spec.name,
                "shape": spec.shape(),
            })).collect::<Vec<_>>(),
            "n_parameters": network.n_parameters(),
            "members": model.members,
            "input": input,
            "task": model.output.task(),
            "target": model.output,
            "loss": model.loss,
            "provenance": model.provenance,
        });
        if self.weights {
            let statistics = statistics(model).into_iter().map(|(name, spec, found)| {
                let Statistics { smallest, mean, largest, norm } = found;
                json!({
                    "name": name,
                    "shape": spec.shape(),
                    "min": smallest,
                    "mean": mean,
                    "max": largest,
                    "norm": norm,
                })
            });
            told["weights"] = statistics.collect();
        }
        told
    }
}

fn input(input: &Input, inputs: u32) -> String {
    let Input::Table(preprocessing) = input else {
        return format!("images of {inputs} pixels, each divided by 255");
    };
    let mut table = table();
    table.set_header(["column", "type", "inputs", "what becomes of it", "learned from"]);
    let columns = preprocessing.describe();
    for ColumnDescription { name, kind, encoder, n_inputs, statistics } in columns.iter().take(MOST_COLUMNS) {
        table.add_row([name, *kind, &n_inputs.to_string(), encoder, statistics]);
    }
    match columns.len().saturating_sub(MOST_COLUMNS) {
        0 => table.to_string(),
        left => format!("{table}\n{left} more columns; `--json` has them all"),
    }
}

fn prediction(model: &Model) -> String {
    let mut lines = vec![log::target(&model.output)];
    match &model.output {
        TargetEncoding::Numbers(targets) => lines.extend(targets.iter().map(number)),
        TargetEncoding::Classes(target) => lines.push(format!("classes: {}", target.classes.join(", "))),
        TargetEncoding::Labels(labels) => {
            lines.extend(labels.iter().map(|label| format!("`{}`: {} or {}", label.name, label.no, label.yes)));
        }
    }
    lines.push(format!("learned by {}", model.loss));
    lines.join("\n")
}

/// How an answer becomes a number.
fn number(target: &NumberTarget) -> String {
    let digits = |value: f64| six_digits(value as f32);
    let (mean, scale) = (digits(target.mean), digits(target.scale));
    let inside = format!("answer × {scale} + {mean}");
    let mut text = match target.transform {
        Transform::Linear => format!("`{}` = {inside}", target.name),
        Transform::Log => format!("`{}` = exp({inside})", target.name),
        Transform::Log1p => format!("`{}` = (exp({inside}) - 1)", target.name),
    };
    if target.smearing != 1.0 {
        text += &format!(" × {}", digits(target.smearing));
    }
    if let Some([low, high]) = target.limits {
        text += &format!(", from {} to {}", digits(low), digits(high));
    }
    text
}

fn provenance(model: &Model) -> String {
    let told = &model.provenance;
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<9} {value}"));
    let version = if told.nngpu.is_empty() { "a version that did not tell".into() } else { told.nngpu.clone() };
    line("nngpu", version);
    if let Some(date) = &told.date {
        line("date", date.clone());
    }
    if let Some(data) = &told.data {
        line("data", format!("{}, {} rows", data.name, data.n_rows));
        if let Some(sum) = &data.sha256 {
            line("SHA-256", sum.clone());
        }
    }
    if let Some(seed) = told.seed {
        line("seed", seed.to_string());
    }
    if let Some(device) = &told.device {
        line("device", device.clone());
    }
    if let Value::Object(options) = &told.options {
        for (name, value) in options {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line("option", format!("{name} = {value}"));
        }
    }
    lines.join("\n")
}

/// What a training wrote of itself, as a table where it has the form that is known.
fn metrics(metrics: &Value) -> String {
    let mut table = table();
    let Some(parts) = metrics.as_array().filter(|parts| !parts.is_empty()) else { return metrics.to_string() };
    let mut names: Vec<&str> = Vec::new();
    let scores = |part: &Value| part["network"]["scores"].as_array().cloned().unwrap_or_default();
    let first = scores(&parts[0]);
    names.extend(first.iter().filter_map(|score| score["measure"].as_str()));
    table.set_header(["data", "rows"].into_iter().chain(names.iter().copied()));
    for part in parts {
        let own = scores(part);
        let value = |name: &&str| {
            let found = own.iter().find(|score| score["measure"] == **name);
            found.and_then(|score| score["value"].as_f64()).map_or("-".into(), super::summary::short)
        };
        let rows = part["network"]["n_rows"].to_string();
        let name = part["part"].as_str().unwrap_or("?").to_owned();
        table.add_row([name, rows].into_iter().chain(names.iter().map(value)));
    }
    table.to_string()
}

/// What a parameter's values are like.
struct Statistics {
    smallest: f32,
    mean: f64,
    largest: f32,
    norm: f64,
}

/// Each parameter of each member by its name in the file.
fn statistics(model: &Model) -> Vec<(String, &ParameterSpec, Statistics)> {
    let members = model.values.chunks_exact(model.network.length() as usize).enumerate();
    let of_member = |(member, values): (usize, &[f32])| {
        let own = |spec: &'_ ParameterSpec| {
            let values = &values[spec.range()];
            let sum = |of: &dyn Fn(f64) -> f64| values.iter().map(|value| of(f64::from(*value))).sum::<f64>();
            let name = match model.members {
                1 => spec.name.clone(),
                _ => format!("members.{member}.{}", spec.name),
            };
            let statistics = Statistics {
                smallest: values.iter().copied().fold(f32::INFINITY, f32::min),
                mean: sum(&|value| value) / values.len() as f64,
                largest: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                norm: sum(&|value| value * value).sqrt(),
            };
            (name, statistics)
        };
        model
            .network
            .parameters()
            .iter()
            .map(|spec| {
                let (name, statistics) = own(spec);
                (name, spec, statistics)
            })
            .collect::<Vec<_>>()
    };
    members.flat_map(of_member).collect()
}

fn weights(model: &Model) -> String {
    let mut table = table();
    table.set_header(["parameter", "shape", "min", "mean", "max", "norm"]);
    for (name, spec, Statistics { smallest, mean, largest, norm }) in statistics(model) {
        let shape: Vec<String> = spec.shape().iter().map(usize::to_string).collect();
        table.add_row([
            name,
            shape.join(" × "),
            six_digits(smallest),
            six_digits(mean as f32),
            six_digits(largest),
            six_digits(norm as f32),
        ]);
    }
    table.to_string()
}
