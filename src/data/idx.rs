//! Images and labels in the IDX format, that of MNIST, plain or gzipped.
//!
//! A file begins with two zero bytes, a byte for the type of the elements (8 for unsigned bytes), a
//! byte for the number of dimensions, and each dimension as a big-endian 32-bit number. The elements
//! follow, row-major.

use std::path::Path;

use super::{Matrix, source::Source};
use crate::{Error, Result};

/// The code of elements that are unsigned bytes, the only ones read here.
const UNSIGNED_BYTE: u8 = 0x08;

/// Reads images, `[images, pixels]`: one image in a row, its pixels row after row, from 0 to 1.
///
/// Takes 4 bytes of memory for each pixel.
///
/// # Errors
///
/// The file does not exist, is a directory, cannot be read, or is damaged gzip; it is not IDX; it
/// does not hold bytes in three dimensions; it is shorter or longer than its header announces.
pub fn read_images(path: impl AsRef<Path>) -> Result<Matrix> {
    images_from(Source::open(path.as_ref())?)
}

/// Reads labels, `[images]`, from 0 to 255.
///
/// # Errors
///
/// As for [`read_images`], with one dimension.
pub fn read_labels(path: impl AsRef<Path>) -> Result<Vec<u32>> {
    labels_from(Source::open(path.as_ref())?)
}

/// Reads images and the labels that belong to them.
///
/// # Errors
///
/// As for [`read_images`] and [`read_labels`]; there are more or fewer labels than images.
pub fn read_labelled_images(
    images_path: impl AsRef<Path>,
    labels_path: impl AsRef<Path>,
) -> Result<(Matrix, Vec<u32>)> {
    let (images_path, labels_path) = (images_path.as_ref(), labels_path.as_ref());
    // Labels first: they are read in no time, and a wrong name is reported at once.
    let labels = read_labels(labels_path)?;
    let images = read_images(images_path)?;
    if images.rows() != labels.len() {
        return Err(Error::LabelCount {
            labels_path: labels_path.to_owned(),
            labels: labels.len(),
            images_path: images_path.to_owned(),
            images: images.rows(),
        });
    }
    Ok((images, labels))
}

pub(super) fn images_from(mut source: Source) -> Result<Matrix> {
    let [images, height, width] = read_header(&mut source)?;
    let pixels = read_elements(&mut source, &[images, height, width], |pixel| f32::from(pixel) / 255.0)?;
    Matrix::new(images as usize, height as usize * width as usize, pixels)
}

pub(super) fn labels_from(mut source: Source) -> Result<Vec<u32>> {
    let dimensions: [u32; 1] = read_header(&mut source)?;
    read_elements(&mut source, &dimensions, u32::from)
}

/// Reads the header of a file of `RANK` dimensions.
fn read_header<const RANK: usize>(source: &mut Source) -> Result<[u32; RANK]> {
    let path = source.path().to_owned();
    let mut start = [0; 4];
    let n_start = source.fill(&mut start)?;
    let [zero, also_zero, element, rank] = start;
    if [zero, also_zero] != [0, 0] {
        return Err(Error::NotIdx { path, first_bytes: start[..n_start].to_vec() });
    }
    let header_bytes = 4 + 4 * RANK;
    if n_start < 4 {
        return Err(Error::IdxTruncated { path, found: n_start, expected: header_bytes });
    }
    if element != UNSIGNED_BYTE {
        return Err(Error::IdxElement { path, found: element });
    }
    if usize::from(rank) != RANK {
        return Err(Error::IdxRank { path, found: rank, expected: RANK as u8 });
    }
    let mut dimensions = [0; RANK];
    for (index, dimension) in dimensions.iter_mut().enumerate() {
        let mut bytes = [0; 4];
        let n_bytes = source.fill(&mut bytes)?;
        if n_bytes < 4 {
            let found = 4 + 4 * index + n_bytes;
            return Err(Error::IdxTruncated { path, found, expected: header_bytes });
        }
        *dimension = u32::from_be_bytes(bytes);
    }
    Ok(dimensions)
}

