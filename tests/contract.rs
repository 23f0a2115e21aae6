//! Every kernel's description agrees with its WGSL, as naga reads it, and every form translates to
//! the languages of the drivers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use naga::proc::GlobalCtx;
use naga::valid::{Capabilities, GlobalUse, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, GlobalVariable, Handle, Module, Scalar, StorageAccess, TypeInner, VectorSize, back};
use nngpu::compute::{Access, Element, Form, Kernel};
use nngpu::kernels;

/// What WebGPU guarantees on every adapter.
const MAX_INVOCATIONS: u32 = 256;
const MAX_WORKGROUP_BYTES: u32 = 16 * 1024;
const MAX_STORAGE_BUFFERS: usize = 8;

/// A form's text, read, validated, and with its override constants set.
struct Shader {
    module: Module,
    info: ModuleInfo,
}

/// What is wrong with a form whose text is `text`.
fn check(kernel: &Kernel, form: &Form, text: &str) -> Result<(), String> {
    let shader = Shader::read(form, text)?;
    shader.check_entry_point(form)?;
    shader.check_workgroup_memory(form)?;
    let bound = shader.check_params(kernel)? + shader.check_buffers(kernel)?;
    let all = shader.module.global_variables.iter().filter(|(_, variable)| variable.binding.is_some()).count();
    expect(&all, &bound, "bound variables")?;
    shader.translate(form)
}

fn expect<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, what: &str) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}

/// Whether a form is only for adapters with subgroups; every other form must do without.
fn has_subgroups(form: &Form) -> bool {
    form.name == "subgroup"
}

