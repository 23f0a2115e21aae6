//! Runs plans on the CPU: the fast versions where a kernel has one, or the twins alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kernel::{Access, Args, MAX_BINDINGS};
use super::plan::{BufferId, BufferSpec, Plan, Step};
use crate::{Error, Result};

/// The CPU as a device.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// Whether to run [`Kernel::fast`](super::Kernel::fast) where there is one.
    fast: bool,
    threads: usize,
}

/// Words in main memory. Clones are the same buffer.
#[derive(Clone, Debug)]
pub struct Buffer {
    label: Arc<str>,
    words: Arc<Mutex<Vec<u32>>>,
}

/// A plan with its buffers.
#[derive(Debug)]
pub struct Program {
    plan: Plan,
    buffers: Vec<Buffer>,
    /// Positions in `buffers` without repetition, in an order that all programs share, so that
    /// two programs over the same buffers cannot wait for each other.
    locking_order: Vec<usize>,
    /// Where the words of each step's operands are while locked: positions in `locking_order`.
    places: Vec<Vec<usize>>,
}

impl Cpu {
    /// Fast versions, on `threads` threads.
    pub(super) fn fast(threads: usize) -> Cpu {
        Cpu { fast: true, threads }
    }

    /// Twins only, on one thread.
    pub(super) fn reference() -> Cpu {
        Cpu { fast: false, threads: 1 }
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    pub(super) fn allocate(&self, label: &str, length: usize) -> Result<Buffer> {
        let mut words = Vec::new();
        let out_of_memory = |_| Error::OutOfMemory { label: label.into(), length };
        words.try_reserve_exact(length).map_err(out_of_memory)?;
        words.resize(length, 0);
        Ok(Buffer { label: label.into(), words: Arc::new(Mutex::new(words)) })
    }

    pub(super) fn compile(&self, plan: &Plan, given: &[(BufferId, Buffer)]) -> Result<Program> {
        let allocate = |(id, spec): (BufferId, &BufferSpec)| {
            let found = given.iter().find(|(given_id, _)| *given_id == id);
            found.map_or_else(|| self.allocate(&spec.label, spec.length), |(_, buffer)| Ok(buffer.clone()))
        };
        let buffers = plan.ids().map(allocate).collect::<Result<Vec<Buffer>>>()?;
        let address = |position: usize| Arc::as_ptr(&buffers[position].words).addr();
        let mut locking_order: Vec<usize> = (0..buffers.len()).collect();
        locking_order.sort_by_key(|&position| address(position));
        locking_order.dedup_by_key(|position| address(*position));
        let place = |position| {
            locking_order.iter().position(|&other| address(other) == address(position)).expect("deduplicated")
        };
        let places_of = |step: &Step| step.operands.iter().map(|operand| place(operand.buffer.0 as usize)).collect();
        let places = plan.steps().iter().map(places_of).collect();
        Ok(Program { plan: plan.clone(), buffers, locking_order, places })
    }

    pub(super) fn run(&self, program: &Program, times: usize) {
        let mut guards: Vec<MutexGuard<Vec<u32>>> =
            program.locking_order.iter().map(|&position| program.buffers[position].lock()).collect();
        let mut words: Vec<&mut [u32]> = guards.iter_mut().map(|guard| &mut guard[..]).collect();
        for _ in 0..times {
            for (step, places) in program.plan.steps().iter().zip(&program.places) {
                self.step(step, places, &mut words);
            }
        }
    }

    fn step(&self, step: &Step, places: &[usize], words: &mut [&mut [u32]]) {
        let bindings = step.kernel.bindings;
        // Those read come first. Written buffers are taken out while the step runs, so that the
        // others can be borrowed beside them. The plan promises that none is bound twice.
        let n_read = bindings.iter().take_while(|binding| binding.access == Access::Read).count();
        let mut written: [&mut [u32]; MAX_BINDINGS] = Default::default();
        for position in n_read..bindings.len() {
            written[position] = std::mem::take(&mut words[places[position]]);
        }
        let mut args = Args::new(&step.params, step.models, self.threads);
        for position in 0..n_read {
            args.bind_read(position, words[places[position]]);
        }
        for (position, own) in written.iter_mut().enumerate().take(bindings.len()).skip(n_read) {
            args.bind_written(position, own);
        }
        match step.kernel.fast.filter(|_| self.fast) {
            Some(fast) => fast(&mut args),
            None => (step.kernel.twin)(&mut args),
        }
        for position in n_read..bindings.len() {
            words[places[position]] = std::mem::take(&mut written[position]);
        }
    }
}

impl Buffer {
    pub(super) fn is_same(&self, other: &Buffer) -> bool {
        Arc::ptr_eq(&self.words, &other.words)
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn length(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn write(&self, start: usize, words: &[u32]) -> Result<()> {
        let mut own = self.lock();
        let (length, end) = (own.len(), start.saturating_add(words.len()));
        let out_of_range = || Error::OutOfRange { label: self.label.to_string(), length, start, end };
        own.get_mut(start..end).ok_or_else(out_of_range)?.copy_from_slice(words);
        Ok(())
    }

    pub(super) fn read(&self) -> Vec<u32> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u32>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Program {
    pub(super) fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0 as usize]
    }
}
