//! Stopping a run: Ctrl-C ends it at a step, says so, and leaves what is finished.
#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::TOY;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_signal_stops_a_run_with_its_own_exit_code() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let run = format!("pre-{signal}");
        let child = start(&desk, &run);
        wait_for_an_epoch(&desk, &run);
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(sent.expect("a POSIX system has kill").success());
        let stopped = finish(child, &run);
        assert_eq!(stopped.code, Some(code), "{stopped}");
        assert!(
            stopped.stderr.contains("stopped:") && !stopped.stderr.contains("panicked"),
            "{stopped}"
        );
        // Whole lines, and a checkpoint that a fine-tuning accepts.
        assert!(!desk.lines(&format!("{run}/metrics.jsonl")).is_empty());
        desk.ssl(&format!(
            "finetune --preset quick --data toy.h5 --train train --encoder {run} --out fine-{signal} --set finetune.epochs=1 --set reading.frames=16"
        ))
        .success();
    }
}

fn start(desk: &Desk, run: &str) -> Child {
    desk.command(&format!(
        "pretrain --preset quick --data toy.h5 --split train --out {run} --set pretrain.epochs=100000 --set reading.frames=16 --threads 1"
    ))
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the program starts")
}

fn wait_for_an_epoch(desk: &Desk, run: &str) {
    let started = Instant::now();
    let metrics = desk.path(&format!("{run}/metrics.jsonl"));
    while !std::fs::read_to_string(&metrics).is_ok_and(|text| text.contains('\n')) {
        assert!(started.elapsed() < PATIENCE, "no epoch in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn finish(mut child: Child, run: &str) -> Finished {
    let started = Instant::now();
    while child.try_wait().expect("our own child").is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().expect("our own child");
            panic!("{run} did not stop in {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Finished::new(
        run.to_owned(),
        child.wait_with_output().expect("our own child"),
    )
}