impl Shader {
    fn read(form: &Form, text: &str) -> Result<Shader, String> {
        let module = naga::front::wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))?;
        let capabilities = if has_subgroups(form) { Capabilities::SUBGROUP } else { Capabilities::empty() };
        let mut validator = Validator::new(ValidationFlags::all(), capabilities);
        let info = validator.validate(&module).map_err(|error| error.emit_to_string(text))?;
        let constants = form.constants.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        let (module, info) = back::pipeline_constants::process_overrides(&module, &info, None, &constants)
            .map_err(|error| error.to_string())?;
        Ok(Shader { module: module.into_owned(), info: info.into_owned() })
    }

    fn check_entry_point(&self, form: &Form) -> Result<(), String> {
        let names: Vec<&str> = self.module.entry_points.iter().map(|point| point.name.as_str()).collect();
        expect(&names, &vec!["main"], "entry points")?;
        expect(&self.module.entry_points[0].workgroup_size, &form.workgroup, "workgroup")?;
        let invocations: u32 = form.workgroup.iter().product();
        if invocations > MAX_INVOCATIONS {
            return Err(format!("{invocations} invocations, at most {MAX_INVOCATIONS} are guaranteed"));
        }
        Ok(())
    }

    fn check_workgroup_memory(&self, form: &Form) -> Result<(), String> {
        let shared = self.module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, variable)| self.size(variable)).sum();
        if bytes > MAX_WORKGROUP_BYTES {
            return Err(format!("{bytes} bytes of workgroup memory, at most {MAX_WORKGROUP_BYTES} are guaranteed"));
        }
        expect(&bytes, &form.workgroup_bytes, "bytes of workgroup memory")
    }

    /// Compares the parameter block; gives the number of bound variables, which is 1.
    fn check_params(&self, kernel: &Kernel) -> Result<usize, String> {
        let (_, params) = self.bound(0)?;
        expect(&params.name.as_deref(), &Some("params"), "binding 0")?;
        expect(&params.space, &AddressSpace::Uniform, "binding 0's address space")?;
        let block = &self.module.types[params.ty];
        expect(&block.name.as_deref(), &Some("Params"), "type of binding 0")?;
        let mut found = Vec::new();
        for (name, kind, offset) in self.members(&block.inner)? {
            if kind == "View" {
                let (_, view) =
                    self.module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("View")).expect("used");
                let words = ["offset", "model", "row", "column"].into_iter().zip((0..).step_by(4));
                let words: Vec<_> = words.map(|(name, offset)| (name.into(), "u32".into(), offset)).collect();
                expect(&self.members(&view.inner)?, &words, "View")?;
            }
            found.push((name, kind, offset));
        }
        let mut end = 0;
        let mut expected = Vec::new();
        for field in kernel.params {
            expected.push((field.name.to_string(), field.kind.to_string(), end));
            end += if field.kind == "View" { 16 } else { 4 };
        }
        expect(&found, &expected, "Params")?;
        expect(&self.size(params), &end, "size of Params")?;
        Ok(1)
    }

    /// Name, type and offset of a struct's members.
    fn members(&self, inner: &TypeInner) -> Result<Vec<(String, String, u32)>, String> {
        let TypeInner::Struct { members, .. } = inner else { return Err(format!("no struct: {inner:?}")) };
        let member = |member: &naga::StructMember| {
            let ty = &self.module.types[member.ty];
            let kind = match ty.inner {
                TypeInner::Scalar(Scalar::U32) => "u32",
                TypeInner::Scalar(Scalar::F32) => "f32",
                _ => ty.name.as_deref().unwrap_or("unknown"),
            };
            (member.name.clone().unwrap_or_default(), kind.to_string(), member.offset)
        };
        Ok(members.iter().map(member).collect())
    }

    /// Compares the buffers; gives their number.
    fn check_buffers(&self, kernel: &Kernel) -> Result<usize, String> {
        if kernel.bindings.len() > MAX_STORAGE_BUFFERS {
            return Err(format!("{} storage buffers, {MAX_STORAGE_BUFFERS} are guaranteed", kernel.bindings.len()));
        }
        for (index, binding) in (1..).zip(kernel.bindings) {
            let (handle, variable) = self.bound(index)?;
            let name = binding.name;
            expect(&variable.name.as_deref(), &Some(name), &format!("binding {index}"))?;
            let read_write = StorageAccess::LOAD | StorageAccess::STORE;
            let access = if binding.access == Access::Read { StorageAccess::LOAD } else { read_write };
            expect(&variable.space, &AddressSpace::Storage { access }, &format!("`{name}`'s access"))?;
            let mut used = self.info.get_entry_point(0)[handle] & (GlobalUse::READ | GlobalUse::WRITE);
            if binding.access == Access::Update {
                // It may also keep what was there by writing only a part, as `tally` does.
                used -= GlobalUse::READ;
            }
            let expected = if binding.access == Access::Read { GlobalUse::READ } else { GlobalUse::WRITE };
            expect(&used, &expected, &format!("use of `{name}`"))?;
            self.check_element(name, variable, binding.element)?;
        }
        let order = kernel.bindings.iter().map(|binding| binding.access != Access::Read);
        if !order.is_sorted() {
            return Err("buffers read come before buffers written".into());
        }
        Ok(kernel.bindings.len())
    }

    fn check_element(&self, name: &str, variable: &GlobalVariable, element: Element) -> Result<(), String> {
        let inner = &self.module.types[variable.ty].inner;
        let TypeInner::Array { base, size: naga::ArraySize::Dynamic, .. } = inner else {
            return Err(format!("`{name}` is no array of any length"));
        };
        let found = &self.module.types[*base].inner;
        let is_right = match element {
            Element::F32 => matches!(
                found,
                TypeInner::Scalar(Scalar::F32) | TypeInner::Vector { size: VectorSize::Quad, scalar: Scalar::F32 }
            ),
            Element::U32 | Element::Word => matches!(found, TypeInner::Scalar(Scalar::U32)),
        };
        if is_right { Ok(()) } else { Err(format!("elements of `{name}`: found {found:?}, expected {element:?}")) }
    }

    fn bound(&self, index: u32) -> Result<(Handle<GlobalVariable>, &GlobalVariable), String> {
        let at = Some(naga::ResourceBinding { group: 0, binding: index });
        let mut variables = self.module.global_variables.iter().filter(|(_, variable)| variable.binding == at);
        variables.next().ok_or_else(|| format!("nothing at binding {index} of group 0"))
    }

    fn size(&self, variable: &GlobalVariable) -> u32 {
        let context = GlobalCtx {
            types: &self.module.types,
            constants: &self.module.constants,
            overrides: &self.module.overrides,
            global_expressions: &self.module.global_expressions,
        };
        self.module.types[variable.ty].inner.size(context)
    }

    /// Writes the shader in the languages of Vulkan, Metal and DirectX.
    fn translate(&self, form: &Form) -> Result<(), String> {
        let (module, info) = (&self.module, &self.info);
        let entry_point = Some((naga::ShaderStage::Compute, "main".to_string()));

        back::spv::write_vec(module, info, &back::spv::Options::default(), None)
            .map_err(|error| format!("SPIR-V: {error}"))?;

        let options = back::msl::Options { lang_version: (2, 4), ..Default::default() };
        let pipeline = back::msl::PipelineOptions { entry_point: entry_point.clone(), ..Default::default() };
        let (text, _) =
            back::msl::write_string(module, info, &options, &pipeline).map_err(|error| format!("MSL: {error}"))?;
        expect(&text.matches("kernel void").count(), &1, "MSL kernels")?;

        // Shader model 6 is where DirectX has subgroups; everything else also runs on older ones.
        use back::hlsl::ShaderModel;
        let shader_model = if has_subgroups(form) { ShaderModel::V6_0 } else { ShaderModel::V5_1 };
        let options = back::hlsl::Options { shader_model, ..Default::default() };
        let pipeline = back::hlsl::PipelineOptions { entry_point };
        let mut text = String::new();
        back::hlsl::Writer::new(&mut text, &options, &pipeline)
            .write(module, info, None)
            .map_err(|error| format!("HLSL: {error}"))?;
        expect(&text.matches("[numthreads(").count(), &1, "HLSL kernels")
    }
}

