//! Networks as text and as tables, what they refuse, and what freezing, dropout and running statistics do.

mod common;

use nngpu::compute::{Plan, Tensor};
use nngpu::kernels::softmax::SoftmaxKind;
use nngpu::nn::{Descent, FanMode, Fusion, Init, Initial, Layer, Role, layers_of, layers_text};
use nngpu::{Activation, Array, Device, Loss, Mlp, Network, Optimizer, Sgd};

#[track_caller]
fn message(text: &str) -> String {
    let refused = layers_of(text).and_then(|layers| Network::of(4, layers).map(drop));
    refused.expect_err(text).to_string()
}

#[test]
fn a_text_gives_its_layers() {
    let relu = Layer::Activation(Activation::Relu);
    let residual =
        Layer::Residual(vec![Layer::linear(64), relu.clone(), Layer::Dropout { rate: 0.1 }, Layer::linear(64)]);
    for (text, expected) in [
        ("64", vec![Layer::linear(64)]),
        ("64 relu 3", vec![Layer::linear(64), relu.clone(), Layer::linear(3)]),
        ("64,relu,  3 ", vec![Layer::linear(64), relu.clone(), Layer::linear(3)]),
        ("linear(5)", vec![Layer::linear(5)]),
        ("linear(5, false)", vec![Layer::Linear { outputs: 5, bias: false }]),
        ("linear(bias=false, outputs=5)", vec![Layer::Linear { outputs: 5, bias: false }]),
        ("dropout", vec![Layer::Dropout { rate: 0.5 }]),
        ("dropout(rate=0.25)", vec![Layer::Dropout { rate: 0.25 }]),
        ("batch-norm", vec![Layer::batch_norm()]),
        (
            "batch_norm(0.001, 0.01, unbiased=false)",
            vec![Layer::BatchNorm { epsilon: 0.001, momentum: 0.01, affine: true, unbiased: false }],
        ),
        ("layer_norm", vec![Layer::layer_norm()]),
        ("layer_norm(bias=false)", vec![Layer::LayerNorm { epsilon: 1e-5, affine: true, bias: false }]),
        ("rms_norm(1e-6)", vec![Layer::RmsNorm { epsilon: 1e-6 }]),
        ("scale 3", vec![Layer::Scale, Layer::linear(3)]),
        ("embedding(2, 12, 4)", vec![Layer::Embedding { column: 2, levels: 12, size: 4 }]),
        ("glu softmin", vec![Layer::Glu, Layer::Softmax(SoftmaxKind::Softmin)]),
        ("prelu", vec![Layer::Prelu { per_column: false, initial: 0.25 }]),
        ("leaky_relu(0.1)", vec![Layer::Activation(Activation::LeakyRelu { slope: 0.1 })]),
        ("residual(64 relu dropout(0.1) 64)", vec![residual]),
        ("", vec![]),
    ] {
        let found = layers_of(text).expect(text);
        assert_eq!(found, expected, "{text}");
        assert_eq!(layers_of(&layers_text(&found)).expect(text), expected, "{text} through `{}`", layers_text(&found));
    }
}

