//! The layers of a network, in code and as text.

use std::fmt;
use std::str::FromStr;

use crate::kernels::activation::Activation;
use crate::kernels::softmax::SoftmaxKind;
use crate::{Error, Result};

/// One layer of a network. Rows of a batch go through each layer in turn.
///
/// As text a layer is its name, with its settings in parentheses where they are not the default, by name
/// or in order: `dropout(0.1)`, `batch_norm(epsilon=0.001)`. A number alone is a linear layer of so many
/// outputs, and a list of layers is written with spaces between them: `64 relu dropout(0.1) 64 relu`. A
/// formula of `x` is an activation; one with spaces stands in parentheses.
///
/// ```
/// use nngpu::nn::{Layer, layers_of, layers_text};
///
/// let layers = layers_of("64 relu residual(64 gelu dropout(0.1) 64) (x * sigmoid(1.702 * x))")?;
/// assert_eq!(layers[0], Layer::linear(64));
/// assert_eq!(layers_of(&layers_text(&layers))?, layers);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// `y = x weightᵀ + bias`; the weight is `[outputs, inputs]`. Text: `64` or `linear(64, bias=false)`.
    Linear {
        /// Columns of the result, at least 1.
        outputs: u32,
        /// Whether there is a bias. Default: true.
        bias: bool,
    },
    /// A function of each element, by its name or formula.
    Activation(Activation),
    /// `softmax`, `softmin` or `log_softmax` over the columns of each row.
    Softmax(SoftmaxKind),
    /// Gated linear unit: `a * sigmoid(b)`, where `a` and `b` are the halves of the columns. Text: `glu`.
    Glu,
    /// `max(x, 0) + weight * min(x, 0)` with learned slopes. Text: `prelu`.
    Prelu {
        /// Whether each column has a slope of its own; else all share one, as in MLX. Default: false.
        per_column: bool,
        /// The slopes at the start. Default: 0.25.
        initial: f32,
    },
    /// While training, each element is 0 with this probability, and the others grow by `1 / (1 - rate)`.
    /// Otherwise it does nothing. Text: `dropout(0.1)`.
    Dropout {
        /// In `[0, 1)`. Default: 0.5.
        rate: f32,
    },
    /// Each column to mean 0 and variance 1: over the batch while training, otherwise by running statistics;
    /// then a learned scale and shift. Ioffe and Szegedy, arXiv 1502.03167. Text: `batch_norm`.
    BatchNorm {
        /// Added to the variance, above 0. Default: 1e-5.
        epsilon: f32,
        /// Part of a batch's statistics in the running ones, in `[0, 1]`. Default: 0.1. Keras counts what
        /// is kept instead: its 0.99 is 0.01 here.
        momentum: f32,
        /// Whether scale and shift are learned. Default: true.
        affine: bool,
        /// Whether the running variance is divided by rows - 1, as in MLX and PyTorch, and not by rows, as in
        /// Keras. Default: true.
        unbiased: bool,
    },
    /// Each row to mean 0 and variance 1, then a learned scale and shift. Ba, Kiros and Hinton,
    /// arXiv 1607.06450. Text: `layer_norm`.
    LayerNorm {
        /// Added to the variance, above 0. Default: 1e-5.
        epsilon: f32,
        /// Whether scale and shift are learned. Default: true.
        affine: bool,
        /// Whether a learned scale comes with a shift. Default: true.
        bias: bool,
    },
    /// Each row divided by the root of its mean square, then a learned scale. Zhang and Sennrich,
    /// arXiv 1910.07467. Text: `rms_norm`.
    RmsNorm {
        /// Added to the mean square, above 0. Default: 1e-5.
        epsilon: f32,
    },
    /// A column of category numbers becomes a learned vector for each category, in its place. Numbers are
    /// rounded and clamped. Text: `embedding(2, 12, 4)`: column 2, counted from 0, of 12 categories becomes
    /// 4 columns.
    Embedding {
        /// Which column, counted from 0.
        column: u32,
        /// How many categories, at least 1.
        levels: u32,
        /// Columns of the vector, at least 1.
        size: u32,
    },
    /// Each column times a learned number of its own, which is 1 at the start. Before the first linear layer, and with
    /// a learning rate of its own, it tells columns that matter from those that do not (the scaling layer of
    /// Holzmüller, Grinsztajn and Steinwart, arXiv 2407.04491). Text: `scale`.
    Scale,
    /// `y = x + layers(x)`; the layers must keep the number of columns. Text: `residual(64 relu 64)`.
    Residual(Vec<Layer>),
}

