// The product of matmul.wgsl for subgroups of 8 invocations: one subgroup computes 16 by 64 elements
// of c. Each lane holds 8 columns, eight apart, of all 16 rows in registers. Of a, every lane loads
// two rows, and the others take them by broadcast: where loads are dear and barriers dearer, as on
// a software adapter, this is some thirty times faster than one invocation per element.

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

const TILE_ROWS: u32 = 16u;
const TILE_COLUMNS: u32 = 64u;

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let across = (params.columns + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let group = fold(workgroup, workgroups);
  let model = workgroup.z;
  let first_row = group / across * TILE_ROWS;
  let first_column = group % across * TILE_COLUMNS;

  // Rows and columns beyond the end repeat the last one and are not stored.
  let last_row = params.rows - 1u;
  let a_low = at(params.a, model, min(first_row + lane, last_row), 0u);
  let a_high = at(params.a, model, min(first_row + 8u + lane, last_row), 0u);
  let last_column = params.columns - 1u;
  let b0 = at(params.b, model, 0u, min(first_column + lane, last_column));
  let b1 = at(params.b, model, 0u, min(first_column + 8u + lane, last_column));
  let b2 = at(params.b, model, 0u, min(first_column + 16u + lane, last_column));
  let b3 = at(params.b, model, 0u, min(first_column + 24u + lane, last_column));
  let b4 = at(params.b, model, 0u, min(first_column + 32u + lane, last_column));
  let b5 = at(params.b, model, 0u, min(first_column + 40u + lane, last_column));
  let b6 = at(params.b, model, 0u, min(first_column + 48u + lane, last_column));
  let b7 = at(params.b, model, 0u, min(first_column + 56u + lane, last_column));
  var low0 = vec4<f32>();
  var high0 = vec4<f32>();
  var low1 = vec4<f32>();
  var high1 = vec4<f32>();
  var low2 = vec4<f32>();
  var high2 = vec4<f32>();
  var low3 = vec4<f32>();
  var high3 = vec4<f32>();
  var low4 = vec4<f32>();
  var high4 = vec4<f32>();
  var low5 = vec4<f32>();
  var high5 = vec4<f32>();
  var low6 = vec4<f32>();
  var high6 = vec4<f32>();
  var low7 = vec4<f32>();
  var high7 = vec4<f32>();
  var low8 = vec4<f32>();
  var high8 = vec4<f32>();
  var low9 = vec4<f32>();
  var high9 = vec4<f32>();
  var low10 = vec4<f32>();
  var high10 = vec4<f32>();
  var low11 = vec4<f32>();
  var high11 = vec4<f32>();
  var low12 = vec4<f32>();
  var high12 = vec4<f32>();
  var low13 = vec4<f32>();
  var high13 = vec4<f32>();
  var low14 = vec4<f32>();
  var high14 = vec4<f32>();
  var low15 = vec4<f32>();
  var high15 = vec4<f32>();
  var sums_low = 0.0;
  var sums_high = 0.0;

  for (var k = 0u; k < params.depth; k++) {
    let step_a = k * params.a.column;
    let step_b = k * params.b.row;
    let left_low = a[a_low + step_a];
    let left_high = a[a_high + step_a];
    let low = vec4(b[b0 + step_b], b[b1 + step_b], b[b2 + step_b], b[b3 + step_b]);
    let high = vec4(b[b4 + step_b], b[b5 + step_b], b[b6 + step_b], b[b7 + step_b]);
    let left0 = vec4(subgroupBroadcast(left_low, 0u));
    low0 = fma(left0, low, low0);
    high0 = fma(left0, high, high0);
    let left1 = vec4(subgroupBroadcast(left_low, 1u));
    low1 = fma(left1, low, low1);
    high1 = fma(left1, high, high1);
    let left2 = vec4(subgroupBroadcast(left_low, 2u));
    low2 = fma(left2, low, low2);
    high2 = fma(left2, high, high2);
    let left3 = vec4(subgroupBroadcast(left_low, 3u));
    low3 = fma(left3, low, low3);
    high3 = fma(left3, high, high3);
    let left4 = vec4(subgroupBroadcast(left_low, 4u));
    low4 = fma(left4, low, low4);
    high4 = fma(left4, high, high4);
    let left5 = vec4(subgroupBroadcast(left_low, 5u));
    low5 = fma(left5, low, low5);
    high5 = fma(left5, high, high5);
    let left6 = vec4(subgroupBroadcast(left_low, 6u));
    low6 = fma(left6, low, low6);
    high6 = fma(left6, high, high6);
    let left7 = vec4(subgroupBroadcast(left_low, 7u));
    low7 = fma(left7, low, low7);
    high7 = fma(left7, high, high7);
    let left8 = vec4(subgroupBroadcast(left_high, 0u));
    low8 = fma(left8, low, low8);
    high8 = fma(left8, high, high8);
    let left9 = vec4(subgroupBroadcast(left_high, 1u));
    low9 = fma(left9, low, low9);
    high9 = fma(left9, high, high9);
    let left10 = vec4(subgroupBroadcast(left_high, 2u));
    low10 = fma(left10, low, low10);
    high10 = fma(left10, high, high10);
    let left11 = vec4(subgroupBroadcast(left_high, 3u));
    low11 = fma(left11, low, low11);
    high11 = fma(left11, high, high11);
    let left12 = vec4(subgroupBroadcast(left_high, 4u));
    low12 = fma(left12, low, low12);
    high12 = fma(left12, high, high12);
    let left13 = vec4(subgroupBroadcast(left_high, 5u));
    low13 = fma(left13, low, low13);
    high13 = fma(left13, high, high13);
    let left14 = vec4(subgroupBroadcast(left_high, 6u));
    low14 = fma(left14, low, low14);
    high14 = fma(left14, high, high14);
    let left15 = vec4(subgroupBroadcast(left_high, 7u));
    low15 = fma(left15, low, low15);
    high15 = fma(left15, high, high15);
    sums_low += left_low;
    sums_high += left_high;
  }

  let j = first_column + lane;
  store(model, first_row + 0u, j, low0, high0);
  store(model, first_row + 1u, j, low1, high1);
  store(model, first_row + 2u, j, low2, high2);
  store(model, first_row + 3u, j, low3, high3);
  store(model, first_row + 4u, j, low4, high4);
  store(model, first_row + 5u, j, low5, high5);
  store(model, first_row + 6u, j, low6, high6);
  store(model, first_row + 7u, j, low7, high7);
  store(model, first_row + 8u, j, low8, high8);
  store(model, first_row + 9u, j, low9, high9);
  store(model, first_row + 10u, j, low10, high10);
  store(model, first_row + 11u, j, low11, high11);
  store(model, first_row + 12u, j, low12, high12);
  store(model, first_row + 13u, j, low13, high13);
  store(model, first_row + 14u, j, low14, high14);
  store(model, first_row + 15u, j, low15, high15);
  if params.epilogue == ROW_SUMS && first_column == 0u {
    store_row_sum(model, first_row + lane, sums_low);
    store_row_sum(model, first_row + 8u + lane, sums_high);
  }
}

fn store(model: u32, i: u32, j: u32, low: vec4<f32>, high: vec4<f32>) {
  if i >= params.rows {
    return;
  }
  store_one(model, i, j, low.x);
  store_one(model, i, j + 8u, low.y);
  store_one(model, i, j + 16u, low.z);
  store_one(model, i, j + 24u, low.w);
  store_one(model, i, j + 32u, high.x);
  store_one(model, i, j + 40u, high.y);
  store_one(model, i, j + 48u, high.z);
  store_one(model, i, j + 56u, high.w);
}

fn store_one(model: u32, i: u32, j: u32, sum: f32) {
  if j < params.columns {
    c[at(params.c, model, i, j)] =
      finish(params.epilogue, params.kind, params.alpha, sum, extra[at(params.extra, model, i, j)]);
  }
}

fn store_row_sum(model: u32, i: u32, sum: f32) {
  if i < params.rows {
    c[at(params.sums, model, i, 0u)] = sum;
  }
}
