//! Event files that TensorBoard shows: scalars of each epoch, written as training goes on.
//!
//! A file is a sequence of TFRecords (a length, its checksum, the bytes, their checksum), each of an `Event` message in
//! the wire format of protocol buffers. Of its fields only these are written, by their numbers in
//! `tensorflow/core/util/event.proto` and `tensorflow/core/framework/summary.proto`:
//!
//! ```text
//! Event    1 wall_time: double   2 step: int64   3 file_version: string   5 summary: Summary
//! Summary  1 value: Value, repeated
//! Value    1 tag: string         2 simple_value: float
//! ```

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::Write;
use std::path::{Path, PathBuf};

use nngpu::error::{Error, Result};
use nngpu::metrics::Measure;

use super::history::EpochValues;

/// The event files of a training: a folder for the training rows and one for the validation rows, below one for each
/// member where there are several.
///
/// What was written is whole after every epoch: a training that is stopped leaves what it had reached.
#[derive(Debug)]
pub struct Board {
    members: Vec<Member>,
    metric: Option<Measure>,
}

#[derive(Debug)]
struct Member {
    training: EventFile,
    validation: Option<EventFile>,
}

impl Board {
    /// Makes the files below `folder`, for one member for each of `seeds`. `wall_time` is the time in seconds since 1970,
    /// which stands in the files' names.
    ///
    /// # Errors
    ///
    /// A folder or file cannot be made; a file of the same second is there.
    pub fn create(
        folder: &Path,
        seeds: &[u64],
        has_validation: bool,
        metric: Option<Measure>,
        wall_time: f64,
    ) -> Result<Board> {
        let member = |seed: &u64| {
            let folder = if seeds.len() > 1 { folder.join(format!("seed-{seed}")) } else { folder.to_owned() };
            let validation = has_validation.then(|| EventFile::create(&folder.join("validation"), wall_time));
            Ok(Member {
                training: EventFile::create(&folder.join("train"), wall_time)?,
                validation: validation.transpose()?,
            })
        };
        Ok(Board { members: seeds.iter().map(member).collect::<Result<_>>()?, metric })
    }

    /// Adds what a member reached in an epoch, counted from 1.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    ///
    /// # Panics
    ///
    /// There is no such member.
    pub fn epoch(&mut self, member: usize, epoch: usize, values: &EpochValues, wall_time: f64) -> Result<()> {
        let member = &mut self.members[member];
        let rate = values.learning_rate.map(|rate| ("learning_rate", rate));
        let training: Vec<(&str, f64)> = [("loss", values.loss)].into_iter().chain(rate).collect();
        member.training.scalars(epoch, &training, wall_time)?;
        let loss = values.validation_loss.map(|loss| ("loss", loss));
        let metric = self.metric.zip(values.metric).map(|(measure, value)| (measure.name(), value));
        let validation: Vec<(&str, f64)> = loss.into_iter().chain(metric).collect();
        match &mut member.validation {
            Some(file) if !validation.is_empty() => file.scalars(epoch, &validation, wall_time),
            _ => Ok(()),
        }
    }
}

/// One event file.
#[derive(Debug)]
struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    fn create(folder: &Path, wall_time: f64) -> Result<EventFile> {
        // TensorBoard reads files by this beginning, in the order of their names.
        let path = folder.join(format!("events.out.tfevents.{:010}.nngpu", wall_time as u64));
        let file = create_dir_all(folder).and_then(|()| OpenOptions::new().write(true).create_new(true).open(&path));
        let file = file.map_err(|source| Error::WriteFile { path: path.clone(), source })?;
        let mut events = EventFile { path, file };
        let mut event = Vec::new();
        double(&mut event, 1, wall_time);
        bytes(&mut event, 3, b"brain.Event:2");
        events.write(&event)?;
        Ok(events)
    }

    fn scalars(&mut self, step: usize, scalars: &[(&str, f64)], wall_time: f64) -> Result<()> {
        let mut summary = Vec::new();
        for (tag, scalar) in scalars {
            let mut value = Vec::new();
            bytes(&mut value, 1, tag.as_bytes());
            float(&mut value, 2, *scalar as f32);
            bytes(&mut summary, 1, &value);
        }
        let mut event = Vec::new();
        double(&mut event, 1, wall_time);
        key(&mut event, 2, VARINT);
        varint(&mut event, step as u64);
        bytes(&mut event, 5, &summary);
        self.write(&event)
    }

    /// One record, in one call, so that a reader never sees a part of it for long.
    fn write(&mut self, event: &[u8]) -> Result<()> {
        let written = self.file.write_all(&record(event));
        written.map_err(|source| Error::WriteFile { path: self.path.clone(), source })
    }
}

/// A TFRecord of `data`.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), data, &masked(data).to_le_bytes()].concat()
}

/// The checksum of TFRecords: CRC-32C, turned and shifted so that data which hold checksums do not confuse it.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

// How a field's value is laid out.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const LENGTH_FIRST: u64 = 2;
const FOUR_BYTES: u64 = 5;

