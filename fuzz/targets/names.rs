//! Activations, losses, first values and optimizers as text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::nn::Init;
use nngpu::{Activation, Compat, Loss, Optimizer};

fuzz_target!(|text: &str| {
    nngpu_fuzz::round_trip::<Activation>(text);
    nngpu_fuzz::round_trip::<Loss>(text);
    nngpu_fuzz::round_trip::<Init>(text);
    let _ = text.parse::<Compat>().map_err(|error| error.to_string());
    if let Ok(optimizer) = Optimizer::named(text, None) {
        assert_eq!(optimizer.name(), text);
    }
});
