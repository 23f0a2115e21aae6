// x *= min(limit / (sqrt(square) + epsilon), most)
// x is [1, length], square is [1, 1]: the sum of its squares. With most = 1 it clips x to a norm of limit, with
// limit = 1 and a huge most it makes the norm 1. A norm that is not a number makes all of x so. One invocation
// per element.
// Source: MLX, python/mlx/optimizers/optimizers.py, clip_grad_norm.

struct Params {
  square: View,
  x: View,
  length: u32,
  limit: f32,
  epsilon: f32,
  most: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> square: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;

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
  let norm = sqrt(square[at(params.square, model, 0u, 0u)]);
  var scale = params.limit / (norm + params.epsilon);
  // Also where it is infinite; what is not a number stays.
  if scale > params.most {
    scale = params.most;
  }
  if is_nan(norm) {
    scale = norm;
  }
  x[at(params.x, model, 0u, i)] *= scale;
}
