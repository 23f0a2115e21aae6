// y[r] = beta2 * y[r] + (1 - beta2) * (mean over columns c of dw[r, c]^2 + epsilon1)
// dw is [rows, columns], y is [1, rows]; settings and clock are those of adafactor_clock. With dw transposed
// these are the columns' means. One workgroup per row, which sums as `sum` does.
// Source: Shazeer and Stern, arXiv 1804.04235, algorithm 4.

struct Params {
  dw: View,
  settings: View,
  clock: View,
  y: View,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dw: array<f32>;
@group(0) @binding(2) var<storage, read> settings: array<f32>;
@group(0) @binding(3) var<storage, read> clock: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = fold(workgroup, workgroups);
  let model = workgroup.z;
  let epsilon1 = settings[at(params.settings, model, 0u, 2u)];
  // A workgroup beyond the last row adds nothing, but reaches every barrier.
  var end = 0u;
  if row < params.rows {
    end = params.columns;
  }
  var total = 0.0;
  for (var column = local; column < end; column += 64u) {
    let g = dw[at(params.dw, model, row, column)];
    total += g * g + epsilon1;
  }
  partial[local] = total;
  for (var width = 32u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if local < width {
      partial[local] += partial[local + width];
    }
  }
  if local == 0u && row < params.rows {
    let beta2 = clock[at(params.clock, model, 0u, 1u)];
    let place = at(params.y, model, 0u, row);
    y[place] = beta2 * y[place] + (1.0 - beta2) * (partial[0] / f32(params.columns));
  }
}
