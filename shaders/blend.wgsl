// y[r, c] = keep * y[r, c] + add * x[r, c]
// x and y are [rows, columns]. With keep = 1 - rate and add = rate this is a running mean, of weights or of
// a layer's statistics. One invocation per element.

struct Params {
  x: View,
  y: View,
  rows: u32,
  columns: u32,
  keep: f32,
  add: f32,
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
  let place = at(params.y, model, row, column);
  y[place] = params.keep * y[place] + params.add * x[at(params.x, model, row, column)];
}
