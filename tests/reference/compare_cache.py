"""Compares a pyskl pickle with the cache made from it, as an h5py user would read it: every array bit for bit.

Usage: python compare_cache.py CLIPS.pkl CACHE.h5
"""
import pickle
import sys

import h5py
import numpy as np


def main(source, cache):
    with open(source, "rb") as file:
        data = pickle.load(file)
    annotations = data["annotations"] if isinstance(data, dict) else data
    splits = data.get("split", {}) if isinstance(data, dict) else {}
    with h5py.File(cache, "r") as file:
        samples = file["samples"]
        ids = [i.decode() for i in samples["id"][:]]
        assert len(ids) == len(annotations), (len(ids), len(annotations))
        for i, clip in enumerate(annotations):
            name = clip.get("frame_dir", clip.get("filename"))
            assert ids[i] == name, (i, ids[i], name)
            assert samples["label"][i] == clip["label"], name
            start, m, t = (int(samples[key][i]) for key in ("offset", "persons", "frames"))
            expected = np.asarray(clip["keypoint"])
            assert expected.shape[:2] == (m, t), (name, expected.shape, m, t)
            same(file["keypoints"][start : start + m * t], expected, name)
            if "keypoint_score" in clip and "scores" in file:
                same(file["scores"][start : start + m * t], np.asarray(clip["keypoint_score"]), name)
            height, width = clip.get("img_shape", (0, 0))
            assert (samples["height"][i], samples["width"][i]) == (height, width), name
        for name, members in splits.items():
            found = [ids[i] for i in file["splits"][name][:]]
            assert found == list(members), name
    print(f"{len(annotations)} clips and {len(splits)} splits agree")


def same(found, expected, name):
    """The cache holds f16 where the source does and f32 otherwise."""
    kept = expected.astype("<f2" if expected.dtype == np.float16 else "<f4")
    kept = kept.reshape((-1,) + kept.shape[2:])
    assert found.dtype == kept.dtype, (name, found.dtype, kept.dtype)
    assert found.tobytes() == kept.tobytes(), name


if __name__ == "__main__":
    main(*sys.argv[1:])
