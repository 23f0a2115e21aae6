//! Schedules as text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::train::Schedule;

fuzz_target!(|text: &str| nngpu_fuzz::round_trip::<Schedule>(text));
