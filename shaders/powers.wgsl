// powers[i] *= settings[1 + i]: beta1^t and beta2^t of Adam's bias correction, one step on.
// settings is [1, at least 1 + count], powers is [1, count]. One invocation per power. A running
// product is the same on every device, while pow may be off by far more than one rounding.

struct Params {
  settings: View,
  powers: View,
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> settings: array<f32>;
@group(0) @binding(2) var<storage, read_write> powers: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.count {
    return;
  }
  let model = workgroup.z;
  powers[at(params.powers, model, 0u, i)] *= settings[at(params.settings, model, 0u, 1u + i)];
}
