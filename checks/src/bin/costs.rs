//! `costs GPU TABLE [--write]`: every shader as released through the compiler of the one Vulkan driver that
//! is there, and what the compiler says that it costs: registers, spills, instructions, cycles. Nothing is
//! computed, so that a driver without its GPU will do.
//!
//! TABLE is a file of what is known, a line for each GPU and shader. A refused shader, a spill or a figure
//! that rose above the known one is a failure; so is a figure too many or too few. `--write` takes the
//! figures of GPU as the known ones. They belong to one version of a compiler: of another, which the
//! machine's packages may bring, only refusals and spills are judged.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::process::ExitCode;
use std::{env, fs, io};

use ash::{khr, vk};
use nngpu_checks::{Checks, Shader, shaders};

/// Figures by shader and name.
type Costs = BTreeMap<(String, String), u64>;

/// What a compiler is called in the table beside its figures.
const COMPILER: &str = "compiler";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (gpu, path, writes) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [gpu, path] => (gpu, path, false),
        [gpu, path, "--write"] => (gpu, path, true),
        _ => {
            eprintln!("found {} arguments, expected: costs GPU TABLE [--write]", arguments.len());
            return ExitCode::from(2);
        }
    };
    let result = compile_all(gpu).and_then(|(compiler, costs)| {
        let table = match fs::read_to_string(path) {
            Err(error) if !writes || error.kind() != io::ErrorKind::NotFound => return Err(format!("{path}: {error}")),
            table => table.unwrap_or_default(),
        };
        if writes {
            fs::write(path, with(&table, gpu, &compiler, &costs)).map_err(|error| format!("{path}: {error}"))?;
            return Ok(());
        }
        judge(&table, gpu, &compiler, &costs)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Compiles every shader; gives the compiler's name and the figures.
fn compile_all(gpu: &str) -> Result<(String, Costs), String> {
    let compiler = Compiler::open()?;
    let mut costs = Costs::new();
    let mut refusals = Vec::new();
    for shader in shaders()?.into_iter().filter(|shader| !shader.is_example()) {
        match compiler.compile(&shader) {
            // No GPU takes the forms of software adapters.
            Ok(_) if shader.has_subgroups() => {}
            Ok(figures) => {
                costs.extend(figures.into_iter().map(|(figure, value)| ((shader.name(), figure), value)));
            }
            Err(message) => refusals.push(format!("REFUSED {}: {message}", shader.name())),
        }
    }
    println!("{gpu}: {}, {}", compiler.device, compiler.version);
    if refusals.is_empty() { Ok((compiler.version, costs)) } else { Err(refusals.join("\n")) }
}

/// Compares with the known figures.
fn judge(table: &str, gpu: &str, compiler: &str, costs: &Costs) -> Result<(), String> {
    let (known_compiler, known) = of_gpu(table, gpu)?;
    for (figures, place) in [(&known, "in the table"), (costs, "from the compiler")] {
        if figures.is_empty() {
            return Err(format!("{gpu}: found no figures {place}, expected some of every shader"));
        }
    }
    let mut failures = Vec::new();
    for ((shader, figure), cost) in costs {
        if SPILLS.contains(&&**figure) && *cost > 0 {
            failures.push(format!("{gpu}, {shader}: {cost} {figure}, expected none"));
        }
    }
    let is_known_compiler = known_compiler == compiler;
    let (mut n_lower, mut n_other) = (0, 0);
    for key in costs.keys().chain(known.keys()).collect::<std::collections::BTreeSet<_>>() {
        let (shader, figure) = key;
        let change = match (known.get(key), costs.get(key)) {
            (Some(known), Some(cost)) if cost > known => format!("{cost}, known as {known}"),
            (Some(known), Some(cost)) => {
                n_lower += usize::from(cost < known);
                continue;
            }
            (None, Some(cost)) => format!("{cost}, not in the table"),
            (Some(_), None) => "gone, but in the table".into(),
            (None, None) => unreachable!("the key is of one of them"),
        };
        if is_known_compiler {
            failures.push(format!("{gpu}, {shader}: {figure} {change}"));
        } else {
            n_other += 1;
        }
    }
    if !is_known_compiler {
        println!("  the table is of {known_compiler}: {n_other} figures are higher or new, which is not judged");
    }
    println!("  {} figures, {n_lower} lower than known", costs.len());
    if failures.is_empty() {
        return Ok(());
    }
    failures.push("if the change is meant, renew the table: scripts/check-backends --write-costs".into());
    Err(failures.join("\n"))
}

/// The known compiler and figures of one GPU.
fn of_gpu(table: &str, gpu: &str) -> Result<(String, Costs), String> {
    let (mut compiler, mut costs) = (String::new(), Costs::new());
    for (number, line) in (1..).zip(table.lines()) {
        let Some((shader, figures)) = line.strip_prefix(gpu).and_then(|rest| rest.strip_prefix('\t')?.split_once('\t'))
        else {
            continue;
        };
        if shader == COMPILER {
            compiler = figures.into();
            continue;
        }
        for figure in figures.split(", ") {
            let (name, value) = figure
                .rsplit_once(' ')
                .and_then(|(name, value)| Some((name, value.parse().ok()?)))
                .ok_or_else(|| format!("table, line {number}: found `{figure}`, expected a figure's name and value"))?;
            costs.insert((shader.into(), name.into()), value);
        }
    }
    Ok((compiler, costs))
}

/// The table with one GPU's lines replaced.
fn with(table: &str, gpu: &str, compiler: &str, costs: &Costs) -> String {
    let is_other = |line: &&str| line.split('\t').next() != Some(gpu);
    let mut lines: Vec<String> = table.lines().filter(is_other).map(String::from).collect();
    lines.push(format!("{gpu}\t{COMPILER}\t{compiler}"));
    let mut of_shader = BTreeMap::<&str, Vec<String>>::new();
    for ((shader, figure), value) in costs {
        of_shader.entry(shader).or_default().push(format!("{figure} {value}"));
    }
    lines.extend(of_shader.iter().map(|(shader, figures)| format!("{gpu}\t{shader}\t{}", figures.join(", "))));
    lines.join("\n") + "\n"
}

/// The one Vulkan driver, with the means to make pipelines and nothing more.
struct Compiler {
    device: String,
    version: String,
    logical: ash::Device,
    statistics: khr::pipeline_executable_properties::Device,
    spirv: (u8, u8),
    // The library must stay as long as what was made with it.
    _instance: ash::Instance,
    _entry: ash::Entry,
}

impl Compiler {
    fn open() -> Result<Compiler, String> {
        let told = |what: &'static str| move |error: vk::Result| format!("{what}: {error}");
        // SAFETY: calls of Vulkan in the order that it asks for, with structures that live as long as
        // the calls; nothing is destroyed before the process ends.
        unsafe {
            let entry = ash::Entry::load().map_err(|error| error.to_string())?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let instance = entry
                .create_instance(&vk::InstanceCreateInfo::default().application_info(&application), None)
                .map_err(told("create an instance"))?;
            let adapters = instance.enumerate_physical_devices().map_err(told("list adapters"))?;
            let [adapter] = adapters[..] else {
                return Err(format!("found {} adapters, expected the one to compile for", adapters.len()));
            };
            let mut driver = vk::PhysicalDeviceDriverProperties::default();
            let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
            instance.get_physical_device_properties2(adapter, &mut properties);
            let properties = properties.properties;
            let text = |chars: &CStr| chars.to_string_lossy().into_owned();
            let device = text(properties.device_name_as_c_str().map_err(|error| error.to_string())?);
            let version = text(driver.driver_info_as_c_str().map_err(|error| error.to_string())?);
            let spirv = if properties.api_version >= vk::API_VERSION_1_3 { (1, 6) } else { (1, 3) };

            // Every feature that the adapter has, as wgpu's robust access among them.
            let mut features11 = vk::PhysicalDeviceVulkan11Features::default();
            let mut features12 = vk::PhysicalDeviceVulkan12Features::default();
            let mut features13 = vk::PhysicalDeviceVulkan13Features::default();
            let mut told_costs = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default();
            let mut features = vk::PhysicalDeviceFeatures2::default()
                .push_next(&mut features11)
                .push_next(&mut features12)
                .push_next(&mut features13)
                .push_next(&mut told_costs);
            instance.get_physical_device_features2(adapter, &mut features);
            let queue = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
            let extensions = [khr::pipeline_executable_properties::NAME.as_ptr()];
            let description = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queue)
                .enabled_extension_names(&extensions)
                .push_next(&mut features);
            let logical = instance.create_device(adapter, &description, None).map_err(told("open the device"))?;
            let statistics = khr::pipeline_executable_properties::Device::new(&instance, &logical);
            Ok(Compiler { device, version, logical, statistics, spirv, _instance: instance, _entry: entry })
        }
    }

    /// What the compiler says of a shader.
    fn compile(&self, shader: &Shader) -> Result<Vec<(String, u64)>, String> {
        let words = shader.spirv(self.spirv, Checks::Off)?;
        let buffers: Vec<_> = (0..=shader.kernel.bindings.len() as u32)
            .map(|binding| {
                let kind = match binding {
                    0 => vk::DescriptorType::UNIFORM_BUFFER,
                    _ => vk::DescriptorType::STORAGE_BUFFER,
                };
                vk::DescriptorSetLayoutBinding::default()
                    .binding(binding)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
                    .descriptor_type(kind)
            })
            .collect();
        // SAFETY: as in `open`.
        unsafe { self.pipeline_costs(&words, &buffers) }.map_err(|error| error.to_string())
    }

    unsafe fn pipeline_costs(
        &self,
        words: &[u32],
        buffers: &[vk::DescriptorSetLayoutBinding],
    ) -> Result<Vec<(String, u64)>, vk::Result> {
        unsafe {
            let device = &self.logical;
            let set = vk::DescriptorSetLayoutCreateInfo::default().bindings(buffers);
            let sets = [device.create_descriptor_set_layout(&set, None)?];
            let layout = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = device.create_pipeline_layout(&layout, None)?;
            let module = device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(words), None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let description = vk::ComputePipelineCreateInfo::default()
                .stage(stage)
                .layout(layout)
                .flags(vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR);
            let pipelines = device
                .create_compute_pipelines(vk::PipelineCache::null(), &[description], None)
                .map_err(|(_, error)| error)?;
            let pipeline = pipelines[0];
            let parts = self
                .statistics
                .get_pipeline_executable_properties(&vk::PipelineInfoKHR::default().pipeline(pipeline))?;
            let mut figures = Vec::new();
            for part in 0..parts.len() as u32 {
                let of_part = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(part);
                for statistic in self.statistics.get_pipeline_executable_statistics(&of_part)? {
                    let name = statistic.name_as_c_str().map_or("?".into(), CStr::to_string_lossy).into_owned();
                    if FIGURES.contains(&&*name) {
                        figures.push((name, value(&statistic)));
                    }
                }
            }
            Ok(figures)
        }
    }
}

/// The figures that are kept: of registers, memory, instructions and cycles, less is better. The others
/// say the same in other words.
const FIGURES: &[&str] = &[
    // AMD.
    "VGPRs",
    "Spilled VGPRs",
    "Spilled SGPRs",
    "Scratch size",
    "LDS size",
    "Latency",
    "Inverse Throughput",
    // NVIDIA.
    "Number of GPRs",
    "Spills to memory",
    "Spills to reg",
    "SLM size",
    "Static cycle count",
    // Apple.
    "GPRs",
    "Spills",
    "Scratch",
    "ALU",
    // Adreno, whose spills are stores to private memory (STP).
    "Registers used",
    "STP Count",
    "Estimated cycles stalled on SS",
    "Estimated cycles stalled on SY",
    // Several.
    "Instructions",
    "Instruction count",
    "Instruction Count",
];

/// Those that must be 0: memory in the place of registers.
const SPILLS: &[&str] = &[
    "Spilled VGPRs",
    "Spilled SGPRs",
    "Scratch size",
    "Spills to memory",
    "SLM size",
    "Spills",
    "Scratch",
    "STP Count",
];

fn value(statistic: &vk::PipelineExecutableStatisticKHR) -> u64 {
    // SAFETY: the format says which field is meant.
    unsafe {
        match statistic.format {
            vk::PipelineExecutableStatisticFormatKHR::UINT64 => statistic.value.u64,
            vk::PipelineExecutableStatisticFormatKHR::INT64 => statistic.value.i64.max(0) as u64,
            vk::PipelineExecutableStatisticFormatKHR::FLOAT64 => statistic.value.f64.ceil().max(0.0) as u64,
            _ => statistic.value.b32.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(registers: u64, spills: u64) -> Costs {
        let figures = [("GPRs", registers), ("Spills", spills)];
        figures.into_iter().map(|(figure, value)| (("sgd.plain".into(), figure.into()), value)).collect()
    }

    #[track_caller]
    fn check(compiler: &str, costs: &Costs, failure: Option<&str>) {
        let other = with("", "radeon", "Mesa 1", &self::costs(99, 0));
        let table = with(&other, "asahi", "Mesa 1", &self::costs(20, 0));
        let message = judge(&table, "asahi", compiler, costs).err();
        assert_eq!(message.as_deref().and_then(|message| message.lines().next()), failure);
    }

    #[test]
    fn what_rose_is_a_failure() {
        check("Mesa 1", &costs(20, 0), None);
        check("Mesa 1", &costs(19, 0), None);
        check("Mesa 1", &costs(21, 0), Some("asahi, sgd.plain: GPRs 21, known as 20"));
    }

    #[test]
    fn of_another_compiler_only_spills_are_judged() {
        check("Mesa 2", &costs(21, 0), None);
        check("Mesa 2", &costs(1, 3), Some("asahi, sgd.plain: 3 Spills, expected none"));
    }

    #[test]
    fn what_came_or_went_is_a_failure() {
        let mut more = costs(20, 0);
        more.insert(("adam.plain".into(), "GPRs".into()), 1);
        check("Mesa 1", &more, Some("asahi, adam.plain: GPRs 1, not in the table"));
        let mut fewer = costs(20, 0);
        fewer.pop_first();
        check("Mesa 1", &fewer, Some("asahi, sgd.plain: GPRs gone, but in the table"));
    }

    #[test]
    fn nothing_to_compare_is_a_failure() {
        check(
            "Mesa 1",
            &Costs::new(),
            Some("asahi: found no figures from the compiler, expected some of every shader"),
        );
        let table = with("", "radeon", "Mesa 1", &costs(20, 0));
        assert!(judge(&table, "asahi", "Mesa 1", &costs(20, 0)).is_err());
        assert!(judge("", "asahi", "Mesa 1", &costs(20, 0)).is_err());
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let (other, own) = (costs(99, 1), costs(20, 0));
        let table = with(&with("", "radeon", "Mesa 1", &other), "asahi", "Mesa 2", &costs(1, 1));
        let table = with(&table, "asahi", "Mesa 3", &own);
        assert_eq!(of_gpu(&table, "radeon"), Ok(("Mesa 1".into(), other)));
        assert_eq!(of_gpu(&table, "asahi"), Ok(("Mesa 3".into(), own)));
        assert!(of_gpu("asahi\tsgd.plain\tGPRs many\n", "asahi").is_err());
    }
}
