//! The matrix product: squares, and the shapes of a small network, on the CPU and in each form of
//! the GPU. The rate is that of floating-point operations: Gitem/s are GFLOP/s.

mod common;

use std::fmt;

use common::{devices, gpu, gpu_forms, is_software, random};
use divan::{Bencher, counter::ItemsCount};
use nngpu::Device;
use nngpu::compute::Plan;
use nngpu::kernels::matmul::record_matmul;

/// Rows and columns of the result, and the length of each sum.
const SHAPES: [[u32; 3]; 6] =
    [[64, 64, 64], [256, 256, 256], [512, 512, 512], [1024, 1024, 1024], [64, 256, 784], [64, 10, 128]];

struct Row {
    device_name: &'static str,
    device: Device,
    shape: [u32; 3],
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns, depth] = self.shape;
        write!(f, "{rows} x {columns} x {depth}, {}", self.device_name)
    }
}

fn table() -> Vec<Row> {
    let gpu_is_software = gpu().is_some_and(|gpu| is_software(&gpu));
    let devices: Vec<_> = devices().into_iter().filter(|(name, _)| *name != "gpu").chain(gpu_forms()).collect();
    let mut table = Vec::new();
    for shape in SHAPES {
        for (device_name, device) in &devices {
            // Seconds for one product.
            if gpu_is_software && shape[0] == 1024 && *device_name == "gpu, plain" {
                continue;
            }
            table.push(Row { device_name, device: device.clone(), shape });
        }
    }
    table
}

#[divan::bench(args = table(), max_time = 1)]
fn matmul(bencher: Bencher, row: &Row) {
    let [rows, columns, depth] = row.shape;
    let mut plan = Plan::new();
    let (a, b) = (plan.tensor("a", 1, rows, depth), plan.tensor("b", 1, depth, columns));
    let c = plan.tensor("c", 1, rows, columns);
    record_matmul(&mut plan, a, b, c).expect("shapes that fit");
    let program = row.device.compile(&plan, &[]).expect("a product");
    for operand in [a, b] {
        let values = random((operand.rows * operand.columns) as usize);
        row.device.write(&program.buffer(operand.buffer), 0, &values).expect("room");
    }
    let run = || {
        row.device.run(&program, 1).expect("a run");
        row.device.wait().expect("an end");
    };
    run();
    let operations = 2 * u64::from(rows) * u64::from(columns) * u64::from(depth);
    bencher.counter(ItemsCount::new(operations)).bench_local(run);
}

fn main() {
    gpu();
    divan::main();
}
