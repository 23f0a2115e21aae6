//! How the learning rate changes from step to step.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The learning rate of each step, counted from 0 over all epochs; a step is one update of the weights.
///
/// It is read and written as text, with the same names: `constant(0.1)`, `exponential(0.1, 0.99)`,
/// `step(0.1, 0.5, 30)`, `cosine(0.1, 1000)` or `cosine(0.1, 1000, 0.001)`, `linear(0, 0.1, 10)`,
/// `one_cycle(0.1, 1000)`, `restarts(0.1, 50, 2)`, `milestones(0.1, 0.1, 300, 600)`, and of those
/// `join(linear(0, 0.1, 10), 10, cosine(0.1, 990))` and `warmup(10, cosine(0.1, 990))`.
///
/// ```
/// use nngpu::train::Schedule;
///
/// let schedule: Schedule = "warmup(10, cosine(0.1, 990))".parse()?;
/// assert_eq!(schedule.rate(0), 0.0);
/// assert_eq!(schedule.rate(10), 0.1);
/// assert_eq!(schedule.to_string(), "join(linear(0, 0.1, 10), 10, cosine(0.1, 990))");
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// The same rate at each step.
    Constant {
        /// At least 0.
        rate: f64,
    },
    /// `initial * factor^step`: MLX's `exponential_decay`.
    Exponential {
        /// The first rate, at least 0.
        initial: f64,
        /// From one step to the next, at least 0.
        factor: f64,
    },
    /// `initial * factor^(step / every)`, the quotient rounded down: MLX's `step_decay`.
    Step {
        /// The first rate, at least 0.
        initial: f64,
        /// From one stair to the next, at least 0.
        factor: f64,
        /// Steps on each stair, at least 1.
        every: u64,
    },
    /// Half a wave from `initial` down to `end`, which stays: MLX's `cosine_decay`.
    Cosine {
        /// The first rate, at least 0.
        initial: f64,
        /// Steps down to `end`, at least 1.
        steps: u64,
        /// The last rate, at least 0. Default in text: 0.
        end: f64,
    },
    /// A straight line from `initial` to `end`, which stays: MLX's `linear_schedule`.
    Linear {
        /// The first rate, at least 0.
        initial: f64,
        /// The last rate, at least 0.
        end: f64,
        /// Steps to `end`, at least 1.
        steps: u64,
    },
    /// Half a wave up to `maximum` and half a wave down: Smith's one cycle, arXiv 1708.07120, as PyTorch's
    /// `OneCycleLR` computes it by default. It ends at the last of its steps, and stays.
    OneCycle {
        /// The highest rate, above 0.
        maximum: f64,
        /// Steps of the whole cycle, at least 2.
        steps: u64,
        /// The part of the steps that goes up, in `[0, 1]`. Default in text: 0.3.
        rising: f64,
        /// The first rate is the highest divided by this, above 0. Default in text: 25.
        initial_divisor: f64,
        /// The last rate is the first divided by this, above 0. Default in text: 10000.
        final_divisor: f64,
    },
    /// Half waves from `initial` down to `end`, each begun anew: SGDR, Loshchilov and Hutter, arXiv 1608.03983.
    Restarts {
        /// The first rate of each wave, at least 0.
        initial: f64,
        /// Steps of the first wave, at least 1.
        period: u64,
        /// How many times as long each wave is as the one before, at least 1. Default in text: 1.
        growth: u64,
        /// The rate that each wave goes down to, at least 0. Default in text: 0.
        end: f64,
    },
    /// `initial`, times `factor` from each of some steps on.
    Milestones {
        /// The first rate, at least 0.
        initial: f64,
        /// At each milestone, at least 0.
        factor: f64,
        /// The steps, in rising order.
        at: Vec<u64>,
    },
    /// One schedule after another, each from its own first step on: MLX's `join_schedules`.
    Join {
        /// One at least.
        schedules: Vec<Schedule>,
        /// The first step of each but the first, in rising order.
        boundaries: Vec<u64>,
    },
}

