
// base to the power of exponent, both 0 or more. The usual exponents multiply or take a root; the
// others go by the logarithm, which 0 has not.
fn power(base: f32, exponent: f32) -> f32 {
  if exponent == 0.0 {
    return 1.0;
  }
  if exponent == 0.5 {
    return sqrt(base);
  }
  if exponent == 1.0 {
    return base;
  }
  if exponent == 2.0 {
    return base * base;
  }
  if base == 0.0 {
    return 0.0;
  }
  return pow(base, exponent);
}

// part * x, but 0 where the part is 0, also of what is infinite.
fn times(part: f32, x: f32) -> f32 {
  return select(part * x, 0.0, part == 0.0);
}
