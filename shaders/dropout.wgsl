// y[r, c] = x[r, c] * scale where w >= threshold, else 0
//   where w = threefry2x32(key, [r * columns + c, step])[0]
// x and y are [rows, columns]; noise is [1, 4]: the two words of the key, the threshold, and the bits of
// the scale; step is [1, 1], the number of the training step. The same mask goes over gradients on the
// way back: it is computed again, not kept. One invocation per element.

struct Params {
  x: View,
  noise: View,
  step: View,
  y: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> noise: array<u32>;
@group(0) @binding(3) var<storage, read> step: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.rows * params.columns {
    return;
  }
  let model = workgroup.z;
  let row = i / params.columns;
  let column = i % params.columns;
  let key = vec2<u32>(noise[at(params.noise, model, 0u, 0u)], noise[at(params.noise, model, 0u, 1u)]);
  let threshold = noise[at(params.noise, model, 0u, 2u)];
  let scale = bitcast<f32>(noise[at(params.noise, model, 0u, 3u)]);
  let word = threefry2x32(key, vec2<u32>(i, step[at(params.step, model, 0u, 0u)])).x;
  let value = x[at(params.x, model, row, column)];
  // A threshold of 0 drops nothing and scales nothing: no rounding of a denormal number either.
  let kept = select(value * scale, value, threshold == 0u);
  // Chosen, not multiplied by 0: what is dropped is 0 even if it is no number.
  y[at(params.y, model, row, column)] = select(0.0, kept, word >= threshold);
}
