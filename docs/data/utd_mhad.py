"""Makes an annotation pickle of UTD-MHAD from its MATLAB files of skeletons.

  python docs/data/utd_mhad.py Skeleton utd_mhad.pkl

Each file is one clip, such as a27_s8_t4_skeleton.mat (action, subject, trial), with `d_skel`, an array (20, 3, frames) of
x, y, z in metres. Its joints are Kinect v1's: head, shoulder centre, spine, hip centre, then arms and legs as in the layout
ucla20, whose order all of them get here. Subjects with odd numbers train, the others test: the authors' protocol.
Needs Python 3.8, numpy and scipy.
"""
import os
import pickle
import re
import sys

import numpy as np
from scipy.io import loadmat

EXPECTED = {'xsub_train': 431, 'xsub_test': 430}
NAME = re.compile(r'a(\d{1,2})_s(\d)_t(\d)_skeleton\.mat')
ACTIONS = 27
# For each joint of ucla20 its place in the files: hip centre, spine, shoulder centre, head, then as it is.
ORDER = [3, 2, 1, 0, *range(4, 20)]


def read(path):
    """The joints of a clip in ucla20's order, (frames, 20, 3)."""
    content = loadmat(path, variable_names=['d_skel'])
    if 'd_skel' not in content:
        sys.exit(f'{path}: no array d_skel, expected a file of Skeleton.zip')
    joints = content['d_skel']
    if joints.ndim != 3 or joints.shape[:2] != (20, 3):
        sys.exit(f'{path}: d_skel has shape {joints.shape}, expected (20, 3, frames)')
    return np.ascontiguousarray(joints.transpose(2, 0, 1)[:, ORDER], dtype=np.float32)


def convert(folder):
    clips = []
    for file in os.listdir(folder):
        name = NAME.fullmatch(file)
        if not name or not 1 <= int(name[1]) <= ACTIONS:
            print(f'left out: {file}, which is not named like a clip of the {ACTIONS} actions', file=sys.stderr)
            continue
        clips.append((tuple(map(int, name.groups())), file))
    splits = {split: [] for split in EXPECTED}
    annotations = []
    for (action, subject, trial), file in sorted(clips):
        clip, joints = f'a{action:02}_s{subject:02}_t{trial:02}', read(os.path.join(folder, file))
        annotations.append({'frame_dir': clip, 'label': action - 1, 'keypoint': joints[None], 'total_frames': len(joints)})
        splits['xsub_train' if subject % 2 else 'xsub_test'].append(clip)
    return {'split': splits, 'annotations': annotations}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    content = convert(sys.argv[1])
    with open(sys.argv[2], 'wb') as file:
        pickle.dump(content, file, protocol=4)
    print(f"{sys.argv[2]}: {len(content['annotations'])} clips")
    for split, clips in content['split'].items():
        note = '' if len(clips) == EXPECTED[split] else f', expected {EXPECTED[split]}'
        print(f'{split}: {len(clips)}{note}')


if __name__ == '__main__':
    main()
