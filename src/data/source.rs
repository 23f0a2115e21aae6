//! A data file as a stream of bytes, decompressed where it is gzip.

use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::{Error, Result};

/// The first two bytes of every gzip file. No text in UTF-8 and no IDX file begins with them.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The bytes of a file, decompressed where its first bytes, not its name, say that it is gzip.
pub(super) struct Source {
    path: PathBuf,
    reader: Box<dyn Read>,
    is_gzip: bool,
}

impl Source {
    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// There is no such file; it is a directory; it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let unopened = |source: io::Error| Error::unreadable(path, source);
        // Asked before opening: some systems open a directory and fail at the first read, others
        // report a lack of permission.
        if fs::metadata(path).map_err(unopened)?.is_dir() {
            return Err(Error::IsDirectory { path: path.to_owned() });
        }
        Self::new(path, File::open(path).map_err(unopened)?)
    }

    /// Takes the bytes of `reader`; `path` is its name in errors.
    pub(super) fn new(path: &Path, mut reader: impl Read + 'static) -> Result<Self> {
        let mut head = Vec::new();
        (&mut reader)
            .take(GZIP_MAGIC.len() as u64)
            .read_to_end(&mut head)
            .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        let is_gzip = head == GZIP_MAGIC;
        let whole = Cursor::new(head).chain(reader);
        let reader: Box<dyn Read> = if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Self { path: path.to_owned(), reader, is_gzip })
    }

    /// The name of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
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
        match source.kind() {
            // The decoder reports bad contents in these ways; a disk or a network does not.
            ErrorKind::InvalidInput | ErrorKind::UnexpectedEof if self.is_gzip => Error::DamagedGzip { path, source },
            _ => Error::Unreadable { path, source },
        }
    }
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
