//! Annotations that disagree with themselves or each other are refused with their place.

mod common;

use common::{CLIPS, dumped, dumped_all, refused};

#[test]
fn annotations_that_disagree_are_refused_with_their_place() {
    let good = format!(
        "{CLIPS}\nk = k.astype('f2')\ndata = dict(annotations=[clip(0, k), clip(1, k)], split={{}})\n"
    );
    let cases: [(&str, &[&str]); 30] = [
        (
            "data['annotations'][1]['frame_dir'] = 'clip0'",
            &["annotation 1", "\"clip0\" a second time"],
        ),
        (
            "del data['annotations'][1]['frame_dir']",
            &["annotation 1", "an id in `frame_dir` or `filename`"],
        ),
        (
            "data['annotations'][1]['total_frames'] = 9",
            &["annotation 1 (\"clip1\")", "`total_frames` of 3", "found 9"],
        ),
        (
            "data['annotations'][1] = clip(1, k[:, :, :3])",
            &["annotation 1", "4 joints of 2", "found 3 of 2"],
        ),
        (
            "data['annotations'][1] = clip(1, np.zeros((2, 3, 4, 3)))",
            &["annotation 1", "found 4 of 3"],
        ),
        (
            "data['annotations'][1] = clip(1, k[0])",
            &[
                "[persons, frames, joints, coordinates]",
                "shape [3, 4, 2]; keypoint[None]",
            ],
        ),
        (
            "data['annotations'][0] = clip(0, np.zeros((1, 3, 4, 5)))",
            &["annotation 0", "2 or 3 coordinates"],
        ),
        (
            "data['annotations'][1]['keypoint_score'] = k[:, :2, :, 0]",
            &["`keypoint_score` of shape [2, 3, 4]", "[2, 2, 4]"],
        ),
        (
            "data['annotations'][1]['keypoint'] = [[[[1, 2]]], [[[1, 2]], [[1]]]]",
            &[
                "in lists of one length each",
                "in `keypoint`",
                "a list of 2",
            ],
        ),
        (
            "data['annotations'][1]['keypoint'] = [[[[1, 2], [1]]]]",
            &[
                "in lists of one length each, 2 here, in `keypoint`",
                "a list of 1",
            ],
        ),
        (
            "data['annotations'][1]['keypoint'] = [[[[1, None]]]]",
            &["numbers in lists", "in `keypoint`", "None"],
        ),
        (
            "data['annotations'][1]['keypoint'] = list(k)",
            &[
                "np.asarray(..., dtype=np.float32)",
                "a numpy array of shape [3, 4, 2]",
            ],
        ),
        (
            "data['annotations'][1]['keypoint'] = None",
            &[
                "annotation 1 (\"clip1\")",
                "`keypoint`",
                "found None; a clip without anybody",
            ],
        ),
        (
            "data['annotations'][1]['frame_dir'] = None",
            &[
                "annotation 1",
                "an id in `frame_dir`",
                "None in `frame_dir`",
            ],
        ),
        (
            "data['annotations'][1]['frame_dir'] = 1.5",
            &["annotation 1", "in `frame_dir`", "str(x) makes text of it"],
        ),
        (
            "data['annotations'][1]['img_shape'] = np.zeros((2, 2))",
            &[
                "height and width in `img_shape`",
                "a numpy array of shape [2, 2]",
            ],
        ),
        (
            "data['annotations'][1]['label'] = np.float32(1.5)",
            &["an integer in `label`", "a float32 of 1.5"],
        ),
        (
            "data['annotations'][1] = clip(1, np.zeros((0, 2**21, 4, 2), 'f2'))",
            &[
                "without numbers of at most 1048576 on an axis",
                "[0, 2097152, 4, 2]",
            ],
        ),
        (
            "data = {c['frame_dir']: c for c in data['annotations']}",
            &["list(data.values())"],
        ),
        (
            "data['annotations'][1]['keypoint'] = k.astype('c8')",
            &["np.asarray(..., dtype=np.float32)", "numpy dtype \"c8\""],
        ),
        (
            "data['annotations'][1]['keypoint'] = k.astype(object)",
            &["np.asarray(..., dtype=np.float32)", "numpy dtype \"O8\""],
        ),
        (
            "data['annotations'][1]['label'] = -3",
            &["a class from 0", "found -3"],
        ),
        // Nothing is as large as a number that a file states.
        (
            "data['annotations'][1]['label'] = 2147483647",
            &["a class from 0 to 4095", "found 2147483647"],
        ),
        (
            "data['annotations'][1]['label'] = [1, 2]",
            &["an integer in `label`", "a list of 2"],
        ),
        (
            "data['annotations'][1]['img_shape'] = (-1, 3)",
            &["`img_shape`", "found -1"],
        ),
        (
            "del data['annotations'][1]['keypoint']",
            &["annotation 1 (\"clip1\")", "`keypoint`"],
        ),
        (
            "data['split']['train'] = [1]",
            &[
                "split \"train\"",
                "the integer 1",
                "[ids[i] for i in train]",
            ],
        ),
        (
            "data['split']['train'] = np.array([['clip0', 'clip1']])",
            &["split \"train\"", "a flat list of ids", ".ravel()"],
        ),
        (
            "data['split']['train'] = 'train.txt'",
            &["split \"train\"", "a list of ids", "train.txt"],
        ),
        ("data['split'] = [1]", &["`split`", "a dict"]),
    ];
    // One Python writes them all, since starting it takes longest.
    let bodies = cases.map(|(change, _)| format!("{good}{change}"));
    let Some(files) = dumped_all(&bodies, 2) else {
        return;
    };
    for (bytes, (_, expected)) in files.iter().zip(cases) {
        refused(bytes, expected);
    }
}

#[test]
fn an_object_of_another_class_is_refused_by_its_name() {
    let Some(bytes) = dumped("import datetime\ndata = [datetime.date(2020, 1, 1)]", 4) else {
        return;
    };
    refused(&bytes, &["`datetime.date`"]);
}
