// loss[r] = sum over c of (p[r, c] - t[r, c])^2 / columns
// dp[r, c] = 2 (p[r, c] - t[r, c]) * scale / columns
// p, t and dp are [rows, columns], loss is [rows, 1]. With scale = 1 / rows, dp is the gradient of
// the mean of all squares, and the mean of loss over its rows is that mean. One invocation per row.

struct Params {
  p: View,
  t: View,
  loss: View,
  dp: View,
  rows: u32,
  columns: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dp: array<f32>;

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
  let columns = f32(params.columns);
  var total = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let difference = p[at(params.p, model, row, c)] - t[at(params.t, model, row, c)];
    total = fma(difference, difference, total);
    dp[at(params.dp, model, row, c)] = 2.0 * difference * (params.scale / columns);
  }
  loss[at(params.loss, model, row, 0u)] = total / columns;
}
