// d_x[r, c] = dy[r, c] sigmoid(b)
// d_x[r, columns + c] = dy[r, c] a sigmoid(b) sigmoid(-b)
//   where a = x[r, c] and b = x[r, columns + c]
// dy is [rows, columns], x and d_x are [rows, 2 columns]. One invocation per element of dy.
//
// 1 - sigmoid(b) is sigmoid(-b), which does not cancel where b is large.

struct Params {
  dy: View,
  x: View,
  d_x: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_x: array<f32>;

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
  let through = dy[at(params.dy, model, row, column)] * sigmoid(gate);
  d_x[at(params.d_x, model, row, column)] = through;
  d_x[at(params.d_x, model, row, params.columns + column)] =
    through * x[at(params.x, model, row, column)] * sigmoid(-gate);
}
