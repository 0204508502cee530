//! What a cell of the paper is in the program's settings: the one place that knows both.

use skeleton_datasets::paper::{Backbone, Masked, Pretraining, Setup};

use super::ssl::Part;

/// The settings of the encoder, which pre-training and fine-tuning share.
pub fn encoder(setup: &Setup) -> Vec<String> {
    let backbone = match setup.backbone {
        Backbone::Gcn => "gcn",
        Backbone::Gat => "gat",
        _ => "gin",
    };
    vec![
        format!("model.backbone={backbone}"),
        format!("model.encoder_layers={}", setup.encoder_layers),
    ]
}

/// The settings of a pre-training on a skeleton of these parts; why not, where it lacks one.
pub fn pretraining(setup: &Setup, parts: &[Part]) -> Result<Vec<String>, String> {
    let mut sets = encoder(setup);
    match setup.pretraining {
        Pretraining::GraphCl => sets.push("pretrain.objective={kind=\"contrastive\"}".to_owned()),
        _ => sets.extend(mask(&setup.masked, parts)?),
    }
    Ok(sets)
}

fn mask(masked: &Masked, parts: &[Part]) -> Result<Option<String>, String> {
    let mask = match masked {
        Masked::Parts(names) => {
            let mut indices = Vec::new();
            for name in names {
                let index = parts.iter().position(|part| part.name == *name);
                indices.push(
                    index
                        .ok_or_else(|| format!("its skeleton has no {name}"))?
                        .to_string(),
                );
            }
            format!("{{kind=\"parts\",parts=[{}]}}", indices.join(","))
        }
        Masked::Joints(joints) => {
            // The paper's skeleton has 17 joints.
            format!(
                "{{kind=\"random-joints\",ratio={:.4}}}",
                *joints as f64 / 17.0
            )
        }
        _ => return Ok(None),
    };
    Ok(Some(format!("pretrain.objective.mask={mask}")))
}

/// The settings of a fine-tuning.
pub fn finetuning(setup: &Setup) -> Vec<String> {
    let mut sets = encoder(setup);
    sets.push(format!("model.strl.layers={}", setup.layers));
    sets
}

/// A learning rate for batches of another size than the settings': in proportion.
pub fn scaled_rate(rate: f64, batch: usize, of: usize) -> f64 {
    rate * batch as f64 / of as f64
}

#[cfg(test)]
mod tests {
    use skeleton_datasets::paper::experiments;

    use super::*;

    fn setup(id: &str, row: &str) -> &'static Setup {
        let experiment = experiments().iter().find(|one| one.id == id).expect(id);
        &experiment
            .cells
            .iter()
            .find(|cell| cell.row == row)
            .expect(row)
            .setup
    }

    fn parts(names: &[&str]) -> Vec<Part> {
        let part = |name: &&str| Part {
            name: (*name).to_owned(),
            joints: Vec::new(),
        };
        names.iter().map(part).collect()
    }

    #[test]
    fn parts_are_found_by_name_whatever_their_order() {
        let row = setup("table5b", "best three parts (0, 3, 5)");
        let sets = pretraining(row, &parts(&["right leg", "head", "tail", "right arm"]))
            .expect("all are there");
        assert!(
            sets.iter()
                .any(|set| set.ends_with("mask={kind=\"parts\",parts=[1,3,0]}")),
            "{sets:?}"
        );
        let why = pretraining(row, &parts(&["head", "right arm"])).expect_err("no leg");
        assert_eq!(why, "its skeleton has no right leg");
    }

    #[test]
    fn random_joints_are_a_share_of_seventeen() {
        let sets =
            pretraining(setup("table5b", "9 random joints"), &[]).expect("no part is needed");
        assert!(
            sets.iter().any(|set| set.contains("ratio=0.5294")),
            "{sets:?}"
        );
    }

    #[test]
    fn a_rate_follows_its_batch() {
        assert!((scaled_rate(1.5e-4, 256, 1024) - 3.75e-5).abs() < 1e-12);
    }
}
