//! The shape of a network and the layout of its parameters.

use std::fmt;
use std::str::FromStr;

use super::init::Init;
use super::layer::{Layer, layers_of, layers_text};
use super::parameter::{ParameterSpec, Role, matches};
use crate::compute::{Plan, Tensor};
use crate::kernels::activation::Activation;
use crate::random::KeySequence;
use crate::{Error, Result};

/// A network's shape: a list of layers, each with its place among the parameters.
///
/// Any number of models of this shape can be trained at once; the shape does not know how many.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    inputs: u32,
    layers: Vec<Layer>,
    pub(super) nodes: Vec<Node>,
    parameters: Vec<ParameterSpec>,
    learned_length: u32,
    length: u32,
    n_dropouts: u32,
}

/// A layer in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// A residual layer's own layers are `inner`.
    pub layer: Layer,
    /// `layers.2` for the third layer that has parameters; of another, the one of those before it.
    pub path: String,
    pub inputs: u32,
    pub outputs: u32,
    /// Positions among the parameters.
    pub weight: Option<usize>,
    pub bias: Option<usize>,
    /// Running mean and variance.
    pub running: Option<[usize; 2]>,
    pub inner: Vec<Node>,
    /// A dropout's number among all of them.
    pub dropout: u32,
}

/// How the first parameters of a network are drawn. Scales begin at 1, shifts at 0, slopes as their layer says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Initial {
    /// The weights of linear layers. Default: [`Init::Linear`].
    pub weight: Init,
    /// The biases of linear layers. Default: [`Init::Linear`].
    pub bias: Init,
    /// The tables of embeddings. Default: normal with variance 1/size, as in MLX.
    pub table: Option<Init>,
}

impl Network {
    /// The multilayer perceptron with `sizes` = inputs, widths of the hidden layers, outputs: linear
    /// layers, with an activation after each but the last.
    ///
    /// # Errors
    ///
    /// Fewer than two sizes, a size of 0, or more than 2^31 parameters.
    pub fn new(sizes: &[usize], activation: Activation) -> Result<Network> {
        let refuse = |expected: &str| Error::Setting {
            name: "layer sizes".into(),
            found: sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("-"),
            expected: expected.into(),
        };
        if sizes.len() < 2 || sizes.contains(&0) {
            return Err(refuse("inputs and outputs at least, each of size 1 or more"));
        }
        let mut layers = Vec::new();
        for &size in &sizes[1..] {
            if !layers.is_empty() && activation != Activation::Identity {
                layers.push(Layer::Activation(activation));
            }
            layers.push(Layer::linear(u32::try_from(size).map_err(|_| refuse("fewer than 2^31 parameters"))?));
        }
        let inputs = u32::try_from(sizes[0]).map_err(|_| refuse("fewer than 2^31 parameters"))?;
        Network::of(inputs, layers)
    }

    /// A network of any layers, for rows of `inputs` columns.
    ///
    /// ```
    /// use nngpu::Network;
    /// use nngpu::nn::layers_of;
    ///
    /// let network = Network::of(4, layers_of("16 relu dropout(0.1) 3")?)?;
    /// assert_eq!((network.outputs(), network.n_parameters()), (3, 4 * 16 + 16 + 16 * 3 + 3));
    /// # Ok::<(), nngpu::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No inputs, a setting outside its range, columns that do not go together, no parameters, or more than
    /// 2^31.
    pub fn of(inputs: u32, layers: Vec<Layer>) -> Result<Network> {
        if inputs == 0 {
            return Err(setting("0 inputs".into(), "at least 1"));
        }
        let mut builder = Builder { parameters: Vec::new(), n_dropouts: 0 };
        let (nodes, _) = builder.nodes(&layers, "layers", "inputs", inputs)?;
        let Builder { mut parameters, n_dropouts } = builder;
        // What is learned comes first, so that it is one run of elements.
        let learned_length = place(&mut parameters, 0, true)?;
        let length = place(&mut parameters, learned_length, false)?;
        if length == 0 {
            let expected = "at least one layer with parameters, such as a number of outputs";
            return Err(setting(format!("`{}`", layers_text(&layers)), expected));
        }
        Ok(Network { inputs, layers, nodes, parameters, learned_length, length, n_dropouts })
    }

