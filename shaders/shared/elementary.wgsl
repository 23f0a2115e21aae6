
// The functions that WGSL lacks, or grants too few digits. All take NaN to NaN.

// 1 / (1 + exp(-z)), with the exponential of a negative number only: it cannot overflow.
fn sigmoid(z: f32) -> f32 {
  let e = exp(-abs(z));
  return select(e, 1.0, z >= 0.0) / (1.0 + e);
}

// tanh(z), which overflows for large z with some drivers.
fn stable_tanh(z: f32) -> f32 {
  // 1 - 2 / (exp(2|z|) + 1) loses digits near 0. There the Taylor series up to z^9 serves: its
  // next term is 1382/155925 z^10 of the value, below 1e-8 for |z| < 0.25.
  let q = z * z;
  let series = fma(fma(fma(fma(62.0 / 2835.0, q, -17.0 / 315.0), q, 2.0 / 15.0), q, -1.0 / 3.0), q, 1.0);
  let far = sign(z) * (1.0 - 2.0 * sigmoid(-2.0 * abs(z)));
  return select(far, z * series, abs(z) < 0.25);
}

// exp(z) - 1
fn expm1(z: f32) -> f32 {
  // The difference loses digits near 0. There the Taylor series up to z^8 serves: its next term is
  // z^8 / 9! of the value, at most 1.1e-8 for |z| <= 0.5.
  var series = fma(z, 1.0 / 40320.0, 1.0 / 5040.0);
  series = fma(z, series, 1.0 / 720.0);
  series = fma(z, series, 1.0 / 120.0);
  series = fma(z, series, 1.0 / 24.0);
  series = fma(z, series, 1.0 / 6.0);
  series = fma(z, series, 0.5);
  series = fma(z, series, 1.0);
  return select(exp(z) - 1.0, z * series, abs(z) <= 0.5);
}

// log(1 + z), for z >= -1
fn log1p(z: f32) -> f32 {
  // 1 + z loses the digits of a small z, and WGSL grants log near 1 only 2^-21. There
  // log(1 + z) = 2 atanh(s) with s = z / (2 + z) in [-1/3, 1/3], whose Taylor series is taken up to
  // s^15: the rest is s^16 / 17 + ... of the value, at most 1.6e-9.
  let s = z / (2.0 + z);
  let q = s * s;
  var series = fma(q, 1.0 / 15.0, 1.0 / 13.0);
  series = fma(q, series, 1.0 / 11.0);
  series = fma(q, series, 1.0 / 9.0);
  series = fma(q, series, 1.0 / 7.0);
  series = fma(q, series, 1.0 / 5.0);
  series = fma(q, series, 1.0 / 3.0);
  series = fma(q, series, 1.0);
  return select(log(1.0 + z), 2.0 * s * series, z >= -0.5 && z <= 1.0);
}

// log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)): nothing overflows, nothing cancels.
fn softplus(z: f32) -> f32 {
  return max(z, 0.0) + log1p(exp(-abs(z)));
}

// The error function: z P(z²) / Q(z²) for |z| < 4, beyond which it is within 1.6e-8 of 1 or -1.
// P and Q are those of the generic erf for f32 in Eigen 3.3 and in XLA; the tests of src/formula/ hold
// them to a series in f64.
fn erf(z: f32) -> f32 {
  let q = z * z;
  var p = fma(q, -2.72614225801306e-10, 2.77068142495902e-08);
  p = fma(q, p, -2.10102402082508e-06);
  p = fma(q, p, -5.69250639462346e-05);
  p = fma(q, p, -7.34990630326855e-04);
  p = fma(q, p, -2.95459980854025e-03);
  p = fma(q, p, -1.60960333262415e-02);
  var d = fma(q, -1.45660718464996e-05, -2.13374055278905e-04);
  d = fma(q, d, -1.68282697438203e-03);
  d = fma(q, d, -7.37332916720468e-03);
  d = fma(q, d, -1.42647390514189e-02);
  return select(sign(z), clamp(z * p / d, -1.0, 1.0), abs(z) < 4.0);
}
