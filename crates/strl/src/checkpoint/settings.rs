//! What a checkpoint's settings say about the model's shape.

use std::path::Path;

use serde::de::{self, DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use skeletonmae::MaeConfig;

use super::error::{Error, Fault, Result};
use super::{Meta, limits};
use crate::StrlConfig;

/// `[model]`: the shape that pre-training and fine-tuning share, with the classifier's `strl`
/// beside it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    /// Embedding, encoder, decoder.
    #[serde(flatten)]
    pub mae: MaeConfig,
    /// The classifier around the encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strl: Option<StrlConfig>,
}

impl Model {
    /// The shape of a checkpoint's model, within [limits](Self::check).
    ///
    /// # Errors
    /// Settings that aren't TOML, say no model, or say one that there can't be.
    pub fn of(meta: &Meta, path: &Path) -> Result<Model> {
        let invalid = |found: String| {
            let expected = "the settings of a model";
            Error::content(Fault::Invalid, path, "`config`", expected, found)
        };
        let settings: toml::Table =
            toml::from_str(&meta.config).map_err(|error| invalid(error.message().to_owned()))?;
        let Some(model) = settings.get("model") else {
            return Err(invalid("no section [model]".to_owned()));
        };
        let model = Model::deserialize(model.clone())
            .map_err(|error| invalid(error.message().to_owned()))?;
        model.check()?;
        Ok(model)
    }

    /// Refuses shapes that no model can have, and gigantic ones, before anything is allocated: they may come from a stranger,
    /// or from a slip of the finger.
    ///
    /// # Errors
    /// Names the setting.
    pub fn check(&self) -> skeletonmae::Result<()> {
        let mae = self.mae.validate();
        mae.map_err(|error| error.within("model"))?;
        limits::check(&self.mae, self.strl.as_ref())?;
        if let Some(strl) = &self.strl {
            let shape = strl.validate().map_err(|error| error.within("strl"));
            let both = shape.and_then(|()| strl.validate_with(&self.mae));
            both.map_err(|error| error.within("model"))?;
        }
        limits::check_parameters(&self.mae, self.strl.as_ref())
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (mae, strl) = split_off(deserializer, "strl")?;
        Ok(Model { mae, strl })
    }
}

/// A table as the rest and the value under `key`: for a section that holds an engine's settings with something beside them
/// that the engine doesn't know. serde's `flatten` reads such a section but lets misspelt keys pass, so the extra key is taken
/// out first and the rest must be the engine's.
///
/// # Errors
/// As serde says it, with the key in front where that is what is wrong.
pub fn split_off<'de, T: DeserializeOwned, U: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
    key: &str,
) -> Result<(T, Option<U>), D::Error> {
    let mut table = toml::Table::deserialize(deserializer)?;
    let beside = match table.remove(key) {
        Some(value) => Some(value.try_into().map_err(|error: toml::de::Error| {
            de::Error::custom(format!("{key}: {}", error.message()))
        })?),
        None => None,
    };
    let rest = toml::Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| de::Error::custom(error.message()))?;
    Ok((rest, beside))
}
