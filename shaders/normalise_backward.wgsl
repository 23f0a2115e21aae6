// d_x[l, c] = s (g[l, c] - sum of g[l] / count - n[l, c] * sum of (g[l] n[l]) / count)
//   where s = 1 / sqrt(stats[l, 1] + epsilon), n = (x - stats[l, 0]) s and g = dy * weight
// dy, x, weight and d_x are [lanes, count], stats is [lanes, 2] as `moments` gives it. The first sum is
// left out where is_centred is 0, and the factor weight where has_weight is 0. One workgroup per lane,
// which adds as `sum` does.

struct Params {
  dy: View,
  x: View,
  stats: View,
  weight: View,
  d_x: View,
  lanes: u32,
  count: u32,
  is_centred: u32,
  has_weight: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_x: array<f32>;

var<workgroup> partial: array<f32, 64>;

// The sum of all invocations' values, for each of them.
fn total(value: f32, local: u32) -> f32 {
  // Nobody may still read what an earlier sum left.
  workgroupBarrier();
  partial[local] = value;
  for (var width = 32u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if local < width {
      partial[local] += partial[local + width];
    }
  }
  workgroupBarrier();
  return partial[0];
}

// The gradient of what was normalised, before weight and bias.
fn inner(model: u32, lane: u32, c: u32) -> f32 {
  let gradient = dy[at(params.dy, model, lane, c)];
  if params.has_weight == 0u {
    return gradient;
  }
  return gradient * weight[at(params.weight, model, lane, c)];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  // Groups that only fill the last fold add nothing and store nothing.
  let place = fold(workgroup, workgroups);
  let lane = min(place, params.lanes - 1u);
  let count = select(0u, params.count, place < params.lanes);
  let model = workgroup.z;
  let mean = stats[at(params.stats, model, lane, 0u)];
  let scale = 1.0 / sqrt(stats[at(params.stats, model, lane, 1u)] + params.epsilon);
  var sum = 0.0;
  var products = 0.0;
  for (var c = local; c < count; c += 64u) {
    let g = inner(model, lane, c);
    sum += g;
    products += g * ((x[at(params.x, model, lane, c)] - mean) * scale);
  }
  let sums = total(sum, local);
  let shift = select(0.0, sums / f32(params.count), params.is_centred != 0u);
  let slope = total(products, local) / f32(params.count);
  for (var c = local; c < count; c += 64u) {
    let normal = (x[at(params.x, model, lane, c)] - mean) * scale;
    d_x[at(params.d_x, model, lane, c)] = scale * (inner(model, lane, c) - shift - normal * slope);
  }
}
