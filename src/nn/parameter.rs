//! One parameter of a network: its name, its place, what it is.

use crate::kernels::optimizer::Part;

/// One named part of a model's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// `layers.0.weight`, `layers.0.bias`, `layers.1.weight`, …: the layers that have parameters are
    /// counted, and those of a residual layer within it.
    pub name: String,
    /// Its first element among those of its model; a multiple of 4.
    pub offset: u32,
    /// A weight's outputs, an embedding's levels; 1 for a vector.
    pub rows: u32,
    /// A weight's inputs, an embedding's size; a vector's length.
    pub columns: u32,
    /// What it is.
    pub role: Role,
    /// Whether training moves it.
    pub is_frozen: bool,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The weight of a linear layer, `[outputs, inputs]`.
    Weight,
    /// The table of an embedding, `[levels, size]`.
    Table,
    /// The scale of a normalisation or of a scale layer, `[columns]`.
    Scale,
    /// The slopes of a PReLU, `[1]` or `[columns]`.
    Slope,
    /// What is added, `[outputs]`.
    Bias,
    /// A running mean, which is not learned from gradients, `[columns]`.
    RunningMean,
    /// A running variance, which is not learned from gradients, `[columns]`.
    RunningVariance,
}

impl Role {
    /// Whether it is of two dimensions in files.
    pub fn is_matrix(self) -> bool {
        matches!(self, Role::Weight | Role::Table)
    }

    /// Whether gradients move it.
    pub fn is_learned(self) -> bool {
        !matches!(self, Role::RunningMean | Role::RunningVariance)
    }
}

impl ParameterSpec {
    /// The number of its elements.
    #[allow(clippy::len_without_is_empty, reason = "no size of a network is 0")]
    pub fn len(&self) -> usize {
        self.rows as usize * self.columns as usize
    }

    /// Its positions among the elements of its model.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset as usize..self.offset as usize + self.len()
    }

    /// Its shape in files: `[outputs, inputs]`, or `[outputs]` for a bias or another vector.
    pub fn shape(&self) -> Vec<usize> {
        if self.role.is_matrix() {
            vec![self.rows as usize, self.columns as usize]
        } else {
            vec![self.columns as usize]
        }
    }

    /// Whether training moves it: it is neither frozen nor a running statistic.
    pub fn is_trained(&self) -> bool {
        self.role.is_learned() && !self.is_frozen
    }
}

impl From<&ParameterSpec> for Part {
    fn from(spec: &ParameterSpec) -> Part {
        Part { offset: spec.offset, rows: spec.rows, columns: spec.columns, is_matrix: spec.role.is_matrix() }
    }
}

/// Whether a name is what a pattern says, in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().expect("a text has a first part");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    // What comes first serves: it leaves the most for what follows.
    for part in parts {
        let Some(position) = rest.find(part) else { return false };
        rest = &rest[position + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("layers.0.bias", "layers.0.bias", true),
            ("layers.0", "layers.0.bias", false),
            ("*", "layers.0.bias", true),
            ("*.bias", "layers.0.bias", true),
            ("*.bias", "layers.0.weight", false),
            ("layers.0.*", "layers.0.weight", true),
            ("layers.0.*", "layers.10.weight", false),
            ("l*.0.*t", "layers.0.weight", true),
            ("*a*a*", "aa", true),
            ("*a*a*", "a", false),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} and {name}");
        }
    }
}
