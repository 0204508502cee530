//! The facts agree with each other and with the layouts.

use std::collections::HashSet;

use skeleton_datasets::{Dataset, Format, all, find};
use skeleton_graph::Layout;

fn set(name: &str) -> &'static Dataset {
    find(name).unwrap_or_else(|| panic!("{name} is a data set"))
}

#[test]
fn names_are_found() {
    assert_eq!(all().len(), 12);
    for one in all() {
        assert_eq!(find(&one.name), Some(one));
    }
    assert_eq!(find("ntu60"), None);
}

#[test]
fn class_counts() {
    let counts = [
        ("jhmdb14", 14),
        ("nw_ucla", 10),
        ("ntu60_2d", 60),
        ("ntu60_3d", 60),
        ("ntu120_2d", 120),
        ("ntu120_3d", 120),
        ("gym99", 99),
        ("diving48", 48),
        ("gym288", 288),
        ("utd_mhad", 27),
    ];
    for (name, count) in counts {
        assert_eq!(set(name).classes.len(), count, "{name}");
    }
    assert_eq!(set("ntu60_2d").classes, set("ntu120_3d").classes[..60]);
}

#[test]
fn class_names_are_clean_and_distinct_but_for_the_known_pair() {
    for one in all() {
        let mut seen = HashSet::new();
        let twice: Vec<&str> = one
            .classes
            .iter()
            .map(String::as_str)
            .filter(|class| !seen.insert(*class))
            .collect();
        let known: &[&str] = match one.name.as_str() {
            "gym99" => &["(BB) salto backward tucked"],
            "gym288" => &[
                "(BB) salto backward tucked with 1 twist",
                "(BB) salto backward tucked",
                "(BB) salto backward stretched with 1 twist",
            ],
            _ => &[],
        };
        assert_eq!(twice, known, "{}", one.name);
        for class in &one.classes {
            assert!(
                !class.is_empty() && class.trim() == class,
                "{}: {class:?}",
                one.name
            );
        }
    }
}

#[test]
fn known_classes_stand_at_their_labels() {
    assert_eq!(set("ntu60_3d").classes[0], "drink water");
    assert_eq!(set("jhmdb14").classes[13], "wave");
    assert_eq!(set("nw_ucla").classes[9], "carry");
    assert_eq!(set("diving48").classes[0], "Back+15som+05Twis+FREE");
    assert_eq!(set("utd_mhad").classes[26], "squat");
    let gym = &set("gym288").classes;
    assert!(gym[40].starts_with("(FX) switch leap") && gym[287].starts_with("(UB)"));
    // FineGym's smaller list is a part of the larger one.
    assert!(set("gym99").classes.iter().all(|class| gym.contains(class)));
}

/// Only a set that is made, not read, may leave its classes to its maker.
#[test]
fn real_sets_name_their_classes_and_a_paper() {
    for one in all() {
        let real = one.format != Format::Synthetic;
        assert_eq!(!one.classes.is_empty(), real, "{}", one.name);
        assert_eq!(one.source.paper.is_some(), real, "{}", one.name);
    }
}

#[test]
fn layouts_exist_and_suit_the_coordinates() {
    for one in all() {
        assert!(
            Layout::built_in(&one.layout).is_ok(),
            "{}: {}",
            one.name,
            one.layout
        );
        assert_eq!(one.units == "metre", one.coordinates == 3, "{}", one.name);
    }
}

/// Training and test split of each protocol add up to the whole.
#[test]
fn counts_add_up() {
    let whole = |name: &str, train: &str, test: &str| {
        let clips = |split: &str| set(name).split(split).unwrap().clips.unwrap();
        assert_eq!(
            Some(clips(train) + clips(test)),
            set(name).clips,
            "{name} {train}"
        );
    };
    whole("ntu60_3d", "xsub_train", "xsub_val");
    whole("ntu60_3d", "xview_train", "xview_val");
    whole("ntu120_3d", "xsub_train", "xsub_val");
    whole("ntu120_3d", "xset_train", "xset_val");
    whole("nw_ucla", "xview_train", "xview_test");
    whole("gym288", "train", "test");
    whole("utd_mhad", "xsub_train", "xsub_test");
    for split in ["1", "2", "3"] {
        whole("jhmdb14", &format!("train{split}"), &format!("test{split}"));
    }
    let ucla = |split| set("nw_ucla").split(split).unwrap().clips.unwrap();
    assert_eq!(ucla("xview_test") - ucla("xview_test_clean"), 95);
}
