//! Cases that hold the forms of every kernel together: small plans with known inputs, compared
//! with the reference element by element.
//!
//! Buffers begin and end with guard values, and what a kernel is to write is filled with them, so
//! that an element that was left out, or one too many, shows.

mod builder;
mod cases;
mod ways;

pub use cases::cases;
pub use ways::{Class, Way, classes, folding};

use crate::Result;
use crate::compute::{BufferId, Device, Element, Kernel, Plan, Step};

/// A small plan with inputs, and how far devices may differ in what it writes.
#[derive(Clone, Debug)]
pub struct Case {
    /// What distinguishes it.
    pub name: String,
    /// The kernel that it is about.
    pub kernel: &'static Kernel,
    /// What it computes.
    pub plan: Plan,
    /// What its buffers hold before.
    pub contents: Vec<(BufferId, Vec<u32>)>,
    /// The buffers that are compared, and how.
    pub written: Vec<(BufferId, Tolerance)>,
}

/// How far two right results may be apart, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Independent of the value.
    pub absolute: f32,
    /// A part of the value.
    pub relative: f32,
    /// Where the bound comes from.
    pub reason: &'static str,
}

/// The worst element of a comparison, as a part of what is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// Which buffer.
    pub buffer: String,
    /// Position in it.
    pub index: usize,
    /// What the reference computed.
    pub expected: f32,
    /// What was found.
    pub found: f32,
    /// The difference divided by the tolerance: at most 1 is right; infinite where it is not.
    pub part: f32,
}

/// Fills guards and what is to be written: a NaN with a mark of its own.
const GUARD: u32 = 0x7fc0_4e4e;

impl Tolerance {
    /// Whether `found` is near enough to `expected`. A guard must be left as it is, and only NaN is
    /// near NaN.
    pub fn admits(&self, expected: f32, found: f32) -> bool {
        if expected.to_bits() == GUARD || found.to_bits() == GUARD {
            return expected.to_bits() == found.to_bits();
        }
        let both_nan = expected.is_nan() && found.is_nan();
        let is_near = expected.is_finite() && (expected - found).abs() <= self.bound(expected);
        both_nan || expected == found || is_near
    }

    fn bound(&self, expected: f32) -> f32 {
        self.absolute + self.relative * expected.abs()
    }

    /// Sums of `length` products of numbers of at most 1: each order is off by at most
    /// `length * 2^-24` of the sum of magnitudes, two orders by twice that.
    fn of_sum(length: u32) -> Tolerance {
        let length = length as f32;
        Tolerance {
            absolute: length * length * f32::EPSILON,
            relative: f32::EPSILON,
            reason: "two orders of one sum of n products of numbers of at most 1: n * n * 2^-23",
        }
    }
}

impl Case {
    /// Runs the case and gives the whole of each buffer that it writes.
    ///
    /// # Errors
    ///
    /// Whatever the device reports.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run(&self, device: &Device) -> Result<Vec<Vec<u32>>> {
        pollster::block_on(self.run_async(device))
    }

    /// Runs the case as [`Case::run`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Case::run`].
    pub async fn run_async(&self, device: &Device) -> Result<Vec<Vec<u32>>> {
        let program = device.compile(&self.plan, &[])?;
        for (id, words) in &self.contents {
            device.write(&program.buffer(*id), 0, words)?;
        }
        device.submit(&program)?;
        let mut found = Vec::new();
        for (id, _) in &self.written {
            found.push(device.read_async(&program.buffer(*id)).await?);
        }
        Ok(found)
    }

    /// The step that it is about, the last one of its plan.
    pub fn step(&self) -> &Step {
        self.plan.steps().last().expect("a recorded step")
    }

    /// The same case of another kernel, which takes the same operands: for planting faults.
    #[cfg(test)]
    pub(crate) fn of_kernel(&self, kernel: &'static Kernel) -> Case {
        let mut case = Case { kernel, ..self.clone() };
        case.plan.steps_mut().last_mut().expect("a recorded step").kernel = kernel;
        case
    }

    /// How many words its buffers hold together: what it costs, roughly.
    pub fn n_words(&self) -> usize {
        self.plan.buffers().iter().map(|spec| spec.length).sum()
    }

    /// The worst element, and whether all are near enough.
    pub fn compare(&self, expected: &[Vec<u32>], found: &[Vec<u32>]) -> (Option<Worst>, bool) {
        assert_eq!(expected.len(), found.len(), "{}: buffers", self.name);
        let (mut worst, mut all_right) = (None::<Worst>, true);
        for (((id, tolerance), expected), found) in self.written.iter().zip(expected).zip(found) {
            let spec = self.plan.spec(*id);
            assert_eq!(expected.len(), found.len(), "{}: length of `{}`", self.name, spec.label);
            for (index, (&expected, &found)) in expected.iter().zip(found).enumerate() {
                let is_right = match spec.element {
                    Element::F32 => tolerance.admits(f32::from_bits(expected), f32::from_bits(found)),
                    Element::U32 | Element::Word => expected == found,
                };
                all_right &= is_right;
                if expected == found {
                    continue;
                }
                let (expected, found) = (f32::from_bits(expected), f32::from_bits(found));
                let part = match is_right {
                    true if expected == found || expected.is_nan() => 0.0,
                    true => (expected - found).abs() / tolerance.bound(expected),
                    false => f32::INFINITY,
                };
                if worst.as_ref().is_none_or(|worst| part > worst.part) {
                    worst = Some(Worst { buffer: spec.label.clone(), index, expected, found, part });
                }
            }
        }
        (worst, all_right)
    }

    /// Why the tolerances are what they are.
    pub fn reasons(&self) -> impl Iterator<Item = &'static str> {
        self.written.iter().map(|(_, tolerance)| tolerance.reason)
    }
}
