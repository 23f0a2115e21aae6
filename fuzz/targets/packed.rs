//! Any format by its content.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::data::ReadOptions;

fuzz_target!(init: {
    drop(std::panic::take_hook());
}, |bytes: &[u8]| {
    nngpu_fuzz::read(bytes, &ReadOptions::default());
});
