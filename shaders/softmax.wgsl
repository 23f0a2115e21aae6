// y[r, c] = exp(x[r, c] - m) / sum over d of exp(x[r, d] - m), where m is the row's maximum
// x and y are [rows, columns]. One invocation per row.

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
  let row = fold(workgroup, workgroups) * 64u + local;
  if row >= params.rows {
    return;
  }
  let model = workgroup.z;
  var maximum = x[at(params.x, model, row, 0u)];
  for (var c = 1u; c < params.columns; c++) {
    maximum = max(maximum, x[at(params.x, model, row, c)]);
  }
  var total = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    total += exp(x[at(params.x, model, row, c)] - maximum);
  }
  for (var c = 0u; c < params.columns; c++) {
    y[at(params.y, model, row, c)] = exp(x[at(params.x, model, row, c)] - maximum) / total;
  }
}
