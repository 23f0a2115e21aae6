//! The table that a training ends with.

use comfy_table::{ContentArrangement, Table, presets};
use nngpu::model::Output;
use nngpu::train::{Evaluation, Metric};

/// An empty table in the command's style, as wide as the terminal.
pub fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// The metrics of each part of the data: its name, its rows, how they are predicted. Errors of
/// numbers are given in the units of the target, too.
pub fn metrics(parts: &[(&str, usize, Evaluation)], output: &Output) -> String {
    let unit = match output {
        Output::Number { standardiser, .. } => Some(f64::from(standardiser.scale()[0])),
        Output::Class { .. } => None,
    };
    let mut table = table();
    let metric = parts.first().map_or("", |(_, _, evaluation)| evaluation.metric.name());
    table.set_header(["data", "rows", "loss", metric].into_iter().chain(unit.map(|_| "root mean square error")));
    for (name, rows, evaluation) in parts {
        let metric = match evaluation.metric {
            Metric::Accuracy(accuracy) => format!("{:.2} %", 100.0 * accuracy),
            metric => format!("{:.4}", metric.value()),
        };
        let error = unit.map(|unit| format!("{:.4}", evaluation.mean_square.unwrap_or(f64::NAN).sqrt() * unit));
        let cells = [name.to_string(), rows.to_string(), format!("{:.4}", evaluation.loss), metric];
        table.add_row(cells.into_iter().chain(error));
    }
    table.to_string()
}
