//! Weights in and out of files: safetensors and npz, under the names of several libraries.

mod names;
#[cfg(feature = "npz")]
mod npz;
mod stored;

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use self::names::Mapping;
pub use self::names::Names;
use self::stored::{Element, Stored};
use super::{Network, ParameterSpec};
use crate::file::replace_file;
use crate::{Error, Result};

/// A format of files of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsFormat {
    /// Names, shapes and numbers, as every library reads them.
    Safetensors,
    /// A zip file of NumPy's arrays, as `numpy.savez` and `mlx.core.savez` write it. Needs the feature `npz`.
    Npz,
}

/// How weights are read and written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WeightsOptions {
    /// The format. Without one, what a file begins with decides when it is read, and the extension
    /// `npz` when it is written; else it is safetensors. Default none.
    pub format: Option<WeightsFormat>,
    /// How the names in the file relate to those of the network. Default [`Names::Auto`].
    pub names: Names,
    /// Whether numbers of other types than F32 are read: F16 and BF16 become the same number, F64 the
    /// nearest one, the even one of two; F64 beyond the range of F32 are refused. Default `false`.
    pub convert: bool,
}

/// Writes one model's parameters, laid out as [`Network::parameters`] tells, with a text of the
/// caller's among the file's metadata.
///
/// The file is written under a temporary name beside `path`, synced, then renamed: it appears
/// whole or not at all, and an older one stays until then.
///
/// # Errors
///
/// A folder or file that cannot be written; names that do not fit the network or tell no positions;
/// metadata for an npz file, which has no place for it, or an npz file of 4 GiB or more.
pub fn write_weights(
    path: &Path,
    network: &Network,
    values: &[f32],
    metadata: Option<(&str, &str)>,
    options: &WeightsOptions,
) -> Result<()> {
    let names = options.names.in_file(network.parameters())?;
    let tensors = names.iter().zip(network.parameters()).map(|(name, spec)| {
        let bytes: &[u8] = bytemuck::cast_slice(&values[spec.range()]);
        (name.as_str(), spec.shape(), bytes)
    });
    let is_npz = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"));
    let by_extension = if is_npz { WeightsFormat::Npz } else { WeightsFormat::Safetensors };
    write_tensors(path, tensors.collect(), metadata, options.format.unwrap_or(by_extension))
}

/// Writes the parameters of several members of one shape as safetensors, with a text of the caller's among the file's
/// metadata. `values` are those of all members, one after the other.
///
/// One member's parameters have their own names, those of several a number before: `members.0.layers.0.weight`.
///
/// # Errors
///
/// A folder or file that cannot be written.
///
/// # Panics
///
/// No members, another number of values.
pub fn write_members(
    path: &Path,
    network: &Network,
    n_members: usize,
    values: &[f32],
    metadata: Option<(&str, &str)>,
) -> Result<()> {
    let length = network.length() as usize;
    assert_eq!((n_members > 0, values.len()), (true, n_members * length), "values of {n_members} members");
    let specs = member_specs(network, n_members);
    let members =
        values.chunks_exact(length).flat_map(|values| std::iter::repeat_n(values, network.parameters().len()));
    let tensors = specs.iter().zip(members).map(|(spec, values)| {
        let bytes: &[u8] = bytemuck::cast_slice(&values[spec.range()]);
        (spec.name.as_str(), spec.shape(), bytes)
    });
    write_tensors(path, tensors.collect(), metadata, WeightsFormat::Safetensors)
}

/// The parameters of all members, each with its place among those of its own member.
fn member_specs(network: &Network, n_members: usize) -> Vec<ParameterSpec> {
    if n_members == 1 {
        return network.parameters().to_vec();
    }
    let of_member = |member: usize| {
        let named = move |spec: &ParameterSpec| {
            let name = format!("members.{member}.{}", spec.name);
            ParameterSpec { name, ..spec.clone() }
        };
        network.parameters().iter().map(named)
    };
    (0..n_members).flat_map(of_member).collect()
}

