//! The optimizers: each a rule that moves weights along their gradients.

mod update;

mod state;

pub mod adadelta;
pub mod adafactor;
pub mod adam;
pub mod lion;
pub mod muon;
pub mod rmsprop;
pub mod sgd;

pub mod clip;
pub mod schedule;

use std::fmt;
use std::ops::Range;

pub use clip::{Clip, record_clip, record_clip_in_parts};
pub use schedule::{record_accumulate, record_rate};
pub use state::{OptimizerState, Part};
pub use update::{record_update, record_update_in_parts};

use crate::compute::kernel::View;
use crate::{Error, Result};

/// A rule that moves weights along their gradients.
///
/// The formulas are MLX's, `python/mlx/optimizers/optimizers.py`, and so are the customary settings, except that
/// [`Optimizer::adam`] corrects its bias.
///
/// ```
/// use nngpu::Optimizer;
///
/// let lion = Optimizer::lion(0.001);
/// assert_eq!(lion.to_string(), "lion, learning rate 0.001");
/// assert_eq!(Optimizer::named("adamw", None)?, Optimizer::adam_w(0.001));
/// assert!(Optimizer::momentum(0.1, 1.5).check().is_err());
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// `w -= learning_rate * dw`.
    Sgd {
        /// Step length, above 0.
        learning_rate: f32,
    },
    /// SGD with a velocity, as in MLX: `v = momentum * v + (1 - dampening) * (dw + weight_decay * w)`.
    Momentum {
        /// Step length, above 0.
        learning_rate: f32,
        /// Fraction of the velocity kept, in `[0, 1)`. Customary: 0.9.
        momentum: f32,
        /// Fraction of the gradient left out, in `[0, 1)`. Customary: 0.
        dampening: f32,
        /// Pull of every weight towards 0, at least 0. Customary: 0.
        weight_decay: f32,
        /// Whether to look one step ahead: `w -= learning_rate * (g + momentum * v)`.
        nesterov: bool,
        /// Whether the first gradient is not dampened, `v = g` at the first step, as in PyTorch. Customary: no,
        /// as in MLX. Without dampening it is the same.
        first_undampened: bool,
    },
    /// `v = alpha * v + (1 - alpha) * dw^2`, `w -= learning_rate * dw / (sqrt(v) + epsilon)`.
    RmsProp {
        /// Step length, above 0. Customary: 0.001.
        learning_rate: f32,
        /// Fraction of the mean square kept, in `[0, 1)`. Customary: 0.99.
        alpha: f32,
        /// Added to the root of the mean square, above 0. Customary: 1e-8.
        epsilon: f32,
        /// Whether epsilon is added to the mean square instead, as in Keras. Customary: no, as in MLX and PyTorch.
        epsilon_inside: bool,
    },
    /// `v = v + dw^2`, `w -= learning_rate * dw / (sqrt(v) + epsilon)`.
    AdaGrad {
        /// Step length, above 0. Customary: 0.01.
        learning_rate: f32,
        /// Added to the root of the summed squares, above 0. Customary: 1e-8.
        epsilon: f32,
        /// Whether epsilon is added to the summed squares instead, as in Keras. Customary: no, as in MLX and PyTorch.
        epsilon_inside: bool,
    },
    /// Steps in the units of the weights: `w -= learning_rate * sqrt(u + epsilon) / sqrt(v + epsilon) * dw`, where
    /// `v` and `u` are running mean squares of the gradient and of the steps.
    AdaDelta {
        /// Factor of the step, above 0. Customary: 1.
        learning_rate: f32,
        /// Fraction of the mean squares kept, in `[0, 1)`. Customary: 0.9.
        rho: f32,
        /// Added to both mean squares, above 0. Customary: 1e-6.
        epsilon: f32,
    },
    /// Adam with corrected bias; with weight decay it is AdamW.
    Adam {
        /// Step length, above 0. Customary: 0.001.
        learning_rate: f32,
        /// Fraction of the mean gradient kept, in `[0, 1)`. Customary: 0.9.
        beta1: f32,
        /// Fraction of the mean square kept, in `[0, 1)`. Customary: 0.999.
        beta2: f32,
        /// Added to the root of the mean square, above 0. Customary: 1e-8.
        epsilon: f32,
        /// Decoupled decay of the weights, at least 0. Customary: 0 for Adam, 0.01 for AdamW.
        weight_decay: f32,
        /// Whether the means are divided by what they lack while they are young. Customary: yes; MLX's default
        /// is no.
        bias_correction: bool,
        /// Whether epsilon is added to the root before its correction, as in Keras, where 1e-7 is customary.
        /// Customary: no, as in MLX and PyTorch.
        epsilon_before_correction: bool,
    },
    /// Adam with the largest gradient in place of the mean square: `v = max(beta2 * v, |dw|)`.
    Adamax {
        /// Step length, above 0. Customary: 0.002.
        learning_rate: f32,
        /// Fraction of the mean gradient kept, in `[0, 1)`. Customary: 0.9.
        beta1: f32,
        /// Fraction of the largest gradient kept, in `[0, 1)`. Customary: 0.999.
        beta2: f32,
        /// Added to the largest gradient, above 0. Customary: 1e-8.
        epsilon: f32,
        /// Whether the mean is divided by what it lacks while it is young, as in PyTorch and Keras. Customary:
        /// no, as in MLX.
        bias_correction: bool,
    },
    /// Steps of one length: `w -= learning_rate * (sign(beta1 * m + (1 - beta1) * dw) + weight_decay * w)`.
    Lion {
        /// Step length, above 0. Customary: 0.0001, a third to a tenth of Adam's.
        learning_rate: f32,
        /// Fraction of the mean gradient in the direction, in `[0, 1)`. Customary: 0.9.
        beta1: f32,
        /// Fraction of the mean gradient kept, in `[0, 1)`. Customary: 0.99.
        beta2: f32,
        /// Decoupled decay of the weights, at least 0. Customary: 0.
        weight_decay: f32,
    },
    /// Adam with a mean square for each row and column, and steps in proportion to the weights.
    Adafactor {
        /// Step length, above 0; nothing to steps of relative length. Customary: 0.01.
        learning_rate: f32,
        /// Exponent of the step's number in what the mean squares forget, below 0. Customary: -0.8.
        decay_rate: f32,
        /// Added to the squares of the gradients, above 0. Customary: 1e-30.
        epsilon1: f32,
        /// The least size of the weights that a step is in proportion to, above 0. Customary: 0.001.
        epsilon2: f32,
        /// Root mean square beyond which a direction is scaled down, above 0. Customary: 1.
        clip_threshold: f32,
        /// Fraction of the mean step kept, in `[0, 1)`. Customary: 0, no mean.
        beta1: f32,
        /// Decay of the weights, at least 0. Customary: 0.
        weight_decay: f32,
        /// Whether steps are in proportion to the root mean square of each parameter. Customary: yes.
        scale_parameter: bool,
        /// Whether the step's length comes from its number alone: `min(0.01, 1 / sqrt(t))`. Customary: yes.
        relative_step: bool,
        /// Whether that length begins small: `min(1e-6 * t, 1 / sqrt(t))`. Customary: no.
        warmup_init: bool,
    },
    /// SGD with a velocity whose matrices are made orthogonal; vectors move along the velocity itself.
    Muon {
        /// Step length, above 0. Customary: 0.02.
        learning_rate: f32,
        /// Fraction of the velocity kept, in `[0, 1)`. Customary: 0.95.
        momentum: f32,
        /// Pull of every weight towards 0, at least 0, added to the gradient. Customary: 0.01.
        weight_decay: f32,
        /// Whether to look one step ahead. Customary: yes.
        nesterov: bool,
        /// Steps of Newton and Schulz's iteration, from 1 to 100. Customary: 5.
        n_steps: u32,
    },
}

