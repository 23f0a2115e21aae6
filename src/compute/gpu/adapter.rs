//! Lists adapters and chooses one by name.

use wgpu::{Backend, DeviceType};

use super::Gpu;
use crate::{Error, Result};

/// Floating-point operations a step below which the CPU is faster than any GPU.
///
/// A training step is about 13 kernels; a discrete GPU needs some 3 µs to start each after the
/// one before, 40 µs together, in which two CPU cores compute about four million operations.
const SMALL_STEP: f64 = 4e6;

/// An adapter, for people and for tools.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct AdapterReport {
    /// Its name.
    pub name: String,
    /// The graphics interface: `vulkan`, `metal`, `dx12`, …
    pub backend: String,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software` or `other`.
    pub kind: &'static str,
    /// The driver's name.
    pub driver: String,
    /// The driver's version, in its own words.
    pub driver_info: String,
    /// The number of the vendor on its bus; 0 where it is not known.
    pub vendor: u32,
    /// The number of the model on its bus; 0 where it is not known.
    pub device: u32,
    /// The smallest and the largest number of invocations in a subgroup.
    pub subgroup_sizes: [u32; 2],
    /// What there is at most.
    pub limits: AdapterLimits,
    /// The optional features that it has and a device is opened with.
    pub features: Vec<&'static str>,
}

/// The limits of an adapter that kernels may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct AdapterLimits {
    /// The largest buffer that a kernel can bind, in bytes.
    pub max_binding_bytes: u64,
    /// The largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// The most storage buffers that a kernel can bind.
    pub max_storage_buffers: u32,
    /// The largest number of invocations in a workgroup.
    pub max_invocations: u32,
    /// The most workgroup memory, in bytes.
    pub max_workgroup_bytes: u32,
    /// The most workgroups along one dimension of a grid.
    pub max_workgroups: u32,
    /// Parameter blocks begin at multiples of so many bytes.
    pub parameter_alignment_bytes: u32,
}

const FEATURES: [(wgpu::Features, &str); 4] = [
    (wgpu::Features::SUBGROUP, "subgroups"),
    (wgpu::Features::SHADER_F16, "f16"),
    (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
    (wgpu::Features::PIPELINE_CACHE, "pipeline cache"),
];

/// The adapters of this machine, in the order of their indices: `--device 0` takes the first.
#[cfg(not(target_arch = "wasm32"))]
pub fn adapters() -> Vec<AdapterReport> {
    pollster::block_on(adapters_async())
}

/// The adapters of this machine, without blocking.
pub async fn adapters_async() -> Vec<AdapterReport> {
    let (_, adapters) = enumerate().await;
    let report = |adapter: &wgpu::Adapter| report(info(adapter), &adapter.limits(), adapter.features());
    adapters.iter().map(report).collect()
}

/// One line that names an adapter.
pub(super) fn describe(info: &wgpu::AdapterInfo) -> String {
    let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ");
    let mut description = format!("{} ({}, {}", info.name, backend_name(info.backend), kind(info.device_type));
    if !driver.trim().is_empty() {
        description += &format!(", {}", driver.trim());
    }
    description + ")"
}

/// Opens `auto`, `gpu`, an index, part of a name, or `backend:name`, and tells why it took that
/// one. No GPU means the CPU.
pub(in crate::compute) async fn open(wanted: &str, flops_per_step: Option<f64>) -> Result<(Option<Gpu>, String)> {
    let environment = Environment::read();
    if wanted == "auto" && environment.adapter_name.is_none() && flops_per_step.is_some_and(|flops| flops < SMALL_STEP)
    {
        // Without a look at the adapters, which takes longer than many such trainings.
        return Ok((None, "a step of this network is too small to keep a GPU busy".into()));
    }
    let (adapter, reason) = find(wanted, &environment).await?;
    Ok(match adapter {
        Some(adapter) => (Some(open_adapter(&adapter, |_| {}).await?), reason),
        None => (None, reason),
    })
}

impl Gpu {
    /// Opens an adapter by name as [`Device::open`](crate::Device::open) does, with other limits or
    /// features than all that it has: to see what a lesser adapter would do.
    ///
    /// `lower` changes what is asked for, which is everything that the adapter offers.
    ///
    /// # Errors
    ///
    /// No adapter of that name, or one that does not grant what is asked for.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_with(name: &str, lower: impl FnOnce(&mut wgpu::DeviceDescriptor)) -> Result<Gpu> {
        pollster::block_on(async {
            match find(name, &Environment::read()).await? {
                (Some(adapter), _) => open_adapter(&adapter, lower).await,
                (None, _) => Err(Error::NoAdapter { wanted: name.into(), found: Vec::new() }),
            }
        })
    }
}

/// The adapter that is wanted, or none for the CPU; and why.
async fn find(wanted: &str, environment: &Environment) -> Result<(Option<wgpu::Adapter>, String)> {
    let (_instance, mut adapters) = enumerate().await;
    let infos: Vec<_> = adapters.iter().map(info).collect();
    let candidates: Vec<_> = infos.iter().map(Candidate::from).collect();
    match choose(wanted, &candidates, environment) {
        Some(Choice { adapter, reason }) => Ok((adapter.map(|index| adapters.swap_remove(index)), reason)),
        None => {
            let found = infos.iter().enumerate().map(|(index, info)| format!("{index}: {}", describe(info)));
            Err(Error::NoAdapter { wanted: wanted.into(), found: found.collect() })
        }
    }
}

/// What the choice looks at.
#[derive(Clone, Debug)]
struct Candidate {
    name: String,
    backend: String,
    device_type: DeviceType,
}

impl From<&wgpu::AdapterInfo> for Candidate {
    fn from(info: &wgpu::AdapterInfo) -> Candidate {
        Candidate { name: info.name.clone(), backend: backend_name(info.backend), device_type: info.device_type }
    }
}

#[derive(Debug, PartialEq)]
struct Choice {
    /// Its index, or the CPU.
    adapter: Option<usize>,
    reason: String,
}

/// What the environment asks for.
#[derive(Clone, Debug, Default)]
struct Environment {
    /// `WGPU_ADAPTER_NAME`: which adapter `auto` and `gpu` take.
    adapter_name: Option<String>,
    /// `WGPU_POWER_PREF=low`: an integrated GPU before a discrete one.
    prefers_low_power: bool,
}

impl Environment {
    fn read() -> Environment {
        let prefers_low_power = wgpu::PowerPreference::from_env() == Some(wgpu::PowerPreference::LowPower);
        let adapter_name = std::env::var("WGPU_ADAPTER_NAME").ok().filter(|name| !name.is_empty());
        Environment { adapter_name, prefers_low_power }
    }
}

/// Nothing where no adapter matches. Of several, the best is taken; of equals, the first.
fn choose(wanted: &str, candidates: &[Candidate], environment: &Environment) -> Option<Choice> {
    let rank = |index: &usize| {
        let rank = match candidates[*index].device_type {
            DeviceType::DiscreteGpu if environment.prefers_low_power => 2,
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu => 1,
            DeviceType::VirtualGpu => 3,
            DeviceType::Other => 4,
            DeviceType::Cpu => 5,
        };
        (rank, *index)
    };
    let is_software = |index: usize| candidates[index].device_type == DeviceType::Cpu;
    let best_gpu = || (0..candidates.len()).filter(|&index| !is_software(index)).min_by_key(rank);
    let best_named = |backend: Option<&str>, name: &str| {
        let matches = |&index: &usize| {
            let Candidate { name: own_name, backend: own_backend, .. } = &candidates[index];
            backend.is_none_or(|backend| *own_backend == backend.to_lowercase())
                && own_name.to_lowercase().contains(&name.to_lowercase())
        };
        (0..candidates.len()).filter(matches).min_by_key(rank)
    };
    let took = |adapter, reason: &str| Choice { adapter: Some(adapter), reason: reason.into() };
    match (wanted, &environment.adapter_name) {
        ("auto" | "gpu", Some(name)) => best_named(None, name).map(|index| took(index, "named by WGPU_ADAPTER_NAME")),
        ("gpu", None) => best_gpu().map(|index| took(index, "the best GPU of this machine")),
        ("auto", None) => Some(match best_gpu() {
            Some(index) => took(index, "the best GPU of this machine"),
            None => {
                let reason = if candidates.is_empty() {
                    "no GPU adapter found"
                } else {
                    "only software adapters found, which are slower"
                };
                Choice { adapter: None, reason: reason.into() }
            }
        }),
        _ => {
            if wanted.is_empty() {
                return None;
            }
            let by_index = wanted.parse().ok().filter(|index| *index < candidates.len());
            let by_backend = || wanted.split_once(':').and_then(|(backend, name)| best_named(Some(backend), name));
            let index = by_index.or_else(by_backend).or_else(|| best_named(None, wanted))?;
            Some(took(index, if is_software(index) { "asked for; a software adapter" } else { "asked for" }))
        }
    }
}

async fn enumerate() -> (wgpu::Instance, Vec<wgpu::Adapter>) {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    let backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::all());
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = instance.enumerate_adapters(backends).await;
    (instance, adapters)
}

async fn open_adapter(adapter: &wgpu::Adapter, lower: impl FnOnce(&mut wgpu::DeviceDescriptor)) -> Result<Gpu> {
    let info = info(adapter);
    let optional = FEATURES.iter().fold(wgpu::Features::empty(), |all, (feature, _)| all | *feature);
    let mut descriptor = wgpu::DeviceDescriptor {
        label: Some("nngpu"),
        required_features: adapter.features() & optional,
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::Performance,
        ..Default::default()
    };
    lower(&mut descriptor);
    match adapter.request_device(&descriptor).await {
        Ok((device, queue)) => Ok(Gpu::opened(info, device, queue)),
        Err(error) => Err(Error::OpenDevice { adapter: info.name, source: Box::new(error) }),
    }
}

/// A browser may keep the name of its adapter to itself, and wgpu does not tell the architecture, which it
/// gives instead: <https://github.com/gfx-rs/wgpu/issues/8819>.
pub(super) fn info(adapter: &wgpu::Adapter) -> wgpu::AdapterInfo {
    let mut info = adapter.get_info();
    if info.name.is_empty() {
        info.name = "unnamed adapter".into();
    }
    info
}

pub(super) fn report(info: wgpu::AdapterInfo, limits: &wgpu::Limits, features: wgpu::Features) -> AdapterReport {
    AdapterReport {
        backend: backend_name(info.backend),
        kind: kind(info.device_type),
        name: info.name,
        driver: info.driver,
        driver_info: info.driver_info,
        vendor: info.vendor,
        device: info.device,
        subgroup_sizes: [info.subgroup_min_size, info.subgroup_max_size],
        limits: AdapterLimits {
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            max_workgroups: limits.max_compute_workgroups_per_dimension,
            parameter_alignment_bytes: limits.min_uniform_buffer_offset_alignment,
        },
        features: FEATURES.iter().filter(|(feature, _)| features.contains(*feature)).map(|(_, name)| *name).collect(),
    }
}

fn backend_name(backend: Backend) -> String {
    backend.to_str().to_lowercase()
}

fn kind(device_type: DeviceType) -> &'static str {
    match device_type {
        DeviceType::DiscreteGpu => "discrete GPU",
        DeviceType::IntegratedGpu => "integrated GPU",
        DeviceType::VirtualGpu => "virtual GPU",
        DeviceType::Cpu => "software",
        DeviceType::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        let candidate = |name: &str, backend: &str, device_type| Candidate {
            name: name.into(),
            backend: backend.into(),
            device_type,
        };
        vec![
            candidate("llvmpipe (LLVM 15)", "vulkan", DeviceType::Cpu),
            candidate("Integrated One", "vulkan", DeviceType::IntegratedGpu),
            candidate("Discrete Two", "vulkan", DeviceType::DiscreteGpu),
            candidate("Discrete Two", "dx12", DeviceType::DiscreteGpu),
        ]
    }

    #[track_caller]
    fn check(wanted: &str, adapter_name: Option<&str>, expected: Option<Option<usize>>) {
        let environment = Environment { adapter_name: adapter_name.map(str::to_string), prefers_low_power: false };
        let choice = choose(wanted, &candidates(), &environment);
        assert_eq!(choice.map(|choice| choice.adapter), expected, "{wanted}");
    }

    #[test]
    fn auto_takes_the_best_real_gpu() {
        check("auto", None, Some(Some(2)));
        check("gpu", None, Some(Some(2)));
    }

    #[test]
    fn auto_never_takes_a_software_adapter() {
        let software = &candidates()[..1];
        assert_eq!(choose("auto", software, &Environment::default()).expect("a choice").adapter, None);
        assert_eq!(choose("gpu", software, &Environment::default()), None);
    }

    #[test]
    fn low_power_takes_an_integrated_gpu() {
        let environment = Environment { prefers_low_power: true, ..Environment::default() };
        assert_eq!(choose("auto", &candidates(), &environment).expect("a choice").adapter, Some(1));
    }

    #[test]
    fn an_index_a_name_and_a_backend_select() {
        check("1", None, Some(Some(1)));
        check("LLVM", None, Some(Some(0)));
        check("dx12:two", None, Some(Some(3)));
        check("VULKAN:", None, Some(Some(2)));
        check("metal:two", None, None);
        check("voodoo", None, None);
        check("", None, None);
    }

    #[test]
    fn of_several_of_a_name_the_best_is_taken() {
        check("e", None, Some(Some(2)));
    }

    #[test]
    fn a_number_that_is_no_index_is_part_of_a_name() {
        check("15", None, Some(Some(0)));
        check("4", None, None);
    }

    #[test]
    fn the_environment_names_the_adapter_of_auto_and_gpu_alone() {
        check("auto", Some("llvm"), Some(Some(0)));
        check("gpu", Some("llvm"), Some(Some(0)));
        check("auto", Some("voodoo"), None);
        check("1", Some("llvm"), Some(Some(1)));
    }
}
