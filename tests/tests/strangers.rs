//! Files from strangers that mean harm: steer the terminal, reach out of the output folder, nest or grow without end.
#![cfg(unix)]

use std::io::Write;
use std::os::unix::fs::symlink;

use ssl_tests::pickle::{Py, dump, text};
use ssl_tests::program::{Desk, Finished};
use ssl_tests::root;
use ssl_tests::toy::{PRETRAIN, TOY};

fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk
}

/// Refused, and nothing that acts on a terminal reached it.
fn refused_in_plain_words(done: Finished, parts: &[&str]) {
    let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!done.stderr.contains(acts), "{:?}", done.stderr);
    assert_ne!(done.code, Some(0), "{done}");
    assert!(!done.stderr.contains("panicked"), "{done}");
    for part in parts {
        assert!(done.stderr.contains(part), "no `{part}`: {done}");
    }
}

#[test]
fn words_of_strangers_do_not_steer_the_terminal() {
    let desk = desk();
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";
    let call = Py::Call("os", "\u{1b}[31msystem", Box::new(text("true")));
    desk.write("call.pkl", dump(&call));
    let prepare = "-o x.h5 --layout coco17 --units pixel";
    refused_in_plain_words(
        desk.ssl(&format!("prepare call.pkl {prepare}")),
        &["call.pkl", "\\u001b[31msystem"],
    );
    let clip = Py::Dict(vec![("frame_dir", text(&format!("a{evil}")))]);
    desk.write("name.pkl", dump(&Py::List(vec![clip])));
    refused_in_plain_words(
        desk.ssl(&format!("prepare name.pkl {prepare}")),
        &["name.pkl", "control character"],
    );
    desk.write("evil.jsonl", format!("{{\"format\": \"{evil}\"}}\n"));
    refused_in_plain_words(desk.ssl("prepare evil.jsonl -o x.h5"), &["evil.jsonl"]);
    desk.write("evil.toml", format!("[model]\nwidth{evil} = 1\n"));
    refused_in_plain_words(
        desk.ssl("pretrain --config evil.toml --data toy.h5 --split train --out run"),
        &["evil.toml", "\\u001b[2J"],
    );
    refused_in_plain_words(
        desk.ssl("prepare toy.pkl -o x.h5 --units pixel --layout evil.toml"),
        &["evil.toml"],
    );
}

#[test]
fn what_nests_or_grows_without_end_is_refused() {
    let desk = desk();
    let deep = 200_000;
    desk.write("deep.toml", format!("a = {}", "[".repeat(deep)));
    desk.write("deep.jsonl", "[".repeat(deep) + "\n");
    let config = "--data toy.h5 --split train --out run";
    for file in ["deep.toml", "/dev/zero"] {
        desk.ssl(&format!("pretrain --config {file} {config}"))
            .refused(1, &[file]);
    }
    desk.ssl("prepare toy.pkl -o x.h5 --units pixel --layout deep.toml")
        .refused(1, &["deep.toml"]);
    desk.ssl("prepare deep.jsonl -o x.h5")
        .refused(1, &["deep.jsonl"]);
    for (set, key) in [
        ("model.width=1000000000", "model.width"),
        ("model.encoder_layers=1000000000", "model.encoder_layers"),
        ("reading.frames=1000000000", "reading.frames"),
        ("reading.persons=1000000000", "reading.persons"),
    ] {
        desk.ssl(&format!("pretrain --preset quick {config} --set {set}"))
            .refused(1, &[key, "1000000000"]);
    }
    assert!(!desk.path("run").exists() && !desk.path("x.h5").exists());
}

