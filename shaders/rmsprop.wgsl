// v = keep * v + add * dw^2
// w -= learning_rate * dw / (sqrt(v + inside) + outside)
// dw, v and w are [1, 4 quads]; settings is [1, 5]: learning rate, keep, add, inside, outside. RMSprop has
// keep = alpha and add = 1 - alpha, Adagrad keep = add = 1; epsilon is added inside the root or outside it.
// One invocation per four elements.
// Source: MLX, python/mlx/optimizers/optimizers.py, RMSprop and Adagrad (outside); Keras (inside).

struct Params {
  dw: View,
  settings: View,
  v: View,
  w: View,
  quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> w: array<vec4<f32>>;

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
  let keep = settings[at(params.settings, model, 0u, 1u)];
  let add = settings[at(params.settings, model, 0u, 2u)];
  let inside = settings[at(params.settings, model, 0u, 3u)];
  let outside = settings[at(params.settings, model, 0u, 4u)];
  let g = dw[at(params.dw, model, 0u, 4u * i) / 4u];
  let a = at(params.v, model, 0u, 4u * i) / 4u;
  let k = at(params.w, model, 0u, 4u * i) / 4u;
  let square = keep * v[a] + add * (g * g);
  v[a] = square;
  w[k] -= learning_rate * g / (sqrt(square + inside) + outside);
}