    /// Its layers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The number of columns of an input.
    pub fn inputs(&self) -> u32 {
        self.inputs
    }

    /// The number of columns of the output.
    pub fn outputs(&self) -> u32 {
        self.nodes.last().map_or(self.inputs, |node| node.outputs)
    }

    /// The largest number of columns within it.
    pub fn widest(&self) -> u32 {
        fn widest(nodes: &[Node]) -> u32 {
            nodes.iter().map(|node| node.inputs.max(node.outputs).max(widest(&node.inner))).max().unwrap_or(0)
        }
        widest(&self.nodes).max(self.inputs)
    }

    /// It as a table: each layer, the columns of its result, its parameters.
    pub fn table(&self) -> impl fmt::Display {
        Table(self)
    }

    /// The named parts of the parameters, layer by layer.
    pub fn parameters(&self) -> &[ParameterSpec] {
        &self.parameters
    }

    /// The number of weights, biases and other parameters, without running statistics.
    pub fn n_parameters(&self) -> usize {
        self.parameters.iter().filter(|spec| spec.role.is_learned()).map(ParameterSpec::len).sum()
    }

    /// Elements that one model's parameters take in a buffer: each part begins at a multiple of 4,
    /// so that kernels can go by fours.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Elements up to which parameters are learned; running statistics lie behind them.
    pub fn learned_length(&self) -> u32 {
        self.learned_length
    }

    /// How many of its layers drop elements while training.
    pub fn n_dropouts(&self) -> u32 {
        self.n_dropouts
    }

    /// Keeps parameters as they are while training: all whose name matches `pattern`, in which `*` stands
    /// for any text. `layers.0.*` freezes the first layer, `*.bias` every bias. Gives how many there were.
    ///
    /// # Errors
    ///
    /// A pattern that matches no parameter.
    pub fn freeze(&mut self, pattern: &str) -> Result<usize> {
        self.set_frozen(pattern, true)
    }

    /// The opposite of [`Network::freeze`].
    ///
    /// # Errors
    ///
    /// A pattern that matches no parameter.
    pub fn unfreeze(&mut self, pattern: &str) -> Result<usize> {
        self.set_frozen(pattern, false)
    }

    fn set_frozen(&mut self, pattern: &str, is_frozen: bool) -> Result<usize> {
        let matching = self.parameters.iter_mut().filter(|spec| matches(pattern, &spec.name));
        let count = matching.map(|spec| spec.is_frozen = is_frozen).count();
        if count == 0 {
            let names: Vec<_> = self.parameters.iter().map(|spec| spec.name.as_str()).collect();
            return Err(Error::Setting {
                name: "parameters to freeze".into(),
                found: format!("`{pattern}`"),
                expected: format!("a pattern of one of {}", names.join(", ")),
            });
        }
        Ok(count)
    }

    /// Floating-point operations of one training step over `batch` rows: a product forwards and
    /// two backwards, each a multiplication and an addition.
    pub fn flops_per_step(&self, batch: usize) -> f64 {
        6.0 * batch as f64 * self.n_parameters() as f64
    }

