//! The pages in a browser: what `tests/browser/check.mjs` finds in Chromium. Skipped where Node.js, Chromium or the modules of
//! `tests/browser/package.json` aren't there; `.ci/run` installs them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;
use ssl_tests::page::{facts, text};
use ssl_tests::program::Desk;
use ssl_tests::root;
use ssl_tests::toy::{TOY, Toy};

const SMALL: &str = "--preset quick --set reading.frames=8 --set model.width=16";

/// Node.js with the modules and the browser; without them the test says that it is skipped.
fn node() -> Option<Command> {
    let chosen = std::env::var_os("SSL_TEST_BROWSER");
    let modules = chosen
        .clone()
        .map_or_else(|| root().join("target/browser"), PathBuf::from);
    let has = |words: &[&str]| {
        let status = Command::new(words[0])
            .args(&words[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    let browser = std::env::var("SSL_TEST_CHROMIUM").unwrap_or("chromium".to_owned());
    let there = modules.join("node_modules/playwright-core").is_dir()
        && has(&["node", "--version"])
        && has(&["sh", "-c", &format!("command -v {browser}")]);
    if !there {
        assert!(
            chosen.is_none(),
            "SSL_TEST_BROWSER is {}, where something is missing",
            modules.display()
        );
        eprintln!(
            "skipped: no Node.js, Chromium and {}/node_modules here (.ci/run installs them)",
            modules.display()
        );
        return None;
    }
    let mut command = Command::new("node");
    command
        .arg(root().join("tests/browser/check.mjs"))
        .env("SSL_TEST_BROWSER", modules);
    Some(command)
}

/// Looks at pages, of which the `large` one only for its speed.
fn check(mut node: Command, desk: &Desk, pages: &[(&str, &str, bool)]) {
    let pages: Vec<_> = pages
        .iter()
        .map(
            |(file, about, large)| json!({"file": desk.path(file), "about": about, "large": large}),
        )
        .collect();
    let mut child = node
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it ran before");
    let mut input = child.stdin.take().expect("it is a pipe");
    input
        .write_all(json!(pages).to_string().as_bytes())
        .expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it was started");
    let (said, wrong) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{wrong}");
    println!("{said}");
    assert!(
        said.lines().filter(|line| line.starts_with("ok: ")).count() > 4,
        "{said}"
    );
}

/// Runs with everything, with names that are long and strange, and with next to nothing.
#[test]
fn pages_are_looked_at_in_a_browser() {
    let Some(node) = node() else { return };
    let desk = Desk::new();
    let long = "a class whose name goes on and on until no column is wide enough for all of it <b>& \"more\"";
    desk.write(
        "labels.txt",
        format!("wave\n{long}\nKlatschen-mit-beiden-Händen-ohne-Zwischenraum-und-Ende\n"),
    );
    desk.write("toy.pkl", TOY.pickle());
    desk.ssl("convert toy.pkl toy.jsonl --layout coco17")
        .success();
    let clips = String::from_utf8(desk.read("toy.jsonl")).expect("JSON is UTF-8");
    let strange = "</script><img src=x onerror=alert(1)>-and-a-name-of-a-file-that-is-much-longer-than-any-card-is-wide-0123456789";
    desk.write("named.jsonl", clips.replace("k0t06", strange));
    desk.ssl("prepare named.jsonl -o toy.h5 --classes labels.txt")
        .success();
    let train = |typed: &str| {
        desk.ssl(&format!("{typed} {SMALL} --data toy.h5"))
            .success()
    };
    train("pretrain --split train --val test --out runs/pre --set pretrain.epochs=2");
    let tuned = "--train train --test test --holdout 0.2 --set finetune.epochs=3";
    train(&format!("finetune {tuned} --encoder runs/pre --out runs/a"));
    train(&format!("finetune {tuned} --seed 1 --out runs/scratch"));
    train("finetune --train train --out runs/untested --set finetune.epochs=1");
    desk.ssl("report runs/a -o one.html").success();
    desk.ssl("report runs/a runs/scratch runs/untested runs/pre -o all.html --clips 5")
        .success();
    desk.ssl("report runs/untested --data nowhere.h5 -o empty.html")
        .success();
    desk.ssl("predict runs/a --data toy.h5 --html predicted.html")
        .success();
    std::fs::create_dir_all(desk.path("made/results")).expect("the folder is new");
    let known = root().join("datasets/results/table4c-small.json");
    std::fs::copy(known, desk.path("made/results/table4c-small.json")).expect("it is there");
    desk.ssl("report made -o tables.html").success();
    let pages = [
        ("one.html", "one run"),
        ("all.html", "four runs"),
        ("empty.html", "next to nothing"),
        ("predicted.html", "predictions"),
        ("tables.html", "tables"),
    ];
    check(
        node,
        &desk,
        &pages.map(|(file, about)| (file, about, false)),
    );
}

/// A test split of NTU RGB+D 120's size: the clips are tiny ones, the page is as large as that of large ones but for their movement.
#[test]
fn a_page_of_20_000_clips_of_120_classes_opens_in_seconds() {
    let Some(node) = node() else { return };
    let desk = Desk::new();
    // A test clip of each class and take; training takes a few of them.
    let many = Toy {
        classes: 120,
        clips: 112,
        frames: 4,
        ..TOY
    };
    desk.write("many.pkl", many.pickle());
    desk.ssl("prepare many.pkl -o many.h5 --layout coco17 --units pixel")
        .success();
    desk.ssl(&format!(
        "finetune {SMALL} --set reading.frames=4 --data many.h5 --train test --labels 0.02 --test all --out runs/many --set finetune.epochs=1"
    ))
    .success();
    desk.ssl("report runs/many -o many.html").success();
    let size = desk.read("many.html").len();
    assert!(size < 15_000_000, "{size} bytes");
    println!("the page is {:.1} MB", size as f64 / 1e6);
    every_cell_full(&desk, "many.html");
    check(
        node,
        &desk,
        &[("many.html", "120 classes, 20,160 clips", true)],
    );
}

/// An epoch on two clips a class leaves most cells of the matrix empty. A cell that isn't takes longer to draw: here all are full.
fn every_cell_full(desk: &Desk, name: &str) {
    let mut found = facts(desk, name);
    let confusion = &mut found["runs"][0]["measured"]["there"]["confusion"];
    let k = confusion.as_array().map_or(0, Vec::len);
    let cell = |row: usize, column: usize| {
        if row == column {
            60
        } else {
            1 + (7 * row + 3 * column) % 4
        }
    };
    *confusion = (0..k)
        .map(|row| (0..k).map(|column| cell(row, column)).collect::<Vec<_>>())
        .collect();
    let page = text(desk, name);
    let (head, rest) = page.split_once("id=\"report\">").expect("it has facts");
    let (_, tail) = rest.split_once("</script>").expect("they end");
    let data = found.to_string().replace('<', "\\u003c");
    desk.write(name, format!("{head}id=\"report\">{data}</script>{tail}"));
}
