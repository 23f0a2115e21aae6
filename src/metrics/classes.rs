//! Measures of classes that exclude each other.

use super::calibration::{N_BINS, bin, gap};
use super::ranking::{Areas, Ranking};
use super::{Measure, Truth, mean_of_defined};
use crate::data::Matrix;
use crate::{Error, Result};

/// Rows times classes up to which the orders of all classes are kept: 5 bytes each.
pub(super) const LARGEST_KEPT: usize = 1 << 22;

/// Answers and truth, and what follows from them for each row whatever it weighs.
pub(super) struct Probabilities {
    /// `[rows, n_classes]`.
    values: Vec<f32>,
    truth: Vec<u32>,
    n_classes: usize,
    rows: Vec<Row>,
    /// One for each class that has an area, if they are few enough to be kept.
    rankings: Option<Vec<Ranking>>,
}

struct Row {
    answer: u32,
    confidence: f64,
    bin: usize,
    loss: f64,
    brier: f64,
    /// Classes that are before the true one by probability.
    rank: u32,
}

impl Probabilities {
    pub fn new(answers: &Matrix, truth: &[u32], n_classes: usize) -> Result<Probabilities> {
        if let Some(row) = truth.iter().position(|&class| class as usize >= n_classes) {
            return Err(Error::Setting {
                name: format!("class index of row {}", row + 1),
                found: truth[row].to_string(),
                expected: format!("an index below {n_classes}, the number of classes"),
            });
        }
        let values = both_classes(answers, n_classes);
        let row = |(p, &class): (&[f32], &u32)| {
            let answer = largest(p);
            let (own, confidence) = (p[class as usize], f64::from(p[answer as usize]));
            let is_before = |(other, q): (usize, &f32)| *q > own || (*q == own && other < class as usize);
            let square = |(k, p): (usize, &f32)| (f64::from(*p) - f64::from(u8::from(k == class as usize))).powi(2);
            let mut squares = p.iter().enumerate().map(square);
            Row {
                answer,
                confidence,
                bin: bin(confidence),
                loss: surprise(own),
                brier: if n_classes == 2 { squares.next_back().unwrap_or(0.0) } else { squares.sum() },
                rank: p.iter().enumerate().filter(|&other| is_before(other)).count() as u32,
            }
        };
        let rows = values.chunks(n_classes).zip(truth).map(row).collect();
        let mut prepared = Probabilities { values, truth: truth.to_vec(), n_classes, rows, rankings: None };
        if truth.len() * n_classes <= LARGEST_KEPT {
            prepared.rankings = Some(prepared.ranked().map(|class| prepared.ranking(class)).collect());
        }
        Ok(prepared)
    }

    pub fn columns(&self) -> usize {
        self.n_classes
    }

    /// The classes that have an area: with two of them the second, whose area is also that of the first.
    fn ranked(&self) -> std::ops::Range<usize> {
        if self.n_classes == 2 { 1..2 } else { 0..self.n_classes }
    }

    fn ranking(&self, class: usize) -> Ranking {
        let score = |row: usize| self.values[row * self.n_classes + class];
        Ranking::new(self.truth.len(), score, |row| self.truth[row] as usize == class)
    }

    fn areas(&self, weights: &[f64]) -> Vec<Areas> {
        match &self.rankings {
            Some(rankings) => rankings.iter().map(|ranking| ranking.areas(weights)).collect(),
            None => self.ranked().map(|class| self.ranking(class).areas(weights)).collect(),
        }
    }

    pub fn values(&self, weights: &[f64], areas: bool) -> Vec<(Measure, f64)> {
        let total: f64 = weights.iter().sum();
        let (mut loss, mut brier, mut top_3, mut top_5) = (0.0, 0.0, 0.0, 0.0);
        let mut bins = [[0.0; 3]; N_BINS];
        for ((row, &class), &w) in self.rows.iter().zip(&self.truth).zip(weights) {
            loss += w * row.loss;
            brier += w * row.brier;
            top_3 += if row.rank < 3 { w } else { 0.0 };
            top_5 += if row.rank < 5 { w } else { 0.0 };
            let [weight, right, confidence] = &mut bins[row.bin];
            *weight += w;
            *right += if row.answer == class { w } else { 0.0 };
            *confidence += w * row.confidence;
        }
        let counts = self.counts(weights);
        let hits: f64 = counts.iter().map(|count| count.hits).sum();
        let f1 = counts.iter().map(Count::f1);
        // A class that is not in the truth weighs nothing, whatever its F1.
        let weighted_f1 = counts.iter().filter(|count| count.truth > 0.0).map(|count| count.truth * count.f1());
        let areas = if areas { self.areas(weights) } else { vec![Areas::NONE] };
        let mut values = vec![
            (Measure::Accuracy, hits / total),
            (Measure::BalancedAccuracy, mean_of_defined(counts.iter().map(Count::recall))),
            (Measure::LogLoss, loss / total),
            (Measure::MacroF1, mean_of_defined(f1)),
            (Measure::WeightedF1, weighted_f1.sum::<f64>() / total),
            (Measure::Mcc, correlation(&counts, hits, total)),
            (Measure::Auroc, mean_of_defined(areas.iter().map(|area| area.roc))),
            (Measure::Auprc, mean_of_defined(areas.iter().map(|area| area.precision_recall))),
            (Measure::Brier, brier / total),
            (Measure::CalibrationError, bins.iter().map(gap).sum::<f64>() / total),
        ];
        if self.n_classes > 3 {
            values.push((Measure::Top3Accuracy, top_3 / total));
        }
        if self.n_classes > 5 {
            values.push((Measure::Top5Accuracy, top_5 / total));
        }
        values
    }

