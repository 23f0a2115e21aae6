//! Cases that hold the forms of every kernel together: small plans with known inputs, compared
//! with the reference element by element.
//!
//! Buffers begin and end with guard values, and what a kernel is to write is filled with them, so
//! that an element that was left out, or one too many, shows.

use rand::RngExt;

use super::activation::{Activation, record_activate, record_activate_backward};
use super::array::{Operation, record_add_bias, record_arithmetic, record_column_sum, record_copy, record_sum};
use super::batch::{Slot, record_gather, record_tally};
use super::loss::{Loss, record_correct, record_loss, record_softmax};
use super::matmul::{record_dense, record_dense_backward, record_dense_gradient, record_matmul};
use super::optimizer::{Optimizer, OptimizerState, record_update};
use crate::Result;
use crate::compute::kernel::View;
use crate::compute::{BufferId, Capabilities, Device, Element, Kernel, Plan, Tensor};
use crate::random::{Key, Purpose, Threefry};

/// A small plan with inputs, and how far devices may differ in what it writes.
#[derive(Clone, Debug)]
pub struct Case {
    /// What distinguishes it.
    pub name: String,
    /// The kernel that it is about.
    pub kernel: &'static Kernel,
    plan: Plan,
    contents: Vec<(BufferId, Vec<u32>)>,
    written: Vec<(BufferId, Tolerance)>,
}

/// How far two right results may be apart, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Independent of the value.
    pub absolute: f32,
    /// A part of the value.
    pub relative: f32,
    /// Where the bound comes from.
    pub reason: &'static str,
}

/// The worst element of a comparison, as a part of what is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// Which buffer.
    pub buffer: String,
    /// Position in it.
    pub index: usize,
    /// What the reference computed.
    pub expected: f32,
    /// What was found.
    pub found: f32,
    /// The difference divided by the tolerance: at most 1 is right. Infinite where nothing may differ.
    pub part: f32,
}

/// Fills guards and what is to be written: a NaN with a mark of its own.
const GUARD: u32 = 0x7fc0_4e4e;

/// Guard elements before and after each operand; a multiple of 4, for kernels that read by fours.
const MARGIN: u32 = 8;

const EXACT: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 0.0,
    reason: "the inputs are small multiples of 1/8, so that every sum is exact in any order",
};

/// WGSL allows a division 2.5 units in the last place.
const DIVISION: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 3.0 * f32::EPSILON,
    reason: "exact sums, then one division, which WGSL allows 2.5 units in the last place",
};

/// WGSL allows exp(x) 3 + 2|x| units in the last place; |x| is at most 8 in these cases. A sum of
/// such terms has the same relative error; quotients of two double it; log adds 2^-21.
const EXPONENTIAL: Tolerance = Tolerance {
    absolute: (2.0 * 19.0 + 4.0 + 4.0) * f32::EPSILON,
    relative: 0.0,
    reason: "WGSL allows exp(x) 3 + 2|x| units in the last place, |x| <= 8; log 2^-21; values are near 1",
};

/// Ten operations on values up to 2, each rounded once or contracted; WGSL allows division 2.5 and
/// sqrt about 3 units in the last place.
const UPDATE: Tolerance = Tolerance {
    absolute: 16.0 * f32::EPSILON,
    relative: 4.0 * f32::EPSILON,
    reason: "about ten operations on values up to 2, with a division and two roots of about 3 units each",
};

impl Tolerance {
    /// Whether `found` is near enough to `expected`: never with a NaN, unless both are the guard.
    pub fn admits(&self, expected: f32, found: f32) -> bool {
        if expected.to_bits() == GUARD {
            return found.to_bits() == GUARD;
        }
        expected == found
            || (expected.is_nan() && found.is_nan() && found.to_bits() != GUARD)
            || (expected - found).abs() <= self.bound(expected)
    }

    fn bound(&self, expected: f32) -> f32 {
        self.absolute + self.relative * expected.abs()
    }

    /// Sums of `length` products of numbers of at most 1: each order is off by at most
    /// `length * 2^-24` of the sum of magnitudes, two orders by twice that.
    fn of_sum(length: u32) -> Tolerance {
        let length = length as f32;
        Tolerance {
            absolute: length * length * f32::EPSILON,
            relative: f32::EPSILON,
            reason: "two orders of one sum of n products of numbers of at most 1: n * n * 2^-23",
        }
    }
}

