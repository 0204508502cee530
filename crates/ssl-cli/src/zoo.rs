//! Encoders that come with the program: `--encoder zoo:NAME`.

use std::path::Path;

use crate::failure::{Failure, Outcome};

/// What a path begins with that names one.
const START: &str = "zoo:";

/// A pre-trained model and what there is to say of it.
pub struct Entry {
    /// As it is typed.
    pub name: &'static str,
    /// Where it comes from, how it was made, what it is worth: Markdown, the first line of which is for the list.
    pub card: &'static str,
    /// The checkpoint.
    pub bytes: &'static [u8],
}

/// The files of one, by name.
macro_rules! entry {
    ($name:literal) => {
        Entry {
            name: $name,
            card: include_str!(concat!("../zoo/", $name, ".md")),
            bytes: include_bytes!(concat!("../zoo/", $name, ".safetensors")),
        }
    };
}

/// All of them.
pub static ZOO: [Entry; 3] = [entry!("jhmdb"), entry!("nw_ucla"), entry!("utd_mhad")];

impl Entry {
    /// The one that `path` names, where it names one and isn't a file's.
    pub fn at(path: &Path) -> Outcome<Option<&'static Entry>> {
        let name = path.to_str().and_then(|path| path.strip_prefix(START));
        match name.filter(|_| !path.exists()) {
            None => Ok(None),
            Some(name) => Entry::find(name).map(Some),
        }
    }

    /// The one of this name.
    pub fn find(name: &str) -> Outcome<&'static Entry> {
        let found = ZOO.iter().find(|entry| entry.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = ZOO.iter().map(|entry| entry.name).collect();
            Failure::usage(format!(
                "no encoder named {name:?} comes with the program; there are: {}",
                names.join(", ")
            ))
            .hint("`ssl zoo` lists them; a run or a file of your own goes without `zoo:`")
        })
    }

    /// The first line of its card, without the sign of a heading.
    pub fn about(&self) -> &'static str {
        let first = self.card.lines().next().unwrap_or_default();
        first.trim_start_matches(['#', ' '])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Kind;
    use crate::models::Opened;

    #[test]
    fn each_is_a_pre_trained_model_of_the_data_that_its_card_names() {
        for entry in &ZOO {
            let path = format!("{START}{}", entry.name);
            let opened = Opened::read(Path::new(&path), Kind::Pretrain).expect("a checkpoint");
            let meta = &opened.checkpoint.meta;
            assert!(
                entry.card.contains(&meta.data.digest),
                "{}: the digest",
                entry.name
            );
            assert!(entry.card.contains(opened.layout.name()), "{}", entry.name);
            assert!(entry.bytes.len() < 200_000 && entry.about().len() < 100);
        }
    }

    #[test]
    fn an_unknown_one_is_refused_with_those_there_are() {
        let failure = Entry::at(Path::new("zoo:none"))
            .err()
            .expect("there is none");
        failure.assert_says("jhmdb, nw_ucla, utd_mhad");
        assert!(
            Entry::at(Path::new("runs/pretrain"))
                .expect("a path")
                .is_none()
        );
    }
}
