//! Numbers in percent as bars: a group a column, a colour a row.

use skeleton_data::draw::{SERIES, Svg};

use super::begin;

const HEIGHT: f64 = 240.0;
const BAR: f64 = 20.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 54.0;
const GAP: f64 = 24.0;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Bars {
    /// Above the drawing.
    pub title: String,
    /// Below the groups.
    pub columns: Vec<String>,
    /// Words for the legend, and a bar a column; none leaves a gap.
    pub rows: Vec<(String, Vec<Option<Bar>>)>,
}

/// A number in percent.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Its height.
    pub mean: f64,
    /// Of the mean, drawn as a line; 0 where there is none.
    pub deviation: f64,
}

/// The drawing. Its axis begins at 0 and ends at a ten.
pub fn bars_svg(bars: &Bars) -> String {
    let all = bars.rows.iter().flat_map(|(_, row)| row).flatten();
    let most = all.map(|bar| bar.mean).fold(10.0, f64::max);
    let top = (most / 10.0).ceil() * 10.0;
    let y = |percent: f64| TOP + HEIGHT * (1.0 - percent / top);
    let group = BAR * bars.rows.len() as f64 + GAP;
    let width = (LEFT + group * bars.columns.len() as f64 + 16.0).max(560.0);
    let legend = TOP + HEIGHT + 46.0;
    let height = legend + 20.0 * bars.rows.len() as f64 + 8.0;
    let mut svg = begin((width, height), &bars.title, "");
    for tick in 0..=4 {
        let percent = top * f64::from(tick) / 4.0;
        let (at, right) = (y(percent), width - 16.0);
        svg.line(format_args!(
            "<path d=\"M{LEFT} {at:.1}H{right:.0}\" stroke=\"#d5d8de\"/>"
        ));
        let label = format!("{percent:.0} %");
        svg.text(LEFT - 8.0, at + 4.0, "end", &label);
    }
    for (place, column) in bars.columns.iter().enumerate() {
        let left = LEFT + 12.0 + group * place as f64;
        let middle = left + (group - GAP) / 2.0;
        svg.text(middle, TOP + HEIGHT + 20.0, "mid", column);
        for (at, (_, row)) in bars.rows.iter().enumerate() {
            let Some(Some(Bar { mean, deviation })) = row.get(place) else {
                continue;
            };
            let x = left + BAR * at as f64;
            square(
                &mut svg,
                at,
                [x + 1.0, y(*mean)],
                [BAR - 2.0, y(0.0) - y(*mean)],
            );
            let (x, high) = (x + BAR / 2.0, y(mean + deviation));
            if *deviation > 0.0 {
                let low = y(mean - deviation);
                svg.line(format_args!(
                    "<path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke=\"#1c2230\"/>"
                ));
            }
            svg.text(x, high - 4.0, "mid small", &format!("{mean:.0}"));
        }
    }
    for (at, (name, _)) in bars.rows.iter().enumerate() {
        let y = legend + 20.0 * at as f64;
        square(&mut svg, at, [LEFT, y - 10.0], [12.0, 12.0]);
        svg.text(LEFT + 20.0, y, "", name);
    }
    svg.end()
}

/// A rectangle in the colour of a row.
fn square(svg: &mut Svg, row: usize, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
    let colour = SERIES[row % SERIES.len()];
    svg.line(format_args!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_leaves_a_gap() {
        let bar = |mean| {
            Some(Bar {
                mean,
                deviation: 1.0,
            })
        };
        let drawn = bars_svg(&Bars {
            title: "<a title>".into(),
            columns: vec!["head".into(), "torso".into()],
            rows: vec![
                ("one".into(), vec![bar(71.0), None]),
                ("two".into(), vec![bar(0.0), bar(100.0)]),
            ],
        });
        // Three bars, two rows in the legend, the background.
        assert_eq!(drawn.matches("<rect").count(), 3 + 2 + 1, "{drawn}");
        assert!(!drawn.contains("NaN") && drawn.contains("&lt;a title&gt;"));
    }
}
