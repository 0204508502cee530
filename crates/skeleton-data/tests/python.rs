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

/// Writes, by every protocol, annotations with each value in each form that Python and numpy give it, and prints what a reader
/// must find in each file: [file, clips, splits].
const FORMS: &str = r#"
import collections, json, pickle, sys, numpy as np
base = np.random.default_rng(0).standard_normal((2, 3, 17, 2)).astype(np.float32)
base = np.round(base * 16)
orders = {
    "c": base,
    "fortran": np.asfortranarray(base),
    "transposed": base.transpose(2, 0, 3, 1).copy().transpose(1, 3, 0, 2),
    "mirrored": base.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0),
    "sliced": np.repeat(base, 2, axis=1)[:, ::2],
    "backwards": base[:, ::-1].copy()[:, ::-1],
}
types = ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i2", ">i4", "<i8", "i1"]
forms = {
    "keypoint": {f"{name} {t}": a.astype(t, order="K", copy=False) for name, a in orders.items() for t in types},
    "keypoint_score": {f"{name} {t}": a.astype(t, order="K", copy=False)[..., 0] for name, a in orders.items() for t in types},
    "frame_dir": {
        "str": "an id", "umlaut": "ständ 行", "str_": np.str_("ständ 行2"), "bytes": b"bytes", "bytes_": np.bytes_(b"bytes2"),
        "int": 7, "large": 2**40, "negative": -3, "int64": np.int64(70), "uint8": np.uint8(200), "int16": np.int16(-300),
        "array": np.array("0-d"), "object": np.array(["from objects"], dtype=object)[0], "element": np.array(["a", "element"])[1],
    },
    "label": {
        "int": 3, "int8": np.int8(3), "int32": np.int32(3), "int64": np.int64(3), "uint16": np.uint16(3), "array": np.array(3),
        "big": np.array([3], ">i4"), "float": 3.0, "float32": np.float32(3), "float64": np.float64(3), "None": None, "-1": -1,
        "int64 -1": np.int64(-1), "one": np.array([3]),
    },
    "img_shape": {
        "tuple": (480, 640), "list": [480, 640], "int64": np.array([480, 640]), "int32": np.array([480, 640], ">i4"),
        "float": np.array([480.0, 640.0]), "colour": (480, 640, 3), "scalars": (np.int64(480), np.uint16(640)),
        "sliced": np.array([480, 0, 640, 0])[::2], "backwards": np.array([640, 480])[::-1], "None": None,
        "objects": np.array([480, 640], dtype=object),
    },
    "total_frames": {
        "int": 3, "int32": np.int32(3), "int64": np.int64(3), "array": np.array(3), "float": 3.0, "float16": np.float16(3), "None": None,
    },
}
nested = {"lists": base.tolist(), "tuples": tuple(map(tuple, base.astype(int).tolist())), "scalars": [[list(map(list, p)) for p in q] for q in base]}
forms["keypoint"].update(nested)
forms["keypoint_score"].update({"lists": base[..., 0].tolist(), "scalars": [list(map(list, p)) for p in base[..., 0]]})
clips, expected = [], []
for field, values in forms.items():
    for name, value in values.items():
        clip = dict(frame_dir=f"{field} {name}", label=1, total_frames=3, keypoint=base)
        clip[field] = value
        i = clip["frame_dir"]
        i = i.decode() if isinstance(i, bytes) else str(i)
        label = None if clip["label"] is None or int(np.ravel(clip["label"])[0]) < 0 else int(np.ravel(clip["label"])[0])
        size = clip.get("img_shape")
        wanted = dict(id=i, label=label, image=None if size is None else [int(size[0]), int(size[1])],
                      half=getattr(clip["keypoint"], "dtype", np.dtype("f4")).str[1:] == "f2", scores="keypoint_score" in clip)
        if len(clips) % 2 and field != "frame_dir":
            clip["filename"] = clip.pop("frame_dir")
        clips.append(clip)
        expected.append(wanted)
ids = [e["id"] for e in expected]
texts = np.array(ids)
splits = collections.defaultdict(list, {
    "list": ids, "tuple": tuple(ids), "set": set(ids), "frozenset": frozenset(ids[:3]), "array": texts, "objects": np.array(ids, dtype=object),
    "big": texts.astype(texts.dtype.newbyteorder(">")), "sliced": texts[::2], "backwards": texts[::-1], "scalars": list(texts),
    "mixed": [texts[0], ids[1], b"bytes", 7], "bytes": np.array([b"bytes", b"bytes2"]), "none": [], "empty": texts[:0], "twice": ids + ids[:5],
    "int": [7, 70, -3], "int64": np.array([7, 70, -3]), "int64s": list(np.array([7, 70])), "int16": np.array([7, 70], ">i2"), "only": texts[:1],
    np.str_("str_"): ids[:2], "fortran": np.asfortranarray(texts), "column": np.array([ids, ids[::-1]]).T[:, 0],
})
as_text = lambda x: x.decode() if isinstance(x, bytes) else str(x)
wanted_splits = {as_text(k): ([as_text(x) for x in v], isinstance(v, (set, frozenset))) for k, v in splits.items()}
bare = [dict(c) for c in clips[:4]]
objects = np.empty(4, dtype=object)
objects[:] = bare
single = dict(keypoint=np.asfortranarray(base), frame_dir="", label=-1)
files = {
    "dict": (dict(annotations=clips, split=splits), expected, wanted_splits),
    "ordered": (collections.OrderedDict(split=collections.OrderedDict(), annotations=tuple(clips)), expected, {}),
    "bare": (bare, expected[:4], {}), "objects": (objects, expected[:4], {}),
    "inner": (dict(annotations=objects, split=dict(all=texts[:4])), expected[:4], dict(all=(ids[:4], False))),
    "single": (single, [dict(id="single", label=None, image=None, half=False, scores=False)], {}),
}
said = []
for protocol in range(6):
    for name, (data, clips, splits) in files.items():
        path = f"{sys.argv[1]}/{protocol}/{name}.pkl"
        pickle.dump(data, open(path, "wb"), protocol)
        said.append([path, clips, splits])
