//! Accuracies as bars: a group a column, a colour a row.

use std::fmt::Write;

use super::report::Table;

/// Okabe and Ito's colours, which colour-blind people tell apart.
const COLOURS: [&str; 6] = [
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7",
];
const HEIGHT: f64 = 240.0;
const BAR: f64 = 20.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 54.0;

/// The drawing. Cells that were not made leave a gap.
pub fn bars(table: &Table<'_>) -> String {
    let (mut rows, mut columns): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for row in table.rows.iter().filter(|row| row.numbers.is_ok()) {
        let cell = row.planned.cell;
        if !rows.contains(&cell.row.as_str()) {
            rows.push(&cell.row);
        }
        if !columns.contains(&cell.column.as_str()) {
            columns.push(&cell.column);
        }
    }
    let numbers = |row: &str, column: &str| {
        let found = table
            .rows
            .iter()
            .find(|one| one.planned.cell.row == row && one.planned.cell.column == column);
        found.and_then(|one| one.numbers.as_ref().ok())
    };
    let most = table
        .rows
        .iter()
        .filter_map(|row| Some(row.numbers.as_ref().ok()?.mean()));
    // Axes begin at 0 and end at a ten.
    let top = (most.fold(10.0, f64::max) / 10.0).ceil() * 10.0;
    let y = |percent: f64| TOP + HEIGHT * (1.0 - percent / top);
    let group = BAR * rows.len() as f64 + 24.0;
    let width = (LEFT + group * columns.len() as f64 + 16.0).max(560.0);
    let legend = TOP + HEIGHT + 46.0;
    let height = legend + 20.0 * rows.len() as f64 + 8.0;
    let mut svg = head(
        width,
        height,
        &format!(
            "{}, scale {}",
            table.planned.experiment.title,
            table.scale.name()
        ),
    );
    for tick in 0..=4 {
        let percent = top * f64::from(tick) / 4.0;
        let at = y(percent);
        line(
            &mut svg,
            format_args!(
                "<line x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#d5d8de\"/>",
                width - 16.0
            ),
        );
        line(
            &mut svg,
            format_args!(
                "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{percent:.0} %</text>",
                LEFT - 8.0,
                at + 4.0
            ),
        );
    }
    for (place, column) in columns.iter().enumerate() {
        let left = LEFT + 12.0 + group * place as f64;
        line(
            &mut svg,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
                left + (group - 24.0) / 2.0,
                TOP + HEIGHT + 20.0,
                xml(column)
            ),
        );
        for (at, row) in rows.iter().enumerate() {
            let Some(numbers) = numbers(row, column) else {
                continue;
            };
            let (mean, x) = (numbers.mean(), left + BAR * at as f64);
            let colour = COLOURS[at % COLOURS.len()];
            line(
                &mut svg,
                format_args!(
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                    x + 1.0,
                    y(mean),
                    BAR - 2.0,
                    y(0.0) - y(mean)
                ),
            );
            let std = numbers.std().unwrap_or(0.0);
            if std > 0.0 {
                line(
                    &mut svg,
                    format_args!(
                        "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\" stroke=\"#1c2230\"/>",
                        x + BAR / 2.0,
                        y(mean - std),
                        y(mean + std)
                    ),
                );
            }
            line(
                &mut svg,
                format_args!(
                    "<text class=\"number\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{mean:.0}</text>",
                    x + BAR / 2.0,
                    y(mean + std) - 4.0
                ),
            );
        }
    }
    for (at, row) in rows.iter().enumerate() {
        let top = legend + 20.0 * at as f64;
        line(
            &mut svg,
            format_args!(
                "<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"12\" height=\"12\" fill=\"{}\"/>",
                top - 10.0,
                COLOURS[at % COLOURS.len()]
            ),
        );
        line(
            &mut svg,
            format_args!(
                "<text x=\"{:.0}\" y=\"{top:.0}\">{} (ours: {})</text>",
                LEFT + 20.0,
                xml(row),
                xml(&measured(table, row))
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// What a row was really measured on.
fn measured(table: &Table<'_>, name: &str) -> String {
    let row = table.rows.iter().find(|row| row.planned.cell.row == name);
    row.map_or(String::new(), super::report::Row::clips)
}

fn head(width: f64, height: f64, title: &str) -> String {
    let mut svg = String::new();
    line(
        &mut svg,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">"
        ),
    );
    line(
        &mut svg,
        format_args!(
            "<style>text{{font:12px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;fill:#1c2230}}.title{{font-size:15px;font-weight:600}}.number{{font-size:10px}}</style>"
        ),
    );
    line(
        &mut svg,
        format_args!("<rect width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#fff\"/>"),
    );
    line(
        &mut svg,
        format_args!(
            "<text class=\"title\" x=\"16\" y=\"26\">{}</text>",
            xml(title)
        ),
    );
    svg
}

fn line(svg: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = svg.write_fmt(words);
    svg.push('\n');
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
