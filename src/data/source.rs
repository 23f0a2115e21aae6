//! A data file as a stream of bytes, decompressed where it is gzip or zstd.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::{Error, Result};

/// The first two bytes of every gzip file. No text in UTF-8 and no IDX file begins with them.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The first four bytes of every zstd frame (RFC 8878, section 3.1.1). No text in UTF-8 begins with them.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The bytes of a file, decompressed where its first bytes, not its name, say that it is gzip or zstd.
pub(super) struct Source {
    path: PathBuf,
    reader: Box<dyn Read + Send>,
    packing: Option<Packing>,
    is_regular_file: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    Gzip,
    Zstd,
}

impl Source {
    /// Opens the file at `path`, or standard input where that is `-`.
    ///
    /// # Errors
    ///
    /// There is no such file; it is a directory; it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path == Path::new(STANDARD_INPUT) {
            return Self::new(Path::new("standard input"), io::stdin());
        }
        let unopened = |source: io::Error| Error::unreadable(path, source);
        // Asked before opening: some systems open a directory and fail at the first read, others
        // report a lack of permission.
        let metadata = fs::metadata(path).map_err(unopened)?;
        if metadata.is_dir() {
            return Err(Error::IsDirectory { path: path.to_owned() });
        }
        let source = Self::new(path, File::open(path).map_err(unopened)?)?;
        Ok(Self { is_regular_file: metadata.is_file(), ..source })
    }

    /// Takes the bytes of `reader`; `path` is its name in errors.
    pub(super) fn new(path: &Path, reader: impl Read + Send + 'static) -> Result<Self> {
        let mut source =
            Self { path: path.to_owned(), reader: Box::new(reader), packing: None, is_regular_file: false };
        let head = source.peek(ZSTD_MAGIC.len())?;
        let packing = match () {
            () if head.starts_with(&GZIP_MAGIC) => Some(Packing::Gzip),
            () if is_zstd(&head) => Some(Packing::Zstd),
            () => None,
        };
        Ok(match packing {
            Some(Packing::Gzip) => Self { reader: Box::new(MultiGzDecoder::new(source.reader)), packing, ..source },
            Some(Packing::Zstd) => Self { reader: Box::new(Zstd::new(source.reader)), packing, ..source },
            None => source,
        })
    }

    /// The name of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file may be opened again by its name and has the same bytes, at any place.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "Parquet files alone are read out of order"))]
    pub(super) fn is_plain_file(&self) -> bool {
        self.is_regular_file && self.packing.is_none()
    }

    /// The first `n_bytes` of what is left, or fewer where fewer are left. They are left.
    pub(super) fn peek(&mut self, n_bytes: usize) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let read = (&mut self.reader).take(n_bytes as u64).read_to_end(&mut head);
        read.map_err(|source| self.failed(source))?;
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(Cursor::new(head.clone()).chain(rest));
        Ok(head)
    }

    /// Everything that is left.
    pub(super) fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.reader.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Fills `buffer` as far as the data goes, and returns how far that is.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n_bytes) => filled += n_bytes,
                Err(source) if source.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed(source)),
            }
        }
        Ok(filled)
    }

    fn failed(&self, source: io::Error) -> Error {
        let path = self.path.clone();
        // The decoders report bad contents in these ways; a disk or a network does not.
        match (self.packing, source.kind()) {
            (Some(Packing::Gzip), ErrorKind::InvalidInput | ErrorKind::UnexpectedEof) => {
                Error::DamagedGzip { path, source }
            }
            (Some(Packing::Zstd), ErrorKind::InvalidData) => Error::DamagedZstd { path, source },
            _ => Error::Unreadable { path, source },
        }
    }
}

