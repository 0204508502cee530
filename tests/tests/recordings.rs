//! NTU RGB+D's own recordings, from `.skeleton` files to a cache and its log.

use std::io::Write;

use serde_json::Value;
use ssl_tests::program::Desk;

/// A body of 25 joints: where it stands, and how far it moves in a frame.
struct Body {
    id: u64,
    at: f64,
    step: f64,
    frames: std::ops::Range<usize>,
}

/// A recording's text.
fn text(frames: usize, bodies: &[Body]) -> String {
    let mut text = format!("{frames}\r\n");
    for t in 0..frames {
        let here: Vec<&Body> = bodies
            .iter()
            .filter(|body| body.frames.contains(&t))
            .collect();
        text += &format!("{}\r\n", here.len());
        for body in here {
            text += &format!("{} 0 1 1 1 1 0 0.02 -0.3 2\r\n25\r\n", body.id);
            for v in 0..25 {
                let (x, y) = (body.at + body.step * t as f64, f64::from(v) / 20.0);
                text += &format!(
                    "{x:.6} {y:.6} 3.141593 277.4 191.8 1036.2 519.1 -0.2 0.05 0.97 -0.1 2\r\n"
                );
            }
        }
    }
    text
}

fn one(at: f64) -> String {
    text(
        20,
        &[Body {
            id: 7,
            at,
            step: 0.01,
            frames: 0..20,
        }],
    )
}

/// One person; two, with a short third that is nobody; nobody; one listed as missing; one of NTU 120.
fn recordings() -> Vec<(&'static str, String)> {
    let body = |id, step, frames| Body {
        id,
        at: 0.1,
        step,
        frames,
    };
    let crowd = [
        body(1, 0.01, 0..30),
        body(2, 0.02, 5..30),
        body(3, 0.5, 8..12),
    ];
    vec![
        ("S001C001P001R001A001", one(0.5)),
        ("S001C002P003R001A050", text(30, &crowd)),
        ("S002C003P003R001A002", "3\r\n0\r\n0\r\n0\r\n".into()),
        (
            "S001C002P005R002A008",
            "listed as missing, so never read".into(),
        ),
        ("S018C001P008R001A061", one(0.25)),
    ]
}

fn folder(desk: &Desk, name: &str) {
    std::fs::create_dir(desk.path(name)).expect("the temporary folder is writable");
    for (sample, text) in recordings() {
        desk.write(&format!("{name}/{sample}.skeleton"), text);
    }
}

fn archive(desk: &Desk, name: &str) {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (sample, text) in recordings() {
        let options = zip::write::SimpleFileOptions::default();
        let entry = format!("nturgb+d_skeletons/{sample}.skeleton");
        archive.start_file(entry, options).expect("a new name");
        archive.write_all(text.as_bytes()).expect("memory is there");
    }
    desk.write(
        name,
        archive.finish().expect("memory is there").into_inner(),
    );
}

#[test]
fn a_folder_and_an_archive_become_caches_with_a_log_of_every_file() {
    let desk = Desk::new();
    folder(&desk, "raw");
    archive(&desk, "raw.zip");
    let done = desk
        .ssl("prepare raw -o a.h5 --dataset ntu60_3d --log a.jsonl --threads 1")
        .success();
    for part in [
        "1 listed as missing",
        "1 of another data set's action",
        "1 without any body",
    ] {
        assert!(done.stderr.contains(part), "{part}: {done}");
    }
    desk.ssl("prepare raw.zip -o b.h5 --dataset ntu60_3d --log b.jsonl --threads 3")
        .success();
    assert_eq!(desk.read("a.jsonl"), desk.read("b.jsonl"));

    let log = desk.lines("a.jsonl");
    let outcomes: Vec<(&str, &str)> = log
        .iter()
        .map(|line| {
            let why = line["reason"].as_str().or(line["outcome"].as_str());
            (
                line["sample"].as_str().unwrap_or_default(),
                why.unwrap_or_default(),
            )
        })
        .collect();
    let expected = [
        ("S001C001P001R001A001", "kept"),
        ("S001C002P003R001A050", "kept"),
        ("S001C002P005R002A008", "listed_as_missing"),
        ("S002C003P003R001A002", "no_body"),
        ("S018C001P008R001A061", "other_action"),
    ];
    assert_eq!(outcomes, expected);
    let crowd = &log[1];
    assert_eq!(
        (&crowd["persons"], &crowd["frames"]),
        (&2.into(), &30.into())
    );
    let short = serde_json::json!({ "decision": "short", "body": 3, "frames": 4 });
    assert_eq!(crowd["decisions"][0], short);

    let cache = desk.ssl("inspect a.h5 --json").json();
    assert_eq!(cache["clips"], 2);
    assert_eq!(cache["classes"].as_array().map(Vec::len), Some(60));
    assert_eq!(cache["splits"]["xsub_train"], 1);
    assert_eq!(cache["splits"]["xview_val"], 1);
    desk.ssl("inspect b.h5 --verify").success();
    // Both record the files' contents; the names of the folder and the archive differ.
    let other = desk.ssl("inspect b.h5 --json").json();
    let hash = |cache: &Value| cache["source"]["files"][0]["sha256_of_list"].clone();
    assert!(hash(&cache).is_string(), "{cache}");
    assert_eq!(hash(&cache), hash(&other));
}

