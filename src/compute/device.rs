//! A device: allocates, writes, reads, compiles a plan, runs it, waits.

use bytemuck::Pod;

use super::cpu::{self, Cpu};
use super::gpu::adapter::{self, AdapterReport};
use super::gpu::{self, Gpu};
use super::kernel::Access;
use super::plan::{BufferId, Plan};
use crate::{Error, Result};

/// Where plans run. Clones are the same device.
#[derive(Clone, Debug)]
pub enum Device {
    /// A GPU through wgpu: Vulkan, Metal, DX12 or a browser's WebGPU.
    Gpu(Gpu),
    /// The CPU, with the fast versions of the kernels.
    Cpu(Cpu),
    /// The CPU, with the kernels' definitions alone: slow, and what the others are held to.
    Reference(Cpu),
}

/// Memory of a device: 32-bit words. Clones are the same memory.
#[derive(Clone, Debug)]
pub struct Buffer(Memory);

#[derive(Clone, Debug)]
enum Memory {
    Gpu(gpu::Buffer),
    Cpu(cpu::Buffer),
}

/// A plan compiled for a device.
#[derive(Debug)]
pub struct Program(Compiled);

#[derive(Debug)]
enum Compiled {
    Gpu(gpu::Program),
    Cpu(cpu::Program),
}

/// A device that was opened by name, and why it was this one.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The device.
    pub device: Device,
    /// One sentence for the user.
    pub reason: String,
}

impl Device {
    /// The CPU with all its threads.
    pub fn cpu() -> Device {
        Device::Cpu(Cpu::fast(std::thread::available_parallelism().map_or(1, |count| count.get())))
    }

    /// The CPU with a given number of threads. Results do not depend on it.
    ///
    /// # Errors
    ///
    /// No threads at all.
    pub fn cpu_with_threads(threads: usize) -> Result<Device> {
        if threads == 0 {
            return Err(Error::Threads { found: threads });
        }
        Ok(Device::Cpu(Cpu::fast(threads)))
    }

    /// The kernels' definitions, on one CPU thread.
    pub fn reference() -> Device {
        Device::Reference(Cpu::reference())
    }

