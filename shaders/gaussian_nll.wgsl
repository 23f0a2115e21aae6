// values[r, c] = ((log v + d^2 / v) / 2 + constant) * weights[r, c], where d = mean[r, c] - t[r, c]
//   and v = max(variance[r, c], eps)
// dmean[r, c] = d / v * weights[r, c] * scale
// dvariance[r, c] = (1 - d^2 / v) / (2 v) * weights[r, c] * scale, and 0 where v is eps
// All are [rows, columns]; without weights they are 1. dmean and dvariance are two views of gradient.
// One invocation per element.

struct Params {
  mean: View,
  variance: View,
  t: View,
  weights: View,
  values: View,
  dmean: View,
  dvariance: View,
  rows: u32,
  columns: u32,
  weighted: u32,
  eps: f32,
  constant: f32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> variance: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> gradient: array<f32>;

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
  let given = variance[at(params.variance, model, row, column)];
  // NaN goes through, to be seen in the loss.
  let is_free = given > params.eps || is_nan(given);
  let v = select(params.eps, given, is_free);
  let d = mean[at(params.mean, model, row, column)] - t[at(params.t, model, row, column)];
  let ratio = d / v;
  let weight = select(1.0, weights[at(params.weights, model, row, column)], params.weighted != 0u);
  let value = 0.5 * (log(v) + d * ratio) + params.constant;
  values[at(params.values, model, row, column)] = value * weight;
  gradient[at(params.dmean, model, row, column)] = ratio * (params.scale * weight);
  let slope = select(0.0, 0.5 * (1.0 - d * ratio) / v, is_free);
  gradient[at(params.dvariance, model, row, column)] = slope * (params.scale * weight);
}
