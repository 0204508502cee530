//! Whatever numbers a file states, and however often it says a thing again, reading it takes memory for the bytes that it has: at
//! most [`FOR_A_BYTE`] for each, and [`FREE`] beside them. A number is put wherever a file can have one, and everything that is
//! cheap to write is written many times.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use skeleton_data::Error;
use skeleton_data::raw::RawFile;
use skeleton_data::raw::ntu::{Edition, Files, Preparation, Preset, Recording, choose};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Bytes of memory for a byte of a file.
const FOR_A_BYTE: usize = 64;
/// What any file may take: buffers, and the few values that any pickle may have.
const FREE: usize = 1 << 18;
/// What a recording may take beside: a clip of an hour.
const FREE_RECORDING: usize = 1 << 24;
/// Clips, ids, splits and so on where there are many.
const MANY: [usize; 3] = [100, 3_000, 60_000];
/// Numbers that mean harm.
const NUMBERS: [i64; 15] = [
    -1,
    0,
    1,
    255,
    1 << 16,
    1 << 20,
    1 << 24,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 53,
    i64::MAX / 8,
    i64::MAX,
    i64::MIN,
];

/// Counts what the process holds, and the most it held: readers have threads of their own.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);
/// One test at a time, so that each counts its own.
static TURN: Mutex<()> = Mutex::new(());

fn count(bytes: isize) {
    let held = HELD.fetch_add(bytes, Relaxed) + bytes;
    MOST.fetch_max(held, Relaxed);
}

// SAFETY: everything is passed on to the system's allocator; counting touches plain numbers only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Block) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller promises of `layout` what the system's allocator asks for, a size that is not 0.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Block) {
        count(-(layout.size() as isize));
        // SAFETY: the caller promises that `pointer` came from `alloc` with this `layout`, and so from the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a reader says of bytes, after it read all of them.
type Reader = fn(&[u8]) -> Result<(), String>;

/// Files of one form that were read, and the worst of them.
struct Checked {
    form: &'static str,
    read: Reader,
    free: usize,
    files: usize,
    taken: usize,
    worst: (f64, String),
    _turn: MutexGuard<'static, ()>,
}

impl Checked {
    fn new(form: &'static str, read: Reader) -> Checked {
        Checked {
            form,
            read,
            free: FREE,
            files: 0,
            taken: 0,
            worst: (0.0, String::new()),
            _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Reads a file and holds the reader to its memory.
    fn file(&mut self, what: &str, bytes: &[u8]) {
        let before = HELD.load(Relaxed);
        MOST.store(before, Relaxed);
        let said = (self.read)(bytes);
        let held = (MOST.load(Relaxed) - before).max(0) as usize;
        let allowed = self.free + FOR_A_BYTE * bytes.len();
        assert!(
            held <= allowed,
            "{}, {what}: {held} bytes for a file of {}; it says {said:?}",
            self.form,
            bytes.len()
        );
        assert_ne!(said, Err(String::new()), "a refusal without words");
        self.files += 1;
        self.taken += usize::from(said.is_ok());
        let share = held as f64 / allowed as f64;
        if share > self.worst.0 {
            self.worst = (share, what.to_owned());
        }
    }

    /// How close it came; most files are refused, and some must be taken or nothing was tried.
    fn end(self) {
        let (form, files, taken, (share, what)) = (self.form, self.files, self.taken, self.worst);
        eprintln!(
            "{form}: {files} files, {taken} taken, at most {share:.2} of the memory allowed ({what})"
        );
        assert!(
            taken > 0 && taken < files,
            "{form}: {taken} of {files} taken"
        );
    }
}

fn clips(name: &str, bytes: &[u8]) -> Result<(), String> {
    let said = |e: Error| e.to_string();
    let file = RawFile::from_bytes(Path::new(name), bytes.to_vec()).map_err(said)?;
    file.layout().map_err(said)?;
    file.each(|_| Ok::<(), Error>(())).map_err(said)
}

/// The whole files of the fuzz targets, with a number in each place where some bytes could be one: as it is, or as digits.
fn seeds(checked: &mut Checked, target: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        checked.file(&path.display().to_string(), &bytes);
        let is_text = matches!(target, "jsonl" | "ntu");
        for at in 0..bytes.len() {
            let what = |number| format!("{} with {number} at byte {at}", path.display());
            if !is_text {
                for width in [1, 4, 8] {
                    for fill in [0x7f, 0xff] {
                        let mut bytes = bytes.clone();
                        let end = (at + width).min(bytes.len());
                        bytes[at..end].fill(0xff);
                        bytes[end - 1] = fill;
                        checked.file(&what(format!("{width} bytes up to {fill}")), &bytes);
                    }
                }
            }
            // A number in digits is replaced where it begins.
            let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
            if digit(at) && (at == 0 || !digit(at - 1)) {
                let end = (at..bytes.len())
                    .find(|&at| !digit(at))
                    .unwrap_or(bytes.len());
                for number in NUMBERS {
                    let digits = number.to_string();
                    let bytes = [&bytes[..at], digits.as_bytes(), &bytes[end..]].concat();
                    checked.file(&what(digits), &bytes);
                }
            }
        }
    }
}

// Pickles, from a few opcodes.

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn int(number: i64) -> Vec<u8> {
    joined(&[b"\x8a\x08", &number.to_le_bytes()])
}

fn text(text: &str) -> Vec<u8> {
    joined(&[b"X", &(text.len() as u32).to_le_bytes(), text.as_bytes()])
}

fn raw(bytes: &[u8]) -> Vec<u8> {
    joined(&[b"B", &(bytes.len() as u32).to_le_bytes(), bytes])
}

fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    joined(&[b"(", &items.concat(), b"t"])
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    joined(&[b"](", &items.concat(), b"e"])
}

