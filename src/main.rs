//! The command `nngpu`: trains a network on a table or on images, and predicts with it.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
