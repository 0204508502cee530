//! How long a step takes: the median of several, the device waited for around each part.

use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use serde_json::json;
use skeletonmae::{Backbone, Mode};
use strl::Tuning;

use crate::memory;
use crate::numbers::median;
use crate::report::{Outcome, Report};
use crate::steps::{Precision, Step, Work, precisions};

/// Most steps that are timed, and the time after which no further one is begun.
const STEPS: usize = 20;
const LONGEST: Duration = Duration::from_secs(3);
/// Clips of a step of fine-tuning, two persons each.
const FINETUNE: usize = 64;

/// The parts of a step: until the loss is asked for, until it is there, and so on.
const COLUMNS: [&str; 14] = [
    "step",
    "clips",
    "features",
    "loss, asked (ms)",
    "loss (ms)",
    "backward, asked (ms)",
    "backward (ms)",
    "norm read (ms)",
    "optimizer (ms)",
    "whole step (ms)",
    "peak memory (MiB)",
    "GFLOP of products",
    "TFLOP/s",
    "results of the forward pass",
];

pub fn measure(device: &Device, clips: &[usize], report: &mut Report) {
    // As the program does.
    let memory = match memory::keep_freed(device, u64::MAX) {
        true => "freed memory is kept",
        false => "memory as the device has it",
    };
    let title = format!("Times of a step, 64 frames, coco17, D = 64; {memory}");
    report.table(&title, &COLUMNS);
    let mut all: Vec<(Work, usize)> = Vec::new();
    for &clips in clips {
        all.push((Work::Pretrain(Backbone::Gin), clips));
    }
    if device.is_cpu() {
        all.push((Work::Finetune(Backbone::Gin, Tuning::Tuned), 8));
    } else {
        let small = clips.iter().copied().min().unwrap_or(16);
        all.push((Work::Pretrain(Backbone::Gcn), small.max(256)));
        all.push((Work::Pretrain(Backbone::Gat), small.max(256)));
        all.push((Work::Finetune(Backbone::Gin, Tuning::Tuned), FINETUNE));
    }
    for (work, clips) in all {
        for precision in precisions(device) {
            let name = format!(
                "time of {}, {clips} clips, {}, {memory}",
                work.name(),
                precision.name()
            );
            report.guarded(&name, |report| {
                precision.with(|| time(work, clips, precision, memory, device, report))
            });
        }
    }
    memory::keep_freed(device, 0);
}

/// Floating-point operations of the products of a step: two a multiply-add of the forward pass, twice as many of the
/// backward pass.
fn flops(step: &Step, clips: usize) -> Outcome<f64> {
    let cost = step.cost()?;
    Ok(6.0 * cost as f64 * clips as f64)
}

fn time(
    work: Work,
    clips: usize,
    precision: Precision,
    kept: &str,
    device: &Device,
    report: &mut Report,
) -> Outcome<()> {
    let mut step = Step::new(work, clips, [DType::F32, precision.features()], device)?;
    let (loss, _) = step.loss(Mode::Train)?;
    let results = loss.sorted_nodes();
    let bytes: usize = results
        .iter()
        .map(|result| result.elem_count() * result.dtype().size_in_bytes())
        .sum();
    let (launches, bytes) = (results.len(), bytes as f64 / 1e9);
    drop(loss);
    memory::forget_peak(device);
    let mut samples: Vec<[f64; 7]> = Vec::new();
    let begun = Instant::now();
    // Two steps first: kernels are loaded and chosen by the first.
    for i in 0..STEPS + 2 {
        if i > 3 && begun.elapsed() > LONGEST {
            break;
        }
        let sample = once(&mut step, device)?;
        if i > 1 || device.is_cpu() {
            samples.push(sample);
        }
    }
    let middle = [0, 1, 2, 3, 4, 5, 6].map(|i| median(samples.iter().map(|s| s[i]).collect()));
    let memory = memory::peak(device).map(|bytes| bytes >> 20);
    let mut cells = vec![work.name(), clips.to_string(), precision.name().into()];
    cells.extend(middle.map(|seconds| format!("{:.2}", seconds * 1e3)));
    cells.push(memory.map_or_else(|| "?".into(), |mib| mib.to_string()));
    let flops = flops(&step, clips)?;
    cells.push(format!("{:.0}", flops / 1e9));
    cells.push(format!("{:.1}", flops / middle[6] / 1e12));
    cells.push(format!("{launches}, {bytes:.1} GB"));
    let value = json!({
        "step": work.name(), "clips": clips, "precision": precision.name(), "seconds": middle, "columns": COLUMNS[3..10],
        "flops": flops, "results": launches, "results_gb": bytes,
        "steps": samples.len(), "peak_mib": memory, "memory": kept,
    });
    report.row("times", &cells, value);
    Ok(())
}

/// The times of the parts of one step, in seconds.
fn once(step: &mut Step, device: &Device) -> Outcome<[f64; 7]> {
    device.synchronize()?;
    let start = Instant::now();
    let mut last = start;
    let lap = |start: &mut Instant| {
        let now = Instant::now();
        (now - std::mem::replace(start, now)).as_secs_f64()
    };
    let (loss, _) = step.loss(Mode::Train)?;
    let asked = lap(&mut last);
    device.synchronize()?;
    let there = asked + lap(&mut last);
    let gradients = step.gradients(&loss)?;
    let backward_asked = lap(&mut last);
    device.synchronize()?;
    let backward = backward_asked + lap(&mut last);
    gradients.norm()?;
    let norm = lap(&mut last);
    let lr = step.optimizer.config().lr();
    step.optimizer.step(gradients.as_slice(), lr)?;
    device.synchronize()?;
    let optimizer = lap(&mut last);
    let whole = start.elapsed().as_secs_f64();
    // The loss goes here, as where a training step ends.
    drop(loss);
    Ok([
        asked,
        there,
        backward_asked,
        backward,
        norm,
        optimizer,
        whole,
    ])
}
