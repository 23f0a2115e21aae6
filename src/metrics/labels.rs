//! Measures of labels, any number of which apply to a row.

use super::classes::{Count, LARGEST_KEPT, surprise};
use super::ranking::{Areas, Ranking};
use super::{Measure, mean_of_defined};
use crate::data::Matrix;
use crate::{Error, Result};

/// Answers and truth, `[rows, n_labels]`.
pub(super) struct Labels {
    answers: Vec<f32>,
    truth: Vec<bool>,
    n_labels: usize,
    /// For each row the sum of its labels' losses.
    losses: Vec<f64>,
    /// One for each label, if they are few enough to be kept.
    rankings: Option<Vec<Ranking>>,
}

/// A label is answered from this probability on.
const THRESHOLD: f32 = 0.5;

/// Whether a label of this probability is answered.
pub fn is_answered(probability: f32) -> bool {
    probability >= THRESHOLD
}

impl Labels {
    pub fn new(answers: &Matrix, truth: &Matrix) -> Result<Labels> {
        if let Some(index) = truth.values().iter().position(|value| *value != 0.0 && *value != 1.0) {
            return Err(Error::Setting {
                name: format!("label {} of row {}", index % truth.columns() + 1, index / truth.columns() + 1),
                found: truth.values()[index].to_string(),
                expected: "0 or 1".into(),
            });
        }
        let n_labels = truth.columns();
        let truth: Vec<bool> = truth.values().iter().map(|value| *value == 1.0).collect();
        let loss = |(p, applies): (&f32, &bool)| surprise(if *applies { *p } else { 1.0 - p });
        let each: Vec<f64> = answers.values().iter().zip(&truth).map(loss).collect();
        let losses = each.chunks(n_labels).map(|losses| losses.iter().sum()).collect();
        let mut labels = Labels { answers: answers.values().to_vec(), truth, n_labels, losses, rankings: None };
        if labels.answers.len() <= LARGEST_KEPT {
            labels.rankings = Some((0..n_labels).map(|label| labels.ranking(label)).collect());
        }
        Ok(labels)
    }

    pub fn columns(&self) -> usize {
        self.n_labels
    }

    fn ranking(&self, label: usize) -> Ranking {
        let at = |row: usize| row * self.n_labels + label;
        Ranking::new(self.losses.len(), |row| self.answers[at(row)], |row| self.truth[at(row)])
    }

    fn areas(&self, weights: &[f64]) -> Vec<Areas> {
        match &self.rankings {
            Some(rankings) => rankings.iter().map(|ranking| ranking.areas(weights)).collect(),
            None => (0..self.n_labels).map(|label| self.ranking(label).areas(weights)).collect(),
        }
    }

    pub fn values(&self, weights: &[f64], areas: bool) -> Vec<(Measure, f64)> {
        let total: f64 = weights.iter().sum();
        let (mut exact, mut wrong, mut loss) = (0.0, 0.0, 0.0);
        let rows = self.answers.chunks(self.n_labels).zip(self.truth.chunks(self.n_labels));
        for (((answers, truth), row_loss), w) in rows.zip(&self.losses).zip(weights) {
            let n_wrong = answers.iter().zip(truth).filter(|(p, applies)| is_answered(**p) != **applies).count();
            exact += if n_wrong == 0 { *w } else { 0.0 };
            wrong += w * n_wrong as f64;
            loss += w * row_loss;
        }
        let counts = self.counts(weights);
        let sum = |of: fn(&Count) -> f64| counts.iter().map(of).sum();
        let all = Count { truth: sum(|c| c.truth), answers: sum(|c| c.answers), hits: sum(|c| c.hits) };
        let areas = if areas { self.areas(weights) } else { vec![Areas::NONE] };
        let each = total * self.n_labels as f64;
        vec![
            (Measure::SubsetAccuracy, exact / total),
            (Measure::HammingLoss, wrong / each),
            (Measure::MicroF1, all.f1()),
            (Measure::MacroF1, mean_of_defined(counts.iter().map(Count::f1))),
            (Measure::Auroc, mean_of_defined(areas.iter().map(|area| area.roc))),
            (Measure::Auprc, mean_of_defined(areas.iter().map(|area| area.precision_recall))),
            (Measure::LogLoss, loss / each),
        ]
    }

    pub fn parts(&self, weights: &[f64]) -> Vec<(usize, Vec<(Measure, f64)>)> {
        let n_rows = |label: usize| self.truth.iter().skip(label).step_by(self.n_labels).filter(|t| **t).count();
        let counts = self.counts(weights);
        let parts = counts.iter().zip(self.areas(weights)).zip(0..);
        parts.map(|((count, areas), label)| (n_rows(label), count.values(areas.roc))).collect()
    }

    fn counts(&self, weights: &[f64]) -> Vec<Count> {
        let mut counts = vec![Count::default(); self.n_labels];
        let rows = self.answers.chunks(self.n_labels).zip(self.truth.chunks(self.n_labels));
        for ((answers, truth), &w) in rows.zip(weights) {
            for ((count, p), &applies) in counts.iter_mut().zip(answers).zip(truth) {
                let is_answer = is_answered(*p);
                count.truth += if applies { w } else { 0.0 };
                count.answers += if is_answer { w } else { 0.0 };
                count.hits += if applies && is_answer { w } else { 0.0 };
            }
        }
        counts
    }
}
