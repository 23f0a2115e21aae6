//! `nngpu devices`.

use std::io::{self, Write};

use nngpu::compute::{AdapterReport, adapters};
use serde::Serialize;

use super::summary::table;
use super::{Ending, Failure};

/// List the GPU adapters of this machine
#[derive(Debug, clap::Args)]
pub struct Devices {
    /// Print JSON, with every limit
    #[arg(long)]
    json: bool,
}

/// What tools read. A change that they cannot read raises `version`.
#[derive(Serialize)]
struct Report {
    version: u32,
    adapters: Vec<AdapterReport>,
}

impl Devices {
    pub fn run(self) -> Result<Ending, Failure> {
        let report = Report { version: 1, adapters: adapters() };
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

fn list(adapters: &[AdapterReport]) -> String {
    let mut table = table();
    table.set_header(["index", "name", "backend", "type", "driver", "largest buffer", "features"]);
    for adapter in adapters {
        table.add_row([
            adapter.index.to_string(),
            adapter.name.clone(),
            adapter.backend.clone(),
            adapter.kind.to_string(),
            adapter.driver.clone(),
            indicatif::HumanBytes(adapter.max_binding_bytes).to_string(),
            adapter.features.join(", "),
        ]);
    }
    table.to_string()
}