impl Optimizer {
    /// Plain SGD.
    pub fn sgd(learning_rate: f32) -> Optimizer {
        Optimizer::Sgd { learning_rate }
    }

    /// SGD with momentum, not dampened, without decay.
    pub fn momentum(learning_rate: f32, momentum: f32) -> Optimizer {
        Optimizer::Momentum {
            learning_rate,
            momentum,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
            first_undampened: false,
        }
    }

    /// RMSprop with its customary settings.
    pub fn rms_prop(learning_rate: f32) -> Optimizer {
        Optimizer::RmsProp { learning_rate, alpha: 0.99, epsilon: 1e-8, epsilon_inside: false }
    }

    /// Adagrad with its customary settings.
    pub fn ada_grad(learning_rate: f32) -> Optimizer {
        Optimizer::AdaGrad { learning_rate, epsilon: 1e-8, epsilon_inside: false }
    }

    /// AdaDelta with its customary settings.
    pub fn ada_delta(learning_rate: f32) -> Optimizer {
        Optimizer::AdaDelta { learning_rate, rho: 0.9, epsilon: 1e-6 }
    }

    /// Adam with its customary settings.
    pub fn adam(learning_rate: f32) -> Optimizer {
        Optimizer::Adam {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            bias_correction: true,
            epsilon_before_correction: false,
        }
    }

