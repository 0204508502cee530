//! The command line to type next.

use std::path::Path;

use crate::args::{FinetuneArgs, PretrainArgs, SettingsArgs};
use crate::config::Config;
use crate::machine::Device;
use crate::text::shell;

/// Looking for what would make training on a new cache fail, or its results lie.
pub fn after_prepare(cache: &Path) -> String {
    [program(), "doctor".to_owned(), path(cache)].join(" ")
}

/// Fine-tuning on what was pre-trained, with the same settings.
pub fn after_pretrain(args: &PretrainArgs, config: &Config) -> String {
    let mut words = vec![program(), "finetune".to_owned()];
    words.extend(settings(&args.settings));
    words.extend(option("--data", config.run.data.as_deref()));
    words.extend([
        "--train".to_owned(),
        shell(config.run.split.as_deref().unwrap_or_default()),
    ]);
    words.extend(option("--encoder", Some(&args.run.out)));
    words.extend(option("--out", Some(&beside(&args.run.out, "-finetune"))));
    words.extend(device(config));
    words.join(" ")
}

/// Measuring what was fine-tuned.
pub fn after_finetune(args: &FinetuneArgs, config: &Config) -> String {
    let mut words = vec![program(), "evaluate".to_owned(), path(&args.run.out)];
    words.extend(option("--data", config.run.data.as_deref()));
    let split = config.run.test.as_deref().map_or("NAME".to_owned(), shell);
    words.extend(["--split".to_owned(), split]);
    words.extend(device(config));
    words.join(" ")
}

/// Where the run was computed, where that is not the default.
fn device(config: &Config) -> Vec<String> {
    match config.run.device {
        Device::Cpu => Vec::new(),
        device => vec!["--device".to_owned(), device.to_string()],
    }
}

/// This program as it was started: what is not on the PATH has to be typed again as it was.
fn program() -> String {
    // A script that starts it says under which name.
    let script = std::env::var_os("SSL_STARTED_AS");
    script
        .or_else(|| std::env::args_os().next())
        .map_or_else(|| "ssl".to_owned(), |name| path(Path::new(&name)))
}

/// The preset or file, and the changes that both jobs share.
fn settings(args: &SettingsArgs) -> Vec<String> {
    let mut words = match (&args.preset, &args.config) {
        (Some(name), _) => vec!["--preset".to_owned(), shell(name)],
        (None, Some(file)) => option("--config", Some(file)),
        // A fine-tuning takes those of its encoder's run.
        (None, None) => Vec::new(),
    };
    let shared = |set: &&String| set.starts_with("reading.") || set.starts_with("model.");
    for set in args.set.iter().filter(shared) {
        words.extend(["--set".to_owned(), shell(set)]);
    }
    words
}

fn option(flag: &str, value: Option<&Path>) -> Vec<String> {
    value.map_or(Vec::new(), |value| vec![flag.to_owned(), path(value)])
}

fn path(path: &Path) -> String {
    shell(&path.display().to_string())
}

fn beside(folder: &Path, ending: &str) -> std::path::PathBuf {
    let mut name = folder
        .file_name()
        .map_or_else(|| "run".into(), std::ffi::OsStr::to_owned);
    name.push(ending);
    folder.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_run_lies_beside_this_one() {
        assert_eq!(
            beside(Path::new("runs/pretrain-001"), "-finetune"),
            Path::new("runs/pretrain-001-finetune")
        );
    }
}
