//! Whether a device computes what the CPU computes, and how long a step takes there.
//!
//! `gpu_check DEVICE [--json FILE] [--clips 16,256] [--parts ops,steps,...]`, DEVICE `cpu`, `cuda:0` or `metal:0`. It needs no
//! files and no network, prints Markdown, goes on where one check fails, and ends with code 1 if any did. The part `program`
//! runs the program `ssl` that `GPU_CHECK_SSL` names, or that stands beside it.

mod memory;
mod numbers;
mod ops;
mod pieces;
mod program;
mod report;
mod scaling;
mod steps;
mod times;

use std::process::ExitCode;
use std::time::Instant;

use candle_core::Device;
use report::{Outcome, Report};

/// What is done, in order.
const PARTS: [&str; 7] = [
    "ops", "steps", "repeat", "program", "times", "pieces", "scaling",
];
const USAGE: &str = "usage: gpu_check cpu|cuda:N|metal:N [--json FILE] [--clips N,N,...] \
                     [--parts ops,steps,repeat,program,times,pieces,scaling]";

struct Options {
    name: String,
    json: Option<String>,
    clips: Vec<usize>,
    parts: Vec<String>,
}

fn main() -> ExitCode {
    let outcome = options().and_then(|options| Ok((device(&options.name)?, options)));
    let (device, options) = match outcome {
        Ok(both) => both,
        Err(error) => {
            // Candle appends a backtrace.
            let error = error.to_string();
            eprintln!("gpu_check: {}", error.lines().next().unwrap_or_default());
            return ExitCode::from(2);
        }
    };
    let about = memory::about(&device);
    let mut report = Report::new(&options.name, &about, options.json.as_deref());
    for part in &options.parts {
        let start = Instant::now();
        match part.as_str() {
            "ops" => ops::check(&device, &mut report),
            "steps" => steps::check(&device, &mut report),
            "repeat" => steps::repeat(&device, &mut report),
            "program" => program::check(&options.name, &mut report),
            "times" => times::measure(&device, &options.clips, &mut report),
            "scaling" => scaling::measure(&mut report),
            _ => pieces::measure(&device, &options.clips, &mut report),
        }
        report.part_ended(part, start.elapsed());
    }
    report.end()
}

fn options() -> Outcome<Options> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or(USAGE)?;
    // A definition on the CPU takes seconds where a GPU takes milliseconds.
    let clips = if name == "cpu" { "16" } else { "16,256,1024" };
    let (mut clips, mut parts, mut json) = (clips.to_owned(), PARTS.join(","), None);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match option.as_str() {
            "--json" => json = Some(value),
            "--clips" => clips = value,
            "--parts" => parts = value,
            _ => return Err(USAGE.into()),
        }
    }
    let parts: Vec<String> = parts.split(',').map(str::to_owned).collect();
    if parts.iter().any(|part| !PARTS.contains(&part.as_str())) {
        return Err(USAGE.into());
    }
    let clips = clips.split(',').map(str::parse);
    let clips = clips.collect::<Result<_, _>>().map_err(|_| USAGE)?;
    Ok(Options {
        name,
        json,
        clips,
        parts,
    })
}

fn device(name: &str) -> Outcome<Device> {
    let (kind, index) = name.split_once(':').unwrap_or((name, "0"));
    let index = index.parse().map_err(|_| USAGE)?;
    match kind {
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::new_cuda(index)?),
        "metal" => Ok(Device::new_metal(index)?),
        _ => Err(USAGE.into()),
    }
}
