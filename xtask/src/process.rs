//! Child processes: echoed as a user would type them, their exit codes kept.

use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::{fmt, io};

/// Why a task ended early.
#[derive(Debug)]
pub enum Failure {
    /// What was typed makes no sense: exit code 2.
    Usage(String),
    /// The task itself could not go on: exit code 1.
    Task(String),
    /// A child failed after it said why: its exit code is ours.
    Child { command: String, code: u8 },
}

impl Failure {
    /// Says on stderr what went wrong and gives the exit code.
    pub fn report(&self) -> ExitCode {
        eprintln!("xtask: {self}");
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Task(_) => ExitCode::from(1),
            Failure::Child { code, .. } => ExitCode::from(*code),
        }
    }
}

/// The system refused something with `path`.
pub fn cannot<'a>(what: &'a str, path: &'a Path) -> impl Fn(io::Error) -> Failure + 'a {
    move |error| Failure::Task(format!("cannot {what} {}: {error}", path.display()))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(message) | Failure::Task(message) => write!(f, "{message}"),
            Failure::Child { command, code } => write!(f, "`{command}` ended with code {code}"),
        }
    }
}

/// Runs a command to its end; anything but success is a failure.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let line = echo(command);
    let status = command.status().map_err(|e| cannot_start(&line, &e))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Child {
            command: line,
            code: exit_code(status),
        })
    }
}

/// What a command writes on standard output; anything but success is a failure, with what it says on standard error.
pub fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output();
    let output = output.map_err(|e| cannot_start(&typed(command), &e))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Failure::Task(format!(
                "{} failed: {}",
                typed(command),
                said.trim()
            )))
        }
    }
}

/// Runs a task's last command in place of this process where the system can, so that Ctrl-C,
/// signals and exit codes are the child's own.
#[cfg(unix)]
pub fn hand_over(command: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt;
    let line = echo(command);
    Err(cannot_start(&line, &command.exec()))
}

/// Runs a task's last command; elsewhere than on Unix as a child that is waited for.
#[cfg(not(unix))]
pub fn hand_over(command: &mut Command) -> Result<(), Failure> {
    run(command)
}

/// The exit code a shell would show: 128 + n for a child that signal n ended.
pub fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128u8.saturating_add(u8::try_from(signal).unwrap_or(0));
    }
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
}

fn cannot_start(line: &str, error: &std::io::Error) -> Failure {
    Failure::Task(format!("cannot start `{line}`: {error}"))
}

fn echo(command: &Command) -> String {
    let line = typed(command);
    eprintln!("$ {line}");
    line
}

/// The command as one would type it.
pub fn typed(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit(['/', '\\']).next().unwrap_or(&program);
    // Cargo is on every reader's PATH, other programs are where their path says.
    let mut line = if name.starts_with("cargo") {
        name
    } else {
        &program
    }
    .to_owned();
    for arg in command.get_args() {
        let arg = arg.to_string_lossy();
        line.push(' ');
        let plain = |c: char| c.is_alphanumeric() || "-_=./,:+@\\".contains(c);
        if !arg.is_empty() && arg.chars().all(plain) {
            line.push_str(&arg);
        } else {
            line.push('\'');
            line.push_str(&arg.replace('\'', r"'\''"));
            line.push('\'');
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_echoed_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "--out", "a folder/x", "it's", ""]);
        assert_eq!(
            typed(&command),
            r"cargo test --out 'a folder/x' 'it'\''s' ''"
        );
        assert_eq!(
            typed(&Command::new("target/release/ssl")),
            "target/release/ssl"
        );
    }

    #[cfg(unix)]
    #[test]
    fn exit_codes_and_signals_are_kept() {
        let code = |script: &str| {
            let status = Command::new("sh").args(["-c", script]).status();
            exit_code(status.expect("a POSIX system has sh"))
        };
        assert_eq!(code("exit 0"), 0);
        assert_eq!(code("exit 2"), 2);
        // Not INT, which a program started in the background is born ignoring.
        assert_eq!(code("kill -KILL $$"), 137);
        assert_eq!(code("kill -TERM $$"), 143);
    }

    #[test]
    fn a_missing_program_is_named() {
        let failure = run(&mut Command::new("no-such-program-anywhere"));
        let message = failure.expect_err("it is not there").to_string();
        assert!(message.contains("no-such-program-anywhere"), "{message}");
    }
}
