//! Objects to contents.

use std::path::Path;

use half::f16;
use hdf5::plist::file_create::Sizeof;
use hdf5::types::{FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Attribute, Container, Dataset, File, H5Type};

use super::super::schema::{Block, Contents, FORMAT, Samples};
use super::{LONGEST_FIXED, Packed, Stored, heap, reason, wrong};
use crate::{Error, Result};

/// A file being read, with what its messages need.
pub(in crate::cache) struct Reader<'a> {
    path: &'a Path,
    pub(super) bytes: &'a [u8],
    file: File,
}

impl<'a> Reader<'a> {
    /// Opens a file whose bytes are also mapped.
    pub(in crate::cache) fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        // Caches are never written in place, so there is nothing a lock would guard.
        let file = File::with_options()
            .with_fapl(|access| access.file_locking(false))
            .open(path);
        let file = file.map_err(|e| wrong(path, "the file", "a whole HDF5 file", &reason(&e)))?;
        let reader = Reader { path, bytes, file };
        reader.check_strings()?;
        Ok(reader)
    }

    /// Bytes of the file: no array in it may claim more elements.
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Makes sure that the library can read the strings of this file to an end.
    fn check_strings(&self) -> Result<()> {
        let sizes = self.file.create_plist().map(|create| create.sizes());
        let sizes = sizes.map_err(|e| self.wrong("the file", "readable sizes", &reason(&e)))?;
        if sizes.sizeof_size != Sizeof::Bytes8 {
            let found = format!("{:?}", sizes.sizeof_size);
            return Err(self.wrong("the file", "lengths of 8 bytes", &found));
        }
        let data = |name: &str| {
            let dataset = self.file.dataset(name).ok()?;
            let start = usize::try_from(dataset.offset()?).ok()?;
            let end = start.checked_add(usize::try_from(dataset.storage_size()).ok()?)?;
            Some(start..end)
        };
        let skip: Vec<_> = ["keypoints", "scores"]
            .into_iter()
            .filter_map(data)
            .collect();
        match heap::endless(self.bytes, &skip) {
            None => Ok(()),
            Some(at) => {
                let place = format!("byte {at}");
                Err(self.wrong(&place, "a string among strings", "one that has no length"))
            }
        }
    }

    pub(super) fn wrong(&self, place: &str, expected: &str, found: &str) -> Error {
        wrong(self.path, place, expected, found)
    }

    fn attribute(&self, name: &str) -> Result<Attribute> {
        self.file.attr(name).map_err(|e| {
            let place = format!("attribute `{name}`");
            self.wrong(&place, &format!("that of a {FORMAT}"), &reason(&e))
        })
    }

    /// An attribute of text, of fixed or variable length.
    pub(in crate::cache) fn text(&self, name: &str) -> Result<String> {
        let place = format!("attribute `{name}`");
        let attribute = self.attribute(name)?;
        let failed = |e: hdf5::Error| self.wrong(&place, "readable text", &reason(&e));
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

    /// The attribute `schema`, in whatever integer type it was written.
    pub(in crate::cache) fn schema(&self) -> Result<u64> {
        let attribute = self.attribute("schema")?;
        let value = attribute.read_scalar::<u64>();
        value.map_err(|e| self.wrong("attribute `schema`", "a number", &reason(&e)))
    }

    pub(super) fn dataset(&self, name: &str) -> Result<Dataset> {
        self.file
            .dataset(name)
            .map_err(|e| self.wrong(name, "readable values", &reason(&e)))
    }

    /// The length of a dataset of one axis.
    pub(super) fn len(&self, name: &str, dataset: &Container) -> Result<usize> {
        match dataset.shape()[..] {
            [len] if len as u64 <= self.size() => Ok(len),
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
            .map_err(|e| self.wrong(name, "readable values", &reason(&e)))
    }

    /// The type, shape and place of /keypoints or /scores.
    fn block(&self, name: &str, axes: usize) -> Result<(Block, Stored)> {
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
            return Ok((block, Stored::Contiguous(0)));
        }
        let layout = dataset.layout();
        match dataset.offset() {
            Some(offset) if layout == hdf5::dataset::Layout::Contiguous => {
                Ok((block, Stored::Contiguous(offset)))
            }
            _ if layout == hdf5::dataset::Layout::Chunked => {
                let packed = Packed::new(dataset, block.clone(), self.size()).map_err(|found| {
                    self.wrong(name, "as many numbers as the file can hold", &found)
                })?;
                Ok((block, Stored::Packed(packed)))
            }
            _ => Err(self.wrong(
                name,
                "contiguous or chunked data in this file",
                "compact, virtual or external data",
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
            .map_err(|e| self.wrong("/splits", "readable names", &reason(&e)))?;
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
    pub(in crate::cache) fn contents(
        &self,
        schema: u32,
    ) -> Result<(Contents, [Option<Stored>; 2])> {
        let (keypoints, place) = self.block("/keypoints", 3)?;
        let mut places = [Some(place), None];
        let mut scores = None;
        if self.file.link_exists("scores") {
            let (block, place) = self.block("/scores", 2)?;
            places[1] = Some(place);
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
        Ok((contents, places))
    }
}
