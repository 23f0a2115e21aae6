// y[r, c] = max(0, z[r, c]) + slope[r, c] * min(0, z[r, c])
// z and y are [rows, columns], slope is [1, columns] or [1, 1], repeated. One invocation per element.

struct Params {
  z: View,
  slope: View,
  y: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> slope: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

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
  let value = z[at(params.z, model, row, column)];
  // Not `max` and `min`, which may turn NaN into 0: of NaN, both branches are NaN.
  y[at(params.y, model, row, column)] =
    select(slope[at(params.slope, model, row, column)] * value, value, value > 0.0);
}
