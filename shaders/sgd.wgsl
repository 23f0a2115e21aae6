// w -= learning_rate * dw
// w and dw are [1, 4 quads]; settings is [1, 1]: the learning rate of each model. One invocation per
// four elements.

struct Params {
  dw: View,
  settings: View,
  w: View,
  quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read_write> w: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.quads {
    return;
  }
  let model = workgroup.z;
  let learning_rate = settings[at(params.settings, model, 0u, 0u)];
  let k = at(params.w, model, 0u, 4u * i) / 4u;
  w[k] -= learning_rate * dw[at(params.dw, model, 0u, 4u * i) / 4u];
}
