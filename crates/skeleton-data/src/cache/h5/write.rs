//! Contents to objects.

use std::path::Path;

use half::f16;
use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::{FixedUnicode, TypeDescriptor, VarLenUnicode};
use hdf5::{File, Group, H5Type};

use super::super::schema::{Block, Contents, FORMAT, SCHEMA};
use super::packed::{LEVEL, chunk_rows};
use super::{LONGEST_FIXED, unwritten};
use crate::Result;

/// Writes `file` with room for the coordinates, or, where they are to be compressed, objects to be filled; `shown` is the
/// name for messages. Returns where keypoints and scores go.
pub(in crate::cache) fn write(
    file: &Path,
    shown: &Path,
    contents: &Contents,
    created_by: &str,
    digest: &str,
    compress: bool,
) -> Result<[u64; 2]> {
    write_objects(file, contents, created_by, digest, compress)
        .map_err(|e| unwritten(shown, "the file", &e))
}

fn write_objects(
    path: &Path,
    contents: &Contents,
    created_by: &str,
    digest: &str,
    compress: bool,
) -> hdf5::Result<[u64; 2]> {
    let file = File::with_options()
        // From 1.8 on object headers carry checksums. Everything is aligned, so that coordinates can be mapped.
        .with_fapl(|access| access.libver_v18().alignment(1, 8))
        .with_fcpl(|create| create.obj_track_times(false))
        .create(path)?;
    write_text(&file, "format", FORMAT)?;
    file.new_attr::<u32>()
        .create("schema")?
        .write_scalar(&SCHEMA)?;
    write_text(&file, "dataset", &contents.dataset)?;
    write_text(&file, "layout", &contents.layout)?;
    write_text(&file, "units", &contents.units)?;
    write_text(&file, "source", &contents.source)?;
    write_text(&file, "digest", digest)?;
    write_fixed(&file, "created_by", created_by)?;

    let mut offsets = [
        write_block(&file, "keypoints", &contents.keypoints, compress)?,
        0,
    ];
    if let Some(scores) = &contents.scores {
        offsets[1] = write_block(&file, "scores", scores, compress)?;
    }
    let group = file
        .create_group_builder()
        .obj_track_times(false)
        .create("samples")?;
    let samples = &contents.samples;
    write_texts(&group, "id", &samples.id)?;
    write_numbers(&group, "label", &samples.label)?;
    write_numbers(&group, "offset", &samples.offset)?;
    write_numbers(&group, "persons", &samples.persons)?;
    write_numbers(&group, "frames", &samples.frames)?;
    write_numbers(&group, "height", &samples.height)?;
    write_numbers(&group, "width", &samples.width)?;
    write_numbers(&group, "subject", &samples.subject)?;
    write_numbers(&group, "camera", &samples.camera)?;
    write_numbers(&group, "setup", &samples.setup)?;
    write_numbers(&group, "checksum", &samples.checksum)?;
    write_texts(&file, "classes", &contents.classes)?;
    let group = file
        .create_group_builder()
        .obj_track_times(false)
        .create("splits")?;
    for (name, indices) in &contents.splits {
        write_numbers(&group, name, indices)?;
    }
    file.close()?;
    Ok(offsets)
}

fn write_block(group: &Group, name: &str, block: &Block, compress: bool) -> hdf5::Result<u64> {
    let kind = if block.half {
        f16::type_descriptor()
    } else {
        f32::type_descriptor()
    };
    let empty = block.shape.contains(&0);
    let builder = group.new_dataset_builder();
    let builder = if compress && !empty {
        let mut chunk = block.shape.clone();
        chunk[0] = chunk_rows(block);
        builder.chunk(chunk).shuffle().deflate(LEVEL)
    } else {
        builder.with_dcpl(|create| {
            create
                .alloc_time(Some(AllocTime::Early))
                .fill_time(FillTime::Never)
        })
    };
    let dataset = builder
        .empty_as(&kind)
        .shape(block.shape.clone())
        .create(name)?;
    match dataset.offset() {
        Some(offset) => Ok(offset),
        None if empty || compress => Ok(0),
        None => Err(format!("HDF5 gave no room for /{name}").into()),
    }
}

fn write_numbers<T: H5Type>(group: &Group, name: &str, values: &[T]) -> hdf5::Result<()> {
    group
        .new_dataset::<T>()
        .shape(values.len())
        .create(name)?
        .write_raw(values)
}

fn write_texts(group: &Group, name: &str, values: &[String]) -> hdf5::Result<()> {
    let values: Result<Vec<VarLenUnicode>, _> = values.iter().map(|value| value.parse()).collect();
    let values = values.map_err(|e| format!("/{name}: {e}"))?;
    group
        .new_dataset::<VarLenUnicode>()
        .shape(values.len())
        .create(name)?
        .write_raw(&values)
}

fn write_text(file: &File, name: &str, value: &str) -> hdf5::Result<()> {
    let value: VarLenUnicode = value.parse().map_err(|e| format!("{name}: {e}"))?;
    file.new_attr::<VarLenUnicode>()
        .create(name)?
        .write_scalar(&value)
}

fn write_fixed(file: &File, name: &str, value: &str) -> hdf5::Result<()> {
    let text: FixedUnicode<{ LONGEST_FIXED + 1 }> =
        value.parse().map_err(|e| format!("{name}: {e}"))?;
    let kind = TypeDescriptor::FixedUnicode(value.len());
    file.new_attr_builder()
        .empty_as(&kind)
        .create(name)?
        .write_scalar(&text)
}
