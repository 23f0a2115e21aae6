//! `metal FOLDER`: every shader in Metal's language, compiled as C++ over FOLDER (checks/metal), a small
//! part of Metal's standard library for the CPU, and held to the reference on the cases of the conformance
//! program. It needs GCC's `g++`, or what CXX names; there is no compiler for Metal outside of Apple's.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::{env, fs, thread};

use nngpu::Device;
use nngpu::compute::Step;
use nngpu::conformance::{Case, cases};
use nngpu_checks::{Checks, SIZES_SLOT, Shader, conclude, shaders};

fn main() -> ExitCode {
    let Some(folder) = env::args().nth(1) else {
        eprintln!("found no folder, expected that of the library: metal checks/metal");
        return ExitCode::from(2);
    };
    conclude(run_all(Path::new(&folder)))
}

fn run_all(library: &Path) -> Result<String, String> {
    let library = library.canonicalize().map_err(|error| format!("{}: {error}", library.display()))?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let shaders = shaders()?;
    let programs = compile_all(&shaders, &library, folder.path())?;
    let cases = cases();
    let reference = Device::reference();
    let expected = cases.iter().map(|case| case.run(&reference).map_err(|error| error.to_string()));
    let expected: Vec<_> = expected.collect::<Result<_, _>>()?;

    let (mut failures, mut n_run) = (Vec::new(), 0);
    for (shader, path) in shaders.iter().zip(&programs) {
        let mut running = HashMap::from([(shader.kernel.name, Program::start(shader, path)?)]);
        for (case, expected) in cases.iter().zip(&expected).filter(|(case, _)| case.kernel == shader.kernel) {
            // A case may prepare what its kernel is given by others.
            for step in case.plan.steps() {
                if !running.contains_key(step.kernel.name) {
                    let plain = |(other, _): &(&Shader, _)| other.kernel == step.kernel && other.form.name == "plain";
                    let (other, path) = shaders.iter().zip(&programs).find(plain).expect("the last form is plain");
                    running.insert(step.kernel.name, Program::start(other, path)?);
                }
            }
            let found = run_case(case, &mut running).map_err(|message| format!("{}: {message}", shader.name()))?;
            let (worst, is_right) = case.compare(expected, &found);
            n_run += 1;
            if !is_right {
                failures.push(format!("{}, {}: {worst:?}", shader.name(), case.name));
            }
        }
    }
    if failures.is_empty() {
        return Ok(format!("Metal's language as C++: {} shaders, {n_run} cases right", shaders.len()));
    }
    let n_failures = failures.len();
    failures.truncate(20);
    Err(format!("{}\n{n_failures} of {n_run} cases wrong", failures.join("\n")))
}

/// The program of each shader, compiled by as many compilers at once as there are processors.
fn compile_all(shaders: &[Shader], library: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let n_threads = thread::available_parallelism().map_or(1, |count| count.get());
    let compile_some = |first: usize| -> Result<(), String> {
        shaders.iter().skip(first).step_by(n_threads).try_for_each(|shader| compile(shader, library, folder))
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|first| scope.spawn(move || compile_some(first))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic while compiling"))
    })?;
    Ok(shaders.iter().map(|shader| folder.join(shader.name())).collect())
}

fn compile(shader: &Shader, library: &Path, folder: &Path) -> Result<(), String> {
    let source = folder.join(format!("{}.cpp", shader.name()));
    fs::write(&source, program_text(shader)?).map_err(|error| format!("{}: {error}", source.display()))?;
    let compiler = env::var_os("CXX").unwrap_or("g++".into());
    let output = Command::new(&compiler)
        // A number like 0.5 is a `float` in Metal.
        .args(["-std=c++17", "-O1", "-fsingle-precision-constant", "-ffp-contract=off", "-fno-strict-aliasing", "-w"])
        .arg("-I")
        .arg(library)
        .arg(&source)
        .arg("-o")
        .arg(folder.join(shader.name()))
        .output()
        .map_err(|error| format!("{}: {error}; install g++", compiler.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("REFUSED {}\n{}", shader.name(), String::from_utf8_lossy(&output.stderr)))
}

/// The shader's text, a function that calls it, and the harness.
fn program_text(shader: &Shader) -> Result<String, String> {
    let text = shader.metal((2, 4), Checks::Off)?;
    let (mut threadgroup_memory, mut fills) = (String::new(), String::new());
    let mut arguments = Vec::new();
    for (qualifiers, name, attribute) in parameters(&text)? {
        let buffer = attribute.and_then(|attribute| attribute.strip_prefix("buffer(")?.strip_suffix(')'));
        arguments.push(match (attribute, buffer) {
            (Some("threadgroup_position_in_grid"), _) => "thread.group".to_string(),
            (Some("threadgroups_per_grid"), _) => "thread.groups".into(),
            (Some("thread_position_in_threadgroup"), _) => "thread.position".into(),
            (Some("thread_index_in_threadgroup"), _) => "thread.index".into(),
            (Some("thread_index_in_simdgroup"), _) => "thread.index % SIMD".into(),
            (_, Some(slot)) if slot == SIZES_SLOT.to_string() => "_mslBufferSizes()".into(),
            (_, Some(slot)) => {
                let kind: Vec<&str> = qualifiers
                    .split([' ', '&'])
                    .filter(|word| !["device", "constant", "const", ""].contains(word))
                    .collect();
                format!("*({} *)buffers[{slot}]", kind.join(" "))
            }
            (None, None) if qualifiers.starts_with("threadgroup ") => {
                let kind = qualifiers.trim_start_matches("threadgroup ").trim_end_matches('&');
                threadgroup_memory += &format!("static {kind} memory_{name};\n");
                fills += &format!("memset(&memory_{name}, 0xff, sizeof memory_{name}); ");
                format!("memory_{name}")
            }
            _ => return Err(format!("{}: found a parameter `{qualifiers} {name}` of no known kind", shader.name())),
        });
    }
    let [width, height, _] = shader.form.workgroup;
    Ok(format!(
        "{text}
{threadgroup_memory}
constexpr unsigned WIDTH = {width}, HEIGHT = {height}, SIMD = {simd};
constexpr bool HAS_BARRIERS = {has_barriers};
struct Thread {{ metal::uint3 group, groups, position; unsigned index; }};
static void forget_threadgroup_memory() {{ {fills}}}
static void call(const Thread &thread, uint32_t **buffers) {{ main_({arguments}); }}
#include \"harness.h\"
",
        // A simdgroup of Apple's has 32 threads; the form for subgroups is for those of 8.
        simd = if shader.has_subgroups() { 8 } else { 32 },
        has_barriers = text.contains("_barrier(") || text.contains("simd_"),
        arguments = arguments.join(", "),
    ))
}

/// A parameter of the entry point: type with qualifiers, name, attribute.
type Parameter<'a> = (&'a str, &'a str, Option<&'a str>);

