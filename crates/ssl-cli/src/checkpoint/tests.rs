use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use rand::Rng as _;
use skeleton_data::Units;
use skeleton_data::reading::Reading;
use skeleton_data::stream::Stream;
use skeleton_graph::Layout;

use super::*;

pub fn checkpoint() -> Checkpoint {
    let meta = Meta {
        version: VERSION,
        kind: Kind::Pretrain,
        layout: Layout::built_in("coco17").unwrap().to_toml(),
        units: Units::Pixel,
        reading: Reading::default(),
        stream: Stream::Joint,
        frames: 64,
        coordinates: 2,
        classes: vec!["wave".into(), "käse".into()],
        config: "[run]\nseed = 1\n".into(),
        data: Fingerprint {
            dataset: "synthetic".into(),
            digest: "00ff".into(),
        },
        epoch: 3,
        encoder: None,
        also: Vec::new(),
        imported: None,
    };
    let tensor = |values: &[f32]| Tensor::new(values, &candle_core::Device::Cpu).unwrap();
    let tensors = BTreeMap::from([
        ("a.weight".to_owned(), tensor(&[1.0, f32::MIN_POSITIVE])),
        ("b".to_owned(), tensor(&[-0.0])),
    ]);
    Checkpoint { meta, tensors }
}

#[test]
fn what_is_written_is_read_back_and_what_is_not_there_has_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let refused = read(folder.path()).unwrap_err();
    assert!(matches!(refused, Failure::Error { hint: Some(hint), .. } if hint.contains("epoch")));
    write(&checkpoint(), &folder.path().join(FILE)).unwrap();
    let (back, origin) = read(folder.path()).unwrap();
    assert_eq!(back.meta, checkpoint().meta);
    assert_eq!(origin.path, folder.path().join(FILE));
}

/// Damages a file in 2,000 ways: cut off, bits and bytes changed, ranges zeroed. `read` must refuse it, or
/// give the contents of the whole file, which only the blanks that fill up the header allow.
pub fn damaged<E>(whole: &[u8], read: impl Fn(&[u8]) -> Result<Vec<u8>, E>) {
    let mut rng = skeleton_graph::random::stream(
        0,
        skeleton_graph::random::Purpose::Synthetic,
        0,
        skeleton_graph::random::Key::Clip("damage"),
    );
    let mut below = |n: usize| rng.random_range(0..n);
    let mut refused = 0;
    for trial in 0..2000 {
        let mut bytes = whole.to_vec();
        let place = below(bytes.len());
        match trial % 4 {
            0 => bytes.truncate(place),
            1 => bytes[place] ^= 1 << below(8),
            2 => bytes[place] = below(256) as u8,
            _ => {
                let end = (place + 1 + below(64)).min(bytes.len());
                bytes[place..end].fill(0);
            }
        }
        match read(&bytes) {
            Err(_) => refused += 1,
            Ok(contents) => assert!(contents == whole, "trial {trial}, place {place}"),
        }
    }
    assert!(refused > 1500, "{refused} of 2000 were refused");
}

#[test]
fn two_thousand_damages_are_all_found() {
    damaged(&checkpoint().to_bytes().unwrap(), |bytes| {
        let (checkpoint, _) = Checkpoint::from_bytes(bytes, Path::new("x"))?;
        checkpoint.to_bytes()
    });
}
