//! Annotation pickles: what Python writes is read, in every protocol; what they must not hold is refused.

mod common;

use std::path::Path;

use common::{python, run, shared};
use half::f16;
use skeleton_data::raw::pyskl::PysklFile;
use skeleton_data::{Error, Sequence, Values};

fn open(bytes: &[u8]) -> Result<PysklFile, Error> {
    PysklFile::from_bytes(Path::new("clips.pkl"), bytes.to_vec())
}

fn refused(bytes: &[u8], expected: &[&str]) {
    let message = open(bytes).err().expect("should be refused").to_string();
    for part in expected.iter().chain(&["clips.pkl"]) {
        assert!(message.contains(part), "{message} should say {part}");
    }
}

/// `os.system("true")`, as pickle.dumps writes an object whose __reduce__ returns it: protocols 0, 2 and 4.
const SYSTEM: [&[u8]; 3] = [
    b"cposix\nsystem\np0\n(Vtrue\np1\ntp2\nRp3\n.",
    b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.",
    b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
];

#[test]
fn a_pickle_that_names_a_function_is_refused_by_its_name() {
    for bytes in SYSTEM {
        refused(bytes, &["`posix.system`", "never run"]);
    }
    refused(b"cos\nsystem\n.", &["byte 0", "`os.system`"]);
    refused(b"(ios\nsystem\n.", &["`os.system`"]);
    refused(b"c__builtin__\neval\n.", &["`__builtin__.eval`"]);
    refused(
        b"cnumpy.core.multiarray\nfromfile\n.",
        &["`numpy.core.multiarray.fromfile`"],
    );
    refused(
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        &["construction of an object"],
    );
    refused(b"Pid\n.", &["opcode 0x50"]);
    refused(b"\x80\x05\x97.", &["out-of-band"]);
}

#[test]
fn damaged_pickles_say_where() {
    refused(b"", &["byte 0", "the end of the file"]);
    refused(b"\x80\x09.", &["pickle protocol 0 to 5", "protocol 9"]);
    refused(b"]", &["byte 1", "the end of the file"]);
    refused(b".", &["byte 0", "an empty stack"]);
    refused(b"\xfe", &["byte 0xfe"]);
    refused(b"h\x07.", &["a value in the memo"]);
    refused(b"K\x01a.", &["an empty stack"]);
    refused(b"K\x01K\x02a.", &["a list to append to"]);
    refused(b"(K\x01d.", &["keys with a value each"]);
    refused(b"I12x\n.", &["an integer of 64 bits"]);
    refused(b"\x8a\x09123456789.", &["one of 9 bytes"]);
    refused(b"K\x01.", &["a dict with `annotations`", "the integer 1"]);
    refused(b"}.", &["a dict with the keys []"]);
}

#[test]
fn declared_lengths_beyond_the_file_allocate_nothing() {
    refused(
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        &["byte 11", "the end of the file after 1"],
    );
    refused(
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        &["the end of the file"],
    );
    refused(
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff].",
        &["a frame of"],
    );
    refused(b"B\xff\xff\xff\xff.", &["4294967295 bytes"]);
    refused(b"\x8b\xff\xff\xff\xff.", &["a length"]);
    refused(b"r\xff\xff\xff\xff.", &["an empty stack"]);
    refused(b"]r\xff\xff\xff\xffK\x01.", &["a dict with"]);
}

#[test]
fn nesting_and_doubling_stay_small() {
    // A million lists in each other: nothing recurses, neither here nor when they are dropped.
    let mut deep = vec![b']'; 1_000_000];
    deep.extend(vec![b'a'; 999_999]);
    deep.push(b'.');
    refused(&deep, &["annotation 0", "a list of 1"]);
    refused(&vec![b'('; 1_000_000], &["more values"]);
    refused(&vec![b']'; 1_000_000], &["more values"]);
    // A list doubled through the memo a hundred times: 2^100 elements in Python's eyes.
    let mut bomb = b"]q\x00".to_vec();
    for key in 0..100 {
        bomb.extend([b']', b'q', key + 1, b'(', b'h', key, b'h', key, b'e']);
    }
    bomb.push(b'.');
    refused(&bomb, &["annotation 0", "a list of 2"]);
    // A list that holds itself.
    refused(b"]q\x00h\x00a.", &["annotation 0", "a list of 1"]);
    // One long id in a split a hundred thousand times, as itself and under other names.
    let mut ids = b"}(X\x0b\x00\x00\x00annotations]X\x05\x00\x00\x00split}(".to_vec();
    ids.extend(b"X\x01\x00\x00\x00a](X\xe8\x03\x00\x00");
    ids.extend([b'x'; 1000]);
    ids.extend(b"q\x00");
    ids.extend(b"h\x00".repeat(100_000));
    ids.extend(b"euu.");
    let file = open(&ids).unwrap();
    assert_eq!(file.splits()[0].1.len(), 1);
}

