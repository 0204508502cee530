//! The HDF5 side: contents to objects and back. The only place that calls the library.
//!
//! The library prints nothing (its binding silences the error stack of every thread that calls it) and holds one global
//! lock; coordinates pass by it, written and read as bytes at the offset it gives.

use std::path::Path;

use half::f16;
use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::{FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Attribute, Container, Dataset, File, Group, H5Type};

use super::schema::{Block, Contents, FORMAT, LONGEST_NAME, SCHEMA, Samples};
use crate::{Error, Result};

/// The longest fixed-length string read or written, in bytes.
pub(super) const LONGEST_FIXED: usize = 255;
/// Variable-length strings are read this many at a time, so that a damaged file can't ask for all at once.
const STRINGS_AT_ONCE: usize = 256;

/// Where the coordinates lie in the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offsets {
    pub(super) keypoints: u64,
    pub(super) scores: u64,
}

// Writing.

/// Writes `file` with room for the coordinates; `shown` is the name for messages.
pub(super) fn write(
    file: &Path,
    shown: &Path,
    contents: &Contents,
    created_by: &str,
    digest: &str,
) -> Result<Offsets> {
    write_objects(file, contents, created_by, digest).map_err(|e| Error::Cache {
        path: shown.to_owned(),
        place: "the file".into(),
        expected: "to write it".into(),
        found: reason(&e),
    })
}

