//! `cargo xtask test`: unit, property, documentation and end-to-end tests, and every example compiled.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::process::{Failure, hand_over, run, typed};
use crate::workspace::Workspace;

/// Runs everything, or what ARGS choose, as the task's last command.
pub fn test(workspace: &Workspace, args: &[OsString]) -> Result<(), Failure> {
    hand_over(command(workspace, args)?.args(args))
}

/// Runs everything as one step of many.
pub fn test_all(workspace: &Workspace) -> Result<(), Failure> {
    run(&mut command(workspace, &[])?)
}

/// The tests of the models again with every op by its definition in place of its fused form (`SSL_REFERENCE=1`), then those of
/// the program that compare the two.
///
/// The test programs of the whole workspace are run as they stand: chosen packages would be built anew, since other packages
/// turn on features of the dependencies that they share.
pub fn test_definitions(workspace: &Workspace) -> Result<(), Failure> {
    let mut build = command(workspace, &[])?;
    let output = build
        .args(["--no-run", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output();
    let output = output.map_err(|e| Failure::Task(format!("{}: {e}", typed(&build))))?;
    if !output.status.success() {
        return Err(Failure::Task(format!("{} failed", typed(&build))));
    }
    let programs: Vec<Program> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(Program::of)
        .filter(|program| program.tests_definitions())
        .collect();
    if programs.len() < 12 {
        let found = programs.len();
        return Err(Failure::Task(format!(
            "expected at least 12 test programs of the definitions, found {found}"
        )));
    }
    for program in programs {
        let folder = program.manifest.parent().unwrap_or(&program.manifest);
        let mut test = Command::new(&program.executable);
        test.current_dir(folder)
            .env("CARGO_MANIFEST_DIR", folder)
            .env("SSL_BIN", workspace.program("ssl"))
            .env("SSL_REFERENCE", "1");
        run(&mut test)?;
    }
    Ok(())
}

/// A program that `cargo test` has built.
#[derive(Debug, PartialEq, Deserialize)]
struct Program {
    executable: PathBuf,
    #[serde(rename = "manifest_path")]
    manifest: PathBuf,
    target: Target,
    profile: Profile,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Profile {
    test: bool,
}

impl Program {
    /// Of a line of cargo's messages, where it tells of one.
    fn of(message: &str) -> Option<Self> {
        serde_json::from_str(message).ok()
    }

    /// Whether it tests the models, or compares the program by definitions with the program by fused forms.
    fn tests_definitions(&self) -> bool {
        let of = |package: &str| {
            self.manifest
                .parent()
                .is_some_and(|folder| folder.ends_with(package))
        };
        let models = [
            "crates/skeleton-kernels",
            "crates/skeletonmae",
            "crates/strl",
        ];
        let example = self
            .target
            .kind
            .iter()
            .any(|kind| kind == "example" || kind == "bench");
        let compares = of("tests") && ["reference", "version3"].contains(&&self.target.name[..]);
        self.profile.test && !example && (models.into_iter().any(of) || compares)
    }
}

/// `cargo test` with the program that the end-to-end tests run, built beforehand.
fn command(workspace: &Workspace, args: &[OsString]) -> Result<Command, Failure> {
    run(workspace.build("build")?.args(["--package", "ssl-cli"]))?;
    let mut test = workspace.build("test")?;
    if !chooses_packages(args) {
        test.arg("--workspace");
    }
    test.env("SSL_BIN", workspace.program("ssl"));
    Ok(test)
}

/// Whether the arguments say which packages to test.
fn chooses_packages(args: &[OsString]) -> bool {
    args.iter()
        .map_while(|arg| arg.to_str().filter(|arg| *arg != "--"))
        .any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_of_the_models_are_told_from_cargos_messages() {
        let message = |manifest: &str, name: &str, kind: &str, test: bool| {
            format!(
                r#"{{"reason": "compiler-artifact", "manifest_path": "/w/{manifest}/Cargo.toml", "executable": "/w/t/{name}-1",
                "target": {{"name": "{name}", "kind": ["{kind}"]}}, "profile": {{"test": {test}}}}}"#
            )
        };
        let chosen = |message: &str| Program::of(message).is_some_and(|p| p.tests_definitions());
        assert!(chosen(&message("crates/strl", "gradients", "test", true)));
        assert!(chosen(&message(
            "crates/skeletonmae",
            "skeletonmae",
            "lib",
            true
        )));
        assert!(chosen(&message("tests", "reference", "test", true)));
        assert!(
            !chosen(&message("tests", "resume", "test", true)),
            "another test of the program"
        );
        assert!(!chosen(&message(
            "crates/ssl-cli",
            "reference",
            "test",
            true
        )));
        assert!(!chosen(&message(
            "crates/strl",
            "classify",
            "example",
            true
        )));
        assert!(
            !chosen(&message("crates/strl", "strl", "lib", false)),
            "no test program"
        );
        assert!(!chosen(r#"{"reason": "build-finished", "success": true}"#));
    }

    #[test]
    fn a_chosen_package_replaces_the_workspace() {
        let chooses = |args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            chooses_packages(&args)
        };
        assert!(chooses(&["-p", "strl"]) && chooses(&["-pstrl"]) && chooses(&["--package=strl"]));
        assert!(!chooses(&[]) && !chooses(&["gradient", "--", "-p"]));
    }
}
