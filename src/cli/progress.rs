//! What a person sees while a network learns.

use std::ops::ControlFlow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use nngpu::train::{Epoch, Event};

use super::interrupt::Interrupt;

/// A bar with the loss and the metric; plain lines where standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
    /// Steps of the bar that an epoch takes.
    batches: usize,
    is_terminal: bool,
    interrupt: Interrupt,
    last: String,
}

/// Lines of a whole run where there is no terminal.
const LINES: usize = 10;

impl Progress {
    pub fn new(epochs: usize, batches: usize, interrupt: Interrupt) -> Progress {
        let bar = ProgressBar::new((epochs * batches) as u64);
        let style = "{prefix} {bar:12} {percent:>3}%  {wide_msg} {eta:>4}";
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        bar.set_prefix(format!("epoch 1/{epochs}"));
        let is_terminal = !bar.is_hidden();
        Progress { bar, epochs, batches, is_terminal, interrupt, last: String::new() }
    }

    /// Shows what happened; breaks where the user wants to stop.
    pub fn observe(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Batches { epoch, done, .. } => {
                self.bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
                self.bar.set_position(((epoch - 1) * self.batches + done) as u64);
            }
            Event::Epoch(epoch) => self.epoch(epoch),
            _ => {}
        }
        if self.interrupt.is_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn epoch(&mut self, epoch: &Epoch) {
        self.last = describe(epoch);
        self.bar.set_message(self.last.clone());
        let step = self.epochs.div_ceil(LINES);
        let is_shown = epoch.epoch.is_multiple_of(step) || epoch.epoch == 1 || epoch.epoch == self.epochs;
        if !self.is_terminal && is_shown {
            tell!("epoch {}/{}  {}", epoch.epoch, self.epochs, self.last);
        }
    }

    /// Leaves the last state on the screen.
    pub fn finish(&self, elapsed: Duration) {
        if self.is_terminal {
            self.bar.finish_and_clear();
            tell!("trained in {elapsed:.2?}  {}", self.last);
        } else {
            tell!("trained in {elapsed:.2?}");
        }
    }

    /// Takes the bar off the screen, before an error.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn describe(epoch: &Epoch) -> String {
    let loss = format!("loss {:.4}", epoch.loss);
    match &epoch.validation {
        Some(validation) => {
            format!("{loss}  validation {} {:.4}", validation.metric.name(), validation.metric.value())
        }
        None => loss,
    }
}
