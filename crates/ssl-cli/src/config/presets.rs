//! Settings shipped with the program.

use crate::failure::{Failure, Outcome};

/// One embedded TOML; its first line says what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What `--preset` takes.
    pub name: &'static str,
    /// The whole TOML.
    pub text: &'static str,
}

/// All presets, the default first.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "quick",
        text: include_str!("../../presets/quick.toml"),
    },
    Preset {
        name: "jhmdb",
        text: include_str!("../../presets/jhmdb.toml"),
    },
    Preset {
        name: "nw_ucla",
        text: include_str!("../../presets/nw_ucla.toml"),
    },
    Preset {
        name: "paper",
        text: include_str!("../../presets/paper.toml"),
    },
    Preset {
        name: "ntu3d",
        text: include_str!("../../presets/ntu3d.toml"),
    },
];

impl Preset {
    /// The preset of this name.
    pub fn find(name: &str) -> Outcome<Preset> {
        PRESETS
            .into_iter()
            .find(|preset| preset.name == name)
            .ok_or_else(|| {
                let names = PRESETS.map(|preset| preset.name).join(", ");
                Failure::usage(format!("no preset named {name:?}; there are: {names}"))
                    .hint("`ssl preset` lists them; a file of your own goes with --config FILE")
            })
    }

    /// Its first line, without the comment sign.
    pub fn about(&self) -> &'static str {
        self.text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches(['#', ' '])
    }
}
