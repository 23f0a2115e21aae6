// values[r, c] = loss_value(p[r, c], t[r, c]) * weights[r, c]
// gradient[r, c] = loss_slope(p[r, c], t[r, c]) * weights[r, c] * scale
// All are [rows, columns]; without weights they are 1. With scale = 1 / (rows * columns), gradient is
// that of the mean of all values. One invocation per element.

struct Params {
  p: View,
  t: View,
  weights: View,
  values: View,
  gradient: View,
  rows: u32,
  columns: u32,
  weighted: u32,
  kind: u32,
  alpha: f32,
  beta: f32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.rows * params.columns {
    return;
  }
  let model = workgroup.z;
  let row = i / params.columns;
  let column = i % params.columns;
  let prediction = p[at(params.p, model, row, column)];
  let expected = t[at(params.t, model, row, column)];
  let weight = select(1.0, weights[at(params.weights, model, row, column)], params.weighted != 0u);
  let value = loss_value(params.kind, prediction, expected, params.alpha, params.beta);
  let slope = loss_slope(params.kind, prediction, expected, params.alpha, params.beta);
  values[at(params.values, model, row, column)] = value * weight;
  gradient[at(params.gradient, model, row, column)] = slope * (params.scale * weight);
}
