//! Files of NumPy's arrays: `npz` is a zip file of `npy` files, stored or deflated.
//!
//! Sources: PKWARE's APPNOTE.TXT, sections 4.3 to 4.5; NumPy's `numpy.lib.format`.

use std::collections::HashSet;
use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::stored::{Data, Element, Stored};

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const LOCAL_SIZE: usize = 30;
const CENTRAL_SIZE: usize = 46;
const END_SIZE: usize = 22;

/// The longest header of an array that is read, in bytes; NumPy itself reads no more than 10,000.
const MAX_HEADER: usize = 65_536;

/// A file within the zip file.
pub(super) struct Member<'a> {
    /// Its bytes as they are in the zip file.
    packed: &'a [u8],
    is_deflated: bool,
    /// The number and the check sum of its own bytes.
    size: usize,
    crc: u32,
    /// The bytes before those of the numbers.
    header: usize,
}

/// Reads the names, types and shapes of all arrays.
///
/// # Errors
///
/// What is wrong with the file.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Stored<'_>>, String> {
    let mut arrays: Vec<Stored> = Vec::new();
    let mut names = HashSet::new();
    for (name, member) in members(bytes)? {
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

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The files within the zip file, out of the directory at its end.
fn members(bytes: &[u8]) -> Result<Vec<(String, Member<'_>)>, String> {
    let cut = || "expected a whole npz file; it is cut short or damaged, copy or save it again".to_string();
    let part = |from: usize, size: usize| bytes.get(from..from.checked_add(size)?);
    // A comment of up to 65535 bytes may follow the end record; the last one counts.
    let last = bytes.len().checked_sub(END_SIZE).ok_or_else(cut)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let end = (first..=last).rev().find(|&at| bytes[at..].starts_with(&END)).ok_or_else(cut)?;
    let (count, mut at) = (u16_at(bytes, end + 10), u32_at(bytes, end + 16) as usize);
    if count == usize::from(u16::MAX) || at == u32::MAX as usize {
        return Err("found an npz file of 4 GiB or more; save safetensors".into());
    }
    let mut members = Vec::new();
    for _ in 0..count {
        let entry = part(at, CENTRAL_SIZE).filter(|entry| entry.starts_with(&CENTRAL)).ok_or_else(cut)?;
        let name = part(at + CENTRAL_SIZE, u16_at(entry, 28)).ok_or_else(cut)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| cut())?;
        let (packed_size, size) = (u32_at(entry, 20), u32_at(entry, 24));
        let local_at = u32_at(entry, 42) as usize;
        if [packed_size, size, local_at as u32].contains(&u32::MAX) {
            return Err(format!("found `{name}` of 4 GiB or more; save safetensors"));
        }
        let is_deflated = match (u16_at(entry, 8) & 1, u16_at(entry, 10)) {
            (0, 0) => false,
            (0, 8) => true,
            (0, method) => return Err(format!("`{name}` is packed by method {method}, expected none or deflate")),
            _ => return Err(format!("`{name}` is encrypted, expected plain arrays")),
        };
        // The local header repeats the name, with extra fields of its own.
        let local = part(local_at, LOCAL_SIZE).filter(|local| local.starts_with(&LOCAL)).ok_or_else(cut)?;
        let data_at = local_at + LOCAL_SIZE + u16_at(local, 26) + u16_at(local, 28);
        let packed = part(data_at, packed_size as usize).ok_or_else(cut)?;
        members.push((name, Member { packed, is_deflated, size: size as usize, crc: u32_at(entry, 16), header: 0 }));
        at += CENTRAL_SIZE + u16_at(entry, 28) + u16_at(entry, 30) + u16_at(entry, 32);
    }
    Ok(members)
}

/// Reads the header of an array, and leaves its numbers.
fn array<'a>(name: &str, mut member: Member<'a>) -> Result<Stored<'a>, String> {
    let damaged = || "is damaged, expected an array of NumPy; save it again".to_string();
    let mut reader = member.unpacked();
    let mut magic = [0; 8];
    reader.read_exact(&mut magic).map_err(|_| damaged())?;
    if !magic.starts_with(b"\x93NUMPY") {
        return Err(damaged());
    }
    // The length has two bytes in version 1, four in versions 2 and 3.
    let mut length = [0; 4];
    let length_size = if magic[6] == 1 { 2 } else { 4 };
    reader.read_exact(&mut length[..length_size]).map_err(|_| damaged())?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_HEADER {
        return Err(damaged());
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(|_| damaged())?;
    drop(reader);
    let header = header(&text).ok_or_else(damaged)?;
    member.header = magic.len() + length_size + length;

    let element = match &header["descr"] {
        serde_json::Value::String(descr) => {
            let is_big_endian = descr.starts_with('>');
            match descr.trim_start_matches(['<', '>']) {
                "f2" => Element::F16 { is_big_endian },
                "f4" => Element::F32 { is_big_endian },
                "f8" => Element::F64 { is_big_endian },
                _ => Element::Other(descr.clone()),
            }
        }
        other => Element::Other(other.to_string()),
    };
    let size = |value: &serde_json::Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
    let shape: Option<Vec<usize>> = header["shape"].as_array().ok_or_else(damaged)?.iter().map(size).collect();
    let shape = shape.ok_or_else(damaged)?;
    let is_column_major = header["fortran_order"].as_bool().ok_or_else(damaged)?;
    Ok(Stored { name: name.into(), element, shape, is_column_major, data: Data::Zipped(member) })
}

/// The header's dictionary. It is a literal of Python's, and JSON but for quotes, parentheses, the case
/// of true and false, and commas at the end.
fn header(text: &[u8]) -> Option<serde_json::Value> {
    let text = std::str::from_utf8(text).ok()?;
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let text = text.replace('\'', "\"").replace('(', "[").replace(')', "]");
    let text = text.replace("True", "true").replace("False", "false").replace(",]", "]").replace(",}", "}");
    serde_json::from_str(&text).ok().filter(serde_json::Value::is_object)
}

impl Member<'_> {
    fn unpacked(&self) -> Box<dyn Read + '_> {
        if self.is_deflated { Box::new(DeflateDecoder::new(self.packed)) } else { Box::new(self.packed) }
    }

    /// The bytes after the header, `n` of them.
    ///
    /// # Errors
    ///
    /// Another number of bytes, another check sum.
    pub fn read(&self, n: usize) -> Result<Vec<u8>, String> {
        let problem = |what: &str| format!("is damaged: {what}; copy or save it again");
        let size = self.header.saturating_add(n);
        if self.size != size {
            return Err(problem(&format!("found {} bytes, expected {size}", self.size)));
        }
        let mut bytes = Vec::new();
        // One byte more than expected is enough to see that there are too many.
        let read = self.unpacked().take(size as u64 + 1).read_to_end(&mut bytes);
        if read.is_err() || bytes.len() != size {
            return Err(problem("it cannot be unpacked to its size"));
        }
        let mut crc = Crc::new();
        crc.update(&bytes);
        if crc.sum() != self.crc {
            return Err(problem("its check sum is wrong"));
        }
        Ok(bytes.split_off(self.header))
    }
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
