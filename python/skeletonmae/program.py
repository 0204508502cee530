"""The program `ssl` that the package brings along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, IO, Union

from ._native import Cache, Error, toml_to_json
from .checkpoint import Checkpoint

PathLike = Union[str, "os.PathLike[str]"]

# Commands whose answer is one JSON document.
_ANSWERS = ("doctor", "evaluate", "fuse", "info", "inspect", "predict", "probe", "reconstruct", "runs", "summary")


def program() -> Path:
    """The program `ssl` of this package; the variable SSL_BIN names another.

    >>> program().name
    'ssl'
    """
    chosen = os.environ.get("SSL_BIN")
    if chosen:
        return Path(chosen)
    try:
        own = files("skeletonmae") or []
    except PackageNotFoundError:
        own = []
    for file in own:
        if file.name in ("ssl", "ssl.exe"):
            return Path(str(file.locate())).resolve()
    raise Error("the program ssl is not part of this installation; SSL_BIN names one that is elsewhere")


def run(command: str, *inputs: PathLike, progress: bool = True, **options: Any) -> Any:
    """Runs `ssl COMMAND INPUTS OPTIONS` and gives its answer.

    An option is written as in the program's help, with underscores: `skip_bad=True` is `--skip-bad`; a list repeats it; `None` and
    `False` leave it out. `set` takes settings: `set={"finetune.epochs": 5}`.

    The answer is the command's JSON where it has one; after `pretrain` and `finetune` it is the run's card (`ssl info`), after
    `prepare` what the cache holds (`ssl inspect`), else the text it prints. Progress goes to `sys.stderr` unless `progress` is False.

    Ctrl-C reaches the program once, which stops after its step and keeps what `resume=True` goes on from; a second one stops it
    at once.

    Raises `skeletonmae.Error` with the program's message and hint.

    >>> run("layout").split()[0]
    'coco17'
    >>> run("evaluate", "nowhere", data="synthetic.h5", split="val")
    Traceback (most recent call last):
    skeletonmae.Error: nowhere: No such file or directory (os error 2)
    hint: expected the folder of a run, or its model.safetensors
    """
    words = [command, *(os.fspath(path) for path in inputs), *_words(options)]
    if command in _ANSWERS:
        words.append("--json")
    text = _output(words, progress)
    if command in _ANSWERS:
        return json.loads(text)
    if command in ("pretrain", "finetune"):
        return run("info", options["out"], progress=progress)
    if command == "prepare":
        return run("inspect", options["output"], progress=progress)
    return text


def prepare(output: PathLike, *inputs: PathLike, progress: bool = True, **options: Any) -> Cache:
    """Makes a cache of files of clips, or of the embedded synthetic set, and opens it. `options` are those of `ssl prepare`.

    >>> prepare("tiny.h5", dataset="synthetic", overwrite=True)
    <Cache tiny.h5: 960 clips of synthetic, coco17, 16 classes>

    Raises `skeletonmae.Error` as `run` does: when the output exists (`overwrite=True` replaces it), or an input can't be read.
    """
    words = ["prepare", *(os.fspath(path) for path in inputs), "--output", os.fspath(output), *_words(options)]
    _output(words, progress)
    return Cache(output)


def settings(source: PathLike) -> dict[str, Any]:
    """All settings of a preset (by its name), a run, a checkpoint, `zoo:NAME` or a config.toml, as nested dictionaries.

    >>> quick = settings("quick")
    >>> quick["reading"]["frames"], quick["finetune"]["augment"]["noise"]
    (64, 0.02)
    """
    path = Path(source)
    if path.is_dir():
        path = path / "config.toml"
    if path.suffix == ".safetensors" or str(source).startswith("zoo:"):
        return Checkpoint.read(path).config
    if path.suffix == ".toml" or path.exists():
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise Error(f"{path}: {error.strerror}") from error
    else:
        text = _output(["preset", os.fspath(source)], progress=False)
    return dict(json.loads(toml_to_json(text, str(source))))


def _words(options: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, Mapping):
            value = [f"{key}={_toml(of)}" if name == "set" else f"{key}={of}" for key, of in value.items()]
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if each is True:
                words.append(flag)
            elif each is not None and each is not False:
                # In one word, so that a value may begin with a dash.
                words.append(f"{flag}={each}")
    return words


def _toml(value: Any) -> str:
    """A setting's value; words are words."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_inner(of)}" for key, of in value.items()) + " }"
    return _inner(value)


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return _toml(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_inner, value)) + "]"
    return json.dumps(value)  # true, 1, 0.5, "text": TOML writes them so


def _output(words: list[str], progress: bool) -> str:
    """What the program prints."""
    child = subprocess.Popen(
        [str(program()), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        # A group of its own: the terminal's Ctrl-C goes to Python, which hands it on once.
        start_new_session=True,
    )
    out: list[str] = []
    said: list[str] = []
    readers = [
        threading.Thread(target=_read, args=(child.stdout, out, None), daemon=True),
        threading.Thread(target=_read, args=(child.stderr, said, sys.stderr if progress else None), daemon=True),
    ]
    for reader in readers:
        reader.start()
    interrupted = _wait(child)
    for reader in readers:
        reader.join()
    for pipe in (child.stdout, child.stderr):
        pipe.close()  # type: ignore[union-attr]
    if interrupted:
        raise KeyboardInterrupt
    if child.returncode != 0:
        raise Error(_message("".join(said), child.returncode))
    return "".join(out)


def _wait(child: subprocess.Popen[str]) -> bool:
    """Waits for the end, and says whether it was asked for."""
    interrupted = False
    while True:
        try:
            child.wait()
            return interrupted
        except KeyboardInterrupt:
            interrupted = True
            child.send_signal(signal.SIGINT)
        except BaseException:
            child.kill()
            raise


def _read(pipe: IO[str], lines: list[str], shown: IO[str] | None) -> None:
    for line in pipe:
        lines.append(line)
        if shown is not None and not line.startswith(("error: ", "hint: ")):
            shown.write(line)


def _message(said: str, code: int) -> str:
    """The message and the hint at the end of what the program said."""
    start = said.rfind("error: ", 0)
    if start < 0:
        return said.strip() or f"ssl ended with code {code}"
    return said[start + len("error: ") :].strip()
