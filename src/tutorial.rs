//! One training step told number by number: a network of 3 inputs, 2 hidden neurons and 1 output.
//!
//! The numbers are those of the notebook "Neural Network Fundamentals with MLX: From Weights to
//! Backpropagation". It prints six digits of weights that had more; the ones here print the same,
//! and their further digits are such that every result comes out as it is printed there.

use std::io::{self, Write};

use crate::digits::six_digits;
use crate::{Activation, Array, Device, Loss, Mlp, Result, Sgd};

/// Inputs, hidden neurons, outputs.
pub const SIZES: [usize; 3] = [3, 2, 1];

/// One row of input.
pub const X: [f32; 3] = [0.5, -1.2, 3.3];

/// What the network should answer for it.
pub const Y: [f32; 1] = [0.2345];

/// The weights and biases to begin with.
pub const PARAMETERS: [(&str, &[f32]); 4] = [
    ("layers.0.weight", &[0.184_734_26, 0.429_828_26, 0.356_260_87, -0.072_991_19, -0.254_854_8, -0.107_631_66]),
    ("layers.0.bias", &[-0.413_167_2, -0.145_139_4]),
    ("layers.1.weight", &[0.119_512_95, 0.522_265]),
    ("layers.1.bias", &[0.583_145_56]),
];

/// Step lengths: of the one step, and of the loop.
const LEARNING_RATE: f32 = 0.1;
const LOOP_LEARNING_RATE: f32 = 0.001;
const EPOCHS: usize = 30;

/// Tells the tutorial, computing every number on `device`.
///
/// # Errors
///
/// What the device reports, and what writing reports.
pub fn tell(device: &Device, out: &mut dyn Write) -> Result<(), TellError> {
    let x = Array::new(device, [1, 3], &X)?;
    let y = Array::new(device, [1, 1], &Y)?;
    let mut mlp = Mlp::from_parameters(device, &SIZES, Activation::Relu, &PARAMETERS)?;

    writeln!(out, "ONE TRAINING STEP, NUMBER BY NUMBER")?;
    writeln!(out, "computed on {}", device.description())?;

    heading(out, "1. The network")?;
    writeln!(out, "Three inputs feed two hidden neurons, which feed one output. A layer holds a weight for")?;
    writeln!(out, "every pair of an output and an input, as a matrix [outputs, inputs], and a bias for every")?;
    writeln!(out, "output. All that training ever changes are these eleven numbers:")?;
    writeln!(out)?;
    parameters(out, "", &mlp.parameters()?)?;
    writeln!(out)?;
    array(out, "x", &x)?;
    array(out, "y wanted", &y)?;

    let hidden = by_hand_layer_0(out, &mlp, &x)?;
    by_hand_layer_1(out, &mlp, &hidden)?;
    losses(out, &mlp, &x, &y)?;

    heading(out, "5. The gradients")?;
    writeln!(out, "How would the cross-entropy change if one parameter grew a little? For the output itself,")?;
    writeln!(out, "softmax minus target: 1 - 0.2345 = 0.7655. From there the chain rule leads back: to a weight,")?;
    writeln!(out, "the input it multiplied times what arrived; through ReLU, all or nothing. The second hidden")?;
    writeln!(out, "neuron was switched off, so nothing it holds has any part in the error:")?;
    writeln!(out)?;
    let (_, gradients) = mlp.value_and_grad(&x, &y, Loss::CrossEntropy)?;
    parameters(out, "d ", &gradients)?;

    heading(out, "6. One step of gradient descent")?;
    writeln!(out, "Every parameter goes a little against its gradient: w - {LEARNING_RATE} dw.")?;
    writeln!(out)?;
    Sgd::new(LEARNING_RATE)?.update(&mut mlp, &gradients)?;
    parameters(out, "", &mlp.parameters()?)?;
    writeln!(out)?;
    array(out, "y predicted", &mlp.forward(&x)?)?;
    let (error, _) = mlp.value_and_grad(&x, &y, Loss::Mse)?;
    line(out, "squared error", &format!("{error:.3}"))?;
    writeln!(out)?;
    writeln!(out, "One step, and the prediction came nearer to {}.", six_digits(Y[0]))?;

    training_loop(out, device, &x, &y)?;
    Ok(out.flush()?)
}

/// Layer 0 as sums of products; gives what its neurons answer.
fn by_hand_layer_0(out: &mut dyn Write, mlp: &Mlp, x: &Array) -> Result<Array, TellError> {
    let parameters = mlp.parameters()?;
    let (weight, bias) = (parameters.get("layers.0.weight")?, parameters.get("layers.0.bias")?);
    heading(out, "2. The hidden layer by hand")?;
    writeln!(out, "x is [1, 3] and the weight [2, 3]. A product needs as many columns on the left as rows on the")?;
    writeln!(out, "right, so the weight is transposed to [3, 2]: one column for each neuron.")?;
    writeln!(out)?;
    array(out, "weightᵀ", &weight.transpose())?;
    writeln!(out)?;
    writeln!(out, "Each neuron multiplies input by weight, element by element, and adds up:")?;
    writeln!(out)?;
    // Every row of the weight times x: the products of each neuron.
    let products = weight.multiply(x)?.to_vec()?;
    for (neuron, products) in products.chunks(3).enumerate() {
        let terms: Vec<String> = products.iter().map(|product| format!("({product:.3})")).collect();
        let sum: f32 = products.iter().sum();
        line(out, &format!("neuron {neuron}"), &format!("{} = {sum:.3}", terms.join(" + ")))?;
    }
    writeln!(out)?;
    writeln!(out, "That is the matrix product. The bias shifts each sum; ReLU lets through what is positive:")?;
    writeln!(out)?;
    let product = x.matmul(&weight.transpose())?;
    let sum = product.add(&bias)?;
    let hidden = sum.maximum(0.0)?;
    array(out, "x weightᵀ", &product)?;
    array(out, "+ bias", &sum)?;
    array(out, "max(0, ·)", &hidden)?;
    Ok(hidden)
}

