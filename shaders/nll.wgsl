// values[r] = -x[r, classes[r]] * weights[r]
// d_x[r, c] = -[c = classes[r]] * weights[r] * scale
// x and d_x are [rows, columns], classes, weights and values are [rows, 1]; without weights they are 1.
// x are logarithms of probabilities. One invocation per row.

struct Params {
  x: View,
  classes: View,
  weights: View,
  values: View,
  d_x: View,
  rows: u32,
  columns: u32,
  weighted: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> classes: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_x: array<f32>;

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
  // A class beyond the columns is refused before it reaches the device; the bound keeps reads inside.
  let label = min(classes[at(params.classes, model, row, 0u)], params.columns - 1u);
  let weight = select(1.0, weights[at(params.weights, model, row, 0u)], params.weighted != 0u);
  for (var c = 0u; c < params.columns; c++) {
    d_x[at(params.d_x, model, row, c)] = select(0.0, -(params.scale * weight), c == label);
  }
  values[at(params.values, model, row, 0u)] = -x[at(params.x, model, row, label)] * weight;
}
