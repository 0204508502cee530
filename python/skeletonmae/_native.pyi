"""Types of the Rust module; what the classes are is in their docstrings."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import numpy as np
from numpy.typing import NDArray

_Key = Union[int, str]
_Stored = NDArray[Union[np.float16, np.float32]]

class Error(ValueError): ...

class Layout:
    name: str
    joints: list[str]
    edges: list[tuple[int, int]]
    parts: dict[str, list[int]]
    flips: list[tuple[int, int]]
    root: int
    def __new__(cls, name_or_toml: str) -> Layout: ...
    @staticmethod
    def built_in() -> list[str]: ...
    def to_toml(self) -> str: ...
    def adjacency(self, kind: Literal["binary", "row", "symmetric"] = "binary") -> NDArray[np.float64]: ...
    def __len__(self) -> int: ...

class Clip:
    id: str
    label: int | None
    keypoints: _Stored
    scores: _Stored | None
    image: tuple[int, int] | None
    subject: int | None
    camera: int | None
    setup: int | None

class Cache:
    path: Path
    ids: list[str]
    labels: NDArray[np.int64]
    classes: list[str]
    splits: dict[str, int]
    layout: Layout
    units: Literal["pixel", "metre", "normalised"]
    dataset: str
    fingerprint: str
    coordinates: int
    has_scores: bool
    source: Any
    def __new__(cls, path: Union[str, os.PathLike[str]]) -> Cache: ...
    def split(self, name: str) -> NDArray[np.int64]: ...
    def index(self, key: _Key) -> int: ...
    def clip(self, key: _Key, scores: bool = False) -> _Stored: ...
    def scores(self, key: _Key) -> _Stored | None: ...
    def verify(self) -> tuple[int, int]: ...
    def __len__(self) -> int: ...
    def __contains__(self, id: str) -> bool: ...
    def __getitem__(self, key: _Key) -> Clip: ...
    def __iter__(self) -> Iterator[Clip]: ...

class Batch:
    keypoints: NDArray[np.float32]
    presence: NDArray[np.float32]
    track_clip: NDArray[np.int64]
    labels: NDArray[np.int64]
    ids: list[str]

class Batches:
    def __iter__(self) -> Batches: ...
    def __next__(self) -> Batch: ...

class Loader:
    reading: str
    def __new__(
        cls, cache: Cache, reading: str = "{}", augment: str | None = None, workers: int = 0, twice: bool = False
    ) -> Loader: ...
    def shown(self, clips: Sequence[int]) -> list[int]: ...
    def batch(self, clips: Sequence[int], seed: int = 0, epoch: int = 0) -> Batch: ...
    def epoch(self, clips: Sequence[int], batch: int, seed: int = 0, epoch: int = 0) -> Batches: ...

def default_reading() -> str: ...
def plan(order: Sequence[int], batch: int, micro_batch: int) -> list[list[list[int]]]: ...
def shuffled(seed: int, epoch: int, n: int) -> NDArray[np.int64]: ...
def toml_to_json(text: str, source: str) -> str: ...
