//! What a training does where nobody says otherwise, and what is made of what somebody says.

use std::time::Duration;

use super::{Options, is_file};
use crate::data::{Dataset, Targets};
use crate::kernels::loss::Link;
use crate::kernels::optimizer::Clip;
use crate::nn::{Init, Initial, Layer, layers_of};
use crate::train::{Group, Schedule, Settings, Stopping};
use crate::{Activation, Compat, Error, Loss, Network, Optimizer, Result};

/// What of the data a recipe depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// Rows to learn from, those that training is stopped by included.
    pub rows: usize,
    /// All rows, those to test with included, of which a part may be set aside to stop by.
    pub all_rows: usize,
    /// Columns to learn from, or pixels.
    pub columns: usize,
    /// Whether they are pixels, which are of one kind and have one scale.
    pub are_pixels: bool,
    /// Columns of the targets, or classes.
    pub outputs: usize,
    /// The loss that fits the targets.
    pub loss: Loss,
    /// Groups of rows that stay together, where there are such.
    pub groups: Option<usize>,
    /// Whether rows to stop by are given, so that none are set aside.
    pub has_validation: bool,
}

/// Which rows training is stopped by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    /// Those that are given.
    Given,
    /// The same part of the rows for all members; none where it is 0.
    Part(f64),
    /// Another fold for each member, of so many: together they learn from every row.
    Folds(usize),
}

/// Every number of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The hidden layers, without embeddings and without the last layer, for data of many inputs or of few.
    layers: [Vec<Layer>; 2],
    /// How the first weights are drawn.
    pub initial: Initial,
    /// Networks that learn side by side.
    pub members: usize,
    /// Which rows training is stopped by.
    pub held: Held,
    /// What training makes small.
    pub loss: Loss,
    /// Whether every class counts the same in all.
    pub is_balanced: bool,
    /// The schedule of the step length by its name, or as text.
    pub schedule: String,
    /// The rest.
    pub settings: Settings,
}

impl Recipe {
    /// What `options` say, and for the rest what suits data like these.
    ///
    /// # Errors
    ///
    /// A setting outside its range, settings that do not go together.
    pub fn new(facts: &Facts, options: &Options) -> Result<Recipe> {
        let compat = options.compat.unwrap_or_default();
        let held = held(facts, options)?;
        let members = match (options.members, held) {
            (Some(0), _) => return refuse("members", "0", "a number of at least 1"),
            (Some(members), _) => members,
            (None, _) => default_members(facts),
        };
        let loss = loss(facts, options)?;
        let mut initial = compat.initial();
        initial.weight = options.init.unwrap_or(initial.weight);
        if compat == Compat::Nngpu {
            initial.table = Some(Init::Normal { mean: 0.0, std: 0.3 });
        }

        let learning_rows = match held {
            Held::Given => facts.rows,
            Held::Part(part) => facts.rows.saturating_sub((facts.all_rows as f64 * part).round() as usize),
            Held::Folds(folds) => facts.rows - facts.rows / folds,
        }
        .max(1);
        let batch_size = options.batch_size.unwrap_or_else(|| default_batch_size(learning_rows)).min(learning_rows);
        if batch_size == 0 {
            return refuse("batch size", "0", "a number of at least 1");
        }
        let epochs = options.epochs.unwrap_or_else(|| default_epochs(learning_rows, batch_size));
        let accumulate = options.accumulate.unwrap_or(1);
        if accumulate == 0 {
            return refuse("accumulate", "0", "a number of at least 1");
        }
        let optimizer = optimizer(compat, options)?;
        let n_updates = learning_rows.div_ceil(batch_size).div_ceil(accumulate) as u64 * epochs as u64;
        let has_held = held != Held::Part(0.0);
        let has_scale = !facts.are_pixels && compat == Compat::Nngpu;
        let layers = [layers(options, compat, has_scale, true)?, layers(options, compat, has_scale, false)?];
        let settings = Settings {
            optimizer,
            groups: scale_group(&layers[0], &optimizer).into_iter().collect(),
            batch_size,
            epochs,
            seed: options.seed.unwrap_or(0),
            loss: Some(loss),
            schedule: schedule(&optimizer, options, n_updates)?,
            clip: options.clip_norm.map(Clip::Norm),
            accumulate,
            ema: options.ema,
            stopping: has_held.then(|| Stopping {
                patience: options.patience.unwrap_or_else(|| default_patience(epochs)),
                min_delta: options.min_delta.unwrap_or(0.0),
            }),
            max_time: options.max_time.as_deref().map(parse_time).transpose()?,
            ..Settings::default()
        };
        settings.check()?;
        Ok(Recipe {
            layers,
            initial,
            members,
            held,
            loss,
            is_balanced: is_balanced(options)?,
            schedule: schedule_name(&optimizer, options).into(),
            settings,
        })
    }

