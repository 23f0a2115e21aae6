// y[r, c] = dw[r, c] / (sqrt(row[r] / mean) * sqrt(column[c]))
// dw and y are [rows, columns], row is [1, rows], column is [1, columns], mean is [1, 1]: that of row. One
// invocation per element.
// Source: Shazeer and Stern, arXiv 1804.04235, algorithm 4. A vector is a matrix of one row: its row is its
// mean, and what is left is dw / sqrt(column).

struct Params {
  dw: View,
  row: View,
  column: View,
  mean: View,
  y: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<f32>;
@group(0) @binding(2) var<storage, read> row: array<f32>;
@group(0) @binding(3) var<storage, read> column: array<f32>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.rows * params.columns {
    return;
  }
  let model = workgroup.z;
  let r = i / params.columns;
  let c = i % params.columns;
  let row_part = row[at(params.row, model, 0u, r)] / mean[at(params.mean, model, 0u, 0u)];
  let scale = sqrt(row_part) * sqrt(column[at(params.column, model, 0u, c)]);
  y[at(params.y, model, r, c)] = dw[at(params.dw, model, r, c)] / scale;
}