/// Writes a pickle with Python: `body` sets `data`.
fn dumped(body: &str, protocol: u8) -> Option<Vec<u8>> {
    let mut python = python("numpy")?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clips.pkl");
    let script = format!(
        "import pickle, sys, numpy as np, collections\n{body}\npickle.dump(data, open(sys.argv[1], 'wb'), {protocol})"
    );
    run(&mut python, &script, &[&path]);
    Some(std::fs::read(&path).unwrap())
}

const CLIPS: &str = "
k = ((np.arange(2 * 3 * 4 * 2) * 7 % 256) / 8).reshape(2, 3, 4, 2)
def clip(i, k, **more):
    return dict(dict(frame_dir=f'clip{i}', label=i, total_frames=k.shape[1], keypoint=k), **more)
";

fn expected() -> Vec<f32> {
    (0..48).map(|i| (i * 7 % 256) as f32 / 8.0).collect()
}

fn single(values: &Values) -> Vec<f32> {
    (0..values.view().len())
        .map(|i| values.view().get(i))
        .collect()
}

fn sequences(bytes: &[u8]) -> Vec<Sequence> {
    open(bytes)
        .unwrap()
        .sequences()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn every_protocol_type_byte_order_and_memory_order_is_read() {
    for protocol in 0..=5 {
        let body = format!(
            "{CLIPS}
data = dict(annotations=[], split=collections.OrderedDict(train=['clip0', 'clip1'], val=('clip2',)))
for t in ['<f2', '>f2', '<f4', '>f4', '<f8', '>f8', '<i2', '>i4', '<i8', 'u1', '<u2', '>u8']:
    for order in 'CF':
        a = np.array(k if 'f' in t else k * 8, dtype=t, order=order)
        s = np.array(k[..., 0], dtype='f2', order=order)
        i = len(data['annotations'])
        data['annotations'].append(clip(i, a, keypoint_score=s, img_shape=(1080, 1920), label=np.int64(i)))
data['annotations'].append(clip(24, k[:, :, :, ::-1].astype('f2')))
data['annotations'].append(clip(25, k[:0].astype('f2'), label=-1))
"
        );
        let Some(bytes) = dumped(&body, protocol) else {
            return;
        };
        let file = open(&bytes).unwrap();
        assert_eq!(
            file.splits()[0],
            ("train".into(), vec!["clip0".into(), "clip1".into()])
        );
        assert_eq!(file.splits()[1], ("val".into(), vec!["clip2".into()]));
        assert_eq!(
            (
                file.len(),
                file.joints(),
                file.coordinates(),
                file.classes()
            ),
            (26, 4, 2, 25)
        );
        assert_eq!(file.element_types()[..3], ["float16", "float32", "float64"]);
        let clips = sequences(&bytes);
        for (index, clip) in clips[..24].iter().enumerate() {
            let scale = if index < 12 { 1.0 } else { 8.0 };
            let wanted: Vec<f32> = expected().iter().map(|x| x * scale).collect();
            assert_eq!(
                single(&clip.keypoints),
                wanted,
                "protocol {protocol}, clip {index}"
            );
            assert_eq!(matches!(clip.keypoints, Values::F16(_)), index < 4);
            let scores: Vec<f32> = expected().iter().step_by(2).copied().collect();
            assert_eq!(
                single(clip.scores.as_ref().unwrap()),
                scores,
                "protocol {protocol}, clip {index}"
            );
            assert_eq!(
                (clip.persons, clip.frames, clip.joints, clip.coordinates),
                (2, 3, 4, 2)
            );
            assert_eq!(
                (clip.label, clip.image),
                (Some(index as u32), Some((1080, 1920)))
            );
        }
        let swapped: Vec<f32> = expected().chunks(2).flat_map(|xy| [xy[1], xy[0]]).collect();
        assert_eq!(single(&clips[24].keypoints), swapped);
        assert_eq!((clips[25].persons, clips[25].label), (0, None));
    }
}

#[test]
fn custom_files_are_read() {
    let body = format!(
        "{CLIPS}
a = clip(0, k.astype('f4'), filename='S001C002P003R002A013', extra=[1, {{}}])
del a['frame_dir'], a['label'], a['total_frames']
data = [a, clip(1, k[:1].astype('f4'), label=None, img_shape=None)]
"
    );
    let Some(bytes) = dumped(&body, 4) else {
        return;
    };
    let file = open(&bytes).unwrap();
    assert!(file.splits().is_empty());
    let clips = sequences(&bytes);
    assert_eq!(clips[0].id, "S001C002P003R002A013");
    assert_eq!(
        (clips[0].setup, clips[0].camera, clips[0].subject),
        (Some(1), Some(2), Some(3))
    );
    assert_eq!((clips[0].label, clips[1].label), (None, None));
    assert_eq!((clips[1].persons, clips[1].subject), (1, None));
}

#[test]
fn coordinates_that_are_not_finite_become_missing_joints() {
    let body = format!(
        "{CLIPS}
k = k + 1
k[0, 1, 2, 1] = np.nan
k[1, 0, 0, 0] = np.inf
s = np.ones((2, 3, 4)); s[0, 0, 0] = np.nan
data = [clip(0, k.astype('f2'), keypoint_score=s.astype('f4'))]
"
    );
    let Some(bytes) = dumped(&body, 2) else {
        return;
    };
    let file = open(&bytes).unwrap();
    let clip = file.sequence(0).unwrap();
    assert_eq!((file.repaired().joints, file.repaired().scores), (2, 1));
    let Values::F16(values) = &clip.keypoints else {
        panic!()
    };
    let missing: Vec<usize> = (0..24)
        .filter(|&joint| values[joint * 2..][..2] == [f16::ZERO; 2])
        .collect();
    assert_eq!(missing, [6, 12]);
    let scores = single(clip.scores.as_ref().unwrap());
    assert_eq!(
        (0..24)
            .filter(|&joint| scores[joint] == 0.0)
            .collect::<Vec<_>>(),
        [0, 6, 12]
    );
    assert!(clip.is_finite());
}

#[test]
fn annotations_that_disagree_are_refused_with_their_place() {
    let good = format!(
        "{CLIPS}\nk = k.astype('f2')\ndata = dict(annotations=[clip(0, k), clip(1, k)], split={{}})\n"
    );
    let cases: [(&str, &[&str]); 17] = [
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
            &["[persons, frames, joints, coordinates]", "shape [3, 4, 2]"],
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
            "data['annotations'][1]['keypoint'] = k.tolist()",
            &["a numpy array in `keypoint`", "a list of 2"],
        ),
        (
            "data['annotations'][1]['keypoint'] = k.astype('c8')",
            &["numpy dtype \"c8\""],
        ),
        (
            "data['annotations'][1]['keypoint'] = k.astype(object)",
            &["numpy dtype \"O8\""],
        ),
        (
            "data['annotations'][1]['label'] = -3",
            &["a class from 0", "found -3"],
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
            &["split \"train\"", "expected text", "the integer 1"],
        ),
        ("data['split'] = [1]", &["`split`", "a dict"]),
    ];
    for (change, expected) in cases {
        let Some(bytes) = dumped(&format!("{good}{change}"), 2) else {
            return;
        };
        refused(&bytes, expected);
    }
    let Some(bytes) = dumped(
        "class A: pass\nimport datetime\ndata = [datetime.date(2020, 1, 1)]",
        4,
    ) else {
        return;
    };
    refused(&bytes, &["`datetime.date`"]);
}

