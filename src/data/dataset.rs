//! Rows to learn from: features, and what is to be predicted.

use std::borrow::Cow;

use super::{Matrix, Standardiser, Targets};
use crate::kernels::loss::Loss;
use crate::{Error, Result};

/// Features of `[rows, columns]` with the target of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    features: Matrix,
    targets: Targets,
    weights: Option<Vec<f32>>,
}

impl Dataset {
    /// Puts features and targets together.
    ///
    /// # Errors
    ///
    /// No rows at all; another number of targets than rows; a class index without a name.
    pub fn new(features: Matrix, targets: Targets) -> Result<Dataset> {
        let (rows, targets_found) = (features.rows(), targets.rows());
        if rows != targets_found || rows == 0 || u32::try_from(rows).is_err() {
            return Err(Error::Shape {
                operation: "data set".into(),
                found: format!("{rows} rows of features with {targets_found} targets"),
                expected: "a target for each of 1 to 2^32 - 1 rows".into(),
            });
        }
        if let Targets::Classes(classes) = &targets
            && let Some(index) = classes.indices.iter().find(|&&index| index as usize >= classes.names.len())
        {
            return Err(Error::Setting {
                name: "class index".into(),
                found: index.to_string(),
                expected: format!("an index below {}, the number of classes", classes.names.len()),
            });
        }
        Ok(Dataset { features, targets, weights: None })
    }

    /// The same rows with a weight each, by which training multiplies a row's loss.
    ///
    /// # Errors
    ///
    /// Another number of weights than rows; a weight that is no number of at least 0.
    pub fn with_weights(self, weights: Vec<f32>) -> Result<Dataset> {
        if weights.len() != self.rows() {
            return Err(Error::Shape {
                operation: "weights of rows".into(),
                found: format!("{} weights", weights.len()),
                expected: format!("one for each of {} rows", self.rows()),
            });
        }
        if let Some(row) = weights.iter().position(|weight| !(*weight >= 0.0 && weight.is_finite())) {
            return Err(Error::Setting {
                name: format!("weight of row {row}"),
                found: weights[row].to_string(),
                expected: "a number of at least 0".into(),
            });
        }
        Ok(Dataset { weights: Some(weights), ..self })
    }

    /// These rows and, after them, those of `other`.
    ///
    /// # Errors
    ///
    /// Other columns, targets of another kind, weights of only one of the two, too many rows.
    pub fn with_rows_of(self, other: &Dataset) -> Result<Dataset> {
        let refuse = |found: &str, expected: &str| Error::Shape {
            operation: "rows of another data set".into(),
            found: found.into(),
            expected: expected.into(),
        };
        let targets = match (self.targets, &other.targets) {
            (Targets::Values(mut values), Targets::Values(others)) => {
                values.extend_rows(others)?;
                Targets::Values(values)
            }
            (Targets::Classes(mut classes), Targets::Classes(others)) if classes.names == others.names => {
                classes.indices.extend(&others.indices);
                Targets::Classes(classes)
            }
            _ => return Err(refuse("targets of another kind", "numbers, or the same classes")),
        };
        let weights = match (self.weights, &other.weights) {
            (Some(mut weights), Some(others)) => {
                weights.extend(others);
                Some(weights)
            }
            (None, None) => None,
            _ => return Err(refuse("weights of only one of two", "weights of both or of none")),
        };
        let mut features = self.features;
        features.extend_rows(&other.features)?;
        Ok(Dataset { weights, ..Dataset::new(features, targets)? })
    }

    /// How much each row counts in training, where that was said.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// What is known of each row.
    pub fn features(&self) -> &Matrix {
        &self.features
    }

    /// What is to be predicted.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Brings the features to one scale.
    ///
    /// # Panics
    ///
    /// The standardiser has another number of columns.
    pub fn standardise_features(&mut self, standardiser: &Standardiser) {
        standardiser.apply(&mut self.features);
    }

    /// Brings targets that are numbers to one scale; classes stay as they are.
    ///
    /// # Panics
    ///
    /// The standardiser has another number of columns.
    pub fn standardise_targets(&mut self, standardiser: &Standardiser) {
        if let Targets::Values(values) = &mut self.targets {
            standardiser.apply(values);
        }
    }

    /// Number of rows, at least 1.
    pub fn rows(&self) -> usize {
        self.features.rows()
    }

    /// Outputs that a network for these targets has.
    pub fn n_outputs(&self) -> usize {
        match &self.targets {
            Targets::Values(values) => values.columns(),
            Targets::Classes(classes) => classes.names.len(),
        }
    }

    /// The loss for these targets: mean squared error for numbers, cross-entropy for classes.
    pub fn loss(&self) -> Loss {
        match &self.targets {
            Targets::Values(_) => Loss::Mse,
            Targets::Classes(_) => Loss::CrossEntropy,
        }
    }

    /// Features and targets, borrowed where the data are.
    pub(crate) fn parts(data: Cow<'_, Dataset>) -> (Cow<'_, Matrix>, Cow<'_, Targets>) {
        match data {
            Cow::Borrowed(data) => (Cow::Borrowed(&data.features), Cow::Borrowed(&data.targets)),
            Cow::Owned(data) => (Cow::Owned(data.features), Cow::Owned(data.targets)),
        }
    }

    /// The rows at `row_indices`, in that order.
    ///
    /// # Errors
    ///
    /// No indices at all.
    ///
    /// # Panics
    ///
    /// An index is not below [`rows`](Self::rows).
    pub fn select_rows(&self, row_indices: &[u32]) -> Result<Dataset> {
        let data = Dataset::new(self.features.select_rows(row_indices), self.targets.select_rows(row_indices))?;
        let select = |weights: &Vec<f32>| row_indices.iter().map(|&row| weights[row as usize]).collect();
        Ok(Dataset { weights: self.weights.as_ref().map(select), ..data })
    }
}

impl From<Dataset> for Cow<'_, Dataset> {
    fn from(data: Dataset) -> Self {
        Cow::Owned(data)
    }
}

impl<'a> From<&'a Dataset> for Cow<'a, Dataset> {
    fn from(data: &'a Dataset) -> Self {
        Cow::Borrowed(data)
    }
}
