// y[r, c] = a[r, c] op b[r, c]
// All are [rows, columns]; strides of 0 repeat rows, columns or a scalar. One invocation per element.

struct Params {
  a: View,
  b: View,
  y: View,
  rows: u32,
  columns: u32,
  operation: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const ADD: u32 = 0u;
const SUBTRACT: u32 = 1u;
const MULTIPLY: u32 = 2u;
const DIVIDE: u32 = 3u;
const MAXIMUM: u32 = 4u;
const POWER: u32 = 5u;

fn combine(p: f32, q: f32) -> f32 {
  switch params.operation {
    case ADD: { return p + q; }
    case SUBTRACT: { return p - q; }
    case MULTIPLY: { return p * q; }
    case DIVIDE: { return p / q; }
    // NaN goes through. No comparison meets one: Microsoft's FXC takes `!(p > q)` for `q >= p`.
    case MAXIMUM: { return select(q, p, is_nan(p) || (!is_nan(q) && p > q)); }
    case POWER: { return power(p, q); }
    default: { return p; }
  }
}

// pow of a negative number is undefined in WGSL: small whole exponents multiply, as one does by hand.
fn power(base: f32, exponent: f32) -> f32 {
  let count = abs(exponent);
  if is_nan(exponent) || count > 16.0 || count != floor(count) {
    return pow(base, exponent);
  }
  var product = 1.0;
  for (var i = 0u; i < u32(count); i++) {
    product *= base;
  }
  return select(product, 1.0 / product, exponent < 0.0);
}

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
  let row = i / params.columns;
  let column = i % params.columns;
  y[at(params.y, model, row, column)] =
    combine(a[at(params.a, model, row, column)], b[at(params.b, model, row, column)]);
}