    /// First parameters, bit for bit those that MLX gives for this seed, drawn layer by layer: weights and
    /// biases of linear layers uniform in ±1/√inputs, embeddings normal with variance 1/size, scales 1.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        self.initial_by(&Initial::default(), seed).expect("the default suits every layer")
    }

    /// First parameters, drawn layer by layer by the given initialisers.
    ///
    /// # Errors
    ///
    /// An initialiser with a setting outside its range, or one that a layer's shape does not suit.
    pub fn initial_by(&self, initial: &Initial, seed: u64) -> Result<Vec<f32>> {
        let mut values = vec![0.0; self.length as usize];
        self.fill(&self.nodes, initial, &mut KeySequence::new(seed), &mut values)?;
        Ok(values)
    }

    fn fill(&self, nodes: &[Node], initial: &Initial, keys: &mut KeySequence, values: &mut [f32]) -> Result<()> {
        let spec = |part: Option<usize>| part.map(|part| &self.parameters[part]);
        for node in nodes {
            if let Some(spec) = spec(node.weight) {
                let (rows, columns) = (spec.rows as usize, spec.columns as usize);
                let drawn = match node.layer {
                    Layer::Linear { .. } => initial.weight.draw(keys, rows, columns)?,
                    Layer::Embedding { size, .. } => {
                        let normal = Init::Normal { mean: 0.0, std: (1.0 / f64::from(size)).sqrt() };
                        initial.table.unwrap_or(normal).draw(keys, rows, columns)?
                    }
                    Layer::Prelu { initial, .. } => vec![initial; columns],
                    _ => vec![1.0; columns],
                };
                values[spec.range()].copy_from_slice(&drawn);
            }
            if let (Some(spec), Layer::Linear { outputs, .. }) = (spec(node.bias), &node.layer) {
                let drawn = initial.bias.draw_bias(keys, node.inputs as usize, *outputs as usize)?;
                values[spec.range()].copy_from_slice(&drawn);
            }
            if let Some([_, variance]) = node.running {
                values[self.parameters[variance].range()].fill(1.0);
            }
            self.fill(&node.inner, initial, keys, values)?;
        }
        Ok(())
    }

    /// Declares what holds the parameters, or their gradients, of `models` models.
    pub fn declare(&self, plan: &mut Plan, label: &str, models: u32) -> Tensor {
        plan.tensor(label, models, 1, self.length)
    }

    /// One of the parameters as a view of all.
    pub(super) fn part(&self, all: Tensor, part: usize) -> Tensor {
        let spec = &self.parameters[part];
        all.part(spec.offset, spec.rows, spec.columns)
    }
}

impl fmt::Display for Network {
    /// Its inputs and its layers: `4 -> 16 relu 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.inputs, layers_text(&self.layers))
    }
}

/// A network as a table: each layer, the columns of its result, its parameters.
struct Table<'a>(&'a Network);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Table(network) = self;
        let own = |node: &Node| {
            let parts = [node.weight, node.bias].into_iter().flatten();
            parts.map(|part| network.parameters[part].len()).sum::<usize>()
        };
        fn walk(nodes: &[Node], depth: usize, rows: &mut Vec<(String, u32, usize)>, own: &dyn Fn(&Node) -> usize) {
            for node in nodes {
                let is_residual = matches!(node.layer, Layer::Residual(_));
                let name = if is_residual { "residual".to_string() } else { node.layer.to_string() };
                rows.push((format!("{}{name}", "  ".repeat(depth)), node.outputs, own(node)));
                walk(&node.inner, depth + 1, rows, own);
            }
        }
        let mut rows = Vec::new();
        walk(&network.nodes, 0, &mut rows, &own);
        let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max(6);
        writeln!(f, "{:width$}  {:>8}  {:>10}", "layer", "columns", "parameters")?;
        writeln!(f, "{:width$}  {:>8}  {:>10}", "inputs", network.inputs, "")?;
        for (name, outputs, parameters) in rows {
            let count = if parameters == 0 { String::new() } else { parameters.to_string() };
            writeln!(f, "{name:width$}  {outputs:>8}  {count:>10}")?;
        }
        write!(f, "{:width$}  {:>8}  {:>10}", "all", "", network.n_parameters())
    }
}

impl serde::Serialize for Network {
    /// As text: its inputs and its layers.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Layers take many times as much memory as their text: a file must not decide how much that is.
        if text.len() > LONGEST_TEXT {
            let problem = format!("found layers of {} bytes, expected at most {LONGEST_TEXT}", text.len());
            return Err(serde::de::Error::custom(problem));
        }
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The longest text of a network in a file: tens of thousands of layers.
const LONGEST_TEXT: usize = 1 << 18;

impl FromStr for Network {
    type Err = Error;

