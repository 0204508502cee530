use std::fs;

use super::*;

/// The folder of a fine-tuning after `epochs` of two.
fn folder(epochs: usize, tested: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "run.json",
        r#"{"command":"finetune","seed":3,"commit":"0","data":{"dataset":"toy","digest":"00"},"device":"cpu","threads":1,
        "instruction_set":"x","encoder":null,"epochs":2,"versions":{"ssl":"0","candle":"0","rustc":"0","target":"0"}}"#,
    );
    write(
        "config.toml",
        "[run]\nseed = 3\ntrain = \"a\"\ntest = \"b\"\ndata = \"/home/me/x.h5\"\n[finetune]\nepochs = 2\n[finetune.optimizer]\nlr = 0.1\n",
    );
    let line =
        |epoch: usize| format!("{{\"epoch\":{epoch},\"loss\":0.5,\"val_top1\":0.25,\"lr\":0.1}}\n");
    let timing = |epoch: usize| {
        format!(
            "{{\"epoch\":{epoch},\"train_seconds\":1.0,\"clips_per_second\":9.0,\"seconds\":2.0,\"ended\":100{epoch}.5}}\n"
        )
    };
    write("metrics.jsonl", &(1..=epochs).map(line).collect::<String>());
    write(
        "timings.jsonl",
        &(1..=epochs).map(timing).collect::<String>(),
    );
    if tested {
        write("model.safetensors", "");
        write(
            "test.json",
            r#"{"dataset":"toy","split":"b","digest":"00","n":4,"unlabelled":0,"views":1,"top1":0.5,"top5":1.0,
            "mean_class":0.5,"confusion":[[1,1],[1,1]],"classes":["a|b","c"]}"#,
        );
    }
    folder
}

fn made(folder: &Path) -> (PathBuf, bool) {
    convert(&Record::read(folder).unwrap()).unwrap()
}

/// The data of the records, each of which is whole.
fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        found.push(&rest[12..12 + length]);
        rest = &rest[16 + length..];
    }
    found
}

fn has(data: &[u8], text: &str) -> bool {
    data.windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn a_record_an_epoch_then_the_measurement() {
    let folder = folder(2, true);
    let (path, changed) = made(folder.path());
    assert!(changed);
    let name = path.file_name().unwrap().to_str().unwrap();
    // The first epoch ended at 1001.5 and took 2 seconds.
    assert!(name.starts_with("events.out.tfevents.999."), "{name}");
    let bytes = fs::read(&path).unwrap();
    let records = records(&bytes);
    assert_eq!(records.len(), 5);
    assert!(has(records[0], "brain.Event:2"));
    assert!(has(records[1], "_hparams_/session_start_info"));
    assert!(has(records[1], "finetune.optimizer.lr") && !has(records[1], "/home/me"));
    for (at, step) in [(2, 1), (3, 2)] {
        for tag in [
            "train/loss",
            "val/top1",
            "train/learning_rate",
            "time/epoch_seconds",
        ] {
            assert!(has(records[at], tag), "{tag}");
        }
        // The wall time, then field 2: the step.
        let wall = f64::from_le_bytes(records[at][1..9].try_into().unwrap());
        assert_eq!(
            (wall, &records[at][9..11]),
            (1000.5 + f64::from(step), &[0x10, step as u8][..])
        );
    }
    for tag in [
        "test/top1",
        "test/confusion",
        "PNG",
        "session_end_info",
        "a\\|b",
    ] {
        assert!(has(records[4], tag), "{tag}");
    }
    assert!(!made(folder.path()).1, "nothing is new");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_file_is_brought_up_to_the_run_whatever_it_holds() {
    let folder = folder(2, true);
    let (path, _) = made(folder.path());
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, 20, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(made(folder.path()).1, "{length}");
        assert!(fs::read(&path).unwrap() == whole, "{length}");
    }
    let longer = [&whole[..], b"half a rec"].concat();
    let mut other = whole.clone();
    other[30] ^= 1;
    for bytes in [longer, other] {
        fs::write(&path, &bytes).unwrap();
        assert!(made(folder.path()).1);
        assert!(fs::read(&path).unwrap() == whole);
    }
}

/// An epoch of which the run has no state is taken back.
#[test]
fn a_run_that_goes_back_takes_its_events_with_it() {
    let before = folder(1, false);
    let (path, _) = made(before.path());
    let one = fs::read(&path).unwrap();
    assert_eq!(records(&one).len(), 3);
    let after = folder(2, false);
    let two = fs::read(made(after.path()).0).unwrap();
    assert!(two.starts_with(&one) && two.len() > one.len());
    fs::write(&path, &two).unwrap();
    made(before.path());
    assert!(fs::read(&path).unwrap() == one);
}

#[test]
fn what_is_added_is_what_would_be_made() {
    let (one, two) = (folder(1, false), folder(2, false));
    let (mut open, _) = Open::of(&Record::read(one.path()).unwrap()).unwrap();
    let record = Record::read(two.path()).unwrap();
    let timing = record.timings[1];
    open.add(&epoch(&record.epochs[1], Some(&timing), timing.ended))
        .unwrap();
    let whole = fs::read(made(two.path()).0).unwrap();
    assert!(fs::read(&open.path).unwrap() == whole);
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed() {
    let folder = folder(1, false);
    fs::write(folder.path().join("thesis"), "years").unwrap();
    let link = folder.path().join("events.out.tfevents.1.x");
    std::os::unix::fs::symlink("thesis", link).unwrap();
    assert!(convert(&Record::read(folder.path()).unwrap()).is_err());
    assert_eq!(
        fs::read_to_string(folder.path().join("thesis")).unwrap(),
        "years"
    );
}
