"""Clips as the program reads them, for a `DataLoader`."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from .._native import Cache, Error, Loader, plan, shuffled
from ..program import settings

# Names in a message.
_SHOWN = 3


class Batch(NamedTuple):
    """The tracks of b clips: n in all, one person of one clip each, present ones only.

    In evaluation with several views (`reading["clips"]`) each view counts as a clip; those of one clip follow each other.
    """

    keypoints: torch.Tensor
    """(n, t, v, c) float32, normalised; absent joints are 0."""
    presence: torch.Tensor
    """(n, t, v) float32, 1 where a joint is present, else 0."""
    track_clip: torch.Tensor
    """(n,) int64, the clip of each track, from 0, never falling."""
    labels: torch.Tensor
    """(b,) int64, the clips' classes, -1 where a clip has none."""
    ids: list[str]
    """The clips' names."""

    def to(self, *args: Any, **kwargs: Any) -> Batch:
        """The same on another device: `batch.to("cuda")`."""
        return self._each(lambda tensor: tensor.to(*args, **kwargs))

    def pin_memory(self) -> Batch:
        """The same in pinned memory; `DataLoader(pin_memory=True)` asks for it."""
        return self._each(torch.Tensor.pin_memory)

    def _each(self, of: Callable[[torch.Tensor], torch.Tensor]) -> Batch:
        return Batch(of(self.keypoints), of(self.presence), of(self.track_clip), of(self.labels), self.ids)


class ClipDataset(Dataset[Batch]):
    """The clips of a split as the program reads them: an item is a `Batch` of one clip, and `collate` joins them.

    With `augment` clips are read for training: what is drawn is a function of `seed`, the epoch (`set_epoch`) and the clip's name,
    as in the program, whichever worker reads it; batches are the program's bit for bit. Without it they are read for evaluation.

    Args:
        cache: a `Cache` or the path of one.
        split: a split, a fold of one (`"train@1/4"`, `"train@not1/4"`), or None for all clips.
        reading: settings of `[reading]`, as in config.toml or `Checkpoint.reading`; what is left out is the default.
        augment: settings of `[finetune.augment]` or `[pretrain.augment]`; what is left out changes nothing.
        seed: of the augmentation and of the order.
        twice: reads each clip twice in training, each time augmented by itself; the two follow each other as if they were clips.
        skip_empty: leaves out clips that show nobody as they are read, instead of refusing them.

    Clips are in the order of their names, whatever the order in the file. A data set can be pickled; each process opens the cache
    itself, and all share the file's map. Raises `skeletonmae.Error` for what is wrong with the cache, the split or the settings.

    >>> dataset = ClipDataset("synthetic.h5", "train", reading={"frames": 32}, augment={"noise": 0.02})
    >>> len(dataset), dataset[0].keypoints.shape
    (672, torch.Size([1, 32, 17, 2]))
    """

    def __init__(
        self,
        cache: Union[Cache, str, "os.PathLike[str]"],
        split: Optional[str] = None,
        *,
        reading: Optional[Mapping[str, Any]] = None,
        augment: Optional[Mapping[str, Any]] = None,
        seed: int = 0,
        twice: bool = False,
        skip_empty: bool = False,
    ) -> None:
        self.cache = cache if isinstance(cache, Cache) else Cache(cache)
        self.seed = seed
        self._reading = json.dumps(dict(reading or {}))
        self._augment = None if augment is None else json.dumps(dict(augment))
        self._twice = twice
        # Shared with workers that stay, so that they hear of the epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._loader: Optional[Loader] = None
        ids = self.cache.ids
        clips = sorted(self.cache.split("all" if split is None else split).tolist(), key=ids.__getitem__)
        shown = self._opened().shown(clips)
        if len(shown) < len(clips) and not skip_empty:
            nobody = [ids[clip] for clip in clips if clip not in set(shown)]
            raise Error(
                f"{self.cache.path}: expected clips that show somebody, found {len(nobody)} that don't: "
                f"{', '.join(nobody[:_SHOWN])}; skip_empty=True leaves them out"
            )
        self.clips: list[int] = shown
        """The clips' places in the cache, by their names."""

    @classmethod
    def of(
        cls,
        source: Union[str, "os.PathLike[str]"],
        cache: Union[Cache, str, "os.PathLike[str]"],
        split: Optional[str] = None,
        *,
        training: Optional[str] = None,
        **others: Any,
    ) -> ClipDataset:
        """By the settings of a preset, a run, a checkpoint or a config.toml: for evaluation, or for the `training` "pretrain" or
        "finetune" with its augmentation.

        >>> ClipDataset.of("quick", "synthetic.h5", "train", training="finetune").augment["noise"]
        0.02
        """
        found = settings(source)
        augment = None
        if training is not None:
            if training not in found:
                raise Error(f"{source}: expected settings of [{training}], found {', '.join(sorted(found))}")
            augment = found[training].get("augment", {})
        return cls(cache, split, reading=found["reading"], augment=augment, **others)

    @property
    def reading(self) -> dict[str, Any]:
        """All settings of the reading."""
        return dict(json.loads(self._opened().reading))

    @property
    def augment(self) -> Optional[dict[str, Any]]:
        """The settings of the augmentation that were given; None in evaluation."""
        return None if self._augment is None else json.loads(self._augment)

    @property
    def views(self) -> int:
        """How many clips of a batch an item makes: its views in evaluation, 1 in training, or 2 where it is read twice."""
        if self._augment is not None:
            return 2 if self._twice else 1
        return int(self.reading["clips"])

    @property
    def epoch(self) -> int:
        """The epoch whose augmentation and order come next."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from 0, also for workers that stay (`persistent_workers`). Call it before each pass."""
        self._epoch.fill_(epoch)

    def loader(
        self, batch: int, micro_batch: Optional[int] = None, *, shuffle: Optional[bool] = None, **options: Any
    ) -> DataLoader[Batch]:
        """A `DataLoader` of the program's batches in its order: see `Steps`. `options` are the `DataLoader`'s."""
        steps = Steps(self, batch, micro_batch, shuffle=shuffle)
        return DataLoader(self, batch_sampler=steps, collate_fn=collate, **options)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, item: int) -> Batch:
        return self._batch([self.clips[item]])

    def __getitems__(self, items: Sequence[int]) -> list[Batch]:
        """What a `DataLoader` asks for: one read for all clips of a batch."""
        return [self._batch([self.clips[item] for item in items])]

    def _batch(self, clips: list[int]) -> Batch:
        read = self._opened().batch(clips, self.seed, self.epoch)
        of = torch.from_numpy
        return Batch(of(read.keypoints), of(read.presence), of(read.track_clip), of(read.labels), read.ids)

    def _opened(self) -> Loader:
        if self._loader is None:
            self._loader = Loader(self.cache, self._reading, self._augment, twice=self._twice)
        return self._loader

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loader": None}


