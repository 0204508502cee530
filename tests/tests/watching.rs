//! Runs seen from outside: TensorBoard's file as TensorBoard reads it, `ssl runs`, `ssl watch`, curves in a terminal.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY};

const PATIENCE: Duration = Duration::from_secs(60);
/// A training of many small epochs.
const LONG: &str = "pretrain --preset quick --data toy.h5 --split train --set reading.frames=16 --set pretrain.epochs=60 --set pretrain.batch=6";

fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk
}

fn pretrain(desk: &Desk, how: &str) -> Finished {
    desk.ssl(&format!(
        "pretrain --preset quick --data toy.h5 --split train --val test {PRETRAIN} {how}"
    ))
    .success()
}

fn finetune(desk: &Desk, how: &str) -> Finished {
    desk.ssl(&format!(
        "finetune --preset quick --data toy.h5 --train train --holdout 0.2 --test test {FINETUNE} {how}"
    ))
    .success()
}

fn start(desk: &Desk, typed: &str) -> Child {
    let mut command = desk.command(typed);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

fn finish(child: Child, typed: &str) -> Finished {
    let output = child.wait_with_output().expect("our own child");
    Finished::new(typed.to_owned(), output)
}

fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(status.expect("a POSIX system has kill").success());
}

fn epochs(run: &Path) -> usize {
    std::fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

fn wait_for_epoch(run: &Path, n: usize) {
    let started = Instant::now();
    while epochs(run) < n {
        assert!(started.elapsed() < PATIENCE, "no epoch {n} in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The one file of a run that TensorBoard reads.
fn events(run: &Path) -> PathBuf {
    let names = std::fs::read_dir(run).expect("a run");
    let paths = names.map(|entry| entry.expect("a readable folder").path());
    let is_events = |path: &PathBuf| path.to_string_lossy().contains("tfevents");
    let found: Vec<PathBuf> = paths.filter(is_events).collect();
    let [one] = &found[..] else {
        panic!("{found:?}")
    };
    one.clone()
}

/// What TensorBoard's readers find below a folder; `None` where TensorBoard isn't installed.
fn tensorboard(logdir: &Path) -> Option<Value> {
    let script = ssl_tests::root().join("tests/reference/tensorboard_events.py");
    let mut python = ssl_tests::python(&["tensorboard", "PIL"])?;
    let output = python.arg(script).arg(logdir).output().expect("python");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}")))
}

/// Steps and values of a curve.
fn curve(found: &Value, run: &str, tag: &str) -> Vec<(u64, f64)> {
    let points = found["runs"][run]["scalars"][tag].as_array();
    let points = points.unwrap_or_else(|| panic!("{run} has no {tag}: {found}"));
    let number = |point: &Value| Some((point[0].as_u64()?, point[1].as_f64()?));
    points
        .iter()
        .map(|point| number(point).expect("a point"))
        .collect()
}

/// The curve is what metrics.jsonl has, in single precision, an epoch a step.
fn assert_curve(desk: &Desk, found: &Value, (run, tag): (&str, &str), key: &str) {
    let lines = desk.lines(&format!("runs/{run}/metrics.jsonl"));
    let curve = curve(found, run, tag);
    assert_eq!(curve.len(), lines.len(), "{run} {tag}");
    for (line, (step, value)) in lines.iter().zip(curve) {
        assert_eq!(line["epoch"], step, "{run} {tag}");
        let expected = line[key].as_f64().expect("a number");
        assert!(
            (value - expected).abs() <= 1e-6 * expected.abs(),
            "{run} {tag}: {value} {expected}"
        );
    }
}

#[test]
fn tensorboard_reads_what_a_run_writes() {
    let desk = desk();
    pretrain(&desk, "--out runs/pre --tensorboard");
    finetune(
        &desk,
        "--out runs/deep/fine --encoder runs/pre --tensorboard",
    );
    let Some(found) = tensorboard(&desk.path("runs")) else {
        return;
    };
    let curves = [
        ("pre", "train/loss", "loss"),
        ("pre", "train/gradient_norm", "gradient_norm"),
        ("pre", "train/learning_rate", "lr"),
        ("pre", "val/loss", "val_loss"),
        ("deep/fine", "train/loss", "loss"),
        ("deep/fine", "val/top1", "val_top1"),
        ("deep/fine", "val/mean_class", "val_mean_class"),
    ];
    for (run, tag, key) in curves {
        assert_curve(&desk, &found, (run, tag), key);
    }
    for run in ["pre", "deep/fine"] {
        let timings = desk.lines(&format!("runs/{run}/timings.jsonl"));
        let seconds = curve(&found, run, "time/epoch_seconds");
        assert_eq!(seconds.len(), timings.len());
        let walls = found["runs"][run]["scalars"]["train/loss"]
            .as_array()
            .expect("points");
        for (wall, timing) in walls.iter().zip(&timings) {
            assert_eq!(wall[2], timing["ended"], "{run}: when an epoch ended");
        }
    }
    let test: Value = serde_json::from_slice(&desk.read("runs/deep/fine/test.json")).expect("JSON");
    let last = desk.lines("runs/deep/fine/metrics.jsonl").len() as u64;
    let measured = curve(&found, "deep/fine", "test/top1");
    assert_eq!(measured[0].0, last);
    assert!((measured[0].1 - test["top1"].as_f64().expect("a number")).abs() < 1e-6);
    let image = &found["runs"]["deep/fine"]["images"]["test/confusion"];
    assert_eq!(image["mode"], "RGB", "{found}");
    assert!(image["colours"].as_u64() > Some(3), "{image}");
    let classes = &found["runs"]["deep/fine"]["texts"]["test/classes/text_summary"];
    assert!(
        classes.as_str().is_some_and(|text| text.contains("| 2 |")),
        "{classes}"
    );

    // The tab HPARAMS: a row a run, a column for each setting of any.
    let rows = &found["hparams"]["rows"];
    for (run, setting, metric) in [
        ("pre", "pretrain.epochs", "val/loss"),
        ("deep/fine", "finetune.optimizer.lr", "test/top1"),
    ] {
        let row = &rows[run];
        assert_eq!(row["status"], 1, "it ended: {rows}");
        assert!(row["hparams"][setting].is_number(), "{setting}: {row}");
        assert_eq!(row["hparams"]["data"], "own", "{row}");
        assert!(row["metrics"][metric].is_number(), "{metric}: {row}");
        let columns = found["hparams"]["hparams"].as_array().expect("columns");
        assert!(
            columns.contains(&Value::from(setting)),
            "{setting}: {columns:?}"
        );
    }
    let text = found.to_string();
    assert!(!text.contains("toy.h5"), "no path of this machine: {text}");
}

/// Files that the option must not change.
#[test]
fn the_same_bytes_with_and_without() {
    let desk = desk();
    pretrain(&desk, "--out runs/plain --seed 5");
    pretrain(&desk, "--out runs/board --seed 5 --tensorboard");
    for file in [
        "metrics.jsonl",
        "model.safetensors",
        "best.safetensors",
        "config.toml",
        "reconstruction.json",
    ] {
        let read = |run: &str| desk.read(&format!("runs/{run}/{file}"));
        assert!(read("plain") == read("board"), "{file}");
    }
    // A run that is overwritten leaves no events behind, and afterwards the file can still be made.
    pretrain(&desk, "--out runs/board --seed 5 --overwrite");
    let names = std::fs::read_dir(desk.path("runs/board")).expect("a run");
    assert!(
        names
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().contains("tfevents"))
    );
    let made = desk.ssl("tensorboard runs/board runs/plain").success();
    assert_eq!(made.stdout.lines().count(), 2, "{made}");
    let Some(found) = tensorboard(&desk.path("runs")) else {
        return;
    };
    assert_curve(&desk, &found, ("plain", "train/loss"), "loss");
    assert_eq!(
        curve(&found, "plain", "train/loss"),
        curve(&found, "board", "train/loss")
    );
    let again = desk.ssl("tensorboard runs/board").success();
    assert!(again.stderr.contains("up to date"), "{again}");
    desk.ssl("tensorboard runs")
        .refused(1, &["runs: expected the folder of a run"]);
}

/// Killed in mid-epoch, with half a record at the end of the file: no step is lost or doubled, before and after it goes on.
#[test]
fn a_killed_run_leaves_a_readable_file_and_goes_on_with_it() {
    let desk = desk();
    let run = desk.path("runs/a");
    let typed = format!("{LONG} --out runs/a --save-every 0 --tensorboard");
    let mut child = start(&desk, &typed);
    wait_for_epoch(&run, 5);
    kill(&child, "-KILL");
    let _ = child.wait();
    let file = events(&run);
    let steps = |found: &Value| -> Vec<u64> {
        let curve = curve(found, "a", "train/loss").into_iter();
        curve.map(|(step, _)| step).collect()
    };
    if let Some(found) = tensorboard(&desk.path("runs")) {
        let steps = steps(&found);
        assert!(
            steps.len() >= 4 && steps.iter().copied().eq(1..=steps.len() as u64),
            "{steps:?}"
        );
        assert_eq!(
            found["hparams"]["rows"]["a"]["status"], 0,
            "it has not ended"
        );
    }
    let whole = std::fs::read(&file).expect("the events");
    std::fs::write(&file, &whole[..whole.len() - 7]).expect("writable");
    // It goes on unasked.
    desk.ssl("pretrain --out runs/a --resume").success();
    assert_eq!(events(&run), file);
    let after = std::fs::read(&file).expect("the events");
    assert!(
        after.starts_with(&whole[..whole.len() - 7]),
        "what was there is kept"
    );
    let again = desk.ssl("tensorboard runs/a").success();
    assert!(
        again.stderr.contains("up to date"),
        "what was added is what would be made: {again}"
    );
    if let Some(found) = tensorboard(&desk.path("runs")) {
        assert!(steps(&found).into_iter().eq(1..=60), "{found}");
        assert_curve(&desk, &found, ("a", "train/loss"), "loss");
        assert_eq!(found["hparams"]["rows"]["a"]["status"], 1);
    }
}

#[test]
fn runs_are_listed_sorted_and_filtered() {
    let desk = desk();
    pretrain(&desk, "--out runs/pre --seed 1");
    for (name, lr) in [("slow", "1e-5"), ("fast", "0.01")] {
        finetune(
            &desk,
            &format!("--out runs/fine/{name} --set finetune.optimizer.lr={lr}"),
        );
    }
    std::fs::create_dir_all(desk.path("runs/mine")).expect("writable");
    desk.write("runs/mine/run.json", "{\"command\": \"jog\"}");
    desk.write("runs/mine/config.toml", "a = 1\n");
    std::fs::create_dir_all(desk.path("runs/notes")).expect("writable");
    desk.write("runs/notes/config.toml", "= no TOML");

    let listed = desk.ssl("runs runs").success();
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(
        lines[0].contains("stage") && lines[0].contains("mean_class"),
        "{listed}"
    );
    assert!(lines[1].starts_with("runs/fine/fast  finetune"), "{listed}");
    assert!(
        lines[3].contains("pre") && lines[3].contains("finished"),
        "{listed}"
    );
    assert!(listed.stderr.contains("runs/mine: not listed"), "{listed}");
    assert!(
        !listed.stderr.contains("notes"),
        "a folder of something else is no matter: {listed}"
    );

    let json = |how: &str| desk.ssl(&format!("runs runs --json {how}")).json();
    let names = |found: &Value| -> Vec<String> {
        let runs = found["runs"].as_array().expect("runs").iter();
        runs.map(|run| run["run"].as_str().expect("a name").to_owned())
            .collect()
    };
    let all = json("");
    assert_eq!(
        names(&all),
        ["runs/fine/fast", "runs/fine/slow", "runs/pre"]
    );
    let pre = &all["runs"][2];
    assert_eq!(
        (&pre["kind"], &pre["stage"]),
        (&"pretrain".into(), &"finished".into())
    );
    assert_eq!(
        (&pre["seed"], &pre["split"], &pre["data"]),
        (&1.into(), &"train".into(), &"own".into())
    );
    assert_eq!(pre["done"], pre["planned"]);
    let last = desk.lines("runs/pre/metrics.jsonl").pop().expect("a line");
    assert_eq!(
        (&pre["loss"], &pre["val_loss"]),
        (&last["loss"], &last["val_loss"])
    );
    let info = desk.ssl("info runs/pre --json").json();
    assert_eq!(pre["parameters"], info["parameters"]);
    let test: Value = serde_json::from_slice(&desk.read("runs/fine/fast/test.json")).expect("JSON");
    assert_eq!(all["runs"][0]["top1"], test["top1"]);
    assert_eq!(all["broken"][0]["run"], "runs/mine");

    assert_eq!(names(&json("--where kind=pretrain")), ["runs/pre"]);
    assert_eq!(
        names(&json("--where finetune.optimizer.lr<0.001")),
        ["runs/fine/slow"]
    );
    let sorted = json("--sort finetune.optimizer.lr");
    assert_eq!(
        names(&sorted),
        ["runs/fine/slow", "runs/fine/fast", "runs/pre"]
    );
    let sorted = json("--sort finetune.optimizer.lr --reverse");
    assert_eq!(
        names(&sorted),
        ["runs/fine/fast", "runs/fine/slow", "runs/pre"]
    );
    let shown = desk
        .ssl("runs runs --show finetune.optimizer.lr --where kind=finetune")
        .success();
    assert!(
        shown
            .stdout
            .lines()
            .next()
            .is_some_and(|head| head.ends_with("finetune.optimizer.lr")),
        "{shown}"
    );

    desk.ssl("runs runs --sort optimizer.lr")
        .refused(2, &["`optimizer.lr`", "finetune.optimizer.lr"]);
    desk.ssl("runs runs --where lr").refused(2, &["KEY=VALUE"]);
    desk.ssl("runs nowhere").refused(1, &["nowhere"]);
    let none = desk.ssl("runs runs/notes").success();
    assert!(
        none.stdout.is_empty() && none.stderr.contains("no run below it"),
        "{none}"
    );
}

#[test]
fn a_run_is_watched_to_its_end() {
    let desk = desk();
    let run = desk.path("runs/a");
    let mut child = start(&desk, &format!("{LONG} --out runs/a"));
    wait_for_epoch(&run, 1);
    let listed = desk.ssl("runs runs --json").json();
    assert_eq!(listed["runs"][0]["stage"], "running", "{listed}");
    assert_eq!(listed["runs"][0]["planned"], 60);
    desk.ssl("tensorboard runs/a")
        .refused(1, &["another process", "is using this run folder"]);

    // Ctrl-C ends the watching alone.
    let watch = start(&desk, "watch runs/a --interval 0.05");
    std::thread::sleep(Duration::from_millis(300));
    kill(&watch, "-INT");
    let watched = finish(watch, "watch");
    assert_eq!(watched.code, Some(130), "{watched}");
    assert!(watched.stderr.contains("runs/a goes on"), "{watched}");
    assert!(
        child.try_wait().expect("our own child").is_none(),
        "the run goes on"
    );

    let watched = desk.ssl("watch runs/a --interval 0.05").success();
    let trained = finish(child, "pretrain").success();
    let lines: Vec<&str> = watched.stdout.lines().collect();
    assert_eq!(lines.len(), 61, "a line an epoch, and the end: {watched}");
    for (at, line) in lines[..60].iter().enumerate() {
        assert!(
            line.starts_with(&format!("epoch {}/60: loss ", at + 1)),
            "{line}"
        );
    }
    assert!(
        lines[60].starts_with("runs/a: finished, 60/60 epochs in "),
        "{watched}"
    );
    assert!(watched.stderr.contains("curves of 60 epochs:"), "{watched}");
    assert!(trained.stderr.contains("curves of 60 epochs:"), "{trained}");

    // One that is long finished, and nothing that is a run.
    let quiet = desk.ssl("watch runs/a --quiet").success();
    assert!(
        quiet.stderr.is_empty() && quiet.stdout.ends_with(lines[60])
            || quiet.stdout.contains(lines[60]),
        "{quiet}"
    );
    desk.ssl("watch runs")
        .refused(1, &["expected the folder of a run"]);
}

#[test]
fn a_run_that_was_killed_is_told_as_stopped() {
    let desk = desk();
    let run = desk.path("runs/a");
    let mut child = start(&desk, &format!("{LONG} --out runs/a"));
    wait_for_epoch(&run, 2);
    let watch = start(&desk, "watch runs/a --interval 0.05");
    std::thread::sleep(Duration::from_millis(200));
    kill(&child, "-KILL");
    let _ = child.wait();
    let watched = finish(watch, "watch");
    assert_eq!(watched.code, Some(1), "{watched}");
    assert!(
        watched.stderr.contains("runs/a: stopped after"),
        "{watched}"
    );
    assert!(
        watched
            .stderr
            .contains("`ssl pretrain --out runs/a --resume`"),
        "{watched}"
    );
    let listed = desk.ssl("runs runs").success();
    assert!(listed.stdout.contains("stopped"), "{listed}");
}

/// Blocks where the locale has them, else ASCII, and nothing with --quiet.
#[test]
fn curves_at_the_end_are_in_the_terminals_characters() {
    let desk = desk();
    let with = |locale: &str, how: &str| {
        let typed = format!(
            "pretrain --preset quick --data toy.h5 --split train --val test {PRETRAIN} --out a --overwrite {how}"
        );
        let mut command = desk.command(&typed);
        command.env("LC_ALL", locale).env("TERM", "xterm");
        Finished::new(typed, command.output().expect("it starts"))
            .success()
            .stderr
    };
    let blocks = with("C.UTF-8", "");
    assert!(
        blocks.contains('█') && blocks.contains("validation loss"),
        "{blocks}"
    );
    let ascii = with("C", "");
    assert!(ascii.is_ascii() && ascii.contains('#'), "{ascii}");
    assert_eq!(with("C.UTF-8", "--quiet"), "");
}
