//! `nngpu explain`.
use super::{Ending, Failure};
/// Explain
#[derive(Debug, clap::Args)]
pub struct Explain {}
impl Explain {
    pub fn run(self) -> Result<Ending, Failure> {
        Ok(Ending::Done)
    }
}
