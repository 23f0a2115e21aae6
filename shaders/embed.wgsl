// y[r, s] = table[level(codes[r]), s]
// codes is [rows, 1] of whole numbers as floats, table is [levels, columns], y is [rows, columns]. A code
// is rounded to the nearest level; below the first one, or NaN, it is level 0, beyond the last one the
// last. One invocation per element.

struct Params {
  codes: View,
  table: View,
  y: View,
  rows: u32,
  columns: u32,
  levels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
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
  let source = level(codes[at(params.codes, model, row, 0u)], params.levels);
  y[at(params.y, model, row, column)] = table[at(params.table, model, source, column)];
}
