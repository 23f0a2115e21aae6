// values[r, c] = max(0, y) where y = margin - t[r, c] (x1[r, c] - x2[r, c])
// dx1[r, c] = -t[r, c] * scale where y is 0 or more, else 0; dx2 = -dx1
// All are [rows, columns]. One invocation per element.

struct Params {
  x1: View,
  x2: View,
  t: View,
  values: View,
  dx1: View,
  dx2: View,
  rows: u32,
  columns: u32,
  margin: f32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x1: array<f32>;
@group(0) @binding(2) var<storage, read> x2: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx1: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx2: array<f32>;

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
  let label = t[at(params.t, model, row, column)];
  let y = params.margin - label * (x1[at(params.x1, model, row, column)] - x2[at(params.x2, model, row, column)]);
  // NaN goes through, to be seen. At 0 there is a slope, as in MLX: equal scores are to part.
  let slope = select(select(0.0, -label, y >= 0.0), y, is_nan(y)) * params.scale;
  values[at(params.values, model, row, column)] = select(0.0, y, y >= 0.0 || is_nan(y));
  dx1[at(params.dx1, model, row, column)] = slope;
  dx2[at(params.dx2, model, row, column)] = -slope;
}
