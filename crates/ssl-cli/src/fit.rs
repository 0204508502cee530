//! Whether clips are of the kind that a model was made for.

use std::path::PathBuf;

use skeleton_data::Units;
use skeleton_graph::Layout;

use crate::checkpoint::{Meta, Origin};
use crate::failure::{Failure, Outcome};

/// What of some clips must fit a model; what isn't known isn't asked.
pub struct Facts<'a> {
    /// The file, for messages.
    pub name: PathBuf,
    /// Joints and bones.
    pub layout: &'a Layout,
    /// What the coordinates are measured in.
    pub units: Option<Units>,
    /// c.
    pub coordinates: usize,
    /// Class names.
    pub classes: Option<&'a [String]>,
}

impl Facts<'_> {
    /// Refuses clips that the checkpoint's model wasn't made for, naming both.
    pub fn fit(&self, meta: &Meta, layout: &Layout, origin: &Origin) -> Outcome {
        let differ = |what: &str, ours: String, theirs: String| {
            Err(self.differs(origin, what, &ours, &theirs))
        };
        if self.layout != layout {
            let describe = |layout: &Layout| format!("{} ({} joints)", layout.name(), layout.len());
            let (ours, theirs) = (describe(self.layout), describe(layout));
            let ours = if ours == theirs {
                format!("{ours} with other names, edges or parts")
            } else {
                ours
            };
            return differ("layout", ours, theirs);
        }
        self.fit_numbers(meta, origin)?;
        if let Some(classes) = self.classes
            && !meta.classes.is_empty()
            && classes.len() != meta.classes.len()
        {
            return differ(
                "classes",
                classes.len().to_string(),
                meta.classes.len().to_string(),
            );
        }
        match self.moved(meta) {
            None => Ok(()),
            Some((name, ours, theirs)) => differ(
                "the order of classes",
                format!("{name:?} as class {ours}"),
                format!("{name:?} as class {theirs}"),
            ),
        }
    }

    /// Refuses clips whose numbers mean something else to a pre-trained model. No weight is a joint's own: another skeleton
    /// may take them over.
    pub fn fit_numbers(&self, meta: &Meta, origin: &Origin) -> Outcome {
        if self.coordinates != meta.coordinates {
            let (ours, theirs) = (self.coordinates.to_string(), meta.coordinates.to_string());
            return Err(self.differs(origin, "coordinates of a joint", &ours, &theirs));
        }
        match self.units {
            Some(units) if units != meta.units => {
                Err(self.differs(origin, "units", units.name(), meta.units.name()))
            }
            _ => Ok(()),
        }
    }

    fn differs(&self, origin: &Origin, what: &str, ours: &str, theirs: &str) -> Failure {
        let (clips, model) = (self.name.display(), origin.path.display());
        let message =
            format!("{clips} doesn't fit {model}: {what}: expected {theirs}, found {ours}");
        Failure::error(message)
            .hint("a model reads clips of the kind it was trained on: train one for these")
    }

    /// A class that both have, under different numbers: a label would mean two things.
    fn moved(&self, meta: &Meta) -> Option<(&str, usize, usize)> {
        let all = self.classes?;
        // A name that several classes have says nothing.
        let only = |names: &[String], name: &String| {
            let mut places = (0..names.len()).filter(|&at| names[at] == *name);
            places.next().filter(|_| places.next().is_none())
        };
        let mut common = all
            .iter()
            .filter_map(|name| Some((name.as_str(), only(all, name)?, only(&meta.classes, name)?)));
        common.find(|(_, ours, theirs)| ours != theirs)
    }

    /// Class names that stand at the same number and differ: worth a warning, since names may be
    /// spelt in two ways.
    pub fn renamed(&self, meta: &Meta) -> Option<String> {
        let pairs = self.classes?.iter().zip(&meta.classes);
        let (number, (ours, theirs)) = pairs
            .enumerate()
            .find(|(_, (ours, theirs))| ours != theirs)?;
        Some(format!(
            "class {number} is {ours:?} in {} and {theirs:?} in the checkpoint",
            self.name.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Kind;
    use crate::checkpoint::tests::checkpoint;

    fn meta(layout: &Layout) -> Meta {
        Meta {
            kind: Kind::Finetune,
            layout: layout.to_toml(),
            units: Units::Metre,
            coordinates: 3,
            classes: vec!["a".into(), "b".into()],
            ..checkpoint().meta
        }
    }

    fn refusal(change: impl FnOnce(&mut Facts<'_>)) -> Option<String> {
        let layout = Layout::built_in("ntu25").unwrap();
        let classes = ["a".to_owned(), "b".to_owned()];
        let mut facts = Facts {
            name: "clips.h5".into(),
            layout: &layout,
            units: Some(Units::Metre),
            coordinates: 3,
            classes: Some(&classes),
        };
        change(&mut facts);
        let origin = Origin {
            path: "model".into(),
            sha256: String::new(),
        };
        facts
            .fit(&meta(&layout), &layout, &origin)
            .err()
            .map(|failure| failure.message().to_owned())
    }

    #[test]
    fn clips_like_those_of_training_fit() {
        assert_eq!(refusal(|_| {}), None);
        assert_eq!(
            refusal(|facts| (facts.units, facts.classes) = (None, None)),
            None
        );
    }

    #[test]
    fn what_does_not_fit_is_named_on_both_sides() {
        let coco = Layout::built_in("coco17").unwrap();
        let says = |message: Option<String>, words: [&str; 4]| {
            let message = message.expect("a refusal");
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        };
        let other: &'static Layout = Box::leak(Box::new(coco));
        says(
            refusal(|facts| facts.layout = other),
            [
                "clips.h5",
                "model",
                "ntu25 (25 joints)",
                "coco17 (17 joints)",
            ],
        );
        says(
            refusal(|facts| facts.coordinates = 2),
            ["clips.h5", "coordinates", "expected 3", "found 2"],
        );
        says(
            refusal(|facts| facts.units = Some(Units::Pixel)),
            ["clips.h5", "units", "metre", "pixel"],
        );
        says(
            refusal(|facts| facts.classes = Some(&[])),
            ["clips.h5", "classes", "expected 2", "found 0"],
        );
        let turned: &'static [String] = Box::leak(Box::new(["b".to_owned(), "a".to_owned()]));
        says(
            refusal(|facts| facts.classes = Some(turned)),
            [
                "clips.h5",
                "order of classes",
                "expected \"b\" as class 1",
                "found \"b\" as class 0",
            ],
        );
    }

    #[test]
    fn a_layout_of_the_same_name_with_other_bones_is_another() {
        let text = Layout::built_in("ntu25")
            .unwrap()
            .to_toml()
            .replacen("head", "crown", 1);
        let other: &'static Layout = Box::leak(Box::new(Layout::from_toml(&text, "x").unwrap()));
        let message = refusal(|facts| facts.layout = other).expect("a refusal");
        assert!(
            message.contains("with other names, edges or parts"),
            "{message}"
        );
    }

    #[test]
    fn a_class_that_is_called_otherwise_is_pointed_out() {
        let layout = Layout::built_in("ntu25").unwrap();
        let classes = ["a".to_owned(), "c".to_owned()];
        let facts = Facts {
            name: "clips.h5".into(),
            layout: &layout,
            units: None,
            coordinates: 3,
            classes: Some(&classes),
        };
        let said = facts.renamed(&meta(&layout)).expect("a difference");
        assert!(
            said.contains("class 1 is \"c\"") && said.contains("\"b\""),
            "{said}"
        );
    }
}
