//! The loss over the epochs, drawn with characters when a training ends.

use console::{Color, Term, style};
use textplots::{Chart, Plot, Shape};

use super::history::EpochValues;
use nngpu::digits::six_digits;

/// What there is to draw on.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Characters of a line.
    pub width: usize,
    /// Whether characters may be coloured.
    pub has_colours: bool,
}

impl Screen {
    /// The terminal behind standard error; none where it is a file or a pipe, or cannot be asked.
    pub fn of_stderr() -> Option<Screen> {
        let term = Term::stderr();
        let (_, width) = term.size_checked().filter(|_| term.is_term())?;
        Some(Screen { width: width.into(), has_colours: console::colors_enabled_stderr() })
    }
}

/// Lines of the picture.
const ROWS: usize = 10;

/// Characters of a line of the picture: below the least nothing is seen, above the most nothing more.
const COLUMNS: std::ops::RangeInclusive<usize> = 24..=72;

/// Dots of a character in braille, from left to right and from top to bottom.
const DOTS: [usize; 2] = [2, 4];

/// The losses as a picture of [`ROWS`] lines with axes, each curve with its name and last value at its end; none for
/// fewer than two epochs and on a screen too narrow. Losses that fall by more than a hundred are drawn by their
/// logarithms.
pub fn loss_curve(epochs: &[EpochValues], screen: Screen) -> Option<String> {
    if epochs.len() < 2 {
        return None;
    }
    let training: Vec<f64> = epochs.iter().map(|epoch| epoch.loss).collect();
    let validation: Vec<f64> = epochs.iter().map(|epoch| epoch.validation_loss.unwrap_or(f64::NAN)).collect();
    let mut curves = vec![("training", training, Color::Cyan), ("validation", validation, Color::Yellow)];
    curves.retain(|(_, values, _)| values.iter().any(|value| value.is_finite()));
    let finite = || curves.iter().flat_map(|(_, values, _)| values).copied().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    // Without any finite loss the least is infinite, and there is nothing to see.
    let is_steep = low > 0.0 && high > 100.0 * low;
    let scaled = |value: f64| if is_steep { value.ln() } else { value };
    let (bottom, mut top) = (scaled(low), scaled(high));
    let is_finite = bottom <= top;
    if !is_finite {
        return None;
    }
    if top - bottom <= 1e-6 * top.abs() {
        top = bottom + 1e-6 * top.abs() + f64::MIN_POSITIVE;
    }

    let row_of = |value: f64| (((top - scaled(value)) / (top - bottom)) * (ROWS - 1) as f64).round() as usize;
    let ends = ends(&curves, row_of);
    let axis: Vec<String> = (0..ROWS)
        .map(|row| {
            let value = top - (top - bottom) * row as f64 / (ROWS - 1) as f64;
            let value = if is_steep { value.exp() } else { value };
            // Three numbers are enough to read the others off.
            if [0, ROWS / 2, ROWS - 1].contains(&row) { three_digits(value) } else { String::new() }
        })
        .collect();
    let length = |text: &String| text.chars().count();
    let left = axis.iter().map(length).max().unwrap_or(0);
    let right = ends.iter().flatten().map(|(text, _)| length(text)).max().unwrap_or(0);
    let columns = screen.width.checked_sub(left + 2 + 1 + right)?.min(*COLUMNS.end());
    if !COLUMNS.contains(&columns) {
        return None;
    }

    let cells: Vec<Vec<Vec<u32>>> = curves
        .iter()
        .map(|(_, values, _)| {
            dots(&values.iter().map(|value| scaled(*value)).collect::<Vec<_>>(), [bottom, top], columns)
        })
        .collect();
    let paint = |text: String, colour: Color| {
        if screen.has_colours { style(text).fg(colour).force_styling(true).to_string() } else { text }
    };
    let mut text = String::from("loss\n");
    for row in 0..ROWS {
        let tick = if axis[row].is_empty() { '│' } else { '┤' };
        let mut line = format!("{:>left$} {tick}", axis[row]);
        for column in 0..columns {
            // Dots of both curves in one character have the colour of the later one.
            let all = cells.iter().fold(0, |all, cells| all | cells[row][column]);
            let owner = cells.iter().rposition(|cells| cells[row][column] != 0);
            match (char::from_u32(0x2800 + all), owner) {
                (Some(braille), Some(owner)) => line += &paint(braille.to_string(), curves[owner].2),
                _ => line.push(' '),
            }
        }
        if let Some((name, colour)) = &ends[row] {
            line += &format!(" {}", paint(name.clone(), *colour));
        }
        text += line.trim_end();
        text.push('\n');
    }
    let last = epochs.len().to_string();
    let line = "─".repeat(columns);
    let gap = columns.saturating_sub(1 + last.len());
    text += &format!("{:>left$} └{line}\n{:>left$}  1{:gap$}{last} epochs\n", "", "", "");
    Some(text)
}

