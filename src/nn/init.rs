//! First weights: the initialisers of MLX, bit for bit where that can be promised.

mod orthogonal;
mod text;

use crate::random::KeySequence;
use crate::{Error, Result};

/// How the first values of a parameter are drawn.
///
/// Of a weight of `[outputs, inputs]`, `fan_in` is its inputs (the last dimension) and `fan_out` its
/// outputs (the first). For a seed, the numbers are bit for bit those of `mlx.nn.init` on MLX's CPU
/// device under Linux; [`Key::normal`](crate::random::Key::normal) tells why not everywhere. The one
/// exception is [`Init::Orthogonal`]. Settings are f64, as they are in Python: only so do the numbers
/// computed from them round as MLX's.
///
/// The defaults of others, in these words:
///
/// | Layer | weight | bias |
/// |---|---|---|
/// | MLX's and PyTorch's `Linear` | `linear` | `linear` |
/// | Keras' `Dense` | `glorot_uniform` | `zeros` |
/// | MLX's `Embedding` of `d` columns | `normal(std=1/√d)` | |
/// | PyTorch's `Embedding` | `normal` | |
/// | Keras' `Embedding` | `uniform(low=-0.05, high=0.05)` | |
///
/// PyTorch and Keras draw other numbers from a seed, of the same distribution. PyTorch's
/// `kaiming_normal_` and Keras' `he_normal` have the gain √2 where that of MLX is 1, and the gain 1 is
/// Keras' `lecun`. Keras cuts its normal distributions at two standard deviations:
/// [`Init::TruncatedNormal`] with the standard deviation divided by 0.87962566.
///
/// # Text
///
/// As text, in files and options, an initialiser is its name, followed by settings in parentheses:
/// `he_normal(gain=1, mode=fan_out)`. Settings that are left out have their defaults, and parentheses
/// without settings may go too: `he_normal`. Settings may also stand without names, in order and before
/// those with names: `uniform(-0.1, 0.1)`. Hyphens do for underscores. `zeros` and `ones` are constants.
///
/// ```
/// use nngpu::nn::{FanMode, Init};
/// use nngpu::random::KeySequence;
///
/// let init: Init = "he_normal(mode=fan_out)".parse()?;
/// assert_eq!(init, Init::HeNormal { gain: 1.0, mode: FanMode::FanOut });
/// assert_eq!(init.to_string(), "he_normal(gain=1, mode=fan_out)");
///
/// // mx.random.seed(0); nn.init.he_normal()(mx.zeros([2, 3]), mode="fan_out")
/// let weight = init.draw(&mut KeySequence::new(0), 2, 3)?;
/// assert_eq!(weight, [-1.0310987, -1.4474785, -1.0071218, 0.82619023, -0.6900202, -0.89933294]);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Init {
    /// Uniform in ±1/√inputs: what MLX and PyTorch draw for a linear layer. The default.
    #[default]
    Linear,
    /// One value everywhere.
    Constant(f64),
    /// A normal distribution.
    Normal {
        /// Its mean. Default 0.
        mean: f64,
        /// Its standard deviation, 0 or more. Default 1.
        std: f64,
    },
    /// A normal distribution without what is further than two of its standard deviations from its mean.
    /// Bits are those of `std * mx.random.truncated_normal(-2, 2, shape) + mean`.
    TruncatedNormal {
        /// Its mean. Default 0.
        mean: f64,
        /// The standard deviation before it is cut, 0 or more; afterwards it is 0.87962566 times that.
        /// Default 1.
        std: f64,
    },
    /// Uniform between two bounds.
    Uniform {
        /// The lower bound. Default 0.
        low: f64,
        /// The upper bound, not below `low`. Default 1.
        high: f64,
    },
    /// 1 on the diagonal, 0 elsewhere; for weights with as many inputs as outputs.
    Identity,
    /// Normal with the standard deviation `gain √(2 / (fan_in + fan_out))`.
    GlorotNormal {
        /// A factor, 0 or more. Default 1.
        gain: f64,
    },
    /// Uniform in `±gain √(6 / (fan_in + fan_out))`.
    GlorotUniform {
        /// A factor, 0 or more. Default 1.
        gain: f64,
    },
    /// Normal with the standard deviation `gain / √fan`.
    HeNormal {
        /// A factor, 0 or more. Default 1; √2 keeps the scale of signals through ReLU.
        gain: f64,
        /// Which dimension `fan` is. Default `fan_in`.
        mode: FanMode,
    },
    /// Uniform in `±gain √(3 / fan)`.
    HeUniform {
        /// A factor, 0 or more. Default 1; √2 keeps the scale of signals through ReLU.
        gain: f64,
        /// Which dimension `fan` is. Default `fan_in`.
        mode: FanMode,
    },
    /// A normal distribution of which each row then loses some of its elements, chosen by chance.
    Sparse {
        /// The part of each row that becomes 0, from 0 to 1; rounded up to whole elements. No default.
        sparsity: f64,
        /// The mean of the others. Default 0.
        mean: f64,
        /// The standard deviation of the others, 0 or more. Default 1.
        std: f64,
    },
    /// `gain` times orthonormal rows, or columns where there are more rows: the Q of the QR factors of a
    /// square normal matrix, cut to shape, with signs such that the diagonal of R is positive.
    ///
    /// The numbers are near those of MLX, not equal: MLX's come from the LAPACK of its system in f32,
    /// these from f64. The distance is of the order of `n κ 2^-24`, where `n` is the larger dimension and
    /// `κ` the condition of the matrix drawn. It costs `3 n³` multiplications or so and `16 n²` bytes.
    Orthogonal {
        /// A factor. Default 1.
        gain: f64,
    },
}

