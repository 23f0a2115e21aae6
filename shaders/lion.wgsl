// c = beta1 * m + (1 - beta1) * dw
// m = beta2 * m + (1 - beta2) * dw
// w = (1 - learning_rate * weight_decay) * w - learning_rate * sign(c)
// dw, m and w are [1, 4 quads]; settings is [1, 4]: learning rate, beta1, beta2, weight decay. One invocation
// per four elements.
// Source: Chen et al., arXiv 2302.06675; MLX, python/mlx/optimizers/optimizers.py, Lion.

struct Params {
  dw: View,
  settings: View,
  m: View,
  w: View,
  quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> w: array<vec4<f32>>;

// -1, 0 or 1; what is not a number goes through.
fn direction_of(c: f32) -> f32 {
  if is_nan(c) {
    return c;
  }
  return sign(c);
}

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
  let beta1 = settings[at(params.settings, model, 0u, 1u)];
  let beta2 = settings[at(params.settings, model, 0u, 2u)];
  let weight_decay = settings[at(params.settings, model, 0u, 3u)];
  let g = dw[at(params.dw, model, 0u, 4u * i) / 4u];
  let a = at(params.m, model, 0u, 4u * i) / 4u;
  let k = at(params.w, model, 0u, 4u * i) / 4u;
  let c = beta1 * m[a] + (1.0 - beta1) * g;
  m[a] = beta2 * m[a] + (1.0 - beta2) * g;
  let direction = vec4<f32>(direction_of(c.x), direction_of(c.y), direction_of(c.z), direction_of(c.w));
  w[k] = (1.0 - learning_rate * weight_decay) * w[k] - learning_rate * direction;
}
