//! Strings of variable length: the library makes room for what they claim, and follows them where they lead.

use hdf5::Dataset;
use hdf5::types::{TypeDescriptor, VarLenUnicode};

use super::read::Reader;
use super::reason;
use crate::Result;
use crate::names::LONGEST_NAME;

/// Variable-length strings are read this many at a time, so that a damaged file can't ask for all at once.
const STRINGS_AT_ONCE: usize = 256;

impl Reader<'_> {
    /// The strings of a dataset of one axis.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let dataset = self.dataset(name)?;
        let len = self.len(name, &dataset)?;
        let kind = dataset.dtype().and_then(|kind| kind.to_descriptor());
        match kind.map_err(|e| self.wrong(name, "a type", &reason(&e)))? {
            TypeDescriptor::VarLenUnicode | TypeDescriptor::VarLenAscii => {}
            other => {
                return Err(self.wrong(name, "variable-length text", &format!("type {other}")));
            }
        }
        self.check_lengths(name, &dataset, len)?;
        let mut texts = Vec::new();
        for start in (0..len).step_by(STRINGS_AT_ONCE) {
            let part =
                dataset.read_slice_1d::<VarLenUnicode, _>(start..len.min(start + STRINGS_AT_ONCE));
            for text in part.map_err(|e| self.wrong(name, "readable values", &reason(&e)))? {
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
                let (place, expected) = (
                    format!("{name}[{index}]"),
                    format!("at most {LONGEST_NAME} bytes"),
                );
                return Err(self.wrong(&place, &expected, &claimed.to_string()));
            }
        }
        Ok(())
    }
}
