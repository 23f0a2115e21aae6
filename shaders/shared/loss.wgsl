
const MSE: u32 = 0u;
const L1: u32 = 1u;
const HUBER: u32 = 2u;
const SMOOTH_L1: u32 = 3u;
const LOG_COSH: u32 = 4u;
const QUANTILE: u32 = 5u;
const POISSON: u32 = 6u;
const GAMMA: u32 = 7u;
const TWEEDIE: u32 = 8u;
const HINGE: u32 = 9u;
const BINARY_CROSS_ENTROPY: u32 = 10u;
const BINARY_CROSS_ENTROPY_OF_PROBABILITIES: u32 = 11u;
const BINARY_FOCAL: u32 = 12u;

const LOG_OF_2: f32 = 0.6931472;

// The loss of a prediction p for a target t. Alpha is the parameter of those that have one; there is
// room for a second.
fn loss_value(kind: u32, p: f32, t: f32, alpha: f32, beta: f32) -> f32 {
  let difference = p - t;
  let size = abs(difference);
  switch kind {
    case L1: { return size; }
    case HUBER: {
      let near = min(size, alpha);
      return 0.5 * near * near + alpha * (size - near);
    }
    case SMOOTH_L1: {
      if size < alpha {
        return 0.5 * size * (size / alpha);
      }
      return size - 0.5 * alpha;
    }
    case LOG_COSH: {
      // cosh(d) = 1 + 2 sinh(d / 2)^2 keeps the digits of what is near 0.
      if size < 1.0 {
        let root = sinh_of_half(size);
        return log1p(2.0 * root * root);
      }
      return size + log1p(exp(-2.0 * size)) - LOG_OF_2;
    }
    case QUANTILE: { return difference * select(1.0 - alpha, -alpha, difference < 0.0); }
    case POISSON: { return exp(p) - times(t, p); }
    case GAMMA: { return times(t, exp(-p)) + p; }
    case TWEEDIE: {
      return exp((2.0 - alpha) * p) / (2.0 - alpha) - times(t, exp((1.0 - alpha) * p)) / (1.0 - alpha);
    }
    case HINGE: {
      let missing = 1.0 - p * t;
      return select(0.0, missing, missing > 0.0 || is_nan(missing));
    }
    case BINARY_CROSS_ENTROPY: { return binary_cross_entropy(p, t); }
    case BINARY_CROSS_ENTROPY_OF_PROBABILITIES: {
      return -(t * cut_logarithm(p) + (1.0 - t) * cut_logarithm(1.0 - p));
    }
    case BINARY_FOCAL: { return binary_cross_entropy(p, t) * power(wrongness(p, t), alpha); }
    default: { return difference * difference; }
  }
}

// The derivative of loss_value by p.
fn loss_slope(kind: u32, p: f32, t: f32, alpha: f32, beta: f32) -> f32 {
  let difference = p - t;
  let size = abs(difference);
  switch kind {
    case L1: { return direction(difference); }
    case HUBER: { return select(alpha * direction(difference), difference, size <= alpha); }
    case SMOOTH_L1: {
      if size < alpha {
        return difference / alpha;
      }
      return direction(difference);
    }
    case LOG_COSH: {
      // tanh(d) = 2 sinh(d / 2) cosh(d / 2) / cosh(d).
      if size < 1.0 {
        let root = sinh_of_half(difference);
        let square = root * root;
        return 2.0 * root * sqrt(1.0 + square) / (1.0 + 2.0 * square);
      }
      let e = exp(-2.0 * size);
      return direction(difference) * (1.0 - e) / (1.0 + e);
    }
    case QUANTILE: { return direction(difference) * select(1.0 - alpha, alpha, difference < 0.0); }
    case POISSON: { return exp(p) - t; }
    case GAMMA: { return 1.0 - times(t, exp(-p)); }
    case TWEEDIE: { return exp((2.0 - alpha) * p) - times(t, exp((1.0 - alpha) * p)); }
    case HINGE: {
      let missing = 1.0 - p * t;
      return select(select(0.0, -t, missing > 0.0), missing, is_nan(missing));
    }
    case BINARY_CROSS_ENTROPY: { return binary_cross_entropy_slope(p, t); }
    case BINARY_CROSS_ENTROPY_OF_PROBABILITIES: {
      // A logarithm that is cut off has no slope.
      return select((1.0 - t) / (1.0 - p), 0.0, p == 1.0) - select(t / p, 0.0, p == 0.0);
    }
    case BINARY_FOCAL: {
      let wrong = wrongness(p, t);
      let e = exp(-abs(p));
      // p (1 - p) / wrong, which is the probability of what is right where t is 0 or 1.
      let right = select(e / ((1.0 + e) * (1.0 + e)) / wrong, 1.0, wrong == 0.0);
      let more = alpha * binary_cross_entropy(p, t) * (1.0 - 2.0 * t) * right;
      return power(wrong, alpha) * (binary_cross_entropy_slope(p, t) + more);
    }
    default: { return 2.0 * difference; }
  }
}

// -1, 0 or 1; NaN goes through.
fn direction(x: f32) -> f32 {
  return select(sign(x), x, is_nan(x));
}

// sinh(x / 2) for |x| up to 1, by its series: the next term is 1e-8 of the value.
fn sinh_of_half(x: f32) -> f32 {
  let h = 0.5 * x;
  let q = h * h;
  return h * fma(fma(fma(1.0 / 5040.0, q, 1.0 / 120.0), q, 1.0 / 6.0), q, 1.0);
}

// log(1 + exp(z)) - z t, with the exponential of a negative number only: it cannot overflow, and
// what has one sign is added.
fn binary_cross_entropy(z: f32, t: f32) -> f32 {
  let far = select(times(t, -z), times(1.0 - t, z), z >= 0.0);
  return far + log1p(exp(-abs(z)));
}

// 1 / (1 + exp(-z)) - t, without the loss of digits near 0.
fn binary_cross_entropy_slope(z: f32, t: f32) -> f32 {
  let e = exp(-abs(z));
  let rest = e / (1.0 + e);
  return select(rest - t, (1.0 - t) - rest, z >= 0.0);
}

// The probability that is given to what is wrong: p (1 - t) + (1 - p) t, where p = 1 / (1 + exp(-z)).
fn wrongness(z: f32, t: f32) -> f32 {
  let e = exp(-abs(z));
  let rest = e / (1.0 + e);
  let most = 1.0 / (1.0 + e);
  return select(rest, most, z >= 0.0) * (1.0 - t) + select(most, rest, z >= 0.0) * t;
}

// log(x), but at least -100, as MLX and PyTorch have it.
fn cut_logarithm(x: f32) -> f32 {
  return select(select(max(log(x), -100.0), -100.0, x <= 0.0), x, is_nan(x));
}
