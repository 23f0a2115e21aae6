//! Rows in the order of a probability, and the areas under the curves that they draw.

/// The rows of one class or label by falling probability.
pub(super) struct Ranking {
    order: Vec<u32>,
    /// For each position of `order`, whether the row is of the class.
    is_positive: Vec<bool>,
    /// For each position, whether the next row has a smaller probability: no threshold parts equal ones.
    is_last_of_equals: Vec<bool>,
}

/// The areas under both curves, NaN where there is none.
pub(super) struct Areas {
    pub roc: f64,
    pub precision_recall: f64,
}

impl Areas {
    pub const NONE: Areas = Areas { roc: f64::NAN, precision_recall: f64::NAN };
}

impl Ranking {
    /// Sorts once; every weighting of the rows is then a single pass.
    pub fn new(rows: usize, score: impl Fn(usize) -> f32, is_positive: impl Fn(usize) -> bool) -> Ranking {
        let mut order: Vec<u32> = (0..rows as u32).collect();
        let score = |row: u32| score(row as usize);
        order.sort_unstable_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
        let is_last = |i: usize| i + 1 == rows || score(order[i]) != score(order[i + 1]);
        Ranking {
            is_last_of_equals: (0..rows).map(is_last).collect(),
            is_positive: order.iter().map(|&row| is_positive(row as usize)).collect(),
            order,
        }
    }

    pub fn areas(&self, weights: &[f64]) -> Areas {
        // [false positives, true positives] so far, and at the last threshold.
        let (mut now, mut before) = ([0.0; 2], [0.0; 2]);
        let (mut roc, mut precision_recall) = (0.0, 0.0);
        for ((&row, &is_positive), &is_last) in self.order.iter().zip(&self.is_positive).zip(&self.is_last_of_equals) {
            now[usize::from(is_positive)] += weights[row as usize];
            if is_last {
                let [false_before, true_before] = before;
                let [false_now, true_now] = now;
                roc += (false_now - false_before) * (true_now + true_before) / 2.0;
                if true_now > true_before {
                    precision_recall += (true_now - true_before) * true_now / (true_now + false_now);
                }
                before = now;
            }
        }
        let [negatives, positives] = now;
        // A division of 0 by 0 is the NaN that is wanted.
        Areas { roc: roc / (positives * negatives), precision_recall: precision_recall / positives }
    }
}
