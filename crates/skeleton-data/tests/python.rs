//! What Python's own tools say of our caches: h5py finds the pickles' arrays bit for bit, the documented digest can be
//! recomputed, and a cache that h5py wrote from the documentation is read.
#![cfg(feature = "hdf5")]

mod common;

use std::path::Path;

use common::{clips, python, run, shared, splits, write};
use skeleton_data::cache::{Cache, CacheHeader, CacheWriter};
use skeleton_data::raw::RawFile;
use skeleton_data::skeleton_graph::Layout;
use skeleton_data::{ClipSource, Units, Values};

/// The digest as the documentation of `cache` gives it.
const DIGEST: &str = r#"
import hashlib, struct, numpy as np
def record(name, kind, shape, body):
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
    return text(name) + text(kind) + struct.pack(f"<{1 + len(shape)}Q", len(shape), *shape) + body
def digest(f):
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
    kinds = {"<f2": "f16", "<f4": "f32", "<i4": "i32", "<u4": "u32", "<u8": "u64"}
    out = b""
    for name in ["format", "schema", "dataset", "layout", "units", "source"]:
        value = f.attrs[name]
        number = name == "schema"
        out += record(name, "u32" if number else "str", [], struct.pack("<I", value) if number else text(value))
    for name in ["keypoints", "scores"]:
        if name in f:
            out += record("/" + name, kinds[f[name].dtype.str], f[name].shape, b"")
    names = ["id", "label", "offset", "persons", "frames", "height", "width", "subject", "camera", "setup", "checksum"]
    names = ["/samples/" + n for n in names] + ["/classes"]
    for name in names + ["/splits/" + n for n in sorted(f["splits"], key=lambda n: n.encode())]:
        if name in ("/samples/id", "/classes"):
            strings = f[name].asstr()[:]
            out += record(name, "str", [len(strings)], b"".join(text(s) for s in strings))
        else:
            out += record(name, kinds[f[name].dtype.str], f[name].shape, f[name][:].tobytes())
    return hashlib.sha256(out).hexdigest()
"#;

fn prepare(clips: &Path, cache: &Path, layout: &str) {
    let file = RawFile::open(clips).unwrap();
    let header = CacheHeader {
        dataset: "test".into(),
        layout: Layout::built_in(layout).unwrap(),
        units: Units::Normalised,
        source: serde_json::json!({}),
        classes: (0..file.classes()).map(|class| class.to_string()).collect(),
        created_by: "tests".into(),
    };
    let mut writer = CacheWriter::create(cache, header).unwrap();
    file.each(|clip| writer.push(&clip)).unwrap();
    assert_eq!(writer.finish(file.splits()).unwrap().unknown_ids, []);
    assert_eq!(file.repaired().joints, 0);
}

#[test]
fn h5py_finds_the_arrays_of_the_pickles_bit_for_bit() {
    let script = format!(
        "{DIGEST}{}",
        r#"
import h5py, pickle, sys
data = pickle.load(open(sys.argv[1], "rb"))
f = h5py.File(sys.argv[2])
clips, s, k = data["annotations"], f["samples"], f["keypoints"]
assert f.attrs["format"] == "skeleton-cache" and f.attrs["schema"] == 1 and f.attrs["units"] == "normalised"
assert len(clips) == len(s["id"]) and list(s["id"].asstr()[:]) == [c["frame_dir"] for c in clips]
assert list(s["label"][:]) == [c["label"] for c in clips]
rows = 0
for i, c in enumerate(clips):
    m, t, v, _ = c["keypoint"].shape
    assert (s["offset"][i], s["persons"][i], s["frames"][i]) == (rows, m, t)
    stored = k[rows:rows + m * t]
    assert stored.dtype == c["keypoint"].dtype and stored.tobytes() == c["keypoint"].tobytes(), c["frame_dir"]
    rows += m * t
assert rows == len(k)
ids = [c["frame_dir"] for c in clips]
assert set(f["splits"]) == set(data["split"])
for name, members in data["split"].items():
    assert [ids[i] for i in f["splits"][name][:]] == list(members), name
assert digest(f) == f.attrs["digest"]
print(len(clips))
"#
    );
    for (name, layout, clips) in [
        ("jhmdb14.pkl", "jhmdb15", "609"),
        ("nw_ucla.pkl", "ucla20", "1484"),
    ] {
        let (Some(mut python), Some(pickle)) = (python("h5py, numpy"), shared(name)) else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("c.h5");
        prepare(&pickle, &cache, layout);
        Cache::open(&cache).unwrap().verify().unwrap();
        assert_eq!(run(&mut python, &script, &[&pickle, &cache]).trim(), clips);
    }
}

