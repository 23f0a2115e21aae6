//! `nngpu doctor`.

use std::io::{self, Write};

use nngpu::compute::{AdapterReport, adapters};
use nngpu::doctor::{Examined, Extent, Finding, Report, examine};
use nngpu::{Device, Error};

use super::{DeviceOption, Ending, Failure, first_use};

/// Examine devices: compute every kernel and a short training, and compare with the definitions
///
/// Exit code 1 tells that something was wrong. What passes is not examined again by `nngpu train`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nngpu doctor                            the device that `auto` takes
  nngpu doctor --all --json > report.json every device, to attach to a report")]
pub struct Doctor {
    #[command(flatten)]
    device: DeviceOption,

    /// Examine the CPU and every adapter, software adapters included
    #[arg(long, conflicts_with = "device")]
    all: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(self) -> Result<Ending, Failure> {
        let mut out = io::stdout().lock();
        let mut devices = Vec::new();
        if self.all {
            devices.push(self.examine(&Device::cpu(), &mut out)?);
            for (index, adapter) in adapters().into_iter().enumerate() {
                // One that cannot be opened must not hide the others.
                devices.push(match Device::open(&index.to_string()) {
                    Ok(device) => self.examine(&device, &mut out)?,
                    Err(error) => self.not_opened(adapter, &error, &mut out)?,
                });
            }
        } else {
            devices.push(self.examine(&self.device.open(None)?, &mut out)?);
        }
        let wrong = devices.iter().filter(|device| !device.passed);
        let (n_wrong, names) = (wrong.clone().map(Examined::n_wrong).sum(), wrong.map(|d| d.device.clone()));
        let result = match names.collect::<Vec<_>>() {
            names if names.is_empty() => Ok(Ending::Done),
            devices => Err(Error::Diagnosis { n_wrong, devices }.into()),
        };
        if self.json {
            serde_json::to_writer_pretty(&mut out, &Report::new(devices)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        out.flush()?;
        result
    }

    fn examine(&self, device: &Device, out: &mut dyn Write) -> Result<Examined, Failure> {
        if !self.json {
            write_header(out, &device.description())?;
        }
        let mut written = Ok(());
        let findings = examine(device, Extent::Whole, &mut |finding| {
            if !self.json && written.is_ok() {
                written = write_finding(out, finding);
            }
        });
        written?;
        if findings.iter().all(|finding| finding.is_right() || !finding.is_own) {
            first_use::remember(device);
        } else {
            first_use::forget(device);
        }
        Ok(Examined::new(device, findings))
    }

    fn not_opened(&self, adapter: AdapterReport, error: &Error, out: &mut dyn Write) -> io::Result<Examined> {
        let mut message = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            message += &format!(": {cause}");
        }
        if !self.json {
            writeln!(out, "{} ({})\n  FAILED  {message}\n", adapter.name, adapter.backend)?;
        }
        Ok(Examined::not_opened(adapter, message))
    }
}

/// Columns of a kernel's name.
const NAME: usize = 21;

fn write_header(out: &mut dyn Write, device: &str) -> io::Result<()> {
    writeln!(out, "{device}\n\n  {:<NAME$} {:<8} {:>5} {:>7} {:>9}", "kernel", "form", "cases", "error*", "time")
}

/// A line of at most 80 columns, and one for each of the first failures.
fn write_finding(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    let verdict = if finding.is_right() { "passed" } else { "FAILED" };
    let elsewhere = if finding.is_own { "" } else { ", not used here" };
    let error = match finding.worst {
        worst if worst.is_finite() => format!("{:.1} %", 100.0 * worst),
        _ => "-".into(),
    };
    // The name of a formula's kernel has a line of its own.
    let is_long = finding.name.chars().count() > NAME;
    if is_long {
        writeln!(out, "  {}", finding.name)?;
    }
    writeln!(
        out,
        "  {:<NAME$} {:<8} {:>5} {error:>7} {:>6.0} ms  {verdict}{elsewhere}",
        if is_long { "" } else { finding.name },
        finding.form,
        finding.n_cases,
        finding.elapsed.as_secs_f64() * 1e3,
    )?;
    for failure in finding.failures.iter().take(3) {
        writeln!(out, "      {failure}")?;
    }
    match finding.failures.len().saturating_sub(3) {
        0 => {}
        more => writeln!(out, "      and {more} more")?,
    }
    // The training is the last.
    if finding.form.is_empty() { writeln!(out, "\n  * the worst, of what rounding allows\n") } else { Ok(()) }
}
