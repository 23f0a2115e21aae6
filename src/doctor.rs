//! Examines a device: every kernel against its definition, and a short training.

use std::ops::ControlFlow;

use serde_json::{Value, json};
use web_time::{Duration, Instant};

use crate::compute::Kernel;
use crate::conformance::{Case, cases};
use crate::data::{Classes, Dataset, Matrix, Targets};
use crate::kernels;
use crate::random::KeySequence;
use crate::train::{Settings, fit_async};
use crate::{Activation, Device, Mlp, Optimizer, Result};

/// How a device computes one kernel, or a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The kernel's name, or `training`.
    pub name: &'static str,
    /// How many cases were computed.
    pub n_cases: usize,
    /// What was wrong: the case, and the expected and the found value, or what the driver said.
    pub failures: Vec<String>,
    /// The largest difference from the definition, as a part of what is allowed: at most 1 where
    /// nothing failed.
    pub worst: f32,
    /// How long the device took, compiling included.
    pub elapsed: Duration,
}

/// Examines a device; `observe` is told each finding as it is made.
///
/// Every kernel computes the cases of [`crate::conformance`] in the forms that this adapter chooses,
/// and a small network is trained for some steps; both are compared with [`Device::reference`].
#[cfg(not(target_arch = "wasm32"))]
pub fn examine(device: &Device, observe: &mut dyn FnMut(&Finding)) -> Vec<Finding> {
    pollster::block_on(examine_async(device, observe))
}

/// Examines a device as [`examine`] does, without blocking in a browser.
pub async fn examine_async(device: &Device, observe: &mut dyn FnMut(&Finding)) -> Vec<Finding> {
    let cases = cases();
    let mut findings = Vec::new();
    for kernel in kernels::all() {
        findings.push(examine_kernel(device, kernel, &cases).await);
        observe(&findings[findings.len() - 1]);
    }
    findings.push(examine_training(device).await);
    observe(&findings[findings.len() - 1]);
    findings
}

/// What was found of some devices, each with its description, as JSON for tools.
pub fn report(devices: &[(String, Vec<Finding>)]) -> Value {
    let device = |(description, findings): &(String, Vec<Finding>)| json!({ "device": description, "findings": findings.iter().map(Finding::to_json).collect::<Vec<_>>() });
    json!({ "version": 1, "devices": devices.iter().map(device).collect::<Vec<_>>() })
}

async fn examine_kernel(device: &Device, kernel: &Kernel, cases: &[Case]) -> Finding {
    let mut finding = Finding::of(kernel.name);
    let reference = Device::reference();
    for case in cases.iter().filter(|case| case.kernel == kernel) {
        finding.n_cases += 1;
        let start = Instant::now();
        let found = case.run_async(device).await;
        finding.elapsed += start.elapsed();
        let expected = case.run_async(&reference).await;
        match found.and_then(|found| Ok((found, expected?))) {
            Ok((found, expected)) => {
                let (worst, is_right) = case.compare(&expected, &found);
                if let (false, Some(worst)) = (is_right, &worst) {
                    let (expected, found, index) = (worst.expected, worst.found, worst.index);
                    let place = format!("`{}` at {index}", worst.buffer);
                    finding.failures.push(format!("{}: found {found} in {place}, expected {expected}", case.name));
                }
                finding.worst = finding.worst.max(worst.map_or(0.0, |worst| worst.part));
            }
            Err(error) => finding.fail(format!("{}: {error}", case.name)),
        }
    }
    finding
}

/// Epochs of the training.
const EPOCHS: usize = 5;

async fn examine_training(device: &Device) -> Finding {
    let mut finding = Finding { n_cases: 1, ..Finding::of("training") };
    let start = Instant::now();
    let found = train(device).await;
    finding.elapsed = start.elapsed();
    let expected = train(&Device::reference()).await;
    match found.and_then(|found| Ok((expected?, found))) {
        Ok((expected, found)) => {
            for (epoch, (expected, found)) in (1..).zip(expected.iter().zip(&found)) {
                let part = (expected - found).abs() / LOSS_TOLERANCE;
                finding.worst = finding.worst.max(part as f32);
                let is_near = part <= 1.0;
                if !is_near {
                    finding.failures.push(format!("loss of epoch {epoch}: found {found}, expected {expected}"));
                }
            }
        }
        Err(error) => finding.fail(error.to_string()),
    }
    finding
}

/// 5 epochs of 4 steps; each may round each of its sums, of at most 33 terms near 1, otherwise: 64
/// units in the last place of 1 a step.
const LOSS_TOLERANCE: f64 = (EPOCHS * 4 * 64) as f64 * f32::EPSILON as f64;

/// The loss of each epoch of a small network: 100 points in a square, in or out of a disc.
async fn train(device: &Device) -> Result<Vec<f64>> {
    let points = KeySequence::new(0).uniform(-1.0, 1.0, 200);
    let is_inside = |point: &[f32]| u32::from(point[0] * point[0] + point[1] * point[1] < 0.6);
    let indices = points.chunks(2).map(is_inside).collect();
    let classes = Classes { indices, names: vec!["out".into(), "in".into()] };
    let data = Dataset::new(Matrix::new(100, 2, points)?, Targets::Classes(classes))?;
    let mut mlp = Mlp::new(device, &[2, 33, 2], Activation::Tanh, 0)?;
    let settings = Settings { optimizer: Optimizer::adam(0.01), batch_size: 32, epochs: EPOCHS, seed: 0 };
    let history = fit_async(&mut mlp, &data, None, &settings, &mut |_| ControlFlow::Continue(())).await?;
    Ok(history.epochs.iter().map(|epoch| epoch.loss).collect())
}

impl Finding {
    fn of(name: &'static str) -> Finding {
        Finding { name, n_cases: 0, failures: Vec::new(), worst: 0.0, elapsed: Duration::ZERO }
    }

    fn fail(&mut self, message: String) {
        self.failures.push(message);
        self.worst = f32::INFINITY;
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "cases": self.n_cases,
            "passed": self.is_right(),
            "failures": self.failures,
            // JSON has no infinity.
            "worst_error_part_of_bound": self.worst.is_finite().then_some(self.worst),
            "elapsed_ms": self.elapsed.as_secs_f64() * 1e3,
        })
    }

    /// Whether everything was right.
    pub fn is_right(&self) -> bool {
        self.failures.is_empty()
    }
}
