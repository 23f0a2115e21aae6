use std::io::Write;

use super::super::source::tests::{gzip, zstd};
use super::super::table::{Column, Levels, Values};
use super::*;
use crate::error::Place;

fn read_as(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Table> {
    Table::from_bytes(name, bytes.to_vec(), options)
}

fn read(name: &str, bytes: &[u8]) -> Result<Table> {
    read_as(name, bytes, &ReadOptions::default())
}

#[track_caller]
fn check_error<T>(result: Result<T>, message: &str) {
    assert_eq!(result.err().expect("an error").to_string(), message);
}

/// All fields, row by row; missing ones are empty.
fn fields(table: &Table) -> Vec<Vec<String>> {
    let n_columns = table.columns().len();
    let row = |row| (0..n_columns).map(|column| table.field(row, column).unwrap_or_default().into_owned()).collect();
    (0..table.n_rows()).map(row).collect()
}

fn numbers(column: &Column) -> &[f64] {
    match column.values() {
        Values::Numbers(numbers) => numbers,
        Values::Text(_) => panic!("`{}` is text", column.name()),
    }
}

fn golden(name: &str) -> String {
    format!("tests/golden/tables/{name}")
}

fn golden_table(name: &str) -> Table {
    Table::read(golden(name), &ReadOptions::default()).unwrap()
}

#[track_caller]
fn check_column(table: &Table, name: &str, expected: [Option<f64>; 3]) {
    let found: Vec<_> = numbers(table.column(name).unwrap()).iter().map(|&n| (!n.is_nan()).then_some(n)).collect();
    assert_eq!(found, expected, "{name}");
}

#[track_caller]
fn check_text(table: &Table, name: &str, expected: [Option<&str>; 3]) {
    let column = table.column(name).unwrap();
    assert!(matches!(column.values(), Values::Text(_)), "{name}");
    let found = [0, 1, 2].map(|row| column.text(row).map(|text| text.into_owned()));
    assert_eq!(found, expected.map(|text| text.map(str::to_owned)), "{name}");
}

// Formats, packing and encodings.

#[test]
fn format_is_found_by_content_before_the_name() {
    let json = b"{\"a\": 1}\n";
    for name in ["t", "t.txt", "t.jsonl", "t.parquet", "t.json.gz"] {
        assert_eq!(fields(&read(name, json).unwrap()), [["1"]], "{name}");
    }
    for name in ["t", "t.txt", "t.csv", "t.npz", "t.parquet"] {
        assert_eq!(read(name, b"a,b\n1,2\n").unwrap().names(), ["a", "b"], "{name}");
    }
    assert_eq!(fields(&read("t.csv", json).unwrap()), [["1"]]);
    // A header of CSV may begin like an object, and one column of TSV hold commas.
    assert_eq!(read("t.csv", b"{a,b\n1,2\n").unwrap().names(), ["{a", "b"]);
    assert_eq!(read("t.tsv", b"a\n1\n").unwrap().names(), ["a"]);
    let npy = std::fs::read(golden("f4.npy")).unwrap();
    assert_eq!(read("t.csv", &npy).unwrap().names(), ["c1", "c2"]);
    assert_eq!(read("t.csv", &gzip(&npy)).unwrap().names(), ["c1", "c2"]);
}

#[test]
fn format_that_is_given_counts() {
    let format = |format| ReadOptions { format: Some(format), ..ReadOptions::default() };
    assert_eq!(read_as("t.jsonl", b"{a\n1\n", &format(Format::Csv)).unwrap().names(), ["{a"]);
    assert_eq!(read_as("t.csv", b"a,x\tb\n1,y\t3\n", &format(Format::Tsv)).unwrap().names(), ["a,x", "b"]);
    check_error(
        read_as("t.tsv", b"a,b\n1,2\n", &format(Format::Tsv)),
        "t.tsv, line 1: found one column, `a,b`, with commas in its name; is that what separates the fields? then give it as the delimiter",
    );
    check_error(
        read_as("t.csv", b"a,b\n1,2\n", &format(Format::JsonLines)),
        "t.csv, line 1: found something else (at character 1), expected a JSON object such as {\"a\": 1} on each line",
    );
    check_error(
        read_as("t.csv", b"a,b\n1,2\n", &format(Format::Npy)),
        "t.csv: the array is damaged, expected an array of NumPy; save it again",
    );
    check_error(
        read_as("t.csv", b"a,b\n1,2\n", &format(Format::Npz)),
        "t.csv: expected a whole npz file; it is cut short or damaged, copy or save it again",
    );
    #[cfg(feature = "parquet")]
    check_error(
        read_as("t.csv", b"a,b\n1,2\n", &format(Format::Parquet)),
        "t.csv: the Parquet data is damaged or cut short; copy or download the file again",
    );
}

#[test]
fn other_kinds_of_files_are_refused_with_advice() {
    for (bytes, found, advice) in [
        (
            &b"\0\0\x08\x03\0\0\0\x01"[..],
            "an IDX file of images or labels",
            "give the images as the data and the labels with `--labels`",
        ),
        (b"[{\"a\": 1}]", "a JSON array", "write each of its objects on a line of its own, as `jq -c '.[]'` does"),
        (b"[\n  {\"a\": 1}]", "a JSON array", "write each of its objects on a line of its own, as `jq -c '.[]'` does"),
        (b"ARROW1\0\0", "an Arrow or Feather file", "save it as Parquet"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "save the table as Parquet or CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old Excel workbook", "save the sheet as CSV"),
        (b"SQLite format 3\0", "an SQLite database", "write the table as CSV, with `.mode csv` of its shell"),
        (b"\xfd7zXZ\0\0", "a file packed by xz", "unpack it with `xz -d`"),
        (b"BZh91AY&SY\x01\x02\xff", "a file packed by bzip2", "unpack it with `bzip2 -d`"),
        (b"\x80\x04\x95\x01", "a pickle of Python's", "save the table as Parquet or CSV"),
        (b"PK\x03\x04012345678901234567890123456789xl/workbook.xml", "", ""),
    ] {
        // The name of the first file stands behind thirty bytes.
        let mut bytes = bytes.to_vec();
        let (mut found, mut advice) = (found, advice);
        if bytes.starts_with(b"PK") {
            bytes.drain(4..8);
            (found, advice) = ("a workbook or document", "save the sheet as CSV");
        }
        check_error(
            read("t.csv", &bytes),
            &format!("t.csv: found {found}, expected a table (CSV, TSV, JSON lines, Parquet, npy or npz); {advice}"),
        );
    }
    // Texts that begin like them.
    for text in ["ORC,b\n1,2\n", "BZh,b\n1,2\n", "ARROW1,b\n1,2\n", "[a],b\n1,2\n"] {
        assert_eq!(read("t.csv", text.as_bytes()).unwrap().names()[1], "b");
    }
}

#[test]
fn format_is_named_by_users() {
    for format in Format::ALL {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
        assert_eq!(serde_json::to_value(format).unwrap(), format.name());
    }
    check_error("excel".parse::<Format>(), "format: found `excel`, expected csv, tsv, parquet, jsonl, npy, npz");
}

#[test]
fn options_are_the_same_as_text() {
    let options = ReadOptions {
        format: Some(Format::JsonLines),
        delimiter: Some(b';'),
        has_header: Some(false),
        encoding: Some("latin1".into()),
        missing: vec!["-999".into()],
        decimal_comma: Some(true),
        verbatim: vec!["id".into()],
    };
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(
        text,
        r#"{"format":"jsonl","delimiter":";","has_header":false,"encoding":"latin1","missing":["-999"],"decimal_comma":true,"verbatim":["id"]}"#
    );
    assert_eq!(serde_json::from_str::<ReadOptions>(&text).unwrap(), options);
    assert_eq!(serde_json::from_str::<ReadOptions>("{}").unwrap(), ReadOptions::default());
    assert_eq!(serde_json::to_string(&ReadOptions::default()).unwrap(), "{}");
    for (text, message) in [
        (r#"{"delimiter": "é"}"#, "found `é`, expected a character of ASCII"),
        (r#"{"delimitr": ";"}"#, "unknown field `delimitr`"),
    ] {
        let error = serde_json::from_str::<ReadOptions>(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn text_is_read_in_its_encoding() {
    let text = "a;b\né;1\n";
    let utf16 =
        |big: bool| text.encode_utf16().flat_map(move |unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
    let expected = [["é", "1"]];
    let marked = [
        ("utf-8", text.as_bytes().to_vec()),
        ("utf-16le", utf16(false).collect()),
        ("utf-16be", utf16(true).collect()),
    ];
    for ((encoding, bytes), mark) in marked.into_iter().zip([&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"]) {
        let named = |name: &str| ReadOptions { encoding: Some(name.into()), ..ReadOptions::default() };
        assert_eq!(fields(&read_as("t", &bytes, &named(encoding)).unwrap()), expected, "{encoding}");
        let bytes = [mark, &bytes].concat();
        assert_eq!(fields(&read("t", &bytes).unwrap()), expected, "{encoding}");
        // The mark says more than a person.
        assert_eq!(fields(&read_as("t", &bytes, &named("latin1")).unwrap()), expected, "{encoding}");
        assert_eq!(read("t", &bytes).unwrap().names()[0], "a");
    }
    for (encoding, bytes, expected) in [
        ("latin1", &b"a\n\xe9\x80\n"[..], "é€"),
        ("Windows-1252", b"a\n\xe9\x80\n", "é€"),
        ("iso-8859-15", b"a\n\xa4\n", "€"),
        ("shift_jis", b"a\n\x93\xfa\n", "日"),
    ] {
        let options = ReadOptions { encoding: Some(encoding.into()), ..ReadOptions::default() };
        assert_eq!(fields(&read_as("t", bytes, &options).unwrap()), [[expected]], "{encoding}");
    }
    // Beyond what is decoded at once, a character in the midst of two blocks.
    let long = "a\n".to_owned() + &"xé\n".repeat(50_000);
    let bytes: Vec<u8> = [0xfeff].into_iter().chain(long.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(read("t", &bytes).unwrap().n_rows(), 50_000);
    assert_eq!(read("t", long.as_bytes()).unwrap().field(49_999, 0).as_deref(), Some("xé"));
}

#[test]
fn text_that_is_not_in_its_encoding_is_refused() {
    let hint = "save the file in UTF-8, or name its encoding, such as `windows-1252` or `utf-16le`";
    let options = |encoding: &str| ReadOptions { encoding: Some(encoding.into()), ..ReadOptions::default() };
    for (bytes, encoding, line, name) in [
        (&b"a\n1\n\x93"[..], "shift_jis", 3, "Shift_JIS"),
        (b"a\0\n\0\x00\xdc1\0", "utf-16le", 2, "UTF-16LE"),
        (b"\xff\xfea\0\n\0x", "utf-8", 2, "UTF-16LE"),
        (b"a\0\n\0", "latin1", 1, "windows-1252"),
    ] {
        let message = format!("t, line {line}: found bytes that are not text in {name}; {hint}");
        check_error(read_as("t", bytes, &options(encoding)), &message);
    }
    check_error(
        read_as("t", b"a\n1\n", &options("latin-one")),
        "no encoding is named `latin-one`; expected one of the web's names, such as `utf-8`, `windows-1252`, `latin1`, `utf-16le` or `shift_jis`",
    );
}

#[test]
fn packed_files_are_read_whatever_their_name() {
    let text = b"a,b\n1,x\n";
    for bytes in [gzip(text), zstd(text), gzip(b"{\"a\": 1, \"b\": \"x\"}")] {
        assert_eq!(fields(&read("t.csv", &bytes).unwrap()), [["1", "x"]]);
    }
    #[cfg(feature = "parquet")]
    {
        let bytes = std::fs::read(golden("none.parquet")).unwrap();
        for bytes in [bytes.clone(), gzip(&bytes), zstd(&bytes)] {
            assert_eq!(read("t.csv", &bytes).unwrap().n_rows(), 300);
        }
    }
}

// Parts.

#[test]
fn parts_are_the_rows_in_their_order() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"a,b\n1,x\n\n2,y\nz,3\n").unwrap();
    let chunks = |n_rows| read_chunks(file.path(), &ReadOptions::default(), n_rows).unwrap();
    let parts: Vec<Table> = chunks(2).map(Result::unwrap).collect();
    assert_eq!(parts.iter().map(fields).collect::<Vec<_>>(), [vec![["1", "x"], ["2", "y"]], vec![["z", "3"]]]);
    assert_eq!((parts[0].place(1), parts[1].place(0)), (Place::Line(4), Place::Line(5)));
    // Types are those of a part.
    assert_eq!(numbers(&parts[0].columns()[0]), [1.0, 2.0]);
    assert_eq!(numbers(&parts[1].columns()[1]), [3.0]);
    assert_eq!(chunks(3).count(), 1);
    assert_eq!(chunks(1).count(), 3);
}

#[test]
fn parts_end_with_the_first_error() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"a,b\n1,x\n2\n3,z\n").unwrap();
    let mut chunks = read_chunks(file.path(), &ReadOptions::default(), 1).unwrap();
    assert_eq!(chunks.next().unwrap().unwrap().n_rows(), 1);
    assert!(chunks.next().unwrap().unwrap_err().to_string().ends_with("line 3: found 1 field, expected 2"));
    assert!(chunks.next().is_none() && chunks.next().is_none());
    file.as_file().set_len(4).unwrap();
    let mut chunks = read_chunks(file.path(), &ReadOptions::default(), 1).unwrap();
    assert!(chunks.next().unwrap().is_err() && chunks.next().is_none());
}

#[test]
fn parts_of_json_lines_know_earlier_keys() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"{\"a\": 1}\n{\"b\": 2}\n{\"c\": 3}\n").unwrap();
    let parts: Vec<Table> = read_chunks(file.path(), &ReadOptions::default(), 2).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        (parts[0].names(), parts[1].names()),
        (vec!["a".into(), "b".into()], vec!["a".into(), "b".into(), "c".into()])
    );
    assert_eq!((fields(&parts[1]), parts[1].place(0)), (vec![vec!["".into(), "".into(), "3".into()]], Place::Line(3)));
}

#[test]
fn other_formats_are_one_part() {
    let parts: Vec<Table> =
        read_chunks(golden("f4.npy"), &ReadOptions::default(), 1).unwrap().map(Result::unwrap).collect();
    assert_eq!(parts.iter().map(Table::n_rows).collect::<Vec<_>>(), [3]);
}

// JSON lines.

#[test]
fn objects_become_rows() {
    let table = read(
        "t",
        b"{\"b\": 1.50, \"a\": \"x\"}\r\n\n {\"a\":null,\"c\":true} \n{\"c\":false,\"a\":\" y \",\"b\":-2e3}",
    )
    .unwrap();
    assert_eq!(table.names(), ["b", "a", "c"]);
    assert_eq!([0, 1, 2].map(|row| table.place(row)), [1, 3, 4].map(Place::Line));
    check_column(&table, "b", [Some(1.5), None, Some(-2000.0)]);
    check_text(&table, "a", [Some("x"), None, Some("y")]);
    check_text(&table, "c", [None, Some("true"), Some("false")]);
}

#[test]
fn strings_stay_text_and_long_integers_keep_their_digits() {
    let table = read("t", b"{\"a\":\"007\",\"b\":\"5\",\"c\":5}\n{\"a\":\"8\",\"b\":6,\"c\":12345678901234567890123}\n{\"a\":\"NA\",\"b\":\"\",\"c\":null}").unwrap();
    check_text(&table, "a", [Some("007"), Some("8"), None]);
    check_text(&table, "b", [Some("5"), Some("6"), None]);
    check_text(&table, "c", [Some("5"), Some("12345678901234567890123"), None]);
    // Missing strings alone do not make text of numbers.
    let table = read("t", b"{\"a\":1}\n{\"a\":\"NA\"}\n{\"a\":\"\"}").unwrap();
    check_column(&table, "a", [Some(1.0), None, None]);
}

#[test]
fn named_values_of_json_are_missing() {
    let options = ReadOptions { missing: vec!["-999".into(), "none".into()], ..ReadOptions::default() };
    let table = read_as("t", b"{\"a\":-999,\"b\":\"none\"}\n{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"-999\"}", &options)
        .unwrap();
    check_column(&table, "a", [None, Some(1.0), Some(2.0)]);
    check_text(&table, "b", [None, Some("x"), None]);
}

#[test]
fn keys_may_be_escaped_or_empty() {
    let table = read("t", "{\"\\u00e9\": 1, \"é2\": 2, \"\": 3}\n{\"é\": 4, \"\": 5}".as_bytes()).unwrap();
    assert_eq!(table.names(), ["é", "é2", "unnamed"]);
    assert_eq!(fields(&table), [["1", "2", "3"], ["4", "", "5"]]);
}

#[test]
fn lines_that_are_no_flat_objects_are_refused() {
    let expected = "expected a JSON object such as {\"a\": 1} on each line";
    let nested = "expected a number, a string, true, false or null; write each of its values under a key of its own, or leave the key out";
    for (text, message) in [
        (
            "{\"a\": 1}\n{\"a\": 1",
            format!(
                "line 2: found an object that is cut short, or goes on in the next line (at character 7), {expected}"
            ),
        ),
        (
            "{\n\"a\": 1\n}",
            format!(
                "line 1: found an object that is cut short, or goes on in the next line (at character 0), {expected}"
            ),
        ),
        ("{\"a\": 1}\n\n[1]", format!("line 3: found an array (at character 0), {expected}")),
        ("{\"a\": 1}\n5", format!("line 2: found something else (at character 1), {expected}")),
        ("{\"a\": 1} {\"a\": 2}", format!("line 1: found an object that is no JSON (at character 10), {expected}")),
        ("{\"a\": nan}", format!("line 1: found an object that is no JSON (at character 8), {expected}")),
        ("{a: 1}", format!("line 1: found an object that is no JSON (at character 2), {expected}")),
        ("{\"a\": [1]}", format!("line 1: found an array as the value of `a`, {nested}")),
        ("{\"a\": 1}\n{\"b\": {}}", format!("line 2: found an object as the value of `b`, {nested}")),
        ("{\"a\": 1, \"a\": 2}", "line 1: found the key `a` twice, expected each key once".into()),
        ("{}\n{}", "line 1: found objects without keys, expected at least one key, to name a column".into()),
    ] {
        check_error(read("t", text.as_bytes()), &format!("t, {message}"));
    }
    check_error(
        read("t.jsonl", b"\n"),
        "t.jsonl: the file is empty; expected a line of column names and a row below it",
    );
}

#[test]
fn keys_that_are_values_are_refused() {
    let keys: Vec<String> = (0..=16_384).map(|key| format!("\"{key}\":0")).collect();
    let object = |keys: &[String]| format!("{{{}}}\n", keys.join(","));
    assert_eq!(read("t", object(&keys[..16_384]).as_bytes()).unwrap().columns().len(), 16_384);
    check_error(
        read("t", format!("{}{}", object(&keys[..1]), object(&keys)).as_bytes()),
        "t, line 2: found more than 16384 different keys, expected names of columns, which are few; write what differs from line to line as a value",
    );
}

// NumPy's arrays.

#[test]
fn arrays_become_numbered_columns() {
    let table = golden_table("f4.npy");
    assert_eq!(table.names(), ["c1", "c2"]);
    // 0.1f32 is the number that a text file says, 0.1.
    assert_eq!(
        (numbers(&table.columns()[0]), numbers(&table.columns()[1])),
        (&[0.0, 0.2, 0.4][..], &[0.1, 0.3, 0.5][..])
    );
    assert_eq!(table.place(2), Place::Row(3));
    // Numbers of 64 bits are themselves.
    let table = golden_table("f8_big_by_columns.npy");
    let exact = |number: f32| f64::from(number) + 1.0;
    assert_eq!(numbers(&table.columns()[0]), [1.0, exact(0.2), exact(0.4)]);
    assert_eq!(numbers(&table.columns()[1]), [exact(0.1), exact(0.3), exact(0.5)]);
    let table = golden_table("i2_one.npy");
    assert_eq!((table.names(), numbers(&table.columns()[0])), (vec!["c1".into()], &[-2.0, 300.0][..]));
}

#[test]
fn arrays_of_every_type_are_read() {
    for name in ["arrays.npz", "packed.npz"] {
        let table = golden_table(name);
        assert_eq!(table.names(), ["x_1", "x_2", "half", "yes", "u1", "i8_long", "u8", "wide", "bytes"]);
        check_column(&table, "x_2", [Some(0.1), Some(0.3), Some(0.5)]);
        check_column(&table, "half", [Some(0.1), None, Some(65504.0)]);
        check_column(&table, "yes", [Some(1.0), Some(0.0), Some(1.0)]);
        check_column(&table, "u1", [Some(0.0), Some(7.0), Some(255.0)]);
        check_text(&table, "i8_long", [Some("9007199254740992"), Some("-5"), Some("1")]);
        check_column(&table, "u8", [Some(9_007_199_254_740_991.0), Some(0.0), Some(1.0)]);
        check_text(&table, "wide", [Some("ä"), None, Some("long")]);
        check_text(&table, "bytes", [Some("a"), None, Some("bcd")]);
    }
    let options = ReadOptions { missing: vec!["7".into(), "-5".into(), "bcd".into()], ..ReadOptions::default() };
    let table = Table::read(golden("arrays.npz"), &options).unwrap();
    check_column(&table, "u1", [Some(0.0), None, Some(255.0)]);
    check_text(&table, "i8_long", [Some("9007199254740992"), None, Some("1")]);
    check_text(&table, "bytes", [Some("a"), None, None]);
}

/// An npy file of version 1 with the given header and elements.
fn npy(header: &str, elements: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), elements].concat()
}