fn dict(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let pairs: Vec<u8> = pairs
        .iter()
        .flat_map(|(key, value)| joined(&[key, value]))
        .collect();
    joined(&[b"}(", &pairs, b"u"])
}

/// Remembers a value, which [`again`] asks for.
fn remembered(value: Vec<u8>, key: u8) -> Vec<u8> {
    joined(&[&value, b"q", &[key]])
}

fn again(key: u8) -> Vec<u8> {
    vec![b'h', key]
}

fn dtype(name: &str) -> Vec<u8> {
    joined(&[b"cnumpy\ndtype\n", &tuple(&[text(name)]), b"R"])
}

fn array(shape: &[i64], dtype: Vec<u8>, data: Vec<u8>) -> Vec<u8> {
    let shape = tuple(&shape.iter().map(|&axis| int(axis)).collect::<Vec<_>>());
    joined(&[
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00tR(K\x01",
        &shape,
        &dtype,
        b"\x89",
        &data,
        b"tb",
    ])
}

fn small() -> Vec<u8> {
    array(&[1, 1, 1, 2], dtype("f2"), raw(&[0; 4]))
}

/// A file of these annotations and splits.
fn pickled(annotations: Vec<u8>, split: Vec<u8>) -> Vec<u8> {
    let file = dict(&[(text("annotations"), annotations), (text("split"), split)]);
    joined(&[b"\x80\x03", &file, b"."])
}

fn one(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut all = vec![(text("frame_dir"), text("a")), (text("keypoint"), small())];
    all.extend(fields.iter().map(|(key, value)| (text(key), value.clone())));
    pickled(list(&[dict(&all)]), dict(&[]))
}

#[test]
fn pickles_take_memory_for_what_they_hold() {
    let mut checked = Checked::new("pickle", |bytes| clips("clips.pkl", bytes));
    seeds(&mut checked, "pickle");
    for number in NUMBERS {
        let mut stated =
            |what: &str, bytes: Vec<u8>| checked.file(&format!("{number} as {what}"), &bytes);
        let (at, size) = (int(number), number.to_le_bytes());
        for field in [
            "label",
            "total_frames",
            "img_shape",
            "frame_dir",
            "filename",
            "keypoint",
        ] {
            stated(field, one(&[(field, at.clone())]));
            stated(
                &format!("a list in {field}"),
                one(&[(field, list(&[at.clone(), at.clone()]))]),
            );
        }
        for others in [1, 0] {
            for axis in 0..4 {
                let mut shape = [others; 4];
                (shape[2], shape[3]) = (others.max(1), 2);
                shape[axis] = number;
                let keypoint = array(&shape, dtype("f2"), raw(&[0; 8]));
                stated(
                    &format!("an axis in {shape:?}"),
                    one(&[("keypoint", keypoint)]),
                );
                let nobody = array(&shape, dtype("f2"), raw(&[]));
                stated(
                    &format!("an axis in {shape:?}, empty"),
                    one(&[("keypoint", nobody)]),
                );
            }
        }
        let everywhere = array(&[number; 4], dtype("f2"), raw(&[0; 8]));
        stated("all axes", one(&[("keypoint", everywhere)]));
        stated(
            "lists of it",
            one(&[(
                "keypoint",
                list(&[list(&[list(&[list(&[at.clone(), at.clone()])])])]),
            )]),
        );
        for kind in ["U", "S", "f", "i", "O"] {
            let ids = array(
                &[1],
                dtype(&format!("{kind}{number}")),
                raw(&[b'a', 0, 0, 0]),
            );
            stated(kind, pickled(list(&[]), dict(&[(text("train"), ids)])));
            let ids = array(&[number], dtype(&format!("{kind}4")), raw(&[b'a'; 16]));
            stated(
                &format!("the length of {kind}4"),
                pickled(list(&[]), dict(&[(text("train"), ids)])),
            );
        }
        stated(
            "a split's id",
            pickled(
                list(&[]),
                dict(&[(text("train"), list(std::slice::from_ref(&at)))]),
            ),
        );
        for opcode in [0x8d, 0x8e, 0x96, 0x95] {
            stated(
                &format!("the length of opcode {opcode:x}"),
                joined(&[&[opcode], &size, b"abc."]),
            );
        }
        for opcode in [b'X', b'B', b'T', b'r', b'j', 0x8b] {
            stated(
                &format!("the operand of opcode {opcode:x}"),
                joined(&[b"]", &[opcode], &size[..4], b"abc."]),
            );
        }
        for opcode in ["I", "L", "F", "g", "p"] {
            stated(opcode, format!("]{opcode}{number}\nabc.").into_bytes());
        }
    }
    for many in MANY {
        let mut said =
            |what: &str, bytes: Vec<u8>| checked.file(&format!("{many} times {what}"), &bytes);
        let times =
            |value: &dyn Fn(usize) -> Vec<u8>| list(&(0..many).map(value).collect::<Vec<_>>());
        let no_splits = || dict(&[]);
        let annotation = |id: Vec<u8>, keypoint: Vec<u8>| {
            dict(&[(text("frame_dir"), id), (text("keypoint"), keypoint)])
        };
        // One annotation, under one id of its own or a long one.
        for id in [text("a"), text(&"x".repeat(1000))] {
            let first = remembered(annotation(id, small()), 1);
            let list = times(&|index| if index == 0 { first.clone() } else { again(1) });
            said("an annotation", pickled(list, no_splits()));
        }
        // Annotations that share all but their ids.
        let shared = |index: usize| {
            let keypoint = match index {
                0 => remembered(array(&[0, 0, 1, 2], dtype("f2"), raw(&[])), 1),
                _ => again(1),
            };
            let key = |name: &str, key: u8| match index {
                0 => remembered(text(name), key),
                _ => again(key),
            };
            let id = joined(&[b"M", &(index as u16).to_le_bytes()]);
            joined(&[
                b"}(",
                &key("frame_dir", 2),
                &id,
                &key("keypoint", 3),
                &keypoint,
                b"u",
            ])
        };
        said(
            "an annotation of its own id",
            pickled(times(&shared), no_splits()),
        );
        let first = remembered(small(), 1);
        said(
            "one array",
            pickled(
                times(&|index| match index {
                    0 => annotation(text("a0"), first.clone()),
                    _ => annotation(text(&format!("a{index}")), again(1)),
                }),
                no_splits(),
            ),
        );
        // Splits of one list, in each form, and of one id.
        let ids = times(&|index| text(&format!("{index}")));
        let wide: Vec<u8> = (0..many)
            .flat_map(|index| (index as u32 + 0x100).to_le_bytes())
            .collect();
        let wide = array(&[many as i64], dtype("U1"), raw(&wide));
        let bytes: Vec<u8> = (0..many)
            .flat_map(|index| (index as u16).to_le_bytes())
            .collect();
        let short = array(&[many as i64], dtype("i2"), raw(&bytes));
        for (form, ids) in [("a list", &ids), ("text", &wide), ("integers", &short)] {
            said(
                &format!("an id in {form}"),
                pickled(list(&[]), dict(&[(text("train"), ids.clone())])),
            );
            let splits: Vec<_> = (0..many)
                .map(|index| match index {
                    0 => (text("s0"), remembered(ids.clone(), 1)),
                    _ => (text(&format!("s{index}")), again(1)),
                })
                .collect();
            said(
                &format!("a split of {form}"),
                pickled(list(&[]), dict(&splits)),
            );
        }
        let splits: Vec<_> = (0..many)
            .map(|index| (text(&format!("{index}")), b"]".to_vec()))
            .collect();
        said("an empty split", pickled(list(&[]), dict(&splits)));
        let long = remembered(text(&"y".repeat(1000)), 1);
        let ids = times(&|index| if index == 0 { long.clone() } else { again(1) });
        said(
            "a long id",
            pickled(list(&[]), dict(&[(text("train"), ids)])),
        );
        // Sets of one list, lists in each other, nested numbers, what is remembered and asked for.
        let set = joined(&[b"cbuiltins\nset\nq\x02", &ids_of(many), b"q\x01\x85R"]);
        let sets = times(&|index| {
            if index == 0 {
                set.clone()
            } else {
                b"h\x02h\x01\x85R".to_vec()
            }
        });
        said("a set", joined(&[b"\x80\x03", &sets, b"."]));
        said(
            "a list within",
            joined(&[&b"]".repeat(many), &b"a".repeat(many - 1), b"."]),
        );
        said("a mark", joined(&[&b"(".repeat(many), b"."]));
        let pairs = remembered(list(&[int(1), int(2)]), 1);
        let joints = times(&|index| if index == 0 { pairs.clone() } else { again(1) });
        let frames = list(&[remembered(joints.clone(), 2), again(2), again(2)]);
        said(
            "a joint in lists",
            one(&[("keypoint", list(std::slice::from_ref(&frames)))]),
        );
        let people = times(&|index| {
            if index == 0 {
                remembered(frames.clone(), 3)
            } else {
                again(3)
            }
        });
        said("a person in lists", one(&[("keypoint", people)]));
        let numbers = times(&|_| b"(K\x01K\x02t".to_vec());
        said(
            "a pair of numbers",
            one(&[("keypoint", list(&[list(&[numbers])]))]),
        );
        let puts: Vec<u8> = (0..many as u32)
            .flat_map(|key| joined(&[b"]r", &key.to_le_bytes(), b"j", &key.to_le_bytes()]))
            .collect();
        said("the memo", joined(&[b"\x80\x02(", &puts, b"l."]));
        let scalar = joined(&[
            b"cnumpy.core.multiarray\nscalar\n",
            &tuple(&[dtype("U1"), raw(b"a\0\0\0")]),
            b"R",
        ]);
        said(
            "a numpy scalar",
            pickled(times(&|_| scalar.clone()), no_splits()),
        );
        said("an array", pickled(times(&|_| small()), no_splits()));
        said("a dict", joined(&[b"(", &b"}".repeat(many), b"l."]));
        said(
            "a float in text",
            joined(&[b"(", &b"F1\n".repeat(many), b"l."]),
        );
    }
    checked.end();
}

fn ids_of(many: usize) -> Vec<u8> {
    list(
        &(0..many)
            .map(|index| text(&index.to_string()))
            .collect::<Vec<_>>(),
    )
}

#[test]
fn json_lines_take_memory_for_what_they_hold() {
    let mut checked = Checked::new("jsonl", |bytes| clips("clips.jsonl", bytes));
    seeds(&mut checked, "jsonl");
    let header = |more: &str| {
        format!("{{\"format\":\"skeleton-clips\",\"version\":1,\"layout\":\"hand21\"{more}}}\n")
    };
    for number in NUMBERS {
        for field in [
            "label", "frames", "height", "width", "subject", "camera", "setup",
        ] {
            let line =
                format!("{{\"id\":\"a\",\"{field}\":{number},\"height\":1,\"keypoints\":[]}}\n");
            checked.file(
                &format!("{number} as {field}"),
                (header("") + &line).as_bytes(),
            );
        }
    }
    for many in MANY {
        let mut said = |what: &str, text: String| {
            checked.file(&format!("{many} times {what}"), text.as_bytes())
        };
        let times =
            |value: &dyn Fn(usize) -> String| (0..many).map(value).collect::<Vec<_>>().join(",");
        let clip = |keypoints: String| {
            header("") + &format!("{{\"id\":\"a\",\"keypoints\":{keypoints}}}\n")
        };
        let joints = |joint: &str| vec![joint; 21].join(",");
        said(
            "a class",
            header(&format!(
                ",\"classes\":[{}]",
                times(&|index| format!("\"{index}\""))
            )),
        );
        let lines = (0..many).map(|index| format!("{{\"id\":\"{index}\",\"keypoints\":[]}}\n"));
        said("a clip", header("") + &lines.collect::<String>());
        let lines = (0..many).map(|index| format!("{{\"split\":\"{index}\",\"ids\":[]}}\n"));
        said("a split", header("") + &lines.collect::<String>());
        said(
            "an id",
            header("")
                + &format!(
                    "{{\"split\":\"s\",\"ids\":[{}]}}\n",
                    times(&|index| format!("\"{index}\""))
                ),
        );
        said("a bracket", clip("[".repeat(many)));
        said("a list within", clip("[".repeat(many) + &"]".repeat(many)));
        said("nobody", clip(format!("[{}]", times(&|_| "[]".into()))));
        said(
            "an empty frame",
            clip(format!("[[{}]]", times(&|_| "[]".into()))),
        );
        said(
            "an absent joint",
            clip(format!("[[[[1,2,3],{}]]]", times(&|_| "null".into()))),
        );
        said(
            "a frame of absent joints",
            clip(format!(
                "[[[[1,2,3],{}],{}]]",
                joints("null")[5..].to_owned(),
                times(&|_| format!("[{}]", joints("null")))
            )),
        );
        said(
            "a frame",
            clip(format!(
                "[[{}]]",
                times(&|_| format!("[{}]", joints("[1,2]")))
            )),
        );
        said("a line end", header("") + &"\n".repeat(many));
    }
    checked.end();
}

/// An `.npy` of a shape.
fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    joined(&[
        b"\x93NUMPY\x01\x00",
        &(head.len() as u16).to_le_bytes(),
        head.as_bytes(),
        data,
    ])
}

