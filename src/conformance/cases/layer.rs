//! The kernels of layers beside the product: normalisation, dropout, embeddings, gates, softmax.

use super::super::builder::{Builder, Values};
use super::super::{Case, Tolerance};
use super::{DIVISION, EXACT, EXPONENTIAL};
use crate::compute::{Element, Tensor};
use crate::kernels::dropout::{dropout_noise, record_count, record_dropout};
use crate::kernels::embedding::{record_embed, record_embed_gradient};
use crate::kernels::gate::{
    record_glu, record_glu_backward, record_prelu, record_prelu_backward, record_prelu_gradient,
};
use crate::kernels::normalise::{
    record_moments, record_normalise, record_normalise_backward, record_normalise_gradient,
};
use crate::kernels::softmax::{SoftmaxKind, record_softmax_backward, record_softmax_of};
use crate::random::Key;

/// MLX's default.
const VARIANCE_FLOOR: f32 = 1e-5;

/// A mask is equal everywhere, and a single product is rounded in one way.
const MASK: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 0.0,
    reason: "integers make the mask, and WGSL has a single product rounded correctly",
};

/// A difference of at most 2.5 over a root of at least 0.7 is at most 3.6. WGSL allows the root 4.5 and the
/// quotient 2.5 units in the last place; the product with the weight and the sum with the bias, of at most
/// 4.6, are rounded, or contracted to one rounding.
const NORMALISED: Tolerance = Tolerance {
    absolute: (3.6 * 8.0 + 3.6 + 4.6) * f32::EPSILON,
    relative: 0.0,
    reason: "a root of 4.5 and a quotient of 2.5 units of at most 3.6, and two roundings at up to 4.6",
};

/// How many roundings lie on the way from an element to the sum of all in the order of a workgroup.
fn depth(count: u32) -> f32 {
    count.div_ceil(64) as f32 + 6.0
}

/// The mean of eighths is a quotient of an exact sum: off by 3 units of at most 1. A difference of at
/// most 2 is then off by 3 and a rounding at 2, its square by 2 * 2 * 5 and a rounding at 4; their mean
/// adds the roundings of a sum, and a quotient, at 4.
fn moments_of(count: u32) -> Tolerance {
    Tolerance {
        absolute: (20.0 + 4.0 + 4.0 * depth(count) + 4.0 * 3.0) * f32::EPSILON,
        relative: 0.0,
        reason: "a mean off by 3 units moves each difference of at most 2; squares of up to 4 are added and divided",
    }
}

/// The scale s is a root's inverse, off by 7 units of at most 1.42; the normal n = (x - mean) s is at most
/// 3.6, off by 8 units: 29. Gradients g are at most 1. The mean of g is off by the roundings of its sum
/// and a quotient; that of g n by 3.6 times those, and by 29 + 4. Its product with n is at most 13: off by
/// 3.6 times that, by 3.6 * 29, and a rounding. What is scaled is at most 17.6.
fn backward_of(count: u32) -> Tolerance {
    let sum = depth(count) + 3.0;
    let slope = 3.6 * sum + 33.0;
    let product = 3.6 * slope + 3.6 * 29.0 + 13.0;
    let inner = product + sum + 17.6 + 13.0;
    Tolerance {
        absolute: (1.42 * inner + 8.0 * 1.42 * 17.6) * f32::EPSILON,
        relative: 0.0,
        reason: "a root and a quotient of 7 units in a normal of 3.6, which enters a mean and its product with that",
    }
}

/// A term is off by 8 units of at most 3.6 and a rounding; a sum of them adds its roundings.
fn gradient_of(rows: u32) -> Tolerance {
    Tolerance {
        absolute: rows as f32 * 3.6 * (9.0 + depth(rows)) * f32::EPSILON,
        relative: 0.0,
        reason: "a sum of n terms of at most 3.6, each with a root and a quotient of 8 units together",
    }
}

