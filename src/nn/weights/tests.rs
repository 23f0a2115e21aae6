use std::path::PathBuf;

use super::*;
use crate::kernels::activation::Activation;

const SIZES: [usize; 3] = [3, 2, 1];

fn network() -> Network {
    Network::new(&SIZES, Activation::Relu).expect("a network")
}

/// Its values, each number different.
fn values() -> Vec<f32> {
    let mut values = vec![0.0; network().length() as usize];
    let mut next = 0.0;
    for spec in network().parameters() {
        for value in &mut values[spec.range()] {
            next += 0.5;
            *value = next;
        }
    }
    values
}

/// A file of tensors: name, type, shape, bytes.
fn safetensors(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (*name, TensorView::new(*dtype, shape.to_vec(), bytes).expect("as many bytes as the shape tells"))
    });
    safetensors::serialize(views, None).expect("a file")
}

/// The network's values as a file with `names` for its four parameters.
fn named(names: [&str; 4]) -> Vec<u8> {
    let (network, values) = (network(), values());
    let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = names
        .iter()
        .zip(network.parameters())
        .map(|(name, spec)| (*name, spec.shape(), bytemuck::cast_slice(&values[spec.range()]).to_vec()))
        .collect();
    let tensors: Vec<(&str, Dtype, &[usize], Vec<u8>)> =
        tensors.iter().map(|(name, shape, bytes)| (*name, Dtype::F32, &shape[..], bytes.clone())).collect();
    safetensors(&tensors)
}

fn read(bytes: &[u8], names: Names, convert: bool) -> Result<Vec<f32>> {
    let options = WeightsOptions { format: None, names, convert };
    read_bytes(Path::new("file"), bytes, &options, |_| Ok(network())).map(|(values, _)| values)
}

#[track_caller]
fn check(bytes: &[u8], names: Names) {
    assert_eq!(read(bytes, names, false).expect("readable"), values());
}

#[track_caller]
fn refused(bytes: &[u8], names: Names, expected: &str) {
    let message = read(bytes, names, false).expect_err(expected).to_string();
    assert!(message.starts_with("file: "), "{message}");
    assert!(message.contains(expected), "{message}");
}

fn pairs(pairs: &[(&str, &str)]) -> Names {
    Names::Custom(pairs.iter().map(|(file, own)| (file.to_string(), own.to_string())).collect())
}