impl Case {
    /// Runs the case and gives the whole of each buffer that it writes.
    ///
    /// # Errors
    ///
    /// Whatever the device reports.
    pub fn run(&self, device: &Device) -> Result<Vec<Vec<u32>>> {
        let program = device.compile(&self.plan, &[])?;
        for (id, words) in &self.contents {
            device.write(&program.buffer(*id), 0, words)?;
        }
        device.run(&program, 1)?;
        self.written.iter().map(|(id, _)| device.read(&program.buffer(*id))).collect()
    }

    /// Workgroups that one model of the kernel needs on an adapter.
    pub fn workgroups(&self, capabilities: &Capabilities) -> u64 {
        let step = self.plan.steps().last().expect("a recorded step");
        (self.kernel.form(&step.params, capabilities).groups)(&step.params)
    }

    /// The worst element, and whether all are near enough.
    pub fn compare(&self, expected: &[Vec<u32>], found: &[Vec<u32>]) -> (Option<Worst>, bool) {
        assert_eq!(expected.len(), found.len(), "{}: buffers", self.name);
        let (mut worst, mut all_right) = (None::<Worst>, true);
        for (((id, tolerance), expected), found) in self.written.iter().zip(expected).zip(found) {
            let spec = self.plan.spec(*id);
            assert_eq!(expected.len(), found.len(), "{}: length of `{}`", self.name, spec.label);
            for (index, (&expected, &found)) in expected.iter().zip(found).enumerate() {
                let is_right = match spec.element {
                    Element::F32 => tolerance.admits(f32::from_bits(expected), f32::from_bits(found)),
                    Element::U32 | Element::Word => expected == found,
                };
                all_right &= is_right;
                if expected == found {
                    continue;
                }
                let (expected, found) = (f32::from_bits(expected), f32::from_bits(found));
                if is_right && expected.is_nan() {
                    continue;
                }
                let part = if is_right {
                    (expected - found).abs() / tolerance.bound(expected)
                } else {
                    ((expected - found).abs() / tolerance.bound(expected)).max(f32::INFINITY)
                };
                if worst.as_ref().is_none_or(|worst| part > worst.part) {
                    worst = Some(Worst { buffer: spec.label.clone(), index, expected, found, part });
                }
            }
        }
        (worst, all_right)
    }

    /// Why the tolerances are what they are.
    pub fn reasons(&self) -> impl Iterator<Item = &'static str> {
        self.written.iter().map(|(_, tolerance)| tolerance.reason)
    }
}

/// The cases of every kernel, the same ones each time.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for models in [1, 3] {
        for (rows, columns) in [(1, 1), (1, 5), (5, 7), (13, 65), (65, 3)] {
            cases.extend(element_cases(models, rows, columns));
            cases.extend(row_cases(models, rows, columns));
        }
        for (rows, columns, depth) in
            [(1, 1, 1), (1, 2, 3), (5, 7, 11), (16, 64, 16), (17, 65, 33), (63, 31, 129), (33, 129, 7), (9, 9, 300)]
        {
            cases.extend(product_cases(models, rows, columns, depth, Values::Eighths));
            cases.extend(product_cases(models, rows, columns, depth, Values::Uniform));
        }
        // More than four workgroups of elements, of rows, and of columns.
        cases.extend(element_cases(models, 2, 259));
        cases.extend(row_cases(models, 259, 3));
        for length in [4, 60, 64 * 4 + 4, 4 * 64 * 4 + 4] {
            cases.extend(optimizer_cases(models, length));
        }
    }
    // Enough tiles for the form that serves large products.
    cases.extend(product_cases(1, 1025, 515, 18, Values::Eighths));
    // One element more than 65,535 workgroups of 64 hold: the grid folds.
    cases.push(Builder::new("65,535 workgroups and one more", |b| {
        let (x, y) =
            (b.input("x", 1, 1, 65_535 * 64 + 1, Values::Uniform), b.output("y", 1, 1, 65_535 * 64 + 1, EXACT));
        record_copy(&mut b.plan, x, y)
    }));
    cases
}

