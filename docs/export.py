"""From keypoints to a class with numpy and onnxruntime alone: python docs/export.py MODEL.onnx CLIPS.jsonl

Reads clips as models of `reading.sampling = "linear"`, `stream = "joint"` and `normalization = "clip"` do, the usual ones, and
prints the likeliest class of each. `ssl export` writes MODEL.onnx and MODEL.onnx.json.
"""
import json
import sys

import numpy as np
import onnxruntime


def read(keypoints, scores, how):
    """Keypoints (people, frames, joints, c), None where a joint wasn't seen, as the model's input (1, people, T, joints, c)."""
    c, reading = how["input"]["coordinates"], how["reading"]
    assert (reading["sampling"], reading["stream"], reading["normalization"]) == ("linear", "joint", "clip"), reading
    x = np.array([[[joint or [0] * c for joint in pose] for pose in person] for person in keypoints], np.float32)
    seen = np.isfinite(x).all(-1) & (x != 0).any(-1)  # (people, frames, joints)
    if scores is not None:
        seen &= np.array(scores, np.float32) > reading["score_threshold"]
    x = np.where(seen[..., None], x, 0)
    there = np.flatnonzero(seen.any((1, 2)))  # at most so many people, those of the most joints
    there = np.sort(there[np.argsort(-seen[there].sum((1, 2)), kind="stable")][:reading["persons"]])
    kept = seen[there].any((0, 2))  # frames that show somebody
    x, seen = x[there][:, kept], seen[there][:, kept]
    time = np.linspace(0, kept.sum() - 1, reading["frames"])  # T times, each between two frames
    low = time.astype(int)
    high, share = np.minimum(low + 1, kept.sum() - 1), (time - low).astype(np.float32)[:, None]
    share = np.where((share > 0) & ~seen[:, low], 1, share * (seen[:, high] & (share > 0)))  # a joint seen in one is taken from it
    seen = seen[:, low] | (seen[:, high] & (time > low)[:, None])
    x = x[:, low] * (1 - share[..., None]) + x[:, high] * share[..., None]
    points = x[seen].astype(float)  # one mean a coordinate, one deviation for all
    deviation = np.sqrt(((points - points.mean(0)) ** 2).mean()) + 1e-6
    return np.where(seen[..., None], (x - points.mean(0)) / deviation, 0).astype(np.float32)[None]


if __name__ == "__main__":
    model, how = onnxruntime.InferenceSession(sys.argv[1]), json.load(open(sys.argv[1] + ".json"))
    for clip in (json.loads(line) for line in open(sys.argv[2])):
        if "keypoints" in clip:
            poses = read(clip["keypoints"], clip.get("scores"), how)
            (p,) = model.run(["probabilities"], {"poses": poses})
            print(clip["id"], how["classes"][p[0].argmax()], f"{p.max():.3f}", sep="\t")
