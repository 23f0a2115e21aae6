//! The orthogonal factor of a square matrix, by Householder's reflections.

/// The first `n_columns` columns of Q, where `matrix = Q R` and the diagonal of R is not negative.
///
/// `matrix` is `[n, n]`, row-major; the result holds columns of `n` numbers. Q is unique unless the
/// matrix is singular; where an element of the diagonal is 0, its column of Q becomes 0 as in MLX.
pub(super) fn factor(matrix: &[f32], n: usize, n_columns: usize) -> Vec<Vec<f64>> {
    let column = |j: usize| (0..n).map(|i| f64::from(matrix[i * n + j])).collect();
    let mut columns: Vec<Vec<f64>> = (0..n).map(column).collect();
    // Reflection k is I - 2 v vᵀ with the unit vector v of the elements k.. alone.
    let mut reflections: Vec<Vec<f64>> = Vec::with_capacity(n);
    for k in 0..n {
        let mut v = columns[k][k..].to_vec();
        let norm = dot(&v, &v).sqrt();
        // The reflection takes the column to -sign(v[0]) norm, so that the sum does not cancel.
        v[0] += norm.copysign(v[0]);
        let length = dot(&v, &v).sqrt();
        if length > 0.0 {
            v.iter_mut().for_each(|element| *element /= length);
        }
        columns[k..].iter_mut().for_each(|column| reflect(&mut column[k..], &v));
        reflections.push(v);
    }
    let q_column = |j: usize| {
        let diagonal = columns[j][j];
        let mut column = vec![0.0; n];
        column[j] = if diagonal == 0.0 { 0.0 } else { diagonal.signum() };
        for (k, v) in reflections.iter().enumerate().rev() {
            reflect(&mut column[k..], v);
        }
        column
    };
    (0..n_columns).map(q_column).collect()
}

/// `x - 2 v (v · x)`.
fn reflect(x: &mut [f64], v: &[f64]) {
    let twice = 2.0 * dot(x, v);
    x.iter_mut().zip(v).for_each(|(x, v)| *x -= twice * v);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_of_a_matrix_worked_by_hand() {
        // [3 1; 4 2]: the first column has length 5, the second leaves (-0.32, 0.24), of length 0.4.
        let q = factor(&[3.0, 1.0, 4.0, 2.0], 2, 2);
        let expected = [[0.6, 0.8], [-0.8, 0.6]];
        for (column, expected) in q.iter().zip(expected) {
            for (found, expected) in column.iter().zip(expected) {
                // A handful of roundings of numbers below 8.
                assert!((found - expected).abs() <= 64.0 * f64::EPSILON, "{q:?}");
            }
        }
    }

    #[test]
    fn columns_are_orthonormal_and_r_has_a_positive_diagonal() {
        let n = 13;
        let matrix = crate::random::Key::new(7).normal(0.0, 1.0, n * n);
        let q = factor(&matrix, n, n);
        // Householder's Q is orthogonal to within a small multiple of n^1.5 roundings.
        let tolerance = 10.0 * (n as f64).powf(1.5) * f64::EPSILON;
        for (i, a) in q.iter().enumerate() {
            for (j, b) in q.iter().enumerate() {
                let expected = f64::from(u8::from(i == j));
                assert!((dot(a, b) - expected).abs() <= tolerance, "columns {i} and {j}");
            }
            let column: Vec<f64> = (0..n).map(|row| f64::from(matrix[row * n + i])).collect();
            assert!(dot(a, &column) > 0.0, "diagonal {i}");
            // R is a triangle: later columns of Q are orthogonal to earlier ones of the matrix.
            for (j, b) in q.iter().enumerate().skip(i + 1) {
                let bound = tolerance * dot(&column, &column).sqrt();
                assert!(dot(b, &column).abs() <= bound, "element {j}, {i} of R");
            }
        }
    }

    #[test]
    fn columns_of_a_singular_matrix_are_finite() {
        let q = factor(&[0.0; 9], 3, 3);
        assert!(q.iter().flatten().all(|element| *element == 0.0), "{q:?}");
    }
}