#[test]
fn arrays_that_are_no_tables_are_refused() {
    let check = |name: &str, message: &str| {
        check_error(Table::read(golden(name), &ReadOptions::default()), &format!("{}: {message}", golden(name)))
    };
    check("f4_three.npy", "the array has 3 dimensions, expected one (a column) or two (rows and columns)");
    check("c16.npy", "the array holds elements of type `<c16`, expected numbers, booleans or text");
    check(
        "object.npy",
        "the array holds elements of type `|O`, expected numbers, booleans or text; convert the objects, with `astype(float)` or `astype(str)`",
    );
    check("lengths.npz", "`y` has 2 rows, and `x` has 3; expected as many in all arrays of a table");
    for (header, elements, message) in [
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }",
            &b"\0\0\0"[..],
            "found 3 bytes of numbers, expected 4; the file is cut short or damaged, copy or save it again",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }",
            b"\0\0\0\0\0",
            "found 5 bytes of numbers, expected 4; the file is cut short or damaged, copy or save it again",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (0, 3), }",
            b"",
            "the array has 0 rows and 3 columns, expected at least one of each",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (3, 0), }",
            b"",
            "the array has 3 rows and 0 columns, expected at least one of each",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (), }",
            b"\0\0",
            "the array has 0 dimensions, expected one (a column) or two (rows and columns)",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 4294967295), }",
            b"",
            "the array has 1 rows and 4294967295 columns, which is more than a table may have",
        ),
        (
            "{'descr': '<U999999999999', 'fortran_order': False, 'shape': (1,), }",
            b"",
            "the array holds elements of type `<U999999999999`, expected numbers, booleans or text",
        ),
        (
            "{'descr': '<U0', 'fortran_order': False, 'shape': (9,), }",
            b"",
            "the array holds elements of type `<U0`, expected numbers, booleans or text",
        ),
        (
            "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,), }",
            b"",
            "the array holds elements of type `<M8[ns]`, expected numbers, booleans or text; convert the times, with `astype(str)`",
        ),
        (
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
            b"",
            "the array holds elements of type `[[\\\"a\\\",\\\"<f4\\\"]]`, expected numbers, booleans or text",
        ),
        ("{'descr': '<f4'", b"", "the array is damaged, expected an array of NumPy; save it again"),
    ] {
        check_error(read("t", &npy(header, elements)), &format!("t: {message}"));
    }
    check_error(
        read("t", &npy("{'descr': '|S2', 'fortran_order': False, 'shape': (2,), }", b"ab\xff\0")),
        "t, column `c1`: found bytes that are no text in row 2, expected text in UTF-8 or UTF-32",
    );
}