    /// Lets every class count the same in all, if that was asked for.
    pub(super) fn balance(&mut self, data: &Dataset, rows: &[u32]) {
        let Targets::Classes(classes) = data.targets() else { return };
        if !self.is_balanced {
            return;
        }
        let mut counts = vec![0u32; classes.names.len()];
        rows.iter().for_each(|row| counts[classes.indices[*row as usize] as usize] += 1);
        let weight = |count: &u32| rows.len() as f32 / (counts.len() as f32 * (*count).max(1) as f32);
        self.settings.class_weights = Some(counts.iter().map(weight).collect());
    }

    /// The network for data of so many inputs, which `first` layers bring to the hidden ones.
    ///
    /// # Errors
    ///
    /// Layers that do not go together.
    pub fn network(&self, inputs: usize, first: &[Layer], outputs: usize) -> Result<Network> {
        let outputs = self.loss.n_outputs(outputs as u32);
        let [wide, narrow] = &self.layers;
        let hidden = if is_wide(inputs, first)? { wide } else { narrow };
        let layers = first.iter().chain(hidden).cloned().chain([Layer::linear(outputs)]);
        Network::of(inputs as u32, layers.collect())
    }
}

fn refuse<T>(name: &str, found: impl ToString, expected: &str) -> Result<T> {
    Err(Error::Setting { name: name.into(), found: found.to_string(), expected: expected.into() })
}

// The numbers below were measured on 41 tables of 150 to 53,940 rows; benches/quality tells how.

/// Of so many folds each member holds out another.
const FOLDS: usize = 8;

/// So many numbers to learn from, such as 20,000 images, take a while even for few networks.
const MANY_NUMBERS: usize = 16_000_000;

/// What the folds are called where a part or a file may be given.
pub(super) const FOLDS_NAME: &str = "folds";

/// The part of the rows to stop by where folds would look ahead in time.
const HELD_PART: f64 = 0.1;

/// Ranges of each column of numbers, as far as each holds enough rows of each column.
const BINS: usize = 8;
const FEWEST_BINS: usize = 4;
const ROWS_OF_BIN: usize = 10;
const MOST_BINNED_COLUMNS: usize = 64;

/// The rule that moves the weights, and its step length.
pub(super) const OPTIMIZER: &str = "adamw";
const LEARNING_RATE: f32 = 0.003;

/// How much faster the scale of the inputs learns.
const SCALE_RATE: f32 = 20.0;

/// Widths of the hidden layers, and from how many inputs on the first is wider and drops a part.
const HIDDEN: [usize; 2] = [128, 128];
const WIDE_INPUTS: usize = 256;
const WIDE_HIDDEN: [usize; 2] = [256, 128];
const WIDE_DROPOUT: f32 = 0.1;

/// Label smoothing of very many classes; of two there is none.
const LABEL_SMOOTHING: f32 = 0.1;

/// Steps that are enough, within the fewest and the most epochs.
const STEPS: usize = 4000;
const EPOCHS: [usize; 2] = [20, 100];

/// Epochs without a better loss, at least, and as a part of all.
const FEWEST_PATIENCE: usize = 10;
const PATIENCE_PART: f64 = 0.3;

/// Rows of a batch, and batches of an epoch where that allows it.
const BATCH_SIZES: [usize; 2] = [16, 512];
const BATCHES: usize = 32;

