//! The pictures of the report, as SVG that takes its colours from the page.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::short;
use nngpu::metrics::CalibrationBin;

/// A drawing's units for one of the page: the library draws to whole units, which would be seen.
const SCALE: u32 = 10;

/// The size of the text, in units of the page at the picture's full width.
const TEXT: u32 = 13;

/// Colours that stand for what a thing is; [`finish`] puts the page's own in their place.
const QUIET: RGBColor = RGBColor(1, 0, 0);
const GRID: RGBColor = RGBColor(2, 0, 0);
const FIRST: RGBColor = RGBColor(3, 0, 0);
const SECOND: RGBColor = RGBColor(4, 0, 0);

const PAGE_COLOURS: [(&str, &str); 4] = [
    ("#010000", "var(--quiet)"),
    ("#020000", "var(--line)"),
    ("#030000", "var(--first)"),
    ("#040000", "var(--second)"),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, Y>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A line of a picture: its points and how it looks.
pub struct Line {
    pub points: Vec<[f64; 2]>,
    pub look: Look,
}

/// How a line looks.
#[derive(Clone, Copy)]
pub enum Look {
    /// Training.
    First,
    /// Validation.
    Second,
    /// One member of several, behind their mean.
    FirstMember,
    /// One member of several on the validation rows.
    SecondMember,
}

impl Look {
    fn style(self) -> ShapeStyle {
        let (colour, opacity, width) = match self {
            Look::First => (FIRST, 1.0, 2.0),
            Look::Second => (SECOND, 1.0, 2.0),
            Look::FirstMember => (FIRST, 0.3, 1.0),
            Look::SecondMember => (SECOND, 0.3, 1.0),
        };
        ShapeStyle::from(&colour.mix(opacity)).stroke_width((width * f64::from(SCALE)) as u32)
    }
}

/// Values over epochs; `mark` is an epoch to be pointed at.
pub fn over_epochs(title: &str, id: &str, lines: &[Line], mark: Option<f64>) -> String {
    picture([460, 280], title, id, |area| {
        let points = || lines.iter().flat_map(|line| &line.points).filter(|[_, y]| y.is_finite());
        let n_epochs = points().map(|[x, _]| *x).fold(2.0, f64::max);
        let (low, high) =
            points().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), [_, y]| (low.min(*y), high.max(*y)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        // A loss that falls by a hundred is a flat line after its first steps unless it is seen by its logarithm.
        let is_steep = low > 0.0 && high > 100.0 * low;
        if is_steep {
            let y = (low / 1.2..high * 1.2).log_scale();
            let mut chart = frame(area, 1.0..n_epochs, y, ["epoch", ""], [6, 5])?;
            draw_lines(&mut chart, lines, mark, [low / 1.2, high * 1.2])
        } else {
            let margin = if high > low { (high - low) * 0.06 } else { low.abs().max(1.0) * 0.1 };
            let bottom = if low >= 0.0 { (low - margin).max(0.0) } else { low - margin };
            let mut chart = frame(area, 1.0..n_epochs, bottom..high + margin, ["epoch", ""], [6, 5])?;
            draw_lines(&mut chart, lines, mark, [bottom, high + margin])
        }
    })
}

fn draw_lines<Y: Ranged<ValueType = f64>>(
    chart: &mut Chart<Y>,
    lines: &[Line],
    mark: Option<f64>,
    [bottom, top]: [f64; 2],
) -> Drawn {
    if let Some(x) = mark {
        let style = ShapeStyle::from(&QUIET).stroke_width(SCALE);
        chart.draw_series(DashedLineSeries::new([(x, bottom), (x, top)], 4 * SCALE as i32, 4 * SCALE as i32, style))?;
    }
    for line in lines {
        let style = line.look.style();
        // A value that is not finite is a gap.
        for piece in line.points.split(|[_, y]| !y.is_finite()) {
            match piece {
                [] => {}
                // A line of one point would not be seen.
                [[x, y]] => {
                    let dot = Circle::new((*x, *y), 3 * SCALE, style.filled());
                    chart.draw_series([dot])?;
                }
                _ => {
                    chart.draw_series(LineSeries::new(piece.iter().map(|[x, y]| (*x, *y)), style))?;
                }
            }
        }
    }
    Ok(())
}

/// Predicted values against true ones, with the line on which both are equal.
pub fn predicted_against_true(title: &str, id: &str, unit: &str, points: &[[f64; 2]]) -> String {
    picture([440, 400], title, id, |area| {
        let values = || points.iter().flatten().copied().filter(|value| value.is_finite());
        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low < high { (low, high) } else { (low.min(0.0), high.max(1.0)) };
        let margin = (high - low) * 0.04;
        let range = low - margin..high + margin;
        let names = [format!("true {unit}"), format!("predicted {unit}")];
        let mut chart = frame(area, range.clone(), range.clone(), [&names[0], &names[1]], [5, 5])?;
        chart.draw_series(LineSeries::new(
            [(range.start, range.start), (range.end, range.end)],
            ShapeStyle::from(&QUIET).stroke_width(SCALE),
        ))?;
        let style = ShapeStyle::from(&FIRST.mix(0.4)).filled();
        let finite = points.iter().filter(|point| point.iter().all(|value| value.is_finite()));
        chart.draw_series(finite.map(|[t, p]| Circle::new((*t, *p), 5 * SCALE / 2, style)))?;
        Ok(())
    })
}

/// How often answers are right against how sure they are; a dot's area goes by its rows.
pub fn calibration(title: &str, id: &str, bins: &[CalibrationBin]) -> String {
    picture([440, 400], title, id, |area| {
        let low = bins.iter().map(|bin| bin.confidence.min(bin.accuracy)).fold(1.0, f64::min);
        let low = ((low - 0.05) * 10.0).floor().max(0.0) / 10.0;
        let range = low..1.02;
        let mut chart = frame(area, range.clone(), range, ["probability of the answer", "part that is right"], [5, 5])?;
        chart.draw_series(LineSeries::new([(low, low), (1.0, 1.0)], ShapeStyle::from(&QUIET).stroke_width(SCALE)))?;
        let most = bins.iter().map(|bin| bin.n_rows).max().unwrap_or(1) as f64;
        chart.draw_series(LineSeries::new(
            bins.iter().map(|bin| (bin.confidence, bin.accuracy)),
            ShapeStyle::from(&FIRST.mix(0.5)).stroke_width(3 * SCALE / 2),
        ))?;
        chart.draw_series(bins.iter().map(|bin| {
            let radius = (2.5 + 5.5 * (bin.n_rows as f64 / most).sqrt()) * f64::from(SCALE);
            Circle::new((bin.confidence, bin.accuracy), radius as u32, FIRST.filled())
        }))?;
        Ok(())
    })
}

/// Axes with a few lines behind what is drawn, and their names.
fn frame<'a, 'b, Y>(
    area: &'a Area<'b>,
    x: std::ops::Range<f64>,
    y: Y,
    [x_name, y_name]: [&str; 2],
    [x_ticks, y_ticks]: [usize; 2],
) -> Result<Chart<'a, 'b, Y::CoordDescType>, Box<dyn std::error::Error>>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .margin(6 * SCALE)
        .margin_right(14 * SCALE)
        .x_label_area_size(42 * SCALE)
        .y_label_area_size(if y_name.is_empty() { 44 } else { 62 } * SCALE)
        .build_cartesian_2d(x, y)?;
    let text = ("sans-serif", (f64::from(TEXT * SCALE) * 1.24) as u32, &QUIET);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(ShapeStyle::from(&GRID).stroke_width(SCALE))
        .axis_style(ShapeStyle::from(&GRID).stroke_width(SCALE))
        .set_all_tick_mark_size(4 * SCALE)
        .label_style(text)
        .axis_desc_style(text)
        .x_labels(x_ticks)
        .y_labels(y_ticks)
        .x_label_formatter(&|x| tick(*x))
        .y_label_formatter(&|y| tick(*y))
        .x_desc(x_name)
        .y_desc(y_name)
        .draw()?;
    Ok(chart)
}

/// A tick's number: round, so that few digits are all of it.
fn tick(value: f64) -> String {
    let text = short(value);
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Draws on a picture of `size` and puts it into the form that the page takes.
fn picture([width, height]: [u32; 2], title: &str, id: &str, draw: impl Fn(&Area) -> Drawn) -> String {
    let size = (width * SCALE, height * SCALE);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        // Text and numbers in memory: there is nothing that could fail.
        draw(&area).and_then(|()| Ok(area.present()?)).expect("a picture in memory");
    }
    finish(&text, size, title, id)
}

/// Names the picture for those who do not see it, lets the page set its width and fonts, and takes the page's colours.
fn finish(text: &str, (width, height): (u32, u32), title: &str, id: &str) -> String {
    let (_, inner) = text.split_once('>').expect("an element");
    let mut inner = inner.replace("font-family=\"sans-serif\" ", "");
    for (colour, of_page) in PAGE_COLOURS {
        inner = inner.replace(colour, of_page);
    }
    let title = askama::filters::escape(title, askama::filters::Html).expect("text").to_string();
    format!(
        r#"<svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}"><title id="{id}">{title}</title>{inner}"#
    )
}
