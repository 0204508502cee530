//! Settings, folders and checkpoints that don't fit: refused before anything is computed or replaced.

use ssl_tests::program::{Desk, Finished};
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY, Toy};

fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk
}

fn pretrain(desk: &Desk, more: &str) -> Finished {
    desk.ssl(&format!(
        "pretrain --data toy.h5 --split train {PRETRAIN} {more}"
    ))
}

fn finetune(desk: &Desk, more: &str) -> Finished {
    desk.ssl(&format!("finetune --preset quick {FINETUNE} {more}"))
}

#[test]
fn a_folder_in_use_is_refused_and_left_alone() {
    let desk = desk();
    std::fs::create_dir(desk.path("run")).expect("the temporary folder is writable");
    desk.write("run/thesis.tex", "years of work");
    let refused = pretrain(&desk, "--preset quick --out run");
    refused.refused(1, &["run", "thesis.tex", "--overwrite"]);
    // Not even when asked to replace a run, since this is none.
    pretrain(&desk, "--preset quick --out run --overwrite").refused(1, &["thesis.tex"]);
    assert_eq!(desk.read("run/thesis.tex"), b"years of work");
    pretrain(&desk, "--preset quick --out other").success();
    pretrain(&desk, "--preset quick --out other").refused(1, &["other"]);
    pretrain(&desk, "--preset quick --out other --overwrite").success();
}

#[test]
fn what_is_not_on_the_command_line_is_usage() {
    let desk = desk();
    for typed in [
        "",
        "pretrain",
        "pretrian --preset quick",
        "inspect",
        "evaluate x --data toy.h5",
        "pretrain --preset quick --out x --threads 0",
    ] {
        let done = desk.ssl(typed);
        assert_eq!(done.code, Some(2), "{done}");
        assert_eq!(done.stdout, "", "{done}");
    }
    for typed in ["--help", "--version", "pretrain --help"] {
        assert!(!desk.ssl(typed).success().stdout.is_empty());
    }
}

#[test]
fn unknown_presets_and_settings_are_refused_with_what_is_near() {
    let desk = desk();
    let preset = pretrain(&desk, "--preset quikc --out run");
    preset.refused(2, &["quikc", "quick", "jhmdb"]);
    let key = pretrain(&desk, "--preset quick --out run --set pretrain.epcohs=3");
    key.refused(2, &["pretrain.epcohs", "pretrain.epochs"]);
    let value = pretrain(&desk, "--preset quick --out run --set pretrain.epochs=many");
    value.refused(2, &["error: --set pretrain.epochs=many:"]);
    desk.write("mine.toml", "[pretrain]\nepochs = 1\ncolour = \"blue\"\n");
    let file = pretrain(&desk, "--config mine.toml --out run");
    file.refused(1, &["mine.toml", "colour"]);
    assert!(
        !desk.path("run").exists(),
        "nothing is left of a run that never started"
    );
}

#[test]
fn presets_print_as_files_that_are_settings_again() {
    let desk = desk();
    for preset in ["default", "quick", "jhmdb", "nw_ucla", "paper"] {
        let text = desk.ssl(&format!("preset {preset}")).success().stdout;
        desk.write("preset.toml", text);
        pretrain(
            &desk,
            &format!("--config preset.toml --out run-{preset} --set pretrain.epochs=1"),
        )
        .success();
    }
}

#[test]
fn the_resolved_settings_of_a_run_repeat_it() {
    let desk = desk();
    pretrain(&desk, "--preset quick --out a --seed 5").success();
    desk.ssl("pretrain --config a/config.toml --data toy.h5 --split train --out b")
        .success();
    assert!(desk.read("a/model.safetensors") == desk.read("b/model.safetensors"));
}

#[test]
fn an_encoder_of_other_coordinates_is_refused() {
    let desk = desk();
    pretrain(&desk, "--preset quick --out pre").success();
    Toy {
        joints: 20,
        coordinates: 3,
        ..TOY
    }
    .prepare(&desk, "kinect", "ucla20");
    let done = finetune(
        &desk,
        "--data kinect.h5 --train train --encoder pre --out fine",
    );
    done.refused(1, &["coordinates of a joint", "expected 2", "found 3"]);
    assert!(
        !desk.path("fine").exists(),
        "nothing is left of a run that never started"
    );
}

#[test]
fn a_classifier_is_refused_on_other_classes_and_skeletons() {
    let desk = desk();
    finetune(&desk, "--data toy.h5 --train train --out fine").success();
    Toy { classes: 4, ..TOY }.prepare(&desk, "more", "coco17");
    desk.ssl("evaluate fine --data more.h5 --split test")
        .refused(1, &["more.h5", "3", "4"]);
    Toy {
        joints: 20,
        coordinates: 3,
        ..TOY
    }
    .prepare(&desk, "kinect", "ucla20");
    desk.ssl("evaluate fine --data kinect.h5 --split test")
        .refused(1, &["coco17", "ucla20"]);
    desk.ssl("predict fine --data kinect.pkl")
        .refused(1, &["kinect.pkl", "17", "20"]);
}

#[test]
fn a_run_without_what_is_asked_of_it_is_refused() {
    let desk = desk();
    pretrain(&desk, "--preset quick --out pre").success();
    std::fs::create_dir(desk.path("bare")).expect("the temporary folder is writable");
    let evaluate = |run: &str| desk.ssl(&format!("evaluate {run} --data toy.h5 --split test"));
    evaluate("nowhere").refused(1, &["nowhere"]);
    evaluate("bare").refused(1, &["bare"]);
    // A pre-training run has no classifier.
    evaluate("pre").refused(1, &["pre", "finetune"]);
    finetune(
        &desk,
        "--data toy.h5 --train train --encoder nowhere --out fine",
    )
    .refused(1, &["nowhere"]);
}

#[test]
fn newer_and_damaged_checkpoints_are_refused() {
    let desk = desk();
    finetune(&desk, "--data toy.h5 --train train --out fine").success();
    let whole = desk.read("fine/model.safetensors");
    let evaluate = || desk.ssl("evaluate fine/model.safetensors --data toy.h5 --split test");

    let version = br#"\"version\":3"#;
    let place = whole
        .windows(version.len())
        .position(|window| window == version)
        .expect("checkpoints say their version");
    let mut newer = whole.clone();
    newer[place + version.len() - 1] = b'9';
    desk.write("fine/model.safetensors", newer);
    evaluate().refused(1, &["model.safetensors", "version 9", "3"]);

    for part in [0, 7, 8, 200, whole.len() / 2, whole.len() - 1] {
        desk.write("fine/model.safetensors", &whole[..part]);
        evaluate().refused(1, &["model.safetensors"]);
    }
    // A weight's last bit, too.
    for (at, byte) in [
        (0, 0xff),
        (9, b'?'),
        (place, b'?'),
        (whole.len() - 4, whole[whole.len() - 4] ^ 1),
    ] {
        let mut damaged = whole.clone();
        damaged[at] = byte;
        desk.write("fine/model.safetensors", damaged);
        evaluate().refused(1, &["model.safetensors"]);
    }
}
