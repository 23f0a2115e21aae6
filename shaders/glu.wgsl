// y[r, c] = x[r, c] * sigmoid(x[r, columns + c])
// x is [rows, 2 columns], y is [rows, columns]: the second half gates the first. One invocation per
// element of y.

struct Params {
  x: View,
  y: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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
  let gate = x[at(params.x, model, row, params.columns + column)];
  y[at(params.y, model, row, column)] = x[at(params.x, model, row, column)] * sigmoid(gate);
}
