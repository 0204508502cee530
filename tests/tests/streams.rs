//! Streams, uniform sampling, several views of a clip, view alignment: as a user sets them.

use ssl_tests::program::Desk;
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY, Toy};

const BONES: &str = "--set reading.stream=bone --set reading.sampling=uniform";

#[test]
fn a_model_of_one_stream_is_not_fine_tuned_on_another() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(&format!(
        "pretrain --preset quick --data toy.h5 --split train --val test --out pre {PRETRAIN} {BONES}"
    ))
    .success();
    let finetune = |out: &str, more: &str| {
        desk.ssl(&format!(
            "finetune --preset quick --data toy.h5 --train train --encoder pre --out {out} {FINETUNE} {more}"
        ))
    };
    let joints = finetune("joints", "--set reading.sampling=uniform");
    joints.refused(1, &["pre", "reading.stream", "bone", "joint"]);
    assert!(
        !desk.path("joints").exists(),
        "nothing is left of a run that never started"
    );
    let otherwise = finetune("linear", "--set reading.stream=bone");
    otherwise.refused(1, &["pre", "reading", "uniform", "linear"]);
    // Views of an evaluation are no matter of what was learnt.
    finetune(
        "bones",
        &format!("{BONES} --set reading.clips=3 --holdout 0.2"),
    )
    .success();

    // The checkpoint says how clips are read, whatever the command line says.
    let predict = |how: &str| {
        desk.ssl(&format!("predict bones --data toy.h5 --json {how}"))
            .success()
            .stdout
    };
    let first = predict("--threads 1");
    assert_eq!(first, predict("--threads 2 --batch 7"));
    assert_eq!(first, predict("--batch 1"));
    let evaluated = desk
        .ssl("evaluate bones --data toy.h5 --split test --json")
        .json();
    assert_eq!(
        (&evaluated["n"], &evaluated["views"]),
        (&9.into(), &3.into())
    );
    let one = predict("--clips 1");
    assert_ne!(first, one);
    assert_eq!(one, predict("--clips 1 --batch 3"));
}

#[test]
fn uniform_sampling_is_drawn_anew_in_training_and_repeats_with_the_seed() {
    let desk = Desk::new();
    Toy { frames: 40, ..TOY }.prepare(&desk, "toy", "coco17");
    let train = |out: &str, how: &str| {
        desk.ssl(&format!(
            "pretrain --preset quick --data toy.h5 --split train --out {out} {PRETRAIN} {how} \
             --set pretrain.augment.noise=0.0"
        ))
        .success();
        desk.read(&format!("{out}/model.safetensors"))
    };
    let how = "--set reading.sampling=uniform --set reading.stream=joint-motion";
    let first = train("a", &format!("{how} --threads 1"));
    assert!(first == train("b", &format!("{how} --threads 2")));
    assert!(first != train("c", &format!("{how} --seed 2")));
}

#[test]
fn ntus_preset_aligns_views_and_names_what_it_cannot_align() {
    let desk = Desk::new();
    Toy {
        joints: 25,
        coordinates: 3,
        ..TOY
    }
    .prepare(&desk, "kinect", "ntu25");
    let short = "--set finetune.epochs=2 --set reading.frames=16 --set reading.clips=2";
    desk.ssl(&format!(
        "finetune --preset ntu3d --data kinect.h5 --train train --test test --out fine {short}"
    ))
    .success();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl(&format!(
        "finetune --preset ntu3d --data toy.h5 --train train --out flat {short}"
    ))
    .refused(
        1,
        &[
            "reading.normalization.view.origin",
            "mid_spine",
            "coco17",
            "nose",
        ],
    );
    finetune_on_lines(&desk);
    desk.ssl("pretrain --preset quick --data toy.h5 --split train --out x --set reading.clips=4")
        .refused(1, &["reading.clips", "linear"]);
}

/// A model of resized clips has one view of each.
fn finetune_on_lines(desk: &Desk) {
    desk.ssl(&format!(
        "finetune --preset quick --data toy.h5 --train train --out lines {FINETUNE}"
    ))
    .success();
    desk.ssl("evaluate lines --data toy.h5 --split test --clips 2")
        .refused(1, &["reading.clips", "linear"]);
}
