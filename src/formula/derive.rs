//! The slope of a formula, as a formula.

use super::graph::{Comparison, Function, Graph, Id, Node, Operation};

impl Graph {
    /// The derivative of an operation by a variable, with MLX's slopes at kinks.
    ///
    /// The chain rule goes from the variables up, once through each operation: the slopes have a few
    /// operations for each one of the formula, whatever it shares.
    pub(super) fn slope(&mut self, root: Id, variable: usize) -> Id {
        let zero = self.number(0.0);
        let one = self.number(1.0);
        let mut slopes: Vec<Id> = Vec::new();
        for id in 0..=root {
            let slope = match self.nodes[id] {
                Node::Number(_) => zero,
                Node::Variable(position) => {
                    if position == variable {
                        one
                    } else {
                        zero
                    }
                }
                Node::Call(function, a) if slopes[a] != zero => self.slope_of_call(function, id, a, slopes[a]),
                Node::Call(..) => zero,
                Node::Pair(operation, a, b) => self.slope_of_pair(operation, id, [a, b], [slopes[a], slopes[b]]),
                Node::Where(comparison, [l, r, a, b]) => self.choose(comparison, [l, r, slopes[a], slopes[b]]),
            };
            slopes.push(slope);
        }
        slopes[root]
    }

    /// The slope of `y = function(a)`, where `a` has the slope `da`.
    fn slope_of_call(&mut self, function: Function, y: Id, a: Id, da: Id) -> Id {
        let steepness = match function {
            Function::Negate => return self.negate(da),
            Function::Abs => self.call(Function::Sign, a),
            Function::Sign => return self.number(0.0),
            Function::Exp => y,
            Function::Log => return self.divide(da, a),
            Function::Log1p => {
                let one = self.number(1.0);
                let sum = self.sum(one, a);
                return self.divide(da, sum);
            }
            Function::Expm1 => self.call(Function::Exp, a),
            Function::Sqrt => {
                let twice = self.scaled(2.0, y);
                return self.divide(da, twice);
            }
            Function::Square => self.scaled(2.0, a),
            Function::Sin => self.call(Function::Cos, a),
            Function::Cos => {
                let sine = self.call(Function::Sin, a);
                self.negate(sine)
            }
            Function::Tanh => {
                let (one, square) = (self.number(1.0), self.call(Function::Square, y));
                self.difference(one, square)
            }
            Function::Sigmoid => {
                // `y (1 - y)` would lose the digits of what is near 1.
                let negated = self.negate(a);
                let rest = self.call(Function::Sigmoid, negated);
                self.times(y, rest)
            }
            Function::Softplus => self.call(Function::Sigmoid, a),
            Function::Relu => {
                let zero = self.number(0.0);
                return self.choose(Comparison::More, [a, zero, da, zero]);
            }
            Function::Erf => {
                let square = self.call(Function::Square, a);
                let negated = self.negate(square);
                let bell = self.call(Function::Exp, negated);
                self.scaled(std::f64::consts::FRAC_2_SQRT_PI, bell)
            }
        };
        self.times(steepness, da)
    }

    /// The slope of `y`, an operation on `a` and `b`, which have the slopes `da` and `db`.
    fn slope_of_pair(&mut self, operation: Operation, y: Id, [a, b]: [Id; 2], [da, db]: [Id; 2]) -> Id {
        match operation {
            Operation::Add => self.sum(da, db),
            Operation::Subtract => self.difference(da, db),
            Operation::Multiply => {
                let (left, right) = (self.times(da, b), self.times(a, db));
                self.sum(left, right)
            }
            Operation::Divide => {
                let left = self.divide(da, b);
                let share = self.times(y, db);
                let right = self.divide(share, b);
                self.difference(left, right)
            }
            Operation::Power => self.slope_of_power(y, [a, b], [da, db]),
            Operation::Max => self.choose(Comparison::More, [a, b, da, db]),
            Operation::Min => self.choose(Comparison::Less, [a, b, da, db]),
        }
    }

    fn slope_of_power(&mut self, y: Id, [a, b]: [Id; 2], [da, db]: [Id; 2]) -> Id {
        let zero = self.number(0.0);
        let mut of_base = zero;
        if da != zero {
            let one = self.number(1.0);
            let less = self.difference(b, one);
            let power = match self.as_number(less) {
                Some(0.0) => one,
                Some(1.0) => a,
                _ => self.add(Node::Pair(Operation::Power, a, less)),
            };
            let steepness = self.times(b, power);
            of_base = self.times(steepness, da);
        }
        let mut of_exponent = zero;
        if db != zero {
            let log = self.call(Function::Log, a);
            let steepness = self.times(y, log);
            of_exponent = self.times(steepness, db);
        }
        self.sum(of_base, of_exponent)
    }

    // What follows leaves out what changes nothing, and computes what is known.

    fn call(&mut self, function: Function, a: Id) -> Id {
        self.add(Node::Call(function, a))
    }

    fn negate(&mut self, a: Id) -> Id {
        match self.nodes[a] {
            Node::Number(bits) => self.number(0.0 - f64::from_bits(bits)),
            Node::Call(Function::Negate, inner) => inner,
            _ => self.call(Function::Negate, a),
        }
    }

    fn scaled(&mut self, factor: f64, a: Id) -> Id {
        let factor = self.number(factor);
        self.times(factor, a)
    }

    fn sum(&mut self, a: Id, b: Id) -> Id {
        match (self.as_number(a), self.as_number(b)) {
            (Some(0.0), _) => b,
            (_, Some(0.0)) => a,
            (Some(x), Some(y)) => self.known(Operation::Add, [a, b], x + y),
            _ => self.add(Node::Pair(Operation::Add, a, b)),
        }
    }

    fn difference(&mut self, a: Id, b: Id) -> Id {
        match (self.as_number(a), self.as_number(b)) {
            (_, Some(0.0)) => a,
            (Some(0.0), _) => self.negate(b),
            (Some(x), Some(y)) => self.known(Operation::Subtract, [a, b], x - y),
            _ => self.add(Node::Pair(Operation::Subtract, a, b)),
        }
    }

    fn times(&mut self, a: Id, b: Id) -> Id {
        match (self.as_number(a), self.as_number(b)) {
            (Some(0.0), _) | (_, Some(1.0)) => a,
            (_, Some(0.0)) | (Some(1.0), _) => b,
            (Some(-1.0), _) => self.negate(b),
            (_, Some(-1.0)) => self.negate(a),
            (Some(x), Some(y)) => self.known(Operation::Multiply, [a, b], x * y),
            _ => self.add(Node::Pair(Operation::Multiply, a, b)),
        }
    }

    fn divide(&mut self, a: Id, b: Id) -> Id {
        match (self.as_number(a), self.as_number(b)) {
            (Some(0.0), _) | (_, Some(1.0)) => a,
            (Some(x), Some(y)) => self.known(Operation::Divide, [a, b], x / y),
            _ => self.add(Node::Pair(Operation::Divide, a, b)),
        }
    }

    fn choose(&mut self, comparison: Comparison, [l, r, a, b]: [Id; 4]) -> Id {
        if a == b { a } else { self.add(Node::Where(comparison, [l, r, a, b])) }
    }

    /// A number in place of an operation, unless it has none in f32.
    fn known(&mut self, operation: Operation, [a, b]: [Id; 2], number: f64) -> Id {
        if (number as f32).is_finite() { self.number(number) } else { self.add(Node::Pair(operation, a, b)) }
    }
}
