// y[r, o] = f(z[r, o])
// z and y are [rows, columns]. One invocation per element.

struct Params {
  z: View,
  y: View,
  rows: u32,
  columns: u32,
  kind: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
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
  y[at(params.y, model, row, column)] =
    activation(params.kind, params.alpha, params.beta, z[at(params.z, model, row, column)]);
}
