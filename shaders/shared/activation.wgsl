
// The first ones are those of basic_activation.wgsl.
const RELU2: u32 = 5u;
const RELU6: u32 = 6u;
const ELU: u32 = 7u;
const SELU: u32 = 8u;
const CELU: u32 = 9u;
const SILU: u32 = 10u;
const GELU: u32 = 11u;
const GELU_APPROX: u32 = 12u;
const GELU_FAST: u32 = 13u;
const MISH: u32 = 14u;
const SOFTPLUS: u32 = 15u;
const SOFTSIGN: u32 = 16u;
const SOFTSHRINK: u32 = 17u;
const HARD_SHRINK: u32 = 18u;
const HARD_SWISH: u32 = 19u;
const HARD_TANH: u32 = 20u;
const LOG_SIGMOID: u32 = 21u;
const STEP: u32 = 22u;

// The constants of SELU as MLX rounds them.
const SELU_SCALE: f32 = 1.0507;
const SELU_ALPHA: f32 = 1.67326;

// Beyond this the smooth activations that are z times a share are z, 0 or -0 in f32; the share is
// taken of numbers so bounded, so that no infinity meets a 0.
const FAR: f32 = 200.0;

// y = f(z)
fn activation(kind: u32, alpha: f32, beta: f32, z: f32) -> f32 {
  // NaN goes through, to be seen in the loss.
  if is_nan(z) {
    return z;
  }
  let low = max(z, -FAR);
  switch kind {
    case RELU2: { return select(0.0, z * z, z > 0.0); }
    case RELU6: { return clamp(z, 0.0, 6.0); }
    case ELU: { return select(alpha * expm1(min(z, 0.0)), z, z > 0.0); }
    case SELU: { return SELU_SCALE * select(SELU_ALPHA * expm1(min(z, 0.0)), z, z > 0.0); }
    case CELU: { return select(alpha * expm1(min(z, 0.0) / alpha), z, z > 0.0); }
    case SILU: { return low * sigmoid(z); }
    case GELU: { return 0.5 * low * (1.0 + erf(0.7071067812 * z)); }
    case GELU_APPROX: { return low * sigmoid(gelu_argument(z)); }
    case GELU_FAST: { return low * sigmoid(1.702 * z); }
    case MISH: {
      let p = mish_p(z);
      return low * (p / (p + mish_q(z)));
    }
    case SOFTPLUS: { return softplus(z); }
    case SOFTSIGN: {
      // Beyond 1e9 the quotient is 1 or -1 in f32, and at last infinity by infinity.
      return select(sign(z), z / (1.0 + abs(z)), abs(z) < 1e9);
    }
    case SOFTSHRINK: { return select(0.0, z - sign(z) * alpha, abs(z) > alpha); }
    case HARD_SHRINK: { return select(0.0, z, abs(z) > alpha); }
    case HARD_SWISH: { return select(max(z, -3.0) * (max(z + 3.0, 0.0) / 6.0), z, z >= 3.0); }
    case HARD_TANH: { return clamp(z, alpha, beta); }
    case LOG_SIGMOID: { return -softplus(-z); }
    case STEP: { return select(0.0, 1.0, z >= alpha); }
    default: { return basic_activation(kind, alpha, z); }
  }
}

// f'(z), told from y = f(z) for those activations whose output suffices, which are the first ones
// and HARD_TANH, and from z for the others. `Activation::slope_of` says which; ReLU has slope 0 at 0.
fn derivative(kind: u32, alpha: f32, beta: f32, source: f32) -> f32 {
  if is_nan(source) && kind != IDENTITY {
    return source;
  }
  let y = source;
  let z = source;
  let near = clamp(z, -FAR, FAR);
  switch kind {
    case RELU6: { return select(0.0, 1.0, y > 0.0 && y < 6.0); }
    case ELU: { return select(y + alpha, 1.0, y > 0.0); }
    case SELU: { return select(y + SELU_SCALE * SELU_ALPHA, SELU_SCALE, y > 0.0); }
    case CELU: { return select(1.0 + y / alpha, 1.0, y > 0.0); }
    case HARD_TANH: { return select(0.0, 1.0, y > alpha && y < beta); }
    case RELU2: { return select(0.0, 2.0 * z, z > 0.0); }
    case SILU: { return swish_slope(near, near, 1.0); }
    case GELU: {
      // The share Phi(z), and z times the density of the normal distribution; 0.3989... is 1 / sqrt(2 pi).
      return 0.5 * (1.0 + erf(0.7071067812 * z)) + near * 0.3989422804 * exp(-0.5 * near * near);
    }
    case GELU_APPROX: { return swish_slope(near, gelu_argument(near), gelu_argument_slope(near)); }
    case GELU_FAST: { return swish_slope(near, 1.702 * near, 1.702); }
    case MISH: {
      // tanh(softplus(z)) is p / (p + q), and 1 - tanh² is q (2p + q) / (p + q)², without cancellation.
      let p = mish_p(near);
      let q = mish_q(near);
      let bend = (q / (p + q)) * ((2.0 * p + q) / (p + q));
      return p / (p + q) + near * bend * sigmoid(near);
    }
    case SOFTPLUS: { return sigmoid(z); }
    case SOFTSIGN: {
      let share = 1.0 / (1.0 + min(abs(z), 1e30));
      return share * share;
    }
    case SOFTSHRINK, HARD_SHRINK: { return select(0.0, 1.0, abs(z) > alpha); }
    case HARD_SWISH: { return select(select((2.0 * z + 3.0) / 6.0, 1.0, z >= 3.0), 0.0, z <= -3.0); }
    case LOG_SIGMOID: { return sigmoid(-z); }
    case STEP: { return 0.0; }
    default: { return basic_derivative(kind, alpha, y); }
  }
}

// The slope of z sigmoid(a), where a is a function of z with the slope `steepness`.
fn swish_slope(z: f32, a: f32, steepness: f32) -> f32 {
  let share = sigmoid(a);
  return share + z * share * sigmoid(-a) * steepness;
}

// gelu_approx is z (1 + tanh(a/2)) / 2 = z sigmoid(a) with a = 2 sqrt(2 / pi) (z + 0.044715 z³),
// which does not cancel for negative z as the first form does; 1.5957... is 2 sqrt(2 / pi).
fn gelu_argument(z: f32) -> f32 {
  let near = clamp(z, -FAR, FAR);
  return 1.595769122 * (near + 0.044715 * near * near * near);
}

fn gelu_argument_slope(z: f32) -> f32 {
  return 1.595769122 * (1.0 + 3.0 * 0.044715 * z * z);
}

// tanh(log(1 + exp z)) = ((1 + exp z)² - 1) / ((1 + exp z)² + 1) = p / (p + q), where p and q come from
// the exponential of a negative number.
fn mish_p(z: f32) -> f32 {
  let e = exp(-abs(z));
  return select(e * (e + 2.0), 1.0 + 2.0 * e, z > 0.0);
}

fn mish_q(z: f32) -> f32 {
  let e = exp(-abs(z));
  return select(2.0, 2.0 * e * e, z > 0.0);
}
