//! Normally distributed numbers, bit for bit those of MLX on a CPU with glibc.
//!
//! Every step is arithmetic whose rounding IEEE 754 fixes, so that all machines agree: even the
//! logarithm is computed here, because those of the systems differ in last bits.

use super::{Key, KeySequence};

/// The float above -1: from there to 1 MLX draws what it gives to [`erfinv`], which is infinite at -1.
const ABOVE_MINUS_ONE: f32 = -1.0 + f32::EPSILON / 2.0;

impl Key {
    /// `n` numbers of the normal distribution with this mean and standard deviation, the same as
    /// `mx.random.normal(shape=[n], loc=mean, scale=std, key=key)`.
    ///
    /// They are `√2 std erfinv(u) + mean` with `u` uniform between -1 and 1, so none is further from
    /// the mean than 5.42 standard deviations. MLX leaves the sum out where no mean is given; a mean of
    /// -0.0 does the same, since it changes no number.
    ///
    /// The equality holds for MLX's CPU device on Linux: for all 25,165,825 values that `u` can have,
    /// `erfinv` was compared. On macOS MLX takes its logarithm from Apple's Accelerate, on a GPU from
    /// the driver; there last bits may differ.
    ///
    /// ```
    /// use nngpu::random::Key;
    ///
    /// // mx.random.normal(shape=[3], key=mx.random.key(0))
    /// assert_eq!(Key::new(0).normal(0.0, 1.0, 3), [1.8160871, -0.482623, 0.33988926]);
    /// ```
    pub fn normal(self, mean: f32, std: f32, n: usize) -> Vec<f32> {
        let scale = std::f32::consts::SQRT_2 * std;
        let fractions = self.uniform(ABOVE_MINUS_ONE, 1.0, n);
        fractions.into_iter().map(|fraction| scale * erfinv(fraction) + mean).collect()
    }

    /// `n` numbers of the standard normal distribution between -2 and 2, the same as
    /// `mx.random.truncated_normal(-2, 2, shape=[n], key=key)`; see [`Key::normal`] for where.
    ///
    /// Their standard deviation is 0.87962566.
    ///
    /// ```
    /// use nngpu::random::Key;
    ///
    /// let numbers = Key::new(42).truncated_normal(1000);
    /// assert!(numbers.iter().all(|x| (-2.0..=2.0).contains(x)));
    /// ```
    pub fn truncated_normal(self, n: usize) -> Vec<f32> {
        // erf(2 / √2) as MLX's approximation has it.
        const PART_BELOW_TWO: f32 = 0.95449984;
        let fractions = self.uniform(-PART_BELOW_TWO, PART_BELOW_TWO, n);
        let number = |fraction| std::f32::consts::SQRT_2 * erfinv(fraction);
        fractions.into_iter().map(|fraction| number(fraction).clamp(-2.0, 2.0)).collect()
    }
}

impl KeySequence {
    /// The next draw of `n` normally distributed numbers; see [`Key::normal`].
    pub fn normal(&mut self, mean: f32, std: f32, n: usize) -> Vec<f32> {
        self.next_key().normal(mean, std, n)
    }

    /// The next draw of `n` numbers of the normal distribution cut at ±2; see [`Key::truncated_normal`].
    pub fn truncated_normal(&mut self, n: usize) -> Vec<f32> {
        self.next_key().truncated_normal(n)
    }
}

/// The inverse of the error function in (-1, 1), as MLX's CPU device approximates it: `x` times a
/// polynomial in `log(1 - x²)`, one for the middle and one for the tails.
///
/// Source: `mlx/backend/cpu/simd/math.h` of MLX.
fn erfinv(x: f32) -> f32 {
    const TAIL: [f32; 9] = [
        3.0369757e-10,
        2.932431e-8,
        1.2215033e-6,
        2.8410896e-5,
        3.9355297e-4,
        3.0269881e-3,
        4.831858e-3,
        -2.6464614e-1,
        8.400165e-1,
    ];
    const MIDDLE: [f32; 10] = [
        5.4387783e-9,
        1.4328545e-7,
        1.2277479e-6,
        1.12963626e-7,
        -5.6153076e-5,
        -1.4769763e-4,
        2.3146868e-3,
        1.1539258e-2,
        -2.3201548e-1,
        8.862269e-1,
    ];
    let t = logarithm(x.mul_add(-x, 1.0));
    // Fused multiply-adds round once, as in MLX.
    let polynomial = |coefficients: &[f32]| coefficients.iter().fold(0.0f32, |sum, &c| sum.mul_add(t, c));
    x * if t.abs() > 6.125 { polynomial(&TAIL) } else { polynomial(&MIDDLE) }
}

