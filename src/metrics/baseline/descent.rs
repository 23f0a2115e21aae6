//! Finding the least value of a smooth, convex function of a few thousand numbers.

use std::collections::VecDeque;

use super::linear::{add, dot};

/// Earlier steps that the curvature is told from.
const MEMORY: usize = 10;

/// Takes `x` to where `function`, which gives the value and writes the slope, is least: limited-memory BFGS with
/// backtracking (Nocedal and Wright, Numerical Optimization, 2006, algorithms 7.4 and 3.1).
///
/// Ends where no slope is above 1e-6, where no step leads further down, or after `most_steps`.
pub(super) fn minimise(
    mut x: Vec<f64>,
    most_steps: usize,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Vec<f64> {
    let mut slope = vec![0.0; x.len()];
    let mut value = function(&x, &mut slope);
    // Pairs of a step and the change of the slope along it.
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    let mut next_slope = vec![0.0; x.len()];
    for _ in 0..most_steps {
        if slope.iter().all(|slope| slope.abs() <= 1e-6) {
            break;
        }
        let direction = downhill(&slope, &memory);
        let descent = dot(&direction, &slope);
        // The first direction knows no curvature: its step is of length 1 at most.
        let mut length = if memory.is_empty() { 1.0 / (1.0 + dot(&slope, &slope).sqrt()) } else { 1.0 };
        let mut next = x.clone();
        let found = (0..40).find_map(|_| {
            next.copy_from_slice(&x);
            add(&mut next, length, &direction);
            let next_value = function(&next, &mut next_slope);
            let is_down = next_value <= value + 1e-4 * length * descent;
            length /= 2.0;
            is_down.then_some(next_value)
        });
        let Some(next_value) = found else { break };
        let step: Vec<f64> = next.iter().zip(&x).map(|(next, x)| next - x).collect();
        let change: Vec<f64> = next_slope.iter().zip(&slope).map(|(next, slope)| next - slope).collect();
        // Only a positive curvature leads to a direction that goes down.
        if dot(&step, &change) > 1e-12 * dot(&change, &change) {
            memory.push_back((step, change));
            if memory.len() > MEMORY {
                memory.pop_front();
            }
        }
        x = next;
        value = next_value;
        std::mem::swap(&mut slope, &mut next_slope);
    }
    x
}

/// The slope times what is known of the inverse of the curvature, negated.
fn downhill(slope: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut direction: Vec<f64> = slope.iter().map(|slope| -slope).collect();
    let mut parts = Vec::with_capacity(memory.len());
    for (step, change) in memory.iter().rev() {
        let part = dot(step, &direction) / dot(step, change);
        add(&mut direction, -part, change);
        parts.push(part);
    }
    if let Some((step, change)) = memory.back() {
        let scale = dot(step, change) / dot(change, change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for ((step, change), part) in memory.iter().zip(parts.into_iter().rev()) {
        let other = dot(change, &direction) / dot(step, change);
        add(&mut direction, part - other, step);
    }
    direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_value_of_a_stretched_bowl_is_found() {
        // sum c[i] (x[i] - i)² with curvatures from 1 to 1000.
        let x = minimise(vec![5.0; 4], 200, |x, slope| {
            (0..4).for_each(|i| slope[i] = 2.0 * 10f64.powi(i as i32) * (x[i] - i as f64));
            (0..4).map(|i| 10f64.powi(i as i32) * (x[i] - i as f64).powi(2)).sum()
        });
        assert!(x.iter().enumerate().all(|(i, x)| (x - i as f64).abs() <= 1e-5), "{x:?}");
    }
}
