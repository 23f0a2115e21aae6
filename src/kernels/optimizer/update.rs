//! Records one step of an optimizer.

use super::adadelta::{ADADELTA, Adadelta};
use super::adafactor::{record_adafactor, record_adafactor_clock};
use super::adam::{ADAM, ADAMAX, Adam, Adamax, record_powers};
use super::lion::{LION, Lion};
use super::muon::{record_muon, record_orthogonal};
use super::rmsprop::{RMSPROP, Rmsprop};
use super::sgd::{MOMENTUM, Momentum, SGD, Sgd};
use super::state::Run;
use super::{Optimizer, OptimizerState, Part};
use crate::compute::kernel::View;
use crate::compute::plan::{Plan, Tensor};
use crate::{Error, Result};

/// Records one update of `w` along `dw`; both are `[models, 1, length]`, whose length, like their
/// offsets and strides, is a multiple of 4.
///
/// # Errors
///
/// Shapes that do not go together, a state of another optimizer, an optimizer that must know the shapes of
/// the parameters: [`record_update_in_parts`] takes those.
pub fn record_update(
    plan: &mut Plan,
    optimizer: &Optimizer,
    state: &OptimizerState,
    dw: Tensor,
    w: Tensor,
) -> Result<()> {
    if optimizer.needs_shapes() {
        return Err(Error::Shape {
            operation: optimizer.name().into(),
            found: "parameters of no known shape".into(),
            expected: "an update in parts, each with its rows and columns".into(),
        });
    }
    check(plan, optimizer, state, dw, w, w.columns)?;
    record_progress(plan, optimizer, state)?;
    record_run(plan, optimizer, state, [dw, w], Run { offset: 0, place: 0, length: w.columns })
}

/// Records one update of these parts of `w` along `dw`; the others stay as they are.
///
/// `w` and `dw` are all parameters and their gradients, `[models, 1, length]`; the state was declared for the
/// parts' [`Part::packed_len`]. Rules that do not look at shapes take parts that lie side by side at once.
///
/// # Errors
///
/// As for [`record_update`], parts that do not begin at a multiple of 4 or end beyond the parameters.
pub fn record_update_in_parts(
    plan: &mut Plan,
    optimizer: &Optimizer,
    state: &OptimizerState,
    parts: &[Part],
    dw: Tensor,
    w: Tensor,
) -> Result<()> {
    for part in parts {
        let end = part.offset.checked_add(part.padded_len());
        if part.offset % 4 != 0 || part.padded_len() == 0 || end.is_none_or(|end| end > w.columns) {
            return Err(Error::Shape {
                operation: optimizer.name().into(),
                found: format!("a part of [{}, {}] from {} on", part.rows, part.columns, part.offset),
                expected: format!("parts that begin at multiples of 4 and end within {} elements", w.columns),
            });
        }
    }
    check(plan, optimizer, state, dw, w, Part::packed_len(parts))?;
    if parts.is_empty() {
        return Ok(());
    }
    record_progress(plan, optimizer, state)?;
    let place = |index: usize| Part::packed_len(&parts[..index]);
    match *optimizer {
        Optimizer::Adafactor { .. } => {
            for (index, part) in parts.iter().enumerate() {
                record_adafactor(plan, state, [dw, w], part, place(index))?;
            }
            Ok(())
        }
        Optimizer::Muon { n_steps, .. } => {
            let (velocity, length) = (state.moments[0], Part::packed_len(parts));
            let y = plan.tensor("directions", w.models, 1, length);
            for run in Run::all(parts) {
                let (own, packed) = (|x: Tensor| run.of(x), |x: Tensor| x.part(run.place, 1, run.length));
                record_muon(plan, state.settings, [own(dw), own(w), packed(velocity), packed(y)])?;
            }
            for (index, part) in parts.iter().enumerate().filter(|(_, part)| part.is_matrix) {
                record_orthogonal(plan, n_steps, y, part, place(index))?;
            }
            for run in Run::all(parts) {
                record_sgd(plan, state.settings, y.part(run.place, 1, run.length), run.of(w))?;
            }
            Ok(())
        }
        _ => Run::all(parts).into_iter().try_for_each(|run| record_run(plan, optimizer, state, [dw, w], run)),
    }
}

