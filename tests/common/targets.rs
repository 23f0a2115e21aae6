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

/// Loss values and the gradient of their mean.
pub fn loss_and_gradient(
    device: &Device,
    loss: Loss,
    columns: usize,
    output: &[f32],
    targets: &Targets,
) -> (Vec<f32>, Vec<f32>) {
    let (rows, columns) = ((output.len() / columns) as u32, columns as u32);
    let [value_rows, value_columns] = loss.shape(rows, columns);
    let target_columns = if matches!(loss, Loss::GaussianNll { .. }) { columns / 2 } else { columns };
    let mut plan = Plan::new();
    let toutput = plan.tensor("output", 1, rows, columns);
    let ttargets = targets.declare(&mut plan, rows, target_columns);
    let tvalues = plan.tensor("values", 1, value_rows, value_columns);
    let gradient = plan.tensor("gradient", 1, rows, columns);
    record_loss(&mut plan, loss, toutput, ttargets, tvalues, gradient).expect("shapes");
    let program = device.compile(&plan, &[]).expect("compiles");
    device.write(&program.buffer(toutput.buffer), 0, output).expect("written");
    device.write(&program.buffer(ttargets.buffer), 0, &targets.words()).expect("written");
    device.run(&program, 1).expect("runs");
    let read = |tensor: Tensor| device.read(&program.buffer(tensor.buffer)).expect("readable");
    (read(tvalues), read(gradient))
}

/// An output of `rows`, its number of columns, and all kinds of targets that a loss takes: away from
/// its kinks.
pub fn sample(loss: Loss, seed: u64, rows: usize, columns: usize) -> (Vec<f32>, usize, Vec<Targets>) {
    let count = rows * columns;
    let between = |seed, low, high| Key::new(seed).uniform(low, high, count);
    let [values, probabilities, classes] = Targets::kinds(seed + 1, rows, columns);
    let mut output = uniform(seed, count, 3.0);
    let mut targets = Vec::new();
    match loss {
        Loss::Hinge => {
            output.iter_mut().filter(|p| (p.abs() - 1.0).abs() < 0.01).for_each(|p| *p += 0.02);
            targets.push(Targets::Values(uniform(seed + 2, count, 1.0).iter().map(|t| t.signum()).collect()));
        }
        Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. } => {
            targets.push(Targets::Values(between(seed + 2, 0.1, 3.0)));
        }
        Loss::BinaryCrossEntropy | Loss::BinaryFocal { .. } => {
            targets.push(Targets::Values(between(seed + 2, 0.0, 1.0)));
            targets.push(Targets::Values(uniform(seed + 2, count, 1.0).iter().map(|t| t.signum().max(0.0)).collect()));
        }
        Loss::BinaryCrossEntropyOfProbabilities => {
            output = between(seed, 0.1, 0.9);
            targets.push(Targets::Values(between(seed + 2, 0.0, 1.0)));
        }
        Loss::GaussianNll { .. } => {
            let variances = between(seed + 2, 0.5, 1.5);
            let rows = output.chunks(columns).zip(variances.chunks(columns));
            let output = rows.flat_map(|(means, variances)| [means, variances].concat()).collect();
            return (output, 2 * columns, vec![values]);
        }
        Loss::CrossEntropy | Loss::CrossEntropySmoothed { .. } => targets.extend([probabilities, classes]),
        Loss::Focal { .. } | Loss::Nll => targets.push(classes),
        Loss::KlDiv => targets.push(Targets::Values(between(seed + 2, -2.0, 0.0))),
        _ => {
            // Beside the target, where some have a kink.
            let mut values = uniform(seed + 2, count, 3.0);
            let is_near = |(t, p): &(&mut f32, &f32)| (**t - **p).abs() < 0.01;
            values.iter_mut().zip(&output).filter(is_near).for_each(|(t, _)| *t += 0.02);
            targets.push(Targets::Values(values));
        }
    }
    (output, columns, targets)
}

