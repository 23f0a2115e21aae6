// y[r, c] = (x[r, c] - mean[r, c]) / sqrt(variance[r, c] + epsilon) * weight[r, c] + bias[r, c]
// All are [rows, columns]; mean and variance are repeated along what was normalised together, weight
// and bias along the rows. Without a weight or a bias that factor or term is left out, and what is
// bound in its place is not used. One invocation per element.

struct Params {
  x: View,
  mean: View,
  variance: View,
  weight: View,
  bias: View,
  y: View,
  rows: u32,
  columns: u32,
  has_weight: u32,
  has_bias: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> variance: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

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
  let difference = x[at(params.x, model, row, column)] - mean[at(params.mean, model, row, column)];
  var value = difference / sqrt(variance[at(params.variance, model, row, column)] + params.epsilon);
  if params.has_weight != 0u {
    value *= weight[at(params.weight, model, row, column)];
  }
  if params.has_bias != 0u {
    value += bias[at(params.bias, model, row, column)];
  }
  y[at(params.y, model, row, column)] = value;
}
