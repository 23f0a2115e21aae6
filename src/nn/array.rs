//! A small eager array on a device: each operation is a plan of one step.

use crate::compute::{Buffer, BufferId, Device, Element, Plan, Tensor};
use crate::kernels::array::{Operation, record_arithmetic, record_copy, record_sum};
use crate::kernels::matmul::record_matmul;
use crate::kernels::softmax::record_softmax;
use crate::{Error, Result};

/// A matrix on a device, to calculate with by hand.
///
/// Operations do not change an array, they give new ones. Their operands must be on one device.
/// Rows, columns and scalars repeat where the other operand has more of them. Each operation costs
/// a submission: train with [`crate::train::fit`], which records whole steps.
///
/// ```
/// use nngpu::{Array, Device};
///
/// let device = Device::cpu();
/// let x = Array::new(&device, [1, 3], &[0.5, -1.2, 3.3])?;
/// let weight = Array::new(&device, [2, 3], &[1.0, 0.0, 2.0, 0.0, 1.0, 0.0])?;
/// let y = x.matmul(&weight.transpose())?.maximum(0.0)?;
/// assert_eq!(y.to_vec()?, [7.1, 0.0]);
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Array {
    device: Device,
    buffer: Buffer,
    element: Element,
    /// Shape and strides. Its buffer id is set anew in each plan.
    layout: Tensor,
}

impl Array {
    /// An array of `[rows, columns]`, row-major.
    ///
    /// # Errors
    ///
    /// A number of values other than rows times columns, or more than the device can hold.
    pub fn new(device: &Device, [rows, columns]: [usize; 2], values: &[f32]) -> Result<Array> {
        Array::with(device, Element::F32, [rows, columns], values)
    }

    /// Class indices, one per row: an array of `[rows, 1]` for a cross-entropy.
    ///
    /// # Errors
    ///
    /// More than the device can hold.
    pub fn classes(device: &Device, indices: &[u32]) -> Result<Array> {
        Array::with(device, Element::U32, [indices.len(), 1], indices)
    }

    fn with<T: bytemuck::Pod>(device: &Device, element: Element, shape: [usize; 2], values: &[T]) -> Result<Array> {
        let [rows, columns] = shape;
        if rows.checked_mul(columns) != Some(values.len()) || values.len() > u32::MAX as usize {
            return Err(Error::Shape {
                operation: "array".into(),
                found: format!("{} values for [{rows}, {columns}]", values.len()),
                expected: "rows times columns values, fewer than 2^32".into(),
            });
        }
        let buffer = device.allocate("array", values.len())?;
        device.write(&buffer, 0, values)?;
        let layout = Tensor::of(BufferId(0), 1, rows as u32, columns as u32);
        Ok(Array { device: device.clone(), buffer, element, layout })
    }

    /// A view of floats that lie in a buffer.
    pub(crate) fn view(device: &Device, buffer: &Buffer, layout: Tensor) -> Array {
        Array { device: device.clone(), buffer: buffer.clone(), element: Element::F32, layout }
    }

    /// `[rows, columns]`.
    pub fn shape(&self) -> [usize; 2] {
        [self.layout.rows as usize, self.layout.columns as usize]
    }