#[test]
fn shortest_decimal_forms_are_those_of_the_types() {
    for (bits, expected) in
        [(0x2e66, 0.1), (0x3555, 0.3333), (0x3c01, 1.001), (0x0001, 6e-8), (0x7bff, 65504.0), (0xc000, -2.0)]
    {
        assert_eq!(typed::of_f16(bits), expected);
    }
    assert!(typed::of_f16(0x7e00).is_nan() && typed::of_f16(0xfc00) == f64::NEG_INFINITY);
    for bits in 0..=u16::MAX {
        let (number, exact) = (typed::of_f16(bits), half::f16::from_bits(bits));
        assert!(exact.is_nan() || half::f16::from_f64(number).to_bits() == bits, "{bits:04x} became {number}");
    }
    for (number, expected) in [
        (0.1f32, 0.1),
        (1_073_741_824.0, 1_073_741_824.0),
        (1e-45, 1e-45),
        (f32::MAX, 3.402_823_466_385_288_6e38),
        (1.5e-7, 1.5e-7),
        (-0.0, 0.0),
    ] {
        assert_eq!(typed::of_f32(number), expected);
    }
    assert!(typed::of_f32(f32::NAN).is_nan() && typed::of_f32(f32::INFINITY) == f64::INFINITY);
}

// Parquet.