/// How deep residual layers may lie in each other: what is read must not exhaust the stack.
const MAX_DEPTH: usize = 16;

impl Layer {
    /// A linear layer with a bias.
    pub fn linear(outputs: u32) -> Layer {
        Layer::Linear { outputs, bias: true }
    }

    /// Batch normalisation with MLX's and PyTorch's settings.
    pub fn batch_norm() -> Layer {
        Layer::BatchNorm { epsilon: 1e-5, momentum: 0.1, affine: true, unbiased: true }
    }

    /// Layer normalisation with MLX's settings.
    pub fn layer_norm() -> Layer {
        Layer::LayerNorm { epsilon: 1e-5, affine: true, bias: true }
    }

    /// Columns of the result for `inputs` columns, after a check of every setting's range.
    ///
    /// # Errors
    ///
    /// A setting outside its range, a number of columns that the layer cannot take.
    pub fn width(&self, inputs: u32) -> Result<u32> {
        self.check()?;
        let refuse = |found: String, expected: &str| Err(setting(found, expected));
        match self {
            Layer::Linear { outputs, .. } => Ok(*outputs),
            Layer::Glu if !inputs.is_multiple_of(2) => {
                refuse(format!("`glu` of {inputs} columns"), "an even number of columns, to be halved")
            }
            Layer::Glu => Ok(inputs / 2),
            Layer::Embedding { column, .. } if *column >= inputs => {
                refuse(format!("`{self}` of {inputs} columns"), "one of the columns, counted from 0")
            }
            Layer::Embedding { size, .. } => {
                (inputs - 1).checked_add(*size).ok_or_else(|| setting(format!("`{self}`"), "fewer than 2^32 columns"))
            }
            Layer::Residual(layers) => {
                let width = layers.iter().try_fold(inputs, |width, layer| layer.width(width))?;
                if width == inputs {
                    return Ok(inputs);
                }
                refuse(format!("`{self}` from {inputs} to {width} columns"), "as many after it as before it")
            }
            _ => Ok(inputs),
        }
    }

    /// Checks every setting's range.
    fn check(&self) -> Result<()> {
        let require = |holds: bool, what: &str, value: &dyn fmt::Display, expected: &str| match holds {
            true => Ok(()),
            false => Err(setting(format!("`{self}` with {what} {value}"), expected)),
        };
        match self {
            Layer::Linear { outputs, .. } => require(*outputs > 0, "outputs", outputs, "at least 1"),
            Layer::Activation(activation) => activation.check(),
            Layer::Prelu { initial, .. } => require(initial.is_finite(), "initial", initial, "a finite number"),
            Layer::Dropout { rate } => require((0.0..1.0).contains(rate), "rate", rate, "a number from 0 to below 1"),
            Layer::BatchNorm { epsilon, momentum, .. } => {
                require((0.0..=1.0).contains(momentum), "momentum", momentum, "a number from 0 to 1")?;
                require(*epsilon > 0.0 && epsilon.is_finite(), "epsilon", epsilon, "a number above 0")
            }
            Layer::LayerNorm { epsilon, .. } | Layer::RmsNorm { epsilon } => {
                require(*epsilon > 0.0 && epsilon.is_finite(), "epsilon", epsilon, "a number above 0")
            }
            Layer::Embedding { levels, size, .. } => {
                require(*levels > 0, "levels", levels, "at least 1")?;
                require(*size > 0, "size", size, "at least 1")
            }
            Layer::Residual(layers) => layers.iter().try_for_each(Layer::check),
            Layer::Softmax(_) | Layer::Glu | Layer::Scale => Ok(()),
        }
    }