/// Refuses what does not go together, before anything is recorded.
fn check(plan: &Plan, optimizer: &Optimizer, state: &OptimizerState, dw: Tensor, w: Tensor, length: u32) -> Result<()> {
    let name = optimizer.name();
    let n_powers = optimizer.first_powers().len() as u32;
    if state.moments.len() != optimizer.n_states() || state.powers.is_some() != (n_powers > 0) {
        return Err(Error::Shape {
            operation: name.into(),
            found: format!("a state with {} moments", state.moments.len()),
            expected: format!("the state that was declared for {name}"),
        });
    }
    state.settings.expect(name, "settings", 1, optimizer.settings().len() as u32)?;
    if let Some(powers) = state.powers {
        powers.expect(name, "powers", 1, n_powers)?;
    }
    let own = [("w", w, w.columns), ("dw", dw, w.columns)];
    let operands = own.into_iter().chain(state.moments.iter().map(|moment| ("state", *moment, length)));
    for (what, operand, columns) in operands {
        operand.expect(name, what, 1, columns)?;
        let View { offset, model, column, .. } = operand.view;
        if [columns, offset, model].iter().any(|count| count % 4 != 0) || column != 1 {
            return Err(Error::Shape {
                operation: name.into(),
                found: format!("{what} of {columns} elements from {offset} on"),
                expected: "contiguous elements whose number and offset are multiples of 4".into(),
            });
        }
        plan.expect_within(|| format!("{name}, {what}"), &operand)?;
    }
    let operands: Vec<Tensor> = [dw, w].into_iter().chain(state.tensors()).collect();
    let models = Plan::models(name, &operands)?;
    // What is written is not shared.
    for (what, operand) in [("w", w)].into_iter().chain(state.moments.iter().map(|moment| ("state", *moment))) {
        if operand.models != models {
            return Err(Error::Shape {
                operation: name.into(),
                found: format!("{what} of {} models", operand.models),
                expected: format!("{models}, for each its own"),
            });
        }
    }
    Ok(())
}

/// Records what goes on once in a step, however many parts it has.
fn record_progress(plan: &mut Plan, optimizer: &Optimizer, state: &OptimizerState) -> Result<()> {
    match (optimizer, state.powers) {
        (Optimizer::Adafactor { .. }, Some(clock)) => record_adafactor_clock(plan, state.settings, clock),
        (_, Some(powers)) => record_powers(plan, state.settings, powers),
        _ => Ok(()),
    }
}

/// Records one rule over the fours of a run.
fn record_run(
    plan: &mut Plan,
    optimizer: &Optimizer,
    state: &OptimizerState,
    [dw, w]: [Tensor; 2],
    run: Run,
) -> Result<()> {
    let (dw, w, settings, quads) = (run.of(dw), run.of(w), state.settings, run.length / 4);
    let moments: Vec<Tensor> = state.moments.iter().map(|moment| moment.part(run.place, 1, run.length)).collect();
    let models = w.models;
    let view = |operand: Tensor| operand.view(models);
    match (optimizer, &moments[..]) {
        (Optimizer::Momentum { .. }, &[velocity]) => {
            // Unless the first gradient is an exception, no power is looked at; a setting stands for it.
            let powers = state.powers.unwrap_or(settings.part(0, 1, 1));
            let operands = [dw, settings, powers, velocity, w];
            let [dw, settings, powers, velocity, w] = operands.map(view);
            plan.push(&MOMENTUM, Momentum { dw, settings, powers, velocity, w, quads }, &operands, models)
        }
        (Optimizer::RmsProp { .. } | Optimizer::AdaGrad { .. }, &[v]) => {
            let operands = [dw, settings, v, w];
            let [dw, settings, v, w] = operands.map(view);
            plan.push(&RMSPROP, Rmsprop { dw, settings, v, w, quads }, &operands, models)
        }
        (Optimizer::AdaDelta { .. }, &[v, u]) => {
            let operands = [dw, settings, v, u, w];
            let [dw, settings, v, u, w] = operands.map(view);
            plan.push(&ADADELTA, Adadelta { dw, settings, v, u, w, quads }, &operands, models)
        }
        (Optimizer::Adam { .. }, &[m, v]) => {
            let operands = [dw, settings, state.powers.expect("checked"), m, v, w];
            let [dw, settings, powers, m, v, w] = operands.map(view);
            plan.push(&ADAM, Adam { dw, settings, powers, m, v, w, quads }, &operands, models)
        }
        (Optimizer::Adamax { .. }, &[m, v]) => {
            let operands = [dw, settings, state.powers.expect("checked"), m, v, w];
            let [dw, settings, powers, m, v, w] = operands.map(view);
            plan.push(&ADAMAX, Adamax { dw, settings, powers, m, v, w, quads }, &operands, models)
        }
        (Optimizer::Lion { .. }, &[m]) => {
            let operands = [dw, settings, m, w];
            let [dw, settings, m, w] = operands.map(view);
            plan.push(&LION, Lion { dw, settings, m, w, quads }, &operands, models)
        }
        _ => record_sgd(plan, settings, dw, w),
    }
}

fn record_sgd(plan: &mut Plan, settings: Tensor, dw: Tensor, w: Tensor) -> Result<()> {
    let (operands, quads) = ([dw, settings, w], w.columns / 4);
    let models = Plan::models("sgd", &operands)?;
    let [dw, settings, w] = operands.map(|operand| operand.view(models));
    plan.push(&SGD, Sgd { dw, settings, w, quads }, &operands, models)
}