    /// Adam with a decay of the weights, 0.01.
    pub fn adam_w(learning_rate: f32) -> Optimizer {
        let mut optimizer = Optimizer::adam(learning_rate);
        if let Optimizer::Adam { weight_decay, .. } = &mut optimizer {
            *weight_decay = 0.01;
        }
        optimizer
    }

    /// Adamax with its customary settings.
    pub fn adamax(learning_rate: f32) -> Optimizer {
        Optimizer::Adamax { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, bias_correction: false }
    }

    /// Lion with its customary settings.
    pub fn lion(learning_rate: f32) -> Optimizer {
        Optimizer::Lion { learning_rate, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }

    /// Adafactor with its customary settings: with a step length, or without one by steps of relative length.
    pub fn adafactor(learning_rate: Option<f32>) -> Optimizer {
        Optimizer::Adafactor {
            learning_rate: learning_rate.unwrap_or(0.01),
            decay_rate: -0.8,
            epsilon1: 1e-30,
            epsilon2: 1e-3,
            clip_threshold: 1.0,
            beta1: 0.0,
            weight_decay: 0.0,
            scale_parameter: true,
            relative_step: learning_rate.is_none(),
            warmup_init: false,
        }
    }

    /// Muon with its customary settings.
    pub fn muon(learning_rate: f32) -> Optimizer {
        Optimizer::Muon { learning_rate, momentum: 0.95, weight_decay: 0.01, nesterov: true, n_steps: 5 }
    }

    /// The names that [`Optimizer::named`] knows.
    pub const NAMES: [&str; 11] =
        ["sgd", "momentum", "rmsprop", "adagrad", "adadelta", "adam", "adamw", "adamax", "lion", "adafactor", "muon"];

    /// The optimizer of a name with its customary settings, and with a step length: by default 0.1
    /// for sgd, 0.02 for momentum (of 0.9) and muon, 0.01 for adagrad, 1 for adadelta, 0.002 for adamax, 0.0001
    /// for lion, steps of relative length for adafactor, and 0.001 for the others.
    ///
    /// # Errors
    ///
    /// A name that is none of [`Optimizer::NAMES`].
    pub fn named(name: &str, learning_rate: Option<f32>) -> Result<Optimizer> {
        let rate = |default| learning_rate.unwrap_or(default);
        match name {
            "sgd" => Ok(Optimizer::sgd(rate(0.1))),
            "momentum" => Ok(Optimizer::momentum(rate(0.02), 0.9)),
            "rmsprop" => Ok(Optimizer::rms_prop(rate(0.001))),
            "adagrad" => Ok(Optimizer::ada_grad(rate(0.01))),
            "adadelta" => Ok(Optimizer::ada_delta(rate(1.0))),
            "adam" => Ok(Optimizer::adam(rate(0.001))),
            "adamw" => Ok(Optimizer::adam_w(rate(0.001))),
            "adamax" => Ok(Optimizer::adamax(rate(0.002))),
            "lion" => Ok(Optimizer::lion(rate(0.0001))),
            "adafactor" => Ok(Optimizer::adafactor(learning_rate)),
            "muon" => Ok(Optimizer::muon(rate(0.02))),
            _ => Err(Error::Setting {
                name: "optimizer".into(),
                found: format!("`{name}`"),
                expected: format!("one of {}", Optimizer::NAMES.join(", ")),
            }),
        }
    }

    /// The name that users write.
    pub fn name(&self) -> &'static str {
        match self {
            Optimizer::Sgd { .. } => "sgd",
            Optimizer::Momentum { .. } => "momentum",
            Optimizer::RmsProp { .. } => "rmsprop",
            Optimizer::AdaGrad { .. } => "adagrad",
            Optimizer::AdaDelta { .. } => "adadelta",
            Optimizer::Adam { weight_decay, .. } if *weight_decay > 0.0 => "adamw",
            Optimizer::Adam { .. } => "adam",
            Optimizer::Adamax { .. } => "adamax",
            Optimizer::Lion { .. } => "lion",
            Optimizer::Adafactor { .. } => "adafactor",
            Optimizer::Muon { .. } => "muon",
        }
    }

    /// The step length.
    pub fn learning_rate(&self) -> f32 {
        self.settings()[0]
    }

    /// Whether its steps have the learning rate's length; Adafactor's may come from their number alone.
    pub fn has_learning_rate(&self) -> bool {
        !matches!(self, Optimizer::Adafactor { relative_step: true, .. })
    }

