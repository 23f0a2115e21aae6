//! Weights in and out of safetensors files.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::Network;
use crate::file::replace_file;
use crate::{Error, Result};

/// Writes one model's parameters, laid out as [`Network::parameters`] tells, under their names,
/// with a text of the caller's among the file's metadata.
///
/// The file is written under a temporary name beside `path`, synced, then renamed: it appears
/// whole or not at all, and an older one stays until then.
///
/// # Errors
///
/// A folder or file that cannot be written.
pub fn write_weights(path: &Path, network: &Network, values: &[f32], metadata: Option<(&str, &str)>) -> Result<()> {
    let failed = |source| Error::WriteFile { path: path.into(), source };
    let tensors = network.parameters().iter().map(|spec| {
        let bytes = bytemuck::cast_slice(&values[spec.range()]);
        let view = TensorView::new(Dtype::F32, spec.shape(), bytes).expect("as many bytes as the shape tells");
        (spec.name.as_str(), view)
    });
    // One key at most: several would be written in an order that changes from run to run.
    let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_string(), text.to_string())]));
    let bytes = safetensors::serialize(tensors, metadata).map_err(|error| failed(std::io::Error::other(error)))?;
    replace_file(path, &bytes).map_err(failed)
}

/// Reads one model's parameters. `network` learns the file's metadata first and tells what to
/// expect; the values are laid out as its [`Network::parameters`] tell.
///
/// # Errors
///
/// A file that cannot be read or is damaged, names that are missing or too many, other shapes or
/// types.
pub fn read_weights(
    path: &Path,
    network: impl FnOnce(&HashMap<String, String>) -> Result<Network>,
) -> Result<(Vec<f32>, Network)> {
    let bytes = std::fs::read(path).map_err(|source| Error::unreadable(path, source))?;
    let refuse = |problem: String| Error::ModelFile { path: path.into(), problem };
    let damaged = |error: safetensors::SafeTensorError| {
        refuse(format!("expected a whole safetensors file, as `nngpu train` writes: {error}"))
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let network = network(header.metadata().as_ref().unwrap_or(&HashMap::new()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;

    let expected: Vec<&str> = network.parameters().iter().map(|spec| spec.name.as_str()).collect();
    let found = tensors.names();
    let missing: Vec<&str> = expected.iter().copied().filter(|name| !found.contains(name)).collect();
    let mut extra: Vec<&str> = found.iter().copied().filter(|name| !expected.contains(name)).collect();
    extra.sort_unstable();
    if !missing.is_empty() || !extra.is_empty() {
        let list = |names: &[&str]| if names.is_empty() { "none".into() } else { names.join(", ") };
        return Err(refuse(format!("missing parameters: {}; unknown ones: {}", list(&missing), list(&extra))));
    }
    let mut values = vec![0.0f32; network.length() as usize];
    for spec in network.parameters() {
        let tensor = tensors.tensor(&spec.name).map_err(damaged)?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != spec.shape() {
            let (dtype, shape) = (tensor.dtype(), tensor.shape());
            let problem = format!("`{}` is {dtype:?} of {shape:?}, expected F32 of {:?}", spec.name, spec.shape());
            return Err(refuse(problem));
        }
        // The file need not align its bytes.
        for (value, bytes) in values[spec.range()].iter_mut().zip(tensor.data().chunks_exact(4)) {
            *value = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        }
    }
    Ok((values, network))
}
