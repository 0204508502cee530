//! The commands of the README and of the book, typed one after another in the order of the pages. What reads a file that only a
//! reader can have (a public data set), or computes on a GPU, is left out, and so is what reads its results; everything else has to
//! work.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use ssl_tests::documents::{commands, pages, read, words};
use ssl_tests::pickle::{Py, dump};
use ssl_tests::program::{Desk, Finished};
use ssl_tests::root;
use ssl_tests::toy::TOY;

/// Files that a reader brings.
const BROUGHT: [&str; 15] = [
    "jhmdb14.pkl",
    "nw_ucla.pkl",
    "utd_mhad.pkl",
    "ntu60_hrnet.pkl",
    "gym_hrnet.pkl",
    "diving48_hrnet.pkl",
    "NTU60_CS.npz",
    "train_data_joint.npy",
    "val_data_joint.npy",
    "frame50/xsub",
    "nturgbd_skeletons_s001_to_s017.zip",
    "nturgbd_skeletons_s018_to_s032.zip",
    "nturgb+d_skeletons",
    "jhmdb14=jhmdb14.pkl",
    "gym99=gym.h5",
];
/// Commands with a test of their own that takes minutes: `cargo xtask ci reproduce`.
const ELSEWHERE: [&str; 1] = ["reproduce"];
/// What makes a training short, and a model small.
const SMALL: &str = "--set reading.frames=8 --set model.width=16";

/// What readers have: a folder of pickles, two files, what a pose estimator wrote, a text of labels.
fn brought(desk: &Desk) {
    let Py::Dict(fields) = TOY.annotations() else {
        unreachable!("annotations are a dictionary");
    };
    let Py::List(clips) = &fields[1].1 else {
        unreachable!("annotations are a list");
    };
    for folder in ["videos", "poses"] {
        std::fs::create_dir(desk.path(folder)).expect("the folder is new");
    }
    let mut labels = String::new();
    for (line, clip) in desk
        .lines("mine.jsonl")
        .iter()
        .filter(|line| line["id"].is_string())
        .zip(clips)
    {
        let id = line["id"].as_str().expect("a clip");
        desk.write(&format!("videos/{id}.pkl"), dump(clip));
        let name = ["wave", "clap", "kick"][line["label"].as_u64().expect("a label") as usize];
        labels += &format!("videos/{id}.mp4 {name}\n");
        desk.write(&format!("poses/{id}.json"), alphapose(line).to_string());
        desk.write("alphapose-results.json", alphapose(line).to_string());
    }
    desk.write("labels.txt", labels);
    let (train, val) = clips.split_at(2 * clips.len() / 3);
    desk.write("mine_train.pkl", dump(&Py::List(train.to_vec())));
    desk.write("mine_val.pkl", dump(&Py::List(val.to_vec())));
}

/// A clip of JSON lines as AlphaPose would have written it.
fn alphapose(clip: &Value) -> Value {
    let frames = clip["keypoints"][0].as_array().expect("a person");
    let pose = |(number, joints): (usize, &Value)| {
        let joints = joints.as_array().expect("joints").iter();
        let numbers = joints.flat_map(|joint| [joint[0].clone(), joint[1].clone(), json!(0.9)]);
        let numbers: Vec<Value> = numbers.collect();
        json!({"image_id": format!("{number}.jpg"), "category_id": 1, "keypoints": numbers, "score": 3.1})
    };
    frames.iter().enumerate().map(pose).collect()
}

/// What was typed, and what became of it.
struct Typed {
    desk: Desk,
    /// Files that aren't there, since only a reader can make them.
    brought: BTreeSet<String>,
    run: usize,
}

impl Typed {
    /// A folder with a reader's own clips, as a pickle and as JSON lines.
    fn new() -> Typed {
        let desk = Desk::new();
        desk.write("mine.pkl", TOY.pickle());
        desk.ssl("convert mine.pkl mine.jsonl --layout coco17")
            .success();
        // As the book's script writes them, without splits.
        let lines = String::from_utf8(desk.read("mine.jsonl")).expect("text");
        let clips = lines.lines().filter(|line| !line.contains("\"split\""));
        desk.write("mine.jsonl", clips.collect::<Vec<_>>().join("\n") + "\n");
        desk.write("new.jsonl", desk.read("mine.jsonl"));
        desk.write("new.pkl", TOY.pickle());
        brought(&desk);
        let brought = BROUGHT.map(str::to_owned).into();
        Typed {
            desk,
            brought,
            run: 0,
        }
    }

