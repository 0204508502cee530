//! Programs from PyPI under `target/tools`: a wheel holds the plain program, so a machine with Python and a network needs
//! nothing else. First of all a cmake that can build HDF5: the one `CMAKE` names, the system's, or PyPI's.
//!
//! HDF5 is compiled from its C sources and wants cmake 3.26, which Debian 12 doesn't have.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Failure;

/// Interpreters to try, the usual name first.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// The program in `folder`, fetched where it isn't there yet, which is said with the reason; or what each Python said.
pub fn provide(
    requirements: &[&str],
    folder: &Path,
    program_in: fn(&Path) -> Option<PathBuf>,
    why: &str,
) -> Result<PathBuf, Vec<String>> {
    if let Some(path) = program_in(folder) {
        return Ok(path);
    }
    eprintln!("xtask: {why}: fetching it from PyPI");
    let mut tried = Vec::new();
    for python in PYTHONS {
        match fetch_by(python, requirements, folder, program_in) {
            Ok(path) => return Ok(path),
            Err(why) => tried.push(why),
        }
    }
    Err(tried)
}

/// Installs the wheels beside their final place and moves them there whole, so that an interrupted
/// download is never taken for the program.
fn fetch_by(
    python: &str,
    requirements: &[&str],
    folder: &Path,
    program_in: fn(&Path) -> Option<PathBuf>,
) -> Result<PathBuf, String> {
    let mut partial = folder.as_os_str().to_owned();
    partial.push(format!(".partial-{}", std::process::id()));
    let partial = PathBuf::from(partial);
    let outcome = Command::new(python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--target"])
        .arg(&partial)
        .args(requirements)
        .output();
    let failed = match outcome {
        Err(e) => Some(format!("{python}: {e}")),
        Ok(output) if !output.status.success() => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let last = stderr.trim().lines().last().unwrap_or("no message");
            Some(format!("{python} -m pip: {last}"))
        }
        Ok(_) => None,
    };
    if let Some(why) = failed {
        remove(&partial);
        return Err(why);
    }
    remove(folder);
    if let Err(e) = std::fs::rename(&partial, folder) {
        // A task beside this one may have put its own there in the meantime, which serves as well.
        remove(&partial);
        if program_in(folder).is_none() {
            return Err(format!("cannot write {}: {e}", folder.display()));
        }
    }
    program_in(folder).ok_or_else(|| {
        format!(
            "{python} -m pip: the wheel of {} holds no program that runs on this system",
            requirements.join(", ")
        )
    })
}

/// Leaves nothing half-made behind; what can't be removed is not worth failing for.
pub fn remove(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}

/// The oldest cmake that HDF5's sources accept.
const OLDEST_CMAKE: Version = Version(3, 26);
/// What pip is asked for.
const CMAKE: &str = "cmake>=3.26,<5";

/// Major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

/// The cmake that builds use, fetched into the folder of builds where neither the environment nor the system has it; none where
/// it is the system's.
pub fn cmake(target: &Path) -> Result<Option<PathBuf>, Failure> {
    if let Some(chosen) = std::env::var_os("CMAKE").filter(|path| !path.is_empty()) {
        return Ok(Some(chosen.into()));
    }
    let system = version_of(Path::new("cmake"));
    if system.is_some_and(|found| found >= OLDEST_CMAKE) {
        return Ok(None);
    }
    let found = match system {
        Some(Version(major, minor)) => format!("this system's cmake is {major}.{minor}"),
        None => "this system has no cmake".to_owned(),
    };
    let why = format!("{found}; HDF5 is built from source and wants 3.26 or newer");
    let folder = target.join("tools").join("cmake");
    match provide(&[CMAKE], &folder, cmake_in, &why) {
        Ok(path) => Ok(Some(path)),
        Err(tried) => Err(Failure::Task(what_to_install(&found, &tried))),
    }
}

/// `cargo xtask cmake`: the path, for `export CMAKE=$(cargo xtask cmake)` before plain cargo commands.
pub fn show_cmake(target: &Path) -> Result<(), Failure> {
    let path = cmake(target)?.unwrap_or_else(|| "cmake".into());
    println!("{}", path.display());
    Ok(())
}

