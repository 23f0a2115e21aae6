//! Predictions of 784-256-128-10: a forward pass that is recorded once, written to, run and read
//! for each call; and `Mlp::forward`, which records and compiles it anew each time.

mod common;

use std::fmt;

use common::{devices, gpu, random};
use divan::{Bencher, counter::ItemsCount};
use nngpu::compute::Plan;
use nngpu::nn::Fusion;
use nngpu::{Activation, Array, Device, Mlp, Network};

const SIZES: [usize; 4] = [784, 256, 128, 10];

struct Row {
    device_name: &'static str,
    device: Device,
    rows: usize,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {}", self.rows, self.device_name)
    }
}

fn table() -> Vec<Row> {
    let with = |rows| devices().into_iter().map(move |(device_name, device)| Row { device_name, device, rows });
    [1, 4096].into_iter().flat_map(with).collect()
}

#[divan::bench(args = table(), max_time = 1)]
fn recorded(bencher: Bencher, row: &Row) {
    let network = Network::new(&SIZES, Activation::Relu).expect("sizes of a network");
    let mut plan = Plan::new();
    let parameters = network.declare(&mut plan, "parameters", 1);
    let x = plan.tensor("x", 1, row.rows as u32, network.inputs());
    let output = network.record_forward(&mut plan, Fusion::Fused, parameters, x).expect("shapes that fit");
    let program = row.device.compile(&plan, &[]).expect("a program");
    let (input, output) = (program.buffer(x.buffer), program.buffer(output.buffer));
    row.device.write(&program.buffer(parameters.buffer), 0, &network.initial(0)).expect("room");
    let values = random(row.rows * SIZES[0]);
    let predict = || {
        row.device.write(&input, 0, &values).expect("room");
        row.device.run(&program, 1).expect("a run");
        row.device.read::<f32>(&output).expect("predictions")
    };
    predict();
    bencher.counter(ItemsCount::new(row.rows)).bench_local(predict);
}

#[divan::bench(args = table(), max_time = 1)]
fn recording_anew(bencher: Bencher, row: &Row) {
    let mlp = Mlp::new(&row.device, &SIZES, Activation::Relu, 0).expect("a network");
    let values = random(row.rows * SIZES[0]);
    let predict = || {
        let x = Array::new(&row.device, [row.rows, SIZES[0]], &values).expect("room");
        mlp.forward(&x).and_then(|output| output.to_vec()).expect("predictions")
    };
    predict();
    bencher.counter(ItemsCount::new(row.rows)).bench_local(predict);
}

fn main() {
    gpu();
    divan::main();
}
