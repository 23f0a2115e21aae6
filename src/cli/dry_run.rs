//! What a training would do, without doing it.

use std::io::{self, Write};

use indicatif::{HumanBytes, HumanDuration};
use nngpu::tabular::Prepared;
use nngpu::train::{estimate_members, preview_members};

use super::log::Log;
use super::train::Settings;
use super::{Ending, Failure, summary};

/// Tells the plan of a training: its memory by buffer, its dispatches, how long it takes by a few steps of it.
pub fn tell(settings: &Settings, prepared: &Prepared, log: &Log) -> Result<Ending, Failure> {
    let device = settings.training.open(prepared, log)?;
    let recipe = &prepared.recipe;
    let preview = preview_members(&device, &prepared.network, &prepared.data, &prepared.members, &recipe.settings)?;
    let mut out = io::stdout().lock();
    let mut table = summary::table();
    table.set_header(["buffer", "shape", "memory"]);
    for buffer in &preview.buffers {
        let [models, rows, columns] = buffer.shape;
        table.add_row([
            buffer.label.clone(),
            format!("{models} × {rows} × {columns}"),
            HumanBytes(buffer.bytes).to_string(),
        ]);
    }
    writeln!(out, "{table}")?;
    writeln!(out, "memory: {} on the device", HumanBytes(preview.bytes))?;
    writeln!(out, "step: {} dispatches; an epoch: {} steps", preview.dispatches, preview.steps)?;
    for buffer in preview.too_large() {
        let largest = HumanBytes(preview.largest_bytes);
        writeln!(
            out,
            "`{}` has {}, more than the {largest} that the device can bind",
            buffer.label,
            HumanBytes(buffer.bytes)
        )?;
    }
    let estimate = estimate_members(&device, &prepared.network, &prepared.data, &prepared.members, &recipe.settings)?;
    let whole = estimate.preparation + estimate.epoch * recipe.settings.epochs as u32;
    writeln!(
        out,
        "time: about {:.2?} for an epoch, at most {} for {} epochs",
        estimate.epoch,
        HumanDuration(whole),
        recipe.settings.epochs,
    )?;
    Ok(Ending::Done)
}
