
// Whether a number is NaN, told from its bits: WGSL lets a compiler assume that comparisons meet none.
fn is_nan(z: f32) -> bool {
  return (bitcast<u32>(z) & 0x7fffffffu) > 0x7f800000u;
}