#[test]
fn texts_that_are_no_layers_are_refused() {
    for (text, expected) in [
        (
            "64 relu)",
            "layers: found `)` at column 8 of `64 relu)`, expected as many closing parentheses as opening ones",
        ),
        ("residual(64", "layers: found `residual(64` with 1 left open, expected as many closing"),
        ("dropout(1)", "layers: found `dropout(1)` with rate 1, expected a number from 0 to below 1"),
        ("dropout(NaN)", "layers: found `dropout(NaN)` with rate NaN, expected a number from 0 to below 1"),
        ("dropout(a)", "layers: found `a` as rate of `dropout(a)`, expected a number"),
        ("dropout(0.1, 0.2)", "layers: found `0.2` in `dropout(0.1, 0.2)`, expected at most rate"),
        ("dropout(0.1, rate=0.2)", "layers: found `rate=0.2` in `dropout(0.1, rate=0.2)`, expected at most rate"),
        ("glu(1)", "layers: found `1` in `glu(1)`, expected no settings"),
        ("linear", "layers: found `linear` without outputs, expected a whole number"),
        ("linear(3, maybe)", "layers: found `maybe` as bias of `linear(3, maybe)`, expected true or false"),
        ("0", "layers: found `0` with outputs 0, expected at least 1"),
        ("99999999999", "layers: found `99999999999` outputs, expected fewer than 2^32"),
        ("3 glu", "layers: found `glu` of 3 columns, expected an even number of columns, to be halved"),
        ("embedding(4, 3, 2)", "layers: found `embedding(4, 3, 2)` of 4 columns, expected one of the columns, counted"),
        ("embedding(1, 3)", "layers: found `embedding(1, 3)` without size, expected a whole number"),
        ("residual(3)", "layers: found `residual(3)` from 4 to 3 columns, expected as many after it as before it"),
        ("batch_norm(0)", "layers: found `batch_norm(epsilon=0)` with epsilon 0, expected a number above 0"),
        ("batch_norm(momentum=2)", "expected a number from 0 to 1"),
        ("prelu(initial=inf)", "expected a finite number"),
        ("4294967295 4294967295", "expected fewer than 2^31 parameters in all"),
        ("", "layers: found ``, expected at least one layer with parameters"),
        ("relu dropout", "expected at least one layer with parameters, such as a number of outputs"),
        ("nonsense", "layers: found `nonsense`, expected a number of outputs, a layer (linear, dropout, batch_norm,"),
        ("x*nonsense", "as a formula: found `nonsense` at column 3"),
        ("leaky_relu(1,2)", "activation: found `leaky_relu(1,2)`, expected one parameter, as in `leaky_relu(0.01)`"),
    ] {
        let found = message(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
    let deep = format!("{}1{}", "residual(".repeat(40), ")".repeat(40));
    assert!(message(&deep).contains("at most 16 of them in each other"));
    assert!(Network::of(0, vec![Layer::linear(1)]).is_err());
    assert!("4 relu 3".parse::<Network>().expect_err("no arrow").to_string().contains("`4 -> 16 relu 3`"));
}

#[test]
fn a_network_prints_as_a_table() {
    let network: Network = "8 -> 16 batch_norm relu residual(8 gelu dropout(0.1) 16) 3".parse().expect("a network");
    let expected = "\
layer            columns  parameters
inputs                 8
16                    16         144
batch_norm            16          32
relu                  16
residual              16
  8                    8         136
  gelu                 8
  dropout(0.1)         8
  16                  16         144
3                      3          51
all                              507";
    let found = network.table().to_string();
    let trimmed: Vec<&str> = found.lines().map(str::trim_end).collect();
    assert_eq!(trimmed.join("\n"), expected);
    assert_eq!(network.n_parameters(), 507);
}

#[test]
fn parameters_are_named_layer_by_layer_and_statistics_lie_behind() {
    let network: Network = "3 -> 4 batch_norm prelu residual(2 tanh 4) 1".parse().expect("a network");
    let names: Vec<&str> = network.parameters().iter().map(|spec| &spec.name[..]).collect();
    let expected = [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
        "layers.1.running_mean",
        "layers.1.running_var",
        "layers.2.weight",
        "layers.3.layers.0.weight",
        "layers.3.layers.0.bias",
        "layers.3.layers.1.weight",
        "layers.3.layers.1.bias",
        "layers.4.weight",
        "layers.4.bias",
    ];
    assert_eq!(names, expected);
    for spec in network.parameters() {
        assert_eq!(spec.role.is_learned(), spec.offset < network.learned_length(), "{}", spec.name);
        assert_eq!(spec.offset % 4, 0, "{}", spec.name);
    }
    let mut ranges: Vec<_> = network.parameters().iter().map(|spec| spec.range()).collect();
    ranges.sort_by_key(|range| range.start);
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(ranges.last().expect("parameters").end <= network.length() as usize);
    let values = network.initial(0);
    for (role, expected) in
        [(Role::Scale, 1.0), (Role::RunningVariance, 1.0), (Role::RunningMean, 0.0), (Role::Slope, 0.25)]
    {
        let spec = network.parameters().iter().find(|spec| spec.role == role).expect("one of each");
        assert!(values[spec.range()].iter().all(|value| *value == expected), "{}", spec.name);
    }
}

#[test]
fn initialisers_are_drawn_where_they_belong() {
    let network: Network = "3 -> embedding(1, 5, 2) linear(4) 2".parse().expect("a network");
    let he = Init::HeNormal { gain: 1.0, mode: FanMode::FanIn };
    let initial = Initial { weight: he, bias: Init::Constant(0.5), table: Some(Init::Constant(-2.0)) };
    let values = network.initial_by(&initial, 3).expect("draws");
    for spec in network.parameters() {
        let own = &values[spec.range()];
        match spec.role {
            Role::Bias => assert!(own.iter().all(|value| *value == 0.5)),
            Role::Table => assert!(own.iter().all(|value| *value == -2.0)),
            _ => assert!(own.iter().any(|value| *value != own[0])),
        }
    }
    let identity = Initial { weight: Init::Identity, ..Initial::default() };
    assert!(network.initial_by(&identity, 3).expect_err("2 x 4").to_string().contains("as many rows as columns"));
}

/// A network on the CPU, and a batch for it.
fn learner(text: &str) -> (Mlp, Array, Array) {
    let device = Device::cpu();
    let network: Network = text.parse().expect(text);
    let (inputs, outputs) = (network.inputs() as usize, network.outputs() as usize);
    let numbers = |count: usize| (0..count).map(|i| (i * 7 % 11) as f32 / 5.0 - 1.0).collect::<Vec<f32>>();
    let x = Array::new(&device, [6, inputs], &numbers(6 * inputs)).expect("an array");
    let y = Array::new(&device, [6, outputs], &numbers(6 * outputs)).expect("an array");
    (Mlp::of(&device, network, 1).expect("a network"), x, y)
}

#[test]
fn what_is_frozen_stays() {
    let (mut mlp, x, y) = learner("3 -> 5 relu 4 tanh 2");
    assert_eq!(mlp.freeze("layers.0.*").expect("two"), 2);
    assert_eq!(mlp.freeze("*.bias").expect("three"), 3);
    assert_eq!(mlp.unfreeze("layers.2.bias").expect("one"), 1);
    let error = mlp.freeze("layers.7.*").expect_err("no such layer").to_string();
    assert!(
        error.starts_with("parameters to freeze: found `layers.7.*`, expected a pattern of one of layers.0.weight,")
    );
    let before = mlp.values().expect("values");
    let (_, gradients) = mlp.value_and_grad(&x, &y, Loss::Mse).expect("gradients");
    Sgd::new(0.1).expect("a step").update(&mut mlp, &gradients).expect("moves");
    let after = mlp.values().expect("values");
    for spec in mlp.network().parameters() {
        let is_moved = before[spec.range()] != after[spec.range()];
        assert_eq!(is_moved, spec.is_trained(), "{}", spec.name);
        assert_eq!(spec.is_frozen, !["layers.1.weight", "layers.2.weight", "layers.2.bias"].contains(&&spec.name[..]));
    }
}

#[test]
fn frozen_statistics_stay_and_other_parameters_need_another_descent() {
    let (mut mlp, x, y) = learner("3 -> batch_norm 5 relu 2");
    mlp.freeze("*.running_var").expect("one");
    let [before, after] = [false, true].map(|is_after| {
        if is_after {
            mlp.value_and_grad(&x, &y, Loss::Mse).expect("a step");
        }
        mlp.values().expect("values")
    });
    for spec in mlp.network().parameters() {
        let is_moved = before[spec.range()] != after[spec.range()];
        assert_eq!(is_moved, spec.role == Role::RunningMean, "{}", spec.name);
    }
    let mut adam = Descent::new(Optimizer::adam(0.1)).expect("an optimizer");
    let (_, gradients) = mlp.value_and_grad(&x, &y, Loss::Mse).expect("gradients");
    adam.update(&mut mlp, &gradients).expect("moves");
    mlp.freeze("layers.1.*").expect("two");
    let error = adam.update(&mut mlp, &gradients).expect_err("other parameters").to_string();
    assert!(error.contains("freeze before the first one"), "{error}");
}

#[test]
fn a_shared_slope_sums_over_a_view_as_over_its_copy() {
    let device = Device::cpu();
    let numbers: Vec<f32> = (0..12).map(|i| (i * 5 % 7) as f32 - 3.0).collect();
    let x = Array::new(&device, [3, 4], &numbers).expect("an array").transpose();
    let y = Array::new(&device, [4, 1], &[1.0, -1.0, 0.5, 2.0]).expect("an array");
    let mlp = Mlp::of(&device, "3 -> prelu 1".parse().expect("a network"), 5).expect("a network");
    let slope = |x: &Array| {
        let (_, gradients) = mlp.value_and_grad(x, &y, Loss::Mse).expect("gradients");
        gradients.get("layers.0.weight").and_then(|slope| slope.item()).expect("one slope")
    };
    let (found, expected) = (slope(&x), slope(&x.copy().expect("a copy")));
    // Twelve products in one order, but a product of the layer above in another.
    assert!((found - expected).abs() <= 24.0 * f32::EPSILON * expected.abs(), "{found}, {expected}");
}

#[test]
fn dropout_draws_anew_for_each_step_and_answers_drop_nothing() {
    let (mlp, x, y) = learner("3 -> 16 dropout(0.5) 1");
    let losses: Vec<f32> = (0..4).map(|_| mlp.value_and_grad(&x, &y, Loss::Mse).expect("a loss").0).collect();
    assert!(losses.windows(2).all(|pair| pair[0] != pair[1]), "{losses:?}");
    // The same seed draws the same.
    let (again, x, y) = learner("3 -> 16 dropout(0.5) 1");
    assert_eq!(again.value_and_grad(&x, &y, Loss::Mse).expect("a loss").0, losses[0]);
    let (without, x, _) = learner("3 -> 16 dropout(0) 1");
    let answers = [&mlp, &without].map(|mlp| mlp.forward(&x).and_then(|y| y.to_vec()).expect("answers"));
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn batch_normalisation_answers_by_its_running_statistics() {
    // Two columns: means 2 and 10, unbiased variances 1 and 4 over three rows.
    let device = Device::cpu();
    let network: Network = "2 -> batch_norm(epsilon=1e-9, momentum=0.5)".parse().expect("a network");
    let mlp = Mlp::of(&device, network, 0).expect("a network");
    let x = Array::new(&device, [3, 2], &[1.0, 8.0, 2.0, 10.0, 3.0, 12.0]).expect("an array");
    let y = Array::new(&device, [3, 2], &[0.0; 6]).expect("an array");
    mlp.value_and_grad(&x, &y, Loss::Mse).expect("a step");
    let parameters = mlp.parameters().expect("parameters");
    let named = |name: &str| parameters.get(name).and_then(|array| array.to_vec()).expect(name);
    assert_eq!(named("layers.0.running_mean"), [1.0, 5.0]);
    assert_eq!(named("layers.0.running_var"), [1.0, 2.5]);
    let answer = mlp.forward(&x).and_then(|y| y.to_vec()).expect("answers");
    let expected = [0.0, 3.0 / 2.5f32.sqrt(), 1.0, 5.0 / 2.5f32.sqrt(), 2.0, 7.0 / 2.5f32.sqrt()];
    for (found, expected) in answer.iter().zip(expected) {
        // A subtraction, a root and a division of f32.
        assert!((found - expected).abs() <= 4.0 * f32::EPSILON * expected.abs(), "{answer:?}");
    }
}

#[test]
fn models_side_by_side_learn_as_each_alone() {
    const TEXT: &str = "3 -> 4 batch_norm prelu dropout(0.5) residual(2 gelu layer_norm 4) glu 2";
    const ROWS: u32 = 5;
    let network: Network = TEXT.parse().expect(TEXT);
    let numbers = |count: u32| (0..count).map(|i| (i * 7 % 11) as f32 / 5.0 - 1.0).collect::<Vec<f32>>();
    // The gradients, and the parameters with their running statistics, of models with these seeds.
    let learned = |device: &Device, seeds: &[u64]| -> [Vec<f32>; 2] {
        let (mut plan, models) = (Plan::new(), seeds.len() as u32);
        let [parameters, gradients] =
            ["parameters", "gradients"].map(|label| network.declare(&mut plan, label, models));
        let (x, dy) = (plan.tensor("x", 1, ROWS, 3), plan.tensor("dy", models, ROWS, 2));
        let noise = network.declare_noise(&mut plan, models).expect("it drops");
        let pass = network.record_training(&mut plan, Fusion::Fused, Some(noise), parameters, x).expect("shapes");
        network.record_backward(&mut plan, parameters, &pass, dy, gradients).expect("shapes");
        let program = device.compile(&plan, &[]).expect("compiles");
        let write = |tensor: Tensor, values: &[f32]| device.write(&program.buffer(tensor.buffer), 0, values);
        write(parameters, &seeds.iter().flat_map(|seed| network.initial(*seed)).collect::<Vec<_>>()).expect("room");
        write(x, &numbers(3 * ROWS)).expect("room");
        write(dy, &numbers(2 * ROWS).repeat(seeds.len())).expect("room");
        let keys: Vec<u32> = seeds.iter().flat_map(|seed| network.noise(*seed)).collect();
        device.write(&program.buffer(noise.keys.buffer), 0, &keys).expect("room");
        device.run(&program, 1).expect("runs");
        [gradients, parameters].map(|tensor| device.read(&program.buffer(tensor.buffer)).expect("readable"))
    };
    for (name, device) in common::devices() {
        let [together, both] = learned(&device, &[1, 2]);
        let alone = [1, 2].map(|seed| learned(&device, &[seed]));
        let length = network.length() as usize;
        for (model, [gradients, parameters]) in alone.iter().enumerate() {
            let own = model * length..(model + 1) * length;
            assert_eq!(&together[own.clone()], &gradients[..], "{name}, model {model}");
            assert_eq!(&both[own], &parameters[..], "{name}, model {model}");
        }
        assert_ne!(alone[0][0], alone[1][0], "{name}: two models that are one");
    }
}
