"""The stand-in for pyskl's training batches: bench_batches.py FOLDER

What its pipeline does to a clip, with the numpy operations that it does it by, in its order: a deep copy of the
annotation; for NTU's 3D clips PreNormalize3D, for 2D ones PreNormalize2D; RandomRot, RandomScale; UniformSample
with its search for frames in which people come or go; PoseDecode; FormatGCNInput for two people; then the batch is stacked.
torch and mmcv, which it also imports, are left out. The clips lie in memory before the clock starts.

FOLDER holds `clips.f16` and `clips.txt`, a line a clip: people, frames, joints, coordinates, 1 if scores follow the
coordinates. Every fourth clip is read, since it takes that long. Prints seconds and bytes as a JSON line.
"""

import copy
import json
import os
import sys
import time

import numpy as np

FRAMES, BATCH = 64, 16


def load(folder):
    data = np.fromfile(os.path.join(folder, "clips.f16"), "<f2")
    clips, at = [], 0
    for line in open(os.path.join(folder, "clips.txt")):
        m, t, v, c, scored = map(int, line.split())
        clip = {"total_frames": t, "label": len(clips) % 60, "img_shape": (1080, 1920)}
        clip["keypoint"] = data[at : at + m * t * v * c].reshape(m, t, v, c)
        at += m * t * v * c
        if scored:
            clip["keypoint_score"] = data[at : at + m * t * v].reshape(m, t, v)
            at += m * t * v
        clips.append(clip)
    return clips


def size(clip):
    return sum(value.nbytes for value in clip.values() if isinstance(value, np.ndarray))


def angle_between(a, b):
    if np.abs(a).sum() < 1e-6 or np.abs(b).sum() < 1e-6:
        return 0
    return np.arccos(np.clip(np.dot(a / np.linalg.norm(a), b / np.linalg.norm(b)), -1.0, 1.0))


def rotation_matrix(axis, angle):
    if np.abs(axis).sum() < 1e-6 or np.abs(angle) < 1e-6:
        return np.eye(3)
    axis = axis / np.sqrt(np.dot(axis, axis))
    a = np.cos(angle / 2.0)
    b, c, d = -axis * np.sin(angle / 2.0)
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
            [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
            [2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c],
        ]
    )


def pre_normalize_3d(results):
    skeleton = results["keypoint"].astype(np.float32)
    m, t = skeleton.shape[:2]
    if skeleton.sum() == 0:
        return
    seen = [[i for i in range(t) if not np.all(np.isclose(skeleton[p, i], 0))] for p in range(m)]
    if m == 2 and len(seen[0]) < len(seen[1]):
        skeleton = skeleton[:, np.array(seen[1])][[1, 0]]
    else:
        skeleton = skeleton[:, np.array(seen[0])]
    center = skeleton[0, 0, 1].copy()
    mask = ((skeleton != 0).sum(-1) > 0)[..., None]
    skeleton = (skeleton - center) * mask
    for (start, end), goal in [((0, 1), [0, 0, 1]), ((4, 8), [1, 0, 0])]:
        way = skeleton[0, 0, end] - skeleton[0, 0, start]
        matrix = rotation_matrix(np.cross(way, goal), angle_between(way, goal))
        skeleton = np.einsum("abcd,kd->abck", skeleton, matrix)
    results["keypoint"], results["total_frames"] = skeleton, skeleton.shape[1]


def pre_normalize_2d(results):
    h, w = results["img_shape"]
    keypoint, mask = results["keypoint"].astype(np.float32), results["keypoint_score"] <= 0.01
    keypoint[..., 0] = (keypoint[..., 0] - (w / 2)) / (w / 2)
    keypoint[..., 1] = (keypoint[..., 1] - (h / 2)) / (h / 2)
    keypoint[..., 0][mask] = 0
    keypoint[..., 1][mask] = 0
    results["keypoint"] = keypoint