#[cfg(feature = "parquet")]
mod parquet {
    use super::*;

    #[test]
    fn values_of_every_type_are_read() {
        let table = golden_table("types.parquet");
        let (least, most) = (-9_007_199_254_740_991.0, f64::NEG_INFINITY);
        check_text(&table, "bool", [Some("true"), None, Some("false")]);
        for (name, first, last) in [
            ("i8", -128.0, 127.0),
            ("i16", -32768.0, 5.0),
            ("i32", -2_147_483_648.0, 7.0),
            ("i64", least, 9.0),
            ("u8", 255.0, 0.0),
            ("u16", 65535.0, 0.0),
            ("u32", 4_294_967_295.0, 1.0),
            ("f16", 0.1, 65504.0),
            ("f32", 0.1, 16_777_216.0),
            ("f64", 0.1, most),
            ("decimal32", -0.05, 123.4),
            ("decimal64", 1.125, -2.5),
            ("decimal128", 0.5, -12_345_678.25),
            ("decimal256", -1.5, 99.0001),
        ] {
            check_column(&table, name, [Some(first), None, Some(last)]);
        }
        for (name, first, last) in [
            ("i64_long", "9007199254740992", "-9223372036854775808"),
            ("u64_long", "18446744073709551615", "1"),
            ("large_text", "a", "b"),
            ("levels", "x", "x"),
            ("bytes", "plain", "text"),
            ("date", "2024-02-29", "1969-12-31"),
            ("time_ms", "12:30:00", "23:59:59.999"),
            ("time_us", "00:00:01", "01:02:03.000004"),
            ("stamp_ms", "2024-01-31T12:30:00", "1969-12-31T23:59:59.500"),
            ("stamp_us_utc", "2024-01-31T12:30:00Z", "1900-01-01T00:00:00Z"),
            ("stamp_ns", "1970-01-01T00:00:00.000000001", "1969-12-31T23:59:59.999999999"),
        ] {
            check_text(&table, name, [Some(first), None, Some(last)]);
        }
        check_text(&table, "text", [Some("Zoë"), None, None]);
        check_column(&table, "nothing", [None; 3]);
        assert_eq!((table.columns().len(), table.place(2)), (28, Place::Row(3)));
    }

