//! Contents to objects.

use std::path::Path;

use half::f16;
use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::{FixedUnicode, TypeDescriptor, VarLenUnicode};
use hdf5::{File, Group, H5Type};

use super::super::schema::{Block, Contents, FORMAT, SCHEMA};
use super::LONGEST_FIXED;
use super::packed::{LEVEL, chunk_rows};

/// Writes a file with room for the coordinates, or, where they are to be compressed, objects to be filled. Returns where keypoints
/// and scores go.
pub(in crate::cache) fn write(
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
    let schema = file.new_attr::<u32>().create("schema")?;
    schema.write_scalar(&SCHEMA)?;
    write_text(&file, "dataset", &contents.dataset)?;
    write_text(&file, "layout", &contents.layout)?;
    write_text(&file, "units", &contents.units)?;
    write_text(&file, "source", &contents.source)?;
    write_text(&file, "digest", digest)?;
    write_fixed(&file, "created_by", created_by)?;

    let keypoints = write_block(&file, "keypoints", &contents.keypoints, compress)?;
    let scores = match &contents.scores {
        Some(scores) => write_block(&file, "scores", scores, compress)?,
        None => 0,
    };
    let create_group = |name| {
        let builder = file.create_group_builder();
        builder.obj_track_times(false).create(name)
    };
    let group = create_group("samples")?;
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
    let group = create_group("splits")?;
    for (name, indices) in &contents.splits {
        write_numbers(&group, name, indices)?;
    }
    drop(group);
    file.close()?;
    Ok([keypoints, scores])
}

fn write_block(group: &Group, name: &str, block: &Block, compress: bool) -> hdf5::Result<u64> {
    let kind = match block.half {
        true => f16::type_descriptor(),
        false => f32::type_descriptor(),
    };
    let empty = block.shape.contains(&0);
    let builder = group.new_dataset_builder();
    let builder = if compress && !empty {
        let mut chunk = block.shape.clone();
        chunk[0] = chunk_rows(block);
        builder.chunk(chunk).shuffle().deflate(LEVEL)
    } else {
        let (early, never) = (Some(AllocTime::Early), FillTime::Never);
        builder.with_dcpl(|create| create.alloc_time(early).fill_time(never))
    };
    let builder = builder.empty_as(&kind).shape(block.shape.clone());
    match builder.create(name)?.offset() {
        Some(offset) => Ok(offset),
        None if empty || compress => Ok(0),
        None => Err(format!("HDF5 gave no room for /{name}").into()),
    }
}

fn write_numbers<T: H5Type>(group: &Group, name: &str, values: &[T]) -> hdf5::Result<()> {
    let builder = group.new_dataset::<T>().shape(values.len());
    builder.create(name)?.write_raw(values)
}

fn write_texts(group: &Group, name: &str, values: &[String]) -> hdf5::Result<()> {
    let values: Result<Vec<VarLenUnicode>, _> = values.iter().map(|value| value.parse()).collect();
    let values = values.map_err(|e| format!("/{name}: {e}"))?;
    write_numbers(group, name, &values)
}

fn write_text(file: &File, name: &str, value: &str) -> hdf5::Result<()> {
    let value: VarLenUnicode = value.parse().map_err(|e| format!("{name}: {e}"))?;
    let attribute = file.new_attr::<VarLenUnicode>().create(name)?;
    attribute.write_scalar(&value)
}

fn write_fixed(file: &File, name: &str, value: &str) -> hdf5::Result<()> {
    let text: FixedUnicode<{ LONGEST_FIXED + 1 }> =
        value.parse().map_err(|e| format!("{name}: {e}"))?;
    let kind = TypeDescriptor::FixedUnicode(value.len());
    let attribute = file.new_attr_builder().empty_as(&kind).create(name)?;
    attribute.write_scalar(&text)
}
