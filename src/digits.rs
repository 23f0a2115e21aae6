//! Numbers as people read them.

/// A number with six significant digits and no zeros at the end, as MLX prints it.
///
/// ```
/// assert_eq!(nngpu::digits::six_digits(0.623_668_3), "0.623668");
/// assert_eq!(nngpu::digits::six_digits(1e30), "1e30");
/// ```
pub fn six_digits(value: f32) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { value.to_string() };
    }
    let scientific = format!("{value:.5e}");
    let (digits, exponent) = scientific.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a whole number");
    let trim = |text: &str| -> String {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text.into() }
    };
    if (-4..6).contains(&exponent) {
        trim(&format!("{value:.*}", (5 - exponent) as usize))
    } else {
        format!("{}e{exponent}", trim(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::six_digits;

    #[test]
    fn six_digits_are_those_of_c() {
        for (value, text) in [
            (0.623_668_3, "0.623668"),
            (-0.0858543, "-0.0858543"),
            (0.18016, "0.18016"),
            (0.0, "0"),
            (-0.0, "0"),
            (3.3, "3.3"),
            (123_456.7, "123457"),
            (1_234_567.0, "1.23457e6"),
            (0.000_012_345, "1.2345e-5"),
            (100.0, "100"),
        ] {
            assert_eq!(six_digits(value), text);
        }
    }
}
