
// log(1 + x) for x from 0 to about 1, with a few roundings: WGSL's own log may be off by 2^-21 near 1.
// It is 2 artanh(y) with y = x / (2 + x), whose series ends here at y^15; at x = 1 the next term is
// 1.4e-9 of the value.
fn log_one_plus(x: f32) -> f32 {
  let y = x / (2.0 + x);
  let q = y * y;
  let tail = fma(fma(fma(1.0 / 15.0, q, 1.0 / 13.0), q, 1.0 / 11.0), q, 1.0 / 9.0);
  return 2.0 * y * fma(fma(fma(fma(tail, q, 1.0 / 7.0), q, 1.0 / 5.0), q, 1.0 / 3.0), q, 1.0);
}

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
