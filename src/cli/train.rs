//! `nngpu train`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use nngpu::data::{Classes, Dataset, Split, Standardiser, Table, Targets, Task, idx};
use nngpu::kernels::loss::Link;
use nngpu::kernels::optimizer::Clip;
use nngpu::model::{Input, Model, Output};
use nngpu::nn::{Init, Layer, layers_of};
use nngpu::random::{Key, Purpose, Threefry};
use nngpu::train::{Evaluation, Evaluator, Schedule, Settings, fit};
use nngpu::{Activation, Compat, Error, Loss, Mlp, Network, Optimizer};

use super::interrupt::Interrupt;
use super::progress::Progress;
use super::{DeviceOption, Ending, Failure, first_use, summary};

/// Train a network on a CSV table or on images, and write a model file
///
/// A table is a CSV file, plain or gzipped, whose first line names the columns. A target of
/// numbers is a regression, one of text a classification. Images are an IDX file, plain or
/// gzipped, with `--labels`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nngpu train diabetes.csv --target target --hidden 32 --epochs 50
  nngpu train train-images.gz --labels train-labels.gz --test test-images.gz \\
      --test-labels test-labels.gz --hidden 128 --epochs 10")]
pub struct Train {
    /// CSV file, or IDX file of images
    data: PathBuf,

    /// Column to predict
    #[arg(short, long, value_name = "COLUMN", required_unless_present = "labels", conflicts_with = "labels")]
    target: Option<String>,

    /// IDX file with the labels of the images
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Data to test with after training, of the same form as DATA
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,

    /// IDX file with the labels of the test images
    #[arg(long, value_name = "FILE", requires = "test", requires = "labels")]
    test_labels: Option<PathBuf>,

    /// What to predict, where the target's form leaves it open: regression or classification
    #[arg(long, value_name = "TASK", conflicts_with = "labels", value_parser =
        PossibleValuesParser::new(["regression", "classification"]).map(|name| match name.as_str() {
            "regression" => Task::Regression,
            _ => Task::Classification,
        }))]
    task: Option<Task>,

    /// Columns to leave out, separated by commas; a name with a comma needs an option of its own
    #[arg(long, value_name = "COLUMNS", conflicts_with = "labels")]
    ignore: Vec<String>,

    /// Widths of the hidden layers, separated by commas; 0 for none
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "64,64")]
    hidden: Vec<usize>,

    /// What follows each hidden layer: relu, gelu, silu, tanh, leaky_relu(0.1) …, or a formula of x such as
    /// 'x * sigmoid(1.702 * x)'
    #[arg(short, long, default_value = "relu")]
    activation: Activation,

    /// Hidden layers as text, in the place of widths and activation: '64 gelu dropout(0.1) 64 gelu'. There are also
    /// batch_norm, layer_norm, rms_norm, prelu, glu, residual(...), linear(64, bias=false)
    #[arg(long, value_name = "LAYERS", conflicts_with_all = ["hidden", "activation"])]
    layers: Option<String>,

    /// What training makes small: mse, l1, huber(1), smooth_l1, log_cosh, quantile(0.9), poisson, gamma, tweedie(1.5)
    /// for numbers, cross_entropy, cross_entropy(0.1) with smoothed labels, focal(2) for classes, or a formula of the
    /// prediction p and the target t [default: mse or cross_entropy]
    #[arg(long, value_name = "LOSS", value_parser = parse_loss)]
    loss: Option<Loss>,

    /// How the first weights are drawn, such as he_normal or orthogonal [default: uniform in ±1/√inputs]
    #[arg(long, value_name = "INITIALISER")]
    init: Option<Init>,

    /// Rule that moves the weights; momentum is SGD with 0.9 of its velocity kept
    #[arg(long, default_value = "adam", value_parser = PossibleValuesParser::new(Optimizer::NAMES))]
    optimizer: String,

    /// Step length, above 0 [default: 0.001 for adam, 0.1 for sgd, 0.02 for momentum, others as customary]
    #[arg(short, long, value_name = "RATE", value_parser = parse_learning_rate)]
    learning_rate: Option<f32>,

    /// How the step length changes over the training: constant, cosine or one_cycle, or a text in steps such as
    /// 'warmup(100, cosine(0.01, 5000))'
    #[arg(long, value_name = "SCHEDULE", default_value = "constant")]
    schedule: String,

    /// Largest norm of all gradients together; longer ones are scaled down
    #[arg(long, value_name = "NORM")]
    clip_norm: Option<f32>,

    /// Batches whose gradients make one update
    #[arg(long, value_name = "BATCHES", default_value_t = 1, value_parser = at_least_1())]
    accumulate: usize,

    /// End with a running mean of the weights that keeps this part of itself at each update, such as 0.999
    #[arg(long, value_name = "DECAY")]
    ema: Option<f32>,

    /// Whose defaults to follow for first weights, optimizers and normalisation
    #[arg(long, default_value = "nngpu", value_parser =
        PossibleValuesParser::new(Compat::ALL.map(Compat::name)).map(|name| {
            name.parse::<Compat>().expect("one of the possible values")
        }))]
    compat: Compat,

    /// Rows of a batch
    #[arg(short, long, value_name = "ROWS", default_value_t = 32, value_parser = at_least_1())]
    batch_size: usize,

    /// Times that every row is learned from
    #[arg(short, long, default_value_t = 100, value_parser = at_least_1())]
    epochs: usize,

    /// Part of the rows to set aside and measure after each epoch; 0 for none
    #[arg(short, long, value_name = "PART", default_value_t = 0.2, value_parser = parse_part)]
    validation: f64,

    /// Seed of the first weights, of the rows set aside and of the order of rows
    #[arg(short, long, default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    device: DeviceOption,

    /// Train without checking the kernels of a GPU before its first use. What passes is remembered in
    /// the user's cache folder, or in the one that NNGPU_CACHE_DIR names
    #[arg(long)]
    skip_check: bool,

    /// Model file to write; one of an earlier training is replaced
    #[arg(short, long, value_name = "FILE", default_value = "model.safetensors")]
    output: PathBuf,
}

