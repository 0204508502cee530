//! Our side of `cargo xtask bench`: `bench_step WORK CLIPS FRAMES LAYOUT` says `{"ready": 1}`, makes the work when it reads
//! a line and says how many parameters the model has; then each line it reads is a number of steps, which it does and
//! answers with the median seconds of one, by the wall and of the processor. `bench_step about` says which instruction
//! set the ops chose. RAYON_NUM_THREADS, OMP_NUM_THREADS of the other side, is the number of threads.

mod ops;
mod system;
mod work;

use std::io::Write as _;
use std::time::Instant;

use skeleton_kernels::instruction_set;
use work::{Shape, Work};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    system::keep_freed_blocks();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["about"] => {
            println!("{}", instruction_set());
            Ok(())
        }
        [work, clips, frames, layout] => serve(
            work,
            Shape {
                clips: clips.parse()?,
                frames: frames.parse()?,
                layout,
            },
        ),
        _ => Err(
            "usage: bench_step about | pretrain|finetune|infer|op_... CLIPS FRAMES LAYOUT < LINES"
                .into(),
        ),
    }
}

fn serve(work: &str, shape: Shape<'_>) -> Outcome<()> {
    let mut lines = std::io::stdin().lines();
    say(r#"{"ready": 1}"#)?;
    if lines.next().transpose()?.is_none() {
        return Ok(());
    }
    let mut work = Work::new(work, shape)?;
    for _ in 0..3 {
        work.step()?;
    }
    say(&format!(r#"{{"parameters": {}}}"#, work.parameters()))?;
    for line in lines {
        let steps: usize = line?.trim().parse()?;
        let (mut wall, mut cpu) = (Vec::new(), Vec::new());
        for _ in 0..steps.max(1) {
            let (start, before) = (Instant::now(), system::processor_seconds());
            work.step()?;
            cpu.push(system::processor_seconds() - before);
            wall.push(start.elapsed().as_secs_f64());
        }
        let (wall, cpu) = (median(wall), median(cpu));
        say(&format!(r#"{{"wall": {wall}, "cpu": {cpu}}}"#))?;
    }
    Ok(())
}

/// One line, at once: the other end waits for it.
fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len().is_multiple_of(2) {
        (values[half - 1] + values[half]) / 2.0
    } else {
        values[half]
    }
}
