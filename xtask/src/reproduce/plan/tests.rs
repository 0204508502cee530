//! Which runs cells need.

use std::path::PathBuf;

use super::*;
use crate::reproduce::data::Set;
use crate::reproduce::job::Folder;
use crate::reproduce::known;
use crate::reproduce::rate::Batches;
use crate::reproduce::scale::{Scale, ScaleName};
use crate::reproduce::ssl::{Facts, Part};

const PARTS: [&str; 6] = [
    "head",
    "torso",
    "left arm",
    "right arm",
    "left leg",
    "right leg",
];

fn set(name: &str, layout: &str, joints: usize, splits: &[&str], parts: &[&str]) -> Set {
    let part = |name: &&str| Part {
        name: (*name).to_owned(),
        joints: Vec::new(),
    };
    Set {
        name: name.to_owned(),
        path: PathBuf::from(format!("/data/{name}.h5")),
        facts: Facts {
            dataset: name.to_owned(),
            layout: layout.to_owned(),
            joints,
            coordinates: 2,
            units: "normalised".to_owned(),
            splits: splits.iter().map(|&split| (split.to_owned(), 10)).collect(),
            parts: parts.iter().map(part).collect(),
            tracks: BTreeMap::from([(1, 10)]),
            digest: format!("digest of {name}"),
        },
    }
}

fn jhmdb() -> Set {
    set(
        "jhmdb14",
        "jhmdb15",
        15,
        &["train1", "test1", "train2", "test2"],
        &PARTS,
    )
}

fn planned(ids: &[&str], scale: ScaleName, sets: &[Set], seeds: &[u64], wrong: &[String]) -> Plan {
    let scale = Scale::read(scale).expect("the scales are valid");
    let planner = Planner {
        scale: &scale,
        sets,
        seeds,
        holdout: None,
        presets: &BTreeMap::new(),
        batches: &Batches::default(),
        wrong,
        program: "ssl 1",
        folder: &Folder::at("/out".into()),
    };
    let mut plan = Plan::default();
    for id in ids {
        let known = known().expect("the experiments are valid");
        let experiment = known.into_iter().find(|one| one.id == *id).expect(id);
        planner.add(experiment, &mut plan);
    }
    plan
}

fn kinds(plan: &Plan, kind: &str) -> usize {
    plan.jobs
        .keys()
        .filter(|name| name.starts_with(kind))
        .count()
}

#[test]
fn cells_share_their_pre_training_and_tables_their_runs() {
    let one = planned(&["table5a"], ScaleName::Small, &[jhmdb()], &[0, 1], &[]);
    // M doesn't matter to pre-training; five cells are fine-tuned, one of them from scratch; two seeds.
    assert_eq!((kinds(&one, "pretrain"), kinds(&one, "finetune")), (2, 10));
    let both = planned(
        &["table5a", "table4c"],
        ScaleName::Small,
        &[jhmdb()],
        &[0, 1],
        &[],
    );
    // M = 3 is GIN with the right arm masked.
    assert_eq!(
        (kinds(&both, "pretrain"), kinds(&both, "finetune")),
        (36, 44)
    );
    for job in both.jobs.values() {
        assert!(
            job.after
                .as_ref()
                .is_none_or(|name| both.jobs.contains_key(name))
        );
    }
}

#[test]
fn a_name_follows_data_seed_settings_and_the_encoder() {
    let names = |sets: &[Set], seed, wrong: &[String]| -> Vec<String> {
        let plan = planned(&["table1"], ScaleName::Small, sets, &[seed], wrong);
        plan.jobs.into_keys().collect()
    };
    let base = names(&[jhmdb()], 0, &[]);
    assert_eq!(base, names(&[jhmdb()], 0, &[]));
    let mut other = jhmdb();
    other.facts.digest = "another".to_owned();
    let mut moved = jhmdb();
    moved.path = "/elsewhere/x.h5".into();
    assert_eq!(
        base,
        names(&[moved], 0, &[]),
        "where a file is doesn't matter"
    );
    // A setting of the pre-training alone changes the fine-tuning's name too, through the encoder.
    for changed in [
        names(&[other], 0, &[]),
        names(&[jhmdb()], 1, &[]),
        names(&[jhmdb()], 0, &["pretrain.epochs=1".to_owned()]),
    ] {
        assert!(
            base.iter().all(|name| !changed.contains(name)),
            "{changed:?}"
        );
    }
}

