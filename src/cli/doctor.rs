//! `nngpu doctor`.

use std::io::{self, Write};

use nngpu::compute::adapters;
use nngpu::doctor::{Finding, examine, report};
use nngpu::{Device, Error};

use super::{Ending, Failure};

/// Examine devices: compute every kernel and a short training, and compare with the definitions
///
/// Exit code 1 tells that something was wrong.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Device to examine, as in the other commands; cpu for the CPU's fast kernels
    #[arg(short, long, value_name = "DEVICE", default_value = "auto", conflicts_with = "all")]
    device: String,

    /// Examine the CPU and every adapter, software adapters included
    #[arg(long)]
    all: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(self) -> Result<Ending, Failure> {
        let names = if self.all {
            let indices = adapters().into_iter().map(|adapter| adapter.index.to_string());
            std::iter::once("cpu".to_string()).chain(indices).collect()
        } else {
            vec![self.device.clone()]
        };
        let mut out = io::stdout().lock();
        let mut examined = Vec::new();
        let mut n_wrong = 0;
        for name in names {
            let device = Device::open(&name)?;
            if !self.json {
                writeln!(out, "{}", device.description())?;
            }
            let mut written = Ok(());
            let findings = examine(&device, &mut |finding| {
                if !self.json && written.is_ok() {
                    written = write_finding(&mut out, finding);
                }
            });
            written?;
            n_wrong += findings.iter().filter(|finding| !finding.is_right()).count();
            examined.push((device.description(), findings));
        }
        if self.json {
            serde_json::to_writer_pretty(&mut out, &report(&examined)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        out.flush()?;
        if n_wrong > 0 {
            return Err(Error::Diagnosis { n_wrong }.into());
        }
        Ok(Ending::Done)
    }
}

fn write_finding(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    let verdict = if finding.is_right() { "passed" } else { "FAILED" };
    writeln!(
        out,
        "  {verdict}  {:<22} {:>3} cases, worst error {:>5.1} % of its bound, {:>5.0} ms",
        finding.name,
        finding.n_cases,
        100.0 * finding.worst,
        finding.elapsed.as_secs_f64() * 1e3,
    )?;
    for failure in finding.failures.iter().take(3) {
        writeln!(out, "          {failure}")?;
    }
    match finding.failures.len().saturating_sub(3) {
        0 => Ok(()),
        more => writeln!(out, "          and {more} more"),
    }
}
