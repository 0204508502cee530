"""Makes the seeds and the hand-made damaged files of the readers, with Python's own tools.

    python fuzz/make.py SSL

SSL is the program `ssl`, which makes the caches. Needs numpy and h5py. What is wrong with each damaged file, and the words
with which it is refused, stand in the table of fuzz/README.md, which a test holds to be true.
"""

import collections
import hashlib
import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parent


def seed(name, data):
    put(HERE / "seeds" / name, data)


def damaged(name, data):
    put(HERE / "damaged" / name, data)


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def once(data, old, new):
    assert data.count(old) == 1, (old, data.count(old))
    return data.replace(old, new)


# pickle

K = ((np.arange(2 * 3 * 4 * 2) * 7 % 256) / 8).reshape(2, 3, 4, 2)


def clip(i, k, **more):
    return dict(dict(frame_dir=f"clip{i}", label=i, total_frames=k.shape[1], keypoint=k), **more)


def annotations():
    half = K.astype("f2")
    return dict(
        split=dict(train=["clip0"], val=["clip1", "clip2"]),
        annotations=[
            clip(0, half, keypoint_score=half[..., 0] / 32, img_shape=(1080, 1920)),
            clip(1, np.asfortranarray(half), keypoint_score=half[..., 1] / 32),
            clip(2, half[:1].astype(">f4"), keypoint_score=half[:1, ..., 0].astype("f8")),
        ],
    )


def forms():
    """What numpy makes of ids, splits, labels and sizes."""
    half = K.astype("f2")
    clips = [
        clip(0, half, frame_dir=np.str_("clip0"), label=np.int64(1), img_shape=np.array([480, 640])),
        clip(1, half, frame_dir=7, total_frames=np.int32(3), img_shape=(np.int64(480), 640.0)),
        clip(2, half, frame_dir=np.int16(70), label=np.float32(2)),
        clip(3, half, frame_dir=np.array("ständ"), label=np.array(3)),
    ]
    splits = dict(array=np.array(["clip0", "ständ"]), objects=np.array(["clip0", 7], dtype=object), set={"clip0", 7})
    splits.update(bytes=np.array([b"clip0"]), integers=np.array([7, 70], ">i2"), big=np.array(["clip0"], ">U7")[::-1])
    return dict(annotations=clips, split=collections.defaultdict(list, splits))


