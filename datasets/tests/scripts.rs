//! The scripts of the documentation, and the real pickles where they are, against the facts. Both
//! need Python with numpy, found as `SSL_TEST_PYTHON` or `python3`; without it these are skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use skeleton_datasets::find;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A Python that has numpy.
fn python() -> Option<String> {
    let python = std::env::var("SSL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import numpy"]).output();
    let usable = found.is_ok_and(|output| output.status.success());
    if !usable {
        eprintln!("skipped: {python} with numpy is not here");
    }
    usable.then_some(python)
}

/// What Python prints; it must succeed.
fn output(python: &str, arguments: &[&str]) -> String {
    let output = Command::new(python)
        .args(arguments)
        .output()
        .expect("Python ran before");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).expect("the scripts print UTF-8")
}

#[test]
fn the_scripts_make_what_they_say() {
    let script = repository().join("docs/data/test_scripts.py");
    if !script.exists() {
        eprintln!("skipped: the crate is outside its repository");
        return;
    }
    if let Some(python) = python() {
        let printed = output(&python, &[&script.to_string_lossy()]);
        let ready = "jhmdb14: ok\nnw_ucla: ok\n";
        match printed.strip_prefix(ready) {
            Some("utd_mhad: ok\n") => {}
            Some("utd_mhad: skipped: no scipy\n") => {
                eprintln!("skipped: {python} has no scipy, which utd_mhad.py needs");
            }
            _ => panic!("{printed}"),
        }
    }
}

/// Prints the number of clips, the joints and coordinates found, the number of labels, then the
/// splits by name.
const SURVEY: &str = "
import pickle, sys
content = pickle.load(open(sys.argv[1], 'rb'))
clips = content['annotations']
shapes = {clip['keypoint'].shape[2:] for clip in clips}
print(len(clips), *sorted(shapes), len({clip['label'] for clip in clips}))
for name, ids in content['split'].items(): print(name, len(ids))
";

fn survey(name: &str) {
    let pickle: PathBuf = repository().join(format!("../shared/data/{name}.pkl"));
    if !pickle.exists() {
        eprintln!("skipped: {} is not here", pickle.display());
        return;
    }
    let Some(python) = python() else { return };
    let set = find(name).unwrap();
    let layout = skeleton_graph::Layout::built_in(&set.layout).unwrap();
    let mut expected = format!(
        "{} ({}, {}) {}\n",
        set.clips.unwrap(),
        layout.len(),
        set.coordinates,
        set.classes.len()
    );
    for split in &set.splits {
        expected.push_str(&format!("{} {}\n", split.name, split.clips.unwrap()));
    }
    assert_eq!(
        output(&python, &["-c", SURVEY, &pickle.to_string_lossy()]),
        expected
    );
}

#[test]
fn jhmdb14_is_as_described() {
    survey("jhmdb14");
}

#[test]
fn nw_ucla_is_as_described() {
    survey("nw_ucla");
}

#[test]
fn utd_mhad_is_as_described() {
    survey("utd_mhad");
}
