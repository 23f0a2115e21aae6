//! Gradients of whole networks of random sizes against finite differences in f64.

mod common;

use common::devices_and_forms;
use common::differences::{FUNCTION, UNIT, check, differences, kinks, uniform, value, wide};
use common::targets::Targets;
use nngpu::nn::{Fusion, Layer, Network};
use nngpu::random::{Key, Purpose, Threefry};
use nngpu::{Activation, Array, Device, Mlp, SlopeOf};

/// Inputs, widths of the hidden layers, outputs.
fn sizes(network: &Network) -> Vec<usize> {
    let outputs = network.layers().iter().filter_map(|layer| match layer {
        Layer::Linear { outputs, .. } => Some(*outputs as usize),
        _ => None,
    });
    std::iter::once(network.inputs() as usize).chain(outputs).collect()
}

fn n_layers(network: &Network) -> usize {
    sizes(network).len() - 1
}

fn activation_of(network: &Network) -> Activation {
    let mut activations = network.layers().iter().filter_map(|layer| match layer {
        Layer::Activation(activation) => Some(*activation),
        _ => None,
    });
    activations.next().unwrap_or(Activation::Identity)
}

/// The input and each layer's output in f64; nothing where a sum is near a kink.
fn network_outputs(network: &Network, parameters: &[f64], x: &[f64]) -> Option<Vec<Vec<f64>>> {
    let mut outputs = vec![x.to_vec()];
    for layer in 0..n_layers(network) {
        let [weight, bias] = [0, 1].map(|part| &parameters[network.parameters()[2 * layer + part].range()]);
        let (inputs, is_last) = (sizes(network)[layer], layer + 1 == n_layers(network));
        let mut y = Vec::new();
        for x in outputs[layer].chunks(inputs) {
            for (weight, bias) in weight.chunks(inputs).zip(bias) {
                let z = bias + x.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>();
                if !is_last && kinks(activation_of(network)).iter().any(|kink| (z - kink).abs() < 1e-3) {
                    return None;
                }
                y.push(if is_last { z } else { value(activation_of(network), z) });
            }
        }
        outputs.push(y);
    }
    Some(outputs)
}

/// What an activation makes of an error: its steepest slope, the roundings of its own, and how far
/// its slope moves with its output.
fn sensitivity(activation: Activation) -> [f64; 3] {
    match activation {
        Activation::Identity | Activation::Relu | Activation::Relu6 | Activation::HardTanh { .. } => [1.0, 0.0, 0.0],
        Activation::LeakyRelu { .. } => [1.0, 1.0, 0.0],
        Activation::Sigmoid => [0.25, FUNCTION, 1.0],
        Activation::Tanh => [1.0, FUNCTION, 2.0],
        Activation::Elu { .. } | Activation::Celu { .. } => [1.0, FUNCTION, 1.0],
        Activation::Selu => [1.76, 2.0 * FUNCTION, 1.0],
        other => unreachable!("{other}'s slope is told from its input"),
    }
}

/// How far each gradient in f32 may be off: a running error analysis, in units of one rounding. A sum
/// of n products adds n + 1 roundings of the sum of their magnitudes to what their factors bring.
fn tolerances(network: &Network, parameters: &[f32], x: &[f32], targets: &Targets) -> Vec<f64> {
    let sizes = sizes(network);
    let size = |layer: usize| sizes[layer];
    let (batch, columns, n_layers) = (x.len() / size(0), network.outputs() as usize, n_layers(network));
    let outputs = network_outputs(network, &wide(parameters), &wide(x)).expect("away from kinks");
    let part = |spec: usize| wide(&parameters[network.parameters()[spec].range()]);
    let [steepest, own, bend] = sensitivity(activation_of(network));

    // Errors of each layer's output.
    let mut errors = vec![vec![0.0; x.len()]];
    for layer in 0..n_layers {
        let (inputs, weight, bias) = (size(layer), part(2 * layer), part(2 * layer + 1));
        let roundings = inputs as f64 + 2.0;
        let mut next = Vec::new();
        for (x, error) in outputs[layer].chunks(inputs).zip(errors[layer].chunks(inputs)) {
            for (weight, bias) in weight.chunks(inputs).zip(&bias) {
                let terms = weight.iter().zip(x).zip(error);
                let z = terms.map(|((w, x), error)| w.abs() * (error + roundings * x.abs())).sum::<f64>();
                let z = z + roundings * bias.abs();
                next.push(if layer + 1 == n_layers { z } else { steepest * z + own });
            }
        }
        errors.push(next);
    }

    // The gradient of the output, and its error.
    let (mut dz, mut dz_error) = (Vec::new(), Vec::new());
    for (row, (y, error)) in outputs[n_layers].chunks(columns).zip(errors[n_layers].chunks(columns)).enumerate() {
        let worst = error.iter().fold(0.0, |worst, error| f64::max(worst, *error));
        let total: f64 = y.iter().map(|z| z.exp()).sum();
        for c in 0..columns {
            let probability = y[c].exp() / total;
            // A probability moves by at most twice the logits' error, as a part of itself.
            let probability_error = probability * (2.0 * worst + FUNCTION + columns as f64);
            let at = row * columns + c;
            let (gradient, error, scale) = match targets {
                Targets::Values(t) => (2.0 * (y[c] - f64::from(t[at])), 2.0 * error[c], (batch * columns) as f64),
                Targets::Probabilities(t) => (probability - f64::from(t[at]), probability_error, batch as f64),
                Targets::Classes(classes) => {
                    let target = f64::from(u8::from(classes[row] == c as u32));
                    (probability - target, probability_error, batch as f64)
                }
            };
            dz.push(gradient.abs() / scale);
            dz_error.push((error + 4.0 * gradient.abs()) / scale);
        }
    }

    let mut all = vec![0.0; network.length() as usize];
    for layer in (0..n_layers).rev() {
        let (inputs, n_outputs) = (size(layer), size(layer + 1));
        let weight = part(2 * layer);
        let [dweight, dbias] = [0, 1].map(|part| network.parameters()[2 * layer + part].range().start);
        let (mut below, mut below_error) = (Vec::new(), Vec::new());
        for row in 0..batch {
            let own_row = row * n_outputs..(row + 1) * n_outputs;
            let (dz, dz_error) = (&dz[own_row.clone()], &dz_error[own_row]);
            let at = row * inputs..(row + 1) * inputs;
            let (x, x_error) = (&outputs[layer][at.clone()], &errors[layer][at]);
            for o in 0..n_outputs {
                let error = dz_error[o] + (batch as f64 + 1.0) * dz[o];
                all[dbias + o] += error;
                for i in 0..inputs {
                    all[dweight + o * inputs + i] += error * x[i].abs() + dz[o] * x_error[i];
                }
            }
            for i in 0..inputs {
                let (mut dy, mut dy_error) = (0.0, 0.0);
                for o in 0..n_outputs {
                    let w = weight[o * inputs + i].abs();
                    dy += dz[o] * w;
                    dy_error += (dz_error[o] + (n_outputs as f64 + 1.0) * dz[o]) * w;
                }
                let slope_error = bend * x_error[i] + if bend > 0.0 { 3.0 } else { 0.0 };
                below.push(dy * steepest);
                below_error.push(dy_error * steepest + dy * (slope_error + steepest));
            }
        }
        (dz, dz_error) = (below, below_error);
    }
    // What the differences themselves are off by comes on top.
    all.iter().map(|error| error * UNIT + 1e-9).collect()
}