    /// The device that holds it.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(crate) fn element(&self) -> Element {
        self.element
    }

    /// Declares this array in a plan; the buffer is to be given when the plan is compiled.
    pub(crate) fn declare(&self, plan: &mut Plan, label: &str) -> Tensor {
        Tensor { buffer: plan.buffer(label, self.element, self.buffer.len()), ..self.layout }
    }

    /// Reads the values, row by row.
    ///
    /// # Errors
    ///
    /// A lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        pollster::block_on(self.to_vec_async())
    }

    /// Reads the values, row by row, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub async fn to_vec_async(&self) -> Result<Vec<f32>> {
        let words: Vec<u32> = self.device.read_async(&self.buffer).await?;
        let value = |word: u32| if self.element == Element::U32 { word as f32 } else { f32::from_bits(word) };
        let row = |row| (0..self.layout.columns).map(move |column| (row, column));
        let position = |(row, column)| self.layout.view.at(0, row, column);
        Ok((0..self.layout.rows).flat_map(row).map(|place| value(words[position(place)])).collect())
    }

    /// Reads the only value of a `[1, 1]` array.
    ///
    /// # Errors
    ///
    /// Another shape, a lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn item(&self) -> Result<f32> {
        pollster::block_on(self.item_async())
    }

    /// Reads the only value of a `[1, 1]` array, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Array::item`].
    pub async fn item_async(&self) -> Result<f32> {
        self.layout.expect("item", "an array", 1, 1)?;
        Ok(self.to_vec_async().await?[0])
    }

    /// The product: `[rows, depth]` times `[depth, columns]` gives `[rows, columns]`.
    ///
    /// # Errors
    ///
    /// Sizes that do not go together.
    pub fn matmul(&self, other: &Array) -> Result<Array> {
        self.apply(&[other], self.layout.rows, other.layout.columns, |plan, operands, y| {
            record_matmul(plan, operands[0], operands[1], y)
        })
    }

    /// Rows and columns exchanged; nothing moves.
    pub fn transpose(&self) -> Array {
        Array { layout: self.layout.transposed(), ..self.clone() }
    }

    /// The sum, element by element.
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    pub fn add(&self, other: &Array) -> Result<Array> {
        self.combine(Operation::Add, other)
    }

    /// The difference, element by element.
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    pub fn subtract(&self, other: &Array) -> Result<Array> {
        self.combine(Operation::Subtract, other)
    }

    /// The product, element by element.
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    pub fn multiply(&self, other: &Array) -> Result<Array> {
        self.combine(Operation::Multiply, other)
    }

    /// The quotient, element by element.
    ///
    /// # Errors
    ///
    /// Shapes that do not go together.
    pub fn divide(&self, other: &Array) -> Result<Array> {
        self.combine(Operation::Divide, other)
    }

    /// The larger of each element and a number: `maximum(0.0)` is ReLU.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn maximum(&self, number: f32) -> Result<Array> {
        self.combine(Operation::Maximum, &Array::new(&self.device, [1, 1], &[number])?)
    }

    /// Each element to the power of a number.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn power(&self, exponent: f32) -> Result<Array> {
        self.combine(Operation::Power, &Array::new(&self.device, [1, 1], &[exponent])?)
    }

    /// Each element times a number.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn scale(&self, factor: f32) -> Result<Array> {
        self.combine(Operation::Multiply, &Array::new(&self.device, [1, 1], &[factor])?)
    }

    /// The sum of all elements, `[1, 1]`.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn sum(&self) -> Result<Array> {
        self.apply(&[], 1, 1, |plan, operands, y| record_sum(plan, 1.0, operands[0], y))
    }

    /// The mean of all elements, `[1, 1]`.
    ///
    /// # Errors
    ///
    /// An array without elements, a lost device.
    pub fn mean(&self) -> Result<Array> {
        let count = self.layout.rows as usize * self.layout.columns as usize;
        if count == 0 {
            return Err(Error::Shape {
                operation: "mean".into(),
                found: "an array without elements".into(),
                expected: "at least one".into(),
            });
        }
        self.apply(&[], 1, 1, |plan, operands, y| record_sum(plan, 1.0 / count as f32, operands[0], y))
    }

    /// The probabilities of each row of logits.
    ///
    /// # Errors
    ///
    /// An array without columns, a lost device.
    pub fn softmax(&self) -> Result<Array> {
        let [rows, columns] = [self.layout.rows, self.layout.columns];
        self.apply(&[], rows, columns, |plan, operands, y| record_softmax(plan, operands[0], y))
    }

    /// A copy of its own, row-major, that nothing else changes.
    ///
    /// # Errors
    ///
    /// A lost device.
    pub fn copy(&self) -> Result<Array> {
        let [rows, columns] = [self.layout.rows, self.layout.columns];
        self.apply(&[], rows, columns, |plan, operands, y| record_copy(plan, operands[0], y))
    }

    fn combine(&self, operation: Operation, other: &Array) -> Result<Array> {
        let longer = |own: u32, others: u32| if own == 1 { others } else { own };
        let rows = longer(self.layout.rows, other.layout.rows);
        let columns = longer(self.layout.columns, other.layout.columns);
        self.apply(&[other], rows, columns, |plan, operands, y| {
            record_arithmetic(plan, operation, operands[0], operands[1], y)
        })
    }

    /// Records one step from this array and `others` to a new one, and runs it.
    fn apply(
        &self,
        others: &[&Array],
        rows: u32,
        columns: u32,
        record: impl FnOnce(&mut Plan, &[Tensor], Tensor) -> Result<()>,
    ) -> Result<Array> {
        let mut plan = Plan::new();
        let arrays: Vec<&Array> = std::iter::once(self).chain(others.iter().copied()).collect();
        let operands: Vec<Tensor> = arrays.iter().map(|array| array.declare(&mut plan, "operand")).collect();
        let y = plan.tensor("array", 1, rows, columns);
        record(&mut plan, &operands, y)?;
        let given: Vec<_> = operands.iter().zip(&arrays).map(|(o, array)| (o.buffer, &array.buffer)).collect();
        let program = self.device.compile(&plan, &given)?;
        self.device.submit(&program)?;
        Ok(Array::view(&self.device, &program.buffer(y.buffer), y))
    }
}
