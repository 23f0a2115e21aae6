// counter[r, c] += by, from 2^32 - 1 on to 0
// counter is [rows, columns]. The number of a training step counts on without the host. One invocation
// per element.

struct Params {
  counter: View,
  rows: u32,
  columns: u32,
  by: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> counter: array<u32>;

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
  counter[at(params.counter, workgroup.z, i / params.columns, i % params.columns)] += params.by;
}