    /// A network from its number of inputs and its layers: `4 -> 16 relu 3`.
    fn from_str(text: &str) -> Result<Network> {
        let malformed = || setting(format!("`{text}`"), "the number of inputs, `->`, and layers: `4 -> 16 relu 3`");
        let (inputs, layers) = text.split_once("->").ok_or_else(malformed)?;
        Network::of(inputs.trim().parse().map_err(|_| malformed())?, layers_of(layers)?)
    }
}

/// Gives the parts that are learned, or the others, their places from `start` on.
fn place(parameters: &mut [ParameterSpec], start: u32, is_learned: bool) -> Result<u32> {
    let mut length = u64::from(start);
    for spec in parameters.iter_mut().filter(|spec| spec.role.is_learned() == is_learned) {
        spec.offset = length as u32;
        // In 64 bits, which no product of two sizes leaves.
        length = length.saturating_add((u64::from(spec.rows) * u64::from(spec.columns)).next_multiple_of(4));
        if length >= 1 << 31 {
            return Err(setting(format!("`{}` of {} by {}", spec.name, spec.rows, spec.columns), TOO_MANY));
        }
    }
    Ok(length as u32)
}

const TOO_MANY: &str = "fewer than 2^31 parameters in all";

/// Finds the parameters of layers.
struct Builder {
    parameters: Vec<ParameterSpec>,
    n_dropouts: u32,
}

impl Builder {
    /// The layers in their places, and the number of columns after them.
    fn nodes(&mut self, layers: &[Layer], prefix: &str, before: &str, inputs: u32) -> Result<(Vec<Node>, u32)> {
        let (mut nodes, mut width, mut n_with_parameters) = (Vec::new(), inputs, 0);
        let mut path = before.to_string();
        for layer in layers {
            let n_parameters = self.parameters.len();
            let own_path = format!("{prefix}.{n_with_parameters}");
            let mut node = self.node(layer, &own_path, width)?;
            if self.parameters.len() > n_parameters {
                path = own_path;
                n_with_parameters += 1;
            }
            node.path = path.clone();
            width = node.outputs;
            nodes.push(node);
        }
        Ok((nodes, width))
    }

    fn node(&mut self, layer: &Layer, path: &str, inputs: u32) -> Result<Node> {
        let outputs = layer.width(inputs)?;
        let mut node = Node {
            layer: layer.clone(),
            path: String::new(),
            inputs,
            outputs,
            weight: None,
            bias: None,
            running: None,
            inner: Vec::new(),
            dropout: 0,
        };
        let mut part = |what: &str, rows: u32, columns: u32, role: Role| {
            let name = format!("{path}.{what}");
            self.parameters.push(ParameterSpec { name, offset: 0, rows, columns, role, is_frozen: false });
            self.parameters.len() - 1
        };
        match layer {
            Layer::Linear { bias, .. } => {
                node.weight = Some(part("weight", outputs, inputs, Role::Weight));
                node.bias = bias.then(|| part("bias", 1, outputs, Role::Bias));
            }
            Layer::Prelu { per_column, .. } => {
                node.weight = Some(part("weight", 1, if *per_column { inputs } else { 1 }, Role::Slope));
            }
            Layer::BatchNorm { affine, .. } => {
                node.weight = affine.then(|| part("weight", 1, inputs, Role::Scale));
                node.bias = affine.then(|| part("bias", 1, inputs, Role::Bias));
                let mean = part("running_mean", 1, inputs, Role::RunningMean);
                node.running = Some([mean, part("running_var", 1, inputs, Role::RunningVariance)]);
            }
            Layer::LayerNorm { affine, bias, .. } => {
                node.weight = affine.then(|| part("weight", 1, inputs, Role::Scale));
                node.bias = (*affine && *bias).then(|| part("bias", 1, inputs, Role::Bias));
            }
            Layer::RmsNorm { .. } => node.weight = Some(part("weight", 1, inputs, Role::Scale)),
            Layer::Scale => node.weight = Some(part("scale", 1, inputs, Role::Scale)),
            Layer::Embedding { levels, size, .. } => {
                node.weight = Some(part("weight", *levels, *size, Role::Table));
            }
            Layer::Dropout { .. } => {
                node.dropout = self.n_dropouts;
                self.n_dropouts += 1;
            }
            Layer::Residual(layers) => {
                node.inner = self.nodes(layers, &format!("{path}.layers"), path, inputs)?.0;
            }
            Layer::Activation(_) | Layer::Softmax(_) | Layer::Glu => {}
        }
        Ok(node)
    }
}

fn setting(found: String, expected: &str) -> Error {
    Error::Setting { name: "layers".into(), found, expected: expected.into() }
}
