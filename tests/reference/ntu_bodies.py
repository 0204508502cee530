"""The people pyskl finds in NTU's .skeleton files, for comparison with ours: ntu_bodies.py FOLDER

An implementation of its own of the rules that skeleton-data's `raw::ntu::Rules` lists, on numpy's arithmetic, which decides
comparisons by its rounding. Prints a line for each file, by name: the name, persons, frames and SHA-256 of the half-precision
array (persons, frames, 25, 3); or the name and why there is none.

Comparisons with constants are made in double precision, as numpy 1 made them when the published files were written.
"""

import hashlib
import os
import sys

import numpy as np

FEWEST_FRAMES, WIDEST, NOISY, NOTHING = 12, 0.8, 0.69754, 1e-3


class Skipped(Exception):
    """No people: why."""


class Body:
    def __init__(self, start):
        self.start, self.poses = start, []

    def close(self):
        self.poses = np.stack(self.poses)
        self.motion = moves(self.poses)

    @property
    def end(self):
        return self.start + len(self.poses)


def moves(poses):
    """Single precision throughout: the variance over all joints of all frames, summed over x, y and z."""
    return np.sum(np.var(poses.reshape(-1, 3), axis=0))


def bodies(path):
    """Rule 1: time counts the frames that have a body, and a body's sightings are packed."""
    with open(path) as file:
        lines = iter(file.read().splitlines())
    found, time = {}, 0
    for _ in range(int(next(lines))):
        seen = int(next(lines))
        for _ in range(seen):
            body = found.setdefault(int(next(lines).split()[0]), Body(time))
            joints = [next(lines).split()[:3] for _ in range(int(next(lines)))]
            body.poses.append(np.array(joints, dtype=np.float32))
        time += seen > 0
    for body in found.values():
        body.close()
    return list(found.values())


def most_moving_first(found):
    return sorted(found, key=lambda body: float(body.motion), reverse=True)


def plausible(body):
    """Rule 3: whether it is a body; its motion may shrink to that over its clean frames."""
    ranges = body.poses.max(axis=1) - body.poses.min(axis=1)
    clean = ranges[:, 0].astype(np.float64) <= WIDEST * ranges[:, 1].astype(np.float64)
    if clean.all():
        return True
    if 1 - int(clean.sum()) / len(clean) >= NOISY:
        return False
    body.motion = min(body.motion, moves(body.poses[clean]))
    return True


def size(numbers):
    return float(np.sum(np.abs(numbers)))


def in_slots(found):
    """Rule 4."""
    array = np.zeros((2, max(body.end for body in found), 25, 3), np.float32)
    spans = [None, (0, 0)]
    for body in found:
        for slot in (0, 1):
            span = spans[slot] or (body.end, body.start)
            if max(body.start, span[0]) >= min(body.end, span[1]):
                array[slot, body.start : body.end] = body.poses
                known = spans[slot] or (body.start, body.end)
                spans[slot] = min(body.start, known[0]), max(body.end, known[1])
                break
    return array


def at_the_ends(array):
    """Rule 5."""
    there = [t for t in range(array.shape[1]) if size(np.ascontiguousarray(array[:, t])) >= NOTHING]
    if not there:
        raise Skipped("with zeros only")
    array = array[:, there[0] : there[-1] + 1]
    if size(array[0, 0, 1]) < NOTHING < size(array[1, 0, 1]):
        array = array[::-1]
    return array


def people(path):
    found = bodies(path)
    if not found:
        raise Skipped("without any body")
    if len(found) == 1:
        return found[0].poses[None]
    # Python's sort keeps the order of equals, in reverse too.
    found = [body for body in most_moving_first(found) if len(body.poses) >= FEWEST_FRAMES]
    if len(found) == 1:
        return found[0].poses[None]
    found = most_moving_first([body for body in found if plausible(body)])
    if not found:
        raise Skipped("without a body that is left")
    if len(found) == 1:
        return found[0].poses[None]
    return at_the_ends(in_slots(found))


def main(folder):
    for file in sorted(os.listdir(folder)):
        name = file.removesuffix(".skeleton")
        try:
            array = people(os.path.join(folder, file)).astype("<f2")
        except Skipped as why:
            print(name, why)
            continue
        print(name, *array.shape[:2], hashlib.sha256(array.tobytes()).hexdigest())


if __name__ == "__main__":
    main(sys.argv[1])