/// The natural logarithm of a positive normal number, bit for bit that of glibc (2.27 and later).
///
/// With `x = 2^k z` and `c` near `z` out of a table, it is `log1p(z/c - 1) + log(c) + k log(2)`, in f64.
/// The intermediate results are so exact that fused multiply-adds, which glibc takes where a CPU has
/// them, lead to the same f32 for every number between 2^-24 and 1.
///
/// The constants are those of `logf` in Arm's optimized-routines (MIT licence), which glibc's comes from.
fn logarithm(x: f32) -> f32 {
    /// `1/c` and `log(c)` for each sixteenth of the octave that begins at [`START`].
    const TABLE: [(f64, f64); 16] = [
        (1.398907162146528, -0.33569133332882284),
        (1.3403141896637998, -0.2929040563774074),
        (1.286432210124115, -0.2518726580937369),
        (1.2367150214269895, -0.21245868807117255),
        (1.1906977166711752, -0.17453945183745634),
        (1.1479821020556429, -0.1380057072319758),
        (1.1082251448272158, -0.10275976698545139),
        (1.0711297413057381, -0.06871392447020525),
        (1.036437278977283, -0.0357891387398228),
        (1.0, 0.0),
        (0.9492859795739057, 0.05204517742929496),
        (0.8951049428609004, 0.11081431298787942),
        (0.8476821620351103, 0.1652495223695143),
        (0.8050314851692001, 0.21687389031699977),
        (0.7664671008843108, 0.2659635028121397),
        (0.731428603316328, 0.3127556664073557),
    ];
    /// The bits of about 0.699, so that 1 lies within a sixteenth whose `c` is 1.
    const START: u32 = 0x3f33_0000;
    const POLYNOMIAL: [f64; 3] = [-0.25089342214237154, 0.333456765744066, -0.4999997485802103];

    debug_assert!(x.is_normal() && x > 0.0, "logarithm of {x}");
    let above_start = x.to_bits().wrapping_sub(START);
    let exponent = (above_start as i32) >> 23;
    let z = f64::from(f32::from_bits(x.to_bits().wrapping_sub((exponent as u32) << 23)));
    let (inverse, log_c) = TABLE[(above_start >> 19) as usize % 16];

    let r = z * inverse - 1.0;
    let [cubic, quadratic, linear] = [POLYNOMIAL[0], POLYNOMIAL[1], POLYNOMIAL[2]];
    let r_squared = r * r;
    let curved = cubic * r_squared + (quadratic * r + linear);
    (curved * r_squared + (log_c + f64::from(exponent) * std::f64::consts::LN_2 + r)) as f32
}

#[cfg(test)]
mod tests {
    use super::super::unit;
    use super::*;

    /// `golden/mlx_init.json` holds the same sum of MLX's results; its script explains it.
    #[test]
    fn erfinv_equals_that_of_mlx_for_every_fraction() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/mlx_init.json")).expect("golden file");
        let (mut count, mut sum, mut last) = (0u64, 0u64, f32::NAN);
        // Words that round to the same float give the same fraction; larger words never a smaller one.
        let words = (0..1u32 << 24).chain((0..8).flat_map(|octave| {
            let step = 1u64 << (octave + 1);
            (1u64 << 23..1 << 24).map(move |mantissa| (mantissa * step) as u32)
        }));
        for word in words {
            let fraction = 2.0 * unit(word) + ABOVE_MINUS_ONE;
            if fraction != last {
                sum = sum.wrapping_add(u64::from(erfinv(fraction).to_bits()).wrapping_mul(2 * count + 1));
                count += 1;
                last = fraction;
            }
        }
        assert_eq!(golden["erfinv"]["count"], count);
        assert_eq!(golden["erfinv"]["sum"], format!("{sum:016x}"));
    }

    #[test]
    fn logarithm_of_one_is_zero_and_others_are_near() {
        assert_eq!(logarithm(1.0).to_bits(), 0);
        for i in 1..2000 {
            let x = i as f32 / 1000.0;
            let exact = f64::from(x).ln();
            // The published bound: 0.818 units in the last place.
            let unit = f64::from(f32::EPSILON) * exact.abs();
            assert!((f64::from(logarithm(x)) - exact).abs() <= 0.818 * unit, "log({x})");
        }
    }
}