/// Which dimension of a weight scales its first values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FanMode {
    /// Its inputs: signals keep their scale forwards. The default.
    #[default]
    FanIn,
    /// Its outputs: gradients keep their scale backwards.
    FanOut,
}

impl Init {
    /// Draws a weight of `[rows, columns]` = `[outputs, inputs]`, row by row. It takes as many keys from
    /// the sequence as MLX takes: none for [`Init::Constant`] and [`Init::Identity`], two for
    /// [`Init::Sparse`], one for the others.
    ///
    /// # Errors
    ///
    /// A setting out of its range, a size of 0, 2^31 elements or more, [`Init::Identity`] of a shape
    /// that is not square.
    pub fn draw(&self, keys: &mut KeySequence, rows: usize, columns: usize) -> Result<Vec<f32>> {
        self.check()?;
        let shape = format!("{self} of a parameter of {rows} x {columns}");
        let refuse = |expected: &str| Err(setting(shape.clone(), expected));
        let n = rows.saturating_mul(columns);
        if !(1..1 << 31).contains(&n) {
            return refuse("a size of 1 or more, and fewer than 2^31 elements");
        }
        let fan = |mode| match mode {
            FanMode::FanIn => columns as f64,
            FanMode::FanOut => rows as f64,
        };
        let both = rows as f64 + columns as f64;
        // In f64 and rounded once at the end, as Python computes them.
        let mut within = |limit: f64| keys.uniform(-limit as f32, limit as f32, n);
        Ok(match *self {
            Init::Linear => within((1.0 / columns as f64).sqrt()),
            Init::GlorotUniform { gain } => within(gain * (6.0 / both).sqrt()),
            Init::HeUniform { gain, mode } => within(gain * (3.0 / fan(mode)).sqrt()),
            // MLX adds no mean to these two.
            Init::GlorotNormal { gain } => keys.normal(-0.0, (gain * (2.0 / both).sqrt()) as f32, n),
            Init::HeNormal { gain, mode } => keys.normal(-0.0, (gain / fan(mode).sqrt()) as f32, n),
            Init::Normal { mean, std } => keys.normal(mean as f32, std as f32, n),
            Init::TruncatedNormal { mean, std } => {
                let numbers = keys.truncated_normal(n).into_iter();
                numbers.map(|number| std as f32 * number + mean as f32).collect()
            }
            Init::Uniform { low, high } => keys.uniform(low as f32, high as f32, n),
            Init::Constant(value) => vec![value as f32; n],
            Init::Identity if rows != columns => return refuse("as many rows as columns"),
            Init::Identity => (0..n).map(|i| if i % (columns + 1) == 0 { 1.0 } else { 0.0 }).collect(),
            Init::Sparse { sparsity, mean, std } => {
                let n_zeros = (sparsity * columns as f64).ceil() as usize;
                let ranks = keys.uniform(0.0, 1.0, n);
                let mut numbers = keys.normal(mean as f32, std as f32, n);
                for (row, ranks) in numbers.chunks_exact_mut(columns).zip(ranks.chunks_exact(columns)) {
                    let mut order: Vec<usize> = (0..columns).collect();
                    // Equal ranks stay in order, as in MLX's argsort.
                    order.sort_by(|&a, &b| ranks[a].total_cmp(&ranks[b]));
                    order[..n_zeros].iter().for_each(|&column| row[column] = 0.0);
                }
                numbers
            }
            Init::Orthogonal { gain } => {
                let size = rows.max(columns);
                if size.saturating_mul(size) >= 1 << 31 {
                    return refuse("rows and columns below 46341, since a square matrix of the larger is drawn");
                }
                let factor = orthogonal::factor(&keys.normal(-0.0, 1.0, size * size), size, columns);
                (0..n).map(|i| factor[i % columns][i / columns] as f32 * gain as f32).collect()
            }
        })
    }

