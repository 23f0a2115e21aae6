// values[r] = x[r] · t[r] / max(|x[r]| |t[r]|, eps) * weights[r]
// d_x[r, c] = (t[r, c] / |t[r]| - x[r, c] / |x[r]| * values[r]) / |x[r]| * weights[r] * scale, and
//   t[r, c] / eps * weights[r] * scale where |x[r]| |t[r]| is at most eps
// x, t and d_x are [rows, columns], weights and values are [rows, 1]; without weights they are 1. Lengths
// are taken of rows divided by their largest element, whose squares cannot overflow. One invocation
// per row.

struct Params {
  x: View,
  t: View,
  weights: View,
  values: View,
  d_x: View,
  rows: u32,
  columns: u32,
  weighted: u32,
  eps: f32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_x: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = fold(workgroup, workgroups) * 64u + local;
  if row >= params.rows {
    return;
  }
  let model = workgroup.z;
  var largest_x = 0.0;
  var largest_t = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    largest_x = max(largest_x, abs(x[at(params.x, model, row, c)]));
    largest_t = max(largest_t, abs(t[at(params.t, model, row, c)]));
  }
  // A row of zeros has the length 0 by any divisor.
  let unit_x = select(largest_x, 1.0, largest_x == 0.0);
  let unit_t = select(largest_t, 1.0, largest_t == 0.0);
  var square_x = 0.0;
  var square_t = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let part_x = x[at(params.x, model, row, c)] / unit_x;
    let part_t = t[at(params.t, model, row, c)] / unit_t;
    square_x = fma(part_x, part_x, square_x);
    square_t = fma(part_t, part_t, square_t);
  }
  let length_x = unit_x * sqrt(square_x);
  let length_t = unit_t * sqrt(square_t);
  // The product of the lengths could overflow.
  let is_short = length_t == 0.0 || length_x <= params.eps / length_t;
  let divisor_x = select(length_x, 1.0, is_short);
  let divisor_t = select(length_t, params.eps, is_short);
  var similarity = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let part_x = x[at(params.x, model, row, c)] / divisor_x;
    let part_t = t[at(params.t, model, row, c)] / divisor_t;
    similarity = fma(part_x, part_t, similarity);
  }
  let weight = select(1.0, weights[at(params.weights, model, row, 0u)], params.weighted != 0u);
  for (var c = 0u; c < params.columns; c++) {
    let part_x = x[at(params.x, model, row, c)] / divisor_x;
    let part_t = t[at(params.t, model, row, c)] / divisor_t;
    let slope = (part_t - select(part_x * similarity, 0.0, is_short)) / divisor_x;
    d_x[at(params.d_x, model, row, c)] = slope * (params.scale * weight);
  }
  values[at(params.values, model, row, 0u)] = similarity * weight;
}
