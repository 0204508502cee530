//! Annotation pickles as Python writes them are read, in every protocol.

mod common;

use std::path::Path;

use common::{CLIPS, all, dumped, open, shared};
use half::f16;
use skeleton_data::raw::RawFile;
use skeleton_data::{Error, Sequence, Values};

fn expected() -> Vec<f32> {
    (0..48).map(|i| (i * 7 % 256) as f32 / 8.0).collect()
}

fn single(values: &Values) -> Vec<f32> {
    (0..values.view().len())
        .map(|i| values.view().get(i))
        .collect()
}

fn sequences(bytes: &[u8]) -> Vec<Sequence> {
    all(&open(bytes).unwrap())
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
fn what_a_pickle_asks_for_again_is_still_there() {
    for protocol in 0..=5 {
        // An array in two clips, and in a list before them; a shape, a type and bytes that come again.
        let body = format!(
            "{CLIPS}
a, b = k.astype('f2'), np.asfortranarray(k.astype('>f4'))
shared = clip(0, a, extra=[a, [b], (a.shape, a.dtype)], keypoint_score=a[..., 0].copy())
data = dict(split=dict(all=['clip0', 'clip1', 'clip2', 'clip3']), annotations=[
    shared, clip(1, b, keypoint_score=b[..., 0]), clip(2, a, keypoint_score=shared['keypoint_score']),
    clip(3, a.copy(), keypoint_score=b[..., 0].copy())])
"
        );
        let Some(bytes) = dumped(&body, protocol) else {
            return;
        };
        let clips = sequences(&bytes);
        assert_eq!(clips.len(), 4);
        let scores: Vec<f32> = expected().iter().step_by(2).copied().collect();
        for clip in &clips {
            let found = single(&clip.keypoints);
            assert_eq!(found, expected(), "protocol {protocol}, {}", clip.id);
            let found = single(clip.scores.as_ref().unwrap());
            assert_eq!(found, scores, "protocol {protocol}, {}", clip.id);
        }
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
    let clip = all(&file).remove(0);
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
                    let _ = file.each(|_| Ok::<(), Error>(()));
                }
            }
        }
    }
}

#[test]
fn the_real_files_are_read_and_the_index_is_refused() {
    if let Some(path) = shared("jhmdb14.pkl") {
        let file = RawFile::open(&path).unwrap();
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
        assert!(all(&file).iter().all(|clip| clip.frames <= 40));
    }
    if let Some(path) = shared("nw_ucla.pkl") {
        let file = RawFile::open(&path).unwrap();
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
            all(&file)
                .iter()
                .all(|clip| (1..=201).contains(&clip.frames))
        );
    }
    if let Some(path) = shared("k400_index.pkl") {
        let message = RawFile::open(&path).err().unwrap().to_string();
        assert!(
            message.contains("Kinetics-400") && message.contains("annotation 0"),
            "{message}"
        );
    }
    assert!(matches!(
        RawFile::open(Path::new("missing.pkl")),
        Err(Error::Io { .. })
    ));
    assert!(matches!(
        RawFile::open(Path::new(env!("CARGO_MANIFEST_DIR"))),
        Err(Error::Io { .. })
    ));
}
