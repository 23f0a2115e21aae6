//! A plan: a list of kernels over buffers, recorded once with every shape checked.

use std::fmt;

use super::kernel::{Access, Element, Kernel, Params, View};
use crate::{Error, Result};

/// The most models that one plan can batch: workgroups along one dimension.
pub const MAX_MODELS: u32 = 65_535;

/// A recorded list of steps over buffers. Plain data: no device in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    buffers: Vec<BufferSpec>,
    steps: Vec<Step>,
}

/// A buffer that a plan uses.
#[derive(Clone, Debug, PartialEq)]
pub struct BufferSpec {
    /// Its name, for messages and for reading plans.
    pub label: String,
    /// What it holds.
    pub element: Element,
    /// Its length in elements.
    pub length: usize,
}

/// Names a buffer within its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub(crate) u32);

/// One run of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What runs.
    pub kernel: &'static Kernel,
    /// The words of its parameter block.
    pub params: Vec<u32>,
    /// Its buffers, in the order of [`Kernel::bindings`].
    pub operands: Vec<Tensor>,
    /// How many models it computes.
    pub models: u32,
}

/// A view of a plan's buffer as `[models, rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The buffer beneath.
    pub buffer: BufferId,
    /// How many models it has; one model serves a step of any number.
    pub models: u32,
    /// How many rows.
    pub rows: u32,
    /// How many columns.
    pub columns: u32,
    /// Where its elements lie.
    pub(crate) view: View,
}

impl Tensor {
    /// The whole of a buffer as `[models, rows, columns]`, row-major.
    pub fn of(buffer: BufferId, models: u32, rows: u32, columns: u32) -> Tensor {
        // Where the product wraps, no buffer is long enough, and recording a step refuses it.
        let view = View { offset: 0, model: rows.wrapping_mul(columns), row: columns, column: 1 };
        Tensor { buffer, models, rows, columns, view }
    }

    /// Whether each model's elements lie one after the other, row by row.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.view.column == 1 && self.view.row == self.columns
    }

    /// Rows and columns exchanged; nothing moves.
    pub fn transposed(self) -> Tensor {
        let view = View { row: self.view.column, column: self.view.row, ..self.view };
        Tensor { rows: self.columns, columns: self.rows, view, ..self }
    }

    /// Part of each model's elements: `rows` by `columns`, row-major, from `offset` on.
    pub fn part(self, offset: u32, rows: u32, columns: u32) -> Tensor {
        // Where the sum is cut off, no buffer is long enough, and recording a step refuses it.
        let offset = self.view.offset.saturating_add(offset);
        let view = View { offset, row: columns, column: 1, ..self.view };
        Tensor { rows, columns, view, ..self }
    }

    /// `count` columns of each row, from column `from` on; nothing moves, and rows stay as far apart.
    pub fn columns(self, from: u32, count: u32) -> Tensor {
        let is_within = from.checked_add(count).is_some_and(|end| end <= self.columns);
        // Columns beyond a row would be those of the next one. No buffer is long enough for this offset, so
        // that recording a step refuses it.
        let offset = if is_within { self.view.at(0, 0, from) as u32 } else { u32::MAX };
        Tensor { columns: count, view: View { offset, ..self.view }, ..self }
    }

    /// Repeated to a shape: a length of 1 becomes any length, by a stride of 0.
    ///
    /// # Errors
    ///
    /// A length that is neither 1 nor the one asked for.
    pub fn broadcast(self, operation: &str, rows: u32, columns: u32) -> Result<Tensor> {
        if (self.rows != rows && self.rows != 1) || (self.columns != columns && self.columns != 1) {
            return Err(Error::Shape {
                operation: operation.into(),
                found: format!("an array of {}", self.shape()),
                expected: format!("[{rows}, {columns}], or a length of 1 where it is to be repeated"),
            });
        }
        let stride = |stride, from, to| if from == to { stride } else { 0 };
        let view = View {
            row: stride(self.view.row, self.rows, rows),
            column: stride(self.view.column, self.columns, columns),
            ..self.view
        };
        Ok(Tensor { rows, columns, view, ..self })
    }

    /// The view for a step over `models` models: a single model is shared by all.
    pub(crate) fn view(&self, models: u32) -> View {
        View { model: if self.models == models && models > 1 { self.view.model } else { 0 }, ..self.view }
    }

    /// The shape as people write it.
    pub fn shape(&self) -> String {
        if self.models == 1 {
            format!("[{}, {}]", self.rows, self.columns)
        } else {
            format!("[{}, {}, {}]", self.models, self.rows, self.columns)
        }
    }

    /// Checks a shape while recording.
    pub(crate) fn expect(&self, operation: &str, name: &str, rows: u32, columns: u32) -> Result<()> {
        if (self.rows, self.columns) == (rows, columns) {
            return Ok(());
        }
        Err(Error::Shape {
            operation: operation.into(),
            found: format!("{name} of [{}, {}]", self.rows, self.columns),
            expected: format!("[{rows}, {columns}]"),
        })
    }

    /// Whether two elements lie at one place: two invocations would write it.
    fn overlaps_itself(&self) -> bool {
        let View { model, row, column, .. } = self.view;
        let mut axes = [(model, self.models), (row, self.rows), (column, self.columns)];
        axes.sort_unstable();
        // Each stride must step over all that the smaller ones reach.
        let mut reach = 0u64;
        axes.into_iter().filter(|(_, count)| *count > 1).any(|(stride, count)| {
            let overlaps = u64::from(stride) <= reach;
            reach += u64::from(stride) * u64::from(count - 1);
            overlaps
        })
    }

    /// One past the last position that the view reaches; 0 for an empty one.
    fn end(&self) -> u64 {
        if self.models == 0 || self.rows == 0 || self.columns == 0 {
            return 0;
        }
        let reach = |count: u32, stride: u32| u64::from(count - 1) * u64::from(stride);
        u64::from(self.view.offset)
            + reach(self.models, self.view.model)
            + reach(self.rows, self.view.row)
            + reach(self.columns, self.view.column)
            + 1
    }
}