    /// Opens a device by name: `auto`, `cpu`, `reference`, `gpu`, an adapter's index, part of its
    /// name, or `backend:name` (`vulkan:llvmpipe`).
    ///
    /// `auto` takes the best GPU, or the CPU where there is none; a software adapter is taken
    /// only when named, or when `WGPU_ADAPTER_NAME` names it. `WGPU_BACKEND` restricts the
    /// backends. Use [`Device::open_for`] to let `auto` weigh the work.
    ///
    /// # Errors
    ///
    /// No adapter of that name, or one that cannot be opened.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(name: &str) -> Result<Device> {
        Ok(Device::open_for(name, None)?.device)
    }

    /// Opens a device by name as [`Device::open`] does, and tells why it took that one.
    ///
    /// `flops_per_step` is the number of floating-point operations between two waits for the
    /// device: below about four million, `auto` takes the CPU, because starting the kernels of
    /// such a step on a GPU takes longer than computing it.
    ///
    /// # Errors
    ///
    /// As for [`Device::open`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_for(name: &str, flops_per_step: Option<f64>) -> Result<Opened> {
        pollster::block_on(Device::open_async(name, flops_per_step))
    }

    /// Opens a device as [`Device::open_for`] does, without blocking.
    ///
    /// # Errors
    ///
    /// As for [`Device::open`].
    pub async fn open_async(name: &str, flops_per_step: Option<f64>) -> Result<Opened> {
        match name.to_lowercase().as_str() {
            "cpu" => Ok(Opened { device: Device::cpu(), reason: "asked for".into() }),
            "reference" => Ok(Opened { device: Device::reference(), reason: "asked for".into() }),
            name => {
                let (gpu, reason) = adapter::open(name, flops_per_step).await?;
                Ok(Opened { device: gpu.map_or_else(Device::cpu, Device::Gpu), reason })
            }
        }
    }

    /// What the device is, for people.
    pub fn description(&self) -> String {
        match self {
            Device::Gpu(gpu) => gpu.description(),
            Device::Cpu(cpu) if cpu.threads() == 1 => "CPU, 1 thread".into(),
            Device::Cpu(cpu) => format!("CPU, {} threads", cpu.threads()),
            Device::Reference(_) => "CPU, reference kernels".into(),
        }
    }

    /// A GPU's adapter, with the limits and the features that it was opened with; none for the CPU.
    pub fn adapter(&self) -> Option<AdapterReport> {
        match self {
            Device::Gpu(gpu) => Some(gpu.adapter()),
            Device::Cpu(_) | Device::Reference(_) => None,
        }
    }

    /// Allocates `length` words of zeros.
    ///
    /// # Errors
    ///
    /// More than the adapter can bind, or out of memory.
    pub fn allocate(&self, label: &str, length: usize) -> Result<Buffer> {
        Ok(Buffer(match self {
            Device::Gpu(gpu) => Memory::Gpu(gpu.allocate(label, length)?),
            Device::Cpu(cpu) | Device::Reference(cpu) => Memory::Cpu(cpu.allocate(label, length)?),
        }))
    }

    /// The most words that one buffer can hold here.
    pub fn max_length(&self) -> usize {
        match self {
            Device::Gpu(gpu) => gpu.max_length(),
            Device::Cpu(_) | Device::Reference(_) => u32::MAX as usize,
        }
    }

    /// Writes `values`, each of 4 bytes, into a buffer from element `start` on.
    ///
    /// # Errors
    ///
    /// A range beyond the buffer's end, a buffer of another device, a lost device.
    ///
    /// # Panics
    ///
    /// Values that do not fill whole words of 4 bytes.
    pub fn write<T: Pod>(&self, buffer: &Buffer, start: usize, values: &[T]) -> Result<()> {
        let words: &[u32] = bytemuck::cast_slice(values);
        match (self, &buffer.0) {
            (Device::Gpu(gpu), Memory::Gpu(buffer)) => gpu.write(buffer, start, words),
            (Device::Cpu(_) | Device::Reference(_), Memory::Cpu(buffer)) => buffer.write(start, words),
            _ => Err(Error::ForeignDevice { label: buffer.label().into() }),
        }
    }

    /// Reads a whole buffer, once everything submitted before has run.
    ///
    /// # Errors
    ///
    /// A buffer of another device, a lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read<T: Pod>(&self, buffer: &Buffer) -> Result<Vec<T>> {
        pollster::block_on(self.read_async(buffer))
    }

    /// Reads a whole buffer as [`Device::read`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Device::read`].
    pub async fn read_async<T: Pod>(&self, buffer: &Buffer) -> Result<Vec<T>> {
        let words = match (self, &buffer.0) {
            (Device::Gpu(gpu), Memory::Gpu(buffer)) => gpu.read(buffer).await?,
            (Device::Cpu(_) | Device::Reference(_), Memory::Cpu(buffer)) => buffer.read(),
            _ => return Err(Error::ForeignDevice { label: buffer.label().into() }),
        };
        Ok(bytemuck::allocation::try_cast_vec(words).unwrap_or_else(|(_, words)| bytemuck::cast_slice(&words).to_vec()))
    }

    /// Compiles a plan. Buffers in `given` are used as they are, the others are allocated.
    ///
    /// # Errors
    ///
    /// A given buffer of another device or length, a buffer over the adapter's limits, a shader
    /// that the driver refuses.
    pub fn compile(&self, plan: &Plan, given: &[(BufferId, &Buffer)]) -> Result<Program> {
        for (id, buffer) in given {
            let Some(spec) = plan.buffers().get(id.0 as usize) else {
                return Err(Error::Shape {
                    operation: format!("buffer `{}`", buffer.label()),
                    found: "a place in another plan".into(),
                    expected: "a buffer that this plan declared".into(),
                });
            };
            if buffer.len() != spec.length {
                return Err(Error::Shape {
                    operation: format!("buffer `{}`", spec.label),
                    found: format!("{} elements", buffer.len()),
                    expected: format!("{}", spec.length),
                });
            }
        }
        check_aliases(plan, given)?;
        let foreign = |buffer: &Buffer| Error::ForeignDevice { label: buffer.label().into() };
        Ok(Program(match self {
            Device::Gpu(gpu) => {
                let own = |&(id, buffer): &(BufferId, &Buffer)| match &buffer.0 {
                    Memory::Gpu(own) => Ok((id, own.clone())),
                    Memory::Cpu(_) => Err(foreign(buffer)),
                };
                Compiled::Gpu(gpu.compile(plan, &given.iter().map(own).collect::<Result<Vec<_>>>()?)?)
            }
            Device::Cpu(cpu) | Device::Reference(cpu) => {
                let own = |&(id, buffer): &(BufferId, &Buffer)| match &buffer.0 {
                    Memory::Cpu(own) => Ok((id, own.clone())),
                    Memory::Gpu(_) => Err(foreign(buffer)),
                };
                Compiled::Cpu(cpu.compile(plan, &given.iter().map(own).collect::<Result<Vec<_>>>()?)?)
            }
        }))
    }

    /// Runs a program `times` times. On a GPU this returns when the last part has been submitted.
    ///
    /// # Errors
    ///
    /// A program of another device, a lost device, a driver that refuses.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run(&self, program: &Program, times: usize) -> Result<()> {
        pollster::block_on(self.run_async(program, times))
    }

    /// Runs a program as [`Device::run`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Device::run`].
    pub async fn run_async(&self, program: &Program, times: usize) -> Result<()> {
        match (self, &program.0) {
            (Device::Gpu(gpu), Compiled::Gpu(program)) => gpu.run(program, times).await,
            (Device::Cpu(cpu) | Device::Reference(cpu), Compiled::Cpu(program)) => {
                cpu.run(program, times);
                Ok(())
            }
            _ => Err(Error::ForeignDevice { label: "program".into() }),
        }
    }

    /// Runs a program once, without waiting for any of it on a GPU: for steps by hand, in a browser too.
    ///
    /// # Errors
    ///
    /// As for [`Device::run`].
    pub fn submit(&self, program: &Program) -> Result<()> {
        match (self, &program.0) {
            (Device::Gpu(gpu), Compiled::Gpu(program)) => gpu.submit(program),
            (Device::Cpu(cpu) | Device::Reference(cpu), Compiled::Cpu(program)) => {
                cpu.run(program, 1);
                Ok(())
            }
            _ => Err(Error::ForeignDevice { label: "program".into() }),
        }
    }

    /// Encodes a program `times` times as [`Device::run`] does, but submits nothing: for measuring
    /// what encoding costs. On the CPU there is nothing to encode.
    #[doc(hidden)]
    pub fn encode_only(&self, program: &Program, times: usize) -> Result<()> {
        match (self, &program.0) {
            (Device::Gpu(gpu), Compiled::Gpu(program)) => gpu.encode_only(program, times),
            _ => Ok(()),
        }
    }

    /// Waits until everything submitted has run.
    ///
    /// # Errors
    ///
    /// A lost device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&self) -> Result<()> {
        pollster::block_on(self.wait_async())
    }

    /// Waits as [`Device::wait`] does, without blocking in a browser.
    ///
    /// # Errors
    ///
    /// As for [`Device::wait`].
    pub async fn wait_async(&self) -> Result<()> {
        match self {
            Device::Gpu(gpu) => gpu.wait().await,
            Device::Cpu(_) | Device::Reference(_) => Ok(()),
        }
    }
}