fn at_least_1() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<u64>::new().range(1..=u32::MAX.into()).map(|value| value as usize)
}

/// Losses that one column of targets and one linear layer at the end suit.
fn parse_loss(text: &str) -> Result<Loss, Error> {
    let loss: Loss = text.parse()?;
    let is_suited = matches!(loss.link(), Link::Identity | Link::Softmax) && loss.n_outputs(1) == 1
        || matches!(loss, Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. });
    if is_suited && !matches!(loss, Loss::CosineSimilarity { .. } | Loss::BinaryCrossEntropyOfProbabilities) {
        return Ok(loss);
    }
    Err(Error::Setting {
        name: "loss".into(),
        found: format!("`{loss}`"),
        expected: "one for a column of numbers or classes; the library has the others".into(),
    })
}

/// Whether any of some layers, or of those within them, takes categories.
fn has_embedding(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| match layer {
        Layer::Residual(inner) => has_embedding(inner),
        layer => matches!(layer, Layer::Embedding { .. }),
    })
}

fn parse_learning_rate(text: &str) -> Result<f32, String> {
    let rate: f32 = text.parse().map_err(|_| "expected a number above 0".to_string())?;
    if rate > 0.0 && rate.is_finite() { Ok(rate) } else { Err("expected a number above 0".into()) }
}

fn parse_part(text: &str) -> Result<f64, String> {
    let part: f64 = text.parse().map_err(|_| "expected a number from 0 to below 1".to_string())?;
    if (0.0..1.0).contains(&part) { Ok(part) } else { Err("expected a number from 0 to below 1".into()) }
}

/// What was read.
struct Loaded {
    data: Dataset,
    test: Option<Dataset>,
    /// The names of the columns; none for images.
    columns: Option<Vec<String>>,
    /// What is predicted.
    target: String,
}

/// The rows by their use.
struct Parts {
    train: Dataset,
    validation: Option<Dataset>,
    test: Option<Dataset>,
}

