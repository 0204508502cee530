//! `cargo xtask test`: unit, property, documentation and end-to-end tests, and every example compiled.

use std::ffi::OsString;

use crate::process::{Failure, hand_over, run};
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
pub fn test_definitions(workspace: &Workspace) -> Result<(), Failure> {
    for chosen in [
        ["-p", "skeleton-kernels", "-p", "skeletonmae", "-p", "strl"].as_slice(),
        &[
            "-p",
            "ssl-tests",
            "--test",
            "reference",
            "--test",
            "version3",
        ],
    ] {
        let args: Vec<OsString> = chosen.iter().map(OsString::from).collect();
        run(command(workspace, &args)?
            .args(args)
            .env("SSL_REFERENCE", "1"))?;
    }
    Ok(())
}

/// `cargo test` with the program that the end-to-end tests run, built beforehand.
fn command(workspace: &Workspace, args: &[OsString]) -> Result<std::process::Command, Failure> {
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
    fn a_chosen_package_replaces_the_workspace() {
        let chooses = |args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            chooses_packages(&args)
        };
        assert!(chooses(&["-p", "strl"]) && chooses(&["-pstrl"]) && chooses(&["--package=strl"]));
        assert!(!chooses(&[]) && !chooses(&["gradient", "--", "-p"]));
    }
}
