//! What tables look like.

use std::collections::BTreeMap;

use skeleton_datasets::paper::experiments;

use super::*;
use crate::reproduce::numbers::Seeded;
use crate::reproduce::scale::StandIn;

fn planned(id: &str) -> Planned {
    let experiment = experiments().iter().find(|one| one.id == id).expect(id);
    let clips = StandIn {
        of: "gym99/train".into(),
        set: "jhmdb14".into(),
        train: "train1".into(),
        test: "test1".into(),
    };
    let cell = |cell| PlannedCell {
        cell,
        clips: Some(clips.clone()),
        runs: Ok(Vec::new()),
    };
    Planned {
        experiment,
        cells: experiment.cells.iter().map(cell).collect(),
    }
}

/// The cells' accuracies are 70 and 72 with two seeds; the last cell was not made.
fn table<'a>(planned: &'a Planned, scale: ScaleName) -> Table<'a> {
    let seeded = |seed, accuracy| Seeded {
        seed,
        accuracy,
        best: None,
        clips: 176,
        pretext: None,
    };
    let numbers = |at: usize| match at + 1 == planned.cells.len() {
        true => Err("its skeleton has no right leg".to_owned()),
        false => Ok(Numbers {
            values: vec![seeded(0, 70.0), seeded(1, 72.0)],
        }),
    };
    let row = |(at, cell)| Row {
        planned: cell,
        numbers: numbers(at),
        as_in_paper: scale == ScaleName::Paper,
    };
    Table {
        planned,
        scale,
        about: "Small.",
        seeds: &[0, 1],
        rows: planned.cells.iter().enumerate().map(row).collect(),
        sets: Vec::new(),
        runs: BTreeMap::new(),
        commits: vec!["abc".into()],
        machine: &[],
        remarks: &[],
        drawings: Vec::new(),
        command: "cargo xtask reproduce table4c --scale small",
    }
}

#[test]
fn the_page_has_ours_beside_the_papers_and_no_difference_across_data() {
    let planned = planned("table4c");
    let page = table(&planned, ScaleName::Small).markdown();
    assert!(page.contains("| GAT | 71.0 ± 1.4 (86.8) |"), "{page}");
    assert!(
        page.contains("| GIN | right arm | jhmdb14 test1 | 71.0 ± 1.4 | 2 | 91.2 |  |"),
        "{page}"
    );
    assert!(
        page.contains("not made: its skeleton has no right leg"),
        "{page}"
    );
    assert!(
        page.contains("no difference is formed") && page.contains("Seeds 0, 1."),
        "{page}"
    );
}

#[test]
fn with_the_papers_data_a_difference_is_shown() {
    let planned = planned("table5a");
    let table = table(&planned, ScaleName::Paper);
    let page = table.markdown();
    assert!(
        page.contains("| M = 1 | FineGym | jhmdb14 test1 | 71.0 ± 1.4 | 2 | 89.1 | -18.1 |"),
        "{page}"
    );
    let csv = table.csv();
    assert!(
        csv.contains(
            "table5a,paper,M = 1,FineGym,jhmdb14 test1,71.0000,1.4142,2,,89.1000,-18.1000,\n"
        ),
        "{csv}"
    );
    assert!(csv.contains("\"M = 3, without pre-training\""), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&table.json()).expect("one document");
    assert_eq!(json["cells"][0]["values"][1]["accuracy"], 72.0);
    assert_eq!(
        json["cells"][4]["not_made"],
        "its skeleton has no right leg"
    );
}

#[test]
fn a_number_that_is_not_known_is_not_invented() {
    let planned = planned("table3");
    let page = table(&planned, ScaleName::Paper).markdown();
    assert!(
        page.contains("| not known |") && page.contains("not legible"),
        "{page}"
    );
}

#[test]
fn times_are_spelt() {
    assert_eq!(
        [7.31, 125.0, 3780.0].map(spell),
        ["7.3 s", "2 min 05 s", "1 h 03 min"]
    );
}

#[test]
fn bars_are_drawn_for_what_was_made() {
    let planned = planned("figure5");
    let svg = crate::reproduce::bars::bars(&table(&planned, ScaleName::Ci));
    // 24 cells of which one was not made, four rows in the legend, the background.
    assert_eq!(svg.matches("<rect").count(), 23 + 4 + 1, "{svg}");
    assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
}
