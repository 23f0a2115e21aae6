//! Runs plans on a GPU through wgpu. The only module that names wgpu.

pub mod adapter;
mod program;
mod submission;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_intrusive::channel::shared::oneshot_channel;

use super::device::Device;
use super::kernel::Capabilities;
use crate::{Error, Result};
use adapter::AdapterReport;
use program::Pipeline;

pub use program::Program;

/// An open GPU. Clones are the same device.
#[derive(Clone, Debug)]
pub struct Gpu {
    shared: Arc<Shared>,
    /// What the choice among the forms of a kernel looks at.
    capabilities: Capabilities,
}

#[derive(Debug)]
struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    /// Whether shaders check every index: in debug builds and tests, where a kernel that strays
    /// must be found. Releases rely on the bounds that the plan has checked.
    is_checked: bool,
    faults: Arc<Faults>,
    pipelines: Mutex<HashMap<(&'static str, &'static str), Arc<Pipeline>>>,
    /// A buffer for reading back, kept for the next time.
    staging: Mutex<Option<wgpu::Buffer>>,
}

/// What the driver reported outside of any call.
#[derive(Debug, Default)]
struct Faults {
    lost: OnceLock<String>,
    uncaptured: Mutex<Option<String>>,
}

/// Storage on a GPU. Clones are the same storage.
#[derive(Clone, Debug)]
pub struct Buffer {
    label: Arc<str>,
    length: usize,
    /// At least one word: wgpu cannot bind an empty buffer.
    storage: wgpu::Buffer,
    owner: Arc<Faults>,
}

