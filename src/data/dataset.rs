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
        Ok(Dataset { features, targets })
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
        Dataset::new(self.features.select_rows(row_indices), self.targets.select_rows(row_indices))
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
