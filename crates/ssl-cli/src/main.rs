//! `ssl`: pre-train, fine-tune, evaluate and predict on skeleton sequences.
//!
//! What is typed (`args`) becomes resolved settings (`config`), which a command runs. Commands hold
//! no loops over steps: engines in skeletonmae and strl do the work and tell an observer, which
//! prints through `printer` and writes through `run`.

#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod args;
mod checkpoint;
mod commands;
mod config;
mod data;
mod expected;
mod failure;
mod feed;
mod fit;
mod fits;
mod machine;
mod models;
mod onnx;
mod outputs;
mod page;
mod printer;
mod process;
mod protobuf;
mod report;
mod reproduce;
mod run;
mod scores;
mod signal;
mod tensorboard;
mod text;
mod train;
mod zoo;

use std::process::ExitCode;

use clap::Parser;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::Cli;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::signal::Interrupt;

fn main() -> ExitCode {
    process::keep_freed_blocks();
    process::leave_threads_to_rayon();
    // Prints help and mistakes itself, and exits with 0 or 2.
    let cli = Cli::parse();
    let printer = Printer::new(cli.quiet);
    match log_to(&printer, &cli).and_then(|()| start(&cli, &printer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn start(cli: &Cli, printer: &Printer) -> Outcome {
    let interrupt = Interrupt::install()
        .map_err(|error| Failure::error(format!("catching signals: {error}")))?;
    commands::dispatch(&cli.command, printer, &interrupt)
}

/// Log lines go to stderr: warnings always, more with `-v`, or what the variable SSL_LOG asks for.
fn log_to(printer: &Printer, cli: &Cli) -> Outcome {
    let filter = match std::env::var("SSL_LOG") {
        Ok(text) => text.parse::<Targets>().map_err(|error| {
            Failure::usage(format!("SSL_LOG={text}: {error}"))
                .hint("for example SSL_LOG=info, or SSL_LOG=skeletonmae=debug")
        })?,
        Err(_) => Targets::new().with_default(match (cli.quiet, cli.verbose) {
            (true, _) => LevelFilter::ERROR,
            (_, 0) => LevelFilter::WARN,
            (_, 1) => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        }),
    };
    let writer = printer.clone();
    let lines = fmt::layer()
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.log_writer());
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .init();
    Ok(())
}
