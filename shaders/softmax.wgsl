// softmax:     y[r, c] = exp(x[r, c] - m) / sum over d of exp(x[r, d] - m), where m is the row's maximum
// softmin:     the same of -x
// log_softmax: y[r, c] = x[r, c] - m - log(sum over d of exp(x[r, d] - m))
// x and y are [rows, columns]. One invocation per row.

struct Params {
  x: View,
  y: View,
  rows: u32,
  columns: u32,
  kind: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const SOFTMIN: u32 = 1u;
const LOG_SOFTMAX: u32 = 2u;

fn logit(model: u32, row: u32, column: u32) -> f32 {
  let value = x[at(params.x, model, row, column)];
  return select(value, -value, params.kind == SOFTMIN);
}

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
  var maximum = logit(model, row, 0u);
  for (var c = 1u; c < params.columns; c++) {
    maximum = max(maximum, logit(model, row, c));
  }
  var total = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    total += exp(logit(model, row, c) - maximum);
  }
  let log_total = log(total);
  for (var c = 0u; c < params.columns; c++) {
    let shifted = logit(model, row, c) - maximum;
    if params.kind == LOG_SOFTMAX {
      y[at(params.y, model, row, c)] = shifted - log_total;
    } else {
      y[at(params.y, model, row, c)] = exp(shifted) / total;
    }
  }
}
