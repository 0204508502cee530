//! `ssl predict --stream`, and the crate's `Predictor`, as a program meets them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{FINETUNE, TOY};
use strl::Predictor;

/// A folder with a model `fine` of 17 joints, two coordinates and 16 frames, made once.
fn desk() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    DESK.get_or_init(|| {
        let desk = Desk::new();
        TOY.prepare(&desk, "toy", "coco17");
        desk.ssl(&format!(
            "finetune --preset quick --data toy.h5 --train train --out fine --set model.width=16 {FINETUNE}"
        ))
        .success();
        desk
    })
}

/// Joint by joint (x, y, score) of somebody around a place, at a moment.
fn pose(x: f64, number: u32) -> Value {
    let joint = |joint: u32| {
        let swing = f64::sin(f64::from(number) * (0.2 + f64::from(joint % 3) / 10.0));
        json!([
            x + f64::from(joint * 17 % 29) + 9.0 * swing,
            50.0 + 8.0 * f64::from(joint),
            0.5 + f64::from(joint) / 40.0
        ])
    };
    (0..17).map(joint).collect()
}

fn frame(number: u32, people: &[(Option<i64>, f64)]) -> Value {
    let people = people.iter().map(|&(id, x)| match id {
        Some(id) => json!({"id": id, "keypoints": pose(x, number)}),
        None => json!({"keypoints": pose(x, number)}),
    });
    json!({"time": f64::from(number) / 10.0, "people": people.collect::<Vec<_>>()})
}

fn text(frames: &[Value]) -> String {
    frames.iter().map(|frame| format!("{frame}\n")).collect()
}