fn write_tensors(
    path: &Path,
    tensors: Vec<(&str, Vec<usize>, &[u8])>,
    metadata: Option<(&str, &str)>,
    format: WeightsFormat,
) -> Result<()> {
    let failed = |source| Error::WriteFile { path: path.into(), source };
    let bytes = match format {
        WeightsFormat::Safetensors => {
            let views = tensors.into_iter().map(|(name, shape, bytes)| {
                (name, TensorView::new(Dtype::F32, shape, bytes).expect("as many bytes as the shape tells"))
            });
            // One key at most: several would be written in an order that changes from run to run.
            let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_string(), text.to_string())]));
            safetensors::serialize(views, metadata).map_err(|error| failed(std::io::Error::other(error)))?
        }
        WeightsFormat::Npz if metadata.is_some() => {
            let (found, expected) = ("metadata for an npz file".into(), "safetensors, which has a place for it".into());
            return Err(Error::Setting { name: "weights".into(), found, expected });
        }
        #[cfg(feature = "npz")]
        WeightsFormat::Npz => {
            npz::serialize(tensors.into_iter()).map_err(|problem| failed(std::io::Error::other(problem)))?
        }
        #[cfg(not(feature = "npz"))]
        WeightsFormat::Npz => return Err(failed(std::io::Error::other(NO_NPZ))),
    };
    replace_file(path, &bytes).map_err(failed)
}

/// Reads one model's parameters. `network` learns the file's metadata first (an npz file has none) and
/// tells what to expect; the values are laid out as its [`Network::parameters`] tell.
///
/// Every parameter must be there once and in its shape, and nothing else may be. PyTorch's
/// `num_batches_tracked`, which counts the batches that a normalisation has seen, is left out.
///
/// # Errors
///
/// A file that cannot be read or is damaged; names that are missing or too many, other shapes or
/// types: all of them are told at once.
pub fn read_weights(
    path: &Path,
    options: &WeightsOptions,
    network: impl FnOnce(&HashMap<String, String>) -> Result<Network>,
) -> Result<(Vec<f32>, Network)> {
    let bytes = std::fs::read(path).map_err(|source| Error::unreadable(path, source))?;
    read_bytes(path, &bytes, options, network)
}

/// What [`read_weights`] makes of the bytes of the file at `path`.
fn read_bytes(
    path: &Path,
    bytes: &[u8],
    options: &WeightsOptions,
    network: impl FnOnce(&HashMap<String, String>) -> Result<Network>,
) -> Result<(Vec<f32>, Network)> {
    let (values, network, _) = read_shaped(path, bytes, options, |metadata| Ok((network(metadata)?, 1)))?;
    Ok((values, network))
}

/// Reads what [`write_members`] wrote. `shape` learns the file's metadata first and tells the network and the number
/// of members; the values of the members stand one after the other.
///
/// # Errors
///
/// As for [`read_weights`], and another number of members.
pub fn read_members(
    path: &Path,
    shape: impl FnOnce(&HashMap<String, String>) -> Result<(Network, usize)>,
) -> Result<(Vec<f32>, Network, usize)> {
    let bytes = std::fs::read(path).map_err(|source| Error::unreadable(path, source))?;
    let options = WeightsOptions { format: Some(WeightsFormat::Safetensors), names: Names::Own, convert: false };
    read_shaped(path, &bytes, &options, shape)
}

