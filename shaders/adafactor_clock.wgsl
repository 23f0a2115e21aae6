// t += 1, beta2 = 1 - t^decay, step = min(1 / sqrt(t), 1e-6 t while warming up or else 1e-2), or the learning rate
// settings is [1, 10]: learning rate, decay, epsilon1, epsilon2, clip, beta1, weight decay, and 1 for each of a
// scale by the weights, a relative step, and warming up. clock is [rows, 3]: t, beta2 and step, from 0 on. One
// invocation per row.
// Source: MLX, python/mlx/optimizers/optimizers.py, Adafactor.

struct Params {
  settings: View,
  clock: View,
  rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> settings: array<f32>;
@group(0) @binding(2) var<storage, read_write> clock: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.rows {
    return;
  }
  let model = workgroup.z;
  let learning_rate = settings[at(params.settings, model, 0u, 0u)];
  let decay = settings[at(params.settings, model, 0u, 1u)];
  let is_relative = settings[at(params.settings, model, 0u, 8u)] > 0.0;
  let is_warming = settings[at(params.settings, model, 0u, 9u)] > 0.0;
  let t = clock[at(params.clock, model, i, 0u)] + 1.0;
  clock[at(params.clock, model, i, 0u)] = t;
  clock[at(params.clock, model, i, 1u)] = 1.0 - pow(t, decay);
  let relative = min(select(1e-2, 1e-6 * t, is_warming), 1.0 / sqrt(t));
  clock[at(params.clock, model, i, 2u)] = select(learning_rate, relative, is_relative);
}
