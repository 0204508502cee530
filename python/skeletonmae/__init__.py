"""Skeleton-based action recognition: caches, checkpoints and the program `ssl`.

>>> import skeletonmae
>>> cache = skeletonmae.prepare("tiny.h5", dataset="synthetic")
>>> len(cache), cache.layout.name, cache.units
(960, 'coco17', 'pixel')
>>> cache.clip(0).shape  # persons, frames, joints, coordinates
(1, 87, 17, 2)

`run` runs any command of the program, `skeletonmae.torch` has its batches and its models for PyTorch. Nothing here needs torch.
"""

from importlib.metadata import version as _version

from ._native import Batch, Cache, Clip, Error, Layout, Loader, plan, shuffled
from .checkpoint import Checkpoint
from .program import prepare, program, run, settings

__all__ = [
    "Batch",
    "Cache",
    "Checkpoint",
    "Clip",
    "Error",
    "Layout",
    "Loader",
    "plan",
    "prepare",
    "program",
    "run",
    "settings",
    "shuffled",
]
__version__ = _version("skeletonmae")
