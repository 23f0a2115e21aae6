//! Initialisers as text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{FanMode, Init, setting};
use crate::{Error, Result};

/// Every form of text, for messages.
const FORMS: &str = "linear, zeros, ones, constant(value), normal(mean, std), truncated_normal(mean, std), \
    uniform(low, high), identity, glorot_normal(gain), glorot_uniform(gain), he_normal(gain, mode), \
    he_uniform(gain, mode), sparse(sparsity, mean, std) or orthogonal(gain)";

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Init::Linear => f.pad("linear"),
            Init::Identity => f.pad("identity"),
            Init::Constant(value) => f.pad(&format!("constant(value={value})")),
            Init::Normal { mean, std } => f.pad(&format!("normal(mean={mean}, std={std})")),
            Init::TruncatedNormal { mean, std } => f.pad(&format!("truncated_normal(mean={mean}, std={std})")),
            Init::Uniform { low, high } => f.pad(&format!("uniform(low={low}, high={high})")),
            Init::GlorotNormal { gain } => f.pad(&format!("glorot_normal(gain={gain})")),
            Init::GlorotUniform { gain } => f.pad(&format!("glorot_uniform(gain={gain})")),
            Init::HeNormal { gain, mode } => f.pad(&format!("he_normal(gain={gain}, mode={mode})")),
            Init::HeUniform { gain, mode } => f.pad(&format!("he_uniform(gain={gain}, mode={mode})")),
            Init::Sparse { sparsity, mean, std } => {
                f.pad(&format!("sparse(sparsity={sparsity}, mean={mean}, std={std})"))
            }
            Init::Orthogonal { gain } => f.pad(&format!("orthogonal(gain={gain})")),
        }
    }
}

impl fmt::Display for FanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            FanMode::FanIn => "fan_in",
            FanMode::FanOut => "fan_out",
        })
    }
}

impl FromStr for FanMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<FanMode> {
        match text.replace('-', "_").as_str() {
            "fan_in" => Ok(FanMode::FanIn),
            "fan_out" => Ok(FanMode::FanOut),
            _ => Err(setting(format!("the mode `{text}`"), "fan_in or fan_out")),
        }
    }
}

impl FromStr for Init {
    type Err = Error;

    fn from_str(text: &str) -> Result<Init> {
        let (name, inner) = match text.trim().split_once('(') {
            None => (text.trim(), ""),
            Some((name, rest)) => {
                let inner = rest.strip_suffix(')');
                (name.trim(), inner.ok_or_else(|| setting(format!("`{text}`"), "`)` at its end"))?)
            }
        };
        let mut settings = Settings::read(text, inner)?;
        let init = match name.replace('-', "_").as_str() {
            "linear" => Init::Linear,
            "identity" => Init::Identity,
            "zeros" => Init::Constant(0.0),
            "ones" => Init::Constant(1.0),
            "constant" => Init::Constant(settings.number("value", None)?),
            "normal" => {
                Init::Normal { mean: settings.number("mean", Some(0.0))?, std: settings.number("std", Some(1.0))? }
            }
            "truncated_normal" => Init::TruncatedNormal {
                mean: settings.number("mean", Some(0.0))?,
                std: settings.number("std", Some(1.0))?,
            },
            "uniform" => {
                Init::Uniform { low: settings.number("low", Some(0.0))?, high: settings.number("high", Some(1.0))? }
            }
            "glorot_normal" => Init::GlorotNormal { gain: settings.number("gain", Some(1.0))? },
            "glorot_uniform" => Init::GlorotUniform { gain: settings.number("gain", Some(1.0))? },
            "he_normal" => Init::HeNormal { gain: settings.number("gain", Some(1.0))?, mode: settings.mode()? },
            "he_uniform" => Init::HeUniform { gain: settings.number("gain", Some(1.0))?, mode: settings.mode()? },
            "sparse" => Init::Sparse {
                sparsity: settings.number("sparsity", None)?,
                mean: settings.number("mean", Some(0.0))?,
                std: settings.number("std", Some(1.0))?,
            },
            "orthogonal" => Init::Orthogonal { gain: settings.number("gain", Some(1.0))? },
            _ => return Err(setting(format!("`{text}`"), FORMS)),
        };
        settings.expect_none()?;
        init.check()?;
        Ok(init)
    }
}

/// The settings between the parentheses that were not taken yet.
struct Settings<'a> {
    text: &'a str,
    /// Without names, in order.
    nameless: std::collections::VecDeque<&'a str>,
    named: Vec<(&'a str, &'a str)>,
}