    #[test]
    fn old_forms_are_read_over_several_groups_of_rows() {
        let table = golden_table("old.parquet");
        check_column(&table, "decimal128", [Some(0.5), None, Some(-12_345_678.25)]);
        check_text(
            &table,
            "stamp_ns",
            [Some("1970-01-01T00:00:00.000000001"), None, Some("1969-12-31T23:59:59.999999999")],
        );
        check_text(&table, "text", [Some("Zoë"), None, None]);
        check_column(&table, "i32", [Some(-2_147_483_648.0), None, Some(7.0)]);
    }

    #[test]
    fn every_compression_and_encoding_is_read() {
        for name in ["none", "snappy", "gzip", "brotli", "lz4", "zstd", "delta"] {
            let table = golden_table(&format!("{name}.parquet"));
            let Values::Text(levels) = table.columns()[1].values() else { panic!("text") };
            let expected: Vec<f64> = (0..300).map(f64::from).collect();
            assert_eq!(numbers(&table.columns()[0]), expected, "{name}");
            assert_eq!((levels.names(), levels.codes().len()), (&["x", "y", "z"].map(String::from)[..], 300), "{name}");
            assert!((0..300).all(|row| levels.codes()[row] == row as u32 % 3), "{name}");
        }
    }

    #[test]
    fn table_of_pandas_is_the_same_in_both_formats() {
        let (text, binary) = (golden_table("pandas.csv"), golden_table("pandas.parquet"));
        assert_eq!(
            (text.names(), fields(&text)),
            (
                vec!["unnamed_1".into(), "a".into(), "b".into()],
                vec![vec!["10".into(), "1.5".into(), "x".into()], vec!["20".into(), "2.5".into(), "y".into()]]
            )
        );
        assert_eq!(binary.names(), ["a", "b", "__index_level_0__"]);
        assert_eq!(binary.columns()[..2], text.columns()[1..]);
    }

