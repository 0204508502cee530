//! What a shared machine does to a run: stops it, fills its disk, takes its data away, starts it twice.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ssl_tests::mount::Small;
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{TOY, Toy};

const PATIENCE: Duration = Duration::from_secs(60);
const EPOCHS: usize = 80;

fn pretrain() -> String {
    format!(
        "pretrain --preset quick --data toy.h5 --split train --set reading.frames=16 --set pretrain.epochs={EPOCHS} --set pretrain.batch=6"
    )
}

fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk
}

fn start(desk: &Desk, typed: &str) -> Child {
    desk.command(typed)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(
            started.elapsed() < PATIENCE,
            "{what} took more than {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn epochs(run: &Path) -> usize {
    std::fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

fn finish(child: Child, typed: &str) -> Finished {
    let output = child.wait_with_output().expect("our own child");
    Finished::new(typed.to_owned(), output)
}

/// The files that must not depend on what happened on the way.
fn assert_same(desk: &Desk, run: &Path) {
    for file in [
        "model.safetensors",
        "metrics.jsonl",
        &format!("resume/{EPOCHS:06}-000000.safetensors"),
    ] {
        let (ours, whole) = (
            std::fs::read(run.join(file)).expect(file),
            desk.read(&format!("whole/{file}")),
        );
        assert!(ours == whole, "{file} differs from the uninterrupted run's");
    }
}

fn unfinished(run: &Path) -> usize {
    let folders = [run.to_owned(), run.join("resume")];
    let entries = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
    entries
        .filter(|entry| {
            let name = entry.as_ref().map(|entry| entry.file_name());
            name.is_ok_and(|name| name.to_string_lossy().starts_with(".writing-"))
        })
        .count()
}

#[test]
fn a_signal_finishes_the_step_and_another_number_of_threads_goes_on() {
    let desk = desk();
    let typed = pretrain();
    desk.ssl(&format!("{typed} --out whole --threads 1"))
        .success();
    for (signal, code, threads) in [("TERM", 143, 2), ("INT", 130, 3)] {
        let run = desk.path(signal);
        let child = start(&desk, &format!("{typed} --out {signal} --threads 1"));
        wait_until("an epoch", || epochs(&run) > 1);
        let id = child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &id])
            .status();
        assert!(sent.expect("a POSIX system has kill").success());
        let stopped = finish(child, signal);
        assert_eq!(stopped.code, Some(code), "{stopped}");
        assert!(
            stopped.stderr.contains("--resume goes on from here"),
            "{stopped}"
        );
        assert!(epochs(&run) < EPOCHS, "it was stopped on the way");
        desk.ssl(&format!(
            "{typed} --out {signal} --resume --threads {threads}"
        ))
        .success();
        assert_same(&desk, &run);
    }
}

#[test]
fn a_full_disk_ends_the_run_and_loses_nothing_that_was_saved() {
    let Some(mut disk) = Small::new(6 << 10) else {
        return;
    };
    let desk = desk();
    let typed = pretrain();
    desk.ssl(&format!("{typed} --out whole")).success();
    let run = disk.file("run");
    let there = format!("{typed} --save-every 0 --out {}", run.display());
    let child = start(&desk, &there);
    wait_until("an epoch", || epochs(&run) > 1);
    disk.fill(12);
    let full = finish(child, &there);
    full.refused(1, &["No space left", "run", "--resume"]);
    let done = epochs(&run);
    assert!(done < EPOCHS, "the disk was full in time");
    assert_eq!(
        unfinished(&run),
        0,
        "a failed write takes back what it wrote"
    );
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert!(metrics.ends_with('\n'), "{metrics}");
    for line in metrics.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("whole lines");
    }
    // Still full: nothing gets worse.
    desk.ssl(&format!("{there} --resume"))
        .refused(1, &["No space left"]);
    desk.ssl(&format!("finetune --preset quick --data toy.h5 --train train --encoder {} --set reading.frames=16 --set finetune.epochs=1 --out fine", run.display())).success();

    disk.fill(5 << 10);
    disk.read_only(true);
    desk.ssl(&format!("{there} --resume"))
        .refused(1, &["Read-only file system", "lock"]);
    let other = disk.file("other");
    desk.ssl(&format!("{typed} --out {}", other.display()))
        .refused(1, &["Read-only file system", "other"]);
    disk.read_only(false);
    desk.ssl(&format!("{there} --resume")).success();
    assert_same(&desk, &run);
}