impl Plan {
    /// A plan without steps.
    pub fn new() -> Plan {
        Plan::default()
    }

    /// Declares a buffer of `length` elements.
    pub fn buffer(&mut self, label: impl Into<String>, element: Element, length: usize) -> BufferId {
        self.buffers.push(BufferSpec { label: label.into(), element, length });
        BufferId(self.buffers.len() as u32 - 1)
    }

    /// Declares a buffer of 32-bit floats that holds just `[models, rows, columns]`.
    pub fn tensor(&mut self, label: impl Into<String>, models: u32, rows: u32, columns: u32) -> Tensor {
        self.tensor_of(label, Element::F32, models, rows, columns)
    }

    /// Declares a buffer of 32-bit unsigned integers that holds just `[models, rows, columns]`.
    pub fn integers(&mut self, label: impl Into<String>, models: u32, rows: u32, columns: u32) -> Tensor {
        self.tensor_of(label, Element::U32, models, rows, columns)
    }

    /// Declares a buffer that holds just `[models, rows, columns]`.
    pub fn tensor_of(
        &mut self,
        label: impl Into<String>,
        element: Element,
        models: u32,
        rows: u32,
        columns: u32,
    ) -> Tensor {
        let length = models as usize * rows as usize * columns as usize;
        Tensor::of(self.buffer(label, element, length), models, rows, columns)
    }

    /// The buffers, in the order of their ids.
    pub fn buffers(&self) -> &[BufferSpec] {
        &self.buffers
    }

    /// The steps, in the order in which they run.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// For planting faults.
    #[cfg(test)]
    pub(crate) fn steps_mut(&mut self) -> &mut [Step] {
        &mut self.steps
    }

    /// What a buffer was declared as.
    pub fn spec(&self, id: BufferId) -> &BufferSpec {
        &self.buffers[id.0 as usize]
    }

    /// Every buffer with its id.
    pub fn ids(&self) -> impl Iterator<Item = (BufferId, &BufferSpec)> {
        (0..).map(BufferId).zip(&self.buffers)
    }

