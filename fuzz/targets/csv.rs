//! CSV with options made of the first byte, whole and in parts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nngpu::data::{Format, ReadOptions};

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    // A space, with which the seeds begin, asks for nothing.
    let choice = choice ^ b' ';
    let of = |shift: u32, n: u8| choice >> shift & (n - 1);
    let options = ReadOptions {
        format: (of(0, 2) == 1).then_some(Format::Csv),
        delimiter: [None, Some(b';')][usize::from(of(1, 2))],
        has_header: [None, Some(false)][usize::from(of(2, 2))],
        encoding: [None, Some("latin1"), Some("utf-16le"), Some("gb18030")][usize::from(of(3, 4))].map(str::to_owned),
        missing: if of(5, 2) == 1 { vec!["1".into(), "x".into()] } else { Vec::new() },
        verbatim: if of(5, 2) == 1 { vec!["a".into()] } else { Vec::new() },
        decimal_comma: [None, Some(true), Some(false), None][usize::from(of(6, 4))],
    };
    nngpu_fuzz::read_in_parts(bytes, &options, 2);
});
