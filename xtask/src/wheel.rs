//! `cargo xtask wheel`: the Python package with the program inside, as `dist/*.whl`, by a maturin of one version under
//! `target/tools`; and its tests in environments of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::notices::{self, Graph};
use crate::process::{Failure, cannot, output, run};
use crate::tools;
use crate::workspace::Workspace;

/// What pip is asked for.
const REQUIREMENT: &str = "maturin==1.16.0";
/// Minor versions of glibc that maturin has a policy of, from that of manylinux2014 on.
const POLICIES: [u32; 12] = [17, 24, 26, 27, 28, 31, 34, 35, 36, 38, 39, 40];
/// What the wheel holds under these names besides Python's files.
pub const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// Builds the wheel and gives its path.
pub fn wheel(workspace: &Workspace) -> Result<PathBuf, Failure> {
    run(workspace.build("build")?.args(["--package", "ssl-cli"]))?;
    let package = workspace.root().join("python");
    let data = package.join("skeletonmae.data");
    remove(&data)?;
    let scripts = make(&data.join("scripts"))?;
    let program = workspace.program("ssl");
    let name = program.file_name().expect("a program has a name");
    let script = scripts.join(name);
    stripped(&program, &script)?;
    for licence in LICENCES {
        copy(&workspace.root().join(licence), &package.join(licence))?;
    }
    let notices_file = package.join("THIRD-PARTY.txt");
    let text = notices::text(&Graph::of(workspace, &["ssl-cli", "skeletonmae-python"])?)?;
    std::fs::write(&notices_file, text).map_err(cannot("write", &notices_file))?;

    let dist = make(&workspace.root().join("dist"))?;
    for old in wheels(&dist)? {
        std::fs::remove_file(&old).map_err(cannot("remove", &old))?;
    }
    let mut maturin = Command::new(maturin(workspace)?);
    maturin
        .args(["build", "--release", "--manifest-path", "python/Cargo.toml"])
        .arg("--out")
        .arg(&dist)
        .current_dir(workspace.root())
        .env("CARGO_TARGET_DIR", workspace.target());
    if let Some(minor) = newest_glibc(&script)? {
        // maturin looks at its own library alone: the program may want a newer glibc.
        maturin.args(["--compatibility", &policy(minor)]);
    }
    if let Some(cmake) = tools::cmake(workspace.target())? {
        maturin.env("CMAKE", cmake);
    }
    run(&mut maturin)?;
    match wheels(&dist)?.pop() {
        Some(wheel) => {
            println!("{}", workspace.shown(&wheel).display());
            Ok(wheel)
        }
        None => Err(Failure::Task(format!(
            "maturin left no wheel in {}",
            dist.display()
        ))),
    }
}

/// `cargo xtask ci wheel`: the wheel in an environment without anything, then in one that finds PyTorch where `SSL_TEST_PYTHON`
/// has it.
pub fn check(workspace: &Workspace) -> Result<(), Failure> {
    let wheel = wheel(workspace)?;
    let folder = workspace.target().join("wheel");
    remove(&folder)?;
    make(&folder)?;
    let empty = environment(&folder.join("empty"), &wheel, &[])?;
    tests(workspace, &folder, &empty)?;

    let Some(chosen) = std::env::var_os("SSL_TEST_PYTHON").map(PathBuf::from) else {
        eprintln!(
            "xtask: skipped: nothing of skeletonmae.torch ran, since SSL_TEST_PYTHON names no Python with PyTorch"
        );
        return Ok(());
    };
    let with_torch = environment(&folder.join("torch"), &wheel, &["--no-deps"])?;
    let site = |python: &Path| {
        let code = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let said = output(Command::new(python).args(["-c", code]))?;
        Ok(PathBuf::from(said.trim()))
    };
    let lent = site(&with_torch)?.join("lent.pth");
    let there = site(&chosen)?.display().to_string();
    std::fs::write(&lent, there).map_err(cannot("write", &lent))?;
    run(python(&with_torch, &folder).arg(workspace.root().join("python/tests/example.py")))?;
    tests(workspace, &folder, &with_torch)
}

