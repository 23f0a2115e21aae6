//! Members of a training, and what they learn from.

use nngpu::data::{Classes, Dataset, Matrix, Targets};
use nngpu::kernels::optimizer::Clip;
use nngpu::nn::{Network, layers_of};
use nngpu::random::Key;
use nngpu::train::{Group, Member, MembersEpoch, Plateau, Schedule, Settings, Stopping};
use nngpu::{Activation, Optimizer};

/// 60 rows of 3 columns, and of their product and sum with some noise.
pub fn numbers() -> Dataset {
    let x = Key::new(5).uniform(-1.0, 1.0, 180);
    let noise = Key::new(6).uniform(-0.25, 0.25, 60);
    let y = x.chunks(3).zip(noise).map(|(x, noise)| x[0] * x[1] + x[2] + noise).collect();
    let x = Matrix::new(60, 3, x).expect("three columns");
    Dataset::new(x, Targets::Values(Matrix::new(60, 1, y).expect("one column"))).expect("a target for each row")
}

/// The same rows in three classes, with a weight each.
pub fn classes() -> Dataset {
    let data = numbers();
    let Targets::Values(values) = data.targets() else { panic!("numbers") };
    let class = |y: &f32| if *y < -0.3 { 0 } else { 1 + u32::from(*y > 0.3) };
    let indices = values.values().iter().map(class).collect();
    let names = ["low", "middle", "high"].map(String::from).to_vec();
    let weights = Key::new(7).uniform(0.5, 2.0, 60);
    let targets = Targets::Classes(Classes { indices, names });
    Dataset::new(data.features().clone(), targets).and_then(|data| data.with_weights(weights)).expect("60 rows")
}

/// A network for such data: dropout, batch normalisation, layers side by side.
pub fn network(data: &Dataset) -> Network {
    let text = format!("7 tanh dropout(0.25) 6 batch_norm relu {}", data.n_outputs());
    Network::of(3, layers_of(&text).expect("layers")).expect("a network")
}

/// Three members with rows of their own, as many each.
pub fn members() -> Vec<Member> {
    let fold = |seed: u64, from: u32| {
        let is_aside = |row: &u32| (from..from + 17).contains(row);
        Member { seed, train: (0..60).filter(|row| !is_aside(row)).collect(), validation: (from..from + 17).collect() }
    };
    let mut members = vec![fold(3, 0), fold(1 << 40, 20), fold(3, 40)];
    // In any order, and one row twice.
    members[2].train.reverse();
    members[2].train[5] = 1;
    members
}

/// Ways to train, each with a name.
pub fn ways() -> Vec<(&'static str, Settings)> {
    let plain = Settings { optimizer: Optimizer::sgd(0.1), batch_size: 8, epochs: 4, ..Settings::default() };
    let adam = Optimizer::adam(0.02);
    let everything = Settings {
        optimizer: Optimizer::adam_w(0.02),
        groups: vec![Group { pattern: "*.bias".into(), optimizer: Optimizer::momentum(0.05, 0.9) }],
        schedule: Some(Schedule::cosine(0.02, 40)),
        clip: Some(Clip::Norm(0.5)),
        accumulate: 3,
        ema: Some(0.75),
        plateau: Some(Plateau { patience: 0, threshold: 0.5, factor: 0.5, ..Plateau::default() }),
        stopping: Some(Stopping { patience: 3, min_delta: 0.0 }),
        ..plain.clone()
    };
    let plateau = Plateau { patience: 0, threshold: 0.25, factor: 0.25, cooldown: 1, minimum: 0.001 };
    vec![
        ("plain", plain.clone()),
        ("everything", everything),
        ("plateau", Settings { optimizer: adam, plateau: Some(plateau), ..plain.clone() }),
        ("clip", Settings { optimizer: adam, clip: Some(Clip::Value(0.01)), accumulate: 2, ..plain.clone() }),
        (
            "muon",
            Settings { optimizer: Optimizer::muon(0.02), schedule: Some(Schedule::constant(0.02)), ..plain.clone() },
        ),
        ("adafactor", Settings { optimizer: Optimizer::adafactor(None), ..plain }),
    ]
}

/// What an epoch gave, without its time.
pub fn timeless(epochs: &[MembersEpoch]) -> Vec<MembersEpoch> {
    epochs.iter().map(|epoch| MembersEpoch { elapsed: Default::default(), ..epoch.clone() }).collect()
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// One input, one output, no hidden layer.
pub fn line() -> Network {
    Network::new(&[1, 1], Activation::Identity).expect("a network")
}