impl Train {
    pub fn run(self) -> Result<Ending, Failure> {
        Model::check_replaceable(&self.output)?;
        let Loaded { data, test, columns, target } = self.load()?;
        let rows = data.rows();
        let (train, validation) = self.split(data)?;
        let mut parts = Parts { train, validation, test };
        let loss = self.loss.unwrap_or(parts.train.loss());
        if matches!(parts.train.targets(), Targets::Values(_)) && loss.link() == Link::Softmax {
            let (found, expected) = (format!("`{loss}`"), "one for numbers, as the target is".into());
            return Err(Error::Setting { name: "loss".into(), found, expected }.into());
        }
        let (input, output) = parts.standardise(columns, target, loss);
        let train = &parts.train;

        let network = self.network(train.features().columns(), train.n_outputs())?;
        tell!("data: {}, {rows} rows, {}", self.data.display(), describe(&input, &output));
        tell!("network: {network}, {} parameters", network.n_parameters());
        let batch_size = self.batch_size.min(train.rows());
        let settings = self.settings(batch_size, train.rows())?;
        settings.check()?;
        let device = self.device.open(Some(network.flops_per_step(batch_size)))?;
        if !self.skip_check {
            first_use::check(&device)?;
        }
        let mut initial = self.compat.initial();
        initial.weight = self.init.unwrap_or(initial.weight);
        let mut mlp = Mlp::drawn(&device, network.clone(), &initial, self.seed)?;

        let mut progress = Progress::new(self.epochs, train.rows().div_ceil(batch_size), Interrupt::listen());
        let start = Instant::now();
        let validation = parts.validation.as_ref();
        let history = fit(&mut mlp, train, validation, &settings, &mut |event| progress.observe(event))
            .inspect_err(|_| progress.clear())?;
        progress.finish(start.elapsed());

        // Saved before it is measured: a second Ctrl-C then loses nothing.
        let model = Model { network, values: mlp.values()?, input, output, loss };
        model.save(&self.output)?;
        let table = summary::metrics(&parts.measure(&mlp, loss)?, &model.output);
        match writeln!(io::stdout(), "{table}\nmodel written to {}", self.output.display()) {
            // The model is written, whoever reads of it.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ if history.is_interrupted => Ok(Ending::Interrupted),
            _ => Ok(Ending::Done),
        }
    }

    fn load(&self) -> Result<Loaded, Error> {
        match (&self.labels, &self.target) {
            (Some(labels), _) => self.load_images(labels),
            (None, Some(target)) => self.load_table(target),
            (None, None) => unreachable!("a target is required without labels"),
        }
    }

    fn load_table(&self, target: &str) -> Result<Loaded, Error> {
        let table = Table::read_csv(&self.data)?;
        let targets = Targets::from_table(&table, target, self.task)?;
        let features = table.features(Some(target), &self.ignored(&table))?;
        let test = match &self.test {
            Some(path) => {
                let table = Table::read_csv(path)?;
                let targets = targets.same_from_table(&table, target)?;
                Some(Dataset::new(table.matrix(&features.names)?, targets)?)
            }
            None => None,
        };
        let data = Dataset::new(features.values, targets)?;
        Ok(Loaded { data, test, columns: Some(features.names), target: target.into() })
    }

    /// The columns to leave out: an argument that is a column's whole name, or several with commas.
    fn ignored(&self, table: &Table) -> Vec<String> {
        let names = |argument: &String| -> Vec<String> {
            if table.names().contains(argument) {
                vec![argument.clone()]
            } else {
                argument.split(',').map(str::to_owned).collect()
            }
        };
        self.ignore.iter().flat_map(names).collect()
    }

    fn load_images(&self, labels: &Path) -> Result<Loaded, Error> {
        let (images, indices) = idx::read_labelled_images(&self.data, labels)?;
        let classes = Classes::from_labels(labels, indices, None)?;
        let test = match (&self.test, &self.test_labels) {
            (Some(images), Some(labels)) => {
                let (images, indices) = idx::read_labelled_images(images, labels)?;
                let classes = Classes::from_labels(labels, indices, Some(classes.names.len()))?;
                Some(Dataset::new(images, Targets::Classes(classes))?)
            }
            (Some(images), None) => {
                return Err(Error::Setting {
                    name: "test labels".into(),
                    found: format!("images to test with, {}, without labels", images.display()),
                    expected: "their labels as `--test-labels FILE`".into(),
                });
            }
            (None, _) => None,
        };
        let data = Dataset::new(images, Targets::Classes(classes))?;
        Ok(Loaded { data, test, columns: None, target: "label".into() })
    }

    /// The rows to learn from, and those set aside.
    fn split(&self, data: Dataset) -> Result<(Dataset, Option<Dataset>), Error> {
        if self.validation == 0.0 {
            return Ok((data, None));
        }
        let permutation = Threefry::new(Key::new(self.seed), Purpose::Splits, 0).permutation(data.rows() as u32);
        let split = Split::new(self.validation, &permutation)?;
        Ok((data.select_rows(&split.train)?, Some(data.select_rows(&split.validation)?)))
    }

