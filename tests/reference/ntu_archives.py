"""Archives of NTU's kind, of any size, from a synthetic cache: ntu_archives.py CACHE.h5 OUT.zip [--clips N] [--texts N]

Each clip of `ssl prepare --dataset synthetic3d` becomes a .skeleton text as the sensor writes it, named by its subject and
action. Writing 36 GB of text in Python takes an hour, so that only N clips (2,000), evenly chosen, are written out and
packed; the names take turns at their texts, which to a reader is as much work. The samples that the authors list as missing
are among the names, and left out by who reads the archive.
"""

import argparse
import itertools
import struct
import zlib

import h5py
import numpy as np

BODY = "{} 0 1 1 1 1 0 0.02764709 0.05745083 2\n25\n"
# x, y, z, two places in images, a quaternion, the state.
JOINT = "%.7g %.7g %.7g %.4f %.4f %.3f %.4f %.8f %.8f %.8f %.8f 2\n"


def text(poses):
    """(persons, frames, 25, 3) in metres as a .skeleton text; the columns that nobody reads are noise."""
    persons, frames = poses.shape[:2]
    noise = np.random.default_rng(frames).uniform(-1, 1, (persons, frames, 25, 8))
    noise[..., :4] = 500 + 400 * noise[..., :4]
    rows = np.concatenate([poses, noise], axis=-1)
    out = [f"{frames}\n"]
    for frame in range(frames):
        out.append(f"{persons}\n")
        for person in range(persons):
            out.append(BODY.format(72057594037931101 + person))
            out.append((JOINT * 25) % tuple(rows[person, frame].ravel()))
    return "".join(out).encode()


def names(subjects, labels):
    """A sample's name for each clip, no two alike."""
    taken = {}
    for subject, label in zip(subjects, labels):
        take = taken.setdefault((subject, label), itertools.product(range(1, 3), range(1, 4), range(1, 33)))
        repetition, camera, setup = next(take)
        yield f"S{setup:03}C{camera:03}P{subject + 1:03}R{repetition:03}A{label + 1:03}.skeleton".encode()


class Archive:
    """A zip whose members are packed already; zipfile has no way to take them."""

    def __init__(self, file):
        self.file, self.directory, self.count, self.at = file, [], 0, 0

    def add(self, name, checksum, packed, size):
        fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, checksum, len(packed), size, len(name), 0)
        where = struct.pack("<HHQ", 1, 8, self.at)
        fields_there = fields[:-2] + struct.pack("<H", len(where))
        self.directory += [
            b"PK\x01\x02" + struct.pack("<H", 45) + fields_there + struct.pack("<HHHII", 0, 0, 0, 0, 2**32 - 1) + name + where
        ]
        self.write(b"PK\x03\x04" + fields + name)
        self.write(packed)
        self.count += 1

    def write(self, data):
        self.file.write(data)
        self.at += len(data)

    def close(self):
        start, directory = self.at, b"".join(self.directory)
        self.write(directory)
        end = self.at
        self.write(b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, self.count, self.count, len(directory), start))
        self.write(b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1))
        self.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache")
    parser.add_argument("output")
    parser.add_argument("--clips", type=int, help="of the cache's, from the first on; all unless given")
    parser.add_argument("--texts", type=int, default=2000, help="texts that differ")
    args = parser.parse_args()
    with h5py.File(args.cache, "r") as cache, open(args.output, "wb") as file:
        samples = {key: cache["samples"][key][: args.clips] for key in ("subject", "label", "offset", "persons", "frames")}
        clips = len(samples["label"])
        texts = []
        for clip in np.linspace(0, clips, min(args.texts, clips), endpoint=False).astype(int):
            start, persons, frames = (int(samples[key][clip]) for key in ("offset", "persons", "frames"))
            poses = cache["keypoints"][start : start + persons * frames].reshape(persons, frames, 25, 3)
            plain = text(poses.astype(np.float32))
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            texts.append((zlib.crc32(plain), packer.compress(plain) + packer.flush(), len(plain)))
        archive, total = Archive(file), 0
        for clip, name in enumerate(names(samples["subject"], samples["label"])):
            member = texts[clip % len(texts)]
            archive.add(name, *member)
            total += member[2]
        archive.close()
        print(f"{archive.count} samples, {total} bytes of text, {archive.at} in the archive")


if __name__ == "__main__":
    main()
