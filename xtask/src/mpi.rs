//! `cargo xtask mpi`: the program built with each MPI of this machine, and the tests that run several processes of it.
//!
//! The build folder is the usual one, since the feature `mpi` changes none of the other packages; the programs are copied
//! out of it, and the usual one is put back.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{Failure, run};
use crate::workspace::Workspace;

/// An MPI by the variable that names its program to the tests, and its compiler as Debian names them where several are
/// installed.
const KNOWN: [(&str, &str); 2] = [
    ("SSL_OPENMPI", "mpicc.openmpi"),
    ("SSL_MPICH", "mpicc.mpich"),
];

/// Builds, and runs the tests.
pub fn mpi(workspace: &Workspace) -> Result<(), Failure> {
    let here = |(_, compiler): &(&str, &str)| {
        let shown = Command::new(compiler).arg("-show").output();
        shown.is_ok_and(|output| output.status.success())
    };
    let found: Vec<(&str, &str)> = KNOWN.into_iter().filter(here).collect();
    if found.is_empty() {
        return Err(Failure::Task(
            "no MPI: expected mpicc.openmpi or mpicc.mpich (Debian: libopenmpi-dev openmpi-bin libmpich-dev mpich libclang-dev)".into(),
        ));
    }
    let programs = found
        .into_iter()
        .map(|(variable, compiler)| Ok((variable, program(workspace, compiler)?)));
    let programs = programs.collect::<Result<Vec<_>, Failure>>()?;
    run(workspace.build("build")?.args(["--package", "ssl-cli"]))?;
    let mut test = workspace.build("test")?;
    // Of the workspace, since a package alone would have its dependencies built anew.
    test.args(["--workspace", "--test", "mpi"])
        .env("SSL_BIN", workspace.program("ssl"))
        .envs(programs);
    run(&mut test)
}

/// The program built with one MPI.
fn program(workspace: &Workspace, compiler: &str) -> Result<PathBuf, Failure> {
    // Which MPI they were built with these packages don't tell cargo.
    run(workspace
        .cargo("clean")
        .args(["--release", "--package", "mpi-sys", "--package", "mpi"]))?;
    let mut build = workspace.build("build")?;
    build.args(["--package", "ssl-cli", "--features", "mpi"]);
    run(build.env("MPICC", compiler))?;
    let folder = workspace.target().join("mpi");
    let copy = folder.join(compiler.replace("mpicc.", "ssl-"));
    let copied =
        fs::create_dir_all(&folder).and_then(|()| fs::copy(workspace.program("ssl"), &copy));
    match copied {
        Ok(_) => Ok(copy),
        Err(error) => Err(Failure::Task(format!("{}: {error}", copy.display()))),
    }
}
