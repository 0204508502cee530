//! What a user sees before any work starts: help, mistakes, exit codes.

use std::path::Path;
use std::process::{Command, Output};

fn ssl(folder: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ssl"));
    command
        .current_dir(folder)
        .args(words.split_whitespace())
        .env_remove("SSL_LOG");
    command
        .output()
        .expect("the program was built with this test")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

/// The exit code, and stderr, of a command that prints nothing on stdout.
fn refused(words: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = ssl(folder.path(), words);
    assert_eq!(text(&output.stdout), "", "{words}");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "{words} left something behind"
    );
    (
        output.status.code().expect("it was not killed"),
        text(&output.stderr),
    )
}

#[test]
fn each_command_explains_itself_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "prepare", "convert", "inspect", "doctor", "pretrain", "finetune", "evaluate", "predict",
        "preset",
    ] {
        let output = ssl(folder.path(), &format!("{command} --help"));
        let help = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            help.contains(&format!("Usage: ssl {command}"))
                && help.contains(&format!("  ssl {command} ")),
            "{help}"
        );
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn wrong_usage_is_2() {
    for (words, place) in [
        ("", "Usage"),
        ("pretrian", "pretrain"),
        ("pretrain --out run", "--data"),
        ("pretrain --preset quick", "--out"),
        ("pretrain --preset quick --out run", "--data"),
        (
            "pretrain --preset quick --config x.toml --out run",
            "--config",
        ),
        ("pretrain --preset quick --out run --threads 0", "--threads"),
        ("pretrain --preset quick --out run --device abacus", "cpu"),
        ("pretrain --preset quick --out run --seed one", "--seed"),
        ("pretrain --preset quick --out run --set", "--set"),
        (
            "pretrain --preset quick --out run --set epochs",
            "KEY=VALUE",
        ),
        (
            "pretrain --preset quick --out run --set finetune.epochs=1",
            "no use for",
        ),
        (
            "finetune --preset quick --out run --holdout 1.5",
            "--holdout",
        ),
        ("prepare -o x.h5", "INPUT"),
        ("prepare -o x.h5 --dataset nothing", "synthetic"),
        ("prepare in.pkl -o x.h5 --dataset synthetic", "in.pkl"),
        (
            "prepare -o x.h5 --dataset synthetic --layout coco17",
            "--layout",
        ),
        ("prepare -o x.h5 --dataset jhmdb14", "INPUT"),
        (
            "prepare in.pkl -o x.h5 --dataset jhmdb14 --seed 3",
            "--seed",
        ),
        ("convert in.pkl out.pkl", ".jsonl"),
        ("convert in.pkl out", ".npz"),
        ("convert in.pkl out.npz", "prepare"),
        ("convert in.pkl out.jsonl --compress", "--compress"),
        ("convert in.pkl", "<OUTPUT>"),
        ("preset nothing", "quick, jhmdb, nw_ucla, utd_mhad, paper"),
        ("evaluate run --data x.h5", "--split"),
        ("inspect x.h5 --svg x.svg", "--clip"),
        ("inspect x.h5 --clip 0 --up w", "expected x, y or z"),
        ("doctor x.h5 --split-train train", "--split-test"),
        ("doctor x.h5 --preset quick", "--overfit"),
        ("predict run --data x.h5 --top 0", "--top"),
    ] {
        let (code, stderr) = refused(words);
        assert_eq!(code, 2, "{words}: {stderr}");
        assert!(
            stderr.contains(place),
            "{words}: expected {place:?} in {stderr}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn errors_are_1_with_a_hint_and_without_colour() {
    for (words, place) in [
        (
            "pretrain --preset quick --data none.h5 --split train --out run",
            "none.h5",
        ),
        (
            "pretrain --config none.toml --data none.h5 --split train --out run",
            "none.toml",
        ),
        (
            "finetune --preset quick --data none.h5 --train train --out run",
            "none.h5",
        ),
        ("evaluate none --data none.h5 --split val", "none"),
        ("predict none --data none.h5", "none"),
        ("inspect none.h5", "none.h5"),
        ("doctor none.h5", "none.h5"),
        ("prepare none.pkl -o x.h5 --layout coco17", "none.pkl"),
        ("prepare none.npz -o x.h5 --layout ntu25", "none.npz"),
        ("convert none.jsonl x.h5", "none.jsonl"),
        ("convert none.h5 x.jsonl", "none.h5"),
    ] {
        let (code, stderr) = refused(words);
        assert_eq!(code, 1, "{words}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(place) && stderr.contains("\nhint: "),
            "{words}: {stderr}"
        );
        assert!(!stderr.contains('\x1b'), "{stderr:?}");
    }
}

#[test]
fn a_printed_preset_is_a_config() {
    let folder = tempfile::tempdir().unwrap();
    let listed = text(&ssl(folder.path(), "preset").stdout);
    assert_eq!(listed.lines().count(), 7, "{listed}");
    for line in listed.lines() {
        let name = line.split_whitespace().next().unwrap();
        let preset = ssl(folder.path(), &format!("preset {name}"));
        std::fs::write(folder.path().join("mine.toml"), &preset.stdout).unwrap();
        let output = ssl(
            folder.path(),
            "pretrain --config mine.toml --data none.h5 --split train --out run",
        );
        // The settings were taken: what is missing is the cache.
        assert!(
            text(&output.stderr).contains("none.h5"),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ssl"));
    command
        .args(["preset", "paper"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}
