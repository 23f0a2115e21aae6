//! The words of an explanation.

use std::fmt::Display;

use nngpu::Loss;
use nngpu::data::{NumberTarget, TargetEncoding, Transform};
use nngpu::digits::six_digits;
use nngpu::kernels::loss::Link;
use nngpu::model::Model;
use nngpu::nn::{Layer, Role};
use nngpu::tabular::explain::{ColumnInputs, MadeInput, Step};
use nngpu::tabular::names;

use super::Explanation;
use crate::cli::predictions;

/// Inputs of a column, or products of a neuron, up to which all are told.
const MOST: usize = 6;

/// Products that are told of more.
const FEW: usize = 4;

/// Neurons, or other columns of a layer, that are told.
const MOST_NEURONS: usize = 16;

/// How an explanation is told.
pub struct Telling<'a> {
    pub model: &'a Model,
    /// Counted from 0.
    pub member: usize,
    /// Whether nothing is left out.
    pub full: bool,
}

/// The text so far, with the number of its last part.
struct Text {
    text: String,
    part: usize,
}

impl Text {
    fn heading(&mut self, text: &str) {
        self.part += 1;
        let text = format!("{}. {text}", self.part);
        self.text += &format!("\n{text}\n{}\n\n", "─".repeat(text.chars().count()));
    }

    fn line(&mut self, line: impl Display) {
        self.text += &format!("{line}\n");
    }

    /// A name, and what is told of it.
    fn pair(&mut self, name: &str, what: impl Display) {
        self.text += &format!("  {name:<18} {what}\n");
    }
}