impl Schedule {
    /// The same rate at each step.
    pub fn constant(rate: f64) -> Schedule {
        Schedule::Constant { rate }
    }

    /// Half a wave down to 0.
    pub fn cosine(initial: f64, steps: u64) -> Schedule {
        Schedule::Cosine { initial, steps, end: 0.0 }
    }

    /// One cycle with its customary shape.
    pub fn one_cycle(maximum: f64, steps: u64) -> Schedule {
        Schedule::OneCycle { maximum, steps, rising: 0.3, initial_divisor: 25.0, final_divisor: 1e4 }
    }

    /// This schedule after a straight line of `steps` steps from 0 to its first rate.
    pub fn after_warm_up(self, steps: u64) -> Schedule {
        let line = Schedule::Linear { initial: 0.0, end: self.rate(0), steps };
        Schedule::Join { schedules: vec![line, self], boundaries: vec![steps] }
    }

    /// The learning rate of the step with this number, from 0.
    pub fn rate(&self, step: u64) -> f64 {
        let wave = |from: f64, to: f64, part: f64| to + 0.5 * (1.0 + (PI * part).cos()) * (from - to);
        match self {
            Schedule::Constant { rate } => *rate,
            Schedule::Exponential { initial, factor } => initial * factor.powf(step as f64),
            Schedule::Step { initial, factor, every } => initial * factor.powf((step / every.max(&1)) as f64),
            Schedule::Cosine { initial, steps, end } => {
                wave(*initial, *end, step.min(*steps) as f64 / (*steps).max(1) as f64)
            }
            Schedule::Linear { initial, end, steps } => {
                step.min(*steps) as f64 * ((end - initial) / (*steps).max(1) as f64) + initial
            }
            Schedule::OneCycle { maximum, steps, rising, initial_divisor, final_divisor } => {
                let (first, last) = (maximum / initial_divisor, maximum / initial_divisor / final_divisor);
                let (top, end) = ((rising * *steps as f64 - 1.0).max(0.0), steps.saturating_sub(1).max(1) as f64);
                let step = (step as f64).min(end);
                if step < top {
                    wave(first, *maximum, step / top)
                } else {
                    wave(*maximum, last, if end > top { (step - top) / (end - top) } else { 1.0 })
                }
            }
            Schedule::Restarts { initial, period, growth, end } => {
                let (mut step, mut period) = (step, (*period).max(1));
                if *growth <= 1 {
                    step %= period;
                }
                while step >= period {
                    step -= period;
                    period = period.saturating_mul(*growth);
                }
                wave(*initial, *end, step as f64 / period as f64)
            }
            Schedule::Milestones { initial, factor, at } => {
                initial * factor.powf(at.iter().filter(|milestone| **milestone <= step).count() as f64)
            }
            Schedule::Join { schedules, boundaries } => {
                let index = boundaries.iter().take_while(|boundary| **boundary <= step).count();
                let index = index.min(schedules.len().saturating_sub(1));
                let start = index.checked_sub(1).map_or(0, |last| boundaries[last]);
                schedules.get(index).map_or(0.0, |schedule| schedule.rate(step - start))
            }
        }
    }

