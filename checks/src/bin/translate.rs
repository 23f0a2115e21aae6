//! `translate FOLDER` writes every shader there, in the languages that the compilers outside of Rust take:
//! WGSL with a list of what a pipeline needs beside it (`shaders.json`), SPIR-V, HLSL, each with and
//! without the checks of indices.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use naga::back::hlsl::ShaderModel;
use nngpu_checks::{Checks, Shader, conclude, shaders};
use serde_json::json;

fn main() -> ExitCode {
    let Some(folder) = env::args().nth(1) else {
        eprintln!("found no folder, expected one to write to: translate FOLDER");
        return ExitCode::from(2);
    };
    conclude(write_all(Path::new(&folder)).map(|n_files| format!("{n_files} texts written")))
}

fn write_all(folder: &Path) -> Result<usize, String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(told)?;
    let shaders = shaders()?;
    let mut n_files = 0;
    for shader in &shaders {
        for (suffix, content) in texts(shader)? {
            fs::write(folder.join(format!("{}.{suffix}", shader.name())), content).map_err(told)?;
            n_files += 1;
        }
    }
    let list: Vec<_> = shaders.iter().map(describe).collect();
    fs::write(folder.join("shaders.json"), serde_json::to_vec_pretty(&list).expect("plain data")).map_err(told)?;
    Ok(n_files)
}

/// Each text with the end of its file's name.
fn texts(shader: &Shader) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut texts = vec![("wgsl".to_string(), shader.wgsl().into_bytes())];
    for (checks, kind) in [(Checks::On, "checked"), (Checks::Off, "released")] {
        // What wgpu chooses on Vulkan 1.1, 1.2 and 1.3.
        for (major, minor) in [(1, 3), (1, 5), (1, 6)] {
            let words = shader.spirv((major, minor), checks)?;
            let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            texts.push((format!("{kind}.{major}.{minor}.spv"), bytes));
        }
        for (model, number) in [(ShaderModel::V5_1, "51"), (ShaderModel::V6_0, "60"), (ShaderModel::V6_6, "66")] {
            if model == ShaderModel::V5_1 && shader.has_subgroups() {
                continue;
            }
            texts.push((format!("{kind}.sm{number}.hlsl"), shader.hlsl(model, checks)?.into_bytes()));
        }
    }
    Ok(texts)
}

fn describe(shader: &Shader) -> serde_json::Value {
    let constants: serde_json::Map<_, _> =
        shader.form.constants.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    json!({
        "name": shader.name(),
        "file": format!("{}.wgsl", shader.name()),
        "constants": constants,
        "has_subgroups": shader.has_subgroups(),
    })
}
