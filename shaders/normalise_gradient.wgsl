// dweight[c] = sum over r of dy[r, c] * (x[r, c] - mean[r, c]) / sqrt(variance[r, c] + epsilon)
// dbias[c] = sum over r of dy[r, c]
// dy, x, mean and variance are [rows, columns], the latter two repeated; dweight and dbias are
// [1, columns] of one buffer, and each is left out where there is none. One workgroup per column,
// which adds as `sum` does.

struct Params {
  dy: View,
  x: View,
  mean: View,
  variance: View,
  dweight: View,
  dbias: View,
  rows: u32,
  columns: u32,
  has_weight: u32,
  has_bias: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;

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
  let column = fold(workgroup, workgroups);
  let model = workgroup.z;
  // Groups that only fill the last fold add nothing and store nothing.
  let rows = select(0u, params.rows, column < params.columns);
  var sum = 0.0;
  var products = 0.0;
  for (var row = local; row < rows; row += 64u) {
    let g = dy[at(params.dy, model, row, column)];
    let difference = x[at(params.x, model, row, column)] - mean[at(params.mean, model, row, column)];
    sum += g;
    products += g * (difference / sqrt(variance[at(params.variance, model, row, column)] + params.epsilon));
  }
  let dbias = total(sum, local);
  let dweight = total(products, local);
  if local == 0u && column < params.columns {
    if params.has_weight != 0u {
      gradient[at(params.dweight, model, 0u, column)] = dweight;
    }
    if params.has_bias != 0u {
      gradient[at(params.dbias, model, 0u, column)] = dbias;
    }
  }
}