fn write_objects(
    path: &Path,
    contents: &Contents,
    created_by: &str,
    digest: &str,
) -> hdf5::Result<Offsets> {
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

    let mut offsets = Offsets {
        keypoints: write_block(&file, "keypoints", &contents.keypoints)?,
        scores: 0,
    };
    if let Some(scores) = &contents.scores {
        offsets.scores = write_block(&file, "scores", scores)?;
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

fn write_block(group: &Group, name: &str, block: &Block) -> hdf5::Result<u64> {
    let kind = if block.half {
        f16::type_descriptor()
    } else {
        f32::type_descriptor()
    };
    let dataset = group
        .new_dataset_builder()
        .with_dcpl(|create| {
            create
                .alloc_time(Some(AllocTime::Early))
                .fill_time(FillTime::Never)
        })
        .empty_as(&kind)
        .shape(block.shape.clone())
        .create(name)?;
    match dataset.offset() {
        Some(offset) => Ok(offset),
        None if block.shape.contains(&0) => Ok(0),
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

// Reading.

/// A file being read, with what its messages need.
pub(super) struct Reader<'a> {
    path: &'a Path,
    /// Bytes of the file: no array in it may claim more elements.
    size: u64,
    file: File,
}

impl<'a> Reader<'a> {
    pub(super) fn open(path: &'a Path, size: u64) -> Result<Self> {
        // Caches are never written in place, so there is nothing a lock would guard.
        let file = File::with_options()
            .with_fapl(|access| access.file_locking(false))
            .open(path);
        let file = file.map_err(|e| wrong(path, "the file", "a whole HDF5 file", &reason(&e)))?;
        Ok(Reader { path, size, file })
    }

    fn wrong(&self, place: &str, expected: &str, found: &str) -> Error {
        wrong(self.path, place, expected, found)
    }

    fn attribute(&self, name: &str) -> Result<Attribute> {
        let attribute = self.file.attr(name);
        attribute.map_err(|e| self.wrong(&format!("attribute `{name}`"), "to read it", &reason(&e)))
    }

    /// An attribute of text, of fixed or variable length.
    pub(super) fn text(&self, name: &str) -> Result<String> {
        let place = format!("attribute `{name}`");
        let attribute = self.attribute(name)?;
        let failed = |e: hdf5::Error| self.wrong(&place, "to read it", &reason(&e));
        let bytes = match attribute
            .dtype()
            .and_then(|kind| kind.to_descriptor())
            .map_err(failed)?
        {
            TypeDescriptor::VarLenUnicode => attribute
                .read_scalar::<VarLenUnicode>()
                .map_err(failed)?
                .as_bytes()
                .to_vec(),
            TypeDescriptor::VarLenAscii => attribute
                .read_scalar::<VarLenAscii>()
                .map_err(failed)?
                .as_bytes()
                .to_vec(),
            TypeDescriptor::FixedUnicode(len) | TypeDescriptor::FixedAscii(len)
                if len <= LONGEST_FIXED =>
            {
                let text = attribute
                    .read_scalar::<FixedUnicode<{ LONGEST_FIXED + 1 }>>()
                    .map_err(failed)?;
                text.as_bytes().to_vec()
            }
            other => return Err(self.wrong(&place, "text", &format!("type {other}"))),
        };
        String::from_utf8(bytes).map_err(|_| self.wrong(&place, "text in UTF-8", "other bytes"))
    }

    pub(super) fn has_format(&self) -> bool {
        self.file.attr("format").is_ok()
    }

    /// The attribute `schema`, in whatever integer type it was written.
    pub(super) fn schema(&self) -> Result<u64> {
        let attribute = self.attribute("schema")?;
        let value = attribute.read_scalar::<u64>();
        value.map_err(|e| self.wrong("attribute `schema`", "a number", &reason(&e)))
    }

    fn dataset(&self, name: &str) -> Result<Dataset> {
        self.file
            .dataset(name)
            .map_err(|e| self.wrong(name, "to read it", &reason(&e)))
    }

    /// The length of a dataset of one axis.
    fn len(&self, name: &str, dataset: &Container) -> Result<usize> {
        match dataset.shape()[..] {
            [len] if len as u64 <= self.size => Ok(len),
            [len] => Err(self.wrong(
                name,
                "an array that this file can hold",
                &format!("one of {len}"),
            )),
            ref shape => Err(self.wrong(name, "one axis", &format!("shape {shape:?}"))),
        }
    }

    fn numbers<T: H5Type>(&self, name: &str, len: Option<usize>) -> Result<Vec<T>> {
        let dataset = self.dataset(name)?;
        let found = self.len(name, &dataset)?;
        if let Some(len) = len
            && found != len
        {
            return Err(self.wrong(
                name,
                &format!("{len} values, one for each sample"),
                &found.to_string(),
            ));
        }
        let kind = dataset
            .dtype()
            .map_err(|e| self.wrong(name, "a type", &reason(&e)))?;
        if !kind.is::<T>() {
            return Err(self.wrong(
                name,
                &format!("little-endian {}", T::type_descriptor()),
                &kind.to_string(),
            ));
        }
        dataset
            .read_raw()
            .map_err(|e| self.wrong(name, "to read it", &reason(&e)))
    }

    fn texts(&self, name: &str) -> Result<Vec<String>> {
        let dataset = self.dataset(name)?;
        let len = self.len(name, &dataset)?;
        let kind = dataset.dtype().and_then(|kind| kind.to_descriptor());
        match kind.map_err(|e| self.wrong(name, "a type", &reason(&e)))? {
            TypeDescriptor::VarLenUnicode | TypeDescriptor::VarLenAscii => {}
            other => {
                return Err(self.wrong(name, "variable-length text", &format!("type {other}")));
            }
        }
        let mut texts = Vec::new();
        for start in (0..len).step_by(STRINGS_AT_ONCE) {
            let part =
                dataset.read_slice_1d::<VarLenUnicode, _>(start..len.min(start + STRINGS_AT_ONCE));
            for text in part.map_err(|e| self.wrong(name, "to read it", &reason(&e)))? {
                let place = || format!("{name}[{}]", texts.len());
                if text.as_bytes().len() > LONGEST_NAME {
                    let expected = format!("at most {LONGEST_NAME} bytes");
                    return Err(self.wrong(
                        &place(),
                        &expected,
                        &text.as_bytes().len().to_string(),
                    ));
                }
                let text = String::from_utf8(text.as_bytes().to_vec());
                texts.push(text.map_err(|_| self.wrong(&place(), "text in UTF-8", "other bytes"))?);
            }
        }
        Ok(texts)
    }

    /// The type, shape and place of /keypoints or /scores, which must be contiguous.
    fn block(&self, name: &str, axes: usize) -> Result<(Block, u64)> {
        let dataset = self.dataset(name)?;
        let kind = dataset
            .dtype()
            .map_err(|e| self.wrong(name, "a type", &reason(&e)))?;
        let half = kind.is::<f16>();
        if !half && !kind.is::<f32>() {
            return Err(self.wrong(
                name,
                "little-endian floats of 16 or 32 bits",
                &kind.to_string(),
            ));
        }
        let block = Block {
            half,
            shape: dataset.shape(),
        };
        if block.shape.len() != axes {
            return Err(self.wrong(
                name,
                &format!("{axes} axes"),
                &format!("shape {:?}", block.shape),
            ));
        }
        if block.shape.contains(&0) {
            return Ok((block, 0));
        }
        match dataset.offset() {
            Some(offset) if dataset.layout() == hdf5::dataset::Layout::Contiguous => {
                Ok((block, offset))
            }
            _ => Err(self.wrong(
                name,
                "contiguous data in this file",
                "compressed, chunked or external data",
            )),
        }
    }

    fn splits(&self) -> Result<Vec<(String, Vec<u32>)>> {
        let group = self
            .file
            .group("splits")
            .map_err(|e| self.wrong("/splits", "a group", &reason(&e)))?;
        let mut names = group
            .member_names()
            .map_err(|e| self.wrong("/splits", "to list it", &reason(&e)))?;
        names.sort();
        names
            .into_iter()
            .map(|name| {
                Ok((
                    name.clone(),
                    self.numbers(&format!("/splits/{name}"), None)?,
                ))
            })
            .collect()
    }

    /// Everything but the coordinates, and where those lie.
    pub(super) fn contents(&self, schema: u32) -> Result<(Contents, Offsets)> {
        let (keypoints, at) = self.block("/keypoints", 3)?;
        let mut offsets = Offsets {
            keypoints: at,
            scores: 0,
        };
        let mut scores = None;
        if self.file.link_exists("scores") {
            let (block, at) = self.block("/scores", 2)?;
            offsets.scores = at;
            scores = Some(block);
        }
        let id = self.texts("/samples/id")?;
        let len = Some(id.len());
        let samples = Samples {
            id,
            label: self.numbers("/samples/label", len)?,
            offset: self.numbers("/samples/offset", len)?,
            persons: self.numbers("/samples/persons", len)?,
            frames: self.numbers("/samples/frames", len)?,
            height: self.numbers("/samples/height", len)?,
            width: self.numbers("/samples/width", len)?,
            subject: self.numbers("/samples/subject", len)?,
            camera: self.numbers("/samples/camera", len)?,
            setup: self.numbers("/samples/setup", len)?,
            checksum: self.numbers("/samples/checksum", len)?,
        };
        let contents = Contents {
            schema,
            dataset: self.text("dataset")?,
            layout: self.text("layout")?,
            units: self.text("units")?,
            source: self.text("source")?,
            keypoints,
            scores,
            samples,
            classes: self.texts("/classes")?,
            splits: self.splits()?,
        };
        Ok((contents, offsets))
    }
}

pub(super) fn wrong(path: &Path, place: &str, expected: &str, found: &str) -> Error {
    let (path, place) = (path.to_owned(), place.to_owned());
    Error::Cache {
        path,
        place,
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// What the library says, in a line: its innermost message says most.
fn reason(error: &hdf5::Error) -> String {
    let innermost = error
        .stack()
        .and_then(|stack| stack.last().map(|frame| frame.desc().to_owned()));
    innermost.unwrap_or_else(|| error.to_string())
}
