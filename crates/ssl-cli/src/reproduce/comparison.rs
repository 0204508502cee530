//! Comparisons as `reproduce/comparisons.toml` describes them: arms that differ in one thing, each measured on the same clips with
//! the same seeds.

use serde::Deserialize;

use super::settings::{Compared, Scale};

/// What is compared, from `reproduce/comparisons.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub id: String,
    pub title: String,
    /// The question, and what a reader of the numbers must know.
    pub about: String,
    pub protocols: Vec<Protocol>,
    /// The others are compared with the first.
    pub arms: Vec<Arm>,
    /// The clips, where they aren't those of the scale.
    #[serde(default)]
    pub clips: Vec<Compared>,
    /// Whether clips and settings are those on which settings are chosen.
    #[serde(default)]
    pub held_out: bool,
    /// Whether the settings of a set are its preset's, whatever the scale changes.
    #[serde(default)]
    pub whole_presets: bool,
    /// What is other than in the settings of the set, for all arms.
    #[serde(default)]
    pub settings: toml::Table,
}

impl Comparison {
    /// What it is measured on.
    pub fn clips<'a>(&'a self, scale: &'a Scale) -> &'a [Compared] {
        match scale.own_clips {
            true if self.held_out => &all().held_out.clips,
            true if !self.clips.is_empty() => &self.clips,
            _ => &scale.compared,
        }
    }

    /// What a reader must know of the numbers: a comparison has no number of the paper beside it.
    pub fn about_clips(&self, scale: &Scale) -> String {
        let spread = match scale.own_clips {
            true if self.held_out => &all().held_out.spread,
            true if !self.clips.is_empty() => "",
            true => &scale.spread,
            false => &scale.about(),
        };
        spread.trim().to_owned()
    }

    /// What an arm changes in the settings of a set, or in a whole preset.
    pub fn changes<'a>(
        &'a self,
        protocol: &'a Protocol,
        arm: &'a Arm,
        whole: bool,
    ) -> Vec<&'a toml::Table> {
        let held_out = self.held_out.then(|| &all().held_out.settings);
        let own = [&self.settings, &arm.settings];
        let preset = whole.then_some(&protocol.preset_settings);
        held_out.into_iter().chain(own).chain(preset).collect()
    }

    /// Whether its settings are whole presets at this scale.
    pub fn is_whole(&self, scale: &Scale) -> bool {
        self.whole_presets && scale.own_clips
    }
}

/// How an arm is measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    pub name: String,
    /// A linear probe on what was pre-trained, instead of fine-tuning.
    #[serde(default)]
    pub probe: bool,
    /// Share of each class's labels that is known.
    #[serde(default)]
    pub labels: Option<f64>,
    /// What is other than in a whole preset; the settings of a scale are its own.
    #[serde(default)]
    pub preset_settings: toml::Table,
}

/// One way to train.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    pub name: String,
    /// Whether there is a pre-training.
    #[serde(default = "yes")]
    pub pretrained: bool,
    /// Whether fine-tuning has more epochs, by as many multiply-adds as the first arm's pre-training takes.
    #[serde(default)]
    pub equal_work: bool,
    /// Instead of a training: the mean of the class probabilities of the arms of these names.
    #[serde(default)]
    pub fused: Vec<String>,
    /// What is other than in the settings of the set.
    #[serde(default)]
    pub settings: toml::Table,
}

fn yes() -> bool {
    true
}

/// All comparisons.
pub fn comparisons() -> &'static [Comparison] {
    &all().comparisons
}

/// The file of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    held_out: HeldOut,
    comparisons: Vec<Comparison>,
}

/// Held-out parts of training splits, on which settings are chosen, and models so small that there can be many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldOut {
    spread: String,
    settings: toml::Table,
    clips: Vec<Compared>,
}

fn all() -> &'static Written {
    static ALL: std::sync::LazyLock<Written> = std::sync::LazyLock::new(|| {
        let text = include_str!("../../reproduce/comparisons.toml");
        toml::from_str(text)
            .unwrap_or_else(|error| panic!("the embedded comparisons are valid: {error}"))
    });
    &ALL
}

#[cfg(test)]
mod tests {
    use super::super::settings::Base;
    use super::*;
    use crate::args::ScaleName;
    use crate::config::Preset;

    #[test]
    fn comparisons_are_named_once_and_their_settings_are_valid_everywhere() {
        let mut names: Vec<&str> = comparisons().iter().map(|one| one.id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), comparisons().len());
        for comparison in comparisons() {
            let known: Vec<&String> = comparison.arms.iter().map(|arm| &arm.name).collect();
            let mut parts = comparison.arms.iter().flat_map(|arm| &arm.fused);
            assert!(parts.all(|part| known.contains(&part)), "{}", comparison.id);
        }
        for scale in [ScaleName::Ci, ScaleName::Small, ScaleName::Paper] {
            let scale = Scale::read(scale).expect("the scales are valid");
            for compared in &scale.compared {
                let set = scale
                    .set(&compared.set)
                    .expect("compared sets are described");
                let base = Base::new(set, &[], None).expect("valid settings");
                for comparison in comparisons() {
                    for (arm, protocol) in comparison
                        .arms
                        .iter()
                        .flat_map(|arm| comparison.protocols.iter().map(move |p| (arm, p)))
                    {
                        let found = base.changed(&comparison.changes(protocol, arm, true));
                        found.unwrap_or_else(|error| {
                            panic!("{}, {}: {}", comparison.id, arm.name, error.message())
                        });
                    }
                }
            }
        }
        assert!(Preset::find("quick").is_ok());
    }
}
