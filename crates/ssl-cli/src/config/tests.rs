mod variants;

use super::*;

fn args(preset: &str, sets: &[&str]) -> SettingsArgs {
    SettingsArgs {
        preset: Some(preset.into()),
        config: None,
        set: sets.iter().map(|set| (*set).to_owned()).collect(),
        text: None,
    }
}

fn resolve(kind: Kind, sets: &[&str]) -> Outcome<Config> {
    Config::resolve(&args("quick", sets), kind, |_| {})
}

fn refusal(kind: Kind, sets: &[&str]) -> (String, String) {
    match resolve(kind, sets).unwrap_err() {
        Failure::Error { message, hint } | Failure::Usage { message, hint } => {
            (message, hint.unwrap_or_default())
        }
        Failure::Interrupted { .. } | Failure::Elsewhere => panic!("nothing interrupts a parser"),
    }
}

#[test]
fn every_preset_is_complete_and_valid_for_both_jobs() {
    for preset in PRESETS {
        let config = Config::from_toml(preset.text, preset.name).unwrap();
        assert!(
            config.pretrain.is_some() && config.finetune.is_some() && config.model.strl.is_some(),
            "{}",
            preset.name
        );
        for kind in [Kind::Pretrain, Kind::Finetune] {
            Config::resolve(&args(preset.name, &[]), kind, |_| {}).unwrap();
        }
        config.finetune().unwrap().engine.validate().unwrap();
        config.check().unwrap();
        assert!(
            preset.about().ends_with('.') && preset.text.starts_with("# "),
            "{}",
            preset.name
        );
    }
}

#[test]
fn presets_fit_every_layout() {
    for preset in PRESETS {
        let config = Config::from_toml(preset.text, preset.name).unwrap();
        for layout in skeleton_graph::Layout::BUILT_IN {
            let layout = skeleton_graph::Layout::built_in(layout).unwrap();
            config.pretrain().unwrap().engine.validate(&layout).unwrap();
        }
    }
}

#[test]
fn the_saved_config_is_read_back_as_it_was() {
    for kind in [Kind::Pretrain, Kind::Finetune] {
        let config = Config::resolve(
            &args(
                "nw_ucla",
                &["pretrain.augment.noise=0.01"][..usize::from(kind == Kind::Pretrain)],
            ),
            kind,
            |run| {
                run.seed = 7;
                run.data = Some("a b.h5".into());
                run.threads = Some(2);
            },
        )
        .unwrap();
        let text = config.to_toml().unwrap();
        assert_eq!(Config::from_toml(&text, "saved").unwrap(), config, "{text}");
        assert_eq!(text.contains("[pretrain"), kind == Kind::Pretrain, "{text}");
        assert_eq!(text.contains("[finetune"), kind == Kind::Finetune, "{text}");
    }
}

#[test]
fn saved_numbers_read_as_they_were_typed() {
    let text = resolve(Kind::Pretrain, &["pretrain.augment.noise=0.01"])
        .unwrap()
        .to_toml()
        .unwrap();
    assert!(text.contains("noise = 0.01\n"), "{text}");
}

#[test]
fn what_differs_between_machines_is_not_in_a_checkpoint() {
    let config = Config::resolve(&args("quick", &[]), Kind::Finetune, |run| {
        run.data = Some("/home/me/x.h5".into());
        run.encoder = Some("/home/me/run".into());
        run.threads = Some(2);
        run.train = Some("train".into());
    })
    .unwrap();
    let text = config.portable().to_toml().unwrap();
    assert!(
        !text.contains("/home") && !text.contains("threads") && text.contains("train = \"train\""),
        "{text}"
    );
}

#[test]
fn set_changes_one_value() {
    let config = resolve(
        Kind::Pretrain,
        &[
            "pretrain.epochs=3",
            "pretrain.objective.mask={kind=\"parts\",parts=[3,5]}",
            "run.seed=9",
        ],
    )
    .unwrap();
    let job = config.pretrain().unwrap();
    assert_eq!((job.engine.epochs, config.run.seed), (3, 9));
    let reconstruction = job.engine.objective.reconstruction().unwrap();
    assert_eq!(
        reconstruction.mask,
        skeletonmae::MaskConfig::Parts { parts: vec![3, 5] }
    );
    let config = resolve(
        Kind::Finetune,
        &[
            "model.strl.adjacency=symmetric",
            "finetune.augment.flip=0.5",
        ],
    )
    .unwrap();
    assert_eq!(
        config.strl().unwrap().adjacency,
        strl::Normalised::Symmetric
    );
    assert_eq!(config.finetune().unwrap().augment.flip, 0.5);
}

