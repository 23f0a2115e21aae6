//! Which character separates the fields of a text.

use csv::{ReaderBuilder, StringRecord};

/// What fields are separated by, the likely ones first.
const CANDIDATES: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The rows that are looked at.
const MOST_ROWS: usize = 200;

/// The delimiter of the text that begins with `head`, which may end in the midst of a row unless it is `whole`.
///
/// It is the one that gives the same number of fields, two or more, in most of the first rows, quotes respected; among
/// several, the one that gives the most fields. `otherwise` where none gives two fields in the first row.
pub(super) fn find(head: &[u8], whole: bool, otherwise: u8) -> u8 {
    let score = |delimiter: u8| {
        let counts = counts(head, whole, delimiter);
        let n_fields = counts.first().copied().unwrap_or(0);
        let n_agreeing = counts.iter().filter(|&&count| count == n_fields).count();
        // Parts of the rows: a delimiter within quotes of another one makes fewer rows of the same text.
        (n_fields > 1).then(|| (n_agreeing * 1000 / counts.len(), n_fields))
    };
    let scored = CANDIDATES.iter().rev().filter_map(|&delimiter| Some((score(delimiter)?, delimiter)));
    // The last of equals is taken, which is the likeliest.
    scored.max_by_key(|&(score, _)| score).map_or(otherwise, |(_, delimiter)| delimiter)
}

/// The number of fields in each of the first rows.
fn counts(head: &[u8], whole: bool, delimiter: u8) -> Vec<usize> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(head);
    let mut record = StringRecord::new();
    let mut counts = Vec::new();
    while counts.len() < MOST_ROWS && reader.read_record(&mut record).unwrap_or(false) {
        counts.push(record.len());
    }
    let is_cut = !whole && counts.len() < MOST_ROWS;
    if is_cut && counts.len() > 1 {
        counts.pop();
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: char) {
        assert_eq!(char::from(find(text.as_bytes(), true, b',')), expected, "{text:?}");
    }

    #[test]
    fn delimiter_gives_the_same_number_of_fields_in_each_row() {
        check("a,b\n1,2\n", ',');
        check("a;b\n1;2\n", ';');
        check("a\tb\n1\t2\n", '\t');
        check("a|b\n1|2\n", '|');
        // Decimal commas.
        check("a;b;c\n1,5;2,5;3,5\n1,5;2,5;3,5\n", ';');
        check("a,b\n1;2,3\n4;5,6\n", ',');
        // Commas in the text of a column, and as many in its name.
        check("name, first;age;town\nLi, Wei;1;x\nDoe, J;2;y\n", ';');
    }

    #[test]
    fn quotes_are_respected() {
        check("\"a;b;c\",d\n\"1;2;3\",4\n", ',');
        check("a;b\n\"1,2\n3,4\";5\n\"6,7\";8\n", ';');
    }

    #[test]
    fn a_ragged_row_does_not_hide_the_delimiter() {
        check("a;b;c\n1;2;3\n4;5\n6;7;8\n", ';');
        check("a,b;c\n1,2\n3,4\n5,6;7\n8\n", ',');
        // Fewer fields, and in each row.
        check("one, two and, three;b\n1;2\n3;4\n", ';');
    }

    #[test]
    fn one_column_has_none() {
        for otherwise in [b',', b'\t'] {
            assert_eq!(find(b"a\n1\n2\n", true, otherwise), otherwise);
            assert_eq!(find(b"a\n1,5\n2,5\n", true, otherwise), otherwise);
            assert_eq!(find(b"", true, otherwise), otherwise);
        }
    }

    #[test]
    fn a_row_that_is_cut_is_left_out() {
        let (text, cut) = (&b"a,b;c;d\n1,2;3;4\n"[..], &b"a,b;c;d\n1,2;3;"[..]);
        assert_eq!(find(text, true, b','), b';');
        assert_eq!(counts(cut, false, b';'), [3]);
        assert_eq!(counts(cut, true, b';'), [3, 3]);
    }
}