impl<'a> Settings<'a> {
    fn read(text: &'a str, inner: &'a str) -> Result<Settings<'a>> {
        let mut settings = Settings { text, nameless: Default::default(), named: Vec::new() };
        if inner.trim().is_empty() {
            return Ok(settings);
        }
        for part in inner.split(',') {
            match part.split_once('=') {
                Some((name, value)) => settings.named.push((name.trim(), value.trim())),
                None if settings.named.is_empty() => settings.nameless.push_back(part.trim()),
                None => return Err(setting(format!("`{text}`"), "settings without names before those with names")),
            }
        }
        Ok(settings)
    }

    /// The next setting of the initialiser's order.
    fn take(&mut self, name: &str) -> Option<&'a str> {
        self.nameless.pop_front().or_else(|| {
            let position = self.named.iter().position(|(found, _)| found.replace('-', "_") == name)?;
            Some(self.named.remove(position).1)
        })
    }

    fn number(&mut self, name: &str, default: Option<f64>) -> Result<f64> {
        match (self.take(name), default) {
            (Some(value), _) => value
                .parse()
                .map_err(|_| setting(format!("`{value}` for {name} in `{}`", self.text), "a number, such as 0.5")),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(setting(format!("`{}`", self.text), &format!("a number for {name}"))),
        }
    }

    fn mode(&mut self) -> Result<FanMode> {
        self.take("mode").map_or(Ok(FanMode::default()), str::parse)
    }

    /// What is left over belongs to no setting, or to one that was given twice.
    fn expect_none(&self) -> Result<()> {
        let nameless = self.nameless.front().copied();
        match nameless.or(self.named.first().map(|(name, _)| *name)) {
            None => Ok(()),
            Some(left) => {
                Err(setting(format!("`{left}` in `{}`", self.text), &format!("each setting once of {FORMS}")))
            }
        }
    }
}

impl Serialize for Init {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Init {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Init, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_text_are_read() {
        let check = |text: &str, expected: Init| assert_eq!(text.parse::<Init>().expect(text), expected, "{text}");
        let he = |gain, mode| Init::HeNormal { gain, mode };
        check("linear", Init::Linear);
        check(" identity ( ) ", Init::Identity);
        check("zeros", Init::Constant(0.0));
        check("ones", Init::Constant(1.0));
        check("constant(-1e-3)", Init::Constant(-1e-3));
        check("normal", Init::Normal { mean: 0.0, std: 1.0 });
        check("normal(std=0.5)", Init::Normal { mean: 0.0, std: 0.5 });
        check("truncated-normal(2, 0.5)", Init::TruncatedNormal { mean: 2.0, std: 0.5 });
        check("uniform(-0.1,0.1)", Init::Uniform { low: -0.1, high: 0.1 });
        check("uniform(high=3, low=2)", Init::Uniform { low: 2.0, high: 3.0 });
        check("glorot-uniform(2)", Init::GlorotUniform { gain: 2.0 });
        check("glorot_normal", Init::GlorotNormal { gain: 1.0 });
        check("he_normal()", he(1.0, FanMode::FanIn));
        check("he_normal(2, fan_out)", he(2.0, FanMode::FanOut));
        check("he-normal(2, mode=fan-out)", he(2.0, FanMode::FanOut));
        check("he_uniform(mode=fan_in)", Init::HeUniform { gain: 1.0, mode: FanMode::FanIn });
        check("sparse(0.9, std=0.01)", Init::Sparse { sparsity: 0.9, mean: 0.0, std: 0.01 });
        check("orthogonal(gain=-2)", Init::Orthogonal { gain: -2.0 });
    }

    #[test]
    fn text_that_was_written_is_read_again() {
        let check = |init: Init| {
            assert_eq!(init.to_string().parse::<Init>().expect("its own text"), init);
            let json = serde_json::to_string(&init).expect("JSON");
            assert_eq!(json, format!("\"{init}\""));
            assert_eq!(serde_json::from_str::<Init>(&json).expect("its own JSON"), init);
        };
        let odd = 2f64.sqrt() * 1e-7;
        check(Init::Linear);
        check(Init::Constant(-odd));
        check(Init::Normal { mean: -odd, std: odd });
        check(Init::TruncatedNormal { mean: odd, std: 1e20 });
        check(Init::Uniform { low: -1e-20, high: odd });
        check(Init::Identity);
        check(Init::GlorotNormal { gain: odd });
        check(Init::GlorotUniform { gain: odd });
        check(Init::HeNormal { gain: odd, mode: FanMode::FanOut });
        check(Init::HeUniform { gain: odd, mode: FanMode::FanIn });
        check(Init::Sparse { sparsity: 0.1, mean: odd, std: 0.0 });
        check(Init::Orthogonal { gain: -odd });
    }

    #[test]
    fn mistakes_are_told() {
        let check = |text: &str, expected: &str| {
            let message = text.parse::<Init>().expect_err(text).to_string();
            assert!(message.contains(expected), "{text}: {message}");
        };
        check("he", "found `he`, expected linear, zeros");
        check("", "found ``, expected linear");
        check("he_normal(1", "found `he_normal(1`, expected `)` at its end");
        check("he_normal(1))", "found `1)` for gain");
        check("he_normal(gain=1, fan_out)", "settings without names before those with names");
        check("he_normal(1, gain=2)", "found `gain` in `he_normal(1, gain=2)`");
        check("he_normal(mode=fan)", "found the mode `fan`, expected fan_in or fan_out");
        check("normal(1, 2, 3)", "found `3` in `normal(1, 2, 3)`");
        check("normal(std=1,)", "settings without names before");
        check("normal(,)", "found `` for mean in `normal(,)`, expected a number");
        check("sparse", "found `sparse`, expected a number for sparsity");
        check("constant", "expected a number for value");
        check("linear(1)", "found `1` in `linear(1)`");
        check("uniform(1, 0)", "found uniform(low=1, high=0), expected bounds");
        check("normal(0, -1)", "a standard deviation of 0 or more");
        check("constant(nan)", "a finite number");
    }
}
