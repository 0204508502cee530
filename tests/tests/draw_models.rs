//! What a model makes of clips: features, their plane, reconstructions, confusions.

use serde_json::Value;
use ssl_tests::program::Desk;
use ssl_tests::toy::TOY;

const SMALL: &str = "--set reading.frames=8 --set model.width=16";

/// A folder with the toy set, a pre-training `pre` and a classifier `fine`.
fn trained() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(&format!(
        "pretrain --preset quick --data toy.h5 --split train --out pre {SMALL} --set pretrain.epochs=2"
    ))
    .success();
    desk.ssl(&format!(
        "finetune --preset quick --data toy.h5 --train train --encoder pre --out fine {SMALL} --set finetune.epochs=2"
    ))
    .success();
    desk
}

fn text(desk: &Desk, name: &str) -> String {
    String::from_utf8(desk.read(name)).expect("SVG is UTF-8")
}

#[test]
fn features_are_a_line_a_clip_and_their_plane_is_drawn() {
    let desk = trained();
    let clips = TOY.classes * (TOY.clips / 2);
    for (run, width) in [("pre", 5 * 16), ("fine", 16)] {
        let command =
            format!("represent {run} --data toy.h5 --split test --out {run}.jsonl --svg {run}.svg");
        let said = desk.ssl(&command).success();
        assert!(said.stdout.contains("of the variance"), "{said}");
        let lines = desk.lines(&format!("{run}.jsonl"));
        assert_eq!(lines.len(), clips);
        for line in &lines {
            let feature = line["feature"].as_array().expect("numbers");
            assert_eq!(feature.len(), width, "{run}");
            assert!(
                line["id"].as_str().is_some_and(|id| id.starts_with('k')),
                "{line}"
            );
        }
        let svg = text(&desk, &format!("{run}.svg"));
        // A mark a clip, and one a class in the legend: circles, squares and triangles.
        assert_eq!(svg.matches("<circle").count(), TOY.clips / 2 + 1, "{svg}");
        desk.ssl(&command)
            .refused(1, &["expected no such file", "--overwrite"]);
        desk.ssl(&format!("{command} --overwrite --threads 2"))
            .success();
        assert_eq!(
            svg,
            text(&desk, &format!("{run}.svg")),
            "the same whatever the threads"
        );
    }
    desk.ssl("represent pre --data toy.h5 --split test --svg x.svg --out x.jsonl --classes nobody")
        .refused(2, &["nobody"]);
    assert!(!desk.path("x.jsonl").exists());
}

#[test]
fn a_reconstruction_changes_hidden_joints_and_no_other() {
    let desk = trained();
    let command = "reconstruct pre --data toy.h5 --split test --parts head --json";
    let found = desk.ssl(&format!("{command} --svg clip.svg")).json();
    let hidden: Vec<&str> = names(&found["hidden"]);
    assert_eq!(hidden.len(), 5, "the head has five joints: {hidden:?}");
    let joints = names(&found["joints"]);
    let coordinates = |key: &str| -> Vec<f64> {
        let values = found[key].as_array().expect("numbers").iter();
        values
            .map(|value| value.as_f64().expect("a number"))
            .collect()
    };
    let (truth, made) = (coordinates("truth"), coordinates("reconstruction"));
    assert_eq!(truth.len(), 8 * 17 * 2);
    for (at, (truth, made)) in truth.chunks(2).zip(made.chunks(2)).enumerate() {
        let joint = joints[at % 17];
        assert_eq!(truth != made, hidden.contains(&joint), "{joint}");
    }
    // The error that is said is that of the coordinates.
    let far = truth
        .chunks(2)
        .zip(made.chunks(2))
        .filter(|(truth, made)| truth != made);
    let far: Vec<f64> = far
        .map(|(a, b)| ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt())
        .collect();
    let mean = far.iter().sum::<f64>() / far.len() as f64;
    assert_eq!(found["reconstructed"], far.len());
    assert!(
        (mean - found["error"].as_f64().expect("an error")).abs() < 1e-4,
        "{mean}"
    );
    let svg = text(&desk, "clip.svg");
    assert!(
        svg.contains("class=\"mark\"") && svg.contains("class=\"ghost\""),
        "{svg}"
    );
    assert!(svg.contains("hidden: head (5 joints)"), "{svg}");

    desk.ssl("reconstruct pre --data toy.h5 --split test --parts tail --svg x.svg")
        .refused(2, &["\"tail\"", "left leg"]);
    desk.ssl("reconstruct fine --data toy.h5 --split test --svg x.svg")
        .refused(1, &["fine"]);
    desk.ssl("reconstruct pre --data toy.h5 --clip nobody --svg x.svg")
        .refused(1, &["nobody"]);
}

#[test]
fn a_confusion_is_drawn_with_the_numbers_that_are_said() {
    let desk = trained();
    let found = desk
        .ssl("evaluate fine --data toy.h5 --split test --json --svg confusion.svg")
        .json();
    let svg = text(&desk, "confusion.svg");
    let counts = found["confusion"].as_array().expect("rows").iter();
    let counts = counts.flat_map(|row| row.as_array().expect("a row"));
    let some = counts.filter(|count| count.as_u64() > Some(0)).count();
    assert_eq!(svg.matches("mid small").count(), some, "{svg}");
    desk.ssl("evaluate fine --data toy.h5 --split test --svg confusion.svg")
        .refused(1, &["expected no such file"]);
}

fn names(value: &Value) -> Vec<&str> {
    let names = value.as_array().expect("names").iter();
    names.map(|name| name.as_str().expect("a name")).collect()
}
