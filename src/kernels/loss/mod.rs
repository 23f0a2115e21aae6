//! The losses with their gradients, and what goes with them: weights and correct answers.

mod comparison;
mod correct;
mod cross_entropy;
mod likelihood;
mod name;
mod pointwise;
pub(crate) mod record;
mod weights;

pub use comparison::{
    COSINE_SIMILARITY, MARGIN_RANKING, MarginRanking, MarginRankingOperands, TRIPLET, Triplet, TripletOperands,
    record_margin_ranking, record_triplet,
};
pub use correct::{CORRECT, record_correct};
pub use cross_entropy::{CROSS_ENTROPY, CROSS_ENTROPY_CLASSES, FOCAL};
pub use likelihood::{GAUSSIAN_NLL, GaussianNll, GaussianOperands, KL_DIV, NLL, record_gaussian_nll};
pub(super) use pointwise::FAMILY;
pub use pointwise::POINTWISE_LOSS;
pub(crate) use pointwise::PointwiseLoss;
pub use record::{Criterion, LossOperands, Reduction, record_criterion, record_loss};
pub use weights::{CLASS_WEIGHTS, NORMALISE_WEIGHTS};
pub(crate) use weights::{record_class_weights, record_normalise_weights};

use crate::formula::Formula;
use crate::{Error, Result};

/// What training makes small, told from a network's outputs `p` (logits `z`) and targets `t`.
///
/// Names and formulas are MLX's (`mlx.nn.losses`) where it has them. Those of one element give a
/// loss value for each output; the others one for each row, or for each target.
///
/// As text a loss is its name, with its parameters in brackets: `mse`, `huber(1)`,
/// `gaussian_nll(0.000001, 0)`. Parameters that are left out have their defaults, and hyphens serve
/// as underscores. Any other text is read as a formula of the prediction `p` and the target `t`.
///
/// ```
/// use nngpu::Loss;
///
/// assert_eq!("huber".parse::<Loss>()?, Loss::Huber { delta: 1.0 });
/// assert_eq!("cross-entropy".parse::<Loss>()?, Loss::CrossEntropy);
/// assert_eq!(Loss::Quantile { level: 0.9 }.to_string(), "quantile(0.9)");
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Loss {
    /// `(p - t)²`. Slope `2 (p - t)`.
    Mse,
    /// `|p - t|`, with slope 0 at 0 as in MLX.
    L1,
    /// `d² / 2` where `d = |p - t|` is at most `delta`, beyond it `delta (d - delta / 2)`.
    Huber {
        /// Where the parabola goes over into a line; above 0, default 1.
        delta: f32,
    },
    /// `d² / (2 beta)` where `d = |p - t|` is below `beta`, beyond it `d - beta / 2`.
    SmoothL1 {
        /// Where the parabola goes over into a line; 0 or more, default 1. With 0 it is [`Loss::L1`].
        beta: f32,
    },
    /// `log cosh(p - t)`: a parabola that goes over into a line.
    LogCosh,
    /// `max(level (t - p), (level - 1) (t - p))`, the pinball loss, whose least mean is at the
    /// quantile of that level. Slope 0 where `p = t`.
    Quantile {
        /// The part of the targets that are to lie below the prediction, in `(0, 1)`. Default 0.5, the median.
        level: f32,
    },
    /// `exp(p) - t p`: Poisson's likelihood of the count `t >= 0` where the network gives the logarithm
    /// of its mean, without the terms that depend on `t` alone. Slope `exp(p) - t`.
    Poisson,
    /// `t exp(-p) + p`: the Gamma likelihood of `t > 0` where the network gives the logarithm of its
    /// mean, for a shape of 1 and without the terms that depend on `t` alone. Slope `1 - t exp(-p)`.
    Gamma,
    /// `exp((2 - power) p) / (2 - power) - t exp((1 - power) p) / (1 - power)`: Tweedie's likelihood of
    /// `t >= 0`, many of which are 0, where the network gives the logarithm of its mean.
    Tweedie {
        /// The variance grows as the mean to this power, in `(1, 2)`: from Poisson's to Gamma's. Default 1.5.
        power: f32,
    },
    /// `max(0, 1 - p t)`, for targets of -1 and 1.
    Hinge,
    /// `log(1 + exp(z)) - z t` of logits `z`, for targets in `[0, 1]`: one yes or no for each output.
    BinaryCrossEntropy,
    /// `-(t log p + (1 - t) log(1 - p))` of probabilities `p` in `[0, 1]`, with logarithms of at least
    /// -100. Where a logarithm is cut off its slope is 0; MLX gives NaN there. Prefer the one of logits.
    BinaryCrossEntropyOfProbabilities,
    /// The binary cross-entropy of logits times `q^gamma`, where `q = p (1 - t) + (1 - p) t` with the
    /// probability `p` is how wrong the answer is (Lin et al., 2017, equation 4). What the paper calls
    /// alpha is a weight of the sample.
    BinaryFocal {
        /// How little what is answered well counts; 0 or more, default 2.
        gamma: f32,
    },
    /// `(log v + (m - t)² / v) / 2` with `v` the variance, but at least `eps`: of `2 k` outputs the first
    /// `k` are means `m`, the others variances, for `k` targets. The caller sees to it that variances are
    /// positive: below `eps` they have no slope.
    GaussianNll {
        /// The least variance; above 0, default 1e-6.
        eps: f32,
        /// Whether `log(2 pi) / 2` is added; default no. As text 1 or 0.
        full: bool,
    },
    /// `x · t / max(|x| |t|, eps)` for each row: the similarity itself, as in MLX. Training drives the
    /// rows apart; with negated targets, together.
    CosineSimilarity {
        /// The least denominator; above 0, default 1e-8.
        eps: f32,
    },
    /// `log(sum exp z) - sum z t` for each row, of logits `z`. Targets are probabilities of the same
    /// shape, or one class index per row.
    ///
    /// A logit of minus infinity is a class that cannot be: where its target is 0 it adds nothing
    /// (MLX gives NaN for probabilities); where its target is not, the loss is infinite. Only logits
    /// of plus infinity, or nothing but minus infinity, give NaN. GPUs need not have infinities.
    CrossEntropy,
    /// The cross-entropy with a part of each row's target spread evenly over all classes:
    /// `log(sum exp z) - (1 - label_smoothing) sum z t - label_smoothing mean z`.
    CrossEntropySmoothed {
        /// The part that is spread, in `[0, 1)`; default 0.1. As text `cross_entropy(0.1)`.
        label_smoothing: f32,
    },
    /// `-(1 - p)^gamma log p` for each row, with `p` the softmax's probability of the row's class, of
    /// logits and class indices (Lin et al., 2017, equation 4). What the paper calls alpha are the
    /// weights of the classes.
    Focal {
        /// How little what is answered well counts; 0 or more, default 2.
        gamma: f32,
    },
    /// `-x[class]` for each row, of logarithms of probabilities `x` and class indices.
    Nll,
    /// `sum exp(t) (t - x)` for each row, of logarithms of probabilities `x` and targets that are
    /// logarithms of probabilities too. A target of minus infinity adds nothing; MLX gives NaN.
    KlDiv,
    /// A formula of the prediction `p` and the target `t`, for each element; its kernel is made at run
    /// time. As text the formula itself: `abs(p - t) + 0.1 * (p - t)^2`.
    Formula(Formula),
}