#[test]
fn h5py_reads_every_object_of_the_page() {
    let Some(mut python) = python("h5py, numpy") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let script = format!(
        "{DIGEST}{}",
        r#"
import h5py, sys
f = h5py.File(sys.argv[1])
assert f["keypoints"].dtype == "<f2" and f["keypoints"].shape == (8, 4, 2) and f["keypoints"].chunks is None
assert f["scores"].dtype == "<f2" and f["scores"].shape == (8, 4)
assert list(f["samples/id"].asstr()[:]) == ["a", "b", "ç"] and list(f["classes"].asstr()[:]) == ["sit", "ständ"]
assert list(f["samples/label"][:]) == [0, 1, -1] and list(f["samples/camera"][:]) == [-1, -1, -1]
assert list(f["samples/height"][:]) == [1080] * 3 and list(f["samples/subject"][:]) == [3] * 3
assert list(f["splits/train"][:]) == [1, 0] and f.attrs["created_by"].decode() == "tests 1"
assert digest(f) == f.attrs["digest"]
"#
    );
    run(&mut python, &script, &[&path]);
}

#[test]
fn h5py_reads_a_compressed_cache() {
    let Some(mut python) = python("h5py, numpy") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (plain, packed) = (folder.path().join("p.h5"), folder.path().join("c.h5"));
    write(&plain, &clips(), &splits());
    let cache = Cache::open(&plain).unwrap();
    let mut writer = CacheWriter::create(&packed, cache.header()).unwrap();
    writer.compress();
    for index in 0..cache.len() {
        writer.push(&cache.sequence(index).unwrap()).unwrap();
    }
    writer.finish(&cache.split_ids()).unwrap();
    let script = format!(
        "{DIGEST}{}",
        r#"
import h5py, sys
p, c = h5py.File(sys.argv[1]), h5py.File(sys.argv[2])
for name in ["keypoints", "scores"]:
    assert p[name].chunks is None and c[name].chunks == c[name].shape
    assert (c[name].compression, c[name].compression_opts, c[name].shuffle) == ("gzip", 4, True)
    assert p[name][:].tobytes() == c[name][:].tobytes() and p[name].dtype == c[name].dtype
assert digest(c) == c.attrs["digest"] == p.attrs["digest"]
"#
    );
    run(&mut python, &script, &[&plain, &packed]);
}

