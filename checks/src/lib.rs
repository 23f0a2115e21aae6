//! Every shader of nngpu, translated for each family of drivers as wgpu does it.

use std::process::ExitCode;

use naga::back::{self, hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};
use nngpu::compute::{Form, Kernel};
use nngpu::kernels;

/// A form of a kernel, read and with its constants set.
#[derive(Debug)]
pub struct Shader {
    /// What it computes.
    pub kernel: &'static Kernel,
    /// How it computes it.
    pub form: &'static Form,
    module: Module,
    info: ModuleInfo,
}

/// Whether a shader checks its indices while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// As in debug builds and in browsers.
    On,
    /// As released.
    Off,
}

/// Every form of every kernel, and of a few that are made of formulas.
///
/// # Errors
///
/// A text that naga refuses.
pub fn shaders() -> Result<Vec<Shader>, String> {
    let all = kernels::all_and_examples().into_iter();
    let forms = all.flat_map(|kernel| kernel.forms.iter().map(move |form| (kernel, form)));
    forms.map(|(kernel, form)| Shader::read(kernel, form)).collect()
}

impl Checks {
    fn policies(self) -> BoundsCheckPolicies {
        let policy = match self {
            Checks::On => BoundsCheckPolicy::Restrict,
            Checks::Off => BoundsCheckPolicy::Unchecked,
        };
        let binding_array = BoundsCheckPolicy::Unchecked;
        BoundsCheckPolicies { index: policy, buffer: policy, image_load: policy, binding_array }
    }
}

impl Shader {
    fn read(kernel: &'static Kernel, form: &'static Form) -> Result<Shader, String> {
        let text = form.text();
        let refused = |message: String| format!("{}, {}: {message}", kernel.name, form.name);
        let module = naga::front::wgsl::parse_str(&text).map_err(|error| refused(error.emit_to_string(&text)))?;
        let info = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP)
            .validate(&module)
            .map_err(|error| refused(error.emit_to_string(&text)))?;
        let constants = form.constants.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        let (module, info) = back::pipeline_constants::process_overrides(&module, &info, None, &constants)
            .map_err(|error| refused(error.to_string()))?;
        Ok(Shader { kernel, form, module: module.into_owned(), info: info.into_owned() })
    }

    /// `kernel.form`, fit for a file's name.
    pub fn name(&self) -> String {
        // The name of a formula's kernel ends with its text: its place in the list serves as well.
        let name = match kernels::examples().iter().position(|kernel| *kernel == self.kernel) {
            Some(place) => format!("{}-formula-{place}", self.kernel.name.split(' ').next().unwrap_or_default()),
            None => self.kernel.name.to_string(),
        };
        format!("{name}.{}", self.form.name.replace(' ', "-"))
    }

    /// Whether it is of a kernel that is made of a formula: its costs are those of the formula.
    pub fn is_example(&self) -> bool {
        !kernels::all().contains(&self.kernel)
    }

    /// Whether it works across the invocations of a subgroup.
    pub fn has_subgroups(&self) -> bool {
        self.form.name == "subgroup"
    }

    /// Its text as a browser would be given it: browsers demand that extensions are named, naga
    /// knows the one for subgroups without its name.
    pub fn wgsl(&self) -> String {
        let enable = if self.has_subgroups() { "enable subgroups;\n" } else { "" };
        format!("{enable}{}", self.form.text())
    }

    /// SPIR-V of a version, as for Vulkan.
    ///
    /// # Errors
    ///
    /// What naga cannot write.
    pub fn spirv(&self, version: (u8, u8), checks: Checks) -> Result<Vec<u32>, String> {
        let options = spv::Options {
            lang_version: version,
            bounds_check_policies: checks.policies(),
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            force_loop_bounding: checks == Checks::On,
            emit_int_div_checks: checks == Checks::On,
            ..spv::Options::default()
        };
        spv::write_vec(&self.module, &self.info, &options, None).map_err(|error| self.untranslated(&error))
    }

    /// HLSL for a shader model, as for DX12.
    ///
    /// # Errors
    ///
    /// What naga cannot write.
    pub fn hlsl(&self, shader_model: hlsl::ShaderModel, checks: Checks) -> Result<String, String> {
        let options = hlsl::Options {
            shader_model,
            fake_missing_bindings: true,
            // The number of workgroups, which HLSL does not tell.
            special_constants_binding: Some(hlsl::BindTarget { space: 1, register: 0, ..Default::default() }),
            zero_initialize_workgroup_memory: false,
            restrict_indexing: checks == Checks::On,
            force_loop_bounding: checks == Checks::On,
            ..hlsl::Options::default()
        };
        let entry_point = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, "main".into())) };
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &options, &entry_point)
            .write(&self.module, &self.info, None)
            .map_err(|error| self.untranslated(&error))?;
        Ok(text)
    }

    /// Metal's language of a version, its buffers in slots 0 to n as they are bound; the lengths of
    /// buffers, where it asks for them, in [`SIZES_SLOT`].
    ///
    /// # Errors
    ///
    /// What naga cannot write.
    pub fn metal(&self, version: (u8, u8), checks: Checks) -> Result<String, String> {
        let slots = 0..=self.kernel.bindings.len() as u32;
        let mutable = |slot: u32| slot > 0;
        let resources = slots.map(|binding| {
            let target =
                msl::BindTarget { buffer: Some(binding as u8), mutable: mutable(binding), ..Default::default() };
            (naga::ResourceBinding { group: 0, binding }, target)
        });
        let resources = msl::EntryPointResources {
            resources: resources.collect(),
            sizes_buffer: Some(SIZES_SLOT),
            ..Default::default()
        };
        let options = msl::Options {
            lang_version: version,
            per_entry_point_map: msl::EntryPointResourceMap::from([("main".into(), resources)]),
            bounds_check_policies: checks.policies(),
            zero_initialize_workgroup_memory: false,
            force_loop_bounding: checks == Checks::On,
            emit_int_div_checks: checks == Checks::On,
            ..msl::Options::default()
        };
        let entry_point = msl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, "main".into())),
            ..msl::PipelineOptions::default()
        };
        let (text, _) = msl::write_string(&self.module, &self.info, &options, &entry_point)
            .map_err(|error| self.untranslated(&error))?;
        Ok(text)
    }

    fn untranslated(&self, error: &dyn std::error::Error) -> String {
        format!("{}: {error}", self.name())
    }
}

/// Where Metal's language finds the lengths of buffers.
pub const SIZES_SLOT: u8 = 30;

/// Tells how a check went; what was right goes to standard output.
pub fn conclude(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
