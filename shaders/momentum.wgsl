// g = dw + weight_decay * w
// velocity = momentum * velocity + (1 - dampening) * g
// w -= learning_rate * (velocity, or g + momentum * velocity with Nesterov's form)
// dw, velocity and w are [1, 4 quads]; settings is [1, 6]: learning rate, momentum, dampening,
// weight decay, 1 for Nesterov's form, and 1 where the first gradient is not dampened, as in PyTorch;
// powers is [1, 1], and then it is momentum^t at this step t, from 1. One invocation per four elements.
// Source: MLX, python/mlx/optimizers/optimizers.py, SGD. The velocity starts at 0.

struct Params {
  dw: View,
  settings: View,
  powers: View,
  velocity: View,
  w: View,
  quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read> powers: array<f32>;
@group(0) @binding(4) var<storage, read_write> velocity: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<f32>>;

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
  let momentum = settings[at(params.settings, model, 0u, 1u)];
  let is_first = powers[at(params.powers, model, 0u, 0u)] == momentum;
  let is_whole = is_first && settings[at(params.settings, model, 0u, 5u)] > 0.0;
  let dampening = select(settings[at(params.settings, model, 0u, 2u)], 0.0, is_whole);
  let weight_decay = settings[at(params.settings, model, 0u, 3u)];
  let is_nesterov = settings[at(params.settings, model, 0u, 4u)] > 0.0;
  let k = at(params.w, model, 0u, 4u * i) / 4u;
  let j = at(params.velocity, model, 0u, 4u * i) / 4u;
  let g = dw[at(params.dw, model, 0u, 4u * i) / 4u] + weight_decay * w[k];
  let v = momentum * velocity[j] + (1.0 - dampening) * g;
  velocity[j] = v;
  w[k] -= learning_rate * select(v, g + momentum * v, is_nesterov);
}
