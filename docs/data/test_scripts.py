"""Runs the scripts of this folder on small made-up clips in the upstream form: python docs/data/test_scripts.py"""
import json
import os
import pickle
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def run(script, *arguments):
    return subprocess.run([sys.executable, os.path.join(HERE, script), *arguments], capture_output=True, text=True)


def load(path):
    with open(path, 'rb') as file:
        return pickle.load(file)


def dump(content, path, protocol):
    with open(path, 'wb') as file:
        pickle.dump(content, file, protocol=protocol)


def jhmdb14(folder):
    random = np.random.RandomState(0)
    # Upstream: (2, 15, frames) rounded to three places, axes 0 and 2 exchanged, so not contiguous.
    poses = [np.round(random.randn(2, 15, 15 + i), 3).swapaxes(0, 2) for i in range(6)]
    labels = ['wave', 'catch', 'clap', 'clap', 'wave', 'catch']
    train = {1: [0, 1, 2, 3], 2: [2, 3, 4, 5], 3: [0, 1, 4, 5]}
    for split, chosen in train.items():
        rest = [i for i in range(6) if i not in chosen]
        for part, clips in (('train', chosen), ('test', rest)):
            content = {'pose': [poses[i] for i in clips], 'label': [labels[i] for i in clips]}
            dump(content, os.path.join(folder, f'GT_{part}_{split}.pkl'), protocol=3)
    out = os.path.join(folder, 'out.pkl')
    done = run('jhmdb14.py', folder, out)
    assert done.returncode == 0, done.stderr
    assert '6 clips, 3 classes: catch clap wave' in done.stdout and 'train1: 4, expected 433' in done.stdout, done.stdout
    content = load(out)
    clips = {a['frame_dir']: a for a in content['annotations']}
    assert len(clips) == 6 and list(content['split']) == ['train1', 'test1', 'train2', 'test2', 'train3', 'test3']
    for split, chosen in train.items():
        names = content['split'][f'train{split}']
        assert len(names) == 4 and len(content['split'][f'test{split}']) == 2
        for name, i in zip(names, chosen):
            clip = clips[name]
            assert clip['keypoint'].dtype == np.float32 and clip['total_frames'] == 15 + i
            assert np.array_equal(clip['keypoint'][0], poses[i].astype(np.float32))
            assert ['catch', 'clap', 'wave'][clip['label']] == labels[i] == name.split('_')[0]
        assert not set(names) & set(content['split'][f'test{split}'])

    class Call:
        def __reduce__(self):
            return os.system, ('echo called',)
    dump({'pose': [Call()], 'label': ['x']}, os.path.join(folder, 'GT_train_1.pkl'), protocol=3)
    refused = run('jhmdb14.py', folder, out)
    assert refused.returncode != 0 and 'system, which arrays do not need' in refused.stderr, refused.stderr
    assert 'called' not in refused.stdout


