//! Networks of random layers against the definitions of their layers in f64: output, loss, and gradients by
//! finite differences.

mod common;

use common::devices_and_forms;
use common::differences::{FUNCTION, H, UNIT, check, differences, uniform, value, wide};
use common::targets::{Targets, definition, sample};
use nngpu::kernels::softmax::SoftmaxKind;
use nngpu::nn::{Fusion, Layer, ParameterSpec, layers_of};
use nngpu::random::{Key, Purpose, Threefry, threefry2x32};
use nngpu::{Activation, Array, Device, Loss, Mlp, Network};

/// The layers as books define them, in f64, as they learn.
struct Exact<'a> {
    network: &'a Network,
    noise: &'a [u32],
    rows: usize,
    /// Which roundings to imitate: every number that a layer gives is moved by as much as f32 may move it,
    /// each time by the same amount, so that differences stay smooth.
    drift: Option<u64>,
}

/// What is left of the parameters and of the noise, and how many layers went before.
struct Cursor<'a> {
    parameters: &'a [f64],
    specs: std::slice::Iter<'a, ParameterSpec>,
    noise: std::slice::ChunksExact<'a, u32>,
    n_layers: u64,
}

impl Cursor<'_> {
    fn next(&mut self) -> Vec<f64> {
        let spec = self.specs.next().expect("a parameter for each layer that needs one");
        self.parameters[spec.range()].to_vec()
    }
}

impl Exact<'_> {
    fn output(&self, parameters: &[f64], x: &[f64]) -> Vec<f64> {
        let specs = self.network.parameters().iter();
        let mut cursor = Cursor { parameters, specs, noise: self.noise.chunks_exact(4), n_layers: 0 };
        self.layers(self.network.layers(), &mut cursor, x.to_vec())
    }

    fn layers(&self, layers: &[Layer], cursor: &mut Cursor, mut x: Vec<f64>) -> Vec<f64> {
        for layer in layers {
            x = self.layer(layer, cursor, &x);
            cursor.n_layers += 1;
            if let Some(seed) = self.drift {
                let moves = Key::new(seed).derive(cursor.n_layers).uniform(-1.0, 1.0, x.len());
                // A layer is a sum of a few terms, or some functions of WGSL's accuracy.
                x.iter_mut().zip(moves).for_each(|(x, by)| *x *= 1.0 + f64::from(by) * FUNCTION * UNIT);
            }
        }
        x
    }

    fn layer(&self, layer: &Layer, cursor: &mut Cursor, x: &[f64]) -> Vec<f64> {
        let columns = x.len() / self.rows;
        let by_row = |f: &dyn Fn(&[f64]) -> Vec<f64>| x.chunks(columns).flat_map(f).collect::<Vec<f64>>();
        match layer {
            Layer::Linear { outputs, bias } => {
                let weight = cursor.next();
                let bias = if *bias { cursor.next() } else { vec![0.0; *outputs as usize] };
                let sum = |x: &[f64], weight: &[f64]| x.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>();
                by_row(&|x| weight.chunks(columns).zip(&bias).map(|(weight, bias)| sum(x, weight) + bias).collect())
            }
            Layer::Activation(activation) => x.iter().map(|&z| value(*activation, z)).collect(),
            Layer::Softmax(kind) => by_row(&|x| {
                let sign = if *kind == SoftmaxKind::Softmin { -1.0 } else { 1.0 };
                let total: f64 = x.iter().map(|x| (sign * x).exp()).sum();
                let probability = |x: &f64| (sign * x).exp() / total;
                let is_log = *kind == SoftmaxKind::LogSoftmax;
                x.iter().map(|x| if is_log { probability(x).ln() } else { probability(x) }).collect()
            }),
            Layer::Glu => by_row(&|x| {
                let (a, b) = x.split_at(columns / 2);
                a.iter().zip(b).map(|(a, b)| a / (1.0 + (-b).exp())).collect()
            }),
            Layer::Prelu { .. } => {
                let slopes = cursor.next();
                by_row(&|x| {
                    let slope = |column: usize| slopes[column % slopes.len()];
                    x.iter().enumerate().map(|(column, &x)| if x > 0.0 { x } else { slope(column) * x }).collect()
                })
            }
            Layer::Dropout { rate } => {
                let words = cursor.noise.next().expect("noise for each dropout");
                let threshold = (f64::from(*rate) * 2f64.powi(32)).round() as u32;
                let is_kept = |element: u32| threefry2x32([words[0], words[1]], [element, 0])[0] >= threshold;
                let scale = 1.0 / (1.0 - f64::from(*rate));
                x.iter().zip(0..).map(|(x, element)| if is_kept(element) { x * scale } else { 0.0 }).collect()
            }
            Layer::BatchNorm { epsilon, affine, .. } => {
                let parts = affine.then(|| [cursor.next(), cursor.next()]);
                // The running statistics take no part in a pass for training.
                cursor.next();
                cursor.next();
                let transposed = |x: &[f64], columns: usize| -> Vec<f64> {
                    (0..columns).flat_map(|c| x.iter().skip(c).step_by(columns).copied().collect::<Vec<_>>()).collect()
                };
                let lanes: Vec<f64> =
                    transposed(x, columns).chunks(self.rows).flat_map(|x| normalised(x, true, *epsilon)).collect();
                let y = transposed(&lanes, self.rows);
                scaled(&y, columns, parts.as_ref().map(|[weight, bias]| (&weight[..], &bias[..])))
            }
            Layer::LayerNorm { epsilon, affine, bias } => {
                let weight = affine.then(|| cursor.next());
                let bias = if *affine && *bias { cursor.next() } else { vec![0.0; columns] };
                let y = by_row(&|x| normalised(x, true, *epsilon));
                scaled(&y, columns, weight.as_ref().map(|weight| (&weight[..], &bias[..])))
            }
            Layer::RmsNorm { epsilon } => {
                let (weight, zeros) = (cursor.next(), vec![0.0; columns]);
                scaled(&by_row(&|x| normalised(x, false, *epsilon)), columns, Some((&weight, &zeros)))
            }
            Layer::Embedding { column, size, .. } => {
                let (table, column, size) = (cursor.next(), *column as usize, *size as usize);
                by_row(&|x| {
                    let code = x[column].round() as usize;
                    [&x[..column], &table[code * size..][..size], &x[column + 1..]].concat()
                })
            }
            Layer::Scale => {
                let (weight, zeros) = (cursor.next(), vec![0.0; columns]);
                scaled(x, columns, Some((&weight, &zeros)))
            }
            Layer::Residual(layers) => {
                let inner = self.layers(layers, cursor, x.to_vec());
                x.iter().zip(inner).map(|(x, inner)| x + inner).collect()
            }
        }
    }
}

