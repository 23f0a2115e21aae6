//! Declares guarded operands and records a case.

use rand::RngExt;

use super::{Case, GUARD, Tolerance};
use crate::Result;
use crate::compute::kernel::View;
use crate::compute::{BufferId, Element, Plan, Tensor};
use crate::kernels::elements;
use crate::random::{Key, Purpose, Threefry};

/// Guard elements before and after each operand; a multiple of 4, for kernels that read by fours.
const MARGIN: u32 = 8;

/// What an input is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Values {
    /// Multiples of 1/8 in [-1, 1], 0 excepted: products are multiples of 1/64, and sums of up to
    /// 2^17 of them are exact.
    Eighths,
    /// Uniform in [-1, 1].
    Uniform,
    /// Uniform in [-4, 4].
    Uniform4,
    /// Uniform in [-8, 8].
    Uniform8,
    /// Uniform in [0.5, 1.5].
    Positive,
    /// Uniform in [0, 2 / n].
    Shares(u32),
    /// NaN, infinities, zeros of both signs, 1 and -1.
    Special,
}

/// Declares guarded operands and records one case.
pub(super) struct Builder {
    pub(super) plan: Plan,
    pub(super) contents: Vec<(BufferId, Vec<u32>)>,
    pub(super) written: Vec<(BufferId, Tolerance)>,
    pub(super) random: Threefry,
}

impl Builder {
    #[allow(clippy::new_ret_no_self, reason = "it builds a case")]
    pub(super) fn new(name: &str, record: impl FnOnce(&mut Builder) -> Result<()>) -> Case {
        // The seed is the name, so that a case keeps its numbers when others come and go.
        let seed = name.bytes().fold(0u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let random = Threefry::new(Key::new(seed), Purpose::Weights, 0);
        let mut builder = Builder { plan: Plan::new(), contents: Vec::new(), written: Vec::new(), random };
        record(&mut builder).unwrap_or_else(|error| panic!("case `{name}`: {error}"));
        let Builder { plan, contents, written, .. } = builder;
        let kernel = plan.steps().last().expect("a recorded step").kernel;
        Case { name: format!("{}: {name}", kernel.name), kernel, plan, contents, written }
    }

    /// A tensor with guards around it and between its models.
    pub(super) fn guarded(&mut self, label: &str, element: Element, models: u32, rows: u32, columns: u32) -> Tensor {
        let stride = (rows * columns).next_multiple_of(4) + MARGIN;
        let buffer = self.plan.buffer(label, element, (MARGIN + models * stride) as usize);
        self.contents.push((buffer, vec![GUARD; (MARGIN + models * stride) as usize]));
        let tensor = Tensor::of(buffer, models, rows, columns);
        Tensor { view: View { offset: MARGIN, model: stride, ..tensor.view }, ..tensor }
    }

    pub(super) fn fill(&mut self, tensor: Tensor, mut word: impl FnMut(&mut Threefry) -> u32) -> Tensor {
        let (_, words) = self.contents.iter_mut().find(|(id, _)| *id == tensor.buffer).expect("declared before");
        for (model, row, column) in elements(tensor.models, tensor.rows, tensor.columns) {
            words[tensor.view.at(model, row, column)] = word(&mut self.random);
        }
        tensor
    }

    pub(super) fn input(&mut self, label: &str, models: u32, rows: u32, columns: u32, values: Values) -> Tensor {
        let tensor = self.guarded(label, Element::F32, models, rows, columns);
        self.fill(tensor, |random| {
            let value = match values {
                Values::Eighths => {
                    let eighths = random.random_range(1..=8) as f32 / 8.0;
                    if random.random() { eighths } else { -eighths }
                }
                Values::Uniform => random.random_range(-1.0..=1.0),
                Values::Uniform4 => random.random_range(-4.0..=4.0),
                Values::Uniform8 => random.random_range(-8.0..=8.0),
                Values::Positive => random.random_range(0.5..=1.5),
                Values::Special => {
                    let all = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0];
                    all[random.below(7) as usize]
                }
                Values::Shares(n) => random.random_range(0.0..=2.0 / n as f32),
            };
            f32::to_bits(value)
        })
    }

    pub(super) fn eighths(&mut self, label: &str, models: u32, rows: u32, columns: u32) -> Tensor {
        self.input(label, models, rows, columns, Values::Eighths)
    }

    pub(super) fn given(&mut self, label: &str, models: u32, rows: u32, columns: u32, values: &[f32]) -> Tensor {
        let tensor = self.guarded(label, Element::F32, models, rows, columns);
        let mut values = values.iter();
        self.fill(tensor, |_| values.next().expect("a value for each element").to_bits())
    }

    pub(super) fn refill(&mut self, tensor: Tensor, word: u32) {
        self.fill(tensor, |_| word);
    }

    pub(super) fn integers(&mut self, label: &str, models: u32, columns: u32, below: u32) -> Tensor {
        let tensor = self.guarded(label, Element::U32, models, 1, columns);
        self.fill(tensor, |random| random.below(below))
    }

    pub(super) fn class_indices(&mut self, label: &str, models: u32, rows: u32, classes: u32) -> Tensor {
        let tensor = self.guarded(label, Element::U32, models, rows, 1);
        self.fill(tensor, |random| random.below(classes))
    }

    pub(super) fn counter(&mut self, label: &str, models: u32, value: u32) -> Tensor {
        let tensor = self.guarded(label, Element::U32, models, 1, 1);
        self.fill(tensor, |_| value)
    }

    pub(super) fn output(&mut self, label: &str, models: u32, rows: u32, columns: u32, tolerance: Tolerance) -> Tensor {
        let tensor = self.guarded(label, Element::F32, models, rows, columns);
        self.written.push((tensor.buffer, tolerance));
        tensor
    }

    pub(super) fn update(
        &mut self,
        label: &str,
        models: u32,
        rows: u32,
        columns: u32,
        values: Values,
        tolerance: Tolerance,
    ) -> Tensor {
        let tensor = self.input(label, models, rows, columns, values);
        self.written.push((tensor.buffer, tolerance));
        tensor
    }
}
