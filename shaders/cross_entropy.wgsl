// loss[r] = log(sum over c of exp s[c]) - sum over c of s[c] t[r, c] + m (1 - sum over c of t[r, c])
//   where m = max z[r] and s = z[r] - m
// dz[r, c] = (softmax(z[r])[c] - t[r, c]) * scale
// z, t and dz are [rows, columns], loss is [rows, 1]. One invocation per row.
//
// This is log(sum exp z) - sum z t for any targets, also those that do not sum to 1, and stays exact
// at logits of 1e20: only differences enter the exponential. Where the targets sum to 1 up to the
// rounding of their sum, the last term is left out, since m times that rounding would be an error.

struct Params {
  z: View,
  t: View,
  loss: View,
  dz: View,
  rows: u32,
  columns: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dz: array<f32>;

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
  var maximum = z[at(params.z, model, row, 0u)];
  for (var c = 1u; c < params.columns; c++) {
    maximum = max(maximum, z[at(params.z, model, row, c)]);
  }
  var total = 0.0;
  var score = 0.0;
  var mass = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let shifted = z[at(params.z, model, row, c)] - maximum;
    let target_probability = t[at(params.t, model, row, c)];
    total += exp(shifted);
    score = fma(shifted, target_probability, score);
    mass += target_probability;
  }
  for (var c = 0u; c < params.columns; c++) {
    let probability = exp(z[at(params.z, model, row, c)] - maximum) / total;
    dz[at(params.dz, model, row, c)] = (probability - t[at(params.t, model, row, c)]) * params.scale;
  }
  var missing = 1.0 - mass;
  if abs(missing) <= f32(params.columns + 1u) * EPSILON {
    missing = 0.0;
  }
  loss[at(params.loss, model, row, 0u)] = fma(maximum, missing, log(total) - score);
}
