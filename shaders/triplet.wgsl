// values[r] = max(0, |a - b| - |a - c| + margin) of the rows a of anchors, b of positives, c of negatives,
//   where |d| = (sum of |d[i]|^p + eps)^(1 / p)
// danchor[r, i] = (u[i] - v[i]) scale, dpositive[r, i] = -u[i] scale, dnegative[r, i] = v[i] scale where
//   values[r] is above 0, else 0, with u[i] = sign(a[i] - b[i]) (|a[i] - b[i]| / |a - b|)^(p - 1), v of c alike
// All are [rows, columns], but values are [rows, 1]. Powers are taken of differences divided by the
// largest, where that is above 1: they cannot overflow. One invocation per row.

struct Params {
  anchors: View,
  positives: View,
  negatives: View,
  values: View,
  danchors: View,
  dpositives: View,
  dnegatives: View,
  rows: u32,
  columns: u32,
  p: f32,
  margin: f32,
  eps: f32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> anchors: array<f32>;
@group(0) @binding(2) var<storage, read> positives: array<f32>;
@group(0) @binding(3) var<storage, read> negatives: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> danchors: array<f32>;
@group(0) @binding(6) var<storage, read_write> dpositives: array<f32>;
@group(0) @binding(7) var<storage, read_write> dnegatives: array<f32>;

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
  var unit_positive = 1.0;
  var unit_negative = 1.0;
  for (var c = 0u; c < params.columns; c++) {
    let anchor = anchors[at(params.anchors, model, row, c)];
    unit_positive = max(unit_positive, abs(anchor - positives[at(params.positives, model, row, c)]));
    unit_negative = max(unit_negative, abs(anchor - negatives[at(params.negatives, model, row, c)]));
  }
  var sum_positive = params.eps / power(unit_positive, params.p);
  var sum_negative = params.eps / power(unit_negative, params.p);
  for (var c = 0u; c < params.columns; c++) {
    let anchor = anchors[at(params.anchors, model, row, c)];
    let positive = abs(anchor - positives[at(params.positives, model, row, c)]);
    let negative = abs(anchor - negatives[at(params.negatives, model, row, c)]);
    sum_positive += power(positive / unit_positive, params.p);
    sum_negative += power(negative / unit_negative, params.p);
  }
  let distance_positive = unit_positive * power(sum_positive, 1.0 / params.p);
  let distance_negative = unit_negative * power(sum_negative, 1.0 / params.p);
  let value = distance_positive - distance_negative + params.margin;
  // NaN goes through, to be seen.
  let scale = select(0.0, params.scale, value > 0.0 || is_nan(value));
  for (var c = 0u; c < params.columns; c++) {
    let anchor = anchors[at(params.anchors, model, row, c)];
    let positive = anchor - positives[at(params.positives, model, row, c)];
    let negative = anchor - negatives[at(params.negatives, model, row, c)];
    let u = sign(positive) * power(abs(positive) / distance_positive, params.p - 1.0) * scale;
    let v = sign(negative) * power(abs(negative) / distance_negative, params.p - 1.0) * scale;
    danchors[at(params.danchors, model, row, c)] = u - v;
    dpositives[at(params.dpositives, model, row, c)] = -u;
    dnegatives[at(params.dnegatives, model, row, c)] = v;
  }
  values[at(params.values, model, row, 0u)] = select(0.0, value, value > 0.0 || is_nan(value));
}
