//! The command `nngpu`.

fn main() {}
