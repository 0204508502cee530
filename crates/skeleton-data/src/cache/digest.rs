//! The fingerprint of a cache: SHA-256 over its contents in one canonical form (see the [module](super)).

use sha2::{Digest, Sha256};

use super::schema::{Block, Contents, FORMAT};
use crate::raw::source::hex;

/// The digest of contents, in hexadecimal.
pub(super) fn digest(contents: &Contents) -> String {
    let mut out = Records(Sha256::new());
    out.attribute("format", FORMAT);
    out.head("schema", "u32", &[]);
    out.0.update(contents.schema.to_le_bytes());
    out.attribute("dataset", &contents.dataset);
    out.attribute("layout", &contents.layout);
    out.attribute("units", &contents.units);
    out.attribute("source", &contents.source);
    out.block("/keypoints", &contents.keypoints);
    if let Some(scores) = &contents.scores {
        out.block("/scores", scores);
    }
    let samples = &contents.samples;
    out.strings("/samples/id", &samples.id);
    out.numbers("/samples/label", "i32", &samples.label);
    out.numbers("/samples/offset", "u64", &samples.offset);
    out.numbers("/samples/persons", "u32", &samples.persons);
    out.numbers("/samples/frames", "u32", &samples.frames);
    out.numbers("/samples/height", "u32", &samples.height);
    out.numbers("/samples/width", "u32", &samples.width);
    out.numbers("/samples/subject", "i32", &samples.subject);
    out.numbers("/samples/camera", "i32", &samples.camera);
    out.numbers("/samples/setup", "i32", &samples.setup);
    out.numbers("/samples/checksum", "u32", &samples.checksum);
    out.strings("/classes", &contents.classes);
    let mut splits: Vec<_> = contents.splits.iter().collect();
    splits.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, indices) in splits {
        out.numbers(&format!("/splits/{name}"), "u32", indices);
    }
    hex(&out.0.finalize())
}

struct Records(Sha256);

impl Records {
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    fn head(&mut self, name: &str, kind: &str, shape: &[usize]) {
        self.text(name);
        self.text(kind);
        self.0.update((shape.len() as u64).to_le_bytes());
        for &axis in shape {
            self.0.update((axis as u64).to_le_bytes());
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.head(name, "str", &[]);
        self.text(value);
    }

    fn block(&mut self, name: &str, block: &Block) {
        self.head(name, block.kind(), &block.shape);
    }

    fn strings(&mut self, name: &str, values: &[String]) {
        self.head(name, "str", &[values.len()]);
        for value in values {
            self.text(value);
        }
    }

    fn numbers<T: bytemuck::NoUninit>(&mut self, name: &str, kind: &str, values: &[T]) {
        self.head(name, kind, &[values.len()]);
        self.0.update(bytemuck::cast_slice::<T, u8>(values));
    }
}
