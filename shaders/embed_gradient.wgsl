// dtable[l, s] = sum over the rows r with level(codes[r]) = l of dy[r, s]
// codes is [rows, 1], dy is [rows, columns], dtable is [levels, columns]. One invocation per element of
// dtable, which goes through the rows in order: no two invocations add to one place.

struct Params {
  codes: View,
  dy: View,
  dtable: View,
  rows: u32,
  columns: u32,
  levels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dtable: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.levels * params.columns {
    return;
  }
  let model = workgroup.z;
  let own = i / params.columns;
  let column = i % params.columns;
  var total = 0.0;
  for (var row = 0u; row < params.rows; row++) {
    if level(codes[at(params.codes, model, row, 0u)], params.levels) == own {
      total += dy[at(params.dy, model, row, column)];
    }
  }
  dtable[at(params.dtable, model, own, column)] = total;
}