#[test]
fn a_part_that_a_skeleton_lacks_is_said_and_nothing_is_put_in_its_place() {
    let legless = set("jhmdb14", "mine", 9, &["train1", "test1"], &PARTS[..4]);
    let plan = planned(&["table4c"], ScaleName::Small, &[legless], &[0], &[]);
    let cells = &plan.experiments[0].cells;
    let whys: Vec<&String> = cells
        .iter()
        .filter_map(|cell| cell.runs.as_ref().err())
        .collect();
    assert_eq!((cells.len(), whys.len()), (18, 6));
    assert!(whys[0].contains("no left leg"), "{whys:?}");
    assert_eq!(kinds(&plan, "pretrain"), 12);
}

#[test]
fn what_is_not_here_is_said_with_what_it_takes() {
    let plan = planned(
        &["figure5", "table2"],
        ScaleName::Small,
        &[jhmdb()],
        &[0],
        &[],
    );
    assert!(plan.jobs.is_empty());
    let why = |at: usize, cell: usize| {
        plan.experiments[at].cells[cell]
            .runs
            .as_ref()
            .expect_err("no data")
    };
    assert!(
        why(0, 0).contains("same joints") && why(0, 0).contains("ntu60_2d"),
        "{}",
        why(0, 0)
    );
    assert!(why(1, 1).contains("--data nw_ucla=FILE"), "{}", why(1, 1));
}

#[test]
fn transfer_wants_the_same_joints() {
    let gym = set("gym99", "coco17", 17, &["train", "val"], &PARTS);
    let ntu = |layout: &str| set("ntu60_2d", layout, 17, &["xsub_train", "xsub_val"], &PARTS);
    let same = planned(
        &["figure5"],
        ScaleName::Paper,
        &[gym.clone(), ntu("coco17")],
        &[0],
        &[],
    );
    // Six parts, pre-trained here and there; NTU 120 isn't given.
    assert_eq!(
        (kinds(&same, "pretrain"), kinds(&same, "finetune")),
        (12, 12)
    );
    let other = planned(
        &["figure5"],
        ScaleName::Paper,
        &[gym, ntu("other")],
        &[0],
        &[],
    );
    assert_eq!(kinds(&other, "finetune"), 6);
    let why = other.experiments[0].cells[0]
        .runs
        .as_ref()
        .expect_err("another skeleton");
    assert!(
        why.contains("same joints") && why.contains("gym99 has coco17"),
        "{why}"
    );
}

#[test]
fn protocols_are_probes_and_few_labels() {
    let plan = planned(&["protocols"], ScaleName::Small, &[jhmdb()], &[0], &[]);
    assert_eq!(
        (
            kinds(&plan, "pretrain"),
            kinds(&plan, "probe"),
            kinds(&plan, "finetune")
        ),
        (1, 4, 4)
    );
    let args = |word: &str| {
        plan.jobs
            .values()
            .filter(|job| job.args.iter().any(|arg| arg == word))
            .count()
    };
    assert_eq!((args("--labels"), args("knn"), args("linear")), (2, 2, 2));
    let probes = plan
        .jobs
        .values()
        .filter(|job| job.name.starts_with("probe"));
    for job in probes {
        let has = |word: &str| job.args.iter().any(|arg| arg == word);
        assert_ne!(has("--encoder"), has("--preset"), "{:?}", job.args);
    }
}
