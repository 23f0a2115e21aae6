// y[r, c] = x[index[position + r], c]: one mini-batch out of data that stay on the device.
// x is [source_rows, columns], index is [1, length], position is [1, 1], y is [rows, columns].
// Words, whatever they mean. The position counts up on the device, so that a replay goes through
// the data; beyond the index's end it starts again at its front. One invocation per element.

struct Params {
  x: View,
  index: View,
  position: View,
  y: View,
  source_rows: u32,
  length: u32,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<u32>;

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
  let place = (position[at(params.position, model, 0u, 0u)] + row) % params.length;
  // A row beyond the data cannot be asked for by this crate; the bound keeps reads inside.
  let source = min(index[at(params.index, model, 0u, place)], params.source_rows - 1u);
  y[at(params.y, model, row, column)] = x[at(params.x, model, source, column)];
}
