//! A training step, recorded once and replayed: gather, forward, loss, backward, update, count.
//!
//! A row is one call of `Device::run` for as many steps as its name tells.

mod common;

use std::fmt;

use common::{IMAGES, Workload, compile_step, devices, gpu, is_software};
use divan::{Bencher, counter::ItemsCount};
use nngpu::nn::Fusion;
use nngpu::{Device, Loss, Optimizer};

const SGD: Optimizer = Optimizer::Sgd { learning_rate: 1e-3 };
const ADAM: Optimizer = Optimizer::Adam {
    learning_rate: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.0,
    bias_correction: true,
    epsilon_before_correction: false,
};

const TINY: Workload = Workload { sizes: &[3, 2, 1], batch: 1, loss: Loss::Mse, optimizer: SGD, steps: 1000 };
const TABLE: Workload = Workload { sizes: &[13, 64, 64, 1], batch: 32, loss: Loss::Mse, optimizer: SGD, steps: 100 };
const IMAGES_ADAM: Workload = Workload { optimizer: ADAM, ..IMAGES };
const MANY_IMAGES_ADAM: Workload = Workload { batch: 1024, steps: 1, ..IMAGES_ADAM };
const WIDE: Workload =
    Workload { sizes: &[1024, 2048, 2048, 1024], batch: 512, loss: Loss::Mse, optimizer: SGD, steps: 1 };

struct Row {
    device_name: &'static str,
    device: Device,
    fusion: Fusion,
    steps: usize,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.steps == 1 { "1 step".into() } else { format!("{} steps", self.steps) };
        let fusion = if self.fusion == Fusion::Fused { "fused" } else { "plain" };
        write!(f, "{}, {fusion}, {steps}", self.device_name)
    }
}

fn rows(workload: &Workload) -> Vec<Row> {
    let with = |(device_name, device): (&'static str, Device)| {
        // A software adapter takes about a thousand times as long for the smallest steps.
        let is_slow = matches!(&device, Device::Gpu(gpu) if is_software(gpu));
        let steps = if is_slow { workload.steps.min(10) } else { workload.steps };
        let row = move |fusion| Row { device_name, device: device.clone(), fusion, steps };
        [Fusion::Fused, Fusion::Plain].map(row)
    };
    devices().into_iter().flat_map(with).collect()
}

fn measure(bencher: Bencher, workload: &Workload, row: &Row) {
    let (program, _) = compile_step(&row.device, workload, row.fusion).expect("a step");
    let run = || {
        row.device.run(&program, row.steps).expect("a run");
        row.device.wait().expect("an end");
    };
    run();
    bencher.counter(ItemsCount::new(row.steps)).bench_local(run);
}

#[divan::bench(args = rows(&TINY), max_time = 2)]
fn w1_3_2_1_batch_1_sgd(bencher: Bencher, row: &Row) {
    measure(bencher, &TINY, row);
}

#[divan::bench(args = rows(&TABLE), max_time = 2)]
fn w2_13_64_64_1_batch_32_sgd(bencher: Bencher, row: &Row) {
    measure(bencher, &TABLE, row);
}

#[divan::bench(args = rows(&IMAGES), max_time = 2)]
fn w3_784_256_128_10_batch_64_sgd(bencher: Bencher, row: &Row) {
    measure(bencher, &IMAGES, row);
}

#[divan::bench(args = rows(&IMAGES_ADAM), max_time = 2)]
fn w3_784_256_128_10_batch_64_adam(bencher: Bencher, row: &Row) {
    measure(bencher, &IMAGES_ADAM, row);
}

#[divan::bench(args = rows(&MANY_IMAGES_ADAM), max_time = 2)]
fn w3b_784_256_128_10_batch_1024_adam(bencher: Bencher, row: &Row) {
    measure(bencher, &MANY_IMAGES_ADAM, row);
}

#[divan::bench(args = rows(&WIDE), max_time = 4)]
fn w4_1024_2048_2048_1024_batch_512_sgd(bencher: Bencher, row: &Row) {
    measure(bencher, &WIDE, row);
}

fn main() {
    // Says which GPU is measured before the table begins.
    gpu();
    divan::main();
}