print(json.dumps([np.__version__, base.ravel().tolist(), base[..., 0].ravel().tolist(), said]))
"#;

/// Versions of numpy that write pickles each in their own way, by what their numbers begin with.
const NUMPYS: [(&str, &[&str]); 3] = [
    ("1, whose functions lie in numpy.core", &["1."]),
    ("2.0 to 2.2, in numpy._core", &["2.0.", "2.1.", "2.2."]),
    ("2.3 and later, which keeps an order of axes", &["2."]),
];

/// The Pythons to write pickles with: that of the other tests, and those that SSL_TEST_PYTHONS names, with colons between.
fn pythons() -> Vec<std::process::Command> {
    let more = std::env::var("SSL_TEST_PYTHONS").unwrap_or_default();
    let more = more.split(':').filter(|name| !name.is_empty());
    let more = more.map(std::process::Command::new);
    python("numpy").into_iter().chain(more).collect()
}

#[test]
fn every_value_comes_back_in_every_form_by_every_protocol() {
    let mut versions = Vec::new();
    for mut python in pythons() {
        let folder = tempfile::tempdir().unwrap();
        for protocol in 0..6 {
            std::fs::create_dir(folder.path().join(protocol.to_string())).unwrap();
        }
        let said = run(&mut python, FORMS, &[folder.path()]);
        let said: (String, Vec<f32>, Vec<f32>, Vec<Written>) = serde_json::from_str(&said).unwrap();
        for Written(path, clips, splits) in &said.3 {
            let place = format!("numpy {}, {path}", said.0);
            let file = RawFile::open(Path::new(path)).unwrap_or_else(|e| panic!("{place}: {e}"));
            let mut expected = clips.iter();
            let visited: skeleton_data::Result<()> = file.each(|clip| {
                let wanted = expected.next().unwrap();
                let place = format!("{place}, {:?}", wanted.id);
                assert_eq!(clip.id, wanted.id, "{place}");
                assert_eq!(
                    (clip.label, clip.image),
                    (wanted.label, wanted.image),
                    "{place}"
                );
                assert_eq!(
                    (clip.persons, clip.frames, clip.joints, clip.coordinates),
                    (2, 3, 17, 2)
                );
                let single = |values: &Values| -> Vec<f32> {
                    (0..values.view().len())
                        .map(|at| values.view().get(at))
                        .collect()
                };
                assert_eq!(single(&clip.keypoints), said.1, "{place}");
                assert_eq!(
                    matches!(clip.keypoints, Values::F16(_)),
                    wanted.half,
                    "{place}"
                );
                let scores = wanted.scores.then(|| said.2.clone());
                assert_eq!(clip.scores.as_ref().map(single), scores, "{place}");
                Ok(())
            });
            visited.unwrap();
            assert_eq!(expected.len(), 0, "{place}");
            assert_eq!(file.splits().len(), splits.len(), "{place}");
            for (name, found) in file.splits() {
                let (mut wanted, any_order) = splits[name].clone();
                let mut seen = std::collections::HashSet::new();
                wanted.retain(|id| seen.insert(id.clone()));
                let mut found = found.clone();
                if any_order {
                    wanted.sort();
                    found.sort();
                }
                assert_eq!(found, wanted, "{place}, split {name}");
            }
        }
        versions.push(said.0);
    }
    // The last of the kinds begins as the one before it does.
    let mut left = versions.clone();
    for (kind, beginnings) in NUMPYS {
        let before = left.len();
        left.retain(|version| !beginnings.iter().any(|start| version.starts_with(start)));
        if left.len() == before {
            eprintln!(
                "skipped: no Python with numpy {kind}, protocols 0 to 5 (SSL_TEST_PYTHONS names more)"
            );
        }
    }
    eprintln!("pickles of numpy {}, protocols 0 to 5", versions.join(", "));
}

/// A file, its clips, and its splits: their ids, and whether they may come in any order.
#[derive(serde::Deserialize)]
struct Written(
    String,
    Vec<WrittenClip>,
    std::collections::HashMap<String, (Vec<String>, bool)>,
);

/// What a clip must have beside the numbers, which are the same in all.
#[derive(serde::Deserialize)]
struct WrittenClip {
    id: String,
    label: Option<u32>,
    image: Option<(u32, u32)>,
    half: bool,
    scores: bool,
}
