// v = rho * v + (1 - rho) * dw^2
// d = sqrt(u + epsilon) / sqrt(v + epsilon) * dw
// u = rho * u + (1 - rho) * d^2
// w -= learning_rate * d
// dw, v, u and w are [1, 4 quads]; settings is [1, 3]: learning rate, rho, epsilon. One invocation per four
// elements.
// Source: Zeiler, arXiv 1212.5701; MLX, python/mlx/optimizers/optimizers.py, AdaDelta.

struct Params {
  dw: View,
  settings: View,
  v: View,
  u: View,
  w: View,
  quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> u: array<vec4<f32>>;
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
  let rho = settings[at(params.settings, model, 0u, 1u)];
  let epsilon = settings[at(params.settings, model, 0u, 2u)];
  let g = dw[at(params.dw, model, 0u, 4u * i) / 4u];
  let a = at(params.v, model, 0u, 4u * i) / 4u;
  let b = at(params.u, model, 0u, 4u * i) / 4u;
  let k = at(params.w, model, 0u, 4u * i) / 4u;
  let square = rho * v[a] + (1.0 - rho) * (g * g);
  let d = sqrt(u[b] + epsilon) / sqrt(square + epsilon) * g;
  v[a] = square;
  u[b] = rho * u[b] + (1.0 - rho) * (d * d);
  w[k] -= learning_rate * d;
}
