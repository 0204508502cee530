//! The paper's variants as a user sets them: each trains, is lent to a classifier, scores and predicts.

use std::collections::BTreeMap;

use candle_core::{Device, safetensors};
use ssl_tests::program::Desk;
use ssl_tests::toy::{FINETUNE, PRETRAIN, TOY};

fn pretrain(desk: &Desk, out: &str, how: &str) -> ssl_tests::program::Finished {
    let line = "pretrain --preset quick --data toy.h5 --split train --val test";
    desk.ssl(&format!("{line} --out {out} {PRETRAIN} {how}"))
}

fn finetune(desk: &Desk, encoder: &str, out: &str, how: &str) -> ssl_tests::program::Finished {
    let line = "finetune --preset quick --data toy.h5 --train train --test test";
    desk.ssl(&format!(
        "{line} --encoder {encoder} --out {out} {FINETUNE} {how}"
    ))
}

/// A checkpoint's numbers, bit for bit.
fn tensors(desk: &Desk, run: &str) -> BTreeMap<String, Vec<u32>> {
    let bytes = desk.read(&format!("{run}/model.safetensors"));
    let all = safetensors::load_buffer(&bytes, &Device::Cpu).expect("a checkpoint");
    let bits = |tensor: candle_core::Tensor| {
        let numbers = tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
        numbers
            .expect("numbers")
            .into_iter()
            .map(f32::to_bits)
            .collect()
    };
    all.into_iter()
        .map(|(name, tensor)| (name, bits(tensor)))
        .collect()
}

#[test]
fn every_backbone_and_objective_goes_all_the_way() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    let objective = "--set pretrain.objective";
    let variants = [
        (
            "gcn",
            format!("{objective}.loss.kind=mse {objective}.target=coordinates"),
        ),
        (
            "gat",
            format!("{objective}.mask={{kind=\"joints\",count=9}}"),
        ),
        (
            "gin",
            format!("{objective}.kind=contrastive {objective}.temperature=0.5"),
        ),
        (
            "gat",
            format!("{objective}={{kind=\"contrastive\",edges=0.5}}"),
        ),
        (
            "gin --set model.time_neighbours=[1,2]",
            format!("{objective}.mask={{kind=\"joints\",count=9}}"),
        ),
    ];
    for (i, (backbone, how)) in variants.iter().enumerate() {
        let (pre, fine) = (format!("pre{i}"), format!("fine{i}"));
        let model = format!("--set model.backbone={backbone} --set model.encoder_layers=2");
        let done = pretrain(&desk, &pre, &format!("{model} {how}")).success();
        let contrastive = how.contains("contrastive");
        // Only what hides joints puts some back.
        let reported = desk.path(&format!("{pre}/reconstruction.json")).exists();
        assert_eq!(reported, !contrastive, "{done}");
        for line in desk.lines(&format!("{pre}/metrics.jsonl")) {
            assert!(
                line["val_loss"].as_f64().is_some_and(f64::is_finite),
                "{line}"
            );
        }
        let more = format!("{model} --set model.strl.layers={}", 1 + i % 4);
        finetune(&desk, &pre, &fine, &more).success();
        // The encoder was lent: what fine-tuning starts from differs from what a seed draws.
        let line = format!("evaluate {fine} --data toy.h5 --split test --json");
        assert_eq!(desk.ssl(&line).json()["n"], 9);
        let line = format!("predict {fine} --data toy.h5 --split test --json");
        assert_eq!(desk.ssl(&line).json().as_array().map(Vec::len), Some(9));
    }
    let other = finetune(&desk, "pre0", "other", "--set model.backbone=gat");
    other.refused(1, &["pre0", "model.backbone", "it has gcn, they say gat"]);
    let layers = "--set model.encoder_layers=2";
    let other = finetune(
        &desk,
        "pre4",
        "other",
        &format!("{layers} --set model.time_neighbours=[1]"),
    );
    let words = [
        "pre4",
        "model.time_neighbours",
        "it has [1, 2], they say [1]",
    ];
    other.refused(1, &words);
    let other = pretrain(
        &desk,
        "other",
        "--set model.backbone=gat --set model.time_neighbours=[1]",
    );
    other.refused(1, &["model.time_neighbours", "gin"]);
    let other = pretrain(&desk, "other", "--set model.time_neighbours=[2,1]");
    other.refused(1, &["model.time_neighbours", "ascending"]);
}

#[test]
fn a_frozen_encoder_is_the_pre_trained_one_to_the_last_bit() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    pretrain(&desk, "pre", "").success();
    finetune(&desk, "pre", "tuned", "").success();
    finetune(&desk, "pre", "frozen", "--set finetune.encoder=frozen").success();
    let (pre, tuned, frozen) = (
        tensors(&desk, "pre"),
        tensors(&desk, "tuned"),
        tensors(&desk, "frozen"),
    );
    let mut lent = 0;
    for (name, bytes) in &pre {
        let own: Vec<String> = match name.split('.').next() {
            Some("encoder") => (0..3)
                .map(|i| format!("layers.{i}.spatial.{name}"))
                .collect(),
            Some("embed") => vec![name.clone()],
            _ => continue,
        };
        for own in own {
            assert!(frozen[&own] == *bytes, "{own}");
            lent += usize::from(tuned[&own] != *bytes);
        }
    }
    assert!(lent > 60, "tuning moved {lent} of them");
    let differ = |name: &&String| frozen[*name] != tuned[*name];
    assert!(frozen.keys().filter(differ).count() > 100);
}
