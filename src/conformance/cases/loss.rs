//! The losses, and what goes row by row beside them.

use super::super::builder::{Builder, Values};
use super::super::{Case, Tolerance};
use super::{EXACT, EXPONENTIAL};
use crate::Result;
use crate::compute::Tensor;
use crate::kernels::batch::{Slot, record_tally};
use crate::kernels::loss::{
    Criterion, GaussianNll, GaussianOperands, Loss, LossOperands, MarginRanking, MarginRankingOperands, Reduction,
    Triplet, TripletOperands, record_class_weights, record_correct, record_criterion, record_gaussian_nll,
    record_margin_ranking, record_normalise_weights, record_triplet,
};
use crate::kernels::softmax::record_softmax;

/// Factors are rounded in any order, and a division is allowed 2.5 units.
const SCALED: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 6.0 * f32::EPSILON,
    reason: "exact differences of multiples of 1/8, a division of 2.5 units at most, a product with two rounded factors",
};

/// Functions of numbers up to 4: exp is allowed 11 units, a power by it as many, and four more
/// roundings come on top; values are below 8, of which a unit is 8 * 2^-23.
const FUNCTION: Tolerance = Tolerance {
    absolute: 15.0 * 8.0 * f32::EPSILON,
    relative: 8.0 * f32::EPSILON,
    reason: "exp(x) is off by 3 + 2|x| units, |x| <= 4; values and slopes are below 8, beyond it 8 units of theirs",
};

/// Distances are below 17. A third power by exp2 and log2 is off by about 52 units, its root by a third
/// of that and 10 more; two distances below 8 of that degree differ by 2 * 28 * 8 units.
const DISTANCE: Tolerance = Tolerance {
    absolute: 512.0 * f32::EPSILON,
    relative: 0.0,
    reason: "two distances below 8 by powers of 28 units, or below 17 by roots of 3",
};

/// Everything of one element: the losses, and those with two gradients.
pub(super) fn pair_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    let mut cases = Vec::new();
    // Where the defaults would hide that two are exchanged.
    let others = [Loss::Quantile { level: 0.75 }, Loss::Huber { delta: 0.5 }, Loss::BinaryFocal { gamma: 1.5 }];
    for loss in Loss::ALL.into_iter().chain(others).filter(|loss| loss.pointwise().is_some()) {
        let (p, t, tolerance) = match loss {
            Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. } => (Values::Uniform, Values::Positive, FUNCTION),
            Loss::BinaryCrossEntropyOfProbabilities => (Values::Shares(2), Values::Shares(2), FUNCTION),
            Loss::BinaryCrossEntropy | Loss::BinaryFocal { .. } => (Values::Uniform4, Values::Shares(2), FUNCTION),
            Loss::LogCosh => (Values::Uniform4, Values::Uniform4, FUNCTION),
            _ => (Values::Eighths, Values::Eighths, SCALED),
        };
        cases.push(Builder::new(&name(&format!("{loss}, data shared")), |b| {
            let (p, t) = (b.input("p", models, rows, columns, p), b.input("t", 1, rows, columns, t));
            record(b, loss.into(), p, t, [None; 2], tolerance)
        }));
    }
    let weighted = |what: &str, weight_models, weight_columns, reduction| {
        Builder::new(&name(what), |b| {
            let (p, t) = (b.eighths("p", models, rows, columns), b.eighths("t", models, rows, columns));
            let weights = b.input("weights", weight_models, rows, weight_columns, Values::Positive);
            record(b, Criterion { loss: Loss::Mse, reduction }, p, t, [Some(weights), None], SCALED)
        })
    };
    cases.extend([
        weighted("a weight of each row, shared", 1, 1, Reduction::Mean),
        weighted("a weight of each element", models, columns, Reduction::Sum),
        Builder::new(&name("means and variances, the least of which is 1"), |b| {
            let (means, targets) = (b.eighths("mean", models, rows, columns), b.eighths("t", 1, rows, columns));
            let variances = b.input("variance", models, rows, columns, Values::Positive);
            let weights = Some(b.eighths("weights", 1, rows, 1));
            let values = b.output("values", models, rows, columns, FUNCTION);
            let gradient = b.output("gradient", models, rows, 2 * columns, FUNCTION);
            let operands = GaussianOperands { means, variances, targets, weights, values, gradient };
            record_gaussian_nll(&mut b.plan, GaussianNll { eps: 1.0, full: true }, Reduction::Mean, operands)
        }),
        Builder::new(&name("an output that is means beside variances"), |b| {
            let (output, t) =
                (b.input("x", models, rows, 2 * columns, Values::Positive), b.eighths("t", 1, rows, columns));
            record(b, (Loss::GaussianNll { eps: 1e-6, full: false }).into(), output, t, [None; 2], FUNCTION)
        }),
        Builder::new(&name("two scores"), |b| {
            let (x1, x2) = (b.eighths("x1", models, rows, columns), b.eighths("x2", 1, rows, columns));
            let targets = b.eighths("t", models, rows, columns);
            let [values, dx1, dx2] =
                ["values", "dx1", "dx2"].map(|label| b.output(label, models, rows, columns, SCALED));
            let operands = MarginRankingOperands { x1, x2, targets, values, dx1, dx2 };
            record_margin_ranking(&mut b.plan, MarginRanking { margin: 0.125 }, Reduction::Mean, operands)
        }),
    ]);
    cases
}