fn normalised(x: &[f64], is_centred: bool, epsilon: f32) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = if is_centred { x.iter().sum::<f64>() / n } else { 0.0 };
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    x.iter().map(|x| (x - mean) / (variance + f64::from(epsilon)).sqrt()).collect()
}

fn scaled(x: &[f64], columns: usize, parts: Option<(&[f64], &[f64])>) -> Vec<f64> {
    let Some((weight, bias)) = parts else { return x.to_vec() };
    x.iter().enumerate().map(|(i, x)| x * weight[i % columns] + bias[i % columns]).collect()
}

/// A network with parameters, rows to learn from, and what is expected of it.
struct Drawn {
    network: Network,
    parameters: Vec<f32>,
    x: Vec<f32>,
    rows: usize,
    criterion: Loss,
    targets: Targets,
    loss: f64,
    loss_tolerance: f64,
    gradient: Vec<f64>,
    tolerances: Vec<f64>,
}

/// The losses that any output suits: the others want probabilities, or variances.
const OF_ANY_OUTPUT: [Loss; 15] = [
    Loss::Mse,
    Loss::L1,
    Loss::Huber { delta: 0.7 },
    Loss::SmoothL1 { beta: 0.7 },
    Loss::LogCosh,
    Loss::Quantile { level: 0.8 },
    Loss::Poisson,
    Loss::Gamma,
    Loss::Tweedie { power: 1.5 },
    Loss::Hinge,
    Loss::BinaryCrossEntropy,
    Loss::BinaryFocal { gamma: 2.0 },
    Loss::CrossEntropy,
    Loss::CrossEntropySmoothed { label_smoothing: 0.1 },
    Loss::Focal { gamma: 2.0 },
];

