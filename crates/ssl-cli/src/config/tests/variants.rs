//! The model's variants and tables of a kind.

use super::{Config, Kind, refusal, resolve};

fn objective(sets: &[&str]) -> skeletonmae::Objective {
    let config = resolve(Kind::Pretrain, sets).unwrap();
    // As it is saved, it is read again.
    let text = config.to_toml().unwrap();
    let again = Config::from_toml(&text, "saved").unwrap();
    assert_eq!(again, config, "{text}");
    config.pretrain().unwrap().engine.objective.clone()
}

#[test]
fn every_variant_can_be_set() {
    use skeletonmae::{Backbone, Contrastive, LossConfig, MaskConfig, Objective, Target};
    for (name, backbone) in [
        ("gin", Backbone::Gin),
        ("gcn", Backbone::Gcn),
        ("gat", Backbone::Gat),
    ] {
        let config = resolve(Kind::Pretrain, &[&format!("model.backbone={name}")]).unwrap();
        assert_eq!(config.model.mae.backbone, backbone);
        assert_eq!(backbone.name(), name);
    }
    let sets = [
        "pretrain.objective.loss.kind=mse",
        "pretrain.objective.target=coordinates",
        "pretrain.objective.mask={kind=\"joints\",count=9}",
    ];
    let own = objective(&sets).reconstruction().unwrap().clone();
    assert_eq!(
        (own.loss, own.target),
        (LossConfig::Mse, Target::Coordinates)
    );
    assert_eq!(own.mask, MaskConfig::Joints { count: 9 });
    let own = objective(&["pretrain.objective.target=embedding-with-gradient"]);
    let own = own.reconstruction().unwrap();
    assert_eq!(own.target, Target::EmbeddingWithGradient);
    let default = objective(&["pretrain.objective.kind=contrastive"]);
    assert_eq!(default, Objective::Contrastive(Contrastive::default()));
    let some = Objective::Contrastive(Contrastive {
        temperature: 0.5,
        ..Contrastive::default()
    });
    // Whichever way round, a kind is chosen first.
    let kind = "pretrain.objective.kind=contrastive";
    let temperature = "pretrain.objective.temperature=0.5";
    assert_eq!(objective(&[kind, temperature]), some);
    assert_eq!(objective(&[temperature, kind]), some);
    let whole = "pretrain.objective={kind=\"contrastive\",temperature=0.5}";
    assert_eq!(objective(&[whole]), some);
    let frozen = resolve(Kind::Finetune, &["finetune.encoder=frozen"]).unwrap();
    assert_eq!(
        frozen.finetune().unwrap().engine.encoder,
        strl::Tuning::Frozen
    );
}

#[test]
fn what_another_kind_has_or_lacks_is_said() {
    let (message, hint) = refusal(Kind::Pretrain, &["pretrain.objective.temperature=0.5"]);
    assert!(message.contains("temperature=0.5: no setting"), "{message}");
    assert!(hint.contains("`mask`"), "what this kind has: {hint}");
    let sets = [
        "pretrain.objective.kind=contrastive",
        "pretrain.objective.target=embedding",
    ];
    let (message, hint) = refusal(Kind::Pretrain, &sets);
    assert!(
        message.contains("target=embedding: no setting"),
        "{message}"
    );
    assert!(hint.contains("`temperature`"), "{hint}");
    let (message, hint) = refusal(Kind::Pretrain, &["pretrain.objective.mask.kind=parts"]);
    assert!(message.contains("missing field `parts`"), "{message}");
    assert!(
        hint.contains("--set 'pretrain.objective.mask={ kind = \"parts\", ... }'"),
        "{hint}"
    );
    let (message, _) = refusal(Kind::Pretrain, &["pretrain.objective.kind=contrast"]);
    assert!(
        message.contains("`reconstruction` or `contrastive`"),
        "{message}"
    );
    let (message, _) = refusal(Kind::Pretrain, &["model.backbone=gin2"]);
    assert!(message.contains("`gcn`"), "{message}");
    let (message, _) = refusal(Kind::Pretrain, &["model.backbone=gat", "model.width=6"]);
    assert!(
        message.starts_with("model.width: expected a multiple of 4"),
        "{message}"
    );
}
