// values[r] = q^gamma l weights[r], dz[r, c] = (q^gamma + gamma q^(gamma - 1) p l) (softmax(z[r])[c] - [c = class])
//   weights[r] scale, where p = softmax(z[r])[class], q = 1 - p, l = -log p
// z and dz are [rows, columns], classes, weights and values are [rows, 1]; without weights they are 1.
// q is summed from the other classes, so that it keeps its digits where p is near 1. One invocation
// per row.

struct Params {
  z: View,
  classes: View,
  weights: View,
  values: View,
  dz: View,
  rows: u32,
  columns: u32,
  weighted: u32,
  gamma: f32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> classes: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> dz: array<f32>;

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
  // A class beyond the columns is refused before it reaches the device; the bound keeps reads inside.
  let label = min(classes[at(params.classes, model, row, 0u)], params.columns - 1u);
  let shifted = z[at(params.z, model, row, label)] - maximum;
  let own = exp(shifted);
  var others = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    if c != label {
      others += exp(z[at(params.z, model, row, c)] - maximum);
    }
  }
  let total = own + others;
  let p = own / total;
  let q = others / total;
  var l = log(total) - shifted;
  if others <= own {
    l = log1p(others / own);
  }
  // l / q goes to 1 as q goes to 0.
  let ratio = select(times(p, l) / q, 1.0, q == 0.0);
  let slope = power(q, params.gamma) * fma(params.gamma, ratio, 1.0);
  let weight = select(1.0, weights[at(params.weights, model, row, 0u)], params.weighted != 0u);
  for (var c = 0u; c < params.columns; c++) {
    let probability = exp(z[at(params.z, model, row, c)] - maximum) / total;
    let difference = select(probability, -q, c == label);
    dz[at(params.dz, model, row, c)] = slope * difference * (params.scale * weight);
  }
  values[at(params.values, model, row, 0u)] = power(q, params.gamma) * l * weight;
}
