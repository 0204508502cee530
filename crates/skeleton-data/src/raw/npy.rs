//! The head of a `.npy` file: versions 1 to 3.

use std::io::Read;

use super::element::Element;
use crate::error::Mismatch;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// numpy itself refuses to read longer ones from strangers.
const LONGEST: usize = 1 << 16;

/// What a `.npy` file holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Npy {
    pub(super) element: Element,
    pub(super) big: bool,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

impl Npy {
    /// Reads a head; also how many bytes it takes.
    pub(super) fn read(file: &mut impl Read) -> Result<(Npy, usize), Mismatch> {
        let short = |e: std::io::Error| Mismatch::new("the head of a .npy file", e.to_string());
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(short)?;
        if !start.starts_with(MAGIC) {
            return Err(Mismatch::new("the head of a .npy file", "other bytes"));
        }
        let width = match start[6] {
            1 => 2,
            2 | 3 => 4,
            version => {
                return Err(Mismatch::new(
                    "a .npy file of version 1 to 3",
                    version.to_string(),
                ));
            }
        };
        let mut len = [0; 4];
        file.read_exact(&mut len[..width]).map_err(short)?;
        let len = u32::from_le_bytes(len) as usize;
        if len > LONGEST {
            let expected = format!("a head of at most {LONGEST} bytes");
            return Err(Mismatch::new(expected, len.to_string()));
        }
        let mut text = vec![0; len];
        file.read_exact(&mut text).map_err(short)?;
        let text = std::str::from_utf8(&text)
            .map_err(|_| Mismatch::new("a head of text", "other bytes"))?;
        Ok((Npy::parse(text)?, 8 + width + len))
    }

    /// Parses the dict that the head is.
    fn parse(text: &str) -> Result<Npy, Mismatch> {
        let shown = || text.trim_end().chars().take(100).collect::<String>();
        let value = |key: &str| {
            let quoted = [format!("'{key}'"), format!("\"{key}\"")];
            let after = quoted.iter().find_map(|key| text.split_once(key.as_str()));
            let value = after.and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
            let wrong = || Mismatch::new(format!("a dict with {key:?}"), shown());
            value.map(str::trim_start).ok_or_else(wrong)
        };
        let descr = value("descr")?;
        let quote = descr.chars().next().filter(|c| ['\'', '"'].contains(c));
        let kind = quote.and_then(|quote| descr[1..].split(quote).next());
        let kind = kind.ok_or_else(|| Mismatch::new("an array of numbers", shown()))?;
        let (element, big) = Element::named(kind, false)?;
        let fortran = match value("fortran_order")? {
            rest if rest.starts_with("False") => false,
            rest if rest.starts_with("True") => true,
            _ => return Err(Mismatch::new("True or False for the order", shown())),
        };
        let axes = value("shape")?.strip_prefix('(');
        let axes = axes.and_then(|rest| rest.split(')').next());
        let axes = axes.ok_or_else(|| Mismatch::new("a shape", shown()))?;
        let axes = axes
            .split(',')
            .map(str::trim)
            .filter(|axis| !axis.is_empty());
        let axis = |axis: &str| axis.trim_end_matches('L').parse();
        let shape: Result<Vec<usize>, _> = axes.map(axis).collect();
        Ok(Npy {
            element,
            big,
            fortran,
            shape: shape.map_err(|_| Mismatch::new("a shape of whole numbers", shown()))?,
        })
    }

    /// Bytes of the array.
    pub(super) fn size(&self) -> Option<u64> {
        let width = Some(self.element.size() as u64);
        let axes = self.shape.iter();
        axes.fold(width, |size, &axis| size?.checked_mul(axis as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_all_versions_are_read() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 300, 150), }          \n";
        let wanted = Npy {
            element: Element::F32,
            big: false,
            fortran: false,
            shape: vec![3, 300, 150],
        };
        assert_eq!(wanted.size(), Some(3 * 300 * 150 * 4));
        for version in 1..=3 {
            let mut bytes = MAGIC.to_vec();
            bytes.extend([version, 0]);
            let len = (text.len() as u32).to_le_bytes();
            bytes.extend(&len[..if version == 1 { 2 } else { 4 }]);
            bytes.extend(text.bytes());
            assert_eq!(
                Npy::read(&mut &bytes[..]),
                Ok((wanted.clone(), bytes.len()))
            );
            assert!(Npy::read(&mut &bytes[..bytes.len() - 1]).is_err());
        }
        let old = "{\"shape\": (7L,), \"descr\": \">i8\", \"fortran_order\": True}";
        let old = Npy::parse(old).unwrap();
        assert_eq!((old.shape, old.big, old.fortran), (vec![7], true, true));
    }

    #[test]
    fn other_heads_are_refused() {
        for (text, expected) in [
            ("{}", "descr"),
            ("{'descr': [('a', '<f4')]}", "an array of numbers"),
            (
                "{'descr': '|O', 'fortran_order': False, 'shape': ()}",
                "floats of 16",
            ),
            (
                "{'descr': '<f4', 'fortran_order': 1, 'shape': ()}",
                "True or False",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
                "whole numbers",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
                "a shape",
            ),
        ] {
            let Mismatch {
                expected: found, ..
            } = Npy::parse(text).unwrap_err();
            assert!(found.contains(expected), "{text}: {found}");
        }
        let far = Npy::read(&mut &b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..]).unwrap_err();
        assert!(far.expected.contains("at most"), "{far:?}");
        assert!(Npy::read(&mut &b"\x93NUMPY\x09\x00\x01\x00"[..]).is_err());
    }
}
