//! The losses with their gradients, and what goes with them: correct answers.

use std::fmt;
use std::str::FromStr;

use super::softmax::maximum;
use super::{VIEW, rows};
use crate::compute::kernel::{Args, Binding, Element, Form, Kernel, Params, View, params};
use crate::compute::plan::{Plan, Tensor};
use crate::{Error, Result};

/// What training makes small: a mean over the rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The mean of all squared differences. Targets have the shape of the predictions.
    Mse,
    /// `log(sum exp z) - sum z t` per row, of logits `z`. Targets are probabilities of the same
    /// shape, or one class index per row.
    CrossEntropy,
}

impl Loss {
    /// Every loss.
    pub const ALL: [Loss; 2] = [Loss::Mse, Loss::CrossEntropy];

    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Mse => "mse",
            Loss::CrossEntropy => "cross-entropy",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Loss {
    type Err = Error;

    fn from_str(name: &str) -> Result<Loss> {
        Loss::ALL.into_iter().find(|loss| loss.name() == name).ok_or_else(|| Error::Setting {
            name: "loss".into(),
            found: format!("`{name}`"),
            expected: format!("one of {}", Loss::ALL.map(Loss::name).join(", ")),
        })
    }
}

/// Records the loss of each row and the gradient of the mean over all rows.
///
/// `output` and `gradient` are `[rows, columns]`, `row_losses` is `[rows, 1]`. `targets` have the
/// output's shape, or are `[rows, 1]` class indices for [`Loss::CrossEntropy`].
pub fn record_loss(
    plan: &mut Plan,
    loss: Loss,
    output: Tensor,
    targets: Tensor,
    row_losses: Tensor,
    gradient: Tensor,
) -> Result<()> {
    let is_class = plan.spec(targets.buffer).element == Element::U32;
    let name = loss.name();
    let target_columns = if is_class && loss == Loss::CrossEntropy { 1 } else { output.columns };
    targets.expect(name, "targets", output.rows, target_columns)?;
    row_losses.expect(name, "row losses", output.rows, 1)?;
    gradient.expect(name, "gradient", output.rows, output.columns)?;
    if output.columns == 0 {
        return Err(Error::Shape {
            operation: name.into(),
            found: "an output without columns".into(),
            expected: "at least one column".into(),
        });
    }
    let operands = [output, targets, row_losses, gradient];
    let models = Plan::models(name, &operands)?;
    let views = operands.map(|operand| operand.view(models));
    let (rows, columns, scale) = (output.rows, output.columns, 1.0 / output.rows as f32);
    match loss {
        Loss::Mse => {
            let [p, t, loss, dp] = views;
            plan.push(&MSE, Mse { p, t, loss, dp, rows, columns, scale }, &operands, models)
        }
        Loss::CrossEntropy if is_class => {
            let [z, classes, loss, dz] = views;
            let params = CrossEntropyClasses { z, classes, loss, dz, rows, columns, scale };
            plan.push(&CROSS_ENTROPY_CLASSES, params, &operands, models)
        }
        Loss::CrossEntropy => {
            let [z, t, loss, dz] = views;
            plan.push(&CROSS_ENTROPY, CrossEntropy { z, t, loss, dz, rows, columns, scale }, &operands, models)
        }
    }
}

params! { Mse { p: View, t: View, loss: View, dp: View, rows: u32, columns: u32, scale: f32 } invocations: rows }

/// Mean squared error of each row, and its gradient.
pub static MSE: Kernel = Kernel {
    name: "mse",
    params: Mse::FIELDS,
    bindings: &[Binding::read("p"), Binding::read("t"), Binding::write("loss"), Binding::write("dp")],
    twin: mse,
    fast: None,
    forms: &[Form::plain::<Mse>(&[include_str!("../../shaders/mse.wgsl"), VIEW])],
};

fn mse(args: &mut Args) {
    let params = args.params::<Mse>();
    let (p, t): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let loss: &mut [f32] = args.write(2);
    let dp: &mut [f32] = args.write(3);
    let columns = params.columns as f32;
    for (model, row) in rows(args.models, params.rows) {
        let mut total = 0.0f32;
        for c in 0..params.columns {
            let difference = p[params.p.at(model, row, c)] - t[params.t.at(model, row, c)];
            total = difference.mul_add(difference, total);
            dp[params.dp.at(model, row, c)] = 2.0 * difference * (params.scale / columns);
        }
        loss[params.loss.at(model, row, 0)] = total / columns;
    }
}

params! {
    CrossEntropyClasses { z: View, classes: View, loss: View, dz: View, rows: u32, columns: u32, scale: f32 }
    invocations: rows
}

/// Softmax cross-entropy of each row against a class index, and its gradient.
pub static CROSS_ENTROPY_CLASSES: Kernel = Kernel {
    name: "cross_entropy_classes",
    params: CrossEntropyClasses::FIELDS,
    bindings: &[
        Binding::read("z"),
        Binding::read("classes").of(Element::U32),
        Binding::write("loss"),
        Binding::write("dz"),
    ],
    twin: cross_entropy_classes,
    fast: None,
    forms: &[Form::plain::<CrossEntropyClasses>(&[include_str!("../../shaders/cross_entropy_classes.wgsl"), VIEW])],
};

fn cross_entropy_classes(args: &mut Args) {
    let p = args.params::<CrossEntropyClasses>();
    let z: &[f32] = args.read(0);
    let classes: &[u32] = args.read(1);
    let loss: &mut [f32] = args.write(2);
    let dz: &mut [f32] = args.write(3);
    for (model, row) in rows(args.models, p.rows) {
        let logit = |c| z[p.z.at(model, row, c)];
        let maximum = maximum(p.columns, logit);
        let mut total = 0.0;
        for c in 0..p.columns {
            // Kept for the second loop: the exponential is the dear part.
            let e = (logit(c) - maximum).exp();
            dz[p.dz.at(model, row, c)] = e;
            total += e;
        }
        let class = classes[p.classes.at(model, row, 0)].min(p.columns - 1);
        for c in 0..p.columns {
            let probability = dz[p.dz.at(model, row, c)] / total;
            dz[p.dz.at(model, row, c)] = (probability - if c == class { 1.0 } else { 0.0 }) * p.scale;
        }
        loss[p.loss.at(model, row, 0)] = total.ln() - (logit(class) - maximum);
    }
}

params! {
    CrossEntropy { z: View, t: View, loss: View, dz: View, rows: u32, columns: u32, scale: f32 } invocations: rows
}

/// Softmax cross-entropy of each row against probabilities, and its gradient.
///
/// One formula for all targets, also those that do not sum to 1:
/// `log(sum exp s) - sum s t + m (1 - sum t)` with `m = max z` and `s = z - m`. It equals
/// `log(sum exp z) - sum z t` and stays exact at logits of 1e20.
pub static CROSS_ENTROPY: Kernel = Kernel {
    name: "cross_entropy",
    params: CrossEntropy::FIELDS,
    bindings: &[Binding::read("z"), Binding::read("t"), Binding::write("loss"), Binding::write("dz")],
    twin: cross_entropy,
    fast: None,
    forms: &[Form::plain::<CrossEntropy>(&[include_str!("../../shaders/cross_entropy.wgsl"), VIEW])],
};

fn cross_entropy(args: &mut Args) {
    let p = args.params::<CrossEntropy>();
    let (z, t): (&[f32], &[f32]) = (args.read(0), args.read(1));
    let loss: &mut [f32] = args.write(2);
    let dz: &mut [f32] = args.write(3);
    for (model, row) in rows(args.models, p.rows) {
        let logit = |c| z[p.z.at(model, row, c)];
        let maximum = maximum(p.columns, logit);
        let (mut total, mut score, mut mass) = (0.0, 0.0, 0.0);
        for c in 0..p.columns {
            let shifted = logit(c) - maximum;
            let target = t[p.t.at(model, row, c)];
            total += shifted.exp();
            score = shifted.mul_add(target, score);
            mass += target;
        }
        for c in 0..p.columns {
            let probability = (logit(c) - maximum).exp() / total;
            dz[p.dz.at(model, row, c)] = (probability - t[p.t.at(model, row, c)]) * p.scale;
        }
        let mut missing = 1.0 - mass;
        if missing.abs() <= (p.columns + 1) as f32 * f32::EPSILON {
            missing = 0.0;
        }
        loss[p.loss.at(model, row, 0)] = maximum.mul_add(missing, total.ln() - score);
    }
}

params! { Correct { z: View, classes: View, y: View, rows: u32, columns: u32 } invocations: rows }

/// 1 for each row whose largest logit is at its class, else 0.
pub static CORRECT: Kernel = Kernel {
    name: "correct",
    params: Correct::FIELDS,
    bindings: &[Binding::read("z"), Binding::read("classes").of(Element::U32), Binding::write("y")],
    twin: correct,
    fast: None,
    forms: &[Form::plain::<Correct>(&[include_str!("../../shaders/correct.wgsl"), VIEW])],
};

/// Records `y[r] = 1` where the largest of `z[r]` is at `classes[r]`; `z` is `[rows, columns]`
/// with at least one column, `classes` and `y` are `[rows, 1]`.
pub fn record_correct(plan: &mut Plan, z: Tensor, classes: Tensor, y: Tensor) -> Result<()> {
    z.expect("correct", "z", z.rows, z.columns.max(1))?;
    classes.expect("correct", "classes", z.rows, 1)?;
    y.expect("correct", "y", z.rows, 1)?;
    let models = Plan::models("correct", &[z, classes, y])?;
    let (views, rows, columns) = ([z, classes, y].map(|operand| operand.view(models)), z.rows, z.columns);
    let params = Correct { z: views[0], classes: views[1], y: views[2], rows, columns };
    plan.push(&CORRECT, params, &[z, classes, y], models)
}

fn correct(args: &mut Args) {
    let p = args.params::<Correct>();
    let z: &[f32] = args.read(0);
    let classes: &[u32] = args.read(1);
    let y: &mut [f32] = args.write(2);
    for (model, row) in rows(args.models, p.rows) {
        let mut best = 0;
        for c in 1..p.columns {
            if z[p.z.at(model, row, c)] > z[p.z.at(model, row, best)] {
                best = c;
            }
        }
        y[p.y.at(model, row, 0)] = if best == classes[p.classes.at(model, row, 0)] { 1.0 } else { 0.0 };
    }
}
