//! The example of weights runs, and files of MLX, PyTorch and NumPy are read to the last bit.

#![cfg(feature = "npz")]

use std::path::Path;

use nngpu::nn::{Names, Network, WeightsFormat, WeightsOptions, read_weights};
use nngpu::{Activation, Device, Mlp};

#[path = "../examples/mlx_weights.rs"]
mod example;

fn network() -> Network {
    Network::new(&[4, 8, 3], Activation::Relu).expect("a network")
}

#[track_caller]
fn check(path: &Path, options: &WeightsOptions) {
    let (values, _) = read_weights(path, options, |_| Ok(network())).expect("readable");
    // The files were made of what MLX draws for the seed 0.
    assert_eq!(values, network().initial(0), "{}", path.display());
}

#[test]
fn example_reads_and_writes_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    example::run(folder.path()).expect("the example");
    let by_name = |names: Names| WeightsOptions { names, ..WeightsOptions::default() };
    check(&folder.path().join("own.safetensors"), &by_name(Names::Own));
    check(&folder.path().join("sequential.npz"), &by_name(Names::Positions(vec![0, 2])));
    check(&folder.path().join("torch.safetensors"), &by_name(Names::Positions(vec![0, 2])));
    let mlp = Mlp::load(&Device::cpu(), &[4, 8, 3], Activation::Relu, folder.path().join("sequential.npz"));
    assert_eq!(mlp.expect("an order of numbers").values().expect("values"), network().initial(0));
}

#[test]
fn files_of_each_library_are_read_by_each_rule_that_fits() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/weights");
    let (safetensors, npz) = (Some(WeightsFormat::Safetensors), Some(WeightsFormat::Npz));
    for (file, format, own, positions) in [
        ("mlx.safetensors", safetensors, None, [0, 2]),
        ("mlx.npz", npz, Some(Names::Own), [0, 1]),
        ("torch.safetensors", safetensors, None, [0, 2]),
        ("numpy.npz", npz, None, [0, 2]),
    ] {
        let rules = [Some(Names::Auto), Some(Names::Sequential), Some(Names::Positions(positions.into())), own.clone()];
        for names in rules.into_iter().flatten() {
            for format in [None, format] {
                check(&data.join(file), &WeightsOptions { format, names: names.clone(), convert: false });
            }
        }
        let options = WeightsOptions { names: Names::Own, ..WeightsOptions::default() };
        let result = read_weights(&data.join(file), &options, |_| Ok(network()));
        assert_eq!(result.is_ok(), own.is_some(), "{file}");
    }
}