fn started(typed: &str) -> Child {
    desk()
        .command(typed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Feeds a text to the program, to both their ends.
fn piped(typed: &str, text: &str) -> Finished {
    let mut child = started(typed);
    let mut input = child.stdin.take().expect("a pipe");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that refuses what it reads closes the pipe.
        let _ = input.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("it ran");
    writer.join().expect("it only writes");
    Finished::new(format!("ssl {typed}"), output)
}

fn answers(typed: &str, frames: &[Value]) -> Vec<Value> {
    let done = piped(
        &format!("predict fine --stream --json {typed}"),
        &text(frames),
    )
    .success();
    let parse = |line| serde_json::from_str(line).expect("JSON");
    done.stdout.lines().map(parse).collect()
}

/// A class's probability in an answer.
fn p(answer: &Value, class: usize) -> f64 {
    let top = answer["top"].as_array().expect("somebody is seen");
    let guess = top.iter().find(|guess| guess["class"] == class);
    guess.expect("all classes")["p"].as_f64().expect("a number")
}

/// The same people as a clip.
fn clip(range: std::ops::Range<u32>, places: &[f64]) -> Value {
    let part = |numbers: std::ops::Range<usize>| -> Value {
        let of = |x: &f64| -> Value {
            let row = |number: u32| -> Value {
                let pose = pose(*x, number);
                let joints = pose.as_array().expect("joints").iter();
                joints
                    .map(|joint| match numbers.len() {
                        1 => joint[numbers.start].clone(),
                        _ => joint.as_array().expect("numbers")[numbers.clone()].into(),
                    })
                    .collect()
            };
            range.clone().map(row).collect()
        };
        places.iter().map(of).collect()
    };
    json!({"id": "clip", "keypoints": part(0..2), "scores": part(2..3)})
}

#[test]
fn a_window_is_answered_as_the_clip_that_it_is() {
    let frames: Vec<Value> = (0..30)
        .map(|number| frame(number, &[(None, 100.0), (Some(3), 400.0)]))
        .collect();
    let found = answers("--window 20 --hop 5 --top 3", &frames);
    let numbers: Vec<u64> = found.iter().filter_map(|a| a["frame"].as_u64()).collect();
    assert_eq!(numbers, [20, 25, 30]);
    assert_eq!(found[1]["people"], json!(["p1", "3"]));
    assert_eq!(
        (&found[1]["time"], &found[1]["frames"]),
        (&json!(2.4), &json!(20))
    );
    let lines = format!(
        "{}\n{}\n",
        json!({"format": "skeleton-clips", "version": 1}),
        clip(5..25, &[100.0, 400.0])
    );
    desk().write("window.jsonl", lines);
    let ours = desk()
        .ssl("predict fine --data window.jsonl --json --top 3")
        .json();
    for class in 0..3 {
        let (a, b) = (p(&found[1], class), p(&ours[0], class));
        assert!((a - b).abs() < 1e-9, "class {class}: {a} {b}");
    }

    // In seconds it is the same, and a person alone is a clip of one.
    let seconds = answers("--window 1.9s --hop 0.5s --top 3", &frames);
    assert_eq!(p(&seconds[1], 0), p(&found[1], 0));
    let apart = answers("--window 20 --hop 5 --top 3 --apart", &frames);
    let people: Vec<&Value> = apart.iter().map(|answer| &answer["people"]).collect();
    assert_eq!(people[..2], [&json!(["p1"]), &json!(["3"])]);
    let alone: Vec<Value> = (0..30)
        .map(|number| frame(number, &[(None, 100.0)]))
        .collect();
    let alone = answers("--window 20 --hop 5 --top 3", &alone);
    assert_eq!(p(&apart[2], 1), p(&alone[1], 1));
}

#[test]
fn smoothing_and_thresholds_do_what_they_say() {
    let frames: Vec<Value> = (0..28)
        .map(|number| frame(number * (1 + number / 14), &[(None, 100.0)]))
        .map(|mut frame| {
            frame["time"] = Value::Null;
            frame
        })
        .collect();
    let plain = answers("--window 8 --hop 4 --top 3 --fps 10", &frames);
    let smooth = answers("--window 8 --hop 4 --top 3 --fps 10 --smooth 0.75", &frames);
    assert_eq!(plain.len(), 6);
    let mut expected = p(&plain[0], 1);
    for (plain, smooth) in plain.iter().zip(&smooth) {
        if plain["frame"] != 8 {
            expected = 0.75 * expected + 0.25 * p(plain, 1);
        }
        assert!((p(smooth, 1) - expected).abs() < 1e-12);
    }
    assert!(
        plain
            .iter()
            .any(|answer| (p(answer, 1) - p(&plain[0], 1)).abs() > 1e-6)
    );
    let unsure = answers("--window 8 --threshold 0.999", &frames);
    assert!(unsure.iter().all(|answer| answer["sure"] == false));
    let sure = answers("--window 8 --threshold 0.01", &frames);
    assert!(sure.iter().all(|answer| answer["sure"] == true));
    let said = piped(
        "predict fine --stream --window 8 --threshold 0.999",
        &text(&frames),
    );
    let said = said.success().stdout;
    assert!(
        said.contains("\tp1\tunsure: ") && said.contains(" ms\n"),
        "{said}"
    );
}

#[test]
fn lost_people_gaps_and_other_images_are_answered_as_defined() {
    let mut frames: Vec<Value> = (0..12)
        .map(|number| frame(number, &[(None, 100.0)]))
        .collect();
    frames.extend((12..24).map(|number| frame(number, &[])));
    let found = answers("--window 8 --hop 4", &frames);
    let seen: Vec<bool> = found
        .iter()
        .map(|answer| answer["top"].is_array())
        .collect();
    assert_eq!(seen, [true, true, true, false, false], "{found:?}");
    assert_eq!(found[4]["people"], json!([]));
    assert_eq!(found[4]["sure"], false);

    let mut frames: Vec<Value> = (0..5)
        .map(|number| frame(number, &[(None, 100.0)]))
        .collect();
    frames.extend((100..109).map(|number| frame(number, &[(None, 100.0)])));
    for (at, frame) in frames.iter_mut().enumerate() {
        let large = at >= 12;
        (frame["width"], frame["height"]) = (
            if large { 1280 } else { 640 }.into(),
            if large { 720 } else { 480 }.into(),
        );
    }
    let done = piped("predict fine --stream --json --window 8", &text(&frames)).success();
    for part in ["9.60 s without a frame", "1280 x 720", "begins anew"] {
        assert!(done.stderr.contains(part), "{done}");
    }
    let sizes: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["frames"].clone())
        .collect();
    assert_eq!(
        sizes,
        [5, 7, 2],
        "what was not answered is, before it is let go"
    );
}

#[test]
fn lines_that_are_no_frames_are_refused_or_left_out() {
    let good = text(
        &(0..6)
            .map(|number| frame(number, &[(None, 9.0)]))
            .collect::<Vec<_>>(),
    );
    let typed = "predict fine --stream --json --window 4";
    for (bad, says) in [
        ("nonsense\n".to_owned(), "line 7"),
        (
            "{\"keypoints\": [[1, 2]]}\n".to_owned(),
            "17 joints of 2 coordinates",
        ),
        (
            format!("{}\n", "x".repeat(3 << 20)),
            "at most 1048576 bytes",
        ),
    ] {
        let lines = format!("{good}{bad}{good}");
        let refused = piped(typed, &lines);
        assert_eq!(refused.code, Some(1), "{refused}");
        for part in ["standard input", "line 7", says, "hint:", "--skip-bad"] {
            assert!(refused.stderr.contains(part), "no {part}: {refused}");
        }
        assert!(!refused.stdout.is_empty(), "what came before was answered");
        let skipped = piped(&format!("{typed} --skip-bad"), &lines).success();
        assert!(skipped.stderr.contains("left out"), "{skipped}");
    }
    let header = |layout: &str| {
        let line = json!({"format": "skeleton-frames", "version": 1, "layout": layout});
        format!("{line}\n{good}")
    };
    piped(typed, &header("coco17")).success();
    piped(typed, &header("mediapipe33")).refused(1, &["expected coco17, found mediapipe33"]);
    piped("predict fine --stream --split test", "").refused(2, &["--split"]);
    piped("predict fine --stream --columns x,y", "").refused(2, &["--columns"]);
    piped("predict fine --stream --window 0", "")
        .code
        .filter(|&code| code == 2)
        .expect("usage");
    assert_eq!(desk().ssl("predict fine --hop 4 --data x").code, Some(2));
}

#[test]
fn each_answer_comes_at_once_and_a_signal_ends_it() {
    let mut child = started("predict fine --stream --json --window 4 --hop 1");
    let mut input = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for number in 0..12 {
        writeln!(input, "{}", frame(number, &[(None, 100.0)])).expect("it listens");
        input.flush().expect("it listens");
        if number >= 3 {
            let line = lines.next().expect("an answer").expect("UTF-8");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(answer["frame"], number + 1);
            assert!(answer["ms"].as_f64().is_some_and(|ms| ms > 0.0));
        }
    }
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.expect("kill is there").success());
    let asked = Instant::now();
    let status = child.wait().expect("it ran");
    assert_eq!(status.code(), Some(143));
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[test]
fn who_reads_no_more_ends_it() {
    let mut child = started("predict fine --stream --window 4 --hop 1");
    let mut input = child.stdin.take().expect("a pipe");
    drop(child.stdout.take());
    let asked = Instant::now();
    for number in 0.. {
        let written = writeln!(input, "{}", frame(number, &[(None, 100.0)]));
        if written.is_err() {
            break;
        }
        assert!(
            asked.elapsed() < Duration::from_secs(60),
            "it goes on for nobody"
        );
    }
    assert!(child.wait().expect("it ran").success());
}

#[test]
fn a_predictor_gives_what_the_program_gives() {
    let desk = desk();
    let lines = format!(
        "{}\n{}\n",
        json!({"format": "skeleton-clips", "version": 1}),
        clip(0..23, &[100.0, 300.0])
    );
    desk.write("pair.jsonl", lines);
    let ours = desk
        .ssl("predict fine --data pair.jsonl --json --top 3")
        .json();
    let predictor = Predictor::open(desk.path("fine")).expect("a run");
    let (mut keypoints, mut scores) = (Vec::new(), Vec::new());
    for x in [100.0, 300.0] {
        for number in 0..23 {
            for joint in pose(x, number).as_array().expect("joints") {
                let numbers = |at: usize| joint[at].as_f64().expect("a number") as f32;
                keypoints.extend([numbers(0), numbers(1)]);
                scores.push(numbers(2));
            }
        }
    }
    let clip = predictor
        .clip(2, &keypoints, Some(&scores))
        .expect("a clip");
    let found = predictor
        .predict(&clip)
        .expect("it is read")
        .expect("people");
    for (class, found) in found.iter().enumerate() {
        assert!((p(&ours[0], class) - found).abs() < 1e-12);
    }
    assert!(Predictor::open(desk.path("toy.h5")).is_err());
    let refused = Predictor::open(desk.path("nowhere"))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("nowhere"), "{refused}");
}