/// exp is off by 19 units where |x| <= 8, so that the sum's logarithm is off by 19 and by the roundings of
/// the sum of n; log itself by 3 units of at most 8; the difference is rounded at up to 16.
fn logarithm_of(columns: u32) -> Tolerance {
    Tolerance {
        absolute: (19.0 + columns as f32 + 3.0 * 4.0 + 8.0) * f32::EPSILON,
        relative: 0.0,
        reason: "the logarithm of a sum of n exponentials of 19 units, 3 units of its own, a rounding below 16",
    }
}

/// Probabilities of at most 2 / n: their sum with gradients of at most 1 is at most 2, and off by its n
/// roundings at 2. Times 2 / n that is 4; the difference is at most 3, its product 6, each rounded once.
const SOFTMAX_BACKWARD: Tolerance = Tolerance {
    absolute: (4.0 + 2.0 * 4.0 + 8.0) * f32::EPSILON,
    relative: 0.0,
    reason: "a sum of n products, times a share of at most 2 / n, and two roundings below 8",
};

/// The sum of eighths is exact and at most n; exp(y) is at most 2.72, off by 5 units; its product and the
/// difference are rounded.
fn log_softmax_backward_of(columns: u32) -> Tolerance {
    Tolerance {
        absolute: (2.72 * 5.0 + 4.0 + 4.0) * columns as f32 * f32::EPSILON,
        relative: f32::EPSILON,
        reason: "an exponential of at most 2.72 and 5 units times an exact sum of at most n, and two roundings",
    }
}

/// Cases of `rows` by `columns` elements.
pub(super) fn layer_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let mut cases = normalisation(models, rows, columns);
    cases.extend(noise(models, rows, columns));
    cases.extend(embeddings(models, rows, columns));
    cases.extend(gates(models, rows, columns));
    cases
}

/// Cases of `rows` rows of logits.
pub(super) fn softmax_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in SoftmaxKind::ALL {
        let is_log = kind == SoftmaxKind::LogSoftmax;
        let name = |what: &str| format!("{what}, {kind:?}, {models} × {rows} × {columns}");
        let tolerance = if is_log { logarithm_of(columns + 1) } else { EXPONENTIAL };
        cases.push(Builder::new(&name("logits"), |b| {
            let x = b.input("x", models, rows, columns, Values::Uniform4);
            let y = b.output("y", models, rows, columns, tolerance);
            record_softmax_of(&mut b.plan, kind, x, y)
        }));
        // What is impossible has probability 0; one logit of each row is possible.
        cases.push(Builder::new(&name("logits at infinity"), |b| {
            let impossible = if kind == SoftmaxKind::Softmin { f32::INFINITY } else { f32::NEG_INFINITY };
            let values: Vec<f32> = (0..models * rows * (columns + 1))
                .map(|i| if i % (columns + 1) == 0 { 1.5 } else { [impossible, 2.0, -1.0][i as usize % 3] })
                .collect();
            let x = b.given("x", models, rows, columns + 1, &values);
            let y = b.output("y", models, rows, columns + 1, tolerance);
            record_softmax_of(&mut b.plan, kind, x, y)
        }));
        cases.push(Builder::new(&name("logits and their gradient"), |b| {
            let dy = b.eighths("dy", models, rows, columns);
            let values = if is_log { Values::Uniform } else { Values::Shares(columns) };
            let y = b.input("y", models, rows, columns, values);
            let tolerance = if is_log { log_softmax_backward_of(columns) } else { SOFTMAX_BACKWARD };
            let dx = b.output("dx", models, rows, columns, tolerance);
            record_softmax_backward(&mut b.plan, kind, dy, y, dx)
        }));
    }
    cases
}

