// softmax:     d_x[r, c] = y[r, c] (dy[r, c] - sum over d of dy[r, d] y[r, d])
// softmin:     the negative of that
// log_softmax: d_x[r, c] = dy[r, c] - exp(y[r, c]) * sum over d of dy[r, d]
// y is what `softmax` gave; dy, y and d_x are [rows, columns]. One invocation per row.

struct Params {
  dy: View,
  y: View,
  d_x: View,
  rows: u32,
  columns: u32,
  kind: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_x: array<f32>;

const SOFTMIN: u32 = 1u;
const LOG_SOFTMAX: u32 = 2u;

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
  let is_log = params.kind == LOG_SOFTMAX;
  var total = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let gradient = dy[at(params.dy, model, row, c)];
    total += select(gradient * y[at(params.y, model, row, c)], gradient, is_log);
  }
  let sign = select(1.0, -1.0, params.kind == SOFTMIN);
  for (var c = 0u; c < params.columns; c++) {
    let gradient = dy[at(params.dy, model, row, c)];
    let value = y[at(params.y, model, row, c)];
    if is_log {
      d_x[at(params.d_x, model, row, c)] = gradient - exp(value) * total;
    } else {
      d_x[at(params.d_x, model, row, c)] = sign * value * (gradient - total);
    }
  }
}
