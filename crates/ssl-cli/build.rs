//! Records what a run folder should say about the program: commit, compiler, Candle's version,
//! target.

use std::path::Path;
use std::process::Command;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    println!("cargo::rerun-if-changed=build.rs");
    // A commit or a checkout appends to this log; outside a checkout there is none to watch.
    for watched in [".git/logs/HEAD", "Cargo.lock"] {
        if root.join(watched).exists() {
            println!("cargo::rerun-if-changed={}", root.join(watched).display());
        }
    }
    let commit = said_by(
        Command::new("git")
            .args(["rev-parse", "HEAD"])
            .current_dir(&root),
    );
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let rustc = said_by(Command::new(compiler).arg("--version"));
    for (name, value) in [
        ("SSL_COMMIT", commit),
        ("SSL_RUSTC", rustc),
        (
            "SSL_CANDLE",
            locked_version(&root.join("Cargo.lock"), "candle-core"),
        ),
        ("SSL_TARGET", std::env::var("TARGET").ok()),
    ] {
        println!(
            "cargo::rustc-env={name}={}",
            value.as_deref().unwrap_or("unknown")
        );
    }
}

/// The first line a command prints, if it succeeds.
fn said_by(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}

/// The version of `package` that the lock file names.
fn locked_version(lock: &Path, package: &str) -> Option<String> {
    let text = std::fs::read_to_string(lock).ok()?;
    let mut lines = text
        .lines()
        .skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_owned())
}
