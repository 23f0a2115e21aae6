// settings[r, 0] = factor * table[position / slot_rows]
// table is [1, slots], position is [1, 1], settings is [rows, columns]: the learning rate of this step, out of
// the table of an epoch's. Beyond the table's end it starts again at its front. One invocation per row.

struct Params {
  table: View,
  position: View,
  settings: View,
  rows: u32,
  slots: u32,
  slot_rows: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> position: array<u32>;
@group(0) @binding(3) var<storage, read_write> settings: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.rows {
    return;
  }
  let model = workgroup.z;
  let slot = position[at(params.position, model, 0u, 0u)] / params.slot_rows % params.slots;
  settings[at(params.settings, model, i, 0u)] = params.factor * table[at(params.table, model, 0u, slot)];
}
