//! A tensor of a file, before its numbers are read.

use std::fmt;

use safetensors::tensor::{Dtype, TensorView};

/// A tensor of a file, before its numbers are read.
pub(super) struct Stored<'a> {
    pub name: String,
    pub element: Element,
    pub shape: Vec<usize>,
    /// Whether it lies column by column, as NumPy stores a transposed array.
    pub is_column_major: bool,
    pub data: Data<'a>,
}

/// The type of a tensor's numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Element {
    F16 {
        is_big_endian: bool,
    },
    Bf16,
    F32 {
        is_big_endian: bool,
    },
    F64 {
        is_big_endian: bool,
    },
    /// What no weight is made of, in the file's words.
    Other(String),
}

/// Where a tensor's bytes are.
pub(super) enum Data<'a> {
    Plain(&'a [u8]),
    #[cfg(feature = "npz")]
    Zipped(crate::numpy::Member<'a>),
}

impl<'a> Stored<'a> {
    pub fn of_safetensors(name: &str, tensor: &TensorView<'a>) -> Stored<'a> {
        let element = match tensor.dtype() {
            Dtype::F16 => Element::F16 { is_big_endian: false },
            Dtype::BF16 => Element::Bf16,
            Dtype::F32 => Element::F32 { is_big_endian: false },
            Dtype::F64 => Element::F64 { is_big_endian: false },
            other => Element::Other(format!("{other:?}")),
        };
        let (name, shape, data) = (name.to_string(), tensor.shape().to_vec(), Data::Plain(tensor.data()));
        Stored { name, element, shape, is_column_major: false, data }
    }

    /// Reads the numbers, row by row, into `values`, which has as many as the shape tells.
    ///
    /// # Errors
    ///
    /// What is wrong with them, to follow the name.
    pub fn read(&self, values: &mut [f32]) -> Result<(), String> {
        match &self.data {
            Data::Plain(bytes) => self.element.decode(bytes, values)?,
            #[cfg(feature = "npz")]
            Data::Zipped(member) => {
                let bytes = member.read(values.len() * self.element.size())?;
                self.element.decode(&bytes, values)?;
            }
        }
        if self.is_column_major
            && let [rows, columns] = self.shape[..]
        {
            let by_columns = values.to_vec();
            for (i, value) in values.iter_mut().enumerate() {
                *value = by_columns[i % columns * rows + i / columns];
            }
        }
        Ok(())
    }
}

impl Element {
    /// Bytes of one number.
    fn size(&self) -> usize {
        match self {
            Element::F16 { .. } | Element::Bf16 => 2,
            Element::F32 { .. } => 4,
            Element::F64 { .. } => 8,
            Element::Other(_) => unreachable!("refused before its numbers are read"),
        }
    }

    /// `bytes` need not be aligned.
    fn decode(&self, bytes: &[u8], values: &mut [f32]) -> Result<(), String> {
        assert_eq!(bytes.len(), values.len() * self.size(), "bytes of a tensor");
        let numbers = values.iter_mut().zip(bytes.chunks_exact(self.size()));
        match *self {
            Element::F16 { is_big_endian } => {
                numbers.for_each(|(value, bytes)| *value = from_f16(u16::from_le_bytes(word(bytes, is_big_endian))));
            }
            Element::Bf16 => numbers.for_each(|(value, bytes)| {
                *value = f32::from_bits(u32::from(u16::from_le_bytes(word(bytes, false))) << 16);
            }),
            Element::F32 { is_big_endian } => {
                numbers.for_each(|(value, bytes)| *value = f32::from_le_bytes(word(bytes, is_big_endian)));
            }
            Element::F64 { is_big_endian } => {
                for (value, bytes) in numbers {
                    let number = f64::from_le_bytes(word(bytes, is_big_endian));
                    *value = number as f32;
                    if value.is_infinite() && number.is_finite() {
                        return Err(format!("holds {number:e}, which is beyond the range of F32 (3.4e38)"));
                    }
                }
            }
            Element::Other(_) => unreachable!("refused before its numbers are read"),
        }
        Ok(())
    }
}

/// The bytes of a number, the low one first.
fn word<const N: usize>(bytes: &[u8], is_big_endian: bool) -> [u8; N] {
    let mut word: [u8; N] = bytes.try_into().expect("as many bytes as a number has");
    if is_big_endian {
        word.reverse();
    }
    word
}

/// The same number in 32 bits.
fn from_f16(half: u16) -> f32 {
    let (exponent, fraction) = (u32::from(half >> 10) & 31, u32::from(half) & 1023);
    let magnitude = match exponent {
        // A multiple of 2^-24.
        0 => fraction as f32 * 0.5f32.powi(24),
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 127 - 15) << 23 | fraction << 13),
    };
    f32::from_bits(magnitude.to_bits() | u32::from(half >> 15) << 31)
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Element::F16 { .. } => "F16",
            Element::Bf16 => "BF16",
            Element::F32 { .. } => "F32",
            Element::F64 { .. } => "F64",
            Element::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode<const N: usize>(element: Element, bytes: &[u8]) -> Result<[f32; N], String> {
        let mut values = [f32::NAN; N];
        element.decode(bytes, &mut values).map(|()| values)
    }

    #[test]
    fn numbers_of_16_bits_stay_the_same() {
        let little = Element::F16 { is_big_endian: false };
        let words: [u16; 8] = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0xfc00, 0x3555];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let expected = [1.0, -2.0, 65504.0, 6.103_515_6e-5, 5.960_464_5e-8, -0.0, f32::NEG_INFINITY, 0.333_251_95];
        assert_eq!(decode(little.clone(), &bytes), Ok(expected));
        assert!(decode::<8>(little.clone(), &bytes).expect("numbers")[5].is_sign_negative());
        assert!(decode::<1>(little, &[0x01, 0x7e]).expect("a number")[0].is_nan());
        assert_eq!(decode(Element::F16 { is_big_endian: true }, &[0xc0, 0x00]), Ok([-2.0]));
        assert_eq!(decode(Element::Bf16, &[0x80, 0x3f, 0x49, 0xc0]), Ok([1.0, -3.140_625]));
    }

    #[test]
    fn numbers_of_64_bits_become_the_nearest() {
        let check = |number: f64, expected: Result<[f32; 1], String>| {
            assert_eq!(decode(Element::F64 { is_big_endian: false }, &number.to_le_bytes()), expected);
            assert_eq!(decode(Element::F64 { is_big_endian: true }, &number.to_be_bytes()), expected);
        };
        check(0.1, Ok([0.1]));
        // Half way between two: the even one.
        check(1.0 + 0.5f64.powi(24), Ok([1.0]));
        check(1.0 + 3.0 * 0.5f64.powi(24), Ok([1.0 + 0.5f32.powi(22)]));
        check(f64::NEG_INFINITY, Ok([f32::NEG_INFINITY]));
        check(-1e39, Err("holds -1e39, which is beyond the range of F32 (3.4e38)".into()));
    }

    #[test]
    fn numbers_of_the_other_byte_order_are_read() {
        assert_eq!(decode(Element::F32 { is_big_endian: true }, &[0x3f, 0x80, 0, 0]), Ok([1.0]));
        assert_eq!(decode(Element::F32 { is_big_endian: false }, &[0, 0, 0x80, 0x3f]), Ok([1.0]));
    }
}
