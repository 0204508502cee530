//! SIGKILL at random moments: a run that goes on each time ends with the same bytes as one that was never
//! touched.
#![cfg(unix)]

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use ssl_tests::program::Desk;
use ssl_tests::random::Random;
use ssl_tests::toy::TOY;

/// Kills of each training.
const KILLS: usize = 30;

/// Saved after each step, so that many moments are moments of writing.
const SAVING: &str = "--save-every 0 --threads 1";

#[test]
fn killed_and_resumed_a_pre_training_ends_as_if_nothing_had_happened() {
    survives(
        "pretrain --preset quick --data toy.h5 --split train --val test --set reading.frames=16 --set pretrain.epochs=6 --set pretrain.batch=3 --set pretrain.micro_batch=2",
        &[
            "model.safetensors",
            "best.safetensors",
            "metrics.jsonl",
            "reconstruction.json",
        ],
        "resume/000006-000000.safetensors",
    );
}

#[test]
fn killed_and_resumed_a_fine_tuning_ends_as_if_nothing_had_happened() {
    survives(
        "finetune --preset quick --data toy.h5 --train train --holdout 0.2 --test test --set reading.frames=16 --set finetune.epochs=5 --set finetune.batch=3 --set finetune.micro_batch=2",
        &[
            "model.safetensors",
            "best.safetensors",
            "metrics.jsonl",
            "test.json",
            "test_best.json",
        ],
        "resume/000005-000000.safetensors",
    );
}

fn survives(typed: &str, files: &[&str], state: &str) {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    let started = Instant::now();
    desk.ssl(&format!("{typed} {SAVING} --out whole")).success();
    let whole = started.elapsed();
    let same = |run: &str| {
        for file in files.iter().chain([&state]) {
            let (ours, theirs) = (
                desk.read(&format!("{run}/{file}")),
                desk.read(&format!("whole/{file}")),
            );
            assert!(
                ours == theirs,
                "{run}/{file} differs from the uninterrupted run's"
            );
        }
        assert_eq!(
            unfinished(&desk.path(run)),
            0,
            "{run} holds unfinished files"
        );
    };
    let mut random = Random(0x5EED);
    let (mut run, mut runs, mut writing, mut kills) = ("run0".to_owned(), 0, 0, 0);
    while kills < KILLS {
        let mut child = start(&desk, &format!("{typed} {SAVING} --out {run} --resume"));
        // Every third waits for a file that is just being written.
        let folder = desk.path(&run);
        let wait = whole.mul_f64(random.share());
        let moment = |spent: Duration| match kills % 3 {
            0 => unfinished(&folder) > 0,
            _ => spent >= wait,
        };
        if killed(&mut child, moment) {
            kills += 1;
            writing += usize::from(unfinished(&folder) > 0);
        } else {
            same(&run);
            runs += 1;
            run = format!("run{runs}");
        }
    }
    desk.ssl(&format!("{typed} {SAVING} --out {run} --resume"))
        .success();
    same(&run);
    println!(
        "{kills} kills in {} runs, {writing} of them while a file was written",
        runs + 1
    );
    assert!(writing > 0, "no kill hit a file being written");
}

fn start(desk: &Desk, typed: &str) -> Child {
    desk.command(typed)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// Kills the program at the moment, unless it ends before, which it must do well.
fn killed(child: &mut Child, moment: impl Fn(Duration) -> bool) -> bool {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            assert!(status.success(), "a resumed run failed: {status}");
            return false;
        }
        if moment(started.elapsed()) {
            // `kill` is SIGKILL: nothing of the program runs after it.
            child.kill().expect("our own child");
            return !child.wait().expect("our own child").success();
        }
        std::hint::spin_loop();
    }
}

/// Files under a run folder that are being written, or were when the program was killed.
fn unfinished(run: &Path) -> usize {
    let count = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(".writing-"))
            .count()
    };
    count(run) + count(&run.join("resume"))
}
