// y[c] = sum over rows r of x[r, c]: the bias gradient.
// x is [rows, columns], y is [1, columns]. One invocation per column, rows in order.

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
  let column = fold(workgroup, workgroups) * 64u + local;
  if column >= params.columns {
    return;
  }
  let model = workgroup.z;
  var total = 0.0;
  for (var row = 0u; row < params.rows; row++) {
    total += x[at(params.x, model, row, column)];
  }
  y[at(params.y, model, 0u, column)] = total;
}
