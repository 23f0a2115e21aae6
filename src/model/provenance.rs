//! Where a model comes from.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Where a model comes from, as far as it was told.
///
/// Nothing in it changes from run to run unless its maker puts it there: the same training gives the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// The version of nngpu that made it; empty in models older than this field.
    pub nngpu: String,
    /// The day on which it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What it learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataFile>,
    /// The seed of its training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The device that it was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The options of its training.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub options: Value,
    /// How well it predicts.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub metrics: Value,
}

/// A file that a model learned from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its name, without folders.
    pub name: String,
    /// SHA-256 of its bytes, as `sha256sum` prints it: 64 digits. Nothing where the bytes came through a pipe.
    pub sha256: Option<String>,
    /// Its rows.
    pub n_rows: usize,
}

impl Provenance {
    /// Made by this version of nngpu; nothing else is told.
    pub fn here() -> Provenance {
        Provenance { nngpu: env!("CARGO_PKG_VERSION").into(), ..Provenance::default() }
    }
}

impl DataFile {
    /// The file at `path` of `n_rows` rows. What is no regular file, such as a pipe or `-`, is not read again.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub fn of(path: &Path, n_rows: usize) -> Result<DataFile> {
        let name = path.file_name().map_or("-".into(), |name| name.to_string_lossy().into_owned());
        let sha256 = if path.is_file() && path != Path::new("-") { Some(sha256(path)?) } else { None };
        Ok(DataFile { name, sha256, n_rows })
    }
}

fn sha256(path: &Path) -> Result<String> {
    let failed = |source| Error::unreadable(path, source);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let (mut hash, mut block) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut block).map_err(failed)? {
            0 => break,
            n => hash.update(&block[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_of_a_file_is_that_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc.csv");
        std::fs::write(&path, "abc").unwrap();
        // The example of FIPS 180-2, appendix B.1.
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let expected = DataFile { name: "abc.csv".into(), sha256: Some(sum.into()), n_rows: 3 };
        assert_eq!(DataFile::of(&path, 3).unwrap(), expected);
        // Longer than one block: `head -c 100000 /dev/zero | sha256sum`.
        std::fs::write(&path, vec![0; 100_000]).unwrap();
        let sum = "9192c25b734fcbadbe32dadc28089c60db0e39f90cc20ce2e5733f57261acc0c";
        assert_eq!(DataFile::of(&path, 1).unwrap().sha256.as_deref(), Some(sum));
    }

    #[test]
    fn what_is_no_file_has_no_sum() {
        let expected = DataFile { name: "-".into(), sha256: None, n_rows: 7 };
        assert_eq!(DataFile::of(Path::new("-"), 7).unwrap(), expected);
    }
}
