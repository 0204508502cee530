//! A guard before the library reads variable-length strings.
//!
//! They lie in collections of objects ("GCOL", the global heap), which carry no checksum. libhdf5 2.2.0 walks a
//! collection from object to object by their sizes, and never ends where a damaged size leads to a run of zeros: there
//! stands an object 0 of size 0, which takes the walk nowhere. So the walk is made here first. Every other damage to a
//! collection the library refuses, or the digest shows it.

use std::ops::Range;

use memchr::memmem;

/// Signature and version of a collection.
const COLLECTION: &[u8; 5] = b"GCOL\x01";
/// Signature, version, three bytes of nothing, and the size of the whole in eight.
const HEADER: usize = 16;
/// Index, reference count, four bytes of nothing, and the size of the object in eight.
const OBJECT: u64 = 16;

/// The place of an object that the library would never get past, if there is one outside of `skip`, whose ranges ascend; also where
/// collections overlap so often that looking at all of them would take too long.
///
/// Collections are found by their signature, wherever it stands: a damaged reference can point anywhere.
pub(super) fn endless(bytes: &[u8], skip: &[Range<usize>]) -> Option<usize> {
    // Collections that don't overlap have no more objects than this.
    let mut steps = bytes.len() / OBJECT as usize;
    let (mut at, mut skip) = (0, skip.iter().peekable());
    while at < bytes.len() {
        while skip.next_if(|range| range.end <= at).is_some() {}
        let end = match skip.peek() {
            Some(range) if range.contains(&at) => {
                at = range.end;
                continue;
            }
            Some(range) => range.start.min(bytes.len()),
            None => bytes.len(),
        };
        // A signature may begin before a range and end in it.
        let searched = &bytes[at..bytes.len().min(end + COLLECTION.len() - 1)];
        let Some(found) = memmem::find(searched, COLLECTION) else {
            at = end;
            continue;
        };
        at += found;
        if let Some(stuck) = walk(bytes, at, &mut steps) {
            return Some(stuck);
        }
        at += COLLECTION.len();
    }
    None
}

/// Steps through a collection as the library does, to an object that is no step, or to the last of all `steps`.
fn walk(bytes: &[u8], start: usize, steps: &mut usize) -> Option<usize> {
    let size = usize::try_from(number(bytes, start + 8)?).ok()?;
    // One that goes beyond the file is refused by the library before it is walked.
    let collection = bytes.get(start..start.checked_add(size)?)?;
    let mut at = HEADER;
    while at + OBJECT as usize <= collection.len() {
        let index = u16::from_le_bytes([collection[at], collection[at + 1]]);
        let size = number(collection, at + 8)?;
        // In the library's arithmetic, which wraps.
        let step = match index {
            0 => size,
            _ => (size.wrapping_add(7) / 8)
                .wrapping_mul(8)
                .wrapping_add(OBJECT),
        };
        if step == 0 || *steps == 0 {
            return Some(start + at);
        }
        *steps -= 1;
        at = at.checked_add(usize::try_from(step).ok()?)?;
    }
    None
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A collection of the objects given as (index, size).
    fn collection(objects: &[(u16, u64)], size: usize) -> Vec<u8> {
        let mut out = COLLECTION.to_vec();
        out.extend([0; 3]);
        out.extend((size as u64).to_le_bytes());
        for &(index, size) in objects {
            out.extend(index.to_le_bytes());
            out.extend([0; 6]);
            out.extend(size.to_le_bytes());
            if index > 0 && size < 100 {
                out.resize(out.len() + size.next_multiple_of(8) as usize, 0xaa);
            }
        }
        out.resize(size, 0);
        out
    }

    #[test]
    fn whole_collections_pass_and_endless_ones_do_not() {
        let whole = collection(&[(1, 14), (2, 3), (0, 64)], 128);
        assert_eq!(endless(&whole, &[]), None);
        assert_eq!(endless(&collection(&[(1, 14), (0, 0)], 128), &[]), Some(48));
        // A size that wraps to nothing.
        assert_eq!(
            endless(&collection(&[(1, u64::MAX - 15)], 128), &[]),
            Some(16)
        );
        // Beyond the collection or the file: the library's to refuse.
        assert_eq!(endless(&collection(&[(1, 1 << 40)], 128), &[]), None);
        assert_eq!(endless(&whole[..100], &[]), None);
        assert_eq!(endless(&[], &[]), None);
    }

    #[test]
    fn coordinates_are_skipped() {
        let mut bytes = vec![1; 64];
        bytes.extend(collection(&[(0, 0)], 128));
        bytes.extend(collection(&[(1, 8), (0, 0)], 128));
        assert_eq!(endless(&bytes, &[]), Some(80));
        assert_eq!(endless(&bytes, &[60..100, 64..192]), Some(192 + 40));
        assert_eq!(endless(&bytes, &[60..192, 192..320]), None);
    }
}
