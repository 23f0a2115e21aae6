//! Parquet files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::data::{Format, ReadOptions};

fuzz_target!(init: {
    // libFuzzer's hook ends the process at a panic, be it caught or not; those of the decoder are caught. Others still end it.
    drop(std::panic::take_hook());
}, |bytes: &[u8]| {
    let options = ReadOptions { format: Some(Format::Parquet), missing: vec!["1".into()], ..ReadOptions::default() };
    nngpu_fuzz::read(bytes, &options);
});