/// The seed of the noise of an [`Mlp`] with given parameters.
const NOISE_SEED: u64 = 0;

/// How many imitations of the roundings tell how far they lead.
const N_DRIFTS: u64 = 6;

/// Draws parameters and rows for layers until no kink is near.
fn draw(text: &str, inputs: u32, seed: u64) -> Drawn {
    let network = Network::of(inputs, layers_of(text).expect(text)).expect(text);
    let noise = network.noise(NOISE_SEED);
    for attempt in 0..200 {
        let seed = 1000 * seed + attempt;
        let mut random = Threefry::new(Key::new(seed), Purpose::Splits, 0);
        let rows = 3 + random.below(4) as usize;
        let mut parameters = network.initial(seed);
        // Scales, shifts and slopes away from 1 and 0.
        let shifts = uniform(seed + 1, parameters.len(), 0.3);
        parameters.iter_mut().zip(shifts).for_each(|(parameter, shift)| *parameter += shift);
        let mut x = uniform(seed + 2, rows * inputs as usize, 2.0);
        if let Some(Layer::Embedding { column, levels, .. }) = network.layers().first() {
            let codes = x.iter_mut().skip(*column as usize).step_by(inputs as usize);
            codes.for_each(|code| *code = random.below(*levels) as f32);
        }
        let columns = network.outputs() as usize;
        let criterion = OF_ANY_OUTPUT[seed as usize % OF_ANY_OUTPUT.len()];
        let (_, _, mut kinds) = sample(criterion, seed, rows, columns);
        let targets = kinds.remove(random.below(kinds.len() as u32) as usize);
        let loss_with = |drift: Option<u64>, parameters: &[f64]| {
            let exact = Exact { network: &network, noise: &noise, rows, drift };
            let values = definition(criterion, &exact.output(parameters, &wide(&x)), columns, &targets);
            values.iter().sum::<f64>() / values.len() as f64
        };
        let at = wide(&parameters);
        let gradient = differences(&at, |at| loss_with(None, at));
        // Where a kink is near, a much wider step gives another slope.
        let near = |i: usize| {
            let mut wider = [at.clone(), at.clone()];
            wider[0][i] += 128.0 * H;
            wider[1][i] -= 128.0 * H;
            let slope = (loss_with(None, &wider[0]) - loss_with(None, &wider[1])) / (256.0 * H);
            let is_smooth = (slope - gradient[i]).abs() <= 1e-4 * (1.0 + gradient[i].abs());
            !is_smooth
        };
        if (0..at.len()).any(near) {
            continue;
        }
        let loss = loss_with(None, &at);
        let drifted: Vec<(f64, Vec<f64>)> = (0..N_DRIFTS)
            .map(|drift| {
                let loss = |at: &[f64]| loss_with(Some(drift), at);
                (loss(&at), differences(&at, loss))
            })
            .collect();
        // The way back rounds as the way forward does: twice as far, and twice that since few drifts do not
        // show the worst one. What reaches no sum is rounded itself.
        let far = |values: &mut dyn Iterator<Item = f64>, own: f64| {
            4.0 * values.map(|value| (value - own).abs()).fold(0.0, f64::max) + FUNCTION * UNIT * own.abs() + 1e-6
        };
        let loss_tolerance = far(&mut drifted.iter().map(|(loss, _)| *loss), loss);
        let tolerances =
            (0..at.len()).map(|i| far(&mut drifted.iter().map(|(_, gradient)| gradient[i]), gradient[i])).collect();
        return Drawn { network, parameters, x, rows, criterion, targets, loss, loss_tolerance, gradient, tolerances };
    }
    panic!("{text}: every draw is near a kink");
}