/// Reads all elements, and makes sure that the file ends after them.
fn read_elements<T>(source: &mut Source, dimensions: &[u32], convert: fn(u8) -> T) -> Result<Vec<T>> {
    let path = source.path().to_owned();
    let header_bytes = 4 + 4 * dimensions.len();
    let n_elements = dimensions
        .iter()
        .try_fold(1, |product: usize, &dimension| product.checked_mul(dimension as usize))
        .filter(|&n_elements| n_elements > 0 && n_elements <= isize::MAX as usize / size_of::<T>());
    let Some(n_elements) = n_elements else {
        return Err(Error::IdxSize { path, dimensions: dimensions.to_vec() });
    };
    let expected = header_bytes + n_elements;
    // The vector grows with what is there, never with what the header announces.
    let mut elements = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while elements.len() < n_elements {
        let n_wanted = buffer.len().min(n_elements - elements.len());
        let n_bytes = source.fill(&mut buffer[..n_wanted])?;
        elements.extend(buffer[..n_bytes].iter().map(|&byte| convert(byte)));
        if n_bytes < n_wanted {
            return Err(Error::IdxTruncated { path, found: header_bytes + elements.len(), expected });
        }
    }
    if source.fill(&mut buffer[..1])? > 0 {
        return Err(Error::IdxTrailing { path, expected });
    }
    elements.shrink_to_fit();
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::source::tests::gzip;
    use super::*;

    fn idx(element: u8, dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, element, dimensions.len() as u8];
        bytes.extend(dimensions.iter().flat_map(|dimension| dimension.to_be_bytes()));
        bytes.extend(elements);
        bytes
    }

    fn source(bytes: &[u8]) -> Source {
        Source::new(Path::new("idx"), Cursor::new(bytes.to_vec())).unwrap()
    }

    /// The message with which both forms, plain and gzipped, are refused as images.
    fn check_error(bytes: &[u8], message: &str) {
        for bytes in [bytes, &gzip(bytes)] {
            assert_eq!(images_from(source(bytes)).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn image_is_a_row_of_pixels_from_0_to_1() {
        let bytes = idx(8, &[2, 1, 3], &[0, 51, 255, 102, 1, 204]);
        let expected = Matrix::new(2, 3, vec![0.0, 0.2, 1.0, 0.4, 1.0 / 255.0, 0.8]).unwrap();
        assert_eq!(images_from(source(&bytes)).unwrap(), expected);
        assert_eq!(images_from(source(&gzip(&bytes))).unwrap(), expected);
    }

    #[test]
    fn labels_are_numbers() {
        let bytes = idx(8, &[4], &[7, 0, 255, 7]);
        assert_eq!(labels_from(source(&bytes)).unwrap(), [7, 0, 255, 7]);
        assert_eq!(labels_from(source(&gzip(&bytes))).unwrap(), [7, 0, 255, 7]);
    }

    #[test]
    fn files_longer_than_the_buffer_are_whole() {
        let elements: Vec<u8> = (0..200_003_u32).map(|index| (index % 251) as u8).collect();
        let labels = labels_from(source(&gzip(&idx(8, &[200_003], &elements)))).unwrap();
        assert!(labels.iter().zip(&elements).all(|(&label, &element)| label == u32::from(element)));
        assert_eq!(labels.len(), 200_003);
    }

    #[test]
    fn truncated_file_is_refused() {
        let bytes = idx(8, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        for found in 0..bytes.len() {
            let expected = if found < 16 { 16 } else { 22 };
            check_error(
                &bytes[..found],
                &format!(
                    "idx: found {found} bytes of IDX data, expected {expected}; the file is cut short, copy or download it again"
                ),
            );
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        check_error(
            &idx(8, &[2, 1, 3], &[0; 7]),
            "idx: found more bytes of IDX data than the 22 that the header announces; copy or download the file again",
        );
    }

    #[test]
    fn other_format_is_refused() {
        for (bytes, shown) in [(&b"\x89PNG.."[..], "89 50 4e 47"), (b"a,b", "61 2c 62"), (b"\0x", "00 78")] {
            check_error(
                bytes,
                &format!(
                    "idx: the first bytes are {shown}, expected 00 00 as in an IDX file; is it a CSV file? then leave out `--labels`"
                ),
            );
        }
    }

    #[test]
    fn other_element_is_refused() {
        check_error(
            &idx(0x0d, &[1, 1, 1], &[0; 4]),
            "idx: found an IDX file with elements of type 0x0d, expected 0x08 (unsigned bytes); convert the file",
        );
    }

    #[test]
    fn images_and_labels_exchanged_are_refused() {
        check_error(
            &idx(8, &[3], &[0; 3]),
            "idx: found an IDX file of 1 dimension, expected 3 (images, rows, columns); are the images and the labels exchanged?",
        );
        assert_eq!(
            labels_from(source(&idx(8, &[1, 1, 3], &[0; 3]))).unwrap_err().to_string(),
            "idx: found an IDX file of 3 dimensions, expected 1 (labels); are the images and the labels exchanged?"
        );
    }

    #[test]
    fn file_of_no_elements_is_refused() {
        for dimensions in [[0, 28, 28], [1, 0, 28], [1, 28, 0]] {
            let [images, height, width] = dimensions;
            check_error(
                &idx(8, &dimensions, &[]),
                &format!(
                    "idx: found an IDX file of {images} x {height} x {width} elements, expected at least one and fewer than memory can hold; copy or download the file again"
                ),
            );
        }
    }

    #[test]
    fn overflowing_header_is_refused() {
        for dimensions in [[u32::MAX; 3], [1 << 31, 1 << 31, 2], [0, u32::MAX, u32::MAX], [1 << 31, 1 << 31, 1]] {
            let error = images_from(source(&idx(8, &dimensions, &[1]))).unwrap_err();
            assert!(matches!(error, Error::IdxSize { .. }), "{error:?}");
        }
    }

    #[test]
    fn header_that_announces_too_much_costs_no_memory() {
        // 2^60 bytes: an allocation of that size would abort the process.
        let error = images_from(source(&idx(8, &[1 << 20, 1 << 20, 1 << 20], &[1, 2]))).unwrap_err();
        let Error::IdxTruncated { found: 18, expected, .. } = error else { panic!("{error:?}") };
        assert_eq!(expected, (1 << 60) + 16);
    }

    #[test]
    fn labels_of_other_images_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (images_path, labels_path) = (folder.path().join("images"), folder.path().join("labels"));
        std::fs::write(&images_path, idx(8, &[2, 1, 3], &[0; 6])).unwrap();
        std::fs::write(&labels_path, idx(8, &[2], &[4, 5])).unwrap();
        let (images, labels) = read_labelled_images(&images_path, &labels_path).unwrap();
        assert_eq!((images.rows(), images.columns(), &labels[..]), (2, 3, &[4, 5][..]));

        std::fs::write(&labels_path, idx(8, &[3], &[4, 5, 6])).unwrap();
        let error = read_labelled_images(&images_path, &labels_path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{}: found 3 labels for the 2 images of {}; give the labels of these images",
                labels_path.display(),
                images_path.display()
            )
        );
    }
}
