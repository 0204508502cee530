//! Objects to contents.

use std::path::Path;

use half::f16;
use hdf5::plist::file_create::Sizeof;
use hdf5::types::{FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Attribute, Container, Dataset, File, H5Type};

use super::super::schema::{Block, Contents, FORMAT, Samples};
use super::super::wrong;
use super::{LONGEST_FIXED, Packed, Stored, heap, reason};
use crate::names::LONGEST_NAME;
use crate::{Error, Result};

/// Variable-length strings are read this many at a time, so that a damaged file can't ask for all at once: the library makes room
/// for what they claim, and follows them where they lead.
const STRINGS_AT_ONCE: usize = 256;

/// A file being read, with what its messages need.
pub(in crate::cache) struct Reader<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    file: File,
}

impl<'a> Reader<'a> {
    /// Opens a file whose bytes are also mapped.
    pub(in crate::cache) fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        // Caches are never written in place, so there is nothing a lock would guard.
        let file = File::with_options()
            .with_fapl(|access| access.file_locking(false))
            .open(path);
        let file = file.map_err(|e| wrong(path, "the file", "a whole HDF5 file", reason(&e)))?;
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
        let sizes = sizes.map_err(self.failed("the file", "readable sizes"))?;
        if sizes.sizeof_size != Sizeof::Bytes8 {
            let found = format!("{:?}", sizes.sizeof_size);
            return Err(self.wrong("the file", "lengths of 8 bytes", &found));
        }
        let mut skip = Vec::new();
        let mut add = |at: u64, len: u64| {
            let range = usize::try_from(at).ok().zip(usize::try_from(len).ok());
            skip.extend(range.and_then(|(at, len)| Some(at..at.checked_add(len)?)));
        };
        for name in ["keypoints", "scores"] {
            let Ok(dataset) = self.file.dataset(name) else {
                continue;
            };
            if let Some(at) = dataset.offset() {
                add(at, dataset.storage_size());
            } else {
                // Where the walk through chunks fails, these are searched, too.
                let _ = dataset.chunks_visit(|chunk| {
                    add(chunk.addr, chunk.size);
                    0
                });
            }
        }
        skip.sort_by_key(|range| range.start);
        match heap::endless(self.bytes, &skip) {
            None => Ok(()),
            Some(at) => {
                let place = format!("byte {at}");
                Err(self.wrong(&place, "a string among strings", "one that has no length"))
            }
        }
    }

    fn wrong(&self, place: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
        wrong(self.path, place, expected, found)
    }

    /// Makes an error of the library one of a place: `map_err(self.failed(name, "a type"))`.
    fn failed(&self, place: &str, expected: &str) -> impl Fn(hdf5::Error) -> Error {
        move |e| self.wrong(place, expected, reason(&e))
    }

    fn attribute(&self, name: &str) -> Result<Attribute> {
        let (place, expected) = (format!("attribute `{name}`"), format!("that of a {FORMAT}"));
        self.file.attr(name).map_err(self.failed(&place, &expected))
    }

    /// An attribute of text, of fixed or variable length.
    pub(in crate::cache) fn text(&self, name: &str) -> Result<String> {
        let place = format!("attribute `{name}`");
        let attribute = self.attribute(name)?;
        let failed = self.failed(&place, "readable text");
        let kind = attribute.dtype().and_then(|kind| kind.to_descriptor());
        let bytes = match kind.map_err(&failed)? {
            TypeDescriptor::VarLenUnicode => {
                let text = attribute.read_scalar::<VarLenUnicode>();
                text.map(|text| text.as_bytes().to_vec())
            }
            TypeDescriptor::VarLenAscii => {
                let text = attribute.read_scalar::<VarLenAscii>();
                text.map(|text| text.as_bytes().to_vec())
            }
            TypeDescriptor::FixedUnicode(len) | TypeDescriptor::FixedAscii(len)
                if len <= LONGEST_FIXED =>
            {
                let text = attribute.read_scalar::<FixedUnicode<{ LONGEST_FIXED + 1 }>>();
                text.map(|text| text.as_bytes().to_vec())
            }
            other => return Err(self.wrong(&place, "text", format!("type {other}"))),
        };
        let text = String::from_utf8(bytes.map_err(&failed)?);
        text.map_err(|_| self.wrong(&place, "text in UTF-8", "other bytes"))
    }

    /// The attribute `schema`, in whatever integer type it was written.
    pub(in crate::cache) fn schema(&self) -> Result<u64> {
        let attribute = self.attribute("schema")?;
        let value = attribute.read_scalar::<u64>();
        value.map_err(self.failed("attribute `schema`", "a number"))
    }

    fn dataset(&self, name: &str) -> Result<Dataset> {
        self.file
            .dataset(name)
            .map_err(self.failed(name, "readable values"))
    }

    /// The length of a dataset of one axis.
    fn len(&self, name: &str, dataset: &Container) -> Result<usize> {
        match dataset.shape()[..] {
            [len] if len as u64 <= self.size() => Ok(len),
            [len] => {
                let expected = "an array that this file can hold";
                Err(self.wrong(name, expected, format!("one of {len}")))
            }
            ref shape => Err(self.wrong(name, "one axis", format!("shape {shape:?}"))),
        }
    }

    fn numbers<T: H5Type>(&self, name: &str, len: Option<usize>) -> Result<Vec<T>> {
        let dataset = self.dataset(name)?;
        let found = self.len(name, &dataset)?;
        if let Some(len) = len
            && found != len
        {
            let expected = format!("{len} values, one for each sample");
            return Err(self.wrong(name, expected, found.to_string()));
        }
        let kind = dataset.dtype().map_err(self.failed(name, "a type"))?;
        if !kind.is::<T>() {
            let expected = format!("little-endian {}", T::type_descriptor());
            return Err(self.wrong(name, expected, kind.to_string()));
        }
        dataset
            .read_raw()
            .map_err(self.failed(name, "readable values"))
    }

    /// The type, shape and place of /keypoints or /scores.
    fn block(&self, name: &str, axes: usize) -> Result<(Block, Stored)> {
        let dataset = self.dataset(name)?;
        let kind = dataset.dtype().map_err(self.failed(name, "a type"))?;
        let half = kind.is::<f16>();
        if !half && !kind.is::<f32>() {
            let expected = "little-endian floats of 16 or 32 bits";
            return Err(self.wrong(name, expected, kind.to_string()));
        }
        let block = Block {
            half,
            shape: dataset.shape(),
        };
        if block.shape.len() != axes {
            let found = format!("shape {:?}", block.shape);
            return Err(self.wrong(name, format!("{axes} axes"), found));
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
                let packed = Packed::new(dataset, block.clone(), self.size());
                let expected = "as many numbers as the file can hold";
                let packed = packed.map_err(|found| self.wrong(name, expected, found))?;
                Ok((block, Stored::Packed(packed)))
            }
            _ => {
                let expected = "contiguous or chunked data in this file";
                Err(self.wrong(name, expected, "compact, virtual or external data"))
            }
        }
    }

    fn splits(&self) -> Result<Vec<(String, Vec<u32>)>> {
        let group = self
            .file
            .group("splits")
            .map_err(self.failed("/splits", "a group"))?;
        let mut names = group
            .member_names()
            .map_err(self.failed("/splits", "readable names"))?;
        names.sort();
        // Together, too, no more than the file has room for: several names may stand for one object.
        let mut left = self.size() / size_of::<u32>() as u64;
        let split = |name: String| {
            let place = format!("/splits/{name}");
            let len = self.len(&place, &*self.dataset(&place)?)? as u64;
            left = left.checked_sub(len).ok_or_else(|| {
                let expected = "splits that this file can hold";
                self.wrong(&place, expected, format!("{len} clips more"))
            })?;
            Ok((name, self.numbers(&place, None)?))
        };
        names.into_iter().map(split).collect()
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

    /// The strings of a dataset of one axis.
    fn texts(&self, name: &str) -> Result<Vec<String>> {
        let dataset = self.dataset(name)?;
        let len = self.len(name, &dataset)?;
        let kind = dataset.dtype().and_then(|kind| kind.to_descriptor());
        match kind.map_err(self.failed(name, "a type"))? {
            TypeDescriptor::VarLenUnicode | TypeDescriptor::VarLenAscii => {}
            other => {
                return Err(self.wrong(name, "variable-length text", format!("type {other}")));
            }
        }
        self.check_lengths(name, &dataset, len)?;
        let mut texts = Vec::new();
        for start in (0..len).step_by(STRINGS_AT_ONCE) {
            let part =
                dataset.read_slice_1d::<VarLenUnicode, _>(start..len.min(start + STRINGS_AT_ONCE));
            for text in part.map_err(self.failed(name, "readable values"))? {
                let place = || format!("{name}[{}]", texts.len());
                let len = text.as_bytes().len();
                if len > LONGEST_NAME {
                    let expected = format!("at most {LONGEST_NAME} bytes");
                    return Err(self.wrong(&place(), expected, len.to_string()));
                }
                let text = String::from_utf8(text.as_bytes().to_vec());
                texts.push(text.map_err(|_| self.wrong(&place(), "text in UTF-8", "other bytes"))?);
            }
        }
        Ok(texts)
    }

    /// Makes sure that no string claims to be longer than a name is: the library makes room for what they claim. A
    /// reference is a length of four bytes, and the collection (eight) and object (four) that hold the text.
    fn check_lengths(&self, name: &str, dataset: &Dataset, len: usize) -> Result<()> {
        const REFERENCE: usize = 16;
        if len == 0 {
            return Ok(());
        }
        let contiguous = dataset.layout() == hdf5::dataset::Layout::Contiguous;
        let start = dataset.offset().filter(|_| contiguous);
        let references = start.and_then(|start| {
            let start = usize::try_from(start).ok()?;
            self.bytes
                .get(start..start.checked_add(len.checked_mul(REFERENCE)?)?)
        });
        let Some(references) = references else {
            return Err(self.wrong(name, "contiguous references to its strings", "others"));
        };
        let (references, _) = references.as_chunks::<REFERENCE>();
        for (index, reference) in references.iter().enumerate() {
            let [a, b, c, d, ..] = *reference;
            let claimed = u32::from_le_bytes([a, b, c, d]) as usize;
            if claimed > LONGEST_NAME {
                let place = format!("{name}[{index}]");
                let expected = format!("at most {LONGEST_NAME} bytes");
                return Err(self.wrong(&place, expected, claimed.to_string()));
            }
        }
        Ok(())
    }
}
