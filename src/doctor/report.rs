//! What was found, for tools and for reports from machines that no test has seen.

use serde::{Serialize, Serializer};
use serde_json::json;

use super::Finding;
use crate::compute::AdapterReport;
use crate::{Device, kernels};

/// What was found on a machine. A change that tools cannot read raises `version`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Of this form, 1.
    pub version: u32,
    /// This crate's version.
    pub nngpu: &'static str,
    /// Changes with the text of any shader.
    pub kernels: String,
    /// Whether shaders check every index, as builds for debugging do.
    pub is_checked: bool,
    /// The operating system, as Rust names it.
    pub os: &'static str,
    /// The processor's architecture, as Rust names it.
    pub architecture: &'static str,
    /// Each device that was examined.
    pub devices: Vec<Examined>,
}

/// What was found of one device.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Examined {
    /// What it is, for people.
    pub device: String,
    /// Its adapter with limits and features; none for the CPU.
    pub adapter: Option<AdapterReport>,
    /// Whether everything was right.
    pub passed: bool,
    /// Why it could not be opened.
    pub error: Option<String>,
    /// What was found of each kernel.
    pub findings: Vec<Finding>,
}

impl Report {
    /// A report of this machine.
    pub fn new(devices: Vec<Examined>) -> Report {
        Report {
            version: 1,
            nngpu: env!("CARGO_PKG_VERSION"),
            kernels: format!("{:016x}", kernels::fingerprint()),
            is_checked: cfg!(debug_assertions),
            os: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            devices,
        }
    }
}

impl Examined {
    /// A device with what was found of it.
    pub fn new(device: &Device, findings: Vec<Finding>) -> Examined {
        let passed = findings.iter().all(Finding::is_right);
        Examined { device: device.description(), adapter: device.adapter(), passed, error: None, findings }
    }

    /// An adapter that could not be opened, and why.
    pub fn not_opened(adapter: AdapterReport, error: String) -> Examined {
        let (device, findings) = (adapter.name.clone(), Vec::new());
        Examined { device, adapter: Some(adapter), passed: false, error: Some(error), findings }
    }

    /// How much of it was wrong; a device that could not be opened counts as one.
    pub fn n_wrong(&self) -> usize {
        let n_findings = self.findings.iter().filter(|finding| !finding.is_right()).count();
        n_findings + usize::from(self.error.is_some())
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = json!({
            "name": self.name,
            "form": self.form,
            "is_used": self.is_own,
            "cases": self.n_cases,
            "passed": self.is_right(),
            "failures": self.failures,
            // JSON has no infinity.
            "worst_error_part_of_bound": self.worst.is_finite().then_some(self.worst),
            "elapsed_ms": self.elapsed.as_secs_f64() * 1e3,
        });
        value.serialize(serializer)
    }
}