#[test]
fn every_cut_off_and_flipped_pickle_is_an_error_or_plain_data() {
    for protocol in [0, 2, 4, 5] {
        let Some(bytes) = dumped(
            &format!("{CLIPS}\ndata = [clip(0, k.astype('f2')), clip(1, k.astype('>f4'))]"),
            protocol,
        ) else {
            return;
        };
        for len in 0..bytes.len() {
            assert!(
                open(&bytes[..len]).is_err(),
                "protocol {protocol}, {len} of {} bytes",
                bytes.len()
            );
        }
        for at in 0..bytes.len() {
            for flip in [1, 2, 0x10, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                if let Ok(file) = open(&damaged) {
                    file.sequences().for_each(drop);
                }
            }
        }
    }
}

#[test]
fn the_real_files_are_read_and_the_index_is_refused() {
    if let Some(path) = shared("jhmdb14.pkl") {
        let file = PysklFile::open(&path).unwrap();
        assert_eq!(
            (
                file.len(),
                file.joints(),
                file.coordinates(),
                file.classes()
            ),
            (609, 15, 2, 14)
        );
        let counts: Vec<(&str, usize)> = file
            .splits()
            .iter()
            .map(|(name, ids)| (name.as_str(), ids.len()))
            .collect();
        let official = [
            ("train1", 433),
            ("test1", 176),
            ("train2", 433),
            ("test2", 176),
            ("train3", 434),
            ("test3", 175),
        ];
        assert_eq!(counts, official);
        assert!(file.sequences().all(|clip| clip.unwrap().frames <= 40));
    }
    if let Some(path) = shared("nw_ucla.pkl") {
        let file = PysklFile::open(&path).unwrap();
        assert_eq!(
            (
                file.len(),
                file.joints(),
                file.coordinates(),
                file.classes()
            ),
            (1484, 20, 3, 10)
        );
        assert!(
            file.sequences()
                .all(|clip| (1..=201).contains(&clip.unwrap().frames))
        );
    }
    if let Some(path) = shared("k400_index.pkl") {
        let message = PysklFile::open(&path).err().unwrap().to_string();
        assert!(
            message.contains("Kinetics-400") && message.contains("annotation 0"),
            "{message}"
        );
    }
    assert!(matches!(
        PysklFile::open(Path::new("missing.pkl")),
        Err(Error::Io { .. })
    ));
    assert!(matches!(
        PysklFile::open(Path::new(env!("CARGO_MANIFEST_DIR"))),
        Err(Error::Io { .. })
    ));
}
