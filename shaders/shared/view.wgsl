
// Where the elements of an operand lie. A stride of 0 repeats.
struct View {
  offset: u32,
  model: u32,
  row: u32,
  column: u32,
}

// The position of an element.
fn at(view: View, model: u32, row: u32, column: u32) -> u32 {
  return view.offset + model * view.model + row * view.row + column * view.column;
}

// The number of a workgroup among those of its model: beyond the limit of one dimension they
// fold from x into y.
fn fold(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
  return workgroup.y * workgroups.x + workgroup.x;
}
