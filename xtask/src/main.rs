//! `cargo xtask TASK`: the project's tasks, each in its own file.
//!
//! The tasks run `cargo` and the program `ssl` as child processes and add the two things that a
//! plain `cargo` can't: a cmake that is new enough to build HDF5, and fresh folders for runs.
#![forbid(unsafe_code)]

mod bench;
mod book;
mod ci;
mod cuda;
mod deny;
mod lines;
mod mpi;
mod notices;
mod package;
mod process;
mod release;
mod ssl;
mod test;
mod tools;
mod wheel;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use process::Failure;
use workspace::Workspace;

/// The project's tasks.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Every task builds in release mode, since models and readers are unusably slow without it."
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Pre-train: without ARGS the preset `quick` on the synthetic clips, which are made first. ARGS go to
    /// `ssl pretrain`; --preset, --data and --out are filled in where they are missing.
    #[command(disable_help_flag = true)]
    Pretrain(Passed),
    /// Build the program `ssl` and run it with ARGS.
    #[command(disable_help_flag = true)]
    Ssl(Passed),
    /// Run all tests (ARGS go to `cargo test`).
    #[command(disable_help_flag = true)]
    Test(Passed),
    /// What the continuous integration runs, or some of its steps.
    Ci {
        /// All but advisories, which fetches RustSec's database, where none is named.
        steps: Vec<ci::Step>,
    },
    /// Make tables and figures of the paper: ARGS go to `ssl reproduce`; --out is filled in where it is missing.
    #[command(disable_help_flag = true)]
    Reproduce(Passed),
    /// Measure beside programs that do the same work.
    Bench {
        #[command(subcommand)]
        topic: bench::Topic,
    },
    /// Count lines that are neither blank nor comments, with those of tests, benches and examples apart.
    Lines {
        /// Crates by package or by folder; all where none is named.
        #[arg(value_name = "CRATE")]
        names: Vec<String>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Build what runs on NVIDIA's GPUs into target/cuda/programs, without a GPU (ARGS go to `cargo build`); CUDA's toolkit is
    /// fetched where none is installed. There, `ssl-cuda` is the program, and `gpu-check` compares the GPU with the CPU and
    /// PyTorch. `cuda-build clippy` looks over the sources instead.
    #[command(disable_help_flag = true)]
    CudaBuild(Passed),
    /// Build the program with each MPI that is here, into target/mpi, and run several processes of it.
    Mpi,
    /// Build the Python package with the program inside, as dist/*.whl; maturin is fetched.
    Wheel,
    /// Make what is given away for this machine's kind, in dist/: the wheel, the program as a tarball with manual pages and
    /// completions, a CycloneDX list of what it is built from, checksums.
    Release,
    /// Print the cmake that builds HDF5, after fetching one where the system has none.
    Cmake,
}

/// Handed on as they are.
#[derive(Debug, Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

fn main() -> ExitCode {
    // Prints help and mistakes itself, and exits with 0 or 2.
    let task = Cli::parse().task;
    match Workspace::find().and_then(|workspace| dispatch(&workspace, task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(workspace: &Workspace, task: Task) -> Result<(), Failure> {
    match task {
        Task::Pretrain(passed) => ssl::pretrain(workspace, passed.args),
        Task::Ssl(passed) => ssl::ssl(workspace, passed.args),
        Task::Test(passed) => test::test(workspace, &passed.args),
        Task::Ci { steps } => ci::ci(workspace, &steps),
        Task::Reproduce(passed) => ssl::reproduce(workspace, passed.args),
        Task::Bench { topic } => bench::bench(workspace, &topic),
        Task::Lines { names, json } => lines::lines(workspace, &names, json),
        Task::CudaBuild(passed) => cuda::build(workspace, &passed.args),
        Task::Mpi => mpi::mpi(workspace),
        Task::Wheel => wheel::wheel(workspace).map(|_| ()),
        Task::Release => release::release(workspace),
        Task::Cmake => tools::show_cmake(workspace.target()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Option<Task> {
        let words = std::iter::once(&"cargo xtask").chain(words);
        Some(Cli::try_parse_from(words).ok()?.task)
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn what_is_handed_on_is_handed_on_as_it_is() {
        let words = ["--help", "--data", "x", "--", "-q", "--data"];
        let Some(Task::Ssl(passed)) = parse(&[&["ssl"], &words[..]].concat()) else {
            panic!("a task")
        };
        assert_eq!(passed.args, words);
    }

    #[test]
    fn steps_are_chosen_by_name_and_unknown_ones_refused() {
        let Some(Task::Ci { steps }) = parse(&["ci", "doc", "fmt", "advisories"]) else {
            panic!("all are known")
        };
        assert_eq!(steps, [ci::Step::Doc, ci::Step::Fmt, ci::Step::Advisories]);
        assert!(parse(&["ci", "lint"]).is_none() && parse(&["lint"]).is_none());
        assert!(parse(&["lines", "--csv"]).is_none() && parse(&[]).is_none());
    }
}
