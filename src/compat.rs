//! The conventions of other libraries, each as one setting.

use std::fmt;
use std::str::FromStr;

use crate::kernels::loss::{Loss, Reduction};
use crate::kernels::optimizer::Optimizer;
use crate::nn::{Init, Initial, Layer};
use crate::{Error, Result};

/// Whose defaults and conventions a training follows.
///
/// Every one of them can be set by itself; this sets them together. Where two libraries agree they share a cell.
///
/// | | nngpu | MLX | PyTorch | Keras |
/// | --- | --- | --- | --- | --- |
/// | weights of a linear layer | uniform ±1/√inputs | the same, bit for bit | the same distribution | Glorot, uniform |
/// | biases | uniform ±1/√inputs | the same, bit for bit | the same distribution | 0 |
/// | tables of embeddings | normal, variance 1/size | the same, bit for bit | normal, variance 1 | uniform ±0.05 |
/// | Adam, AdamW | corrected bias | not corrected | corrected | corrected; epsilon 1e-7, added before the correction |
/// | learning rates, where none is given | those of [`Optimizer::named`] | the same | SGD 0.001, RMSprop 0.01 | SGD 0.01; Adagrad, AdaDelta, Adamax, Lion 0.001 |
/// | AdamW's decay | 0.01 | 0.01 | 0.01 | 0.004 |
/// | momentum's first step | dampened | dampened | not dampened | dampened |
/// | RMSprop | alpha 0.99, epsilon 1e-8 outside the root | the same | the same | alpha 0.9, epsilon 1e-7 within |
/// | Adagrad's epsilon | 1e-8 | 1e-8 | 1e-10 | 1e-7, within the root |
/// | AdaDelta's rho, epsilon | 0.9, 1e-6 | the same | the same | 0.95, 1e-7 |
/// | Adamax | as published, without correction | the same | corrected bias | corrected bias, epsilon 1e-7 |
/// | batch normalisation | epsilon 1e-5, momentum 0.1, variance over rows - 1 | the same | the same | epsilon 1e-3, momentum 0.01 (its 0.99), variance over rows |
/// | layer normalisation's epsilon | 1e-5 | 1e-5 | 1e-5 | 1e-3 |
/// | reduction of a loss | mean | none for cross-entropy, NLL, KL, hinge, Huber, log-cosh, cosine; else mean | mean, divided by the sum of class weights | mean |
///
/// What stays different, whatever is set: PyTorch and Keras draw other numbers from a seed. Keras begins Adagrad's sums at 0.1, nngpu at 0,
/// and applies SGD's weight decay to the weights, not to the gradient. Muon follows MLX's formula only. MLX's
/// cross-entropy differs where targets do not sum to 1: it subtracts the largest logit and leaves the rest out.
///
/// The sources are the libraries' own: `mlx.nn.init`, `mlx.optimizers` and `mlx.nn.losses` of MLX 0.32, the
/// documentation of `torch.optim` and `torch.nn` of PyTorch 2.15, and that of Keras 3.
///
/// ```
/// use nngpu::{Compat, Optimizer};
///
/// let Optimizer::Adam { bias_correction, .. } = Compat::Mlx.optimizer("adam", Some(0.01))? else { unreachable!() };
/// assert!(!bias_correction);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// This library's own. The default.
    #[default]
    Nngpu,
    /// MLX's.
    Mlx,
    /// PyTorch's.
    PyTorch,
    /// Keras'.
    Keras,
}

