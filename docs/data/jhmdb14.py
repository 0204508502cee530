"""Makes an annotation pickle of JHMDB (14 actions) from the arrays of the DD-Net repository.

  python docs/data/jhmdb14.py DD-Net/data/JHMDB jhmdb14.pkl

Reads GT_train_1.pkl, GT_test_1.pkl ... GT_test_3.pkl: each a dict with `pose`, a list of arrays (frames, 15, 2),
and `label`, a list of class names. The three splits divide the same clips, which have no names there: a clip is
recognised by its values. Needs Python 3.8 and numpy.
"""
import hashlib
import os
import pickle
import sys

import numpy as np

EXPECTED = {'train1': 433, 'test1': 176, 'train2': 433, 'test2': 176, 'train3': 434, 'test3': 175}


class Arrays(pickle.Unpickler):
    """A pickle may call any function; only what plain data and numpy arrays need is let through."""
    ALLOWED = {'_reconstruct', 'scalar', 'ndarray', 'dtype', 'encode', '_frombuffer'}

    def find_class(self, module, name):
        if module.split('.')[0] in ('numpy', '_codecs') and name in self.ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'the file wants {module}.{name}, which arrays do not need')


def read(path):
    """The (class name, pose) pairs of one file."""
    with open(path, 'rb') as file:
        content = Arrays(file, encoding='latin1').load()
    if len(content['pose']) != len(content['label']):
        sys.exit(f"{path}: {len(content['pose'])} poses but {len(content['label'])} labels")
    for place, (label, pose) in enumerate(zip(content['label'], content['pose'])):
        pose = np.ascontiguousarray(pose, dtype=np.float32)
        if pose.ndim != 3 or pose.shape[1:] != (15, 2):
            sys.exit(f'{path}: pose {place} has shape {pose.shape}, expected (frames, 15, 2)')
        yield str(label), pose


def convert(folder):
    clips, splits = {}, {}
    for split in EXPECTED:
        path = os.path.join(folder, f'GT_{split[:-1]}_{split[-1]}.pkl')
        splits[split] = []
        for label, pose in read(path):
            clip = f'{label}_{hashlib.sha256(pose.tobytes()).hexdigest()[:10]}'
            if clip in splits[split]:
                sys.exit(f'{path}: two clips have the same values, {clip}')
            clips[clip] = (label, pose)
            splits[split].append(clip)
    # As scikit-learn's LabelEncoder does in DD-Net: classes in alphabetical order.
    classes = sorted({label for label, _ in clips.values()})
    annotations = [
        {'frame_dir': clip, 'label': classes.index(label), 'keypoint': pose[None], 'total_frames': len(pose)}
        for clip, (label, pose) in sorted(clips.items())]
    return {'split': splits, 'annotations': annotations}, classes


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    content, classes = convert(sys.argv[1])
    with open(sys.argv[2], 'wb') as file:
        pickle.dump(content, file, protocol=4)
    print(f"{sys.argv[2]}: {len(content['annotations'])} clips, {len(classes)} classes: {' '.join(classes)}")
    for split, clips in content['split'].items():
        note = '' if len(clips) == EXPECTED[split] else f', expected {EXPECTED[split]}'
        print(f'{split}: {len(clips)}{note}')


if __name__ == '__main__':
    main()
