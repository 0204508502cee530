//! `cargo xtask ci`: what must hold before a change lands, step by step, each timed.

use std::time::Instant;

use clap::ValueEnum;

use crate::book;
use crate::deny;
use crate::mpi;
use crate::package;
use crate::process::{Failure, run};
use crate::ssl;
use crate::test;
use crate::wheel;
use crate::workspace::Workspace;

/// One thing that is checked.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum Step {
    Fmt,
    Deny,
    Clippy,
    Doc,
    Book,
    Package,
    Test,
    Wheel,
    Reference,
    Mpi,
    Reproduce,
    Advisories,
}

impl Step {
    /// Cheap ones first; what takes minutes last. What needs more of the network than a
    /// registry is not among them.
    const ALL: [Step; 11] = [
        Step::Fmt,
        Step::Deny,
        Step::Clippy,
        Step::Doc,
        Step::Book,
        Step::Package,
        Step::Test,
        Step::Wheel,
        Step::Reference,
        Step::Mpi,
        Step::Reproduce,
    ];

    fn name(self) -> String {
        let value = self.to_possible_value().expect("no step is hidden");
        value.get_name().to_owned()
    }

    fn run(self, workspace: &Workspace) -> Result<(), Failure> {
        match self {
            Step::Fmt => run(workspace.cargo("fmt").args(["--all", "--check"])),
            Step::Deny => deny::deny(workspace),
            Step::Advisories => deny::advisories(workspace),
            Step::Clippy => run(workspace.build("clippy")?.args([
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])),
            Step::Doc => run(workspace
                .build("doc")?
                .args(["--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings")),
            Step::Book => book::book(workspace),
            Step::Package => package::package(workspace),
            Step::Test => test::test_all(workspace),
            Step::Wheel => wheel::check(workspace),
            Step::Reference => test::test_definitions(workspace),
            Step::Mpi => mpi::mpi(workspace),
            Step::Reproduce => ssl::reproduce_all(workspace),
        }
    }
}

/// Runs the steps that were named, or [all](Step::ALL), and stops at the first that fails.
pub fn ci(workspace: &Workspace, named: &[Step]) -> Result<(), Failure> {
    let steps = if named.is_empty() { &Step::ALL } else { named };
    let mut times = Vec::new();
    for &step in steps {
        eprintln!("\n== {} ==", step.name());
        let start = Instant::now();
        let outcome = step.run(workspace);
        times.push(format!(
            "{} {:.0} s",
            step.name(),
            start.elapsed().as_secs_f32()
        ));
        if outcome.is_err() {
            eprintln!(
                "\nxtask: {} failed (times: {})",
                step.name(),
                times.join(", ")
            );
        }
        outcome?;
    }
    eprintln!("\nxtask: all steps passed (times: {})", times.join(", "));
    Ok(())
}