fn held(facts: &Facts, options: &Options) -> Result<Held> {
    if facts.has_validation {
        return Ok(Held::Given);
    }
    let text = options.validation.as_ref().filter(|text| !is_file(text));
    if text.is_some_and(|text| text == FOLDS_NAME) && options.time.is_some() {
        return refuse("validation", "folds of rows that are in order of time", "a part from 0 to below 1, or a file");
    }
    let Some(text) = text.filter(|text| *text != FOLDS_NAME) else {
        let folds = FOLDS.min(facts.rows).min(facts.groups.unwrap_or(FOLDS));
        // By time no row may be learned from that comes after those to stop by.
        return Ok(if folds > 1 && options.time.is_none() { Held::Folds(folds) } else { Held::Part(HELD_PART) });
    };
    match text.parse::<f64>() {
        Ok(part) if (0.0..1.0).contains(&part) => Ok(Held::Part(part)),
        _ => refuse("validation", format!("`{text}`"), "a part from 0 to below 1, folds, or a file"),
    }
}

fn default_members(facts: &Facts) -> usize {
    match facts.rows {
        rows if rows.saturating_mul(facts.columns) > MANY_NUMBERS || rows > 100_000 => 2,
        rows if rows > 10_000 => 4,
        _ => 8,
    }
}

/// The power of two nearest to a part of the rows.
fn default_batch_size(rows: usize) -> usize {
    let [fewest, most] = BATCH_SIZES;
    let exponent = (rows.max(1) as f64 / BATCHES as f64).max(1.0).log2().round() as u32;
    (1usize << exponent.min(20)).clamp(fewest, most)
}

fn default_epochs(rows: usize, batch_size: usize) -> usize {
    STEPS.div_ceil(rows.div_ceil(batch_size)).clamp(EPOCHS[0], EPOCHS[1])
}

fn default_patience(epochs: usize) -> usize {
    ((PATIENCE_PART * epochs as f64) as usize).max(FEWEST_PATIENCE)
}

/// Ranges of each of `columns` columns of numbers for so many rows to learn from.
pub(super) fn default_bins(rows: usize, columns: usize) -> usize {
    let bins = (rows / (ROWS_OF_BIN * columns.max(1))).min(BINS);
    if bins >= FEWEST_BINS && columns <= MOST_BINNED_COLUMNS { bins } else { 0 }
}

/// Whether so many inputs, which `first` layers bring to the hidden ones, are many.
pub(super) fn is_wide(inputs: usize, first: &[Layer]) -> Result<bool> {
    let width = first.iter().try_fold(inputs as u32, |width, layer| layer.width(width))?;
    Ok(width as usize >= WIDE_INPUTS)
}

/// The widths of the hidden layers, and the part that is dropped after each.
pub(super) fn hidden(options: &Options, is_wide: bool) -> (Vec<usize>, f32) {
    let (widths, dropout) = if is_wide { (WIDE_HIDDEN, WIDE_DROPOUT) } else { (HIDDEN, 0.0) };
    // Who chooses widths gets what is chosen, and nothing beside.
    let dropout = options.dropout.unwrap_or(if options.hidden.is_some() { 0.0 } else { dropout });
    (options.hidden.clone().unwrap_or(widths.to_vec()), dropout)
}

pub(super) fn activation(options: &Options) -> Activation {
    options.activation.unwrap_or(Activation::Relu)
}

fn layers(options: &Options, compat: Compat, has_scale: bool, is_wide: bool) -> Result<Vec<Layer>> {
    if let Some(text) = &options.layers {
        let layers = layers_of(text)?;
        if layers.iter().any(has_embedding) {
            let expected = "layers without embeddings: categories of more levels than `one-hot` have theirs anyway";
            return refuse("layers", format!("`{text}`"), expected);
        }
        return Ok(compat.layers(layers));
    }
    let (widths, dropout) = hidden(options, is_wide);
    let mut layers = Vec::new();
    if has_scale && widths != [0] {
        layers.push(Layer::Scale);
    }
    for width in if widths == [0] { &[][..] } else { &widths } {
        let width = u32::try_from(*width).unwrap_or(u32::MAX);
        layers.extend([Layer::linear(width), Layer::Activation(activation(options))]);
        if dropout != 0.0 {
            layers.push(Layer::Dropout { rate: dropout });
        }
    }
    Ok(layers)
}

/// Lets the scale of the inputs learn faster than the other parameters, with the optimizers of which this is known to
/// help.
fn scale_group(layers: &[Layer], optimizer: &Optimizer) -> Option<Group> {
    let is_known = matches!(optimizer, Optimizer::Adam { .. }) && layers.first() == Some(&Layer::Scale);
    let optimizer = optimizer.with_learning_rate(SCALE_RATE * optimizer.learning_rate());
    is_known.then(|| Group { pattern: "*.scale".into(), optimizer })
}

