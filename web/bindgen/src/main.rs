//! `nngpu-web-bindgen LIBRARY.wasm FOLDER`: writes the module for browsers and its JavaScript.
//!
//! It is what `wasm-bindgen --target web` does. As a member of the workspace it has the version that
//! the library was compiled with, and nobody needs to install a command.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, folder] = &arguments[..] else {
        eprintln!("found {} arguments, expected two: the compiled library and the folder to write to", arguments.len());
        return ExitCode::from(2);
    };
    match write(library, folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(library: &str, folder: &str) -> anyhow::Result<()> {
    Bindgen::new()
        .input_path(library)
        .web(true)?
        .typescript(false)
        // The JavaScript finds the module beside itself.
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
}
