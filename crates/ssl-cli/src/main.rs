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
mod ranks;
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
use skeletonmae::train::ranks::Ranks;
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
    let met = ranks::start();
    let world = ranks::world();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mistake) => {
            if world.is_root() {
                // Help goes to stdout, mistakes to stderr; where that is closed there is nobody to tell.
                let _ = mistake.print();
            }
            return world.finish(mistake.exit_code() as u8);
        }
    };
    let printer = match world.is_root() {
        true => Printer::new(cli.quiet),
        false => Printer::new(cli.quiet).silenced(),
    };
    let logged = met.and_then(|()| log_to(&printer, &cli));
    world.end(logged.and_then(|()| start(&cli, &printer)), &printer)
}

fn start(cli: &Cli, printer: &Printer) -> Outcome {
    let interrupt = Interrupt::install(ranks::world().size() > 1)
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
        Err(_) => Targets::new().with_default(
            match (cli.quiet || !ranks::world().is_root(), cli.verbose) {
                (true, _) => LevelFilter::ERROR,
                (_, 0) => LevelFilter::WARN,
                (_, 1) => LevelFilter::INFO,
                _ => LevelFilter::DEBUG,
            },
        ),
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
