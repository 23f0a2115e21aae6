// c[i, j] = finish(sum over k of a[i, k] * b[k, j])
// a is [rows, depth], b is [depth, columns], c is [rows, columns]; strides make either operand
// transposed, which gives the three products of a dense layer. One invocation per element of c.
//
// finish: nothing; or add the bias extra[0, j] and apply the activation; or multiply by the slope
// that extra[i, j] tells; or nothing, and also sums[i] = sum over k of a[i, k] into c's buffer,
// which is the bias gradient beside the weight gradient.

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

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = fold(workgroup, workgroups) * 64u + local;
  if index >= params.rows * params.columns {
    return;
  }
  let model = workgroup.z;
  let i = index / params.columns;
  let j = index % params.columns;
  var sum = 0.0;
  var row_sum = 0.0;
  for (var k = 0u; k < params.depth; k++) {
    let left = a[at(params.a, model, i, k)];
    sum = fma(left, b[at(params.b, model, k, j)], sum);
    row_sum += left;
  }
  c[at(params.c, model, i, j)] =
    finish(params.epilogue, params.kind, params.alpha, sum, extra[at(params.extra, model, i, j)]);
  if params.epilogue == ROW_SUMS && j == 0u {
    c[at(params.sums, model, i, 0u)] = row_sum;
  }
}
