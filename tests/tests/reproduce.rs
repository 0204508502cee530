//! `ssl reproduce` as a user has it: stopped, started again, and noticing that something has moved.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ssl_tests::program::{Desk, Finished};

const PATIENCE: Duration = Duration::from_secs(240);

/// The marks of finished runs and when they were set.
fn finished(out: &Path) -> BTreeMap<String, std::time::SystemTime> {
    let Ok(entries) = std::fs::read_dir(out.join("runs")) else {
        return BTreeMap::new();
    };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            name.ends_with(".done").then_some(())?;
            Some((name, path.metadata().ok()?.modified().ok()?))
        })
        .collect()
}

fn finish(desk: &Desk, words: &str) -> (Option<i32>, String) {
    let Finished { code, stderr, .. } = desk.ssl(&format!("reproduce {words} --out out"));
    (code, stderr)
}

#[test]
fn what_is_finished_is_not_run_again() {
    let desk = Desk::new();
    let out = &desk.path("out");
    let mut child = desk
        .command("reproduce table4b --jobs 1 --out out")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let started = Instant::now();
    while finished(out).is_empty() {
        assert!(started.elapsed() < PATIENCE, "no run in {PATIENCE:?}");
        assert!(
            child.try_wait().expect("our own child").is_none(),
            "it ended before its first run"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("a POSIX system has kill").success());
    let stopped = child.wait_with_output().expect("our own child");
    let said = String::from_utf8_lossy(&stopped.stderr);
    assert_eq!(stopped.status.code(), Some(130), "{said}");
    assert!(
        said.contains("stopped:") && said.contains("of 4 runs are left"),
        "{said}"
    );
    let before = finished(out);
    assert!((1..4).contains(&before.len()), "{before:?}");

    let (code, said) = finish(&desk, "table4b");
    assert_eq!(code, Some(0), "{said}");
    let words = format!(
        "{} runs made, {} were there already",
        4 - before.len(),
        before.len()
    );
    assert!(said.contains(&words), "{said}");
    let after = finished(out);
    assert_eq!(after.len(), 4);
    for (name, time) in &before {
        assert_eq!(
            after.get(name),
            Some(time),
            "{name} was finished and made again"
        );
    }
    let page = std::fs::read_to_string(out.join("results/table4b-ci.md")).expect("a page");
    assert!(
        page.contains("| GraphCL | FineGym | synthetic val |"),
        "{page}"
    );

    let (code, said) = finish(&desk, "table4b");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("0 runs made, 4 were there already"), "{said}");
    assert_eq!(finished(out), after);
}

/// A loss without its power, and one from which nothing is learnt.
#[test]
fn a_broken_loss_leaves_the_ranges() {
    for broken in [
        "pretrain.objective.loss={kind=\"rce\",beta=1.0}",
        "pretrain.optimizer.lr=1e-9",
    ] {
        let (code, said) = finish(&Desk::new(), &format!("table1 --break {broken}"));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("left the ranges"), "{said}");
        assert!(
            said.contains("table1, SkeletonMAE, FineGym: loss of pre-training"),
            "{said}"
        );
    }
}
