//! Examines a device: every kernel against its definition, and a short training.

mod report;

use std::ops::ControlFlow;

use web_time::{Duration, Instant};

use crate::compute::Kernel;
use crate::conformance::{Case, Class, Way, cases, classes, folding};
use crate::data::{Classes, Dataset, Matrix, Targets};
use crate::kernels;
use crate::random::KeySequence;
use crate::train::{Settings, fit_async};
use crate::{Activation, Device, Mlp, Optimizer, Result};

pub use report::{Examined, Report};

/// How a device computes one kernel in one form, or a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The kernel's name, or `training`.
    pub name: &'static str,
    /// The form of the kernel; on the CPU `fast`, or `twin` where a kernel has nothing faster. Empty
    /// for the training.
    pub form: &'static str,
    /// Whether the device takes this form for any case, or an adapter of another class would.
    pub is_own: bool,
    /// How many computations were compared.
    pub n_cases: usize,
    /// What was wrong: the case, and the expected and the found value, or what the driver said.
    pub failures: Vec<String>,
    /// The largest difference from the definition, as a part of what is allowed: at most 1 where
    /// nothing failed.
    pub worst: f32,
    /// How long the device took, compiling included.
    pub elapsed: Duration,
}

/// How much of it is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every case, in every form that the device can run, also in grids that fold.
    Whole,
    /// In the forms that the device chooses: the small cases, of at most 4,096 words, and of every form
    /// that none of these takes the smallest. One or two seconds, and as long as the driver takes to compile.
    Brief,
}

/// Examines a device; `observe` is told each finding as it is made.
///
/// The cases of [`crate::conformance`] are computed, and a small network is trained for some steps; both are
/// compared with [`Device::reference`].
#[cfg(not(target_arch = "wasm32"))]
pub fn examine(device: &Device, extent: Extent, observe: &mut dyn FnMut(&Finding)) -> Vec<Finding> {
    pollster::block_on(examine_async(device, extent, observe))
}

/// Examines a device as [`examine`] does, without blocking in a browser.
pub async fn examine_async(device: &Device, extent: Extent, observe: &mut dyn FnMut(&Finding)) -> Vec<Finding> {
    let cases = cases();
    let mut findings = Vec::new();
    for kernel in kernels::all_and_examples() {
        let own: Vec<_> = cases.iter().filter(|case| case.kernel == kernel).collect();
        let found = examine_kernel(device, kernel, &own, extent).await;
        found.iter().for_each(&mut *observe);
        findings.extend(found);
    }
    findings.push(examine_training(device).await);
    observe(&findings[findings.len() - 1]);
    findings
}

/// One finding for each form in which these cases of the kernel are computed.
async fn examine_kernel(device: &Device, kernel: &Kernel, cases: &[&Case], extent: Extent) -> Vec<Finding> {
    let reference = Device::reference();
    let mut findings: Vec<Finding> = Vec::new();
    for (case, ways) in course(device, cases, extent) {
        let expected = case.run_async(&reference).await.expect("the reference runs everything");
        for (Way { form, .. }, class) in ways {
            let known = findings.iter().position(|finding| finding.form == form);
            let finding = match known {
                Some(position) => &mut findings[position],
                None => {
                    findings.push(Finding { form, is_own: false, ..Finding::of(kernel.name) });
                    findings.last_mut().expect("just pushed")
                }
            };
            finding.is_own |= class.is_own;
            finding.n_cases += 1;
            let start = Instant::now();
            let found = case.run_async(&class.device).await;
            finding.elapsed += start.elapsed();
            match found {
                Ok(found) => finding.compare(case, &expected, &found),
                Err(error) => finding.fail(format!("{}: {error}", case.name)),
            }
        }
    }
    findings.sort_by_key(|finding| !finding.is_own);
    findings
}

/// Which cases are computed, and each in which ways, by a device that chooses so.
fn course<'a>(device: &Device, cases: &[&'a Case], extent: Extent) -> Vec<(&'a Case, Vec<(Way, Class)>)> {
    let classes = classes(device);
    if extent == Extent::Whole {
        let all: Vec<Class> = classes.iter().cloned().chain(classes.iter().flat_map(folding)).collect();
        return cases.iter().map(|case| (*case, different_ways(case, &all))).collect();
    }
    let own = &classes[..1];
    let mut by_size = cases.to_vec();
    by_size.sort_by_key(|case| case.n_words());
    let mut forms = Vec::new();
    let mut course = Vec::new();
    for case in by_size {
        let ways = different_ways(case, own);
        let is_new = ways.iter().any(|(way, _)| !forms.contains(&way.form));
        if is_new || case.n_words() <= SMALL {
            forms.extend(ways.iter().map(|(way, _)| way.form));
            course.push((case, ways));
        }
    }
    course
}

