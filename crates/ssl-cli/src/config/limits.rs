//! How large a model may be that settings ask for: they may come from a stranger, or from a slip of the finger, and are refused by
//! name before anything is allocated.

use skeletonmae::Error;
use strl::StrlConfig;

use super::Model;
use crate::failure::Outcome;

/// Features: the widest in the literature have 512.
const WIDEST: usize = 1 << 12;
/// Layers of the encoder and of the classifier: the paper tries up to 4.
const MOST_LAYERS: usize = 64;
/// Frames that a temporal kernel sees, and how far apart they are.
const LONGEST_KERNEL: usize = 255;
const LARGEST_DILATION: usize = 1 << 10;
/// Branches, and maps of the head.
const MOST_BRANCHES: usize = 16;
/// Parameters in all, a gigabyte of them: the paper's model has 140,000.
const MOST_PARAMETERS: u128 = 1 << 28;

/// Refuses a model that is too large.
pub fn check(model: &Model) -> Outcome {
    let mae = &model.mae;
    within("model.width", mae.width, WIDEST)?;
    within("model.encoder_layers", mae.encoder_layers, MOST_LAYERS)?;
    if let Some(strl) = &model.strl {
        within("model.strl.layers", strl.layers, MOST_LAYERS)?;
        within("model.strl.kernel", strl.kernel, LONGEST_KERNEL)?;
        each("model.strl.dilations", &strl.dilations, LARGEST_DILATION)?;
        each("model.strl.head", &strl.head, WIDEST)?;
    }
    let found = parameters(mae.width, mae.encoder_layers, model.strl.as_ref());
    if found > MOST_PARAMETERS {
        return Err(refuse(
            "model",
            format!("a width and layers of at most {MOST_PARAMETERS} parameters"),
            format!("about {found}"),
        ));
    }
    Ok(())
}

fn within(key: &str, value: usize, most: usize) -> Outcome {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(refuse(key, format!("1 to {most}"), value.to_string()))
}

fn each(key: &str, values: &[usize], most: usize) -> Outcome {
    if values.len() > MOST_BRANCHES {
        let expected = format!("at most {MOST_BRANCHES} numbers");
        return Err(refuse(key, expected, values.len().to_string()));
    }
    values
        .iter()
        .try_for_each(|&value| within(key, value, most))
}

fn refuse(key: &str, expected: String, found: String) -> crate::failure::Failure {
    Error::Setting {
        field: key.to_owned(),
        expected,
        found,
    }
    .into()
}

/// About how many numbers a model has: its square maps and its temporal kernels, which outnumber the rest.
fn parameters(width: usize, encoder_layers: usize, strl: Option<&StrlConfig>) -> u128 {
    let [width, encoder_layers] = [width, encoder_layers].map(|n| n as u128);
    let square = width * width;
    let encoder = 2 * square * encoder_layers;
    let Some(strl) = strl else {
        return encoder + 3 * square;
    };
    let branches = strl.dilations.len() as u128;
    let branch = width / (branches + 2);
    let temporal = square + strl.kernel as u128 * branches * branch * branch;
    let head: u128 = strl
        .head
        .iter()
        .map(|&n| n as u128)
        .fold((0, width), |(sum, before), n| (sum + before * n, n))
        .0;
    strl.layers as u128 * (encoder + 3 * square + temporal) + head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, PRESETS};

    fn refused(change: impl Fn(&mut Model)) -> String {
        let mut config = Config::from_toml(PRESETS[0].text, "a preset").unwrap();
        assert!(check(&config.model).is_ok());
        change(&mut config.model);
        check(&config.model).unwrap_err().message().to_owned()
    }

    fn strl(model: &mut Model) -> &mut StrlConfig {
        model.strl.as_mut().expect("presets have all sections")
    }

    #[test]
    fn every_preset_is_allowed() {
        for preset in PRESETS {
            let config = Config::from_toml(preset.text, preset.name).unwrap();
            assert!(check(&config.model).is_ok(), "{}", preset.name);
        }
    }

    #[test]
    fn what_is_gigantic_is_refused_by_name() {
        const HUGE: usize = 1_000_000_000;
        for (key, message) in [
            ("model.width", refused(|model| model.mae.width = HUGE)),
            ("model.width", refused(|model| model.mae.width = 0)),
            (
                "model.encoder_layers",
                refused(|model| model.mae.encoder_layers = HUGE),
            ),
            (
                "model.strl.layers",
                refused(|model| strl(model).layers = HUGE),
            ),
            (
                "model.strl.kernel",
                refused(|model| strl(model).kernel = HUGE + 1),
            ),
            (
                "model.strl.dilations",
                refused(|model| strl(model).dilations = vec![1, HUGE]),
            ),
            (
                "model.strl.dilations",
                refused(|model| strl(model).dilations = vec![1; HUGE / 1000]),
            ),
            (
                "model.strl.head",
                refused(|model| strl(model).head = vec![HUGE]),
            ),
        ] {
            assert!(message.starts_with(&format!("{key}: ")), "{key}: {message}");
        }
        // Each allowed, together too many.
        let message = refused(|model| (model.mae.width, model.mae.encoder_layers) = (4096, 64));
        assert!(message.contains("parameters, found about"), "{message}");
    }

    #[test]
    fn the_estimate_is_near_the_truth() {
        let config = Config::from_toml(PRESETS[0].text, "a preset").unwrap();
        let StrlConfig { .. } = config.model.strl.as_ref().unwrap();
        // The paper's shape, 140,622 parameters with 99 classes.
        let strl = StrlConfig {
            layers: 3,
            kernel: 5,
            dilations: vec![1, 2],
            ..config.model.strl.clone().unwrap()
        };
        let found = parameters(64, 3, Some(&strl));
        assert!((100_000..180_000).contains(&found), "{found}");
    }
}
