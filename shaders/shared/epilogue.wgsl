
const NOTHING: u32 = 0u;
const BIAS_AND_ACTIVATION: u32 = 1u;
const DERIVATIVE: u32 = 2u;
const ROW_SUMS: u32 = 3u;

// What a matrix product does with an element before it stores it. `extra` is the bias, or what tells
// the slope: the layer's output, or its sum before the activation.
fn finish(epilogue: u32, kind: u32, alpha: f32, beta: f32, sum: f32, extra: f32) -> f32 {
  switch epilogue {
    case BIAS_AND_ACTIVATION: { return activation(kind, alpha, beta, sum + extra); }
    case DERIVATIVE: { return sum * derivative(kind, alpha, beta, extra); }
    default: { return sum; }
  }
}
