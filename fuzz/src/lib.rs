//! What several targets share.

use std::io::Write;
use std::path::Path;

use nngpu::Error;
use nngpu::data::{ReadOptions, Table, Values, read_chunks};

/// Writes `bytes` to a file for as long as `work` takes.
pub fn with_file<T>(bytes: &[u8], work: impl FnOnce(&Path) -> T) -> T {
    let mut file = tempfile::NamedTempFile::new().expect("a file in the temporary folder");
    file.write_all(bytes).expect("room for a file");
    work(file.path())
}

/// Reads a table, and checks that it holds together.
pub fn read(bytes: &[u8], options: &ReadOptions) -> Option<Table> {
    let table = Table::from_bytes("t", bytes.to_vec(), options).map_err(|error| show(&error)).ok()?;
    assert!(table.n_rows() > 0);
    let mut names = table.names();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), table.columns().len(), "names that are all different");
    for (position, column) in table.columns().iter().enumerate() {
        assert_eq!(column.n_rows(), table.n_rows());
        assert_eq!(table.column_index(column.name()).expect("a column of this name"), position);
        assert_eq!((0..table.n_rows()).filter(|&row| column.is_missing(row)).count(), column.n_missing());
    }
    table.place(table.n_rows() - 1).to_string();
    Some(table)
}

/// Reads a table whole and in parts of `n_rows`, which must hold the same fields.
pub fn read_in_parts(bytes: &[u8], options: &ReadOptions, n_rows: usize) {
    let Some(whole) = read(bytes, options) else { return };
    // Standard input has this name; a file of it has another.
    let parts = with_file(bytes, |path| {
        let parts = read_chunks(path, options, n_rows).expect("a table");
        parts.map(|part| part.map_err(|error| show(&error))).collect::<Result<Vec<Table>, String>>()
    });
    // The decimal commas of a part may be beside text in the whole.
    let Ok(parts) = parts else { return };
    assert_eq!(parts.iter().map(Table::n_rows).sum::<usize>(), whole.n_rows());
    let mut row = 0;
    for part in &parts {
        for part_row in 0..part.n_rows() {
            assert_eq!(part.place(part_row), whole.place(row));
            for column in whole.columns() {
                let part_column = part.columns().iter().find(|other| other.name() == column.name());
                let missing = part_column.is_none_or(|other| other.is_missing(part_row));
                assert_eq!(missing, column.is_missing(row), "row {row} of `{}`", column.name());
                // Text keeps how a number is written, and a column may be text in one of them alone.
                if let (Values::Text(levels), Some(Values::Text(others))) =
                    (column.values(), part_column.map(|other| other.values()))
                {
                    assert_eq!(levels.get(row), others.get(part_row));
                }
            }
            row += 1;
        }
    }
}

/// The message of an error, which must be one line that ends without a full stop.
pub fn show(error: &Error) -> String {
    let message = error.to_string();
    assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
    message
}

/// Reads `text` as a `T`; what it prints must read as the same.
pub fn round_trip<T: std::str::FromStr<Err = Error> + std::fmt::Display>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            match printed.parse::<T>() {
                Ok(again) => assert_eq!(again.to_string(), printed, "of {text:?}"),
                Err(error) => panic!("{text:?} prints as {printed:?}, which is refused: {error}"),
            }
        }
        Err(error) => drop(error.to_string()),
    }
}
