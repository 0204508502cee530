"""A video or a camera as a stream of poses: python -m skeletonmae.pose VIDEO|0 | ssl predict RUN --stream

MediaPipe finds one person a frame, on the CPU and without a network: its wheel carries the weights. It wants an older numpy than
others, so give it an environment of its own:

    python3 -m venv pose && pose/bin/pip install mediapipe==0.10.21

Each frame is a line of JSON on standard output: its time in seconds, the size of the image, and the person's joints as x and y in
pixels with MediaPipe's visibility as the score (with --world as x, y and z in metres about the hips). A frame that shows nobody has
no people. Times are those of the video, or of the clock for a camera.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# A landmark of MediaPipe: x, y, z, visibility.
Mark = tuple[float, float, float, float]

# The joints of each layout among MediaPipe's 33.
LAYOUTS = {
    "mediapipe33": list(range(33)),
    "coco17": [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28],
}
NEEDS = "mediapipe 0.10.21 in an environment of its own: python3 -m venv pose && pose/bin/pip install mediapipe==0.10.21"


def header(layout: str) -> dict[str, Any]:
    """The first line: what the frames are."""
    return {"format": "skeleton-frames", "version": 1, "layout": layout}


def frame(
    seconds: float, size: tuple[int, int], landmarks: Sequence[Mark] | None, layout: str, world: bool = False
) -> dict[str, Any]:
    """A line: `landmarks` are MediaPipe's (x, y, z, visibility), none where nobody is seen; `size` is (height, width)."""
    height, width = size

    def joint(mark: Mark) -> list[float]:
        x, y, z, seen = mark
        numbers = (x, y, z) if world else (x * width, y * height)
        return [round(number, 4) for number in numbers] + [round(seen, 4)]

    people = [{"keypoints": [joint(landmarks[at]) for at in LAYOUTS[layout]]}] if landmarks else []
    return {"time": round(seconds, 6), "height": height, "width": width, "people": people}


def images(source: str, realtime: bool) -> Iterator[tuple[float, Any]]:
    """(seconds, image in RGB) of each frame of a video, or of camera number `source`."""
    import cv2

    camera = source.isdigit()
    video = cv2.VideoCapture(int(source) if camera else source)
    if not video.isOpened():
        kind = "a camera of this number" if camera else "a video that OpenCV reads"
        sys.exit(f"{source}: expected {kind}, found none")
    rate = video.get(cv2.CAP_PROP_FPS)
    rate = rate if 0 < rate < 1000 else 30.0
    began, number = time.monotonic(), 0
    while True:
        read, image = video.read()
        if not read:
            return
        seconds = time.monotonic() - began if camera else number / rate
        if realtime and not camera:
            time.sleep(max(0.0, began + seconds - time.monotonic()))
        yield seconds, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        number += 1


def detector(complexity: int) -> Callable[[Any], tuple[list[Mark] | None, list[Mark] | None]]:
    """A function from an image in RGB to what MediaPipe finds in it."""
    import mediapipe

    pose = mediapipe.solutions.pose.Pose(model_complexity=complexity)

    def numbers(found: Any) -> list[Mark] | None:
        return found and [(mark.x, mark.y, mark.z, mark.visibility) for mark in found.landmark]

    def detect(image: Any) -> tuple[list[Mark] | None, list[Mark] | None]:
        found = pose.process(image)
        return numbers(found.pose_landmarks), numbers(found.pose_world_landmarks)

    return detect


def main(arguments: Sequence[str] | None = None) -> None:
    """What `python -m skeletonmae.pose` does."""
    parser = argparse.ArgumentParser(prog="python -m skeletonmae.pose", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("source", metavar="VIDEO|0", help="a file that OpenCV reads, or a camera's number")
    parser.add_argument("--layout", choices=sorted(LAYOUTS), default="coco17", help="the joints [default: coco17]")
    parser.add_argument("--world", action="store_true", help="x, y, z in metres about the hips, in place of pixels")
    parser.add_argument("--complexity", type=int, choices=(0, 1), default=1, help="of MediaPipe's model [default: 1]")
    parser.add_argument("--realtime", action="store_true", help="a file at its own speed, as a camera would give it")
    typed = parser.parse_args(arguments)
    # Its libraries tell of themselves on stderr.
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        detect = detector(typed.complexity)
    except ImportError as error:
        sys.exit(f"{error}; this needs {NEEDS}")

    def write(line: dict[str, Any]) -> None:
        print(json.dumps(line), flush=True)

    try:
        write(header(typed.layout))
        for seconds, image in images(typed.source, typed.realtime):
            places, world = detect(image)
            found = world if typed.world else places
            write(frame(seconds, image.shape[:2], found, typed.layout, typed.world))
    except BrokenPipeError:
        # Who reads has seen enough; Python would complain once more when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
