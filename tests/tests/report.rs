//! Pages: what `ssl report` and `ssl predict --html` write, read back as a program would, and what is said of what is missing.

use serde_json::Value;
use ssl_tests::page::{facts, text};
use ssl_tests::program::Desk;
use ssl_tests::toy::TOY;

/// What makes a training short, and a model small.
const SMALL: &str = "--preset quick --set reading.frames=8 --set model.width=16";

/// A pre-training and two fine-tunings, of which one is from scratch, on the same clips.
fn runs() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    let train = |typed: &str| {
        desk.ssl(&format!("{typed} {SMALL} --data toy.h5"))
            .success()
    };
    train("pretrain --split train --val test --out runs/pre --set pretrain.epochs=2");
    let tuned = "--train train --test test --holdout 0.2 --set finetune.epochs=3";
    train(&format!("finetune {tuned} --encoder runs/pre --out runs/a"));
    train(&format!("finetune {tuned} --seed 1 --out runs/b"));
    desk
}

#[test]
fn a_runs_page_has_its_facts_and_the_same_bytes_again() {
    let desk = runs();
    let done = desk.ssl("report runs/a -o a.html").success();
    assert!(
        done.stdout.starts_with("a.html: 1 run, 9 clips that move;"),
        "{done}"
    );
    desk.ssl("report runs/a -o again.html --threads 1")
        .success();
    assert_eq!(desk.read("a.html"), desk.read("again.html"));
    let found = facts(&desk, "a.html");
    let (run, set) = (&found["runs"][0], &found["sets"][0]);
    assert_eq!(set["ids"].as_array().map(Vec::len), Some(9));
    let test: Value = serde_json::from_slice(&desk.read("runs/a/test.json")).expect("JSON");
    let measured = &run["measured"]["there"];
    assert_eq!(measured["confusion"], test["confusion"]);
    assert_eq!(measured["by_class"].as_array().map(Vec::len), Some(3));
    assert_eq!(run["epochs"].as_array().map(Vec::len), Some(3));
    assert!(run["epochs"][2]["val_top1"].is_number() && run["epochs"][0]["lr"].is_number());
    // Clip by clip it adds up to what the run measured.
    let right = |at: usize| run["guesses"]["there"]["guess"][at] == set["labels"][at];
    let right = (0..9).filter(|&at| right(at)).count() as f64;
    assert!((right / 9.0 - test["top1"].as_f64().expect("a share")).abs() < 1e-9);
    assert_eq!(run["planes"]["there"].as_array().map(Vec::len), Some(3));
    let made = &run["reconstruction"]["there"];
    assert_eq!(made["clips"].as_array().map(Vec::len), Some(6));
    assert!(made["parts"]["all"]["model"].is_number() && made["clips"][0]["errors"][1].is_number());
    let page = text(&desk, "a.html");
    assert!(page.contains("ssl finetune --preset quick") && page.contains("--encoder runs/pre"));
    for outside in ["http://", "https://", " src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    desk.ssl("report runs/a -o a.html")
        .refused(1, &["a.html", "--overwrite"]);
    // A measurement that was damaged.
    let mut test = test;
    test["confusion"][1] = Value::Array(Vec::new());
    desk.write("runs/a/test.json", test.to_string());
    desk.ssl("report runs/a -o damaged.html")
        .refused(1, &["test.json", "confusion", "3 rows of 3"]);
    desk.ssl("report runs/a -o runs/a/config.toml --overwrite")
        .refused(2, &["config.toml"]);
}

#[test]
fn runs_are_compared_and_a_pre_training_has_a_page_too() {
    let desk = runs();
    desk.ssl("report runs/a runs/b runs/pre -o all.html --clips 4")
        .success();
    let found = facts(&desk, "all.html");
    let compared = &found["comparisons"];
    assert_eq!(compared.as_array().map(Vec::len), Some(1));
    let p = compared[0]["mcnemar"]["p"].as_f64().expect("a probability");
    assert!((0.0..=1.0).contains(&p) && compared[0]["clips"] == 9);
    assert_eq!(
        found["sets"].as_array().map(Vec::len),
        Some(1),
        "all on the same clips"
    );
    assert_eq!(
        found["sets"][0]["motion"]
            .as_object()
            .map(serde_json::Map::len),
        Some(4)
    );
    let (scratch, pretrained) = (&found["runs"][1], &found["runs"][2]);
    assert!(
        scratch["reconstruction"]["missing"]["why"]
            .as_str()
            .expect("a reason")
            .contains("from scratch")
    );
    assert_eq!(scratch["planes"]["there"].as_array().map(Vec::len), Some(2));
    assert_eq!(pretrained["measured"], Value::Null);
    assert_eq!(
        pretrained["planes"]["there"].as_array().map(Vec::len),
        Some(2)
    );
    assert!(pretrained["reconstruction"]["there"]["parts"]["all"].is_object());
    let page = text(&desk, "all.html");
    assert!(page.contains("Settings that differ") && page.contains("run.seed"));
}

#[test]
fn what_is_missing_is_said_with_what_to_type() {
    let desk = runs();
    // The cache was moved: what the run itself says is there.
    std::fs::rename(desk.path("toy.h5"), desk.path("moved.h5")).expect("it was made");
    let done = desk.ssl("report runs/a -o moved.html").success();
    assert!(
        done.stderr
            .contains("the run's cache toy.h5 is not there any more"),
        "{done}"
    );
    let found = facts(&desk, "moved.html");
    assert!(found["runs"][0]["measured"]["there"]["top1"].is_number());
    assert!(text(&desk, "moved.html").contains("ssl report runs/a --data CACHE.h5 -o FILE.html"));
    desk.ssl("report runs/a --data moved.h5 -o found.html")
        .success();
    assert!(facts(&desk, "found.html")["runs"][0]["guesses"]["there"].is_object());
    // The encoder is another one now, and a run that measured nothing asks for a split.
    desk.ssl(&format!(
        "pretrain {SMALL} --data moved.h5 --split train --seed 5 --out runs/pre --overwrite --set pretrain.epochs=1"
    ))
    .success();
    desk.ssl(&format!(
        "finetune {SMALL} --data moved.h5 --train train --out runs/untested --set finetune.epochs=1"
    ))
    .success();
    desk.ssl("report runs/a runs/untested --data moved.h5 -o two.html")
        .success();
    let found = facts(&desk, "two.html");
    let why = &found["runs"][0]["reconstruction"]["missing"]["why"];
    assert!(
        why.as_str().expect("a reason").contains("trained again"),
        "{why}"
    );
    let hint = &found["runs"][1]["measured"]["missing"]["hint"];
    assert_eq!(hint, "ssl report runs/untested --split NAME -o FILE.html");
    desk.ssl("report runs/untested --split test -o split.html")
        .success();
    assert!(facts(&desk, "split.html")["runs"][0]["measured"]["there"]["top1"].is_number());
    desk.ssl("report runs -o x.html")
        .refused(1, &["runs", "run.json"]);
    desk.ssl("report nowhere -o x.html")
        .refused(1, &["nowhere"]);
    // What a killed process had begun to write.
    desk.write("runs/a/metrics.jsonl", "{\"epoch\":1,\"loss\":1.0}\n{\"epo");
    desk.ssl("report runs/a --data moved.h5 -o half.html")
        .success();
    assert_eq!(
        facts(&desk, "half.html")["runs"][0]["epochs"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn predictions_have_a_page_and_names_of_strangers_are_words() {
    let desk = runs();
    desk.write("toy.pkl", TOY.pickle());
    desk.ssl("convert toy.pkl toy.jsonl --layout coco17")
        .success();
    let clips = String::from_utf8(desk.read("toy.jsonl")).expect("JSON is UTF-8");
    let hostile = "</script><script>alert(1)</script>";
    desk.write("hostile.jsonl", clips.replace("k0t00", hostile));
    let done = desk
        .ssl("predict runs/a --data hostile.jsonl --html p.html")
        .success();
    assert_eq!(done.stdout.lines().count(), 27, "{done}");
    let found = facts(&desk, "p.html");
    let clips = &found["sets"][0];
    assert_eq!(
        clips["motion"].as_object().map(serde_json::Map::len),
        Some(27)
    );
    let named = clips["clips"]
        .as_array()
        .expect("a list")
        .iter()
        .any(|clip| clip["id"] == hostile);
    assert!(named && text(&desk, "p.html").matches("<script").count() == 2);
    desk.ssl("predict runs/a --data hostile.jsonl --html p.html")
        .refused(1, &["p.html", "--overwrite"]);
    desk.ssl("predict runs/a --data - --html q.html")
        .refused(2, &["--html"]);
}

#[test]
fn a_reproduction_becomes_its_tables() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("made/results")).expect("the folder is new");
    std::fs::create_dir_all(desk.path("made/runs/finetune-9bb52d102c0a0899")).expect("it is new");
    let known = ssl_tests::root().join("datasets/results/table4c-small.json");
    std::fs::copy(known, desk.path("made/results/table4c-small.json")).expect("it is there");
    let done = desk.ssl("report made -o tables.html").success();
    assert!(done.stdout.contains("1 table of made"), "{done}");
    let cell = &facts(&desk, "tables.html")["tables"][0]["grids"][0]["cells"][0];
    assert_eq!(
        (&cell["paper"], &cell["n"]),
        (&Value::from(86.8), &Value::from(2))
    );
    assert!(cell["interval"][0].as_f64() < cell["ours"].as_f64());
    assert!(text(&desk, "tables.html").contains("href=\"made/runs/finetune-9bb52d102c0a0899/\""));
    desk.write(
        "made/results/table4c-small.json",
        "{\"title\": \"cut off\"}",
    );
    desk.ssl("report made -o x.html")
        .refused(1, &["table4c-small.json", "expected a table"]);
}
