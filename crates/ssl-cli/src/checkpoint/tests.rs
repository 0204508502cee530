use skeleton_data::Units;
use skeleton_data::reading::Reading;
use skeleton_data::stream::Stream;
use skeleton_graph::Layout;

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
        imported: None,
    };
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    let tensors = BTreeMap::from([
        ("a.weight".to_owned(), tensor(&[1.0, f32::MIN_POSITIVE])),
        ("b".to_owned(), tensor(&[-0.0])),
    ]);
    Checkpoint { meta, tensors }
}

fn written(change: impl FnOnce(&mut serde_json::Value)) -> (tempfile::TempDir, PathBuf) {
    let checkpoint = checkpoint();
    let mut meta: serde_json::Value =
        serde_json::from_str(&checkpoint.meta.to_json().unwrap()).unwrap();
    change(&mut meta);
    let metadata = HashMap::from([(KEY.to_owned(), meta.to_string())]);
    let tensors = checkpoint
        .tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(
        &path,
        safetensors::serialize(tensors, Some(metadata)).unwrap(),
    )
    .unwrap();
    (folder, path)
}

#[test]
fn what_is_written_is_read_back_from_the_file_and_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let original = checkpoint();
    original.write(&folder.path().join(FILE)).unwrap();
    let (read, origin) = Checkpoint::read(folder.path()).unwrap();
    assert_eq!(read.meta, original.meta);
    for (name, tensor) in &original.tensors {
        let (ours, theirs) = (
            tensor.to_vec1::<f32>().unwrap(),
            read.tensors[name].to_vec1::<f32>().unwrap(),
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
    let json = checkpoint().meta.to_json().unwrap();
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
fn a_newer_version_is_refused_by_its_number() {
    let (_folder, path) = written(|meta| meta["version"] = (VERSION + 1).into());
    let refused = Checkpoint::read(&path).unwrap_err();
    assert!(
        refused
            .message()
            .contains("checkpoint version 3 is newer than 2"),
        "{}",
        refused.message()
    );
}

#[test]
fn version_1_is_read_as_what_it_meant() {
    let (_folder, path) = written(|meta| {
        meta["version"] = 1.into();
        let reading = meta["reading"].as_object_mut().unwrap();
        for key in ["sampling", "clips", "stream"] {
            assert!(reading.remove(key).is_some(), "{key}");
        }
    });
    let (read, _) = Checkpoint::read(&path).unwrap();
    assert_eq!(read.meta.reading, Reading::default());
    assert_eq!(read.meta.stream, Stream::Joint);
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
        assert!(refused.message().contains(FILE), "{}", refused.message());
    }
}

#[test]
fn every_cut_and_every_flipped_header_byte_is_an_error_or_the_same_model() {
    let original = checkpoint();
    let bytes = original.to_bytes().unwrap();
    let path = Path::new("x");
    for length in 0..bytes.len() {
        assert!(
            Checkpoint::from_bytes(&bytes[..length], path).is_err(),
            "cut to {length} bytes"
        );
    }
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x10;
        // No panic; what still parses is caught later, by the model's strict names and shapes.
        let _ = Checkpoint::from_bytes(&flipped, path);
    }
}

#[test]
fn a_folder_without_a_checkpoint_and_a_missing_path_say_so() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        Checkpoint::read(folder.path())
            .unwrap_err()
            .message()
            .contains("no model.safetensors")
    );
    assert!(
        Checkpoint::read(&folder.path().join("none"))
            .unwrap_err()
            .message()
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
            .message()
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
            .message()
            .contains("expected a checkpoint of `ssl finetune`"),
        "{}",
        refused.message()
    );
}