fn element_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    let mut cases = vec![
        Builder::new(&name("one bias of all models"), |b| {
            let (x, bias) = (b.eighths("x", models, rows, columns), b.eighths("bias", 1, 1, columns));
            let y = b.output("y", models, rows, columns, EXACT);
            record_add_bias(&mut b.plan, x, bias, y)
        }),
        Builder::new(&name("a bias of each model"), |b| {
            let (x, bias) = (b.eighths("x", models, rows, columns), b.eighths("bias", models, 1, columns));
            let y = b.output("y", models, rows, columns, EXACT);
            record_add_bias(&mut b.plan, x, bias, y)
        }),
        Builder::new(&name("transposed"), |b| {
            let (x, y) = (b.eighths("x", models, columns, rows), b.output("y", models, rows, columns, EXACT));
            record_copy(&mut b.plan, x.transposed(), y)
        }),
        Builder::new(&name("columns"), |b| {
            let (x, y) = (b.eighths("x", models, rows, columns), b.output("y", models, 1, columns, EXACT));
            record_column_sum(&mut b.plan, x, y)
        }),
        Builder::new(&name("all"), |b| {
            let (x, y) = (b.eighths("x", models, rows, columns), b.output("y", models, 1, 1, EXACT));
            record_sum(&mut b.plan, 0.25, x, y)
        }),
        Builder::new(&name("rows by index, second batch, data shared"), |b| {
            let x = b.eighths("x", 1, 2 * rows + 3, columns);
            let index = b.integers("index", models, 2 * rows, 2 * rows + 3);
            let position = b.counter("position", models, rows);
            let y = b.output("y", models, rows, columns, EXACT);
            record_gather(&mut b.plan, x, index, position, y)
        }),
        Builder::new(&name("rows by index, of each model, past the end"), |b| {
            let x = b.eighths("x", models, rows + 1, columns);
            let index = b.integers("index", 1, rows + 1, rows + 1);
            let position = b.counter("position", models, 5 * rows);
            let y = b.output("y", models, rows, columns, EXACT);
            record_gather(&mut b.plan, x, index, position, y)
        }),
    ];
    for activation in Activation::ALL {
        let is_exact = matches!(activation, Activation::Identity | Activation::Relu);
        cases.push(Builder::new(&name(activation.name()), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform8);
            let y = b.output("y", models, rows, columns, if is_exact { EXACT } else { EXPONENTIAL });
            record_activate(&mut b.plan, activation, z, y)
        }));
        cases.push(Builder::new(&name(activation.name()), |b| {
            let dy = b.eighths("dy", models, rows, columns);
            let y = b.eighths("y", models, rows, columns);
            let dz = b.output("dz", models, rows, columns, EXACT);
            record_activate_backward(&mut b.plan, activation, dy, y, dz)
        }));
    }
    // What is not a number must come through, or a training gone wrong would not show.
    cases.push(Builder::new(&name("relu of special values"), |b| {
        let z = b.input("z", models, rows, columns, Values::Special);
        let y = b.output("y", models, rows, columns, EXACT);
        record_activate(&mut b.plan, Activation::Relu, z, y)
    }));
    cases.push(Builder::new(&name("maximum of special values"), |b| {
        let p = b.input("a", models, rows, columns, Values::Special);
        let q = b.input("b", models, rows, columns, Values::Special);
        let y = b.output("y", models, rows, columns, EXACT);
        record_arithmetic(&mut b.plan, Operation::Maximum, p, q, y)
    }));
    for operation in Operation::ALL {
        let tolerance = match operation {
            Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Maximum => EXACT,
            Operation::Divide => DIVISION,
            // pow(a, b) is exp2(b log2 a): |b log2 a| <= 2 here; log2 is off by 2^-21 at most.
            Operation::Power => EXPONENTIAL,
        };
        let values = if operation == Operation::Power { Values::Positive } else { Values::Eighths };
        cases.push(Builder::new(&name(&format!("{operation:?}, a row repeated")), |b| {
            let p = b.input("a", models, rows, columns, values);
            let q = b.input("b", 1, 1, columns, values);
            let y = b.output("y", models, rows, columns, tolerance);
            record_arithmetic(&mut b.plan, operation, p, q, y)
        }));
        cases.push(Builder::new(&name(&format!("{operation:?}, a column and a scalar repeated")), |b| {
            let p = b.input("a", models, rows, 1, values);
            let q = b.input("b", models, 1, 1, values);
            let y = b.output("y", models, rows, columns, tolerance);
            record_arithmetic(&mut b.plan, operation, p, q, y)
        }));
    }
    cases
}

