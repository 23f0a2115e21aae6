//! What cannot be recorded, and how it is told: shapes are checked while recording, never later.

use nngpu::Result;
use nngpu::compute::Plan;
use nngpu::kernels::array::{record_blend, record_sum};
use nngpu::kernels::batch::record_gather;
use nngpu::kernels::dropout::record_dropout;
use nngpu::kernels::embedding::{record_embed, record_embed_gradient};
use nngpu::kernels::gate::{record_glu, record_prelu, record_prelu_gradient};
use nngpu::kernels::loss::{Criterion, LossOperands, Reduction, record_correct, record_criterion, record_loss};
use nngpu::kernels::matmul::{record_dense_gradient, record_matmul};
use nngpu::kernels::normalise::{
    record_moments, record_normalise, record_normalise_backward, record_normalise_gradient,
};
use nngpu::kernels::optimizer::{
    Clip, OptimizerState, Part, record_accumulate, record_clip, record_rate, record_update, record_update_in_parts,
};
use nngpu::kernels::softmax::{SoftmaxKind, record_softmax, record_softmax_backward};
use nngpu::{Loss, Optimizer};

#[track_caller]
fn message(result: Result<()>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn shapes_that_do_not_go_together_are_refused_while_recording() {
    let mut plan = Plan::new();
    let (a, b, c) = (plan.tensor("a", 1, 2, 3), plan.tensor("b", 1, 4, 5), plan.tensor("c", 1, 2, 5));
    assert_eq!(
        message(record_matmul(&mut plan, a, b, c)),
        "matmul: found [2, 3] times [4, 5], expected as many columns on the left as rows on the right"
    );
    let b = plan.tensor("b", 1, 3, 4);
    assert_eq!(message(record_matmul(&mut plan, a, b, c)), "matmul: found result of [2, 5], expected [2, 4]");
    let (a2, b3, c3) = (plan.tensor("a", 2, 2, 3), plan.tensor("b", 3, 3, 5), plan.tensor("c", 3, 2, 5));
    assert_eq!(
        message(record_matmul(&mut plan, a2, b3, c3)),
        "matmul: found operands of 2, 3, 2, 3 models, expected one number of models from 1 to 65535, or 1 where they \
         share"
    );
    // Three models cannot write into the memory of one.
    let a3 = plan.tensor("a", 3, 2, 3);
    assert_eq!(
        message(record_matmul(&mut plan, a3, b3, c)),
        "matmul, operand `c`: found [2, 5], expected a written tensor of 3 models"
    );
    assert_eq!(
        message(record_matmul(&mut plan, a3, b3, b3.part(0, 2, 5))),
        "matmul, operand `c`: found `b` twice, expected a written buffer bound once"
    );
    let integers = plan.integers("order", 1, 2, 3);
    let total = plan.tensor("total", 1, 1, 1);
    assert_eq!(
        message(record_sum(&mut plan, 1.0, integers, total)),
        "sum, operand `x`: found `order` of U32, expected elements of F32"
    );
    assert_eq!(
        message(record_sum(&mut plan, 1.0, a.part(1, 2, 3), total)),
        "sum, operand `x`: found [2, 3] in `a` of 6 elements, expected a view that ends within its buffer of at most \
         2^32 - 1 elements"
    );
    assert!(plan.steps().is_empty(), "a refused step was recorded");
}

#[test]
fn a_bias_gradient_beyond_its_buffer_is_refused() {
    let mut plan = Plan::new();
    let (dz, x) = (plan.tensor("dz", 1, 5, 2), plan.tensor("x", 1, 5, 3));
    let gradients = plan.tensor("gradients", 1, 1, 8);
    let dweight = gradients.part(0, 2, 3);
    record_dense_gradient(&mut plan, dz, x, dweight, gradients.part(6, 1, 2)).expect("six weights, two biases");
    assert_eq!(
        message(record_dense_gradient(&mut plan, dz, x, dweight, gradients.part(7, 1, 2))),
        "dense layer's gradient, `dbias`: found [1, 2] in `gradients` of 8 elements, expected a view that ends within \
         its buffer of at most 2^32 - 1 elements"
    );
    let elsewhere = plan.tensor("elsewhere", 1, 1, 2);
    assert_eq!(
        message(record_dense_gradient(&mut plan, dz, x, dweight, elsewhere)),
        "dense layer's gradient: found dbias in `elsewhere`, expected it in dweight's buffer, `gradients`"
    );
}

#[test]
fn a_bias_gradient_of_other_models_is_refused() {
    let mut plan = Plan::new();
    let (dz, x) = (plan.tensor("dz", 3, 5, 2), plan.tensor("x", 1, 5, 3));
    let gradients = plan.tensor("gradients", 3, 1, 8);
    // All models would add up in the memory of the first.
    let mut first = gradients;
    first.models = 1;
    assert_eq!(
        message(record_dense_gradient(&mut plan, dz, x, gradients.part(0, 2, 3), first.part(6, 1, 2))),
        "dense layer's gradient: found dbias of 1 models, expected 3, as dweight has"
    );
}

#[test]
fn nothing_can_be_gathered_from_no_rows() {
    let mut plan = Plan::new();
    let (x, position, y) = (plan.tensor("x", 1, 0, 3), plan.integers("position", 1, 1, 1), plan.tensor("y", 1, 2, 3));
    let order = plan.integers("order", 1, 1, 4);
    assert_eq!(message(record_gather(&mut plan, x, order, position, y)), "gather: found x of [0, 3], expected [1, 3]");
    let (x, order) = (plan.tensor("x", 1, 4, 3), plan.integers("order", 1, 1, 0));
    assert_eq!(
        message(record_gather(&mut plan, x, order, position, y)),
        "gather: found index of [1, 0], expected [1, 1]"
    );
}

#[test]
fn rows_without_columns_have_no_probabilities_and_no_largest() {
    let mut plan = Plan::new();
    let (z, y) = (plan.tensor("z", 1, 2, 0), plan.tensor("y", 1, 2, 0));
    let (classes, hits) = (plan.integers("classes", 1, 2, 1), plan.tensor("hits", 1, 2, 1));
    assert_eq!(message(record_softmax(&mut plan, z, y)), "softmax: found y of [2, 0], expected [2, 1]");
    assert_eq!(message(record_correct(&mut plan, z, classes, hits)), "correct: found z of [2, 0], expected [2, 1]");
    let (losses, gradient) = (plan.tensor("losses", 1, 2, 1), plan.tensor("gradient", 1, 2, 0));
    for loss in Loss::ALL {
        let refused = record_loss(&mut plan, loss, z, y, losses, gradient);
        let expected = match loss.takes_numbers() {
            true => "an output without columns, expected at least one column",
            false => "numbers as targets, expected class indices, one for each row",
        };
        assert_eq!(message(refused), format!("{}: found {expected}", loss.name()));
    }
}

#[test]
fn targets_and_weights_that_a_loss_cannot_take_are_refused() {
    let mut plan = Plan::new();
    let (z, dz) = (plan.tensor("z", 1, 5, 3), plan.tensor("dz", 1, 5, 3));
    let (numbers, classes) = (plan.tensor("numbers", 1, 5, 3), plan.integers("classes", 1, 5, 1));
    let (rows, elements) = (plan.tensor("rows", 1, 5, 1), plan.tensor("elements", 1, 5, 3));
    let class_weights = plan.tensor("class weights", 1, 1, 3);
    let declared = plan.clone();
    for loss in Loss::ALL {
        let values = if loss.shape(5, 3) == [5, 1] { rows } else { elements };
        if !loss.takes_classes() {
            let expected = "class indices as targets, expected numbers; `cross_entropy`, `focal` and `nll` take class \
                            indices";
            assert_eq!(
                message(record_loss(&mut plan, loss, z, classes, values, dz)),
                format!("{}: found {expected}", loss.name())
            );
        }
        if !loss.takes_numbers() {
            let expected = "numbers as targets, expected class indices, one for each row";
            assert_eq!(
                message(record_loss(&mut plan, loss, z, numbers, values, dz)),
                format!("{}: found {expected}", loss.name())
            );
        }
    }
    let gaussian = Loss::GaussianNll { eps: 1e-6, full: false };
    assert_eq!(
        message(record_loss(&mut plan, gaussian, z, numbers, rows, dz)),
        "gaussian_nll: found an output of 3 columns, expected an even number: means, and as many variances"
    );
    assert_eq!(
        message(record_loss(&mut plan, Loss::Mse, z, numbers, rows, dz)),
        "mse: found loss values of [5, 1], expected [5, 3]"
    );
    let wrong = Loss::Huber { delta: 0.0 };
    assert_eq!(
        message(record_loss(&mut plan, wrong, z, numbers, elements, dz)),
        "delta of the loss huber: found 0, expected a number above 0"
    );

    let operands = LossOperands {
        output: z,
        targets: classes,
        weights: None,
        class_weights: Some(class_weights),
        values: rows,
        gradient: dz,
    };
    let mut record = |loss, reduction, operands| record_criterion(&mut plan, Criterion { loss, reduction }, operands);
    let shares = LossOperands { targets: numbers, ..operands };
    assert_eq!(
        message(record(Loss::CrossEntropy, Reduction::Mean, shares)),
        "cross_entropy: found class weights, but no class indices as targets, expected class indices, or weights of the \
         rows"
    );
    let short = LossOperands { class_weights: Some(class_weights.part(0, 1, 2)), ..operands };
    assert_eq!(
        message(record(Loss::CrossEntropy, Reduction::Mean, short)),
        "cross_entropy: found class weights of [1, 2], expected [1, 3]"
    );
    let tall = LossOperands { weights: Some(numbers.part(0, 4, 1)), ..operands };
    assert_eq!(
        message(record(Loss::CrossEntropy, Reduction::WeightedMean, tall)),
        "cross_entropy: found an array of [4, 1], expected [5, 1], or a length of 1 where it is to be repeated"
    );
    // What is refused last leaves no weights behind.
    let twice = LossOperands { gradient: z, weights: Some(rows), values: dz.part(0, 5, 1), ..operands };
    assert_eq!(
        message(record(Loss::CrossEntropy, Reduction::WeightedMean, twice)),
        "cross_entropy_classes, operand `dz`: found `z` twice, expected a written buffer bound once"
    );
    assert_eq!(plan, declared, "something of what was refused was recorded");
}

#[test]
fn a_tensor_too_large_to_number_is_refused() {
    let mut plan = Plan::new();
    let (x, y) = (plan.tensor("x", 2, 70_000, 70_000), plan.tensor("y", 2, 1, 1));
    assert_eq!(
        message(record_sum(&mut plan, 1.0, x, y)),
        "sum, operand `x`: found [2, 70000, 70000] in `x` of 9800000000 elements, expected a view that ends within its \
         buffer of at most 2^32 - 1 elements"
    );
}

#[test]
fn weights_that_do_not_go_by_fours_are_refused() {
    let mut plan = Plan::new();
    let (dw, w) = (plan.tensor("dw", 1, 1, 6), plan.tensor("w", 1, 1, 6));
    let sgd = Optimizer::sgd(0.1);
    let state = OptimizerState::declare(&mut plan, &sgd, 1, 6);
    assert_eq!(
        message(record_update(&mut plan, &sgd, &state, dw, w)),
        "sgd: found w of 6 elements from 0 on, expected contiguous elements whose number and offset are multiples of 4"
    );
    assert_eq!(
        message(record_update(&mut plan, &sgd, &state, dw.part(0, 1, 4), w.part(0, 1, 6))),
        "sgd: found w of 6 elements from 0 on, expected contiguous elements whose number and offset are multiples of 4"
    );
    assert_eq!(
        message(record_update(&mut plan, &sgd, &state, dw.part(0, 1, 4), dw)),
        "sgd: found w of 6 elements from 0 on, expected contiguous elements whose number and offset are multiples of 4"
    );
}

#[test]
fn a_running_mean_keeps_a_part_from_0_to_1_and_one_shape() {
    let mut plan = Plan::new();
    let (x, y) = (plan.tensor("x", 1, 2, 3), plan.tensor("y", 1, 3, 2));
    for rate in [-0.1, 1.1, f32::NAN] {
        assert_eq!(
            message(record_blend(&mut plan, rate, 1.0, x, x)),
            format!("rate of a running mean: found {rate}, expected a number from 0 to 1")
        );
    }
    assert_eq!(message(record_blend(&mut plan, 0.5, 1.0, x, y)), "blend: found x of [2, 3], expected [3, 2]");
    assert!(plan.steps().is_empty(), "a refused step was recorded");
}

#[test]
fn rules_that_look_at_shapes_must_be_told_them() {
    let mut plan = Plan::new();
    let (dw, w) = (plan.tensor("dw", 1, 1, 12), plan.tensor("w", 1, 1, 12));
    for name in ["adafactor", "muon"] {
        let optimizer = Optimizer::named(name, None).expect("a name of its own");
        let state = OptimizerState::declare(&mut plan, &optimizer, 1, 12);
        assert_eq!(
            message(record_update(&mut plan, &optimizer, &state, dw, w)),
            format!(
                "{name}: found parameters of no known shape, expected an update in parts, each with its rows and columns"
            )
        );
        for (rows, columns, offset) in [(2, 3, 2), (0, 3, 0), (3, 3, 4), (1 << 16, 1 << 16, 0), (1, 1, u32::MAX - 3)] {
            let part = [Part { offset, rows, columns, is_matrix: true }];
            assert_eq!(
                message(record_update_in_parts(&mut plan, &optimizer, &state, &part, dw, w)),
                format!(
                    "{name}: found a part of [{rows}, {columns}] from {offset} on, expected parts that begin at multiples \
                     of 4 and end within 12 elements"
                )
            );
        }
        let part = [Part { offset: 0, rows: 1, columns: 3, is_matrix: true }];
        assert_eq!(
            message(record_update_in_parts(&mut plan, &optimizer, &state, &part, dw, w)),
            format!("{name}: found state of [1, 12], expected [1, 4]")
        );
    }
    assert!(plan.steps().is_empty(), "a refused step was recorded");
}

#[test]
fn what_comes_before_an_update_is_checked() {
    let mut plan = Plan::new();
    let (x, y) = (plan.tensor("x", 1, 1, 4), plan.tensor("y", 1, 1, 5));
    let (position, wide) = (plan.integers("position", 1, 1, 1), plan.integers("wide", 1, 1, 2));
    let matrix = plan.tensor("matrix", 1, 4, 4);
    assert_eq!(
        message(record_clip(&mut plan, Clip::Norm(-1.0), x)),
        "largest norm of the gradients: found -1, expected a number above 0"
    );
    assert_eq!(message(record_clip(&mut plan, Clip::Value(1.0), matrix)), "clip: found dw of [4, 4], expected [1, 4]");
    assert_eq!(
        message(record_clip(&mut plan, Clip::Norm(1.0), x.part(0, 1, 1).broadcast("test", 1, 4).expect("repeats"))),
        "clip: found dw with 0 elements from one to the next, expected contiguous elements"
    );
    assert_eq!(
        message(record_accumulate(&mut plan, [1, 2], x, position, y)),
        "accumulate: found x of [1, 4], expected [1, 5]"
    );
    assert_eq!(
        message(record_accumulate(&mut plan, [1, 2], x, wide, x)),
        "accumulate: found position of [1, 2], expected [1, 1]"
    );
    let nothing = plan.tensor("nothing", 1, 1, 0);
    assert_eq!(
        message(record_rate(&mut plan, 1.0, nothing, position, 1, x)),
        "rate: found table of [1, 0], expected [1, 1]"
    );
    assert!(plan.steps().is_empty(), "a refused step was recorded");
}

#[test]
fn an_optimizer_s_state_must_be_its_own() {
    use nngpu::kernels::optimizer::{Optimizer, OptimizerState, record_update};
    let mut plan = Plan::new();
    let (w, dw) = (plan.tensor("w", 2, 1, 4), plan.tensor("dw", 2, 1, 4));
    let momentum = Optimizer::momentum(0.1, 0.9);
    let good = OptimizerState::declare(&mut plan, &momentum, 2, 4);
    assert!(record_update(&mut plan, &momentum, &good, dw, w).is_ok());
    let short = OptimizerState { settings: plan.tensor("settings", 2, 1, 1), ..good.clone() };
    let steps = plan.steps().len();
    let message = record_update(&mut plan, &momentum, &short, dw, w).expect_err("too few settings").to_string();
    assert_eq!(message, "momentum: found settings of [1, 1], expected [1, 6]");
    let message = record_update(&mut plan, &Optimizer::adam(0.1), &good, dw, w).expect_err("another rule").to_string();
    assert_eq!(message, "adam: found a state with 1 moments, expected the state that was declared for adam");
    let three = plan.tensor("dw", 3, 1, 4);
    assert!(record_update(&mut plan, &momentum, &good, three, w).is_err());
    assert_eq!(plan.steps().len(), steps, "nothing is recorded by halves");
}

#[test]
fn a_result_that_overlaps_itself_is_refused() {
    let mut plan = Plan::new();
    let (a, b) = (plan.tensor("a", 1, 4, 3), plan.tensor("b", 1, 3, 5));
    let row = plan.tensor("row", 1, 1, 5);
    let message = record_matmul(&mut plan, a, b, row.broadcast("test", 4, 5).expect("repeats"))
        .expect_err("overlaps")
        .to_string();
    assert_eq!(message, "matmul, operand `c`: found [4, 5], expected a written tensor whose elements lie apart");
    let c = plan.tensor("c", 1, 5, 4);
    assert!(record_matmul(&mut plan, a, b, c.transposed()).is_ok());
}

#[test]
fn a_product_without_depth_and_a_tensor_of_another_plan_are_refused() {
    let mut plan = Plan::new();
    let (a, b, c) = (plan.tensor("a", 1, 2, 0), plan.tensor("b", 1, 0, 3), plan.tensor("c", 1, 2, 3));
    let message = record_matmul(&mut plan, a, b, c).expect_err("no depth").to_string();
    assert_eq!(message, "matmul: found [2, 0] times [0, 3], expected at least one column on the left");
    let mut other = Plan::new();
    let (a, b) = (other.tensor("a", 1, 2, 2), other.tensor("b", 1, 2, 2));
    let message = record_matmul(&mut other, a, b, c).expect_err("another plan").to_string();
    assert!(message.contains("expected"), "{message}");
}

#[test]
fn a_normalisation_of_other_shapes_is_refused() {
    let mut plan = Plan::new();
    let (x, y, stats) = (plan.tensor("x", 1, 4, 3), plan.tensor("y", 1, 4, 3), plan.tensor("stats", 1, 4, 2));
    let none = plan.tensor("none", 1, 4, 0);
    assert_eq!(message(record_moments(&mut plan, true, none, stats)), "moments: found x of [4, 0], expected [4, 1]");
    // The moments of columns need the batch transposed.
    let of_columns = plan.tensor("stats", 1, 3, 2);
    assert_eq!(
        message(record_moments(&mut plan, true, x, of_columns)),
        "moments: found stats of [3, 2], expected [4, 2]"
    );
    let (mean, variance) = (stats.columns(0, 1), stats.columns(1, 1));
    let weight = plan.tensor("weight", 1, 1, 4);
    assert_eq!(
        message(record_normalise(&mut plan, 1e-5, x, mean, variance, Some(weight), None, y)),
        "normalise: found an array of [1, 4], expected [4, 3], or a length of 1 where it is to be repeated"
    );
    assert_eq!(
        message(record_normalise(&mut plan, 1e-5, x, mean, variance, None, None, x)),
        "normalise, operand `y`: found `x` twice, expected a written buffer bound once"
    );
    let dy = plan.tensor("dy", 1, 3, 4);
    assert_eq!(
        message(record_normalise_backward(&mut plan, true, 1e-5, dy, x, stats, None, y)),
        "normalise_backward: found dy of [3, 4], expected [4, 3]"
    );
    assert!(plan.steps().is_empty(), "a refused step was recorded");
}

#[test]
fn gradients_of_a_normalisation_lie_in_one_buffer() {
    let mut plan = Plan::new();
    let (x, dy, stats) = (plan.tensor("x", 1, 4, 3), plan.tensor("dy", 1, 4, 3), plan.tensor("stats", 1, 4, 2));
    let (mean, variance) = (stats.columns(0, 1), stats.columns(1, 1));
    let gradients = plan.tensor("gradients", 1, 1, 6);
    let elsewhere = plan.tensor("elsewhere", 1, 1, 3);
    let dweight = gradients.part(0, 1, 3);
    let mut record = |dweight, dbias| record_normalise_gradient(&mut plan, 1e-5, dy, x, mean, variance, dweight, dbias);
    assert_eq!(
        message(record(Some(dweight), Some(elsewhere))),
        "normalise_gradient: found dbias in `elsewhere`, expected it in dweight's buffer, `gradients`"
    );
    assert_eq!(
        message(record(Some(dweight), Some(gradients.part(4, 1, 3)))),
        "normalise_gradient, `dbias`: found [1, 3] in `gradients` of 6 elements, expected a view that ends within its \
         buffer of at most 2^32 - 1 elements"
    );
    assert_eq!(
        message(record(None, Some(gradients.part(0, 1, 6)))),
        "normalise_gradient: found dbias of [1, 6], expected [1, 3]"
    );
    let mut two = dweight;
    two.models = 2;
    assert!(record(Some(dweight), Some(two)).is_err(), "as many models");
    record(None, None).expect("nothing to do");
    record(None, Some(elsewhere)).expect("a bias alone may lie anywhere");
    record(Some(dweight), Some(gradients.part(3, 1, 3))).expect("both in one buffer");
    assert_eq!(plan.steps().len(), 2, "nothing was recorded for no gradients");
}

#[test]
fn layers_of_other_shapes_are_refused() {
    let mut plan = Plan::new();
    let (x, y) = (plan.tensor("x", 1, 4, 6), plan.tensor("y", 1, 4, 6));
    let (noise, step) = (plan.integers("noise", 1, 1, 3), plan.integers("step", 1, 1, 1));
    assert_eq!(
        message(record_dropout(&mut plan, x, noise, step, y)),
        "dropout: found noise of [1, 3], expected [1, 4]"
    );
    let (codes, table) = (plan.tensor("codes", 1, 4, 1), plan.tensor("table", 1, 0, 6));
    assert_eq!(message(record_embed(&mut plan, codes, table, y)), "embed: found table of [0, 6], expected [1, 6]");
    assert_eq!(
        message(record_embed_gradient(&mut plan, codes, y, table)),
        "embed_gradient: found dtable of [0, 6], expected [1, 6]"
    );
    assert_eq!(message(record_glu(&mut plan, x, y)), "glu: found x of [4, 6], expected [4, 12]");
    let slope = plan.tensor("slope", 1, 1, 5);
    assert_eq!(
        message(record_prelu(&mut plan, x, slope, y)),
        "prelu: found an array of [1, 5], expected [4, 6], or a length of 1 where it is to be repeated"
    );
    assert_eq!(
        message(record_prelu_gradient(&mut plan, x, y, slope)),
        "prelu_gradient: found dslope of [1, 5], expected [1, 6]"
    );
    let dy = plan.tensor("dy", 1, 4, 5);
    let dx = plan.tensor("dx", 1, 4, 6);
    assert_eq!(
        message(record_softmax_backward(&mut plan, SoftmaxKind::Softmax, dy, y, dx)),
        "softmax_backward: found dy of [4, 5], expected [4, 6]"
    );
    assert!(plan.steps().is_empty(), "a refused step was recorded");
}

#[test]
fn columns_beyond_the_last_are_refused() {
    let mut plan = Plan::new();
    // A buffer that goes on after the four rows.
    let x = plan.tensor("x", 1, 1, 36).part(0, 4, 6);
    let (codes, table) = (plan.tensor("codes", 1, 4, 1), plan.tensor("table", 1, 2, 3));
    record_embed(&mut plan, codes, table, x.columns(3, 3)).expect("the last three");
    // They would be the first ones of the next row.
    for from in [4, 6, 7, u32::MAX] {
        assert_eq!(
            message(record_embed(&mut plan, codes, table, x.columns(from, 3))),
            "embed, operand `y`: found [4, 3] in `x` of 36 elements, expected a view that ends within its buffer of at \
             most 2^32 - 1 elements"
        );
    }
}
