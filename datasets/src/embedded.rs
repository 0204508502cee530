//! The files of facts, compiled in.

use std::sync::LazyLock;

use crate::dataset::{self, Dataset};
use crate::error::Error;

/// A file by its name without the ending.
macro_rules! files {
    ($folder:literal, $ending:literal, $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../", $folder, "/", $name, ".", $ending)))),+]
    };
}

const SETS: &[(&str, &str)] = files!(
    "sets",
    "toml",
    "synthetic",
    "synthetic3d",
    "jhmdb14",
    "nw_ucla",
    "ntu60_2d",
    "ntu60_3d",
    "ntu120_2d",
    "ntu120_3d",
    "gym99",
    "diving48",
);

pub(crate) const CLASS_LISTS: &[(&str, &str)] = files!(
    "classes", "txt", "diving48", "gym99", "jhmdb14", "ntu120", "nw_ucla"
);

pub(crate) fn sets() -> &'static [Dataset] {
    static ALL: LazyLock<Vec<Dataset>> = LazyLock::new(|| {
        read()
            .unwrap_or_else(|error| panic!("the embedded facts are valid, as tests show: {error}"))
    });
    &ALL
}

fn read() -> Result<Vec<Dataset>, Error> {
    SETS.iter()
        .map(|(name, text)| dataset::read(name, text, CLASS_LISTS))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_embedded_facts_are_valid() {
        super::read().unwrap();
    }
}
