//! Writing an archive.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{COORDINATES, FRAMES, JOINTS, PERSON, PERSONS, ROW, SPLITS, wrong};
use crate::partial::Partial;
use crate::{ClipSource, ClipView, Error, Result};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NpzSummary {
    /// Clips in `x_train` and `x_test`.
    pub clips: [usize; 2],
    /// t, to which all were padded.
    pub frames: usize,
    /// The size of the file.
    pub bytes: u64,
}

/// Writes the clips of two splits, by index; `classes` is how many columns the labels have.
///
/// # Errors
/// A layout of other than 25 joints, or 2 coordinates; a clip without a label or with more than two people, or whose stored
/// data are damaged; a full disk.
pub fn write(
    path: &Path,
    clips: &dyn ClipSource,
    splits: [&[u32]; 2],
    classes: usize,
) -> Result<NpzSummary> {
    let mut frames = FRAMES;
    for &index in splits.into_iter().flatten() {
        let clip = clips.clip(index as usize)?;
        check(path, &clip, classes)?;
        frames = frames.max(clip.frames);
    }
    let mut partial = Partial::create(path)?;
    let file = partial.file().try_clone().map_err(Error::io(path))?;
    let mut archive = ZipWriter::new(BufWriter::with_capacity(1 << 20, file));
    let io = || Error::io(path);
    for (split, indices) in SPLITS.into_iter().zip(splits) {
        let n = indices.len();
        begin(&mut archive, &format!("x_{split}"), &[n, frames, ROW]).map_err(io())?;
        let mut rows = Vec::new();
        for &index in indices {
            padded(&clips.clip(index as usize)?, frames, &mut rows);
            let bytes = bytemuck::cast_slice(&rows);
            archive.write_all(bytes).map_err(io())?;
        }
        begin(&mut archive, &format!("y_{split}"), &[n, classes]).map_err(io())?;
        for &index in indices {
            let mut row = vec![0f32; classes];
            if let Some(label) = clips.clip(index as usize)?.label {
                row[label as usize] = 1.0;
            }
            let bytes = bytemuck::cast_slice(&row);
            archive.write_all(bytes).map_err(io())?;
        }
    }
    let mut text = archive.finish().map_err(|e| io()(e.into()))?;
    text.flush().map_err(io())?;
    drop(text);
    Ok(NpzSummary {
        clips: splits.map(<[u32]>::len),
        frames,
        bytes: partial.finish()?,
    })
}

fn check(path: &Path, clip: &ClipView, classes: usize) -> Result<()> {
    if (clip.joints, clip.coordinates) != (JOINTS, COORDINATES) {
        let expected =
            format!("{JOINTS} joints of {COORDINATES} coordinates: the form of NTU RGB+D in 3D");
        let found = format!("{} of {}", clip.joints, clip.coordinates);
        return Err(wrong(path, "x_train", expected, found));
    }
    if clip.persons > PERSONS {
        let expected = format!("at most {PERSONS} people, which is all an .npz holds");
        return Err(Error::clip(clip.id, expected, clip.persons.to_string()));
    }
    match clip.label {
        Some(label) if (label as usize) < classes => Ok(()),
        Some(label) => {
            let expected = format!("a label below {classes}");
            Err(Error::clip(clip.id, expected, label.to_string()))
        }
        None => {
            let expected = "a label, which every row of an .npz has";
            Err(Error::clip(clip.id, expected, "none"))
        }
    }
}

type Archive = ZipWriter<BufWriter<std::fs::File>>;

/// Begins an array of single precision in C order: its entry, and its head as numpy writes it.
fn begin(archive: &mut Archive, name: &str, shape: &[usize]) -> std::io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .large_file(true);
    archive.start_file(format!("{name}.npy"), options)?;
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut head = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}",
        axes.join(", ")
    );
    // The whole head is a multiple of 64 and ends in a line end.
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    archive.write_all(b"\x93NUMPY\x01\x00")?;
    archive.write_all(&(head.len() as u16).to_le_bytes())?;
    archive.write_all(head.as_bytes())
}

/// A clip as rows of (person, joint, coordinate), with zeros where there is nothing.
fn padded(clip: &ClipView, frames: usize, rows: &mut Vec<f32>) {
    rows.clear();
    rows.resize(frames * ROW, 0.0);
    for person in 0..clip.persons {
        for frame in 0..clip.frames {
            let to = frame * ROW + person * PERSON;
            let from = (person * clip.frames + frame) * PERSON;
            for number in 0..PERSON {
                rows[to + number] = clip.keypoints.get(from + number);
            }
        }
    }
}
