// loss[r] = log(sum over c of exp s[c]) - s[classes[r]], where s = z[r] - max z[r]
// dz[r, c] = (softmax(z[r])[c] - [c = classes[r]]) * scale
// z and dz are [rows, columns], classes and loss are [rows, 1]. Subtracting the maximum keeps exp from
// overflowing; the loss depends on differences only. One invocation per row.

struct Params {
  z: View,
  classes: View,
  loss: View,
  dz: View,
  rows: u32,
  columns: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> classes: array<u32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dz: array<f32>;

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
  var maximum = z[at(params.z, model, row, 0u)];
  for (var c = 1u; c < params.columns; c++) {
    maximum = max(maximum, z[at(params.z, model, row, c)]);
  }
  var total = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    total += exp(z[at(params.z, model, row, c)] - maximum);
  }
  // A class beyond the columns is refused before it reaches the device; the bound keeps reads inside.
  let label = min(classes[at(params.classes, model, row, 0u)], params.columns - 1u);
  for (var c = 0u; c < params.columns; c++) {
    let probability = exp(z[at(params.z, model, row, c)] - maximum) / total;
    dz[at(params.dz, model, row, c)] = (probability - select(0.0, 1.0, c == label)) * params.scale;
  }
  loss[at(params.loss, model, row, 0u)] = log(total) - (z[at(params.z, model, row, label)] - maximum);
}