#[test]
fn names_of_several_libraries_are_found() {
    let own = named(["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]);
    check(&own, Names::Own);
    check(&own, Names::Auto);
    check(&own, Names::Sequential);
    check(&own, Names::Positions(vec![0, 1]));
    check(&own, pairs(&[]));

    let torch = named(["0.weight", "0.bias", "2.weight", "2.bias"]);
    check(&torch, Names::Auto);
    check(&torch, Names::Sequential);
    check(&torch, Names::Positions(vec![0, 2]));
    check(&torch, pairs(&[("0", "layers.0"), ("2", "layers.1")]));

    // Ordered by number, not by text; and where the own names would be others.
    check(&named(["2.weight", "2.bias", "10.weight", "10.bias"]), Names::Auto);
    check(&named(["layers.1.weight", "layers.1.bias", "layers.3.weight", "layers.3.bias"]), Names::Auto);
    check(&named(["net.main.0.weight", "net.main.0.bias", "net.main.7.weight", "net.main.7.bias"]), Names::Sequential);

    let words = named(["fc1.weight", "fc1.bias", "out.w", "out.b"]);
    check(&words, pairs(&[("fc1", "layers.0"), ("out.w", "layers.1.weight"), ("out.b", "layers.1.bias")]));
    // The longest counts, whatever the order, and a module's name is whole: `a` is not `ab`.
    let nested = named(["a.weight", "a.bias", "ab.weight", "ab.x.bias"]);
    check(&nested, pairs(&[("a", "layers.0"), ("ab", "layers.1"), ("ab.x.bias", "layers.1.bias")]));
    let bare = named(["weight", "bias", "layers.1.weight", "layers.1.bias"]);
    check(&bare, pairs(&[("weight", "layers.0.weight"), ("bias", "layers.0.bias")]));
    let stemless = named(["0.weight", "0.bias", "1.weight", "1.bias"]);
    check(&stemless, pairs(&[("", "layers")]));
}

#[test]
fn batches_that_pytorch_counted_are_left_out() {
    let count = ("1.num_batches_tracked", Dtype::I64, &[][..], 7i64.to_le_bytes().to_vec());
    let (network, values) = (network(), values());
    let bytes = |index: usize| bytemuck::cast_slice(&values[network.parameters()[index].range()]).to_vec();
    let file = safetensors(&[
        ("0.weight", Dtype::F32, &[2, 3], bytes(0)),
        ("0.bias", Dtype::F32, &[2], bytes(1)),
        count,
        ("2.weight", Dtype::F32, &[1, 2], bytes(2)),
        ("2.bias", Dtype::F32, &[1], bytes(3)),
    ]);
    check(&file, Names::Auto);
    check(&file, Names::Positions(vec![0, 2]));
}

#[test]
fn layers_of_every_kind_are_found() {
    let network: Network = "3 -> 4 batch_norm(affine=false) prelu residual(2 tanh 4) relu 1".parse().expect("layers");
    let values = network.initial(3);
    // As PyTorch numbers them, with a residual block that holds an `nn.Sequential`.
    let torch = [
        "0.weight",
        "0.bias",
        "1.running_mean",
        "1.running_var",
        "2.weight",
        "3.block.0.weight",
        "3.block.0.bias",
        "3.block.2.weight",
        "3.block.2.bias",
        "5.weight",
        "5.bias",
    ];
    let shapes: Vec<Vec<usize>> = network.parameters().iter().map(ParameterSpec::shape).collect();
    let bytes = |spec: &ParameterSpec| bytemuck::cast_slice::<f32, u8>(&values[spec.range()]).to_vec();
    let tensors = torch.iter().zip(&shapes).zip(network.parameters());
    let mut tensors: Vec<(&str, Dtype, &[usize], Vec<u8>)> =
        tensors.map(|((name, shape), spec)| (*name, Dtype::F32, &shape[..], bytes(spec))).collect();
    assert_eq!(tensors.len(), network.parameters().len());
    tensors.push(("1.num_batches_tracked", Dtype::I64, &[], vec![0; 8]));
    let file = safetensors(&tensors);
    for names in [Names::Auto, Names::Sequential] {
        let options = WeightsOptions { names, ..WeightsOptions::default() };
        let found = read_bytes(Path::new("file"), &file, &options, |_| Ok(network.clone())).expect("readable");
        assert_eq!(found.0, values);
    }
    // Positions are those of the outermost layers; what lies within one keeps its name.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    let options = WeightsOptions { names: Names::Positions(vec![0, 1, 2, 3, 5]), ..WeightsOptions::default() };
    write_weights(&path, &network, &values, None, &options).expect("written");
    let (found, _) = read_weights(&path, &options, |_| Ok(network.clone())).expect("readable");
    assert_eq!(found, values);
    let bytes = std::fs::read(&path).expect("readable");
    let names = SafeTensors::deserialize(&bytes).expect("safetensors");
    assert!(names.tensor("3.layers.1.weight").is_ok() && names.tensor("5.bias").is_ok(), "{:?}", names.names());
}

#[test]
fn names_that_do_not_fit_are_told_at_once() {
    let own = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"];
    let words = named(["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
    let missing = "missing parameters: layers.0.weight, layers.0.bias, layers.1.weight, layers.1.bias; \
        unknown ones: fc1.bias, fc1.weight, fc2.bias, fc2.weight";
    refused(&words, Names::Own, missing);
    refused(&words, Names::Auto, &format!("{missing}; the names have no numbers that tell their order; give pairs"));
    refused(&words, Names::Sequential, "found the names fc1.bias, fc1.weight, fc2.bias, fc2.weight, expected modules");
    refused(
        &words,
        pairs(&[("fc1", "layers.0"), ("fc2", "layers.0")]),
        "missing parameters: layers.1.weight, layers.1.bias; unknown ones: none; \
            found a second name for one parameter: fc2.bias, fc2.weight",
    );
    // Numbers after several stems, written in several ways, or with a sign, have no order.
    refused(&named(["a.0.weight", "a.0.bias", "b.1.weight", "b.1.bias"]), Names::Auto, "no numbers that tell");
    refused(&named(["0.a.weight", "0.a.bias", "0.b.weight", "0.b.bias"]), Names::Sequential, "expected modules");
    refused(&named(["0.weight", "0.bias", "out.weight", "out.bias"]), Names::Sequential, "expected modules");
    refused(&named(["0.weight", "0.bias", "00.weight", "00.bias"]), Names::Sequential, "expected modules");
    refused(&named(["0.weight", "0.bias", "+1.weight", "+1.bias"]), Names::Sequential, "expected modules");

    let torch = named(["0.weight", "0.bias", "2.weight", "3.bias"]);
    refused(&torch, Names::Auto, "missing parameters: layers.1.bias; unknown ones: 3.bias");
    refused(&torch, Names::Positions(vec![0, 2]), "missing parameters: layers.1.bias; unknown ones: 3.bias");
    refused(&named(own), Names::Positions(vec![0, 2]), "unknown ones: layers.1.bias, layers.1.weight");
    refused(&torch, Names::Positions(vec![0]), "found the positions [0] for its layers, expected 2 of them, in order");
    refused(&torch, Names::Positions(vec![2, 0]), "expected 2 of them, in order");

    let larger = Network::new(&[3, 2, 2, 1], Activation::Relu).expect("a network");
    let message = read_bytes(Path::new("file"), &named(own), &WeightsOptions::default(), |_| Ok(larger))
        .expect_err("another network")
        .to_string();
    let expected = "file: missing parameters: layers.2.weight, layers.2.bias; unknown ones: none; \
        `layers.1.weight` is F32 of [1, 2], expected F32 of [2, 2]; `layers.1.bias` is F32 of [1], expected F32 of [2]";
    assert_eq!(message, expected);
}

#[test]
fn long_lists_of_names_are_cut() {
    let names: Vec<String> = (10..26).map(|i| format!("x{i}.weight")).collect();
    let tensors: Vec<_> = names.iter().map(|name| (name.as_str(), Dtype::F32, &[1][..], vec![0; 4])).collect();
    refused(&safetensors(&tensors), Names::Own, "x18.weight, x19.weight and 6 more");
}

#[test]
fn types_and_shapes_that_do_not_fit_are_told_at_once() {
    let file = safetensors(&[
        ("layers.0.weight", Dtype::F32, &[3, 2], vec![0; 24]),
        ("layers.0.bias", Dtype::F16, &[2], vec![0; 4]),
        ("layers.1.weight", Dtype::I32, &[1, 2], vec![0; 8]),
        ("layers.1.bias", Dtype::F64, &[1, 1], vec![0; 8]),
    ]);
    let expected = "`layers.0.weight` is F32 of [3, 2], expected F32 of [2, 3]; transpose it, since weights are [outputs, inputs]; \
        `layers.0.bias` is F16 of [2], expected F32 of [2], or that it be converted; \
        `layers.1.weight` is I32 of [1, 2], expected F32 of [1, 2]; \
        `layers.1.bias` is F64 of [1, 1], expected F32 of [1], or that it be converted";
    refused(&file, Names::Auto, expected);
    let message = read(&file, Names::Auto, true).expect_err("shapes").to_string();
    assert!(!message.contains("F16") && message.contains("I32"), "{message}");
}

#[test]
fn other_types_are_converted_where_asked_for() {
    let halves = [0x00, 0x3c, 0x00, 0xc0];
    let file = |last: f64| {
        safetensors(&[
            ("layers.0.weight", Dtype::F32, &[2, 3], vec![0; 24]),
            ("layers.0.bias", Dtype::F16, &[2], halves.to_vec()),
            ("layers.1.weight", Dtype::BF16, &[1, 2], halves.to_vec()),
            ("layers.1.bias", Dtype::F64, &[1], last.to_le_bytes().to_vec()),
        ])
    };
    let found = read(&file(0.1), Names::Auto, true).expect("converted");
    let of = |index: usize| found[network().parameters()[index].range()].to_vec();
    assert_eq!((of(1), of(2), of(3)), (vec![1.0, -2.0], vec![0.0078125, -2.0], vec![0.1]));
    let message = read(&file(1e39), Names::Auto, true).expect_err("too large").to_string();
    assert_eq!(message, "file: `layers.1.bias` holds 1e39, which is beyond the range of F32 (3.4e38)");
}

fn written(name: &str, names: Names) -> (Vec<u8>, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let options = WeightsOptions { names, ..WeightsOptions::default() };
    write_weights(&path, &network(), &values(), None, &options).expect("written");
    (std::fs::read(&path).expect("readable"), path, folder)
}

#[test]
fn names_are_written_as_they_are_read() {
    let found = |names: Names| {
        let (bytes, ..) = written("w.safetensors", names.clone());
        check(&bytes, names);
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let mut found: Vec<String> = tensors.names().into_iter().map(str::to_string).collect();
        found.sort_unstable();
        found.join(" ")
    };
    let own = "layers.0.bias layers.0.weight layers.1.bias layers.1.weight";
    assert_eq!(found(Names::Auto), own);
    assert_eq!(found(Names::Own), own);
    assert_eq!(found(Names::Positions(vec![1, 4])), "1.bias 1.weight 4.bias 4.weight");
    let mlx = pairs(&[("layers.2", "layers.1")]);
    assert_eq!(found(mlx), "layers.0.bias layers.0.weight layers.2.bias layers.2.weight");
    let words = pairs(&[("", "layers.0"), ("out", "layers.1")]);
    assert_eq!(found(words), "bias out.bias out.weight weight");
}

#[test]
fn names_that_cannot_be_written_are_refused() {
    let refuse = |names: Names, expected: &str| {
        let path = std::env::temp_dir().join("never-written.safetensors");
        let options = WeightsOptions { names, ..WeightsOptions::default() };
        let error = write_weights(&path, &network(), &values(), None, &options).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!path.exists());
    };
    refuse(Names::Sequential, "found an order without positions, expected the positions of the layers");
    refuse(Names::Positions(vec![0, 2, 4]), "found [0, 2, 4], expected 2 of them, in order");
    refuse(Names::Positions(vec![2, 2]), "expected 2 of them, in order");
    refuse(pairs(&[("x", "layers.0"), ("x", "layers.1")]), "found two parameters called `x.bias`");
}

#[test]
fn files_that_are_no_weights_say_what_they_are() {
    refused(b"", Names::Auto, "expected a whole safetensors file");
    refused(b"\x93NUMPY\x01\x00", Names::Auto, "expected a whole safetensors file");
}

#[cfg(feature = "npz")]
mod npz_files {
    use flate2::{Compression, Crc, write::DeflateEncoder};
    use std::io::Write;

    use super::*;

    /// A zip file of one file, packed by `method`.
    fn zip(name: &str, content: &[u8], method: u16) -> Vec<u8> {
        let packed = if method == 8 {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(content).expect("memory");
            encoder.finish().expect("memory")
        } else {
            content.to_vec()
        };
        let mut crc = Crc::new();
        crc.update(content);
        let mut common = Vec::new();
        for word in [20, 0, method, 0, 0x21] {
            common.extend(word.to_le_bytes());
        }
        for word in [crc.sum(), packed.len() as u32, content.len() as u32] {
            common.extend(word.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        let mut file = [b"PK\x03\x04", &common[..], name.as_bytes(), &packed].concat();
        let at = file.len() as u32;
        let directory = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], name.as_bytes()].concat();
        file.extend(&directory);
        file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        file.extend((directory.len() as u32).to_le_bytes());
        file.extend(at.to_le_bytes());
        file.extend([0, 0]);
        file
    }

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    /// Reads the array `x` out of a file.
    fn array(file: &[u8]) -> Result<(Vec<usize>, Vec<f32>), String> {
        let arrays = npz::parse(file)?;
        let array = &arrays[0];
        if let Element::Other(name) = &array.element {
            return Err(name.clone());
        }
        let mut values = vec![0.0; array.shape.iter().product()];
        array.read(&mut values)?;
        Ok((array.shape.clone(), values))
    }

    fn floats(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn arrays_are_read_stored_and_deflated_in_either_order() {
        let numbers = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        for method in [0, 8] {
            let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n";
            let file = zip("x.npy", &npy(header, &floats(&numbers)), method);
            assert_eq!(array(&file), Ok((vec![2, 3], numbers.to_vec())));
            let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }";
            let file = zip("x.npy", &npy(header, &floats(&numbers)), method);
            assert_eq!(array(&file), Ok((vec![2, 3], vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0])));
            let header = "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }";
            let file = zip("x.npy", &npy(header, &1.5f32.to_be_bytes()), method);
            assert_eq!(array(&file), Ok((vec![1], vec![1.5])));
            let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }";
            let file = zip("x.npy", &npy(header, &0.1f64.to_le_bytes()), method);
            assert_eq!(array(&file), Ok((vec![], vec![0.1])));
        }
    }

    #[test]
    fn files_that_are_no_arrays_are_refused() {
        let right = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", &[0; 4]);
        let check = |file: &[u8], expected: &str| {
            let problem = array(file).expect_err(expected);
            assert!(problem.contains(expected), "{problem}");
        };
        assert!(array(&zip("x.npy", &right, 0)).is_ok());
        check(&zip("x.txt", &right, 0), "found `x.txt` in the zip file");
        check(&zip("model/data.pkl", &right, 0), "found what `torch.save` writes");
        check(&zip("x.npy", &right, 12), "packed by method 12, expected none or deflate");
        check(&zip("x.npy", b"text", 0), "`x` is damaged");
        check(&zip("x.npy", &npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", &[0; 8]), 0), "<i8");
        check(&zip("x.npy", &npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", &[]), 0), "[[");
        for header in [
            "",
            "{}",
            "[]",
            "{'descr': '<f4', 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        ] {
            check(&zip("x.npy", &npy(header, &[0; 4]), 0), "`x` is damaged");
        }
        for data in [&[0; 3][..], &[0; 5]] {
            let file = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", data);
            check(&zip("x.npy", &file, 0), "is damaged: found");
            check(&zip("x.npy", &file, 8), "is damaged: found");
        }
        let mut encrypted = zip("x.npy", &right, 0);
        let at = encrypted.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a directory");
        encrypted[at + 8] = 1;
        check(&encrypted, "encrypted");
        check(b"PK\x05\x06", "cut short or damaged");
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let numbers = floats(&[1.0]);
        let twice = [("x", vec![1], &numbers[..]), ("x", vec![1], &numbers[..])];
        let file = npz::serialize(twice.into_iter()).expect("a file");
        assert_eq!(array(&file), Err("found `x` twice, expected each name once".into()));
    }

    #[test]
    fn npz_files_are_read_by_content_and_written_by_extension() {
        let (bytes, path, _folder) = written("w.NPZ", Names::Positions(vec![0, 2]));
        assert!(is_zip(&bytes));
        check(&bytes, Names::Auto);
        let renamed = path.with_extension("safetensors");
        std::fs::rename(&path, &renamed).expect("renamed");
        let (values, _) =
            read_weights(&renamed, &WeightsOptions::default(), |_| Ok(network())).expect("told by its content");
        assert_eq!(values, super::values());
        let safetensors = WeightsOptions { format: Some(WeightsFormat::Safetensors), ..WeightsOptions::default() };
        assert!(read_weights(&renamed, &safetensors, |_| Ok(network())).is_err());
        let error = write_weights(&path, &network(), &values, Some(("key", "text")), &WeightsOptions::default());
        assert!(error.expect_err("no place").to_string().contains("found metadata for an npz file"));
    }

    #[test]
    fn numpy_s_headers_are_aligned() {
        let (bytes, ..) = written("w.npz", Names::Own);
        let header = bytes.windows(6).position(|bytes| bytes == b"\x93NUMPY").expect("an array");
        let length = usize::from(bytes[header + 8]) + 256 * usize::from(bytes[header + 9]);
        assert_eq!((10 + length) % 64, 0);
        assert_eq!(bytes[header + 9 + length], b'\n');
    }

    /// Cuts a file everywhere and changes each of its bytes to several others; what is still taken has
    /// finite memory and no panic behind it.
    #[test]
    fn damaged_files_never_panic() {
        let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }";
        let deflated = zip("layers.0.weight.npy", &npy(header, &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])), 8);
        let (stored, ..) = written("w.npz", Names::Own);
        let (whole, ..) = written("w.safetensors", Names::Own);
        for file in [stored, deflated, whole] {
            let (mut n_taken, mut n_refused) = (0, 0);
            let mut count = |bytes: &[u8]| match read(bytes, Names::Auto, true) {
                Ok(values) => {
                    assert_eq!(values.len(), network().length() as usize);
                    n_taken += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    n_refused += 1;
                }
            };
            for n in 0..file.len() {
                count(&file[..n]);
                for change in [1, 0x80, 0xff, file[n] ^ 0xff, file[n]] {
                    let mut damaged = file.clone();
                    damaged[n] ^= change;
                    count(&damaged);
                }
            }
            // Not all for one reason.
            assert!(n_refused > file.len(), "{n_refused} refused, {n_taken} taken of {} bytes", file.len());
        }
    }

    #[test]
    fn a_changed_number_is_seen() {
        let (mut bytes, ..) = written("w.npz", Names::Own);
        let number = 0.5f32.to_le_bytes();
        let at = bytes.windows(4).position(|bytes| bytes == number).expect("the first number");
        bytes[at] ^= 1;
        refused(&bytes, Names::Own, "`layers.0.weight` is damaged: its check sum is wrong");
    }
}
