//! Files as people have them, from the command line: what a file doesn't say is typed, what was typed wrongly is found.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use ssl_tests::pickle::{Py, dump, text};
use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{TOY, Toy};

const FINETUNE: &str = "--set reading.frames=8 --set finetune.epochs=1 --set model.width=16 --set model.encoder_layers=1 --set model.strl.layers=1";

/// The annotations of the tiny set, one by one.
fn annotations(toy: &Toy) -> Vec<Py> {
    let Py::Dict(mut fields) = toy.annotations() else {
        unreachable!("annotations are a dictionary");
    };
    let Py::List(clips) = fields.remove(1).1 else {
        unreachable!("annotations are a list");
    };
    clips
}

fn inspect(desk: &Desk, cache: &str) -> Value {
    desk.ssl(&format!("inspect {cache} --json")).json()
}

/// A cache of 18 clips that says no splits.
fn without_splits(desk: &Desk) {
    desk.write("list.pkl", dump(&Py::List(annotations(&TOY))));
}

#[test]
fn a_set_without_splits_gets_them_by_rules_and_has_one_of_all() {
    let desk = Desk::new();
    without_splits(&desk);
    desk.write("ids.txt", "k0t00\r\nvideos/k1t00.mp4 1\n\nnobody\n");
    let done = desk
        .ssl("prepare list.pkl -o l.h5 --layout coco17 --split few=ids.txt --split test=share:0.34 --split train=rest")
        .success();
    assert!(
        done.stderr.contains("few names 1 clip that the file lacks"),
        "{done}"
    );
    let found = inspect(&desk, "l.h5");
    let (few, test, train) = (
        &found["splits"]["few"],
        &found["splits"]["test"],
        &found["splits"]["train"],
    );
    assert_eq!((few, test), (&json!(2), &json!(9)));
    // The rest of 27 is what neither has.
    let train = train.as_u64().unwrap();
    assert!((16..=18).contains(&train), "{train}");
    assert_eq!(found["source"]["rules"]["splits"]["test"], "share:0.34");
    desk.ssl("prepare list.pkl -o bare.h5 --layout coco17")
        .success();
    let said = desk.ssl("doctor bare.h5").success();
    assert!(
        said.stdout.contains("no split") && said.stdout.contains("--holdout"),
        "{said}"
    );
    desk.ssl(&format!(
        "finetune --preset quick --data bare.h5 --train all --holdout 0.2 --out run {FINETUNE}"
    ))
    .success();
    desk.ssl("finetune --preset quick --data bare.h5 --train train --out r2")
        .refused(1, &["bare.h5", "all (every clip)"]);
    for (typed, words) in [
        ("--split train", "NAME=RULE"),
        ("--split all=rest", "`all`"),
        ("--split a=share:2", "between 0 and 1"),
        ("--split a=subject:x", "odd or even"),
        ("--split a=rest --split a=share:0.5", "twice"),
        ("--split a=rest --split b=rest", "one rest"),
        (
            "--split a=share:0.7 --split b=share:0.7",
            "no split before takes",
        ),
    ] {
        desk.ssl(&format!("prepare list.pkl -o x.h5 --layout coco17 {typed}"))
            .refused(2, &[words]);
    }
    // Shares have no clip in common, and a name says nothing of what a file is.
    desk.ssl("prepare list.pkl -o s.cache --layout coco17 --split a=share:0.2 --split b=share:0.2 --split c=rest")
        .success();
    let parts = &inspect(&desk, "s.cache")["splits"];
    let clips = ["a", "b", "c"].map(|name| parts[name].as_u64().unwrap());
    assert_eq!(clips, [5, 5, 17]);
    desk.ssl("convert s.cache s.jsonl").success();
    desk.ssl("prepare list.pkl -o x.h5 --layout coco17 --split a=subject:1")
        .refused(1, &["a=subject:1", "no clip says its number"]);
    assert!(!desk.path("x.h5").exists());
}