fn has_embedding(layer: &Layer) -> bool {
    match layer {
        Layer::Embedding { .. } => true,
        Layer::Residual(layers) => layers.iter().any(has_embedding),
        _ => false,
    }
}

fn loss(facts: &Facts, options: &Options) -> Result<Loss> {
    let loss = options.loss.unwrap_or(facts.loss);
    if facts.loss == Loss::Mse && loss.link() == Link::Softmax {
        return refuse("loss", format!("`{loss}`"), "one for numbers, as the target is");
    }
    if facts.loss == Loss::CrossEntropy && !loss.takes_classes() {
        return refuse("loss", format!("`{loss}`"), "one for classes, as the target is: cross_entropy or focal(2)");
    }
    match (options.label_smoothing, loss) {
        (None, Loss::CrossEntropy) if options.loss.is_none() && facts.outputs > 2 => {
            let label_smoothing = LABEL_SMOOTHING * (1.0 - 2.0 / facts.outputs as f32);
            Ok(Loss::CrossEntropySmoothed { label_smoothing })
        }
        (None, loss) => Ok(loss),
        (Some(0.0), loss) => Ok(loss),
        (Some(label_smoothing), Loss::CrossEntropy) => {
            let loss = Loss::CrossEntropySmoothed { label_smoothing };
            loss.check().map(|()| loss)
        }
        (Some(part), loss) => {
            refuse("label smoothing", format!("{part} with the loss {loss}"), "cross_entropy with it")
        }
    }
}

fn optimizer(compat: Compat, options: &Options) -> Result<Optimizer> {
    let name = options.optimizer.as_deref().unwrap_or(OPTIMIZER);
    let rate = options.learning_rate.or((name == OPTIMIZER && compat == Compat::Nngpu).then_some(LEARNING_RATE));
    let optimizer = compat.optimizer(name, rate)?;
    match options.weight_decay {
        None => Ok(optimizer),
        Some(part) => match optimizer.with_weight_decay(part) {
            Some(optimizer) => optimizer.check().map(|()| optimizer),
            None => {
                refuse("weight decay", format!("{part} with {name}"), "an optimizer with weight decay, such as adamw")
            }
        },
    }
}

fn schedule(optimizer: &Optimizer, options: &Options, n_updates: u64) -> Result<Option<Schedule>> {
    // The number that was meant: 0.003, and not the digits of the nearest of 32 bits.
    let rate = optimizer.learning_rate().to_string().parse().unwrap_or(f64::from(optimizer.learning_rate()));
    match schedule_name(optimizer, options) {
        "constant" => Ok(None),
        "cosine" => Ok(Some(Schedule::cosine(rate, n_updates.max(1)))),
        "warm_cosine" => {
            let warm_up = n_updates / 10;
            let wave = Schedule::cosine(rate, (n_updates - warm_up).max(1));
            Ok(Some(if warm_up > 0 { wave.after_warm_up(warm_up) } else { wave }))
        }
        "one_cycle" | "one-cycle" => Ok(Some(Schedule::one_cycle(rate, n_updates.max(2)))),
        text if options.learning_rate.is_none() => Ok(Some(text.parse()?)),
        text => refuse(
            "learning rate",
            format!("one beside the schedule `{text}`, which has its own"),
            "one of the two, or a schedule of `constant`, `cosine`, `warm_cosine` and `one_cycle`",
        ),
    }
}

/// The schedule as it is given, or the one for this optimizer.
fn schedule_name<'a>(optimizer: &Optimizer, options: &'a Options) -> &'a str {
    let default = if optimizer.has_learning_rate() { "warm_cosine" } else { "constant" };
    options.schedule.as_deref().unwrap_or(default)
}

/// The schedules that follow the learning rate and the length of the training; others have numbers of their own.
pub(super) const SCHEDULES: [&str; 5] = ["constant", "cosine", "warm_cosine", "one_cycle", "one-cycle"];

fn is_balanced(options: &Options) -> Result<bool> {
    match options.class_weights.as_deref() {
        None | Some("equal") => Ok(false),
        Some("balanced") => Ok(true),
        Some(text) => refuse("class weights", format!("`{text}`"), "balanced or equal"),
    }
}

