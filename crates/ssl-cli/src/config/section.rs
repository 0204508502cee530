//! Sections that hold an engine's settings with something beside them that the engine doesn't know.
//!
//! serde's `flatten` reads such a section but lets misspelt keys pass, so the extra key is taken
//! out first and the rest must be the engine's.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use skeleton_data::augment::Augment;
use skeletonmae::MaeConfig;
use strl::StrlConfig;

/// `[pretrain]` or `[finetune]`, with `augment` beside the engine's settings: augmentation is the
/// data's.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Job<T> {
    /// What the engine needs.
    #[serde(flatten)]
    pub engine: T,
    /// How clips are changed before an epoch sees them.
    pub augment: Augment,
}

/// `[model]`: the shape that pre-training and fine-tuning share, with the classifier's `strl`
/// beside it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Model {
    /// Embedding, encoder, decoder.
    #[serde(flatten)]
    pub mae: MaeConfig,
    /// The classifier around the encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strl: Option<StrlConfig>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Job<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (engine, augment) = apart(deserializer, "augment")?;
        Ok(Job {
            engine,
            augment: augment.unwrap_or_default(),
        })
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (mae, strl) = apart(deserializer, "strl")?;
        Ok(Model { mae, strl })
    }
}

/// A table as the value under `key` and the rest.
fn apart<'de, T: DeserializeOwned, U: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
    key: &str,
) -> Result<(T, Option<U>), D::Error> {
    let mut table = toml::Table::deserialize(deserializer)?;
    let beside = match table.remove(key) {
        Some(value) => Some(value.try_into().map_err(|error: toml::de::Error| {
            D::Error::custom(format!("{key}: {}", error.message()))
        })?),
        None => None,
    };
    let rest = toml::Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| D::Error::custom(error.message()))?;
    Ok((rest, beside))
}