    /// Draws a bias of `[outputs]` for a layer of so many inputs, which only [`Init::Linear`] regards.
    ///
    /// # Errors
    ///
    /// As for [`Init::draw`], and an initialiser that needs a weight's two dimensions.
    pub fn draw_bias(&self, keys: &mut KeySequence, inputs: usize, outputs: usize) -> Result<Vec<f32>> {
        match self {
            Init::Linear if inputs == 0 => Err(setting(format!("{self} of 0 inputs"), "1 or more")),
            Init::Linear => {
                let limit = (1.0 / inputs as f64).sqrt();
                Init::Uniform { low: -limit, high: limit }.draw(keys, 1, outputs)
            }
            Init::Constant(_) | Init::Normal { .. } | Init::TruncatedNormal { .. } | Init::Uniform { .. } => {
                self.draw(keys, 1, outputs)
            }
            _ => {
                let expected = "linear, constant, normal, truncated_normal or uniform, which need one dimension only";
                Err(setting(format!("{self} of a bias"), expected))
            }
        }
    }

    /// Checks the settings against their ranges. Every number drawn is then finite.
    ///
    /// # Errors
    ///
    /// The first setting that is out of its range.
    pub fn check(&self) -> Result<()> {
        let is_finite = |value: f64| (value as f32).is_finite();
        let require = |is_right: bool, expected: &str| {
            if is_right { Ok(()) } else { Err(setting(self.to_string(), expected)) }
        };
        match *self {
            Init::Linear | Init::Identity => Ok(()),
            Init::Constant(value) => require(is_finite(value), "a finite number of 32 bits"),
            Init::Normal { mean, std } | Init::TruncatedNormal { mean, std } | Init::Sparse { mean, std, .. } => {
                // No number is further than 5.42 standard deviations from the mean.
                let is_right = std >= 0.0 && is_finite(mean.abs() + 6.0 * std);
                require(is_right, "a finite mean, a standard deviation of 0 or more, and 32-bit numbers around")?;
                match *self {
                    Init::Sparse { sparsity, .. } => require((0.0..=1.0).contains(&sparsity), "a sparsity from 0 to 1"),
                    _ => Ok(()),
                }
            }
            Init::Uniform { low, high } => {
                let is_right = low <= high && is_finite(low) && is_finite(high) && is_finite(high - low);
                require(is_right, "bounds that are finite numbers of 32 bits, the lower one first")
            }
            Init::GlorotNormal { gain }
            | Init::GlorotUniform { gain }
            | Init::HeNormal { gain, .. }
            | Init::HeUniform { gain, .. } => {
                require(gain >= 0.0 && is_finite(12.0 * gain), "a gain of 0 or more that leads to 32-bit numbers")
            }
            Init::Orthogonal { gain } => require(is_finite(gain), "a finite gain of 32 bits"),
        }
    }
}

fn setting(found: String, expected: &str) -> Error {
    Error::Setting { name: "initialiser".into(), found, expected: expected.into() }
}
