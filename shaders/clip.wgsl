// x = x, or limit where it is above, or -limit where it is below
// x is [1, length]; what is not a number stays. One invocation per element.

struct Params {
  x: View,
  length: u32,
  limit: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = fold(workgroup, workgroups) * 64u + local;
  if i >= params.length {
    return;
  }
  let model = workgroup.z;
  let place = at(params.x, model, 0u, i);
  let value = x[place];
  if !is_nan(value) {
    x[place] = clamp(value, -params.limit, params.limit);
  }
}
