// rate = step, times max(epsilon2, root mean square of w) where steps are scaled by the weights
// m = beta1 * m + (1 - beta1) * rate * y / max(1, root mean square of y / clip)
// w = w - weight_decay * rate * w - m
// y, m and w are [1, length]; squares is [1, 2]: the mean squares of y and w; settings and clock are those of
// adafactor_clock. One invocation per element.
// Source: MLX, python/mlx/optimizers/optimizers.py, Adafactor; no first moment is beta1 = 0.

struct Params {
  settings: View,
  clock: View,
  squares: View,
  y: View,
  m: View,
  w: View,
  length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> settings: array<f32>;
@group(0) @binding(2) var<storage, read> clock: array<f32>;
@group(0) @binding(3) var<storage, read> squares: array<f32>;
@group(0) @binding(4) var<storage, read> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>;
@group(0) @binding(6) var<storage, read_write> w: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.length {
    return;
  }
  let model = workgroup.z;
  let epsilon2 = settings[at(params.settings, model, 0u, 3u)];
  let clip = settings[at(params.settings, model, 0u, 4u)];
  let beta1 = settings[at(params.settings, model, 0u, 5u)];
  let weight_decay = settings[at(params.settings, model, 0u, 6u)];
  let is_scaled = settings[at(params.settings, model, 0u, 7u)] > 0.0;
  let step = clock[at(params.clock, model, 0u, 2u)];
  let size_y = sqrt(squares[at(params.squares, model, 0u, 0u)]);
  let size_w = sqrt(squares[at(params.squares, model, 0u, 1u)]);
  let rate = select(1.0, max(epsilon2, size_w), is_scaled) * step;
  let change = rate * (y[at(params.y, model, 0u, i)] / max(1.0, size_y / clip));
  let a = at(params.m, model, 0u, i);
  let k = at(params.w, model, 0u, i);
  let mean = beta1 * m[a] + (1.0 - beta1) * change;
  m[a] = mean;
  w[k] = w[k] - weight_decay * rate * w[k] - mean;
}
