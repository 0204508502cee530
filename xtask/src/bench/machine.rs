//! What numbers were measured on.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Names and values.
pub type Facts = Vec<(&'static str, String)>;

/// The same, for JSON.
pub fn by_name(facts: &Facts) -> BTreeMap<&str, &str> {
    let pairs = facts.iter();
    pairs.map(|(name, value)| (*name, value.as_str())).collect()
}

/// Processor, system, compiler; Python and the package `beside` it, where one is used.
pub fn facts(python: &OsString, beside: Option<&str>) -> Facts {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let rustc = said(Command::new("rustc").arg("--version"));
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let mut facts = vec![
        ("processor", processor().unwrap_or_else(unknown)),
        ("cores", cores.to_string()),
        ("system", format!("{os} {arch}")),
        ("rustc", rustc.trim_start_matches("rustc ").to_owned()),
    ];
    if let Some(package) = beside {
        let script = format!(
            "import platform, {package}; print(platform.python_version(), 'with {package}', {package}.__version__)"
        );
        facts.push(("python", said(Command::new(python).args(["-c", &script]))));
    }
    facts
}

/// The commit, and how busy the machine is now.
pub fn of_now(root: &Path) -> Facts {
    let mut git = Command::new("git");
    git.current_dir(root);
    git.args(["describe", "--always", "--dirty", "--exclude", "*"]);
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let load = load.and_then(|text| Some(text.split_whitespace().next()?.to_owned()));
    vec![
        ("commit", said(&mut git)),
        ("load before", load.unwrap_or_else(unknown)),
    ]
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// What a command prints, where it succeeds.
fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|o| o.status.success());
    output.map_or_else(unknown, |o| {
        String::from_utf8_lossy(&o.stdout).trim().to_owned()
    })
}

/// Its name, where the system has a file that says so.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