#[test]
fn rules_are_set_by_name_and_recorded() {
    let desk = Desk::new();
    folder(&desk, "raw");
    desk.ssl(
        "prepare raw -o a.h5 --dataset ntu120_3d --bodies sensor --set persons=3 --log a.jsonl",
    )
    .success();
    let cache = desk.ssl("inspect a.h5 --json").json();
    assert_eq!(cache["clips"], 3);
    let rules = &cache["source"]["rules"]["bodies"];
    assert_eq!(
        (&rules["persons"], &rules["half"]),
        (&3.into(), &false.into())
    );
    assert_eq!(desk.lines("a.jsonl")[1]["persons"], 3);
    for (typed, parts) in [
        ("--set min_frmes=3", ["no rule min_frmes", "min_frames"]),
        (
            "--set min_frames=few",
            ["min_frames=few", "min_frames = 12"],
        ),
        ("--set persons=0", ["persons", "1 to 64"]),
    ] {
        let finished = desk.ssl(&format!("prepare raw -o x.h5 --dataset ntu60_3d {typed}"));
        let code = finished.code.unwrap_or_default();
        finished.refused(code, &parts);
        assert!(code == 1 || code == 2, "{finished}");
    }
}

#[test]
fn what_is_damaged_stops_or_is_skipped_as_asked_and_nothing_is_left_behind() {
    let desk = Desk::new();
    folder(&desk, "raw");
    desk.write("raw/S003C001P001R001A001.skeleton", "2\r\n1\r\nno body\r\n");
    let typed = "prepare raw -o a.h5 --dataset ntu60_3d --log a.jsonl";
    desk.ssl(typed)
        .refused(1, &["S003C001P001R001A001.skeleton: line 3", "--skip-bad"]);
    assert!(!desk.path("a.h5").exists() && !desk.path("a.jsonl").exists());
    let entries = std::fs::read_dir(desk.path(""))
        .expect("a readable folder")
        .count();
    assert_eq!(entries, 1, "only the recordings are left");

    let done = desk.ssl(&format!("{typed} --skip-bad")).success();
    assert!(
        done.stderr.contains("1 file unreadable, the first: raw"),
        "{done}"
    );
    let log = desk.lines("a.jsonl");
    let last = log
        .iter()
        .find(|line| line["reason"] == "unreadable")
        .expect("a line for it");
    assert!(
        last["message"]
            .as_str()
            .is_some_and(|said| said.contains("line 3")),
        "{last}"
    );

    // Neither is replaced unless asked.
    desk.ssl(&format!("{typed} --skip-bad"))
        .refused(1, &["a.h5", "--overwrite"]);
    std::fs::remove_file(desk.path("a.h5")).expect("it was written");
    desk.ssl(&format!("{typed} --skip-bad"))
        .refused(1, &["a.jsonl", "--overwrite"]);
    desk.ssl(&format!("{typed} --skip-bad --overwrite"))
        .success();
}

#[test]
fn recordings_without_a_place_are_refused() {
    let desk = Desk::new();
    folder(&desk, "raw");
    archive(&desk, "raw.zip");
    desk.write("clips.pkl", "");
    desk.write("empty.zip", "");
    for (typed, code, parts) in [
        ("raw -o x.h5", 2, ["ntu60_3d", "ntu120_3d"]),
        ("raw -o x.h5 --dataset gym99", 2, ["gym99", "ntu120_3d"]),
        (
            "raw -o x.h5 --dataset ntu60_3d --layout ntu25",
            2,
            ["--layout", "recordings"],
        ),
        (
            "raw raw.zip -o x.h5 --dataset ntu60_3d",
            1,
            ["S001C001P001R001A001", "one file only"],
        ),
        (
            "empty.zip -o x.h5 --dataset ntu60_3d",
            1,
            ["empty.zip", "expected a folder, a zip archive"],
        ),
        (
            "clips.pkl raw -o x.h5 --layout coco17",
            2,
            ["raw", "clips.pkl"],
        ),
        (
            "clips.pkl -o x.h5 --layout coco17 --bodies sensor",
            2,
            ["--bodies", "recordings"],
        ),
        (
            "raw -o x.h5 --dataset ntu60_3d --log x.h5",
            2,
            ["x.h5", "two results"],
        ),
    ] {
        desk.ssl(&format!("prepare {typed}")).refused(code, &parts);
        assert!(!desk.path("x.h5").exists(), "{typed}");
    }
}

/// The table of rules in the documentation is that of the program.
#[test]
fn the_documented_rules_are_those_of_the_presets() {
    let text = std::fs::read_to_string(ssl_tests::root().join("docs/datasets.md"));
    let text = text.expect("a file of the repository");
    let desk = Desk::new();
    folder(&desk, "raw");
    for (column, preset) in [(2, "pyskl"), (3, "sensor")] {
        let typed = format!("prepare raw -o {preset}.h5 --dataset ntu60_3d --bodies {preset}");
        desk.ssl(&typed).success();
        let cache = desk.ssl(&format!("inspect {preset}.h5 --json")).json();
        let rules = cache["source"]["rules"]["bodies"]
            .as_object()
            .expect("the rules")
            .clone();
        assert!(rules.len() >= 12);
        for (rule, value) in rules {
            let row = text
                .lines()
                .find(|line| line.starts_with(&format!("| `{rule}` |")));
            let cell = row.and_then(|row| row.split(" | ").nth(column - 1));
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            assert_eq!(cell, Some(&*value), "{rule} of {preset}");
        }
    }
}