#[test]
fn every_form_agrees_with_its_kernel() {
    let mut n_forms = 0;
    for kernel in kernels::all_and_examples() {
        for form in kernel.forms {
            check(kernel, form, &form.text()).unwrap_or_else(|fault| panic!("{}, {}: {fault}", kernel.name, form.name));
            n_forms += 1;
        }
    }
    assert!(n_forms > kernels::all_and_examples().len(), "no kernel has a second form: was one left out?");
}

#[test]
fn names_differ_and_the_last_form_is_plain() {
    let all = kernels::all_and_examples();
    let names: BTreeSet<&str> = all.iter().map(|kernel| kernel.name).collect();
    assert_eq!(names.len(), all.len(), "two kernels of one name");
    for kernel in all {
        let forms: BTreeSet<&str> = kernel.forms.iter().map(|form| form.name).collect();
        assert_eq!(forms.len(), kernel.forms.len(), "{}: two forms of one name", kernel.name);
        assert_eq!(kernel.forms.last().map(|form| form.name), Some("plain"), "{}", kernel.name);
    }
}

/// Every file below `shaders/`: its path there, and its text.
fn shader_files() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut files = BTreeMap::new();
    for (folder, prefix) in [(root.clone(), ""), (root.join("shared"), "shared/")] {
        for entry in std::fs::read_dir(folder).expect("a folder of shaders") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a file's name").to_string_lossy();
                let text = std::fs::read_to_string(&path).expect("text");
                files.insert(format!("{prefix}{name}"), text);
            }
        }
    }
    files
}

#[test]
fn every_file_belongs_to_a_form() {
    let files = shader_files();
    let mut used = BTreeSet::new();
    for kernel in kernels::all() {
        for form in kernel.forms {
            for text in form.wgsl {
                let file = files.iter().find(|(_, found)| found == text);
                let (name, _) = file.unwrap_or_else(|| panic!("{}, {}: a text of no file", kernel.name, form.name));
                used.insert(name.as_str());
            }
        }
    }
    // What is in no file is made of a formula, and stands in for one shared file.
    for kernel in kernels::examples() {
        let texts = kernel.forms.iter().flat_map(|form| form.wgsl);
        let (known, made): (Vec<_>, Vec<_>) = texts
            .map(|text| (text, files.iter().find(|(_, found)| found == text)))
            .partition(|(_, file)| file.is_some());
        used.extend(known.into_iter().flat_map(|(_, file)| file).map(|(name, _)| name.as_str()));
        assert_eq!(made.len(), kernel.forms.len(), "{}: texts of no file", kernel.name);
        for (text, _) in made {
            let is_pure = !["var", "@", "override", "const", "enable"].iter().any(|word| text.contains(word));
            assert!(is_pure && text.starts_with("\nfn "), "{}: {text}", kernel.name);
        }
    }
    let all: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(used, all);
}

