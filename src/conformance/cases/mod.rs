//! The cases: shapes that divide nothing, several models, and why devices may differ how far.

mod activation;
mod array;
mod formula;
mod layer;
mod loss;
mod optimizer;
mod product;

use activation::activation_cases;
use array::element_cases;
use formula::formula_cases;
use layer::{layer_cases, softmax_cases};
use loss::{pair_cases, row_cases};
use optimizer::{gradient_cases, optimizer_cases};
use product::product_cases;

use super::builder::{Builder, Values};
use super::{Case, Tolerance};
use crate::kernels::array::record_copy;

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

/// The cases of every kernel, the same ones each time.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for models in [1, 3] {
        for (rows, columns) in [(1, 1), (1, 5), (5, 7), (13, 65), (65, 3)] {
            cases.extend(element_cases(models, rows, columns));
            cases.extend(row_cases(models, rows, columns));
            cases.extend(layer_cases(models, rows, columns));
            cases.extend(softmax_cases(models, rows, columns));
            cases.extend(pair_cases(models, rows, columns));
            cases.extend(formula_cases(models, rows, columns));
        }
        cases.extend(activation_cases(models));
        // Beside whole tiles of 16, 32 and 64 there are one row and column less, and one more.
        for (rows, columns, depth) in [
            (1, 1, 1),
            (1, 2, 3),
            (5, 7, 11),
            (16, 64, 16),
            (17, 65, 33),
            (31, 63, 15),
            (32, 32, 32),
            (63, 31, 129),
            (33, 129, 7),
            (65, 65, 17),
            (9, 9, 300),
        ] {
            cases.extend(product_cases(models, rows, columns, depth, Values::Eighths));
            cases.extend(product_cases(models, rows, columns, depth, Values::Uniform));
        }
        // One less than a workgroup, just one, one more, and a prime; columns and rows count too.
        for length in [63, 64, 65, 67] {
            cases.extend(element_cases(models, 1, length));
            cases.extend(pair_cases(models, 1, length));
            cases.extend(formula_cases(models, 1, length));
            cases.extend(row_cases(models, length, 3));
            cases.extend(layer_cases(models, 1, length));
            cases.extend(softmax_cases(models, length, 3));
            cases.extend(product_cases(models, 1, length, 5, Values::Eighths));
            cases.extend(optimizer_cases(models, 4 * length));
        }
        // More than four workgroups of elements, of rows, and of columns.
        cases.extend(element_cases(models, 2, 259));
        cases.extend(pair_cases(models, 2, 259));
        cases.extend(formula_cases(models, 2, 259));
        cases.extend(row_cases(models, 259, 3));
        cases.extend(layer_cases(models, 2, 259));
        cases.extend(layer_cases(models, 259, 2));
        cases.extend(softmax_cases(models, 259, 3));
        for length in [4, 60, 4 * 64 * 4 + 4] {
            cases.extend(optimizer_cases(models, length));
        }
        cases.extend(gradient_cases(models));
    }
    // Enough tiles for the form that serves large products: one row and column less than whole
    // tiles, just whole ones, one more.
    for (rows, columns, depth) in [(1023, 511, 15), (1024, 512, 16), (1025, 513, 17)] {
        cases.extend(product_cases(1, rows, columns, depth, Values::Eighths));
    }
    // One element more than 65,535 workgroups of 64 hold: the grid folds.
    cases.push(Builder::new("65,535 workgroups and one more", |b| {
        let (x, y) =
            (b.input("x", 1, 1, 65_535 * 64 + 1, Values::Uniform), b.output("y", 1, 1, 65_535 * 64 + 1, EXACT));
        record_copy(&mut b.plan, x, y)
    }));
    cases
}