impl Device {
    /// Shares a device that an application already has, its renderer's for instance.
    ///
    /// Commands are submitted to `queue` from the thread that runs a program, and from no other.
    /// The handlers for uncaptured errors and for a lost device stay the application's own.
    /// Limits are the device's; subgroup kernels run if it was opened with that feature.
    pub fn from_wgpu(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Device {
        Device::Gpu(Gpu::new(adapter::info(adapter), device, queue, Arc::default()))
    }
}

impl Gpu {
    /// Takes an opened device and installs the handlers for what the driver reports by itself.
    fn opened(info: wgpu::AdapterInfo, device: wgpu::Device, queue: wgpu::Queue) -> Gpu {
        let faults = Arc::<Faults>::default();
        let own = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&own.uncaptured).get_or_insert_with(|| error.to_string());
        }));
        let own = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            // Only the first report tells the cause.
            let _ = own.lost.set(if message.is_empty() { format!("{reason:?}") } else { message });
        });
        Gpu::new(info, device, queue, faults)
    }

    fn new(info: wgpu::AdapterInfo, device: wgpu::Device, queue: wgpu::Queue, faults: Arc<Faults>) -> Gpu {
        let limits = device.limits();
        let has_subgroups = device.features().contains(wgpu::Features::SUBGROUP);
        let one_size = info.subgroup_min_size == info.subgroup_max_size;
        let capabilities = Capabilities {
            subgroup_size: (has_subgroups && one_size).then_some(info.subgroup_min_size),
            is_software: info.device_type == wgpu::DeviceType::Cpu,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            max_workgroups: limits.max_compute_workgroups_per_dimension,
        };
        let shared = Shared {
            device,
            queue,
            info,
            is_checked: cfg!(debug_assertions),
            faults,
            pipelines: Mutex::default(),
            staging: Mutex::default(),
        };
        Gpu { shared: Arc::new(shared), capabilities }
    }

    /// What forms of kernels the adapter can run.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The same device, choosing forms as an adapter of other capabilities would: to compare them
    /// on one machine. The capabilities must be among the adapter's own: a form for subgroups of
    /// another size, say, would compute wrong sums.
    pub fn with_capabilities(&self, capabilities: Capabilities) -> Gpu {
        Gpu { capabilities, ..self.clone() }
    }

    pub(crate) fn description(&self) -> String {
        adapter::describe(&self.shared.info)
    }

    /// Its adapter, with the limits and the features that it was opened with.
    pub(super) fn adapter(&self) -> AdapterReport {
        let Shared { device, info, .. } = &*self.shared;
        adapter::report(info.clone(), &device.limits(), device.features())
    }

    pub(super) fn max_length(&self) -> usize {
        self.max_bytes().0 as usize / 4
    }

    /// The largest buffer that a kernel can bind, and the limit that makes it so.
    fn max_bytes(&self) -> (u64, &'static str) {
        let limits = self.shared.device.limits();
        if limits.max_buffer_size < limits.max_storage_buffer_binding_size {
            (limits.max_buffer_size, "maxBufferSize")
        } else {
            (limits.max_storage_buffer_binding_size, "maxStorageBufferBindingSize")
        }
    }

    pub(super) fn allocate(&self, label: &str, length: usize) -> Result<Buffer> {
        let bytes = (length.max(1) as u64).saturating_mul(4);
        let (limit, limit_name) = self.max_bytes();
        if bytes > limit {
            let adapter = self.shared.info.name.clone();
            return Err(Error::BufferTooLarge { label: label.into(), bytes, limit, limit_name, adapter });
        }
        let storage = self.scoped(&format!("allocate `{label}`"), || {
            self.shared.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        Ok(Buffer { label: label.into(), length, storage, owner: self.shared.faults.clone() })
    }

    pub(super) fn write(&self, buffer: &Buffer, start: usize, words: &[u32]) -> Result<()> {
        self.check_owner(buffer)?;
        let end = start.saturating_add(words.len());
        if end > buffer.length {
            let (label, length) = (buffer.label.to_string(), buffer.length);
            return Err(Error::OutOfRange { label, length, start, end });
        }
        self.scoped(&format!("write `{}`", buffer.label), || {
            self.shared.queue.write_buffer(&buffer.storage, start as u64 * 4, bytemuck::cast_slice(words));
        })
    }

    pub(super) async fn read(&self, buffer: &Buffer) -> Result<Vec<u32>> {
        self.check_owner(buffer)?;
        let bytes = buffer.length as u64 * 4;
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let doing = format!("read `{}`", buffer.label);
        let kept = lock(&self.shared.staging).take().filter(|kept| kept.size() >= bytes);
        let (staging, mapped) = self.scoped(&doing, || {
            let staging = kept.unwrap_or_else(|| {
                self.shared.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("staging"),
                    size: bytes,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            });
            let mut encoder = self.shared.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(&buffer.storage, 0, &staging, 0, Some(bytes));
            self.shared.queue.submit([encoder.finish()]);
            let (sender, receiver) = oneshot_channel();
            staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
                // The receiver is gone only if nobody waits any more.
                let _ = sender.send(result);
            });
            (staging, receiver)
        })?;
        // Natively the callback comes when the driver is asked; in a browser, by itself.
        #[cfg(not(target_arch = "wasm32"))]
        self.wait().await?;
        let refused = |message: String| self.driver_error(&doing, message);
        let mapped = mapped.receive().await;
        // A browser has told by now what was wrong with the commands before.
        self.check_faults(&doing)?;
        match mapped {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                // A loss of the device is told after the failures that follow from it.
                self.wait().await?;
                return Err(refused(error.to_string()));
            }
            None => return Err(refused("the callback was dropped".into())),
        }
        let range = staging.get_mapped_range(..bytes).map_err(|error| refused(error.to_string()))?;
        let words = bytemuck::pod_collect_to_vec(&range);
        drop(range);
        staging.unmap();
        lock(&self.shared.staging).replace(staging);
        Ok(words)
    }

    pub(super) async fn wait(&self) -> Result<()> {
        self.wait_for(None, "wait").await
    }

    /// Runs what may fail in the driver, and turns its report into an error.
    fn scoped<T>(&self, doing: &str, work: impl FnOnce() -> T) -> Result<T> {
        self.check_faults(doing)?;
        // A browser reports later, to the handler of uncaptured errors.
        #[cfg(target_arch = "wasm32")]
        let result = work();
        #[cfg(not(target_arch = "wasm32"))]
        let result = {
            let memory = self.shared.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
            let validation = self.shared.device.push_error_scope(wgpu::ErrorFilter::Validation);
            let result = work();
            let reports = [pollster::block_on(validation.pop()), pollster::block_on(memory.pop())];
            if let Some(report) = reports.into_iter().flatten().next() {
                // A lost device is the cause of all that follows; the driver tells when it is asked.
                let _ = self.shared.device.poll(wgpu::PollType::Poll);
                self.check_faults(doing)?;
                return Err(self.driver_error(doing, report.to_string()));
            }
            result
        };
        self.check_faults(doing)?;
        Ok(result)
    }

    /// Fails if the driver has reported a fault since the last call.
    fn check_faults(&self, doing: &str) -> Result<()> {
        if let Some(reason) = self.shared.faults.lost.get() {
            return Err(Error::DeviceLost { adapter: self.shared.info.name.clone(), reason: reason.clone() });
        }
        match lock(&self.shared.faults.uncaptured).take() {
            Some(message) => Err(self.driver_error(doing, message)),
            None => Ok(()),
        }
    }

    fn check_owner(&self, buffer: &Buffer) -> Result<()> {
        if Arc::ptr_eq(&buffer.owner, &self.shared.faults) {
            return Ok(());
        }
        Err(Error::ForeignDevice { label: buffer.label.to_string() })
    }

    fn driver_error(&self, doing: &str, message: String) -> Error {
        Error::Driver { adapter: self.shared.info.name.clone(), doing: doing.into(), message }
    }

    /// Destroys the device as a driver reset would.
    #[doc(hidden)]
    pub fn destroy(&self) {
        self.shared.device.destroy();
    }
}

impl Buffer {
    pub(super) fn is_same(&self, other: &Buffer) -> bool {
        self.storage == other.storage
    }

    pub fn label(&self) -> &str {
        &self.label
    }

    pub fn length(&self) -> usize {
        self.length
    }
}

/// A panic elsewhere leaves these values whole: each is replaced in one move.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
