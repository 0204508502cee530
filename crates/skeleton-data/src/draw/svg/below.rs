//! What stands below the panels: the trace and the legend.

use std::fmt::Write;

use super::super::escape::short;
use super::super::palette::Paint;
use super::super::scene::Scene;
use super::super::trace::Trace;
use super::{MARGIN, Svg, TRACE};

/// Columns of the trace at most: more frames share one.
const COLUMNS: usize = 400;

impl Svg {
    /// Missing joints as bars, the step of the fastest joint as a line, ticks where a frame is shown.
    pub(super) fn trace(&mut self, scene: &Scene, shown: &[usize], width: f32, top: f32) {
        let trace = &scene.trace;
        let (left, right) = (MARGIN, width - MARGIN);
        let columns = scene.frames.clamp(1, COLUMNS);
        let x = |frame: f32| left + (right - left) * (frame + 0.5) / scene.frames.max(1) as f32;
        let span =
            |column: usize| column * scene.frames / columns..(column + 1) * scene.frames / columns;
        let at = |column: usize| x((span(column).start + span(column).end) as f32 / 2.0 - 0.5);
        let Some((frame, step)) = fastest(trace) else {
            return;
        };
        let largest = step.max(0.1);
        let joints = (scene.joints.len() * scene.people.len()).max(1) as f32;
        let bar = ((right - left) / columns as f32).max(0.8);
        let mut line = String::new();
        for column in 0..columns {
            let missing = span(column)
                .map(|frame| trace.missing[frame])
                .max()
                .unwrap_or(0);
            if missing > 0 {
                let tall = (TRACE * missing as f32 / joints).max(1.5);
                let (x, y) = (at(column) - bar / 2.0, top + TRACE - tall);
                self.line(format_args!("<rect class=\"gone\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"{tall:.1}\"/>"));
            }
            let step = span(column)
                .map(|frame| trace.steps[frame])
                .fold(0.0, f32::max);
            let _ = write!(
                line,
                "{}{:.1} {:.1}",
                if column == 0 { "M" } else { "L" },
                at(column),
                top + TRACE * (1.0 - step / largest)
            );
        }
        self.line(format_args!("<path class=\"step\" d=\"{line}\"/>"));
        let mut ticks = String::new();
        for &frame in shown {
            let _ = write!(ticks, "M{:.1} {:.1}v5", x(frame as f32), top + TRACE);
        }
        self.line(format_args!("<path class=\"tick\" d=\"{ticks}\"/>"));
        let most = trace.missing.iter().max().copied().unwrap_or(0);
        let line = match step > 0.0 {
            true => format!(
                "the fastest joint, at most {step:.2} body sizes a frame (frame {frame}, {})",
                scene.joints[trace.fastest[frame]]
            ),
            false => "no joint moves".to_owned(),
        };
        let words = format!("Line: {line}. Bars: missing joints, at most {most} a frame.");
        self.text(
            left,
            top - 8.0,
            "facts",
            &short(&words, ((right - left) / 6.6) as usize),
        );
    }

    pub(super) fn legend(&mut self, scene: &Scene, y: f32) {
        let mut x = MARGIN;
        for paint in Paint::ALL
            .into_iter()
            .filter(|paint| scene.paints.contains(paint))
        {
            self.line(format_args!(
                "<path class=\"{}\" d=\"M{x:.1} {:.1}h18\"/>",
                paint.class(),
                y - 4.0
            ));
            self.text(x + 24.0, y, "facts", paint.words());
            x += 38.0 + 6.8 * paint.words().len() as f32;
        }
        if scene.people.len() > 1 {
            let others = if scene.people.len() > 2 {
                "others hollow"
            } else {
                "the other hollow"
            };
            self.text(
                x,
                y,
                "facts",
                &format!("person {} filled, {others}", scene.people[0].number),
            );
        }
    }
}

/// The frame with the largest step, and the step; `None` without frames.
fn fastest(trace: &Trace) -> Option<(usize, f32)> {
    let steps = trace.steps.iter().copied().enumerate();
    // Of equal ones the first.
    steps.reduce(|best, step| if step.1 > best.1 { step } else { best })
}
