//! Runs plans on the CPU: the fast versions where a kernel has one, or the twins alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kernel::{Access, Args};
use super::plan::{BufferId, BufferSpec, Plan};
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
    /// Where each plan buffer's words are while locked: a position in `locking_order`.
    places: Vec<usize>,
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

    pub(super) fn allocate(&self, label: &str, length: usize) -> Buffer {
        Buffer { label: label.into(), words: Arc::new(Mutex::new(vec![0; length])) }
    }

    pub(super) fn compile(&self, plan: &Plan, given: &[(BufferId, Buffer)]) -> Program {
        let allocate = |(id, spec): (BufferId, &BufferSpec)| {
            let found = given.iter().find(|(given_id, _)| *given_id == id);
            found.map_or_else(|| self.allocate(&spec.label, spec.length), |(_, buffer)| buffer.clone())
        };
        let buffers: Vec<Buffer> = plan.ids().map(allocate).collect();
        let address = |position: usize| Arc::as_ptr(&buffers[position].words).addr();
        let mut locking_order: Vec<usize> = (0..buffers.len()).collect();
        locking_order.sort_by_key(|&position| address(position));
        locking_order.dedup_by_key(|position| address(*position));
        let place = |position| {
            locking_order.iter().position(|&other| address(other) == address(position)).expect("deduplicated")
        };
        let places = (0..buffers.len()).map(place).collect();
        Program { plan: plan.clone(), buffers, locking_order, places }
    }

    pub(super) fn run(&self, program: &Program, times: usize) {
        let mut guards: Vec<MutexGuard<Vec<u32>>> =
            program.locking_order.iter().map(|&position| program.buffers[position].lock()).collect();
        let mut words: Vec<Vec<u32>> = guards.iter_mut().map(|guard| std::mem::take(&mut **guard)).collect();
        for _ in 0..times {
            self.step(program, &mut words);
        }
        for (guard, words) in guards.iter_mut().zip(words) {
            **guard = words;
        }
    }

    fn step(&self, program: &Program, words: &mut [Vec<u32>]) {
        for step in program.plan.steps() {
            let bindings = step.kernel.bindings;
            let place = |position: usize| program.places[step.operands[position].buffer.0 as usize];
            // Written buffers are taken out while the step runs: moves of three words, so that
            // the others can be borrowed beside them. The plan promises that none is bound twice.
            let mut written: [Vec<u32>; super::kernel::MAX_BINDINGS] = Default::default();
            for (position, binding) in bindings.iter().enumerate() {
                if binding.access != Access::Read {
                    written[position] = std::mem::take(&mut words[place(position)]);
                }
            }
            let mut args = Args::new(&step.params, step.models, self.threads);
            for (position, (binding, own)) in bindings.iter().zip(&mut written).enumerate() {
                match binding.access {
                    Access::Read => args.bind_read(position, &words[place(position)]),
                    Access::Write | Access::Update => args.bind_written(position, own),
                }
            }
            match step.kernel.fast.filter(|_| self.fast) {
                Some(fast) => fast(&mut args),
                None => (step.kernel.twin)(&mut args),
            }
            for (position, binding) in bindings.iter().enumerate() {
                if binding.access != Access::Read {
                    words[place(position)] = std::mem::take(&mut written[position]);
                }
            }
        }
    }
}

impl Buffer {
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn length(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn write(&self, start: usize, words: &[u32]) -> Result<()> {
        let mut own = self.lock();
        let (length, end) = (own.len(), start + words.len());
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