#[test]
fn flags_win_over_the_config() {
    let config = Config::resolve(&args("quick", &["run.seed=9"]), Kind::Pretrain, |run| {
        run.seed = 4
    })
    .unwrap();
    assert_eq!(config.run.seed, 4);
}

#[test]
fn unknown_keys_are_errors_that_name_the_near_ones() {
    let (message, hint) = refusal(Kind::Pretrain, &["pretrain.epoch=3"]);
    assert_eq!(message, "--set pretrain.epoch=3: no setting of this name");
    assert_eq!(hint, "did you mean pretrain.epochs?");
    let (_, hint) = refusal(Kind::Pretrain, &["pretrain.augment.nois=3"]);
    assert_eq!(hint, "did you mean pretrain.augment.noise?");
    let (message, _) = refusal(Kind::Pretrain, &["bogus.key=3"]);
    assert!(message.contains("bogus.key=3"), "{message}");
    let (message, hint) = refusal(Kind::Finetune, &["finetune.augment.zzzzz=3"]);
    assert!(
        message.contains("zzzzz") && hint.contains("noise"),
        "{message} {hint}"
    );
}

#[test]
fn values_of_a_wrong_kind_or_range_are_errors_that_name_the_set() {
    let (message, _) = refusal(Kind::Pretrain, &["pretrain.epochs=many"]);
    assert!(
        message.contains("--set pretrain.epochs=many") && message.contains("invalid type"),
        "{message}"
    );
    for set in [
        "pretrain.epochs=0",
        "model.width=0",
        "reading.frames=0",
        "pretrain.augment.flip=2",
    ] {
        let (message, _) = refusal(Kind::Pretrain, &[set]);
        assert!(
            message.contains(set.split(['=', '.']).nth(1).unwrap()),
            "{message}"
        );
    }
}

#[test]
fn the_other_jobs_section_changes_nothing() {
    let with = resolve(Kind::Pretrain, &["finetune.epochs=3", "pretrain.epochs=2"]);
    let without = resolve(Kind::Pretrain, &["pretrain.epochs=2"]);
    assert_eq!(with.unwrap(), without.unwrap());
}

#[test]
fn a_fine_tuning_takes_reading_and_encoder_of_a_pre_training() {
    let sets = ["model.width=32", "reading.frames=48", "model.backbone=gcn"];
    let pretrained = resolve(Kind::Pretrain, &sets).unwrap();
    let preset = Preset::find("jhmdb").unwrap();
    let text = pretrained.beside(&preset).unwrap();
    let taken = Config::from_toml(&text, "x").unwrap().only(Kind::Finetune);
    let own = Config::from_toml(preset.text, "y")
        .unwrap()
        .only(Kind::Finetune);
    assert_eq!(
        (&taken.reading, &taken.model.mae),
        (&pretrained.reading, &pretrained.model.mae)
    );
    assert_eq!(
        (&taken.finetune, &taken.model.strl),
        (&own.finetune, &own.model.strl)
    );
}

#[test]
fn unknown_keys_in_a_file_are_errors_with_their_name() {
    for (place, key) in [
        ("[reading]", "framez"),
        ("[model]", "widht"),
        ("[pretrain]", "epocs"),
        ("[pretrain.objective]", "losss"),
        ("[pretrain.augment]", "nois"),
        ("[model.strl]", "kernl"),
    ] {
        let text =
            PRESETS[0]
                .text
                .replacen(&format!("{place}\n"), &format!("{place}\n{key} = 1\n"), 1);
        let refused = Config::from_toml(&text, "mine.toml").unwrap_err();
        assert!(
            refused.message().starts_with("mine.toml: ") && refused.message().contains(key),
            "{place}: {}",
            refused.message()
        );
    }
}

#[test]
fn a_missing_section_is_named() {
    let text = PRESETS[0].text.split("[finetune]").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(&path, text).unwrap();
    let args = SettingsArgs {
        preset: None,
        config: Some(path),
        set: Vec::new(),
        text: None,
    };
    let config = Config::resolve(&args, Kind::Finetune, |_| {}).unwrap();
    config.finetune().unwrap_err().assert_says("[finetune]");
}

#[test]
fn an_unknown_preset_lists_those_there_are() {
    let refused = Preset::find("quik").unwrap_err();
    refused.assert_says("default, quick, jhmdb, nw_ucla, utd_mhad, paper, ntu3d");
}
