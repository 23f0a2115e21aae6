//! The text of a file: its bytes decoded, whatever their encoding.

use std::io::{self, Read};
use std::path::Path;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::super::source::Source;
use crate::{Error, Result};

/// Bytes that are read and decoded at once.
const BLOCK: usize = 16 << 10;

/// The text of a source as bytes in UTF-8, without a byte order mark and without zero bytes.
///
/// What it reads is checked, so that its readers need not. Their errors come back through [`unwrap`].
pub(super) struct Text {
    source: Source,
    decoder: Decoder,
    encoding: &'static Encoding,
    /// What is read and not yet decoded.
    raw: Vec<u8>,
    is_at_end: bool,
    /// What is decoded and not yet taken.
    text: Vec<u8>,
    taken: usize,
    /// How many lines have ended in what is decoded, and the last byte of it.
    line_ends: LineEnds,
    /// What is wrong behind what is decoded.
    failure: Option<Error>,
}

impl Text {
    /// Reads `source` in the encoding that its byte order mark tells, else in `encoding`, else in UTF-8.
    ///
    /// # Errors
    ///
    /// There is no such encoding; the source cannot be read.
    pub(super) fn new(mut source: Source, encoding: Option<&str>) -> Result<Self> {
        let named = encoding.map(|name| {
            let found = Encoding::for_label(name.trim().as_bytes());
            found.ok_or_else(|| Error::UnknownEncoding { name: name.to_owned() })
        });
        let named = named.transpose()?.unwrap_or(UTF_8);
        let (encoding, mark) = Encoding::for_bom(&source.peek(3)?).unwrap_or((named, 0));
        source.fill(&mut [0; 3][..mark])?;
        Ok(Self {
            source,
            decoder: encoding.new_decoder_without_bom_handling(),
            encoding,
            raw: Vec::new(),
            is_at_end: false,
            text: Vec::new(),
            taken: 0,
            line_ends: LineEnds::default(),
            failure: None,
        })
    }

    /// The name of the file.
    pub(super) fn path(&self) -> &Path {
        self.source.path()
    }

    /// The first bytes of the text, about `n_bytes` or all of it. They are left, and so is an error behind them.
    pub(super) fn peek(&mut self, n_bytes: usize) -> &[u8] {
        while self.text.len() - self.taken < n_bytes && self.decode() {}
        &self.text[self.taken..]
    }

    /// Decodes a further block; false where there is none.
    fn decode(&mut self) -> bool {
        if self.failure.is_some() || self.is_at_end {
            return false;
        }
        self.text.drain(..self.taken);
        self.taken = 0;
        if let Err(error) = self.decode_block() {
            self.failure = Some(error);
            return false;
        }
        true
    }

    fn decode_block(&mut self) -> Result<()> {
        let kept = self.raw.len();
        self.raw.resize(kept + BLOCK, 0);
        let n_bytes = self.source.fill(&mut self.raw[kept..])?;
        self.raw.truncate(kept + n_bytes);
        self.is_at_end = n_bytes < BLOCK;

        let start = self.text.len();
        let longest = self.decoder.max_utf8_buffer_length_without_replacement(self.raw.len());
        self.text.resize(start + longest.expect("a block far below the size of memory"), 0);
        let is_last = self.is_at_end;
        let (result, n_read, n_written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw, &mut self.text[start..], is_last);
        self.text.truncate(start + n_written);
        self.raw.drain(..n_read);

        // A zero byte is a character, but stands in no text: the file is binary, or in UTF-16 without a mark.
        let zero = self.text[start..].iter().position(|&byte| byte == 0);
        if let Some(zero) = zero {
            self.text.truncate(start + zero);
        }
        self.line_ends.count(&self.text[start..]);
        match result {
            DecoderResult::InputEmpty if zero.is_none() => Ok(()),
            DecoderResult::OutputFull => unreachable!("there is room for the longest text"),
            _ => Err(Error::NotText {
                path: self.path().to_owned(),
                line: 1 + self.line_ends.n_ends,
                encoding: self.encoding.name().to_owned(),
            }),
        }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() && self.decode() {}
        if self.taken == self.text.len()
            && let Some(failure) = self.failure.take()
        {
            return Err(io::Error::other(failure));
        }
        let left = &self.text[self.taken..];
        let n_bytes = left.len().min(buffer.len());
        buffer[..n_bytes].copy_from_slice(&left[..n_bytes]);
        self.taken += n_bytes;
        Ok(n_bytes)
    }
}

/// The error that reading a [`Text`] gave.
///
/// # Panics
///
/// It comes from elsewhere.
pub(super) fn unwrap(error: io::Error) -> Error {
    let inner = error.into_inner().and_then(|inner| inner.downcast::<Error>().ok());
    *inner.expect("a text fails with errors of this crate alone")
}

/// Counts the lines of a text given in pieces; `\n`, `\r\n` and `\r` end one each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LineEnds {
    pub(super) n_ends: usize,
    previous: u8,
}

impl LineEnds {
    pub(super) fn count(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.n_ends += usize::from(byte == b'\r' || byte == b'\n' && self.previous != b'\r');
            self.previous = byte;
        }
    }
}

/// Number of line ends in `bytes`.
pub(super) fn count_line_ends(bytes: &[u8]) -> usize {
    let mut ends = LineEnds::default();
    ends.count(bytes);
    ends.n_ends
}
