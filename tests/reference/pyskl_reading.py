"""How pyskl reads clips, in numpy: normalisation, streams, uniform sampling. Written from what its pipeline does
(pyskl/datasets/pipelines/pose_related.py and sampling.py, kennymckormick/pyskl), to compare our reading with.

    python pyskl_reading.py clips FOLDER     < parents.json   random clips as pickles, with what reading them gives
    python pyskl_reading.py frames           < cases          uniform sampling by given draws, a case a line

Halves are cast to single precision first, as everything that reads these files must.
"""

import json
import pickle
import sys

import numpy as np


# --- normalisation -----------------------------------------------------------------------------------------------


def image(keypoint, scores, shape=None, threshold=0.01):
    """PreNormalize2D on (M, T, V, 2): the image becomes [-1, 1]^2, uncertain joints 0."""
    h, w = shape or (1080, 1920)
    half = np.array([w / 2, h / 2], np.float32)
    return np.where((scores <= threshold)[..., None], 0, (keypoint - half) / half).astype(np.float32)


def turn_onto(vector, goal):
    """The rotation that takes `vector` to the direction `goal`, by Euler and Rodrigues."""
    axis = np.cross(vector, goal)
    if np.abs(vector).sum() < 1e-6:
        return np.eye(3)
    cosine = vector @ goal / np.linalg.norm(vector) / np.linalg.norm(goal)
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.abs(axis).sum() < 1e-6 or abs(angle) < 1e-6:
        return np.eye(3)
    a = np.cos(angle / 2)
    b, c, d = -axis / np.linalg.norm(axis) * np.sin(angle / 2)
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
            [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
            [2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c],
        ]
    )


def view(keypoint, origin=1, spine=(0, 1), shoulders=(8, 4)):
    """PreNormalize3D on (M, T, V, 3) of one or two people: the frames of the one seen longer, who comes first."""
    seen = [np.flatnonzero(~np.isclose(person, 0).all((1, 2))) for person in keypoint]
    leader = int(len(seen) == 2 and len(seen[0]) < len(seen[1]))
    keypoint = keypoint[:, seen[leader]]
    if leader:
        keypoint = keypoint[::-1]
    there = (keypoint != 0).any(-1, keepdims=True)
    keypoint = (keypoint - keypoint[0, 0, origin]) * there
    for (start, end), goal in [(spine, [0, 0, 1]), (shoulders[::-1], [1, 0, 0])]:
        matrix = turn_onto(keypoint[0, 0, end] - keypoint[0, 0, start], np.array(goal))
        keypoint = np.einsum("mtvc,dc->mtvd", keypoint, matrix)
    return keypoint


# --- streams -----------------------------------------------------------------------------------------------------


def bones(keypoint, parents):
    """JointToBone with the layout's own pairs; the root is its own parent. pyskl's typed pairs differ from its graphs at
    NTU's joints 21 and 23 (to 22 and 24, counted from 0) and COCO's 11 and 12 (to 0)."""
    return keypoint - keypoint[:, :, parents]


def motion(data):
    """ToMotion: to the next frame, 0 after the last."""
    return np.concatenate([np.diff(data, axis=1), np.zeros_like(data[:, :1])], 1)


def streams(keypoint, parents):
    bone = bones(keypoint, parents)
    return {"joint": keypoint, "bone": bone, "joint-motion": motion(keypoint), "bone-motion": motion(bone)}


# --- sampling ----------------------------------------------------------------------------------------------------


def uniform(frames, samples, draws):
    """UniformSample's frames in training. `draws` stand for its random numbers: one start; or for each place but the last
    whether it is skipped, as a number below the places left, skipped if below the skips left; or one for each bin."""
    if frames < samples:
        return (draws[0] + np.arange(samples)) % frames
    if frames < 2 * samples:
        skipped, left = [], frames - samples
        for draw in draws:
            skipped.append(int(draw < left))
            left -= skipped[-1]
        return np.arange(samples) + np.cumsum(skipped)
    edges = np.arange(samples + 1) * frames // samples
    return edges[:-1] + np.array(draws)


# --- clips to compare on -----------------------------------------------------------------------------------------


def people(rng, m, t, v, c):
    """(m, t, v, c) of bodies that walk and wobble, in half precision."""
    rest, walk = rng.normal(size=(m, 1, v, c)) * 0.4, rng.normal(size=(m, t, 1, c)).cumsum(1) * 0.05
    return rest + walk + rng.normal(size=(m, t, v, c)) * 0.05


def ntu_clips(rng, t):
    clips = []
    for index in range(12):
        x = people(rng, 1 + index % 2, t, 25, 3) + [0.2, 0.1, 3.0]
        if index in (2, 3):
            x[0, :4] = 0
        if index == 5:
            x[0, ::2] = 0
        if index == 7:
            x[1, 5:] = 0
        if index >= 8:
            x[:, 6:9, rng.integers(0, 25, 3)] = 0
        if index == 10:
            x[0, 0, 1] = x[0, 0, 0]
        clips.append({"frame_dir": f"c{index:02}", "label": 0, "total_frames": t, "keypoint": x.astype(np.float16)})
    return clips


def coco_clips(rng, t):
    clips = []
    for index in range(8):
        h, w = [(1080, 1920), (480, 640)][index % 2]
        x = people(rng, 1 + index % 2, t, 17, 2) * h / 8 + [w / 2, h / 2]
        scores = rng.uniform(0, 1, x.shape[:-1])
        scores[rng.uniform(size=scores.shape) < 0.05] = 0.01
        clip = {"frame_dir": f"c{index:02}", "label": 0, "total_frames": t, "keypoint": x.astype(np.float16)}
        clip["keypoint_score"] = scores.astype(np.float16)
        if index < 6:
            clip["img_shape"] = (h, w)
        clips.append(clip)
    return clips


def write_clips(folder):
    parents = json.load(sys.stdin)
    rng, t = np.random.default_rng(1), 20
    for kind, clips in [("ntu25", ntu_clips(rng, t)), ("coco17", coco_clips(rng, t))]:
        out = {}
        for clip in clips:
            x = clip["keypoint"].astype(np.float32)
            if kind == "ntu25":
                x = view(x)
            else:
                x = image(x, clip["keypoint_score"].astype(np.float32), clip.get("img_shape"))
            for name, stream in streams(x, parents[kind]).items():
                # A clip that has lost frames begins again.
                out.setdefault(name, []).append(stream[:, np.arange(t) % stream.shape[1]].astype("<f4"))
        ids = [clip["frame_dir"] for clip in clips]
        with open(f"{folder}/{kind}.pkl", "wb") as file:
            pickle.dump({"split": {"all": ids}, "annotations": clips}, file, protocol=2)
        for name, arrays in out.items():
            with open(f"{folder}/{kind}.{name}", "wb") as file:
                file.write(b"".join(array.tobytes() for array in arrays))


if __name__ == "__main__":
    if sys.argv[1] == "clips":
        write_clips(sys.argv[2])
    else:
        for line in sys.stdin:
            frames, samples, *draws = map(int, line.split())
            print(*uniform(frames, samples, draws))