    /// The number of models that operands go together as: all those that are not shared agree.
    pub(crate) fn models(operation: &str, operands: &[Tensor]) -> Result<u32> {
        let models = operands.iter().map(|operand| operand.models).max().unwrap_or(1);
        let agree = operands.iter().all(|operand| operand.models == models || operand.models == 1);
        if agree && (1..=MAX_MODELS).contains(&models) {
            return Ok(models);
        }
        let counts: Vec<_> = operands.iter().map(|operand| operand.models.to_string()).collect();
        Err(Error::Shape {
            operation: operation.into(),
            found: format!("operands of {} models", counts.join(", ")),
            expected: format!("one number of models from 1 to {MAX_MODELS}, or 1 where they share"),
        })
    }

    /// Checks that a view ends within its buffer.
    pub(crate) fn expect_within(&self, operation: impl FnOnce() -> String, operand: &Tensor) -> Result<()> {
        let Some(spec) = self.buffers.get(operand.buffer.0 as usize) else {
            return Err(Error::Shape {
                operation: operation(),
                found: "a tensor of another plan".into(),
                expected: "one that this plan declared".into(),
            });
        };
        let n_elements = u64::from(operand.rows) * u64::from(operand.columns);
        let most = u64::from(u32::MAX);
        if operand.end() <= spec.length as u64 && spec.length as u64 <= most && n_elements <= most {
            return Ok(());
        }
        Err(Error::Shape {
            operation: operation(),
            found: format!("{} in `{}` of {} elements", operand.shape(), spec.label, spec.length),
            expected: "a view that ends within its buffer of at most 2^32 - 1 elements".into(),
        })
    }

    /// Appends a step after checking all that can go wrong while it runs.
    pub(crate) fn push<P: Params>(
        &mut self,
        kernel: &'static Kernel,
        params: P,
        operands: &[Tensor],
        models: u32,
    ) -> Result<()> {
        // These are promises between this crate's own functions; a user cannot break them.
        assert_eq!(P::FIELDS, kernel.params, "{}: parameter block", kernel.name);
        assert_eq!(operands.len(), kernel.bindings.len(), "{}: operands", kernel.name);

        for (position, (operand, binding)) in operands.iter().zip(kernel.bindings).enumerate() {
            self.expect_within(|| format!("{}, operand `{}`", kernel.name, binding.name), operand)?;
            let spec = self.spec(operand.buffer);
            let refuse = |found: String, expected: &str| Error::Shape {
                operation: format!("{}, operand `{}`", kernel.name, binding.name),
                found,
                expected: expected.into(),
            };
            if binding.element != Element::Word && binding.element != spec.element {
                let found = format!("`{}` of {:?}", spec.label, spec.element);
                return Err(refuse(found, &format!("elements of {:?}", binding.element)));
            }
            if binding.access != Access::Read {
                let elsewhere = operands.iter().enumerate().any(|(i, o)| i != position && o.buffer == operand.buffer);
                if elsewhere {
                    return Err(refuse(format!("`{}` twice", spec.label), "a written buffer bound once"));
                }
                if operand.overlaps_itself() {
                    return Err(refuse(operand.shape(), "a written tensor whose elements lie apart"));
                }
                if operand.models != models {
                    return Err(refuse(operand.shape(), &format!("a written tensor of {models} models")));
                }
            }
        }
        let params = bytemuck::cast_slice(bytemuck::bytes_of(&params)).to_vec();
        self.steps.push(Step { kernel, params, operands: operands.to_vec(), models });
        Ok(())
    }
}

impl fmt::Display for Plan {
    /// One line a step: its number, its kernel, and each operand with its shape.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "{number:>3}  {:<16}", step.kernel.name)?;
            for (operand, binding) in step.operands.iter().zip(step.kernel.bindings) {
                let arrow = if binding.access == Access::Read { "" } else { "-> " };
                write!(f, "  {arrow}{} {}", self.spec(operand.buffer).label, operand.shape())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