/// Whether a zstd frame begins with `head`, be it one to skip, with which parallel compressors begin.
fn is_zstd(head: &[u8]) -> bool {
    head == ZSTD_MAGIC || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// The frames of a zstd stream, decompressed and joined.
///
/// The decoder takes one frame and leaves others, frames to skip and the check sum to its caller.
struct Zstd<R> {
    source: BufReader<R>,
    frame: FrameDecoder,
}

impl<R: Read> Zstd<R> {
    fn new(reader: R) -> Self {
        Self { source: BufReader::new(reader), frame: FrameDecoder::new() }
    }

    /// Goes to the next frame that holds data; false after the last.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.frame.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let n_bytes = u64::from(length);
                    let n_skipped = io::copy(&mut (&mut self.source).take(n_bytes), &mut io::sink())?;
                    if n_skipped < n_bytes {
                        return Err(ErrorKind::InvalidData.into());
                    }
                }
                Err(error) => return Err(damaged(error)),
            }
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.frame.can_collect() == 0 {
            if !self.frame.is_finished() {
                let decoded = self.frame.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1));
                decoded.map_err(damaged)?;
            } else {
                let written = self.frame.get_checksum_from_data();
                if written.is_some() && written != self.frame.get_calculated_checksum() {
                    return Err(io::Error::new(ErrorKind::InvalidData, "the check sum of a zstd frame is wrong"));
                }
                if !self.next_frame()? {
                    return Ok(0);
                }
            }
        }
        self.frame.read(buffer)
    }
}

/// What the decoder says, unless it is only that its own source failed.
fn damaged(error: FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<io::Error>()
            && failure.kind() != ErrorKind::UnexpectedEof
        {
            return failure.kind().into();
        }
        cause = error.source();
    }
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
pub(super) mod tests {
    use std::error::Error as _;
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// The gzip form of `bytes`.
    pub(in crate::data) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// The zstd form of `bytes`.
    pub(in crate::data) fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn read(bytes: Vec<u8>) -> Result<Vec<u8>> {
        Source::new(Path::new("data"), Cursor::new(bytes))?.read_to_end()
    }

