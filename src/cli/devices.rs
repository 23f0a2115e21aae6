//! `nngpu devices`.

use std::io::{self, Write};

use indicatif::HumanBytes;
use nngpu::compute::{AdapterReport, adapters};
use serde::Serialize;

use super::{Ending, Failure};

/// List the GPU adapters of this machine
#[derive(Debug, clap::Args)]
pub struct Devices {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What tools read. A change that they cannot read raises `version`.
#[derive(Serialize)]
struct Report {
    version: u32,
    adapters: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    /// What `--device` takes.
    index: usize,
    #[serde(flatten)]
    adapter: AdapterReport,
}

impl Devices {
    pub fn run(self) -> Result<Ending, Failure> {
        let adapters = adapters().into_iter().enumerate().map(|(index, adapter)| Listed { index, adapter });
        let report = Report { version: 1, adapters: adapters.collect() };
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &report).map_err(io::Error::from)?;
            writeln!(out)?;
        } else if report.adapters.is_empty() {
            writeln!(out, "no GPU adapter found; the CPU needs none (`--device cpu`)")?;
        } else {
            writeln!(out, "{}", list(&report.adapters))?;
        }
        out.flush()?;
        Ok(Ending::Done)
    }
}

/// A few short lines for each adapter, which fit any terminal.
fn list(adapters: &[Listed]) -> String {
    let describe = |Listed { index, adapter }: &Listed| {
        format!(
            "{index}  {name}\n   {kind}, {backend}, driver {driver}\n   buffers up to {buffer}, workgroups up to {width} \
             wide with {memory}\n   {features}",
            name = adapter.name,
            kind = adapter.kind,
            backend = adapter.backend,
            driver = [adapter.driver.as_str(), adapter.driver_info.as_str()].join(" ").trim(),
            buffer = HumanBytes(adapter.limits.max_binding_bytes),
            width = adapter.limits.max_invocations,
            memory = HumanBytes(adapter.limits.max_workgroup_bytes.into()),
            features = adapter.features.join(", "),
        )
    };
    adapters.iter().map(describe).collect::<Vec<_>>().join("\n\n")
}