fn row_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    let losses = |b: &mut Builder, loss, z: Tensor, t: Tensor, tolerance: Tolerance| {
        let losses = b.output("loss", models, rows, 1, tolerance);
        let gradient = b.output("gradient", models, rows, columns, tolerance);
        record_loss(&mut b.plan, loss, z, t, losses, gradient)
    };
    vec![
        Builder::new(&name("squares"), |b| {
            let (p, t) = (b.eighths("p", models, rows, columns), b.eighths("t", 1, rows, columns));
            losses(b, Loss::Mse, p, t, DIVISION)
        }),
        Builder::new(&name("classes"), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.class_indices("classes", 1, rows, columns);
            losses(b, Loss::CrossEntropy, z, t, EXPONENTIAL)
        }),
        Builder::new(&name("probabilities that do not sum to 1"), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.input("t", models, rows, columns, Values::Shares(columns));
            losses(b, Loss::CrossEntropy, z, t, EXPONENTIAL)
        }),
        Builder::new(&name("probabilities"), |b| {
            let (x, y) = (
                b.input("x", models, rows, columns, Values::Uniform4),
                b.output("y", models, rows, columns, EXPONENTIAL),
            );
            record_softmax(&mut b.plan, x, y)
        }),
        Builder::new(&name("hits"), |b| {
            let z = b.eighths("z", models, rows, columns);
            let classes = b.class_indices("classes", models, rows, columns);
            let y = b.output("y", models, rows, 1, EXACT);
            record_correct(&mut b.plan, z, classes, y)
        }),
        Builder::new(&name("a loss into the slot of its batch, and on"), |b| {
            let x = b.eighths("x", models, rows, 1);
            let position = b.counter("position", models, rows * (columns + 1));
            b.written.push((position.buffer, EXACT));
            let y = b.output("y", models, 1, columns, EXACT);
            record_tally(&mut b.plan, 0.5, x, position, Slot { rows, advance: rows }, y)
        }),
        Builder::new(&name("a loss into the slot of its batch, and stay"), |b| {
            let x = b.eighths("x", models, rows, 1);
            let position = b.counter("position", models, 0);
            b.written.push((position.buffer, EXACT));
            let y = b.output("y", models, 1, columns, EXACT);
            record_tally(&mut b.plan, 0.5, x, position, Slot { rows, advance: 0 }, y)
        }),
    ]
}

fn product_cases(models: u32, rows: u32, columns: u32, depth: u32, values: Values) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns} × {depth}, {values:?}");
    let tolerance = if values == Values::Eighths { EXACT } else { Tolerance::of_sum(depth) };
    let mut cases = vec![
        Builder::new(&name("a b"), |b| {
            let (p, q) = (b.input("a", models, rows, depth, values), b.input("b", models, depth, columns, values));
            let c = b.output("c", models, rows, columns, tolerance);
            record_matmul(&mut b.plan, p, q, c)
        }),
        Builder::new(&name("a bᵀ, b shared"), |b| {
            let (p, q) = (b.input("a", models, rows, depth, values), b.input("b", 1, columns, depth, values));
            let c = b.output("c", models, rows, columns, tolerance);
            record_matmul(&mut b.plan, p, q.transposed(), c)
        }),
        Builder::new(&name("aᵀ b, a shared"), |b| {
            let (p, q) = (b.input("a", 1, depth, rows, values), b.input("b", models, depth, columns, values));
            let c = b.output("c", models, rows, columns, tolerance);
            record_matmul(&mut b.plan, p.transposed(), q, c)
        }),
        Builder::new(&name("a layer's gradient with its bias, data shared"), |b| {
            let dz = b.input("dz", models, depth, rows, values);
            let x = b.input("x", 1, depth, columns, values);
            let whole = b.output("gradients", models, 1, rows * columns + rows, tolerance);
            let (dweight, dbias) = (whole.part(0, rows, columns), whole.part(rows * columns, 1, rows));
            record_dense_gradient(&mut b.plan, dz, x, dweight, dbias)
        }),
    ];
    for activation in Activation::ALL {
        let is_exact = matches!(activation, Activation::Identity | Activation::Relu);
        let tolerance = if is_exact {
            tolerance
        } else {
            // Slopes are at most 1, so that the sum's error comes through undiminished at worst.
            Tolerance { absolute: tolerance.absolute + EXPONENTIAL.absolute, ..tolerance }
        };
        let slopes = if is_exact { tolerance } else { Tolerance { relative: 2.0 * f32::EPSILON, ..tolerance } };
        // exp(x) is allowed 2|x| units: sums must stay within |x| <= 8.
        if is_exact || depth <= 8 {
            cases.push(Builder::new(&name(&format!("a layer with {activation}, data shared")), |b| {
                let x = b.input("x", 1, rows, depth, values);
                let weight = b.input("weight", models, columns, depth, values);
                let bias = b.input("bias", models, 1, columns, values);
                let y = b.output("y", models, rows, columns, tolerance);
                record_dense(&mut b.plan, activation, x, weight, bias, y)
            }));
        }
        cases.push(Builder::new(&name(&format!("back through {activation}")), |b| {
            let dy = b.input("dy", models, rows, depth, values);
            let weight = b.input("weight", models, depth, columns, values);
            let y = b.input("y", models, rows, columns, values);
            let dz = b.output("dz", models, rows, columns, slopes);
            record_dense_backward(&mut b.plan, activation, dy, weight, y, dz)
        }));
    }
    cases
}