    /// Reads one layer.
    fn read(text: &str, depth: usize) -> Result<Layer> {
        if text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let outputs = text.parse().map_err(|_| setting(format!("`{text}` outputs"), "fewer than 2^32"))?;
            return Ok(Layer::linear(outputs));
        }
        let (name, inside) = match text.split_once('(') {
            Some((name, rest)) if rest.ends_with(')') => (name, &rest[..rest.len() - 1]),
            _ => (text, ""),
        };
        match &name.replace('-', "_")[..] {
            "linear" => {
                let [outputs, bias] = Settings::of(text, inside, ["outputs", "bias"])?;
                Ok(Layer::Linear { outputs: outputs.required()?, bias: bias.or(true)? })
            }
            "glu" => Settings::of(text, inside, []).map(|[]| Layer::Glu),
            "scale" => Settings::of(text, inside, []).map(|[]| Layer::Scale),
            "prelu" => {
                let [per_column, initial] = Settings::of(text, inside, ["per_column", "initial"])?;
                Ok(Layer::Prelu { per_column: per_column.or(false)?, initial: initial.or(0.25)? })
            }
            "dropout" => {
                let [rate] = Settings::of(text, inside, ["rate"])?;
                Ok(Layer::Dropout { rate: rate.or(0.5)? })
            }
            "batch_norm" => {
                let names = ["epsilon", "momentum", "affine", "unbiased"];
                let [epsilon, momentum, affine, unbiased] = Settings::of(text, inside, names)?;
                Ok(Layer::BatchNorm {
                    epsilon: epsilon.or(1e-5)?,
                    momentum: momentum.or(0.1)?,
                    affine: affine.or(true)?,
                    unbiased: unbiased.or(true)?,
                })
            }
            "layer_norm" => {
                let [epsilon, affine, bias] = Settings::of(text, inside, ["epsilon", "affine", "bias"])?;
                Ok(Layer::LayerNorm { epsilon: epsilon.or(1e-5)?, affine: affine.or(true)?, bias: bias.or(true)? })
            }
            "rms_norm" => {
                let [epsilon] = Settings::of(text, inside, ["epsilon"])?;
                Ok(Layer::RmsNorm { epsilon: epsilon.or(1e-5)? })
            }
            "embedding" => {
                let [column, levels, size] = Settings::of(text, inside, ["column", "levels", "size"])?;
                Ok(Layer::Embedding { column: column.required()?, levels: levels.required()?, size: size.required()? })
            }
            "residual" if depth < MAX_DEPTH => read_list(inside, depth + 1).map(Layer::Residual),
            "residual" => Err(setting(format!("`residual` {depth} deep"), "at most 16 of them in each other")),
            name => match SOFTMAXES.into_iter().find(|(known, _)| *known == name && inside.is_empty()) {
                Some((_, kind)) => Ok(Layer::Softmax(kind)),
                None => text.parse().map(Layer::Activation).map_err(|error| {
                    let is_word = text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
                    if is_word { unknown(text) } else { error }
                }),
            },
        }
    }
}

fn unknown(name: &str) -> Error {
    let (layers, activations) = (NAMES.join(", "), Activation::ALL.map(Activation::name).join(", "));
    let expected = format!("a number of outputs, a layer ({layers}), an activation ({activations}) or a formula of x");
    setting(format!("`{name}`"), &expected)
}

/// The names of layers that are no activations.
const NAMES: [&str; 13] = [
    "linear",
    "dropout",
    "batch_norm",
    "layer_norm",
    "rms_norm",
    "embedding",
    "scale",
    "residual",
    "glu",
    "prelu",
    "softmax",
    "softmin",
    "log_softmax",
];

const SOFTMAXES: [(&str, SoftmaxKind); 3] =
    [("softmax", SoftmaxKind::Softmax), ("softmin", SoftmaxKind::Softmin), ("log_softmax", SoftmaxKind::LogSoftmax)];

/// The layers of a text such as `64 relu dropout(0.1) 64 relu`.
///
/// # Errors
///
/// An unknown name, a setting that is none, parentheses that do not close.
pub fn layers_of(text: &str) -> Result<Vec<Layer>> {
    read_list(text, 0)
}

/// The text of some layers, from which [`layers_of`] gives the same ones.
pub fn layers_text(layers: &[Layer]) -> String {
    layers.iter().map(Layer::to_string).collect::<Vec<_>>().join(" ")
}

fn read_list(text: &str, depth: usize) -> Result<Vec<Layer>> {
    split(text, |c| c.is_whitespace() || c == ',')?.into_iter().map(|item| Layer::read(item, depth)).collect()
}

/// The parts of a text between separators outside of parentheses; empty ones are left out.
fn split(text: &str, is_separator: impl Fn(char) -> bool) -> Result<Vec<&str>> {
    let refuse = |found: String| Err(setting(found, "as many closing parentheses as opening ones"));
    let (mut parts, mut open, mut start) = (Vec::new(), 0usize, 0);
    for (position, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' if open == 0 => return refuse(format!("`)` at column {} of `{text}`", position + 1)),
            ')' => open -= 1,
            c if open == 0 && is_separator(c) => {
                parts.push(&text[start..position]);
                start = position + c.len_utf8();
            }
            _ => {}
        }
    }
    if open > 0 {
        return refuse(format!("`{text}` with {open} left open"));
    }
    parts.push(&text[start..]);
    Ok(parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect())
}