    fn page(&mut self, text: &str) {
        for command in commands(text) {
            let typed = command.strip_prefix("cargo xtask ").unwrap_or(&command);
            let (variable, typed) = match typed.strip_prefix("SSL_REFERENCE=1 ") {
                Some(rest) => (Some("1"), rest),
                None => (None, typed),
            };
            if let Some(rest) = typed.strip_prefix("ssl ") {
                self.command(&command, rest, variable);
            }
        }
    }

    fn command(&mut self, line: &str, typed: &str, reference: Option<&str>) {
        let (typed, written) = typed.split_once(" > ").unwrap_or((typed, ""));
        let mut words = words(typed);
        if ELSEWHERE.contains(&&*words[0]) {
            return;
        }
        fewer_clips(&mut words);
        let (inputs, mut outputs) = files(&words);
        let gpu = words
            .windows(2)
            .any(|pair| pair[0] == "--device" && pair[1] != "cpu");
        if gpu || inputs.iter().any(|name| self.brought.contains(name)) {
            self.brought.extend(outputs);
            return;
        }
        for name in &inputs {
            let there = self.desk.path(name).exists();
            assert!(
                there,
                "{line}: {name} is neither made before nor in BROUGHT"
            );
        }
        words.extend(shorter(&words));
        let mut command = self.desk.command("");
        command.args(words);
        if let Some(value) = reference {
            command.env("SSL_REFERENCE", value);
        }
        let output = command.output().expect("the program starts");
        let done = Finished::new(line.to_owned(), output).success();
        if !written.is_empty() {
            self.desk.write(written, &done.stdout);
            outputs.push(written.to_owned());
        }
        for name in outputs {
            assert!(
                self.desk.path(&name).exists(),
                "{line}: {name} is not there"
            );
        }
        self.run += 1;
    }
}

/// The files that a command reads, and those that it writes.
fn files(words: &[String]) -> (Vec<String>, Vec<String>) {
    const ENDINGS: [&str; 9] = [
        ".h5",
        ".pkl",
        ".npz",
        ".npy",
        ".json",
        ".jsonl",
        ".toml",
        ".zip",
        ".safetensors",
    ];
    const WRITES: [&str; 6] = ["-o", "--out", "--svg", "--html", "--scores", "--log"];
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for (at, word) in words.iter().enumerate() {
        // What is to be a split: NAME=FILE.
        let of_split = word.split_once('=').filter(|_| words[0] == "prepare");
        let word = &of_split.map_or(word.clone(), |(_, path)| path.to_owned());
        let file = word.starts_with("runs/")
            || ENDINGS.iter().any(|ending| word.ends_with(ending))
            || BROUGHT.contains(&&**word);
        let after = at.checked_sub(1).map_or("", |before| &words[before]);
        if WRITES.contains(&after) || (file && words[0] == "convert" && at == 2) {
            outputs.push(word.clone());
        } else if file {
            inputs.push(word.clone());
        }
    }
    (inputs, outputs)
}

/// A synthetic set of a size that is made at once.
fn fewer_clips(words: &mut [String]) {
    if let Some(at) = words.iter().position(|word| word == "--clips") {
        words[at + 1] = "960".to_owned();
    }
}

/// Settings that let a training take a second; what goes on with a run has its own.
fn shorter(words: &[String]) -> Vec<String> {
    let has = |name: &str| words.iter().any(|word| word == name);
    let epochs = match &*words[0] {
        "pretrain" | "finetune" if !has("--resume") || has("--preset") => {
            let job = &words[0];
            format!("--set {job}.epochs=1 --set {job}.least_updates=0")
        }
        "probe" if has("--preset") => String::new(),
        "doctor" if has("--overfit") => String::new(),
        _ => return Vec::new(),
    };
    ssl_tests::documents::words(&format!("{SMALL} {epochs}"))
}

#[test]
fn the_book_can_be_typed_from_its_first_page_to_its_last() {
    let mut typed = Typed::new();
    for page in pages() {
        typed.page(&read(&root().join(page)));
    }
    assert!(typed.run >= 45, "only {} commands were run", typed.run);
}

#[test]
fn the_commands_of_the_readmes_can_be_typed() {
    for (document, least) in [("README.md", 5), ("crates/ssl-cli/README.md", 5)] {
        let mut typed = Typed::new();
        typed.page(&read(&root().join(document)));
        assert!(typed.run >= least, "{document}: {} commands", typed.run);
    }
}

#[test]
fn what_a_command_reads_and_writes_is_told_apart() {
    let of = |typed: &str| files(&words(typed));
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(
            "finetune --preset quick --data a.h5 --encoder runs/a --set reading.stream=bone --out runs/b"
        ),
        (names(&["a.h5", "runs/a"]), names(&["runs/b"]))
    );
    assert_eq!(
        of("convert a.pkl a.jsonl --layout coco17"),
        (names(&["a.pkl"]), names(&["a.jsonl"]))
    );
}
