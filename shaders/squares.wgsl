// y[r] = sum of x[i]^2 over i from r * span on, span of them or those that remain
// x is [1, length], y is [1, rows]. One workgroup per part: each invocation adds every 64th square in order,
// then the partial sums are added in a tree. The order never changes.

struct Params {
  x: View,
  y: View,
  length: u32,
  span: u32,
  rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = fold(workgroup, workgroups);
  let model = workgroup.z;
  // A workgroup beyond the last row adds nothing, but reaches every barrier.
  var end = 0u;
  if row < params.rows {
    end = min(params.span, params.length - row * params.span);
  }
  var total = 0.0;
  for (var i = local; i < end; i += 64u) {
    let value = x[at(params.x, model, 0u, row * params.span + i)];
    total += value * value;
  }
  partial[local] = total;
  for (var width = 32u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if local < width {
      partial[local] += partial[local + width];
    }
  }
  if local == 0u && row < params.rows {
    y[at(params.y, model, 0u, row)] = partial[0];
  }
}