fn normalisation(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    // Means of up to 1.5 make the differences as large as the tolerance takes them to be, up to 2.5.
    let stats = |b: &mut Builder, lanes| b.input("stats", models, lanes, 2, Values::Positive);
    let uniform = |b: &mut Builder, label: &str| b.input(label, models, rows, columns, Values::Uniform);
    vec![
        Builder::new(&name("moments of rows"), |b| {
            let x = b.eighths("x", models, rows, columns);
            let y = b.output("stats", models, rows, 2, moments_of(columns));
            record_moments(&mut b.plan, true, x, y)
        }),
        Builder::new(&name("moments of columns"), |b| {
            let x = b.eighths("x", models, rows, columns);
            let y = b.output("stats", models, columns, 2, moments_of(rows));
            record_moments(&mut b.plan, true, x.transposed(), y)
        }),
        Builder::new(&name("mean squares of rows"), |b| {
            let x = b.eighths("x", models, rows, columns);
            let y = b.output("stats", models, rows, 2, DIVISION);
            record_moments(&mut b.plan, false, x, y)
        }),
        Builder::new(&name("each row by its moments, weight and bias"), |b| {
            let (x, stats) = (uniform(b, "x"), stats(b, rows));
            let weight = b.input("weight", models, 1, columns, Values::Uniform);
            let bias = b.input("bias", 1, 1, columns, Values::Uniform);
            let y = b.output("y", models, rows, columns, NORMALISED);
            let (mean, variance) = (stats.columns(0, 1), stats.columns(1, 1));
            record_normalise(&mut b.plan, VARIANCE_FLOOR, x, mean, variance, Some(weight), Some(bias), y)
        }),
        Builder::new(&name("each row by its moments, weight alone"), |b| {
            let (x, stats) = (uniform(b, "x"), stats(b, rows));
            let weight = b.input("weight", models, 1, columns, Values::Uniform);
            let y = b.output("y", models, rows, columns, NORMALISED);
            let (mean, variance) = (stats.columns(0, 1), stats.columns(1, 1));
            record_normalise(&mut b.plan, VARIANCE_FLOOR, x, mean, variance, Some(weight), None, y)
        }),
        Builder::new(&name("each column by its moments"), |b| {
            let (x, stats) = (uniform(b, "x"), stats(b, columns));
            let y = b.output("y", models, rows, columns, NORMALISED);
            let (mean, variance) = (stats.columns(0, 1).transposed(), stats.columns(1, 1).transposed());
            record_normalise(&mut b.plan, VARIANCE_FLOOR, x, mean, variance, None, None, y)
        }),
        Builder::new(&name("back through rows with a weight"), |b| {
            let (dy, x, stats) = (uniform(b, "dy"), uniform(b, "x"), stats(b, rows));
            let weight = b.input("weight", 1, 1, columns, Values::Uniform);
            let dx = b.output("dx", models, rows, columns, backward_of(columns));
            record_normalise_backward(&mut b.plan, true, VARIANCE_FLOOR, dy, x, stats, Some(weight), dx)
        }),
        Builder::new(&name("back through rows that are not centred"), |b| {
            let (dy, x, stats) = (uniform(b, "dy"), uniform(b, "x"), stats(b, rows));
            let dx = b.output("dx", models, rows, columns, backward_of(columns));
            record_normalise_backward(&mut b.plan, false, VARIANCE_FLOOR, dy, x, stats, None, dx)
        }),
        Builder::new(&name("back through columns with a weight"), |b| {
            let (dy, x, stats) = (uniform(b, "dy"), uniform(b, "x"), stats(b, columns));
            let weight = b.input("weight", models, 1, columns, Values::Uniform).transposed();
            let dx = b.output("dx", models, rows, columns, backward_of(rows)).transposed();
            let (dy, x) = (dy.transposed(), x.transposed());
            record_normalise_backward(&mut b.plan, true, VARIANCE_FLOOR, dy, x, stats, Some(weight), dx)
        }),
        Builder::new(&name("weight and bias of normalised rows"), |b| {
            let (dy, x, stats) = (uniform(b, "dy"), uniform(b, "x"), stats(b, rows));
            let whole = b.output("gradients", models, 1, 2 * columns, gradient_of(rows));
            let (dweight, dbias) = (whole.part(0, 1, columns), whole.part(columns, 1, columns));
            let (mean, variance) = (stats.columns(0, 1), stats.columns(1, 1));
            let floor = VARIANCE_FLOOR;
            record_normalise_gradient(&mut b.plan, floor, dy, x, mean, variance, Some(dweight), Some(dbias))
        }),
        Builder::new(&name("weight alone of normalised columns"), |b| {
            let (dy, x, stats) = (uniform(b, "dy"), uniform(b, "x"), stats(b, columns));
            let dweight = b.output("dweight", models, 1, columns, gradient_of(rows));
            let (mean, variance) = (stats.columns(0, 1).transposed(), stats.columns(1, 1).transposed());
            record_normalise_gradient(&mut b.plan, VARIANCE_FLOOR, dy, x, mean, variance, Some(dweight), None)
        }),
        Builder::new(&name("bias alone of normalised columns"), |b| {
            let (dy, x, stats) = (uniform(b, "dy"), uniform(b, "x"), stats(b, columns));
            let dbias = b.output("dbias", models, 1, columns, gradient_of(rows));
            let (mean, variance) = (stats.columns(0, 1).transposed(), stats.columns(1, 1).transposed());
            record_normalise_gradient(&mut b.plan, VARIANCE_FLOOR, dy, x, mean, variance, None, Some(dbias))
        }),
    ]
}

