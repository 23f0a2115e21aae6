//! Every setting of a training on a table, each by one name.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::recipe::default_bins;
use crate::data::{
    ColumnSchema, ColumnType, PreprocessingOptions, Role, Schema, SchemaOptions, SplitRule, TargetOptions, Task,
};
use crate::nn::Init;
use crate::{Activation, Compat, Error, Loss, Result};

/// Every setting of a training; what is not given follows from the data.
///
/// The fields are the options of the command, the keys of its config files, and what a model file remembers: one word
/// for one thing. In text, dashes stand for underscores: `batch-size`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::Args, schemars::JsonSchema))]
pub struct Options {
    /// Column to predict; several are separated by commas or given one by one
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "cli", arg(short, long, value_name = "COLUMN", value_delimiter = ',', help_heading = "Data"))]
    pub target: Vec<String>,

    /// What to predict, where the target's form leaves it open: regression, classification or multilabel
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "TASK", help_heading = "Data"),
        schemars(with = "Option<String>")
    )]
    pub task: Option<Task>,

    /// Column to leave out; several are separated by commas or given one by one
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "COLUMN", value_delimiter = ',', help_heading = "Data"))]
    pub ignore: Vec<String>,

    /// What a column is, where looking at it says otherwise: zip=category. Types are number, boolean, category, date,
    /// id, constant and text
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "cli",
        arg(long = "type", value_name = "COLUMN=TYPE", help_heading = "Data"),
        schemars(with = "Vec<String>")
    )]
    pub types: Vec<GivenType>,

    /// Column that tells how much each row counts in training, a number of at least 0
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "COLUMN", help_heading = "Data"))]
    pub weight: Option<String>,

    /// Column whose equal values stay on one side of every split, such as a patient
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "COLUMN", help_heading = "Data"))]
    pub group: Option<String>,

    /// Column of time: the last rows by it are set aside, and not any
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "COLUMN", conflicts_with = "group", help_heading = "Data"))]
    pub time: Option<String>,

    /// Rows to stop by: a part of all, a file, or folds, of which each network holds out another; 0 for none [default:
    /// folds, or 0.1 with --time]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(short, long, value_name = "PART|FILE", help_heading = "Data"))]
    pub validation: Option<String>,

    /// Rows to measure with after training, which nothing is learned from: a part of all, or a file [default: none]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PART|FILE", help_heading = "Data"))]
    pub test: Option<String>,

    /// How missing numbers are filled: mean, median or zero [default: mean]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "RULE", help_heading = "Preprocessing"))]
    pub fill: Option<String>,

    /// How numbers are brought to one scale: standard, quantile, minmax, robust or none [default: standard]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "RULE", help_heading = "Preprocessing"))]
    pub scale: Option<String>,

    /// Categories of up to so many levels become a column for each level, others an embedding [default: 20]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "LEVELS", help_heading = "Preprocessing"))]
    pub one_hot: Option<usize>,

    /// Numbers have up to so many further inputs, each of which rises over a range with as many rows; 0 for none
    /// [default: 8, fewer or none where there are few rows or over 64 columns of numbers]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "BINS", help_heading = "Preprocessing"))]
    pub bins: Option<usize>,

    /// What is learned of a number to predict: itself (linear), or its logarithm (log, log1p) [default: by its skewness]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "TRANSFORM", help_heading = "Preprocessing"))]
    pub target_transform: Option<String>,

    /// Widths of the hidden layers, separated by commas; 0 for none [default: 128,128, and 256,128 from 256 inputs on]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "WIDTHS", value_delimiter = ',', help_heading = "Network"))]
    pub hidden: Option<Vec<usize>>,

    /// What follows each hidden layer: relu, gelu, silu, tanh, leaky_relu(0.1) …, or a formula of x such as
    /// 'x * sigmoid(1.702 * x)' [default: relu]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(short, long, help_heading = "Network"), schemars(with = "Option<String>"))]
    pub activation: Option<Activation>,

    /// Part of each hidden layer's outputs that is dropped while training, from 0 to below 1 [default: 0, and 0.1 from
    /// 256 inputs on]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PART", help_heading = "Network"))]
    pub dropout: Option<f32>,

    /// Hidden layers as text, in the place of scale, widths, activation and dropout: 'scale 64 gelu dropout(0.1) 64
    /// gelu'. There are also batch_norm, layer_norm, rms_norm, prelu, glu, residual(...), linear(64, bias=false)
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "LAYERS", conflicts_with_all = ["hidden", "activation", "dropout"], help_heading = "Network")
    )]
    pub layers: Option<String>,

    /// How the first weights are drawn, such as he_normal or orthogonal [default: uniform in ±1/√inputs]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "INITIALISER", help_heading = "Network"),
        schemars(with = "Option<String>")
    )]
    pub init: Option<Init>,

    /// Networks that learn side by side and answer together by their mean [default: 8, 4 beyond 10,000 rows, 2 beyond
    /// 100,000]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "NETWORKS", help_heading = "Network"))]
    pub members: Option<usize>,

    /// What training makes small: mse, l1, huber(1), smooth_l1, log_cosh, quantile(0.9), poisson, gamma, tweedie(1.5)
    /// for numbers, cross_entropy, focal(2) for classes, or a formula of the prediction p and the target t [default: mse
    /// for numbers, cross_entropy for classes, binary_cross_entropy for labels]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "LOSS", help_heading = "Training"),
        schemars(with = "Option<String>")
    )]
    pub loss: Option<Loss>,

    /// Rule that moves the weights; momentum is SGD with 0.9 of its velocity kept [default: adamw]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_parser = clap::builder::PossibleValuesParser::new(crate::Optimizer::NAMES), help_heading = "Training")
    )]
    pub optimizer: Option<String>,

    /// Step length, above 0 [default: 0.003 with adamw]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(short, long, value_name = "RATE", help_heading = "Training"))]
    pub learning_rate: Option<f32>,

    /// How the step length changes over the training: constant, cosine, warm_cosine, which rises over a tenth of it
    /// first, or one_cycle, or a text in steps such as 'warmup(100, cosine(0.01, 5000))' [default: warm_cosine]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "SCHEDULE", help_heading = "Training"))]
    pub schedule: Option<String>,

    /// Part of the weights that each step takes away, times the step length, with adamw and the like [default: 0.01 with
    /// adamw]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PART", help_heading = "Training"))]
    pub weight_decay: Option<f32>,

    /// Part of each target class that is spread over all classes, from 0 to below 1 [default: 0 of two classes, nearer to
    /// 0.1 the more there are]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PART", help_heading = "Training"))]
    pub label_smoothing: Option<f32>,

    /// How much the rows of each class count: balanced, which lets every class count the same in all, or equal
    /// [default: equal]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "RULE", help_heading = "Training"))]
    pub class_weights: Option<String>,

    /// Largest norm of all gradients together; longer ones are scaled down [default: none]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "NORM", help_heading = "Training"))]
    pub clip_norm: Option<f32>,

    /// Batches whose gradients make one update [default: 1]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "BATCHES", help_heading = "Training"))]
    pub accumulate: Option<usize>,

    /// Measure and keep a running mean of the weights that keeps this part of itself at each update, such as 0.999
    /// [default: none]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "DECAY", help_heading = "Training"))]
    pub ema: Option<f32>,

    /// Whose defaults to follow for first weights, optimizers and normalisation: nngpu, mlx, pytorch or keras [default:
    /// nngpu]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "LIBRARY", help_heading = "Training"),
        schemars(with = "Option<String>")
    )]
    pub compat: Option<Compat>,

    /// Rows of a batch [default: a 32nd of the rows, as a power of two from 16 to 512]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(short, long, value_name = "ROWS", help_heading = "Training"))]
    pub batch_size: Option<usize>,

    /// Times that every row is learned from, at most [default: what makes 4000 steps, from 20 to 100]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(short, long, help_heading = "Training"))]
    pub epochs: Option<usize>,

    /// Epochs without a better loss on the rows set aside after which training ends; the best epoch is kept always
    /// [default: 0.3 of all, at least 10]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "EPOCHS", help_heading = "Training"))]
    pub patience: Option<usize>,

    /// How much lower a loss must be to count as better [default: 0]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "LOSS", help_heading = "Training"))]
    pub min_delta: Option<f64>,

    /// Time after which the best so far is the result, such as 60s or 10min [default: none]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "TIME", help_heading = "Training"))]
    pub max_time: Option<String>,

    /// Seed of the first weights, of the rows set aside, of the order of rows and of all else that is drawn [default: 0]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", arg(short, long, help_heading = "Training"))]
    pub seed: Option<u64>,
}

