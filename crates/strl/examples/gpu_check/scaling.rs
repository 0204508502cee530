//! How a step on the CPU gets faster with threads, where the machine has them.

use std::time::Instant;

use candle_core::{DType, Device};
use serde_json::json;
use skeletonmae::{Backbone, Mode};
use strl::Tuning;

use crate::numbers::median;
use crate::report::{Outcome, Report};
use crate::steps::{Step, Work};

/// Threads tried, as far as there are cores.
const THREADS: [usize; 3] = [1, 4, 16];
/// Steps timed, after one that isn't.
const STEPS: usize = 7;

pub fn measure(report: &mut Report) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    report.table(
        &format!("Steps on the CPU, {cores} cores"),
        &["step", "clips", "threads", "step (ms)", "times one thread"],
    );
    for (work, clips) in [
        (Work::Pretrain(Backbone::Gin), 64),
        (Work::Finetune(Backbone::Gin, Tuning::Tuned), 16),
    ] {
        let mut one = None;
        for threads in THREADS.into_iter().filter(|&threads| threads <= cores) {
            let name = format!("{} by {threads} threads", work.name());
            report.guarded(&name, |report| {
                let seconds = time(work, clips, threads)?;
                let faster = one.get_or_insert(seconds).to_owned() / seconds;
                let cells = [
                    work.name(),
                    clips.to_string(),
                    threads.to_string(),
                    format!("{:.1}", seconds * 1e3),
                    format!("{faster:.2}"),
                ];
                let value = json!({
                    "step": work.name(), "clips": clips, "threads": threads, "seconds": seconds, "faster": faster,
                });
                report.row("scaling", &cells, value);
                Ok(())
            });
        }
    }
}

/// The median seconds of a step.
fn time(work: Work, clips: usize, threads: usize) -> Outcome<f64> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let steps = || -> Result<Vec<f64>, String> {
        let mut step =
            Step::new(work, clips, [DType::F32; 2], &Device::Cpu).map_err(|e| e.to_string())?;
        let mut once = || -> Outcome<f64> {
            let start = Instant::now();
            let (loss, _) = step.loss(Mode::Train)?;
            let gradients = step.gradients(&loss)?;
            let lr = step.optimizer.config().lr();
            step.optimizer.step(gradients.as_slice(), lr)?;
            Ok(start.elapsed().as_secs_f64())
        };
        let all: Result<Vec<f64>, _> = (0..=STEPS).map(|_| once()).collect();
        all.map_err(|e| e.to_string())
    };
    let all = pool.install(steps)?;
    Ok(median(all[1..].to_vec()))
}
