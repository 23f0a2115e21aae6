//! Formulas as text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::Formula;

fuzz_target!(|text: &str| {
    for variables in [&["x"][..], &["p", "t"]] {
        if let Ok(formula) = Formula::parse(text, variables).map_err(|error| error.to_string()) {
            let printed = formula.text();
            let again = Formula::parse(printed, variables)
                .unwrap_or_else(|error| panic!("{text:?} prints as {printed:?}, which is refused: {error}"));
            assert_eq!(again.text(), printed, "of {text:?}");
        }
    }
});
