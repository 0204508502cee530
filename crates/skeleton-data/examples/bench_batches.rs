//! The sections `batches-3d` and `batches-2d` of `cargo xtask bench data`: `bench_batches make FOLDER` writes a cache of 600
//! clips of two people and the same numbers for the stand-in; `bench_batches run FOLDER` makes training batches of them on
//! one thread and prints seconds and bytes as a JSON line. The folder's name says which kind of clips.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use half::f16;
use skeleton_data::augment::Augment;
use skeleton_data::cache::{Cache, CacheHeader, CacheWriter};
use skeleton_data::loader::Loader;
use skeleton_data::normalize::{Normalization, View};
use skeleton_data::reading::Reading;
use skeleton_data::sample::Sampling;
use skeleton_data::{ClipSource, Sequence, Units, Values, skeleton_graph::Layout};

const CLIPS: usize = 600;
const BATCH: usize = 16;
const EPOCHS: u64 = 20;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments[1..] {
        [what, folder] if what == "make" => make(Path::new(folder)),
        [what, folder] if what == "run" => run(Path::new(folder)),
        _ => Err("usage: bench_batches make|run FOLDER".into()),
    }
}

fn is_flat(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "batches-2d")
}

/// A small generator of its own: the files are the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Two people of 50 to 200 frames, in half precision: 25 joints in metres, or 17 in pixels with scores.
fn clip(index: usize, flat: bool, dice: &mut Dice) -> Sequence {
    let (joints, coordinates) = if flat { (17, 2) } else { (25, 3) };
    let frames = 50 + (dice.next() * 150.0) as usize;
    let (size, middle) = if flat {
        (300.0, [960.0, 540.0, 0.0])
    } else {
        (0.8, [0.2, 0.1, 3.0])
    };
    let mut keypoints = Vec::new();
    for _person in 0..2 {
        let rest: Vec<f32> = (0..joints * coordinates)
            .map(|_| dice.next() - 0.5)
            .collect();
        for _row in 0..frames {
            for (at, rest) in rest.iter().enumerate() {
                let x = rest + 0.1 * (dice.next() - 0.5);
                keypoints.push(f16::from_f32(middle[at % coordinates] + size * x));
            }
        }
    }
    let scores = (0..2 * frames * joints).map(|_| f16::from_f32(0.3 + 0.7 * dice.next()));
    Sequence {
        label: Some((index % 60) as u32),
        scores: flat.then(|| Values::F16(scores.collect())),
        image: flat.then_some((1080, 1920)),
        ..Sequence::new(
            format!("clip{index:04}"),
            [2, frames, joints, coordinates],
            Values::F16(keypoints),
        )
    }
}

fn make(folder: &Path) -> Outcome {
    let flat = is_flat(folder);
    let header = CacheHeader {
        dataset: "bench".into(),
        layout: Layout::built_in(if flat { "coco17" } else { "ntu25" })?,
        units: if flat { Units::Pixel } else { Units::Metre },
        source: serde_json::json!({}),
        classes: (0..60).map(|class| class.to_string()).collect(),
        created_by: "bench_batches".into(),
    };
    let mut cache = CacheWriter::create(&folder.join("clips.h5"), header)?;
    let (mut numbers, mut index) = (Vec::new(), String::new());
    let mut dice = Dice(1);
    for at in 0..CLIPS {
        let clip = clip(at, flat, &mut dice);
        for values in [Some(&clip.keypoints), clip.scores.as_ref()]
            .into_iter()
            .flatten()
        {
            if let Values::F16(values) = values {
                numbers.extend(values.iter().flat_map(|x| x.to_le_bytes()));
            }
        }
        let (t, v, c) = (clip.frames, clip.joints, clip.coordinates);
        index += &format!("2 {t} {v} {c} {}\n", u8::from(flat));
        cache.push(&clip)?;
    }
    cache.finish(&[])?;
    std::fs::File::create(folder.join("clips.f16"))?.write_all(&numbers)?;
    std::fs::write(folder.join("clips.txt"), index)?;
    Ok(())
}

/// As the stand-in reads, with noise, a mirror image and a crop besides.
fn settings(flat: bool) -> (Reading, Augment) {
    let normalization = if flat {
        Normalization::Image
    } else {
        Normalization::View(View::default())
    };
    let reading = Reading {
        frames: 64,
        sampling: Sampling::Uniform,
        normalization,
        score_threshold: 0.01,
        ..Reading::default()
    };
    let augment = Augment {
        noise: 0.02,
        scale: 0.4,
        turn: 0.6,
        tilt: 0.0,
        flip: 0.5,
        crop: 0.6,
    };
    (reading, augment)
}

fn run(folder: &Path) -> Outcome {
    let cache = Arc::new(Cache::open(&folder.join("clips.h5"))?);
    let (reading, augment) = settings(is_flat(folder));
    let clips: Vec<u32> = (0..cache.len() as u32).collect();
    let mut bytes = 0;
    for index in 0..cache.len() {
        // The first read of a clip checks its checksum.
        let clip = cache.clip(index)?;
        bytes += 2 * (clip.keypoints.len() + clip.scores.map_or(0, |scores| scores.len()));
    }
    let loader = Loader::new(cache, reading, Some(augment), 0)?;
    let (start, mut tracks) = (Instant::now(), 0);
    for epoch in 0..EPOCHS {
        for batch in loader.epoch(&clips, BATCH, 0, epoch) {
            tracks += batch?.tracks();
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let read = clips.len() as u64 * EPOCHS;
    let (bytes, each) = (bytes as u64 * EPOCHS, 1e6 * seconds / read as f64);
    let batch_of_them = each * BATCH as f64 / 1e3;
    println!(
        "{{\"seconds\": {seconds}, \"bytes\": {bytes}, \"us_a_clip\": {each}, \"ms_a_batch\": {batch_of_them}, \"tracks\": {tracks}}}"
    );
    Ok(())
}
