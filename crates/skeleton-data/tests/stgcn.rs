//! ST-GCN's arrays, made by numpy: the clips of a pickle come back from them.

mod common;

use std::path::Path;

use common::{all_of, python, run};
use skeleton_data::Error;
use skeleton_data::raw::{Input, Meaning, RawFiles};
use tempfile::TempDir;

/// Writes the same clips into a folder as arrays and as pyskl's pickle, `clips.pkl`. Those of `train` end in zeros, as ST-GCN writes them;
/// those of `val` are filled up as 2s-AGCN does it (`data_gen/preprocess.py`, pre_normalization).
const WRITE: &str = r#"
import pickle, sys, numpy as np
folder, numbers = sys.argv[1], np.random.default_rng(0)
annotations, splits = [], {}
for split, kind in ("train", "f4"), ("val", "f2"):
    array, names, labels = np.zeros((5, 3, 20, 25, 2), kind), [], []
    for index in range(5):
        people, frames = 1 + index % 2, 20 - 5 * (index % 4)
        clip = numbers.normal(size=(people, frames, 25, 3)).astype(kind)
        # A frame without anyone, which is not padding.
        clip[:, frames // 2] = 0
        filled = np.zeros((2, 20, 25, 3), kind)
        filled[:people, :frames] = clip
        if split == "val" and frames < 20:
            rest = 20 - frames
            filled[:people, frames:] = np.concatenate([clip] * -(-rest // frames), 1)[:, :rest]
        array[index] = filled.transpose(3, 1, 2, 0)
        name = f"S001C00{index % 3 + 1}P003R002A01{index}" if split == "train" else f"v_{index}"
        names.append(name + ".skeleton"), labels.append(index)
        annotations.append(dict(frame_dir=name, label=index, total_frames=frames, keypoint=clip))
    np.save(f"{folder}/{split}_data_joint.npy", array.astype(">f4") if split == "train" else array)
    labels = labels if split == "train" else np.array(labels)
    pickle.dump((names, labels), open(f"{folder}/{split}_label.pkl", "wb"))
    splits[split] = [name.removesuffix(".skeleton") for name in names]
pickle.dump(dict(split=splits, annotations=annotations), open(f"{folder}/../clips.pkl", "wb"))
"#;

fn open(paths: &[&Path]) -> Result<RawFiles, Error> {
    let input = |path: &&Path| Input {
        path: path.to_path_buf(),
        split: None,
    };
    let inputs: Vec<Input> = paths.iter().map(input).collect();
    RawFiles::open(&inputs, Meaning::default(), false)
}

#[test]
fn arrays_give_the_clips_of_a_pickle() {
    let Some(mut python) = python("numpy") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let arrays = folder.path().join("arrays");
    std::fs::create_dir(&arrays).unwrap();
    run(&mut python, WRITE, &[&arrays]);
    let pickle = open(&[&folder.path().join("clips.pkl")]).unwrap();
    let [train, val] = ["train", "val"].map(|split| arrays.join(format!("{split}_data_joint.npy")));
    // By their names, and as what is in a folder, whose label pickles are no clips.
    for read in [open(&[&train, &val]).unwrap(), open(&[&arrays]).unwrap()] {
        assert_eq!(read.splits(), pickle.splits());
        assert_eq!(read.classes(), 5);
        assert_eq!(read.element_types(), ["float32", "float16"]);
        assert_eq!(all_of(&read), all_of(&pickle));
        // The labels are part of what was read.
        assert_eq!(read.paths().len(), 4);
    }
    let first = &all_of(&pickle)[1];
    assert_eq!((first.camera, first.subject), (Some(2), Some(3)));

    // Alone an array has numbers only.
    std::fs::remove_file(arrays.join("val_label.pkl")).unwrap();
    let alone = open(&[&val]).unwrap();
    assert_eq!(alone.ids()[1], "val_data_joint-000001");
    assert_eq!(all_of(&alone)[1].keypoints, all_of(&pickle)[6].keypoints);
    assert_eq!(all_of(&alone)[1].label, None);
}

/// An array of one-byte numbers.
fn array(shape: &str, numbers: usize) -> Vec<u8> {
    let head = format!("{{'descr': '|i1', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.bytes());
    bytes.extend(std::iter::repeat_n(1, numbers));
    bytes
}

#[test]
fn other_arrays_and_labels_are_refused_by_what_is_wrong() {
    let folder = TempDir::new().unwrap();
    let refused = |name: &str, bytes: &[u8], expected: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let said = open(&[&path]).err().expect("refused").to_string();
        assert!(said.contains(name) && said.contains(expected), "{said}");
    };
    let clips = array("(2, 2, 1, 1, 1)", 4);
    refused("a.npy", &array("(2, 3, 4)", 24), "found [2, 3, 4]");
    refused("a.npy", &array("(2, 9, 1, 1, 1)", 18), "second axis");
    refused("a.npy", &array("(9999999999, 2, 0, 1, 1)", 0), "length 0");
    refused("a.npy", &clips[..clips.len() - 1], "numbers of shape");
    let mut columns = clips.clone();
    let at = columns.windows(5).position(|five| five == b"False");
    let at = at.expect("the order");
    columns[at..at + 5].copy_from_slice(b"True ");
    refused("a.npy", &columns, "Fortran order");
    refused("train_data_bone.npy", &clips, "places of joints");
    let emotion = folder.path().join("emotion.npy");
    std::fs::write(&emotion, &clips).unwrap();
    assert_eq!(open(&[&emotion]).unwrap().len(), 2);

    let data = folder.path().join("train_data.npy");
    std::fs::write(&data, &clips).unwrap();
    let labels = |pickle: &[u8], expected: &str| {
        let path = folder.path().join("train_label.pkl");
        std::fs::write(path, pickle).unwrap();
        let said = open(&[&data]).err().expect("refused").to_string();
        assert!(
            said.contains("train_label.pkl") && said.contains(expected),
            "{said}"
        );
    };
    // Pickles of protocol 0, as pickle.dumps(x, 0) writes them but for the memo.
    labels(b"(lp0\nI1\na.", "two lists");
    labels(b"((lS'a'\naS'a'\na(lI0\naI1\nat.", "a second time");
    labels(b"((lS'a'\naS'b'\na(lI0\naI-2\nat.", "-1 for none");
    labels(b"((lS'a'\naS'b'\na(lI0\nat.", "2 names and 1 labels");
    std::fs::write(
        folder.path().join("train_label.pkl"),
        b"((lS'a'\naS'b'\na(lI0\naI-1\nat.",
    )
    .unwrap();
    let read = open(&[&data]).unwrap();
    assert_eq!(read.ids(), ["a", "b"]);
    let labels: Vec<_> = all_of(&read).iter().map(|clip| clip.label).collect();
    assert_eq!(labels, [Some(0), None]);
}
