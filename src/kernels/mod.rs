//! Every kernel: its shader in `shaders/`, its description and its twin carry one name.
//!
//! A `record_x` function checks shapes and appends `X` to a plan.

pub mod activation;
pub mod array;
pub mod batch;
pub mod loss;
pub mod matmul;
pub mod optimizer;

pub mod conformance;

use crate::compute::Kernel;

/// Text that every shader shares.
const VIEW: &str = include_str!("../../shaders/shared/view.wgsl");

/// Every kernel of the crate.
pub fn all() -> &'static [&'static Kernel] {
    static ALL: &[&Kernel] = &[
        &array::ADD_BIAS,
        &activation::ACTIVATE,
        &activation::ACTIVATE_BACKWARD,
        &optimizer::ADAM,
        &array::ARITHMETIC,
        &array::COLUMN_SUM,
        &array::COPY,
        &loss::CORRECT,
        &loss::CROSS_ENTROPY,
        &loss::CROSS_ENTROPY_CLASSES,
        &batch::GATHER,
        &matmul::MATMUL,
        &optimizer::MOMENTUM,
        &loss::MSE,
        &optimizer::POWERS,
        &optimizer::SGD,
        &loss::SOFTMAX,
        &array::SUM,
        &batch::TALLY,
    ];
    ALL
}

/// Every element of a step: model, row, column, row by row.
fn elements(models: u32, rows: u32, columns: u32) -> impl Iterator<Item = (u32, u32, u32)> {
    (0..models)
        .flat_map(move |model| (0..rows).flat_map(move |row| (0..columns).map(move |column| (model, row, column))))
}

/// Every row of a step: model, row.
fn rows(models: u32, rows: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..models).flat_map(move |model| (0..rows).map(move |row| (model, row)))
}