#[test]
fn data_that_vanish_end_the_run_and_data_that_come_back_go_on() {
    let desk = desk();
    let typed = pretrain();
    desk.ssl(&format!("{typed} --out whole")).success();
    let (cache, run) = (desk.read("toy.h5"), desk.path("run"));
    let child = start(&desk, &format!("{typed} --out run"));
    wait_until("an epoch", || epochs(&run) > 1);
    desk.write("toy.h5", &cache[..cache.len() / 2]);
    let gone = finish(child, "run");
    gone.refused(1, &["toy.h5", &cache.len().to_string()]);
    assert!(epochs(&run) < EPOCHS, "the data vanished in time");
    desk.ssl("pretrain --out run --resume")
        .refused(1, &["toy.h5"]);
    std::fs::remove_file(desk.path("toy.h5")).unwrap();
    desk.ssl("pretrain --out run --resume")
        .refused(1, &["toy.h5", "--resume --data"]);
    desk.write("moved.h5", &cache);
    desk.ssl("pretrain --out run --resume --data moved.h5")
        .success();
    assert_same(&desk, &run);
}

#[test]
fn a_second_process_is_kept_away() {
    let desk = desk();
    let typed = pretrain();
    let run = desk.path("run");
    let mut child = start(
        &desk,
        &format!("{typed} --out run --set pretrain.epochs=100000"),
    );
    wait_until("an epoch", || epochs(&run) > 1);
    let holder = format!("process {}", child.id());
    for how in ["--resume --set pretrain.epochs=100000", "--overwrite"] {
        desk.ssl(&format!("{typed} --out run {how}"))
            .refused(1, &["another process", &holder]);
    }
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    desk.ssl(&format!("{typed} --out run --overwrite"))
        .success();
}

#[test]
fn a_second_signal_does_not_wait_for_the_step() {
    let desk = Desk::new();
    Toy { clips: 60, ..TOY }.prepare(&desk, "toy", "coco17");
    // One step an epoch, of seconds.
    let typed = "pretrain --preset quick --data toy.h5 --split train --out run --threads 1 --set model.width=128 --set pretrain.batch=1000 --set pretrain.micro_batch=1000";
    let mut child = start(&desk, typed);
    wait_until("a run folder", || {
        desk.path("run/resume/000000-000000.safetensors").exists()
    });
    let send = |child: &Child| {
        let sent = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(sent.expect("a POSIX system has kill").success());
        std::thread::sleep(Duration::from_millis(200));
    };
    send(&child);
    assert!(
        child.try_wait().expect("our own child").is_none(),
        "the first lets the step finish"
    );
    let second = Instant::now();
    send(&child);
    assert_eq!(finish(child, typed).code, Some(130));
    assert!(
        second.elapsed() < Duration::from_secs(1),
        "{:?}",
        second.elapsed()
    );
    assert_eq!(epochs(&desk.path("run")), 0);
}

#[test]
fn a_step_that_cannot_fit_is_refused_before_it_starts() {
    let desk = desk();
    // The set is small: frames and width make a step of terabytes.
    desk.ssl("pretrain --preset quick --data toy.h5 --split train --out run --set reading.frames=4096 --set model.width=1024")
        .refused(1, &["pretrain.micro_batch", "18 clips", "GB of memory are free"]);
    assert!(!desk.path("run").exists(), "nothing was written");
}