/// The words of each model's dropout.
fn noise_of(b: &mut Builder, models: u32, rate: f32) -> Tensor {
    let tensor = b.guarded("noise", Element::U32, models, 1, 4);
    let keys = (0..models).map(|model| Key::new(42).derive(model.into()));
    let words: Vec<u32> = keys.flat_map(|key| dropout_noise(rate, key).expect("a rate below 1")).collect();
    let mut words = words.into_iter();
    b.fill(tensor, |_| words.next().expect("four words of each model"))
}

fn noise(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    let dropout = |what: &str, values, rate: f32, step_models, step_number| {
        Builder::new(&name(what), |b| {
            let x = b.input("x", models, rows, columns, values);
            let noise = noise_of(b, models, rate);
            let step = b.counter("step", step_models, step_number);
            let y = b.output("y", models, rows, columns, MASK);
            record_dropout(&mut b.plan, x, noise, step, y)
        })
    };
    vec![
        dropout("a tenth dropped, one step of all models", Values::Uniform, 0.1, 1, 0),
        dropout("most dropped, a step of each model", Values::Uniform, 0.9, models, 7),
        dropout("nothing dropped", Values::Special, 0.0, 1, u32::MAX),
        // What is dropped is 0 even if it is not a number; what is kept stays what it is.
        dropout("half of special values dropped", Values::Special, 0.5, 1, 3),
        Builder::new(&name("a step on"), |b| {
            let counter = b.guarded("counter", Element::U32, models, rows, columns);
            b.written.push((counter.buffer, EXACT));
            // Some of them wrap.
            b.fill(counter, |random| u32::MAX - random.below(7));
            record_count(&mut b.plan, counter, 3)
        }),
    ]
}

/// Codes of levels, and some that no level has: too low, too high, between, and no number at all.
fn codes(b: &mut Builder, models: u32, rows: u32, levels: u32) -> Tensor {
    let tensor = b.guarded("codes", Element::F32, models, rows, 3);
    b.fill(tensor, |random| {
        let strange = [-1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e20, 0.5, 1.5, 2.5, 0.499_999_97, -0.5];
        let is_strange = random.below(3) == 0;
        let code = if is_strange { strange[random.below(10) as usize] } else { random.below(levels) as f32 };
        code.to_bits()
    });
    // A column of wider rows, as a column of the data is.
    tensor.columns(1, 1)
}