    /// The same rule with another step length; Adafactor's steps are then no longer of relative length.
    pub fn with_learning_rate(mut self, rate: f32) -> Optimizer {
        if let Optimizer::Adafactor { relative_step, .. } = &mut self {
            *relative_step = false;
        }
        let (Optimizer::Sgd { learning_rate }
        | Optimizer::Momentum { learning_rate, .. }
        | Optimizer::RmsProp { learning_rate, .. }
        | Optimizer::AdaGrad { learning_rate, .. }
        | Optimizer::AdaDelta { learning_rate, .. }
        | Optimizer::Adam { learning_rate, .. }
        | Optimizer::Adamax { learning_rate, .. }
        | Optimizer::Lion { learning_rate, .. }
        | Optimizer::Adafactor { learning_rate, .. }
        | Optimizer::Muon { learning_rate, .. }) = &mut self;
        *learning_rate = rate;
        self
    }

    /// The part of the weights that a step takes away, times the step length; nothing where the rule has none.
    pub fn weight_decay(&self) -> Option<f32> {
        match *self {
            Optimizer::Momentum { weight_decay, .. }
            | Optimizer::Adam { weight_decay, .. }
            | Optimizer::Lion { weight_decay, .. }
            | Optimizer::Adafactor { weight_decay, .. }
            | Optimizer::Muon { weight_decay, .. } => Some(weight_decay),
            _ => None,
        }
    }

    /// The same rule with another weight decay; nothing where the rule has none.
    pub fn with_weight_decay(mut self, part: f32) -> Option<Optimizer> {
        let (Optimizer::Momentum { weight_decay, .. }
        | Optimizer::Adam { weight_decay, .. }
        | Optimizer::Lion { weight_decay, .. }
        | Optimizer::Adafactor { weight_decay, .. }
        | Optimizer::Muon { weight_decay, .. }) = &mut self
        else {
            return None;
        };
        *weight_decay = part;
        Some(self)
    }

    /// What a device keeps of it for each model: the learning rate first.
    pub fn settings(&self) -> Vec<f32> {
        let flag = |holds: bool| f32::from(u8::from(holds));
        // Where epsilon is added: inside the root, outside it.
        let epsilons = |epsilon: f32, is_inside: bool| if is_inside { [epsilon, 0.0] } else { [0.0, epsilon] };
        match *self {
            Optimizer::Sgd { learning_rate } => vec![learning_rate],
            Optimizer::Momentum { learning_rate, momentum, dampening, weight_decay, nesterov, first_undampened } => {
                vec![learning_rate, momentum, dampening, weight_decay, flag(nesterov), flag(first_undampened)]
            }
            Optimizer::RmsProp { learning_rate, alpha, epsilon, epsilon_inside } => {
                let [inside, outside] = epsilons(epsilon, epsilon_inside);
                vec![learning_rate, alpha, 1.0 - alpha, inside, outside]
            }
            Optimizer::AdaGrad { learning_rate, epsilon, epsilon_inside } => {
                let [inside, outside] = epsilons(epsilon, epsilon_inside);
                vec![learning_rate, 1.0, 1.0, inside, outside]
            }
            Optimizer::AdaDelta { learning_rate, rho, epsilon } => vec![learning_rate, rho, epsilon],
            Optimizer::Adam {
                learning_rate, beta1, beta2, epsilon, weight_decay, epsilon_before_correction, ..
            } => {
                vec![learning_rate, beta1, beta2, epsilon, weight_decay, flag(epsilon_before_correction)]
            }
            Optimizer::Adamax { learning_rate, beta1, beta2, epsilon, .. } => {
                vec![learning_rate, beta1, beta2, epsilon]
            }
            Optimizer::Lion { learning_rate, beta1, beta2, weight_decay } => {
                vec![learning_rate, beta1, beta2, weight_decay]
            }
            Optimizer::Adafactor {
                learning_rate,
                decay_rate,
                epsilon1,
                epsilon2,
                clip_threshold,
                beta1,
                weight_decay,
                scale_parameter,
                relative_step,
                warmup_init,
            } => vec![
                learning_rate,
                decay_rate,
                epsilon1,
                epsilon2,
                clip_threshold,
                beta1,
                weight_decay,
                flag(scale_parameter),
                flag(relative_step),
                flag(warmup_init),
            ],
            Optimizer::Muon { learning_rate, momentum, weight_decay, nesterov, .. } => {
                vec![learning_rate, momentum, weight_decay, flag(nesterov)]
            }
        }
    }

