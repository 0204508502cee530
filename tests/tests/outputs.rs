//! No command writes over what it reads, however the name is spelt, and none gives a file a name of another form.

use ssl_tests::program::Desk;
use ssl_tests::toy::TOY;

const PRETRAIN: &str = "pretrain --preset quick --data toy.h5 --split train --set reading.frames=8 --set pretrain.epochs=1 --set model.width=16 --set model.encoder_layers=1";
const FINETUNE: &str = "finetune --preset quick --data toy.h5 --train train --set reading.frames=8 --set finetune.epochs=1 --set model.width=16 --set model.encoder_layers=1 --set model.strl.layers=1";

#[test]
fn what_is_read_is_never_replaced() {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk.ssl("convert toy.h5 toy.jsonl").success();
    desk.ssl(&format!("{PRETRAIN} --out encoder")).success();
    desk.ssl(&format!("{FINETUNE} --encoder encoder --out model"))
        .success();
    desk.ssl("evaluate model --data toy.h5 --split test --scores scores.jsonl")
        .success();
    std::fs::hard_link(desk.path("toy.jsonl"), desk.path("link.h5")).expect("a link");
    for (typed, input) in [
        ("prepare toy.jsonl -o toy.jsonl --overwrite", "toy.jsonl"),
        ("prepare toy.jsonl -o ./toy.jsonl --overwrite", "toy.jsonl"),
        ("prepare toy.jsonl -o link.h5 --overwrite", "toy.jsonl"),
        ("convert toy.h5 model/../toy.h5 --overwrite", "toy.h5"),
        (
            "evaluate model --data toy.h5 --split test --scores toy.h5",
            "toy.h5",
        ),
        (
            "evaluate model --data toy.h5 --split test --scores model/model.safetensors",
            "model/model.safetensors",
        ),
        ("fuse scores.jsonl --out scores.jsonl", "scores.jsonl"),
        (
            "represent encoder --data toy.h5 --split test --out toy.h5 --overwrite",
            "toy.h5",
        ),
        (
            "reconstruct encoder --data toy.h5 --split test --svg encoder/model.safetensors --overwrite",
            "encoder/model.safetensors",
        ),
        (
            "probe --encoder encoder --data toy.h5 --train train --test test --out toy.h5",
            "toy.h5",
        ),
        (
            "import model/model.safetensors --like model -o model/model.safetensors --overwrite",
            "model/model.safetensors",
        ),
    ] {
        let before = desk.read(input);
        desk.ssl(typed)
            .refused(2, &["what is read", "choose another name"]);
        assert!(desk.read(input) == before, "{typed}");
    }
    desk.ssl("fuse scores.jsonl --out fused.jsonl").success();
    let probe = "probe --encoder encoder --data toy.h5 --train train --test test --out probe.json";
    desk.ssl(probe).success();
    for (typed, output) in [
        (
            "evaluate model --data toy.h5 --split test --scores scores.jsonl",
            "scores.jsonl",
        ),
        ("fuse scores.jsonl --out fused.jsonl", "fused.jsonl"),
        (probe, "probe.json"),
    ] {
        desk.ssl(typed).refused(1, &[output, "--overwrite"]);
        desk.ssl(&format!("{typed} --overwrite")).success();
    }
    for run in ["encoder", "."] {
        desk.ssl(&format!(
            "{FINETUNE} --encoder encoder --out {run} --overwrite"
        ))
        .refused(2, &["what is read", "another --out"]);
    }
    desk.read("encoder/model.safetensors");
}

#[test]
fn a_cache_has_no_name_of_another_form() {
    let desk = Desk::new();
    for name in ["clips.jsonl", "clips.npz", "clips.PKL"] {
        let typed = format!("prepare --dataset synthetic -o {name}");
        desk.ssl(&typed).refused(2, &[name, "ssl convert"]);
        assert!(!desk.path(name).exists());
    }
}
