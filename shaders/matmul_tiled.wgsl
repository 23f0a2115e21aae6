// The product of matmul.wgsl in tiles of TILE by TILE = (4 SIDE) by (4 SIDE) elements of c.
// A workgroup of SIDE by SIDE invocations copies a tile of a and one of b, 16 deep, into workgroup
// memory; each invocation keeps 4 by 4 sums in registers: rows y + SIDE {0, 1, 2, 3} and columns
// x + SIDE {0, 1, 2, 3}, so that neighbours read and write neighbouring words.

struct Params {
  a: View,
  b: View,
  extra: View,
  c: View,
  sums: View,
  rows: u32,
  columns: u32,
  depth: u32,
  epilogue: u32,
  kind: u32,
  alpha: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> extra: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

override SIDE: u32 = 16u;
const DEPTH: u32 = 16u;

var<workgroup> a_tile: array<f32, 4u * SIDE * DEPTH>;
var<workgroup> b_tile: array<f32, 4u * SIDE * DEPTH>;

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let tile = 4u * SIDE;
  let across = (params.columns + tile - 1u) / tile;
  let group = fold(workgroup, workgroups);
  let model = workgroup.z;
  let first_row = group / across * tile;
  let first_column = group % across * tile;
  // Groups that only fill the last fold have rows beyond the end: they load zeros, store nothing.

  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  var row_sums = vec4<f32>();
  for (var first_k = 0u; first_k < params.depth; first_k += DEPTH) {
    for (var load = index; load < tile * DEPTH; load += SIDE * SIDE) {
      // Neighbouring invocations load along whichever direction is contiguous.
      let a_along_k = params.a.column == 1u;
      let ak = select(load / tile, load % DEPTH, a_along_k);
      let ai = select(load % tile, load / DEPTH, a_along_k);
      let b_along_k = params.b.row == 1u;
      let bk = select(load / tile, load % DEPTH, b_along_k);
      let bj = select(load % tile, load / DEPTH, b_along_k);
      var left = 0.0;
      if first_row + ai < params.rows && first_k + ak < params.depth {
        left = a[at(params.a, model, first_row + ai, first_k + ak)];
      }
      var right = 0.0;
      if first_column + bj < params.columns && first_k + bk < params.depth {
        right = b[at(params.b, model, first_k + bk, first_column + bj)];
      }
      a_tile[ak * tile + ai] = left;
      b_tile[bk * tile + bj] = right;
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let from_a = k * tile + local.y;
      let from_b = k * tile + local.x;
      let right = vec4(b_tile[from_b], b_tile[from_b + SIDE], b_tile[from_b + 2u * SIDE], b_tile[from_b + 3u * SIDE]);
      let left = vec4(a_tile[from_a], a_tile[from_a + SIDE], a_tile[from_a + 2u * SIDE], a_tile[from_a + 3u * SIDE]);
      sum0 = fma(vec4(left.x), right, sum0);
      sum1 = fma(vec4(left.y), right, sum1);
      sum2 = fma(vec4(left.z), right, sum2);
      sum3 = fma(vec4(left.w), right, sum3);
      row_sums += left;
    }
    workgroupBarrier();
  }

  let j = first_column + local.x;
  store(model, first_row + local.y, j, sum0, row_sums.x);
  store(model, first_row + local.y + SIDE, j, sum1, row_sums.y);
  store(model, first_row + local.y + 2u * SIDE, j, sum2, row_sums.z);
  store(model, first_row + local.y + 3u * SIDE, j, sum3, row_sums.w);
}

fn store(model: u32, i: u32, j: u32, sum: vec4<f32>, row_sum: f32) {
  if i >= params.rows {
    return;
  }
  store_one(model, i, j, sum.x);
  store_one(model, i, j + SIDE, sum.y);
  store_one(model, i, j + 2u * SIDE, sum.z);
  store_one(model, i, j + 3u * SIDE, sum.w);
  if params.epilogue == ROW_SUMS && j == 0u {
    c[at(params.sums, model, i, 0u)] = row_sum;
  }
}

fn store_one(model: u32, i: u32, j: u32, sum: f32) {
  if j < params.columns {
    c[at(params.c, model, i, j)] =
      finish(params.epilogue, params.kind, params.alpha, sum, extra[at(params.extra, model, i, j)]);
  }
}
