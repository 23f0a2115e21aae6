//! The losses of logits of classes that exclude each other.

use super::super::softmax::maximum;
use super::super::{ELEMENTARY, VIEW, rows};
use super::pointwise::{POWER, power, times};
use crate::compute::kernel::{Args, Binding, Element, Form, Kernel, Params, View, params};

params! {
    CrossEntropyClasses {
        z: View, classes: View, weights: View, values: View, dz: View,
        rows: u32, columns: u32, weighted: u32, smoothing: f32, scale: f32,
    } invocations: rows
}

/// Softmax cross-entropy of each row against a class index, and its gradient.
pub static CROSS_ENTROPY_CLASSES: Kernel = Kernel {
    name: "cross_entropy_classes",
    params: CrossEntropyClasses::FIELDS,
    bindings: &[
        Binding::read("z"),
        Binding::read("classes").of(Element::U32),
        Binding::read("weights"),
        Binding::write("values"),
        Binding::write("dz"),
    ],
    twin: cross_entropy_classes,
    fast: None,
    forms: &[Form::plain::<CrossEntropyClasses>(&[
        include_str!("../../../shaders/cross_entropy_classes.wgsl"),
        VIEW,
        POWER,
    ])],
};

fn cross_entropy_classes(args: &mut Args) {
    let p = args.params::<CrossEntropyClasses>();
    let z: &[f32] = args.read(0);
    let classes: &[u32] = args.read(1);
    let weights: &[f32] = args.read(2);
    let values: &mut [f32] = args.write(3);
    let dz: &mut [f32] = args.write(4);
    let (kept, spread) = (1.0 - p.smoothing, p.smoothing / p.columns as f32);
    for (model, row) in rows(args.models, p.rows) {
        let logit = |c| z[p.z.at(model, row, c)];
        let maximum = maximum(p.columns, logit);
        let (mut total, mut sum) = (0.0, 0.0);
        for c in 0..p.columns {
            // Kept for the second loop: the exponential is the dear part.
            let e = (logit(c) - maximum).exp();
            dz[p.dz.at(model, row, c)] = e;
            total += e;
            sum += logit(c) - maximum;
        }
        let class = classes[p.classes.at(model, row, 0)].min(p.columns - 1);
        let weight = if p.weighted == 0 { 1.0 } else { weights[p.weights.at(model, row, 0)] };
        for c in 0..p.columns {
            let probability = dz[p.dz.at(model, row, c)] / total;
            let expected = if c == class { kept } else { 0.0 } + spread;
            dz[p.dz.at(model, row, c)] = (probability - expected) * (p.scale * weight);
        }
        let score = kept * (logit(class) - maximum) + times(spread, sum);
        values[p.values.at(model, row, 0)] = (total.ln() - score) * weight;
    }
}

params! {
    CrossEntropy {
        z: View, t: View, weights: View, values: View, dz: View,
        rows: u32, columns: u32, weighted: u32, smoothing: f32, scale: f32,
    } invocations: rows
}

/// Softmax cross-entropy of each row against probabilities, and its gradient.
///
/// One formula for all targets, also those that do not sum to 1:
/// `log(sum exp s) - sum s t + m (1 - sum t)` with `m = max z` and `s = z - m`. It equals
/// `log(sum exp z) - sum z t` and stays exact at logits of 1e20.
pub static CROSS_ENTROPY: Kernel = Kernel {
    name: "cross_entropy",
    params: CrossEntropy::FIELDS,
    bindings: &[
        Binding::read("z"),
        Binding::read("t"),
        Binding::read("weights"),
        Binding::write("values"),
        Binding::write("dz"),
    ],
    twin: cross_entropy,
    fast: None,
    forms: &[Form::plain::<CrossEntropy>(&[include_str!("../../../shaders/cross_entropy.wgsl"), VIEW])],
};

fn cross_entropy(args: &mut Args) {
    let p = args.params::<CrossEntropy>();
    let (z, t, weights): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let values: &mut [f32] = args.write(3);
    let dz: &mut [f32] = args.write(4);
    let (kept, spread) = (1.0 - p.smoothing, p.smoothing / p.columns as f32);
    for (model, row) in rows(args.models, p.rows) {
        let logit = |c| z[p.z.at(model, row, c)];
        let maximum = maximum(p.columns, logit);
        let (mut total, mut score, mut mass) = (0.0, 0.0, 0.0);
        for c in 0..p.columns {
            let shifted = logit(c) - maximum;
            let probability = t[p.t.at(model, row, c)];
            let expected = kept.mul_add(probability, spread);
            total += shifted.exp();
            // A class that is not expected adds nothing, though its logit may be infinite.
            if expected != 0.0 {
                score = shifted.mul_add(expected, score);
            }
            mass += probability;
        }
        let weight = if p.weighted == 0 { 1.0 } else { weights[p.weights.at(model, row, 0)] };
        for c in 0..p.columns {
            let probability = (logit(c) - maximum).exp() / total;
            let expected = kept.mul_add(t[p.t.at(model, row, c)], spread);
            dz[p.dz.at(model, row, c)] = (probability - expected) * (p.scale * weight);
        }
        let mut missing = kept * (1.0 - mass);
        if (1.0 - mass).abs() <= (p.columns + 1) as f32 * f32::EPSILON {
            missing = 0.0;
        }
        values[p.values.at(model, row, 0)] = maximum.mul_add(missing, total.ln() - score) * weight;
    }
}

params! {
    Focal {
        z: View, classes: View, weights: View, values: View, dz: View,
        rows: u32, columns: u32, weighted: u32, gamma: f32, scale: f32,
    } invocations: rows
}

/// The focal loss of each row against a class index, and its gradient.
pub static FOCAL: Kernel = Kernel {
    name: "focal",
    params: Focal::FIELDS,
    bindings: CROSS_ENTROPY_CLASSES.bindings,
    twin: focal,
    fast: None,
    forms: &[Form::plain::<Focal>(&[include_str!("../../../shaders/focal.wgsl"), VIEW, POWER, ELEMENTARY])],
};

fn focal(args: &mut Args) {
    let p = args.params::<Focal>();
    let z: &[f32] = args.read(0);
    let classes: &[u32] = args.read(1);
    let weights: &[f32] = args.read(2);
    let values: &mut [f32] = args.write(3);
    let dz: &mut [f32] = args.write(4);
    for (model, row) in rows(args.models, p.rows) {
        let logit = |c| z[p.z.at(model, row, c)];
        let maximum = maximum(p.columns, logit);
        let class = classes[p.classes.at(model, row, 0)].min(p.columns - 1);
        let shifted = logit(class) - maximum;
        let own = shifted.exp();
        let mut others = 0.0;
        for c in (0..p.columns).filter(|c| *c != class) {
            others += (logit(c) - maximum).exp();
        }
        let total = own + others;
        let (probability, q) = (own / total, others / total);
        let l = if others <= own { (others / own).ln_1p() } else { total.ln() - shifted };
        // l / q goes to 1 as q goes to 0.
        let ratio = if q == 0.0 { 1.0 } else { times(probability, l) / q };
        let slope = power(q, p.gamma) * p.gamma.mul_add(ratio, 1.0);
        let weight = if p.weighted == 0 { 1.0 } else { weights[p.weights.at(model, row, 0)] };
        for c in 0..p.columns {
            let difference = if c == class { -q } else { (logit(c) - maximum).exp() / total };
            dz[p.dz.at(model, row, c)] = slope * difference * (p.scale * weight);
        }
        values[p.values.at(model, row, 0)] = power(q, p.gamma) * l * weight;
    }
}