#[test]
fn names_in_an_archive_lead_nowhere() {
    let desk = Desk::new();
    let recording = std::fs::read(root().join("fuzz/seeds/ntu/two.skeleton")).expect("a seed");
    let file = std::fs::File::create(desk.path("evil.zip")).expect("a new file");
    let mut archive = zip::ZipWriter::new(file);
    let name = |action: u32| format!("S001C001P001R001A{action:03}.skeleton");
    for (action, folder) in [(1, "../../../"), (2, "/"), (3, "a/../../\u{1b}[31m/")] {
        let options = zip::write::SimpleFileOptions::default();
        let entry = format!("{folder}{}", name(action));
        archive.start_file(entry, options).expect("any name goes");
        archive.write_all(&recording).expect("there is room");
    }
    archive.finish().expect("there is room");
    let done = desk.ssl("prepare evil.zip -o evil.h5 --dataset ntu60_3d");
    assert!(!done.stderr.contains('\u{1b}'), "{done}");
    let files = std::fs::read_dir(desk.path("")).expect("our folder");
    let mut names: Vec<String> = files
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert!(
        names == ["evil.h5", "evil.zip"] || names == ["evil.zip"],
        "{names:?}"
    );
    for action in [1, 2, 3] {
        for folder in ["..", "../..", "../../..", "/"] {
            assert!(!desk.path(folder).join(name(action)).exists(), "{folder}");
        }
    }
}

#[test]
fn an_output_that_is_a_link_is_replaced_and_what_it_leads_to_stays() {
    let desk = desk();
    desk.write("precious", "years of work");
    for (command, name) in [
        (
            "prepare toy.pkl --layout coco17 --units pixel -o",
            "link.h5",
        ),
        ("convert toy.h5", "link.jsonl"),
    ] {
        symlink(desk.path("precious"), desk.path(name)).expect("a link can be made");
        desk.ssl(&format!("{command} {name} --overwrite")).success();
        assert_eq!(desk.read("precious"), b"years of work");
        assert!(!desk.path(name).is_symlink(), "{name}");
    }
}

#[test]
fn links_in_a_run_folder_lead_nothing_out_of_it() {
    let desk = desk();
    let run = format!("pretrain --preset quick --data toy.h5 --split train {PRETRAIN} --out");
    let outside = || {
        desk.write("precious", "years of work");
        let _ = std::fs::remove_dir_all(desk.path("elsewhere"));
        std::fs::create_dir(desk.path("elsewhere")).expect("a folder can be made");
        desk.write("elsewhere/000001-000000.safetensors", "another run's");
    };
    let untouched = || {
        assert_eq!(desk.read("precious"), b"years of work");
        let left = std::fs::read_dir(desk.path("elsewhere")).expect("a folder");
        assert_eq!(left.count(), 1, "nothing came, nothing went");
        assert_eq!(
            desk.read("elsewhere/000001-000000.safetensors"),
            b"another run's"
        );
    };
    for (name, to) in [("lock", "precious"), ("resume", "elsewhere")] {
        for way in ["--overwrite", "--resume"] {
            outside();
            let folder = format!("{name}{way}");
            std::fs::create_dir(desk.path(&folder)).expect("a folder can be made");
            desk.write(&format!("{folder}/config.toml"), "");
            symlink(desk.path(to), desk.path(&format!("{folder}/{name}"))).expect("a link");
            desk.ssl(&format!("{run} {folder} {way}"))
                .refused(1, &[name, "symbolic link"]);
            untouched();
        }
    }
    // A hard link can't be told from a file; what it holds can.
    outside();
    std::fs::create_dir(desk.path("hard")).expect("a folder can be made");
    desk.write(
        "precious",
        "years of work, more than the number of a process",
    );
    std::fs::hard_link(desk.path("precious"), desk.path("hard/lock")).expect("a link");
    desk.ssl(&format!("{run} hard --overwrite"))
        .refused(1, &["lock", "48 bytes"]);
    // All other files are replaced, links or not.
    outside();
    std::fs::create_dir(desk.path("files")).expect("a folder can be made");
    for name in [
        "config.toml",
        "metrics.jsonl",
        "model.safetensors",
        "run.json",
    ] {
        symlink(desk.path("precious"), desk.path(&format!("files/{name}"))).expect("a link");
    }
    desk.ssl(&format!("{run} files --overwrite")).success();
    untouched();
    assert!(!desk.path("files/metrics.jsonl").is_symlink());
}
