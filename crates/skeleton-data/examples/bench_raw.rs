//! The section `raw` of `cargo xtask bench data`: `bench_raw make FOLDER` writes 2,000 `.skeleton` files, `bench_raw run
//! FOLDER` parses them on one thread and prints seconds and bytes as a JSON line.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use skeleton_data::raw::ntu::{JOINTS, Recording};

const FILES: usize = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments[1..] {
        [what, folder] if what == "make" => make(Path::new(folder)),
        [what, folder] if what == "run" => run(Path::new(folder)),
        _ => Err("usage: bench_raw make|run FOLDER".into()),
    }
}

/// A small generator of its own: the files are the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }

    fn whole(&mut self, from: usize, to: usize) -> usize {
        from + (self.next() * (to + 1 - from) as f64) as usize
    }
}

fn make(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut dice = Dice(1);
    for file in 0..FILES {
        let (bodies, frames) = (dice.whole(1, 4), dice.whole(30, 300));
        let mut text = format!("{frames}\r\n");
        for _ in 0..frames {
            write!(text, "{bodies}\r\n")?;
            for body in 0..bodies {
                frame(&mut text, &mut dice, body)?;
            }
        }
        std::fs::write(folder.join(format!("{file:04}.skeleton")), text)?;
    }
    Ok(())
}

/// Numbers of seven significant digits without zeros at their end, as the sensor's software writes them.
fn frame(text: &mut String, dice: &mut Dice, body: usize) -> std::fmt::Result {
    let id = 72_057_594_037_931_101 + body as u64;
    write!(text, "{id} 0 1 1 1 1 0 0.02764709 0.05745083 2\r\n25\r\n")?;
    let ranges = [(-1.0, 1.0), (-1.0, 1.0), (2.0, 5.0)];
    let image = [
        (150.0, 400.0),
        (100.0, 400.0),
        (600.0, 1_300.0),
        (300.0, 900.0),
    ];
    let turn = [(-1.0, 1.0); 4];
    for _ in 0..JOINTS {
        for &(low, high) in ranges.iter().chain(&image).chain(&turn) {
            let value: f64 = low + (high - low) * dice.next();
            let places = (6.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
            let number = format!("{value:.places$}");
            write!(
                text,
                "{} ",
                number.trim_end_matches('0').trim_end_matches('.')
            )?;
        }
        text.push_str("2\r\n");
    }
    Ok(())
}

fn run(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "skeleton"));
    files.sort();
    let (mut bytes, mut poses) = (0, 0);
    let start = Instant::now();
    for path in &files {
        let text = std::fs::read(path)?;
        let recording = Recording::parse(path, &text)?;
        bytes += text.len();
        poses += recording
            .bodies
            .iter()
            .map(|body| body.poses.len())
            .sum::<usize>();
    }
    let seconds = start.elapsed().as_secs_f64();
    let files = files.len();
    println!(
        "{{\"seconds\": {seconds}, \"bytes\": {bytes}, \"files\": {files}, \"poses\": {poses}}}"
    );
    Ok(())
}
