
const NOTHING: u32 = 0u;
const BIAS_AND_ACTIVATION: u32 = 1u;
const DERIVATIVE: u32 = 2u;
const ROW_SUMS: u32 = 3u;

// What a matrix product does with an element before it stores it. `extra` is the bias, or the
// layer's output, which tells the slope.
fn finish(epilogue: u32, kind: u32, alpha: f32, sum: f32, extra: f32) -> f32 {
  switch epilogue {
    case BIAS_AND_ACTIVATION: { return basic_activation(kind, alpha, sum + extra); }
    case DERIVATIVE: { return sum * basic_derivative(kind, alpha, extra); }
    default: { return sum; }
  }
}