    pub fn parts(&self, weights: &[f64]) -> Vec<(usize, Vec<(Measure, f64)>)> {
        let mut n_rows = vec![0; self.n_classes];
        self.truth.iter().for_each(|&class| n_rows[class as usize] += 1);
        let areas = self.areas(weights);
        let counts = self.counts(weights);
        // Of two classes, one's area is the other's.
        let part =
            |((count, n), class): ((&Count, usize), usize)| (n, count.values(areas[class.min(areas.len() - 1)].roc));
        counts.iter().zip(n_rows).zip(0..).map(part).collect()
    }

    fn counts(&self, weights: &[f64]) -> Vec<Count> {
        let mut counts = vec![Count::default(); self.n_classes];
        for ((row, &class), &w) in self.rows.iter().zip(&self.truth).zip(weights) {
            counts[class as usize].truth += w;
            counts[row.answer as usize].answers += w;
            if row.answer == class {
                counts[class as usize].hits += w;
            }
        }
        counts
    }
}

/// The weight of the rows of a class, in the truth, in the answers and in both.
#[derive(Clone, Copy, Default)]
pub(super) struct Count {
    pub truth: f64,
    pub answers: f64,
    pub hits: f64,
}

impl Count {
    pub fn precision(&self) -> f64 {
        if self.answers > 0.0 { self.hits / self.answers } else { 0.0 }
    }

    pub fn recall(&self) -> f64 {
        self.hits / self.truth
    }

    pub fn f1(&self) -> f64 {
        2.0 * self.hits / (self.truth + self.answers)
    }

    pub fn values(&self, auroc: f64) -> Vec<(Measure, f64)> {
        vec![
            (Measure::Precision, self.precision()),
            (Measure::Recall, self.recall()),
            (Measure::F1, self.f1()),
            (Measure::Auroc, auroc),
        ]
    }
}

/// `-log p` in nats, where a probability counts as at least 2^-23, the spacing of f32 at 1.
pub(super) fn surprise(probability: f32) -> f64 {
    -f64::from(probability.max(f32::EPSILON)).ln()
}

/// Gorodkin's correlation for any number of classes:
/// `(c s - sum t[k] p[k]) / sqrt((s² - sum p[k]²) (s² - sum t[k]²))`, with `s` rows, of which `c` are right.
fn correlation(counts: &[Count], hits: f64, total: f64) -> f64 {
    let sum = |of: fn(&Count) -> f64| counts.iter().map(of).sum::<f64>();
    let covariance = hits * total - sum(|count| count.truth * count.answers);
    let of_answers = total * total - sum(|count| count.answers * count.answers);
    let of_truth = total * total - sum(|count| count.truth * count.truth);
    // What rounding leaves of zero is zero.
    let rounding = f64::EPSILON * total * total * 16.0;
    if of_answers > rounding && of_truth > rounding { covariance / (of_answers * of_truth).sqrt() } else { 0.0 }
}

/// The position of the largest number, the first of equal ones.
pub(super) fn largest(values: &[f32]) -> u32 {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = i;
        }
    }
    best as u32
}

/// `[rows, n_classes]`, where answers may hold the second of two alone.
pub(super) fn both_classes(answers: &Matrix, n_classes: usize) -> Vec<f32> {
    if answers.columns() == n_classes {
        return answers.values().to_vec();
    }
    answers.values().iter().flat_map(|p| [1.0 - p, *p]).collect()
}

/// How many rows of each class (the rows of the result) were given to each class (its columns).
///
/// # Errors
///
/// A truth that is not of classes, and as for [`measure`](super::measure).
pub fn confusion(answers: &Matrix, truth: &Truth) -> Result<Vec<Vec<u64>>> {
    let super::Prepared::Classes(prepared) = super::Prepared::new(answers, truth)? else {
        return Err(super::calibration::not_classes("confusion matrix"));
    };
    let mut counts = vec![vec![0; prepared.n_classes]; prepared.n_classes];
    for (row, &class) in prepared.rows.iter().zip(&prepared.truth) {
        counts[class as usize][row.answer as usize] += 1;
    }
    Ok(counts)
}
