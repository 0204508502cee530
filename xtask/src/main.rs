//! `cargo xtask TASK`: the project's tasks, each in its own file.
//!
//! The tasks run `cargo` and the program `ssl` as child processes and add the two things that a
//! plain `cargo` can't: a cmake that is new enough to build HDF5, and fresh folders for runs.
#![forbid(unsafe_code)]

mod bench;
mod book;
mod ci;
mod cmake;
mod cuda;
mod deny;
mod lines;
mod package;
mod pretrain;
mod process;
mod reproduce;
mod test;
mod wheel;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use process::Failure;
use workspace::Workspace;

const HELP: &str = "\
The project's tasks.

Usage: cargo xtask TASK [ARGS]

Tasks:
  pretrain [ARGS]  Pre-train. Without ARGS: the preset `quick` on the synthetic clips, which are made
                   first. ARGS go to `ssl pretrain`; --preset, --data and --out are filled in where
                   they are missing
  ssl [ARGS]       Build the program `ssl` and run it with ARGS
  test [ARGS]      Run all tests (ARGS go to `cargo test`)
  ci [STEP]...     What the continuous integration runs: fmt deny clippy doc book package test reference reproduce; and, on GitHub,
                   advisories, which fetches RustSec's database
  reproduce TABLE  Make tables and figures of the paper: table1 2 3 4a 4b 4c 5a 5b (table4c), figure4a 4c 5 6, protocols, all;
                   --scale ci|small|paper, --data [SET=]FILE, --seeds 0,1,2, --jobs N, --results DIR, --out DIR
  bench data       Measure the readers beside Python stand-ins, as ratios; --section NAME, --repetitions N,
                   --json FILE
  bench models     Measure training steps and inference beside PyTorch, as ratios; pretrain, finetune, infer, infer1
                   one of them; ops each op, sizes larger and smaller batches, share what batches take of a step,
                   all everything; --rounds N, --threads N, --clock wall|cpu, --json FILE, --markdown FILE, --readme
  lines [CRATE]... Count lines that are neither blank nor comments, with those of tests, benches and examples apart; --json
  cuda-build [ARGS] Build what runs on NVIDIA's GPUs into target/cuda/programs, without a GPU (ARGS go to `cargo build`); CUDA's
                   toolkit is fetched where none is installed. There, `ssl-cuda` is the program, and `gpu-check` compares the GPU
                   with the CPU and PyTorch. `cuda-build clippy` looks over the sources instead
  cmake            Print the cmake that builds HDF5, after fetching one where the system has none

Every task builds in release mode, since models and readers are unusably slow without it.
";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let task = args.next();
    let args: Vec<OsString> = args.collect();
    match dispatch(task.as_deref().and_then(|t| t.to_str()), args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(task: Option<&str>, args: Vec<OsString>) -> Result<(), Failure> {
    match task {
        Some("pretrain") => pretrain::pretrain(&Workspace::find()?, args),
        Some("ssl") => pretrain::ssl(&Workspace::find()?, args),
        Some("test") => test::test(&Workspace::find()?, &args),
        Some("ci") => ci::ci(&Workspace::find()?, &args),
        Some("bench") => bench::bench(&Workspace::find()?, &args),
        Some("reproduce") => reproduce::reproduce(&Workspace::find()?, &args),
        Some("lines") => lines::lines(&Workspace::find()?, &args),
        Some("cuda-build") => cuda::build(&Workspace::find()?, &args),
        Some("cmake") => cmake::show(&Workspace::find()?),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        Some(other) => Err(Failure::Usage(format!(
            "unknown task `{other}`; the tasks are pretrain, ssl, test, ci, reproduce, bench, lines, cuda-build, cmake"
        ))),
        None => Err(Failure::Usage(format!("no task given\n\n{HELP}"))),
    }
}
