// y[r, c] = x[r, c] * rows * columns / sum of all x
// x and y are [rows, columns]. The mean of y is 1, so that the mean of y times a loss is its weighted
// mean. One workgroup per model, which sums as `sum` does.

struct Params {
  x: View,
  y: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let model = workgroup.z;
  let count = params.rows * params.columns;
  var total = 0.0;
  for (var i = local; i < count; i += 64u) {
    total += x[at(params.x, model, i / params.columns, i % params.columns)];
  }
  partial[local] = total;
  for (var width = 32u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if local < width {
      partial[local] += partial[local + width];
    }
  }
  workgroupBarrier();
  let factor = f32(count) / partial[0];
  for (var i = local; i < count; i += 64u) {
    let row = i / params.columns;
    let column = i % params.columns;
    y[at(params.y, model, row, column)] = x[at(params.x, model, row, column)] * factor;
  }
}
