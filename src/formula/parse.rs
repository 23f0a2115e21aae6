//! Reading a formula.

use super::graph::{Comparison, Function, Graph, Id, Node, Operation};

/// How deep parentheses, functions, powers and signs may stand in each other.
const MAX_DEPTH: usize = 64;
/// The most numbers, variables and operations of a text.
const MAX_OPERATIONS: usize = 200;
/// The most characters of an unknown text that an error repeats.
const MAX_SHOWN: usize = 32;

/// What is wrong with a text.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) found: String,
    pub(super) expected: String,
}

/// Reads a formula of these variables: its operations, and the last one.
pub(super) fn parse(text: &str, variables: &[&str]) -> Result<(Graph, Id), Problem> {
    let (mut token, rest) = Token::first(text, 1);
    token.n_characters = token.text.chars().count();
    let mut parser = Parser { token, rest, variables, graph: Graph::default(), depth: 0, n_operations: 0 };
    let root = parser.sum()?;
    if parser.token.text.is_empty() {
        return Ok((parser.graph, root));
    }
    Err(parser.unexpected("an operator or the end"))
}

/// A number, a name or a sign; at the end of the text nothing.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    column: usize,
    n_characters: usize,
}

impl<'a> Token<'a> {
    /// What a text begins with, and what comes after it.
    fn first(text: &'a str, column: usize) -> (Token<'a>, &'a str) {
        let trimmed = text.trim_start();
        let column = column + text[..text.len() - trimmed.len()].chars().count();
        let bytes = trimmed.as_bytes();
        let at = |i: usize| bytes.get(i).copied().unwrap_or_default();
        let run = |from: usize, belongs: fn(u8) -> bool| {
            bytes[from..].iter().position(|byte| !belongs(*byte)).map_or(bytes.len(), |n| from + n)
        };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let length = match at(0) {
            byte if is_digit(byte) || byte == b'.' => {
                let whole = run(0, |byte| byte.is_ascii_digit() || byte == b'.');
                let digits = whole + 1 + usize::from(matches!(at(whole + 1), b'+' | b'-'));
                let has_exponent = matches!(at(whole), b'e' | b'E') && is_digit(at(digits));
                if has_exponent { run(digits, |byte| byte.is_ascii_digit()) } else { whole }
            }
            byte if is_word(byte) => run(0, |byte| byte.is_ascii_alphanumeric() || byte == b'_'),
            b'<' | b'>' if at(1) == b'=' => 2,
            _ => trimmed.chars().next().map_or(0, char::len_utf8),
        };
        let (text, rest) = trimmed.split_at(length);
        (Token { text, column, n_characters: 0 }, rest)
    }

    fn is_name(self) -> bool {
        self.text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    }

    fn is_number(self) -> bool {
        self.text.starts_with(|first: char| first.is_ascii_digit() || first == '.')
    }
}

