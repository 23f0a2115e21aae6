//! Images and labels in IDX files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::data::idx::{read_images, read_labels};

fuzz_target!(|bytes: &[u8]| {
    nngpu_fuzz::with_file(bytes, |path| {
        let _ = read_images(path).map_err(|error| nngpu_fuzz::show(&error));
        let _ = read_labels(path).map_err(|error| nngpu_fuzz::show(&error));
    });
});
