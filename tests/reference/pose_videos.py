"""Videos for the pose bridge: python tests/reference/pose_videos.py OUT.avi

Half a second of noise, in which nobody is, then scikit-image's astronaut for a second and a half, drawn a little farther to the
right in each frame; the astronaut's size is printed.
"""
import sys

import cv2
import numpy as np
from skimage import data

astronaut = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
height, width = astronaut.shape[:2]
video = cv2.VideoWriter(sys.argv[1], cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (width, height))
generator = np.random.default_rng(0)
for _ in range(5):
    video.write(generator.integers(0, 60, astronaut.shape, np.uint8))
for step in range(15):
    video.write(np.roll(astronaut, 2 * step, axis=1))
video.release()
print(height, width)