/// A setting within a layer's parentheses.
struct Settings<'a> {
    layer: &'a str,
    name: &'static str,
    text: Option<&'a str>,
}

impl<'a> Settings<'a> {
    /// The settings of these names, given by name or in this order.
    fn of<const N: usize>(layer: &'a str, inside: &'a str, names: [&'static str; N]) -> Result<[Settings<'a>; N]> {
        let refuse = |found: &str| {
            let expected = if N == 0 { "no settings".into() } else { format!("at most {}", names.join(", ")) };
            setting(format!("`{found}` in `{layer}`"), &expected)
        };
        let mut settings = names.map(|name| Settings { layer, name, text: None });
        for (position, part) in split(inside, |c| c == ',')?.into_iter().enumerate() {
            let (place, text) = match part.split_once('=') {
                Some((name, text)) => (names.iter().position(|known| *known == name.trim()), text.trim()),
                None => (Some(position), part),
            };
            let place = place.and_then(|place| settings.get_mut(place)).filter(|setting| setting.text.is_none());
            place.ok_or_else(|| refuse(part))?.text = Some(text);
        }
        Ok(settings)
    }

    fn or<T: FromStr>(&self, default: T) -> Result<T> {
        if self.text.is_some() { self.required() } else { Ok(default) }
    }

    fn required<T: FromStr>(&self) -> Result<T> {
        let kind = std::any::type_name::<T>();
        let expected = match kind {
            "bool" => "true or false",
            "u32" => "a whole number",
            _ => "a number",
        };
        let found = match self.text {
            Some(text) => format!("`{text}` as {} of `{}`", self.name, self.layer),
            None => format!("`{}` without {}", self.layer, self.name),
        };
        self.text.and_then(|text| text.parse().ok()).ok_or_else(|| setting(found, expected))
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A name, then what differs from the default by name.
        fn with<T: PartialEq + fmt::Display>(parts: &mut Vec<String>, name: &str, value: T, default: T) {
            if value != default {
                parts.push(format!("{name}={value}"));
            }
        }
        let mut parts = Vec::new();
        let name = match self {
            Layer::Linear { outputs, bias: true } => return write!(f, "{outputs}"),
            Layer::Linear { outputs, bias: false } => return write!(f, "linear({outputs}, bias=false)"),
            Layer::Activation(activation) => {
                let text = activation.to_string();
                let is_bare = split(&text, char::is_whitespace).is_ok_and(|parts| parts.len() == 1);
                return if is_bare { f.write_str(&text) } else { write!(f, "({text})") };
            }
            Layer::Softmax(kind) => {
                let (name, _) = SOFTMAXES.into_iter().find(|(_, known)| known == kind).expect("every kind has a name");
                name
            }
            Layer::Residual(layers) => return write!(f, "residual({})", layers_text(layers)),
            Layer::Embedding { column, levels, size } => return write!(f, "embedding({column}, {levels}, {size})"),
            Layer::Dropout { rate } => return write!(f, "dropout({rate})"),
            Layer::Glu => "glu",
            Layer::Scale => "scale",
            Layer::Prelu { per_column, initial } => {
                with(&mut parts, "per_column", *per_column, false);
                with(&mut parts, "initial", *initial, 0.25);
                "prelu"
            }
            Layer::BatchNorm { epsilon, momentum, affine, unbiased } => {
                with(&mut parts, "epsilon", *epsilon, 1e-5);
                with(&mut parts, "momentum", *momentum, 0.1);
                with(&mut parts, "affine", *affine, true);
                with(&mut parts, "unbiased", *unbiased, true);
                "batch_norm"
            }
            Layer::LayerNorm { epsilon, affine, bias } => {
                with(&mut parts, "epsilon", *epsilon, 1e-5);
                with(&mut parts, "affine", *affine, true);
                with(&mut parts, "bias", *bias, true);
                "layer_norm"
            }
            Layer::RmsNorm { epsilon } => {
                with(&mut parts, "epsilon", *epsilon, 1e-5);
                "rms_norm"
            }
        };
        if parts.is_empty() { f.write_str(name) } else { write!(f, "{name}({})", parts.join(", ")) }
    }
}

fn setting(found: String, expected: &str) -> Error {
    Error::Setting { name: "layers".into(), found, expected: expected.into() }
}