    /// What a device keeps of its progress for each model, as it is before the first step; nothing for most.
    pub fn first_powers(&self) -> Vec<f32> {
        match *self {
            // Powers of 0 are no correction, and stay so.
            Optimizer::Adam { bias_correction, .. } | Optimizer::Adamax { bias_correction, .. } => {
                vec![if bias_correction { 1.0 } else { 0.0 }; 2]
            }
            Optimizer::Momentum { first_undampened: true, .. } => vec![1.0],
            Optimizer::Adafactor { .. } => vec![0.0; 3],
            _ => Vec::new(),
        }
    }

    /// How many tensors of the weights' size it keeps between steps.
    fn n_states(&self) -> usize {
        match self {
            Optimizer::Sgd { .. } => 0,
            Optimizer::Momentum { .. }
            | Optimizer::RmsProp { .. }
            | Optimizer::AdaGrad { .. }
            | Optimizer::Lion { .. }
            | Optimizer::Muon { .. } => 1,
            Optimizer::AdaDelta { .. } | Optimizer::Adam { .. } | Optimizer::Adamax { .. } => 2,
            Optimizer::Adafactor { .. } => 3,
        }
    }

    /// Whether it treats matrices as such.
    pub fn needs_shapes(&self) -> bool {
        matches!(self, Optimizer::Adafactor { .. } | Optimizer::Muon { .. })
    }

    /// Checks every setting's range.
    ///
    /// # Errors
    ///
    /// A setting outside its range, by name.
    pub fn check(&self) -> Result<()> {
        let refuse = |name: &str, found: f32, expected: &str| {
            Err(Error::Setting { name: name.into(), found: found.to_string(), expected: expected.into() })
        };
        let positive = |name: &str, value: f32| {
            let holds = value > 0.0 && value.is_finite();
            if holds { Ok(()) } else { refuse(name, value, "a number above 0") }
        };
        let fraction = |name: &str, value: f32| {
            if (0.0..1.0).contains(&value) { Ok(()) } else { refuse(name, value, "a number from 0 to below 1") }
        };
        let not_negative = |name: &str, value: f32| {
            let holds = value >= 0.0 && value.is_finite();
            if holds { Ok(()) } else { refuse(name, value, "a number of at least 0") }
        };
        positive("learning rate", self.learning_rate())?;
        match *self {
            Optimizer::Sgd { .. } => Ok(()),
            Optimizer::Momentum { momentum, dampening, weight_decay, nesterov, .. } => {
                fraction("momentum", momentum)?;
                fraction("dampening", dampening)?;
                not_negative("weight decay", weight_decay)?;
                if nesterov && !(momentum > 0.0 && dampening == 0.0) {
                    return refuse("dampening", dampening, "0 and a momentum above 0 for Nesterov's form");
                }
                Ok(())
            }
            Optimizer::RmsProp { alpha, epsilon, .. } => {
                fraction("alpha", alpha)?;
                positive("epsilon", epsilon)
            }
            Optimizer::AdaGrad { epsilon, .. } => positive("epsilon", epsilon),
            Optimizer::AdaDelta { rho, epsilon, .. } => {
                fraction("rho", rho)?;
                positive("epsilon", epsilon)
            }
            Optimizer::Adam { beta1, beta2, epsilon, weight_decay, .. } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                positive("epsilon", epsilon)?;
                not_negative("weight decay", weight_decay)
            }
            Optimizer::Adamax { beta1, beta2, epsilon, .. } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                positive("epsilon", epsilon)
            }
            Optimizer::Lion { beta1, beta2, weight_decay, .. } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                not_negative("weight decay", weight_decay)
            }
            Optimizer::Adafactor { decay_rate, epsilon1, epsilon2, clip_threshold, beta1, weight_decay, .. } => {
                if !(decay_rate < 0.0 && decay_rate.is_finite()) {
                    return refuse("decay rate", decay_rate, "a number below 0");
                }
                positive("epsilon1", epsilon1)?;
                positive("epsilon2", epsilon2)?;
                positive("clip threshold", clip_threshold)?;
                fraction("beta1", beta1)?;
                not_negative("weight decay", weight_decay)
            }
            Optimizer::Muon { momentum, weight_decay, n_steps, .. } => {
                fraction("momentum", momentum)?;
                not_negative("weight decay", weight_decay)?;
                if (1..=100).contains(&n_steps) {
                    return Ok(());
                }
                refuse("steps of Newton and Schulz's iteration", n_steps as f32, "a number from 1 to 100")
            }
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_learning_rate() {
            write!(f, "{}, learning rate {}", self.name(), self.learning_rate())
        } else {
            write!(f, "{}, steps of relative length", self.name())
        }
    }
}

/// The positions of one model's `length` elements, which are contiguous.
fn run(view: View, model: u32, length: u32) -> Range<usize> {
    let start = view.at(model, 0, 0);
    start..start + length as usize
}