def pickles():
    for protocol in (0, 2, 4, 5):
        seed(f"pickle/protocol{protocol}.pkl", pickle.dumps(annotations(), protocol))
    seed("pickle/bare.pkl", pickle.dumps([clip(0, K.astype("i2"), filename="x")], 3))
    for protocol in (0, 4):
        seed(f"pickle/forms{protocol}.pkl", pickle.dumps(forms(), protocol))
    single = dict(keypoint=K.astype(int).tolist(), keypoint_score=K[..., 0].tolist(), frame_dir="", label=-1)
    seed("pickle/single.pkl", pickle.dumps(single, 4))

    def refused(name, change, protocol=2):
        data = annotations()
        change(data)
        damaged(f"pickle/{name}.pkl", pickle.dumps(data, protocol))

    whole = pickle.dumps(annotations(), 2)
    damaged("pickle/empty.pkl", b"")
    damaged("pickle/cut.pkl", whole[: len(whole) // 2])
    damaged("pickle/newer.pkl", b"\x80\x09" + whole[2:])
    damaged("pickle/text.pkl", "These are not the clips you are looking for.\n")
    damaged("pickle/endless-bytes.pkl", b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.")
    damaged("pickle/function.pkl", b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.")
    bomb = b"]q\x00" + b"".join(bytes([93, 113, k + 1, 40, 104, k, 104, k, 101]) for k in range(100)) + b"."
    damaged("pickle/doubling.pkl", bomb)
    damaged("pickle/larger-shape.pkl", whole.replace(b"(K\x02K\x03K\x04K\x02t", b"(K\x7fK\x03K\x04K\x02t", 1))
    damaged("pickle/not-bytes.pkl", whole.replace(b"\xc2", b"\xc4", 1))
    refused("objects", lambda d: d["annotations"][0].update(keypoint=K.astype(object)))
    refused("complex", lambda d: d["annotations"][0].update(keypoint=K.astype("c8")))
    refused("twice", lambda d: d["annotations"][1].update(frame_dir="clip0"))
    refused("frames", lambda d: d["annotations"][0].update(total_frames=9))
    refused("joints", lambda d: d["annotations"].append(clip(3, K[:, :, :3].astype("f2"))))
    refused("scores", lambda d: d["annotations"][0].update(keypoint_score=K[:, :2, :, 0]))
    refused("split", lambda d: d["split"].update(train=[1]))
    ids = [f"clip{i}" for i in range(1000)]
    refused("splits", lambda d: d.update(split={str(i): ids for i in range(1000)}))
    refused("nobody", lambda d: d["annotations"][0].update(keypoint=np.zeros((0, 2**40, 4, 2), "f2")))
    refused("ragged", lambda d: d["annotations"][0].update(keypoint=[[[[1, 2], [3]]]]))
    numbers = [1, 2]
    for _ in range(3):
        numbers = [numbers] * 100
    refused("lists", lambda d: d["annotations"][0].update(keypoint=numbers))
    refused("none", lambda d: d["annotations"][0].update(keypoint=None))
    damaged("pickle/index.pkl", pickle.dumps([dict(frame_dir="a", label=0, raw_file="a.pkl", frame_inds=[0])], 4))


# .skeleton


def skeleton(frames):
    lines = [str(len(frames))]
    for t, bodies in enumerate(frames):
        lines.append(str(len(bodies)))
        for body in bodies:
            lines += [f"{body} 0 1 1 1 1 0 -0.12 0.3 2", "25"]
            lines += [f"{t}.25 -{v}.5 3.78 277.4 191.8 1036.2 519.1 -0.2 0.03 0.97 -0.05 2" for v in range(25)]
    return "\r\n".join(lines) + "\r\n"


def skeletons():
    one = skeleton([[72057594037931101]])
    seed("ntu/one.skeleton", one)
    seed("ntu/two.skeleton", skeleton([[7], [7, 8]]))
    seed("ntu/nobody.skeleton", skeleton([[], []]))
    damaged("ntu/empty.skeleton", "")
    damaged("ntu/cut.skeleton", one[:900])
    damaged("ntu/frames.skeleton", "4000000000" + one[1:])
    damaged("ntu/bodies.skeleton", one.replace("\r\n1\r\n", "\r\n99999999999\r\n", 1))
    damaged("ntu/joints.skeleton", once(one, "\r\n25\r\n", "\r\n20\r\n"))
    damaged("ntu/word.skeleton", once(one, "0.25 -3.5 ", "0.25 left "))
    damaged("ntu/short.skeleton", once(one, "0.25 -3.5 3.78 ", "0.25 -3.5 "))
    damaged("ntu/more.skeleton", one + "1\r\n")
    damaged("ntu/binary.skeleton", bytes(range(256)))


# .npz


def npz(compressed=False, **changes):
    x = np.zeros((3, 5, 150), "f4")
    x[0, :3, :75] = np.arange(225).reshape(3, 75) / 8
    x[1, 1:4, :] = np.arange(450).reshape(3, 150) / 16
    x[2, 0, 75:] = 1
    arrays = dict(x_train=x[:2], y_train=np.eye(4)[[2, 0]], x_test=x[2:], y_test=np.eye(4)[[3]])
    arrays.update(changes)
    out = io.BytesIO()
    write = np.savez_compressed if compressed else np.savez
    write(out, **{name: array for name, array in arrays.items() if array is not None})
    return out.getvalue()


def entries(changes):
    """A stored archive whose entries are changed as bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(npz())) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(zipfile.ZipInfo(name), changes[name](data) if name in changes else data)
    return out.getvalue()


def archives():
    seed("npz/stored.npz", npz())
    seed("npz/deflated.npz", npz(True))
    seed("npz/half.npz", npz(True, x_train=npz_x("f2"), x_test=None, y_test=None, y_train=np.eye(4, dtype="u1")[[2, 0]]))
    whole = npz(True)
    damaged("npz/empty.npz", b"")
    damaged("npz/text.npz", "not a zip file\n")
    damaged("npz/cut.npz", whole[: len(whole) * 2 // 3])
    damaged("npz/other.npz", npz(x_train=None, y_train=None, x_test=None, y_test=None, data=np.zeros(3)))
    damaged("npz/unlabelled.npz", npz(y_test=None))
    damaged("npz/one-person.npz", npz(True, x_test=np.zeros((1, 5, 75), "f4")))
    damaged("npz/two-hot.npz", npz(True, y_train=np.array([[1, 1, 0, 0], [0, 1, 0, 0]])))
    damaged("npz/columns.npz", npz(True, y_test=np.eye(5)[[3]]))
    damaged("npz/rows.npz", npz(True, y_train=np.eye(4)[[1, 2, 3]]))
    damaged("npz/fortran.npz", npz(True, x_train=np.asfortranarray(npz_x("f4"))))
    damaged("npz/objects.npz", npz(True, y_train=np.array([[None, 1]])))
    damaged("npz/larger-shape.npz", entries({"x_train.npy": lambda d: once(d, b"(2, 5, 150)", b"(9, 5, 150)")}))
    damaged("npz/endless-shape.npz", entries({"x_train.npy": lambda d: once(d, b"(2, 5, 150)", b"(2, 9999999999999999999, 150)")}))
    damaged("npz/version.npz", entries({"y_train.npy": lambda d: d[:6] + b"\x07" + d[7:]}))
    damaged("npz/long-head.npz", entries({"y_train.npy": lambda d: d[:6] + b"\x02\x00\xff\xff\xff\x7f" + d[10:]}))
    stored = bytearray(npz(x_test=None, y_test=None))
    at = stored.index(struct.pack("<f", 100 / 8))
    stored[at] ^= 1
    damaged("npz/checksum.npz", bytes(stored))


def npz_x(kind):
    x = np.zeros((2, 5, 150), kind)
    x[:, :2, :75] = 1.5
    return x


# .npy


def npy(x):
    out = io.BytesIO()
    np.save(out, x)
    return out.getvalue()


def npys():
    x = np.arange(2 * 3 * 4 * 5 * 2).reshape(2, 3, 4, 5, 2) / 8
    x[0, :, 2:], x[1, ..., 1] = 0, 0
    seed("npy/single.npy", npy(x.astype("f4")))
    seed("npy/half.npy", npy(x.astype(">f2")))
    seed("npy/repeats.npy", npy(np.concatenate([x[:1, :, :2]] * 3, 2).astype("i2")))
    whole = npy(x.astype("f4"))
    damaged("npy/cut.npy", whole[:-1])
    damaged("npy/axes.npy", npy(x[0].astype("f4")))
    damaged("npy/columns.npy", npy(x.swapaxes(1, 3).astype("f4")))
    damaged("npy/fortran.npy", npy(np.asfortranarray(x)))
    damaged("npy/objects.npy", npy(x.astype(object)))
    damaged("npy/nothing.npy", once(npy(x[:, :, :0]), b"(2, 3, 0, 5, 2)", b"(9999, 3, 0, 5, 2)"))
    damaged("npy/endless-shape.npy", once(whole, b"(2, 3, 4, 5, 2)", b"(9999999999999999999, 3, 4, 5, 2)"))


# JSON lines

HEADER = dict(format="skeleton-clips", version=1, layout="jhmdb15", units="pixel", classes=["wave", "clap"])


def lines(*rest, **header):
    return "".join(json.dumps(line) + "\n" if isinstance(line, dict) else line for line in [dict(HEADER, **header), *rest])


def person(frames=2, joints=15, c=2):
    return [[[[t + v / 4 + axis / 8 for axis in range(c)] for v in range(joints)] for t in range(frames)]]


def texts():
    a, b = dict(id="a", label="wave", keypoints=person()), dict(id="b", label=1, keypoints=person(1))
    train = dict(split="train", ids=["b", "a"])
    seed("jsonl/plain.jsonl", lines(a, b, train))
    scored = dict(a, scores=[[[0.5] * 15] * 2], height=1080, width=1920, subject=3, camera=1, setup=2)
    seed("jsonl/half.jsonl", lines(scored, "\r\n", dict(scored, id="b", label=None), train, keypoints_type="f16", scores_type="f16", dataset="mine"))
    nobody = dict(id="n", frames=7, keypoints=[])
    seed("jsonl/nobody.jsonl", lines(nobody, dict(a, keypoints=[[[None, [1.5, -2e1]] + [[0, 0]] * 13]])))
    damaged("jsonl/empty.jsonl", "")
    damaged("jsonl/no-header.jsonl", json.dumps(a) + "\n")
    damaged("jsonl/newer.jsonl", lines(a, version=2))
    damaged("jsonl/other.jsonl", lines(a, format="geojson"))
    damaged("jsonl/units.jsonl", lines(a, units="inch"))
    damaged("jsonl/layout.jsonl", lines(a, layout="coco71"))
    damaged("jsonl/cut.jsonl", lines(a, b)[:-40])
    damaged("jsonl/misspelt.jsonl", lines(a, dict(id="b", lable=1, keypoints=person(1))))
    damaged("jsonl/ragged.jsonl", lines(a, dict(b, keypoints=[[[[1, 2]] * 15, [[1, 2]] * 14]])))
    damaged("jsonl/joints.jsonl", lines(a, dict(b, keypoints=person(1, 17))))
    damaged("jsonl/coordinates.jsonl", lines(dict(a, keypoints=person(1, 15, 4))))
    damaged("jsonl/nan.jsonl", lines(dict(a, keypoints=[[[[float("nan"), 1]] * 15]])))
    damaged("jsonl/large.jsonl", lines(json.dumps(dict(a, keypoints=[[[[0.5, 1]] * 15]])).replace("0.5", "1e39") + "\n"))
    damaged("jsonl/half.jsonl", lines(dict(a, keypoints=[[[[70000, 1]] * 15]]), keypoints_type="f16"))
    damaged("jsonl/word.jsonl", lines(dict(a, keypoints=[[[["1", 2]] * 15]])))
    damaged("jsonl/flat.jsonl", lines(a, dict(b, keypoints=[1, 2, 3])))
    damaged("jsonl/scores.jsonl", lines(dict(a, scores=[[[0.5] * 15]])))
    damaged("jsonl/label.jsonl", lines(dict(a, label="jump")))
    damaged("jsonl/fraction.jsonl", lines(dict(a, label=1.5)))
    damaged("jsonl/twice.jsonl", lines(a, b, a))
    damaged("jsonl/split-twice.jsonl", lines(a, b, train, dict(split="train", ids=["a"])))
    damaged("jsonl/neither.jsonl", lines(a, dict(keypoints=person())))
    damaged("jsonl/one-side.jsonl", lines(dict(a, height=3)))
    damaged("jsonl/latin1.jsonl", lines(dict(a, id="é")).encode().replace(b"\\u00e9", b"\xe9"))


# JSON of pose estimators


def joints(x, n=5):
    return [number for joint in range(n) for number in (x + joint, 2.5 * joint, 0.25 * (joint % 4))]


def estimates():
    people = [dict(image_id=f"{frame}.jpg", category_id=1, keypoints=joints(x + frame), score=2.5)
              for frame in range(3) for x in (10, 500)]
    seed("estimates/alphapose.json", json.dumps(people))
    tracked = [dict(person, image_id=number // 2, idx=number % 2 + 1) for number, person in enumerate(people)]
    seed("estimates/tracked.json", json.dumps(tracked))
    instance = dict(keypoints=[[1, 2.5], [3, 4], [5, 6]], keypoint_scores=[0.5, 0, 1], track_id=3)
    frames = [dict(frame_id=frame, instances=[instance] * (frame % 3)) for frame in range(4)]
    seed("estimates/mmpose.json", json.dumps(dict(meta_info=dict(name="coco"), instance_info=frames)))
    seed("estimates/frames.json", json.dumps(frames))
    damaged("estimates/cut.json", json.dumps(people)[:-20])
    damaged("estimates/pairs.json", json.dumps([dict(people[0], keypoints=[1, 2, 0.5, 3])]))
    damaged("estimates/joints.json", json.dumps([people[0], dict(people[1], keypoints=joints(1, 4))]))
    damaged("estimates/nobody.json", json.dumps([dict(image_id=1)]))
    damaged("estimates/ragged.json", json.dumps([dict(frame_id=1, instances=[dict(instance, keypoints=[[1, 2], [3]])])]))
    damaged("estimates/scores.json", json.dumps([dict(frame_id=1, instances=[dict(instance, keypoint_scores=[0.5])])]))
    damaged("estimates/frame.json", json.dumps([dict(frames[1], frame_id="first")]))
    damaged("estimates/nan.json", json.dumps([dict(people[0], keypoints=[1, 2, float("nan")])]))


# caches

DIGESTED = ["format", "schema", "dataset", "layout", "units", "source"]
COLUMNS = ["id", "label", "offset", "persons", "frames", "height", "width", "subject", "camera", "setup", "checksum"]


def digest(f):
    """As the page of skeleton-data's `cache` says."""
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()

    def record(name, kind, shape, body):
        return text(name) + text(kind) + struct.pack(f"<{1 + len(shape)}Q", len(shape), *shape) + body

    kinds = {"<f2": "f16", "<f4": "f32", "<i4": "i32", "<u4": "u32", "<u8": "u64"}
    out = b""
    for name in DIGESTED:
        value, number = f.attrs[name], name == "schema"
        out += record(name, "u32" if number else "str", [], struct.pack("<I", value) if number else text(value))
    for name in ["keypoints", "scores"]:
        if name in f:
            out += record("/" + name, kinds[f[name].dtype.str], f[name].shape, b"")
    names = ["/samples/" + name for name in COLUMNS] + ["/classes"]
    for name in names + ["/splits/" + n for n in sorted(f["splits"], key=lambda n: n.encode())]:
        if name in ("/samples/id", "/classes"):
            strings = f[name].asstr()[:]
            out += record(name, "str", [len(strings)], b"".join(text(s) for s in strings))
        else:
            out += record(name, kinds[f[name].dtype.str], f[name].shape, f[name][:].tobytes())
    return hashlib.sha256(out).hexdigest()


def caches(ssl):
    work = HERE / "seeds" / "cache"
    work.mkdir(parents=True, exist_ok=True)
    for name, flags in [("plain", []), ("packed", ["--compress"])]:
        source, cache = HERE / "seeds/jsonl/half.jsonl", work / f"{name}.h5"
        subprocess.run([ssl, "-q", "convert", source, cache, "--overwrite", *flags], check=True, stdout=subprocess.DEVNULL)
    plain, packed = (work / "plain.h5").read_bytes(), (work / "packed.h5").read_bytes()

    def refused(name, change, signed=False, source=plain):
        put(HERE / "damaged/cache" / f"{name}.h5", source)
        with h5py.File(HERE / "damaged/cache" / f"{name}.h5", "r+") as f:
            change(f)
            if signed:
                f.attrs.modify("digest", digest(f))

    def value(name, index, number):
        return lambda f: f[name].__setitem__(index, number)

    damaged("cache/empty.h5", b"")
    damaged("cache/text.h5", "not HDF5\n")
    damaged("cache/cut.h5", plain[: len(plain) * 3 // 4])
    with h5py.File(HERE / "damaged/cache/foreign.h5", "w", libver="v108") as f:
        f["x"] = [1, 2, 3]
    refused("newer", lambda f: f.attrs.modify("schema", np.uint32(2)))
    refused("unsigned", value("samples/label", 0, 1))
    refused("label", value("samples/label", 0, 9), True)
    refused("rows", value("samples/frames", 0, 4_000_000_000), True)
    refused("offset", value("samples/offset", 0, 2**64 - 1), True)
    refused("split", value("splits/train", 0, 77), True)
    refused("units", lambda f: f.attrs.modify("units", "inches"), True)
    refused("layout", lambda f: f.attrs.modify("layout", "name = 3"), True)
    refused("no-labels", lambda f: f.__delitem__("samples/label"))
    refused("coordinate", value("keypoints", (0, 0, 0), 7))
    with h5py.File(io.BytesIO(packed)) as f:
        chunk = f["keypoints"].id.get_chunk_info(0)
    bad = bytearray(packed)
    bad[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    damaged("cache/chunk.h5", bytes(bad))
    endless = bytearray(plain)
    # The second byte of the length of the first string: what follows it is then sought among zeros.
    endless[endless.index(b"GCOL\x01") + 16 + 9] ^= 0x0C
    damaged("cache/endless-string.h5", bytes(endless))


# TOML


def tomls():
    for name in ("jhmdb15", "coco17"):
        seed(f"layout/{name}.toml", (ROOT / f"crates/skeleton-graph/layouts/{name}.toml").read_text())
    layout = """name = "tiny"
joints = ["head", "chest", "left", "right"]
edges = [[0, 1], [2, 1], [3, 1]]
flips = [[2, 3]]
origin = [1]
parts = [{ name = "top", joints = [0, 1] }, { name = "sides", joints = [2, 3] }]
"""
    seed("layout/tiny.toml", layout)
    for name, old, new in [
        ("key", "origin", "orgin"),
        ("cycle", "[0, 1], [2, 1]", "[0, 2], [2, 0]"),
        ("two-roots", "[0, 1], [2, 1]", "[2, 1]"),
        ("beyond", "[3, 1]", "[3, 4]"),
        ("itself", "[[2, 3]]", "[[2, 2]]"),
        ("part-twice", "[0, 1] }", "[0, 1, 2] }"),
        ("part-none", "joints = [2, 3]", "joints = [2]"),
        ("name-twice", '"right"', '"left"'),
        ("negative", "origin = [1]", "origin = [-1]"),
    ]:
        damaged(f"layout/{name}.toml", once(layout, old, new))
    damaged("layout/syntax.toml", layout + "[\n")
    damaged("layout/nested.toml", "x = " + "[" * 5000)
    facts = (ROOT / "datasets/sets/jhmdb14.toml").read_text().replace('name = "jhmdb14"', 'name = "toy"', 1)
    seed("datasets/jhmdb14.toml", facts)
    ntu = (ROOT / "datasets/sets/ntu60_2d.toml").read_text().replace('name = "ntu60_2d"', 'name = "toy"', 1)
    seed("datasets/ntu60_2d.toml", ntu)
    for name, old, new in [
        ("key", "clips = 609", "clip = 609"),
        ("units", '"normalised"', '"inch"'),
        ("coordinates", "coordinates = 2", "coordinates = 4"),
        ("format", '"pyskl"', '"piskl"'),
        ("list", 'list = "jhmdb14"', 'list = "../../x"'),
        ("count", "count = 14", "count = 99999999"),
        ("split-twice", 'name = "test1"', 'name = "train1"'),
        ("name", 'name = "toy"', 'name = "toys"'),
    ]:
        damaged(f"datasets/{name}.toml", once(facts, old, new))


if __name__ == "__main__":
    pickles()
    skeletons()
    archives()
    npys()
    texts()
    estimates()
    tomls()
    caches(sys.argv[1])