#[test]
fn labels_from_a_text_are_numbers_or_names() {
    let desk = Desk::new();
    without_splits(&desk);
    let ids: Vec<String> = (0..3)
        .flat_map(|k| (0..9).map(move |t| format!("k{k}t{t:02}")))
        .collect();
    let lines = |label: fn(usize) -> &'static str| -> String {
        let line = |(at, id): (usize, &String)| format!("{id}\t{}\n", label(at / 9));
        ids.iter().enumerate().map(line).collect()
    };
    desk.write("names.txt", lines(|k| ["wave hands", "clap", "kick"][k]));
    desk.ssl("prepare list.pkl -o named.h5 --layout coco17 --labels names.txt")
        .success();
    let found = inspect(&desk, "named.h5");
    let names: Vec<&str> = found["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["clap", "kick", "wave hands"],
        "in the order of the alphabet"
    );
    desk.write("numbers.txt", lines(|k| ["2", "0", "1"][k]) + "nobody\t7\n");
    let done = desk
        .ssl("prepare list.pkl -o numbered.h5 --layout coco17 --labels numbers.txt")
        .success();
    assert!(
        done.stderr.contains("1 line of no clip, the first: nobody"),
        "{done}"
    );
    assert_eq!(
        inspect(&desk, "numbered.h5")["classes"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    desk.write("classes.txt", "clap\nkick\n");
    desk.ssl("prepare list.pkl -o x.h5 --layout coco17 --labels names.txt --classes classes.txt")
        .refused(
            1,
            &["names.txt: line 1", "one of the 2 classes", "wave hands"],
        );
    desk.write("wrong.txt", "k0t00\n");
    desk.ssl("prepare list.pkl -o x.h5 --layout coco17 --labels wrong.txt")
        .refused(1, &["wrong.txt: line 1", "k0t00"]);
    desk.write("huge.txt", "k0t00 2147483647\n");
    desk.ssl("prepare list.pkl -o x.h5 --layout coco17 --labels huge.txt")
        .refused(1, &["huge.txt: line 1", "2147483647"]);
}

#[test]
fn two_files_are_two_splits_and_ids_in_both_are_refused() {
    let desk = Desk::new();
    let clips = annotations(&TOY);
    desk.write("mine_train.pkl", dump(&Py::List(clips[..20].to_vec())));
    desk.write("mine_val.pkl", dump(&Py::List(clips[20..].to_vec())));
    desk.ssl("prepare mine_train.pkl test=mine_val.pkl -o two.h5 --layout coco17")
        .success();
    assert_eq!(
        inspect(&desk, "two.h5")["splits"],
        json!({"mine_train": 20, "test": 7})
    );
    desk.ssl("prepare mine_train.pkl mine_train.pkl -o x.h5 --layout coco17")
        .refused(1, &["mine_train.pkl", "in one file only", "k0t00"]);
    desk.write("one=two.pkl", dump(&Py::List(clips[20..].to_vec())));
    desk.ssl("prepare mine_train.pkl one=two.pkl -o named.h5 --layout coco17")
        .success();
    assert_eq!(
        inspect(&desk, "named.h5")["splits"]["one=two"],
        7,
        "a file of this name"
    );
}

/// JSON lines of one clip a line, in the tiny set's joints.
fn jsonl(desk: &Desk) -> Vec<Value> {
    desk.write("toy.pkl", TOY.pickle());
    desk.ssl("convert toy.pkl toy.jsonl --layout coco17")
        .success();
    desk.lines("toy.jsonl")
}

/// `change` applied to every joint of every clip.
fn with_joints(lines: &[Value], change: impl Fn(usize, &Value) -> Value) -> String {
    let mut at = 0;
    let mut text = String::new();
    for line in lines {
        let mut line = line.clone();
        if let Some(people) = line.get_mut("keypoints").and_then(Value::as_array_mut) {
            for joint in people
                .iter_mut()
                .flat_map(|person| person.as_array_mut().unwrap())
                .flat_map(|frame| frame.as_array_mut().unwrap())
            {
                *joint = change(at, joint);
                at += 1;
            }
        }
        if let Some(first) = line
            .as_object_mut()
            .filter(|first| first.contains_key("format"))
        {
            first.remove("units");
        }
        text += &format!("{line}\n");
    }
    text
}

#[test]
fn a_score_in_the_third_column_is_found_and_can_be_named() {
    let desk = Desk::new();
    let lines = jsonl(&desk);
    let score = |at: usize| if at.is_multiple_of(10) { 0.0 } else { 0.75 };
    desk.write(
        "xys.jsonl",
        with_joints(&lines, |at, joint| json!([joint[0], joint[1], score(at)])),
    );
    for units in ["metre", "pixel", "normalised"] {
        desk.ssl(&format!("prepare xys.jsonl -o {units}.h5 --units {units}"))
            .success();
        let said = desk.ssl(&format!("doctor {units}.h5"));
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.stdout.contains("--columns x,y,score"), "{said}");
        assert!(
            !said.stdout.contains("--units"),
            "the advice leads nowhere: {said}"
        );
    }
    desk.ssl("prepare xys.jsonl -o right.h5 --columns x,y,score")
        .success();
    desk.ssl("doctor right.h5").success();
    let found = inspect(&desk, "right.h5");
    assert_eq!(
        (&found["coordinates"], &found["units"]),
        (&json!(2), &json!("pixel"))
    );
    assert_eq!(
        found["source"]["rules"]["numbers"]["columns"],
        json!(["x", "y", "score"])
    );
    // A joint of score 0 is missing.
    let share = found["missing_joints"].as_f64().unwrap();
    assert!((share - 0.1).abs() < 0.01, "{share}");
    desk.write(
        "xyzv.jsonl",
        with_joints(&lines, |_, joint| json!([joint[0], joint[1], 0.5, 0.9])),
    );
    desk.ssl("prepare xyzv.jsonl -o x.h5")
        .refused(1, &["xyzv.jsonl", "found 4 numbers", "--columns"]);
    desk.ssl("prepare xyzv.jsonl -o z.h5 --columns x,y,z,score")
        .success();
    desk.ssl("prepare xyzv.jsonl -o x.h5 --columns x,y")
        .refused(1, &["2 columns", "4 columns"]);
    let twice = desk.ssl("prepare xyzv.jsonl -o x.h5 --columns x,y,y,z");
    assert!(
        twice.code == Some(2) && twice.stderr.contains("y once"),
        "{twice}"
    );
    // A model of the right data reads the same form with the same words.
    desk.ssl(&format!(
        "finetune --preset quick --data right.h5 --train train --out run {FINETUNE}"
    ))
    .success();
    desk.ssl("predict run --data xys.jsonl")
        .refused(1, &["xys.jsonl", "--columns x,y,score"]);
    let answers = desk
        .ssl("predict run --data xys.jsonl --columns x,y,score --json")
        .json();
    assert_eq!(
        answers,
        desk.ssl("predict run --data right.h5 --json").json()
    );
}

