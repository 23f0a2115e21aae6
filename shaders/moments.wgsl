// stats[l, 0] = sum over c of x[l, c] / count, or 0 where is_centred is 0
// stats[l, 1] = sum over c of (x[l, c] - stats[l, 0])^2 / count
// x is [lanes, count], stats is [lanes, 2]. A lane is what is normalised together. One workgroup per
// lane, which adds as `sum` does.
//
// The squares are those of differences, in a second pass: the mean of squares less the square of the
// mean would cancel where the mean is large.

struct Params {
  x: View,
  stats: View,
  lanes: u32,
  count: u32,
  is_centred: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> stats: array<f32>;

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

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = fold(workgroup, workgroups);
  let model = workgroup.z;
  // Groups that only fill the last fold add nothing and store nothing.
  let count = select(0u, params.count, lane < params.lanes);
  var sum = 0.0;
  for (var c = local; c < count; c += 64u) {
    sum += x[at(params.x, model, lane, c)];
  }
  let mean = select(0.0, total(sum, local) / f32(params.count), params.is_centred != 0u);
  var squares = 0.0;
  for (var c = local; c < count; c += 64u) {
    let difference = x[at(params.x, model, lane, c)] - mean;
    squares += difference * difference;
  }
  let variance = total(squares, local) / f32(params.count);
  if local == 0u && lane < params.lanes {
    stats[at(params.stats, model, lane, 0u)] = mean;
    stats[at(params.stats, model, lane, 1u)] = variance;
  }
}