/// Words in all buffers of a case that [`Extent::Brief`] takes.
const SMALL: usize = 4096;

fn different_ways(case: &Case, classes: &[Class]) -> Vec<(Way, Class)> {
    let mut ways: Vec<(Way, Class)> = Vec::new();
    for class in classes {
        if let Some(way) = case.way(&class.device)
            && ways.iter().all(|(known, _)| *known != way)
        {
            ways.push((way, class.clone()));
        }
    }
    ways
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
    let settings =
        Settings { optimizer: Optimizer::adam(0.01), batch_size: 32, epochs: EPOCHS, seed: 0, ..Settings::default() };
    let history = fit_async(&mut mlp, &data, None, &settings, &mut |_| ControlFlow::Continue(())).await?;
    Ok(history.epochs.iter().map(|epoch| epoch.loss).collect())
}

impl Finding {
    fn of(name: &'static str) -> Finding {
        Finding { name, form: "", is_own: true, n_cases: 0, failures: Vec::new(), worst: 0.0, elapsed: Duration::ZERO }
    }

    fn compare(&mut self, case: &Case, expected: &[Vec<u32>], found: &[Vec<u32>]) {
        let (worst, is_right) = case.compare(expected, found);
        if let (false, Some(worst)) = (is_right, &worst) {
            let (expected, found, index) = (worst.expected, worst.found, worst.index);
            let place = format!("`{}` at {index}", worst.buffer);
            self.failures.push(format!("{}: found {found} in {place}, expected {expected}", case.name));
        }
        self.worst = self.worst.max(worst.map_or(0.0, |worst| worst.part));
    }

    fn fail(&mut self, message: String) {
        self.failures.push(message);
        self.worst = f32::INFINITY;
    }

    /// Whether everything was right.
    pub fn is_right(&self) -> bool {
        self.failures.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Args;
    use crate::kernels::array::COPY;

    /// `copy` with a fast version of its own.
    fn copy_with(fast: fn(&mut Args)) -> &'static Kernel {
        let Kernel { name, params, bindings, twin, forms, .. } = COPY;
        Box::leak(Box::new(Kernel { name, params, bindings, twin, fast: Some(fast), forms }))
    }

    fn examine_copy(fast: fn(&mut Args), extent: Extent) -> Finding {
        let kernel = copy_with(fast);
        let cases: Vec<Case> =
            cases().iter().filter(|case| *case.kernel == COPY).map(|c| c.of_kernel(kernel)).collect();
        let cases: Vec<&Case> = cases.iter().collect();
        let mut findings = pollster::block_on(examine_kernel(&Device::cpu(), kernel, &cases, extent));
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    }

    /// Leaves everything as it was.
    fn forgets(_: &mut Args) {}

    #[test]
    fn a_wrong_kernel_is_found_in_both_extents() {
        for extent in [Extent::Whole, Extent::Brief] {
            let right = examine_copy(COPY.twin, extent);
            assert!(right.is_right() && right.worst == 0.0, "{right:?}");
            let wrong = examine_copy(forgets, extent);
            assert_eq!((wrong.name, wrong.form, wrong.is_own), ("copy", "fast", true));
            assert_eq!(wrong.failures.len(), wrong.n_cases);
            assert_eq!(wrong.worst, f32::INFINITY);
            let first = &wrong.failures[0];
            assert!(first.starts_with("copy: ") && first.contains("in `y` at "), "{first}");
        }
    }

    #[test]
    fn the_brief_extent_has_small_cases_of_every_kernel() {
        let device = Device::cpu();
        let all = cases();
        for kernel in kernels::all_and_examples() {
            let own: Vec<_> = all.iter().filter(|case| case.kernel == kernel).collect();
            let brief = course(&device, &own, Extent::Brief);
            assert!(!brief.is_empty() && brief.len() <= own.len(), "{}", kernel.name);
            assert!(brief.iter().all(|(case, _)| case.n_words() <= SMALL), "{}", kernel.name);
        }
    }
}
