// m = beta1 * m + (1 - beta1) * dw
// v = beta2 * v + (1 - beta2) * dw^2
// w = (1 - learning_rate * weight_decay) * w
//     - learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
// dw, m, v and w are [1, 4 quads]; settings is [1, 6]: learning rate, beta1, beta2, epsilon, weight
// decay, and 1 where epsilon is added to sqrt(v) before its correction, as Keras does; powers is [1, 2]:
// beta1^t and beta2^t at this step t, from 1, or zeros where the bias is left as it is. One invocation per
// four elements.
// Source: Kingma and Ba, arXiv 1412.6980, algorithm 1; the decoupled decay: Loshchilov and Hutter,
// arXiv 1711.05101.

struct Params {
  dw: View,
  settings: View,
  powers: View,
  m: View,
  v: View,
  w: View,
  quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read> powers: array<f32>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> w: array<vec4<f32>>;

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
  let epsilon = settings[at(params.settings, model, 0u, 3u)];
  let weight_decay = settings[at(params.settings, model, 0u, 4u)];
  let is_added_before = settings[at(params.settings, model, 0u, 5u)] > 0.0;
  let correction1 = 1.0 - powers[at(params.powers, model, 0u, 0u)];
  let correction2 = 1.0 - powers[at(params.powers, model, 0u, 1u)];
  let added = select(epsilon, epsilon / sqrt(correction2), is_added_before);
  let g = dw[at(params.dw, model, 0u, 4u * i) / 4u];
  let a = at(params.m, model, 0u, 4u * i) / 4u;
  let b = at(params.v, model, 0u, 4u * i) / 4u;
  let k = at(params.w, model, 0u, 4u * i) / 4u;
  let mean = beta1 * m[a] + (1.0 - beta1) * g;
  let square = beta2 * v[b] + (1.0 - beta2) * (g * g);
  m[a] = mean;
  v[b] = square;
  let direction = mean / (sqrt(square) / sqrt(correction2) + added);
  w[k] = (1.0 - learning_rate * weight_decay) * w[k] - learning_rate / correction1 * direction;
}
