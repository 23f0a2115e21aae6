
const IDENTITY: u32 = 0u;
const RELU: u32 = 1u;
const SIGMOID: u32 = 2u;
const TANH: u32 = 3u;
const LEAKY_RELU: u32 = 4u;

// y = f(z) for the activations that a matrix product applies to what it stores: few and short, since a driver
// compiles them into each place where it does. NaN goes through, to be seen in the loss.
fn basic_activation(kind: u32, alpha: f32, z: f32) -> f32 {
  if is_nan(z) {
    return z;
  }
  switch kind {
    case RELU: { return select(0.0, z, z > 0.0); }
    case SIGMOID: { return sigmoid(z); }
    case TANH: { return stable_tanh(z); }
    case LEAKY_RELU: { return select(alpha * z, z, z >= 0.0); }
    default: { return z; }
  }
}

// f'(z), told from y = f(z). ReLU has slope 0 at 0, as in MLX.
fn basic_derivative(kind: u32, alpha: f32, y: f32) -> f32 {
  if is_nan(y) && kind != IDENTITY {
    return y;
  }
  switch kind {
    case RELU: { return select(0.0, 1.0, y > 0.0); }
    case SIGMOID: { return y * (1.0 - y); }
    case TANH: { return 1.0 - y * y; }
    case LEAKY_RELU: { return select(alpha, 1.0, y >= 0.0); }
    default: { return 1.0; }
  }
}
