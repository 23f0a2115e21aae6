//! What a person sees while networks learn.

use std::ops::ControlFlow;

use console::Term;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use nngpu::train::{Ended, Event, FittedMembers, MembersEpoch};

use super::interrupt::Interrupt;
use super::log::Log;
use super::summary::short;

/// A bar with loss, metric and speed; plain lines where standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
    /// Steps of the bar that an epoch takes.
    batches: usize,
    /// Rows that all networks together learn from in an epoch, where the terminal has room to tell their speed.
    samples: Option<usize>,
    is_terminal: bool,
    interrupt: Interrupt,
    log: Log,
    last: String,
}

/// A terminal of fewer columns has no place for a bar.
const NARROW: u16 = 80;

/// One of fewer has none for the speed.
const MIDDLE: u16 = 110;

/// Lines of a whole run where there is no terminal.
const LINES: usize = 10;

impl Progress {
    /// `samples` are the rows that all networks together learn from in an epoch of so many batches.
    pub fn new(epochs: usize, batches: usize, samples: usize, interrupt: Interrupt, log: Log) -> Progress {
        let bar = if log.is_human() { ProgressBar::new((epochs * batches) as u64) } else { ProgressBar::hidden() };
        let columns = Term::stderr().size().1;
        let style = if columns < NARROW { "{prefix}  {wide_msg}" } else { "{prefix} {bar:12}  {wide_msg} {eta:>4}" };
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        bar.set_prefix(format!("epoch 1/{epochs}"));
        let is_terminal = !bar.is_hidden();
        let samples = (columns >= MIDDLE).then_some(samples);
        Progress { bar, epochs, batches, samples, is_terminal, interrupt, log, last: String::new() }
    }

    /// Shows what happened; breaks where the user wants to stop.
    pub fn observe(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Batches { epoch, done, .. } => {
                self.bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
                self.bar.set_position(((epoch - 1) * self.batches + done) as u64);
            }
            Event::Members(epoch) => self.epoch(epoch),
            _ => {}
        }
        if self.interrupt.is_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn epoch(&mut self, epoch: &MembersEpoch) {
        self.log.epoch(epoch);
        self.last = describe(epoch);
        let speed = self.samples.map(|samples| (samples as f64 / epoch.elapsed.as_secs_f64()) as u64);
        let speed = speed.map_or(String::new(), |speed| format!(", {} samples/s", HumanCount(speed)));
        self.bar.set_message(format!("{}{speed}", self.last));
        let step = self.epochs.div_ceil(LINES);
        let is_shown = epoch.epoch.is_multiple_of(step) || epoch.epoch == 1 || epoch.epoch == self.epochs;
        if !self.is_terminal && is_shown {
            self.log.say(&format!("epoch {}/{}  {}", epoch.epoch, self.epochs, self.last));
        }
    }

    /// Leaves the last state on the screen.
    pub fn finish(&self, fitted: &FittedMembers) {
        self.bar.finish_and_clear();
        let why = match fitted.ended {
            Ended::Patience => ", as the loss no longer fell",
            Ended::Time => ", as the time was over",
            Ended::Interrupted => ", interrupted",
            _ => "",
        };
        let epochs = fitted.epochs.len();
        let best: Vec<usize> = fitted.best_epochs.iter().flatten().copied().collect();
        let best = match (best.iter().min(), best.iter().max()) {
            (Some(first), Some(last)) if first == last => format!("; the best was epoch {first}"),
            (Some(first), Some(last)) => format!("; the best were epochs {first} to {last}"),
            _ => String::new(),
        };
        let noun = if epochs == 1 { "epoch" } else { "epochs" };
        self.log.say(&format!("trained {epochs} {noun} in {:.2?}{why}{best}", fitted.elapsed));
    }

    /// Takes the bar off the screen, before an error.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// The means over the members.
fn describe(epoch: &MembersEpoch) -> String {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let mut text = format!("loss {}", short(mean(&epoch.losses)));
    let validation: Vec<_> = epoch.validation.iter().flatten().collect();
    if let Some(first) = validation.first() {
        let losses: Vec<f64> = validation.iter().map(|validation| validation.loss).collect();
        let metrics: Vec<f64> = validation.iter().map(|validation| validation.metric.value()).collect();
        text += &format!(", validation {}, {} {}", short(mean(&losses)), first.metric.name(), short(mean(&metrics)));
    }
    text
}
