//! The paper's numbers as they were read.

use super::*;

fn cell(id: &str, row: &str, column: &str) -> &'static Cell {
    let experiment = experiments().iter().find(|one| one.id == id).expect(id);
    let found = experiment
        .cells
        .iter()
        .find(|cell| cell.row == row && cell.column == column);
    found.unwrap_or_else(|| panic!("{id} has {row}, {column}"))
}

#[test]
fn every_table_and_figure_is_there_once() {
    let ids: Vec<&str> = experiments().iter().map(|one| one.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "table1", "table2", "table3", "table4a", "table4b", "table4c", "table5a", "table5b",
            "figure4a", "figure4c", "figure5", "figure6"
        ]
    );
}

#[test]
fn numbers_stand_with_what_was_different() {
    let gat = cell("table4c", "GAT", "right leg");
    assert_eq!((gat.value, gat.setup.backbone), (Some(90.0), Backbone::Gat));
    assert_eq!(gat.setup.masked, Masked::Parts(vec!["right leg".into()]));
    assert_eq!(
        (gat.metric, gat.clips.set.as_str()),
        (Metric::MeanClass, "gym99")
    );
    let view = cell("table2", "SkeletonMAE", "NTU 60 X-view");
    assert_eq!(
        (view.value, view.clips.test.as_str()),
        (Some(96.5), "xview_val")
    );
    assert_eq!(cell("table3", "SkeletonMAE", "Diving48").value, None);
    assert_eq!(cell("table5a", "M = 4", "FineGym").setup.layers, 4);
    assert_eq!(
        cell("table5b", "9 random joints", "FineGym").setup.masked,
        Masked::Joints(9)
    );
}

/// The middle column of Table 4a, the last of 4b and the fourth of 4c are one experiment.
#[test]
fn the_same_setup_has_the_same_number() {
    let all = || experiments().iter().flat_map(|one| &one.cells);
    for a in all() {
        for b in all() {
            if a.setup == b.setup && a.clips == b.clips && a.value.is_some() && b.value.is_some() {
                assert_eq!(a.value, b.value, "{} and {}", a.row, b.row);
            }
        }
    }
}

#[test]
fn every_cell_is_of_a_known_set_and_split_and_of_parts_that_coco_has() {
    let layout = skeleton_graph::Layout::built_in("coco17").expect("it is built in");
    for cell in experiments().iter().flat_map(|one| &one.cells) {
        let on = cell.setup.pretrained_on.clone();
        let mut splits = vec![
            (&cell.clips.set, &cell.clips.train),
            (&cell.clips.set, &cell.clips.test),
        ];
        splits.extend(on.iter().map(|(set, train)| (set, train)));
        for (set, split) in splits {
            let known = crate::find(set).unwrap_or_else(|| panic!("{set} is a data set"));
            assert!(known.split(split).is_some(), "{set} has {split}");
            assert_eq!(known.layout, "coco17");
        }
        if let Masked::Parts(parts) = &cell.setup.masked {
            for part in parts {
                let known = layout.parts().iter().any(|one| one.name == *part);
                assert!(known, "{}: {part}", cell.row);
            }
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let one = "[[experiments]]\nid = \"a\"\ntitle = \"A\"\nset = \"s\"\ntrain = \"t\"\ntest = \"u\"\nmetric = \"top1\"\n";
    let read = |cells: &str| experiments_from_toml("x.toml", &format!("{one}cells = [{cells}]"));
    assert!(read("{ row = \"r\", column = \"c\" }").is_ok());
    let error = read("{ row = \"r\", column = \"c\", masked = [], joints = 3 }").expect_err("both");
    assert!(
        error.to_string().contains("either parts or joints"),
        "{error}"
    );
    let error = read("{ row = \"r\", column = \"c\", mask = [] }").expect_err("unknown key");
    assert!(
        error.to_string().contains("unknown field `mask`"),
        "{error}"
    );
    let twice = format!("{one}cells = []\n{one}cells = []");
    assert!(experiments_from_toml("x.toml", &twice).is_err());
}