/// What turns a network's output into what it predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The output is the prediction.
    Identity,
    /// The softmax of each row: probabilities of classes that exclude each other.
    Softmax,
    /// The logistic function of each output: a probability each.
    Sigmoid,
    /// The exponential of each output: a mean, or a probability given by its logarithm.
    Exp,
}

impl Loss {
    /// The variables of a formula: the prediction and the target.
    pub const VARIABLES: [&'static str; 2] = ["p", "t"];

    /// Every loss but formulas, with the defaults of its parameters.
    pub const ALL: [Loss; 20] = [
        Loss::Mse,
        Loss::L1,
        Loss::Huber { delta: 1.0 },
        Loss::SmoothL1 { beta: 1.0 },
        Loss::LogCosh,
        Loss::Quantile { level: 0.5 },
        Loss::Poisson,
        Loss::Gamma,
        Loss::Tweedie { power: 1.5 },
        Loss::Hinge,
        Loss::BinaryCrossEntropy,
        Loss::BinaryCrossEntropyOfProbabilities,
        Loss::BinaryFocal { gamma: 2.0 },
        Loss::GaussianNll { eps: 1e-6, full: false },
        Loss::CosineSimilarity { eps: 1e-8 },
        Loss::CrossEntropy,
        Loss::CrossEntropySmoothed { label_smoothing: 0.1 },
        Loss::Focal { gamma: 2.0 },
        Loss::Nll,
        Loss::KlDiv,
    ];

    /// Checks the parameters' ranges.
    ///
    /// # Errors
    ///
    /// A parameter outside of its range, with the range, and a formula of other variables.
    pub fn check(self) -> Result<()> {
        let expect = |name: &str, found: f32, is_right: bool, expected: &str| {
            if is_right {
                return Ok(());
            }
            let (name, found) = (format!("{} of the loss {}", name, self.name()), found.to_string());
            Err(Error::Setting { name, found, expected: expected.into() })
        };
        let above_0 = |name, x: f32| expect(name, x, 0.0 < x && x < f32::INFINITY, "a number above 0");
        let from_0 = |name, x: f32| expect(name, x, (0.0..f32::INFINITY).contains(&x), "a number of 0 or more");
        match self {
            Loss::Huber { delta } => above_0("delta", delta),
            Loss::SmoothL1 { beta } => from_0("beta", beta),
            Loss::Quantile { level } => {
                expect("level", level, 0.0 < level && level < 1.0, "a number above 0 and below 1")
            }
            Loss::Tweedie { power } => {
                expect("power", power, 1.0 < power && power < 2.0, "a number above 1 and below 2")
            }
            Loss::BinaryFocal { gamma } | Loss::Focal { gamma } => from_0("gamma", gamma),
            Loss::GaussianNll { eps, .. } | Loss::CosineSimilarity { eps } => above_0("eps", eps),
            Loss::CrossEntropySmoothed { label_smoothing: part } => {
                expect("label smoothing", part, (0.0..1.0).contains(&part), "a number from 0 on and below 1")
            }
            Loss::Formula(formula) if formula.variables() != Loss::VARIABLES => {
                let found = format!("`{formula}`, a formula of {}", formula.variables().join(", "));
                Err(Error::Setting { name: "loss".into(), found, expected: "a formula of p and t".into() })
            }
            _ => Ok(()),
        }
    }

    /// What turns a network's output into what it predicts.
    ///
    /// For [`Loss::GaussianNll`] the outputs are means and variances as they are.
    pub fn link(self) -> Link {
        match self {
            Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. } | Loss::Nll | Loss::KlDiv => Link::Exp,
            Loss::BinaryCrossEntropy | Loss::BinaryFocal { .. } => Link::Sigmoid,
            Loss::CrossEntropy | Loss::CrossEntropySmoothed { .. } | Loss::Focal { .. } => Link::Softmax,
            Loss::Mse
            | Loss::L1
            | Loss::Huber { .. }
            | Loss::SmoothL1 { .. }
            | Loss::LogCosh
            | Loss::Quantile { .. }
            | Loss::Hinge
            | Loss::BinaryCrossEntropyOfProbabilities
            | Loss::GaussianNll { .. }
            | Loss::CosineSimilarity { .. }
            | Loss::Formula(_) => Link::Identity,
        }
    }