fn optimizer_cases(models: u32, length: u32) -> Vec<Case> {
    let nesterov =
        Optimizer::Momentum { learning_rate: 0.1, momentum: 0.9, dampening: 0.0, weight_decay: 0.01, nesterov: true };
    let dampened =
        Optimizer::Momentum { learning_rate: 0.1, momentum: 0.9, dampening: 0.5, weight_decay: 0.0, nesterov: false };
    let adam_w = Optimizer::Adam { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1 };
    let case = |optimizer: Optimizer| {
        Builder::new(&format!("{models} × {length}, {optimizer:?}"), |b| {
            let dw = b.input("dw", models, 1, length, Values::Uniform);
            let settings = optimizer.settings();
            // Each model has a learning rate of its own.
            let rows: Vec<f32> = (0..models)
                .flat_map(|model| {
                    let rate = settings[0] / (model + 1) as f32;
                    std::iter::once(rate).chain(settings[1..].iter().copied()).collect::<Vec<_>>()
                })
                .collect();
            let given = b.given("settings", models, 1, settings.len() as u32, &rows);
            let state = OptimizerState {
                settings: given,
                moments: OptimizerState::declare(&mut Plan::new(), &optimizer, 1, length)
                    .moments
                    .iter()
                    .map(|_| b.update("state", models, 1, length, Values::Positive, UPDATE))
                    .collect(),
                powers: matches!(optimizer, Optimizer::Adam { .. })
                    .then(|| b.update("powers", models, 1, 2, Values::Positive, UPDATE)),
            };
            // Running powers lie below 1.
            if let Some(powers) = state.powers {
                b.refill(powers, 0.5);
            }
            let w = b.update("w", models, 1, length, Values::Uniform, UPDATE);
            record_update(&mut b.plan, &optimizer, &state, dw, w)
        })
    };
    let mut cases: Vec<Case> = [Optimizer::sgd(0.1), nesterov, dampened, adam_w].map(case).into();
    // Adam records `powers` before itself; that kernel has a case of its own.
    cases.push(Builder::new(&format!("{models} models"), |b| {
        let settings = b.given("settings", 1, 1, 3, &[0.1, 0.9, 0.99]);
        let powers = b.update("powers", models, 1, 2, Values::Eighths, EXACT);
        super::optimizer::record_powers(&mut b.plan, settings, powers)
    }));
    cases
}

/// What an input is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Values {
    /// Multiples of 1/8 in [-1, 1], 0 excepted: products are multiples of 1/64, and sums of up to
    /// 2^17 of them are exact.
    Eighths,
    /// Uniform in [-1, 1].
    Uniform,
    /// Uniform in [-4, 4].
    Uniform4,
    /// Uniform in [-8, 8].
    Uniform8,
    /// Uniform in [0.5, 1.5].
    Positive,
    /// Uniform in [0, 2 / n].
    Shares(u32),
    /// NaN, infinities, zeros of both signs, 1 and -1.
    Special,
}

/// Declares guarded operands and records one case.
struct Builder {
    plan: Plan,
    contents: Vec<(BufferId, Vec<u32>)>,
    written: Vec<(BufferId, Tolerance)>,
    random: Threefry,
}