/// A network of random sizes with inputs that lead no sum near a kink.
fn random_network(activation: Activation, seed: u64) -> (Network, Vec<f32>, Vec<f32>, [Targets; 3]) {
    for attempt in 0.. {
        let seed = 1000 * seed + attempt;
        let mut random = Threefry::new(Key::new(seed), Purpose::Splits, 0);
        let n_sizes = 2 + random.below(3);
        let sizes: Vec<usize> = (0..n_sizes).map(|_| 1 + random.below(12) as usize).collect();
        let batch = 1 + random.below(7) as usize;
        let network = Network::new(&sizes, activation).expect("sizes of at least 1");
        let parameters = network.initial(seed);
        let x = uniform(seed, batch * sizes[0], 2.0);
        let targets = Targets::kinds(seed, batch, network.outputs() as usize);
        if network_outputs(&network, &wide(&parameters), &wide(&x)).is_some() {
            return (network, parameters, x, targets);
        }
    }
    unreachable!("a network without kinks is soon found");
}

#[test]
fn a_network_s_gradients_are_those_of_its_loss() {
    let devices = devices_and_forms();
    let told_from_output = Activation::ALL.into_iter().filter(|activation| activation.slope_of() == SlopeOf::Output);
    for activation in told_from_output {
        for seed in 0..8 {
            let (network, parameters, x, kinds) = random_network(activation, seed);
            let sizes = sizes(&network);
            for targets in kinds {
                let loss_at = |parameters: &[f64]| {
                    let outputs = network_outputs(&network, parameters, &wide(&x)).expect("steps stay beside kinks");
                    targets.mean_loss(&outputs[n_layers(&network)], network.outputs() as usize)
                };
                let (loss, expected) = (loss_at(&wide(&parameters)), differences(&wide(&parameters), loss_at));
                let tolerances = tolerances(&network, &parameters, &x, &targets);
                for (name, device) in &devices {
                    for fusion in [Fusion::Fused, Fusion::Plain] {
                        let what = format!("{name}, {activation}, {sizes:?}, seed {seed}, {fusion:?}, {targets:?}");
                        let (found_loss, found) = gradients(device, fusion, &network, &parameters, &x, &targets);
                        // The loss feels every rounding of the output like a bias of the last layer.
                        let tolerance = tolerances.iter().fold(0.0, |largest, t| f64::max(largest, *t)) * 10.0;
                        assert!((f64::from(found_loss) - loss).abs() <= tolerance, "{what}: {found_loss}, {loss}");
                        check(&what, &found, &expected, &tolerances);
                    }
                }
            }
        }
    }
}

/// The loss and all gradients, laid out as the parameters are, zeros between them.
fn gradients(
    device: &Device,
    fusion: Fusion,
    network: &Network,
    parameters: &[f32],
    x: &[f32],
    targets: &Targets,
) -> (f32, Vec<f32>) {
    let sizes = sizes(network);
    let specs = network.parameters();
    let named: Vec<(&str, &[f32])> = specs.iter().map(|spec| (spec.name.as_str(), &parameters[spec.range()])).collect();
    let mlp = Mlp::from_parameters(device, &sizes, activation_of(network), &named).expect("a network");
    let rows = x.len() / sizes[0];
    let x = Array::new(device, [rows, sizes[0]], x).expect("an array");
    let y = match targets {
        Targets::Values(values) | Targets::Probabilities(values) => {
            Array::new(device, [rows, sizes[sizes.len() - 1]], values)
        }
        Targets::Classes(classes) => Array::classes(device, classes),
    };
    let (loss, gradients) =
        mlp.value_and_grad_with(fusion, &x, &y.expect("an array"), targets.loss()).expect("computes");
    let mut all = vec![0.0; network.length() as usize];
    for spec in specs {
        let gradient = gradients.get(&spec.name).and_then(|array| array.to_vec()).expect("a gradient of each");
        all[spec.range()].copy_from_slice(&gradient);
    }
    (loss, all)
}
