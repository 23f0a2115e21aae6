//! One training step on one point, number by number.

use nngpu::compute::{BufferId, Plan, Program, Tensor};
use nngpu::data::{Dataset, Targets};
use nngpu::kernels::array::record_copy;
use nngpu::kernels::loss::record_loss;
use nngpu::kernels::optimizer::{OptimizerState, record_update};
use nngpu::kernels::softmax::record_softmax;
use nngpu::nn::{Fusion, Network, ParameterSpec};
use nngpu::{Device, Loss, Mlp, Optimizer, Result};
use serde_json::{Value, json};

/// Every number of a step of plain SGD on the row at `index` of `data`.
///
/// One plan holds the whole step, by the plain kernels: forward, loss, backward, the update of a
/// copy of the parameters, and that copy's loss.
pub async fn step(mlp: &Mlp, data: &Dataset, index: usize, learning_rate: f32) -> Result<Value> {
    let (network, device) = (mlp.network(), mlp.device());
    let Targets::Classes(classes) = data.targets() else { unreachable!("points have classes") };
    let (point, class) = (data.features().row(index), classes.indices[index]);

    let mut plan = Plan::new();
    let own = network.declare(&mut plan, "parameters", 1);
    let x = plan.tensor("x", 1, 1, network.inputs());
    let target = plan.integers("target", 1, 1, 1);
    let pass = network.record_training(&mut plan, Fusion::Plain, None, own, x)?;
    let (z, loss) = (pass.output(), plan.tensor("loss", 1, 1, 1));
    let probabilities = plan.tensor("probabilities", 1, 1, z.columns);
    record_softmax(&mut plan, z, probabilities)?;
    let dz = plan.tensor("output gradient", 1, 1, z.columns);
    record_loss(&mut plan, Loss::CrossEntropy, z, target, loss, dz)?;
    let gradients = network.declare(&mut plan, "gradients", 1);
    network.record_backward(&mut plan, own, &pass, dz, gradients)?;
    // Before the second forward pass, whose tensors have the same labels.
    let layers: Vec<LayerTensors> =
        (0..network.parameters().len() / 2).map(|layer| LayerTensors::find(&plan, layer, dz)).collect();

    let sgd = Optimizer::sgd(learning_rate);
    let updated = network.declare(&mut plan, "updated parameters", 1);
    record_copy(&mut plan, own, updated)?;
    let state = OptimizerState::declare(&mut plan, &sgd, 1, network.length());
    record_update(&mut plan, &sgd, &state, gradients, updated)?;
    let after = network.record_forward(&mut plan, Fusion::Plain, updated, x)?;
    let (loss_after, unused) = (plan.tensor("loss after", 1, 1, 1), plan.tensor("unused", 1, 1, z.columns));
    record_loss(&mut plan, Loss::CrossEntropy, after, target, loss_after, unused)?;

    let program = device.compile(&plan, &[])?;
    let write = |to: Tensor, values: &[f32]| device.write(&program.buffer(to.buffer), 0, values);
    write(own, &mlp.values_async().await?)?;
    write(x, point)?;
    write(state.settings, &sgd.settings())?;
    device.write(&program.buffer(target.buffer), 0, &[class])?;
    device.submit(&program)?;

    let told = Told { device, program: &program };
    let before = parameters(network, &told.values(own.buffer).await?);
    let slopes = parameters(network, &told.values(gradients.buffer).await?);
    let moved = parameters(network, &told.values(updated.buffer).await?);
    let mut told_layers = Vec::new();
    for (layer, tensors) in layers.iter().enumerate() {
        told_layers.push(json!({
            "weight": before[layer]["weight"], "bias": before[layer]["bias"],
            "z": numbers(&told.values(tensors.z).await?), "y": numbers(&told.values(tensors.y).await?),
            "dy": numbers(&told.values(tensors.dy).await?), "dz": numbers(&told.values(tensors.dz).await?),
            "dweight": slopes[layer]["weight"], "dbias": slopes[layer]["bias"],
            "new_weight": moved[layer]["weight"], "new_bias": moved[layer]["bias"],
        }));
    }
    Ok(json!({
        "x": numbers(point),
        "target": class,
        "layers": told_layers,
        "probabilities": numbers(&told.values(probabilities.buffer).await?),
        "loss": numbers(&told.values(loss.buffer).await?)[0],
        "loss_after": numbers(&told.values(loss_after.buffer).await?)[0],
    }))
}

/// Weights and biases of each layer, or what belongs to them: `[{ weight: [[..]], bias: [..] }]`.
pub fn parameters(network: &Network, values: &[f32]) -> Vec<Value> {
    let layer = |pair: &[ParameterSpec]| {
        let (weight, bias) = (&pair[0], &pair[1]);
        let rows: Vec<Vec<f64>> = values[weight.range()].chunks(weight.columns as usize).map(numbers).collect();
        json!({ "weight": rows, "bias": numbers(&values[bias.range()]) })
    };
    network.parameters().chunks(2).map(layer).collect()
}

/// As JavaScript holds them, each exactly the number that it was.
fn numbers(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// What a layer computes on the way forward and on the way back.
struct LayerTensors {
    z: BufferId,
    y: BufferId,
    dy: BufferId,
    dz: BufferId,
}

impl LayerTensors {
    /// By the labels that the passes give. The last layer has no activation, so what comes before and
    /// after it is the same.
    fn find(plan: &Plan, layer: usize, output_gradient: Tensor) -> LayerTensors {
        let find = |what: &str| {
            let label = format!("layers.{layer}.{what}");
            plan.ids().find(|(_, spec)| spec.label == label).map(|(id, _)| id)
        };
        let z = find("sum").expect("the plain kernels give it");
        let or_output = |what: &str| find(what).unwrap_or(output_gradient.buffer);
        LayerTensors { z, y: find("output").unwrap_or(z), dy: or_output("output gradient"), dz: or_output("gradient") }
    }
}

/// A program that ran, to be read.
struct Told<'a> {
    device: &'a Device,
    program: &'a Program,
}

impl Told<'_> {
    async fn values(&self, id: BufferId) -> Result<Vec<f32>> {
        self.device.read_async(&self.program.buffer(id)).await
    }
}