    #[test]
    fn named_values_are_missing() {
        let options = ReadOptions {
            missing: ["127", "9", "-0.05", "0.1", "true", "x", "1"].map(String::from).to_vec(),
            ..ReadOptions::default()
        };
        let table = Table::read(golden("types.parquet"), &options).unwrap();
        check_column(&table, "i8", [Some(-128.0), None, None]);
        check_column(&table, "f32", [None, None, Some(16_777_216.0)]);
        check_column(&table, "decimal32", [None, None, Some(123.4)]);
        check_text(&table, "bool", [None, None, Some("false")]);
        check_text(&table, "levels", [None; 3]);
        check_text(&table, "u64_long", [Some("18446744073709551615"), None, None]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let nested = "found nested values, expected one value in each row; leave the column out when writing the file, or write its parts as columns";
        for (name, message) in [
            ("list.parquet", format!(", column `list`: {nested}")),
            ("struct.parquet", format!(", column `part`: {nested}")),
            ("bytes.parquet", ", column `b`: found a value that is no text, or out of range, in row 1, expected values of the column's type; leave the column out when writing the file".into()),
            ("no_rows.parquet", ": found a header of 1 column and no row below it; expected at least one row".into()),
        ] {
            check_error(Table::read(golden(name), &ReadOptions::default()), &format!("{}{message}", golden(name)));
        }
    }

    #[test]
    fn several_values_in_a_row_are_refused() {
        use ::parquet::data_type::Int32Type;
        use ::parquet::file::writer::SerializedFileWriter;
        use ::parquet::schema::parser::parse_message_type;

        let schema = parse_message_type("message rows { repeated int32 a; }").unwrap();
        let mut writer = SerializedFileWriter::new(Vec::new(), schema.into(), Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[1, 2, 3], Some(&[1, 1, 1]), Some(&[0, 1, 0])).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        check_error(
            read("t", &writer.into_inner().unwrap()),
            "t, column `a`: found nested values, expected one value in each row; leave the column out when writing the file, or write its parts as columns",
        );
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = std::fs::read(golden("types.parquet")).unwrap();
        let message = "t: the Parquet data is damaged or cut short; copy or download the file again";
        for n_bytes in [4, 100, whole.len() / 2, whole.len() - 1] {
            check_error(read("t", &whole[..n_bytes]), message);
        }
        // The check sum of a page is wrong.
        let mut bytes = std::fs::read(golden("none.parquet")).unwrap();
        bytes[600] ^= 1;
        check_error(read("t", &bytes), message);
    }

    #[test]
    fn few_bytes_ask_for_little_memory() {
        use parquet_file::is_believable;
        assert!(is_believable(10_000_000, 1, 500) && is_believable(10_000_000, 60, 10_000));
        assert!(!is_believable(100_000_000, 1, 500) && !is_believable(10_000_000, 60, 500));
        assert!(!is_believable(1 << 63, 2, 500));
    }

    #[test]
    fn decimals_have_their_point() {
        use parquet_file::{big_endian, decimal};
        for (digits, scale, expected) in [
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (1234, 2, "12.34"),
            (7, 0, "7"),
            (0, 3, "0.000"),
            (i128::MIN, 0, "-170141183460469231731687303715884105728"),
        ] {
            assert_eq!(decimal(digits, scale), expected);
        }
        assert_eq!(
            [&b""[..], b"\x7f", b"\x80", b"\xff\xfe"].map(big_endian),
            [Some(0), Some(127), Some(-128), Some(-2)]
        );
        assert_eq!(big_endian(&[[0xff; 16], (-3i128).to_be_bytes()].concat()), Some(-3));
        assert_eq!(big_endian(&[[0; 16], (-3i128).to_be_bytes()].concat()), None);
        assert_eq!(big_endian(&[&[1][..], &[0; 16]].concat()), None);
    }
}

#[test]
fn column_with_a_name_is_text() {
    let mut builder = super::super::table::ColumnBuilder::new("c");
    builder.push("1");
    builder.push_name("");
    assert_eq!(builder.n_rows(), 2);
    builder.push_name("2");
    let column = builder.finish();
    assert_eq!(*column.values(), Values::Text(Levels::new(vec!["1".into(), "2".into()], vec![0, Levels::MISSING, 1])));
}
