//! A formula as a graph: each operation once, after what it is told from.

use std::collections::HashMap;

/// The position of an operation in its graph.
pub(super) type Id = usize;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// A number: the bits of an f64 that is finite as an f32.
    Number(u64),
    /// The variable at this position.
    Variable(usize),
    /// A function of one number.
    Call(Function, Id),
    /// An operation on two numbers.
    Pair(Operation, Id, Id),
    /// Whether the first compares so with the second: then the third, else the fourth.
    Where(Comparison, [Id; 4]),
}

/// The functions of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Function {
    Negate,
    Abs,
    Sign,
    Exp,
    Log,
    Log1p,
    Expm1,
    Sqrt,
    Square,
    Sin,
    Cos,
    Tanh,
    Sigmoid,
    Softplus,
    Relu,
    Erf,
}

/// The operations on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Min,
    Max,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Function {
    /// Those that are called by a name.
    pub(super) const NAMED: [(&'static str, Function); 15] = [
        ("abs", Function::Abs),
        ("sign", Function::Sign),
        ("exp", Function::Exp),
        ("log", Function::Log),
        ("log1p", Function::Log1p),
        ("expm1", Function::Expm1),
        ("sqrt", Function::Sqrt),
        ("square", Function::Square),
        ("sin", Function::Sin),
        ("cos", Function::Cos),
        ("tanh", Function::Tanh),
        ("sigmoid", Function::Sigmoid),
        ("softplus", Function::Softplus),
        ("relu", Function::Relu),
        ("erf", Function::Erf),
    ];

    fn name(self) -> &'static str {
        Function::NAMED.iter().find(|(_, function)| *function == self).map_or("-", |(name, _)| name)
    }
}

impl Comparison {
    /// The sign, in formulas as in WGSL.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
        }
    }
}

/// How tightly a text holds together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tightness {
    Sum,
    Product,
    Negation,
    Power,
    Atom,
}

/// Operations that share what they have in common.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    positions: HashMap<Node, Id>,
}

impl Graph {
    /// The position of an operation, which is added if it is new.
    pub(super) fn add(&mut self, node: Node) -> Id {
        let nodes = &mut self.nodes;
        *self.positions.entry(node).or_insert_with(|| {
            nodes.push(node);
            nodes.len() - 1
        })
    }

    pub(super) fn number(&mut self, number: f64) -> Id {
        self.add(Node::Number(number.to_bits()))
    }

    pub(super) fn as_number(&self, id: Id) -> Option<f64> {
        if let Node::Number(bits) = self.nodes[id] { Some(f64::from_bits(bits)) } else { None }
    }

    /// A formula as text that is read as the same operations.
    pub(super) fn text(&self, root: Id, variables: &[&str]) -> String {
        self.tight_text(root, variables).0
    }

    fn tight_text(&self, id: Id, variables: &[&str]) -> (String, Tightness) {
        let text = |id| self.text(id, variables);
        let at_least = |id, least| {
            let (text, tightness) = self.tight_text(id, variables);
            if tightness >= least { text } else { format!("({text})") }
        };
        match self.nodes[id] {
            Node::Number(bits) => {
                let number = f64::from_bits(bits);
                let text = format!("{number:?}");
                let text = text.strip_suffix(".0").unwrap_or(&text).to_string();
                (text, if number.is_sign_negative() { Tightness::Negation } else { Tightness::Atom })
            }
            Node::Variable(position) => (variables[position].to_string(), Tightness::Atom),
            Node::Call(Function::Negate, a) => (format!("-{}", at_least(a, Tightness::Negation)), Tightness::Negation),
            Node::Call(function, a) => (format!("{}({})", function.name(), text(a)), Tightness::Atom),
            Node::Pair(operation, a, b) => {
                use Tightness::{Atom, Negation, Power, Product, Sum};
                let (sign, own, left, right) = match operation {
                    Operation::Add => (" + ", Sum, Sum, Product),
                    Operation::Subtract => (" - ", Sum, Sum, Product),
                    Operation::Multiply => (" * ", Product, Product, Negation),
                    Operation::Divide => (" / ", Product, Product, Negation),
                    Operation::Power => ("^", Power, Atom, Negation),
                    Operation::Min => return (format!("min({}, {})", text(a), text(b)), Atom),
                    Operation::Max => return (format!("max({}, {})", text(a), text(b)), Atom),
                };
                (format!("{}{sign}{}", at_least(a, left), at_least(b, right)), own)
            }
            Node::Where(comparison, [l, r, a, b]) => {
                let sign = comparison.sign();
                (format!("where({} {sign} {}, {}, {})", text(l), text(r), text(a), text(b)), Tightness::Atom)
            }
        }
    }
}
