//! Random bytes are refused by every reader, never with a panic.

use std::io::Cursor;
use std::path::Path;

use super::source::tests::gzip;
use super::source::tests::zstd;
use super::{Format, ReadOptions, Table, Targets, Task, idx, source::Source};
use crate::Error;
use crate::error::Place;

const ROUNDS: u64 = 20_000;

/// SplitMix64 (Steele, Lea, Flood 2014): enough for tests, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Up to 60 bytes out of `alphabet`.
    fn bytes(&mut self, alphabet: &[u8]) -> Vec<u8> {
        (0..self.below(60)).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    /// `bytes` with some of them changed, and cut short half the time.
    fn spoil(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..self.below(4) {
            let index = self.below(bytes.len());
            bytes[index] = self.next() as u8;
        }
        if self.below(2) == 0 {
            bytes.truncate(self.below(bytes.len() + 1));
        }
        bytes
    }
}

/// Gives `bytes` to every reader; true where one of them took the bytes.
fn read(bytes: &[u8]) -> bool {
    let source = || Source::new(Path::new("random"), Cursor::new(bytes.to_vec()));
    let table = Table::from_bytes("random", bytes.to_vec(), &ReadOptions::default());
    if let Ok(table) = &table {
        for name in &table.names() {
            assert!((0..table.n_rows()).all(|row| !matches!(table.place(row), Place::Line(0) | Place::Row(0))));
            let _ = table.features(Some(name), &[]).map_err(|error| error.to_string());
            for task in [None, Some(Task::Regression), Some(Task::Classification)] {
                let _ = Targets::from_table(table, name, task).map_err(|error| error.to_string());
            }
        }
    }
    let _ = table.as_ref().map_err(Error::to_string);
    let images = source().and_then(idx::images_from);
    let labels = source().and_then(idx::labels_from);
    table.is_ok() || images.is_ok() || labels.is_ok()
}

fn check(seed: u64, mut bytes: impl FnMut(&mut Random) -> Vec<u8>) {
    let mut random = Random(seed);
    let n_taken = (0..ROUNDS).filter(|_| read(&bytes(&mut random))).count();
    // Bytes that are all refused for one reason would test that reason alone.
    assert!(0 < n_taken && (n_taken as u64) < ROUNDS, "{n_taken} of {ROUNDS} taken");
}

#[test]
fn random_tables_never_panic() {
    check(1, |random| random.bytes(b"ab1.,,,\"\r\n\n; -e"));
    check(2, |random| [b"a,b\n".to_vec(), random.bytes(b"12,,,\n\n\"\r \xc3\xa4")].concat());
    check(3, |random| random.spoil(b"\xef\xbb\xbfa,b\r\n1,x\r\n2,\"y\r\n\"\r\n\r\n3,x".to_vec()));
}

#[test]
fn random_images_and_labels_never_panic() {
    check(4, |random| random.spoil(b"\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03abcdef".to_vec()));
    check(5, |random| random.spoil(b"\0\0\x08\x01\0\0\0\x06abcdef".to_vec()));
}

#[test]
fn random_gzip_never_panics() {
    check(6, |random| random.spoil(gzip(b"a,b\n1,x\n2,y\n3,x\n")));
    check(7, |random| random.spoil(gzip(b"\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03abcdef")));
}

#[test]
fn random_zstd_never_panics() {
    check(9, |random| random.spoil(zstd(b"a,b\n1,x\n2,y\n3,x\n")));
}

#[test]
fn random_json_lines_never_panic() {
    check(10, |random| random.spoil(b"{\"a\": 1, \"b\": \"x\"}\n{\"b\": null}\n".to_vec()));
    check(11, |random| [b"{\"a\":1}\n{\"a\":".to_vec(), random.bytes(b"12,}}\"\\{[]\n:ae-u0"), b"}".to_vec()].concat());
}

#[test]
fn random_arrays_never_panic() {
    let golden = |name: &str| std::fs::read(format!("tests/golden/tables/{name}")).unwrap();
    let files = [
        golden("f4.npy"),
        golden("f8_big_by_columns.npy"),
        golden("i2_one.npy"),
        golden("arrays.npz"),
        golden("packed.npz"),
    ];
    check(12, |random| {
        let file = files[random.below(files.len())].clone();
        random.spoil(file)
    });
}

#[cfg(feature = "parquet")]
#[test]
fn random_parquet_never_panics() {
    let golden = |name: &str| std::fs::read(format!("tests/golden/tables/{name}.parquet")).unwrap();
    let files = ["types", "old", "zstd", "snappy", "delta"].map(golden);
    let mut random = Random(13);
    // These are slower than the others, and so are fewer.
    let taken = (0..ROUNDS / 20).filter(|_| {
        let file = files[random.below(files.len())].clone();
        read(&random.spoil(file))
    });
    let n_taken = taken.count() as u64;
    assert!(0 < n_taken && n_taken < ROUNDS / 20, "{n_taken} taken");
}

#[test]
fn random_options_never_panic() {
    let mut random = Random(14);
    for _ in 0..ROUNDS {
        let any = |random: &mut Random| [None, Some(false), Some(true)][random.below(3)];
        let encodings = [None, Some("latin1"), Some("utf-16le"), Some("shift_jis"), Some("none")];
        let options = ReadOptions {
            format: [None, Some(Format::Csv), Some(Format::Tsv), Some(Format::JsonLines), Some(Format::Npy)]
                [random.below(5)],
            delimiter: [None, Some(b';'), Some(b'1'), Some(b'\n'), Some(0), Some(200)][random.below(6)],
            has_header: any(&mut random),
            encoding: encodings[random.below(5)].map(str::to_owned),
            missing: vec!["1".into(), "x".into()],
            decimal_comma: any(&mut random),
            verbatim: vec!["a".into()],
        };
        let bytes = random.bytes(b"a1;,\t\r\n\"\xff\xfe\0|");
        let _ = Table::from_bytes("random", bytes, &options).map_err(|error| error.to_string());
    }
}

#[test]
fn any_bytes_never_panic() {
    let any: Vec<u8> = (0..=255).collect();
    let mut random = Random(8);
    for _ in 0..ROUNDS {
        read(&random.bytes(&any));
    }
}
