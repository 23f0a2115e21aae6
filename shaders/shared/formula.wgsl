
// What formulas are made of, beside the operators and the functions of elementary.wgsl. NaN goes
// through all of it, told by its bits: WGSL's `max`, `min`, `sign` and comparisons may lose it.

// y, but x where that is NaN.
fn passing(y: f32, x: f32) -> f32 {
  return select(y, x, is_nan(x));
}

// NaN, made of the bits of a number: WGSL has no constant for it.
fn undefined(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u);
}

fn larger(a: f32, b: f32) -> f32 {
  return passing(passing(max(a, b), b), a);
}

fn smaller(a: f32, b: f32) -> f32 {
  return passing(passing(min(a, b), b), a);
}

// -1, 0 or 1.
fn direction(x: f32) -> f32 {
  return passing(sign(x), x);
}

fn logarithm(x: f32) -> f32 {
  return passing(select(log(x), undefined(x), x < 0.0), x);
}

fn root(x: f32) -> f32 {
  return passing(select(sqrt(x), undefined(x), x < 0.0), x);
}

// a to the power of b, which WGSL leaves open for a <= 0.
fn raised(a: f32, b: f32) -> f32 {
  let of_zero = select(select(1.0, 1.0 / abs(a), b < 0.0), 0.0, b > 0.0);
  let power = select(select(pow(abs(a), b), of_zero, a == 0.0), undefined(a), a < 0.0);
  return passing(passing(power, b), a);
}

// a where l compares with r as asked, else b.
fn chosen(l: f32, r: f32, compares: bool, a: f32, b: f32) -> f32 {
  return passing(passing(select(b, a, compares), r), l);
}
