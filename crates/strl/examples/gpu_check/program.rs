//! The program itself on the device: a loss curve beside the CPU's, the same bytes twice and after a resume, and each command
//! that computes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::numbers::off;
use crate::report::{Outcome, Report, short};

const PRETRAIN: &str = "pretrain --preset quick --data toy.h5 --split train --val val --set pretrain.epochs=3 --save-every 0 --keep 1000";
const FINETUNE: &str = "finetune --preset quick --data toy.h5 --train train --holdout 0.2 --test val --set finetune.epochs=2";
/// Losses may differ from the CPU's by this share: rounding grows from step to step.
const LOSSES: f64 = 0.02;

/// The program and a folder of its own.
struct Desk {
    program: PathBuf,
    folder: PathBuf,
    device: String,
}

impl Desk {
    fn new(device: &str) -> Outcome<Self> {
        let named = std::env::var_os("GPU_CHECK_SSL").map(PathBuf::from);
        let own = std::env::current_exe()?;
        let program = named
            .unwrap_or_else(|| own.with_file_name("ssl"))
            .canonicalize()?;
        let folder = std::env::temp_dir().join(format!("gpu_check-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let device = device.to_owned();
        Ok(Self {
            program,
            folder,
            device,
        })
    }

    /// Runs `ssl TYPED`; its stdout.
    fn ssl(&self, typed: &str) -> Outcome<String> {
        let output = Command::new(&self.program)
            .current_dir(&self.folder)
            .arg("-q")
            .args(typed.split(' '))
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim().replace('\n', " / ");
            return Err(format!("ssl {typed}: {said}").into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The same on the device.
    fn on_device(&self, typed: &str) -> Outcome<String> {
        self.ssl(&format!("{typed} --device {}", self.device))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The numbers under `key` in a run's metrics.
    fn curve(&self, run: &str, key: &str) -> Outcome<Vec<f64>> {
        let text = std::fs::read_to_string(self.path(run).join("metrics.jsonl"))?;
        let line = |line: &str| -> Outcome<f64> {
            let line: Value = serde_json::from_str(line)?;
            Ok(line[key]
                .as_f64()
                .ok_or_else(|| format!("no {key} in {line}"))?)
        };
        text.lines().map(line).collect()
    }

    fn same(&self, a: &str, b: &str) -> Outcome<bool> {
        for file in ["model.safetensors", "metrics.jsonl"] {
            if std::fs::read(self.path(a).join(file))? != std::fs::read(self.path(b).join(file))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn check(device: &str, report: &mut Report) {
    report.table(
        &format!("The program, --device {device}"),
        &["what", "found", ""],
    );
    report.guarded("the program", |report| {
        let desk = Desk::new(device)?;
        desk.ssl("prepare --dataset synthetic -o toy.h5")?;
        curves(&desk, report);
        again(&desk, report);
        commands(&desk, report);
        Ok(())
    });
}

fn row(report: &mut Report, what: &str, found: String, passed: bool) {
    let verdict = report.verdict(what, passed);
    let value = json!({"what": what, "found": found, "passed": passed});
    report.row("program", &[what.to_owned(), found, verdict], value);
}

/// Pre-training on the CPU and on the device.
fn curves(desk: &Desk, report: &mut Report) {
    let what = "a pre-training's losses beside the CPU's";
    report.guarded(what, |report| {
        desk.ssl(&format!("{PRETRAIN} --out cpu"))?;
        desk.on_device(&format!("{PRETRAIN} --out device"))?;
        let mut worst: f64 = 0.0;
        for key in ["loss", "val_loss"] {
            worst = worst.max(off(&desk.curve("device", key)?, &desk.curve("cpu", key)?));
        }
        row(
            report,
            what,
            format!("off by {}", short(worst)),
            worst < LOSSES,
        );
        Ok(())
    });
}

/// The same bytes twice, and after going on from the middle of an epoch.
fn again(desk: &Desk, report: &mut Report) {
    let what = "the same bytes twice";
    report.guarded(what, |report| {
        desk.on_device(&format!("{PRETRAIN} --out twice"))?;
        let same = desk.same("device", "twice")?;
        row(
            report,
            what,
            if same { "equal" } else { "different" }.into(),
            same,
        );
        Ok(())
    });
    let what = "the same bytes after a resume";
    report.guarded(what, |report| {
        let dropped = drop_later_states(&desk.path("twice"))?;
        for file in ["model.safetensors", "metrics.jsonl"] {
            std::fs::remove_file(desk.path("twice").join(file))?;
        }
        desk.on_device("pretrain --out twice --resume")?;
        let same = desk.same("device", "twice")?;
        let found = if same { "equal" } else { "different" };
        let found = format!("{found}, {dropped} states before the end");
        row(report, what, found, same && dropped > 0);
        Ok(())
    });
}

/// Leaves a run's states up to the middle of its second epoch; how many went.
fn drop_later_states(run: &Path) -> Outcome<usize> {
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(run.join("resume"))? {
        names.push(entry?.path());
    }
    names.sort();
    let middle = names.len() / 2;
    for path in &names[middle..] {
        std::fs::remove_file(path)?;
    }
    Ok(names.len() - middle)
}

/// Everything else that computes, on the device.
fn commands(desk: &Desk, report: &mut Report) {
    for typed in [
        &format!("{FINETUNE} --encoder device --out finetuned"),
        "evaluate finetuned --data toy.h5 --split val --json",
        "predict finetuned --data toy.h5 --split val --json",
        "probe --encoder device --data toy.h5 --train train --test val --json",
        "probe --encoder device --data toy.h5 --train train --test val --method knn --json",
        "represent device --data toy.h5 --split val --out features.jsonl",
        "represent finetuned --data toy.h5 --split val --out classifier.jsonl",
        "reconstruct device --data toy.h5 --split val --json",
        "doctor toy.h5 --overfit --json",
    ] {
        let what = format!("ssl {}", typed.split(" --data").next().unwrap_or_default());
        report.guarded(&what, |report| {
            let said = match desk.on_device(typed) {
                // A finding about the clips is not one about the device.
                Err(error) if typed.starts_with("doctor") && error.to_string().ends_with(": ") => {
                    "a finding".to_owned()
                }
                said => said?,
            };
            let document: Value = serde_json::from_str(&said).unwrap_or_default();
            let found = match document["top1"].as_f64() {
                Some(top1) => format!("top-1 {:.1} %", 100.0 * top1),
                None => "done".into(),
            };
            row(report, &what, found, true);
            Ok(())
        });
    }
}
