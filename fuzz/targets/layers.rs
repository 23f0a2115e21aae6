//! Networks as text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::Network;
use nngpu::nn::{layers_of, layers_text};

fuzz_target!(|text: &str| {
    nngpu_fuzz::round_trip::<Network>(text);
    if let Ok(layers) = layers_of(text).map_err(|error| error.to_string()) {
        let printed = layers_text(&layers);
        let again = layers_of(&printed).unwrap_or_else(|error| panic!("{text:?} prints as {printed:?}: {error}"));
        assert_eq!(layers_text(&again), printed);
    }
});