fn by_hand_layer_1(out: &mut dyn Write, mlp: &Mlp, hidden: &Array) -> Result<(), TellError> {
    let parameters = mlp.parameters()?;
    let (weight, bias) = (parameters.get("layers.1.weight")?, parameters.get("layers.1.bias")?);
    heading(out, "3. The output layer by hand")?;
    writeln!(out, "The same again with the hidden neurons as input, and without ReLU: an answer may be anything.")?;
    writeln!(out)?;
    array(out, "weightᵀ", &weight.transpose())?;
    let product = hidden.matmul(&weight.transpose())?;
    array(out, "h weightᵀ", &product)?;
    array(out, "+ bias", &product.add(&bias)?)?;
    Ok(())
}

fn losses(out: &mut dyn Write, mlp: &Mlp, x: &Array, y: &Array) -> Result<(), TellError> {
    heading(out, "4. How wrong is it?")?;
    let prediction = mlp.forward(x)?;
    array(out, "y predicted", &prediction)?;
    array(out, "y wanted", y)?;
    let difference = prediction.subtract(y)?;
    array(out, "difference", &difference)?;
    line(out, "squared error", &format!("{:.3}", difference.power(2.0)?.mean()?.item()?))?;
    writeln!(out)?;
    writeln!(out, "For classes one takes the cross-entropy instead, log(sum exp z) - sum z t. With a single")?;
    writeln!(out, "output that is z - z t, odd but instructive:")?;
    writeln!(out)?;
    let (value, _) = mlp.value_and_grad(x, y, Loss::CrossEntropy)?;
    line(out, "cross-entropy", &format!("{value:.3}"))?;
    Ok(())
}

fn training_loop(out: &mut dyn Write, device: &Device, x: &Array, y: &Array) -> Result<(), TellError> {
    heading(out, "7. Training is this, again and again")?;
    writeln!(out, "Forward, loss, gradients, step: {EPOCHS} times from the first weights on, on the squared error,")?;
    writeln!(out, "with steps of {LOOP_LEARNING_RATE}.")?;
    writeln!(out)?;
    let mut mlp = Mlp::from_parameters(device, &SIZES, Activation::Relu, &PARAMETERS)?;
    let sgd = Sgd::new(LOOP_LEARNING_RATE)?;
    let mut first = None;
    for epoch in 0..EPOCHS {
        let (loss, gradients) = mlp.value_and_grad(x, y, Loss::Mse)?;
        sgd.update(&mut mlp, &gradients)?;
        let length = (loss / *first.get_or_insert(loss) * 40.0).round() as usize;
        writeln!(out, "  epoch {epoch:>2}   loss {loss:.3}  {}", "▇".repeat(length))?;
    }
    writeln!(out)?;
    array(out, "y predicted", &mlp.forward(x)?)?;
    array(out, "y wanted", y)?;
    writeln!(out)?;
    writeln!(out, "`nngpu train` does the same with many rows at a time, on your data.")?;
    Ok(())
}

fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{text}\n{}\n", "─".repeat(text.chars().count()))
}

fn line(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {name:<18} {text}")
}

/// Prints a name, the shape, and the numbers, one row a line.
fn array(out: &mut dyn Write, name: &str, array: &Array) -> Result<(), TellError> {
    let [rows, columns] = array.shape();
    let values: Vec<String> = array.to_vec()?.into_iter().map(six_digits).collect();
    let width = values.iter().map(String::len).max().unwrap_or(0);
    for (row, values) in values.chunks(columns).enumerate() {
        let (name, shape) = if row == 0 { (name, format!("[{rows}, {columns}]")) } else { ("", String::new()) };
        let numbers: Vec<String> = values.iter().map(|value| format!("{value:>width$}")).collect();
        writeln!(out, "  {name:<18} {shape:<7} {}", numbers.join("  "))?;
    }
    Ok(())
}

fn parameters(out: &mut dyn Write, prefix: &str, parameters: &crate::nn::Parameters) -> Result<(), TellError> {
    for (name, values) in parameters.iter() {
        array(out, &format!("{prefix}{name}"), &values)?;
    }
    Ok(())
}

/// What can interrupt a tutorial.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// The device failed.
    #[error(transparent)]
    Compute(#[from] crate::Error),
    /// The text could not be written.
    #[error("the tutorial could not be written")]
    Write(#[from] io::Error),
}