fn key(message: &mut Vec<u8>, field: u64, layout: u64) {
    varint(message, field << 3 | layout);
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn bytes(message: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(message, field, LENGTH_FIRST);
    varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

fn double(message: &mut Vec<u8>, field: u64, value: f64) {
    key(message, field, EIGHT_BYTES);
    message.extend_from_slice(&value.to_le_bytes());
}

fn float(message: &mut Vec<u8>, field: u64, value: f32) {
    key(message, field, FOUR_BYTES);
    message.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a message: number, and the bytes of the value.
    fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        fn number(message: &mut &[u8]) -> u64 {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let (first, rest) = message.split_first().expect("a byte");
                *message = rest;
                value |= u64::from(first & 0x7f) << shift;
                if first & 0x80 == 0 {
                    break;
                }
            }
            value
        }
        let mut fields = Vec::new();
        while !message.is_empty() {
            let key = number(&mut message);
            let length = match key & 7 {
                0 => {
                    fields.push((key >> 3, number(&mut message).to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                2 => number(&mut message) as usize,
                5 => 4,
                layout => panic!("layout {layout}"),
            };
            let (value, rest) = message.split_at(length);
            fields.push((key >> 3, value.to_vec()));
            message = rest;
        }
        fields
    }

    /// The events of a file, with every checksum checked against a plain CRC-32C, bit by bit.
    fn events(mut file: &[u8]) -> Vec<Vec<(u64, Vec<u8>)>> {
        fn checksum(data: &[u8]) -> u32 {
            let mut crc = !0u32;
            for byte in data {
                crc ^= u32::from(*byte);
                for _ in 0..8 {
                    crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
                }
            }
            let crc = !crc;
            crc.rotate_right(15).wrapping_add(0xa282_ead8)
        }
        let mut events = Vec::new();
        while !file.is_empty() {
            let (length, rest) = file.split_at(8);
            let (length_sum, rest) = rest.split_at(4);
            let (data, rest) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
            let (data_sum, rest) = rest.split_at(4);
            assert_eq!(length_sum, checksum(length).to_le_bytes());
            assert_eq!(data_sum, checksum(data).to_le_bytes());
            events.push(fields(data));
            file = rest;
        }
        events
    }

    /// Step, tag and value of every scalar of the one file in a folder.
    fn scalars(folder: &Path) -> Vec<(u64, String, f32)> {
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(files[0].file_name().unwrap(), "events.out.tfevents.1700000000.nngpu");
        let events = events(&std::fs::read(&files[0]).unwrap());
        assert_eq!(events[0][1], (3, b"brain.Event:2".to_vec()));
        let mut all = Vec::new();
        for event in &events[1..] {
            assert_eq!(event[0], (1, 1_700_000_001.5f64.to_le_bytes().to_vec()));
            let step = u64::from_le_bytes(event[1].1.clone().try_into().unwrap());
            assert_eq!((event[1].0, event[2].0), (2, 5));
            for (field, value) in fields(&event[2].1) {
                assert_eq!(field, 1);
                let [(1, tag), (2, scalar)] = &fields(&value)[..] else { panic!("a tag and a value") };
                let scalar = f32::from_le_bytes(scalar.clone().try_into().unwrap());
                all.push((step, String::from_utf8(tag.clone()).unwrap(), scalar));
            }
        }
        all
    }

    fn values(i: f64) -> EpochValues {
        EpochValues { loss: i, validation_loss: Some(i + 0.5), metric: Some(-i), learning_rate: Some(0.125) }
    }

    #[test]
    fn checksum_is_the_published_one() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    /// `NNGPU_EVENTS=folder cargo test --bin nngpu tensorboard` leaves the files there for `tensorboard --logdir`.
    #[test]
    fn scalars_are_read_back() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = std::env::var_os("NNGPU_EVENTS").map_or(temporary.path().to_owned(), PathBuf::from);
        let mut board = Board::create(&folder, &[7], true, Some(Measure::R2), 1.7e9).unwrap();
        // A step of more than seven bits takes two bytes.
        for epoch in [1, 2, 300] {
            board.epoch(0, epoch, &values(epoch as f64), 1_700_000_001.5).unwrap();
        }
        let train = scalars(&folder.join("train"));
        assert_eq!(train.len(), 6);
        assert_eq!(train[..2], [(1, "loss".into(), 1.0), (1, "learning_rate".into(), 0.125)]);
        let validation = scalars(&folder.join("validation"));
        assert_eq!(validation[4..], [(300, "loss".into(), 300.5), (300, "r2".into(), -300.0)]);
    }

    #[test]
    fn members_have_folders_of_their_own_and_no_file_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let create = || Board::create(folder.path(), &[3, 4], false, None, 1.7e9);
        let mut board = create().unwrap();
        board.epoch(1, 1, &values(2.0), 1_700_000_001.5).unwrap();
        assert!(scalars(&folder.path().join("seed-3/train")).is_empty());
        assert_eq!(scalars(&folder.path().join("seed-4/train")).len(), 2);
        assert!(!folder.path().join("seed-4/validation").exists());
        assert!(create().unwrap_err().to_string().ends_with("cannot be written"));
    }
}
