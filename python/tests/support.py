"""What the tests share: a folder of their own with clips in it."""

import importlib.util
import os
import tempfile

import skeletonmae

HAS_TORCH = importlib.util.find_spec("torch") is not None
# 48 clips, of all classes.
FEW = "val@1/8"
# Few steps of small clips: what is compared doesn't need to be good.
SMALL = {"reading.frames": 16, "finetune.epochs": 1, "pretrain.epochs": 1}

_folder = tempfile.TemporaryDirectory(prefix="skeletonmae-")
os.chdir(_folder.name)
skeletonmae.prepare("synthetic.h5", dataset="synthetic", progress=False)


def run(command, *inputs, **options):
    """The program's answer, without its progress."""
    return skeletonmae.run(command, *inputs, progress=False, **options)


def finetune(out, data="synthetic.h5", train=FEW, **settings):
    """A classifier of one epoch; gives its folder."""
    run("finetune", preset="quick", data=data, train=train, out=out, overwrite=True, set={**SMALL, **settings})
    return out


def pretrain(out, data="synthetic.h5", split=FEW, **settings):
    """A pre-trained model of one epoch; gives its folder."""
    run("pretrain", preset="quick", data=data, split=split, out=out, overwrite=True, set={**SMALL, **settings})
    return out
