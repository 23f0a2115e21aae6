// values[r] = (log(sum over c of exp s[c]) - (1 - smoothing) s[classes[r]] - smoothing mean s) * weights[r]
//   where s = z[r] - max z[r]
// dz[r, c] = (softmax(z[r])[c] - (1 - smoothing) [c = classes[r]] - smoothing / columns) * weights[r] * scale
// z and dz are [rows, columns], classes, weights and values are [rows, 1]; without weights they are 1.
// Subtracting the maximum keeps exp from overflowing; the loss depends on differences only. One
// invocation per row.

struct Params {
  z: View,
  classes: View,
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
@group(0) @binding(2) var<storage, read> classes: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> dz: array<f32>;

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
  var sum = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let shifted = z[at(params.z, model, row, c)] - maximum;
    total += exp(shifted);
    sum += shifted;
  }
  // A class beyond the columns is refused before it reaches the device; the bound keeps reads inside.
  let label = min(classes[at(params.classes, model, row, 0u)], params.columns - 1u);
  let weight = select(1.0, weights[at(params.weights, model, row, 0u)], params.weighted != 0u);
  for (var c = 0u; c < params.columns; c++) {
    let probability = exp(z[at(params.z, model, row, c)] - maximum) / total;
    let expected = select(0.0, kept, c == label) + spread;
    dz[at(params.dz, model, row, c)] = (probability - expected) * (params.scale * weight);
  }
  let score = kept * (z[at(params.z, model, row, label)] - maximum) + times(spread, sum);
  values[at(params.values, model, row, 0u)] = (log(total) - score) * weight;
}
