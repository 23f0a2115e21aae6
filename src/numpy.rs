//! NumPy's files of arrays: `npy` is a header and the numbers, `npz` a zip file of such files, stored or deflated.
//!
//! Sources: PKWARE's APPNOTE.TXT, sections 4.3 to 4.5; NumPy's `numpy.lib.format`.
//!
//! Weights and tables are both read from them, so that this is below both.

use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

/// What begins a file within a zip file.
pub(crate) const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// What begins its entry in the directory.
pub(crate) const CENTRAL: [u8; 4] = *b"PK\x01\x02";
/// What begins the end of the directory.
pub(crate) const END: [u8; 4] = *b"PK\x05\x06";
const LOCAL_SIZE: usize = 30;
const CENTRAL_SIZE: usize = 46;
const END_SIZE: usize = 22;

/// What begins an `npy` file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header of an array that is read, in bytes; NumPy itself reads no more than 10,000.
const MAX_HEADER: usize = 65_536;

/// A file within the zip file.
pub(crate) struct Member<'a> {
    /// Its bytes as they are in the zip file.
    packed: &'a [u8],
    is_deflated: bool,
    /// The number and the check sum of its own bytes.
    size: usize,
    crc: u32,
    /// The bytes before those of the numbers.
    header: usize,
}

/// What stands before the numbers of an array.
pub(crate) struct Header {
    /// The type of the elements, such as `<f4`; for structures what describes them.
    pub element: String,
    pub shape: Vec<usize>,
    /// Whether the numbers lie column by column, as NumPy stores a transposed array.
    pub is_column_major: bool,
    /// The bytes before those of the numbers.
    pub size: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The files within the zip file, out of the directory at its end.
///
/// # Errors
///
/// What is wrong with the file; where it is too large, that it should be in `other_format`.
pub(crate) fn members<'a>(bytes: &'a [u8], other_format: &str) -> Result<Vec<(String, Member<'a>)>, String> {
    let cut = || "expected a whole npz file; it is cut short or damaged, copy or save it again".to_string();
    let part = |from: usize, size: usize| bytes.get(from..from.checked_add(size)?);
    // A comment of up to 65535 bytes may follow the end record; the last one counts.
    let last = bytes.len().checked_sub(END_SIZE).ok_or_else(cut)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let end = (first..=last).rev().find(|&at| bytes[at..].starts_with(&END)).ok_or_else(cut)?;
    let (count, mut at) = (u16_at(bytes, end + 10), u32_at(bytes, end + 16) as usize);
    if count == usize::from(u16::MAX) || at == u32::MAX as usize {
        return Err(format!("found an npz file of 4 GiB or more; {other_format}"));
    }
    let mut members = Vec::new();
    for _ in 0..count {
        let entry = part(at, CENTRAL_SIZE).filter(|entry| entry.starts_with(&CENTRAL)).ok_or_else(cut)?;
        let name = part(at + CENTRAL_SIZE, u16_at(entry, 28)).ok_or_else(cut)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| cut())?;
        let (packed_size, size) = (u32_at(entry, 20), u32_at(entry, 24));
        let local_at = u32_at(entry, 42) as usize;
        let shown = name.escape_debug();
        if [packed_size, size, local_at as u32].contains(&u32::MAX) {
            return Err(format!("found `{shown}` of 4 GiB or more; {other_format}"));
        }
        let is_deflated = match (u16_at(entry, 8) & 1, u16_at(entry, 10)) {
            (0, 0) => false,
            (0, 8) => true,
            (0, method) => return Err(format!("`{shown}` is packed by method {method}, expected none or deflate")),
            _ => return Err(format!("`{shown}` is encrypted, expected plain arrays")),
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
///
/// # Errors
///
/// It is none.
pub(crate) fn read_header(mut reader: impl Read) -> Result<Header, String> {
    let damaged = || "is damaged, expected an array of NumPy; save it again".to_string();
    let mut magic = [0; 8];
    reader.read_exact(&mut magic).map_err(|_| damaged())?;
    if !magic.starts_with(MAGIC) {
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
    let header = dictionary(&text).ok_or_else(damaged)?;

    let element = match &header["descr"] {
        serde_json::Value::String(element) => element.clone(),
        other => other.to_string(),
    };
    let size = |value: &serde_json::Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
    let shape: Option<Vec<usize>> = header["shape"].as_array().ok_or_else(damaged)?.iter().map(size).collect();
    let shape = shape.ok_or_else(damaged)?;
    let is_column_major = header["fortran_order"].as_bool().ok_or_else(damaged)?;
    Ok(Header { element, shape, is_column_major, size: magic.len() + length_size + length })
}

/// The header's dictionary. It is a literal of Python's, and JSON but for quotes, parentheses, the case
/// of true and false, and commas at the end.
fn dictionary(text: &[u8]) -> Option<serde_json::Value> {
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

    /// Reads the header of the array, which [`Member::read`] then leaves out.
    ///
    /// # Errors
    ///
    /// It is none.
    pub(crate) fn read_header(&mut self) -> Result<Header, String> {
        let header = read_header(self.unpacked())?;
        self.header = header.size;
        Ok(header)
    }

    /// The bytes after the header, `n` of them.
    ///
    /// # Errors
    ///
    /// Another number of bytes, another check sum.
    pub(crate) fn read(&self, n: usize) -> Result<Vec<u8>, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_several_lines_is_told_in_one() {
        let mut zip = CENTRAL.to_vec();
        zip.resize(CENTRAL_SIZE, 0);
        // Packed by method 58, with a name of 3 bytes.
        (zip[10], zip[28]) = (58, 3);
        zip.extend(b"a\nb");
        zip.extend(END);
        zip.resize(CENTRAL_SIZE + 3 + END_SIZE, 0);
        zip[CENTRAL_SIZE + 3 + 10] = 1;
        let problem = members(&zip, "").err().expect("a method that is none");
        assert_eq!(problem, r"`a\nb` is packed by method 58, expected none or deflate");
    }
}
