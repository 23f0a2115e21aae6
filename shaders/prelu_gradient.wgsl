// dslope[c] = sum over r of dy[r, c] * min(0, z[r, c])
// dy and z are [rows, columns], dslope is [1, columns]. One workgroup per column, which adds as `sum` does.

struct Params {
  dy: View,
  z: View,
  dslope: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> dslope: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let column = fold(workgroup, workgroups);
  let model = workgroup.z;
  // Groups that only fill the last fold add nothing and store nothing.
  let rows = select(0u, params.rows, column < params.columns);
  var total = 0.0;
  for (var row = local; row < rows; row += 64u) {
    let value = z[at(params.z, model, row, column)];
    // Not `min`, which may turn NaN into 0.
    let below = select(0.0, value, value < 0.0 || is_nan(value));
    total += dy[at(params.dy, model, row, column)] * below;
  }
  partial[local] = total;
  for (var width = 32u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if local < width {
      partial[local] += partial[local + width];
    }
  }
  if local == 0u && column < params.columns {
    dslope[at(params.dslope, model, 0u, column)] = partial[0];
  }
}
