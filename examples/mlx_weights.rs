//! Weights from MLX, PyTorch and NumPy, and back: one network of 4 inputs, 8 hidden neurons and 3
//! outputs, whose answers are compared with those of MLX and PyTorch.
//!
//! ```sh
//! cargo run --example mlx_weights                   # or: … mlx_weights -- FOLDER
//! python examples/data/load_back.py FOLDER
//! ```

use std::path::Path;

use nngpu::nn::{Names, WeightsOptions, write_weights};
use nngpu::{Activation, Array, Device, Mlp};
use serde_json::Value;

/// At most 14 roundings lie between the inputs and an output, each of a sum whose terms are, without
/// their signs, 32 together at most: 8 products of weights below 0.36 and hidden values below 11.
const TOLERANCE: f32 = 14.0 * 32.0 * f32::EPSILON / 2.0;

#[allow(dead_code, reason = "a test runs what follows on its own")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("nngpu-weights"), Into::into);
    std::fs::create_dir_all(&folder)?;
    run(&folder)
}

/// Reads the weights of all libraries, compares outputs, and writes weights for them into `folder`.
pub fn run(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/weights");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(data.join("outputs.json"))?)?;
    let device = Device::cpu();
    let x = Array::new(&device, [2, 4], &numbers(&golden["x"]))?;

    // The names differ, the order of the layers does not.
    let load = |file: &str| Mlp::load(&device, &[4, 8, 3], Activation::Relu, data.join(file));
    for (file, library) in
        [("mlx.safetensors", "mlx"), ("mlx.npz", "mlx"), ("torch.safetensors", "torch"), ("numpy.npz", "torch")]
    {
        let found = load(file)?.forward(&x)?.to_vec()?;
        let expected = numbers(&golden[library]);
        println!("{file}\n  nngpu {found:?}\n  {library:5} {expected:?}");
        for (found, expected) in found.iter().zip(&expected) {
            let difference = (found - expected).abs();
            let is_near = difference <= TOLERANCE;
            assert!(is_near, "{file}: found {found}, expected {expected}");
        }
    }

    // MLX drew these weights for the seed 0, and so does nngpu.
    let mlp = load("mlx.safetensors")?;
    let drawn = Mlp::new(&device, &[4, 8, 3], Activation::Relu, 0)?;
    assert_eq!(drawn.values()?, mlp.values()?);

    // Back: for a module with a list of layers, MLX's `nn.Sequential` and PyTorch's `nn.Sequential`,
    // both of which count the activation as module 1.
    mlp.save(folder.join("own.safetensors"))?;
    let write = |file: &str, names: Names| -> nngpu::Result<()> {
        let options = WeightsOptions { names, ..WeightsOptions::default() };
        write_weights(&folder.join(file), mlp.network(), &mlp.values()?, None, &options)
    };
    write("sequential.npz", Names::Custom(vec![("layers.2".into(), "layers.1".into())]))?;
    write("torch.safetensors", Names::Positions(vec![0, 2]))?;
    println!("written to {}: own.safetensors, sequential.npz, torch.safetensors", folder.display());
    Ok(())
}

fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("a number") as f32],
    }
}