fn parameters(text: &str) -> Result<Vec<Parameter<'_>>, String> {
    let (_, from) = text.split_once("kernel void main_(").ok_or("found no entry point `main_`")?;
    let (list, _) = from.split_once("\n) {").ok_or("found no end of the entry point's parameters")?;
    let lines = list.lines().map(|line| line.trim_start_matches([' ', ','])).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (declaration, attribute) = match line.split_once(" [[") {
                Some((declaration, attribute)) => (declaration, Some(attribute.trim_end_matches("]]"))),
                None => (line, None),
            };
            let (qualifiers, name) = declaration.rsplit_once(' ').ok_or(format!("found a parameter `{line}`"))?;
            Ok((qualifiers, name, attribute))
        })
        .collect()
}

/// A shader's program, waiting for jobs.
struct Program<'a> {
    shader: &'a Shader,
    child: Child,
}

impl<'a> Program<'a> {
    fn start(shader: &'a Shader, path: &Path) -> Result<Program<'a>, String> {
        let child = Command::new(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Ok(Program { shader, child: child.map_err(|error| format!("{}: {error}", path.display()))? })
    }

    /// Computes a step on `buffers`: the parameter block, then the operands'.
    fn run(&mut self, step: &Step, buffers: &mut [Vec<u32>]) -> Result<(), String> {
        let groups = (self.shader.form.groups)(&step.params);
        // Beyond the limit of WebGPU, they fold as on a GPU.
        let y = groups.div_ceil(65_535).max(1);
        let mut words = vec![groups.div_ceil(y) as u32, y as u32, step.models, buffers.len() as u32];
        for buffer in buffers.iter() {
            words.push(buffer.len() as u32);
            words.extend(buffer);
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let told = |error: std::io::Error| format!("its program stopped: {error}");
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(&bytes).and_then(|()| stdin.flush()).map_err(told)?;
        let stdout = self.child.stdout.as_mut().expect("piped");
        for buffer in buffers {
            let mut bytes = vec![0; 4 * buffer.len()];
            stdout.read_exact(&mut bytes).map_err(told)?;
            *buffer = bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().expect("four bytes"))).collect();
        }
        Ok(())
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        // It ends with its input; whatever it says then is of no use any more.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Computes a case; gives the buffers that it writes, as [`Case::run`] does.
fn run_case(case: &Case, programs: &mut HashMap<&str, Program>) -> Result<Vec<Vec<u32>>, String> {
    let mut buffers: HashMap<_, Vec<u32>> = case.plan.ids().map(|(id, spec)| (id, vec![0; spec.length])).collect();
    for (id, words) in &case.contents {
        buffers.insert(*id, words.clone());
    }
    for step in case.plan.steps() {
        let mut bound = vec![step.params.clone()];
        bound.extend(step.operands.iter().map(|operand| buffers[&operand.buffer].clone()));
        programs.get_mut(step.kernel.name).expect("started").run(step, &mut bound)?;
        let after = step.operands.iter().zip(bound.drain(1..)).zip(step.kernel.bindings);
        for ((operand, words), _) in after.filter(|(_, binding)| binding.access != nngpu::compute::Access::Read) {
            buffers.insert(operand.buffer, words);
        }
    }
    Ok(case.written.iter().map(|(id, _)| buffers[id].clone()).collect())
}
