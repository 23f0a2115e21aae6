
const IDENTITY: u32 = 0u;
const RELU: u32 = 1u;
const SIGMOID: u32 = 2u;
const TANH: u32 = 3u;

// y = f(z)
fn activation(kind: u32, z: f32) -> f32 {
  switch kind {
    // NaN goes through, to be seen in the loss.
    case RELU: { return select(0.0, z, z > 0.0 || is_nan(z)); }
    case SIGMOID: { return sigmoid(z); }
    case TANH: {
      // 1 - 2 / (exp(2|z|) + 1) loses digits near 0. There the Taylor series up to z^9 serves: its
      // next term is 1382/155925 z^10 of the value, below 1e-8 for |z| < 0.25.
      let q = z * z;
      let series = fma(fma(fma(fma(62.0 / 2835.0, q, -17.0 / 315.0), q, 2.0 / 15.0), q, -1.0 / 3.0), q, 1.0);
      let far = sign(z) * (1.0 - 2.0 * sigmoid(-2.0 * abs(z)));
      return select(far, z * series, abs(z) < 0.25);
    }
    default: { return z; }
  }
}

// f'(z), told from y = f(z). ReLU has slope 0 at 0, as in MLX.
fn derivative(kind: u32, y: f32) -> f32 {
  switch kind {
    case RELU: { return select(0.0, 1.0, y > 0.0); }
    case SIGMOID: { return y * (1.0 - y); }
    case TANH: { return 1.0 - y * y; }
    default: { return 1.0; }
  }
}

// 1 / (1 + exp(-z)), with the exponential of a negative number only: it cannot overflow.
fn sigmoid(z: f32) -> f32 {
  let e = exp(-abs(z));
  return select(e, 1.0, z >= 0.0) / (1.0 + e);
}