    /// The same loss of targets as they are, without label smoothing.
    pub fn unsmoothed(self) -> Loss {
        if let Loss::CrossEntropySmoothed { .. } = self { Loss::CrossEntropy } else { self }
    }

    /// Whether targets may be class indices, one per row.
    pub fn takes_classes(self) -> bool {
        matches!(self, Loss::CrossEntropy | Loss::CrossEntropySmoothed { .. } | Loss::Focal { .. } | Loss::Nll)
    }

    /// Whether targets may be numbers, one for each output; for [`Loss::GaussianNll`] one for two.
    pub fn takes_numbers(self) -> bool {
        !matches!(self, Loss::Focal { .. } | Loss::Nll)
    }

    /// Rows and columns of the loss values for an output of `[rows, columns]`: an element each, or one
    /// for each row.
    pub fn shape(self, rows: u32, columns: u32) -> [u32; 2] {
        match (self.pointwise(), self) {
            (Some(_), _) | (None, Loss::Formula(_)) => [rows, columns],
            (None, Loss::GaussianNll { .. }) => [rows, columns / 2],
            (None, _) => [rows, 1],
        }
    }

    /// Outputs that a network needs for rows of `n_targets` numbers: as many, or two for each.
    pub fn n_outputs(self, n_targets: u32) -> u32 {
        if matches!(self, Loss::GaussianNll { .. }) { 2 * n_targets } else { n_targets }
    }

    /// The part of each target that is spread over all classes.
    fn label_smoothing(self) -> f32 {
        if let Loss::CrossEntropySmoothed { label_smoothing } = self { label_smoothing } else { 0.0 }
    }
}