def random_rot(results, rng, most=0.3):
    skeleton = results["keypoint"]
    if np.all(np.isclose(skeleton, 0)):
        return
    if skeleton.shape[-1] == 3:
        cos, sin = (f(rng.uniform(-most, most, size=3)) for f in (np.cos, np.sin))
        rx = np.array([[1, 0, 0], [0, cos[0], sin[0]], [0, -sin[0], cos[0]]])
        ry = np.array([[cos[1], 0, -sin[1]], [0, 1, 0], [sin[1], 0, cos[1]]])
        rz = np.array([[cos[2], sin[2], 0], [-sin[2], cos[2], 0], [0, 0, 1]])
        matrix = np.matmul(rz, np.matmul(ry, rx))
    else:
        angle = rng.uniform(-most, most)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    results["keypoint"] = np.einsum("ab,mtvb->mtva", matrix, skeleton)


def random_scale(results, rng, most=0.2):
    c = results["keypoint"].shape[-1]
    results["keypoint"] = results["keypoint"] * (1 + rng.uniform(-1, 1, size=c) * np.array((most,) * c))


def uniform_sample(results, rng):
    t = results["total_frames"]
    if t < FRAMES:
        start = rng.integers(0, t)
        inds = np.arange(start, start + FRAMES)
    elif t < 2 * FRAMES:
        skips = rng.choice(FRAMES + 1, t - FRAMES, replace=False)
        offset = np.zeros(FRAMES + 1, dtype=np.int64)
        offset[skips] = 1
        inds = np.arange(FRAMES) + np.cumsum(offset)[:-1]
    else:
        bids = np.array([i * t // FRAMES for i in range(FRAMES + 1)])
        inds = bids[:FRAMES] + rng.integers(np.diff(bids))
    inds = np.mod(inds, t)
    kp = results["keypoint"]
    people = [0] * t
    for i in range(t):
        j = kp.shape[0] - 1
        while j >= 0 and np.all(np.abs(kp[j, i]) < 1e-5):
            j -= 1
        people[i] = j + 1
    transitional = [False] * t
    for i in range(1, t - 1):
        if people[i] != people[i - 1]:
            transitional[i] = transitional[i - 1] = True
        if people[i] != people[i + 1]:
            transitional[i] = transitional[i + 1] = True
    coefficient = np.array([transitional[i] for i in inds])
    results["frame_inds"] = (coefficient * inds + (1 - coefficient) * inds).astype(np.float32).astype(int)


def pose_decode(results):
    for key in ("keypoint", "keypoint_score"):
        if key in results:
            results[key] = results[key][:, results["frame_inds"]].astype(np.float32)


def format_gcn_input(results, people=2):
    keypoint = results["keypoint"]
    if "keypoint_score" in results:
        keypoint = np.concatenate((keypoint, results["keypoint_score"][..., None]), axis=-1)
    if keypoint.shape[0] < people:
        pad = np.zeros((people - keypoint.shape[0],) + keypoint.shape[1:], dtype=keypoint.dtype)
        keypoint = np.concatenate((keypoint, pad), axis=0)
    keypoint = keypoint[:people]
    m, t, v, c = keypoint.shape
    results["keypoint"] = np.ascontiguousarray(keypoint.reshape(m, 1, t, v, c).transpose(1, 0, 2, 3, 4))


def read(clip, rng):
    results = copy.deepcopy(clip)
    if results["keypoint"].shape[-1] == 3:
        pre_normalize_3d(results)
    else:
        pre_normalize_2d(results)
    random_rot(results, rng)
    random_scale(results, rng)
    uniform_sample(results, rng)
    pose_decode(results)
    format_gcn_input(results)
    return results["keypoint"]


def main(folder):
    clips, rng = load(folder)[::4], np.random.default_rng(0)
    start = time.perf_counter()
    for first in range(0, len(clips), BATCH):
        np.stack([read(clip, rng) for clip in clips[first : first + BATCH]])
    seconds = time.perf_counter() - start
    each = 1e6 * seconds / len(clips)
    print(json.dumps({"seconds": seconds, "bytes": sum(map(size, clips)), "us_a_clip": each}))


if __name__ == "__main__":
    main(sys.argv[1])
