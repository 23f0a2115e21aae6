//! Weights in npz and safetensors files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::nn::{Network, WeightsOptions, read_weights};

fuzz_target!(|bytes: &[u8]| {
    nngpu_fuzz::with_file(bytes, |path| {
        let network = |_: &_| "2 -> 3 relu 1".parse::<Network>();
        let _ = read_weights(path, &WeightsOptions::default(), network).map_err(|error| error.to_string());
    });
});
