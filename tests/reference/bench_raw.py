"""The stand-in for pyskl's reading of NTU's .skeleton texts: bench_raw.py FOLDER

Its loop, as pyskl's users run it: a line is split, its first three fields become a float32 array of numpy's, which goes
into the (25, 3) array of the pose. Every tenth file of the folder, since it takes that long. Prints seconds and bytes as
a JSON line.
"""

import json
import os
import sys
import time

import numpy as np


def poses(path):
    """The poses of a file by body, and how many bytes it has."""
    with open(path) as file:
        text = file.read()
    lines = text.splitlines()
    bodies, at = {}, 1
    for _ in range(int(lines[0])):
        seen = int(lines[at])
        at += 1
        for _ in range(seen):
            body = bodies.setdefault(int(lines[at].split()[0]), [])
            pose = np.zeros((25, 3), dtype=np.float32)
            for joint in range(int(lines[at + 1])):
                fields = lines[at + 2 + joint].split()
                pose[joint] = np.array(fields[:3], dtype=np.float32)
            at += 27
            body.append(pose)
    return {number: np.stack(body) for number, body in bodies.items()}, os.path.getsize(path)


def main(folder):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".skeleton"))[::10]
    size = count = 0
    start = time.perf_counter()
    for name in names:
        bodies, read = poses(os.path.join(folder, name))
        size += read
        count += sum(len(body) for body in bodies.values())
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "bytes": size, "files": len(names), "poses": count}))


if __name__ == "__main__":
    main(sys.argv[1])
