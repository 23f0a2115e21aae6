//! Numbers in JSON that are read as they were written: JSON itself has no infinities and nothing that is no number,
//! which stand as text here.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Other(Other),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Other {
    #[serde(rename = "NaN")]
    Nan,
    #[serde(rename = "inf")]
    Infinity,
    #[serde(rename = "-inf")]
    NegativeInfinity,
}

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        match value {
            value if value.is_finite() => Number::Finite(value),
            value if value.is_nan() => Number::Other(Other::Nan),
            value if value > 0.0 => Number::Other(Other::Infinity),
            _ => Number::Other(Other::NegativeInfinity),
        }
    }
}

impl From<Number> for f64 {
    fn from(number: Number) -> f64 {
        match number {
            Number::Finite(value) => value,
            Number::Other(Other::Nan) => f64::NAN,
            Number::Other(Other::Infinity) => f64::INFINITY,
            Number::Other(Other::NegativeInfinity) => f64::NEG_INFINITY,
        }
    }
}

pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number::from(*value).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Number::deserialize(deserializer).map(f64::from)
}

/// Of one that there may be.
pub(super) mod option {
    use super::*;

    pub(in crate::train) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Number::from).serialize(serializer)
    }

    pub(in crate::train) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Number>::deserialize(deserializer)?.map(f64::from))
    }
}

/// Of a list.
pub(super) mod list {
    use super::*;

    pub(in crate::train) fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Number::from(*value)))
    }

    pub(in crate::train) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Number>::deserialize(deserializer)?.into_iter().map(f64::from).collect())
    }
}

/// Of 32 bits, which 64 hold exactly.
pub(super) mod single {
    use super::*;

    pub(in crate::train) fn serialize<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(&f64::from(*value), serializer)
    }

    pub(in crate::train) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
        Ok(super::deserialize(deserializer)? as f32)
    }
}

/// Of a list of 32 bits each.
pub(super) mod singles {
    use super::*;

    pub(in crate::train) fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Number::from(f64::from(*value))))
    }

    pub(in crate::train) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        Ok(super::list::deserialize(deserializer)?.into_iter().map(|value| value as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::random::threefry2x32;

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Numbers(#[serde(with = "super::list")] Vec<f64>);

    #[test]
    fn numbers_are_read_as_they_were_written() {
        // Any bits, NaN among them.
        let words = (0..20_000u32).map(|i| threefry2x32([7, 1], [i, 0]));
        let numbers = words.map(|[high, low]| f64::from_bits(u64::from(high) << 32 | u64::from(low)));
        let special = [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1];
        let numbers: Vec<f64> = numbers.chain(special).collect();
        let text = serde_json::to_string(&Numbers(numbers.clone())).expect("JSON");
        let Numbers(found) = serde_json::from_str(&text).expect("what was written");
        assert_eq!(numbers.len(), found.len());
        for (expected, found) in numbers.iter().zip(&found) {
            assert!(
                expected.to_bits() == found.to_bits() || (expected.is_nan() && found.is_nan()),
                "{expected} {found}"
            );
        }
    }
}