#[test]
fn marks_and_millimetres_are_found_and_read() {
    let desk = Desk::new();
    let lines = jsonl(&desk);
    let lost = |at: usize| at * 7 % 100 < 30;
    for mark in [-1.0, 999.0] {
        desk.write(
            "marked.jsonl",
            with_joints(&lines, |at, joint| match lost(at) {
                true => json!([mark, mark]),
                false => joint.clone(),
            }),
        );
        desk.ssl("prepare marked.jsonl -o wrong.h5 --overwrite")
            .success();
        let said = desk.ssl("doctor wrong.h5").success();
        let words = format!("30 % of all joints are at exactly ({mark}, {mark})");
        assert!(said.stdout.contains(&words), "{said}");
        desk.ssl(&format!(
            "prepare marked.jsonl -o right.h5 --missing {mark} --overwrite"
        ))
        .success();
        let share = inspect(&desk, "right.h5")["missing_joints"]
            .as_f64()
            .unwrap();
        assert!((share - 0.3).abs() < 0.01, "{share}");
        assert!(
            !desk
                .ssl("doctor right.h5")
                .success()
                .stdout
                .contains("exactly")
        );
    }
    let done = desk
        .ssl("prepare toy.jsonl -o none.h5 --missing -5")
        .success();
    assert!(done.stderr.contains("no joint has this value"), "{done}");
    desk.write(
        "space.jsonl",
        with_joints(&lines, |_, joint| json!([joint[0], joint[1], 1500.0])),
    );
    desk.ssl("prepare space.jsonl -o mm.h5 --units metre")
        .success();
    let said = desk.ssl("doctor mm.h5");
    assert!(said.stdout.contains("--units millimetre"), "{said}");
    desk.ssl("prepare space.jsonl -o m.h5 --units millimetre")
        .success();
    assert_eq!(inspect(&desk, "m.h5")["units"], "metre");
    assert!(!desk.ssl("doctor m.h5").stdout.contains("units"));
}