impl Compat {
    /// All of them.
    pub const ALL: [Compat; 4] = [Compat::Nngpu, Compat::Mlx, Compat::PyTorch, Compat::Keras];

    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            Compat::Nngpu => "nngpu",
            Compat::Mlx => "mlx",
            Compat::PyTorch => "pytorch",
            Compat::Keras => "keras",
        }
    }

    /// The optimizer of a name, one of [`Optimizer::NAMES`], with these conventions; the step length is the
    /// library's default where none is given, and nngpu's where the library has none.
    ///
    /// # Errors
    ///
    /// An unknown name.
    pub fn optimizer(self, name: &str, learning_rate: Option<f32>) -> Result<Optimizer> {
        let rate = learning_rate.or(match (self, name) {
            (Compat::PyTorch, "sgd" | "momentum") => Some(0.001),
            (Compat::PyTorch, "rmsprop") => Some(0.01),
            (Compat::Keras, "sgd" | "momentum") => Some(0.01),
            (Compat::Keras, "adagrad" | "adadelta" | "adamax" | "lion") => Some(0.001),
            _ => None,
        });
        let mut optimizer = Optimizer::named(name, rate)?;
        match (self, &mut optimizer) {
            (Compat::Mlx, Optimizer::Adam { bias_correction, .. }) => *bias_correction = false,
            (Compat::PyTorch, Optimizer::Momentum { first_undampened, .. }) => *first_undampened = true,
            (Compat::PyTorch, Optimizer::AdaGrad { epsilon, .. }) => *epsilon = 1e-10,
            (Compat::PyTorch, Optimizer::Adamax { bias_correction, .. }) => *bias_correction = true,
            (Compat::Keras, Optimizer::RmsProp { alpha, epsilon, epsilon_inside, .. }) => {
                (*alpha, *epsilon, *epsilon_inside) = (0.9, 1e-7, true);
            }
            (Compat::Keras, Optimizer::AdaGrad { epsilon, epsilon_inside, .. }) => {
                (*epsilon, *epsilon_inside) = (1e-7, true);
            }
            (Compat::Keras, Optimizer::AdaDelta { rho, epsilon, .. }) => (*rho, *epsilon) = (0.95, 1e-7),
            (Compat::Keras, Optimizer::Adam { epsilon, weight_decay, epsilon_before_correction, .. }) => {
                (*epsilon, *epsilon_before_correction) = (1e-7, true);
                if *weight_decay > 0.0 {
                    *weight_decay = 0.004;
                }
            }
            (Compat::Keras, Optimizer::Adamax { epsilon, bias_correction, .. }) => {
                (*epsilon, *bias_correction) = (1e-7, true);
            }
            _ => {}
        }
        Ok(optimizer)
    }

    /// How the first parameters are drawn.
    pub fn initial(self) -> Initial {
        match self {
            Compat::Nngpu | Compat::Mlx => Initial::default(),
            Compat::PyTorch => Initial { table: Some(Init::Normal { mean: 0.0, std: 1.0 }), ..Initial::default() },
            Compat::Keras => Initial {
                weight: Init::GlorotUniform { gain: 1.0 },
                bias: Init::Constant(0.0),
                table: Some(Init::Uniform { low: -0.05, high: 0.05 }),
            },
        }
    }

    /// The same layers with the library's settings wherever they have nngpu's defaults.
    pub fn layers(self, layers: Vec<Layer>) -> Vec<Layer> {
        let adapt = |layer: Layer| match layer {
            Layer::Residual(layers) => Layer::Residual(self.layers(layers)),
            Layer::BatchNorm { epsilon, momentum, affine, .. } if self == Compat::Keras => Layer::BatchNorm {
                epsilon: if epsilon == 1e-5 { 1e-3 } else { epsilon },
                momentum: if momentum == 0.1 { 0.01 } else { momentum },
                affine,
                unbiased: false,
            },
            Layer::LayerNorm { epsilon: 1e-5, affine, bias } if self == Compat::Keras => {
                Layer::LayerNorm { epsilon: 1e-3, affine, bias }
            }
            layer => layer,
        };
        layers.into_iter().map(adapt).collect()
    }

    /// How the values of a loss become one number.
    pub fn reduction(self, loss: Loss) -> Reduction {
        match self {
            Compat::Mlx => match loss {
                Loss::CrossEntropy
                | Loss::CrossEntropySmoothed { .. }
                | Loss::Nll
                | Loss::KlDiv
                | Loss::Hinge
                | Loss::Huber { .. }
                | Loss::LogCosh
                | Loss::CosineSimilarity { .. } => Reduction::None,
                _ => Reduction::Mean,
            },
            Compat::PyTorch if loss.takes_classes() => Reduction::WeightedMean,
            _ => Reduction::Mean,
        }
    }
}

impl fmt::Display for Compat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Compat {
    type Err = Error;

    fn from_str(name: &str) -> Result<Compat> {
        Compat::ALL.into_iter().find(|compat| compat.name() == name).ok_or_else(|| Error::Setting {
            name: "compat".into(),
            found: format!("`{name}`"),
            expected: format!("one of {}", Compat::ALL.map(Compat::name).join(", ")),
        })
    }
}
