//! `cargo xtask ci`: what must hold before a change lands, step by step, each timed.

use std::ffi::OsString;
use std::time::Instant;

use crate::book;
use crate::deny;
use crate::package;
use crate::process::{Failure, run};
use crate::reproduce;
use crate::test;
use crate::workspace::Workspace;

/// One thing that is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Fmt,
    Deny,
    Advisories,
    Clippy,
    Doc,
    Book,
    Package,
    Test,
    Reference,
    Reproduce,
}

impl Step {
    /// Cheap ones first; what takes minutes last. What needs more of the network than a
    /// registry is not among them.
    const ALL: [Step; 9] = [
        Step::Fmt,
        Step::Deny,
        Step::Clippy,
        Step::Doc,
        Step::Book,
        Step::Package,
        Step::Test,
        Step::Reference,
        Step::Reproduce,
    ];

    fn name(self) -> &'static str {
        match self {
            Step::Fmt => "fmt",
            Step::Deny => "deny",
            Step::Advisories => "advisories",
            Step::Clippy => "clippy",
            Step::Doc => "doc",
            Step::Book => "book",
            Step::Package => "package",
            Step::Test => "test",
            Step::Reference => "reference",
            Step::Reproduce => "reproduce",
        }
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
            Step::Reference => test::test_definitions(workspace),
            // Every table and figure, on synthetic clips: their numbers have to be in their ranges.
            Step::Reproduce => reproduce::reproduce(workspace, &["all".into()]),
        }
    }
}

/// Runs the named steps, or [all](Step::ALL), and stops at the first that fails.
pub fn ci(workspace: &Workspace, names: &[OsString]) -> Result<(), Failure> {
    let steps = chosen(names)?;
    let mut times = Vec::new();
    for step in steps {
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

fn chosen(names: &[OsString]) -> Result<Vec<Step>, Failure> {
    if names.is_empty() {
        return Ok(Step::ALL.to_vec());
    }
    let find = |name: &OsString| {
        let known = || Step::ALL.into_iter().chain([Step::Advisories]);
        known().find(|step| name == step.name()).ok_or_else(|| {
            let known = known().map(Step::name).collect::<Vec<_>>().join(", ");
            Failure::Usage(format!(
                "unknown step `{}`; the steps are {known}",
                name.to_string_lossy()
            ))
        })
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_name_and_unknown_ones_refused() {
        assert_eq!(chosen(&[]).expect("all"), Step::ALL);
        let some = chosen(&["doc".into(), "fmt".into()]).expect("both are known");
        assert_eq!(some, [Step::Doc, Step::Fmt]);
        assert_eq!(
            chosen(&["advisories".into()]).expect("known"),
            [Step::Advisories]
        );
        let error = chosen(&["lint".into()]).expect_err("unknown").to_string();
        assert!(
            error.contains("`lint`") && error.contains("clippy"),
            "{error}"
        );
    }
}
