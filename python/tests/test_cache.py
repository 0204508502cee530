"""Caches: what is in them, shared without a copy, and what is said of those that can't be read."""

import gc
import pickle
import unittest
from pathlib import Path

import numpy as np

import skeletonmae
from skeletonmae import Cache, Error, Layout
from support import run


class Contents(unittest.TestCase):
    def test_a_cache_says_what_it_holds_as_the_program_does(self):
        cache, told = Cache("synthetic.h5"), run("inspect", "synthetic.h5")
        self.assertEqual(len(cache), told["clips"])
        self.assertEqual(cache.splits, told["splits"])
        self.assertEqual(cache.classes, [of["name"] for of in told["classes"]])
        self.assertEqual((cache.dataset, cache.units, cache.fingerprint), (told["dataset"], told["units"], told["digest"]))
        self.assertEqual((cache.layout.name, len(cache.layout)), (told["layout"], told["joints"]))
        self.assertEqual((cache.coordinates, cache.has_scores), (told["coordinates"], told["scores"]))
        self.assertEqual(cache.source, told["source"])
        counted = np.bincount(cache.labels, minlength=len(cache.classes)).tolist()
        self.assertEqual(counted, [of["clips"] for of in told["classes"]])

    def test_clips_come_by_place_by_name_and_in_order(self):
        cache = Cache("synthetic.h5")
        names = cache.ids
        self.assertEqual([clip.id for clip in cache], names)
        last = cache[-1]
        self.assertEqual((last.id, cache.index(names[-1]), cache.index(-1)), (names[-1], len(cache) - 1, len(cache) - 1))
        np.testing.assert_array_equal(cache.clip(names[-1]), last.keypoints)
        self.assertEqual(cache.clip(np.int64(3)).ctypes.data, cache.clip(3).ctypes.data)
        self.assertTrue(names[5] in cache and "nobody" not in cache)
        self.assertEqual(last.label, cache.labels[-1])

    def test_splits_and_their_folds(self):
        cache = Cache("synthetic.h5")
        self.assertEqual(cache.split("all").tolist(), list(range(len(cache))))
        train, fold, rest = (cache.split(name).tolist() for name in ("train", "train@1/4", "train@not1/4"))
        self.assertEqual(sorted(fold + rest), sorted(train))
        self.assertTrue(0 < len(fold) < len(rest))

    def test_numbers_are_those_that_h5py_reads(self):
        try:
            import h5py
        except ImportError:
            self.skipTest("h5py is not here")
        cache = Cache("synthetic.h5")
        with h5py.File("synthetic.h5") as file:
            rows, at = file["keypoints"][:], file["samples/offset"][:]
            for i in (0, 17, len(cache) - 1):
                clip = cache.clip(i)
                own = rows[at[i] : at[i] + clip.shape[0] * clip.shape[1]]
                self.assertEqual(own.dtype, clip.dtype)
                np.testing.assert_array_equal(own.reshape(clip.shape), clip)


class Shared(unittest.TestCase):
    def test_nothing_is_copied_and_nobody_writes(self):
        cache = Cache("synthetic.h5")
        one, other = cache.clip(0), cache.clip(0)
        self.assertEqual(one.ctypes.data, other.ctypes.data)
        self.assertFalse(one.flags.owndata)
        self.assertIs(one.base, cache)
        for array in (one, one[0], one.view(np.uint8)):
            with self.assertRaises(ValueError):
                array[...] = 0
            with self.assertRaises(ValueError):
                array.setflags(write=True)

    def test_an_array_keeps_its_cache_open(self):
        kept = Cache("synthetic.h5").clip(7)
        copy = np.array(kept)
        gc.collect()
        again = [Cache("synthetic.h5").clip(i).copy() for i in range(50)]
        self.assertEqual(len(again), 50)
        np.testing.assert_array_equal(kept, copy)

    def test_a_compressed_cache_has_the_same_numbers(self):
        packed = skeletonmae.prepare("packed.h5", dataset="synthetic", compress=True, progress=False)
        plain = Cache("synthetic.h5")
        self.assertEqual(packed.fingerprint, plain.fingerprint)
        self.assertEqual(packed.verify(), plain.verify())
        for i in (0, 959):
            np.testing.assert_array_equal(packed.clip(i), plain.clip(i))
        self.assertFalse(packed.clip(0).flags.owndata)

    def test_scores_stand_beside_the_coordinates_or_behind_them(self):
        lines = (
            '{"format": "skeleton-clips", "version": 1, "layout": "coco17", "units": "pixel"}\n'
            + '{"id": "a", "label": 0, "keypoints": %s, "scores": %s}\n'
            % ([[[[float(j + 1), 2.0] for j in range(17)]]], [[[j / 16 for j in range(17)]]])
        )
        with open("scored.jsonl", "w") as file:
            file.write(lines)
        cache = skeletonmae.prepare("scored.h5", "scored.jsonl", progress=False, overwrite=True)
        self.assertTrue(cache.has_scores)
        clip = cache["a"]
        self.assertEqual((clip.keypoints.shape, clip.scores.shape), ((1, 1, 17, 2), (1, 1, 17)))
        both = cache.clip("a", scores=True)
        np.testing.assert_array_equal(both[..., :2], clip.keypoints)
        np.testing.assert_array_equal(both[..., 2], cache.scores("a"))
        self.assertIs(cache.scores("a").base, cache)

    def test_a_cache_is_pickled_by_its_path(self):
        cache = pickle.loads(pickle.dumps(Cache("synthetic.h5")))
        self.assertEqual(len(cache), 960)
        layout = pickle.loads(pickle.dumps(cache.layout))
        self.assertEqual(layout, cache.layout)


