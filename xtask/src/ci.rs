//! `cargo xtask ci`: what must hold before a change lands, step by step, each timed.

use std::ffi::OsString;
use std::time::Instant;

use crate::package;
use crate::process::{Failure, run};
use crate::test;
use crate::workspace::Workspace;

/// One thing that is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Fmt,
    Clippy,
    Doc,
    Package,
    Test,
}

impl Step {
    /// Cheap ones first; the tests last, so that a log ends with their summary.
    const ALL: [Step; 5] = [
        Step::Fmt,
        Step::Clippy,
        Step::Doc,
        Step::Package,
        Step::Test,
    ];

    fn name(self) -> &'static str {
        match self {
            Step::Fmt => "fmt",
            Step::Clippy => "clippy",
            Step::Doc => "doc",
            Step::Package => "package",
            Step::Test => "test",
        }
    }

    fn run(self, workspace: &Workspace) -> Result<(), Failure> {
        match self {
            Step::Fmt => run(workspace.cargo("fmt").args(["--all", "--check"])),
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
            Step::Package => package::package(workspace),
            Step::Test => test::test_all(workspace),
        }
    }
}

/// Runs the named steps, or all, and stops at the first that fails.
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
        let step = Step::ALL.into_iter().find(|step| name == step.name());
        step.ok_or_else(|| {
            let known = Step::ALL.map(Step::name).join(", ");
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
        let error = chosen(&["lint".into()]).expect_err("unknown").to_string();
        assert!(
            error.contains("`lint`") && error.contains("clippy"),
            "{error}"
        );
    }
}
