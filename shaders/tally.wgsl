// y[position / slot_rows] = scale * sum over all r, c of x[r, c], and then position += advance
// x is [rows, columns], y is [1, slots] and position is [1, 1]: a step's loss goes to the slot of its batch,
// and the position in the data moves on without the host. One workgroup per model, which sums as
// `sum` does.

struct Params {
  x: View,
  position: View,
  y: View,
  rows: u32,
  columns: u32,
  slots: u32,
  slot_rows: u32,
  advance: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> position: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let model = workgroup.z;
  var total = 0.0;
  for (var i = local; i < params.rows * params.columns; i += 64u) {
    total += x[at(params.x, model, i / params.columns, i % params.columns)];
  }
  partial[local] = total;
  for (var width = 32u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if local < width {
      partial[local] += partial[local + width];
    }
  }
  if local == 0u {
    let counter = at(params.position, model, 0u, 0u);
    let slot = position[counter] / params.slot_rows % params.slots;
    y[at(params.y, model, 0u, slot)] = params.scale * partial[0];
    position[counter] += params.advance;
  }
}