/// Loss values as the definitions in books have them, without care for large numbers.
pub fn definition(loss: Loss, output: &[f64], columns: usize, targets: &Targets) -> Vec<f64> {
    let rows = output.chunks(columns);
    let log_sum = |z: &[f64]| z.iter().map(|z| z.exp()).sum::<f64>().ln();
    let mean = |z: &[f64]| z.iter().sum::<f64>() / z.len() as f64;
    let smoothing =
        if let Loss::CrossEntropySmoothed { label_smoothing } = loss { f64::from(label_smoothing) } else { 0.0 };
    let smoothed = |z: &[f64], score: f64| log_sum(z) - (1.0 - smoothing) * score - smoothing * mean(z);
    let targets = match targets {
        Targets::Classes(classes) => {
            return rows
                .zip(classes)
                .map(|(z, &class)| match loss {
                    Loss::Nll => -z[class as usize],
                    Loss::Focal { gamma } => {
                        let value = log_sum(z) - z[class as usize];
                        (1.0 - (-value).exp()).powf(gamma.into()) * value
                    }
                    _ => smoothed(z, z[class as usize]),
                })
                .collect();
        }
        Targets::Values(values) | Targets::Probabilities(values) => wide(values),
    };
    let dot = |x: &[f64], t: &[f64]| x.iter().zip(t).map(|(x, t)| x * t).sum::<f64>();
    let by_row = |f: &dyn Fn(&[f64], &[f64]) -> f64| -> Vec<f64> {
        output.chunks(columns).zip(targets.chunks(columns)).map(|(x, t)| f(x, t)).collect()
    };
    match loss {
        Loss::CrossEntropy | Loss::CrossEntropySmoothed { .. } => by_row(&|z, t| smoothed(z, dot(z, t))),
        Loss::KlDiv => by_row(&|x, t| x.iter().zip(t).map(|(x, t)| t.exp() * (t - x)).sum()),
        Loss::CosineSimilarity { .. } => by_row(&|x, t| dot(x, t) / (dot(x, x) * dot(t, t)).sqrt()),
        Loss::GaussianNll { .. } => {
            let halves = rows.map(|row| row.split_at(columns / 2));
            let pairs = halves.flat_map(|(means, variances)| means.iter().zip(variances));
            pairs.zip(&targets).map(|((m, v), t)| 0.5 * (v.ln() + (m - t).powi(2) / v)).collect()
        }
        _ => output.iter().zip(&targets).map(|(&p, &t)| of_element(loss, p, t)).collect(),
    }
}

fn of_element(loss: Loss, p: f64, t: f64) -> f64 {
    let size = (p - t).abs();
    let share = 1.0 / (1.0 + (-p).exp());
    let entropy = |p: f64| -(t * p.ln() + (1.0 - t) * (1.0 - p).ln());
    match loss {
        Loss::Mse => size * size,
        Loss::L1 => size,
        Loss::Huber { delta } if size <= delta.into() => 0.5 * size * size,
        Loss::Huber { delta } => f64::from(delta) * (size - 0.5 * f64::from(delta)),
        Loss::SmoothL1 { beta } if size < beta.into() => 0.5 * size * size / f64::from(beta),
        Loss::SmoothL1 { beta } => size - 0.5 * f64::from(beta),
        Loss::LogCosh => size.cosh().ln(),
        Loss::Quantile { level } => (f64::from(level) * (t - p)).max((f64::from(level) - 1.0) * (t - p)),
        Loss::Poisson => p.exp() - t * p,
        Loss::Gamma => t / p.exp() + p,
        Loss::Tweedie { power } => {
            let (a, b) = (1.0 - f64::from(power), 2.0 - f64::from(power));
            p.exp().powf(b) / b - t * p.exp().powf(a) / a
        }
        Loss::Hinge => (1.0 - p * t).max(0.0),
        Loss::BinaryCrossEntropy => entropy(share),
        Loss::BinaryCrossEntropyOfProbabilities => entropy(p),
        Loss::BinaryFocal { gamma } => entropy(share) * (share * (1.0 - t) + (1.0 - share) * t).powf(gamma.into()),
        Loss::Formula(formula) => formula.value_f64(&[p, t]),
        other => panic!("{other} is not of one element"),
    }
}