#[test]
fn a_cache_written_by_h5py_from_the_documentation_is_read() {
    let Some(mut python) = python("h5py, numpy") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (path, ours) = (folder.path().join("c.h5"), folder.path().join("ours.h5"));
    write(&ours, &clips(), &splits());
    // Copies every object and attribute through Python into a file of the oldest format, with checksums of its own.
    let script = format!(
        "{DIGEST}{}",
        r#"
import h5py, sys
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
ours, f = h5py.File(sys.argv[1]), h5py.File(sys.argv[2], "w", libver=("earliest", "latest"))
for name in ["keypoints", "scores"]:
    f[name] = ours[name][:]
text = h5py.string_dtype()
f.create_dataset("samples/id", data=list(ours["samples/id"].asstr()[:]), dtype=text)
f.create_dataset("classes", data=list(ours["classes"].asstr()[:]), dtype=text)
for name in ["label", "offset", "persons", "frames", "height", "width", "subject", "camera", "setup"]:
    f["samples/" + name] = ours["samples/" + name][:]
sums = []
for o, m, t in zip(f["samples/offset"][:], f["samples/persons"][:], f["samples/frames"][:]):
    rows = slice(int(o), int(o) + int(m) * int(t))
    sums.append(crc32c(f["keypoints"][rows].tobytes() + f["scores"][rows].tobytes()))
f["samples/checksum"] = np.array(sums, "<u4")
for name in ours["splits"]:
    f["splits/" + name] = ours["splits"][name][:]
for name in ["format", "dataset", "layout", "units", "source"]:
    f.attrs[name] = ours.attrs[name]
f.attrs["schema"], f.attrs["created_by"] = np.uint32(1), "h5py"
f.attrs["digest"] = digest(f)
"#
    );
    run(&mut python, &script, &[&ours, &path]);
    let (ours, theirs) = (Cache::open(&ours).unwrap(), Cache::open(&path).unwrap());
    assert_eq!(ours.digest(), theirs.digest());
    assert_eq!(theirs.created_by(), "h5py");
    theirs.verify().unwrap();
    for index in 0..ours.len() {
        assert_eq!(
            format!("{:?}", ours.clip(index).unwrap()),
            format!("{:?}", theirs.clip(index).unwrap())
        );
    }
}

/// Pickles of this numpy, by every protocol and in every order of memory, hold the numbers that numpy says.
#[test]
fn arrays_come_back_by_every_protocol_and_in_every_order() {
    let Some(mut python) = python("numpy") else {
        return;
    };
    let script = r#"
import json, pickle, sys, numpy as np
rng = np.random.default_rng(0)
base = rng.standard_normal((2, 3, 17, 2)).astype(np.float32)
orders = {
    "c": base,
    "fortran": np.asfortranarray(base),
    "transposed": base.transpose(2, 0, 3, 1).copy().transpose(1, 3, 0, 2),
    "reversed": base.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0),
    "sliced": np.repeat(base, 2, axis=1)[:, ::2],
    "backwards": base[:, ::-1].copy()[:, ::-1],
}
for protocol in range(6):
    clips = []
    for name, array in orders.items():
        assert np.array_equal(array, base)
        clips.append(dict(frame_dir=name, label=0, total_frames=3, keypoint=array,
                          keypoint_score=array[..., 0]))
    clip = dict(annotations=clips, split=dict(train=list(orders)))
    pickle.dump(clip, open(f"{sys.argv[1]}/{protocol}.pkl", "wb"), protocol)
print(json.dumps([base.ravel().tolist(), base[..., 0].ravel().tolist()]))
"#;
    let folder = tempfile::tempdir().unwrap();
    let said = run(&mut python, script, &[folder.path()]);
    let [keypoints, scores]: [Vec<f32>; 2] = serde_json::from_str(said.trim()).unwrap();
    for protocol in 0..6 {
        let path = folder.path().join(format!("{protocol}.pkl"));
        let file = RawFile::open(&path).unwrap_or_else(|e| panic!("protocol {protocol}: {e}"));
        let mut seen = Vec::new();
        let visited: skeleton_data::Result<()> = file.each(|clip: skeleton_data::Sequence| {
            let id = clip.id.clone();
            assert_eq!((clip.persons, clip.frames, clip.joints), (2, 3, 17), "{id}");
            let numbers = |values: &Values, n: usize| -> Vec<f32> {
                (0..n).map(|at| values.view().get(at)).collect()
            };
            let found = numbers(&clip.keypoints, keypoints.len());
            assert_eq!(found, keypoints, "protocol {protocol}, {id}");
            let found = numbers(clip.scores.as_ref().unwrap(), scores.len());
            assert_eq!(found, scores, "protocol {protocol}, scores of {id}");
            seen.push(id);
            Ok(())
        });
        visited.unwrap();
        assert_eq!(seen.len(), 6, "protocol {protocol}");
    }
}
