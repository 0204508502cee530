//! How the time of a pre-training step grows: with clips, frames and joints, one at a time.

use super::options::Options;
use super::report::milliseconds;
use super::side::{Kind, Side, Start};
use super::{FRAMES, LAYOUT, Work};
use crate::bench::measure::median;
use crate::process::Failure;

const CLIPS: usize = 16;
/// Layouts and their joints.
const LAYOUTS: [(&str, usize); 4] = [("jhmdb15", 15), (LAYOUT, 17), ("ucla20", 20), ("ntu25", 25)];

struct Size {
    work: Work,
    frames: usize,
    layout: &'static str,
    rows: usize,
}

/// The sizes, each once: the middle of all three rows of the table stands first.
fn sizes() -> Vec<Size> {
    let size = |clips, frames, (layout, joints)| Size {
        work: Work {
            name: "sizes",
            title: "pre-training step",
            call: "pretrain",
            script: super::MODELS,
            clips,
            steps: 3,
            goals: [0.0; 2],
        },
        frames,
        layout,
        rows: clips * frames * joints,
    };
    let middle = (CLIPS, FRAMES, LAYOUTS[1]);
    let clips = [4, 8, 32].map(|clips| (clips, middle.1, middle.2));
    let frames = [16, 32, 128].map(|frames| (middle.0, frames, middle.2));
    let layouts = LAYOUTS.map(|layout| (middle.0, middle.1, layout));
    let others = layouts.into_iter().filter(|other| *other != middle);
    let all = std::iter::once(middle).chain(clips).chain(frames);
    all.chain(others).map(|(b, t, v)| size(b, t, v)).collect()
}

pub fn bench(start: &Start, options: &Options) -> Result<(), Failure> {
    let sizes = sizes();
    let mut sides = Vec::new();
    for size in &sizes {
        let command = start.command(Kind::Ours, &size.work, size.frames, size.layout);
        sides.push((size, Side::start(command)?, Vec::new()));
    }
    for _ in 0..options.rounds {
        for (size, side, seconds) in &mut sides {
            seconds.push(side.step(size.work.steps, options.clock)?);
        }
    }
    println!("a pre-training step; threads: {}", start.threads);
    println!("clips  frames  layout    joint rows        time  a row");
    for (size, _, seconds) in sides {
        let time = median(seconds.into_iter());
        println!(
            "{:5}  {:6}  {:8}  {:10}  {:>10}  {:.2} us",
            size.work.clips,
            size.frames,
            size.layout,
            size.rows,
            milliseconds(time),
            time / size.rows as f64 * 1e6
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_size_changes_at_a_time() {
        let sizes = sizes();
        assert_eq!(sizes.len(), 10);
        assert_eq!(sizes[0].rows, 17_408);
        let middle = &sizes[0];
        for size in &sizes[1..] {
            let changed = [
                size.work.clips != middle.work.clips,
                size.frames != middle.frames,
                size.layout != middle.layout,
            ];
            assert_eq!(changed.iter().filter(|&&changed| changed).count(), 1);
        }
    }
}