fn embeddings(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    let levels = rows.min(6);
    vec![
        Builder::new(&name("codes into columns of wider rows, table of each model"), |b| {
            let codes = codes(b, 1, rows, levels);
            let table = b.eighths("table", models, levels, columns);
            let y = b.output("y", models, rows, columns + 3, EXACT);
            record_embed(&mut b.plan, codes, table, y.columns(2, columns))
        }),
        Builder::new(&name("codes of each model, table shared"), |b| {
            let codes = codes(b, models, rows, levels + 2);
            let table = b.eighths("table", 1, levels + 2, columns);
            let y = b.output("y", models, rows, columns, EXACT);
            record_embed(&mut b.plan, codes, table, y)
        }),
        Builder::new(&name("rows added by code"), |b| {
            let codes = codes(b, 1, 2 * rows + 3, rows);
            let dy = b.eighths("dy", models, 2 * rows + 3, columns + 3).columns(2, columns);
            let dtable = b.output("dtable", models, rows, columns, EXACT);
            record_embed_gradient(&mut b.plan, codes, dy, dtable)
        }),
    ]
}

fn gates(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    // The values in [-1, 1], the gates in [-8, 8].
    let halves = |b: &mut Builder| {
        let mut i = 0;
        let x = b.guarded("x", Element::F32, models, rows, 2 * columns);
        b.fill(x, |random| {
            let is_gate = i % (2 * columns) >= columns;
            i += 1;
            let value = (random.below(1 << 24) as f32 / (1 << 23) as f32) - 1.0;
            (if is_gate { 8.0 * value } else { value }).to_bits()
        })
    };
    let mut cases = vec![
        Builder::new(&name("values through their gates"), |b| {
            let x = halves(b);
            let y = b.output("y", models, rows, columns, EXPONENTIAL);
            record_glu(&mut b.plan, x, y)
        }),
        Builder::new(&name("back through gates"), |b| {
            let (dy, x) = (b.input("dy", models, rows, columns, Values::Uniform), halves(b));
            let dx = b.output("dx", models, rows, 2 * columns, EXPONENTIAL);
            record_glu_backward(&mut b.plan, dy, x, dx)
        }),
    ];
    for (slopes, what) in [(columns, "a slope of each column"), (1, "one slope of all")] {
        let slope = |b: &mut Builder| b.eighths("slope", models, 1, slopes);
        cases.push(Builder::new(&name(what), |b| {
            let (z, slope) = (b.eighths("z", models, rows, columns), slope(b));
            let y = b.output("y", models, rows, columns, EXACT);
            record_prelu(&mut b.plan, z, slope, y)
        }));
        cases.push(Builder::new(&name(what), |b| {
            let (dy, z) = (b.eighths("dy", models, rows, columns), b.eighths("z", models, rows, columns));
            let slope = slope(b);
            let dz = b.output("dz", models, rows, columns, EXACT);
            record_prelu_backward(&mut b.plan, dy, z, slope, dz)
        }));
    }
    cases.push(Builder::new(&name("slopes of special values"), |b| {
        let z = b.input("z", models, rows, columns, Values::Special);
        let slope = b.eighths("slope", 1, 1, columns);
        let y = b.output("y", models, rows, columns, EXACT);
        record_prelu(&mut b.plan, z, slope, y)
    }));
    cases.push(Builder::new(&name("the gradient of each column's slope"), |b| {
        let (dy, z) = (b.eighths("dy", models, rows, columns), b.eighths("z", models, rows, columns));
        let dslope = b.output("dslope", models, 1, columns, EXACT);
        record_prelu_gradient(&mut b.plan, dy, z, dslope)
    }));
    cases.push(Builder::new(&name("the gradient of one slope"), |b| {
        let (dy, z) = (b.eighths("dy", models, rows, columns), b.eighths("z", models, rows, columns));
        let dslope = b.output("dslope", models, 1, 1, EXACT);
        let column = |tensor: Tensor| tensor.part(0, rows * columns, 1);
        record_prelu_gradient(&mut b.plan, column(dy), column(z), dslope)
    }));
    cases.push(Builder::new(&name("the gradient of a slope of special values"), |b| {
        let z = b.input("z", models, rows, columns, Values::Special);
        let dy = b.eighths("dy", models, rows, columns);
        let dslope = b.output("dslope", models, 1, columns, EXACT);
        record_prelu_gradient(&mut b.plan, dy, z, dslope)
    }));
    cases
}