impl Telling<'_> {
    /// Tells everything.
    pub fn text(&self, title: &str, explanation: &Explanation) -> String {
        let mut text = Text { text: format!("{title}\n"), part: 0 };
        let members = self.model.members;
        if members > 1 {
            text.line(format!("by network {} of {members}, and in the end by all of them", self.member + 1));
        }
        text.heading("From the row to the inputs");
        match &explanation.columns {
            Some(columns) => {
                text.line(
                    "What training found in its rows turns each value into numbers that networks learn well from.",
                );
                text.line("");
                columns.iter().for_each(|column| self.column(&mut text, column));
            }
            None => {
                let inputs = self.model.network.inputs();
                text.line(format!("The {inputs} pixels of the image, from 0 to 255, each divided by 255."));
            }
        }
        let mut steps = explanation.steps.iter().peekable();
        while let Some(step) = steps.next() {
            let activation = match (&step.layer, steps.peek()) {
                (Layer::Linear { .. }, Some(next)) if matches!(next.layer, Layer::Activation(_)) => steps.next(),
                _ => None,
            };
            self.step(&mut text, step, activation);
        }
        self.output(&mut text, explanation);
        if members > 1 {
            self.members(&mut text, explanation);
        }
        text.heading("The prediction");
        for (name, value) in predictions::told(&self.model.output, &explanation.predictions, 0) {
            text.pair(&name, value);
        }
        text.text
    }

    fn column(&self, text: &mut Text, ColumnInputs { name, raw, inputs }: &ColumnInputs) {
        text.line(format!("  {name}: {}", raw.as_deref().unwrap_or("missing")));
        // Of many inputs those that say most: in between, or the answer that is yes.
        let is_told = |place: usize, MadeInput { value, how, .. }: &MadeInput| {
            let is_question = how.ends_with('?');
            let says = if is_question { *value != 0.0 } else { *value != 0.0 && *value != 1.0 };
            self.full || inputs.len() <= MOST || place == 0 && !is_question || says
        };
        let mut left = [0usize; 2];
        for (place, input) in inputs.iter().enumerate() {
            let MadeInput { name, value, how } = input;
            if !is_told(place, input) {
                left[usize::from(*value == 1.0)] += 1;
            } else if how.ends_with('?') {
                text.line(format!("    {name:<30} {how} {} = {value}", if *value == 0.0 { "no" } else { "yes" }));
            } else {
                text.line(format!("    {name:<30} {how} = {}", six_digits(*value)));
            }
        }
        for (value, n) in left.into_iter().enumerate().filter(|(_, n)| *n > 0) {
            text.line(format!("    {:<30} {value}", format!("{n} more")));
        }
    }

    /// A layer, with the activation that follows it.
    fn step(&self, text: &mut Text, step: &Step, activation: Option<&Step>) {
        let (inputs, outputs) = (step.inputs.len(), step.outputs.len());
        let path = step.path().map_or(String::new(), |path| format!(" ({path})"));
        let within = if step.depth > 0 { ", within a residual layer" } else { "" };
        let what = match &step.layer {
            Layer::Linear { .. } => format!("{outputs} neurons over {inputs} inputs"),
            Layer::Residual(_) => "The sum of a residual layer".into(),
            other => other.to_string(),
        };
        let after = activation.map_or(String::new(), |next| format!(", then {}", next.layer));
        text.heading(&format!("{what}{path}{after}{within}"));
        match &step.layer {
            Layer::Linear { .. } => return self.linear(text, step, activation),
            Layer::Embedding { column, size, .. } => {
                let (column, size) = (*column as usize, *size as usize);
                text.line("The number of the level takes its vector out of the table:");
                text.line("");
                let vector: Vec<String> =
                    step.outputs[column..][..size].iter().map(|value| six_digits(*value)).collect();
                let name = &step.input_names[column];
                text.pair(name, format!("level {} -> {}", step.inputs[column], vector.join("  ")));
                return;
            }
            Layer::Dropout { .. } => {
                text.line("Only while training it drops anything.");
                return;
            }
            Layer::BatchNorm { epsilon, .. } => {
                text.line(format!(
                    "(x - mean) / √(variance + {epsilon}), with mean and variance of the training, then"
                ));
                text.line("times scale plus shift:");
            }
            Layer::LayerNorm { epsilon, .. } => {
                let mean = step.inputs.iter().map(|x| f64::from(*x)).sum::<f64>() / inputs as f64;
                let squares = step.inputs.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
                let (mean, variance) = (six_digits(mean as f32), six_digits((squares / inputs as f64) as f32));
                text.line(format!("The mean of the row is {mean}, its variance {variance}:"));
                text.line(format!("(x - {mean}) / √({variance} + {epsilon}), then times scale plus shift:"));
            }
            Layer::RmsNorm { epsilon } => {
                let squares = step.inputs.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
                let mean = six_digits((squares / inputs as f64) as f32);
                text.line(format!("The mean of the squares is {mean}: x / √({mean} + {epsilon}), then times scale:"));
            }
            Layer::Scale => text.line("Each is multiplied by its scale:"),
            Layer::Prelu { .. } => text.line("What is negative is multiplied by the slope:"),
            Layer::Glu => text.line("a × sigmoid(b), of the first half a and the second half b:"),
            Layer::Residual(_) => text.line("What went into it, and what the layers within made of it:"),
            Layer::Softmax(_) => text.line("Over all columns:"),
            Layer::Activation(_) => text.line("Each by itself:"),
        }
        text.line("");
        self.elements(text, step);
    }

    /// The products of each neuron, their sum, and what the activation makes of it.
    fn linear(&self, text: &mut Text, step: &Step, activation: Option<&Step>) {
        let shown = if self.full || step.inputs.len() <= MOST { step.inputs.len() } else { FEW };
        let most = if shown < step.inputs.len() { ", the largest first" } else { "" };
        text.line(format!("Each neuron adds up (input × weight){most}:"));
        text.line("");
        let answers = activation.map_or(&step.outputs, |next| &next.outputs);
        let bias = step.parameter(Role::Bias);
        for neuron in self.shown(answers, text) {
            let terms = step.terms(neuron);
            let mut sum: Vec<String> = terms[..shown.min(terms.len())]
                .iter()
                .map(|term| {
                    let (x, weight) = (six_digits(step.inputs[term.input]), six_digits(term.weight));
                    format!("({x} × {weight} {})", step.input_names[term.input])
                })
                .collect();
            if terms.len() > shown {
                let rest: f64 = terms[shown..].iter().map(|term| term.product).sum();
                sum.push(format!("({} of {} more)", six_digits(rest as f32), terms.len() - shown));
            }
            sum.extend(bias.map(|bias| format!("({} bias)", six_digits(bias[neuron]))));
            let mut line = format!("{} = {}", sum.join(" + "), six_digits(step.outputs[neuron]));
            if let Some(next) = activation {
                line += &format!("; {} {}", next.layer, six_digits(next.outputs[neuron]));
            }
            text.pair(&step.output_names[neuron], line);
        }
    }

    /// What becomes of each column by itself.
    fn elements(&self, text: &mut Text, step: &Step) {
        let digits = |values: &[f32], column: usize| six_digits(values[column % values.len()]);
        let part = |role: Role, column: usize| step.parameter(role).map(|values| digits(values, column));
        let affine = |column: usize| {
            let scale = part(Role::Scale, column).map_or(String::new(), |scale| format!(" × {scale}"));
            scale + &part(Role::Bias, column).map_or(String::new(), |shift| format!(" + {shift}"))
        };
        let inputs = &step.inputs;
        for column in self.shown(&step.outputs, text) {
            let x = digits(inputs, column);
            let how = match &step.layer {
                Layer::BatchNorm { epsilon, .. } => {
                    let mean = part(Role::RunningMean, column).unwrap_or_default();
                    let variance = part(Role::RunningVariance, column).unwrap_or_default();
                    format!("({x} - {mean}) / √({variance} + {epsilon}){}", affine(column))
                }
                Layer::Scale => x + &affine(column),
                Layer::LayerNorm { .. } | Layer::RmsNorm { .. } => format!("from {x}{}", affine(column)),
                Layer::Prelu { .. } if inputs[column] < 0.0 => {
                    format!("{x} × {}", part(Role::Slope, column).unwrap_or_default())
                }
                Layer::Glu => format!("{x} × sigmoid({})", digits(inputs, column + step.outputs.len())),
                Layer::Residual(_) => format!("{x} + {}", six_digits(step.outputs[column] - inputs[column])),
                _ => format!("from {x}"),
            };
            text.pair(&step.output_names[column], format!("{how} = {}", digits(&step.outputs, column)));
        }
    }

    /// The columns that are told: all, or of many the largest ones.
    fn shown(&self, values: &[f32], text: &mut Text) -> Vec<usize> {
        let mut columns: Vec<usize> = (0..values.len()).collect();
        if self.full || values.len() <= MOST_NEURONS {
            return columns;
        }
        columns.sort_by(|a, b| values[*b].abs().total_cmp(&values[*a].abs()));
        columns.truncate(MOST_NEURONS);
        columns.sort_unstable();
        let n = values.len();
        text.line(format!("  ({MOST_NEURONS} of {n}, those whose answers are furthest from 0; `--full` tells all)"));
        columns
    }

    /// What the outputs of the network say.
    fn output(&self, text: &mut Text, explanation: &Explanation) {
        let Some(last) = explanation.steps.last() else { return };
        let (outputs, answers) = (&last.outputs, &explanation.answers[self.member]);
        let loss = self.model.loss;
        let names = names(&self.model.output);
        let link = loss.link();
        if link != Link::Identity {
            text.heading(&format!("What the output says, since it was learned by {loss}"));
        }
        let formula: Box<dyn Fn(f32) -> String> = match link {
            Link::Identity => Box::new(|_| String::new()),
            Link::Softmax => {
                let highest = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = outputs.iter().map(|z| (z - highest).exp()).sum();
                let highest = six_digits(highest);
                text.line(format!("Softmax: exp(z - {highest}) of each, divided by their sum, {}:", six_digits(sum)));
                let sum = six_digits(sum);
                Box::new(move |z| format!("exp({} - {highest}) / {sum}", six_digits(z)))
            }
            Link::Sigmoid => {
                text.line("Each by itself, 1 / (1 + exp(-z)):");
                Box::new(|z| format!("1 / (1 + exp(-({})))", six_digits(z)))
            }
            Link::Exp => {
                text.line("Each by itself, exp(z):");
                Box::new(|z| format!("exp({})", six_digits(z)))
            }
        };
        if link != Link::Identity {
            text.line("");
            for ((name, z), answer) in names.iter().zip(outputs).zip(answers) {
                text.pair(name, format!("{} = {}", formula(*z), six_digits(*answer)));
            }
        }
        if let TargetEncoding::Numbers(targets) = &self.model.output {
            text.heading("Back to the units of the target");
            if let Loss::GaussianNll { .. } = loss {
                text.line("The first half of the outputs are means, the second half variances.");
                text.line("");
            }
            for (target, answer) in targets.iter().zip(answers) {
                text.pair(&target.name, undone(target, f64::from(*answer)));
            }
        }
    }

    /// The answers of all members, and their mean.
    fn members(&self, text: &mut Text, explanation: &Explanation) {
        let answers = &explanation.answers;
        text.heading(&format!("All {} networks", answers.len()));
        text.line("Each has learned by itself, from other first weights; the mean of their answers counts.");
        text.line("");
        let names = names(&self.model.output);
        let most = if self.full { names.len() } else { names.len().min(MOST) };
        let list = |name: String, values: &dyn Fn(usize) -> f32| {
            let all: Vec<String> = (0..most).map(|column| format!("{:>10}", six_digits(values(column)))).collect();
            format!("  {name:<18} {}", all.join("  "))
        };
        let heading: Vec<String> = names[..most].iter().map(|name| format!("{name:>10}")).collect();
        text.line(format!("  {:<18} {}", "", heading.join("  ")));
        for (member, answers) in answers.iter().enumerate() {
            text.line(list(format!("network {}", member + 1), &|column| answers[column]));
        }
        let mean = |column: usize| {
            let sum: f64 = answers.iter().map(|answers| f64::from(answers[column])).sum();
            (sum / answers.len() as f64) as f32
        };
        text.line(list("mean".into(), &mean));
        if most < names.len() {
            text.line(format!("  ({} more columns; `--full` tells them)", names.len() - most));
        }
        if let TargetEncoding::Numbers(targets) = &self.model.output {
            text.line("");
            for (column, target) in targets.iter().enumerate() {
                text.pair(&target.name, undone(target, f64::from(mean(column))));
            }
        }
    }
}

/// How an answer becomes a number in the units of the target.
fn undone(target: &NumberTarget, answer: f64) -> String {
    let digits = |value: f64| six_digits(value as f32);
    let scaled = answer * target.scale + target.mean;
    let inside = format!("{} × {} + {}", digits(answer), digits(target.scale), digits(target.mean));
    let (mut text, number) = match target.transform {
        Transform::Linear => (inside, scaled),
        Transform::Log => (format!("exp({inside})"), scaled.exp()),
        Transform::Log1p => (format!("(exp({inside}) - 1)"), scaled.exp_m1()),
    };
    let mut number = number;
    if target.transform != Transform::Linear && target.smearing != 1.0 {
        text += &format!(" × {}", digits(target.smearing));
        number *= target.smearing;
    }
    let decoded = target.decode(answer);
    // Further apart than by rounding.
    let is_limited = (decoded - number).abs() > 1e-9 * number.abs().max(target.scale);
    let limit = match target.limits {
        Some([low, high]) if is_limited => {
            format!(" = {}, but from {} to {} at most", digits(number), digits(low), digits(high))
        }
        _ => String::new(),
    };
    format!("{text}{limit} = {}", target.text(decoded))
}