fn zipped(entries: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(name.as_str(), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn archives_of_arrays_take_memory_for_what_they_hold() {
    let mut checked = Checked::new("npz", |bytes| clips("clips.npz", bytes));
    seeds(&mut checked, "npz");
    let archive = |x: Vec<u8>, y: Vec<u8>| {
        let entries = [("x_train.npy".to_owned(), x), ("y_train.npy".to_owned(), y)];
        zipped(&entries, CompressionMethod::Stored)
    };
    let (x, y) = (
        npy("<f4", "(1, 1, 150)", &[1; 600]),
        npy("|u1", "(1, 1)", &[1]),
    );
    checked.file("a whole one", &archive(x.clone(), y.clone()));
    for number in NUMBERS {
        for (what, shape) in [
            ("clips", format!("({number}, 1, 150)")),
            ("frames", format!("(1, {number}, 150)")),
            ("numbers", format!("(1, 1, {number})")),
            ("all axes", format!("({number}, {number}, {number})")),
            ("frames of nobody", format!("(0, {number}, 150)")),
        ] {
            checked.file(
                &format!("{number} as {what}"),
                &archive(npy("<f4", &shape, &[1; 600]), y.clone()),
            );
        }
        for shape in [
            format!("({number}, 1)"),
            format!("(1, {number})"),
            format!("({number}, {number})"),
            format!("({number}, 0)"),
        ] {
            checked.file(
                &format!("labels of shape {shape}"),
                &archive(x.clone(), npy("|u1", &shape, &[1])),
            );
        }
        checked.file(
            &format!("a type of {number} bytes"),
            &archive(
                npy(&format!("<f{number}"), "(1, 1, 150)", &[1; 600]),
                y.clone(),
            ),
        );
    }
    // Labels of clips that aren't there.
    let entries = [
        ("x_train.npy".to_owned(), x.clone()),
        (
            "y_train.npy".to_owned(),
            npy("|u1", "(5000000, 1)", &vec![1; 5_000_000]),
        ),
    ];
    checked.file(
        "5,000,000 labels, deflated",
        &zipped(&entries, CompressionMethod::Deflated),
    );
    // Clips of one byte's numbers, the smallest there are; an entry of each name that is possible.
    for many in [100, 3_000] {
        let (x, y) = (
            npy("|i1", &format!("({many}, 1, 150)"), &vec![1; many * 150]),
            npy("|u1", &format!("({many}, 1)"), &vec![1; many]),
        );
        checked.file(&format!("{many} clips"), &archive(x, y));
        let entries: Vec<_> = (0..many)
            .map(|index| (format!("{index}"), vec![]))
            .collect();
        checked.file(
            &format!("{many} entries"),
            &zipped(&entries, CompressionMethod::Stored),
        );
    }
    checked.end();
}

#[test]
fn arrays_of_clips_take_memory_for_what_they_hold() {
    let mut checked = Checked::new("npy", |bytes| clips("clips.npy", bytes));
    for number in NUMBERS {
        for (what, shape) in [
            ("clips", format!("({number}, 2, 1, 1, 1)")),
            ("coordinates", format!("(1, {number}, 1, 1, 1)")),
            ("frames", format!("(1, 2, {number}, 1, 1)")),
            ("clips of no frame", format!("({number}, 2, 0, 1, 1)")),
            ("people", format!("(1, 2, 1, 1, {number})")),
            (
                "frames and people",
                format!("(1, 2, {number}, 1, {number})"),
            ),
        ] {
            let array = npy("|i1", &shape, &[1; 2]);
            checked.file(&format!("{number} as {what}"), &array);
        }
    }
    for many in MANY {
        for shape in [
            format!("({many}, 2, 1, 1, 1)"),
            format!("(1, 2, {many}, 1, 1)"),
            format!("(1, 2, 1, {many}, 1)"),
            format!("(1, 2, 1, 1, {many})"),
        ] {
            let array = npy("|i1", &shape, &vec![1; 2 * many]);
            checked.file(&format!("shape {shape}"), &array);
        }
    }
    checked.end();
}

/// A `.skeleton` of so many frames, in one of which somebody is, and of others of nobody.
fn skeleton(before: usize, bodies: usize, after: usize) -> String {
    let joint = "0.1 0.2 3 1 1 1 1 0 0 0 1 2\n";
    let body = |id: usize| format!("{id} 0 1 1 1 1 0 0 0 2\n25\n{}", joint.repeat(25));
    let bodies: String = (0..bodies).map(|id| format!("1\n{}", body(id))).collect();
    let seen = bodies.matches("\n25\n").count();
    let frames = before + after + seen;
    format!(
        "{frames}\n{}{bodies}{}",
        "0\n".repeat(before),
        "0\n".repeat(after)
    )
}

fn recording(bytes: &[u8]) -> Result<(), String> {
    let read = Recording::parse(Path::new("S001C001P001R001A001.skeleton"), bytes);
    let read = read.map_err(|e| e.to_string())?;
    for preset in [Preset::Pyskl, Preset::Sensor] {
        // Skipped for a reason, or people.
        let _ = choose(&read, &preset.into());
    }
    Ok(())
}

#[test]
fn recordings_take_memory_for_what_they_hold() {
    let mut checked = Checked::new("skeleton", recording);
    seeds(&mut checked, "ntu");
    checked.free = FREE_RECORDING;
    for many in MANY {
        let mut said = |what: &str, text: String| {
            checked.file(&format!("{many} times {what}"), text.as_bytes())
        };
        said("nobody", skeleton(many, 0, 0));
        said("nobody around a body", skeleton(many, 1, many));
        let first = skeleton(0, 1, 0);
        let first = first.split_once('\n').unwrap().1;
        for others in [2, 6] {
            let last = skeleton(0, others, 0);
            let last = last.split_once('\n').unwrap().1;
            said(
                "nobody between bodies",
                format!(
                    "{}\n{first}{}{last}{first}",
                    many + others + 2,
                    "0\n".repeat(many)
                ),
            );
        }
        said("a blank", format!("1{}\n0\n", " ".repeat(many)));
    }
    for many in [100, 3_000] {
        checked.file(&format!("{many} bodies"), skeleton(0, many, 0).as_bytes());
    }
    checked.end();
}

fn archive_of_recordings(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let path = folder.path().join("a.zip");
    std::fs::write(&path, bytes).map_err(|e| e.to_string())?;
    let preparation = Preparation {
        edition: Edition::Ntu120,
        rules: Preset::Sensor.into(),
        skip_unreadable: false,
        threads: 1,
    };
    let (files, _) = Files::open_named(&[&path]).map_err(|e| e.to_string())?;
    for clip in &mut files.clips(&preparation).map_err(|e| e.to_string())? {
        clip.map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[test]
fn archives_of_recordings_take_memory_for_what_they_hold() {
    let mut checked = Checked::new("zip", archive_of_recordings);
    checked.free = FREE_RECORDING;
    let name = |index: usize| format!("S001C001P001R001A{:03}.skeleton", index % 120 + 1);
    let text = skeleton(1, 1, 1).into_bytes();
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let whole = zipped(&[(name(0), text.clone())], method);
        checked.file("a whole one", &whole);
        // The numbers of a zip stand at both ends, and in the head of the entry.
        let head = 0..64.min(whole.len());
        for at in head.chain(whole.len().saturating_sub(160)..whole.len()) {
            for width in [2, 4] {
                for last in [0x03, 0x7f, 0xff] {
                    let mut bytes = whole.clone();
                    let end = (at + width).min(bytes.len());
                    bytes[at..end].fill(0xff);
                    bytes[end - 1] = last;
                    checked.file(&format!("{method:?}, {width} bytes at {at}"), &bytes);
                }
            }
        }
    }
    // Much that is packed into little.
    for many in MANY {
        let text = skeleton(many * 20, 1, many * 20).into_bytes();
        checked.file(
            &format!("{many} frames, packed"),
            &zipped(&[(name(0), text)], CompressionMethod::Deflated),
        );
        let entries: Vec<_> = (0..many.min(3_000))
            .map(|index| (format!("{index}.skeleton"), vec![]))
            .collect();
        checked.file(
            &format!("{many} entries"),
            &zipped(&entries, CompressionMethod::Stored),
        );
    }
    checked.end();
}

#[cfg(feature = "hdf5")]
mod cache {
    use super::*;
    use skeleton_data::cache::{Cache, CacheHeader, CacheWriter};
    use skeleton_data::skeleton_graph::Layout;
    use skeleton_data::{ClipSource, Sequence, Units, Values};

    fn cache(bytes: &[u8]) -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let path = folder.path().join("a.h5");
        std::fs::write(&path, bytes).map_err(|e| e.to_string())?;
        let said = |e: Error| e.to_string();
        let cache = Cache::open(&path).map_err(said)?;
        cache.verify().map_err(said)?;
        for index in 0..cache.len() {
            cache.sequence(index).map_err(said)?;
        }
        Ok(())
    }

    /// A cache of these clips, where one can be written.
    fn written(
        clips: &[Sequence],
        splits: &[(String, Vec<String>)],
        compress: bool,
    ) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        let header = CacheHeader {
            dataset: "a".into(),
            layout: Layout::built_in("hand21").unwrap(),
            units: Units::Metre,
            source: serde_json::json!({}),
            classes: vec!["a".into()],
            created_by: "tests".into(),
        };
        let mut writer = CacheWriter::create(&path, header).unwrap();
        if compress {
            writer.compress();
        }
        clips.iter().try_for_each(|clip| writer.push(clip)).ok()?;
        writer.finish(splits).ok()?;
        Some(std::fs::read(&path).unwrap())
    }

    fn clip(id: String, persons: usize, frames: usize) -> Sequence {
        Sequence {
            label: Some(0),
            ..Sequence::new(
                id,
                [persons, frames, 21, 3],
                Values::F16(vec![half::f16::ONE; persons * frames * 63]),
            )
        }
    }

    #[test]
    fn caches_take_memory_for_what_they_hold() {
        let mut checked = Checked::new("cache", cache);
        let clips = [clip("a".into(), 1, 2), clip("b".into(), 2, 1)];
        for compress in [false, true] {
            let splits = [("train".to_owned(), vec!["a".to_owned(), "b".to_owned()])];
            let whole = written(&clips, &splits, compress).unwrap();
            checked.file("a whole one", &whole);
            for at in (0..whole.len()).step_by(8) {
                for width in [4, 8] {
                    let mut bytes = whole.clone();
                    let end = (at + width).min(bytes.len());
                    bytes[at..end].fill(0xff);
                    bytes[end - 1] = 0x7f;
                    checked.file(&format!("{width} bytes at {at}"), &bytes);
                }
            }
        }
        // A writer signs what it is given: nobody over many frames, many people over none.
        for number in NUMBERS
            .into_iter()
            .filter_map(|number| usize::try_from(number).ok())
        {
            for (persons, frames) in [(0, number), (number, 0)] {
                if let Some(bytes) = written(&[clip("a".into(), persons, frames)], &[], false) {
                    checked.file(&format!("{persons} people over {frames} frames"), &bytes);
                }
            }
        }
        for many in [100, 3_000] {
            let clips: Vec<Sequence> = (0..many)
                .map(|index| clip(index.to_string(), 0, 0))
                .collect();
            let ids: Vec<String> = clips.iter().map(|clip| clip.id.clone()).collect();
            let splits: Vec<_> = (0..8)
                .map(|split| (split.to_string(), ids.clone()))
                .collect();
            checked.file(
                &format!("{many} clips"),
                &written(&clips, &splits, false).unwrap(),
            );
            let splits: Vec<_> = (0..many).map(|split| (split.to_string(), vec![])).collect();
            checked.file(
                &format!("{many} splits"),
                &written(&[], &splits, false).unwrap_or_default(),
            );
        }
        // Many names of one object that takes no room.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        std::fs::write(&path, written(&clips, &[], false).unwrap()).unwrap();
        let file = hdf5::File::open_rw(&path).unwrap();
        let group = file.group("splits").unwrap();
        let split = group.new_dataset::<u32>().chunk(1_000).shape(20_000);
        split.create("0").unwrap();
        for name in 1..1_000 {
            group.link_hard("0", &name.to_string()).unwrap();
        }
        file.close().unwrap();
        checked.file("1000 names of a split", &std::fs::read(&path).unwrap());
        checked.end();
    }
}