/// What [`read_weights`] and [`read_members`] make of the bytes of the file at `path`.
fn read_shaped(
    path: &Path,
    bytes: &[u8],
    options: &WeightsOptions,
    shape: impl FnOnce(&HashMap<String, String>) -> Result<(Network, usize)>,
) -> Result<(Vec<f32>, Network, usize)> {
    let refuse = |problem: String| Error::ModelFile { path: path.into(), problem };
    let by_content = if is_zip(bytes) { WeightsFormat::Npz } else { WeightsFormat::Safetensors };
    let (mut tensors, (network, n_members)): (Vec<Stored>, _) = match options.format.unwrap_or(by_content) {
        WeightsFormat::Safetensors => {
            let damaged = |error: safetensors::SafeTensorError| {
                refuse(format!("expected a whole safetensors file, as `nngpu train` writes: {error}"))
            };
            let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
            let shape = shape(header.metadata().as_ref().unwrap_or(&HashMap::new()))?;
            let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
            (tensors.iter().map(|(name, tensor)| Stored::of_safetensors(name, &tensor)).collect(), shape)
        }
        #[cfg(feature = "npz")]
        WeightsFormat::Npz => (npz::parse(bytes).map_err(refuse)?, shape(&HashMap::new())?),
        #[cfg(not(feature = "npz"))]
        WeightsFormat::Npz => return Err(refuse(NO_NPZ.into())),
    };
    tensors.retain(|tensor| !names::is_ignored(&tensor.name));
    // Safetensors come in the order of their bytes or of a hash; messages shall not depend on it.
    tensors.sort_by(|a, b| a.name.cmp(&b.name));

    // Before anything is as long as a file says that it has members.
    let n_parameters = network.parameters().len();
    if n_members != 1 && n_members.checked_mul(n_parameters) != Some(tensors.len()) {
        let n_tensors = tensors.len();
        return Err(refuse(format!(
            "found {n_tensors} tensors, expected {n_parameters} for each of {n_members} members"
        )));
    }
    let specs = member_specs(&network, n_members);
    let found: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let mapping = options.names.mapping(&found, &specs).map_err(refuse)?;
    let problems = problems(&mapping, &tensors, &specs, options.convert);
    if !problems.is_empty() {
        return Err(refuse(problems.join("; ")));
    }
    let length = network.length() as usize;
    let mut values = vec![0.0f32; n_members * length];
    for (index, (spec, position)) in specs.iter().zip(mapping.positions).enumerate() {
        let tensor = &tensors[position.expect("no name is missing")];
        let member = &mut values[index / n_parameters * length..][..length];
        tensor.read(&mut member[spec.range()]).map_err(|problem| refuse(format!("`{}` {problem}", tensor.name)))?;
    }
    Ok((values, network, n_members))
}

#[cfg(not(feature = "npz"))]
const NO_NPZ: &str = "npz files need the feature `npz` of the crate; enable it, or use safetensors";

/// Whether a file begins as zip files do, empty ones too.
fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Everything that keeps the tensors of a file from being the parameters of a network.
fn problems(mapping: &Mapping, tensors: &[Stored], specs: &[ParameterSpec], convert: bool) -> Vec<String> {
    let mut problems = mapping.problems(specs);
    for (spec, position) in specs.iter().zip(&mapping.positions) {
        let Some(tensor) = position.map(|position| &tensors[position]) else { continue };
        let is_right_type = match tensor.element {
            Element::F32 { .. } => true,
            Element::F16 { .. } | Element::Bf16 | Element::F64 { .. } => convert,
            Element::Other(_) => false,
        };
        let expected = spec.shape();
        if is_right_type && tensor.shape == expected {
            continue;
        }
        let mut advice = String::new();
        if !is_right_type && !matches!(tensor.element, Element::Other(_)) {
            advice += ", or that it be converted";
        }
        let reversed: Vec<usize> = expected.iter().rev().copied().collect();
        if tensor.shape != expected && tensor.shape == reversed {
            advice += "; transpose it, since weights are [outputs, inputs]";
        }
        let (name, element, found) = (&tensor.name, &tensor.element, &tensor.shape);
        problems.push(format!("`{name}` is {element} of {found:?}, expected F32 of {expected:?}{advice}"));
    }
    problems
}

#[cfg(test)]
mod tests;
