"""The examples in docstrings and in the README run as they stand."""

import doctest
import re
import subprocess
import sys
import unittest
from importlib import import_module
from pathlib import Path

import skeletonmae
from support import HAS_TORCH, SMALL

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def load_tests(loader, tests, pattern):
    names = ["", ".program", ".checkpoint"]
    if HAS_TORCH:
        names += [".torch", ".torch.clips", ".torch.models"]
    for name in names:
        # A module may have the name of a function of its package.
        tests.addTests(doctest.DocTestSuite(import_module(f"skeletonmae{name}"), optionflags=FLAGS))
    return tests


def examples(page):
    """The Python of a page, with trainings as short as the tests'."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.S))
    short = code.replace('preset="quick",', f'preset="quick", set={SMALL}, progress=False,')
    short = short.replace(", set=settings)", ")").replace("range(20)", "range(2)")
    return short.replace('"clips.h5", dataset=', '"clips.h5", overwrite=True, progress=False, dataset=')


@unittest.skipUnless(HAS_TORCH, "torch is not here")
class Pages(unittest.TestCase):
    def test_their_python_runs(self):
        root = Path(__file__).parent.parent.parent
        for number, name in enumerate(["python/README.md", "docs/python.md"]):
            with self.subTest(name):
                folder = Path(f"page{number}")
                folder.mkdir()
                code = examples((root / name).read_text())
                self.assertGreater(code.count("\n"), 12)
                # A program of its own: workers that are spawned import it.
                subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


class Native(unittest.TestCase):
    def test_what_is_typed_is_there_and_explained(self):
        stub = Path(skeletonmae.__file__).with_name("_native.pyi").read_text()
        classes = re.findall(r"^class (\w+)", stub, re.M)
        functions = re.findall(r"^def (\w+)", stub, re.M)
        self.assertTrue({"Cache", "Loader"} <= set(classes) and functions)
        for name in classes + functions:
            self.assertTrue(getattr(skeletonmae._native, name).__doc__, name)
        for name in classes:
            body = stub.split(f"class {name}", 1)[1].split("\nclass ", 1)[0].split("\ndef ", 1)[0]
            own = getattr(skeletonmae._native, name)
            for member in re.findall(r"^    def (\w+)|^    (\w+):", body, re.M):
                self.assertTrue(hasattr(own, "".join(member)), f"{name}.{''.join(member)}")
