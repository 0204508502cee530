//! What numbers were measured on.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

type Facts = Vec<(&'static str, String)>;

/// Name and value of each fact: processor, system, compiler, Python and numpy.
pub fn facts(python: &OsString) -> Facts {
    let mut facts = machine();
    let script =
        "import platform, numpy; print(platform.python_version(), 'with numpy', numpy.__version__)";
    facts.push((
        "python",
        said(Command::new(python).args(["-c", script])).unwrap_or_else(unknown),
    ));
    facts
}

/// The same of a bench of models: the vectors our ops chose, the commit, how busy the machine is now, and PyTorch.
pub fn of_models(python: &OsString, root: &Path, vectors: &str, has_torch: bool) -> Facts {
    let mut facts = machine();
    facts.push(("vectors", vectors.to_owned()));
    let mut git = Command::new("git");
    git.current_dir(root);
    git.args(["describe", "--always", "--dirty", "--exclude", "*"]);
    facts.push(("commit", said(&mut git).unwrap_or_else(unknown)));
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let load = load.and_then(|text| Some(text.split_whitespace().next()?.to_owned()));
    facts.push(("load before", load.unwrap_or_else(unknown)));
    if has_torch {
        let script = "import platform, torch; print(platform.python_version(), 'with torch', torch.__version__)";
        let said = said(Command::new(python).args(["-c", script]));
        facts.push(("python", said.unwrap_or_else(unknown)));
    }
    facts
}

/// What doesn't depend on a Python: processor, cores, system, compiler.
fn machine() -> Facts {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("processor", processor().unwrap_or_else(unknown)),
        ("cores", cores.to_string()),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
        (
            "rustc",
            said(Command::new("rustc").arg("--version")).map_or_else(unknown, |version| {
                version.trim_start_matches("rustc ").to_owned()
            }),
        ),
    ]
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// What a command prints, where it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|o| o.status.success());
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
}

/// Its name, where the system has a file that says so.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