class Steps(Sampler[list[int]]):
    """The batches of an epoch as the program makes them, by places in the data set.

    In training (with `augment`, unless `shuffle` says otherwise) all clips in an order drawn by seed and epoch, about `batch` clips
    an update, of at most `micro_batch` at once: sizes differ by one at most, none is dropped. A batch is a micro-batch; `updates`
    has them by update. Otherwise the clips in their order, about `batch` views at a time.
    """

    def __init__(
        self, dataset: ClipDataset, batch: int, micro_batch: Optional[int] = None, *, shuffle: Optional[bool] = None
    ) -> None:
        if batch < 1 or (micro_batch is not None and micro_batch < 1):
            raise Error(f"batch: expected 1 or more, found {min(batch, micro_batch or batch)}")
        self.dataset = dataset
        self.batch = batch
        self.micro_batch = batch if micro_batch is None else micro_batch
        self.shuffle = dataset.augment is not None if shuffle is None else shuffle

    def updates(self) -> list[list[list[int]]]:
        """The micro-batches of each update of the data set's epoch."""
        n = len(self.dataset)
        if self.shuffle:
            order = shuffled(self.dataset.seed, self.dataset.epoch, n).tolist()
            return plan(order, self.batch, self.micro_batch)
        clips = max(self.batch // self.dataset.views, 1)
        return [[list(range(start, min(start + clips, n)))] for start in range(0, n, clips)]

    def __iter__(self) -> Iterator[list[int]]:
        return (batch for update in self.updates() for batch in update)

    def __len__(self) -> int:
        return sum(len(update) for update in self.updates())


def collate(batches: Sequence[Batch]) -> Batch:
    """Joins batches: clips and tracks follow each other, and `track_clip` counts on.

    >>> dataset = ClipDataset("synthetic.h5", "val")
    >>> collate([dataset[0], dataset[1]]).track_clip
    tensor([0, 1])
    """
    if len(batches) == 1:
        return batches[0]
    starts = np.cumsum([0] + [len(batch.ids) for batch in batches[:-1]]).tolist()
    return Batch(
        torch.cat([batch.keypoints for batch in batches]),
        torch.cat([batch.presence for batch in batches]),
        torch.cat([batch.track_clip + start for batch, start in zip(batches, starts)]),
        torch.cat([batch.labels for batch in batches]),
        [name for batch in batches for name in batch.ids],
    )