/// Records a loss with outputs that are compared. The weights: of the rows, of the classes.
fn record(
    b: &mut Builder,
    criterion: Criterion,
    output: Tensor,
    targets: Tensor,
    [weights, class_weights]: [Option<Tensor>; 2],
    tolerance: Tolerance,
) -> Result<()> {
    let [rows, columns] = criterion.loss.shape(output.rows, output.columns);
    let values = b.output("values", output.models, rows, columns, tolerance);
    let gradient = b.output("gradient", output.models, output.rows, output.columns, tolerance);
    let operands = LossOperands { output, targets, weights, class_weights, values, gradient };
    record_criterion(&mut b.plan, criterion, operands)
}

pub(super) fn row_cases(models: u32, rows: u32, columns: u32) -> Vec<Case> {
    let name = |what: &str| format!("{what}, {models} × {rows} × {columns}");
    let n = columns as f32;
    // The mean of n differences of at most 8 comes on top.
    let smoothed = Tolerance {
        absolute: EXPONENTIAL.absolute + 8.0 * n * f32::EPSILON,
        reason: "as without smoothing, and the mean of n differences of at most 8 in another order",
        ..EXPONENTIAL
    };
    let of_classes = |what: &str, loss: Loss, tolerance| {
        Builder::new(&name(what), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.class_indices("classes", 1, rows, columns);
            record(b, loss.into(), z, t, [None; 2], tolerance)
        })
    };
    // Nothing in this crate asks for it, but it must not reach beyond the row: the last class.
    let beyond = |what: &str, loss: Loss, tolerance| {
        Builder::new(&name(what), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.class_indices("classes", 1, rows, columns);
            b.refill(t, u32::MAX);
            record(b, loss.into(), z, t, [None; 2], tolerance)
        })
    };
    let smoothing = Loss::CrossEntropySmoothed { label_smoothing: 0.1 };
    let focal = Loss::Focal { gamma: 1.5 };
    let triplet = |what: &str, p, margin| {
        Builder::new(&name(what), |b| {
            let [anchors, positives, negatives] =
                ["anchors", "positives", "negatives"].map(|label| b.eighths(label, models, rows, columns));
            let values = b.output("values", models, rows, 1, DISTANCE);
            let [danchors, dpositives, dnegatives] =
                ["danchors", "dpositives", "dnegatives"].map(|label| b.output(label, models, rows, columns, DISTANCE));
            let operands = TripletOperands { anchors, positives, negatives, values, danchors, dpositives, dnegatives };
            record_triplet(&mut b.plan, Triplet { p, margin, eps: 1e-6 }, Reduction::Mean, operands)
        })
    };
    vec![
        of_classes("classes", Loss::CrossEntropy, EXPONENTIAL),
        of_classes("classes, smoothed", smoothing, smoothed),
        of_classes("focal", focal, FUNCTION),
        of_classes("focal(2)", Loss::Focal { gamma: 2.0 }, FUNCTION),
        of_classes("logarithms", Loss::Nll, SCALED),
        beyond("a class that there is not", Loss::CrossEntropy, EXPONENTIAL),
        beyond("a class that there is not, focal", focal, FUNCTION),
        beyond("a class that there is not, of logarithms", Loss::Nll, SCALED),
        Builder::new(&name("probabilities that do not sum to 1"), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.input("t", models, rows, columns, Values::Shares(columns));
            record(b, Loss::CrossEntropy.into(), z, t, [None; 2], EXPONENTIAL)
        }),
        Builder::new(&name("probabilities that do not sum to 1, smoothed, rows weighted"), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.input("t", models, rows, columns, Values::Shares(columns));
            let weights = b.input("weights", models, rows, 1, Values::Eighths);
            record(b, smoothing.into(), z, t, [Some(weights), None], smoothed)
        }),
        Builder::new(&name("classes, both weighted"), |b| {
            let z = b.input("z", models, rows, columns, Values::Uniform4);
            let t = b.class_indices("classes", 1, rows, columns);
            let weights = Some(b.input("weights", models, rows, 1, Values::Positive));
            let class_weights = Some(b.input("class weights", 1, 1, columns, Values::Positive));
            // Weights divided by their mean are at most 9.
            let tolerance = Tolerance {
                absolute: 9.0 * EXPONENTIAL.absolute,
                relative: (rows + 8) as f32 * f32::EPSILON,
                reason: "nine times what is allowed without weights; two orders of the sum of n weights",
            };
            let criterion = Criterion { loss: Loss::CrossEntropy, reduction: Reduction::WeightedMean };
            record(b, criterion, z, t, [weights, class_weights], tolerance)
        }),
        Builder::new(&name("divergence"), |b| {
            let x = b.input("x", models, rows, columns, Values::Uniform);
            let t = b.input("t", 1, rows, columns, Values::Uniform);
            let tolerance = Tolerance {
                absolute: 6.0 * n * (n + 8.0) * f32::EPSILON,
                relative: 0.0,
                reason: "n terms of at most 2 e, each with exp(x) of 5 units, |x| <= 1, in two orders",
            };
            record(b, Loss::KlDiv.into(), x, t, [None; 2], tolerance)
        }),
        Builder::new(&name("angles"), |b| {
            let (x, t) = (b.eighths("x", models, rows, columns), b.eighths("t", 1, rows, columns));
            let tolerance = Tolerance {
                absolute: 8.0 * (40.0 + n) * f32::EPSILON,
                relative: 0.0,
                reason: "two lengths and quotients of 3 units each, n products that sum to 1 at most; divided by a \
                         length of 1/8 at least",
            };
            record(b, (Loss::CosineSimilarity { eps: 1e-8 }).into(), x, t, [None; 2], tolerance)
        }),
        triplet("triplets that count", 2.0, 20.0),
        triplet("triplets of the third degree", 3.0, 20.0),
        triplet("triplets that are far enough apart", 2.0, -20.0),
        Builder::new(&name("weights of classes, data shared"), |b| {
            let (class_weights, weights) =
                (b.eighths("class weights", models, 1, columns), b.eighths("weights", 1, rows, 1));
            let classes = b.class_indices("classes", 1, rows, columns);
            let y = b.output("y", models, rows, 1, EXACT);
            record_class_weights(&mut b.plan, class_weights, classes, Some(weights), y)
        }),
        Builder::new(&name("weights of classes that there are not"), |b| {
            let class_weights = b.eighths("class weights", models, 1, columns);
            let classes = b.class_indices("classes", 1, rows, columns);
            b.refill(classes, u32::MAX);
            let y = b.output("y", models, rows, 1, EXACT);
            record_class_weights(&mut b.plan, class_weights, classes, None, y)
        }),
        Builder::new(&name("weights divided by their mean"), |b| {
            let x = b.input("x", models, rows, 1, Values::Positive);
            let tolerance = Tolerance {
                absolute: 0.0,
                relative: (rows + 4) as f32 * f32::EPSILON,
                reason: "two orders of one sum of n positive numbers, and a division",
            };
            let y = b.output("y", models, rows, 1, tolerance);
            record_normalise_weights(&mut b.plan, x, y)
        }),
        Builder::new(&name("probabilities"), |b| {
            let (x, y) = (
                b.input("x", models, rows, columns, Values::Uniform4),
                b.output("y", models, rows, columns, EXPONENTIAL),
            );
            record_softmax(&mut b.plan, x, y)
        }),
        Builder::new(&name("hits"), |b| {
            let z = b.eighths("z", models, rows, columns);
            let classes = b.class_indices("classes", models, rows, columns);
            let y = b.output("y", models, rows, 1, EXACT);
            record_correct(&mut b.plan, z, classes, y)
        }),
        Builder::new(&name("a loss into the slot of its batch, and on"), |b| {
            let x = b.eighths("x", models, rows, 1);
            let position = b.counter("position", models, rows * (columns + 1));
            b.written.push((position.buffer, EXACT));
            let y = b.output("y", models, 1, columns, EXACT);
            record_tally(&mut b.plan, 0.5, x, position, Slot { rows, advance: rows }, y)
        }),
        Builder::new(&name("a loss into the slot of its batch, and stay"), |b| {
            let x = b.eighths("x", models, rows, columns);
            let position = b.counter("position", models, 0);
            b.written.push((position.buffer, EXACT));
            let y = b.output("y", models, 1, columns, EXACT);
            record_tally(&mut b.plan, 0.5, x, position, Slot { rows, advance: 0 }, y)
        }),
    ]
}
