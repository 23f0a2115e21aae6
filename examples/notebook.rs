//! The notebook "Neural Network Fundamentals with MLX: From Weights to Backpropagation" as a
//! program: a network of 3 inputs, 2 hidden neurons and 1 output, first by hand, then trained.
//!
//! ```sh
//! cargo run --release --example notebook            # or: … notebook -- gpu
//! ```

use nngpu::digits::six_digits;
use nngpu::nn::Parameters;
use nngpu::{Activation, Array, Device, Loss, Mlp, Sgd};

fn main() -> nngpu::Result<()> {
    let device = Device::open(&std::env::args().nth(1).unwrap_or("cpu".into()))?;
    println!("on {}\n", device.description());

    // One row of input, and what the network should answer for it.
    let x = Array::new(&device, [1, 3], &[0.5, -1.2, 3.3])?;
    let y = Array::new(&device, [1, 1], &[0.2345])?;
    show("x", &x)?;
    show("y", &y)?;

    // Weights are [outputs, inputs]. The notebook prints six digits of them.
    #[rustfmt::skip]
    let first_weights: [(&str, &[f32]); 4] = [
        ("layers.0.weight", &[ 0.18473426,  0.42982826,   0.35626087,
                              -0.07299119, -0.2548548,   -0.10763166]),
        ("layers.0.bias",   &[-0.4131672,  -0.1451394]),
        ("layers.1.weight", &[ 0.11951295,  0.522265]),
        ("layers.1.bias",   &[ 0.58314556]),
    ];
    let new_mlp = || Mlp::from_parameters(&device, &[3, 2, 1], Activation::Relu, &first_weights);
    let mut mlp = new_mlp()?;
    let parameters = mlp.parameters()?;
    show_all("", &parameters)?;

    // The forward pass by hand: x Wᵀ + b, ReLU, and the same again without ReLU.
    let (weight_0, bias_0) = (parameters.get("layers.0.weight")?, parameters.get("layers.0.bias")?);
    let (weight_1, bias_1) = (parameters.get("layers.1.weight")?, parameters.get("layers.1.bias")?);
    show("W0ᵀ", &weight_0.transpose())?;
    let products = weight_0.multiply(&x)?;
    show("x * each row of W0", &products)?;
    let product_0 = x.matmul(&weight_0.transpose())?;
    show("x W0ᵀ", &product_0)?;
    let z_0 = product_0.add(&bias_0)?;
    show("Z0 = x W0ᵀ + b0", &z_0)?;
    let hidden = z_0.maximum(0.0)?;
    show("max(Z0, 0)", &hidden)?;
    let product_1 = hidden.matmul(&weight_1.transpose())?;
    show("h W1ᵀ", &product_1)?;
    let z_1 = product_1.add(&bias_1)?;
    show("Z1 = h W1ᵀ + b1", &z_1)?;

    // The network does the same.
    let prediction = mlp.forward(&x)?;
    show("mlp(x)", &prediction)?;

    // Losses: the mean of squares by hand, and cross-entropy with a probability as target.
    let squares = prediction.subtract(&y)?.power(2.0)?;
    println!("mean squared error  {:.3}", squares.mean()?.item()?);
    let (cross_entropy, gradients) = mlp.value_and_grad(&x, &y, Loss::CrossEntropy)?;
    println!("cross-entropy       {cross_entropy:.3}\n");

    // What one step of gradient descent makes of it.
    show_all("d ", &gradients)?;
    Sgd::new(0.1)?.update(&mut mlp, &gradients)?;
    show_all("new ", &mlp.parameters()?)?;
    show("mlp(x)", &mlp.forward(&x)?)?;
    println!("mean squared error  {:.3}\n", mlp.value_and_grad(&x, &y, Loss::Mse)?.0);

    // Training is this, again and again.
    let mut mlp = new_mlp()?;
    let sgd = Sgd::new(0.001)?;
    for epoch in 0..30 {
        let (loss, gradients) = mlp.value_and_grad(&x, &y, Loss::Mse)?;
        sgd.update(&mut mlp, &gradients)?;
        println!("epoch {epoch:>2}  loss {loss:.3}");
    }
    show("mlp(x)", &mlp.forward(&x)?)
}

/// Prints an array with its name and shape.
fn show(name: &str, array: &Array) -> nngpu::Result<()> {
    let [rows, columns] = array.shape();
    println!("{name} [{rows}, {columns}]");
    for row in array.to_vec()?.chunks(columns) {
        println!("  {}", row.iter().map(|value| format!("{:>12}", six_digits(*value))).collect::<String>());
    }
    Ok(())
}

fn show_all(prefix: &str, parameters: &Parameters) -> nngpu::Result<()> {
    for (name, array) in parameters.iter() {
        show(&format!("{prefix}{name}"), &array)?;
    }
    println!();
    Ok(())
}
