//! NumPy's arrays.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::data::{Format, ReadOptions};

fuzz_target!(|bytes: &[u8]| {
    let format = if bytes.starts_with(b"\x93NUMPY") { Format::Npy } else { Format::Npz };
    nngpu_fuzz::read(bytes, &ReadOptions { format: Some(format), missing: vec!["1".into()], ..ReadOptions::default() });
});