class Refused(unittest.TestCase):
    def test_errors_name_the_file_and_what_is_wrong(self):
        self.assertTrue(issubclass(Error, ValueError))
        with self.assertRaisesRegex(Error, "nowhere.h5: No such file"):
            Cache("nowhere.h5")
        with open("text.h5", "w") as file:
            file.write("no cache at all\n")
        with self.assertRaisesRegex(Error, "text.h5: .*expected a whole HDF5 file"):
            Cache("text.h5")
        with open("synthetic.h5", "rb") as whole, open("cut.h5", "wb") as cut:
            cut.write(whole.read()[:-1000])
        with self.assertRaisesRegex(Error, "cut.h5"):
            Cache("cut.h5")
        cache = Cache("synthetic.h5")
        with self.assertRaisesRegex(Error, "no split named 'test'|no split named \"test\"; it has: train, val"):
            cache.split("test")
        with self.assertRaisesRegex(IndexError, "clip 960 of 960"):
            cache.clip(960)
        with self.assertRaisesRegex(KeyError, "no clip named"):
            cache["nobody"]
        flat = skeletonmae.prepare("flat.h5", dataset="synthetic3d", progress=False)
        self.assertEqual((flat.coordinates, flat.units, flat.has_scores), (3, "metre", False))
        self.assertIsNone(flat.scores(0))
        with self.assertRaisesRegex(Error, "expected scores, found none"):
            flat.clip(0, scores=True)
        with self.assertRaises(TypeError):
            cache.clip(1.5)

    def test_a_damaged_clip_is_refused_when_it_is_read(self):
        data = bytearray(Path("synthetic.h5").read_bytes())
        numbers = Cache("synthetic.h5").clip(3).tobytes()
        at = bytes(data).index(numbers)
        data[at + 5] ^= 1
        with open("damaged.h5", "wb") as file:
            file.write(data)
        cache = Cache("damaged.h5")
        cache.clip(2)
        with self.assertRaisesRegex(Error, "damaged.h5"):
            cache.clip(3)
        with self.assertRaisesRegex(Error, "1 of 960 samples are damaged"):
            cache.verify()


class Graphs(unittest.TestCase):
    def test_matrices_are_those_of_the_bones(self):
        for name in Layout.built_in():
            layout = Layout(name)
            a = layout.adjacency()
            self.assertEqual(a.sum(), 2 * len(layout.edges))
            self.assertTrue((a == a.T).all() and (np.diag(a) == 0).all())
            with_self = a + np.eye(len(layout))
            degree = with_self.sum(1)
            np.testing.assert_allclose(layout.adjacency("row"), with_self / degree[:, None])
            np.testing.assert_allclose(layout.adjacency("symmetric"), with_self / np.sqrt(np.outer(degree, degree)))
            self.assertEqual(Layout(layout.to_toml()), layout)
        with self.assertRaisesRegex(Error, "expected binary, row or symmetric"):
            layout.adjacency("other")
        with self.assertRaisesRegex(Error, "coco17"):
            Layout("unknown")
