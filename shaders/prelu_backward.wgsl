// dz[r, c] = dy[r, c] where z[r, c] > 0, else dy[r, c] * slope[r, c]
// dy, z and dz are [rows, columns], slope is [1, columns] or [1, 1], repeated. One invocation per element.

struct Params {
  dy: View,
  z: View,
  slope: View,
  dz: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read> slope: array<f32>;
@group(0) @binding(4) var<storage, read_write> dz: array<f32>;

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
  let gradient = dy[at(params.dy, model, row, column)];
  let is_above = z[at(params.z, model, row, column)] > 0.0;
  dz[at(params.dz, model, row, column)] =
    select(gradient * slope[at(params.slope, model, row, column)], gradient, is_above);
}
