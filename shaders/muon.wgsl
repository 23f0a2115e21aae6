// g = dw + weight_decay * w
// v = momentum * v + (1 - momentum) * g
// y = v, or (1 - momentum) * g + momentum * v with Nesterov's form
// dw, w, v and y are [1, 4 quads]; settings is [1, 4]: learning rate, momentum, weight decay, and 1 for
// Nesterov's form. The first part of Muon: y is still to be made orthogonal. One invocation per four elements.
// Source: MLX, python/mlx/optimizers/optimizers.py, Muon.

struct Params {
  dw: View,
  settings: View,
  w: View,
  v: View,
  y: View,
  quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;

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
  let momentum = settings[at(params.settings, model, 0u, 1u)];
  let weight_decay = settings[at(params.settings, model, 0u, 2u)];
  let is_nesterov = settings[at(params.settings, model, 0u, 3u)] > 0.0;
  let k = at(params.w, model, 0u, 4u * i) / 4u;
  let a = at(params.v, model, 0u, 4u * i) / 4u;
  let g = dw[at(params.dw, model, 0u, 4u * i) / 4u] + weight_decay * w[k];
  let velocity = momentum * v[a] + (1.0 - momentum) * g;
  v[a] = velocity;
  y[at(params.y, model, 0u, 4u * i) / 4u] = select(velocity, (1.0 - momentum) * g + momentum * velocity, is_nesterov);
}
