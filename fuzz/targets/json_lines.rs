//! Lines of JSON, whole and in parts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::data::{Format, ReadOptions};

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions { format: Some(Format::JsonLines), missing: vec!["1".into()], ..ReadOptions::default() };
    nngpu_fuzz::read_in_parts(bytes, &options, 2);
});
