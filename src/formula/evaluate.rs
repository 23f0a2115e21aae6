//! Computing a formula on the CPU: the operations of the WGSL, in its order.

use std::cell::RefCell;

use super::MAX_STEPS;
use super::functions::{erf, erf_f64, sigmoid, softplus};
use super::graph::{Comparison, Function, Graph, Id, Node, Operation};

/// The largest whole exponent that multiplies.
const MAX_FACTORS: f64 = 16.0;

/// What computes one result: operations in order, the last of which gives it.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) nodes: Vec<Node>,
}

impl Steps {
    /// What an operation of a graph is told from, and itself; powers by small whole numbers become
    /// products, for WGSL has no powers of negative numbers.
    pub(super) fn of(graph: &Graph, root: Id) -> Steps {
        let mut is_used = vec![false; root + 1];
        is_used[root] = true;
        for id in (0..=root).rev() {
            if is_used[id] {
                let mut mark = |id: Id| is_used[id] = true;
                match graph.nodes[id] {
                    Node::Number(_) | Node::Variable(_) => {}
                    Node::Call(_, a) => mark(a),
                    Node::Pair(Operation::Power, a, b) if factors(graph, b).is_some() => mark(a),
                    Node::Pair(_, a, b) => [a, b].into_iter().for_each(mark),
                    Node::Where(_, operands) => operands.into_iter().for_each(mark),
                }
            }
        }
        let mut steps = Graph::default();
        let mut places = vec![0; root + 1];
        for id in (0..=root).filter(|id| is_used[*id]) {
            places[id] = match graph.nodes[id] {
                node @ (Node::Number(_) | Node::Variable(_)) => steps.add(node),
                Node::Call(function, a) => steps.add(Node::Call(function, places[a])),
                Node::Pair(Operation::Power, a, b) => match factors(graph, b) {
                    Some(exponent) => expand(&mut steps, places[a], exponent),
                    None => steps.add(Node::Pair(Operation::Power, places[a], places[b])),
                },
                Node::Pair(operation, a, b) => steps.add(Node::Pair(operation, places[a], places[b])),
                Node::Where(comparison, operands) => steps.add(Node::Where(comparison, operands.map(|id| places[id]))),
            };
        }
        // What was shared may stand before the last operation: `x^1` is `x`.
        let end = places[root] + 1;
        steps.nodes.truncate(end);
        Steps { nodes: steps.nodes }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether a variable is among the operations.
    pub(super) fn depend_on(&self, variable: usize) -> bool {
        self.nodes.contains(&Node::Variable(variable))
    }

    pub(super) fn evaluate<T: Real>(&self, variables: &[T]) -> T {
        let mut results = [T::of(f64::NAN); MAX_STEPS];
        for (i, node) in self.nodes.iter().enumerate() {
            results[i] = match *node {
                Node::Number(bits) => T::of(f64::from_bits(bits)),
                Node::Variable(position) => variables.get(position).copied().unwrap_or(T::of(f64::NAN)),
                Node::Call(function, a) => results[a].call(function),
                Node::Pair(operation, a, b) => results[a].pair(operation, results[b]),
                Node::Where(comparison, operands) => choose(comparison, operands.map(|id| results[id])),
            };
        }
        results[self.nodes.len() - 1]
    }

    /// The same at many places, operation by operation over some of them at once.
    pub(super) fn evaluate_all(&self, variables: &[&[f32]], y: &mut [f32]) {
        SCRATCH.with_borrow_mut(|results| {
            results.resize(results.len().max(self.nodes.len()), [0.0; BLOCK]);
            for (block, y) in y.chunks_mut(BLOCK).enumerate() {
                let places = block * BLOCK..block * BLOCK + y.len();
                for (i, node) in self.nodes.iter().enumerate() {
                    let (before, own) = results.split_at_mut(i);
                    let own = &mut own[0][..y.len()];
                    match *node {
                        Node::Number(bits) => own.fill(f32::of(f64::from_bits(bits))),
                        Node::Variable(position) => own.copy_from_slice(&variables[position][places.clone()]),
                        Node::Call(function, a) => {
                            own.iter_mut().zip(&before[a]).for_each(|(own, a)| *own = a.call(function));
                        }
                        Node::Pair(operation, a, b) => {
                            let operands = before[a].iter().zip(&before[b]);
                            own.iter_mut().zip(operands).for_each(|(own, (a, b))| *own = a.pair(operation, *b));
                        }
                        Node::Where(comparison, operands) => {
                            for (place, own) in own.iter_mut().enumerate() {
                                *own = choose(comparison, operands.map(|id| before[id][place]));
                            }
                        }
                    }
                }
                y.copy_from_slice(&results[self.nodes.len() - 1][..y.len()]);
            }
        });
    }
}

/// How many places [`Steps::evaluate_all`] takes at once.
const BLOCK: usize = 64;

thread_local! {
    /// The results of its operations, kept since a step of training allocates nothing.
    static SCRATCH: RefCell<Vec<[f32; BLOCK]>> = const { RefCell::new(Vec::new()) };
}

/// The third if the first two compare so, else the fourth; NaN goes through.
#[inline]
fn choose<T: Real>(comparison: Comparison, [l, r, a, b]: [T; 4]) -> T {
    if l.is_nan() {
        l
    } else if r.is_nan() {
        r
    } else if l.compare(comparison, r) {
        a
    } else {
        b
    }
}

/// The exponent, if it is one that multiplies or that is a root.
fn factors(graph: &Graph, exponent: Id) -> Option<f64> {
    graph.as_number(exponent).filter(|n| *n == 0.5 || (n.fract() == 0.0 && n.abs() <= MAX_FACTORS))
}

/// A power as products of squares.
fn expand(steps: &mut Graph, base: Id, exponent: f64) -> Id {
    if exponent == 0.5 {
        return steps.add(Node::Call(Function::Sqrt, base));
    }
    let (mut left, mut square, mut product) = (exponent.abs() as u32, base, None);
    while left > 0 {
        if left % 2 == 1 {
            product =
                Some(product.map_or(square, |product| steps.add(Node::Pair(Operation::Multiply, product, square))));
        }
        left /= 2;
        if left > 0 {
            square = steps.add(Node::Pair(Operation::Multiply, square, square));
        }
    }
    let one = |steps: &mut Graph| steps.number(1.0);
    match product {
        None => one(steps),
        Some(product) if exponent < 0.0 => {
            let one = one(steps);
            steps.add(Node::Pair(Operation::Divide, one, product))
        }
        Some(product) => product,
    }
}

/// The numbers that formulas are computed in.
pub(super) trait Real: Copy {
    fn of(number: f64) -> Self;
    fn is_nan(self) -> bool;
    fn compare(self, comparison: Comparison, other: Self) -> bool;
    fn call(self, function: Function) -> Self;
    fn pair(self, operation: Operation, other: Self) -> Self;
}

macro_rules! real {
    ($T:ident, $sigmoid:expr, $softplus:expr, $erf:expr) => {
        impl Real for $T {
            #[inline]
            fn of(number: f64) -> $T {
                number as $T
            }

            #[inline]
            fn is_nan(self) -> bool {
                <$T>::is_nan(self)
            }

            #[inline]
            fn compare(self, comparison: Comparison, other: $T) -> bool {
                match comparison {
                    Comparison::Less => self < other,
                    Comparison::AtMost => self <= other,
                    Comparison::More => self > other,
                    Comparison::AtLeast => self >= other,
                }
            }

            #[inline]
            fn call(self, function: Function) -> $T {
                match function {
                    Function::Negate => -self,
                    Function::Abs => self.abs(),
                    // 0 at 0, unlike `signum`; NaN goes through.
                    Function::Sign if self == 0.0 => 0.0,
                    Function::Sign => self.signum(),
                    Function::Exp => self.exp(),
                    Function::Log => self.ln(),
                    Function::Log1p => self.ln_1p(),
                    Function::Expm1 => self.exp_m1(),
                    Function::Sqrt => self.sqrt(),
                    Function::Square => self * self,
                    Function::Sin => self.sin(),
                    Function::Cos => self.cos(),
                    Function::Tanh => self.tanh(),
                    Function::Sigmoid => $sigmoid(self),
                    Function::Softplus => $softplus(self),
                    Function::Relu => self.pair(Operation::Max, 0.0),
                    Function::Erf => $erf(self),
                }
            }

            #[inline]
            fn pair(self, operation: Operation, other: $T) -> $T {
                match operation {
                    Operation::Add => self + other,
                    Operation::Subtract => self - other,
                    Operation::Multiply => self * other,
                    Operation::Divide => self / other,
                    // The others lose NaN.
                    _ if self.is_nan() => self,
                    _ if other.is_nan() => other,
                    Operation::Power if self < 0.0 => <$T>::NAN,
                    Operation::Power => self.powf(other),
                    Operation::Min => self.min(other),
                    Operation::Max => self.max(other),
                }
            }
        }
    };
}

real!(f32, sigmoid, softplus, erf);
real!(f64, sigmoid_f64, softplus_f64, erf_f64);

fn sigmoid_f64(z: f64) -> f64 {
    let e = (-z.abs()).exp();
    (if z >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

fn softplus_f64(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}
