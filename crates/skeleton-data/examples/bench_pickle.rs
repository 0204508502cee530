//! The section `pickle` of `cargo xtask bench data`: `bench_pickle make FOLDER` writes 500 MB of annotations of NTU RGB+D's kind
//! as Python 3 pickles them in protocol 2, `bench_pickle run FOLDER` makes a cache of them on one thread and prints a JSON
//! line. Its `seconds` are those of reading the pickle, decoding, checking and writing every clip and putting the cache
//! together; hashing the source and waiting for the disk (fsync) are timed apart. `anonymous_mb` is the most anonymous memory
//! (RssAnon) that a second thread saw.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use half::f16;
use skeleton_data::cache::{CacheHeader, CacheWriter};
use skeleton_data::raw::{RawFile, describe};
use skeleton_data::{Units, skeleton_graph::Layout};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const BYTES: u64 = 500_000_000;
const JOINTS: usize = 17;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments[1..] {
        [what, folder] if what == "make" => make(Path::new(folder)),
        [what, folder] if what == "run" => run(Path::new(folder)),
        _ => Err("usage: bench_pickle make|run FOLDER".into()),
    }
}

/// The opcodes that Python's pickler writes, the memo among them.
struct Pickle {
    out: BufWriter<std::fs::File>,
    bytes: u64,
    memo: u32,
}

impl Pickle {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Remembers the top of the stack, as the pickler does with everything that could come again.
    fn remember(&mut self) -> std::io::Result<u32> {
        let key = self.memo;
        self.memo += 1;
        match u8::try_from(key) {
            Ok(key) => self.put(&[b'q', key])?,
            Err(_) => self.put(&[&b"r"[..], &key.to_le_bytes()].concat())?,
        }
        Ok(key)
    }

    fn recall(&mut self, key: u32) -> std::io::Result<()> {
        match u8::try_from(key) {
            Ok(key) => self.put(&[b'h', key]),
            Err(_) => self.put(&[&b"j"[..], &key.to_le_bytes()].concat()),
        }
    }

    fn text(&mut self, text: &str) -> std::io::Result<u32> {
        self.put(b"X")?;
        self.put(&(text.len() as u32).to_le_bytes())?;
        self.put(text.as_bytes())?;
        self.remember()
    }

    fn global(&mut self, names: &str) -> std::io::Result<u32> {
        self.put(format!("c{names}\n").as_bytes())?;
        self.remember()
    }

    fn number(&mut self, number: usize) -> std::io::Result<()> {
        match (u8::try_from(number), u16::try_from(number)) {
            (Ok(byte), _) => self.put(&[b'K', byte]),
            (_, Ok(word)) => self.put(&[&b"M"[..], &word.to_le_bytes()].concat()),
            _ => self.put(&[&b"J"[..], &(number as i32).to_le_bytes()].concat()),
        }
    }
}

/// What every array refers to.
struct Shared {
    reconstruct: u32,
    ndarray: u32,
    zero: u32,
    b: u32,
    dtype: u32,
    encode: u32,
    latin1: u32,
    keys: Vec<u32>,
}

const KEYS: [&str; 6] = [
    "frame_dir",
    "label",
    "img_shape",
    "total_frames",
    "keypoint",
    "keypoint_score",
];

fn make(folder: &Path) -> Outcome {
    let mut pickle = Pickle {
        out: BufWriter::with_capacity(1 << 20, std::fs::File::create(folder.join("ntu.pkl"))?),
        bytes: 0,
        memo: 0,
    };
    pickle.put(b"\x80\x02}")?;
    pickle.remember()?;
    pickle.put(b"(")?;
    pickle.text("annotations")?;
    pickle.put(b"]")?;
    pickle.remember()?;
    pickle.put(b"(")?;
    // A first element that is thrown away leaves what all arrays share in the memo.
    let shared = share(&mut pickle)?;
    let (mut dice, mut ids) = (1u64, Vec::new());
    while pickle.bytes < BYTES {
        let mut next = |below: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((dice >> 33) * below) >> 31
        };
        let (frames, persons) = (30 + next(110) as usize, 1 + usize::from(next(5) == 0));
        let id = format!(
            "S001C001P{:03}R001A{:03}_{}",
            ids.len() % 40,
            ids.len() % 60 + 1,
            ids.len()
        );
        pickle.put(b"}")?;
        pickle.remember()?;
        pickle.put(b"(")?;
        pickle.recall(shared.keys[0])?;
        ids.push(pickle.text(&id)?);
        pickle.recall(shared.keys[1])?;
        pickle.number(ids.len() % 60)?;
        pickle.recall(shared.keys[2])?;
        pickle.number(1080)?;
        pickle.number(1920)?;
        pickle.put(b"\x86")?;
        pickle.remember()?;
        pickle.recall(shared.keys[3])?;
        pickle.number(frames)?;
        for (key, shape, scale) in [
            (4, vec![persons, frames, JOINTS, 2], 1900.0 / 65536.0),
            (5, vec![persons, frames, JOINTS], 1.0 / 65536.0),
        ] {
            pickle.recall(shared.keys[key])?;
            let numbers = shape.iter().product::<usize>();
            let bytes =
                (0..numbers).flat_map(|_| f16::from_f32(next(65536) as f32 * scale).to_le_bytes());
            let text: String = bytes.map(char::from).collect();
            array(&mut pickle, &shared, &shape, &text)?;
        }
        pickle.put(b"u")?;
    }
    pickle.put(b"e")?;
    pickle.text("split")?;
    pickle.put(b"}")?;
    pickle.text("xsub_train")?;
    pickle.put(b"](")?;
    for id in ids {
        pickle.recall(id)?;
    }
    pickle.put(b"esu.")?;
    Ok(pickle.out.flush()?)
}

