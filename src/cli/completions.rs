//! `nngpu completions`.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Arguments, Ending, Failure};

/// Write what a shell needs to complete commands and options
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nngpu completions bash > ~/.local/share/bash-completion/completions/nngpu
  nngpu completions zsh > ~/.zfunc/_nngpu
  nngpu completions fish > ~/.config/fish/completions/nngpu.fish
  nngpu completions powershell >> $PROFILE")]
pub struct Completions {
    /// The shell that reads it
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Ending, Failure> {
        // Into memory first: a closed pipe is no reason to panic.
        let mut script = Vec::new();
        generate(self.shell, &mut Arguments::command(), "nngpu", &mut script);
        io::stdout().lock().write_all(&script)?;
        Ok(Ending::Done)
    }
}
