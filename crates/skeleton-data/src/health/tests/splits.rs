//! Copies, and what is between splits.

use super::*;

#[test]
fn copies_are_found_and_compared() {
    let copy = |set: &mut Set, from: usize, to: usize| {
        let (clip, label) = (set.clips.clips[from].clone(), set.clips.clips[to].label);
        let (id, subject) = (set.clips.clips[to].id.clone(), set.clips.clips[to].subject);
        set.clips.clips[to] = Sequence {
            id,
            subject,
            label,
            ..clip
        };
    };
    let finding = only(
        Kind::Copies,
        &[6],
        "1 clip with the coordinates of an earlier clip",
        |set| copy(set, 4, 6),
    );
    assert_eq!(
        (finding.places[0].twin, finding.severity),
        (Some(4), Severity::Note)
    );

    let health = examined(|set| copy(set, 4, 7));
    let kinds: Vec<Kind> = health.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [Kind::ContradictoryLabels, Kind::Copies]);
    assert!(health.is_ill());

    // The same numbers as two people over half the frames are another clip.
    let health = examined(|set| {
        let (a, b) = (set.clips.clips[1].clone(), &mut set.clips.clips[7]);
        assert_eq!(a.frames, 6);
        (b.keypoints, b.frames, b.persons) = (a.keypoints, 3, 2);
    });
    assert_eq!(health.findings, []);
}

#[test]
fn clips_whose_hashes_collide_are_no_copies() {
    let mut set = sound();
    // The same numbers in another shape, and everything under one hash.
    let (one, other) = (set.clips.clips[1].clone(), &mut set.clips.clips[7]);
    (other.keypoints, other.frames, other.persons) = (one.keypoints, 3, 2);
    let watch = &mut |_| ControlFlow::Continue(());
    let mut survey = Survey::of(&set.clips, 0.0, 1, watch).unwrap().unwrap();
    survey.clips.iter_mut().for_each(|clip| clip.content = 7);
    let copies = clips::Copies::find(&set.clips, &survey).unwrap();
    assert!((0..16).all(|clip| copies.first(clip) == clip));
}

#[test]
fn a_test_clip_in_training_is_found_by_name_and_by_content() {
    let finding = only(
        Kind::SharedClips,
        &[8, 9],
        "2 clips both in train and in test",
        |set| {
            set.splits[0].1.extend([9, 8]);
            set.clips
                .clips
                .iter_mut()
                .for_each(|clip| clip.subject = None);
        },
    );
    assert_eq!(finding.splits, ["train", "test"]);

    let health = examined(|set| {
        let clip = set.clips.clips[4].keypoints.clone();
        set.clips.clips[10].keypoints = clip;
        set.clips.clips[10].frames = set.clips.clips[4].frames;
    });
    let kinds: Vec<Kind> = health.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [Kind::SharedPoses, Kind::Copies]);
    assert_eq!(
        health.findings[0].places,
        [Place {
            clip: 10,
            twin: Some(4)
        }]
    );
    assert_eq!(
        health.findings[0].what,
        "1 clip of test with the coordinates of clips of train"
    );
    assert_eq!(health.pairs[0].leaked, 1);
}

#[test]
fn splits_are_compared() {
    only(Kind::EmptySplit, &[], "split spare has no clip", |set| {
        set.splits.push(("spare".into(), Vec::new()))
    });
    only(
        Kind::RepeatedInSplit,
        &[3],
        "split train has 1 clip more than once",
        |set| set.splits[0].1.extend([3, 3]),
    );
    let finding = only(
        Kind::SharedSubjects,
        &[8, 9, 10, 11],
        "subject 0 is in train and in test",
        |set| {
            (8..12).for_each(|clip| set.clips.clips[clip].subject = Some(0));
        },
    );
    assert_eq!(finding.severity, Severity::Warning);
    only(
        Kind::ClassNotTrained,
        &[9, 11],
        "1 class of test that train lacks: 2 (lie)",
        |set| {
            set.clips.classes.push("lie".into());
            [9, 11]
                .into_iter()
                .for_each(|clip| set.clips.clips[clip].label = Some(2));
        },
    );
    only(
        Kind::ClassNotTested,
        &[],
        "1 class of train that test lacks: 2 (lie)",
        |set| {
            set.clips.classes.push("lie".into());
            set.clips.clips[0].label = Some(2);
        },
    );
}

#[test]
fn the_baseline_is_what_the_class_of_training_gets_right_on_the_test_split() {
    let health = examined(|set| {
        set.clips.clips[1].label = Some(0);
        [8, 10, 12]
            .into_iter()
            .for_each(|clip| set.clips.clips[clip].label = Some(1));
    });
    assert_eq!(
        health.pairs[0].baseline,
        Some(Majority {
            class: 0,
            share: 0.125
        })
    );
    assert_eq!(
        health.splits[1].majority,
        Some(Majority {
            class: 1,
            share: 0.875
        })
    );
}

#[test]
fn splits_pair_by_their_names() {
    let pairs = |names: &[&str]| -> Vec<String> {
        usual_pairs(names.iter().copied())
            .into_iter()
            .map(|(train, test)| format!("{train}-{test}"))
            .collect()
    };
    assert_eq!(
        pairs(&["test1", "test2", "train1", "train2"]),
        ["train1-test1", "train2-test2"]
    );
    assert_eq!(
        pairs(&["xview_test", "xview_test_clean", "xview_train"]),
        ["xview_train-xview_test", "xview_train-xview_test_clean"]
    );
    assert_eq!(
        pairs(&["xsub_train", "xsub_val", "xview_val", "xview_train"]),
        ["xsub_train-xsub_val", "xview_train-xview_val"]
    );
    assert_eq!(
        pairs(&["train", "val", "test", "test1", "all"]),
        ["train-val", "train-test"]
    );
    assert_eq!(pairs(&["a", "b"]), [""; 0]);
}

#[test]
fn an_unknown_split_is_refused() {
    let set = sound();
    let catalogue = Catalogue {
        labels: vec![None; 16],
        subjects: vec![None; 16],
        classes: &[],
        units: Units::Pixel,
        splits: vec![("train", &[0])],
        reading: Reading::default(),
    };
    let survey = Survey::of(&set.clips, 0.0, 1, &mut |_| ControlFlow::Continue(()))
        .unwrap()
        .unwrap();
    let error = examine(
        &set.clips,
        &survey,
        &catalogue,
        &[("train".into(), "tset".into())],
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the data set: no split named \"tset\"; it has: train"
    );
    let refused = |catalogue: &Catalogue<'_>| {
        examine(&set.clips, &survey, catalogue, &[])
            .unwrap_err()
            .to_string()
    };
    let beyond = Catalogue {
        splits: vec![("test", &[3, 16])],
        ..catalogue.clone()
    };
    assert_eq!(
        refused(&beyond),
        "setting split test: expected clips below 16, found 16"
    );
    let short = Catalogue {
        labels: vec![None; 15],
        ..catalogue
    };
    assert!(
        refused(&short).contains("catalogue.labels: expected 16"),
        "{}",
        refused(&short)
    );
}