/// No step may write a buffer that it also binds under another id.
fn check_aliases(plan: &Plan, given: &[(BufferId, &Buffer)]) -> Result<()> {
    let memory = |id: BufferId| given.iter().find(|(given_id, _)| *given_id == id).map(|(_, buffer)| *buffer);
    for step in plan.steps() {
        for (written, binding) in step.operands.iter().zip(step.kernel.bindings) {
            let Some(buffer) = memory(written.buffer).filter(|_| binding.access != Access::Read) else { continue };
            let mut others = step.operands.iter().filter(|other| other.buffer != written.buffer);
            if others.any(|other| memory(other.buffer).is_some_and(|other| other.is_same(buffer))) {
                return Err(Error::Shape {
                    operation: format!("{}, operand `{}`", step.kernel.name, binding.name),
                    found: format!("`{}` twice", buffer.label()),
                    expected: "a written buffer bound once".into(),
                });
            }
        }
    }
    Ok(())
}

impl Buffer {
    /// Whether both are the same memory.
    fn is_same(&self, other: &Buffer) -> bool {
        match (&self.0, &other.0) {
            (Memory::Gpu(own), Memory::Gpu(other)) => own.is_same(other),
            (Memory::Cpu(own), Memory::Cpu(other)) => own.is_same(other),
            _ => false,
        }
    }

    /// Its name.
    pub fn label(&self) -> &str {
        match &self.0 {
            Memory::Gpu(buffer) => buffer.label(),
            Memory::Cpu(buffer) => buffer.label(),
        }
    }

    /// Its length in elements of 4 bytes.
    pub fn len(&self) -> usize {
        match &self.0 {
            Memory::Gpu(buffer) => buffer.length(),
            Memory::Cpu(buffer) => buffer.length(),
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Program {
    /// The buffer that the program uses for one of its plan's.
    pub fn buffer(&self, id: BufferId) -> Buffer {
        Buffer(match &self.0 {
            Compiled::Gpu(program) => Memory::Gpu(program.buffer(id).clone()),
            Compiled::Cpu(program) => Memory::Cpu(program.buffer(id).clone()),
        })
    }
}