    fn network(&self, inputs: usize, outputs: usize) -> Result<Network, Error> {
        let Some(layers) = &self.layers else {
            let hidden = if self.hidden == [0] { &[] } else { &self.hidden[..] };
            return Network::new(&[&[inputs], hidden, &[outputs]].concat(), self.activation);
        };
        let mut layers = self.compat.layers(layers_of(layers)?);
        if has_embedding(&layers) {
            return Err(Error::Setting {
                name: "layers".into(),
                found: "`embedding`".into(),
                expected: "layers for numbers: the columns of a table are brought to one scale, which categories do \
                           not bear; the library has embeddings"
                    .into(),
            });
        }
        layers.push(Layer::linear(outputs as u32));
        Network::of(inputs as u32, layers)
    }

    fn settings(&self, batch_size: usize, rows: usize) -> Result<Settings, Error> {
        let optimizer = self.compat.optimizer(&self.optimizer, self.learning_rate)?;
        let rate = f64::from(optimizer.learning_rate());
        let n_steps = rows.div_ceil(batch_size).div_ceil(self.accumulate) as u64 * self.epochs as u64;
        let schedule = match self.schedule.as_str() {
            "constant" => None,
            "cosine" => Some(Schedule::cosine(rate, n_steps)),
            "one_cycle" | "one-cycle" => Some(Schedule::one_cycle(rate, n_steps.max(2))),
            text if self.learning_rate.is_none() => Some(text.parse()?),
            text => {
                return Err(Error::Setting {
                    name: "learning rate".into(),
                    found: format!("one beside the schedule `{text}`, which has its own"),
                    expected: "one of the two, or a schedule of `constant`, `cosine` and `one_cycle`".into(),
                });
            }
        };
        Ok(Settings {
            optimizer,
            batch_size,
            epochs: self.epochs,
            seed: self.seed,
            loss: self.loss,
            schedule,
            clip: self.clip_norm.map(Clip::Norm),
            accumulate: self.accumulate,
            ema: self.ema,
            ..Settings::default()
        })
    }
}

impl Parts {
    /// Brings all rows to the scales of those to learn from.
    ///
    /// Targets keep their own where the loss takes the network's output for the logarithm of their mean, or the like.
    fn standardise(&mut self, columns: Option<Vec<String>>, target: String, loss: Loss) -> (Input, Output) {
        let input = match columns {
            Some(columns) => {
                let standardiser = Standardiser::fit(self.train.features());
                self.each(|data| data.standardise_features(&standardiser));
                Input::Table { columns, standardiser }
            }
            None => Input::Images,
        };
        let output = match self.train.targets() {
            Targets::Values(values) => {
                let standardiser = match loss.link() {
                    Link::Identity => Standardiser::fit(values),
                    _ => Standardiser::new(vec![0.0; values.columns()], vec![1.0; values.columns()])
                        .expect("scales above 0"),
                };
                self.each(|data| data.standardise_targets(&standardiser));
                Output::Number { name: target, standardiser }
            }
            Targets::Classes(classes) => Output::Class { name: target, classes: classes.names.clone() },
        };
        (input, output)
    }

    fn each(&mut self, change: impl FnMut(&mut Dataset)) {
        std::iter::once(&mut self.train).chain(&mut self.validation).chain(&mut self.test).for_each(change);
    }

    /// How each part is predicted, with its name and its number of rows.
    fn measure(&self, mlp: &Mlp, loss: Loss) -> Result<Vec<(&'static str, usize, Evaluation)>, Error> {
        let parts =
            [("training", Some(&self.train)), ("validation", self.validation.as_ref()), ("test", self.test.as_ref())];
        let given = parts.into_iter().filter_map(|(name, data)| Some((name, data?)));
        given.map(|(name, data)| Ok((name, data.rows(), Evaluator::with_loss(mlp, data, loss)?.run()?))).collect()
    }
}

fn describe(input: &Input, output: &Output) -> String {
    let features = match input {
        Input::Table { columns, .. } => format!("{} features", columns.len()),
        _ => "images".into(),
    };
    match output {
        Output::Class { name, classes } => {
            format!("{features}, classification of `{name}` in {} classes", classes.len())
        }
        other => format!("{features}, {} of `{}`", other.task(), other.name()),
    }
}