def nw_ucla(folder):
    clips = os.path.join(folder, 'all_sqe')
    os.mkdir(clips)
    joints = lambda seed, frames: np.round(np.random.RandomState(seed).randn(frames, 20, 3), 5).tolist()
    made = {'a01_s01_e00_v01': joints(1, 4), 'a12_s10_e01_v02': joints(2, 1), 'a02_s01_e00_v02': joints(3, 5),
            'a02_s01_e00_v03': joints(3, 5), 'a08_s02_e00_v03': joints(4, 3), 'a07_s01_e00_v01': joints(5, 3)}
    for name, skeletons in made.items():
        with open(os.path.join(clips, name + '.json'), 'w') as file:
            json.dump({'file_name': name, 'skeletons': skeletons, 'label': 1}, file)
    out = os.path.join(folder, 'out.pkl')
    done = run('nw_ucla.py', clips, out)
    assert done.returncode == 0, done.stderr
    assert 'left out: a07_s01_e00_v01.json' in done.stderr and '5 clips' in done.stdout, (done.stdout, done.stderr)
    content = load(out)
    assert content['split'] == {
        'xview_train': ['a01_s01_e00_v01', 'a02_s01_e00_v02', 'a12_s10_e01_v02'],
        'xview_test': ['a02_s01_e00_v03', 'a08_s02_e00_v03'],
        'xview_test_clean': ['a08_s02_e00_v03']}, content['split']
    labels = {a['frame_dir']: a['label'] for a in content['annotations']}
    assert labels['a01_s01_e00_v01'] == 0 and labels['a08_s02_e00_v03'] == 6 and labels['a12_s10_e01_v02'] == 9
    for clip in content['annotations']:
        expected = np.array(made[clip['frame_dir']], dtype=np.float32)
        assert clip['keypoint'].dtype == np.float32 and np.array_equal(clip['keypoint'][0], expected)
        assert clip['total_frames'] == len(expected)
    with open(os.path.join(clips, 'a01_s01_e00_v01.json'), 'w') as file:
        json.dump({'skeletons': [[[0, 0, 0]] * 19]}, file)
    refused = run('nw_ucla.py', clips, out)
    assert refused.returncode != 0 and 'expected (frames, 20, 3)' in refused.stderr, refused.stderr


def utd_mhad(folder):
    try:
        from scipy.io import savemat
    except ImportError:
        return 'skipped: no scipy'
    names = ['head', 'shoulder centre', 'spine', 'hip centre', *(str(joint) for joint in range(4, 20))]
    clips = os.path.join(folder, 'Skeleton')
    os.mkdir(clips)
    made = {}
    for seed, (name, frames) in enumerate({'a1_s1_t1': 4, 'a27_s8_t4': 2, 'a2_s3_t1': 3, 'a10_s2_t2': 1}.items()):
        made[name] = np.random.RandomState(seed).randn(20, 3, frames)
        savemat(os.path.join(clips, name + '_skeleton.mat'), {'d_skel': made[name]})
    savemat(os.path.join(clips, 'a28_s1_t1_skeleton.mat'), {'d_skel': made['a1_s1_t1']})
    out = os.path.join(folder, 'out.pkl')
    done = run('utd_mhad.py', clips, out)
    assert done.returncode == 0, done.stderr
    assert 'left out: a28_s1_t1_skeleton.mat' in done.stderr and '4 clips' in done.stdout, (done.stdout, done.stderr)
    assert 'xsub_train: 2, expected 431' in done.stdout, done.stdout
    content = load(out)
    assert content['split'] == {'xsub_train': ['a01_s01_t01', 'a02_s03_t01'], 'xsub_test': ['a10_s02_t02', 'a27_s08_t04']}
    assert [a['label'] for a in content['annotations']] == [0, 1, 9, 26]
    for clip, name in zip(content['annotations'], ['a1_s1_t1', 'a2_s3_t1', 'a10_s2_t2', 'a27_s8_t4']):
        joints, source = clip['keypoint'], made[name]
        assert joints.dtype == np.float32 and joints.shape == (1, source.shape[2], 20, 3) and clip['total_frames'] == source.shape[2]
        for joint, called in [(0, 'hip centre'), (1, 'spine'), (2, 'shoulder centre'), (3, 'head'), (4, '4'), (19, '19')]:
            expected = source[names.index(called)].T.astype(np.float32)
            assert np.array_equal(joints[0, :, joint], expected), (name, called)
    for content, said in [({'d_skel': np.zeros((20, 4, 2))}, 'expected (20, 3, frames)'), ({'other': 1}, 'no array d_skel')]:
        savemat(os.path.join(clips, 'a1_s1_t1_skeleton.mat'), content)
        refused = run('utd_mhad.py', clips, out)
        assert refused.returncode != 0 and said in refused.stderr, refused.stderr


if __name__ == '__main__':
    for test in (jhmdb14, nw_ucla, utd_mhad):
        with tempfile.TemporaryDirectory() as folder:
            said = test(folder)
        print(f"{test.__name__}: {said or 'ok'}")