/// The real program inside the wheel (the script in its `bin` wants PYTHONPATH), if it runs.
fn cmake_in(folder: &Path) -> Option<PathBuf> {
    let data = folder.join("cmake").join("data");
    let name = format!("cmake{}", std::env::consts::EXE_SUFFIX);
    [
        data.join("bin"),
        data.join("CMake.app").join("Contents").join("bin"),
    ]
    .into_iter()
    .map(|bin| bin.join(&name))
    .find(|path| version_of(path).is_some_and(|found| found >= OLDEST_CMAKE))
}

fn version_of(program: &Path) -> Option<Version> {
    let output = Command::new(program).arg("--version").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// Reads `cmake version 3.31.6` and its like.
fn parse_version(text: &str) -> Option<Version> {
    let word = text.lines().next()?.strip_prefix("cmake version ")?.trim();
    let mut numbers = word.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    Some(Version(major, minor))
}

fn what_to_install(found: &str, tried: &[String]) -> String {
    let mut message = format!(
        "HDF5 is built from source, which wants cmake 3.26 or newer; {found}, and it could not be fetched from PyPI:\n"
    );
    for why in tried {
        message.push_str(&format!("  {why}\n"));
    }
    message.push_str(
        "hint: install the package `cmake` (3.26 or newer) in one of these ways and run the command again:
  Debian 13, Ubuntu 24.04 and newer:  sudo apt install cmake make
  Debian 12, Ubuntu 22.04:            sudo apt install python3-pip make, with a network (their cmake is too old)
  Fedora:                             sudo dnf install cmake make
  macOS:                              brew install cmake
  anywhere with Python:               python3 -m pip install 'cmake>=3.26'
or set CMAKE to the path of one that is already there.",
    );
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_that_is_not_there_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("xtask-fetch-{}", std::process::id()));
        let error = fetch_by("no-such-python", &["cmake"], &folder.join("cmake"), |_| {
            None
        })
        .expect_err("no such program");
        assert!(error.starts_with("no-such-python: "), "{error}");
        assert!(!folder.exists());
    }

    #[test]
    fn versions_are_read_and_compared() {
        let read = |text| parse_version(text);
        assert_eq!(
            read("cmake version 3.25.1\n\nCMake suite"),
            Some(Version(3, 25))
        );
        assert_eq!(read("cmake version 4.0.0-rc2"), Some(Version(4, 0)));
        assert_eq!(read("cmake version 3.100.0"), Some(Version(3, 100)));
        assert_eq!(read("cmake3 version 3.26.5"), None);
        assert_eq!(read("cmake version ?"), None);
        assert_eq!(read(""), None);
        assert!(Version(3, 25) < OLDEST_CMAKE && Version(3, 26) >= OLDEST_CMAKE);
        assert!(Version(3, 100) >= OLDEST_CMAKE && Version(4, 0) >= OLDEST_CMAKE);
    }

    #[test]
    fn the_advice_names_what_was_found_and_tried() {
        let message = what_to_install("this system has no cmake", &["python3: not found".into()]);
        for part in [
            "no cmake",
            "python3: not found",
            "hint:",
            "apt install cmake",
            "CMAKE",
        ] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_a_program_that_runs_and_is_new_enough_counts() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("xtask-wheel-{}", std::process::id()));
        let bin = folder.join("cmake/data/bin");
        std::fs::create_dir_all(&bin).expect("the temporary folder is writable");
        let path = bin.join("cmake");
        for (version, serves) in [("3.25.1", false), ("3.26.0", true)] {
            std::fs::write(&path, format!("#!/bin/sh\necho cmake version {version}\n"))
                .expect("the temporary folder is writable");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
                .expect("we own the file");
            assert_eq!(cmake_in(&folder).is_some(), serves, "{version}");
        }
        remove(&folder);
        assert_eq!(cmake_in(&folder), None);
    }
}
