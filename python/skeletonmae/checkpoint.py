"""Checkpoints: a model's numbers and what they mean, without PyTorch."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Union

import numpy as np

from ._native import Error, Layout, toml_to_json

# The version of checkpoints that is read; another may mean other things by the same names.
_VERSION = 3
# Far above any header's length.
_LONGEST_HEADER = 16 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A model as `ssl pretrain` or `ssl finetune` saved it.

    `tensors` are float32 arrays by name (docs/weights.md says which), `meta` is everything else, as `ssl` writes it.
    """

    path: Path
    meta: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, run_or_file: Union[str, "os.PathLike[str]"]) -> Checkpoint:
        """Reads a run's folder, its model.safetensors, or an encoder of the program's own, and checks its digest.

        >>> Checkpoint.read("zoo:utd_mhad").layout.name
        'ucla20'

        Raises `skeletonmae.Error` when it isn't there, is no checkpoint, one of another version, or damaged.
        """
        path = Path(run_or_file)
        if path.is_dir():
            path = path / "model.safetensors"
        try:
            data = _of_program(str(path)) or path.read_bytes()
        except OSError as error:
            raise Error(f"{path}: {error.strerror}: expected the folder of a run, or its model.safetensors") from error
        header, tensors = _parse(path, data)
        text = header.get("__metadata__", {}).get("ssl")
        if text is None:
            raise Error(f"{path}: expected a checkpoint, found safetensors of another program (`ssl import` makes one of it)")
        try:
            meta = json.loads(text)
        except ValueError as error:
            raise Error(f"{path}: expected a checkpoint, found metadata that don't parse: {error}") from error
        if meta.get("version") != _VERSION:
            raise Error(f"{path}: expected a checkpoint of version {_VERSION}, found {meta.get('version')}")
        stored = meta.pop("sha256", None)
        sealed = text.replace(f'"sha256":"{stored}"', f'"sha256":"{"0" * 64}"', 1)
        if stored is None or stored != _digest(sealed, tensors):
            raise Error(f"{path}: expected a checkpoint, found other contents than were written: it is damaged")
        return cls(path, meta, tensors)

    @property
    def kind(self) -> str:
        """Which command made it: "pretrain" or "finetune"."""
        return str(self.meta["kind"])

    @property
    def layout(self) -> Layout:
        """The joints."""
        return Layout(self.meta["layout"])

    @property
    def reading(self) -> dict[str, Any]:
        """How clips are read for it: what `ClipDataset` takes as `reading`."""
        return dict(self.meta["reading"])

    @property
    def classes(self) -> list[str]:
        """Names of the classes by label; none after pre-training."""
        return list(self.meta["classes"])

    @property
    def config(self) -> dict[str, Any]:
        """The settings it was trained by."""
        return dict(json.loads(toml_to_json(self.meta["config"], str(self.path))))


def _of_program(name: str) -> Optional[bytes]:
    """The checkpoint that `zoo:NAME` names, where no file does."""
    from .program import _output  # which reads checkpoints itself

    if not name.startswith("zoo:") or os.path.exists(name):
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "encoder.safetensors"
        _output(["zoo", name[len("zoo:") :], "--output", str(file)], progress=False)
        return file.read_bytes()


def save_tensors(path: Union[str, "os.PathLike[str]"], tensors: Mapping[str, np.ndarray]) -> None:
    """Writes float32 arrays as safetensors without metadata, which `ssl import` takes; whole or not at all."""
    header, blocks, at = {}, [], 0
    for name in sorted(tensors):
        block = np.ascontiguousarray(tensors[name], dtype="<f4")
        header[name] = {"dtype": "F32", "shape": list(block.shape), "data_offsets": [at, at + block.nbytes]}
        blocks.append(block)
        at += block.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    folder = Path(path).parent
    descriptor, beside = tempfile.mkstemp(prefix=".writing-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for block in blocks:
                file.write(block.tobytes())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _parse(path: Path, data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header of a safetensors file and its arrays, which share its bytes."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, _LONGEST_HEADER):
        raise Error(f"{path}: expected a checkpoint (safetensors), found {len(data)} bytes of something else")
    tensors = {}
    try:
        header = json.loads(data[8 : 8 + length])
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            start, end = entry["data_offsets"]
            if entry["dtype"] != "F32" or not 0 <= start <= end <= len(data) - 8 - length:
                raise ValueError(f"{name}: {entry}")
            numbers = np.frombuffer(data, "<f4", (end - start) // 4, 8 + length + start)
            tensors[name] = numbers.reshape(entry["shape"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Error(f"{path}: expected a checkpoint (safetensors), found a damaged one: {error}") from error
    return header, tensors


def _digest(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over the metadata and name, type, shape and bytes of each tensor, each piece with its length in front."""
    digest = hashlib.sha256()

    def piece(data: bytes) -> None:
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)

    piece(text.encode())
    for name in sorted(tensors, key=str.encode):
        tensor = tensors[name]
        piece(name.encode())
        piece(b"F32")
        piece(b"".join(length.to_bytes(8, "little") for length in tensor.shape))
        piece(tensor.tobytes())
    return digest.hexdigest()