type Named = (&'static str, Vec<f64>, Color);

/// For each line of the picture the name of the curve that ends there, with its last value.
fn ends(curves: &[Named], row_of: impl Fn(f64) -> usize) -> Vec<Option<(String, Color)>> {
    let mut ends: Vec<Option<(String, Color)>> = vec![None; ROWS];
    for (name, values, colour) in curves {
        let Some(last) = values.iter().rev().find(|value| value.is_finite()) else { continue };
        let row = row_of(*last).min(ROWS - 1);
        // Beside the other's line where both end alike.
        let free = [row, row.saturating_sub(1), (row + 1).min(ROWS - 1)].into_iter().find(|&row| ends[row].is_none());
        ends[free.unwrap_or(row)] = Some((format!("{name} {}", three_digits(*last)), *colour));
    }
    ends
}

/// The dots of a line through `values`, for each line and column the low byte of its braille character.
fn dots(values: &[f64], [bottom, top]: [f64; 2], columns: usize) -> Vec<Vec<u32>> {
    let mut dots = vec![vec![0; columns]; ROWS];
    let points: Vec<(f32, f32)> =
        (0..).zip(values).map(|(i, value)| (i as f32, to_unit(*value, bottom, top))).collect();
    // A loss that is not finite is a gap.
    for piece in points.split(|(_, y)| !y.is_finite()) {
        let shape = Shape::Lines(piece);
        let alone = Shape::Points(piece);
        let (width, height) = ((columns * DOTS[0] - 1) as u32, (ROWS * DOTS[1] - 1) as u32);
        let mut chart = Chart::new_with_y_range(width, height, 0.0, (values.len() - 1) as f32, 0.0, 1.0);
        let chart = chart.lineplot(if piece.len() > 1 { &shape } else { &alone });
        chart.figures();
        for (row, line) in dots.iter_mut().zip(chart.frame().lines()) {
            for (cell, letter) in row.iter_mut().zip(line.chars()) {
                *cell |= u32::from(letter).checked_sub(0x2800).filter(|dots| *dots < 256).unwrap_or(0);
            }
        }
    }
    dots
}

/// Where a value lies between the ends of the axis; the drawing is in f32, which may not tell large losses apart.
fn to_unit(value: f64, bottom: f64, top: f64) -> f32 {
    ((value - bottom) / (top - bottom)) as f32
}

/// A number with three significant digits.
fn three_digits(value: f64) -> String {
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    six_digits(rounded as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Screen = Screen { width: 60, has_colours: false };

    fn epochs(losses: &[(f64, Option<f64>)]) -> Vec<EpochValues> {
        let epoch = |&(loss, validation_loss)| EpochValues { loss, validation_loss, ..EpochValues::default() };
        losses.iter().map(epoch).collect()
    }

    #[test]
    fn falling_line_goes_from_corner_to_corner() {
        let losses: Vec<_> = (0..=20).map(|i| (2.0 - 0.05 * f64::from(i), None)).collect();
        let curve = loss_curve(&epochs(&losses), Screen { width: 46, ..PLAIN }).unwrap();
        let lines: Vec<&str> = curve.lines().collect();
        assert_eq!(lines.len(), 1 + ROWS + 2, "{curve}");
        assert!(lines[1].starts_with("   2 ┤⠉"), "{curve}");
        assert!(lines[ROWS].starts_with("   1 ┤") && lines[ROWS].ends_with(" training 1"), "{curve}");
        assert!(lines[ROWS].contains("⢄ training 1"), "{curve}");
        assert!(lines[ROWS + 2].ends_with("21 epochs"), "{curve}");
        // One step down in each line of the picture, none to the left of those above.
        let first = |line: &str| line.chars().skip(6).position(|letter| letter != ' ').unwrap();
        assert!(lines[1..=ROWS].windows(2).all(|pair| first(pair[0]) < first(pair[1])), "{curve}");
    }

    #[test]
    fn curves_have_names_and_colours_of_their_own() {
        let losses: Vec<_> = (0..30).map(|i| (1.0 / f64::from(i + 1), Some(0.3 + 1.0 / f64::from(i + 1)))).collect();
        let plain = loss_curve(&epochs(&losses), PLAIN).unwrap();
        assert!(plain.contains(" training 0.0333\n") && plain.contains(" validation 0.333\n"), "{plain}");
        assert!(!plain.contains('\u{1b}'), "{plain}");
        let coloured = loss_curve(&epochs(&losses), Screen { has_colours: true, ..PLAIN }).unwrap();
        assert_eq!(console::strip_ansi_codes(&coloured), plain);
        assert!(coloured.contains("\u{1b}[36m") && coloured.contains("\u{1b}[33m"), "{coloured:?}");
    }

    #[test]
    fn lines_are_no_wider_than_the_screen() {
        let losses: Vec<_> = (0..200).map(|i| (123.4567 + f64::from(i % 7), Some(99.0))).collect();
        for width in 0..200 {
            if let Some(curve) = loss_curve(&epochs(&losses), Screen { width, has_colours: false }) {
                // The word after the axis may stand below the names.
                let widest = curve.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= width, "{width}: {widest}\n{curve}");
            } else {
                assert!(width < 50, "nothing at {width}");
            }
        }
    }

    #[test]
    fn losses_that_draw_nothing_draw_nothing() {
        assert_eq!(loss_curve(&[], PLAIN), None);
        assert_eq!(loss_curve(&epochs(&[(1.0, None)]), PLAIN), None);
        assert_eq!(loss_curve(&epochs(&[(f64::NAN, None), (f64::INFINITY, None)]), PLAIN), None);
        assert_eq!(loss_curve(&epochs(&[(1.0, None), (0.5, None)]), Screen { width: 30, ..PLAIN }), None);
        // But these do: a flat line, a gap, numbers that f32 does not hold.
        for losses in [
            [(0.0, None); 3],
            [(1.0, None), (f64::NAN, None), (0.5, Some(1.0))],
            [(1e300, None), (1e-300, None), (1.0, None)],
        ] {
            assert!(loss_curve(&epochs(&losses), PLAIN).is_some(), "{losses:?}");
        }
    }

    #[test]
    fn steep_losses_are_drawn_by_their_logarithms() {
        let losses: Vec<_> = (0..=40).map(|i| (10f64.powf(-f64::from(i) / 10.0), None)).collect();
        let curve = loss_curve(&epochs(&losses), PLAIN).unwrap();
        let lines: Vec<&str> = curve.lines().collect();
        assert!(lines[1].starts_with("      1 ┤") && lines[ROWS].starts_with(" 0.0001 ┤"), "{curve}");
        // Ten lines for four powers of ten: the sixth is at 10^(-4 · 5 / 9).
        assert!(lines[ROWS / 2 + 1].starts_with("0.00599 ┤"), "{curve}");
    }
}