    /// Checks every number's range.
    ///
    /// # Errors
    ///
    /// A number outside its range, by name.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &str, found: String, expected: &str| {
            Err(Error::Setting { name: format!("schedule's {what}"), found, expected: expected.into() })
        };
        let not_negative = |what: &str, value: f64| {
            let holds = value >= 0.0 && value.is_finite();
            if holds { Ok(()) } else { refuse(what, value.to_string(), "a number of at least 0") }
        };
        let positive = |what: &str, value: f64| {
            let holds = value > 0.0 && value.is_finite();
            if holds { Ok(()) } else { refuse(what, value.to_string(), "a number above 0") }
        };
        let at_least = |what: &str, value: u64, least: u64| {
            let expected = format!("a number of at least {least}");
            if value >= least { Ok(()) } else { refuse(what, value.to_string(), &expected) }
        };
        let rising = |what: &str, steps: &[u64]| {
            let holds = steps.windows(2).all(|pair| pair[0] < pair[1]);
            if holds { Ok(()) } else { refuse(what, format!("{steps:?}"), "steps in rising order") }
        };
        match self {
            Schedule::Constant { rate } => not_negative("rate", *rate),
            Schedule::Exponential { initial, factor } => {
                not_negative("first rate", *initial)?;
                not_negative("factor", *factor)
            }
            Schedule::Step { initial, factor, every } => {
                not_negative("first rate", *initial)?;
                not_negative("factor", *factor)?;
                at_least("steps on each stair", *every, 1)
            }
            Schedule::Cosine { initial, steps, end } | Schedule::Linear { initial, end, steps } => {
                not_negative("first rate", *initial)?;
                not_negative("last rate", *end)?;
                at_least("number of steps", *steps, 1)
            }
            Schedule::OneCycle { maximum, steps, rising, initial_divisor, final_divisor } => {
                positive("highest rate", *maximum)?;
                at_least("number of steps", *steps, 2)?;
                positive("first divisor", *initial_divisor)?;
                positive("last divisor", *final_divisor)?;
                if (0.0..=1.0).contains(rising) {
                    return Ok(());
                }
                refuse("rising part", rising.to_string(), "a number from 0 to 1")
            }
            Schedule::Restarts { initial, period, growth, end } => {
                not_negative("first rate", *initial)?;
                not_negative("last rate", *end)?;
                at_least("period", *period, 1)?;
                at_least("growth", *growth, 1)
            }
            Schedule::Milestones { initial, factor, at } => {
                not_negative("first rate", *initial)?;
                not_negative("factor", *factor)?;
                rising("milestones", at)
            }
            Schedule::Join { schedules, boundaries } => {
                if schedules.len() != boundaries.len() + 1 {
                    let found = format!("{} for {} schedules", boundaries.len(), schedules.len());
                    return refuse("boundaries", found, "one between each two schedules");
                }
                rising("boundaries", boundaries)?;
                schedules.iter().try_for_each(Schedule::check)
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Constant { rate } => write!(f, "constant({rate})"),
            Schedule::Exponential { initial, factor } => write!(f, "exponential({initial}, {factor})"),
            Schedule::Step { initial, factor, every } => write!(f, "step({initial}, {factor}, {every})"),
            Schedule::Cosine { initial, steps, end } if *end == 0.0 => write!(f, "cosine({initial}, {steps})"),
            Schedule::Cosine { initial, steps, end } => write!(f, "cosine({initial}, {steps}, {end})"),
            Schedule::Linear { initial, end, steps } => write!(f, "linear({initial}, {end}, {steps})"),
            Schedule::OneCycle { maximum, steps, rising, initial_divisor, final_divisor } => {
                write!(f, "one_cycle({maximum}, {steps}, {rising}, {initial_divisor}, {final_divisor})")
            }
            Schedule::Restarts { initial, period, growth, end } => {
                write!(f, "restarts({initial}, {period}, {growth}, {end})")
            }
            Schedule::Milestones { initial, factor, at } => {
                write!(f, "milestones({initial}, {factor}")?;
                at.iter().try_for_each(|step| write!(f, ", {step}"))?;
                write!(f, ")")
            }
            Schedule::Join { schedules, boundaries } => {
                write!(f, "join(")?;
                for (index, schedule) in schedules.iter().enumerate() {
                    if index > 0 {
                        write!(f, ", {}, ", boundaries[index - 1])?;
                    }
                    write!(f, "{schedule}")?;
                }
                write!(f, ")")
            }
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    /// Reads a schedule as it is written, and checks its numbers.
    fn from_str(text: &str) -> Result<Schedule> {
        let schedule = parse(text.trim(), 0)?;
        schedule.check()?;
        Ok(schedule)
    }
}

impl TryFrom<String> for Schedule {
    type Error = Error;

    fn try_from(text: String) -> Result<Schedule> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.to_string()
    }
}

