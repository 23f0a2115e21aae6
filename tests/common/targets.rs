//! What rows are to give, with the losses as books define them.

use nngpu::compute::{Plan, Tensor};
use nngpu::kernels::loss::record_loss;
use nngpu::random::{Key, Purpose, Threefry};
use nngpu::{Device, Loss};

use super::differences::{uniform, wide};

/// What a row is to give.
#[derive(Clone, Debug)]
pub enum Targets {
    Values(Vec<f32>),
    Probabilities(Vec<f32>),
    Classes(Vec<u32>),
}

impl Targets {
    pub fn loss(&self) -> Loss {
        if matches!(self, Targets::Values(_)) { Loss::Mse } else { Loss::CrossEntropy }
    }

    /// Of each of the three kinds, for `rows` of `columns`. Probabilities do not sum to 1.
    pub fn kinds(seed: u64, rows: usize, columns: usize) -> [Targets; 3] {
        let mut random = Threefry::new(Key::new(seed), Purpose::Splits, 9);
        let shares = Key::new(seed + 1).uniform(0.0, 2.0 / columns as f32, rows * columns);
        [
            Targets::Values(uniform(seed, rows * columns, 1.0)),
            Targets::Probabilities(shares),
            Targets::Classes((0..rows).map(|_| random.below(columns as u32)).collect()),
        ]
    }

    /// The loss of one row, as the definitions in books have it.
    pub fn row_loss(&self, row: usize, output: &[f64]) -> f64 {
        let columns = output.len();
        let log_sum = || output.iter().map(|z| z.exp()).sum::<f64>().ln();
        let own = |values: &[f32]| wide(&values[row * columns..][..columns]);
        match self {
            Targets::Values(t) => output.iter().zip(own(t)).map(|(p, t)| (p - t).powi(2)).sum::<f64>() / columns as f64,
            Targets::Probabilities(t) => log_sum() - output.iter().zip(own(t)).map(|(z, t)| z * t).sum::<f64>(),
            Targets::Classes(classes) => log_sum() - output[classes[row] as usize],
        }
    }

    pub fn mean_loss(&self, output: &[f64], columns: usize) -> f64 {
        let rows = output.chunks(columns).enumerate();
        let n_rows = output.len() / columns;
        rows.map(|(row, output)| self.row_loss(row, output)).sum::<f64>() / n_rows as f64
    }

    pub fn declare(&self, plan: &mut Plan, rows: u32, columns: u32) -> Tensor {
        match self {
            Targets::Values(_) | Targets::Probabilities(_) => plan.tensor("targets", 1, rows, columns),
            Targets::Classes(_) => plan.integers("targets", 1, rows, 1),
        }
    }

    pub fn words(&self) -> Vec<u32> {
        match self {
            Targets::Values(values) | Targets::Probabilities(values) => values.iter().map(|v| v.to_bits()).collect(),
            Targets::Classes(classes) => classes.clone(),
        }
    }
}

/// Row losses and the gradient of their mean.
pub fn loss_and_gradient(device: &Device, columns: usize, output: &[f32], targets: &Targets) -> (Vec<f32>, Vec<f32>) {
    let (rows, columns) = ((output.len() / columns) as u32, columns as u32);
    let mut plan = Plan::new();
    let (toutput, ttargets) = (plan.tensor("output", 1, rows, columns), targets.declare(&mut plan, rows, columns));
    let (losses, gradient) = (plan.tensor("losses", 1, rows, 1), plan.tensor("gradient", 1, rows, columns));
    record_loss(&mut plan, targets.loss(), toutput, ttargets, losses, gradient).expect("shapes");
    let program = device.compile(&plan, &[]).expect("compiles");
    device.write(&program.buffer(toutput.buffer), 0, output).expect("written");
    device.write(&program.buffer(ttargets.buffer), 0, &targets.words()).expect("written");
    device.run(&program, 1).expect("runs");
    let read = |tensor: Tensor| device.read(&program.buffer(tensor.buffer)).expect("readable");
    (read(losses), read(gradient))
}
