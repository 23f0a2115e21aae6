//! Weights in files of NumPy's arrays: `npz` is a zip file of `npy` files, stored or deflated.
//!
//! Sources: PKWARE's APPNOTE.TXT, sections 4.3 to 4.5; NumPy's `numpy.lib.format`.

use std::collections::HashSet;

use flate2::Crc;

use super::stored::{Data, Element, Stored};
use crate::numpy::{CENTRAL, END, LOCAL, Member, members};

/// Reads the names, types and shapes of all arrays.
///
/// # Errors
///
/// What is wrong with the file.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Stored<'_>>, String> {
    let mut arrays: Vec<Stored> = Vec::new();
    let mut names = HashSet::new();
    for (name, member) in members(bytes, "save safetensors")? {
        if name.ends_with("data.pkl") {
            return Err("found what `torch.save` writes, expected npz or safetensors; save the `state_dict` with \
                `safetensors.torch.save_file`"
                .into());
        }
        let Some(name) = name.strip_suffix(".npy") else {
            return Err(format!("found `{name}` in the zip file, expected arrays alone, called *.npy"));
        };
        if !names.insert(name.to_string()) {
            return Err(format!("found `{name}` twice, expected each name once"));
        }
        arrays.push(array(name, member).map_err(|problem| format!("`{name}` {problem}"))?);
    }
    Ok(arrays)
}

/// Reads the header of an array, and leaves its numbers.
fn array<'a>(name: &str, mut member: Member<'a>) -> Result<Stored<'a>, String> {
    let header = member.read_header()?;
    let is_big_endian = header.element.starts_with('>');
    let element = match header.element.trim_start_matches(['<', '>']) {
        "f2" => Element::F16 { is_big_endian },
        "f4" => Element::F32 { is_big_endian },
        "f8" => Element::F64 { is_big_endian },
        _ => Element::Other(header.element),
    };
    let (shape, is_column_major) = (header.shape, header.is_column_major);
    Ok(Stored { name: name.into(), element, shape, is_column_major, data: Data::Zipped(member) })
}

/// A file of arrays of 32-bit numbers, each with its name, its shape and its bytes, stored as they are.
///
/// # Errors
///
/// 4 GiB or more.
pub(super) fn serialize<'a>(arrays: impl Iterator<Item = (&'a str, Vec<usize>, &'a [u8])>) -> Result<Vec<u8>, String> {
    let (mut file, mut directory, mut count) = (Vec::new(), Vec::new(), 0u16);
    let too_large = || "an npz file of 4 GiB or more, or of 65535 arrays; save safetensors".to_string();
    for (name, shape, numbers) in arrays {
        let sizes: Vec<String> = shape.iter().map(|size| format!("{size},")).collect();
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes.join(" "));
        // Ends with a line break at a multiple of 64, counted with the ten bytes before it.
        let padding = 63 - (10 + header.len()) % 64;
        header += &" ".repeat(padding);
        header.push('\n');
        let mut content = b"\x93NUMPY\x01\x00".to_vec();
        content.extend((header.len() as u16).to_le_bytes());
        content.extend(header.as_bytes());
        content.extend(numbers);

        let mut crc = Crc::new();
        crc.update(&content);
        let size = u32::try_from(content.len()).ok().filter(|size| *size < u32::MAX).ok_or_else(too_large)?;
        let offset = u32::try_from(file.len()).ok().filter(|offset| *offset < u32::MAX).ok_or_else(too_large)?;
        let name = format!("{name}.npy");
        // Version 2.0 to unpack, names in UTF-8, stored, the first day that the format knows (1980-01-01).
        let mut common = Vec::new();
        for word in [20u16, 0x0800, 0, 0, 0x0021] {
            common.extend(word.to_le_bytes());
        }
        for word in [crc.sum(), size, size] {
            common.extend(word.to_le_bytes());
        }
        common.extend(u16::try_from(name.len()).map_err(|_| format!("the name `{name}`"))?.to_le_bytes());
        common.extend([0, 0]);

        file.extend(LOCAL);
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(&content);
        directory.extend(CENTRAL);
        directory.extend([20, 0]);
        directory.extend(&common);
        // No comment, on the first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        count = count.checked_add(1).filter(|count| *count < u16::MAX).ok_or_else(too_large)?;
    }
    let offset = u32::try_from(file.len()).ok().filter(|offset| *offset < u32::MAX).ok_or_else(too_large)?;
    let size = u32::try_from(directory.len()).map_err(|_| too_large())?;
    file.extend(directory);
    file.extend(END);
    file.extend([0; 4]);
    file.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    file.extend([size.to_le_bytes(), offset.to_le_bytes()].concat());
    file.extend([0; 2]);
    Ok(file)
}
