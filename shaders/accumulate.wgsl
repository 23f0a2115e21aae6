// y = x for the first batch of a group, else y += batch / (before + batch) * (x - y)
// x and y are [1, length], position is [1, 1]: rows of the epoch that came before this batch; before is how many
// of them are of its group of group_rows. So y is the mean over all rows of the group up to here, whose batches
// have batch rows each. One invocation per element.

struct Params {
  x: View,
  position: View,
  y: View,
  length: u32,
  batch: u32,
  group_rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> position: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

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
  let before = position[at(params.position, model, 0u, 0u)] % params.group_rows;
  let value = x[at(params.x, model, 0u, i)];
  let place = at(params.y, model, 0u, i);
  if before == 0u {
    y[place] = value;
  } else {
    y[place] += f32(params.batch) / f32(before + params.batch) * (value - y[place]);
  }
}
