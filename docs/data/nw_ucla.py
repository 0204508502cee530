"""Makes an annotation pickle of NW-UCLA from the JSON files distributed with CTR-GCN (all_sqe.zip).

  python docs/data/nw_ucla.py all_sqe nw_ucla.pkl

Each file is one clip, such as a01_s01_e00_v01.json (action, subject, repetition, view), with `skeletons`, a list of
frames of 20 joints of x, y, z in metres. Views 1 and 2 train, view 3 tests. As it circulates, 95 test clips are
copies of training clips; xview_test_clean leaves out every test clip whose values a training clip has.
Needs Python 3.8 and numpy.
"""
import json
import os
import pickle
import re
import sys

import numpy as np

# The actions there are; a label is an action's place in this list.
ACTIONS = [1, 2, 3, 4, 5, 6, 8, 9, 11, 12]
EXPECTED = {'xview_train': 1020, 'xview_test': 464, 'xview_test_clean': 369}
NAME = re.compile(r'a(\d\d)_s\d\d_e\d\d_v(0[123])\.json')


def read(path):
    """The joints of a clip, (frames, 20, 3)."""
    with open(path, encoding='utf-8') as file:
        joints = np.array(json.load(file)['skeletons'], dtype=np.float32)
    if joints.ndim != 3 or joints.shape[1:] != (20, 3):
        sys.exit(f'{path}: skeletons have shape {joints.shape}, expected (frames, 20, 3)')
    return joints


def convert(folder):
    splits = {split: [] for split in EXPECTED}
    annotations, test, trained = [], [], set()
    for file in sorted(os.listdir(folder)):
        name = NAME.fullmatch(file)
        if not name or int(name[1]) not in ACTIONS:
            print(f'left out: {file}, which is not named like a clip of the ten actions', file=sys.stderr)
            continue
        clip, joints = file[:-len('.json')], read(os.path.join(folder, file))
        annotations.append({'frame_dir': clip, 'label': ACTIONS.index(int(name[1])),
                            'keypoint': joints[None], 'total_frames': len(joints)})
        if name[2] == '03':
            splits['xview_test'].append(clip)
            test.append((clip, joints.tobytes()))
        else:
            splits['xview_train'].append(clip)
            trained.add(joints.tobytes())
    splits['xview_test_clean'] = [clip for clip, values in test if values not in trained]
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
