
// The level that a code names: rounded to the nearest (ties to even), 0 for negative codes and NaN, and
// the last level for those beyond it.
fn level(code: f32, levels: u32) -> u32 {
  // A code that is no number must not reach the conversion, whose result would be anybody's.
  let number = select(code, 0.0, is_nan(code));
  // 4294967040 is the largest f32 that a u32 holds.
  return min(u32(clamp(round(number), 0.0, 4294967040.0)), levels - 1u);
}
