//! Batches of another size than the settings have, with the learning rate in proportion.

use std::collections::BTreeMap;

use super::settings::scaled_rate;
use crate::process::Failure;

/// Settings by preset and training.
#[derive(Default)]
pub struct Batches {
    pretrain: BTreeMap<String, Vec<String>>,
    finetune: BTreeMap<String, Vec<String>>,
    /// A sentence a change.
    pub words: Vec<String>,
}

impl Batches {
    /// What `--batch` asks for in each of the presets.
    pub fn new(
        batch: Option<(usize, Option<usize>)>,
        presets: &BTreeMap<String, String>,
    ) -> Result<Batches, Failure> {
        let mut batches = Batches::default();
        let Some((pretrain, finetune)) = batch else {
            return Ok(batches);
        };
        for (name, text) in presets {
            let (sets, said) = scaled(name, text, "pretrain", pretrain)?;
            batches.pretrain.insert(name.clone(), sets);
            batches.words.push(said);
            if let Some(batch) = finetune {
                let (sets, said) = scaled(name, text, "finetune", batch)?;
                batches.finetune.insert(name.clone(), sets);
                batches.words.push(said);
            }
        }
        Ok(batches)
    }

    pub fn pretrain(&self, preset: &str) -> &[String] {
        self.pretrain.get(preset).map_or(&[], Vec::as_slice)
    }

    pub fn finetune(&self, preset: &str) -> &[String] {
        self.finetune.get(preset).map_or(&[], Vec::as_slice)
    }
}

fn scaled(
    preset: &str,
    text: &str,
    section: &str,
    batch: usize,
) -> Result<(Vec<String>, String), Failure> {
    let table: toml::Table =
        toml::from_str(text).map_err(|error| Failure::Task(format!("preset {preset}: {error}")))?;
    let lacks = |key: &str| Failure::Task(format!("preset {preset} lacks {section}.{key}"));
    let training = table.get(section).ok_or_else(|| lacks(""))?;
    let size = |key: &str| training.get(key).and_then(toml::Value::as_integer);
    let of = size("batch")
        .and_then(|n| usize::try_from(n).ok())
        .filter(|&n| n > 0);
    let of = of.ok_or_else(|| lacks("batch"))?;
    let rate = training
        .get("optimizer")
        .and_then(|optimizer| optimizer.get("lr"));
    let rate = rate
        .and_then(toml::Value::as_float)
        .ok_or_else(|| lacks("optimizer.lr"))?;
    let micro = size("micro_batch")
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(batch);
    let new = scaled_rate(rate, batch, of);
    let sets = vec![
        format!("{section}.batch={batch}"),
        format!("{section}.micro_batch={}", micro.min(batch)),
        format!("{section}.optimizer.lr={new:e}"),
    ];
    let said = format!(
        "{section} by preset {preset}: {batch} clips an update in place of {of}, so a learning rate of {rate:e} x {batch}/{of} = {new:e}"
    );
    Ok((sets, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESET: &str = "[pretrain]\nbatch = 1024\nmicro_batch = 64\noptimizer = { kind = \"adam\", lr = 1.5e-4 }\n\
                          [finetune]\nbatch = 128\nmicro_batch = 64\noptimizer = { kind = \"sgd\", lr = 0.1 }\n";

    #[test]
    fn the_rate_follows_the_batch_and_it_is_said() {
        let presets = BTreeMap::from([("paper".to_owned(), PRESET.to_owned())]);
        let batches = Batches::new(Some((256, Some(32))), &presets).expect("a preset");
        assert_eq!(
            batches.pretrain("paper"),
            [
                "pretrain.batch=256",
                "pretrain.micro_batch=64",
                "pretrain.optimizer.lr=3.75e-5"
            ]
        );
        assert_eq!(batches.finetune("paper")[2], "finetune.optimizer.lr=2.5e-2");
        assert!(
            batches.words[0].contains("1.5e-4 x 256/1024 = 3.75e-5"),
            "{:?}",
            batches.words
        );
        assert!(
            Batches::new(None, &presets)
                .expect("nothing to do")
                .words
                .is_empty()
        );
    }
}