struct Parser<'a> {
    token: Token<'a>,
    rest: &'a str,
    variables: &'a [&'a str],
    graph: Graph,
    depth: usize,
    n_operations: usize,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Token<'a> {
        let token = self.token;
        let (mut next, rest) = Token::first(self.rest, token.column + token.n_characters);
        next.n_characters = next.text.chars().count();
        (self.token, self.rest) = (next, rest);
        token
    }

    /// Goes on if this sign is next.
    fn takes(&mut self, sign: &str) -> bool {
        let is_next = self.token.text == sign;
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), Problem> {
        if self.takes(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn unexpected(&self, expected: &str) -> Problem {
        Parser::at(self.token, expected)
    }

    fn at(token: Token<'_>, expected: &str) -> Problem {
        let column = token.column;
        let found = match token.text {
            "" => format!("the end at column {column}"),
            text if token.n_characters > MAX_SHOWN => {
                format!("`{}…` at column {column}", text.chars().take(MAX_SHOWN).collect::<String>())
            }
            text => format!("`{text}` at column {column}"),
        };
        Problem { found, expected: expected.into() }
    }

    /// What a number may be, in words.
    fn value_words(&self) -> String {
        format!("a number, {}, a function or `(`", self.variables.join(", "))
    }

    fn add(&mut self, node: Node) -> Result<Id, Problem> {
        self.n_operations += 1;
        if self.n_operations > MAX_OPERATIONS {
            let found = format!("more than {MAX_OPERATIONS} numbers and operations at column {}", self.token.column);
            return Err(Problem { found, expected: format!("at most {MAX_OPERATIONS}") });
        }
        Ok(self.graph.add(node))
    }

    /// Reads what stands deeper than what is around it.
    fn deeper<T>(&mut self, levels: usize, read: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        self.depth += levels;
        if self.depth > MAX_DEPTH {
            let found = format!("nesting deeper than {MAX_DEPTH} at column {}", self.token.column);
            return Err(Problem { found, expected: format!("at most {MAX_DEPTH} levels") });
        }
        let found = read(self)?;
        self.depth -= levels;
        Ok(found)
    }

    fn sum(&mut self) -> Result<Id, Problem> {
        let mut left = self.product()?;
        loop {
            let operation = match self.token.text {
                "+" => Operation::Add,
                "-" => Operation::Subtract,
                _ => return Ok(left),
            };
            self.next();
            let right = self.product()?;
            left = self.add(Node::Pair(operation, left, right))?;
        }
    }

    fn product(&mut self) -> Result<Id, Problem> {
        let mut left = self.negation()?;
        loop {
            let operation = match self.token.text {
                "*" => Operation::Multiply,
                "/" => Operation::Divide,
                _ => return Ok(left),
            };
            self.next();
            let right = self.negation()?;
            left = self.add(Node::Pair(operation, left, right))?;
        }
    }

    fn negation(&mut self) -> Result<Id, Problem> {
        if !self.takes("-") {
            return self.power();
        }
        let negated = self.deeper(1, Parser::negation)?;
        match self.graph.as_number(negated) {
            Some(number) => Ok(self.graph.number(-number)),
            None => self.add(Node::Call(Function::Negate, negated)),
        }
    }

    fn power(&mut self) -> Result<Id, Problem> {
        let base = self.atom()?;
        if !self.takes("^") {
            return Ok(base);
        }
        let exponent = self.deeper(1, Parser::negation)?;
        self.add(Node::Pair(Operation::Power, base, exponent))
    }

    fn atom(&mut self) -> Result<Id, Problem> {
        if self.takes("(") {
            let inner = self.deeper(1, Parser::sum)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.token.is_number() {
            let number = self.token.text.parse::<f64>().ok().filter(|number| (*number as f32).is_finite());
            let number = number.ok_or_else(|| self.unexpected("a number of at most 3.4e38, as in 0.5 or 1e-3"))?;
            self.next();
            return self.add(Node::Number(number.to_bits()));
        }
        if !self.token.is_name() {
            return Err(self.unexpected(&self.value_words()));
        }
        let name = self.next();
        if let Some(position) = self.variables.iter().position(|variable| *variable == name.text) {
            return self.add(Node::Variable(position));
        }
        match name.text {
            "pi" => self.add(Node::Number(std::f64::consts::PI.to_bits())),
            "e" => self.add(Node::Number(std::f64::consts::E.to_bits())),
            _ => self.call(name),
        }
    }

    fn call(&mut self, name: Token<'a>) -> Result<Id, Problem> {
        if let Some((_, function)) = Function::NAMED.iter().find(|(known, _)| *known == name.text) {
            let [a] = self.arguments(1)?;
            return self.add(Node::Call(*function, a));
        }
        match name.text {
            "min" | "max" => {
                let [a, b] = self.arguments(1)?;
                let operation = if name.text == "min" { Operation::Min } else { Operation::Max };
                self.add(Node::Pair(operation, a, b))
            }
            "clip" => {
                // It is written as two functions, one in the other.
                let [x, low, high] = self.arguments(2)?;
                let raised = self.add(Node::Pair(Operation::Max, x, low))?;
                self.add(Node::Pair(Operation::Min, raised, high))
            }
            "where" => {
                self.expect("(")?;
                let chosen = self.deeper(1, |parser| {
                    let left = parser.sum()?;
                    let comparison = match parser.token.text {
                        "<" => Comparison::Less,
                        "<=" => Comparison::AtMost,
                        ">" => Comparison::More,
                        ">=" => Comparison::AtLeast,
                        _ => return Err(parser.unexpected("a comparison: one of <, <=, >, >=")),
                    };
                    parser.next();
                    let right = parser.sum()?;
                    parser.expect(",")?;
                    let then = parser.sum()?;
                    parser.expect(",")?;
                    Ok(Node::Where(comparison, [left, right, then, parser.sum()?]))
                })?;
                self.expect(")")?;
                self.add(chosen)
            }
            _ => {
                let names: Vec<&str> = Function::NAMED.iter().map(|(name, _)| *name).collect();
                let variables = self.variables.join(", ");
                let functions = format!("{}, min, max, clip, where", names.join(", "));
                Err(Parser::at(name, &format!("{variables}, pi, e, or one of the functions {functions}")))
            }
        }
    }

    fn arguments<const N: usize>(&mut self, levels: usize) -> Result<[Id; N], Problem> {
        self.expect("(")?;
        let mut found = [0; N];
        self.deeper(levels, |parser| {
            for (i, argument) in found.iter_mut().enumerate() {
                if i > 0 {
                    parser.expect(",")?;
                }
                *argument = parser.sum()?;
            }
            Ok(())
        })?;
        self.expect(")")?;
        Ok(found)
    }
}
