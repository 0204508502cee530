//! `cargo xtask ssl`, `pretrain` and `reproduce`: build the program, then become it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, cannot, hand_over, run};
use crate::workspace::Workspace;

/// Pre-trains; what ARGS don't say is the embedded default.
pub fn pretrain(workspace: &Workspace, mut args: Vec<OsString>) -> Result<(), Failure> {
    let ssl = build(workspace)?;
    if !(has(&args, "--help") || has(&args, "-h")) {
        fill_in(workspace, &ssl, &mut args)?;
    }
    hand_over(Command::new(&ssl).arg("pretrain").args(args))
}

/// Runs the program with the arguments as they are, in the folder that the user is in.
pub fn ssl(workspace: &Workspace, args: Vec<OsString>) -> Result<(), Failure> {
    let ssl = build(workspace)?;
    hand_over(Command::new(ssl).args(args))
}

/// Makes tables of the paper as the task's last command; runs are kept in the target folder unless ARGS say where.
pub fn reproduce(workspace: &Workspace, args: Vec<OsString>) -> Result<(), Failure> {
    hand_over(&mut reproducing(workspace, args)?)
}

/// Every table and figure on synthetic clips, as one step of many: their numbers have to be in their ranges.
pub fn reproduce_all(workspace: &Workspace) -> Result<(), Failure> {
    run(&mut reproducing(workspace, vec!["all".into()])?)
}

fn reproducing(workspace: &Workspace, mut args: Vec<OsString>) -> Result<Command, Failure> {
    let ssl = build(workspace)?;
    if !has(&args, "--out") {
        let out = workspace.target().join("ssl").join("reproduce");
        args.extend(["--out".into(), workspace.shown(&out).into()]);
    }
    let mut command = Command::new(ssl);
    command.arg("reproduce").args(args);
    Ok(command)
}

/// Builds the program and gives its path as the user would type it, which is also how it names itself in
/// the commands that it suggests next.
fn build(workspace: &Workspace) -> Result<PathBuf, Failure> {
    run(workspace.build("build")?.args(["--package", "ssl-cli"]))?;
    let ssl = workspace.program("ssl");
    let shown = workspace.shown(&ssl);
    // A bare name would be looked up on PATH.
    Ok(if shown.components().count() > 1 {
        shown
    } else {
        ssl
    })
}

/// Adds the preset, the synthetic clips and a fresh run folder where ARGS leave them open.
fn fill_in(workspace: &Workspace, ssl: &Path, args: &mut Vec<OsString>) -> Result<(), Failure> {
    if !has(args, "--preset") && !has(args, "--config") {
        args.extend(["--preset".into(), "quick".into()]);
    }
    if !has(args, "--data") {
        let cache = synthetic_cache(workspace, ssl)?;
        args.extend(["--data".into(), cache.into()]);
        for (option, split) in [("--split", "train"), ("--val", "val")] {
            if !has(args, option) {
                args.extend([option.into(), split.into()]);
            }
        }
    }
    if !has(args, "--out") {
        let out = next_run(&workspace.root().join("runs"), "pretrain")?;
        args.extend(["--out".into(), workspace.shown(&out).into()]);
    }
    Ok(())
}

/// Whether an option is among the arguments, as `--out X` or `--out=X`.
fn has(args: &[OsString], option: &str) -> bool {
    args.iter().any(|arg| {
        let rest = arg.to_str().and_then(|arg| arg.strip_prefix(option));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// The cache of synthetic clips, made where it is absent or older than the program that makes it.
fn synthetic_cache(workspace: &Workspace, ssl: &Path) -> Result<PathBuf, Failure> {
    let folder = workspace.target().join("ssl");
    let cache = folder.join("synthetic.h5");
    let shown = workspace.shown(&cache);
    if is_current(&cache, ssl) {
        return Ok(shown);
    }
    std::fs::create_dir_all(&folder).map_err(cannot("make", &folder))?;
    if cache.exists() {
        std::fs::remove_file(&cache).map_err(cannot("replace", &cache))?;
    }
    run(Command::new(ssl).args([
        "prepare".as_ref(),
        "--dataset".as_ref(),
        "synthetic".as_ref(),
        "-o".as_ref(),
        shown.as_os_str(),
    ]))?;
    Ok(shown)
}

fn is_current(made: &Path, from: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    matches!((time(made), time(from)), (Some(made), Some(from)) if made >= from)
}

/// The next `NAME-NNN` in a folder: one above the highest that is there, so that numbers tell the order.
/// `ssl` itself refuses a folder that another run took in the meantime.
fn next_run(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let unreadable = cannot("read", folder);
    let mut highest = 0;
    match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(unreadable(e)),
        Ok(entries) => {
            for entry in entries {
                let file = entry.map_err(&unreadable)?.file_name();
                highest = highest.max(run_number(&file, name).unwrap_or(0));
            }
        }
    }
    Ok(folder.join(format!("{name}-{:03}", highest + 1)))
}

fn run_number(file: &OsStr, name: &str) -> Option<u32> {
    let digits = file.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[test]
    fn options_are_seen_in_both_spellings() {
        let args = os(&["--out=runs/a", "--data", "x.h5", "--seed", "3"]);
        assert!(has(&args, "--out") && has(&args, "--data"));
        assert!(!has(&args, "--val") && !has(&args, "--se") && !has(&args, "--output"));
    }

    #[test]
    fn what_is_given_is_left_alone() {
        let root = std::env::temp_dir().join(format!("xtask-given-{}", std::process::id()));
        let given = os(&[
            "--config", "my.toml", "--data", "x.h5", "--split", "s", "--out", "o",
        ]);
        let mut args = given.clone();
        // The program is never started: every default is taken.
        fill_in(
            &Workspace::at(&root),
            Path::new("no-such-program"),
            &mut args,
        )
        .expect("nothing is missing");
        assert_eq!(args, given);
    }

    #[test]
    fn runs_are_numbered_after_the_highest() {
        let folder = std::env::temp_dir().join(format!("xtask-runs-{}", std::process::id()));
        let next = || next_run(&folder, "pretrain").expect("a readable folder");
        assert_eq!(next(), folder.join("pretrain-001"));
        for made in [
            "pretrain-001",
            "pretrain-004",
            "pretrain-x",
            "finetune-009",
            "other",
        ] {
            std::fs::create_dir_all(folder.join(made)).expect("the temporary folder is writable");
        }
        assert_eq!(next(), folder.join("pretrain-005"));
        std::fs::create_dir(folder.join("pretrain-1000"))
            .expect("the temporary folder is writable");
        assert_eq!(next(), folder.join("pretrain-1001"));
        std::fs::remove_dir_all(&folder).expect("we made it");
    }

    #[test]
    fn a_cache_older_than_the_program_is_made_again() {
        let folder = std::env::temp_dir().join(format!("xtask-age-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let (program, cache) = (folder.join("ssl"), folder.join("c.h5"));
        std::fs::write(&program, "").expect("the temporary folder is writable");
        assert!(!is_current(&cache, &program), "an absent cache");
        let file = std::fs::File::create(&cache).expect("the temporary folder is writable");
        let made = program
            .metadata()
            .and_then(|m| m.modified())
            .expect("a time");
        let second = std::time::Duration::from_secs(1);
        file.set_modified(made + second).expect("we own the file");
        assert!(is_current(&cache, &program), "a newer cache");
        file.set_modified(made - second).expect("we own the file");
        assert!(!is_current(&cache, &program), "an older cache");
        std::fs::remove_dir_all(&folder).expect("we made it");
    }
}
