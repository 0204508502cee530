//! `cargo xtask bench TOPIC`: our programs beside others that do the same work, measured in one run by turns.

mod data;
mod machine;
mod measure;
mod models;
mod options;
mod report;
mod side;
mod sizes;
mod work;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::process::{Failure, cannot};
use crate::workspace::Workspace;
use data::DataOptions;
use options::Files;
pub use options::Topic;

/// Measures one topic.
pub fn bench(workspace: &Workspace, topic: &Topic) -> Result<(), Failure> {
    match topic {
        Topic::Data(options) => data::bench(workspace, options),
        Topic::Sizes(rounds) => sizes::bench(workspace, rounds),
        Topic::Share(rounds) => sizes::share(workspace, rounds),
        Topic::Pretrain(options) => models::bench(workspace, &["pretrain"], options, false),
        Topic::Finetune(options) => models::bench(workspace, &["finetune"], options, false),
        Topic::Infer(options) => models::bench(workspace, &["infer"], options, false),
        Topic::Infer1(options) => models::bench(workspace, &["infer1"], options, false),
        Topic::Models(table) => models::all(workspace, table),
        Topic::Ops(options) => models::ops(workspace, options),
        Topic::All(table) => {
            models::all(workspace, table)?;
            // The files are the models'.
            let mut ops = table.work.clone();
            ops.files = Files::default();
            models::ops(workspace, &ops)?;
            let readers = DataOptions {
                section: None,
                repetitions: 3,
                json: None,
            };
            data::bench(workspace, &readers)
        }
    }
}

/// The interpreter that tests use too.
fn python() -> OsString {
    let chosen = std::env::var_os("SSL_TEST_PYTHON").filter(|path| !path.is_empty());
    chosen.unwrap_or_else(|| "python3".into())
}

fn imports(python: &OsString, packages: &str) -> bool {
    let outcome = Command::new(python)
        .args(["-c", &format!("import {packages}")])
        .output();
    outcome.is_ok_and(|output| output.status.success())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(cannot("write", path))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Failure::Task(format!("{}: {e}", path.display())))?;
    write(path, &(text + "\n"))
}
