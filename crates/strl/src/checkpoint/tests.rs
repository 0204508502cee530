use skeleton_data::Units;
use skeleton_data::reading::Reading;
use skeleton_data::stream::Stream;
use skeleton_graph::Layout;
use skeleton_kernels::host;

use super::*;

fn checkpoint() -> Checkpoint {
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

fn written(change: impl FnOnce(&mut serde_json::Value)) -> (tempfile::TempDir, PathBuf) {
    let checkpoint = checkpoint();
    let mut meta = serde_json::to_value(&checkpoint.meta).unwrap();
    change(&mut meta);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, sealed::to_bytes(&meta, &checkpoint.tensors).unwrap()).unwrap();
    (folder, path)
}

#[test]
fn what_is_written_is_read_back_from_the_file_and_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let original = checkpoint();
    std::fs::write(folder.path().join(FILE), original.to_bytes().unwrap()).unwrap();
    let (read, origin) = Checkpoint::read(folder.path()).unwrap();
    assert_eq!(read.meta, original.meta);
    for (name, tensor) in &original.tensors {
        let (ours, theirs) = (
            host::read::<f32>(tensor).unwrap(),
            host::read::<f32>(&read.tensors[name]).unwrap(),
        );
        assert_eq!(
            ours.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
            theirs.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        );
    }
    assert_eq!(
        Checkpoint::read(&origin.path).unwrap().1.sha256,
        origin.sha256
    );
}

#[test]
fn the_same_contents_are_the_same_bytes_and_the_keys_are_sorted() {
    assert_eq!(
        checkpoint().to_bytes().unwrap(),
        checkpoint().to_bytes().unwrap()
    );
    let bytes = checkpoint().to_bytes().unwrap();
    let json = String::from_utf8_lossy(&bytes).replace('\\', "");
    let places: Vec<usize> = [
        "\"classes\":",
        "\"config\":",
        "\"coordinates\":",
        "\"data\":",
        "\"version\":",
    ]
    .iter()
    .map(|key| json.find(key).unwrap())
    .collect();
    assert!(places.is_sorted(), "{json}");
}

#[test]
fn another_version_is_refused_by_its_number() {
    for (version, says) in [
        (VERSION + 1, "version 4 is newer than 3"),
        (2, "version 2 is older than 3"),
    ] {
        let (_folder, path) = written(|meta| meta["version"] = version.into());
        let refused = Checkpoint::read(&path).unwrap_err();
        assert!(
            refused.to_string().contains(says),
            "{}",
            refused.to_string()
        );
    }
}

#[test]
fn unknown_missing_and_wrong_metadata_are_refused() {
    let changes: [fn(&mut serde_json::Value); 5] = [
        |meta| meta["surprise"] = 1.into(),
        |meta| meta["version"] = "one".into(),
        |meta| meta["version"] = 0.into(),
        |meta| meta["units"] = "furlong".into(),
        |meta| meta["stream"] = "bone".into(),
    ];
    for change in changes {
        let (_folder, path) = written(change);
        let refused = Checkpoint::read(&path).unwrap_err();
        assert!(
            refused.to_string().contains(FILE),
            "{}",
            refused.to_string()
        );
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_an_error() {
    let bytes = checkpoint().to_bytes().unwrap();
    let path = Path::new("x");
    let read = |bytes: &[u8]| {
        let unsealed = sealed::from_bytes(bytes, path, "checkpoint")?;
        Checkpoint::understand(unsealed, path)
    };
    let whole = read(&bytes).unwrap();
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    // The header is filled up with blanks, which may become other blanks: nothing else may change.
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let used = bytes[..header]
        .iter()
        .rposition(|&byte| byte != b' ')
        .unwrap()
        + 1;
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << bit;
            match read(&flipped) {
                Err(_) => {}
                Ok(same) => {
                    assert!((used..header).contains(&place), "byte {place} bit {bit}");
                    assert_eq!(same.meta, whole.meta);
                }
            }
        }
    }
}

#[test]
fn a_folder_without_a_checkpoint_and_a_missing_path_say_so() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        Checkpoint::read(folder.path())
            .unwrap_err()
            .to_string()
            .contains("no model.safetensors")
    );
    assert!(
        Checkpoint::read(&folder.path().join("none"))
            .unwrap_err()
            .to_string()
            .contains("none")
    );
}

#[test]
fn safetensors_of_another_program_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let empty: [(&str, &Tensor); 0] = [];
    std::fs::write(&path, safetensors::serialize(empty, None).unwrap()).unwrap();
    assert!(
        Checkpoint::read(&path)
            .unwrap_err()
            .to_string()
            .contains("another program")
    );
}

#[test]
fn a_checkpoint_of_the_other_kind_is_refused() {
    let origin = Origin {
        path: "x".into(),
        sha256: String::new(),
    };
    assert!(checkpoint().expect(Kind::Pretrain, &origin).is_ok());
    let refused = checkpoint().expect(Kind::Finetune, &origin).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("expected a checkpoint of `ssl finetune`"),
        "{}",
        refused.to_string()
    );
}

#[test]
fn a_file_that_would_fill_the_memory_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    // A hole: it takes no room on the disk.
    std::fs::File::create(&path)
        .unwrap()
        .set_len((4 << 30) + 1)
        .unwrap();
    let refused = sealed::read_safetensors(&path).unwrap_err();
    assert!(
        refused.to_string().contains("at most 4294967296 bytes"),
        "{}",
        refused
    );
}

#[test]
fn a_header_length_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for bytes in [
        &b"short"[..],
        &u64::MAX.to_le_bytes(),
        &[255, 0, 0, 0, 0, 0, 0, 0, b'{', b'}'],
    ] {
        std::fs::write(&path, bytes).unwrap();
        let refused = sealed::read_safetensors(&path).unwrap_err();
        assert!(
            refused.to_string().contains("expected a checkpoint"),
            "{}",
            refused
        );
    }
}
