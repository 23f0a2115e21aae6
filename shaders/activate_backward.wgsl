// dz[r, o] = dy[r, o] * f'(z[r, o]), the slope told from source: y = f(z) for
// activations whose output suffices, z for the others. For ReLU the slope is a mask.
// dy, source and dz are [rows, columns]. One invocation per element.

struct Params {
  dy: View,
  source: View,
  dz: View,
  rows: u32,
  columns: u32,
  kind: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read_write> dz: array<f32>;

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
  dz[at(params.dz, model, row, column)] =
    dy[at(params.dy, model, row, column)]
    * derivative(params.kind, params.alpha, params.beta, source[at(params.source, model, row, column)]);
}