/// The names, each with what it takes.
const FORMS: &str = "constant(rate), exponential(rate, factor), step(rate, factor, every), cosine(rate, steps, end), \
                     linear(rate, end, steps), one_cycle(rate, steps), restarts(rate, period, growth, end), \
                     milestones(rate, factor, step, …), join(schedule, step, schedule, …), warmup(steps, schedule)";

/// Schedules within schedules, of which nobody needs more.
const MAX_DEPTH: usize = 16;

fn parse(text: &str, depth: usize) -> Result<Schedule> {
    let refuse =
        || Error::Setting { name: "schedule".into(), found: format!("`{text}`"), expected: format!("one of {FORMS}") };
    let (name, rest) = text.split_once('(').ok_or_else(refuse)?;
    let inside = rest.strip_suffix(')').filter(|_| depth < MAX_DEPTH).ok_or_else(refuse)?;
    let arguments = arguments(inside).ok_or_else(refuse)?;
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<f64>().ok()).ok_or_else(refuse);
    let count = |index: usize| arguments.get(index).and_then(|text| text.parse::<u64>().ok()).ok_or_else(refuse);
    let or = |index: usize, default: f64| if index < arguments.len() { number(index) } else { Ok(default) };
    let has = |least: usize, most: usize| {
        if (least..=most).contains(&arguments.len()) { Ok(()) } else { Err(refuse()) }
    };
    match name.trim() {
        "constant" => has(1, 1).and_then(|()| Ok(Schedule::Constant { rate: number(0)? })),
        "exponential" => {
            has(2, 2)?;
            Ok(Schedule::Exponential { initial: number(0)?, factor: number(1)? })
        }
        "step" => {
            has(3, 3)?;
            Ok(Schedule::Step { initial: number(0)?, factor: number(1)?, every: count(2)? })
        }
        "cosine" => {
            has(2, 3)?;
            Ok(Schedule::Cosine { initial: number(0)?, steps: count(1)?, end: or(2, 0.0)? })
        }
        "linear" => {
            has(3, 3)?;
            Ok(Schedule::Linear { initial: number(0)?, end: number(1)?, steps: count(2)? })
        }
        "one_cycle" => {
            has(2, 5)?;
            let (maximum, steps, rising) = (number(0)?, count(1)?, or(2, 0.3)?);
            let (initial_divisor, final_divisor) = (or(3, 25.0)?, or(4, 1e4)?);
            Ok(Schedule::OneCycle { maximum, steps, rising, initial_divisor, final_divisor })
        }
        "restarts" => {
            has(2, 4)?;
            let growth = if arguments.len() > 2 { count(2)? } else { 1 };
            Ok(Schedule::Restarts { initial: number(0)?, period: count(1)?, growth, end: or(3, 0.0)? })
        }
        "milestones" => {
            has(3, usize::MAX)?;
            let at = (2..arguments.len()).map(count).collect::<Result<_>>()?;
            Ok(Schedule::Milestones { initial: number(0)?, factor: number(1)?, at })
        }
        "join" if arguments.len() % 2 == 1 => {
            let schedules = arguments.iter().step_by(2).map(|text| parse(text, depth + 1)).collect::<Result<_>>()?;
            let boundaries = (1..arguments.len()).step_by(2).map(count).collect::<Result<_>>()?;
            Ok(Schedule::Join { schedules, boundaries })
        }
        "warmup" => {
            has(2, 2)?;
            let schedule = parse(arguments[1], depth + 1)?;
            schedule.check()?;
            Ok(schedule.after_warm_up(count(0)?))
        }
        _ => Err(refuse()),
    }
}

/// What stands between the commas that are in no parentheses of their own; nothing where those do not match.
fn arguments(text: &str) -> Option<Vec<&str>> {
    let (mut depth, mut start, mut arguments) = (0usize, 0, Vec::new());
    for (position, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                arguments.push(text[start..position].trim());
                start = position + 1;
            }
            _ => {}
        }
    }
    arguments.push(text[start..].trim());
    (depth == 0).then_some(arguments)
}
