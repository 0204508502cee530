//! The bridge from videos to `ssl predict --stream`: python/skeletonmae/pose.py.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{FINETUNE, TOY};
use ssl_tests::{python, root};

/// A Python with MediaPipe, which wants another numpy than the other tests' Python: `SSL_POSE_PYTHON`; without one the test says
/// that it is skipped.
fn with_mediapipe() -> Option<Command> {
    let chosen = std::env::var_os("SSL_POSE_PYTHON")?;
    let there = Command::new(&chosen)
        .args(["-c", "import cv2, mediapipe, skimage"])
        .output();
    assert!(
        there.is_ok_and(|output| output.status.success()),
        "SSL_POSE_PYTHON is {chosen:?}, which lacks mediapipe or scikit-image"
    );
    Some(Command::new(chosen))
}

/// The joints of a layout, as the program knows them.
fn joints(desk: &Desk, layout: &str) -> Vec<String> {
    let text = desk.ssl(&format!("layout {layout}")).success().stdout;
    let list = text
        .split("joints = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next());
    let names = list.expect("joints").split('"').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn joints_are_those_that_the_layouts_name() {
    let Some(mut python) = python(&["json"]) else {
        return;
    };
    let script = "import json, sys; sys.path.insert(0, sys.argv[1]); import pose; \
        marks = [(n / 100, n / 50, -n, n / 33) for n in range(33)]; \
        lines = [pose.header('coco17'), pose.LAYOUTS, pose.frame(1.5, (100, 200), marks, 'coco17'), \
        pose.frame(2.0, (100, 200), None, 'coco17'), pose.frame(2.0, (100, 200), marks, 'mediapipe33', True)]; \
        print(json.dumps(lines))";
    let output = python
        .args(["-c", script])
        .arg(root().join("python/skeletonmae"))
        .output()
        .expect("it ran before");
    let said = Finished::new("pose.frame".into(), output).json();
    let desk = Desk::new();
    let all = joints(&desk, "mediapipe33");
    for layout in ["coco17", "mediapipe33"] {
        let places = said[1][layout].as_array().expect("numbers").iter();
        let names = places.map(|at| all[at.as_u64().expect("a number") as usize].clone());
        assert_eq!(names.collect::<Vec<_>>(), joints(&desk, layout), "{layout}");
    }
    let frame = &said[2];
    assert_eq!(
        (&frame["time"], &frame["height"], &frame["width"]),
        (&json!(1.5), &json!(100), &json!(200))
    );
    // The left eye is number 2 of 33: 0.02 of 200 pixels from the left, 0.04 of 100 from the top.
    assert_eq!(
        frame["people"][0]["keypoints"][1],
        json!([4.0, 4.0, 0.0606])
    );
    assert_eq!(said[3]["people"], json!([]));
    assert_eq!(
        said[4]["people"][0]["keypoints"][1],
        json!([0.01, 0.02, -1, 0.0303])
    );
}

#[test]
fn a_video_goes_in_and_actions_come_out() {
    let Some(mut python) = with_mediapipe() else {
        eprintln!("skipped: SSL_POSE_PYTHON names no Python with mediapipe and scikit-image");
        return;
    };
    let desk = Desk::new();
    let made = python
        .arg(root().join("tests/reference/pose_videos.py"))
        .arg(desk.path("astronaut.avi"))
        .output()
        .expect("it ran before");
    Finished::new("pose_videos.py".into(), made).success();
    let pose = || {
        let mut pose = with_mediapipe().expect("it was there before");
        pose.arg(root().join("python/skeletonmae/pose.py"));
        pose
    };
    let output = pose()
        .arg(desk.path("astronaut.avi"))
        .output()
        .expect("it ran before");
    let said = Finished::new("pose.py astronaut.avi".into(), output)
        .success()
        .stdout;
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines[0],
        json!({"format": "skeleton-frames", "version": 1, "layout": "coco17"})
    );
    let frames = &lines[1..];
    assert_eq!(frames.len(), 20);
    let people = |frame: &Value| frame["people"].as_array().map_or(0, Vec::len);
    assert!(
        frames[..5].iter().all(|frame| people(frame) == 0),
        "nobody is in noise"
    );
    assert!(
        frames[6..].iter().all(|frame| people(frame) == 1),
        "the astronaut is found"
    );
    assert_eq!(frames[10]["time"], 1.0);
    // Her face is left of the middle, about 110 pixels from the top of 512, and moves to the right.
    let nose = |frame: &Value, axis: usize| {
        let joint = &frame["people"][0]["keypoints"][0];
        joint[axis].as_f64().expect("a number")
    };
    let (x, y) = (nose(&frames[7], 0), nose(&frames[7], 1));
    assert!(
        (190.0..270.0).contains(&x) && (70.0..150.0).contains(&y),
        "{x} {y}"
    );
    assert!(
        nose(&frames[19], 0) > x + 10.0,
        "{x} to {}",
        nose(&frames[19], 0)
    );
    assert!(nose(&frames[7], 2) > 0.9, "a face is visible");

    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(&format!(
        "finetune --preset quick --data toy.h5 --train train --out fine --set model.width=16 {FINETUNE}"
    ))
    .success();
    let mut camera = pose()
        .arg(desk.path("astronaut.avi"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it ran before");
    let output = desk
        .command("predict fine --stream --json --window 1s --hop 0.5s")
        .stdin(camera.stdout.take().expect("a pipe"))
        .output()
        .expect("the program starts");
    assert!(camera.wait().expect("it ran").success());
    let said = Finished::new("pose.py | ssl predict --stream".into(), output)
        .success()
        .stdout;
    let answers: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(answers.len() >= 2, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|answer| answer["people"] == json!(["p1"])),
        "{answers:?}"
    );

    let refused = pose()
        .arg(desk.path("none.avi"))
        .output()
        .expect("it ran before");
    let refused = Finished::new("pose.py none.avi".into(), refused);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(
        refused.stderr.contains("none.avi: expected a video"),
        "{refused}"
    );
}