fn check_on(name: &str, device: &Device, text: &str, drawn: &Drawn) {
    let network = &drawn.network;
    let named: Vec<(&str, &[f32])> =
        network.parameters().iter().map(|spec| (&spec.name[..], &drawn.parameters[spec.range()])).collect();
    let x = Array::new(device, [drawn.rows, network.inputs() as usize], &drawn.x).expect("an array");
    let y = match &drawn.targets {
        Targets::Values(values) | Targets::Probabilities(values) => {
            Array::new(device, [drawn.rows, network.outputs() as usize], values)
        }
        Targets::Classes(classes) => Array::classes(device, classes),
    };
    let y = y.expect("an array");
    for fusion in [Fusion::Fused, Fusion::Plain] {
        let what = format!("{name}, {fusion:?}, `{text}`, {}, {:?}", drawn.criterion, drawn.targets);
        let mlp = Mlp::with_parameters(device, network.clone(), &named).expect("a network");
        let (loss, gradients) = mlp.value_and_grad_with(fusion, &x, &y, drawn.criterion).expect(text);
        let is_near = (f64::from(loss) - drawn.loss).abs() <= drawn.loss_tolerance;
        assert!(is_near, "{what}: loss {loss}, expected {} to {}", drawn.loss, drawn.loss_tolerance);
        let mut found = vec![0.0; drawn.parameters.len()];
        for spec in network.parameters() {
            let gradient = gradients.get(&spec.name).and_then(|array| array.to_vec()).expect("a gradient of each");
            found[spec.range()].copy_from_slice(&gradient);
        }
        check(&what, &found, &drawn.gradient, &drawn.tolerances);
    }
}

/// Every layer alone between two linear ones.
const EACH: [(&str, u32); 18] = [
    ("3", 4),
    ("linear(3, bias=false)", 4),
    ("4 linear(3, bias=false) relu 2", 5),
    ("4 prelu 3", 3),
    ("4 prelu(per_column=true) 3", 3),
    ("6 glu 2", 3),
    ("4 softmax 2", 3),
    ("4 softmin 2", 3),
    ("4 log_softmax 2", 3),
    ("5 dropout(0.4) 3", 3),
    ("5 batch_norm 3", 3),
    ("5 batch_norm(affine=false) tanh 3", 3),
    ("5 layer_norm 3", 3),
    ("5 layer_norm(affine=false) 3", 3),
    ("5 rms_norm 3", 3),
    ("scale 5 tanh scale 3", 3),
    ("embedding(1, 4, 3) 3", 3),
    ("4 residual(3 tanh residual(2 sigmoid 3) 4) 2", 3),
];

#[test]
fn every_layer_s_gradient_is_that_of_its_definition() {
    let devices = devices_and_forms();
    for (seed, (text, inputs)) in (0..).zip(EACH) {
        let drawn = draw(text, inputs, seed);
        for (name, device) in &devices {
            check_on(name, device, text, &drawn);
        }
    }
}

/// A text of random layers that end in a linear one.
fn random_text(random: &mut Threefry) -> String {
    let mut items = Vec::new();
    let mut width = 2 * (1 + random.below(3));
    items.push(format!("{width}"));
    for _ in 0..2 + random.below(3) {
        let activation = Activation::ALL[random.below(Activation::ALL.len() as u32) as usize];
        items.push(match random.below(10) {
            0 => "dropout(0.3)".into(),
            1 => "batch_norm".into(),
            2 => "layer_norm".into(),
            3 => "rms_norm".into(),
            4 => "prelu".into(),
            7 => "scale".into(),
            5 if width.is_multiple_of(2) => {
                width /= 2;
                "glu".into()
            }
            6 => format!("residual(3 {activation} {width})"),
            _ => {
                width = 2 * (1 + random.below(3));
                format!("{activation} {width}")
            }
        });
    }
    format!("{} {}", items.join(" "), 1 + random.below(3))
}

#[test]
fn gradients_of_random_networks_are_those_of_their_definitions() {
    let devices = devices_and_forms();
    let mut random = Threefry::new(Key::new(7), Purpose::Splits, 0);
    for seed in 0..40 {
        let text = random_text(&mut random);
        let drawn = draw(&text, 3, 100 + seed);
        for (name, device) in &devices {
            check_on(name, device, &text, &drawn);
        }
    }
}
