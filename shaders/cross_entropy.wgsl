// values[r] = (log(sum over c of exp s[c]) - sum over c of s[c] u[c] + m (1 - sum over c of u[c])) * weights[r]
//   where m = max z[r], s = z[r] - m, and u[c] = (1 - smoothing) t[r, c] + smoothing / columns
// dz[r, c] = (softmax(z[r])[c] - u[c]) * weights[r] * scale
// z, t and dz are [rows, columns], weights and values are [rows, 1]; without weights they are 1. One
// invocation per row.
//
// This is log(sum exp z) - sum z u for any targets, also those that do not sum to 1, and stays exact
// at logits of 1e20: only differences enter the exponential. Where the targets sum to 1 up to the
// rounding of their sum, the last term is left out, since m times that rounding would be an error.

struct Params {
  z: View,
  t: View,
  weights: View,
  values: View,
  dz: View,
  rows: u32,
  columns: u32,
  weighted: u32,
  smoothing: f32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> dz: array<f32>;

// The distance from 1 to the next f32.
const EPSILON: f32 = 1.1920929e-7;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = fold(workgroup, workgroups) * 64u + local;
  if row >= params.rows {
    return;
  }
  let model = workgroup.z;
  let kept = 1.0 - params.smoothing;
  let spread = params.smoothing / f32(params.columns);
  var maximum = z[at(params.z, model, row, 0u)];
  for (var c = 1u; c < params.columns; c++) {
    maximum = max(maximum, z[at(params.z, model, row, c)]);
  }
  var total = 0.0;
  var score = 0.0;
  var mass = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let shifted = z[at(params.z, model, row, c)] - maximum;
    let probability = t[at(params.t, model, row, c)];
    let expected = fma(kept, probability, spread);
    total += exp(shifted);
    // A class that is not expected adds nothing, though its logit may be infinite.
    score = select(fma(shifted, expected, score), score, expected == 0.0);
    mass += probability;
  }
  let weight = select(1.0, weights[at(params.weights, model, row, 0u)], params.weighted != 0u);
  for (var c = 0u; c < params.columns; c++) {
    let probability = exp(z[at(params.z, model, row, c)] - maximum) / total;
    let expected = fma(kept, t[at(params.t, model, row, c)], spread);
    dz[at(params.dz, model, row, c)] = (probability - expected) * (params.scale * weight);
  }
  var missing = kept * (1.0 - mass);
  if abs(1.0 - mass) <= f32(params.columns + 1u) * EPSILON {
    missing = 0.0;
  }
  values[at(params.values, model, row, 0u)] = fma(maximum, missing, log(total) - score) * weight;
}
