
// Threefry-2x32 with 20 rounds: the function of `random::threefry2x32`, bit for bit.
fn threefry2x32(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
  let parity = key.x ^ key.y ^ 0x1bd11bdau;
  var words = vec2<u32>(counter.x + key.x, counter.y + key.y);
  words = four_rounds(words, true, key.y, parity + 1u);
  words = four_rounds(words, false, parity, key.x + 2u);
  words = four_rounds(words, true, key.x, key.y + 3u);
  words = four_rounds(words, false, key.y, parity + 4u);
  return four_rounds(words, true, parity, key.x + 5u);
}

// Four rounds and what the schedule of the key adds after them.
fn four_rounds(words: vec2<u32>, is_even: bool, first: u32, second: u32) -> vec2<u32> {
  var a = words.x;
  var b = words.y;
  a += b;
  b = rotated(b, select(17u, 13u, is_even)) ^ a;
  a += b;
  b = rotated(b, select(29u, 15u, is_even)) ^ a;
  a += b;
  b = rotated(b, select(16u, 26u, is_even)) ^ a;
  a += b;
  b = rotated(b, select(24u, 6u, is_even)) ^ a;
  return vec2<u32>(a + first, b + second);
}

// A word turned to the left by 1 to 31 bits.
fn rotated(word: u32, bits: u32) -> u32 {
  return (word << bits) | (word >> (32u - bits));
}