/// What a person says that a column is. As text: `zip=category`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GivenType {
    /// The name of the column.
    pub column: String,
    /// What its values are.
    pub kind: ColumnType,
}

impl FromStr for GivenType {
    type Err = Error;

    fn from_str(text: &str) -> Result<GivenType> {
        let parts = text.rsplit_once('=').filter(|(column, _)| !column.is_empty());
        let Some((column, kind)) = parts else {
            let (found, expected) = (format!("`{text}`"), "a column and its type, such as zip=category".into());
            return Err(Error::Setting { name: "type".into(), found, expected });
        };
        Ok(GivenType { column: column.into(), kind: kind.trim().parse()? })
    }
}

impl fmt::Display for GivenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.kind)
    }
}

impl TryFrom<String> for GivenType {
    type Error = Error;

    fn try_from(text: String) -> Result<GivenType> {
        text.parse()
    }
}

impl From<GivenType> for String {
    fn from(given: GivenType) -> String {
        given.to_string()
    }
}

impl Options {
    /// What is known of the columns before looking at them.
    pub fn schema(&self) -> SchemaOptions {
        SchemaOptions {
            targets: self.target.clone(),
            ignore: self.ignore.clone(),
            types: self.types.iter().map(|given| (given.column.clone(), given.kind)).collect(),
            weight: self.weight.clone(),
            group: self.group.clone(),
            time: self.time.clone(),
            id: None,
        }
    }