/// A span of time as text: `60s`, `10min`, `1h 30min`.
///
/// # Errors
///
/// A text that is none, or no time at all.
pub fn parse_time(text: &str) -> Result<Duration> {
    let time = text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| !time.is_zero())
        .map_or_else(|| refuse("time", format!("`{text}`"), "a span of time such as 60s, 10min or 1h 30min"), Ok)
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use clap::Args;

    use super::*;
    use crate::data::PreprocessingOptions;

    /// The help is text that no constant reaches; here both are held together.
    #[test]
    fn help_tells_the_defaults() {
        let command = Options::augment_args(clap::Command::new("test"));
        let help = |name: &str| {
            let argument = command.get_arguments().find(|argument| argument.get_long() == Some(name));
            let help = argument.and_then(clap::Arg::get_help).expect(name).to_string();
            help.split_once("[default: ").unwrap_or_else(|| panic!("{name}: {help}")).1.replace(',', "")
        };
        let check = |name: &str, expected: &[&dyn std::fmt::Display]| {
            let found: Vec<String> = help(name).split_whitespace().map(|word| word.replace(']', "")).collect();
            for expected in expected {
                assert!(found.contains(&expected.to_string()), "{name}: {found:?}, expected {expected}");
            }
        };
        let widths = |widths: [usize; 2]| widths.map(|width| width.to_string()).concat();
        check("one-hot", &[&PreprocessingOptions::default().one_hot_up_to]);
        check("bins", &[&BINS, &MOST_BINNED_COLUMNS]);
        check("hidden", &[&widths(HIDDEN), &widths(WIDE_HIDDEN), &WIDE_INPUTS]);
        check("activation", &[&activation(&Options::default())]);
        check("dropout", &[&0, &WIDE_DROPOUT, &WIDE_INPUTS]);
        check("optimizer", &[&OPTIMIZER]);
        check("learning-rate", &[&LEARNING_RATE, &OPTIMIZER]);
        let decay = optimizer(Compat::Nngpu, &Options::default()).expect("the default").weight_decay();
        check("weight-decay", &[&decay.expect("it has one")]);
        check("label-smoothing", &[&LABEL_SMOOTHING]);
        check("batch-size", &[&BATCH_SIZES[0], &BATCH_SIZES[1], &format!("{BATCHES}nd")]);
        check("epochs", &[&STEPS, &EPOCHS[0], &EPOCHS[1]]);
        check("patience", &[&PATIENCE_PART, &FEWEST_PATIENCE]);
        let [few, many, most] = [10_000, 100_000, 100_001].map(|rows| default_members(&facts(rows)));
        check("members", &[&few, &many, &10000, &most, &100000]);
    }

    fn facts(rows: usize) -> Facts {
        Facts {
            rows,
            all_rows: rows,
            columns: 1,
            are_pixels: false,
            outputs: 1,
            loss: Loss::Mse,
            groups: None,
            has_validation: false,
        }
    }

    #[test]
    fn columns_have_a_scale_that_learns_faster_but_not_where_another_network_was_asked_for() {
        let rates = |facts: &Facts, options: &Options| {
            let recipe = Recipe::new(facts, options).expect("settings that go together");
            let network = recipe.network(3, &[], 1).expect("layers that go together");
            let has_scale = network.layers().first() == Some(&Layer::Scale);
            (has_scale, recipe.settings.groups.iter().map(|group| group.optimizer.learning_rate()).collect::<Vec<_>>())
        };
        let table = |options: Options| rates(&facts(100), &options);
        let faster = SCALE_RATE * LEARNING_RATE;
        assert_eq!(table(Options::default()), (true, vec![faster]));
        assert_eq!(table(Options { hidden: Some(vec![8]), ..Default::default() }), (true, vec![faster]));
        assert_eq!(table(Options { optimizer: Some("sgd".into()), ..Default::default() }), (true, vec![]));
        assert_eq!(table(Options { hidden: Some(vec![0]), ..Default::default() }), (false, vec![]));
        assert_eq!(table(Options { layers: Some("8 relu".into()), ..Default::default() }), (false, vec![]));
        assert_eq!(table(Options { compat: Some(Compat::Mlx), ..Default::default() }), (false, vec![]));
        assert_eq!(rates(&Facts { are_pixels: true, ..facts(100) }, &Options::default()), (false, vec![]));
    }
}
