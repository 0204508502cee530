//! What numbers were measured on.

use std::ffi::OsString;
use std::process::Command;

/// Name and value of each fact: processor, system, compiler, Python and numpy.
pub fn facts(python: &OsString) -> Vec<(&'static str, String)> {
    let said = |command: &mut Command| {
        let output = command.output().ok().filter(|o| o.status.success());
        output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let script =
        "import platform, numpy; print(platform.python_version(), 'with numpy', numpy.__version__)";
    let unknown = || "unknown".to_owned();
    vec![
        ("processor", processor().unwrap_or_else(unknown)),
        ("cores", cores.to_string()),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
        (
            "rustc",
            said(Command::new("rustc").arg("--version")).unwrap_or_else(unknown),
        ),
        (
            "python",
            said(Command::new(python).args(["-c", script])).unwrap_or_else(unknown),
        ),
    ]
}

/// Its name, where the system has a file that says so.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
