// values[r] = weights[r] * sum over c of exp(t[r, c]) (t[r, c] - x[r, c])
// d_x[r, c] = -exp(t[r, c]) * weights[r] * scale
// x, t and d_x are [rows, columns], weights and values are [rows, 1]; without weights they are 1. x and t
// are logarithms of probabilities; a target whose probability is 0 adds nothing. One invocation per row.

struct Params {
  x: View,
  t: View,
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
@group(0) @binding(2) var<storage, read> t: array<f32>;
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
  let weight = select(1.0, weights[at(params.weights, model, row, 0u)], params.weighted != 0u);
  var total = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let expected = t[at(params.t, model, row, c)];
    let probability = exp(expected);
    total += times(probability, expected - x[at(params.x, model, row, c)]);
    d_x[at(params.d_x, model, row, c)] = -probability * (params.scale * weight);
  }
  values[at(params.values, model, row, 0u)] = total * weight;
}
