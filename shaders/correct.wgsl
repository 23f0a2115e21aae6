// y[r] = 1 where the largest of z[r] is at classes[r], else 0; the first of equal ones counts.
// z is [rows, columns], classes and y are [rows, 1]. One invocation per row.

struct Params {
  z: View,
  classes: View,
  y: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> classes: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

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
  var best = 0u;
  var maximum = z[at(params.z, model, row, 0u)];
  for (var c = 1u; c < params.columns; c++) {
    let value = z[at(params.z, model, row, c)];
    if value > maximum {
      maximum = value;
      best = c;
    }
  }
  y[at(params.y, model, row, 0u)] = select(0.0, 1.0, best == classes[at(params.classes, model, row, 0u)]);
}