fn share(pickle: &mut Pickle) -> std::io::Result<Shared> {
    pickle.put(b"(")?;
    let reconstruct = pickle.global("numpy.core.multiarray\n_reconstruct")?;
    let ndarray = pickle.global("numpy\nndarray")?;
    pickle.put(b"K\x00\x85")?;
    let zero = pickle.remember()?;
    let encode = pickle.global("_codecs\nencode")?;
    pickle.text("b")?;
    let latin1 = pickle.text("latin1")?;
    pickle.put(b"\x86")?;
    pickle.remember()?;
    pickle.put(b"R")?;
    let b = pickle.remember()?;
    pickle.global("numpy\ndtype")?;
    pickle.text("f2")?;
    pickle.put(b"\x89\x88\x87")?;
    pickle.remember()?;
    pickle.put(b"R")?;
    let dtype = pickle.remember()?;
    pickle.put(b"(K\x03")?;
    pickle.text("<")?;
    pickle.put(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t")?;
    pickle.remember()?;
    pickle.put(b"b")?;
    let keys: Result<Vec<u32>, _> = KEYS.into_iter().map(|key| pickle.text(key)).collect();
    pickle.put(b"1")?;
    Ok(Shared {
        reconstruct,
        ndarray,
        zero,
        b,
        dtype,
        encode,
        latin1,
        keys: keys?,
    })
}

fn array(pickle: &mut Pickle, shared: &Shared, shape: &[usize], text: &str) -> std::io::Result<()> {
    pickle.recall(shared.reconstruct)?;
    pickle.recall(shared.ndarray)?;
    pickle.recall(shared.zero)?;
    pickle.recall(shared.b)?;
    pickle.put(b"\x87")?;
    pickle.remember()?;
    pickle.put(b"R")?;
    pickle.remember()?;
    pickle.put(b"(K\x01(")?;
    for &axis in shape {
        pickle.number(axis)?;
    }
    pickle.put(b"t")?;
    pickle.remember()?;
    pickle.recall(shared.dtype)?;
    pickle.put(b"\x89")?;
    pickle.recall(shared.encode)?;
    pickle.text(text)?;
    pickle.recall(shared.latin1)?;
    pickle.put(b"\x86")?;
    pickle.remember()?;
    pickle.put(b"R")?;
    pickle.remember()?;
    pickle.put(b"t")?;
    pickle.remember()?;
    pickle.put(b"b")
}

fn run(folder: &Path) -> Outcome {
    let (pickle, cache) = (folder.join("ntu.pkl"), folder.join("ntu.h5"));
    let (most, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let line = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(anonymous().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let line = convert(&pickle, &cache);
        done.store(true, Ordering::Relaxed);
        line
    })?;
    let anonymous = most.into_inner() as f64 / 1e6;
    println!("{{{line}, \"anonymous_mb\": {anonymous:.1}}}");
    Ok(())
}

fn convert(pickle: &Path, cache: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let start = Instant::now();
    let source = describe(&[pickle], serde_json::json!({}))?;
    let hashed = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let file = RawFile::open(pickle)?;
    let mut writer = CacheWriter::create(
        cache,
        CacheHeader {
            dataset: "bench".into(),
            layout: Layout::built_in("coco17")?,
            units: Units::Pixel,
            source,
            classes: (0..file.classes()).map(|class| class.to_string()).collect(),
            created_by: "bench_pickle".into(),
        },
    )?;
    file.each(|clip| writer.push(&clip))?;
    let summary = writer.finish(file.splits())?;
    let synced = summary.synced.as_secs_f64();
    let seconds = start.elapsed().as_secs_f64() - synced;
    let bytes = pickle.metadata()?.len();
    Ok(format!(
        "\"seconds\": {seconds}, \"bytes\": {bytes}, \"clips\": {}, \"hash_seconds\": {hashed}, \"fsync_seconds\": {synced}",
        summary.samples
    ))
}

/// RssAnon, in bytes; none where the system has no such file.
fn anonymous() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