impl Builder {
    #[allow(clippy::new_ret_no_self, reason = "it builds a case")]
    fn new(name: &str, record: impl FnOnce(&mut Builder) -> Result<()>) -> Case {
        // The seed is the name, so that a case keeps its numbers when others come and go.
        let seed = name.bytes().fold(0u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let random = Threefry::new(Key::new(seed), Purpose::Weights, 0);
        let mut builder = Builder { plan: Plan::new(), contents: Vec::new(), written: Vec::new(), random };
        record(&mut builder).unwrap_or_else(|error| panic!("case `{name}`: {error}"));
        let Builder { plan, contents, written, .. } = builder;
        let kernel = plan.steps().last().expect("a recorded step").kernel;
        Case { name: format!("{}: {name}", kernel.name), kernel, plan, contents, written }
    }

    /// A tensor with guards around it and between its models.
    fn guarded(&mut self, label: &str, element: Element, models: u32, rows: u32, columns: u32) -> Tensor {
        let stride = (rows * columns).next_multiple_of(4) + MARGIN;
        let buffer = self.plan.buffer(label, element, (MARGIN + models * stride) as usize);
        self.contents.push((buffer, vec![GUARD; (MARGIN + models * stride) as usize]));
        let tensor = Tensor::of(buffer, models, rows, columns);
        Tensor { view: View { offset: MARGIN, model: stride, ..tensor.view }, ..tensor }
    }

    fn fill(&mut self, tensor: Tensor, mut word: impl FnMut(&mut Threefry) -> u32) -> Tensor {
        let (_, words) = self.contents.iter_mut().find(|(id, _)| *id == tensor.buffer).expect("declared before");
        for (model, row, column) in super::elements(tensor.models, tensor.rows, tensor.columns) {
            words[tensor.view.at(model, row, column)] = word(&mut self.random);
        }
        tensor
    }

    fn input(&mut self, label: &str, models: u32, rows: u32, columns: u32, values: Values) -> Tensor {
        let tensor = self.guarded(label, Element::F32, models, rows, columns);
        self.fill(tensor, |random| {
            let value = match values {
                Values::Eighths => {
                    let eighths = random.random_range(1..=8) as f32 / 8.0;
                    if random.random() { eighths } else { -eighths }
                }
                Values::Uniform => random.random_range(-1.0..=1.0),
                Values::Uniform4 => random.random_range(-4.0..=4.0),
                Values::Uniform8 => random.random_range(-8.0..=8.0),
                Values::Positive => random.random_range(0.5..=1.5),
                Values::Special => {
                    let all = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0];
                    all[random.below(7) as usize]
                }
                Values::Shares(n) => random.random_range(0.0..=2.0 / n as f32),
            };
            f32::to_bits(value)
        })
    }

    fn eighths(&mut self, label: &str, models: u32, rows: u32, columns: u32) -> Tensor {
        self.input(label, models, rows, columns, Values::Eighths)
    }

    fn given(&mut self, label: &str, models: u32, rows: u32, columns: u32, values: &[f32]) -> Tensor {
        let tensor = self.guarded(label, Element::F32, models, rows, columns);
        let mut values = values.iter();
        self.fill(tensor, |_| values.next().expect("a value for each element").to_bits())
    }

    fn refill(&mut self, tensor: Tensor, value: f32) {
        self.fill(tensor, |_| value.to_bits());
    }

    fn integers(&mut self, label: &str, models: u32, columns: u32, below: u32) -> Tensor {
        let tensor = self.guarded(label, Element::U32, models, 1, columns);
        self.fill(tensor, |random| random.below(below))
    }

    fn class_indices(&mut self, label: &str, models: u32, rows: u32, classes: u32) -> Tensor {
        let tensor = self.guarded(label, Element::U32, models, rows, 1);
        self.fill(tensor, |random| random.below(classes))
    }

    fn counter(&mut self, label: &str, models: u32, value: u32) -> Tensor {
        let tensor = self.guarded(label, Element::U32, models, 1, 1);
        self.fill(tensor, |_| value)
    }

    fn output(&mut self, label: &str, models: u32, rows: u32, columns: u32, tolerance: Tolerance) -> Tensor {
        let tensor = self.guarded(label, Element::F32, models, rows, columns);
        self.written.push((tensor.buffer, tolerance));
        tensor
    }

    fn update(
        &mut self,
        label: &str,
        models: u32,
        rows: u32,
        columns: u32,
        values: Values,
        tolerance: Tolerance,
    ) -> Tensor {
        let tensor = self.input(label, models, rows, columns, values);
        self.written.push((tensor.buffer, tolerance));
        tensor
    }
}