/// Types lines into a running `ssl`.
fn piped(desk: &Desk, typed: &str, text: &str) -> Finished {
    let mut child = desk
        .command(typed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that refuses the first lines reads no more.
        let _ = stdin.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    Finished::new(typed.to_owned(), output)
}

#[test]
fn clips_from_a_pipe_are_answered_as_they_come() {
    let desk = Desk::new();
    let lines = jsonl(&desk);
    desk.ssl("prepare toy.jsonl -o toy.h5").success();
    desk.ssl(&format!(
        "finetune --preset quick --data toy.h5 --train train --out run {FINETUNE}"
    ))
    .success();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let whole = desk
        .ssl("predict run --data toy.jsonl --json --batch 1")
        .json();
    let done = piped(&desk, "predict run --data - --json", &text).success();
    let answers: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut sorted = answers.clone();
    sorted.sort_by_key(|answer| answer["id"].as_str().unwrap().to_owned());
    assert_eq!(Value::from(sorted), whole);
    let order: Vec<&Value> = lines
        .iter()
        .map(|line| &line["id"])
        .filter(|id| id.is_string())
        .collect();
    assert!(
        answers.iter().map(|answer| &answer["id"]).eq(order),
        "in the order of the lines"
    );
    #[cfg(target_os = "linux")]
    assert_eq!(
        piped(&desk, "predict run --data /dev/stdin --json", &text)
            .success()
            .stdout,
        done.stdout
    );

    // One at a time: the answer is there before the next clip is.
    use std::io::{BufRead as _, BufReader};
    let mut child = desk
        .command("predict run --data -")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    writeln!(stdin, "{}", lines[0]).unwrap();
    for line in lines.iter().filter(|line| line["id"].is_string()).take(3) {
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        assert!(answer.starts_with(line["id"].as_str().unwrap()), "{answer}");
    }
    // A clip that shows nobody, and then a line that is none.
    let nobody = json!({"id": "nobody", "keypoints": [], "frames": 3});
    writeln!(stdin, "{nobody}").unwrap();
    let mut answer = String::new();
    stdout.read_line(&mut answer).unwrap();
    assert_eq!(answer, "nobody\t-\n");
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let first = lines[0].to_string();
    piped(
        &desk,
        "predict run --data -",
        &format!("{first}\n{{\"id\": \"a\"}}\n"),
    )
    .refused(1, &["standard input: line 2", "keypoints"]);
    piped(&desk, "predict run --data -", "").refused(1, &["standard input: line 1"]);
    piped(&desk, "predict run --data - --split test", &first).refused(2, &["--split"]);
    let other = json!({"id": "a", "keypoints": [[[[1, 2]]]]});
    piped(
        &desk,
        "predict run --data -",
        &format!("{{\"format\": \"skeleton-clips\", \"version\": 1}}\n{other}\n"),
    )
    .refused(1, &["17 joints", "found 1 of 2"]);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_for_a_clip() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(&format!(
        "finetune --preset quick --data toy.h5 --train train --out run {FINETUNE}"
    ))
    .success();
    let mut child = desk
        .command("predict run --data -")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    // Open until the program has ended.
    let stdin = child.stdin.take();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let killed = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status();
    assert!(killed.expect("kill is there").success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    drop(stdin);
}

#[test]
fn a_fine_tuning_takes_the_settings_of_its_encoders_run() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    // One script, the same settings for both.
    let sets = "--set pretrain.epochs=1 --set finetune.epochs=1 --set model.strl.layers=1";
    let own = "--set reading.frames=8 --set model.width=16 --set model.encoder_layers=1";
    let done = desk
        .ssl(&format!(
            "pretrain --preset jhmdb --data toy.h5 --split train --out pre {sets} {own}"
        ))
        .success();
    assert!(
        done.stderr.contains("no use for the section finetune"),
        "{done}"
    );
    let done = desk
        .ssl(&format!(
            "finetune --data toy.h5 --train train --encoder pre --out fine {sets}"
        ))
        .success();
    assert!(done.stderr.contains("settings: preset jhmdb"), "{done}");
    desk.ssl(&format!(
        "finetune --preset jhmdb --data toy.h5 --train train --encoder pre --out typed {sets} {own}"
    ))
    .success();
    assert_eq!(
        desk.read("fine/config.toml"),
        desk.read("typed/config.toml")
    );
    assert_eq!(
        desk.read("fine/model.safetensors"),
        desk.read("typed/model.safetensors")
    );
    // A run of a file's settings has no preset.
    let config = String::from_utf8(desk.read("pre/config.toml")).unwrap();
    desk.write("mine.toml", config.replace("preset = \"jhmdb\"\n", ""));
    desk.ssl("pretrain --config mine.toml --out other")
        .success();
    desk.ssl("finetune --data toy.h5 --train train --encoder other --out x")
        .refused(2, &["--preset NAME or --config FILE", "other"]);
}

#[test]
fn people_who_act_are_read_when_asked_for() {
    let desk = Desk::new();
    // Two people who stand still before the one who acts.
    let mut clips = Vec::new();
    for clip in annotations(&TOY) {
        let Py::Dict(mut fields) = clip else {
            unreachable!("a clip is a dictionary");
        };
        for (name, value) in &mut fields {
            if let (&mut "keypoint", Py::Array { shape, values }) = (name, value) {
                let frame = shape[2] * shape[3];
                let still: Vec<f32> = values[..frame].repeat(shape[1]);
                let further: Vec<f32> = still.iter().map(|x| x + 500.0).collect();
                *values = [still, further, std::mem::take(values)].concat();
                shape[0] = 3;
            }
        }
        clips.push(Py::Dict(fields));
    }
    let ids = |range: std::ops::Range<usize>| {
        (0..3)
            .flat_map(|k| range.clone().map(move |t| text(&format!("k{k}t{t:02}"))))
            .collect()
    };
    let split = Py::Dict(vec![
        ("train", Py::List(ids(0..6))),
        ("test", Py::List(ids(6..9))),
    ]);
    desk.write(
        "by.pkl",
        dump(&Py::Dict(vec![
            ("split", split),
            ("annotations", Py::List(clips)),
        ])),
    );
    desk.ssl("prepare by.pkl -o by.h5 --layout coco17")
        .success();
    let said = desk.ssl("doctor by.h5").success();
    for words in [
        "27 clips with more people than reading.persons = 2",
        "0 % of the motion",
        "reading.people=motion",
    ] {
        assert!(said.stdout.contains(words), "{said}");
    }
    let features = |people: &str| {
        let typed = format!(
            "finetune --preset quick --data by.h5 --train train --out {people} --set reading.persons=1 --set reading.people={people} {FINETUNE}"
        );
        desk.ssl(&typed).success();
        desk.read(&format!("{people}/model.safetensors"))
    };
    assert_ne!(features("presence"), features("motion"));
    let config = String::from_utf8(desk.read("motion/config.toml")).unwrap();
    assert!(config.contains("people = \"motion\""), "{config}");
    desk.ssl(&format!("finetune --preset quick --data by.h5 --train train --out x --set reading.people=fame {FINETUNE}"))
        .refused(2, &["reading.people", "presence"]);
}
