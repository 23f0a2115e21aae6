//! Formulas as functions in WGSL.
//!
//! The text is put together of fixed pieces: no word of the user's is in it, variables are numbered,
//! and numbers are given as bits. `shaders/shared/formula.wgsl` and `shaders/shared/elementary.wgsl`
//! hold what it calls.

use std::fmt::Write;

use super::evaluate::Steps;
use super::graph::{Function, Node, Operation};

impl Steps {
    /// `fn name(x0: f32, …) -> f32`, with a `let` for each operation.
    pub(super) fn wgsl(&self, name: &str, n_variables: usize) -> String {
        let parameters: Vec<String> = (0..n_variables).map(|i| format!("x{i}: f32")).collect();
        let mut text = format!("\nfn {name}({}) -> f32 {{\n", parameters.join(", "));
        for (i, node) in self.nodes.iter().enumerate() {
            let _ = writeln!(text, "  let v{i} = {};", expression(*node));
        }
        let _ = writeln!(text, "  return v{};\n}}", self.len() - 1);
        text
    }
}

fn expression(node: Node) -> String {
    match node {
        Node::Number(bits) => format!("bitcast<f32>(0x{:08x}u)", (f64::from_bits(bits) as f32).to_bits()),
        Node::Variable(position) => format!("x{position}"),
        Node::Call(function, a) => match function {
            Function::Negate => format!("-v{a}"),
            Function::Abs => format!("abs(v{a})"),
            Function::Sign => format!("direction(v{a})"),
            Function::Exp => format!("passing(exp(v{a}), v{a})"),
            Function::Log => format!("logarithm(v{a})"),
            Function::Log1p => format!("passing(log1p(v{a}), v{a})"),
            Function::Expm1 => format!("passing(expm1(v{a}), v{a})"),
            Function::Sqrt => format!("root(v{a})"),
            Function::Square => format!("v{a} * v{a}"),
            Function::Sin => format!("passing(sin(v{a}), v{a})"),
            Function::Cos => format!("passing(cos(v{a}), v{a})"),
            Function::Tanh => format!("passing(stable_tanh(v{a}), v{a})"),
            Function::Sigmoid => format!("passing(sigmoid(v{a}), v{a})"),
            Function::Softplus => format!("passing(softplus(v{a}), v{a})"),
            Function::Relu => format!("larger(v{a}, 0.0)"),
            Function::Erf => format!("passing(erf(v{a}), v{a})"),
        },
        Node::Pair(operation, a, b) => match operation {
            Operation::Add => format!("v{a} + v{b}"),
            Operation::Subtract => format!("v{a} - v{b}"),
            Operation::Multiply => format!("v{a} * v{b}"),
            Operation::Divide => format!("v{a} / v{b}"),
            Operation::Power => format!("raised(v{a}, v{b})"),
            Operation::Min => format!("smaller(v{a}, v{b})"),
            Operation::Max => format!("larger(v{a}, v{b})"),
        },
        Node::Where(comparison, [l, r, a, b]) => {
            format!("chosen(v{l}, v{r}, v{l} {} v{r}, v{a}, v{b})", comparison.sign())
        }
    }
}