    #[test]
    fn short_and_empty_files_are_read() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"\x1f", b"\x1f\x1f\x8b"] {
            assert_eq!(read(bytes.to_vec()).unwrap(), bytes);
        }
    }

    #[test]
    fn gzip_is_decompressed_whatever_the_name() {
        assert_eq!(read(gzip(b"a,b\n1,2\n")).unwrap(), b"a,b\n1,2\n");
    }

    #[test]
    fn members_of_a_gzip_file_are_joined() {
        assert_eq!(read([gzip(b"one "), gzip(b"two")].concat()).unwrap(), b"one two");
    }

    #[test]
    fn fill_stops_at_the_end_only() {
        /// Gives two bytes at most at a time, as a pipe may.
        struct Trickling(Cursor<Vec<u8>>);
        impl Read for Trickling {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n_bytes = buffer.len().min(2);
                self.0.read(&mut buffer[..n_bytes])
            }
        }
        for bytes in [b"abcdefg".to_vec(), gzip(b"abcdefg")] {
            let mut source = Source::new(Path::new("data"), Trickling(Cursor::new(bytes))).unwrap();
            let mut buffer = [0; 5];
            assert_eq!((source.fill(&mut buffer).unwrap(), &buffer), (5, b"abcde"));
            assert_eq!(source.fill(&mut buffer).unwrap(), 2);
            assert_eq!(&buffer[..2], b"fg");
            assert_eq!(source.fill(&mut buffer).unwrap(), 0);
        }
    }

    #[test]
    fn damaged_gzip_is_refused() {
        let whole = gzip(&b"0123456789".repeat(99));
        let mut flipped = whole.clone();
        let checksum = whole.len() - 8;
        flipped[checksum] ^= 1;
        let mut wrong_method = whole.clone();
        wrong_method[2] = 9;
        for bytes in [whole[..whole.len() - 1].to_vec(), whole[..2].to_vec(), flipped, wrong_method] {
            let error = read(bytes).unwrap_err();
            assert!(matches!(error, Error::DamagedGzip { .. }), "{error:?}");
            assert_eq!(
                error.to_string(),
                "data: the gzip data is damaged or cut short; copy or download the file again"
            );
            assert!(error.source().is_some());
        }
    }

    /// What zstd 1.5 writes with `printf 0123456789 | zstd -c`, with a check sum.
    const FRAME: &[u8] = b"\x28\xb5\x2f\xfd\x04\x58\x51\x00\x000123456789\xe7\x67\x18\xa8";
    /// A frame to skip, with three bytes in it.
    const SKIPPED: &[u8] = b"\x52\x2a\x4d\x18\x03\0\0\0abc";

    #[test]
    fn zstd_is_decompressed_whatever_the_name() {
        assert_eq!(read(zstd(b"a,b\n1,2\n")).unwrap(), b"a,b\n1,2\n");
        let long = b"0123456789".repeat(99_999);
        assert_eq!(read(zstd(&long)).unwrap(), long);
        assert_eq!(read(zstd(b"")).unwrap(), b"");
        assert_eq!(read(FRAME.to_vec()).unwrap(), b"0123456789");
    }

    #[test]
    fn frames_of_a_zstd_file_are_joined() {
        let frames = [SKIPPED, &zstd(b"one "), SKIPPED, &zstd(b""), &zstd(b"two "), FRAME, SKIPPED].concat();
        assert_eq!(read(frames).unwrap(), b"one two 0123456789");
    }

    #[test]
    fn damaged_zstd_is_refused() {
        let mut flipped = FRAME.to_vec();
        flipped[12] ^= 1;
        let mut wrong_sum = FRAME.to_vec();
        wrong_sum[20] ^= 1;
        let no_frame = [FRAME, b"more"].concat();
        let cut_skip = SKIPPED[..10].to_vec();
        for bytes in [FRAME[..FRAME.len() - 1].to_vec(), FRAME[..4].to_vec(), flipped, wrong_sum, no_frame, cut_skip] {
            let error = read(bytes).unwrap_err();
            assert!(matches!(error, Error::DamagedZstd { .. }), "{error:?}");
            assert_eq!(
                error.to_string(),
                "data: the zstd data is damaged, cut short, or packed with a dictionary or a window above 128 MiB; copy or download the file again, or unpack it with `zstd -d --long=31`"
            );
            assert!(error.source().is_some());
        }
    }

    #[test]
    fn failure_of_the_disk_is_no_damage() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(ErrorKind::TimedOut.into())
            }
        }
        for head in [&FRAME[..12], &gzip(b"0123456789")[..12], b"a,b"] {
            let reader = Cursor::new(head.to_vec()).chain(Failing);
            let error = Source::new(Path::new("data"), reader).and_then(|mut source| source.read_to_end()).unwrap_err();
            assert_eq!(error.to_string(), "data: the file cannot be read; check the name and the disk");
            assert_eq!(error.source().unwrap().to_string(), "timed out");
        }
    }

    #[test]
    fn missing_file_is_refused() {
        let error = Source::open(Path::new("no/such.csv")).err().unwrap();
        assert_eq!(error.to_string(), "no/such.csv: no such file; check the name and the directory");
    }

    #[test]
    fn directory_is_refused() {
        let error = Source::open(Path::new("src")).err().unwrap();
        assert_eq!(error.to_string(), "src: found a directory, expected a file; name a file in it");
    }

    #[test]
    fn failing_reader_is_reported_with_its_cause() {
        struct Failing(usize, ErrorKind);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n_bytes = self.0.min(buffer.len());
                if n_bytes == 0 {
                    return Err(io::Error::from(self.1));
                }
                self.0 -= n_bytes;
                buffer[..n_bytes].fill(b'a');
                Ok(n_bytes)
            }
        }
        for (kind, cause, hint) in [
            (ErrorKind::PermissionDenied, "permission denied", "check its permissions"),
            (ErrorKind::InvalidInput, "invalid input parameter", "check the name and the disk"),
        ] {
            for before in [0, 1, 7] {
                let error = Source::new(Path::new("data"), Failing(before, kind))
                    .and_then(|mut source| source.read_to_end())
                    .unwrap_err();
                assert_eq!(error.to_string(), format!("data: the file cannot be read; {hint}"));
                assert_eq!(error.source().unwrap().to_string(), cause);
            }
        }
    }
}
