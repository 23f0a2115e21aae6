//! Model files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::model::Model;

fuzz_target!(|bytes: &[u8]| {
    nngpu_fuzz::with_file(bytes, |path| {
        if let Ok(model) = Model::load(path).map_err(|error| error.to_string()) {
            // What is read can be written, and is the same then.
            model.save(path).expect("a model that was read");
            let again = Model::load(path).expect("a model that was written");
            assert_eq!((again.values, again.network.to_string()), (model.values, model.network.to_string()));
        }
    });
});