#[test]
fn a_form_begins_with_the_file_of_its_name() {
    let files = shader_files();
    for kernel in kernels::all() {
        for form in kernel.forms {
            // `tiled 64` and `tiled 32` are one family.
            let family = form.name.split(' ').next().expect("a first word");
            let file = match family {
                "plain" => format!("{}.wgsl", kernel.name),
                family => format!("{}_{family}.wgsl", kernel.name),
            };
            let [first, shared @ ..] = form.wgsl else { panic!("{}, {}: no text", kernel.name, form.name) };
            assert_eq!(files.get(&file).map(String::as_str), Some(*first), "{}, {}: {file}", kernel.name, form.name);
            for text in shared {
                let (name, _) = files.iter().find(|(_, found)| found == text).expect("a file");
                assert!(name.starts_with("shared/"), "{}, {}: {name} comes second", kernel.name, form.name);
            }
        }
    }
}

#[test]
fn shared_files_have_no_bindings_and_no_globals() {
    for (name, text) in shader_files() {
        if name.starts_with("shared/") {
            let is_pure = !text.contains("var<") && !text.contains("@group") && !text.contains("override ");
            assert!(is_pure, "{name} has a global");
        }
    }
}

#[test]
fn no_shader_has_atomics() {
    // Every reduction has a fixed order; atomics would add in the order in which they arrive.
    for (name, text) in shader_files() {
        assert!(!text.contains("atomic"), "{name}");
    }
}

/// Changes one word of a text, and expects the check to tell what is wrong.
#[track_caller]
fn refuses(kernel: &Kernel, form_name: &str, from: &str, to: &str, expected: &str) {
    let form = kernel.forms.iter().find(|form| form.name == form_name).expect("a form of this name");
    let text = form.text();
    assert!(text.contains(from), "{} has no `{from}`", kernel.name);
    let fault = check(kernel, form, &text.replacen(from, to, 1)).expect_err("a planted fault");
    assert!(fault.contains(expected), "{}, `{to}`: {fault}", kernel.name);
}

#[test]
fn a_text_that_disagrees_is_refused() {
    use nngpu::kernels::array::{ADD_BIAS, COPY, SUM};
    use nngpu::kernels::batch::TALLY;
    use nngpu::kernels::matmul::MATMUL;
    use nngpu::kernels::optimizer::sgd::SGD;
    refuses(&ADD_BIAS, "plain", "rows: u32", "rows: f32", "error: ");
    refuses(&ADD_BIAS, "plain", "  x: View,\n  bias: View,", "  bias: View,\n  x: View,", "Params");
    refuses(&ADD_BIAS, "plain", "columns: u32,", "columns: u32, more: u32,", "Params");
    refuses(&ADD_BIAS, "plain", "  row: u32,\n  column: u32", "  column: u32,\n  row: u32", "View");
    refuses(&ADD_BIAS, "plain", "@binding(1)", "@binding(7)", "binding 1");
    refuses(&ADD_BIAS, "plain", "@group(0) @binding(3)", "@group(1) @binding(3)", "binding 3");
    refuses(&ADD_BIAS, "plain", "@workgroup_size(64)", "@workgroup_size(32)", "workgroup");
    refuses(&ADD_BIAS, "plain", "fn main", "fn other", "entry points");
    refuses(&ADD_BIAS, "plain", "@binding(1) var<storage, read>", "@binding(1) var<storage, read_write>", "access");
    refuses(&ADD_BIAS, "plain", "bias[at(params.bias, model, row, column)]", "0.0", "use of `bias`");
    refuses(&ADD_BIAS, "plain", "column)] =", "column)] +=", "use of `y`");
    refuses(&ADD_BIAS, "plain", "var<uniform> params: Params", "var<storage, read> params: Params", "address space");
    let extra = "@group(0) @binding(9) var<storage, read> extra: array<f32>;\n@compute";
    refuses(&ADD_BIAS, "plain", "@compute", extra, "bound variables");
    refuses(&COPY, "plain", "x: array<u32>", "x: array<i32>", "error: ");
    refuses(&SGD, "plain", "settings: array<f32>", "settings: array<f32, 4>", "array of any length");
    refuses(&TALLY, "plain", "array<f32, 64>", "array<f32, 4100>", "bytes of workgroup memory, at most");
    refuses(&TALLY, "plain", "array<f32, 64>", "array<f32, 65>", "bytes of workgroup memory: ");
    refuses(&SUM, "plain", "total += x", "total += subgroupAdd(1.0) * x", "error: ");
    refuses(&MATMUL, "tiled 64", "@workgroup_size(SIDE, SIDE)", "@workgroup_size(SIDE)", "workgroup");
    refuses(&MATMUL, "tiled 64", "override SIDE", "override BREADTH: u32 = 1u;\nconst SIDE", "SIDE");
}
