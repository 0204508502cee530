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

/// Two machines, here two processes, share the runs of a table; a third then finds one of them dead.
#[test]
fn shards_make_each_run_once_and_the_last_writes_the_table() {
    let desk = Desk::new();
    let out = &desk.path("out");
    let shard = |i: usize| format!("reproduce table4b --jobs 1 --out out --shard {i}/2");
    let start = |i: usize| {
        let mut command = desk.command(&shard(i));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let both = [1, 2].map(|i| (i, start(i)));
    let both = both.map(|(i, child)| {
        let output = child.wait_with_output().expect("our own child");
        Finished::new(shard(i), output).success()
    });
    let mut made = 0;
    for (i, finished) in (1..).zip(&both) {
        let words = format!("shard {i}/2: 2 runs made, 0 were there already");
        assert!(finished.stderr.contains(&words), "{finished}");
        made += finished.stdout.lines().count();
    }
    assert!(
        (1..=2).contains(&made),
        "the last one writes the table: {both:?}"
    );
    assert!(out.join("results/table4b-ci.md").is_file());
    let before = finished(out);
    assert_eq!(before.len(), 4);
    for name in before.keys() {
        let done = std::fs::read_to_string(out.join("runs").join(name)).expect("a mark");
        assert!(done.contains("\"processes\": 1"), "{name}: {done}");
        let lock = out.join("runs").join(name.replace(".done", ".lock"));
        assert_eq!(
            std::fs::read(lock).expect("a claim"),
            b"",
            "it was given back"
        );
    }

    // A part that is done says so, and makes nothing.
    let again = desk.ssl(&shard(1)).success();
    assert!(
        again
            .stderr
            .contains("shard 1/2: 0 runs made, 2 were there already"),
        "{again}"
    );

    // The machine that made one of them died before it was done.
    let name = before.keys().next().expect("four of them");
    let run = name.trim_end_matches(".done");
    std::fs::remove_file(out.join("runs").join(name)).expect("a mark");
    std::fs::write(out.join(format!("runs/{run}.lock")), "elsewhere 17 4\n").expect("a claim");
    let (code, said) = finish(&desk, "table4b --silence 2");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("waiting for 1 run that other processes make"),
        "{said}"
    );
    let words = format!("{run}: elsewhere has given no sign of life for 2 s");
    assert!(said.contains(&words), "{said}");
    assert!(said.contains("1 runs made, 3 were there already"), "{said}");
}