/// A new environment with the wheel in it; gives its Python.
fn environment(folder: &Path, wheel: &Path, options: &[&str]) -> Result<PathBuf, Failure> {
    let base = std::env::var_os("SSL_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    run(Command::new(base).args(["-m", "venv"]).arg(folder))?;
    let bin = if cfg!(windows) { "Scripts" } else { "bin" };
    let python = folder
        .join(bin)
        .join(format!("python{}", std::env::consts::EXE_SUFFIX));
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(options)
        .arg(wheel))?;
    Ok(python)
}

/// A Python that finds the installed package and not the sources.
fn python(python: &Path, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .current_dir(folder)
        .env_remove("PYTHONPATH")
        .env_remove("SSL_BIN");
    command
}

fn tests(workspace: &Workspace, folder: &Path, with: &Path) -> Result<(), Failure> {
    let tests = workspace.root().join("python").join("tests");
    run(python(with, folder)
        .args(["-m", "unittest", "discover", "-s"])
        .arg(tests))
}

/// The maturin of one version, fetched where it isn't there yet.
fn maturin(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.target().join("tools").join("maturin");
    let program = |folder: &Path| {
        let name = format!("maturin{}", std::env::consts::EXE_SUFFIX);
        let program = folder.join("bin").join(name);
        let version = output(Command::new(&program).arg("--version")).ok()?;
        (version.trim() == REQUIREMENT.replace("==", " ")).then_some(program)
    };
    tools::provide(&[REQUIREMENT], &folder, program, "maturin makes the wheel").map_err(|tried| {
        let tried = tried.join("\n  ");
        Failure::Task(format!(
            "maturin could not be fetched from PyPI:\n  {tried}"
        ))
    })
}

/// A copy without symbols, a quarter of the size; whole where no `strip` is there.
pub fn stripped(program: &Path, to: &Path) -> Result<(), Failure> {
    copy(program, to)?;
    if run(Command::new("strip").arg(to)).is_err() {
        eprintln!(
            "xtask: no `strip` here (Debian: binutils): the program is several times as large"
        );
    }
    Ok(())
}

/// The newest minor version of glibc 2 whose symbols a program asks for; none where it asks for none.
fn newest_glibc(program: &Path) -> Result<Option<u32>, Failure> {
    let bytes = std::fs::read(program).map_err(cannot("read", program))?;
    Ok(newest_of(&bytes))
}

fn newest_of(bytes: &[u8]) -> Option<u32> {
    const SYMBOL: &[u8] = b"GLIBC_2.";
    let places = bytes.windows(SYMBOL.len()).enumerate();
    let places = places.filter(|(_, window)| *window == SYMBOL);
    let numbers = places.filter_map(|(at, _)| {
        let rest = &bytes[at + SYMBOL.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
    });
    numbers.max()
}

/// The oldest policy under which such a program runs.
fn policy(minor: u32) -> String {
    match POLICIES.into_iter().find(|&known| known >= minor) {
        Some(17) => "manylinux2014".to_owned(),
        Some(known) => format!("manylinux_2_{known}"),
        None => "linux".to_owned(),
    }
}

fn wheels(dist: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(dist).map_err(cannot("read", dist))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .collect())
}

pub fn make(folder: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder).map_err(cannot("make", folder))?;
    Ok(folder.to_owned())
}

pub fn remove(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(cannot("clear", folder)(e)),
        _ => Ok(()),
    }
}

pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to).map_err(cannot("copy", from))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_says_the_glibc_that_its_program_wants() {
        let program = b"\0GLIBC_2.4\0x\0GLIBC_2.34\0GLIBC_2.17\0GLIBC_2.2.5\0GLIBC_PRIVATE\0";
        assert_eq!(newest_of(program), Some(34));
        assert_eq!(newest_of(b"\0GLIBCXX_3.4\0"), None);
        assert_eq!(policy(12), "manylinux2014");
        assert_eq!(policy(18), "manylinux_2_24");
        assert_eq!(policy(34), "manylinux_2_34");
        assert_eq!(policy(99), "linux");
    }
}
