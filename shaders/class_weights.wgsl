// y[r] = class_weights[classes[r]] * weights[r]
// class_weights are [1, n_classes], classes, weights and y are [rows, 1]; without weights they are 1.
// One invocation per row.

struct Params {
  class_weights: View,
  classes: View,
  weights: View,
  y: View,
  rows: u32,
  n_classes: u32,
  weighted: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> class_weights: array<f32>;
@group(0) @binding(2) var<storage, read> classes: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = fold(workgroup, workgroups) * 64u + local;
  if row >= params.rows {
    return;
  }
  let model = workgroup.z;
  // A class beyond the columns is refused before it reaches the device; the bound keeps reads inside.
  let label = min(classes[at(params.classes, model, row, 0u)], params.n_classes - 1u);
  let weight = select(1.0, weights[at(params.weights, model, row, 0u)], params.weighted != 0u);
  y[at(params.y, model, row, 0u)] = class_weights[at(params.class_weights, model, 0u, label)] * weight;
}