    /// By what rows are set aside.
    pub fn split_rule(&self) -> SplitRule {
        match (&self.group, &self.time) {
            (Some(column), _) => SplitRule::Group(column.clone()),
            (None, Some(column)) => SplitRule::Time(column.clone()),
            (None, None) => SplitRule::Stratified,
        }
    }

    /// How the columns of a table become inputs, of which so many rows are learned from.
    ///
    /// # Errors
    ///
    /// A rule that there is not.
    pub fn preprocessing(&self, schema: &Schema, rows: usize) -> Result<PreprocessingOptions> {
        let is_number = |column: &&ColumnSchema| {
            let is_scale = matches!(column.kind, ColumnType::Number | ColumnType::Date);
            column.role == Role::Feature && is_scale && column.n_distinct > 2
        };
        let bins = default_bins(rows, schema.columns.iter().filter(is_number).count());
        let mut options = PreprocessingOptions { bins: self.bins.unwrap_or(bins), ..Default::default() };
        if let Some(text) = &self.fill {
            options.fill = named("fill", text, "mean, median or zero")?;
        }
        if let Some(text) = &self.scale {
            options.scale = named("scale", text, "standard, quantile, minmax, robust or none")?;
        }
        options.one_hot_up_to = self.one_hot.unwrap_or(options.one_hot_up_to);
        Ok(options)
    }

    /// How targets become what a network learns.
    ///
    /// # Errors
    ///
    /// A transform that there is not.
    pub fn targets(&self) -> Result<TargetOptions> {
        let transform = self.target_transform.as_deref();
        let transform = transform.map(|text| named("target transform", text, "linear, log or log1p")).transpose()?;
        Ok(TargetOptions { transform, ..Default::default() })
    }
}

/// A setting by its name.
fn named<T: DeserializeOwned>(name: &str, text: &str, expected: &str) -> Result<T> {
    serde_json::from_value(text.into()).map_err(|_| Error::Setting {
        name: name.into(),
        found: format!("`{text}`"),
        expected: expected.into(),
    })
}
