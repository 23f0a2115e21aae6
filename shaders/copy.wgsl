// y[r, c] = x[r, c]: materialises a transposed or repeated view. Words, whatever they mean.
// x and y are [rows, columns]. One invocation per element.

struct Params {
  x: View,
  y: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

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
  y[at(params.y, model, row, column)] = x[at(params.x, model, row, column)];
}
